"""The divergences with their derivatives, for optimisers."""

from typing import Any

import numpy as np

from ._core import validation
from ._core.gradients import Out, Result, evaluate_with_gradient, total_with_gradient
from ._core.many import MANY_LOGITS, evaluate_many_with_gradient
from ._core.measures import (
    ENTROPY_LOGITS,
    ENTROPY_PROBABILITIES,
    KL_LOGITS,
    KL_PROBABILITIES,
    LOGITS,
    PROBABILITIES,
)
from ._core.temperature import scale_by_temperature
from ._core.validation import EQUAL, Axis

__all__ = [
    "entropy_grad",
    "entropy_logit_grad",
    "js_divergence_grad",
    "js_divergence_logit_grad",
    "js_divergence_many_grad",
    "js_divergence_many_logit_grad",
    "kl_divergence_grad",
    "kl_divergence_logit_grad",
]


def js_divergence_grad(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    out: Out = None,
    workers: int | None = None,
) -> Result:
    r"""Jensen-Shannon divergence of probabilities, and its derivatives.

    .. math::

        \frac{\partial\, \mathrm{JS}}{\partial p_i} = \tfrac12 \log \frac{2 p_i}{p_i + q_i},
        \qquad
        \frac{\partial\, \mathrm{JS}}{\partial q_i} = \tfrac12 \log \frac{2 q_i}{p_i + q_i}

    They are the derivatives of the formula as it stands: nothing is normalised,
    and no entry is held by the others' sum. With a weight :math:`\pi` other than ½,
    and :math:`m = (1 - \pi) p + \pi q`,

    .. math::

        \frac{\partial\, \mathrm{JS}}{\partial p_i} = (1 - \pi) \log \frac{p_i}{m_i},
        \qquad
        \frac{\partial\, \mathrm{JS}}{\partial q_i} = \pi \log \frac{q_i}{m_i} .

    Parameters
    ----------
    P, Q : array_like
        Probabilities, of shapes that broadcast. Finite and not negative;
        0·log 0 is 0.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of the broadcast shape; None is all.
    keepdims : bool, default True
        Whether the reduced axes stay, with length 1.
    reduce : bool, default True
        If False, the value is each element's term of the sum, in the broadcast
        shape.
    weight : array_like, default 0.5
        The weight π of Q, between 0 and 1; P has the rest. One number, or one for
        each value: of a shape that broadcasts to the value's.
    key : object, optional
        Ignored; hypercoil passes a random key.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    cotangent : array_like, optional
        The derivative with respect to the value of what is to be differentiated, of a shape
        that broadcasts to the value's; None is 1 everywhere, which gives the
        derivatives of the value's sum.
    out : tuple of ndarray or None, optional
        Arrays for the value and the two derivatives, of their shapes and
        floating dtypes, None for each that is to be made. A loop that passes
        them saves the time that new memory costs.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of
        `set_workers`. Results are bitwise identical for any number.

    Returns
    -------
    value : ndarray or scalar
        What `js_divergence` returns with these arguments, but for the order in
        which it adds up a row.
    grad_P, grad_Q : ndarray or scalar
        The derivatives of ``sum(cotangent * value)`` in `P` and in `Q`, in the
        shapes of these and the dtype of the value: summed over the axes along
        which the input was broadcast.

    Raises
    ------
    ValueError
        If a probability is negative or infinite, a weight is not between 0 and 1,
        shapes do not broadcast, those of `weight` and `cotangent` to the value's
        included, or `axis`, `base`, `workers` or a shape in `out` is wrong.
    TypeError
        If an input is not real, or `out` cannot hold the results.

    See Also
    --------
    js_divergence_logit_grad : the same from logits, finite everywhere.
    js_divergence_many_grad : the same of more than two distributions.

    Notes
    -----
    The relative error of each derivative is below 1e-14 in float64 and 1e-6 in
    float32, near-equal entries included.

    Where p = 0 < q, the derivative with respect to p is -inf, since the divergence falls
    steeper and steeper as p goes to 0, and -inf times the cotangent is returned:
    a finite number would have to be made up. Where p = q = 0 there is no
    derivative, and 0 is returned, which is a subgradient. Where the cotangent is
    0, so are the derivatives, infinite ones too; and where a weight is 0, which
    makes the divergence 0 whatever P and Q are. A row with a NaN gives NaN. An
    optimiser should be given logits, whose derivatives have no such edge.

    Examples
    --------
    >>> from jsdiv_numba import js_divergence_grad
    >>> value, grad_P, grad_Q = js_divergence_grad([0.2, 0.3, 0.5], [0.6, 0.4, 0.0])
    >>> value.round(6)
    array([0.229195])
    >>> grad_P.round(6)
    array([-0.346574, -0.077075,  0.346574])
    >>> grad_Q.round(6)
    array([0.202733, 0.066766,     -inf])
    """
    weights = None if weight is EQUAL else validation.as_weights(weight)
    options: dict[str, Any] = {"base": base, "cotangent": cotangent, "out": out, "workers": workers}
    return evaluate_with_gradient(
        PROBABILITIES, (P, Q), axis, keepdims, reduce, weights=weights, **options
    )


