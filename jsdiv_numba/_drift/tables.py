"""Tables, as far as drift needs them: names of columns, and their values in batches of rows."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .arrays import values_of_array
from .values import Values

Batch = Mapping[str, Values]
"""Values of the same rows, by the name of their column."""

ROWS = 1 << 17
"""Rows of a table in memory that are looked at together."""


class ColumnsChanged(Exception):  # noqa: N818  # it is no error: the reading begins again
    """A column turned out to be of another kind than its first rows."""


class Table(ABC):
    """What is compared."""

    @property
    @abstractmethod
    def columns(self) -> Sequence[str]:
        """The names of the columns."""

    @property
    def taken_for(self) -> Mapping[str, str]:
        """What columns were taken for, where that is not certain from the start."""
        return {}

    def take_for(self, kinds: Mapping[str, str]) -> None:
        """Take columns for what an earlier run took them for."""
        if kinds:
            raise TypeError("what columns are is certain here")

    @abstractmethod
    def batches(self, columns: Sequence[str], start: int = 0) -> Generator[Batch, None, None]:
        """Yield the values of some columns from some row on, always in the same order.

        Raises
        ------
        ColumnsChanged
            If all has to be read again.
        """


@dataclass(frozen=True)
class TableInMemory(Table):
    """Columns that are in memory, as values."""

    values: Mapping[str, Values]

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        return tuple(self.values)

    def batches(self, columns: Sequence[str], start: int = 0) -> Generator[Batch, None, None]:
        """Yield some rows of some columns at a time."""
        rows = max((values.size for values in self.values.values()), default=0)
        for first in range(start, rows, ROWS):
            part = slice(first, first + ROWS)
            yield {name: self.values[name].take(part) for name in columns}


def table_of_arrays(name: str, columns: Mapping[Any, Any]) -> TableInMemory:
    """Return a mapping of one-dimensional arrays, or of what NumPy makes them of, as a table."""
    found: dict[str, Values] = {}
    for key, column in columns.items():
        heading = str(key)
        if heading in found:
            raise ValueError(f"{name} has two columns {heading!r}")
        found[heading] = _values(f"{name}[{key!r}]", column)
    check_lengths(name, found)
    return TableInMemory(found)


def _values(place: str, column: Any) -> Values:
    shape = getattr(column, "shape", None)
    if isinstance(column, str | bytes) or not hasattr(column, "__len__"):
        raise TypeError(f"{place} is {column!r}; it must be a column: an array or a list")
    if shape is not None and len(shape) != 1:
        raise ValueError(f"{place} has shape {tuple(shape)}; a column must be 1-d")
    return values_of_array(column)


def check_lengths(name: str, columns: Mapping[str, Values]) -> None:
    """Raise if not all columns have as many rows."""
    first = next(iter(columns), None)
    for heading, values in columns.items():
        if first is not None and values.size != columns[first].size:
            raise ValueError(
                f"{name}[{heading!r}] has length {values.size}, but {name}[{first!r}] has "
                f"{columns[first].size}"
            )
