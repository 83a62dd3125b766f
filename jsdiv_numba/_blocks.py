"""Run a ufunc over blocks of its result, spread over threads."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ._arrays import FloatArray
from ._threads import run_blocks

Finish = Callable[[FloatArray], object]
"""What is done to each block of results, in place: another base, a square root."""

BLOCK_ELEMENTS = 1 << 17
"""Input elements that one block reads: about 0.1 ms of work, and small enough for the cache."""

ROW_PIECE = 1 << 20
"""A longer row is added up in pieces of this many elements, which threads share."""


def run_elementwise(
    ufunc: np.ufunc,
    operands: tuple[FloatArray, ...],
    out: FloatArray,
    workers: int | None,
    finish: Finish | None = None,
) -> bool:
    """Write ``ufunc(*operands)`` to `out`, finished in place; return whether there is any NaN."""
    return _run(ufunc, operands, out, out.shape, 1, workers, finish)


def run_rows(
    ufunc: np.ufunc,
    operands: tuple[FloatArray, ...],
    out: FloatArray,
    workers: int | None,
    finish: Finish | None = None,
) -> bool:
    """Do the same for a ufunc that reduces, or maps, the operands' last axis."""
    length = operands[0].shape[-1]
    outer = operands[0].shape[:-1]
    return _run(ufunc, operands, out, outer, length, workers, finish)


def run_long_rows(
    ufunc: np.ufunc,
    operands: tuple[FloatArray, ...],
    out: FloatArray,
    workers: int | None,
    finish: Finish | None = None,
) -> bool:
    """Do the same for a sum over the last axis that may be longer than a piece."""
    length = operands[0].shape[-1]
    if length <= ROW_PIECE:
        return run_rows(ufunc, operands, out, workers, finish)
    pieces = length // ROW_PIECE
    whole = pieces * ROW_PIECE
    parts = np.empty((*operands[0].shape[:-1], pieces + 1), np.float64)
    split = tuple(a[..., :whole].reshape(*a.shape[:-1], pieces, ROW_PIECE) for a in operands)
    rest = tuple(a[..., whole:] for a in operands)
    run_rows(ufunc, split, parts[..., :pieces], workers)
    run_rows(ufunc, rest, parts[..., pieces], workers)
    np.sum(parts, axis=-1, out=out)
    if finish is not None:
        finish(out)
    return bool(np.isnan(out).any())


def _run(
    ufunc: np.ufunc,
    operands: tuple[FloatArray, ...],
    out: FloatArray,
    outer: tuple[int, ...],
    length: int,
    workers: int | None,
    finish: Finish | None,
) -> bool:
    """Split the longest outer axis into blocks and run them."""
    if math.prod(outer) * length <= BLOCK_ELEMENTS:
        return _compute(ufunc, operands, out, finish)
    with_nan = []

    def run(block: Any) -> None:
        if _compute(ufunc, tuple(operand[block] for operand in operands), out[block], finish):
            with_nan.append(block)

    run_blocks(run, _blocks(outer, length), workers)
    return bool(with_nan)


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