def js_divergence_many_grad(
    P: Any,
    *,
    weights: Any = None,
    axis: Axis = -1,
    over: int = 0,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    out: Out = None,
    workers: int | None = None,
) -> Result:
    r"""Jensen-Shannon divergence of any number of distributions, and its derivatives.

    .. math::

        \frac{\partial\, \mathrm{JS}_w}{\partial p_{ij}} = w_i \log \frac{p_{ij}}{m_j},
        \quad m_j = \sum_i w_i p_{ij}

    They are the derivatives of the formula as it stands: nothing is normalised
    but the weights, and no entry is held by the others' sum.

    Parameters
    ----------
    reduce : bool, default True
        If False, the value is each category's term of the sum, in the shape of P
        without `over`.
    key, base, cotangent, out, workers
        As for `js_divergence_grad`.
    P, weights, axis, over, keepdims
        As for `js_divergence_many`.

    Returns
    -------
    value : ndarray or scalar
        What `js_divergence_many` returns with these arguments; of two distributions,
        what `js_divergence_grad` returns.
    grad_P : ndarray
        The derivatives of ``sum(cotangent * value)`` in `P`, in its shape and the
        dtype of the value.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence_grad` and `js_divergence_many`.

    See Also
    --------
    js_divergence_grad : of two distributions.

    Notes
    -----
    The error of a derivative, over its weight, is below 1e-14 (in float32 1e-6)
    of the largest \|log(p/m)\| in its category. Where p = 0 < m, it is -inf, and
    where p = m = 0 it is 0, as in `js_divergence_grad`. Where the weight or the
    cotangent is 0, so are the derivatives. A result with a NaN among its
    probabilities gives NaN.

    Examples
    --------
    >>> from jsdiv_numba import js_divergence_many_grad
    >>> value, grad_P = js_divergence_many_grad([[0.5, 0.5], [0.2, 0.8], [0.9, 0.1]])
    >>> value.round(6)
    array([0.184712])
    >>> grad_P.round(6)
    array([[-0.021513,  0.022998],
           [-0.326943,  0.179666],
           [ 0.174416, -0.513482]])
    """
    options: dict[str, Any] = {"base": base, "cotangent": cotangent, "out": out}
    return evaluate_many_with_gradient(
        P, weights, axis, over, keepdims, reduce, workers=workers, **options
    )


