"""Columns and rows that are the sum of the others, as people add them to a table."""

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.format import shown

_PATTERN = (
    r"\s*(?:(?:row|column|grand|sub|over)[\s_-]?)?"
    r"(?:totals?|sums?|all|summe|gesamt|insgesamt|totaal|totale?s?|somme|suma|итого|всего|合计|总计|総計|合計)"
    r"(?:[\s_-](?:counts?|reads|n|sum|population|number))?\s*"
)
_NAME = re.compile(_PATTERN, re.IGNORECASE)
_SHOWN = 40
_TOLERANCE = 1e-9
_FEWEST = 3


def is_total(name: str) -> bool:
    """Return whether a name says that something is the sum of others.

    Examples
    --------
    >>> [is_total(name) for name in ("Total", "row_sum", "Insgesamt", "totally")]
    [True, True, True, False]
    """
    return _NAME.fullmatch(name) is not None


def _is_half(values: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.bool]:
    """Return where a value is the sum of the others: half of the sum of all."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(2 * values - whole) <= _TOLERANCE * whole)


class Totals:
    """What tells, at the end of a table, whether a column or a row is the sum of the others.

    `names` are the headings of the columns of values. `transposed` says whether rows are the
    categories.
    """

    def __init__(self, source: str, names: Sequence[str] | None, *, transposed: bool) -> None:
        self.source, self.names, self.transposed = source, names, transposed
        self.count = 0
        self.columns: NDArray[np.intp] | None = None
        self.first = self.last = self.sums = np.empty(0)
        self.labels: list[str] = []
        self.ends: list[str] = []

    def see(self, values: NDArray[np.floating[Any]], labels: Any) -> None:
        """Take in the next rows, with their labels as an Arrow array or None."""
        if not len(values):
            return
        values = np.asarray(values, np.float64)
        if self.columns is None:
            self.columns, self.first = np.arange(values.shape[1]), values[0].copy()
            self.sums = np.zeros(values.shape[1])
        if self.columns.size:
            whole = values.sum(axis=1, keepdims=True)
            equal = _is_half(values[:, self.columns], whole)
            self.columns = self.columns[equal.all(axis=0)]
        self.sums += values.sum(axis=0)
        self.last = values[-1].copy()
        self.count += len(values)
        if labels is not None:
            self._see_labels(labels)

    def _see_labels(self, labels: Any) -> None:
        self.ends = [self.ends[0] if self.ends else labels[0].as_py(), labels[-1].as_py()]
        from pyarrow import compute

        totals = compute.match_substring_regex(labels, f"^(?:{_PATTERN})$", ignore_case=True)
        found = compute.unique(labels.filter(totals)).to_pylist()
        self.labels = list(dict.fromkeys([*self.labels, *found]))

    def judge(self, *, columns: bool, rows: bool) -> None:
        """Raise or warn of a total; the arguments say which of them may be left out."""
        if self.columns is None:
            return
        if columns:
            self._judge_columns(self.columns.tolist())
        if rows:
            self._judge_rows()

    @property
    def _many(self) -> bool:
        """Whether there is so much of the table that a sum is no accident."""
        return min(self.count, self.sums.size) >= _FEWEST

    def _judge_columns(self, sums: Sequence[int]) -> None:
        for j, name in enumerate(self.names or ()):
            if is_total(name):
                called = f"column {name!r}"
                self._say(called, j in sums, True, not self.transposed, f"--exclude {name!r}")
        for j in sums:
            named = self.names is not None and self.names[j]
            if self._many and not (named and is_total(named)):
                called = f"column {named!r}" if named else f"column of values {j + 1}"
                self._say(
                    called,
                    True,
                    False,
                    not self.transposed,
                    f"--exclude {named!r}" if named else "--exclude",
                )

    def _judge_rows(self) -> None:
        found = [
            place
            for place, row in ((0, self.first), (1, self.last))
            if np.all(_is_half(row, self.sums))
        ]
        for label in self.labels:
            equal = any(self.ends[place] == label for place in found)
            cure = f"--exclude-rows {label!r}"
            self._say(f"row {shown(label, _SHOWN)!r}", equal, True, self.transposed, cure)
        for place in found if self._many else ():
            named = self.ends[place] if self.ends else None
            if named is None or not is_total(named):
                called = f"the {('first', 'last')[place]} row"
                called += f", {shown(named, _SHOWN)!r}," if named is not None else ""
                self._say(called, True, False, self.transposed, "--exclude-rows")

    def _say(self, called: str, equal: bool, named: bool, category: bool, cure: str) -> None:
        """Say what is found of a total, as an error if it would be a category of that name."""
        finding = (
            f"{self.source}: {called} is the sum of the others"
            if equal
            else (f"{self.source}: {called} is called as if it were the sum of the others")
        )
        use = "a category" if category else "a distribution"
        if equal and named and category:
            keep = "--columns with all that you want" if not self.transposed else "another name"
            raise FileError(f"{finding}; {cure} leaves it out, {keep} keeps it")
        warnings.warn(f"{finding}, and is {use}; {cure} leaves it out", TableWarning, stacklevel=2)
