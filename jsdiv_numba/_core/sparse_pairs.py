"""All pairs of compressed rows: by the columns that both have, or of full ones by all."""

from typing import Any, NamedTuple

import numpy as np

from .._kernels.records import IntArray
from . import pairwise, sparse, split
from .dense_blocks import DenseBlocks
from .levels import Rule, rule_of
from .pair_metric import Metric
from .progress import Progress, counting
from .sparse import Compressed
from .split import Compute, Split, Way, share_of_pairs
from .validation import FloatArray

SMALL = 1 << 16
"""Elements of dense rows that are so few that all are made dense."""


FILLED, MOST_ROWS = 1 / 8, 1024
"""Of fuller rows fewer pairs are worth it to have the other rows by column, which takes as long as
some pairs of each; else a block has so many."""

BAND = 1024
"""Rows that are compared with all after them at once, where the order of two rows matters."""


class Ranked(NamedTuple):
    """Rows in the order of how full they are."""

    rows: Compressed
    order: IntArray
    levels: FloatArray
    """In that order."""


class OfDense(NamedTuple):
    """The values of all pairs of few rows that were made dense."""

    a: FloatArray
    b: FloatArray
    dtype: np.dtype[Any]
    metric: Metric
    workers: int | None
    progress: Progress | None

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows there are of each side."""
        return len(self.a), len(self.b)

    def write(self, result: FloatArray) -> None:
        """Write all pairs to a matrix."""
        pairwise.write_pairs(*self._sets, result, *self._wanted, **self._told)

    def write_condensed(self, result: FloatArray) -> None:
        """Write those of pairs i < j of one matrix to a vector, as SciPy orders them."""
        sets = self._sets
        pairwise.write_pairs(*sets, result, *self._wanted, condensed=True, **self._told)

    def within(self, most: float) -> Any:
        """Return those up to a value as a sparse array."""
        return pairwise.values_up_to(most, *self._sets, *self._wanted, **self._told)

    @property
    def _sets(self) -> tuple[pairwise.Input, pairwise.Input]:
        return ("XA", self.a), ("XB", self.b)

    @property
    def _wanted(self) -> tuple[np.dtype[Any], Metric]:
        return self.dtype, self.metric

    @property
    def _told(self) -> dict[str, Any]:
        return {"workers": self.workers, "progress": self.progress}


class InBands(NamedTuple):
    """The values of pairs i < j of rows of one matrix, of which the first is the first of a pair.

    In the order of how full they are it might be the second.
    """

    rows: Compressed
    dtype: np.dtype[Any]
    metric: Metric
    workers: int | None
    progress: Progress | None

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows there are of each side."""
        return len(self.rows), len(self.rows)

    def write_condensed(self, result: FloatArray) -> None:
        """Write them to a vector, as SciPy orders them."""
        number, at = len(self.rows), 0
        report = counting(self.progress, result.size)
        for start in range(0, number, BAND):
            stop, before = min(start + BAND, number), at
            band, others = (sparse.some_of(self.rows, start, end) for end in (stop, number))
            values = np.empty((stop - start, number - start), result.dtype)
            settings = self.dtype, self.metric
            comparison_of(band, others, *settings, workers=self.workers).write(values)
            for i, row in enumerate(values):
                result[at : at + row.size - i - 1] = row[i + 1 :]
                at += row.size - i - 1
            report(at - before)


Pairs = sparse.Comparison | Split | OfDense


def pairs_within(
    rows: Compressed,
    dtype: np.dtype[Any],
    metric: Metric,
    *,
    workers: int | None,
    progress: Progress | None,
) -> Pairs | InBands:
    """Return what compares the rows of a matrix, each pair once."""
    told: dict[str, Any] = {"workers": workers, "progress": progress}
    found = comparison_of(rows, rows, dtype, metric, **told)
    if isinstance(found, Split) and not metric.is_symmetric and not found.in_order:
        return InBands(rows, dtype, metric, **told)
    return found


