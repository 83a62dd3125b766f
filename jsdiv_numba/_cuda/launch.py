"""From checked arguments to kernels, for everything along an axis."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import _arrays
from .._arrays import Axis
from .._kernels.precision import FLOAT32, FLOAT64, Precision
from . import arrays, target
from .arrays import blocks_for
from .elements import element_kernels, first_invalid
from .logits import logit_kernels
from .rows import row_kernels
from .target import THREADS, WARP

OF_A_LANE = 8
"""Elements of a row that one thread should have."""

LONG = 4096
"""A longer row has a block of its own."""

ENOUGH = 1 << 18
"""Threads that keep a device busy; where rows are fewer, each is cut into pieces."""


class Call(NamedTuple):
    """What a function was asked for."""

    inputs: list[Any]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    dtype: np.dtype[Any]
    precision: Precision
    divisor: Any
    like: Any
    stream: Any

    def by_rows(self, launch: Callable[..., None], outputs: list[Any]) -> None:
        """Launch on views by rows of the inputs and of outputs of the broadcast shape."""
        arrays.by_rows(launch, self.inputs, outputs, self.shape, self.axes, self.stream)

    @property
    def number(self) -> int:
        """How many rows there are."""
        return math.prod(n for i, n in enumerate(self.shape) if i not in self.axes)

    @property
    def length(self) -> int:
        """How many elements a row has."""
        return math.prod(self.shape[i] for i in self.axes)


def prepare(
    names: tuple[str, str], P: Any, Q: Any, axis: Axis, base: float | None, lowest: float | None
) -> Call:
    """Check arguments and bring them to the device; `lowest` is what `check=True` asks for."""
    divisor = _arrays.log_base(base) or 1.0
    given, like, stream = arrays.gather(names, (P, Q))
    p, q = (one.array for one in given)
    shape = _arrays.broadcast_shape([p, q], names)
    axes = _arrays.normalise_axes(axis, len(shape))
    dtype = _arrays.result_dtype(*(np.empty(0, one.dtype) for one in (p, q)))
    precision = FLOAT32 if dtype == np.float32 else FLOAT64
    if lowest is not None:
        for name, array in zip(names, (p, q), strict=True):
            check(name, array, lowest, stream)
    return Call([p, q], shape, axes, dtype, precision, dtype.type(divisor), like, stream)


def check(name: str, array: Any, lowest: float, stream: Any) -> None:
    """Raise if an element is infinite or below a number, which waits for the device."""
    number = math.prod(array.shape)
    if number == 0 or array.dtype.kind in "bu":
        return
    shape = tuple(array.shape)
    place = target.cuda.to_device(np.array([number], np.int64), stream=stream)

    def launch(view: Any) -> None:
        first_invalid[blocks_for(number), THREADS, stream](view, lowest, place)

    arrays.by_rows(launch, [array], [], shape, _last(shape), stream)
    (first,) = place.copy_to_host(stream=stream)
    arrays.synchronise(stream)
    if first < number:
        checks = {0.0: _arrays.check_probabilities, -math.inf: _arrays.check_logits}
        checks[lowest](**{name: array.copy_to_host()})


def _last(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the last axis, if there is any."""
    return tuple(range(len(shape)))[-1:]


def result_of(
    call: Call, out: Any, shape: tuple[int, ...], write: Callable[[Any], None], fill: float = 0.0
) -> Any:
    """Have a result written to `out` or to a new array, and return it.

    `fill` is the result of rows without elements.
    """

    def write_or_fill(result: Any) -> None:
        if math.prod(call.shape):
            write(result)
        elif math.prod(shape):
            result.copy_to_device(np.full(shape, fill, call.dtype), stream=call.stream)

    return arrays.written(out, shape, call.dtype, call.like, call.stream, write_or_fill)


def flat(array: Any) -> Any:
    """View a contiguous array with one axis."""
    return target.strided(array, (math.prod(array.shape),), (array.dtype.itemsize,))


