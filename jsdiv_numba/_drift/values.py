"""Some values of a column, in one of a few kinds, and which of them are missing."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

KINDS = ("empty", "boolean", "integer", "float", "time", "clock", "text", "other")
"""`time` is a date or a moment, `clock` a time of day; `other` is not compared."""

ZONED = "time with a zone"
"""What times are found to be that are in UTC; others are of a zone that nobody knows."""

BOOLEANS = ("False", "True")
_NUMBERS = {"boolean": 0, "integer": 1, "float": 2}


class Values(NamedTuple):
    """Values of one kind.

    `data` is float64 with NaN for what is missing; int64, in microseconds where it is a time,
    with `present`; or, of text and booleans, indices into `categories`, -1 for what is missing.
    `zoned` says of times whether they had a time zone, and are now in UTC.
    """

    kind: str
    data: Array
    present: Array | None = None
    categories: Sequence[str] = ()
    zoned: bool = False

    def take(self, rows: Any) -> "Values":
        """Return the values of some rows."""
        present = None if self.present is None else self.present[rows]
        return self._replace(data=self.data[rows], present=present)

    @property
    def size(self) -> int:
        """How many there are, with the missing ones."""
        return len(self.data)

    @property
    def kind_found(self) -> str:
        """The kind, which may be `ZONED`; that of nothing where all are missing."""
        first = self.size and self.take(slice(1)).missing[0]
        if first and self.kind != "other" and self.missing.all():
            return "empty"
        return ZONED if self.zoned else self.kind

    @property
    def missing(self) -> Array:
        """Which are missing."""
        if self.kind in ("empty", "other"):
            return np.ones(len(self.data), bool)
        if self.kind == "float":
            return np.isnan(self.data)
        if self.kind in ("text", "boolean"):
            return self.data < 0
        return np.zeros(len(self.data), bool) if self.present is None else ~self.present


def empty(size: int, kind: str = "empty") -> Values:
    """Return values that are all missing, or are not compared."""
    return Values(kind, np.empty(size, np.int8))


def common_kind(kinds: Iterable[str]) -> str:
    """Return the kind in which values of several kinds are compared.

    Examples
    --------
    >>> common_kind({"integer", "empty"}), common_kind({"integer", "float"})
    ('integer', 'float')
    >>> common_kind({"integer", "text"}), common_kind({"text", "other"})
    ('text', 'other')
    """
    found = {"time" if kind == ZONED else kind for kind in kinds} - {"empty"}
    if len(found) < 2:
        return next(iter(found), "empty")
    if "other" in found:
        return "other"
    if found <= _NUMBERS.keys():
        return max(found, key=_NUMBERS.__getitem__)
    return "text"


def converted(values: Values, kind: str) -> Values:
    """Return values as another kind, as `common_kind` says."""
    if values.kind == kind:
        return values
    if kind in ("empty", "other"):
        return empty(values.size, kind)
    if kind in ("text", "boolean"):
        return _as_text(values, kind)
    missing = values.missing
    if kind == "float":
        data = np.full(values.size, np.nan)
        data[~missing] = values.data[~missing]
        return Values(kind, data)
    data = np.zeros(values.size, np.int64)
    data[~missing] = values.data[~missing]
    return Values(kind, data, ~missing)


def _as_text(values: Values, kind: str) -> Values:
    if values.kind == "boolean":
        return values._replace(kind=kind)
    missing = values.missing
    distinct, codes = np.unique(values.data[~missing], return_inverse=True)
    data = np.full(values.size, -1, np.intp)
    data[~missing] = codes
    return Values(kind, data, None, [written(value, values.kind) for value in distinct])


def written(value: Any, kind: str) -> str:
    """Return a value as text that names it.

    Examples
    --------
    >>> written(2.0, "float"), written(86_400_000_000, "time"), written(3_600_000_000, "clock")
    ('2', '1970-01-02', '01:00:00')
    """
    if kind == "float":
        return f"{value:.17g}" if float(f"{value:.15g}") != value else f"{value:.15g}"
    if kind == "time":
        text = str(np.datetime64(int(value), "us"))
        return text.removesuffix(".000000").removesuffix("T00:00:00")
    if kind == "clock":
        text = str(np.datetime64(int(value), "us")).partition("T")[2]
        return text.removesuffix(".000000")
    return str(value)


def joined(parts: Sequence[Values], kind: str) -> Values:
    """Return the values of several parts after one another, as one kind."""
    parts = [converted(part, kind) for part in parts]
    if not parts:
        return empty(0, kind) if kind in ("empty", "other") else converted(empty(0), kind)
    if kind not in ("text", "boolean"):
        present = None
        if kind in ("integer", "time", "clock"):
            present = np.concatenate([~part.missing for part in parts])
        return Values(kind, np.concatenate([part.data for part in parts]), present)
    index: dict[str, int] = {}
    data = []
    for part in parts:
        code = np.array([index.setdefault(name, len(index)) for name in part.categories], np.intp)
        data.append(np.append(code, -1)[part.data])
    return Values(kind, np.concatenate(data), None, list(index))
