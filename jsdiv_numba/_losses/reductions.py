"""The reductions that scalarisations are made of, each beside its derivative.

A reduction takes an array of scores and returns the reduced array. Its derivative, of the
same name with ``_grad``, takes the scores, the cotangent (the derivative of whatever follows,
in the shape of the reduced array) and the same arguments. It returns the derivative in the
scores, in float64; the result may be a read-only view.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

from .._core.validation import Axis, FloatArray, axis_numbers, normalise_axes

# What `numpy.sum` and `numpy.max` call: all that these add is as long as a small reduction.
_sum: Callable[..., Any] = np.add.reduce
_largest: Callable[..., Any] = np.maximum.reduce

# Scores may be infinite, as Kullback-Leibler divergences are, or of any scale.
_unwarned = np.errstate(all="ignore")

GradPath: TypeAlias = Literal["weight", "input"] | None


def total(scores: FloatArray, axis: Axis, keepdims: bool) -> Any:
    """Sum, in float64."""
    if axis is None and not keepdims:
        return _sum(scores, None, np.float64)
    axes = normalise_axes(axis, scores.ndim)
    return _sum(scores, axis=axes, keepdims=keepdims, dtype=np.float64)


def total_grad(scores: FloatArray, cotangent: FloatArray, axis: Axis, keepdims: bool) -> FloatArray:
    """Differentiate the sum: 1 for every score."""
    axes = normalise_axes(axis, scores.ndim)
    return np.broadcast_to(_kept(cotangent, axes, keepdims), scores.shape)


def mean(scores: FloatArray, axis: Axis, keepdims: bool) -> Any:
    """Mean, in float64; NaN of no scores."""
    # `numpy.mean` does the same, with as much Python around it as all of a small loss takes, and
    # a warning of no scores.
    if axis is None and not keepdims and scores.size:
        return _sum(scores, None, np.float64) / scores.size
    sums = total(scores, axis, keepdims)
    return sums / (scores.size // sums.size if scores.size else np.nan)


def mean_grad(scores: FloatArray, cotangent: FloatArray, axis: Axis, keepdims: bool) -> FloatArray:
    """Differentiate the mean: 1/n for every score."""
    count = math.prod(scores.shape[a] for a in normalise_axes(axis, scores.ndim))
    return total_grad(scores, cotangent / max(count, 1), axis, keepdims)


@_unwarned
def mean_square(scores: FloatArray, axis: Axis, keepdims: bool) -> Any:
    """Mean of the squares, in float64."""
    return mean(np.square(scores, dtype=np.float64), axis, keepdims)


@_unwarned
def mean_square_grad(
    scores: FloatArray, cotangent: FloatArray, axis: Axis, keepdims: bool
) -> FloatArray:
    """Differentiate the mean of the squares: 2x/n."""
    return mean_grad(scores, 2.0 * cotangent, axis, keepdims) * scores


def maximum(scores: FloatArray, axis: Axis, keepdims: bool) -> Any:
    """Maximum."""
    axes = None if axis is None else normalise_axes(axis, scores.ndim)
    try:
        return _largest(scores, axis=axes, keepdims=keepdims)
    except ValueError:
        raise ValueError(
            f"scores of shape {scores.shape} have no maximum over axis {axes}: there are none"
        ) from None


def maximum_grad(
    scores: FloatArray, cotangent: FloatArray, axis: Axis, keepdims: bool
) -> FloatArray:
    """Differentiate the maximum; the largest scores share its derivative."""
    axes = normalise_axes(axis, scores.ndim)
    largest = np.max(scores, axis=axes, keepdims=True)
    return _kept(cotangent, axes, keepdims) * _shared(scores == largest, axes)


@_unwarned
def norm(scores: FloatArray, p: Any, force_vector_norm: bool, axis: Axis, keepdims: bool) -> Any:
    """Vector or matrix norm, in float64."""
    axes = normalise_axes(axis, scores.ndim)
    matrix = None if force_vector_norm else _matrix_axes(scores, p, axis)
    scores = scores.astype(np.float64, copy=False)
    if matrix is None:
        return np.linalg.vector_norm(scores, ord=p, axis=axes, keepdims=keepdims)
    return np.linalg.norm(scores, ord=p, axis=matrix, keepdims=keepdims)


@_unwarned
def norm_grad(
    scores: FloatArray,
    cotangent: FloatArray,
    p: Any,
    force_vector_norm: bool,
    axis: Axis,
    keepdims: bool,
) -> FloatArray:
    """Differentiate the norm; extremes share its derivative, and corners at 0 have 0."""
    axes = normalise_axes(axis, scores.ndim)
    matrix = None if force_vector_norm else _matrix_axes(scores, p, axis)
    scores = scores.astype(np.float64, copy=False)
    if matrix is None or p == "fro":
        direction = _vector_direction(scores, 2 if p in {None, "fro"} else p, axes)
    elif p in {1, -1, np.inf, -np.inf}:
        direction = _sums_direction(scores, p, *matrix)
    else:
        direction = _singular_direction(scores, p, matrix)
    return _kept(cotangent, axes, keepdims) * direction


@_unwarned
def weighted_mean(
    scores: FloatArray, weight: FloatArray, axes: tuple[int, ...], keepdims: bool, weighing: str
) -> Any:
    """Weighted mean by a weight that broadcasts; `weighing` is its name in an error."""
    sum_of_weights = np.sum(weight, axis=axes, keepdims=True, dtype=np.float64)
    if not np.all(sum_of_weights):
        raise ValueError(
            f"{weighing} sums to 0 over axis {axes}; a weighted mean needs weights with a "
            "non-zero sum"
        )
    weighted = np.multiply(weight, scores, dtype=np.float64)
    result = np.sum(weighted, axis=axes, keepdims=True) / sum_of_weights
    return (result if keepdims else np.squeeze(result, axis=axes)).astype(scores.dtype)[()]


def fitted(weight: FloatArray, shape: tuple[int, ...], axes: tuple[int, ...]) -> FloatArray:
    """View a weight of the averaged axes so that it broadcasts against scores of `shape`."""
    needed = tuple(shape[axis] for axis in axes)
    if weight.shape != needed:
        raise ValueError(
            f"weight of shape {weight.shape} does not fit scores of shape {shape} averaged "
            f"over axis {axes}; it must have shape {needed}"
        )
    return np.expand_dims(weight, tuple(set(range(len(shape))) - set(axes)))


def wmean_grad(
    scores: FloatArray, cotangent: FloatArray, weight: Any, axis: Axis, keepdims: bool
) -> FloatArray:
    """Differentiate the weighted mean: w / Σ w."""
    axes = normalise_axes(axis, scores.ndim)
    weight = fitted(np.asarray(weight, np.float64), scores.shape, axes)
    share = weight / np.sum(weight, axis=axes, keepdims=True)
    return np.broadcast_to(_kept(cotangent, axes, keepdims) * share, scores.shape)


def own_weight(scores: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """Scores as their own weights: equal weights where all of them are zero."""
    blank = ~np.any(scores, axis=axes, keepdims=True)
    return np.where(blank, 1.0, scores)


@_unwarned
def softmax(scores: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """Softmax over some axes, in float64."""
    shifted = np.subtract(scores, np.max(scores, axis=axes, keepdims=True), dtype=np.float64)
    exponential = np.exp(shifted)
    weight: FloatArray = exponential / np.sum(exponential, axis=axes, keepdims=True)
    return weight


def softmax_axes(softmax_axis: Axis | bool, ndim: int) -> tuple[int, ...] | None:
    """Return the axes of a self-weighted mean's softmax, None where it has none."""
    if softmax_axis is False:
        return None
    return normalise_axes(None if softmax_axis is True else softmax_axis, ndim)


