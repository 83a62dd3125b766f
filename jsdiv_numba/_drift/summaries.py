"""Summaries of a column: counts that stand in for its values, and can be added up."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .binning import FEW_VALUES, Binning
from .cells import Cells, binning_of_cells, common_edges, recounted, without_empty
from .comparing import IDENTIFIER
from .counting import ColumnPlan, Counted
from .hashing import Hashing, shown
from .periods import MOMENTS, binning_of_clock, binning_of_moments, period_of
from .tally import BinTally, CategoryTally, CellTally, PeriodTally, Summary, Tally
from .values import Array, Values, common_kind

UNNAMED = "categories that the profile does not name are one"
IDENTIFIERS = "nearly every value is different: not compared by value"
_NUMBERS = ("boolean", "integer", "float")


class ColumnSummary(NamedTuple):
    """What is known of one column of one table."""

    kind: str
    tally: Summary
    """Of one sample."""


def comparable_kind(kinds: Iterable[str], summarised: Iterable[str]) -> str:
    """Return the kind in which columns are compared of which some are summaries.

    Unlike values, counts of numbers and times cannot become text.

    Examples
    --------
    >>> comparable_kind({"integer", "text"}, {"text"}), comparable_kind({"text"}, {"integer"})
    ('text', 'other')
    """
    counted = set(summarised) - {"empty"}
    kind = common_kind({*kinds, *counted})
    return "other" if kind == "text" and counted - {"text", "boolean"} else kind


def cells_of(summary: ColumnSummary, kind: str) -> tuple[Array, Array]:
    """Return edges and counts of a column of numbers, as another kind of them."""
    tally = summary.tally
    if isinstance(tally, CategoryTally):
        counts = {name: int(tally.counts[0, k]) for name, k in tally.index.items()}
        edges = np.array([0, 1, 2], np.int64)
        table = np.array([0, counts.get("False", 0), counts.get("True", 0), 0], np.int64)
    elif isinstance(tally, CellTally):
        edges, table = tally.cells.edges, tally.counts[0]
    else:
        raise TypeError(f"{summary.kind} is no number")
    if kind == "float" and edges.dtype.kind != "f":
        # Of huge whole numbers several are one float: what is between them goes to the last.
        floats, first = np.unique(edges.astype(np.float64), return_index=True)
        return floats, recounted(edges, table, edges[first])
    return edges, table


def plan_for(
    kind: str, summaries: Sequence[ColumnSummary], kinds: Sequence[str | None] = ()
) -> ColumnPlan:
    """Return how a column is counted so that summaries can be added."""
    if kind in ("integer", "float"):
        numbers = [cells_of(s, kind) for s in summaries if s.kind in _NUMBERS]
        return ColumnPlan(kind, kinds, cells=Cells(common_edges(numbers), kind))
    if kind == "clock":
        return ColumnPlan(kind, kinds, binning_of_clock())
    names = [list(s.tally.index) for s in summaries if isinstance(s.tally, CategoryTally)]
    return ColumnPlan(kind, kinds, sampled=names[0] if names else ())


def add_summary(
    tally: Summary, kind: str, summary: ColumnSummary, sample: int, hashing: Hashing | None
) -> None:
    """Add one table's counts to those of a sample.

    `hashing`: how the summary's names of categories are hashed first, if they are.
    """
    tally.missing[sample] += int(summary.tally.missing[0])
    if summary.kind == "empty":
        return
    if kind == "other":
        tally.missing[sample] += _number(summary.tally)
    elif isinstance(tally, CellTally):
        edges, counts = cells_of(summary, kind)
        tally.counts[sample] += recounted(edges, counts, tally.cells.edges)
    elif isinstance(tally, PeriodTally) and isinstance(summary.tally, PeriodTally):
        _add_periods(tally, summary.tally, sample)
    elif isinstance(tally, CategoryTally) and isinstance(summary.tally, CategoryTally):
        _add_categories(tally, summary.tally, sample, hashing)
    elif isinstance(tally, BinTally) and isinstance(summary.tally, BinTally):
        tally.counts[sample] += summary.tally.counts[0]


def _number(tally: Summary) -> int:
    """Return how many values are there."""
    rest = int(tally.rest[0]) if isinstance(tally, CategoryTally) else 0
    return int(tally.counts.sum()) + rest


def _at(sample: int, samples: int, counts: Array) -> Array:
    table = np.zeros((samples, counts.shape[-1]), np.int64)
    table[sample] = counts
    return table


def _add_periods(tally: PeriodTally, other: PeriodTally, sample: int) -> None:
    while MOMENTS.index(tally.period) < MOMENTS.index(other.period):
        tally.coarsen()
    starts, counts = other.starts, other.counts[0]
    tally.add_counts(period_of(starts, tally.period), _at(sample, len(tally.missing), counts))


def _add_categories(
    tally: CategoryTally, other: CategoryTally, sample: int, hashing: Hashing | None
) -> None:
    names = other.categories
    counts = other.counts[0, : len(names)]
    names = [hashing.of(name) for name in names] if hashing else names
    if other.folded:
        # What the other counts as one may be any that it does not name;
        # and what the tally counts as one already, any of the other's.
        kept = [name for name in names if name in tally.index] if tally.folded else names
        tally.fold(kept, other.folded)
    tally.add_counts(names, _at(sample, len(tally.missing), counts))
    tally.rest[sample] += other.rest[0]


def condensed(summary: ColumnSummary) -> ColumnSummary:
    """Return a summary without what need not be kept: empty cells, and names of identifiers."""
    tally = summary.tally
    if isinstance(tally, CellTally):
        edges, counts = without_empty(tally.cells.edges, tally.counts[0])
        small = CellTally(Cells(edges, summary.kind), 1)
        small.counts[0], small.missing = counts, tally.missing
        return ColumnSummary(summary.kind, small)
    if isinstance(tally, CategoryTally):
        named = int(tally.counts.sum())
        if len(tally.index) > max(IDENTIFIER * named, FEW_VALUES):
            tally.fold((), IDENTIFIERS)
    return summary


def rehashed(tally: CategoryTally, hashing: Hashing) -> dict[str, str]:
    """Have a tally's categories hashed, and return the name of each hash."""
    known = {hashing.of(name): name for name in tally.index}
    tally.index = {hashed: tally.index[name] for hashed, name in known.items()}
    tally.sampled = [hashing.of(name) for name in tally.sampled]
    return known


