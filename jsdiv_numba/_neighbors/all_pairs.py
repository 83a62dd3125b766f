"""Neighbours among all pairs of sparse rows, in strips of queries of which the wanted are kept."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .._core.progress import Progress, counting
from .._core.sparse_pairs import MOST_ROWS
from .._core.split import Split, Way
from .._core.threads import run_blocks
from .._core.validation import FloatArray
from .._kernels.records import Block, IntArray
from . import search
from .search import Neighbors

SORTED = 1 << 14
"""Of so few rows all values of a query are there before they are sorted, if many are wanted."""

MANY = 4
"""Of so many times as many values as are wanted, the others are sorted out first."""

NONE = np.iinfo(np.intp).max
"""The index of a neighbour that is not there."""

_NONE: tuple[IntArray, IntArray, FloatArray] = (
    np.empty(0, np.intp),
    np.empty(0, np.intp),
    np.empty(0),
)


class AllPairs:
    """What finds neighbours by computing the values of all pairs.

    `split`: what does. `undefined`: the rows at distance NaN of all. `among_itself`: whether
    queries are the same rows as the others, of which none is its own neighbour.
    """

    def __init__(
        self,
        split: Split,
        undefined: IntArray,
        *,
        among_itself: bool,
        workers: int | None,
        progress: Progress | None,
    ) -> None:
        self.split, self.undefined, self.among_itself = split, undefined, among_itself
        self.workers, self.shape, self.in_order = workers, split.shape, split.in_order
        self.queries, self.others = split.orders
        self._report = counting(progress, self.shape[0] * self.shape[1])

    def nearest(self, number: int) -> tuple[FloatArray, IntArray]:
        """Return the values and indices of so many nearest rows, in order."""
        values = np.full((self.shape[0], number), np.inf)
        indices = np.full((self.shape[0], number), NONE, np.intp)

        def sort_strip(blocks: list[tuple[Block, Way]]) -> None:
            strip = blocks[0][0].place[0]
            found = np.empty((strip.stop - strip.start, self.shape[1]))
            for columns, some in self._values(blocks):
                found[:, columns] = some
            own = self.queries[strip] if self.among_itself else None
            search.write_first(found, own, values[strip], indices[strip])

        def search_strip(blocks: list[tuple[Block, Way]]) -> None:
            strip = blocks[0][0].place[0]
            best, places = values[strip], indices[strip]
            for columns, found in self._values(blocks):
                i, j = self._nearer(found, columns, best, places)
                _merge(best, places, i, columns[j], found[i, j])

        few = self.shape[1] <= SORTED
        if few and search.are_many(number, self.shape[1]):
            self._run(sort_strip, search.BLOCK_PAIRS // self.shape[1])
        else:
            self._run(search_strip)
        given = self.queries.argsort()
        values, indices = values[given], indices[given]
        self._fill(values, indices)
        return values, indices

    def _nearer(
        self, found: FloatArray, columns: IntArray, best: FloatArray, places: IntArray
    ) -> tuple[IntArray, IntArray]:
        """Return which values of a block may be among the nearest."""
        farthest, last = best[:, -1:], places[:, -1:]
        if self.in_order:
            # What is as near as the farthest so far comes after it, if that is there.
            nearer = found < farthest
            if np.isinf(found).any():
                nearer |= (found <= farthest) & (last == NONE)
        else:
            nearer = (found < farthest) | ((found == farthest) & (columns < last))
        number = best.shape[1]
        if np.count_nonzero(nearer) > MANY * number * len(best) and number < found.shape[1]:
            limit = np.partition(found, number - 1, axis=1)[:, number - 1 : number]
            nearer &= ~(found > limit)
        i, j = np.nonzero(nearer)
        return i, j

    def within(self, radius: float) -> Neighbors:
        """Return the neighbours up to a value, each query's in order."""
        parts: list[tuple[IntArray, IntArray, FloatArray]] = [_NONE]

        def search_strip(blocks: list[tuple[Block, Way]]) -> None:
            pieces = [_NONE]
            for columns, found in self._values(blocks):
                i, j = np.nonzero(found <= radius)
                pieces.append((i, columns[j], found[i, j]))
            i, j, near = (np.concatenate(each) for each in zip(*pieces, strict=True))
            order = np.lexsort((j, near, i))
            rows = self.queries[i[order] + blocks[0][0].i_start]
            parts.append((rows, j[order], near[order]))

        self._run(search_strip)
        rows, columns, near = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = rows.argsort(kind="stable")
        return neighbors_of(self.shape[0], rows[order], columns[order], near[order])

    def _run(
        self, search_strip: Callable[[list[tuple[Block, Way]]], None], most: int = MOST_ROWS
    ) -> None:
        strips = [blocks for blocks in self.split.strips(most) if blocks]
        run_blocks(search_strip, strips, self.workers)

    def _values(self, blocks: list[tuple[Block, Way]]) -> Iterator[tuple[IntArray, FloatArray]]:
        """Yield which of the other rows are in each block, and its values."""
        for block, way in blocks:
            found = np.empty(block.shape)
            way.compute(block, found, False)
            if self.among_itself:
                own = np.arange(max(block.i_start, block.j_start), min(block.i_stop, block.j_stop))
                found[own - block.i_start, own - block.j_start] = np.nan
            yield self.others[block.place[1]], found
            self._report(found.size)

    def _fill(self, values: FloatArray, indices: IntArray) -> None:
        """Put rows at distance NaN, in their order, where there are not enough others."""
        undefined = self.undefined.tolist()
        for i in np.flatnonzero(indices[:, -1:].ravel() == NONE):
            missing = indices[i] == NONE
            others = range(self.shape[1]) if missing.all() else undefined
            taken = [j for j in others if not (self.among_itself and j == i)][: missing.sum()]
            values[i, missing], indices[i, missing] = np.nan, taken


def neighbors_of(number: int, rows: IntArray, columns: Any, near: FloatArray) -> Neighbors:
    """Return the neighbours of so many rows, given in order."""
    return Neighbors(np.searchsorted(rows, np.arange(number + 1)), columns, near)


def _merge(
    best: FloatArray, places: IntArray, rows: IntArray, columns: IntArray, near: FloatArray
) -> None:
    """Keep the nearest of those of each row so far and of others, in order."""
    number = best.shape[1]
    touched = np.unique(rows)
    all_rows = np.concatenate([touched.repeat(number), rows])
    all_near = np.concatenate([best[touched].ravel(), near])
    all_columns = np.concatenate([places[touched].ravel(), columns])
    order = np.lexsort((all_columns, all_near, all_rows))
    first = np.searchsorted(all_rows[order], touched)
    taken = order[first[:, np.newaxis] + np.arange(number)]
    best[touched], places[touched] = all_near[taken], all_columns[taken]
