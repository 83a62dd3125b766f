"""All pairs of rows, of which some are compared by the columns that both have.

Rows are put in the order of how full they are. Those of one level share with the same others,
so that each of a few rectangles of pairs is computed in one way.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .._kernels.load import routine
from .._kernels.records import Block, IntArray
from .pair_blocks import run_pairs, values_within
from .progress import Progress
from .threads import get_workers
from .validation import FloatArray, convert_into

HEIGHT, WIDTH = 256, 1024
"""Rows of one side and of the other in a block of dense rows: at most 2 MB of values."""

FEWEST_ROWS = 32
"""Of a rectangle of dense rows by shared columns; fewer have the same values the other way."""


MOST_BYTES = 1 << 26
"""Of values that are put in order when all are there, if kernels cannot."""

DOUBLE = np.dtype(np.float64)


Compute = Callable[[Block, FloatArray, bool], object]
"""What writes the values of a block of pairs, or of those with i < j at least."""


class Way(NamedTuple):
    """One of the ways of comparing rows, and how large its blocks are."""

    compute: Compute
    height: int = HEIGHT
    width: int = WIDTH
    """Blocks have so many rows of one side and of the other, or half as many of the first where
    threads share few rows, and begin at multiples of these."""
    dtype: np.dtype[Any] = DOUBLE
    """Of the values."""

    def height_for(self, most: int) -> int:
        """Return how many rows a block has where a thread should have so many at most."""
        height = self.height
        while height > max(most, FEWEST_ROWS):
            height //= 2
        return height


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
    """This takes any pair of rows of the least level and above, if by shared columns not as
    fast."""
    orders: tuple[IntArray, IntArray]
    """The rows in the order of their levels."""
    levels: tuple[FloatArray, FloatArray]
    """In that order."""
    least: float
    workers: int | None
    progress: Progress | None

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows there are of each side."""
        return len(self.levels[0]), len(self.levels[1])

    @property
    def in_order(self) -> bool:
        """Whether rows are in the order that they were given in."""
        return all(bool((order[1:] > order[:-1]).all()) for order in self.orders)

    def write(self, result: FloatArray) -> None:
        """Write all pairs to a matrix."""
        if self.in_order:
            self._run(partial(_assign, result), False, result)
        elif _fits(result, DOUBLE):
            self._run(self._placing(result, condensed=False), False)
        elif result.nbytes <= MOST_BYTES:
            values = np.empty_like(result)
            self._run(partial(_assign, values), False, values)
            rows, columns = (order.argsort() for order in self.orders)
            for i, row in enumerate(rows.tolist()):
                values[row].take(columns, out=result[i], mode="clip")
        else:
            self._run(self._scattering(result), False)

    def write_condensed(self, result: FloatArray) -> None:
        """Write those of pairs i < j of one matrix to a vector, as SciPy orders them."""
        fits = _fits(result, DOUBLE)
        target = result if fits else np.empty(result.shape)
        self._run(self._placing(target[None], condensed=True), above=True)
        if not fits:
            convert_into(result, target)

    def within(self, most: float) -> Any:
        """Return those up to a value as a sparse array."""
        ways = self._ways(above=False)

        def values_of(block: Block) -> FloatArray:
            values = np.empty(block.shape, ways[block].dtype)
            ways[block].compute(block, values, False)
            return values

        settings = self.shape, self.workers, self.progress, self.orders
        return values_within(most, list(ways), values_of, *settings)

    def _scattering(self, result: FloatArray) -> Callable[[Block, FloatArray], None]:
        """Return what writes the values of a block to a matrix of any kind."""
        rows, columns = self.orders

        def put(block: Block, values: FloatArray) -> None:
            i, j = block.place
            # All at once takes longer.
            for row, some in zip(rows[i].tolist(), values, strict=True):
                result[row][columns[j]] = some

        return put

    def _placing(
        self, target: FloatArray, *, condensed: bool
    ) -> Callable[[Block, FloatArray], None]:
        """Return what writes the values of a block to where they belong."""
        rows, columns = self.orders
        place = routine("place_values", "float64")

        def put(block: Block, values: FloatArray) -> None:
            (i, j), ahead = block.place, block.j_start - block.i_start
            with np.errstate(all="ignore"):
                # Those that are not wanted may be anything.
                values = values.astype(np.float64, copy=False)
            place(values, rows[i], columns[j], condensed, ahead, len(rows), target)

        return put

    def _run(
        self,
        put: Callable[[Block, FloatArray], None],
        above: bool,
        matrix: FloatArray | None = None,
    ) -> None:
        """Compute all blocks, and put their values; directly into a matrix where that fits."""
        ways = self._ways(above)

        def compute(block: Block) -> None:
            way = ways[block]
            if matrix is not None and _fits(matrix, way.dtype):
                way.compute(block, matrix[block.place], above)
                return
            values = np.empty(block.shape, way.dtype)
            way.compute(block, values, above)
            put(block, values)

        run_pairs(compute, list(ways), self.workers, self.progress, above=above)

    def _ways(self, above: bool) -> dict[Block, Way]:
        """Return blocks of pairs, each with what computes it, one column of them after another."""
        return dict(sorted(self._blocks(above), key=lambda each: each[0].j_start))

    def _blocks(self, above: bool) -> Iterator[tuple[Block, Way]]:
        of_one = -(-self.shape[0] // (4 * get_workers(self.workers)))
        for i, i_stop, of_shared in self._groups():
            for way, j, j_stop in self._ways_of(of_shared):
                for start, stop in _cut(i, i_stop, way.height_for(of_one)):
                    for j_start, end in _cut(max(j, start if above else 0), j_stop, way.width):
                        yield Block(start, stop, j_start, end), way

    def strips(self, most: int) -> Iterator[list[tuple[Block, Way]]]:
        """Yield the blocks of some rows and all others, each with what computes it.

        Some are `most` where these are not very few.
        """
        of_one = min(most, -(-self.shape[0] // (4 * get_workers(self.workers))))
        for i, i_stop, of_shared in self._groups():
            ways = [each for each in self._ways_of(of_shared) if each[1] < each[2]]
            height = min((way.height_for(of_one) for way, *_ in ways), default=1)
            for start, stop in _cut(i, i_stop, height):
                yield [
                    (Block(start, stop, j_start, end), way)
                    for way, j, j_stop in ways
                    for j_start, end in _cut(j, j_stop, way.width)
                ]

    def _ways_of(self, of_shared: int) -> tuple[tuple[Way, int, int], ...]:
        """Return what computes the first of all others, and what computes the rest."""
        return (
            (self.by_shared_columns, 0, of_shared),
            (self.by_all_columns, of_shared, self.shape[1]),
        )

    def _groups(self) -> Iterator[tuple[int, int, int]]:
        """Yield groups of rows, each with how many others of the first they share columns with."""
        first, second = self.levels
        partners = _partners(second, first)
        cuts = np.flatnonzero(np.diff(partners)) + 1
        bounds = [0, *cuts.tolist(), len(partners)]
        below = int(np.searchsorted(second, self.least))
        for start, stop in pairwise(bounds):
            sharing = int(partners[start])
            if stop - start < FEWEST_ROWS and first[start] >= self.least:
                sharing = min(sharing, below)
            yield start, stop, sharing


def _cut(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield parts that begin at multiples of a step."""
    while start < stop:
        end = min((start // step + 1) * step, stop)
        yield start, end
        start = end


def _assign(matrix: FloatArray, block: Block, values: FloatArray) -> None:
    convert_into(matrix[block.place], values)


def _fits(result: FloatArray, dtype: np.dtype[Any]) -> bool:
    """Whether kernels can write values to an array."""
    return result.dtype == dtype and result.dtype.isnative and result.flags.aligned