def js_divergence_many_logit_grad(
    P: Any,
    *,
    weights: Any = None,
    axis: Axis = -1,
    over: int = 0,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    out: Out = None,
    workers: int | None = None,
) -> Result:
    r"""Jensen-Shannon divergence of softmaxes of any number of rows, and its derivatives.

    .. math::

        \frac{\partial\, \mathrm{JS}_w}{\partial a_{ij}}
        = w_i\, p_{ij} \Big( \log \frac{p_{ij}}{m_j} - \mathrm{KL}(p_i \| m) \Big),
        \quad p_i = \operatorname{softmax}(a_i),\ m = \sum_i w_i p_i

    Parameters
    ----------
    P : array_like
        Logits, of two dimensions at least. An entry -inf is a probability of 0.
    weights, axis, over, keepdims, reduce, key, base, workers
        As of `js_divergence_many_logit`.
    cotangent, out
        As of `js_divergence_many_grad`.

    Returns
    -------
    value : ndarray or scalar
        What `js_divergence_many_logit` returns with these arguments.
    grad_P : ndarray
        The derivatives of ``sum(cotangent * value)`` with respect to `P`, in its shape
        and the dtype of the value.

    Raises
    ------
    ValueError
        If a logit is +inf, or as `js_divergence_many_grad` does.
    TypeError
        If an input is not real, or `out` cannot hold the results.

    See Also
    --------
    js_divergence_logit_grad : of two distributions.

    Notes
    -----
    All derivatives are finite; that of a logit -inf is 0. The error of one is below 1e-12
    (in float32 1e-4) of its weight times the largest \|log(p/m)\| of its distribution.

    Examples
    --------
    >>> from jsdiv_numba import js_divergence_many_logit_grad
    >>> value, grad_P = js_divergence_many_logit_grad([[0.0, 1.0], [0.0, 0.0], [2.0, 0.0]])
    >>> value.round(6)
    array([0.141262])
    >>> grad_P.round(6)
    array([[-0.078666,  0.078666],
           [-0.016693,  0.016693],
           [ 0.062985, -0.062985]])
    """
    options: dict[str, Any] = {"base": base, "cotangent": cotangent, "out": out}
    settings = weights, axis, over, keepdims, reduce
    return evaluate_many_with_gradient(
        P, *settings, workers=workers, measure=MANY_LOGITS, **options
    )


def js_divergence_logit_grad(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    out: Out = None,
    workers: int | None = None,
) -> Result:
    r"""Jensen-Shannon divergence of the softmaxes of logits, and its derivatives.

    .. math::

        \frac{\partial\, \mathrm{JS}}{\partial a_i}
        = p_i \Big( g_i - \sum_j p_j g_j \Big),
        \quad g_i = \tfrac12 \log \frac{2 p_i}{p_i + q_i},
        \quad p = \operatorname{softmax}(a)

    With a weight :math:`\pi` of Q other than ½, :math:`g_i = (1 - \pi) \log (p_i / m_i)`,
    :math:`m = (1 - \pi) p + \pi q`.

    Parameters
    ----------
    keepdims, reduce, key, base, cotangent, out, workers
        As for `js_divergence_grad`.
    P, Q, axis, weight
        As for `js_divergence_logit`.

    Returns
    -------
    value : ndarray or scalar
        What `js_divergence_logit` returns with these arguments, to the last bit.
    grad_P, grad_Q : ndarray or scalar
        As for `js_divergence_grad`. Without broadcasting, a row's derivatives sum to 0.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence_grad`; an invalid entry is a logit of +inf.

    See Also
    --------
    js_divergence_grad : the same from probabilities.

    Notes
    -----
    All derivatives are finite; that of a logit -inf is 0. A row with a NaN, or
    whose logits are all -inf, gives NaN. An error is at most 1e-12 (in float32
    1e-4) of the row's largest derivative, of near-equal rows and of rows with
    one probability near 1 too, and 4e-305 (8e-37), since a logit more than 707
    (87) below its row's largest counts as -inf, times `cotangent`.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import js_divergence_logit_grad
    >>> value, grad_A, grad_B = js_divergence_logit_grad([0.0, 0.0, -np.inf], [0.0, 1.0, 2.0])
    >>> value.round(6)
    array([0.331347])
    >>> grad_A.round(6)
    array([ 0.029106, -0.029106,  0.      ])
    >>> grad_B.round(6)
    array([-0.064751, -0.082138,  0.146889])
    """
    options: dict[str, Any] = {"base": base, "cotangent": cotangent, "out": out, "workers": workers}
    options["weights"] = None if weight is EQUAL else validation.as_weights(weight)
    if axis is None and reduce:
        return total_with_gradient(LOGITS, (P, Q), keepdims, **options)
    logits_axis = -1 if axis is None else axis
    return evaluate_with_gradient(LOGITS, (P, Q), logits_axis, keepdims, reduce, **options)


