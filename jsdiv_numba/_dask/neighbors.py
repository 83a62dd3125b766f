"""Graphs of searches for neighbours: blocks of rows among blocks of rows, and what merges them."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
from dask.highlevelgraph import HighLevelGraph

from .._core.pair_metric import metric_of
from .._core.sparse import is_sparse
from .._core.threads import check_workers
from .._core.validation import FloatArray
from .._neighbors import merge as merging
from .._neighbors import validation
from .._neighbors.merge import Part, Parted
from . import chunks
from .blocks import check_rows

Key = tuple[str | int, ...]
Task = tuple[Any, ...]

_MOST_ROWS = 8192
"""Rows whose neighbours one task finds; some thousand are worth the others' preparation."""

_PREPARED_BYTES, _RECORD_BYTES = 36, 120
"""What the search takes for an element of the others, and what a neighbour takes to be merged."""

_TOGETHER = 8
"""How many parts' neighbours one task merges."""


class Sets(NamedTuple):
    """The rows whose neighbours are wanted, those among which to look, and what is asked."""

    X: da.Array
    Y: da.Array
    names: tuple[str, str]
    parted: Parted

    @classmethod
    def check(
        cls,
        X: Any,
        Y: Any,
        metric: str,
        base: float | None,
        weight: float,
        workers: int | None,
    ) -> "Sets":
        """Return them in chunks of whole rows, or raise what the NumPy functions raise."""
        workers = 1 if workers is None else check_workers(workers)
        parted = Parted(metric, base, workers, Y is None, weight)
        X = chunks.as_rows("X", X)
        names = ("X", "X") if Y is None else ("X", "Y")
        Y = X if Y is None else chunks.as_rows("Y", Y)
        chunks.check_columns(X, Y, names)
        validation.check_columns(names[1], Y.shape)
        metric_of(metric, base, weight)
        chunks.check_known(names[1], Y, 0)
        X, Y = chunks.whole("X", X, (1,)), chunks.whole(names[1], Y, (1,))
        return cls(X, Y, names, parted)

    def nearest(self, n_neighbors: Any) -> da.Array:
        """Return the k nearest rows of each row, as records."""
        number = validation.wanted_number(n_neighbors, len(self.Y), self.parted.among_itself)
        find = partial(self.parted.nearest, number=number)
        merge = partial(merging.nearest_of_all, number=number)
        cut = self._cut(_RECORD_BYTES * (number + 1))
        graph = Graph(cut, f"kneighbors-{dask.base.tokenize(*cut, number)}", find, merge)
        dtype = self.parted.dtype
        return graph.array((number,), np.empty((0, 0), dtype))

    def within(self, radius: Any) -> da.Array:
        """Return all rows within a radius of each row, an array of records in each entry."""
        radius = validation.wanted_radius(radius)
        find = partial(self.parted.within, radius=radius)
        cut = self._cut(1)
        name = f"radius-neighbors-{dask.base.tokenize(*cut, radius)}"
        return Graph(cut, name, find, merging.within_of_all).array((), np.empty(0, object))

    def _cut(self, row_bytes: int) -> "Sets":
        """Return rows in chunks that fit into a task's memory."""
        if is_sparse(self.Y._meta) or is_sparse(self.X._meta):
            return self._replace(X=chunks.in_rows(self.X, _MOST_ROWS))
        limit, columns = chunks.chunk_bytes(), self.Y.shape[1]
        width = 1 if math.isnan(columns) else columns
        others = max(1, limit // (_PREPARED_BYTES * width))
        rows = max(1, min(_MOST_ROWS, others, limit // row_bytes))
        return self._replace(X=chunks.in_rows(self.X, rows), Y=chunks.in_rows(self.Y, others))


class Graph(NamedTuple):
    """Tasks that find what parts have, and tasks that merge it, some at a time."""

    sets: Sets
    name: str
    find: Callable[[Part], Any]
    merge: Callable[[list[Any]], Any]

    def array(self, columns: tuple[int, ...], meta: FloatArray) -> da.Array:
        """Return the result: records in so many columns, or an array of them for each row."""
        X, Y = self.sets.X, self.sets.Y
        tasks = dict(self._tasks(split=not columns))
        graph = HighLevelGraph.from_collections(self.name, tasks, dependencies=[X, Y])
        sizes = (X.chunks[0], *((number,) for number in columns))
        return da.Array(graph, self.name, sizes, meta=meta)

    def _tasks(self, split: bool) -> Iterator[tuple[Key, Task]]:
        X, Y, names, _ = self.sets
        starts = [np.cumsum([0, *array.chunks[0]]).tolist() for array in (X, Y)]
        for i in range(X.numblocks[0]):
            rows, row = (X.name, i, 0), starts[0][i]
            parts: list[Key] = []
            for j in range(Y.numblocks[0]):
                parts.append((f"{self.name}-part", i, j))
                others = Y.name, j, 0
                yield parts[-1], (_found, rows, others, row, starts[1][j], names, self.find)
            level = 0
            while len(parts) > _TOGETHER:
                merged: list[Key] = []
                for first in range(0, len(parts), _TOGETHER):
                    merged.append((f"{self.name}-merge-{level}", i, len(merged)))
                    yield merged[-1], (self.merge, parts[first : first + _TOGETHER])
                parts, level = merged, level + 1
            if split:
                yield (self.name, i), (_of_each_row, parts, rows, row, self.merge)
            else:
                yield (self.name, i, 0), (self.merge, parts)


def _found(
    X: FloatArray,
    Y: FloatArray,
    x_start: float,
    y_start: int,
    names: tuple[str, str],
    find: Callable[[Part], Any],
) -> Any:
    """Return what a part has."""
    try:
        return find(Part(X, Y, _known(x_start), y_start))
    except ValueError:
        check_rows(names[0], x_start, X)
        check_rows(names[1], y_start, Y)
        raise


def _known(start: float) -> int:
    """Return where rows start, or 0 if that is unknown: then none is among its own others."""
    return 0 if math.isnan(start) else int(start)


def _of_each_row(
    parts: list[Any], X: FloatArray, start: float, merge: Callable[[list[Any]], Any]
) -> FloatArray:
    """Return an array of records for each row."""
    rows, found = merge(parts)
    places = np.searchsorted(rows, np.arange(1, X.shape[0]) + _known(start))
    result = np.empty(X.shape[0], object)
    for i, records in enumerate(np.split(found, places)[: X.shape[0]]):
        result[i] = records
    return result


def field(records: da.Array, name: str) -> da.Array:
    """Return a field of records, or of the records of each row."""
    if records.dtype != object:
        return records[name]
    return da.map_blocks(_field_of_each, records, name, dtype=object, meta=records._meta)


def _field_of_each(records: FloatArray, name: str) -> FloatArray:
    result = np.empty(len(records), object)
    for i, of_row in enumerate(records):
        result[i] = of_row[name]
    return result
