"""Sparse matrices as SciPy, Matrix Market and AnnData keep them, read entry by entry."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba._core.sparse import MOST_COLUMNS
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.compressed import CHUNK, Entries, SparseTable
from jsdiv_numba.batch.io.dialect import open_bytes, readable
from jsdiv_numba.batch.io.matrix_market import matrix_entries, matrix_header
from jsdiv_numba.batch.io.npy import DAMAGE, float_type, numbers_as_text, require_rows
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.roles import Field, Roles, roles
from jsdiv_numba.batch.io.rows import Block, Stream
from jsdiv_numba.batch.io.table import RowFilter, joined, stream_of

_MEMBERS = {"format", "shape", "data"}
Read = Callable[[str], Iterator[NDArray[Any]]]
"""Yields the numbers of an array of a file, some at a time."""


def is_sparse(path: Path) -> bool:
    """Return whether an ``.npz`` file is a matrix that `scipy.sparse.save_npz` wrote."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()} >= _MEMBERS
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False


def open_npz(path: Path, source: str) -> SparseTable:
    """Return the matrix that an ``.npz`` file has; only its headers are read."""
    with _undamaged(source), zipfile.ZipFile(path) as archive:
        shape, kind = (_small(archive, name) for name in ("shape", "format"))
        with archive.open("data.npy") as file:
            dtype = _header(file)[1]
    kind = kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)

    def read(name: str) -> Iterator[NDArray[Any]]:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            yield from _numbers(file)

    def entries() -> Iterator[Entries]:
        if kind in ("csr", "csc"):
            return compressed_entries(read, shape, kind)
        return _of_other_kind(path)

    return sparse_table(source, shape, dtype, entries)


def _small(archive: zipfile.ZipFile, name: str) -> Any:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False).tolist()


def open_mtx(path: Path, source: str) -> SparseTable:
    """Return the matrix that an ``.mtx`` file has; only its header is read."""
    with _undamaged(source), readable(source), open_bytes(path) as file:
        header = matrix_header(file)

    def entries() -> Iterator[Entries]:
        with readable(source), open_bytes(path) as file:
            yield from matrix_entries(file, matrix_header(file))

    return sparse_table(source, list(header.shape), np.dtype(np.float64), entries)


def sparse_table(
    source: str,
    shape: list[int],
    dtype: np.dtype[Any],
    entries: Callable[[], Iterator[Entries]],
    **names: Any,
) -> SparseTable:
    """Return a matrix whose entries are looked at when they are read."""
    checked = require_rows(tuple(shape), dtype, source)
    if checked[1] > MOST_COLUMNS:
        raise FileError(f"{source}: {checked[1]} columns; there may be {MOST_COLUMNS} at most")

    def in_place() -> Iterator[Entries]:
        with _undamaged(source):
            for part in entries():
                for places, size in zip(part[:2], checked, strict=True):
                    if len(places) and not 0 <= places.min() <= places.max() < size:
                        raise ValueError(f"an entry stands outside of {shape[0]} × {shape[1]}")
                yield part

    return SparseTable(source, checked, float_type(dtype), in_place, **names)


@contextmanager
def _undamaged(source: str) -> Iterator[None]:
    try:
        yield
    except FileError:
        raise
    except DAMAGE as error:
        first_line = str(error).partition("\n")[0]
        raise FileError(f"{source}: damaged, or not a sparse matrix ({first_line})") from error


def compressed_entries(read: Read, shape: list[int], kind: str) -> Iterator[Entries]:
    """Yield the entries of a matrix in compressed rows or columns, in their order."""
    starts = np.concatenate([np.empty(0, np.int64), *read("indptr")])
    number = shape[0] if kind == "csr" else shape[1]
    if len(starts) != number + 1 or starts[0] or not (starts[1:] >= starts[:-1]).all():
        raise ValueError("its indptr are no places")
    first = 0
    for places, values in zip(read("indices"), read("data"), strict=True):
        if len(places) != len(values):
            raise ValueError("there are not as many indices as values")
        last = min(first + len(places), int(starts[-1]))
        outer = np.searchsorted(starts, np.arange(first, last), "right") - 1
        inner = places[: last - first].astype(np.int64)
        both = (outer, inner) if kind == "csr" else (inner, outer)
        yield Entries(*both, values[: last - first])
        first += len(places)
    if first < starts[-1]:
        raise ValueError(f"there are {first} entries, not {starts[-1]}")


def _of_other_kind(path: Path) -> Iterator[Entries]:
    """Yield the entries of a matrix that is neither in compressed rows nor columns, at once."""
    from scipy import sparse

    found = sparse.load_npz(path).tocoo()
    yield Entries(found.row.astype(np.int64), found.col.astype(np.int64), found.data)


