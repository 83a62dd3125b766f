"""Two passes over tables: a sample, of which bins are made; then exact counts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from .binning import Binning, binning_of
from .grouping import Grouping
from .periods import binning_of_clock, binning_of_moments
from .sampling import RowSample
from .tables import Batch, ColumnsChanged, Table
from .tally import BinTally, CategoryTally, Tally
from .values import Values, common_kind, converted

Advance = Callable[[int], None]
"""Is told how many more rows have been read."""

MOST_SAMPLED = 10_000
"""So many of a sample's categories are counted where a table has too many of them."""


class ColumnPlan(NamedTuple):
    """How a column is counted."""

    kind: str
    """In which all tables' values are compared."""

    kinds: tuple[str | None, str | None]
    """Of either table; None where it has no such column."""

    binning: Binning | None
    """None for categories."""

    sampled: Sequence[str] = ()
    """The commonest categories of the sample."""

    def tally(self, samples: int) -> Tally:
        """Return what counts it."""
        if self.binning is None:
            return CategoryTally(self.sampled, samples)
        return BinTally(self.binning, samples)


class Counted(NamedTuple):
    """What was counted: the first sample is the reference, the others are the groups."""

    groups: tuple[str, ...]
    """Names of the others; one without a name where rows are not grouped."""

    rows: Any
    """How many rows each sample has."""

    plans: Mapping[str, ColumnPlan]
    tallies: Mapping[str, Tally]


def rows_of(batch: Batch) -> int:
    """Return how many rows a batch has."""
    return next((values.size for values in batch.values()), 0)


def made_plans(
    tables: tuple[Table, Table],
    columns: Sequence[str],
    grouping: Grouping | None,
    bins: int,
    seed: int,
    advance: Advance,
) -> dict[str, ColumnPlan]:
    """Make bins of a sample of both tables together: the first pass.

    Parameters
    ----------
    tables : pair of Table
        Reference and current.
    columns : sequence of str
        Which columns are compared; one of the tables may lack some.
    grouping : Grouping, optional
        Takes note of the groups of the current table.
    bins : int
        How many quantile bins there are at most.
    seed : int
        Of the sample.
    advance : callable
        Is told how many rows were read.

    Returns
    -------
    dict of str to ColumnPlan
    """
    while True:
        try:
            return _made_plans(tables, columns, grouping, bins, seed, advance)
        except ColumnsChanged:
            if grouping is not None:
                grouping.forget()


def _made_plans(
    tables: tuple[Table, Table],
    columns: Sequence[str],
    grouping: Grouping | None,
    bins: int,
    seed: int,
    advance: Advance,
) -> dict[str, ColumnPlan]:
    sample = RowSample(columns, seed)
    kinds: list[dict[str, set[str]]] = []
    for side, table in enumerate(tables):
        found: dict[str, set[str]] = {name: set() for name in columns if name in table.columns}
        kinds.append(found)
        for start, batch in _batches(table, columns, grouping if side else None, advance):
            if side and grouping is not None:
                grouping.see(batch)
            wanted = {name: batch[name] for name in found}
            for name, values in wanted.items():
                found[name].add(values.kind_found)
            sample.see(side, start, rows_of(batch), wanted)
    return {name: _plan(name, kinds, sample, bins) for name in columns}


def _plan(
    name: str, kinds: Sequence[dict[str, set[str]]], sample: RowSample, bins: int
) -> ColumnPlan:
    first, second = (common_kind(found[name]) if name in found else None for found in kinds)
    kind = common_kind(k for k in (first, second) if k is not None)
    values = sample.values(name, kind)
    if kind in ("text", "boolean", "empty", "other"):
        return ColumnPlan(kind, (first, second), None, _commonest(values))
    if kind == "clock":
        binning: Binning = binning_of_clock()
    elif kind == "time":
        binning = binning_of_moments(values)
    else:
        binning = binning_of(values, bins)
    return ColumnPlan(kind, (first, second), binning)


def _commonest(values: Values) -> list[str]:
    if values.kind != "text":
        return []
    counts = np.bincount(values.data[values.data >= 0], minlength=len(values.categories))
    # By name where they are as common: not by which table they come first in.
    ordered = sorted(zip(-counts, values.categories, strict=True))
    return [name for _, name in ordered[:MOST_SAMPLED]]


def _batches(
    table: Table, columns: Sequence[str], grouping: Grouping | None, advance: Advance
) -> Iterator[tuple[int, Batch]]:
    """Yield batches of some columns, with the number of their first row."""
    wanted = [name for name in table.columns if name in set(columns)]
    if grouping is not None and grouping.column not in wanted:
        wanted.append(grouping.column)
    start = 0
    with closing(table.batches(wanted)) as batches:  # type: ignore[type-var]
        for batch in batches:
            yield start, batch
            start += rows_of(batch)
            advance(rows_of(batch))


def tallied(
    tables: Sequence[Table],
    plans: Mapping[str, ColumnPlan],
    grouping: Grouping | None,
    advance: Advance,
) -> Counted:
    """Count what the tables have in every bin and category: the second pass.

    Parameters
    ----------
    tables : sequence of Table
        Reference and current.
    plans : mapping of str to ColumnPlan
        How columns are counted.
    grouping : Grouping, optional
        The groups of the current table.
    advance : callable
        Is told how many rows were read.

    Returns
    -------
    Counted
    """
    groups = ("",) if grouping is None else tuple(grouping.settle())
    samples = 1 + len(groups)
    tallies = {name: plan.tally(samples) for name, plan in plans.items()}
    rows = np.zeros(samples, np.int64)
    for side, table in enumerate(tables):
        for _, batch in _batches(table, list(plans), grouping if side else None, advance):
            sample: Any = side
            if side and grouping is not None:
                sample = 1 + grouping.codes(batch)
                rows += np.bincount(sample, minlength=samples)
            else:
                rows[side] += rows_of(batch)
            for name, plan in plans.items():
                if name in batch:
                    _add(tallies[name], plan, batch[name], sample)
    return Counted(groups, rows, plans, tallies)


def _add(tally: Tally, plan: ColumnPlan, values: Values, sample: Any) -> None:
    values = converted(values, plan.kind)
    if plan.kind in ("empty", "other"):
        values = Values(plan.kind, np.full(values.size, -1, np.intp))
    tally.add(values, sample)
