"""Two passes over tables: a sample, of which bins are made; then exact counts."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .binning import Binning, binning_of
from .cells import Cells
from .grouping import Grouping
from .periods import binning_of_clock, binning_of_moments
from .sampling import RowSample
from .states import (
    Place,
    sample_state,
    take_up_sample,
    take_up_tallies,
    tallies_state,
    the_keeper,
    where,
)
from .tables import Batch, ColumnsChanged, Table
from .tally import BinTally, CategoryTally, CellTally, PeriodTally, Summary
from .values import ZONED, Values, common_kind, converted

Advance = Callable[[int], None]
"""Is told how many more rows have been read."""

MOST_SAMPLED = 10_000
"""So many of a sample's categories are counted where a table has too many of them."""


class ColumnPlan(NamedTuple):
    """How a column is counted."""

    kind: str
    """In which all tables' values are compared."""

    kinds: Sequence[str | None]
    """Of each table; None where it has no such column."""

    binning: Binning | None = None
    """None for categories, and where bins are made later."""

    sampled: Sequence[str] = ()
    """The commonest categories of the sample."""

    cells: Cells | None = None
    """Where numbers go that bins are made of later."""

    def tally(self, samples: int) -> Summary:
        """Return what counts it."""
        if self.cells is not None:
            return CellTally(self.cells, samples)
        if self.binning is not None:
            return BinTally(self.binning, samples)
        return PeriodTally(samples) if self.kind == "time" else CategoryTally(self.sampled, samples)


Kinds = Sequence[Mapping[str, set[str]]]
"""For each table the kinds that were found in each of its columns."""

Planning = Callable[[str, Kinds, RowSample], ColumnPlan]
"""Returns how a column is counted, by what was found of it."""


class Counted(NamedTuple):
    """What was counted: the first sample is the reference, the others are the groups."""

    groups: tuple[str, ...]
    """Names of the others; one without a name where rows are not grouped."""

    rows: Any
    """How many rows each sample has."""

    plans: Mapping[str, ColumnPlan]
    tallies: Mapping[str, Any]
    """A `Tally` of each column; a `Summary` where bins are made later."""


class Reading(NamedTuple):
    """What is read, twice."""

    tables: Sequence[Table]
    """Reference and current, or one alone."""

    columns: Sequence[str]
    """Which columns are counted; one of the tables may lack some."""

    grouping: Grouping | None
    """Groups of the current table."""

    seed: int
    """Of the sample."""

    advance: Advance
    """Is told how many rows were read."""

    @property
    def end(self) -> Place:
        """After the last row."""
        return Place(len(self.tables), 0)

    def batches(self, place: Place) -> Generator[tuple[Place, Batch], None, None]:
        """Yield what comes from some place on, each batch with the place of its first row."""
        for side, table in enumerate(self.tables):
            if side < place.side:
                continue
            wanted = [name for name in table.columns if name in set(self.columns)]
            if side and self.grouping is not None and self.grouping.column not in wanted:
                wanted.append(self.grouping.column)
            at = Place(side, place.row if side == place.side else 0)
            with closing(table.batches(wanted, at.row)) as batches:
                for batch in batches:
                    yield at, batch
                    at = at.after(rows_of(batch))


def rows_of(batch: Batch) -> int:
    """Return how many rows a batch has."""
    return next((values.size for values in batch.values()), 0)


def made_plans(reading: Reading, planning: Planning) -> dict[str, ColumnPlan]:
    """Look at a sample of all tables together, and say how columns are counted: the first pass."""
    first = True
    while True:
        try:
            return _made_plans(reading, planning, take_up=first)
        except ColumnsChanged:
            first = False
            if reading.grouping is not None:
                reading.grouping.forget()


