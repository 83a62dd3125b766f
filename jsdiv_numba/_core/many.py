"""From arguments to a result for any number of distributions, which stand along an axis."""

from dataclasses import replace
from functools import partial
from operator import index
from typing import Any, NamedTuple

import numpy as np
from numpy.exceptions import AxisError

from . import alignment, blocks, validation
from .evaluate import Task, evaluate
from .gather import GatheredRows, merged, result_rows
from .gradients import Out, Outs, Result, by_element, cotangents_of, evaluate_with_gradient
from .measures import LOGITS, PROBABILITIES, Measure, Ufuncs
from .threads import check_workers
from .validation import Axis, FloatArray

MANY = Measure(
    Ufuncs("js_sum_many", "js_term_many", "js_gradient_many"),
    by_row=True,
    check=validation.check_probabilities,
    in_pieces=False,
    names=("P",),
)
MANY_LOGITS = replace(
    MANY,
    ufuncs=Ufuncs("js_sum_many_logit", "js_term_many_logit", "js_gradient_many_logit"),
    check=validation.check_logits,
)


class Stack(NamedTuple):
    """Distributions along one axis of an array, their arguments checked."""

    array: FloatArray
    over: int
    axes: tuple[int, ...]
    """The categories' axes, of the array without the axis of the distributions."""

    weights: FloatArray
    """In float64; they add up to 1."""

    measure: Measure

    @classmethod
    def check(cls, P: Any, weights: Any, axis: Axis, over: int, measure: Measure = MANY) -> "Stack":
        """Return the distributions, or raise what is wrong about them."""
        array = validation.as_numbers("P", P)
        if isinstance(P, list | tuple):
            alignment.check_labels([f"P[{i}]" for i in range(len(P))], P)
        over = _axis_over(over, array.ndim)
        if axis is None:
            axes = tuple(i for i in range(array.ndim) if i != over)
        else:
            axes = validation.normalise_axes(axis, array.ndim)
        if over in axes:
            raise ValueError(
                f"over is {over}, which is an axis of the categories too: P of shape {array.shape} "
                f"has them along {axes}"
            )
        number = array.shape[over]
        if not number:
            raise ValueError(f"P of shape {array.shape} has no distribution along axis {over}")
        without = tuple(i - (i > over) for i in axes)
        return cls(array, over, without, _shares(weights, number), measure)

    def task(self, base: float | None, workers: int | None) -> Task:
        """Return what is to be computed."""
        workers = workers if workers is None else check_workers(workers)
        shape = tuple(n for i, n in enumerate(self.array.shape) if i != self.over)
        dtype, divisor = validation.result_dtype(self.array), validation.log_base(base)
        return Task(self.measure, (self.array,), shape, self.axes, dtype, divisor, workers)

    def operand(self) -> FloatArray | GatheredRows:
        """Lay out P in the same way, copied block by block where no view does so."""
        moved = np.moveaxis(self.array, self.over, 0)
        moved = validation.kept_then_reduced(moved, tuple(i + 1 for i in self.axes))
        core = len(self.axes)
        rows = np.moveaxis(moved, 0, moved.ndim - core - 1)
        return merged(rows, core) if core > 1 else rows if core else rows[..., np.newaxis]

    def rows(self, array: FloatArray) -> FloatArray:
        """Lay out an array of P's shape: results, then distributions, then categories."""
        moved = np.moveaxis(array, self.over, 0)
        rows = validation.rows_along(moved, moved.shape, tuple(i + 1 for i in self.axes))
        return np.moveaxis(rows, 0, -2)

    def fill(self, array: FloatArray, rows: FloatArray) -> None:
        """Write what is laid out so to an array of P's shape, if it is not a view of that."""
        if not np.may_share_memory(array, rows):
            moved = np.moveaxis(array, self.over, 0)
            moved = validation.kept_then_reduced(moved, tuple(i + 1 for i in self.axes))
            moved[...] = np.moveaxis(rows, -2, 0).reshape(moved.shape)

    @property
    def pair(self) -> tuple[FloatArray, FloatArray]:
        """The distributions, of which there are two."""
        first, second = np.moveaxis(self.array, self.over, 0)
        return first, second

    @property
    def weights_of_pair(self) -> blocks.Weights:
        """The weights of the two."""
        return self.weights[:1].reshape(()), self.weights[1:].reshape(())

    @property
    def measure_of_pair(self) -> Measure:
        """The divergence of two arrays, whose errors name the place in the one that holds both."""

        def naming(name: str, where: tuple[int, ...]) -> str:
            return validation.entry("P", (*where[: self.over], int(name), *where[self.over :]))

        of_pair = LOGITS if self.measure is MANY_LOGITS else PROBABILITIES
        changes: Any = {"names": ("0", "1"), "check": partial(self.measure.check, naming)}
        assert of_pair.skewed is not None
        return replace(of_pair, skewed=replace(of_pair.skewed, **changes), **changes)


def _axis_over(over: int, ndim: int) -> int:
    try:
        number = index(over)
    except TypeError:
        raise TypeError(f"over is {over!r}; it must be an integer") from None
    if not -ndim <= number < ndim:
        raise AxisError(number, ndim, "over of P")
    return number % ndim


def _shares(weights: Any, number: int) -> FloatArray:
    """Return the weights, divided by their sum."""
    if weights is None:
        return np.full(number, 1 / number)
    array = validation.as_real("weights", weights)
    if array.shape != (number,):
        raise ValueError(f"weights has shape {array.shape}; P has {number} distributions")
    validation.check_weights(weights=array)
    shares = array.astype(np.float64)
    if not shares.any():
        raise ValueError("weights are all 0; one at least must be positive")
    shares /= shares.max()
    shares /= shares.sum()
    return shares


