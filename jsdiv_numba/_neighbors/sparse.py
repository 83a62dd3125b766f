"""Neighbours among sparse rows: of all pairs or, where that is slower, searched as dense ones."""

from functools import cached_property
from typing import Any

import numpy as np

from .._core.levels import rule_of
from .._core.pair_metric import Metric
from .._core.progress import Progress
from .._core.sparse import Compressed, as_dense, prepared, write_block
from .._core.sparse_pairs import Ranked, comparison_of, levels_of, ranked_by, split_of
from .._core.split import DOUBLE, Compute, share_of_pairs
from .._core.threads import get_workers
from .._core.validation import FloatArray
from .._kernels.records import Block, CompressedRows, IntArray, Side
from . import search
from .all_pairs import AllPairs, neighbors_of
from .search import Neighbors

SHARED_NS, COLUMN_NS, PAIR_NS = 10.0, 0.7, 15.0
"""What a column that two rows share takes, one of dense rows, and a pair besides."""

BOUND_NS, BOUND_PAIR_NS, DESCRIBED_NS = 0.02, 2.0, 10.0
"""What a column of a pair takes in a search by bounds, a pair besides, and an element of the rows
before."""

KEPT_BYTES = 28
"""Of what is kept of an element of dense rows; an entry of sparse ones has twelve."""

MOST_BYTES = 36
"""What an entry may take beside the input."""


class AsDense:
    """Rows that are made dense when some are asked for."""

    def __init__(self, rows: Compressed) -> None:
        self.rows, self.shape = rows, rows.shape

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, some: slice) -> FloatArray:
        return as_dense(self.rows, DOUBLE, some)


class SparsePopulation:
    """Sparse rows among which neighbours are searched."""

    def __init__(self, name: str, matrix: Compressed, metric: Metric) -> None:
        self.name, self.matrix, self.metric = name, matrix, metric
        self._kept: CompressedRows | None = None
        self.keeps_dense = False

    def __getstate__(self) -> dict[str, Any]:
        given = {name: value for name, value in self.__dict__.items() if name != "ranked"}
        return {**given, "_kept": None}

    def measured_by(self, metric: Metric) -> "SparsePopulation":
        """Return the same rows for a metric, with what is known of them where that serves it."""
        if metric == self.metric:
            return self
        other = SparsePopulation(self.name, self.matrix, metric)
        alike = metric.sides == self.metric.sides and metric.measure == self.metric.measure
        if alike and "ranked" in self.__dict__:
            other.ranked, other._kept = self.ranked, self._kept
        if self.keeps_dense:
            other.dense, other.keeps_dense = self.dense.measured_by(metric), True
        return other

    def keep(self, workers: int | None) -> None:
        """Prepare all rows now, and keep what is known of them; a pickled copy does so again."""
        size = len(self.matrix) * self.matrix.width
        if KEPT_BYTES * size <= MOST_BYTES * len(self.matrix.given) and self.in_range:
            self.dense.keep(workers)
            self.keeps_dense = True
            return
        self._kept = self.rows(self.metric.sides[1], workers)

    @property
    def keeps(self) -> bool:
        """Whether what is known of the rows is kept."""
        return self.keeps_dense or self._kept is not None

    @cached_property
    def ranked(self) -> Ranked:
        """The rows in the order of how full they are."""
        return ranked_for(self.matrix, self.metric)

    @cached_property
    def in_range(self) -> bool:
        """Whether all rows can be compared over all columns."""
        return _in_range(self.matrix, self.metric)

    @cached_property
    def in_columns(self) -> IntArray:
        """How many rows have an entry in each column."""
        return np.bincount(self.matrix.columns, minlength=self.matrix.width)

    @cached_property
    def dense(self) -> search.Population:
        """The same rows as dense ones."""
        return search.Population(self.name, AsDense(self.matrix), self.metric)

    def rows(self, side: Side, workers: int | None) -> CompressedRows:
        """Return all rows, prepared to be one side of a pair."""
        if self._kept is not None and side == self.metric.sides[1]:
            return self._kept
        return prepared(self.ranked.rows, side, workers)


def ranked_for(rows: Compressed, metric: Metric) -> Ranked:
    """Return rows in the order of how full they are."""
    return ranked_by(levels_of(rows, rule_of(metric, DOUBLE, rows.width)), rows)


def _in_range(rows: Compressed, metric: Metric) -> bool:
    levels = levels_of(rows, rule_of(metric, DOUBLE, rows.width))
    return bool(levels.min(initial=np.inf) > -np.inf)