@_unwarned
def selfwmean_grad(
    scores: FloatArray,
    cotangent: FloatArray,
    axis: Axis,
    keepdims: bool,
    gradpath: GradPath,
    softmax_axis: Axis | bool,
    softmax_invert: bool,
) -> FloatArray:
    """Differentiate the self-weighted mean through its weights, its input or both."""
    axes, over = normalise_axes(axis, scores.ndim), softmax_axes(softmax_axis, scores.ndim)
    cotangent = _kept(cotangent, axes, keepdims)
    if over is not None and softmax_invert:
        scores, cotangent = -scores, -cotangent
    weight = own_weight(scores, axes) if over is None else softmax(scores, over)
    share = cotangent / np.sum(weight, axis=axes, keepdims=True, dtype=np.float64)
    through_input = share * weight
    if gradpath == "input":
        return through_input
    value: FloatArray = weighted_mean(scores.astype(np.float64), weight, axes, True, "input")
    through_weight: FloatArray = share * (scores - value)
    if over is not None:
        through_weight = weight * through_weight
        through_weight -= weight * np.sum(through_weight, axis=over, keepdims=True)
    return through_weight if gradpath == "weight" else through_weight + through_input


def _kept(cotangent: FloatArray, axes: tuple[int, ...], keepdims: bool) -> FloatArray:
    return cotangent if keepdims else np.expand_dims(cotangent, axes)


