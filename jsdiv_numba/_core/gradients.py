"""A measure's divergences and their derivatives, block by block in one pass."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from . import validation
from .blocks import SecondaryOutput, Weights
from .evaluate import Task, compute, prepare
from .gather import GatheredRows
from .measures import Measure
from .validation import Axis, FloatArray

Result = tuple[Any, ...]
"""The value, and its derivatives with respect to each input."""

Out = tuple[FloatArray | None, ...] | None
"""Arrays for these, None for each that is to be made."""

SHARED_BLOCK = 1 << 20
"""The derivatives in an input that is broadcast are held in the broadcast shape for so many
elements at a time, and added up; along several axes that memory does not follow, inputs and
derivatives are copied as many at a time."""


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
    weights: Weights | None = None,
) -> Result:
    """Return what `evaluate` returns, and the derivatives of its sum, weighted by a cotangent."""
    task = prepare(measure, arrays, axis, base, workers)
    shape = task.result_shape(keepdims, reduce)
    task = task.weighted(weights, keepdims, reduce)
    cotangents = cotangents_of(task, cotangent, shape)
    outs = Outs(task, out, shape, cotangents)
    value = outs.usable(0, shape)
    return outs.filled(value, *_run(task, value, cotangents, reduce, outs))


def total_with_gradient(
    measure: Measure,
    arrays: tuple[Any, ...],
    keepdims: bool,
    *,
    base: float | None,
    cotangent: Any,
    out: Out = None,
    workers: int | None,
    weights: Weights | None = None,
) -> Result:
    """Do the same for the sum of the divergences of all rows along the last axis."""
    task = prepare(measure, arrays, -1, base, workers)
    rows = np.empty(task.result_shape(keepdims=True, reduce=True), task.dtype)
    task = task.weighted(weights, keepdims=True, reduce=True)
    shape = (1,) * rows.ndim if keepdims else ()
    single = cotangents_of(task, cotangent, shape).reshape(())
    outs = Outs(task, out, shape, single)
    gradients = _run(task, rows, np.broadcast_to(single, rows.shape), True, outs)
    with np.errstate(all="ignore"):
        total = np.full(shape, rows.sum())
    return outs.filled(total, *gradients)


class Outs:
    """The caller's arrays for the value and the derivatives."""

    def __init__(
        self, task: Task, out: Out, shape: tuple[int, ...], cotangents: FloatArray
    ) -> None:
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
                validation.result_array(array, needed, task.dtype, f"out[{i}]")
        self.task, self.given, self.read = task, given, (*task.arrays, cotangents)

    def usable(self, i: int, shape: tuple[int, ...]) -> FloatArray:
        """Return an array to compute in: the caller's if nothing is in its way."""
        array: FloatArray | None = self.given[i]
        if array is None or array.shape != shape or array.dtype != self.task.dtype:
            return np.empty(shape, self.task.dtype)
        others = *self.read, *self.given[:i], *self.given[i + 1 :]
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
            validation.convert_into(given, result)
        return given


def cotangents_of(task: Task, cotangent: Any, shape: tuple[int, ...]) -> FloatArray:
    """Return the cotangents of the value in nats, in its shape."""
    given = np.ones(()) if cotangent is None else validation.as_real("cotangent", cotangent)
    with np.errstate(all="ignore"):
        # Narrow cotangents would be divided in their own precision.
        scaled = given if task.divisor is None else np.divide(given, task.divisor, dtype=np.float64)
        scaled = scaled.astype(task.dtype, copy=False)
    try:
        return np.broadcast_to(scaled, shape)
    except ValueError:
        raise ValueError(
            f"cotangent of shape {given.shape} does not broadcast to the result's shape {shape}"
        ) from None


class _Rows(NamedTuple):
    """A part of a task: the rows with these indices along an axis, or without one all of them."""

    task: Task
    axis: int | None = None
    indices: slice = slice(None)

    def of_task(self) -> Task:
        """Return the task of these rows."""
        if self.axis is None:
            return self.task
        arrays = (np.broadcast_to(array, self.task.shape) for array in self.task.arrays)
        parts = tuple(_part(array, self.axis, self.indices) for array in arrays)
        weights = tuple(map(self.of_value, self.task.weights))
        return self.task._replace(arrays=parts, shape=parts[0].shape, weights=weights)

    def of_input(self, array: FloatArray) -> FloatArray:
        """Return the part of an array, shaped as an input, that broadcasts to these rows."""
        if self.axis is None:
            return array
        axis = self.axis - (len(self.task.shape) - array.ndim)
        return array if axis < 0 or array.shape[axis] == 1 else _part(array, axis, self.indices)

    def of_value(self, array: FloatArray) -> FloatArray:
        """Return the part of an array of the value's shape that these rows have."""
        if self.axis is None:
            return array
        before = [axis for axis in self.task.axes if axis < self.axis]
        dropped = len(before) if array.ndim < len(self.task.shape) else 0
        return _part(array, self.axis - dropped, self.indices)


def _part(array: FloatArray, axis: int, indices: slice) -> FloatArray:
    return array[(slice(None),) * axis + (indices,)]


