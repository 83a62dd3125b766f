"""The rows of a file: values, labels, and the rule that each row is a distribution."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError

ZERO_ROW = "every value is 0; a row needs a positive sum to be a distribution"


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """The rows of a file, each a distribution up to its sum.

    Parameters
    ----------
    source : str
        The file, as the user named it.
    values : ndarray of float32 or float64, shape (n, m)
        One row a distribution: finite, not negative, its sum positive.
    labels : tuple of str, length n
        What the rows are called.
    label_name : str
        The heading of the labels.
    columns : tuple of str, length m, optional
        The headings of the columns; None where the file has none.
    """

    source: str
    values: NDArray[np.floating[Any]]
    labels: tuple[str, ...]
    label_name: str
    columns: tuple[str, ...] | None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.values.shape[1])


class Stream(NamedTuple):
    """The rows of a file, block by block, once.

    Parameters
    ----------
    width : int
        The number of columns.
    dtype : dtype
        float32 or float64.
    columns : tuple of str, optional
        The headings of the columns.
    label_name : str
        The heading of the labels.
    labelled : bool
        Whether the rows have names.
    blocks : iterator of (ndarray, Arrow array of strings or None)
        Values, shape (n, width), and labels.
    """

    width: int
    dtype: np.dtype[Any]
    columns: tuple[str, ...] | None
    label_name: str
    labelled: bool
    blocks: Iterator[tuple[NDArray[np.floating[Any]], Any]]


def default_labels(count: int) -> tuple[str, ...]:
    """Return the names of rows that have none: ``row 0``, ``row 1``, ..."""
    return tuple(f"row {i}" for i in range(count))


def fault(value: float, written: str) -> str | None:
    """Return what keeps `value` out of a distribution, or None.

    Parameters
    ----------
    value : float
        One value of a row.
    written : str
        How the file writes it.

    Returns
    -------
    str or None

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


def are_distributions(values: NDArray[np.floating[Any]]) -> bool:
    """Return whether every row is finite, not negative, and has a positive sum.

    Parameters
    ----------
    values : ndarray, shape (n, m)

    Returns
    -------
    bool
    """
    return bool(np.all(values >= 0) and np.all(np.isfinite(values)) and np.all(values.any(axis=1)))


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

    Parameters
    ----------
    values : ndarray, shape (n, m)
        Rows of a file.
    source : str
        The file.
    start : int
        The index of the first of these rows in the file.
    columns : sequence of str, length m, optional
        The headings of the columns.

    Returns
    -------
    list of Fault
        In the order of the rows; empty if all is well.

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


def require_distributions(rows: LabelledRows) -> None:
    """Raise `FileError` for the first row that is no distribution, by its index.

    Parameters
    ----------
    rows : LabelledRows
        The rows of a file that has no lines to point at.

    Raises
    ------
    FileError
        Naming file, row, column and value; rows and columns count from 0.
    """
    for first in faults(rows.values, rows.source, columns=rows.columns):
        raise FileError(str(first))
