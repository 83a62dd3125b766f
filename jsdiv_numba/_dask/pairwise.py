"""Graphs of all pairs of rows, and what their tasks compute."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import dask
import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArraySliceDep

from .. import distance
from .._core import validation
from .._core.pair_metric import metric_of
from .._core.sparse import is_sparse
from .._core.threads import check_workers
from .._core.validation import FloatArray
from . import chunks
from .blocks import Where, check_rows


class Pairs(NamedTuple):
    """What the tasks of `cdist` and `pdist` are given."""

    metric: str
    base: float | None
    weight: float
    dtype: np.dtype[Any]
    workers: int

    @classmethod
    def check(
        cls,
        metric: str,
        base: float | None,
        weight: float,
        dtype: npt.DTypeLike | None,
        workers: int | None,
        *arrays: da.Array,
    ) -> "Pairs":
        """Return the options, or raise what the NumPy functions raise."""
        workers = 1 if workers is None else check_workers(workers)
        wanted = metric_of(metric, base, weight)
        metas = map(chunks.numbers, arrays)
        return cls(metric, base, wanted.weight, validation.pairs_dtype(dtype, *metas), workers)

    def rows_of_block(self, matrix: da.Array, beside: da.Array) -> int:
        """Return how many rows may be in a block: its bytes, and the result's, are limited."""
        limit = chunks.chunk_bytes()
        pairs = limit // self.dtype.itemsize
        others = max(beside.chunks[0], default=1)
        side = math.isqrt(pairs)
        across = side if np.isnan(others) else max(1, min(side, others))
        return max(1, min(pairs // across, _rows_within(limit, matrix)))

    def bands(self, matrix: da.Array) -> list[tuple[int, int]]:
        """Return the first row of each chunk of a condensed result, and the first after it."""
        limit, number = chunks.chunk_bytes(), len(matrix)
        pairs, rows = limit // self.dtype.itemsize, _rows_within(limit, matrix)
        bands, start = [], 0
        while start < number - 1:
            # The fewest rows that have all pairs but those that the band has room for.
            left = max(_pairs_from(number, start) - pairs, 0)
            after = (1 + math.isqrt(8 * left - 7)) // 2 + 1 if left else 0
            stop = min(max(number - after, start + 1), start + rows)
            # The last row has no pairs: it belongs to the last band.
            stop = number if stop >= number - 1 else stop
            bands.append((start, stop))
            start = stop
        return bands

    def call(self, function: Callable[..., Any], *matrices: FloatArray) -> FloatArray:
        """Call `cdist` or `pdist`."""
        options = self._asdict()
        result: FloatArray = function(*matrices, **options)
        return result


def _rows_within(limit: int, matrix: da.Array) -> int:
    if is_sparse(matrix._meta):
        # How many entries rows have is not known, and their chunks were chosen by that.
        return max(matrix.chunks[0], default=1) if len(matrix) else 1
    columns = max(matrix.chunks[1], default=1)
    row_bytes: int = matrix.dtype.itemsize * (1 if np.isnan(columns) else max(1, columns))
    return max(1, limit // row_bytes)


def cdist(XA: da.Array, XB: da.Array, options: Pairs) -> da.Array:
    """Return the pairs of two matrices: a task for each pair of their blocks of rows."""
    XA, XB = chunks.whole("XA", XA, (1,)), chunks.whole("XB", XB, (1,))
    XB = chunks.in_rows(XB, options.rows_of_block(XB, beside=XA))
    XA = chunks.in_rows(XA, options.rows_of_block(XA, beside=XB))
    return da.blockwise(
        _cdist_block,
        "ij",
        XA,
        "ik",
        XB,
        "jk",
        ArraySliceDep((XA.chunks[0], XB.chunks[0])),
        "ij",
        options,
        None,
        align_arrays=False,
        dtype=options.dtype,
        meta=np.empty((0, 0), options.dtype),
        token="cdist",
    )


def pdist(X: da.Array, options: Pairs) -> da.Array:
    """Return the pairs within a matrix: a chunk for each band of rows."""
    X = chunks.whole("X", X, (1,))
    others = chunks.in_rows(X, _rows_within(chunks.chunk_bytes(), X))
    bands = options.bands(X)
    if not bands:
        return da.zeros(0, dtype=options.dtype)
    banded = X.rechunk({0: tuple(stop - start for start, stop in bands)}, method="tasks")
    name = f"pdist-{dask.base.tokenize(X.name, options, bands)}"
    tasks = dict(_pdist_tasks(name, banded, others, bands, options))
    graph = HighLevelGraph.from_collections(name, tasks, dependencies=[banded, others])
    number = len(X)
    sizes = tuple(_pairs_from(number, start) - _pairs_from(number, stop) for start, stop in bands)
    return da.Array(graph, name, (sizes,), meta=np.empty(0, options.dtype))


def _cdist_block(
    XA: list[FloatArray], XB: list[FloatArray], where: Where, options: Pairs
) -> FloatArray:
    """Return one block of `cdist`; the lists hold one block each, of whole rows."""
    (a,), (b,) = XA, XB
    try:
        return options.call(distance.cdist, a, b)
    except ValueError:
        check_rows("XA", where[0].start, a)
        check_rows("XB", where[1].start, b)
        raise


def _pairs_from(number: int, row: int) -> int:
    """Return how many pairs i < j there are of `number` rows, from i = `row` on."""
    return (number - row) * (number - row - 1) // 2


def _pdist_tasks(
    name: str,
    banded: da.Array,
    others: da.Array,
    bands: list[tuple[int, int]],
    options: Pairs,
) -> Iterator[tuple[tuple[str | int, ...], tuple[Any, ...]]]:
    """Yield the tasks of `pdist` by their keys: triangles, rectangles, and what joins them."""
    starts = np.cumsum([0, *others.chunks[0]]).tolist()
    for i, (start, stop) in enumerate(bands):
        rows = (banded.name, i, 0)
        parts: list[tuple[str | int, ...]] = [(f"{name}-triangle", i)]
        yield parts[0], (_triangle, rows, start, options)
        for j in range(others.numblocks[0]):
            if starts[j + 1] > stop:
                part = f"{name}-rectangle", i, j
                chunk = others.name, j, 0
                yield part, (_rectangle, rows, chunk, start, starts[j], stop, options)
                parts.append(part)
        yield (name, i), (_condensed, parts)


def _triangle(X: FloatArray, first: int, options: Pairs) -> FloatArray:
    """Return the pairs within a band."""
    try:
        return options.call(distance.pdist, X)
    except ValueError:
        check_rows("X", first, X)
        raise


def _rectangle(
    X: FloatArray, others: FloatArray, first: int, first_other: int, stop: int, options: Pairs
) -> FloatArray:
    """Return the pairs of a band with those of a chunk's rows that come after it."""
    try:
        return options.call(distance.cdist, X, others[max(0, stop - first_other) :])
    except ValueError:
        check_rows("X", first, X)
        check_rows("X", first_other, others)
        raise


def _condensed(parts: list[FloatArray]) -> FloatArray:
    """Return a band's pairs row by row: those within it, then those with each chunk."""
    triangle, *rectangles = parts
    if not rectangles:
        return triangle
    height, width = len(rectangles[0]), sum(part.shape[1] for part in rectangles)
    result = np.empty(len(triangle) + height * width, triangle.dtype)
    start = within = 0
    for i in range(height):
        own = height - 1 - i
        result[start : start + own] = triangle[within : within + own]
        start, within = start + own, within + own
        for rectangle in rectangles:
            result[start : start + rectangle.shape[1]] = rectangle[i]
            start += rectangle.shape[1]
    return result
