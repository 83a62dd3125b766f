"""From checked arguments to a result: the path that every divergence along an axis takes."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._kernels.load import built
from . import alignment, blocks, validation
from .errstate import unwarned
from .gather import GatheredRows, result_rows, rows_of
from .measures import Measure
from .threads import check_workers
from .validation import Axis, FloatArray


def finisher(divisor: float | None, root: bool) -> blocks.Finish | None:
    """Return what makes of divergences in nats what is wanted, in place, if that is another."""
    if divisor is None and not root:
        return None

    def finish(values: FloatArray) -> None:
        if divisor is not None:
            np.divide(values, divisor, out=values)
        if root:
            np.sqrt(values, out=values)

    return finish


DTYPES = {dtype: (dtype.name,) for dtype in validation.FLOATS}
"""The names that a ufunc is built for: `dtype.name` takes as long as the rest of a small call."""


class Task(NamedTuple):
    """What is to be computed, its arguments checked."""

    measure: Measure
    arrays: tuple[FloatArray, ...]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    dtype: np.dtype[Any]
    divisor: float | None
    workers: int | None
    weights: blocks.Weights = ()

    def weighted(self, weights: blocks.Weights | None, keepdims: bool, reduce: bool) -> "Task":
        """Return the task with both inputs' weights in float64, given for its result.

        One is not made of the other, which may have taken all of its digits. Terms that
        depend on their whole row have its weight.
        """
        if weights is None:
            return self
        weighed = validation.weighed(self.shape, self.axes, keepdims, reduce, self.measure.by_row)
        validation.broadcast_weight(weights[1], *weighed)
        if all((each == validation.EQUAL).all() for each in weights):
            return self
        if self.measure.skewed is None:
            raise NotImplementedError("this measure takes no weight")
        with np.errstate(all="ignore"):
            both = tuple(array.astype(self.dtype) for array in weights)
        each = tuple(np.broadcast_to(array, weighed.shape) for array in both)
        return self._replace(measure=self.measure.skewed, weights=each)

    @property
    def finish(self) -> blocks.Finish | None:
        """What makes the result of a divergence in nats."""
        return finisher(self.divisor, self.measure.root)

    def may_write_to(self, out: FloatArray) -> bool:
        """Whether blocks of the result may be written to the caller's array at once.

        It must be no input, and hold what is in nats still.
        """
        if self.finish is not None and out.dtype.itemsize < self.dtype.itemsize:
            return False
        return not any(np.may_share_memory(out, array) for array in self.arrays)

    @property
    def is_small(self) -> bool:
        """Whether the inputs may be what `validation.are_plain`, once they are converted."""
        return self.arrays[0].size <= validation.PLAIN

    def converted(self) -> tuple[FloatArray, ...]:
        """Return the inputs in the dtype of the result."""
        return tuple([array.astype(self.dtype, copy=False) for array in self.arrays])

    def ufunc(self, name: str | None) -> np.ufunc:
        """Return one of the measure's ufuncs, for the result's dtype."""
        if name is None:
            raise NotImplementedError("this measure has no such ufunc")
        return built(name, DTYPES[self.dtype])

    def rows(self) -> tuple[FloatArray | GatheredRows, ...]:
        """Return the arrays, broadcast, with the reduced axes as one last axis."""
        return tuple([rows_of(array, self.shape, self.axes) for array in self.arrays])

    def laid_out(self, array: FloatArray, reduce: bool) -> FloatArray:
        """Return an array as `compute` has the operands: in rows, or in the broadcast shape."""
        if reduce or self.measure.by_row:
            return validation.rows_along(array, self.shape, self.axes)
        return np.broadcast_to(array, self.shape) if array.shape != self.shape else array

    def result_shape(self, keepdims: bool, reduce: bool) -> tuple[int, ...]:
        """Return the shape of the divergences or, without `reduce`, of their terms."""
        return validation.reduced_shape(self.shape, self.axes, keepdims) if reduce else self.shape

    def check(self) -> None:
        """Raise if an input is invalid."""
        __tracebackhide__ = True
        arrays = map(validation.known_to_numpy, self.arrays)
        self.measure.check(**dict(zip(self.measure.names, arrays, strict=True)))


def prepare(
    measure: Measure,
    arrays: tuple[Any, ...],
    axis: Axis,
    base: float | None,
    workers: int | None,
) -> Task:
    """Check the arguments that all functions share."""
    if workers is not None:
        workers = check_workers(workers)
    names = measure.names
    given, (arrays, dtype) = arrays, validation.as_operands(names, arrays)
    shape = validation.broadcast_shape(arrays, names)
    axes = validation.normalise_axes(axis, len(shape))
    alignment.check_labels(names, given, [a - len(shape) for a in axes])
    return Task(measure, arrays, shape, axes, dtype, validation.log_base(base), workers)


def normalised(
    measure: Measure, arrays: tuple[Any, ...], axis: Axis, reduce: bool
) -> tuple[FloatArray, ...]:
    """Return a measure's inputs, broadcast, each divided by its sums along `axis`."""
    names, given = measure.names, arrays
    arrays, dtype = validation.as_operands(names, arrays)
    shape = validation.broadcast_shape(arrays, names)
    axes = validation.normalise_axes(axis, len(shape))
    alignment.check_labels(names, given, [a - len(shape) for a in axes])
    arrays = tuple(map(validation.known_to_numpy, arrays))
    measure.check(**dict(zip(names, arrays, strict=True)))
    return tuple(validation.divided_by_sums(array, shape, axes, dtype, reduce) for array in arrays)