def _header(file: Any) -> tuple[int, np.dtype[Any]]:
    """Return how many numbers an ``.npy`` file has, and of which kind."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else None
    shape, _, dtype = (read or np.lib.format.read_array_header_2_0)(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return int(np.prod(shape, dtype=object)), dtype


def _numbers(file: Any) -> Iterator[NDArray[Any]]:
    count, dtype = _header(file)
    for first in range(0, count, CHUNK):
        wanted = min(CHUNK, count - first)
        found = np.frombuffer(file.read(wanted * dtype.itemsize), dtype)
        if len(found) != wanted:
            raise ValueError("an array is cut short")
        yield found
    # The sum that tells of damage is looked at where the member ends.
    if file.read(1):
        raise ValueError("an array is longer than it says")


def stream_sparse(table: SparseTable, options: TableOptions) -> Stream:
    """Return the rows of a sparse matrix as one block, without and with what is said of them."""
    found = _roles(table, options)
    labels, kept = _labels(table, found, options), None
    if options.exclude_rows is not None:
        rows = RowFilter(options.exclude_rows, table.source, labelled=labels is not None)
        kept = np.flatnonzero(np.asarray(rows.kept(0, table.shape[0], labels)))
        rows.require_seen()
        labels = None if labels is None else labels.take(kept)
    chosen = _chosen(table, kept, found.values, options.missing == "zero")
    names = None if labels is None else tuple(labels.to_pylist())

    def blocks(_: RowFilter) -> Iterator[Block]:
        yield chosen.in_memory(), labels

    all_rows = replace(options, exclude_rows=None)
    about = table.source, table.columns, found, all_rows, table.dtype, ()
    stream = stream_of(blocks, *about, totals=False)
    if not found.labels and labels is not None:
        reading = replace(stream.reading, labels=(f"the names of its {table.label_name}s",))
        stream = stream._replace(labelled=True, label_name=table.label_name, reading=reading)
    label_name = stream.label_name
    matrix = chosen._replace(columns=stream.columns, rows=names, label_name=label_name)
    return stream._replace(matrix=matrix)


def _roles(table: SparseTable, options: TableOptions) -> Roles:
    if not (options.label_column or options.columns or options.exclude):
        # Of millions of columns, no list.
        return Roles((), range(table.shape[1]), ())
    fields = [Field(name, "number") for name in table.columns or ("",) * table.shape[1]]
    return roles(fields, options, table.source, named=table.columns is not None)


def _labels(table: SparseTable, found: Roles, options: TableOptions) -> Any:
    """Return the rows' names, as an Arrow array, or None."""
    if found.labels:
        return joined([numbers_as_text(_column(table, j)) for j in found.labels], options)
    if table.rows is None:
        return None
    # 20 MB that a matrix without names does not need.
    import pyarrow as pa

    return pa.array(table.rows, pa.string())


def _column(table: SparseTable, j: int) -> NDArray[Any]:
    column = np.zeros(table.shape[0])
    for rows, columns, values in table.entries():
        there = columns == j
        np.add.at(column, rows[there], values[there])
    return column


def _chosen(
    table: SparseTable, rows: NDArray[np.int64] | None, columns: Any, nan_is_zero: bool
) -> SparseTable:
    """Return chosen rows and columns of a matrix, in their order."""
    places = [
        None if kept is None or isinstance(kept, range) else _places(kept, size)
        for kept, size in zip((rows, columns), table.shape, strict=True)
    ]

    def entries() -> Iterator[Entries]:
        for part in table.entries():
            there = np.ones(len(part.values), bool)
            if nan_is_zero:
                there &= ~np.isnan(part.values)
            found = [
                old if new is None else new[old] for new, old in zip(places, part[:2], strict=True)
            ]
            there &= (found[0] >= 0) & (found[1] >= 0)
            yield Entries(found[0][there], found[1][there], part.values[there])

    shape = table.shape[0] if rows is None else len(rows), len(columns)
    return table._replace(shape=shape, entries=entries)


def _places(kept: Any, size: int) -> NDArray[np.int64]:
    """Return where each of so many is among those that are kept; -1 for others."""
    places = np.full(size, -1)
    places[np.asarray(kept)] = np.arange(len(kept))
    return places


def sparse_bytes(path: Path, source: str) -> int:
    """Return about how much memory the entries of a matrix take; only their number is read."""
    try:
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                return sum(info.file_size for info in archive.infolist())
        with readable(source), open_bytes(path) as file:
            header = matrix_header(file)
        return 16 * (header.sizes[2] if header.coordinates else header.sizes[0] * header.sizes[1])
    except DAMAGE:
        # What is damaged has no size; its reader says more of it.
        return 0
