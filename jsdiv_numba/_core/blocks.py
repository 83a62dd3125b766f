"""Run a ufunc over blocks of its result, spread over threads."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from . import rooms
from .conversion import are_converted, dtypes_of
from .errstate import unwarned
from .gather import GatheredPieces, GatheredRows
from .threads import get_workers, run_blocks
from .transposition import column_axes, whole_lines, write_columns
from .validation import SMALL, FloatArray

Finish = Callable[[FloatArray], object]
"""What is done to each block of results, in place: another base, a square root."""

Operand = FloatArray | GatheredRows | GatheredPieces
"""What blocks are taken of."""

Weights = tuple[FloatArray, ...]
"""What a ufunc takes after the operands, each in the shape of the result."""

BLOCK_ELEMENTS = 1 << 19
"""Input elements that one block reads: some 0.3 ms of work."""

LARGER_BLOCKS = 8
"""By up to this factor blocks that are added up are larger where each thread has many: between two
of them Python takes 20 µs, because what it needs has left the caches that rows went through."""

BLOCKS_OF_A_THREAD = 16
"""So many or more share the work evenly among several threads."""

ROW_PIECE = 1 << 20
"""A longer row is added up in pieces of this many elements, which threads share."""

COLUMN_PIECE = 1 << 10
"""The same for columns that lie side by side."""


BLOCK_WITH_SECONDARY = 1 << 18
"""A block that is read a second time: it should still be in some cache."""


class SecondaryOutput(NamedTuple):
    """What is computed on each block besides, its arrays laid out as the operands.

    By a ufunc that runs once the first one has; or, with None, by the first one
    itself, on these operands and in the same pass.
    """

    ufunc: np.ufunc | None
    operands: tuple[Any, ...]
    outs: tuple[FloatArray, ...]

    def each(self, view: Callable[[FloatArray], FloatArray]) -> "SecondaryOutput":
        """Return the output on a view of each array."""
        return SecondaryOutput(
            self.ufunc, tuple(map(view, self.operands)), tuple(map(view, self.outs))
        )


def run(
    ufunc: Callable[..., Any],
    operands: tuple[Operand, ...],
    out: FloatArray | GatheredRows,
    core: int,
    workers: int | None,
    finish: Finish | None = None,
    secondary: SecondaryOutput | None = None,
    weights: Weights = (),
) -> bool:
    """Write ``ufunc(*operands, *weights)`` to `out`, finished; return whether there is any NaN.

    The last `core` axes of the operands are those of the ufunc's signature. The
    longest of the others is split into blocks.
    """
    return _run([_Job(ufunc, operands, out, core, secondary, weights)], workers, finish)


class _Job(NamedTuple):
    """What is computed in blocks: one array of results, of one ufunc."""

    ufunc: Callable[..., Any]
    operands: tuple[Operand, ...]
    out: FloatArray | GatheredRows
    core: int
    secondary: SecondaryOutput | None
    weights: Weights

    def blocks(self, workers: int | None) -> list[Any]:
        """Return the blocks' indices, by the outer axes; one alone is all."""
        operands, core = self.operands, self.core
        shape = operands[0].shape
        outer, length = shape[: len(shape) - core], math.prod(shape[len(shape) - core :])
        elements = math.prod(outer) * length
        columns = column_axes(operands) if core else set()
        block_elements = BLOCK_WITH_SECONDARY if self.secondary else BLOCK_ELEMENTS
        in_place = all(isinstance(array, np.ndarray) for array in (*operands, self.out))
        if columns or are_converted(operands, dtypes_of(self.ufunc)):
            block_elements = rooms.BLOCK_ELEMENTS
        elif core and in_place and not self.secondary and elements > BLOCK_ELEMENTS:
            block_elements = _larger_block(elements, get_workers(workers))
        if elements <= block_elements:
            return [...]
        return _blocks(outer, length, block_elements, columns)

    def compute(self, block: Any, room: rooms.Room, finish: Finish | None) -> bool:
        """Write the results of one block, finished; return whether there is any NaN."""
        if block is ... and isinstance(self.out, np.ndarray):
            inputs = (*self.operands, *self.weights)
            return _of_block(room, self.ufunc, inputs, self.out, finish, self.secondary)
        beside = self.secondary.each(lambda array: array[block]) if self.secondary else None
        inputs = tuple([array[block] for array in (*self.operands, *self.weights)])
        result = self.out[block] if isinstance(self.out, np.ndarray) else self.out.empty(block)
        with_nan = _of_block(room, self.ufunc, inputs, result, finish, beside)
        if isinstance(self.out, GatheredRows):
            self.out[block] = result
        return with_nan


def _run(jobs: list[_Job], workers: int | None, finish: Finish | None = None) -> bool:
    """Compute all of them, whose blocks threads share; return whether there is any NaN."""
    shares = [(job, block) for job in jobs for block in job.blocks(workers)]
    with_nan: list[Any] = []

    def compute(share: tuple[_Job, Any]) -> None:
        job, block = share
        with free.one() as room:
            if unwarned(job.compute, block, room, finish):
                with_nan.append(block)

    with rooms.Rooms() as free:
        run_blocks(compute, shares, workers)
    return bool(with_nan)


def _larger_block(elements: int, threads: int) -> int:
    """Return how much of all that so many threads read one block should."""
    share = elements if threads == 1 else elements // (threads * BLOCKS_OF_A_THREAD)
    return min(max(share, BLOCK_ELEMENTS), BLOCK_ELEMENTS * LARGER_BLOCKS)


