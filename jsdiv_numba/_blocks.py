"""Run a ufunc over blocks of its result, spread over threads."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._arrays import FloatArray
from ._threads import run_blocks

Finish = Callable[[FloatArray], object]
"""What is done to each block of results, in place: another base, a square root."""

BLOCK_ELEMENTS = 1 << 19
"""Input elements that one block reads: some 0.3 ms of work."""

ROW_PIECE = 1 << 20
"""A longer row is added up in pieces of this many elements, which threads share."""

COLUMN_PIECE = 1 << 10
"""The same for columns that lie side by side."""


def run(
    ufunc: np.ufunc,
    operands: tuple[FloatArray, ...],
    out: FloatArray,
    core: int,
    workers: int | None,
    finish: Finish | None = None,
) -> bool:
    """Write ``ufunc(*operands)`` to `out`, finished in place; return whether there is any NaN.

    The last `core` axes of the operands are those of the ufunc's signature. The
    longest of the others is split into blocks.
    """
    shape = operands[0].shape
    outer, length = shape[: len(shape) - core], math.prod(shape[len(shape) - core :])
    if math.prod(outer) * length <= BLOCK_ELEMENTS:
        return _compute(ufunc, operands, out, finish)
    with_nan = []

    def compute(block: Any) -> None:
        if _compute(ufunc, tuple(operand[block] for operand in operands), out[block], finish):
            with_nan.append(block)

    run_blocks(compute, _blocks(outer, length), workers)
    return bool(with_nan)


def run_pieces(
    ufunc: np.ufunc,
    operands: tuple[FloatArray, ...],
    out: FloatArray,
    core: int,
    workers: int | None,
    finish: Finish | None = None,
) -> bool:
    """Do the same for a sum along the first core axis, adding up the sums of its pieces.

    A piece depends on the length alone, so the bits of the result depend neither
    on the number of workers nor on what stands beside it.
    """
    length, piece = operands[0].shape[-core], ROW_PIECE if core == 1 else COLUMN_PIECE
    if length <= piece:
        return run(ufunc, operands, out, core, workers, finish)
    pieces = length // piece
    split = [_split(operand, core, pieces, piece) for operand in operands]
    # The parts of one sum are adjacent, because only then does NumPy add them up in pairs.
    parts = np.empty((*out.shape, pieces + 1))
    of_whole = np.moveaxis(parts[..., :pieces], -1, 0)
    run(ufunc, tuple(whole for whole, _ in split), of_whole, core, workers)
    run(ufunc, tuple(rest for _, rest in split), parts[..., pieces], core, workers)
    with np.errstate(all="ignore"):
        out[...] = parts.sum(axis=-1)
        if finish is not None:
            finish(out)
    return bool(np.isnan(out).any())


def _split(
    operand: FloatArray, core: int, pieces: int, piece: int
) -> tuple[FloatArray, FloatArray]:
    """View the first core axis as whole pieces, along a new first axis, and the rest."""
    moved = np.moveaxis(operand, -core, 0)
    whole, rest = moved[: pieces * piece], moved[pieces * piece :]
    whole = whole.reshape(pieces, piece, *whole.shape[1:])
    return np.moveaxis(whole, 1, -core), np.moveaxis(rest, 0, -core)


def _compute(
    ufunc: np.ufunc, operands: tuple[FloatArray, ...], out: FloatArray, finish: Finish | None
) -> bool:
    # What a ufunc would warn of here is either an answer, NaN, or an error raised later.
    with np.errstate(all="ignore"):
        ufunc(*operands, out=out)
        if finish is not None:
            finish(out)
    return math.isnan(out) if out.ndim == 0 else bool(np.isnan(out).any())


def _blocks(outer: tuple[int, ...], length: int) -> list[Any]:
    """Return the indices of the blocks along the longest outer axis."""
    if not outer:
        return [...]
    axis = int(np.argmax(outer))
    step = max(1, BLOCK_ELEMENTS * outer[axis] // (math.prod(outer) * length))
    before = (slice(None),) * axis
    return [(*before, slice(i, i + step)) for i in range(0, outer[axis], step)]
