"""What many distributions have in the middle."""

import warnings
from operator import index
from typing import Any

import numpy as np

from ._core import validation
from ._core.many import Stack, normalised_many
from ._core.validation import Axis, FloatArray
from .gradient import js_divergence_grad

__all__ = ["js_centroid"]

METHODS = ("mean", "cccp")


def js_centroid(
    P: Any,
    *,
    weights: Any = None,
    axis: Axis = -1,
    over: int = 0,
    method: str = "mean",
    normalise: bool = False,
    tol: float = 1e-9,
    max_iter: int = 1000,
    workers: int | None = None,
) -> FloatArray:
    r"""Centroid of any number of distributions: the mean, or where the divergence to all is least.

    .. math::

        \operatorname{arg\,min}_C \sum_i w_i\, \mathrm{KL}(P_i \| C) = \sum_i w_i P_i,
        \qquad
        \operatorname{arg\,min}_C \sum_i w_i\, \mathrm{JS}(P_i \| C)

    Parameters
    ----------
    P : array_like
        Probabilities, of two dimensions at least. Finite and not negative, of one sum. A NaN
        makes its category of the mean NaN, and with "cccp" all of them.
    weights, axis, over
        As for `js_divergence_many`.
    method : {"mean", "cccp"}, default "mean"
        The mean is the mixture that `js_divergence_many` measures against. With "cccp"
        the sum of the Jensen-Shannon divergences to all is least, by the concave-convex
        procedure.
    normalise : bool, default False
        Whether each distribution is first divided by its sum along `axis`, as counts need.
    tol : float, default 1e-9
        The iteration ends when a step moves less than this of the centroid's sum.
    max_iter : int, default 1000
        Steps at most; where these do not do, there is a RuntimeWarning.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of `set_workers`.
        Results are bitwise identical for any number.

    Returns
    -------
    ndarray
        The centroid, in the shape of P without `over`, of dtype float32 if that
        holds P's dtype (float16 too), else float64.

    Raises
    ------
    ValueError, TypeError
        As for `js_divergence_many`, and if `method`, `tol` or `max_iter` is wrong.

    See Also
    --------
    js_divergence_many : how far distributions are from their mean.

    Notes
    -----
    A step of the iteration is Nielsen's [1]_: the geometric mean, normalised, of all
    distributions' arithmetic means with the centroid, begun at the mean. The sum of
    divergences is convex in the centroid, and no step makes it larger. A step halves what
    is missing in categories that all have, and takes it down by about half of a
    distribution's weight where that one alone has a category.

    .. [1] F. Nielsen, "On a generalization of the Jensen-Shannon divergence and the
       Jensen-Shannon centroid", Entropy 22 (2020) 221.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import js_centroid
    >>> P = np.array([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7]])
    >>> js_centroid(P).round(4)
    array([0.6   , 0.1333, 0.2667])
    >>> js_centroid(P, method="cccp").round(4)
    array([0.635 , 0.1527, 0.2122])
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(map(repr, METHODS))}")
    number = validation.real_number(tol)
    if number is None or not number > 0:
        raise ValueError(f"tol is {tol!r}; it must be positive")
    steps = _number_of_steps(max_iter)
    if normalise:
        P = normalised_many(P, axis, over, reduce=False)
    stack = Stack.check(P, weights, axis, over)
    array = validation.known_to_numpy(stack.array)
    validation.check_probabilities(P=array)
    rows = np.moveaxis(array, stack.over, 0)
    with np.errstate(all="ignore"):
        centroid = np.tensordot(stack.weights, rows, 1)
        if method == "cccp":
            used = stack.weights > 0
            rows, weights = rows[used].astype(np.float64), stack.weights[used]
            # A power of two by which no sum overflows.
            infinite = np.isinf(centroid.sum(axis=stack.axes, keepdims=True))
            scale = np.where(infinite, 2.0**-64, 1.0)
            start = centroid * scale
            centroid = _nearest_to_all(
                rows * scale, weights, start, stack.axes, tol, steps, workers
            )
            centroid /= scale
        return centroid.astype(validation.result_dtype(array), copy=False)


def _number_of_steps(max_iter: Any) -> int:
    try:
        number = index(max_iter)
    except TypeError:
        raise TypeError(f"max_iter is {max_iter!r}; it must be an integer") from None
    if number < 1:
        raise ValueError(f"max_iter is {max_iter}; it must be positive")
    return number


def _nearest_to_all(
    rows: FloatArray,
    weights: FloatArray,
    centroid: FloatArray,
    axes: tuple[int, ...],
    tol: float,
    max_iter: int,
    workers: int | None,
) -> FloatArray:
    """Return the centroid of the least divergence to all rows, from another one on."""
    along = tuple(i + 1 for i in axes)
    cotangent = weights.reshape(-1, *(1,) * centroid.ndim)
    total = centroid.sum(axis=axes, keepdims=True)
    centroid = np.where(np.isnan(total), np.nan, centroid)
    settings: dict[str, Any] = {"axis": along, "cotangent": cotangent, "workers": workers}
    moved = np.inf
    for _ in range(max_iter):
        _, _, slope = js_divergence_grad(rows, centroid[np.newaxis], **settings)
        # The slope is the mean of ½·log(c/m): this makes c the geometric mean of all m.
        new = centroid * np.exp(-2.0 * slope[0])
        new *= total / new.sum(axis=axes, keepdims=True)
        steps = np.abs(new - centroid).sum(axis=axes, keepdims=True)
        shares = np.where(total > 0, steps / total, 0.0)
        centroid = np.where(total > 0, new, centroid)
        moved = float(np.max(shares, initial=0.0))
        if not moved > tol:
            return centroid
    warnings.warn(
        f"js_centroid: after {max_iter} steps the last one has moved {moved:.2g} of a centroid, "
        f"more than tol, {tol:g}; give a larger max_iter or tol",
        RuntimeWarning,
        stacklevel=3,
    )
    return centroid
