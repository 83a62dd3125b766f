"""Bins: intervals between values of the pooled sample, and values that stand for themselves.

An edge is a value of the sample and never a mean of two: so it exists where values are
infinite, and the order of values is all that counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .labels import interval_labels
from .values import Array, Values, written

FEW_VALUES = 50
"""So many different whole numbers are categories, where they come again often enough."""

OFTEN = 5
"""How often values come again, in the mean, that are categories; and values of a bin."""


@dataclass(frozen=True)
class Binning:
    """Where values of an ordered column go.

    Parameters
    ----------
    how : str
        What the bins are, in words.
    cuts : ndarray
        Values, in order: between two of them, and at each of them, is one bin.
    bins : ndarray of int, shape (2 * len(cuts) + 1,)
        Which bin is below the first cut, at the first, between the first two, and so on.
    labels : tuple of str
        What each bin is called.
    named : sequence of int
        Which bins are categories, which may be new or vanish.
    """

    how: str
    cuts: Array
    bins: Array
    labels: tuple[str, ...]
    named: Sequence[int] = ()

    @property
    def size(self) -> int:
        """How many bins there are."""
        return len(self.labels)

    @property
    def _plain(self) -> bool:
        """Whether every bin has its lower edge."""
        return bool((self.bins[1::2] == self.bins[2::2]).all())

    def codes(self, values: Values) -> Array:
        """Return the bin of each value, and one more than there are for what is missing."""
        data, missing = values.data, values.missing
        right = np.searchsorted(self.cuts, data, side="right")
        if self._plain:
            codes = self.bins[::2][right]
        else:
            below = np.maximum(right - 1, 0)
            at_cut = (right > 0) & (self.cuts[below] == data) if len(self.cuts) else False
            codes = self.bins[2 * right - at_cut]
        codes[missing] = self.size
        return codes

    @property
    def lower(self) -> Array:
        """The lower edge of each bin, -inf where it has none; NaN for the rest of all values."""
        return self._edges(0)

    @property
    def upper(self) -> Array:
        """The upper edge, of a single value the value itself."""
        return self._edges(1)

    def _edges(self, side: int) -> Array:
        ends = np.concatenate([[-np.inf], self.cuts.astype(np.float64), [np.inf]])
        result = np.full(self.size, np.nan)
        for code in range(self.size):
            cells = np.flatnonzero(self.bins == code)
            if len(cells) == cells[-1] - cells[0] + 1:
                result[code] = ends[cells[-1] // 2 + 1] if side else ends[(cells[0] + 1) // 2]
        return result


def binning_of(sample: Values, number: int) -> Binning:
    """Return bins for numbers, by a sample of both tables together.

    Parameters
    ----------
    sample : Values
        Integers or floats.
    number : int
        How many quantile bins there are at most, besides values that fill one alone.
    """
    data = np.sort(sample.data[~sample.missing])
    whole = sample.kind == "integer" or _are_whole(data)
    if not len(data):
        return Binning("no values", data, np.zeros(1, np.intp), ("all",))
    values, counts = np.unique(data, return_counts=True)
    if len(values) == 1:
        return value_binning(values, "1 value", [written(values[0], sample.kind)])
    few = len(values) <= (FEW_VALUES if whole else number)
    if few and len(data) >= OFTEN * len(values):
        names = [written(value, sample.kind) for value in values]
        return value_binning(values, f"{len(values)} values", names)
    return _quantiles(data, values, counts, min(number, max(2, len(data) // OFTEN)), whole)


def _are_whole(data: Array) -> bool:
    finite = data[np.isfinite(data)]
    return bool((finite == np.floor(finite)).all() and (np.abs(finite) < 2**53).all())


def value_binning(
    values: Array, how: str, names: Sequence[str], rest: str = "other values"
) -> Binning:
    """Return a bin for each of some values, and one for all others."""
    bins = np.full(2 * len(values) + 1, len(values), np.intp)
    bins[1::2] = np.arange(len(values))
    return Binning(how, values, bins, (*names, rest), named=range(len(values)))


def _quantiles(data: Array, values: Array, counts: Array, number: int, whole: bool) -> Binning:
    """Return bins with about as many values each; a value that would fill one stands alone."""
    heavy = counts * number >= len(data)
    points = values[heavy]
    others = data[~np.isin(data, points)] if len(points) else data
    wanted = -(-number * len(others) // len(data))
    ranks = np.arange(1, wanted) * len(others) // max(wanted, 1)
    edges = np.setdiff1d(others[ranks], others[:1]) if len(others) else others
    cuts = np.union1d(edges, points)
    alone = np.isin(cuts, points)
    return binning_between(cuts, alone, whole=whole)


def binning_between(cuts: Array, alone: Array, *, whole: bool) -> Binning:
    """Return a bin between each two of some values, and for each that stands alone.

    Parameters
    ----------
    cuts : ndarray
        Values, in order.
    alone : ndarray of bool
        Which of them are bins themselves.
    whole : bool
        Whether all values are whole numbers.
    """
    # A cell for what is below the first cut, at it, above it, at the second, ...
    begins = np.ones(2 * len(cuts) + 1, bool)
    begins[2::2] = alone
    bins = np.cumsum(begins) - 1
    labels = interval_labels(cuts, alone, whole=whole)
    how = f"{len(labels)} quantile bins"
    if alone.any():
        how += f", {alone.sum()} of a single value"
    return Binning(how, cuts, bins, labels)