AtOnce = Callable[[Measure, tuple[FloatArray, ...], bool, float | None], tuple[Any, bool]]
"""What computes small and plain arrays, and says whether there is a NaN."""


def evaluate(
    measure: Measure,
    arrays: tuple[Any, ...],
    axis: Axis,
    keepdims: bool,
    reduce: bool,
    *,
    base: float | None,
    out: FloatArray | None,
    workers: int | None,
    weights: blocks.Weights | None = None,
) -> Any:
    """Return a measure's divergences along `axis`, or its terms."""
    is_new = out is None and weights is None
    at_once = _way_at_once(measure, arrays, axis, reduce) if is_new else None
    if at_once is not None:
        if workers is not None:
            check_workers(workers)
        divisor = validation.log_base(base)
        result, with_nan = unwarned(at_once, measure, arrays, keepdims, divisor)
        if with_nan:
            measure.check(**dict(zip(measure.names, arrays, strict=True)))
        return result
    task = prepare(measure, arrays, axis, base, workers)
    if is_new and task.is_small:
        # Lists, say, are as plain once they are arrays.
        converted = unwarned(task.converted)
        at_once = _way_at_once(measure, converted, axis, reduce)
        if at_once is not None:
            result, with_nan = unwarned(at_once, measure, converted, keepdims, task.divisor)
            if with_nan:
                task.check()
            return result
    result_shape = task.result_shape(keepdims, reduce)
    task = task.weighted(weights, keepdims, reduce)
    result = target = validation.result_array(out, result_shape, task.dtype)
    if out is not None and not task.may_write_to(out):
        target = np.empty(result_shape, task.dtype)
    if compute(task, target, reduce):
        task.check()
    if target is not result:
        validation.convert_into(result, target)
    return result if out is not None or result.ndim else result[()]


def unchecked_totals(measure: Measure, arrays: tuple[Any, ...], axis: object) -> Any:
    """Return the divergences of what `validation.are_plain`, and None of what is not.

    A NaN among them may stand for an input that is invalid, or for rows that are no plain ones.
    """
    if not validation.are_plain(arrays, axis):
        return None
    first = arrays[0]
    name = measure.ufuncs.total_of(first.shape[-1], first.size)
    return unwarned(built(name, DTYPES[first.dtype]), *arrays)