class SparseSearch:
    """One call, as `search.Search`: the queries, and what is wanted of their neighbours."""

    def __init__(
        self,
        population: SparsePopulation,
        queries: Compressed | None,
        *,
        workers: int | None,
        progress: Progress | None,
    ) -> None:
        self.metric, self.workers, self.progress = population.metric, workers, progress
        get_workers(workers)
        self.population, self.among_itself = population, queries is None
        self.matrix = population.matrix if queries is None else queries
        self.shape = len(self.matrix), len(population.matrix)

    def nearest(self, number: int) -> tuple[FloatArray, IntArray]:
        """Return the values and indices of so many nearest rows, in order."""
        if self._are_few:
            own = np.arange(self.shape[0]) if self.among_itself else None
            shape = self.shape[0], number
            values, indices = np.empty(shape), np.empty(shape, np.intp)
            search.write_first(self._all_values(), own, values, indices)
            return values, indices
        if not search.all_are_computed(number, *self.shape, self.metric) and self._dense_is_faster:
            return self._dense().nearest(number)
        return self._all_pairs().nearest(number)

    def within(self, radius: float) -> Neighbors:
        """Return the neighbours up to a value, each query's in order."""
        if self._are_few:
            values = self._all_values()
            if self.among_itself:
                np.fill_diagonal(values, np.nan)
            i, j = np.nonzero(values <= radius)
            order = np.lexsort((j, values[i, j], i))
            i, j = i[order], j[order]
            return neighbors_of(self.shape[0], i, j, values[i, j])
        if self._dense_is_faster:
            return self._dense().within(radius)
        return self._all_pairs().within(radius)

    @property
    def _are_few(self) -> bool:
        """Whether all values are computed at once, which for few pairs takes the least time."""
        few = self.shape[0] * self.shape[1] <= search.FEW_PAIRS
        return few and not self.population.keeps

    def _all_values(self) -> FloatArray:
        values, others = np.empty(self.shape), self.population.matrix
        told: dict[str, Any] = {"workers": self.workers, "progress": self.progress}
        comparison_of(self.matrix, others, DOUBLE, self.metric, **told).write(values)
        return values

    def _all_pairs(self) -> AllPairs:
        population, metric, workers = self.population, self.metric, self.workers
        others = queries = population.ranked
        if not self.among_itself:
            queries = ranked_for(self.matrix, metric)
        compare = self._by_shared_columns(queries)
        split = split_of(queries, others, compare, DOUBLE, metric, workers=workers, progress=None)
        undefined = np.flatnonzero(np.diff(population.matrix.starts) == 0)
        told: dict[str, Any] = {"workers": workers, "progress": self.progress}
        return AllPairs(split, undefined, among_itself=self.among_itself, **told)

    def _by_shared_columns(self, queries: Ranked) -> Compute | None:
        """Return what compares rows by the columns that both have, if any are to be."""
        metric, workers, (first, second) = self.metric, self.workers, self.metric.sides
        if not share_of_pairs(queries.levels, self.population.ranked.levels):
            return None
        others = of_queries = self.population.rows(second, workers)
        if not self.among_itself:
            of_queries = prepared(queries.rows, first, workers)
        elif first != second:
            of_queries = self.population.rows(first, workers)

        def compute(block: Block, values: FloatArray, _above: bool) -> None:
            write_block(of_queries, others, block, metric, values)

        return compute

    def _dense(self) -> search.Search:
        rows: Any = AsDense(self.matrix)
        queries = None if self.among_itself else ("X", rows)
        settings: dict[str, Any] = {"workers": self.workers, "progress": self.progress}
        return search.Search(self.population.dense, queries, **settings)

    @cached_property
    def _dense_is_faster(self) -> bool:
        """Whether a search by bounds takes less time, by an estimate, and has the same bits."""
        pairs, width = self.shape[0] * self.shape[1], self.matrix.width
        described = self.shape[0] if self.population.keeps_dense else sum(self.shape)
        by_bounds = (BOUND_PAIR_NS + BOUND_NS * width) * pairs + DESCRIBED_NS * width * described
        if not self.metric.multiple or by_bounds >= (PAIR_NS + COLUMN_NS * width) * pairs:
            return False
        entries = (by_bounds - PAIR_NS * pairs) / SHARED_NS
        if not self._shares(entries) or not self.population.in_range:
            return False
        return self.among_itself or _in_range(self.matrix, self.metric)

    def _shares(self, most: float) -> bool:
        """Whether pairs of rows share more columns than so many, all together."""
        number, width = len(self.matrix.given), self.matrix.width
        # There are the fewest if each column is as full as any.
        if self.among_itself and number**2 / width > most:
            return True
        if number < width:
            return False
        in_columns = np.bincount(self.matrix.columns, minlength=width).astype(float)
        return bool(self.population.in_columns @ in_columns > most)
