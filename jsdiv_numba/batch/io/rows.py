"""The rows of a file: values, labels, and the rule that each row is a distribution."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError

ROW = "row"
"""The heading of rows that have none."""

ZERO_ROW = "every value is 0; a row needs a positive sum to be a distribution"


@dataclass(frozen=True)
class Reading:
    """What a file was taken for."""

    source: str  # the file, as the user named it
    header: bool  # whether its columns have names
    labels: tuple[str, ...]  # what labels its rows, as it is told
    columns: tuple[int, str, str]  # how many columns hold values, the first of them, and the last
    notes: tuple[str, ...] = ()  # what else there is to say
    transposed: bool = False

    @property
    def row_names(self) -> bool:
        """Whether the rows that are compared have names."""
        return self.header if self.transposed else bool(self.labels)

    def __str__(self) -> str:
        labels = " and ".join(self.labels)
        count, first, last = self.columns
        noun = "row" if self.transposed else "category"
        plural = "rows" if self.transposed else "categories"
        below = "categories" if self.transposed else "rows"
        text = [
            f"{self.source}: {'a header' if self.header else 'no header'}",
            f"{below} labelled by {labels}" if self.labels else f"no labels of {below}",
            f"1 {noun}, {first}" if count == 1 else f"{count:,} {plural} from {first} to {last}",
        ]
        return "; ".join([*text, *(["transposed"] if self.transposed else []), *self.notes])


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """The rows of a file, each a distribution up to its sum."""

    source: str  # the file, as the user named it
    values: NDArray[np.floating[Any]]
    """One row a distribution: finite, not negative, its sum positive. Of float32 or float64,
    shape (n, m)."""
    labels: tuple[str, ...]  # what the rows are called. Length n
    label_name: str  # the heading of the labels
    columns: tuple[str, ...] | None
    """The headings of the columns; None where the file has none. Length m."""
    reading: Reading | None = None  # what the file was taken for

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def labelled(self) -> bool:
        """Whether the file names its rows."""
        return self.reading is not None and self.reading.row_names

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.values.shape[1])


Block = tuple[NDArray[np.floating[Any]], Any]
"""Some rows' values, shape (n, width), and their labels: an Arrow array of strings, or None."""


class Stream(NamedTuple):
    """The rows of a file, block by block, once."""

    width: int  # the number of columns
    dtype: np.dtype[Any]  # float32 or float64
    columns: tuple[str, ...] | None  # the headings of the columns
    label_name: str  # the heading of the labels
    labelled: bool  # whether the rows have names
    blocks: Iterator[Block]  # values, shape (n, width), and labels
    reading: Reading  # what the file was taken for
    transposed: bool = False
    """Whether the columns are the distributions, and the rows the categories."""


def collected(stream: Stream, source: str) -> LabelledRows:
    """Return all rows of a stream, in memory.

    Raises `FileError` as the stream does, or if it has no rows.
    """
    values: list[NDArray[np.floating[Any]]] = []
    labels: list[str] = []
    for block, names in stream.blocks:
        values.append(block)
        labels += names.to_pylist() if stream.labelled else []
    if not any(map(len, values)):
        raise FileError(f"{source}: the file has no rows")
    matrix = np.concatenate(values) if len(values) > 1 else values[0]
    names = tuple(labels) if stream.labelled else default_labels(len(matrix))
    if not stream.transposed:
        return LabelledRows(
            source, matrix, names, stream.label_name, stream.columns, stream.reading
        )
    columns = tuple(labels) if stream.labelled else None
    rows = stream.columns or default_labels(stream.width)
    matrix = np.ascontiguousarray(matrix.T)
    return LabelledRows(source, matrix, rows, ROW, columns, stream.reading)


def default_labels(count: int) -> tuple[str, ...]:
    """Return the names of rows that have none: ``row 0``, ``row 1``, ..."""
    return tuple(f"row {i}" for i in range(count))


def fault(value: float, written: str) -> str | None:
    """Return what keeps `value` out of a distribution, or None.

    Examples
    --------
    >>> fault(-3.0, "-3")
    'negative value -3; a distribution has no negative values'
    """
    if math.isnan(value):
        return f"{written} is not a number; fill the value in or leave the row out"
    if math.isinf(value):
        return f"infinite value {written}; a distribution has finite values only"
    if value < 0:
        return f"negative value {written}; a distribution has no negative values"
    return None


def are_distributions(values: NDArray[np.floating[Any]], *, nan: bool = False) -> bool:
    """Return whether every row is finite, not negative, and has a positive sum.

    `nan` says whether NaN will do as well.
    """
    return are_finite(values, nan=nan) and bool(np.all(values.any(axis=1)))


def are_finite(values: NDArray[np.floating[Any]], *, nan: bool = False) -> bool:
    """Return whether every value is finite and not negative; the arguments are those above."""
    valid = np.isfinite(values) & (values >= 0)
    return bool(np.all(valid | np.isnan(values) if nan else valid))


class Fault(NamedTuple):
    """Why a row is no distribution."""

    source: str
    row: int
    column: str | None
    value: float | None
    reason: str

    def __str__(self) -> str:
        place = f"{self.source}, row {self.row}"
        if self.column is not None:
            place += f", column {self.column}"
        return f"{place}: {self.reason}"


def faults(
    values: NDArray[np.floating[Any]],
    source: str,
    start: int = 0,
    columns: Sequence[str] | None = None,
) -> list[Fault]:
    """Return, for each row that is no distribution, the first reason.

    `values`, shape (n, m): rows of a file. `columns`, length m, optional: the headings of
    the columns. Faults stand in the order of the rows.

    Examples
    --------
    >>> print(*faults(np.array([[1.0, 2.0], [3.0, -4.0]]), "f.npy", start=10))
    f.npy, row 11, column 1: negative value -4.0; a distribution has no negative values
    """
    if are_distributions(values):
        return []
    valid = np.isfinite(values) & (values >= 0)
    found = []
    for i in np.flatnonzero(~(valid.all(axis=1) & values.any(axis=1))).tolist():
        if valid[i].all():
            found.append(Fault(source, start + i, None, None, ZERO_ROW))
            continue
        j = int(np.argmin(valid[i]))
        value = float(values[i, j])
        column = str(j) if columns is None else repr(columns[j])
        found.append(Fault(source, start + i, column, value, fault(value, str(value)) or ZERO_ROW))
    return found


def require_distributions(rows: LabelledRows, *, nan: bool = False) -> None:
    """Raise `FileError` for the first row that is no distribution, by its index.

    `nan` says whether a row with a NaN will do. The message names file, row, column and
    value; rows and columns count from 0.
    """
    for found in faults(rows.values, rows.source, columns=rows.columns):
        if not (nan and found.value is not None and math.isnan(found.value)):
            raise FileError(str(found))