def unhashed(tally: CategoryTally, known: Mapping[str, str]) -> None:
    """Have categories called by their names again, as far as they are known."""
    index: dict[str, int] = {}
    for hashed, place in tally.index.items():
        name = known.get(hashed) or shown(hashed)
        index[f"#{hashed}" if name in index else name] = place
    tally.index = index


def settled(counted: Counted, bins: int) -> Counted:
    """Return counts in bins that depend on all samples together."""
    plans: dict[str, ColumnPlan] = {}
    tallies: dict[str, Tally] = {}
    for name, tally in counted.tallies.items():
        plan = counted.plans[name]
        binning: Binning | None = None
        if isinstance(tally, CellTally):
            binning = binning_of_cells(tally.cells, tally.counts.sum(axis=0), bins)
            tallies[name] = _regrouped(binning, tally.cells.starts, tally)
        elif isinstance(tally, PeriodTally):
            starts = Values("time", tally.starts)
            binning = binning_of_moments(starts)
            tallies[name] = _regrouped(binning, starts, tally)
        else:
            tallies[name] = tally
            binning = tally.binning if isinstance(tally, BinTally) else None
        plans[name] = plan._replace(binning=binning)
    return Counted(counted.groups, counted.rows, plans, tallies)


def _regrouped(binning: Binning, places: Values, tally: CellTally | PeriodTally) -> BinTally:
    found = BinTally(binning, len(tally.missing))
    np.add.at(found.counts.T, binning.codes(places), tally.counts.T)
    found.missing = tally.missing
    return found
