"""Neighbours among sparse rows: all pairs in blocks, of which the wanted ones are kept."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._core.pair_metric import Metric
from .._core.progress import Progress, counting
from .._core.sparse import FEWEST_ROWS, WIDTH, Compressed, prepared, write_block
from .._core.threads import get_workers, run_blocks
from .._core.validation import FloatArray
from .._kernels.records import Block, CompressedRows, Side
from .search import Neighbors

IntArray = np.ndarray[Any, np.dtype[np.intp]]

QUERIES = 1024
"""Queries that one thread takes at a time, at most."""


class SparsePopulation:
    """Sparse rows among which neighbours are searched."""

    def __init__(self, name: str, matrix: Compressed, metric: Metric) -> None:
        self.name, self.matrix, self.metric = name, matrix, metric
        self._kept: CompressedRows | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def measured_by(self, metric: Metric) -> "SparsePopulation":
        """Return the same rows for a metric, with what is known of them where that serves it."""
        other = SparsePopulation(self.name, self.matrix, metric)
        other._kept = self._kept if metric.sides == self.metric.sides else None
        return other

    def keep(self, workers: int | None) -> None:
        """Prepare all rows now, and keep what is known of them; a pickled copy does so again."""
        self._kept = self.rows(self.metric.sides[1], workers)

    def rows(self, side: Side, workers: int | None) -> CompressedRows:
        """Return all rows, prepared to be one side of a pair."""
        if self._kept is not None and side == self.metric.sides[1]:
            return self._kept
        return prepared(self.matrix, side, workers)


class SparseSearch:
    """One call, as `search.Search`: the queries, and what is wanted of their neighbours."""

    def __init__(
        self,
        population: SparsePopulation,
        queries: Compressed | None,
        *,
        workers: int | None,
        progress: Progress | None,
    ) -> None:
        self.metric, self.workers = population.metric, workers
        get_workers(workers)
        self.among_itself = queries is None
        first, second = self.metric.sides
        self.others = population.rows(second, workers)
        if queries is not None:
            self.queries = prepared(queries, first, workers)
        else:
            alike = first == second
            self.queries = self.others if alike else population.rows(first, workers)
        self.shape = len(self.queries.known), len(self.others.known)
        self._report = counting(progress, self.shape[0] * self.shape[1])

    def nearest(self, number: int) -> tuple[FloatArray, IntArray]:
        """Return the values and indices of so many nearest rows, in order."""
        values = np.full((self.shape[0], number), np.inf)
        indices = np.full((self.shape[0], number), NONE, np.intp)

        def search(start: int, stop: int) -> None:
            best, places = values[start:stop], indices[start:stop]
            for first, found in self._blocks(start, stop):
                # What is as near as the farthest so far comes after it, if that is there.
                nearer = found < best[:, -1:]
                if np.isinf(found).any():
                    nearer |= (found <= best[:, -1:]) & (places[:, -1:] == NONE)
                i, j = np.nonzero(nearer)
                _merge(best, places, i, j + first, found[i, j])

        self._run(search)
        self._fill(values, indices)
        return values, indices

    def within(self, radius: float) -> Neighbors:
        """Return the neighbours up to a value, each query's in order."""
        parts: dict[int, tuple[IntArray, IntArray, FloatArray]] = {}

        def search(start: int, stop: int) -> None:
            pieces = [_NONE]
            for first, found in self._blocks(start, stop):
                i, j = np.nonzero(found <= radius)
                pieces.append((i, j + first, found[i, j]))
            i, j, near = (np.concatenate(each) for each in zip(*pieces, strict=True))
            order = np.lexsort((j, near, i))
            parts[start] = i[order] + start, j[order], near[order]

        self._run(search)
        ordered = [_NONE, *(parts[start] for start in sorted(parts))]
        rows, columns, near = (np.concatenate(each) for each in zip(*ordered, strict=True))
        starts = np.searchsorted(rows, np.arange(self.shape[0] + 1))
        return Neighbors(starts, columns, near)

    def _run(self, search: Any) -> None:
        number = self.shape[0]
        of_one = -(-number // (4 * get_workers(self.workers)))
        step = max(FEWEST_ROWS, min(QUERIES, of_one))
        blocks = [(start, min(start + step, number)) for start in range(0, number, step)]
        run_blocks(lambda block: search(*block), blocks, self.workers)

    def _blocks(self, start: int, stop: int) -> Iterator[tuple[int, FloatArray]]:
        """Yield the values of some queries and some rows at a time, and the first of these rows."""
        for first in range(0, self.shape[1], WIDTH):
            block = Block(start, stop, first, min(first + WIDTH, self.shape[1]))
            found = np.empty(block.shape)
            write_block(self.queries, self.others, block, self.metric, found)
            if self.among_itself:
                own = np.arange(max(start, first), min(stop, block.j_stop))
                found[own - start, own - first] = np.nan
            yield first, found
            self._report(found.size)

    def _fill(self, values: FloatArray, indices: IntArray) -> None:
        """Put rows at distance NaN, in their order, where there are not enough others."""
        undefined = np.flatnonzero(~(self.others.known[:, 1] > 0)).tolist()
        for i in np.flatnonzero(indices[:, -1:].ravel() == NONE):
            missing = indices[i] == NONE
            others = range(self.shape[1]) if missing.all() else undefined
            taken = [j for j in others if not (self.among_itself and j == i)][: missing.sum()]
            values[i, missing], indices[i, missing] = np.nan, taken


NONE = np.iinfo(np.intp).max
"""The index of a neighbour that is not there."""

_NONE = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)


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
