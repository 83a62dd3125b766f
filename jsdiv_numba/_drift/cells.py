"""Cells: fine intervals of an ordered column, whose counts add up across tables.

A cell is halved until it holds few values, at round numbers in binary: the same for all tables. So
of two tables that were counted apart one finds the edges that both have, and everything between two
of these is known exactly of both. No edge is a value, but where that comes often.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .binning import FEW_VALUES, OFTEN, Binning, binning_between
from .values import Array, Values

CELLS = 256
"""A cell has at most so small a part of the sample, if it is not of one value."""

MOST_VALUES = 512
"""So many different values are a cell each, where they come again often enough."""

_HIGHEST = 2**63 - 1
_INFINITE = 0x7FF << 52
"""The key of infinity."""


def keys_of(data: Array) -> Array:
    """Return integers in the order of values, one after another as values are.

    Examples
    --------
    >>> import numpy as np
    >>> np.diff(keys_of(np.array([0.0, 5e-324, 1.0, np.nextafter(1.0, 2.0)])))[[0, 2]].tolist()
    [1, 1]
    """
    if data.dtype.kind != "f":
        return data.astype(np.int64)
    bits = np.abs(data).view(np.int64)
    return np.where(data < 0, -bits, bits)


def _values_of(keys: Array, kind: str) -> Array:
    """Return the values that have some keys, in order and without what is none."""
    if kind != "float":
        return keys
    # What is beyond is no number; and nothing is below the first.
    keys = keys[(keys <= _INFINITE) & (keys > -_INFINITE)]
    data = np.abs(keys).view(np.float64)
    return np.where(keys < 0, -data, data)


def edges_of(sample: Values) -> Array:
    """Return where cells begin but the first, by a sample of numbers."""
    data = sample.data[~sample.missing]
    keys, counts = np.unique(keys_of(data), return_counts=True)
    if len(keys) <= MOST_VALUES and len(data) >= OFTEN * len(keys):
        edges = np.union1d(keys, keys[keys < _HIGHEST] + 1)
    else:
        most = max(OFTEN, len(data) // CELLS)
        ends = [0, *np.cumsum(counts).tolist()]
        edges = np.unique(np.array(_halved(keys.tolist(), ends, most), np.int64))
    return _values_of(edges[edges > -_HIGHEST - 1], sample.kind)


def _halved(keys: Sequence[int], ends: Sequence[int], most: int) -> list[int]:
    """Return where cells begin that hold at most so many values, or a single one.

    `ends`: how many values come before each key, and after the last.
    """
    edges = []
    open_cells = [(0, len(keys), -_HIGHEST - 1, 64)]
    while open_cells:
        first, stop, begin, bits = open_cells.pop()
        edges.append(begin)
        if ends[stop] - ends[first] <= most:
            continue
        if stop - first == 1:
            edges += [keys[first], min(keys[first] + 1, _HIGHEST)]
            continue
        middle = begin + (1 << (bits - 1))
        between = bisect_left(keys, middle, first, stop)
        open_cells.append((first, between, begin, bits - 1))
        open_cells.append((between, stop, middle, bits - 1))
    return edges


@dataclass(frozen=True)
class Cells:
    """Where numbers go.

    Parameters
    ----------
    edges : ndarray
        Where each cell begins but the first; it ends before the next one.
    kind : str
        Integer or float.
    """

    edges: Array
    kind: str

    @property
    def size(self) -> int:
        """How many cells there are."""
        return len(self.edges) + 1

    def codes(self, values: Values) -> Array:
        """Return the cell of each value, and one more than there are for what is missing."""
        codes = np.searchsorted(self.edges, values.data, side="right")
        codes[values.missing] = self.size
        return codes

    @property
    def starts(self) -> Values:
        """The least value of each cell."""
        least = -np.inf if self.kind == "float" else -_HIGHEST - 1
        return Values(self.kind, np.concatenate([np.array([least], self.edges.dtype), self.edges]))

    @property
    def single(self) -> Array:
        """Which cells are of one value."""
        keys = keys_of(self.starts.data)
        last = keys[-1] == (_INFINITE if self.kind == "float" else _HIGHEST)
        # Not a difference, which may be more than an integer holds.
        return np.append(keys[:-1] + 1 == keys[1:], last)


def recounted(edges: Array, counts: Array, wanted: Array) -> Array:
    """Return the counts of other cells, whose edges are among those or where nothing is.

    Parameters
    ----------
    edges : ndarray, shape (m,)
        Where cells begin but the first.
    counts : ndarray, shape (..., m + 1)
        How many values are in each.
    wanted : ndarray, shape (n,)
        The edges of others, as `common_edges` has them.

    Returns
    -------
    ndarray, shape (..., n + 1)
    """
    below = np.cumsum(counts, axis=-1)
    at = np.searchsorted(edges, wanted, side="left")
    parts = [below[..., at], below[..., -1:]]
    return np.diff(np.concatenate(parts, axis=-1), axis=-1, prepend=0)


def common_edges(found: Sequence[tuple[Array, Array]]) -> Array:
    """Return the edges that can be told of each of several tables: its own, and where nothing is.

    `found`: edges and counts of each.
    """
    edges = np.unique(np.concatenate([own for own, _ in found]))
    for own, counts in found:
        cell = np.searchsorted(own, edges, side="right")
        edges = edges[np.isin(edges, own) | (counts[cell] == 0)]
    return edges


def without_empty(edges: Array, counts: Array) -> tuple[Array, Array]:
    """Return edges and counts with empty cells that are side by side made one."""
    kept = np.append(True, (counts[1:] > 0) | (counts[:-1] > 0))
    return edges[kept[1:]], counts[kept]


def binning_of_cells(cells: Cells, totals: Array, number: int) -> Binning:
    """Return bins made of cells, by how many values all tables together have in each.

    Parameters
    ----------
    cells : Cells
        Cells.
    totals : ndarray of int
        Counts.
    number : int
        How many quantile bins there are at most, besides values that fill one alone.
    """
    starts, single = cells.starts.data, cells.single
    there, total = totals > 0, int(totals.sum())
    points = starts[single & there]
    whole = cells.kind == "integer" or bool((points == np.floor(points)).all() and len(points))
    few = np.count_nonzero(there) <= (FEW_VALUES if whole else number)
    of_values = few and total >= OFTEN * there.sum() and 2 * totals[single].sum() >= total
    if of_values:
        alone, begins = single & there, there
    else:
        number = min(number, max(2, total // OFTEN))
        alone = single & (totals * number >= total) & there
        begins = _quantile_cells(np.where(alone, 0, totals), total, number)
    # What follows a value that stands alone needs no edge of its own.
    begins = alone | (begins & ~np.append(False, alone[:-1]))
    begins[0] = alone[0]
    cuts, alone = starts[begins], alone[begins]
    if not len(cuts):
        return Binning("1 bin", cuts, np.zeros(1, np.intp), ("all",))
    binning = binning_between(cuts, alone, whole=cells.kind == "integer")
    if not of_values:
        return binning
    named = binning.bins[1::2][alone].tolist()
    how = "1 value" if len(named) == 1 else f"{len(named)} values"
    return replace(binning, how=how, named=named)


def _quantile_cells(totals: Array, total: int, number: int) -> Array:
    """Return at which cells bins with about as many values begin."""
    below = np.cumsum(totals)
    wanted = -(-number * int(below[-1]) // max(total, 1))
    ranks = np.arange(1, wanted) * below[-1] / max(wanted, 1)
    # After the cell with which a bin comes nearest to what it should have.
    after = np.searchsorted(below, ranks)
    before = np.where(after > 0, below[after - 1], 0)
    ends = np.where(ranks - before < below[after] - ranks, after, after + 1)
    begins = np.zeros(len(totals), bool)
    begins[ends[ends < len(totals)]] = True
    return begins
