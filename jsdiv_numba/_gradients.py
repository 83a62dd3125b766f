"""A measure's divergences and their derivatives, block by block in one pass."""

from typing import Any

import numpy as np

from . import _arrays
from ._arrays import Axis, FloatArray
from ._blocks import Companion
from ._measures import Measure, Task, compute, prepare

Result = tuple[Any, ...]
"""The value, and its derivatives in each input."""

Out = tuple[FloatArray | None, ...] | None
"""Arrays for these, None for each that is to be made."""


def evaluate_with_gradient(
    measure: Measure,
    arrays: tuple[Any, ...],
    axis: Axis,
    keepdims: bool,
    reduce: bool,
    *,
    base: float | None,
    cotangent: Any,
    out: Out = None,
    workers: int | None,
) -> Result:
    """Return what `evaluate` returns, and the derivatives of its sum, weighted by a cotangent."""
    task = prepare(measure, arrays, axis, base, workers)
    shape = task.result_shape(keepdims, reduce)
    outs = _Outs(task, out, shape)
    weights = _weights(task, cotangent, shape)
    value = outs.usable(0, shape)
    return outs.filled(value, *_run(task, value, weights, reduce, outs))


def total_with_gradient(
    measure: Measure,
    arrays: tuple[Any, ...],
    keepdims: bool,
    *,
    base: float | None,
    cotangent: Any,
    out: Out = None,
    workers: int | None,
) -> Result:
    """Do the same for the sum of the divergences of all rows along the last axis."""
    task = prepare(measure, arrays, -1, base, workers)
    rows = np.empty(task.result_shape(keepdims=True, reduce=True), task.dtype)
    shape = (1,) * rows.ndim if keepdims else ()
    outs = _Outs(task, out, shape)
    weight = _weights(task, cotangent, shape).reshape(())
    gradients = _run(task, rows, np.broadcast_to(weight, rows.shape), True, outs)
    return outs.filled(np.full(shape, rows.sum()), *gradients)


class _Outs:
    """The caller's arrays for the value and the derivatives."""

    def __init__(self, task: Task, out: Out, shape: tuple[int, ...]) -> None:
        shapes = (shape, *(array.shape for array in task.arrays))
        given: Any = (None,) * len(shapes) if out is None else out
        if not isinstance(given, tuple) or len(given) != len(shapes):
            kind = f"tuple of {len(given)}" if isinstance(given, tuple) else type(given).__name__
            raise TypeError(
                f"out is a {kind}; it must be a tuple of {len(shapes)} arrays, None for each to be "
                "made"
            )
        for i, (array, needed) in enumerate(zip(given, shapes, strict=True)):
            if array is not None:
                _arrays.result_array(array, needed, task.dtype, f"out[{i}]")
        self.task, self.given = task, given

    def usable(self, i: int, shape: tuple[int, ...]) -> FloatArray:
        """Return an array to compute in: the caller's if nothing is in its way."""
        array: FloatArray | None = self.given[i]
        if array is None or array.shape != shape or array.dtype != self.task.dtype:
            return np.empty(shape, self.task.dtype)
        others = *self.task.arrays, *self.given[:i], *self.given[i + 1 :]
        if any(other is not None and np.may_share_memory(array, other) for other in others):
            return np.empty(shape, self.task.dtype)
        return array

    def filled(self, *results: FloatArray) -> Result:
        """Return the results in the caller's arrays; new ones without dimensions as scalars."""
        return tuple(map(self._filled, self.given, results))

    def _filled(self, given: FloatArray | None, result: FloatArray) -> Any:
        if given is None:
            return result[()]
        if given is not result:
            with np.errstate(all="ignore"):
                given[...] = result
        return given


def _weights(task: Task, cotangent: Any, shape: tuple[int, ...]) -> FloatArray:
    """Return the cotangents of the value in nats, in its shape."""
    weights = np.ones(()) if cotangent is None else _arrays.as_real("cotangent", cotangent)
    scaled = weights if task.divisor is None else weights / task.divisor
    try:
        return np.broadcast_to(scaled.astype(task.dtype, copy=False), shape)
    except ValueError:
        raise ValueError(
            f"cotangent of shape {weights.shape} does not broadcast to the result's shape {shape}"
        ) from None


def _run(
    task: Task, value: FloatArray, weights: FloatArray, reduce: bool, outs: _Outs
) -> list[FloatArray]:
    """Write the value; return the derivatives in the inputs' shapes."""
    whole = [outs.usable(i, task.shape) for i, _ in enumerate(task.arrays, 1)]
    laid_out = tuple(task.laid_out(array, reduce) for array in whole)
    arrays = tuple(task.laid_out(array, reduce) for array in task.arrays)
    operands = (*arrays, _by_element(task, weights, reduce))
    companion = Companion(None, operands, laid_out)
    if compute(task, value, reduce, companion):
        task.check()
        nans = _by_element(task, np.isnan(value), reduce)
        for gradient in laid_out:
            gradient[nans] = np.nan
    for array, gradient in zip(whole, laid_out, strict=True):
        if not np.may_share_memory(array, gradient):
            moved = _arrays.kept_then_reduced(array, task.axes)
            moved[...] = gradient.reshape(moved.shape)
    return [
        _summed(gradient, array.shape) for gradient, array in zip(whole, task.arrays, strict=True)
    ]


def _by_row(task: Task, values: FloatArray) -> FloatArray:
    """View the value's entries, one a row, without the reduced axes."""
    return values.reshape(_arrays.reduced_shape(task.shape, task.axes, keepdims=False))


def _by_element(task: Task, values: FloatArray, reduce: bool) -> FloatArray:
    """Lay out what belongs to the value's entries as the operands are, a row's for each element."""
    if not reduce:
        return task.laid_out(values, reduce)
    shape = _arrays.rows_shape(task.shape, task.axes)
    return np.broadcast_to(_by_row(task, values)[..., np.newaxis], shape)


def _summed(gradient: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Sum over the axes along which an array of this shape was broadcast."""
    added = gradient.ndim - len(shape)
    repeated = (added + i for i, n in enumerate(shape) if n != gradient.shape[added + i])
    axes = (*range(added), *repeated)
    if not axes:
        return gradient
    summed: FloatArray = gradient.sum(axis=axes, dtype=np.float64).astype(gradient.dtype)
    return summed.reshape(shape)