def _row_blocks(task: Task) -> list[_Rows]:
    """Split the longest axis that is not reduced."""
    kept = [axis for axis in range(len(task.shape)) if axis not in task.axes]
    size = math.prod(task.shape)
    if size <= SHARED_BLOCK or not kept:
        return [_Rows(task)]
    axis = max(kept, key=task.shape.__getitem__)
    count = task.shape[axis]
    # Of one row, NumPy would forget the strides, after which a sum chooses its kernel.
    step = max(2, SHARED_BLOCK * count // size)
    number = max(1, count // step)
    bounds = [count * i // number for i in range(number + 1)]
    return [_Rows(task, axis, slice(*ends)) for ends in pairwise(bounds)]


def _run(
    task: Task, value: FloatArray, cotangents: FloatArray, reduce: bool, outs: Outs
) -> list[FloatArray]:
    """Write the value; return the derivatives in the inputs' shapes."""
    __tracebackhide__ = True
    shared = any(array.shape != task.shape for array in task.arrays)
    copied = any(isinstance(rows, GatheredRows) for rows in task.rows())
    results = [
        outs.usable(i, task.shape) if array.shape == task.shape else np.zeros(array.shape)
        for i, array in enumerate(task.arrays, 1)
    ]
    for rows in _row_blocks(task) if shared or copied else [_Rows(task)]:
        _run_rows(rows, value, cotangents, reduce, results)
    with np.errstate(all="ignore"):
        return [result.astype(task.dtype, copy=False) for result in results]


def _run_rows(
    rows: _Rows,
    value: FloatArray,
    cotangents: FloatArray,
    reduce: bool,
    results: list[FloatArray],
) -> None:
    """Write some rows' values and derivatives; add those to the sums that they are part of."""
    __tracebackhide__ = True
    task, part = rows.task, rows.of_task()
    own = [rows.of_input(result) for result in results]
    gradients = [
        view if result.shape == task.shape else np.empty(part.shape, task.dtype)
        for view, result in zip(own, results, strict=True)
    ]
    _write(part, rows.of_value(value), rows.of_value(cotangents), reduce, gradients, task.check)
    for view, gradient in zip(own, gradients, strict=True):
        if view is not gradient:
            _add(gradient, view)


def _write(
    task: Task,
    value: FloatArray,
    cotangents: FloatArray,
    reduce: bool,
    whole: list[FloatArray],
    check: Callable[[], None],
) -> None:
    """Write the value, and the derivatives in the broadcast shape."""
    __tracebackhide__ = True
    laid_out = tuple(task.laid_out(array, reduce) for array in whole)
    arrays = tuple(task.laid_out(array, reduce) for array in task.arrays)
    weights = tuple(_beside(task, weight, reduce) for weight in task.weights)
    operands = (*arrays, by_element(task, cotangents, reduce), *weights)
    if compute(task, value, reduce, SecondaryOutput(None, operands, laid_out)):
        check()
        nans = by_element(task, np.isnan(value), reduce)
        for gradient in laid_out:
            gradient[nans] = np.nan
    for array, gradient in zip(whole, laid_out, strict=True):
        if not np.may_share_memory(array, gradient):
            moved = validation.kept_then_reduced(array, task.axes)
            moved[...] = gradient.reshape(moved.shape)


def _by_row(task: Task, values: FloatArray) -> FloatArray:
    """View the value's entries, one a row, without the reduced axes."""
    return values.reshape(validation.reduced_shape(task.shape, task.axes, keepdims=False))


def by_element(task: Task, values: FloatArray, reduce: bool) -> FloatArray:
    """Lay out what belongs to the value's entries as the operands are, a row's for each element."""
    if not reduce:
        return task.laid_out(values, reduce)
    shape = validation.rows_shape(task.shape, task.axes)
    return np.broadcast_to(_by_row(task, values)[..., np.newaxis], shape)


def _beside(task: Task, weight: FloatArray, reduce: bool) -> FloatArray:
    """Lay out weights as the measure's ufunc takes them beside the operands."""
    return _by_row(task, weight) if task.measure.by_row else by_element(task, weight, reduce)


def _add(gradient: FloatArray, total: FloatArray) -> None:
    """Add derivatives, which are lost, to their sums over the axes an input was broadcast along."""
    added = gradient.ndim - total.ndim
    repeated = (added + i for i, n in enumerate(total.shape) if n != gradient.shape[added + i])
    axes = (*range(added), *repeated)
    # Derivatives may be infinite, of either sign.
    with np.errstate(all="ignore"):
        if gradient.dtype == total.dtype:
            # Along the last one NumPy does.
            for axis in axes:
                if axis < gradient.ndim - 1:
                    gradient = _added_in_pairs(gradient, axis)
        total += gradient.sum(axis=axes, dtype=total.dtype).reshape(total.shape)


def _added_in_pairs(values: FloatArray, axis: int) -> FloatArray:
    """Return sums along an axis, of length 1 then, in the place of the first of the values."""
    number = values.shape[axis]
    while number > 1:
        half = number // 2
        _part(values, axis, slice(half))[...] += _part(values, axis, slice(number - half, number))
        number -= half
    return _part(values, axis, slice(number))