@_unwarned
def _shared(extreme: Any, axes: tuple[int, ...] | int) -> FloatArray:
    # No score equals NaN, the extreme of scores with a NaN; the quotient is NaN then.
    shares: FloatArray = extreme / np.sum(extreme, axis=axes, keepdims=True)
    return shares


def _extreme(values: FloatArray, p: float, axis: tuple[int, ...] | int) -> FloatArray:
    extreme: FloatArray = (np.max if p > 0 else np.min)(values, axis=axis, keepdims=True)
    return extreme


def _matrix_axes(scores: FloatArray, p: Any, axis: Axis) -> tuple[int, int] | None:
    """Return the rows' and the columns' axis of a matrix norm, or None for a vector norm."""
    axes = normalise_axes(axis, scores.ndim)
    if p is None or len(axes) < 2:
        return None
    if len(axes) > 2:
        raise ValueError(
            f"axis={axis} spans {len(axes)} axes of scores of shape {scores.shape}, but a norm "
            "is of vectors or of matrices; give one or two axes, or force_vector_norm=True"
        )
    rows, columns = axes if axis is None else axis_numbers(axis)
    return rows, columns


def _vector_direction(scores: FloatArray, p: float, axes: tuple[int, ...]) -> FloatArray:
    size, sign = np.abs(scores), np.sign(scores)
    if p in {np.inf, -np.inf}:
        return sign * _shared(size == _extreme(size, p, axes), axes)
    if p in {0, 1}:
        return p * sign
    length: FloatArray = np.linalg.vector_norm(scores, ord=p, axis=axes, keepdims=True)
    inside = (size != 0) & (length != 0)
    ratio = np.divide(size, length, out=np.zeros(size.shape), where=inside)
    np.power(ratio, p - 1, out=ratio, where=inside)
    return sign * ratio


def _sums_direction(scores: FloatArray, p: float, rows: int, columns: int) -> FloatArray:
    along, over = (rows, columns) if abs(p) == 1 else (columns, rows)
    sums = np.sum(np.abs(scores), axis=along, keepdims=True)
    return np.sign(scores) * _shared(sums == _extreme(sums, p, over), over)


def _singular_direction(scores: FloatArray, p: Any, matrix: tuple[int, int]) -> FloatArray:
    left, values, right = np.linalg.svd(np.moveaxis(scores, matrix, (-2, -1)), full_matrices=False)
    share = np.sign(values)
    if p != "nuc":
        share = share * _shared(values == _extreme(values, p, -1), -1)
    return np.moveaxis((left * share[..., None, :]) @ right, (-2, -1), matrix)
