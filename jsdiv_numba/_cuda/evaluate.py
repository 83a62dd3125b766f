"""From checked arguments to kernels, for everything along an axis."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._core import validation
from .._core.validation import Axis
from .._kernels.codegen.precision import FLOAT32, FLOAT64, Precision
from . import arrays, target
from .arrays import blocks_for
from .kernels.elements import both_weights, copy_element, element_kernels, first_invalid
from .kernels.logits import STATE, logit_kernels
from .kernels.rows import distance_kernels, row_kernels, sum_kernels
from .target import THREADS, WARP

OF_A_LANE = 8
"""Elements of a row that one thread should have."""

LONG = 4096
"""A longer row has a block of its own."""

ENOUGH = 1 << 18
"""Threads that keep a device busy; where rows are fewer, each is cut into pieces."""


PARTS = 6
"""Numbers that a sweep finds out of a piece of a row, at most."""

SHARED_BYTES = 47 << 10
"""Shared memory for rows of one block, of the 48 KiB that every kernel may have."""

BYTES_OF_A_LANE = 256
"""Shared memory that one thread should have at most: 200 KiB are room for 25 warps then."""


Rows = tuple[Any, Any]
"""Views by rows of both inputs."""

Weights = tuple[Any, ...]
"""Such views of both sides' weights, or nothing."""


class Call(NamedTuple):
    """What a function was asked for."""

    gathered: arrays.Gathered
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    dtype: np.dtype[Any]
    precision: Precision
    divisor: Any
    weights: tuple[Any, ...] = ()
    """Those of both sides, viewed in the broadcast shape; none where all are equal."""

    @property
    def skewed(self) -> bool:
        """Whether there are weights."""
        return bool(self.weights)

    @property
    def inputs(self) -> list[Any]:
        """The arrays on the device."""
        return self.gathered.arrays

    @property
    def stream(self) -> Any:
        """Where all is to be done."""
        return self.gathered.stream

    def by_rows(
        self, launch: Callable[..., None], outputs: list[Any], beside: tuple[Any, ...] = ()
    ) -> None:
        """Launch on views by rows: of both inputs, of the weights, and one by one of the others.

        These are what else is read, in the broadcast shape, and outputs of that shape.
        """
        number = len(self.weights)

        def launch_views(p: Any, q: Any, *others: Any) -> None:
            launch((p, q), others[:number], *others[number:])

        inputs = [*self.inputs, *self.weights, *beside]
        arrays.by_rows(launch_views, inputs, outputs, self.shape, self.axes, self.gathered)

    def empty(self, shape: tuple[int, ...]) -> Any:
        """Return a new array of the result's dtype on the device."""
        return self.gathered.empty(shape, self.dtype)

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
    divisor = validation.log_base(base) or 1.0
    gathered = arrays.gather(names, (P, Q))
    p, q = gathered.arrays
    shape = validation.broadcast_shape([p, q], names)
    axes = validation.normalise_axes(axis, len(shape))
    dtype = validation.result_dtype(*(np.empty(0, one.dtype) for one in (p, q)))
    precision = FLOAT32 if dtype == np.float32 else FLOAT64
    if lowest is not None:
        for name, array in zip(names, (p, q), strict=True):
            check(name, array, lowest, gathered)
    return Call(gathered, shape, axes, dtype, precision, dtype.type(divisor))