def is_long(operands: tuple[Operand, ...], core: int) -> bool:
    """Whether the first core axis is so long that it is added up in pieces."""
    length: int = operands[0].shape[-core]
    return length > _piece(core)


def _piece(core: int) -> int:
    return ROW_PIECE if core == 1 else COLUMN_PIECE


@dataclass(frozen=True)
class _OfPieces:
    """A ufunc of pieces: so many of its results stand along the last axis of one array."""

    ufunc: np.ufunc
    number: int

    @property
    def types(self) -> list[str]:
        """The ufunc's."""
        return self.ufunc.types

    @property
    def signature(self) -> str | None:
        """The ufunc's."""
        return self.ufunc.signature

    def __call__(self, *operands: FloatArray, out: Any) -> None:
        sums, *others = (out,) if isinstance(out, np.ndarray) else out
        self.ufunc(*operands, out=(*(sums[..., i] for i in range(self.number)), *others))


def run_pieces(
    ufunc: np.ufunc,
    add: Callable[..., Any],
    operands: tuple[Operand, ...],
    out: FloatArray,
    core: int,
    workers: int | None,
    finish: Finish | None = None,
    secondary: SecondaryOutput | None = None,
    weights: Weights = (),
) -> bool:
    """Do the same for a sum along the first core axis, adding up what `ufunc` gives of its pieces.

    A piece depends on the length alone, so the bits of the result depend neither
    on the number of workers nor on what stands beside it.
    """
    length, piece = operands[0].shape[-core], _piece(core)
    pieces = length // piece
    # The parts of one sum are adjacent, because only then does NumPy add them up in pairs.
    number = ufunc.nout - (len(secondary.outs) if secondary and secondary.ufunc is None else 0)
    parts = np.empty((number, *out.shape, pieces + 1))
    whole, rest = np.moveaxis(parts[..., :pieces], -1, 1), parts[..., pieces]

    of_pieces = _OfPieces(ufunc, number)
    cuts = []
    for part, view in (whole, partial(_whole, core, piece)), (rest, partial(_rest, core, piece)):
        beside = secondary.each(view) if secondary else None
        sums = np.moveaxis(part, 0, -1)
        each = tuple(np.broadcast_to(weight, sums.shape[:-1]) for weight in weights)
        cuts.append(_Job(of_pieces, tuple(map(view, operands)), sums, core, beside, each))
    _run(cuts, workers)
    with np.errstate(all="ignore"):
        out[...] = add(*parts, axis=-1)
        if finish is not None:
            finish(out)
        return has_nan(out)


def _whole(core: int, piece: int, operand: Any) -> Any:
    """View the first core axis as whole pieces, along a new first axis."""
    if isinstance(operand, GatheredRows):
        return operand.pieces(piece)
    moved = np.moveaxis(operand, -core, 0)
    pieces = len(moved) // piece
    whole = moved[: pieces * piece].reshape(pieces, piece, *moved.shape[1:])
    return np.moveaxis(whole, 1, -core)


def _rest(core: int, piece: int, operand: Any) -> Any:
    """View what the whole pieces leave."""
    if isinstance(operand, GatheredRows):
        return operand.after_pieces(piece)
    moved = np.moveaxis(operand, -core, 0)
    return np.moveaxis(moved[len(moved) // piece * piece :], 0, -core)


def _of_block(
    room: rooms.Room,
    ufunc: Callable[..., Any],
    operands: tuple[Any, ...],
    out: FloatArray,
    finish: Finish | None,
    secondary: SecondaryOutput | None,
) -> bool:
    """Write one block's results, finished; return whether there is any NaN.

    What is warned of here is either an answer, NaN, or an error raised later.
    """
    in_one_pass = secondary is not None and secondary.ufunc is None
    if not in_one_pass:
        ufunc(*room.taken(ufunc, operands), out=out)
    if secondary is not None:
        beside, outs = (ufunc, (out,)) if in_one_pass else (secondary.ufunc, ())
        _write_beside(room, beside, secondary, outs, len(operands))
    if finish is not None:
        finish(out)
    return has_nan(out)


def _write_beside(
    room: rooms.Room,
    ufunc: Any,
    secondary: SecondaryOutput,
    first_outs: tuple[FloatArray, ...],
    number: int,
) -> None:
    """Write what is computed besides; in the room, so many operands have their places."""
    operands = room.taken(ufunc, secondary.operands, number)
    outs = room.instead_of(ufunc, secondary.outs, number + len(operands))
    ufunc(*operands, out=(*first_outs, *outs))
    for rows, array in zip(outs, secondary.outs, strict=True):
        if rows is not array:
            write_columns(rows, array)


def has_nan(values: Any) -> bool:
    """Whether there is any NaN; where nothing warns, because squares may overflow."""
    if values.size == 1:
        return math.isnan(values.item())
    if values.size <= SMALL:
        # A sum of squares is NaN for no other reason, and at hand at once.
        flat = values if values.ndim == 1 else values.ravel()
        return math.isnan(flat.dot(flat))
    return bool(np.isnan(values).any())


def _blocks(
    outer: tuple[int, ...], length: int, block_elements: int, columns: set[int]
) -> list[Any]:
    """Return the indices of the blocks along the longest outer axis."""
    if not outer:
        return [...]
    axis = int(np.argmax(outer))
    step = max(1, block_elements * outer[axis] // (math.prod(outer) * length))
    if axis in columns:
        step = whole_lines(step, length)
    before = (slice(None),) * axis
    return [(*before, slice(i, i + step)) for i in range(0, outer[axis], step)]
