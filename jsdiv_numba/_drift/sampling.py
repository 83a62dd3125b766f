"""A sample of rows that depends neither on batches nor on which table a row is of.

Each row has a number drawn from its place by a hash, and the rows with the smallest are
taken (a bottom-k sample): so both tables give of their rows in proportion to their length,
and edges of bins that are made of the sample do not tell one table from the other.
"""

from collections.abc import Sequence

import numpy as np

from .tables import Batch
from .values import Array, Values, joined

SIZE = 50_000
"""Rows that are taken: a quantile is then off by at most a few thousandths."""

_GOLDEN, _FIRST, _SECOND = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)


def priorities(seed: int, side: int, start: int, rows: int) -> Array:
    """Return a random uint64 for each of some rows of a table, by SplitMix64."""
    origin = np.uint64((seed * 0x2545F4914F6CDD1D + (side << 56) + start) % 2**64)
    with np.errstate(over="ignore"):
        x = (np.arange(rows, dtype=np.uint64) + origin) * _GOLDEN
        x = (x ^ (x >> np.uint64(30))) * _FIRST
        x = (x ^ (x >> np.uint64(27))) * _SECOND
    result: Array = x ^ (x >> np.uint64(31))
    return result


class RowSample:
    """Takes rows from batches.

    Parameters
    ----------
    columns : sequence of str
        Which columns are kept.
    seed : int
        Another one is another sample.
    size : int
        How many rows are taken.
    """

    def __init__(self, columns: Sequence[str], seed: int, size: int = SIZE) -> None:
        self.columns, self.seed, self.size = columns, seed, size
        self.highest = np.uint64(2**64 - 1)
        self.kept: list[tuple[Array, dict[str, Values]]] = []
        self.count = 0

    def see(self, side: int, start: int, rows: int, batch: Batch) -> None:
        """Look at a batch: rows `start` and so on of a table."""
        numbers = priorities(self.seed, side, start, rows)
        chosen = np.flatnonzero(numbers <= self.highest)
        self._keep(numbers[chosen], {name: batch[name].take(chosen) for name in batch})
        if self.count > 2 * self.size:
            self._shrink()

    def _keep(self, numbers: Array, values: dict[str, Values]) -> None:
        if len(numbers):
            self.kept.append((numbers, {name: _compact(v) for name, v in values.items()}))
            self.count += len(numbers)

    def _shrink(self) -> None:
        numbers = np.concatenate([found for found, _ in self.kept])
        self.highest = np.partition(numbers, self.size - 1)[self.size - 1]
        kept, self.kept, self.count = self.kept, [], 0
        for found, values in kept:
            rows = np.flatnonzero(found <= self.highest)
            self._keep(found[rows], {name: v.take(rows) for name, v in values.items()})

    def values(self, column: str, kind: str) -> Values:
        """Return what was taken of a column, as one kind."""
        if self.count > self.size:
            self._shrink()
        return joined([values[column] for _, values in self.kept if column in values], kind)


def _compact(values: Values) -> Values:
    """Return values without the categories that none of them has, and in memory of their own."""
    if not values.categories:
        return values
    used, codes = np.unique(values.data, return_inverse=True)
    shift = int(used[0] < 0) if len(used) else 0
    names = [values.categories[k] for k in used[shift:]]
    return values._replace(data=codes - shift, categories=names)
