"""One tile of a search for neighbours, from its rows to what is near them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba._neighbors.merge import NEIGHBOR, Part, Parted, nearest_of_all, within_of_all
from jsdiv_numba.batch.io.rows import Fault
from jsdiv_numba.batch.jobs.tasks import BlocksTask, Kept, Values
from jsdiv_numba.batch.run.task import Result

NOBODY = -1
"""The index of a neighbour that there is not."""


@dataclass(frozen=True)
class SearchTask(BlocksTask):
    """What the searches share: a band of rows, and all rows of the second file in parts."""

    @property
    def _parted(self) -> Parted:
        quantity = self.quantity
        return Parted(quantity.metric, quantity.base, 1, self.symmetric, quantity.weight)

    def _parts(self, a: Values, found: list[Fault]) -> Iterator[Part]:
        """Yield the parts, and collect the rows that are no distributions."""
        for j, b, wrong in self._blocks(0):
            found += wrong
            yield Part(a, b, self.tile.i_start, j)


@dataclass(frozen=True)
class NearestTask(SearchTask):
    """The nearest rows of each row of a band."""

    number: int = 1  # how many

    def _kept(self, a: Values) -> Kept:
        wrong: list[Fault] = []
        found, limits = np.empty((a.shape[0], 0), self._parted.dtype), None
        for part in self._parts(a, wrong):
            new = self._parted.nearest(part, self.number, limits)
            found = nearest_of_all([found, new], self.number)
            if found.shape[1] == self.number:
                # What is farther than so many of the parts before is no neighbour.
                limits = found[self.quantity.metric][:, -1]
        # A row that is no distribution has no neighbours, and is none.
        found[NEIGHBOR][np.isnan(found[self.quantity.metric])] = NOBODY
        return found, None, wrong


@dataclass(frozen=True)
class WithinTask(SearchTask):
    """All rows within a distance of each row of a band."""

    max_distance: float = 0.0  # the largest distance
    most_pairs: int | None = None  # how many pairs are kept at most

    def _kept(self, a: Values) -> Kept:
        wrong: list[Fault] = []
        found: list[tuple[NDArray[np.int64], NDArray[Any]]] = []
        for part in self._parts(a, wrong):
            found.append(self._parted.within(part, self.max_distance))
            pairs = sum(len(rows) for rows, _ in found)
            self._require_room(pairs, self.most_pairs, self.max_distance)
        rows, records = within_of_all(found)
        pairs_of = np.stack([rows, records[NEIGHBOR]], axis=1)
        return np.ascontiguousarray(records[self.quantity.metric]), pairs_of, wrong


def edges_of(
    result: Result, metric: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return rows, neighbours and values, one after another."""
    if result.pairs is not None:
        rows, neighbours = result.pairs.T
        return rows, neighbours, result.values
    found = result.values
    rows = np.arange(result.tile.i_start, result.tile.i_stop).repeat(found.shape[1])
    return rows, found[NEIGHBOR].ravel(), found[metric].ravel()
