"""A measure's divergences and their derivatives, block by block in one pass."""

from typing import Any

import numpy as np

from . import _arrays
from ._arrays import Axis, FloatArray
from ._blocks import Companion
from ._measures import Measure, Task, compute, prepare

Result = tuple[Any, ...]
"""The value, and its derivatives in each input."""


def evaluate_with_gradient(
    measure: Measure,
    arrays: tuple[Any, ...],
    axis: Axis,
    keepdims: bool,
    reduce: bool,
    *,
    base: float | None,
    cotangent: Any,
    workers: int | None,
) -> Result:
    """Return what `evaluate` returns, and the derivatives of its sum, weighted by a cotangent."""
    task = prepare(measure, arrays, axis, base, workers)
    value = np.empty(task.result_shape(keepdims, reduce), task.dtype)
    weights = _weights(task, cotangent, value.shape)
    return _results(value, *_run(task, value, weights, reduce))


def total_with_gradient(
    measure: Measure,
    arrays: tuple[Any, ...],
    keepdims: bool,
    *,
    base: float | None,
    cotangent: Any,
    workers: int | None,
) -> Result:
    """Do the same for the sum of the divergences of all rows along the last axis."""
    task = prepare(measure, arrays, -1, base, workers)
    rows = np.empty(task.result_shape(keepdims=True, reduce=True), task.dtype)
    shape = (1,) * rows.ndim if keepdims else ()
    weight = _weights(task, cotangent, shape).reshape(())
    gradients = _run(task, rows, np.broadcast_to(weight, rows.shape), True)
    return _results(np.full(shape, rows.sum()), *gradients)


def _results(*arrays: FloatArray) -> Result:
    """Return arrays without dimensions as scalars."""
    return tuple([array[()] for array in arrays])


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


def _run(task: Task, value: FloatArray, weights: FloatArray, reduce: bool) -> list[FloatArray]:
    """Write the value; return the derivatives in the inputs' shapes."""
    whole = [np.empty(task.shape, task.dtype) for _ in task.arrays]
    laid_out = tuple(task.laid_out(array, reduce) for array in whole)
    by_element = _by_element(task, weights, reduce)
    operands = (*(task.laid_out(array, reduce) for array in task.arrays), by_element)
    companion = Companion(task.ufunc(task.measure.gradient), operands, laid_out)
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


def _by_element(task: Task, values: FloatArray, reduce: bool) -> FloatArray:
    """Lay out what belongs to the value's entries as the operands are, a row's for each element."""
    if not reduce:
        return task.laid_out(values, reduce)
    shape = _arrays.rows_shape(task.shape, task.axes)
    return np.broadcast_to(values.reshape(shape[:-1])[..., np.newaxis], shape)


def _summed(gradient: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Sum over the axes along which an array of this shape was broadcast."""
    added = gradient.ndim - len(shape)
    repeated = (added + i for i, n in enumerate(shape) if n != gradient.shape[added + i])
    axes = (*range(added), *repeated)
    if not axes:
        return gradient
    summed: FloatArray = gradient.sum(axis=axes, dtype=np.float64).astype(gradient.dtype)
    return summed.reshape(shape)
