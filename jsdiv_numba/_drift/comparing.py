"""From counts to what differs: tests of every column in every pair of samples."""

import math
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..divergence import js_divergence
from ..stats import js_test
from .binning import FEW_VALUES
from .counting import ColumnPlan, Counted
from .results import ColumnBins, ColumnDrift
from .tally import BinTally, CategoryTally, Tally
from .values import ZONED, Array

OTHERS = "{:,} other categories"
IDENTIFIER = 0.9
"""So large a share of different values is noted."""


class Settings(NamedTuple):
    """What is asked for, checked."""

    categories: int
    level: float
    floor: float
    estimator: str
    confidence_level: float
    base: float | None
    workers: int | None


class Pair(NamedTuple):
    """Two samples that are compared, by their index."""

    reference: int
    current: int


class Categories(NamedTuple):
    """The bins or categories of a column, and the counts of all samples."""

    labels: tuple[str, ...]
    counts: Array
    lower: Array | None = None
    upper: Array | None = None
    rest: int = 0


class Tested(NamedTuple):
    """The test of one column, an entry for each pair."""

    statistic: Any
    estimate: Any
    low: Any
    high: Any
    undersampled: Any
    pvalue: Any


def compared(
    counted: Counted, pairs: Sequence[Pair], settings: Settings
) -> list[list[ColumnDrift]]:
    """Return what differs between the samples of each pair, column by column."""
    columns = {
        name: categories_of(tally, counted.plans[name].kind, settings.categories)
        for name, tally in counted.tallies.items()
    }
    values = {
        name: outcome_of(found.counts, pairs, settings, only_both=False)
        for name, found in columns.items()
    }
    missing = {
        name: outcome_of(
            _missing_or_not(tally, counted.plans[name].kind), pairs, settings, only_both=True
        )
        for name, tally in counted.tallies.items()
    }
    q = adjusted([values[name].pvalue for name in columns])
    missing_q = adjusted([missing[name].pvalue for name in columns])
    return [
        [
            _column(
                name,
                counted,
                columns[name],
                pair,
                settings,
                _Numbers(_at(values[name], k), _at(missing[name], k), q[c][k], missing_q[c][k]),
            )
            for c, name in enumerate(columns)
        ]
        for k, pair in enumerate(pairs)
    ]


class _Numbers(NamedTuple):
    values: Tested
    missing: Tested
    q: float
    missing_q: float


def _at(found: Tested, k: int) -> Tested:
    return Tested(
        found.statistic[k],
        found.estimate[k],
        found.low[k],
        found.high[k],
        found.undersampled[k],
        found.pvalue[k],
    )


def categories_of(tally: Tally, kind: str, most: int) -> Categories:
    """Return what was counted: all bins with values, or the commonest categories and the rest.

    Which categories are kept depends on the totals of all samples alone, so the test, which
    takes the totals as given, stays what it is.
    """
    if isinstance(tally, BinTally):
        binning = tally.binning
        used = np.flatnonzero(tally.counts.any(axis=0))
        labels = tuple(binning.labels[int(k)] for k in used)
        if kind in ("time", "clock"):
            return Categories(labels, tally.counts[:, used])
        return Categories(labels, tally.counts[:, used], binning.lower[used], binning.upper[used])
    names = tally.categories
    counts = tally.counts[:, : len(names)]
    totals = counts.sum(axis=0)
    order = sorted(np.flatnonzero(totals), key=lambda k: (-totals[k], names[k]))
    kept, dropped = _split(order, totals, names, most)
    if len(dropped) == 1 and not tally.folded:
        kept, dropped = order, []
    rest = tally.rest + counts[:, dropped].sum(axis=1)
    labels = tuple(names[k] for k in kept)
    if not rest.any():
        return Categories(labels, counts[:, kept])
    label = "all other categories" if tally.folded else OTHERS.format(len(dropped))
    with_rest = np.column_stack([counts[:, kept], rest])
    return Categories((*labels, label), with_rest, rest=max(len(dropped), 1))


def _split(
    order: list[Any], totals: Array, names: Sequence[str], most: int
) -> tuple[list[Any], list[Any]]:
    """Return the commonest categories, and the others.

    Of those that are as common as the last one, a hash takes some: names may tell samples apart,
    as numbers that are given one after the other do.
    """
    if len(order) <= most:
        return order, []
    last = totals[order[most - 1]]
    equal = [k for k in order if totals[k] == last]
    begin = order.index(equal[0])
    equal.sort(key=lambda k: (zlib.crc32(names[k].encode("utf-8", "surrogatepass")), names[k]))
    order = [*order[:begin], *equal, *order[begin + len(equal) :]]
    return order[:most], order[most:]


def _missing_or_not(tally: Tally, kind: str) -> Array:
    """Return how many values are there and how many are not; of nested ones, nobody asks."""
    counts = np.column_stack([_there(tally), tally.missing])
    return np.zeros_like(counts) if kind == "other" else counts


def _there(tally: Tally) -> Array:
    there: Array = tally.counts.sum(axis=1)
    return there + tally.rest if isinstance(tally, CategoryTally) else there


