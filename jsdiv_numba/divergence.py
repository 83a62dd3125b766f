"""The Jensen-Shannon and Kullback-Leibler divergences of probabilities and of logits."""

from functools import partial
from typing import Any

import numpy as np

from ._core import validation
from ._core.evaluate import evaluate, normalised
from ._core.many import MANY_LOGITS, evaluate_left_out, evaluate_many, normalised_many
from ._core.measures import KL_LOGITS, KL_PROBABILITIES, LOGITS, PROBABILITIES
from ._core.sparse import any_sparse
from ._core.sparse_rows import by_rows
from ._core.validation import EQUAL, Axis, FloatArray

__all__ = [
    "js_divergence",
    "js_divergence_logit",
    "js_divergence_many",
    "js_divergence_many_logit",
    "kl_divergence",
    "kl_divergence_logit",
]


def js_divergence(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    out: FloatArray | None = None,
    workers: int | None = None,
) -> Any:
    r"""Jensen-Shannon divergence of probabilities.

    .. math::

        \mathrm{JS}(P \| Q) &= \tfrac12 \sum_i \Big[ p_i \log \frac{2 p_i}{p_i + q_i}
        + q_i \log \frac{2 q_i}{p_i + q_i} \Big] \\
        &= \tfrac12 \mathrm{KL}(P \| M) + \tfrac12 \mathrm{KL}(Q \| M), \quad M = \tfrac12 (P + Q)

    It is 0 for equal distributions and log 2 for disjoint ones. It is the
    divergence, not its square root (`jensenshannon` is), and nothing is
    normalised. With a weight :math:`\pi` other than ½ it is the skewed divergence

    .. math::

        (1 - \pi)\, \mathrm{KL}(P \| M) + \pi\, \mathrm{KL}(Q \| M),
        \quad M = (1 - \pi) P + \pi Q,

    at most :math:`-\pi \log \pi - (1 - \pi) \log (1 - \pi)`, the entropy of the weights.

    Parameters
    ----------
    P, Q : array_like or sparse array
        Probabilities, of shapes that broadcast. Finite and not negative;
        0·log 0 is 0. Of sparse rows see :doc:`/guide/sparse`.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of the broadcast shape; None is all.
    keepdims : bool, default True
        Whether the reduced axes stay, with length 1.
    reduce : bool, default True
        If False, return each element's term of the sum, in the broadcast shape.
    weight : array_like, default 0.5
        The weight π of Q, between 0 and 1; P has the rest. One number, or one for
        each result: of a shape that broadcasts to the result's.
    key : object, optional
        Ignored; hypercoil passes a random key.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    out : ndarray, optional
        Array for the result, of its shape and a floating dtype.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of
        `set_workers`. Results are bitwise identical for any number.

    Returns
    -------
    ndarray or scalar
        Divergences, of dtype float32 if that holds both inputs' dtypes (float16
        too), else float64. A scalar if no dimension is left.

    Raises
    ------
    ValueError
        If a probability is negative or infinite, a weight is not between 0 and 1,
        shapes do not broadcast, that of `weight` to the result's included, or
        `axis`, `base`, `workers` or the shape of `out` is wrong.
    TypeError
        If an input is not real, or `out` cannot hold the result's dtype.

    See Also
    --------
    js_divergence_logit : the same from logits.
    js_divergence_many : the same of more than two distributions.
    jensenshannon : the distance, with SciPy's signature.

    Notes
    -----
    The measure is Lin's [1]_. A row with a NaN gives NaN. The relative error of
    the result is below 1e-14 in float64 and 1e-6 in float32, for equal,
    near-equal, sparse, disjoint and badly scaled rows alike, and for weights down
    to 1e-200 (in float32 1e-20).

    .. [1] J. Lin, "Divergence measures based on the Shannon entropy", IEEE
       Transactions on Information Theory 37 (1991) 145-151.

    Examples
    --------
    >>> from jsdiv_numba import js_divergence
    >>> P = [[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]
    >>> Q = [[0.5, 0.5, 0.0], [0.6, 0.4, 0.0]]
    >>> js_divergence(P, Q).round(6)
    array([[0.      ],
           [0.229195]])
    >>> js_divergence([1, 0], [0, 1], base=2, keepdims=False).round(15)
    np.float64(1.0)

    The first row against a mixture to which the second gives a tenth:

    >>> js_divergence(P[1], Q[1], weight=0.1).round(6)
    array([0.070914])
    """
    if any_sparse(P, Q):
        dense = partial(js_divergence, keepdims=False, base=base, workers=workers)
        return by_rows(dense, {"P": P, "Q": Q}, axis, keepdims, reduce, out, weight)
    weights = None if weight is EQUAL else validation.as_weights(weight)
    settings = axis, keepdims, reduce
    return evaluate(
        PROBABILITIES, (P, Q), *settings, base=base, out=out, workers=workers, weights=weights
    )


