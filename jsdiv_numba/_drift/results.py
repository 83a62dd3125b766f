"""What a comparison finds, column by column."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .values import Array

FORMAT, VERSION = "jsdiv drift", 1

FIELDS = (
    *("column", "kind", "drift", "absent"),
    *("divergence", "distance", "estimate", "low", "high", "undersampled", "p", "q"),
    *("n_reference", "n_current", "missing_reference", "missing_current", "missing_p", "missing_q"),
    *("new", "vanished", "bins", "note"),
)
"""What a table of results has of each column."""


@dataclass(frozen=True, eq=False)
class ColumnBins:
    """The bins or categories of a column, and how many values either sample has in each.

    Parameters
    ----------
    labels : tuple of str
        What they are called: intervals, values, or categories from the commonest on.
    lower, upper : ndarray of float, optional
        The edges of an ordered column: values from `lower` on and below `upper`, both
        infinite where there is no end; equal for a value that stands alone. NaN for the
        rest. Of times, None.
    reference, current : ndarray of int
        How many values there are.
    contributions : ndarray of float
        What each adds to the divergence.
    rest : int
        How many categories the last one stands for; 0 where it is an ordinary one.
    """

    labels: tuple[str, ...]
    lower: Array | None
    upper: Array | None
    reference: Array
    current: Array
    contributions: Array
    rest: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shares(self) -> tuple[Array, Array]:
        """The share of the values that each has, of the reference and of the current sample."""
        return _shares(self.reference), _shares(self.current)

    def largest(self, number: int) -> list[int]:
        """Return the indices of those that add most to the divergence, from the largest on."""
        order = np.argsort(-self.contributions, kind="stable")
        return [int(k) for k in order[:number] if self.contributions[k] > 0]


def _shares(counts: Array) -> Array:
    shares: Array = counts / max(int(counts.sum()), 1)
    return shares


@dataclass(frozen=True, eq=False)
class ColumnDrift:
    """What differs between two samples of a column.

    Parameters
    ----------
    column : str
        Its name.
    kind : str
        As what it is compared: boolean, integer, float, time, clock or text; ``"empty"``
        where no value is there, and ``"other"`` for nested values, which are not compared.
    how : str
        What the bins are, in words.
    divergence : float
        Jensen-Shannon divergence of the values that are there.
    estimate, low, high : float
        The divergence less what chance makes of it, and a confidence interval.
    undersampled : bool
        Whether there are too few values for the interval to be trusted.
    p, q : float
        The p-value, and the same after Benjamini and Hochberg, over all columns.
    n_reference, n_current : int
        How many values are there.
    missing_reference, missing_current : float
        The share of the rows that have none.
    missing_estimate, missing_p, missing_q : float
        The same test of values that are missing against those that are there; NaN where none
        is missing.
    new, vanished : tuple of str
        Categories of the current sample alone, and of the reference alone.
    absent : str
        ``"reference"`` or ``"current"`` where that has no such column, else empty.
    bins : ColumnBins
        Counts.
    note : str
        What else there is to know.
    level, floor : float
        See `drift`.
    """

    column: str
    kind: str
    how: str
    divergence: float
    estimate: float
    low: float
    high: float
    undersampled: bool
    p: float
    q: float
    n_reference: int
    n_current: int
    missing_reference: float
    missing_current: float
    missing_estimate: float
    missing_p: float
    missing_q: float
    new: tuple[str, ...]
    vanished: tuple[str, ...]
    absent: str
    bins: ColumnBins
    note: str
    level: float
    floor: float

    @property
    def distance(self) -> float:
        """The Jensen-Shannon distance, the square root of the divergence."""
        return math.sqrt(self.divergence)

    @property
    def drift(self) -> bool:
        """Whether values or missing ones differ: q up to `level`, the estimate above `floor`."""
        return self.values_drift or self.missing_drift

    @property
    def values_drift(self) -> bool:
        """Whether the values that are there differ."""
        return self.q <= self.level and self.estimate > self.floor

    @property
    def missing_drift(self) -> bool:
        """Whether it differs how many are missing."""
        return self.missing_q <= self.level and self.missing_estimate > self.floor

    def value(self, field: str) -> Any:
        """Return a field of `FIELDS`, categories and bins by their number."""
        found = getattr(self, field)
        return len(found) if field in ("new", "vanished", "bins") else found

    def to_dict(self) -> dict[str, Any]:
        """Return everything as Python's numbers, text and lists, None for NaN."""
        bins = self.bins
        whole: dict[str, Any] = {field: _plain(self.value(field)) for field in FIELDS}
        whole["how"] = self.how
        whole["missing_estimate"] = _plain(self.missing_estimate)
        whole["new"], whole["vanished"] = list(self.new), list(self.vanished)
        whole["bins"] = {
            "labels": list(bins.labels),
            "lower": None if bins.lower is None else list(map(_plain, bins.lower)),
            "upper": None if bins.upper is None else list(map(_plain, bins.upper)),
            "reference": bins.reference.tolist(),
            "current": bins.current.tolist(),
            "contributions": list(map(_plain, bins.contributions)),
            "rest": bins.rest,
        }
        return whole


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: infinite ones as text, and None for NaN."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """A sequence of columns, with names; `DriftResult` says what it has."""

    columns: tuple[ColumnDrift, ...]
    rows_reference: int
    rows_current: int
    level: float
    floor: float
    unit: str
    confidence_level: float
    reference: str = "reference"
    current: str = "current"

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[ColumnDrift]:
        return iter(self.columns)

    def __getitem__(self, name: str | int) -> ColumnDrift:
        if isinstance(name, str):
            for column in self.columns:
                if column.column == name:
                    return column
            raise KeyError(name)
        return self.columns[name]

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The columns that are flagged, from the largest estimate on."""
        return tuple(column for column in self.ranked if column.drift)

    @property
    def absent(self) -> tuple[ColumnDrift, ...]:
        """The columns that one of the tables lacks."""
        return tuple(column for column in self.columns if column.absent)

    @property
    def ranked(self) -> tuple[ColumnDrift, ...]:
        """All columns: flagged ones, those that one table lacks, others; by estimate in each."""

        def rank(column: ColumnDrift) -> tuple[bool, bool, float]:
            largest = np.fmax(column.estimate, column.missing_estimate)
            return not column.drift, not column.absent, -float(np.nan_to_num(largest, nan=-1.0))

        return tuple(sorted(self.columns, key=rank))

    @property
    def summary(self) -> str:
        """One sentence: how many columns, and which."""
        return summarised(self)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as Python's numbers, text and lists."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "reference": self.reference,
            "current": self.current,
            "rows_reference": self.rows_reference,
            "rows_current": self.rows_current,
            "level": self.level,
            "floor": self.floor,
            "unit": self.unit,
            "confidence_level": self.confidence_level,
            "drifted": [column.column for column in self.drifted],
            "absent": [column.column for column in self.absent],
            "columns": [column.to_dict() for column in self.columns],
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)


