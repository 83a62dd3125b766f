"""Blocks of pairs of rows: of which they are, and which of their values are wanted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._kernels.records import Block, IntArray
from .progress import Progress, counting
from .threads import run_blocks
from .validation import FloatArray


def check_matrix(name: str, shape: tuple[int, ...]) -> None:
    """Raise if an input of this shape has no rows."""
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}; it must be 2-d, one row a distribution")


def run_pairs(
    compute: Callable[[Block], object],
    blocks: Sequence[Block],
    workers: int | None,
    progress: Progress | None,
    above: bool = False,
) -> None:
    """Compute every block, spread over threads, and tell how many pairs are done if wanted.

    `above` says whether only those with i < j are among them.
    """
    if progress is None:
        run_blocks(compute, blocks, workers)
        return
    numbers = {block: _pairs_of(block, above) for block in blocks}
    report = counting(progress, sum(numbers.values()))

    def compute_and_tell(block: Block) -> None:
        compute(block)
        report(numbers[block])

    run_blocks(compute_and_tell, blocks, workers)


def _pairs_of(block: Block, above: bool) -> int:
    """Return how many pairs a block has, of all or of those with i < j."""
    if not above:
        return block.shape[0] * block.shape[1]
    i = np.arange(block.i_start, block.i_stop)
    firsts = np.maximum(block.j_start, i + 1)
    return int(np.maximum(block.j_stop - firsts, 0).sum())


def values_within(
    most: float,
    blocks: Sequence[Block],
    values_of: Callable[[Block], FloatArray],
    shape: tuple[int, int],
    workers: int | None,
    progress: Progress | None,
    orders: tuple[IntArray, IntArray] | None = None,
) -> Any:
    """Return the values up to one as a sparse array, those of 0 among its entries.

    With `orders`, blocks are of rows in these orders.
    """
    from scipy import sparse

    found = {}

    def select(block: Block) -> None:
        values = values_of(block)
        i, j = np.nonzero(values <= most)
        found[block] = i + block.i_start, j + block.j_start, values[i, j]

    run_pairs(select, blocks, workers, progress)
    none = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    i, j, values = (np.concatenate(each) for each in zip(none, *found.values(), strict=True))
    if orders is not None:
        i, j = orders[0][i], orders[1][j]
    order = np.lexsort((j, i))
    starts = np.searchsorted(i[order], np.arange(shape[0] + 1))
    return sparse.csr_array((values[order], j[order], starts), shape=shape)