def js_divergence_many(
    P: Any,
    *,
    weights: Any = None,
    axis: Axis = -1,
    over: int = 0,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    out: FloatArray | None = None,
    workers: int | None = None,
    normalise: bool = False,
    leave_one_out: bool = False,
) -> Any:
    r"""Jensen-Shannon divergence of any number of distributions.

    .. math::

        \mathrm{JS}_w(P_1, \dots, P_N) = \sum_i w_i\, \mathrm{KL}(P_i \| M)
        = \mathrm{H}(M) - \sum_i w_i\, \mathrm{H}(P_i),
        \quad M = \sum_i w_i P_i

    It is 0 if all are equal, and at most the entropy of the weights, log N for
    equal ones, which it is for disjoint distributions. Nothing is normalised
    but the weights, unless `normalise` says so.

    Parameters
    ----------
    P : array_like
        Probabilities, of two dimensions at least. Finite and not negative;
        0·log 0 is 0.
    weights : array_like, optional
        One for each distribution, finite and not negative. They are divided by
        their sum; None is 1/N for each.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of P; None is all but `over`.
    over : int, default 0
        The axis along which the distributions stand. The result does not have
        it, as if they had been so many arguments.
    keepdims : bool, default True
        Whether the categories' axes stay, with length 1.
    reduce : bool, default True
        If False, return each category's term of the sum, in the shape of P
        without `over`.
    normalise : bool, default False
        Whether each distribution is first divided by its sum along `axis`, as counts need. A sum
        of 0, which is that of no categories too, gives NaN. Each probability is rounded once: the
        error is then some units in the last place of 1, besides what is said below.
    leave_one_out : bool, default False
        If True, return what each distribution adds: the divergence of all, less that of
        all but it, whose weights are divided by their sum. It is negative where it makes
        the others less apart.
    key, base, out, workers
        As for `js_divergence`.

    Returns
    -------
    ndarray or scalar
        Divergences, of dtype float32 if that holds P's dtype (float16 too),
        else float64. A scalar if no dimension is left. With `leave_one_out`, an array
        that has the axis of the distributions as well.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence`, and if `weights` is of the wrong shape, has a
        wrong entry or no positive one, P has no distribution, or `over` is wrong.
        With `leave_one_out`, if only one distribution has a weight, or `reduce` is False.

    See Also
    --------
    js_divergence : of two distributions.
    js_centroid : what many distributions have in the middle.
    js_divergence_many_logit : from logits.
    js_divergence_many_grad : with derivatives.

    Notes
    -----
    The measure is Lin's [1]_. Of two distributions it is what `js_divergence`
    returns with the weight of the second, to the last bit. A result with a NaN
    among its probabilities is NaN. Its relative error is below 1e-14 in float64
    and 1e-6 in float32, for up to a thousand distributions, also where they are
    nearly equal, down to separations of 1e-12 (1e-6 in float32). So is the error of
    what one adds, relative to the larger of that and its weight times the divergence;
    all of them together take no longer than some divergences.

    .. [1] J. Lin, "Divergence measures based on the Shannon entropy", IEEE
       Transactions on Information Theory 37 (1991) 145-151.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import js_divergence_many
    >>> P = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])
    >>> js_divergence_many(P).round(6)
    array([0.228913])
    >>> js_divergence_many(P, weights=[2, 1, 1], keepdims=False).round(6)
    np.float64(0.210677)
    >>> js_divergence_many(np.eye(4), base=2)
    array([2.])
    >>> js_divergence_many([[3, 0], [0, 5]], base=2, normalise=True)
    array([1.])

    The second is the one that is apart from the others:

    >>> js_divergence_many(P, leave_one_out=True, keepdims=False).round(6)
    array([-0.000282,  0.223854,  0.009786])
    """
    options: dict[str, Any] = {"base": base, "out": out, "workers": workers}
    if normalise:
        P = normalised_many(P, axis, over, reduce)
    if not leave_one_out:
        return evaluate_many(P, weights, axis, over, keepdims, reduce, **options)
    if not reduce:
        raise ValueError("reduce is False; what each distribution adds is a sum: see leave_one_out")
    return evaluate_left_out(P, weights, axis, over, keepdims, **options)