def records(result: Findings) -> dict[str, list[Any]]:
    """Return a table of results, column by column."""
    return {field: [column.value(field) for column in result.columns] for field in FIELDS}


def summarised(result: Findings) -> str:
    """Return one sentence: how many columns differ, and which."""
    drifted, absent, total = result.drifted, result.absent, len(result)
    noun = "column" if total == 1 else "columns"
    if drifted:
        text = f"{len(drifted)} of {total} {noun} drifted: {listed([c.column for c in drifted])}"
    else:
        text = f"None of {total} {noun} drifted"
    if absent:
        places = {"reference": result.current, "current": result.reference}
        for side, place in places.items():
            names = [c.column for c in absent if c.absent == side]
            if names:
                text += f"; only in {place}: {listed(names)}"
    return text


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return some names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


@dataclass(frozen=True, eq=False, repr=False)
class SeriesOfFindings:
    """Comparisons of several periods or groups, in their order.

    Parameters
    ----------
    by : str
        What rows are grouped by.
    groups : tuple of str
        The names of the groups.
    results : tuple of Findings
        What differs in each.
    """

    by: str
    groups: tuple[str, ...]
    results: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __getitem__(self, name: str | int) -> Any:
        if isinstance(name, str):
            if name not in self.groups:
                raise KeyError(name)
            return self.results[self.groups.index(name)]
        return self.results[name]

    @property
    def drifted(self) -> tuple[str, ...]:
        """The groups in which a column is flagged."""
        found = zip(self.groups, self.results, strict=True)
        return tuple(group for group, result in found if result.drifted)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as Python's numbers, text and lists."""
        found = zip(self.groups, self.results, strict=True)
        return {
            "format": FORMAT,
            "version": VERSION,
            "by": self.by,
            "drifted": list(self.drifted),
            "groups": [{"group": group, **result.to_dict()} for group, result in found],
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)
