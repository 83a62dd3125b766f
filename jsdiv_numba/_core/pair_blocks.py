"""Blocks of pairs of rows: of which they are, and which of their values are wanted."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._kernels.records import Block
from .threads import run_blocks
from .validation import FloatArray


def check_matrix(name: str, shape: tuple[int, ...]) -> None:
    """Raise if an input of this shape has no rows."""
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}; it must be 2-d, one row a distribution")


def values_within(
    most: float,
    blocks: Sequence[Block],
    values_of: Callable[[Block], FloatArray],
    shape: tuple[int, int],
    workers: int | None,
) -> Any:
    """Return the values up to one as a sparse array, those of 0 among its entries."""
    from scipy import sparse

    found = {}

    def select(block: Block) -> None:
        values = values_of(block)
        i, j = np.nonzero(values <= most)
        found[block] = i + block.i_start, j + block.j_start, values[i, j]

    run_blocks(select, blocks, workers)
    none = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    i, j, values = (np.concatenate(each) for each in zip(none, *found.values(), strict=True))
    order = np.lexsort((j, i))
    starts = np.searchsorted(i[order], np.arange(shape[0] + 1))
    return sparse.csr_array((values[order], j[order], starts), shape=shape)
