"""Conditions on columns, as text: ``q<0.01,divergence>0.02``."""

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from .results import FIELDS, ColumnDrift

TEXTS = {"column", "kind", "note"}
"""Fields that are no numbers."""

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_CLAUSE = re.compile(r"(\w+)\s*(?:(<=|>=|==|!=|<|>)\s*(\S+))?")


class Clause(NamedTuple):
    """One comparison."""

    field: str
    compare: Callable[[Any, Any], bool]
    bound: float

    def holds(self, column: ColumnDrift) -> bool:
        """Return whether it holds of a column; of what is NaN, none does."""
        value = column.value(self.field)
        value = float(bool(value) if isinstance(value, str) else value)
        return not math.isnan(value) and self.compare(value, self.bound)


class Condition(NamedTuple):
    """Comparisons that all have to hold of one column."""

    text: str
    clauses: tuple[Clause, ...]

    def failing(self, columns: Iterable[ColumnDrift]) -> list[ColumnDrift]:
        """Return the columns of which it holds."""
        return [c for c in columns if all(clause.holds(c) for clause in self.clauses)]


def condition(text: str) -> Condition:
    """Return a condition: comparisons of fields with numbers, with commas between them.

    Raises `ValueError` if it is none.

    Examples
    --------
    >>> condition("drift").clauses[0].field
    'drift'
    >>> condition("q<0.01, size>3")
    Traceback (most recent call last):
        ...
    ValueError: 'size>3': no field 'size'; there are drift, absent, divergence, distance, ...
    """
    return Condition(text, tuple(_clause(part.strip()) for part in text.split(",")))


def _clause(text: str) -> Clause:
    found = _CLAUSE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r}: no comparison such as q<0.01")
    field, sign, bound = found.groups()
    fields: Sequence[str] = [name for name in FIELDS if name not in TEXTS]
    if field not in fields:
        raise ValueError(f"{text!r}: no field {field!r}; there are {', '.join(fields)}")
    if sign is None:
        return Clause(field, operator.ne, 0.0)
    try:
        number = float(bound)
    except ValueError:
        number = math.nan
    # With NaN every comparison but != would be false, and the condition never hold.
    if math.isnan(number):
        raise ValueError(f"{text!r}: {bound!r} is no number")
    return Clause(field, _COMPARISONS[sign], number)
