"""Exact counts of every bin and category, batch by batch, of each of several samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .binning import Binning
from .values import Array, Values

MOST_CATEGORIES = 200_000
"""Of a column that has more, the commonest of the sample are counted, and the rest as one."""


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
        self.overflowed = False

    def add(self, values: Values, sample: Array | int) -> None:
        """Count values; `sample` says of which sample each of them is, or all."""
        codes = np.where(values.data < 0, len(values.categories), values.data)
        found = tabulated(codes, sample, len(self.counts), len(values.categories))
        self.missing += found[:, -1]
        used = np.flatnonzero(found[:, :-1].any(axis=0))
        names = [values.categories[int(k)] for k in used]
        if self.overflowed:
            self._add_known(names, found[:, used])
            return
        places = [self.index.setdefault(name, len(self.index)) for name in names]
        self._make_room()
        # Names may come twice: of numbers and of text, say.
        _add_at(self.counts, np.array(places, np.intp), found[:, used])
        if len(self.index) > self.most:
            self._fold()

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

    def _fold(self) -> None:
        """Keep the categories of the sample, and count all others as one from now on."""
        self.overflowed = True
        old, counts = self.index, self.counts
        self.index = {name: k for k, name in enumerate(self.sampled)}
        self.counts = np.zeros((len(counts), max(len(self.sampled), 1)), np.int64)
        for name, place in old.items():
            if name in self.index:
                self.counts[:, self.index[name]] = counts[:, place]
            else:
                self.rest += counts[:, place]

    @property
    def categories(self) -> list[str]:
        """The names of the categories."""
        return list(self.index)


Tally = BinTally | CategoryTally


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
