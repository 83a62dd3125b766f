"""Exact counts of every bin and category, batch by batch, of each of several samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .binning import Binning
from .cells import Cells
from .periods import MOMENTS, period_of, start_of
from .values import Array, Values

MOST_CATEGORIES = 200_000
"""Of a column that has more, the commonest of the sample are counted, and the rest as one."""

TOO_MANY = f"more than {MOST_CATEGORIES:,} categories: the commonest and a rest"
MOST_MOMENTS = 4000
"""Of moments with more different seconds minutes are counted; or hours, days, …"""


class BinTally:
    """Counts of an ordered column.

    Parameters
    ----------
    binning : Binning
        Where values go.
    samples : int
        How many samples are counted apart.
    """

    def __init__(self, binning: Binning, samples: int) -> None:
        self.binning = binning
        self.counts = np.zeros((samples, binning.size), np.int64)
        self.missing = np.zeros(samples, np.int64)

    def add(self, values: Values, sample: Array | int) -> None:
        """Count values; `sample` says of which sample each of them is, or all."""
        found = tabulated(self.binning.codes(values), sample, *self.counts.shape)
        self.counts += found[:, :-1]
        self.missing += found[:, -1]


class CellTally:
    """Counts of numbers by cells.

    Parameters
    ----------
    cells : Cells
        Where values go.
    samples : int
        How many samples are counted apart.
    """

    def __init__(self, cells: Cells, samples: int) -> None:
        self.cells = cells
        self.counts = np.zeros((samples, cells.size), np.int64)
        self.missing = np.zeros(samples, np.int64)

    def add(self, values: Values, sample: Array | int) -> None:
        """Count values; `sample` says of which sample each of them is, or all."""
        found = tabulated(self.cells.codes(values), sample, *self.counts.shape)
        self.counts += found[:, :-1]
        self.missing += found[:, -1]


class CategoryTally:
    """Counts of a column of text, in the order in which categories come.

    Parameters
    ----------
    sampled : sequence of str
        The categories of the sample that are counted even if there are too many of all.
    samples : int
        How many samples are counted apart.
    most : int
        How many categories are too many.
    """

    def __init__(self, sampled: Sequence[str], samples: int, most: int = MOST_CATEGORIES) -> None:
        self.sampled, self.most = sampled, most
        self.index: dict[str, int] = {}
        self.counts = np.zeros((samples, 16), np.int64)
        self.missing = np.zeros(samples, np.int64)
        self.rest = np.zeros(samples, np.int64)
        self.folded = ""
        """Why some categories are counted as one."""

    def add(self, values: Values, sample: Array | int) -> None:
        """Count values; `sample` says of which sample each of them is, or all."""
        codes = np.where(values.data < 0, len(values.categories), values.data)
        found = tabulated(codes, sample, len(self.counts), len(values.categories))
        self.missing += found[:, -1]
        used = np.flatnonzero(found[:, :-1].any(axis=0))
        self.add_counts([values.categories[int(k)] for k in used], found[:, used])

    def add_counts(self, names: Sequence[str], found: Array) -> None:
        """Add how often categories come, shape (samples, names)."""
        if self.folded:
            self._add_known(names, found)
            return
        places = [self.index.setdefault(name, len(self.index)) for name in names]
        self._make_room()
        # Names may come twice: of numbers and of text, say.
        _add_at(self.counts, np.array(places, np.intp), found)
        if len(self.index) > self.most:
            self.fold(self.sampled, TOO_MANY)

    def _add_known(self, names: Sequence[str], found: Array) -> None:
        places = np.array([self.index.get(name, -1) for name in names], np.intp)
        known = places >= 0
        _add_at(self.counts, places[known], found[:, known])
        self.rest += found[:, ~known].sum(axis=1)

    def _make_room(self) -> None:
        lacks = len(self.index) - self.counts.shape[1]
        if lacks > 0:
            more = max(lacks, self.counts.shape[1])
            self.counts = np.pad(self.counts, ((0, 0), (0, more)))

    def fold(self, kept: Sequence[str], why: str) -> None:
        """Keep some categories, and count all others as one from now on."""
        self.folded = why
        old, counts = self.index, self.counts
        self.index = {name: k for k, name in enumerate(kept)}
        self.counts = np.zeros((len(counts), max(len(kept), 1)), np.int64)
        for name, place in old.items():
            if name in self.index:
                self.counts[:, self.index[name]] = counts[:, place]
            else:
                self.rest += counts[:, place]

    @property
    def categories(self) -> list[str]:
        """The names of the categories."""
        return list(self.index)


class PeriodTally:
    """Counts of moments by the finest period of which there are not too many.

    Parameters
    ----------
    samples : int
        How many samples are counted apart.
    """

    def __init__(self, samples: int) -> None:
        self.period = MOMENTS[0]
        self.numbers: dict[int, Array] = {}
        self.missing = np.zeros(samples, np.int64)

    def add(self, values: Values, sample: Array | int) -> None:
        """Count values; `sample` says of which sample each of them is, or all."""
        gone = values.missing
        samples = len(self.missing)
        moments = values.data[~gone]
        distinct = self._distinct(moments)
        codes = np.full(values.size, len(distinct), np.intp)
        codes[~gone] = np.searchsorted(distinct, period_of(moments, self.period))
        found = tabulated(codes, sample, samples, len(distinct))
        self.missing += found[:, -1]
        self.add_counts(distinct, found[:, :-1])

    def _distinct(self, moments: Array) -> Array:
        """Return the periods of some moments, made coarser until there are not too many."""
        while True:
            distinct = np.unique(period_of(moments, self.period))
            if len(distinct) <= MOST_MOMENTS or self.period == MOMENTS[-1]:
                return distinct
            self.coarsen()

    def add_counts(self, numbers: Array, found: Array) -> None:
        """Add how often periods come, shape (samples, numbers)."""
        for number, counts in zip(numbers.tolist(), found.T, strict=True):
            self.numbers[number] = self.numbers.get(number, 0) + counts
        while len(self.numbers) > MOST_MOMENTS and self.period != MOMENTS[-1]:
            self.coarsen()

    def coarsen(self) -> None:
        """Count by the next longer period."""
        starts, counts = self.starts, self.counts
        self.period = MOMENTS[MOMENTS.index(self.period) + 1]
        self.numbers = {}
        self.add_counts(period_of(starts, self.period), counts)

    @property
    def starts(self) -> Array:
        """When each period begins, in microseconds, in order."""
        return start_of(np.array(sorted(self.numbers), np.int64), self.period)

    @property
    def counts(self) -> Array:
        """How often each comes, shape (samples, periods)."""
        empty = np.zeros((len(self.missing), 0), np.int64)
        found = [self.numbers[number][:, np.newaxis] for number in sorted(self.numbers)]
        return np.concatenate([empty, *found], axis=1)


Tally = BinTally | CategoryTally
"""What samples are compared by."""

Summary = Tally | CellTally | PeriodTally
"""What is kept of a column, of which a `Tally` can be made."""


def _add_at(counts: Array, places: Array, found: Array) -> None:
    """Add columns where they belong; a place may come twice."""
    np.add.at(counts.T, places, found.T)


def tabulated(codes: Array, sample: Array | int, samples: int, size: int) -> Any:
    """Return how often each code, below `size` or that, comes in each sample."""
    if isinstance(sample, int):
        table = np.zeros((samples, size + 1), np.int64)
        table[sample] = np.bincount(codes, minlength=size + 1)
        return table
    flat = np.bincount(sample * (size + 1) + codes, minlength=samples * (size + 1))
    return flat.reshape(samples, size + 1)
