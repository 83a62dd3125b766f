"""All pairs of rows, of which some are compared by the columns that both have.

Rows are put in the order of how full they are. Those of one level share with the same others,
so that each of a few rectangles of pairs is computed in one way.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .._kernels.load import routine
from .._kernels.records import Block, IntArray
from .pair_blocks import run_pairs
from .progress import Progress
from .threads import get_workers
from .validation import FloatArray

HEIGHT, WIDTH = 256, 1024
"""Rows of one side and of the other in a block: at most 2 MB of values."""

FEWEST_ROWS = 32
"""Of a rectangle that is computed by shared columns; fewer have the same values the other way."""

Way = Callable[[Block, FloatArray, bool], object]
"""What writes the values of a block of pairs, or of those with i < j alone."""


def share_of_pairs(levels_a: FloatArray, levels_b: FloatArray) -> float:
    """Return the share of pairs that are compared by the columns that both have."""
    if not (len(levels_a) and len(levels_b)):
        return 0.0
    return float(_partners(np.sort(levels_b), levels_a).mean() / len(levels_b))


def _partners(rising: FloatArray, levels: FloatArray) -> IntArray:
    """Return with how many of the first rows, by their levels, others are compared so."""
    partners: IntArray = np.searchsorted(rising, -levels, side="right")
    return partners


class Split(NamedTuple):
    """The values of all pairs of rows of two matrices, or of one with itself."""

    by_shared_columns: Way
    by_all_columns: Way
    """This takes any pair, if by shared columns not as fast."""
    orders: tuple[IntArray, IntArray]
    """The rows in the order of their levels."""
    levels: tuple[FloatArray, FloatArray]
    """In that order."""
    workers: int | None
    progress: Progress | None

    def write(self, result: FloatArray) -> None:
        """Write all pairs to a matrix."""
        self._run(result, result, condensed=False)

    def write_condensed(self, result: FloatArray) -> None:
        """Write those of pairs i < j of one matrix to a vector, as SciPy orders them."""
        self._run(result, result[None], condensed=True)

    def _run(self, result: FloatArray, target: FloatArray, *, condensed: bool) -> None:
        fits = result.dtype == np.float64 and result.flags.aligned
        if not fits:
            target = np.empty(target.shape)
        (rows, columns), ways = self.orders, dict(self._blocks(condensed))
        place = routine("place_values", "float64")

        def compute(block: Block) -> None:
            values, (i, j) = np.empty(block.shape), block.place
            ways[block](block, values, condensed)
            ahead = block.j_start - block.i_start
            place(values, rows[i], columns[j], condensed, ahead, len(rows), target)

        run_pairs(compute, list(ways), self.workers, self.progress, above=condensed)
        if not fits:
            result[...] = target[0] if condensed else target

    def _blocks(self, above: bool) -> Iterator[tuple[Block, Way]]:
        """Yield blocks of pairs, each with what computes it."""
        number, others = map(len, self.levels)
        height = min(HEIGHT, max(FEWEST_ROWS, -(-number // (4 * get_workers(self.workers)))))
        for i, i_stop, partners in self._groups():
            of_shared = partners if i_stop - i >= FEWEST_ROWS else 0
            for start in range(i, i_stop, height):
                stop, first = min(start + height, i_stop), start if above else 0
                for way, j, j_stop in (
                    (self.by_shared_columns, first, of_shared),
                    (self.by_all_columns, max(first, of_shared), others),
                ):
                    for j_start in range(j, j_stop, WIDTH):
                        yield Block(start, stop, j_start, min(j_start + WIDTH, j_stop)), way

    def _groups(self) -> Iterator[tuple[int, int, int]]:
        """Yield groups of rows, each with how many others of the first they share columns with."""
        first, second = self.levels
        partners = _partners(second, first)
        cuts = np.flatnonzero(np.diff(partners)) + 1
        bounds = [0, *cuts.tolist(), len(partners)]
        for start, stop in pairwise(bounds):
            yield start, stop, int(partners[start])