def kl_divergence_grad(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    workers: int | None = None,
) -> Result:
    r"""Kullback-Leibler divergence of probabilities, and its derivatives.

    .. math::

        \frac{\partial\, \mathrm{KL}}{\partial p_i} = \log \frac{p_i}{q_i} + 1,
        \qquad
        \frac{\partial\, \mathrm{KL}}{\partial q_i} = -\frac{p_i}{q_i}

    They are the derivatives of the formula as it stands: nothing is normalised,
    and no entry is held by the others' sum.

    Parameters
    ----------
    axis, keepdims, reduce, key, base, cotangent, workers
        As for `js_divergence_grad`.
    P, Q
        As for `kl_divergence`.

    Returns
    -------
    value : ndarray or scalar
        What `kl_divergence` returns with these arguments, to the last bit.
    grad_P, grad_Q : ndarray or scalar
        As for `js_divergence_grad`.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence_grad`.

    See Also
    --------
    kl_divergence_logit_grad : the same from logits.

    Notes
    -----
    The derivative with respect to p is -inf where p = 0 < q, the limit from within; where
    q = 0 < p, those in p and q are inf and -inf. Where p = q = 0 there is no
    derivative, and that of p = q is returned, 1 and -1, which is a subgradient.
    Where the cotangent is 0, so are the derivatives. A row with a NaN gives NaN.

    Examples
    --------
    >>> from jsdiv_numba import kl_divergence_grad
    >>> value, grad_P, grad_Q = kl_divergence_grad([0.2, 0.3, 0.5], [0.1, 0.4, 0.5])
    >>> value.round(6)
    array([0.052325])
    >>> grad_P.round(6)
    array([1.693147, 0.712318, 1.      ])
    >>> grad_Q.round(6)
    array([-2.  , -0.75, -1.  ])
    """
    return evaluate_with_gradient(
        KL_PROBABILITIES,
        (P, Q),
        axis,
        keepdims,
        reduce,
        base=base,
        cotangent=cotangent,
        workers=workers,
    )


def kl_divergence_logit_grad(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    workers: int | None = None,
) -> Result:
    r"""Kullback-Leibler divergence of the softmaxes of logits, and its derivatives.

    .. math::

        \frac{\partial\, \mathrm{KL}}{\partial a_i}
        = p_i \Big( \log \frac{p_i}{q_i} - \mathrm{KL} \Big),
        \qquad
        \frac{\partial\, \mathrm{KL}}{\partial b_i} = q_i - p_i

    Parameters
    ----------
    keepdims, reduce, key, base, cotangent, workers
        As for `js_divergence_grad`.
    P, Q, axis
        As for `kl_divergence_logit`.

    Returns
    -------
    value : ndarray or scalar
        What `kl_divergence_logit` returns with these arguments, to the last bit.
    grad_P, grad_Q : ndarray or scalar
        As for `js_divergence_grad`. Without broadcasting, a row's derivatives sum to 0.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence_grad`; an invalid entry is a logit of +inf.

    See Also
    --------
    kl_divergence_grad : the same from probabilities.

    Notes
    -----
    That of a logit -inf of `P` is 0. Where `Q` rules out a category that `P` has,
    the divergence is infinite whatever the finite logits of `P` are: it has no
    derivatives with respect to `P`, and NaN is returned. Those with respect to `Q`
    are q - p there too. Rows and terms with a cotangent of 0 count for nothing,
    infinite ones too. A row with a NaN, or whose logits are all -inf, gives NaN.
    An error is at most 1e-12 (in float32 1e-5) of the row's largest derivative, of
    near-equal rows too, and 1e-307 (2e-38) times the difference of two logits and
    `cotangent`, since a logit more than 707 (87) below its row's largest counts as
    -inf.

    Examples
    --------
    >>> from jsdiv_numba import kl_divergence_logit_grad
    >>> value, grad_A, grad_B = kl_divergence_logit_grad([0.0, 1.0], [0.0, 0.0])
    >>> value.round(6)
    array([0.110944])
    >>> grad_A.round(6)
    array([-0.196612,  0.196612])
    >>> grad_B.round(6)
    array([ 0.231059, -0.231059])
    """
    return evaluate_with_gradient(
        KL_LOGITS,
        (P, Q),
        axis,
        keepdims,
        reduce,
        base=base,
        cotangent=cotangent,
        workers=workers,
    )


