"""All pairs of rows: what is known of each row, and the blocks of pairs that threads share."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from . import _arrays
from ._arrays import FloatArray
from ._blocks import Finish
from ._threads import get_workers, run_blocks
from .ufuncs import pair_kernels

BLOCK_ELEMENTS = 1 << 24
"""Pairs times columns of one block: a few milliseconds."""

BLOCK_PAIRS = 1 << 18
"""Pairs of one block: at most 2 MB of results."""

PREPARED_ELEMENTS = 1 << 17


class Rows(NamedTuple):
    """A matrix and what is known of its rows; see `jsdiv_numba._kernels.pairs.Prepared`."""

    given: FloatArray
    padded: FloatArray
    scales: FloatArray
    totals: FloatArray
    rests: FloatArray
    entropies: FloatArray

    @property
    def number(self) -> int:
        return len(self.given)


class Block(NamedTuple):
    """The pairs of rows i_start .. i_stop of one matrix and j_start .. j_stop of the other."""

    i_start: int
    i_stop: int
    j_start: int
    j_stop: int


def as_rows(name: str, values: Any) -> FloatArray:
    """Return an input as a matrix of real numbers."""
    matrix = _arrays.as_real(name, values)
    if matrix.ndim != 2:
        raise ValueError(f"{name} has shape {matrix.shape}; it must be 2-d, one row a distribution")
    return matrix


def prepare(name: str, matrix: FloatArray, dtype: np.dtype[Any], workers: int | None) -> Rows:
    """Normalise a matrix's rows, and note their sums and entropies."""
    kernels = pair_kernels(dtype.name)
    # The kernels read the rows as given again where a pair is close; aligned, and native.
    given = np.require(matrix, dtype, "A")
    number, length = given.shape
    shape = kernels.padded_rows(number), kernels.padded_length(length)
    rows = Rows(
        given,
        np.zeros(shape, dtype),
        scales=np.empty(number, dtype),
        totals=np.empty(number, dtype),
        rests=np.empty(number, dtype),
        entropies=np.empty(number, np.float64),
    )
    spread = _spread(length)
    step = max(1, PREPARED_ELEMENTS // shape[1])

    def run(start: int) -> None:
        kernels.prepare(*rows, start, min(start + step, number), spread)

    run_blocks(run, range(0, number, step), get_workers(workers))
    if np.isnan(rows.totals).any():
        _arrays.check_probabilities(**{name: matrix})
    return rows


def _spread(length: int) -> int:
    """Return the power of two that brings the entries of a normalised row near 1."""
    return max(length, 1).bit_length() - 1


def blocks(a: Rows, b: Rows, above: bool) -> Iterator[Block]:
    """Cut all pairs, or those with i < j, into blocks."""
    columns_of_data = a.padded.shape[1]
    pairs = min(max(BLOCK_ELEMENTS // columns_of_data, 64), BLOCK_PAIRS)
    height = max(8, int((pairs / 64) ** 0.5))
    width = max(4, pairs // height // 4 * 4)
    for i in range(0, a.number, height):
        i_stop = min(i + height, a.number)
        first = (i + 1) // 4 * 4 if above else 0
        for j in range(first, b.number, width):
            yield Block(i, i_stop, j, min(j + width, b.number))


def run_pairs(
    a: Rows,
    b: Rows,
    above: bool,
    finish: Finish | None,
    write: Callable[[Block, FloatArray], None],
    workers: int | None,
) -> None:
    """Compute the divergences of all blocks of pairs and hand each, finished, to `write`."""
    kernels = pair_kernels(a.padded.dtype.name)
    spread = _spread(a.given.shape[1])

    def run(block: Block) -> None:
        values = np.zeros(
            (block.i_stop - block.i_start, block.j_stop - block.j_start), a.padded.dtype
        )
        kernels.pair_block(*a, *b, *block, spread, above, values)
        # A NaN is an answer here, of a row that has a NaN or no mass.
        with np.errstate(all="ignore"):
            if finish is not None:
                finish(values)
        write(block, values)

    run_blocks(run, list(blocks(a, b, above)), get_workers(workers))