def js_divergence_many_logit(
    P: Any,
    *,
    weights: Any = None,
    axis: Axis = -1,
    over: int = 0,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    out: FloatArray | None = None,
    workers: int | None = None,
) -> Any:
    r"""Jensen-Shannon divergence of the softmaxes of any number of rows of logits.

    .. math::

        \mathrm{JS}_w(\operatorname{softmax}(P_1), \dots, \operatorname{softmax}(P_N))

    Parameters
    ----------
    P : array_like
        Logits, of two dimensions at least. An entry -inf is a probability of 0;
        adding a constant to a distribution's logits changes nothing.
    weights : array_like, optional
        One for each distribution, finite and not negative. They are divided by
        their sum; None is 1/N for each.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of P. Several axes share one softmax; None
        is all but `over`.
    over, keepdims, reduce, key, base, out, workers
        As of `js_divergence_many`.

    Returns
    -------
    ndarray or scalar
        Divergences, of dtype float32 if that holds P's dtype (float16 too),
        else float64. A scalar if no dimension is left.

    Raises
    ------
    ValueError
        If a logit is +inf, or as `js_divergence_many` does.
    TypeError
        If an input is not real, or `out` cannot hold the result's dtype.

    See Also
    --------
    js_divergence_many : the same from probabilities.
    js_divergence_many_logit_grad : with derivatives.

    Notes
    -----
    Of two distributions it is what `js_divergence_logit` returns with the weight of
    the second, to the last bit. A distribution with a NaN, or whose logits are all
    -inf, makes the result NaN. The relative error is below 1e-10 in float64 and 1e-4 in
    float32, where distributions are nearly equal too: what tells them apart comes from the
    differences of their logits.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import js_divergence_many_logit
    >>> A = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, -np.inf], [5.0, 5.0, 5.0]])
    >>> js_divergence_many_logit(A).round(6)
    array([0.221899])
    >>> js_divergence_many_logit([A[0], A[0] + 1e-9, A[0] + [0, 0, 1e-9]], keepdims=False) > 0
    np.True_
    """
    options: dict[str, Any] = {"base": base, "out": out, "workers": workers}
    settings = weights, axis, over, keepdims, reduce
    return evaluate_many(P, *settings, measure=MANY_LOGITS, **options)


def js_divergence_logit(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    out: FloatArray | None = None,
    workers: int | None = None,
) -> Any:
    r"""Jensen-Shannon divergence of the softmaxes of logits.

    .. math::

        \mathrm{JS}(\operatorname{softmax}(P) \,\|\, \operatorname{softmax}(Q))

    With a weight other than ½ it is the skewed divergence, as `js_divergence` says.

    Parameters
    ----------
    P, Q : array_like
        Logits, of shapes that broadcast. An entry -inf is a probability of 0;
        adding a constant to a row changes nothing.
    axis : int, sequence of int or None, default -1
        The categories' axis, of the broadcast shape. Several axes share one
        softmax. None takes the softmax along the last axis, and sums over all.
    weight : array_like, default 0.5
        The weight π of Q, between 0 and 1; P has the rest. One number, or one for
        each row: of a shape that broadcasts to the result's with `reduce`. Where it is
        0 or 1, the divergence is 0.
    keepdims, reduce, key, base, out, workers
        As for `js_divergence`.

    Returns
    -------
    ndarray or scalar
        As for `js_divergence`.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence`; an invalid entry is a logit of +inf.

    See Also
    --------
    js_divergence : the same from probabilities.

    Notes
    -----
    A row with a NaN, or whose logits are all -inf, gives NaN. Near-equal rows
    are computed from the differences of their logits, so that the relative
    error stays below 1e-10 in float64 and 1e-4 in float32 where probabilities
    would long be equal. A logit more than 707 (in float32 87) below its row's
    largest counts as -inf, which costs at most 1e-307 (2e-38). All this holds for
    weights down to 1e-200 (in float32 1e-20).

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import js_divergence_logit
    >>> A = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, -np.inf]])
    >>> B = np.array([0.0, 1.0, 2.0])
    >>> js_divergence_logit(A, B).round(6)
    array([[0.      ],
           [0.331347]])
    >>> js_divergence_logit(B, B + [0.0, 0.0, 1e-9]) > 0
    array([ True])
    >>> js_divergence_logit(A, B, weight=[[0.1], [0.9]]).round(6)
    array([[0.      ],
           [0.108543]])
    """
    options: dict[str, Any] = {"base": base, "workers": workers}
    options["weights"] = None if weight is EQUAL else validation.as_weights(weight)
    logits_axis = -1 if axis is None else axis
    if axis is not None or not reduce:
        return evaluate(LOGITS, (P, Q), logits_axis, keepdims, reduce, out=out, **options)
    rows = np.asarray(evaluate(LOGITS, (P, Q), -1, True, True, out=None, **options))
    shape = (1,) * rows.ndim if keepdims else ()
    result = validation.result_array(out, shape, rows.dtype)
    with np.errstate(all="ignore"):
        total = rows.sum()
    validation.convert_into(result, total)
    return result if out is not None or result.ndim else result[()]


