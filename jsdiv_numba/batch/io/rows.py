"""The rows of a file: values, labels, and the rule that each row is a distribution."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba._core.sparse import is_sparse
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
    values: Any
    """One row a distribution: finite, not negative, its sum positive. Of float32 or float64,
    shape (n, m); an array, or a sparse one in compressed rows."""
    labels: tuple[str, ...]  # what the rows are called. Length n
    label_name: str  # the heading of the labels
    columns: tuple[str, ...] | None
    """The headings of the columns; None where the file has none. Length m."""
    reading: Reading | None = None  # what the file was taken for

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def complete(self) -> bool:
        """Whether no row has a missing value."""
        if is_sparse(self.values):
            return not undefined(self.values).any()
        return not np.isnan(self.values).any()

    @property
    def labelled(self) -> bool:
        """Whether the file names its rows."""
        return self.reading is not None and self.reading.row_names

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.values.shape[1])


Block = tuple[Any, Any]
"""Some rows' values, shape (n, width), an array or a sparse one, and their labels: an Arrow
array of strings, or None."""


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
    matrix: Any = None
    """The same as a `jsdiv_numba.batch.io.compressed.SparseTable`, if the values are sparse."""


def collected(stream: Stream, source: str) -> LabelledRows:
    """Return all rows of a stream, in memory.

    Raises `FileError` as the stream does, or if it has no rows.
    """
    values: list[Any] = []
    labels: list[str] = []
    for block, names in stream.blocks:
        values.append(block)
        labels += names.to_pylist() if stream.labelled else []
    if not any(block.shape[0] for block in values):
        raise FileError(f"{source}: the file has no rows")
    matrix = np.concatenate(values) if len(values) > 1 else values[0]
    names = tuple(labels) if stream.labelled else default_labels(matrix.shape[0])
    if not stream.transposed:
        return LabelledRows(
            source, matrix, names, stream.label_name, stream.columns, stream.reading
        )
    columns = tuple(labels) if stream.labelled else None
    rows = stream.columns or default_labels(stream.width)
    matrix = in_order(matrix.T) if is_sparse(matrix) else np.ascontiguousarray(matrix.T)
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
        return f"{written} is not a number; fill it in, leave the row out, or say --missing zero"
    if math.isinf(value):
        return f"infinite value {written}; a distribution has finite values only"
    if value < 0:
        return f"negative value {written}; a distribution has no negative values"
    return None


def in_order(matrix: Any) -> Any:
    """Return a matrix of SciPy's in compressed rows, in order, no place twice and none 0."""
    from scipy import sparse

    rows = sparse.csr_array(matrix, copy=True)
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return rows


def undefined(values: Any) -> NDArray[np.bool]:
    """Return which rows of checked values are no distributions: all NaN, or without an entry."""
    found = np.diff(values.indptr) == 0 if is_sparse(values) else np.isnan(values[:, 0])
    return np.asarray(found)


def without(values: Any, rows: Sequence[int]) -> Any:
    """Return values of which some rows are all NaN or, of sparse ones, have no entry."""
    if not is_sparse(values):
        values = values.copy()
        values[rows] = np.nan
        return values
    from scipy import sparse

    left_out = np.zeros(values.shape[0], bool)
    left_out[rows] = True
    number = np.diff(values.indptr)
    kept = ~left_out.repeat(number)
    starts = np.concatenate([[0], np.cumsum(np.where(left_out, 0, number))])
    return sparse.csr_array((values.data[kept], values.indices[kept], starts), values.shape)


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
    values: Any,
    source: str,
    start: int = 0,
    columns: Sequence[str] | None = None,
) -> list[Fault]:
    """Return, for each row that is no distribution, the first reason.

    `values`, shape (n, m): rows of a file, an array or a sparse one whose entries are in order.
    `columns`, length m, optional: the headings of the columns. Faults stand in the order of
    the rows.

    Examples
    --------
    >>> print(*faults(np.array([[1.0, 2.0], [3.0, -4.0]]), "f.npy", start=10))
    f.npy, row 11, column 1: negative value -4.0; a distribution has no negative values
    """
    if is_sparse(values):
        return _sparse_faults(values, source, start, columns)
    if are_distributions(values):
        return []
    valid = np.isfinite(values) & (values >= 0)
    found = []
    for i in np.flatnonzero(~(valid.all(axis=1) & values.any(axis=1))).tolist():
        if valid[i].all():
            found.append(Fault(source, start + i, None, None, ZERO_ROW))
            continue
        j = int(np.argmin(valid[i]))
        found.append(_fault_at(source, start + i, j, float(values[i, j]), columns))
    return found


def _sparse_faults(
    values: Any, source: str, start: int, columns: Sequence[str] | None
) -> list[Fault]:
    entries, starts = values.data, values.indptr
    invalid = np.flatnonzero(~(np.isfinite(entries) & (entries >= 0)))
    rows, first = np.unique(np.searchsorted(starts, invalid, "right") - 1, return_index=True)
    found = [
        _fault_at(source, start + i, int(values.indices[k]), float(entries[k]), columns)
        for i, k in zip(rows.tolist(), invalid[first].tolist(), strict=True)
    ]
    empty = np.flatnonzero(np.diff(starts) == 0).tolist()
    found += [Fault(source, start + i, None, None, ZERO_ROW) for i in empty]
    return sorted(found, key=lambda each: each.row)


def _fault_at(source: str, row: int, j: int, value: float, columns: Sequence[str] | None) -> Fault:
    column = str(j) if columns is None else repr(columns[j])
    return Fault(source, row, column, value, fault(value, str(value)) or ZERO_ROW)


def require_distributions(rows: LabelledRows, *, nan: bool = False) -> None:
    """Raise `FileError` for the first row that is no distribution, by its index.

    `nan` says whether a row with a NaN will do. The message names file, row, column and
    value; rows and columns count from 0.
    """
    for found in faults(rows.values, rows.source, columns=rows.columns):
        if not (nan and found.value is not None and math.isnan(found.value)):
            raise FileError(str(found))