def weighted(
    call: Call, weight: Any, keepdims: bool, reduce: bool, *, by_row: bool, checked: bool
) -> Call:
    """Return the call with the weights that are given for its result.

    Where terms depend on their whole row, they have its weight. One on the device is not looked at
    unless that is asked for.
    """
    if weight is validation.EQUAL:
        return call
    shape, whose = validation.weighed(call.shape, call.axes, keepdims, reduce, by_row)
    if arrays.on_device("weight", weight) is None:
        both = validation.as_weights(weight)
        validation.broadcast_weight(both[1], shape, whose)
        if all((each == validation.EQUAL).all() for each in both):
            return call
        given = [array.astype(call.dtype) for array in both]
        found = arrays.gather(("weight", "weight"), given, call.stream).arrays
    else:
        gathered = arrays.gather(("weight",), (weight,), call.stream)
        call.gathered.others.extend(gathered.others)
        (array,) = gathered.arrays
        validation.broadcast_weight(np.broadcast_to(0.0, tuple(array.shape)), shape, whose)
        found = _both_weights(call, array, checked)
    by_element = not (reduce or by_row)
    views = tuple(laid_beside(call, array, shape, by_element) for array in found)
    return call._replace(weights=views)


def _both_weights(call: Call, weight: Any, checked: bool) -> list[Any]:
    """Return both sides' weights, given the second one's on the device."""
    shape, stream = tuple(weight.shape), call.stream
    if checked:
        copy = call.gathered.empty(shape, weight.dtype)
        arrays.copy_elements(weight, copy, stream)
        host = copy.copy_to_host(stream=stream)
        target.synchronise(stream)
        validation.as_weight(host)
    both = [call.empty(shape) for _ in range(2)]

    def launch(view: Any) -> None:
        kernel = both_weights[blocks_for(math.prod(shape)), THREADS, stream]
        kernel(view, *map(flat, both))

    if math.prod(shape):
        arrays.by_rows(launch, [weight], [], shape, last(shape), call.gathered)
    return both


def laid_beside(call: Call, array: Any, shape: tuple[int, ...], by_element: bool) -> Any:
    """View what broadcasts to a value of some shape with the axes of the broadcast shape.

    Those axes of the value that are reduced may be gone, unless it has an element for each.
    """
    strides = arrays.broadcast_strides(array, shape)
    if not by_element:
        kept = iter(strides if len(shape) < len(call.shape) else _kept(strides, call))
        strides = tuple(0 if i in call.axes else next(kept, 0) for i in range(len(call.shape)))
    return target.strided(array, call.shape, strides)


def _kept(strides: tuple[int, ...], call: Call) -> list[int]:
    return [stride for i, stride in enumerate(strides) if i not in call.axes]


def check(name: str, array: Any, lowest: float, gathered: arrays.Gathered) -> None:
    """Raise if an element is infinite or below a number, which waits for the device."""
    number = math.prod(array.shape)
    if number == 0 or array.dtype.kind in "bu":
        return
    shape = tuple(array.shape)
    Float = (
        np.float32 if array.dtype in {np.dtype(np.float16), np.dtype(np.float32)} else np.float64
    )
    place, stream = gathered.filled((1,), number, np.dtype(np.int64)), gathered.stream

    def launch(view: Any) -> None:
        kernel = first_invalid[blocks_for(number), THREADS, stream]
        kernel(view, Float(lowest), Float(math.inf), place)

    arrays.by_rows(launch, [array], [], shape, last(shape), gathered)
    (first,) = place.copy_to_host(stream=stream)
    target.synchronise(stream)
    if first < number:
        checks = {0.0: validation.check_probabilities, -math.inf: validation.check_logits}
        checks[lowest](_named(shape, int(first)), **{name: element(array, int(first), gathered)})


def _named(shape: tuple[int, ...], number: int) -> validation.Naming:
    """Return what names one element, counted along all axes, as one of an array."""
    place = tuple(int(i) for i in np.unravel_index(number, shape))
    return lambda name, _where: validation.entry(name, place)


def element(array: Any, number: int, gathered: arrays.Gathered) -> Any:
    """Return one element, counted along all axes, as an array of the host with one axis."""
    shape = tuple(array.shape)
    copy, stream = gathered.empty((1,), array.dtype), gathered.stream

    def launch(view: Any) -> None:
        copy_element[1, 1, stream](view, number, copy)

    arrays.by_rows(launch, [array], [], shape, last(shape), gathered)
    value = copy.copy_to_host(stream=stream)
    target.synchronise(stream)
    return value