def comparison_of(
    a: Compressed,
    b: Compressed,
    dtype: np.dtype[Any],
    metric: Metric,
    *,
    workers: int | None,
    progress: Progress | None = None,
) -> Pairs:
    """Return what compares all pairs: the two rows alone decide how, as for dense rows."""
    sets, rule = (a,) if b is a else (a, b), rule_of(metric, dtype, a.width)
    told: dict[str, Any] = {"workers": workers, "progress": progress}
    most = [sparse.most_entries(rows) for rows in sets]
    if rule.all_share(most[0], most[-1]):
        return sparse.Comparison(a, b, metric, **told)
    levels = [levels_of(rows, rule) for rows in sets]
    share = share_of_pairs(levels[0], levels[-1])
    if share == 1 or not (len(a) and len(b)):
        return sparse.Comparison(a, b, metric, **told)
    small = sum(map(len, sets)) * a.width <= SMALL
    in_range = all(each.min() > -np.inf for each in levels)
    if small and in_range and (_either_way(dtype, metric) or not share):
        dense = [sparse.as_dense(rows, metric.computed_in(dtype)) for rows in sets]
        return OfDense(dense[0], dense[-1], dtype, metric, **told)
    if not share:
        # Their order is as good.
        levels = [np.full_like(each, np.inf) for each in levels]
    ranked = [ranked_by(each, rows) for each, rows in zip(levels, sets, strict=True)]
    first, last = ranked[0], ranked[-1]
    compare = None
    if share:
        compare = sparse.Comparison(first.rows, last.rows, metric, workers=workers).compute
    return split_of(first, last, compare, dtype, metric, **told)


def split_of(
    a: Ranked,
    b: Ranked,
    by_shared_columns: Compute | None,
    dtype: np.dtype[Any],
    metric: Metric,
    *,
    workers: int | None,
    progress: Progress | None,
) -> Split:
    """Return what compares rows that are in order, given what does so by shared columns."""
    least = np.inf
    if _either_way(dtype, metric):
        least = rule_of(metric, dtype, a.rows.width).lowest + 1
    # What the fullest row does not share with, or few rows do not.
    first = np.searchsorted(b.levels, -a.levels[-1:], side="right").min(initial=len(b.levels))
    first = min(int(first), int(np.searchsorted(b.levels, least)))
    dense = DenseBlocks(a.rows, b.rows, first, dtype, metric)
    by_all = Way(dense.compute, dense.height, dense.width, dense.dtype)
    by_shared = by_all
    if by_shared_columns is not None:
        filled = len(a.rows.given) > FILLED * len(a.rows) * a.rows.width
        by_shared = Way(by_shared_columns, split.HEIGHT if filled else MOST_ROWS, sparse.WIDTH)
    return Split(
        by_shared, by_all, (a.order, b.order), (a.levels, b.levels), least, workers, progress
    )


def _either_way(dtype: np.dtype[Any], metric: Metric) -> bool:
    """Whether what compares dense rows does so by shared columns where these rows are to be."""
    return dtype == np.float64 and metric.measure != "kl"


def ranked_by(levels: FloatArray, rows: Compressed) -> Ranked:
    """Return rows in the order of their levels."""
    order: IntArray = levels.argsort(kind="stable")
    return Ranked(sparse.reordered(rows, order), order, levels[order])


def levels_of(rows: Compressed, rule: Rule) -> FloatArray:
    """Return how full rows are; what cannot be compared over all columns is below any level."""
    counts = np.diff(rows.starts)
    levels, given, limit = rule.levels_of(counts), rows.given, rule.largest
    if given.size and not (given.max() <= limit and given.min() >= 1 / limit):
        largest, filled = np.ones(len(rows)), counts > 0
        largest[filled] = np.maximum.reduceat(given, rows.starts[:-1][filled])
        levels[(largest > limit) | (largest < 1 / limit)] = -np.inf
    return levels
