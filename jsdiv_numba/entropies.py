"""The entropy of probabilities and of logits."""

from functools import partial
from typing import Any

from ._core.evaluate import evaluate, normalised
from ._core.measures import ENTROPY_LOGITS, ENTROPY_PROBABILITIES
from ._core.sparse import any_sparse
from ._core.sparse_rows import by_rows
from ._core.temperature import scale_by_temperature
from ._core.validation import Axis, FloatArray

__all__ = ["entropy", "entropy_logit"]


def entropy(
    X: Any,
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
    r"""Entropy of probabilities.

    .. math::

        \mathrm{H}(X) = -\sum_i x_i \log x_i

    It is 0 for a distribution with one category, and log n for n categories of
    equal probability. Nothing is normalised unless `normalise` says so.

    Parameters
    ----------
    X : array_like
        Probabilities. Finite and not negative; 0·log 0 is 0.
    axis, keepdims, reduce, key, base, out, workers
        As for `js_divergence`.
    normalise
        As for `js_divergence_many`.

    Returns
    -------
    ndarray or scalar
        Entropies, of dtype float32 if that holds the input's dtype (float16
        too), else float64. A scalar if no dimension is left.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence`.

    See Also
    --------
    entropy_logit : the same from logits.
    kl_divergence : the entropy that is relative to another distribution.

    Notes
    -----
    The measure is Shannon's [1]_. A row with a NaN gives NaN. The relative error
    is below 1e-14 in float64 and 1e-6 in float32 for probabilities. Numbers
    above 1 have terms of the other sign, which may cancel; the error is then
    relative to the sum of the terms' magnitudes.

    .. [1] C. E. Shannon, "A mathematical theory of communication", Bell System
       Technical Journal 27 (1948) 379-423.

    Examples
    --------
    >>> from jsdiv_numba import entropy
    >>> entropy([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], base=2).round(6)
    array([[1.      ],
           [1.485475]])
    >>> entropy([0.0, 1.0], keepdims=False)
    np.float64(0.0)
    >>> entropy([30, 10], base=2, keepdims=False, normalise=True).round(6)
    np.float64(0.811278)
    """
    if any_sparse(X):
        settings: Any = {"base": base, "workers": workers, "normalise": normalise}
        dense = partial(entropy, keepdims=False, **settings)
        return by_rows(dense, {"X": X}, axis, keepdims, reduce, out)
    measure = ENTROPY_PROBABILITIES
    inputs = normalised(measure, (X,), axis, reduce) if normalise else (X,)
    return evaluate(measure, inputs, axis, keepdims, reduce, base=base, out=out, workers=workers)


def entropy_logit(
    X: Any,
    *,
    temperature: float = 1.0,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    out: FloatArray | None = None,
    workers: int | None = None,
) -> Any:
    r"""Entropy of the softmax of logits.

    .. math::

        \mathrm{H}(\operatorname{softmax}(X / T))

    Parameters
    ----------
    X : array_like
        Logits. An entry -inf is a probability of 0; adding a constant to a row
        changes nothing.
    temperature : float, default 1.0
        T, by which logits are divided: below 1 it sharpens the distribution,
        above 1 it levels it.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes. Several axes share one softmax; None is all
        of them.
    keepdims, reduce, key, base, out, workers
        As for `js_divergence`.

    Returns
    -------
    ndarray or scalar
        As for `entropy`.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence`, and if `temperature` is not positive and finite. An
        invalid entry is a logit of +inf.

    See Also
    --------
    entropy : the same from probabilities.

    Notes
    -----
    A row with a NaN, or whose logits are all -inf, gives NaN. The relative error
    is below 1e-10 in float64 and 1e-4 in float32, also where one category has
    all but nothing of the probability left for the others. A logit more than 707
    (in float32 87) below its row's largest counts as -inf, which costs at most
    7e-305 (2e-36).

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import entropy_logit
    >>> entropy_logit([[0.0, 0.0, -np.inf], [100.0, 0.0, 0.0]], base=2)
    array([[1.0000000e+00],
           [1.0841209e-41]])
    >>> entropy_logit([0.0, 1.0], temperature=100.0, keepdims=False).round(6)
    np.float64(0.693135)
    """
    return evaluate(
        ENTROPY_LOGITS,
        (scale_by_temperature(X, axis, temperature),),
        axis,
        keepdims,
        reduce,
        base=base,
        out=out,
        workers=workers,
    )