def _way_at_once(
    measure: Measure, arrays: tuple[Any, ...], axis: object, reduce: bool
) -> AtOnce | None:
    """Return what computes small and plain arrays, None for others."""
    if validation.are_plain(arrays, axis):
        return _rows_at_once if reduce else _terms_at_once
    if not reduce or not validation.are_plain_columns(arrays, axis):
        return None
    in_pieces = measure.ufuncs.columns is not None and blocks.is_long(arrays, 2)
    return None if in_pieces else _columns_at_once


def _rows_at_once(
    measure: Measure,
    arrays: tuple[FloatArray, ...],
    keepdims: bool,
    divisor: float | None,
) -> tuple[Any, bool]:
    """Have NumPy compute what `validation.are_plain`; return whether there is a NaN."""
    first, ufuncs = arrays[0], measure.ufuncs
    name, dtypes = ufuncs.total_of(first.shape[-1], first.size), DTYPES[first.dtype]
    result = _finished(built(name, dtypes), arrays, keepdims, divisor, measure.root)
    if result[1] and name is not ufuncs.total:
        return _finished(built(ufuncs.total, dtypes), arrays, keepdims, divisor, measure.root)
    return result


def _terms_at_once(
    measure: Measure,
    arrays: tuple[FloatArray, ...],
    _keepdims: bool,
    divisor: float | None,
) -> tuple[Any, bool]:
    """Do the same for the terms."""
    ufunc = built(measure.ufuncs.terms, DTYPES[arrays[0].dtype])
    return _finished(ufunc, arrays, False, divisor, measure.root)


def _finished(
    ufunc: np.ufunc,
    arrays: tuple[FloatArray, ...],
    keepdims: bool,
    divisor: float | None,
    root: bool,
) -> tuple[Any, bool]:
    values = ufunc(*arrays, keepdims=True) if keepdims else ufunc(*arrays)
    if divisor is not None:
        values = np.divide(values, divisor)
    if root:
        values = np.sqrt(values)
    if values.ndim == 1 and values.size > 1:
        # As `blocks.has_nan`, without what that asks first.
        return values, math.isnan(values.dot(values))
    return values, blocks.has_nan(values)


def _columns_at_once(
    measure: Measure,
    arrays: tuple[FloatArray, ...],
    keepdims: bool,
    divisor: float | None,
) -> tuple[Any, bool]:
    """Do the same for what `validation.are_plain_columns`."""
    ufuncs, first = measure.ufuncs, arrays[0]
    *outer, length, number = first.shape
    result = np.empty((*outer, 1, number) if keepdims else (*outer, number), first.dtype)
    values = result[..., 0, :] if keepdims else result
    name, dtypes = ufuncs.columns, DTYPES[first.dtype]
    if name is None:
        arrays = tuple([np.ascontiguousarray(array.swapaxes(-1, -2)) for array in arrays])
        name = ufuncs.total_of(length, first.size)
    built(name, dtypes)(*arrays, out=values)
    if name is ufuncs.short_total and blocks.has_nan(values):
        built(ufuncs.total, dtypes)(*arrays, out=values)
    finish = finisher(divisor, measure.root)
    if finish is not None:
        finish(values)
    return result, blocks.has_nan(values)


def compute(
    task: Task, target: FloatArray, reduce: bool, secondary: blocks.SecondaryOutput | None = None
) -> bool:
    """Write the divergences, or their terms, to `target`; return whether there is any NaN.

    The secondary's arrays are laid out as `Task.laid_out` says.
    """
    run = _totals if reduce else _terms_by_row if task.measure.by_row else _terms
    return run(task, target, secondary)