def lanes_of(views: list[Any]) -> int:
    """Return how many threads share a row."""
    number, length = math.prod(views[0].shape[:3]), views[0].shape[3]
    side_by_side = all(
        view.strides[2] == view.dtype.itemsize and view.strides[3] > view.dtype.itemsize
        for view in views
    )
    if side_by_side:
        return 1
    if length > LONG or (number * WARP < ENOUGH and length >= THREADS * OF_A_LANE):
        return THREADS
    lanes = 1
    while lanes < WARP and lanes * OF_A_LANE < length:
        lanes *= 2
    return lanes


def pieces_of(number: int, length: int, lanes: int) -> int:
    """Return into how many pieces each row is cut."""
    most = length // (lanes * 4 * OF_A_LANE)
    return max(1, min(most, ENOUGH // (number * lanes), 1 << 15))


def write_totals(call: Call, result: Any) -> None:
    """Write the divergence of each row of probabilities."""
    kernels, number, length = row_kernels(call.precision), call.number, call.length

    def launch(p: Any, q: Any) -> None:
        lanes = lanes_of([p, q])
        pieces, blocks = pieces_of(number, length, lanes), -(-number * lanes // THREADS)
        if pieces == 1:
            whole = kernels.whole_rows[blocks, THREADS, call.stream]
            whole(p, q, lanes, call.divisor, flat(result))
            return
        parts = target.empty((number, pieces, 4), call.dtype, call.stream)
        cut = kernels.pieces_of_rows[(blocks, pieces), THREADS, call.stream]
        cut(p, q, lanes, -(-length // pieces), parts)
        together = kernels.rows_of_pieces[number, THREADS, call.stream]
        together(p, q, parts, call.divisor, flat(result))

    call.by_rows(launch, [])


def write_distances(call: Call, result: Any) -> None:
    """Write the distance of each row of weights."""
    kernel = row_kernels(call.precision).normalised_rows

    def launch(p: Any, q: Any) -> None:
        lanes = lanes_of([p, q])
        blocks = -(-call.number * lanes // THREADS)
        kernel[blocks, THREADS, call.stream](p, q, lanes, call.divisor, flat(result))

    call.by_rows(launch, [])


def write_terms(call: Call, result: Any) -> None:
    """Write each term of probabilities."""
    kernel = element_kernels(call.precision).terms
    blocks = blocks_for(math.prod(call.shape))

    def launch(p: Any, q: Any, terms: Any) -> None:
        kernel[blocks, THREADS, call.stream](p, q, call.divisor, terms)

    elementwise = call._replace(axes=_last(call.shape))
    elementwise.by_rows(launch, [result])


def write_logit_totals(call: Call, result: Any) -> None:
    """Write the divergence of each row of logits."""

    def launch(a: Any, b: Any) -> None:
        no_terms = target.strided(result, (1, 1, 1, 1), (0, 0, 0, 0))
        _launch_logits(call, a, b, False, no_terms, flat(result))

    call.by_rows(launch, [])


def write_logit_sum(call: Call, result: Any) -> None:
    """Write the sum of the divergences of all rows of logits."""
    rows = target.empty((call.number,), call.dtype, call.stream)
    write_logit_totals(call, rows)
    sum_over(rows, (0,), result, call.precision, call.stream)


def write_logit_terms(call: Call, result: Any) -> None:
    """Write each term of logits."""

    def launch(a: Any, b: Any, terms: Any) -> None:
        _launch_logits(call, a, b, True, terms, flat(result))

    call.by_rows(launch, [result])


def _launch_logits(call: Call, a: Any, b: Any, with_terms: bool, terms: Any, result: Any) -> None:
    lanes = lanes_of([a, b])
    blocks = -(-call.number * lanes // THREADS)
    kernel = logit_kernels(call.precision).logit_rows
    kernel[blocks, THREADS, call.stream](a, b, lanes, with_terms, call.divisor, terms, result)


def sum_over(
    values: Any, axes: tuple[int, ...], result: Any, precision: Precision, stream: Any
) -> None:
    """Write the sums of an array along axes."""
    shape = tuple(values.shape)
    number = math.prod(result.shape)

    def launch(view: Any) -> None:
        lanes = lanes_of([view])
        blocks = -(-number * lanes // THREADS)
        row_kernels(precision).sums[blocks, THREADS, stream](view, lanes, flat(result))

    arrays.by_rows(launch, [values], [], shape, axes, stream)
