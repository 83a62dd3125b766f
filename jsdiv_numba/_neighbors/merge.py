"""Neighbours found in parts: of some rows among some others, then of all parts together.

What is found in a part are records of an index and a value, so that they move and are sorted
together.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core import pairwise
from .._core.pair_metric import metric_of
from .._core.sparse import any_sparse, as_compressed
from .._core.validation import EQUAL, FloatArray
from . import search, validation
from .sparse import SparseSearch

Records = np.ndarray[Any, np.dtype[np.void]]

NEIGHBOR = "neighbor"
"""The field of the indices; that of the values is called like the metric."""

_NONE = np.iinfo(np.int64).max


class Part(NamedTuple):
    """Some rows whose neighbours are wanted, and some among which to look."""

    X: Any
    Y: Any  # the rows, dense or sparse
    x_start: int
    y_start: int  # the index of the first of each among all

    @property
    def own(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The index of each row of `X` among the rows of all `Y`, if both are the same."""
        return np.arange(self.x_start, self.x_start + self.X.shape[0])

    @property
    def overlap(self) -> bool:
        """Whether rows of `X` and `Y` have the same index."""
        x_stop, y_stop = self.x_start + self.X.shape[0], self.y_start + self.Y.shape[0]
        return bool(self.x_start < y_stop and self.y_start < x_stop)


class Parted(NamedTuple):
    """What is asked of every part."""

    metric: str
    base: float | None
    workers: int  # as for `kneighbors`
    among_itself: bool  # whether rows of the same index are the same, and no neighbours
    weight: float = EQUAL

    @property
    def dtype(self) -> np.dtype[np.void]:
        """What a record is."""
        return np.dtype([(NEIGHBOR, np.int64), (self.metric, np.float64)])

    def nearest(self, part: Part, number: int, limits: FloatArray | None = None) -> Records:
        """Return the k nearest rows of each row of a part, or all if they are fewer.

        A row that is its own neighbour is replaced by none, which is farther than any. With
        `limits`, a value or NaN for each row, farther ones may be missing, and are replaced too.
        """
        to_remove = self.among_itself and part.overlap
        wanted = min(number + to_remove, part.Y.shape[0])
        if not wanted:
            return np.empty((part.X.shape[0], 0), self.dtype)
        if limits is not None:
            limits = np.where(np.isnan(limits), np.inf, limits)
        found_by = self._search(part)
        if isinstance(found_by, SparseSearch):
            values, indices = found_by.nearest(wanted)
        else:
            values, indices = found_by.nearest(wanted, limits)
        found = np.empty(values.shape, self.dtype)
        found[NEIGHBOR], found[self.metric] = indices + part.y_start, values
        found[indices < 0] = _NONE, np.nan
        if to_remove:
            found[found[NEIGHBOR] == part.own[:, np.newaxis]] = _NONE, np.nan
        return found

    def within(self, part: Part, radius: float) -> tuple[np.ndarray[Any, Any], Records]:
        """Return all rows within a radius: for each the row of all `X`, and what it is near to."""
        starts, indices, values = self._search(part).within(radius)
        rows = part.own.repeat(np.diff(starts))
        found = np.empty(len(rows), self.dtype)
        found[NEIGHBOR], found[self.metric] = indices + part.y_start, values
        if self.among_itself:
            others = found[NEIGHBOR] != rows
            rows, found = rows[others], found[others]
        return rows, found

    def _search(self, part: Part) -> search.Search | SparseSearch:
        metric = metric_of(self.metric, self.base, self.weight)
        settings: dict[str, Any] = {"workers": self.workers, "progress": None}
        if any_sparse(part.X, part.Y):
            queries, others = as_compressed("X", part.X), as_compressed("Y", part.Y)
            pairwise.check_columns(queries.shape, others.shape, ("X", "Y"))
            among = validation.sparse_population_of("Y", others, metric)
            return SparseSearch(among, queries, **settings)
        X, Y = pairwise.as_rows("X", part.X), pairwise.as_rows("Y", part.Y)
        pairwise.check_columns(X.shape, Y.shape, ("X", "Y"))
        return search.Search(validation.population_of("Y", Y, metric), ("X", X), **settings)


def nearest_of_all(parts: Sequence[Records], number: int) -> Records:
    """Return the k nearest of what parts have found: by value, then by index, NaN last."""
    joined = np.concatenate(parts, axis=1)
    index, value = joined.dtype.names or ()
    order = np.lexsort((joined[index], joined[value]))[:, :number]
    nearest: Records = np.take_along_axis(joined, order, 1)
    return nearest


def within_of_all(
    parts: Sequence[tuple[np.ndarray[Any, Any], Records]],
) -> tuple[np.ndarray[Any, Any], Records]:
    """Return what parts have found, by row, then by value, then by index."""
    rows, found = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    index, value = found.dtype.names or ()
    order = np.lexsort((found[index], found[value], rows))
    return rows[order], found[order]