def _totals(task: Task, target: FloatArray, secondary: blocks.SecondaryOutput | None) -> bool:
    rows = task.rows()
    outer = rows[0].shape[:-1]
    target, weights = target.reshape(outer), tuple([w.reshape(outer) for w in task.weights])
    measure = task.measure
    if measure.ufuncs.columns is not None:
        axis = columns_axis(rows)
        if axis is not None:
            arrays = (operand for operand in rows if isinstance(operand, np.ndarray))
            columns = tuple(np.moveaxis(operand, axis, -1) for operand in arrays)
            target = np.moveaxis(target, axis, -1)
            weights = tuple(np.moveaxis(weight, axis, -1) for weight in weights)
            if secondary:
                secondary = secondary.each(lambda array: np.moveaxis(array, axis, -1))
            beside = _after(task, secondary)
            return _sums(task, measure.ufuncs.columns, columns, target, 2, beside, weights)
    if secondary and measure.ufuncs.total_with_gradient is not None:
        return _sums(task, measure.ufuncs.total_with_gradient, rows, target, 1, secondary, weights)
    name = measure.ufuncs.total_of(rows[0].shape[-1], math.prod(rows[0].shape))
    beside = _after(task, secondary)
    with_nan = _sums(task, name, rows, target, 1, beside, weights)
    if with_nan and name is not measure.ufuncs.total:
        return _sums(task, measure.ufuncs.total, rows, target, 1, beside, weights)
    return with_nan


def _after(task: Task, secondary: blocks.SecondaryOutput | None) -> blocks.SecondaryOutput | None:
    """Have the derivatives computed by a ufunc of their own."""
    return secondary and secondary._replace(ufunc=task.ufunc(task.measure.ufuncs.gradient))


def _sums(
    task: Task,
    name: str,
    operands: tuple[blocks.Operand, ...],
    target: FloatArray,
    core: int,
    secondary: blocks.SecondaryOutput | None,
    weights: blocks.Weights,
) -> bool:
    """Write the sums that a ufunc with so many core axes gives, those of long rows in pieces."""
    measure, settings = task.measure, (core, task.workers, task.finish, secondary, weights)
    if not (measure.in_pieces and blocks.is_long(operands, core)):
        return blocks.run(task.ufunc(name), operands, target, *settings)
    if measure.ufuncs.parts is None:
        return blocks.run_pieces(task.ufunc(name), np.sum, operands, target, *settings)
    parts, add = task.ufunc(measure.ufuncs.parts[core - 1]), built("parts_added_up", ("float64",))
    return blocks.run_pieces(parts, add, operands, target, *settings)


def columns_axis(rows: Sequence[FloatArray | GatheredRows]) -> int | None:
    """Return the outer axis that memory follows, if it does not follow the rows."""
    arrays = [operand for operand in rows if isinstance(operand, np.ndarray)]
    if len(arrays) < len(rows):
        return None
    if arrays[0].ndim == 1 or any(operand.strides[-1] == operand.itemsize for operand in arrays):
        return None
    for axis in range(arrays[0].ndim - 1):
        if all(operand.strides[axis] == operand.itemsize for operand in arrays):
            return axis
    return None


def _terms(task: Task, target: FloatArray, secondary: blocks.SecondaryOutput | None) -> bool:
    operands = tuple([task.laid_out(array, False) for array in task.arrays])
    ufunc, beside = task.ufunc(task.measure.ufuncs.terms), _after(task, secondary)
    return blocks.run(ufunc, operands, target, 0, task.workers, task.finish, beside, task.weights)


def _terms_by_row(task: Task, target: FloatArray, secondary: blocks.SecondaryOutput | None) -> bool:
    rows, out = task.rows(), result_rows(target, task.axes)
    ufunc, beside = task.ufunc(task.measure.ufuncs.terms), _after(task, secondary)
    weights = tuple([weight.reshape(rows[0].shape[:-1]) for weight in task.weights])
    return blocks.run(ufunc, rows, out, 1, task.workers, task.finish, beside, weights)
