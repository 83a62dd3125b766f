"""Rows by the value of a column, or by the period of a moment: ``month(date)``."""

import re
from collections.abc import Sequence

import numpy as np

from .periods import PERIODS, period_label, period_of
from .tables import Batch
from .values import Array, Values, written

MOST_GROUPS = 1000
MISSING = "missing"
Key = int | float | str | None
"""A value or the number of a period, or None for what is missing."""

_CALL = re.compile(rf"({'|'.join(PERIODS)})\((.+)\)")


class Grouping:
    """Which group a row is of.

    Parameters
    ----------
    by : str
        A column, or a period of one.
    columns : sequence of str
        The columns that there are.
    source : str
        What has them, for errors.
    """

    def __init__(self, by: str, columns: Sequence[str], source: str) -> None:
        if not isinstance(by, str):
            raise TypeError(f"by is {by!r}; it must be the name of a column, or 'month(date)'")
        found = None if by in columns else _CALL.fullmatch(by)
        self.by, self.source = by, source
        self.period: str | None = found[1] if found else None
        self.column: str = found[2] if found else by
        if self.column not in columns:
            raise ValueError(
                f"by is {by!r}; {source} has no column {self.column!r}, its columns: "
                f"{', '.join(map(repr, columns[:5]))}{', …' if len(columns) > 5 else ''}"
            )
        self.keys: dict[Key, int] = {}
        self.kind = "empty"

    def see(self, batch: Batch) -> None:
        """Take note of the groups that come."""
        keys, _ = self._keys(batch[self.column])
        for key in keys:
            self.keys.setdefault(key, 0)
        if len(self.keys) > MOST_GROUPS:
            raise ValueError(
                f"by is {self.by!r}, of which {self.source} has more than {MOST_GROUPS:,} groups; "
                "name a column with fewer values, or a period: 'month(date)'"
            )

    def forget(self) -> None:
        """Begin again."""
        self.keys.clear()

    def settle(self) -> list[str]:
        """Return the names of the groups, in order; numbers and periods come as such."""
        numbers = sorted(k for k in self.keys if isinstance(k, int | float))
        names = sorted(k for k in self.keys if isinstance(k, str))
        gone = [None] if None in self.keys else []
        ordered: list[Key] = [*numbers, *names, *gone]
        self.keys = {key: k for k, key in enumerate(ordered)}
        return [self._label(key) for key in ordered]

    def codes(self, batch: Batch) -> Array:
        """Return the group of each row."""
        keys, inverse = self._keys(batch[self.column])
        return np.array([self.keys[key] for key in keys], np.intp)[inverse]

    def _label(self, key: Key) -> str:
        if key is None:
            return MISSING
        if isinstance(key, str):
            return key
        if self.period:
            return period_label(int(key), self.period)
        return written(key, self.kind)

    def _keys(self, values: Values) -> tuple[list[Key], Array]:
        """Return the different keys of values, and which of them each value has."""
        if self.period and values.kind not in ("time", "empty"):
            raise ValueError(
                f"by is {self.by!r}; column {self.column!r} of {self.source} holds no dates, but "
                f"{values.kind}"
            )
        if values.kind == "other":
            raise ValueError(
                f"by is {self.by!r}; column {self.column!r} of {self.source} holds no numbers, "
                "times or text"
            )
        missing = values.missing
        if values.kind == "empty":
            return [None], np.zeros(values.size, np.intp)
        if values.kind in ("text", "boolean"):
            names: list[Key] = [*values.categories, None]
            codes = np.where(missing, len(names) - 1, values.data)
            # A dictionary may have what no row has.
            used, inverse = np.unique(codes, return_inverse=True)
            return [names[int(code)] for code in used], inverse
        self.kind = values.kind
        data = period_of(values.data, self.period) if self.period else values.data
        found, inverse = np.unique(data[~missing], return_inverse=True)
        codes = np.full(values.size, len(found), np.intp)
        codes[~missing] = inverse
        return [*found.tolist(), *([None] if missing.any() else [])], codes