def kl_divergence(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    out: FloatArray | None = None,
    workers: int | None = None,
    normalise: bool = False,
) -> Any:
    r"""Kullback-Leibler divergence of probabilities, of Q from P.

    .. math::

        \mathrm{KL}(P \| Q) = \sum_i p_i \log \frac{p_i}{q_i}

    It is 0 for equal distributions, and infinite where a category that P has
    is impossible under Q. Nothing is normalised unless `normalise` says so.

    Parameters
    ----------
    P, Q : array_like
        Probabilities, of shapes that broadcast. Finite and not negative. A term
        is 0 where p is 0, and inf where q alone is.
    reduce : bool, default True
        If False, return each element's term of the sum, p·log(p/q), in the
        broadcast shape.
    axis, keepdims, key, base, out, workers
        As for `js_divergence`.
    normalise
        As for `js_divergence_many`.

    Returns
    -------
    ndarray or scalar
        As for `js_divergence`.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence`.

    See Also
    --------
    kl_divergence_logit : the same from logits.
    js_divergence : a symmetric relative that is always finite.

    Notes
    -----
    The measure is Kullback and Leibler's [1]_. A row with a NaN gives NaN. The
    error of the result is below 1e-14 in float64 and 1e-6 in float32, times
    KL + 2·\|Σp - Σq\|: where the sums are equal it is a relative error, of
    near-equal rows too. Where they are not, the result may be negative; it is
    never below Σp - Σq. Rows that are close are normalised best as logits:
    `kl_divergence_logit` of their logarithms.

    .. [1] S. Kullback and R. A. Leibler, "On information and sufficiency",
       Annals of Mathematical Statistics 22 (1951) 79-86.

    Examples
    --------
    >>> from jsdiv_numba import kl_divergence
    >>> P = [[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]
    >>> Q = [[0.5, 0.25, 0.25], [0.6, 0.4, 0.0]]
    >>> kl_divergence(P, Q).round(6)
    array([[0.346574],
           [     inf]])
    >>> kl_divergence([1, 0], [0.5, 0.5], base=2, keepdims=False)
    np.float64(1.0)
    >>> kl_divergence([7, 0], [20, 20], base=2, keepdims=False, normalise=True)
    np.float64(1.0)
    """
    if any_sparse(P, Q):
        settings: Any = {"base": base, "workers": workers, "normalise": normalise}
        dense = partial(kl_divergence, keepdims=False, **settings)
        return by_rows(dense, {"P": P, "Q": Q}, axis, keepdims, reduce, out)
    inputs = normalised(KL_PROBABILITIES, (P, Q), axis, reduce) if normalise else (P, Q)
    return evaluate(
        KL_PROBABILITIES, inputs, axis, keepdims, reduce, base=base, out=out, workers=workers
    )


def kl_divergence_logit(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    out: FloatArray | None = None,
    workers: int | None = None,
) -> Any:
    r"""Kullback-Leibler divergence of the softmaxes of logits, of Q from P.

    .. math::

        \mathrm{KL}(\operatorname{softmax}(P) \,\|\, \operatorname{softmax}(Q))

    Parameters
    ----------
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of the broadcast shape. Several axes share
        one softmax; None is all of them.
    keepdims, reduce, key, base, out, workers
        As for `kl_divergence`.
    P, Q
        As for `js_divergence_logit`.

    Returns
    -------
    ndarray or scalar
        As for `js_divergence`.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence`; an invalid entry is a logit of +inf.

    See Also
    --------
    kl_divergence : the same from probabilities.

    Notes
    -----
    A row with a NaN, or whose logits are all -inf, gives NaN. It is inf where a
    logit of Q alone is -inf, and finite however small a probability is else.
    The relative error stays below 1e-10 in float64 and 1e-4 in float32, for
    near-equal rows too, which are computed from the differences of their
    logits. A logit of P more than 707 (in float32 87) below its row's largest
    counts as -inf, which costs at most 1e-307 (2e-38) times the difference of
    two logits.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import kl_divergence_logit
    >>> A = np.array([[0.0, 1.0, 2.0], [0.0, 0.0, -np.inf]])
    >>> B = np.array([0.0, 1.0, 2.0])
    >>> kl_divergence_logit(A, B).round(6)
    array([[0.      ],
           [1.214459]])
    >>> kl_divergence_logit(B, A)
    array([[ 0.],
           [inf]])
    """
    return evaluate(KL_LOGITS, (P, Q), axis, keepdims, reduce, base=base, out=out, workers=workers)