def outcome_of(
    counts: Array, pairs: Sequence[Pair], settings: Settings, *, only_both: bool
) -> Tested:
    """Test one column in each pair; NaN where a sample has no values.

    Parameters
    ----------
    counts : ndarray of int, shape (samples, bins)
        Counts.
    pairs : sequence of Pair
        What is compared.
    settings : Settings
        How.
    only_both : bool
        Whether a pair without anything in the last bin is not tested.
    """
    x, y = (counts[[pair[side] for pair in pairs]] for side in (0, 1))
    possible = (x.sum(axis=1) > 0) & (y.sum(axis=1) > 0)
    if only_both:
        possible &= (x[:, -1] > 0) | (y[:, -1] > 0)
    statistic, estimate, low, high, pvalue = np.full((5, len(pairs)), np.nan)
    undersampled = np.zeros(len(pairs), bool)
    found = Tested(statistic, estimate, low, high, undersampled, pvalue)
    if not possible.any():
        return found
    x, y = x[possible], y[possible]
    used = (x + y).any(axis=0)
    result = js_test(
        x[:, used],
        y[:, used],
        estimator=settings.estimator,
        base=settings.base,
        workers=settings.workers,
    )
    interval = result.confidence_interval(settings.confidence_level)
    parts = (
        *(result.statistic, result.estimate, interval.low, interval.high),
        *(result.undersampled, result.pvalue),
    )
    for target, part in zip(found, parts, strict=True):
        target[possible] = part
    return found


def adjusted(pvalues: Sequence[Array]) -> Array:
    """Return p-values of many tests after Benjamini and Hochberg; NaN is no test."""
    p = np.array(pvalues, np.float64).reshape(len(pvalues), -1)
    q = np.full(p.shape, np.nan)
    there = ~np.isnan(p)
    if there.any():
        from scipy.stats import false_discovery_control

        q[there] = false_discovery_control(np.clip(p[there], 0.0, 1.0))
    return q


def _column(
    name: str,
    counted: Counted,
    found: Categories,
    pair: Pair,
    settings: Settings,
    numbers: _Numbers,
) -> ColumnDrift:
    plan, tally = counted.plans[name], counted.tallies[name]
    absent = "reference" if plan.kinds[0] is None else "current" if plan.kinds[1] is None else ""
    n = _there(tally)[list(pair)]
    rows = counted.rows[list(pair)]
    x, y = found.counts[pair.reference], found.counts[pair.current]
    new, vanished = _only_in_one(tally, pair)
    values, missing = numbers.values, numbers.missing
    nothing = plan.kind == "other"
    shares = [
        math.nan if nothing or not total or absent == side else float(gone / total)
        for gone, total, side in zip(
            tally.missing[list(pair)], rows, ("reference", "current"), strict=True
        )
    ]
    return ColumnDrift(
        column=name,
        kind=plan.kind,
        how=_how(plan, found),
        divergence=float(values.statistic),
        estimate=float(values.estimate),
        low=float(values.low),
        high=float(values.high),
        undersampled=bool(values.undersampled),
        p=float(values.pvalue),
        q=float(numbers.q),
        n_reference=int(n[0]),
        n_current=int(n[1]),
        missing_reference=shares[0],
        missing_current=shares[1],
        missing_estimate=math.nan if nothing or absent else float(missing.estimate),
        missing_p=math.nan if nothing or absent else float(missing.pvalue),
        missing_q=math.nan if nothing or absent else float(numbers.missing_q),
        new=new if not absent else (),
        vanished=vanished if not absent else (),
        absent=absent,
        bins=_bins(found, x, y, settings),
        note=_note(plan, tally, found, n, absent),
        level=settings.level,
        floor=settings.floor,
    )


def _bins(found: Categories, x: Array, y: Array, settings: Settings) -> ColumnBins:
    p, q = (counts / max(int(counts.sum()), 1) for counts in (x, y))
    both = x.any() and y.any()
    terms = js_divergence(p, q, base=settings.base, reduce=False) if both else np.zeros(len(x))
    return ColumnBins(found.labels, found.lower, found.upper, x, y, terms, found.rest)


def _only_in_one(tally: Tally, pair: Pair) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the categories of the current sample alone, and those of the reference alone."""
    if isinstance(tally, CategoryTally):
        names, counts = tally.categories, tally.counts[:, : len(tally.index)]
    else:
        named = list(tally.binning.named)
        names, counts = [tally.binning.labels[k] for k in named], tally.counts[:, named]
    x, y = (counts[k] for k in pair)
    new = sorted(np.flatnonzero((x == 0) & (y > 0)), key=lambda k: (-y[k], names[k]))
    vanished = sorted(np.flatnonzero((x > 0) & (y == 0)), key=lambda k: (-x[k], names[k]))
    return tuple(names[k] for k in new), tuple(names[k] for k in vanished)


def _how(plan: ColumnPlan, found: Categories) -> str:
    if plan.kind == "other":
        return "not compared"
    if plan.binning is not None:
        return plan.binning.how
    number = len(found.labels)
    if found.rest:
        return f"{number - 1:,} categories and a rest" if number > 1 else "not compared by value"
    return "1 category" if number == 1 else f"{number:,} categories" if number else "no values"


_SIDES = "the reference", "the current table"


def _note(plan: ColumnPlan, tally: Tally, found: Categories, n: Array, absent: str) -> str:
    if absent:
        return f"only in {_SIDES[absent == 'reference']}"
    first, second = plan.kinds
    if plan.kind == "other":
        if "other" in (first, second):
            return "not compared: no numbers, times or text"
        return f"not compared: {first} in the reference, {second} now, and only counts of one"
    notes = []
    if first != second and "empty" not in (first, second) and "float" not in (plan.kind,):
        how = "if both were in UTC" if {first, second} == {"time", ZONED} else plan.kind
        notes.append(f"{first} in the reference, {second} now: compared as {how}")
    if not n.all():
        where = "both tables" if not n.any() else _SIDES[int(n.argmin())]
        notes.append(f"no values in {where}")
    elif len(found.labels) == 1 and not found.rest:
        notes.append("a single value in both")
    if isinstance(tally, CategoryTally):
        total, number = int(n.sum()), len(tally.index)
        if tally.folded:
            notes.append(tally.folded)
        elif number > max(IDENTIFIER * total, FEW_VALUES):
            notes.append("nearly every value is different: an identifier?")
    return "; ".join(notes)