def shape_of_many(P: Any, axis: Axis, over: int, keepdims: bool, reduce: bool) -> tuple[int, ...]:
    """Return the shape of the divergences or, without `reduce`, of their terms."""
    return Stack.check(P, None, axis, over).task(None, None).result_shape(keepdims, reduce)


def normalised_many(P: Any, axis: Axis, over: int, reduce: bool) -> FloatArray:
    """Return P with each distribution divided by its sum."""
    stack = Stack.check(P, None, axis, over)
    validation.check_probabilities(P=validation.known_to_numpy(stack.array))
    axes = tuple(i + (i >= stack.over) for i in stack.axes)
    dtype = validation.result_dtype(stack.array)
    return validation.divided_by_sums(stack.array, stack.array.shape, axes, dtype, reduce)


def evaluate_many(
    P: Any,
    weights: Any,
    axis: Axis,
    over: int,
    keepdims: bool,
    reduce: bool,
    *,
    base: float | None,
    out: FloatArray | None,
    workers: int | None,
    measure: Measure = MANY,
) -> Any:
    """Return the divergences of what stands along `over`, or their terms."""
    stack = Stack.check(P, weights, axis, over, measure)
    if len(stack.weights) == 2:
        options: dict[str, Any] = {"base": base, "out": out, "workers": workers}
        return evaluate(
            stack.measure_of_pair,
            stack.pair,
            stack.axes,
            keepdims,
            reduce,
            weights=stack.weights_of_pair,
            **options,
        )
    task = stack.task(base, workers)
    shape = task.result_shape(keepdims, reduce)
    result = target = validation.result_array(out, shape, task.dtype)
    if out is not None and not task.may_write_to(out):
        target = np.empty(shape, task.dtype)
    if _compute(stack, task, target, reduce):
        task.check()
    if target is not result:
        validation.convert_into(result, target)
    return result if out is not None or result.ndim else result[()]


def evaluate_left_out(
    P: Any,
    weights: Any,
    axis: Axis,
    over: int,
    keepdims: bool,
    *,
    base: float | None,
    out: FloatArray | None,
    workers: int | None,
) -> Any:
    """Return what the divergence has more than that of all but each distribution, along `over`."""
    stack = Stack.check(P, weights, axis, over)
    task, number = stack.task(base, workers), len(stack.weights)
    if np.count_nonzero(stack.weights) < 2:
        raise ValueError(
            "leave_one_out is True, and only one distribution has a weight; there must be two, "
            "for one is left out"
        )
    shape = task.result_shape(keepdims, True)
    place = stack.over - (0 if keepdims else sum(i < stack.over for i in stack.axes))
    result = validation.result_array(out, (*shape[:place], number, *shape[place:]), task.dtype)
    operands = _operands(stack)
    outer = operands[0].shape[:-2]
    values = np.empty((*outer, number), task.dtype)
    ufunc = task.ufunc("js_added_many")
    if blocks.run(ufunc, operands, values, 2, task.workers, task.finish):
        task.check()
    validation.convert_into(result, np.moveaxis(values.reshape(*shape, number), -1, place))
    return result


def _operands(stack: Stack) -> tuple[FloatArray | GatheredRows, FloatArray]:
    rows = stack.operand()
    return rows, np.broadcast_to(stack.weights, rows.shape[:-1])


def _compute(
    stack: Stack,
    task: Task,
    target: FloatArray,
    reduce: bool,
    secondary: blocks.SecondaryOutput | None = None,
) -> bool:
    """Write the divergences, or their terms, to `target`; return whether there is any NaN."""
    operands = _operands(stack)
    rows, _ = operands
    outer, workers = rows.shape[:-2], task.workers
    if reduce:
        ufunc, totals = task.ufunc(task.measure.ufuncs.total), target.reshape(outer)
        return blocks.run(ufunc, operands, totals, 2, workers, task.finish, secondary)
    ufunc, out = task.ufunc(task.measure.ufuncs.terms), result_rows(target, task.axes)
    return blocks.run(ufunc, operands, out, 2, workers, task.finish, secondary)


def evaluate_many_with_gradient(
    P: Any,
    weights: Any,
    axis: Axis,
    over: int,
    keepdims: bool,
    reduce: bool,
    *,
    base: float | None,
    cotangent: Any,
    out: Out,
    workers: int | None,
    measure: Measure = MANY,
) -> Result:
    """Return what `evaluate_many` returns, and the derivatives of its sum, weighted."""
    stack = Stack.check(P, weights, axis, over, measure)
    task = stack.task(base, workers)
    shape = task.result_shape(keepdims, reduce)
    cotangents = cotangents_of(task, cotangent, shape)
    outs = Outs(task, out, shape, cotangents)
    whole = outs.usable(1, stack.array.shape)
    if len(stack.weights) == 2:
        value, *both = evaluate_with_gradient(
            stack.measure_of_pair,
            stack.pair,
            stack.axes,
            keepdims,
            reduce,
            base=base,
            cotangent=cotangent,
            workers=workers,
            weights=stack.weights_of_pair,
        )
        np.stack(both, axis=stack.over, out=whole)
        return outs.filled(np.asarray(value), whole)
    value = outs.usable(0, shape)
    gradients = stack.rows(whole)
    operands = (*_operands(stack), by_element(task, cotangents, reduce))
    secondary = blocks.SecondaryOutput(
        task.ufunc(task.measure.ufuncs.gradient), operands, (gradients,)
    )
    if _compute(stack, task, value, reduce, secondary):
        task.check()
        nans = by_element(task, np.isnan(value), reduce)[..., np.newaxis, :]
        gradients[np.broadcast_to(nans, gradients.shape)] = np.nan
    stack.fill(whole, gradients)
    return outs.filled(value, whole)