def entropy_grad(
    X: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    workers: int | None = None,
) -> Result:
    r"""Entropy of probabilities, and its derivatives.

    .. math::

        \frac{\partial\, \mathrm{H}}{\partial x_i} = -\log x_i - 1

    Parameters
    ----------
    axis, keepdims, reduce, key, base, cotangent, workers
        As for `js_divergence_grad`.
    X
        As for `entropy`.

    Returns
    -------
    value : ndarray or scalar
        What `entropy` returns with these arguments, to the last bit.
    grad_X : ndarray or scalar
        The derivatives of ``sum(cotangent * value)`` in `X`, in its shape and the
        dtype of the value.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence_grad`.

    See Also
    --------
    entropy_logit_grad : the same from logits, finite everywhere.

    Notes
    -----
    The derivative at 0 is inf, the limit from within. Where the cotangent is 0,
    so are the derivatives. A row with a NaN gives NaN.

    Examples
    --------
    >>> from jsdiv_numba import entropy_grad
    >>> value, grad_X = entropy_grad([0.25, 0.25, 0.5])
    >>> value.round(6)
    array([1.039721])
    >>> grad_X.round(6)
    array([ 0.386294,  0.386294, -0.306853])
    """
    return evaluate_with_gradient(
        ENTROPY_PROBABILITIES,
        (X,),
        axis,
        keepdims,
        reduce,
        base=base,
        cotangent=cotangent,
        workers=workers,
    )


def entropy_logit_grad(
    X: Any,
    *,
    temperature: float = 1.0,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    workers: int | None = None,
) -> Result:
    r"""Entropy of the softmax of logits, and its derivatives.

    .. math::

        \frac{\partial\, \mathrm{H}}{\partial x_i}
        = -\frac{p_i}{T} \big( \log p_i + \mathrm{H} \big),
        \quad p = \operatorname{softmax}(x / T)

    Parameters
    ----------
    keepdims, reduce, key, base, cotangent, workers
        As for `js_divergence_grad`.
    X, temperature, axis
        As for `entropy_logit`.

    Returns
    -------
    value : ndarray or scalar
        What `entropy_logit` returns with these arguments, to the last bit.
    grad_X : ndarray or scalar
        The derivatives of ``sum(cotangent * value)`` in `X`, in its shape and the
        dtype of the value. A row's sum to 0.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence_grad`, and if `temperature` is not positive and finite. An
        invalid entry is a logit of +inf.

    See Also
    --------
    entropy_grad : the same from probabilities.

    Notes
    -----
    That of a logit -inf is 0. A row with a NaN, or whose logits are all -inf,
    gives NaN. An error is at most 1e-12 (in float32 1e-5) of the row's largest
    derivative, and 1e-304 (2e-36), since a logit more than 707 (87) below its
    row's largest counts as -inf, times `cotangent`.

    Examples
    --------
    >>> from jsdiv_numba import entropy_logit_grad
    >>> value, grad_X = entropy_logit_grad([0.0, 1.0])
    >>> value.round(6)
    array([0.582203])
    >>> grad_X.round(6)
    array([ 0.196612, -0.196612])
    """
    value, gradient = evaluate_with_gradient(
        ENTROPY_LOGITS,
        (scale_by_temperature(X, axis, temperature),),
        axis,
        keepdims,
        reduce,
        base=base,
        cotangent=cotangent,
        workers=workers,
    )
    if temperature != 1.0:
        with np.errstate(all="ignore"):
            gradient = gradient / validation.nearest_float(temperature, gradient.dtype)
    return value, gradient