def _made_plans(reading: Reading, planning: Planning, *, take_up: bool) -> dict[str, ColumnPlan]:
    tables, grouping, keeper = reading.tables, reading.grouping, the_keeper()
    sample = RowSample(reading.columns, reading.seed)
    kinds: list[dict[str, set[str]]] = [
        {name: set() for name in reading.columns if name in table.columns} for table in tables
    ]
    begin, read = Place(0, 0), 0
    kept = keeper.taken_up("sample") if take_up else None
    if kept is not None:
        take_up_sample(kept, sample, kinds, grouping, tables)
        begin, read = Place(*kept.facts["place"]), kept.facts["read"]
        reading.advance(read)
    for place, batch in reading.batches(begin):
        if place.side and grouping is not None:
            grouping.see(batch)
        wanted = {name: batch[name] for name in kinds[place.side]}
        for name, values in wanted.items():
            kinds[place.side][name].add(values.kind_found)
        rows = rows_of(batch)
        sample.see(place.side, place.row, rows, wanted)
        read += rows
        reading.advance(rows)
        facts = where(place.after(rows), read)
        keeper.keep("sample", partial(sample_state, facts, sample, kinds, grouping, tables))
    facts = where(reading.end, read)
    keeper.keep("sample", partial(sample_state, facts, sample, kinds, grouping, tables), last=True)
    return {name: planning(name, kinds, sample) for name in reading.columns}


def kinds_of(name: str, kinds: Kinds) -> list[str | None]:
    """Return the kind of a column in each table, which may be `ZONED`; None where it is not."""
    return [
        None
        if name not in found
        else ZONED
        if found[name] - {"empty"} == {ZONED}
        else common_kind(found[name])
        for found in kinds
    ]


def in_bins(bins: int) -> Planning:
    """Return how columns are planned of which both tables are there: bins by their sample.

    `bins`: how many quantile bins there are at most.
    """

    def planned(name: str, kinds: Kinds, sample: RowSample) -> ColumnPlan:
        found = kinds_of(name, kinds)
        kind = common_kind(k for k in found if k is not None)
        values = sample.values(name, kind)
        if kind in ("text", "boolean", "empty", "other"):
            return ColumnPlan(kind, found, None, commonest(values))
        if kind == "clock":
            binning: Binning = binning_of_clock()
        elif kind == "time":
            binning = binning_of_moments(values)
        else:
            binning = binning_of(values, bins)
        return ColumnPlan(kind, found, binning)

    return planned


def commonest(values: Values) -> list[str]:
    if values.kind != "text":
        return []
    counts = np.bincount(values.data[values.data >= 0], minlength=len(values.categories))
    # By name where they are as common: not by which table they come first in.
    ordered = sorted(zip(-counts, values.categories, strict=True))
    return [name for _, name in ordered[:MOST_SAMPLED]]


def tallied(reading: Reading, plans: Mapping[str, ColumnPlan]) -> Counted:
    """Count what the tables have in every bin and category: the second pass."""
    grouping, keeper = reading.grouping, the_keeper()
    groups = ("",) * (len(reading.tables) - 1) if grouping is None else tuple(grouping.settle())
    samples = 1 + len(groups)
    tallies = {name: plan.tally(samples) for name, plan in plans.items()}
    rows = np.zeros(samples, np.int64)
    begin, read = Place(0, 0), 0
    kept = keeper.taken_up("counts")
    if kept is not None:
        take_up_tallies(kept, rows, tallies)
        begin, read = Place(*kept.facts["place"]), kept.facts["read"]
        reading.advance(read)
    for place, batch in reading.batches(begin):
        number = rows_of(batch)
        sample: Any = place.side
        if place.side and grouping is not None:
            sample = 1 + grouping.codes(batch)
            rows += np.bincount(sample, minlength=samples)
        else:
            rows[place.side] += number
        for name, plan in plans.items():
            if name in batch:
                _add(tallies[name], plan, batch[name], sample)
        read += number
        reading.advance(number)
        facts = where(place.after(number), read)
        keeper.keep("counts", partial(tallies_state, facts, rows, tallies))
    keeper.keep(
        "counts", partial(tallies_state, where(reading.end, read), rows, tallies), last=True
    )
    return Counted(groups, rows, plans, tallies)


def _add(tally: Summary, plan: ColumnPlan, values: Values, sample: Any) -> None:
    values = converted(values, plan.kind)
    if plan.kind in ("empty", "other"):
        values = Values(plan.kind, np.full(values.size, -1, np.intp))
    tally.add(values, sample)