def last(shape: tuple[int, ...]) -> tuple[int, ...]:
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
        else:
            arrays.fill_elements(result, fill, call.stream)

    return arrays.written(out, shape, call.dtype, call.gathered, write_or_fill)


def flat(array: Any) -> Any:
    """View a contiguous array with one axis."""
    return target.strided(array, (math.prod(array.shape),), (array.dtype.itemsize,))


class Shares(NamedTuple):
    """How the rows are shared out to threads."""

    shift: int
    """2 to this power adjacent threads share a row, or a piece of one."""

    blocks: int
    """Blocks for all rows, for one piece of each."""

    pieces: int
    """Into how many pieces each row is cut."""

    piece: int
    """Elements of each piece but the last."""

    aligned: bool
    """Whether all arrays allow that four elements are read or written at once."""

    @property
    def grid(self) -> tuple[int, int]:
        """The blocks of a kernel over pieces."""
        return self.blocks, self.pieces


def shares_of(views: list[Any], whole: bool = False) -> Shares:
    """Return how to share out the rows of arrays; `whole` rows are not cut."""
    number, length = math.prod(views[0].shape[:3]), views[0].shape[3]
    lanes = lanes_of(views)
    pieces = 1 if whole else pieces_of(number, length, lanes)
    unit = 4 * lanes
    piece = -(-length // (pieces * unit)) * unit
    return Shares(
        shift=lanes.bit_length() - 1,
        blocks=-(-number * lanes // THREADS),
        pieces=-(-length // piece),
        piece=piece,
        aligned=all(map(is_aligned, views)),
    )


def is_aligned(view: Any) -> bool:
    """Whether all its rows have adjacent elements and begin at a multiple of 16 bytes."""
    outer = zip(view.shape[:-1], view.strides[:-1], strict=True)
    places = [stride for length, stride in outer if length > 1]
    return view.strides[-1] == view.dtype.itemsize and all(
        place % 16 == 0 for place in (target.address_of(view), *places)
    )


def lanes_of(views: list[Any]) -> int:
    """Return how many threads share a row."""
    number, length = math.prod(views[0].shape[:3]), views[0].shape[3]
    if _are_side_by_side(views):
        return 1
    if length > LONG or (number * WARP < ENOUGH and length >= THREADS * OF_A_LANE):
        return THREADS
    lanes = 1
    while lanes < WARP and lanes * OF_A_LANE < length:
        lanes *= 2
    return lanes


def _are_side_by_side(views: list[Any]) -> bool:
    """Whether adjacent rows, rather than a row's elements, are adjacent in memory."""
    steps = [(view.strides[2], view.strides[3], view.dtype.itemsize) for view in views]
    return all(across in {0, size} for across, _, size in steps) and any(
        along > size == across for across, along, size in steps
    )


def pieces_of(number: int, length: int, lanes: int) -> int:
    """Return into how many pieces each row is to be cut."""
    most = length // (lanes * 4 * OF_A_LANE)
    return max(1, min(most, ENOUGH // (number * lanes), 1 << 15))


def in_pieces(
    call: Call,
    shares: Shares,
    sweeps: int,
    cut: Callable[[int, Any, Any], None],
    together: Callable[[int, Any, Any], None],
    state: Any = None,
) -> Any:
    """Sweep over the pieces of all rows, putting rows together after each sweep.

    Both functions get the sweep's number, what is known of the rows, and of their pieces.
    """
    parts = call.empty((call.number, shares.pieces, PARTS))
    if state is None:
        state = call.empty((call.number, STATE))
    for sweep in range(sweeps):
        cut(sweep, state, parts)
        together(sweep, state, parts)
    return state


def write_totals(call: Call, result: Any) -> None:
    """Write the divergence of each row of probabilities."""
    kernels = row_kernels(call.precision, call.skewed)

    def launch(rows: Rows, weights: Weights) -> None:
        shares = shares_of([*rows])
        if shares.pieces == 1:
            whole = kernels.whole_rows[shares.blocks, THREADS, call.stream]
            whole(*rows, weights, shares.shift, shares.aligned, call.divisor, flat(result))
            return

        def cut(sweep: int, state: Any, parts: Any) -> None:
            cut_rows(call, shares, (*rows, weights), sweep, state, parts)

        in_pieces(call, shares, 2, cut, put_together(call, kernels.rows_of_pieces, result))

    call.by_rows(launch, [])


def cut_rows(
    call: Call, shares: Shares, views: tuple[Any, ...], sweep: int, state: Any, parts: Any
) -> None:
    """Launch a sweep over the pieces of rows of probabilities."""
    kernels = row_kernels(call.precision, call.skewed)
    kernel = kernels.pieces_of_rows[shares.grid, THREADS, call.stream]
    kernel(*views, shares.shift, shares.aligned, shares.piece, sweep, state, parts)


def put_together(call: Call, kernel: Any, result: Any) -> Callable[[int, Any, Any], None]:
    """Return what launches a kernel with a block for each row."""

    def together(sweep: int, state: Any, parts: Any) -> None:
        launched = kernel[call.number, THREADS, call.stream]
        launched(parts, sweep, call.divisor, state, flat(result))

    return together


def write_distances(call: Call, result: Any) -> None:
    """Write the distance of each row of weights."""
    kernels = distance_kernels(call.precision)

    def launch(rows: Rows, _weights: Weights) -> None:
        shares = shares_of([*rows])
        if shares.pieces == 1:
            whole = kernels.normalised_rows[shares.blocks, THREADS, call.stream]
            whole(*rows, shares.shift, shares.aligned, call.divisor, flat(result))
            return

        def cut(sweep: int, state: Any, parts: Any) -> None:
            kernel = kernels.pieces_of_normalised[shares.grid, THREADS, call.stream]
            kernel(*rows, shares.shift, shares.aligned, shares.piece, sweep, state, parts)

        in_pieces(call, shares, 2, cut, put_together(call, kernels.normalised_of_pieces, result))

    call.by_rows(launch, [])


def write_terms(call: Call, result: Any) -> None:
    """Write each term of probabilities."""

    def launch(rows: Rows, weights: Weights, terms: Any) -> None:
        shares = shares_of([*rows, terms])
        kernels = element_kernels(call.precision, call.skewed)
        kernel = kernels.terms[shares.grid, THREADS, call.stream]
        kernel(*rows, weights, shares.shift, shares.aligned, shares.piece, call.divisor, terms)

    elementwise = call._replace(axes=last(call.shape))
    elementwise.by_rows(launch, [result])


class Staging(NamedTuple):
    """What rows of logits get of shared memory, if they fit."""

    shares: Shares
    threads: int
    """Of a block."""

    room: int
    """Elements, for each of two rows."""

    bytes: int
    """For all rows of a block; 0 where they do not fit."""


def staged(shares: Shares, number: int, length: int, itemsize: int) -> Staging:
    """Return how whole rows fit into shared memory, by more threads for each if need be."""
    room = -(-length // 4) * 4
    size, shift = 2 * room * itemsize, shares.shift
    if shift == 0 or size > SHARED_BYTES:
        return Staging(shares, THREADS, 0, 0)
    while size > BYTES_OF_A_LANE << shift and 1 << shift < THREADS:
        shift += 1
    lanes = 1 << shift
    threads = THREADS if lanes <= WARP else lanes
    while size * (threads // lanes) > SHARED_BYTES:
        threads //= 2
    blocks = -(-number * lanes // threads)
    of_block = shares._replace(shift=shift, blocks=blocks)
    return Staging(of_block, threads, room, size * (threads // lanes))


def write_logit_totals(call: Call, result: Any) -> None:
    """Write the divergence of each row of logits."""

    def launch(rows: Rows, weights: Weights) -> None:
        write_logit_totals_of(call, rows, weights, result)

    call.by_rows(launch, [])


def write_logit_totals_of(call: Call, rows: Rows, weights: Weights, result: Any) -> None:
    """Write the divergence of each row of views of logits."""
    kernels, shares = logit_kernels(call.precision, call.skewed), shares_of([*rows])
    if shares.pieces == 1:
        staging = staged(shares, call.number, call.length, call.dtype.itemsize)
        shares = staging.shares
        kernel = kernels.staged_logits if staging.bytes else kernels.whole_logits
        whole = kernel[shares.blocks, staging.threads, call.stream, staging.bytes]
        given = *rows, weights, shares.shift, shares.aligned, staging.room
        whole(*given, call.divisor, flat(result))
        return
    no_terms = target.strided(result, tuple(rows[0].shape), (0, 0, 0, 0))
    sweep_logits(call, shares, kernels.pieces_of_logits, (*rows, weights), no_terms, result)


def sweep_logits(
    call: Call,
    shares: Shares,
    kernel: Any,
    views: tuple[Any, ...],
    terms: Any,
    result: Any,
    sweeps: tuple[int, ...] = (0, 1, 2, 3),
    state: Any = None,
) -> Any:
    """Launch sweeps over the pieces of rows of logits; return what is known of the rows then."""
    kernels = logit_kernels(call.precision, call.skewed)
    together = put_together(call, kernels.logits_of_pieces, result)

    def cut(turn: int, state: Any, parts: Any) -> None:
        launched = kernel[shares.grid, THREADS, call.stream]
        launched(
            *views, shares.shift, shares.aligned, shares.piece, sweeps[turn], call.divisor, state,
            parts, terms,
        )  # fmt: skip

    def put(turn: int, state: Any, parts: Any) -> None:
        together(sweeps[turn], state, parts)

    return in_pieces(call, shares, len(sweeps), cut, put, state)


def write_logit_sum(call: Call, result: Any) -> None:
    """Write the sum of the divergences of all rows of logits."""
    rows = call.empty((call.number,))
    write_logit_totals(call, rows)
    sum_over(call, rows, (0,), result)


def write_logit_terms(call: Call, result: Any) -> None:
    """Write each term of logits."""

    def launch(rows: Rows, weights: Weights, terms: Any) -> None:
        write_logit_terms_of(call, rows, weights, terms)

    call.by_rows(launch, [result])


def write_logit_terms_of(call: Call, rows: Rows, weights: Weights, terms: Any) -> None:
    """Write each term of views by rows of logits."""
    kernels, shares = logit_kernels(call.precision, call.skewed), shares_of([*rows, terms])
    if shares.pieces == 1:
        whole = kernels.logit_terms[shares.blocks, THREADS, call.stream]
        whole(*rows, weights, shares.shift, shares.aligned, call.divisor, terms)
        return
    totals = call.empty((call.number,))
    sweep_logits(call, shares, kernels.pieces_of_terms, (*rows, weights), terms, totals)


def sum_over(call: Call, values: Any, axes: tuple[int, ...], result: Any) -> None:
    """Write the sums of an array along axes."""
    shape, kernels = tuple(values.shape), sum_kernels(call.precision)

    def launch(view: Any) -> None:
        shares, number = shares_of([view]), math.prod(view.shape[:3])
        if shares.pieces == 1:
            kernels.sums[shares.blocks, THREADS, call.stream](view, shares.shift, flat(result))
            return
        parts = call.empty((number, shares.pieces, 2))
        pieces = kernels.pieces_of_sums[shares.grid, THREADS, call.stream]
        pieces(view, shares.shift, shares.piece, parts)
        kernels.sums_of_pieces[number, THREADS, call.stream](parts, flat(result))

    arrays.by_rows(launch, [values], [], shape, axes, call.gathered)
