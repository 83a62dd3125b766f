"""The rows of a file: values, labels, and the rule that each row is a distribution."""

import math
from dataclasses import dataclass
from typing import Any

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
    if are_distributions(rows.values):
        return
    valid = np.isfinite(rows.values) & (rows.values >= 0)
    i = int(np.argmin(valid.all(axis=1) & rows.values.any(axis=1)))
    if valid[i].all():
        raise FileError(f"{rows.source}, row {i}: {ZERO_ROW}")
    j = int(np.argmin(valid[i]))
    value = float(rows.values[i, j])
    column = j if rows.columns is None else repr(rows.columns[j])
    raise FileError(f"{rows.source}, row {i}, column {column}: {fault(value, str(value))}")
