"""Sparse matrices entry by entry, and their rows: in memory, or in files a block at a time.

Entries in any order become rows by one distribution sort: they are written one after
another, then those of some rows at a time are read, put in order, and written again.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.io.npy import float_type
from jsdiv_numba.batch.io.rows import ROW, in_order
from jsdiv_numba.batch.io.sources import Fingerprint, Source, names_in

CHUNK = 1 << 18
"""Entries that are in memory at a time."""

_ENTRY_VALUES = 3
"""What an entry takes of a block of rows, in values: its column, and what kernels know of it."""

_WINDOW = 1024


class Entries(NamedTuple):
    """Some entries of a matrix, in any order."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[Any]


class SparseTable(NamedTuple):
    """A sparse matrix, of which no row is known before the last entry has been read."""

    source: str  # the file, as the user named it
    shape: tuple[int, int]
    dtype: np.dtype[Any]  # float32 or float64
    entries: Callable[[], Iterator[Entries]]
    """Yields the entries, once more at every call; those of one place add up."""
    rows: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    """The names of the rows and of the columns, where there are any."""
    label_name: str = ROW  # the heading of the rows' names

    @property
    def transposed(self) -> "SparseTable":
        """The same with columns for rows."""

        def entries() -> Iterator[Entries]:
            for rows, columns, values in self.entries():
                yield Entries(columns, rows, values)

        turned = self._replace(shape=self.shape[::-1], entries=entries, label_name=ROW)
        return turned._replace(rows=self.columns, columns=self.rows)

    def in_memory(self) -> Any:
        """Return all rows."""
        return rows_of(self.entries(), self.shape, self.dtype)


def rows_of(entries: Iterable[Entries], shape: tuple[int, int], dtype: np.dtype[Any]) -> Any:
    """Return the rows that entries make, in order."""
    from scipy import sparse

    none = Entries(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, dtype))
    rows, columns, values = map(np.concatenate, zip(none, *entries, strict=True))
    found = sparse.coo_array((values.astype(dtype, copy=False), (rows, columns)), shape=shape)
    return in_order(found)


@dataclass(frozen=True)
class _Sparse(Source):
    """What sources of sparse rows share."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each row's entries begin, and the last one's end."""
        raise NotImplementedError

    @property
    def row_values(self) -> int:
        """How many values a row takes in memory: where rows are longest, on average."""
        firsts = np.arange(0, self.shape[0], _WINDOW)
        stops = np.minimum(firsts + _WINDOW, self.shape[0])
        starts = self.starts
        return 1 + int((_ENTRY_VALUES * (starts[stops] - starts[firsts]) / (stops - firsts)).max())


@dataclass(frozen=True)
class SparseInMemory(_Sparse):
    """A sparse matrix in memory."""

    values: Any = None  # in compressed rows, in order. Shape (n, m)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each row's entries begin, and the last one's end."""
        return np.asarray(self.values.indptr)

    def rows(self, start: int, stop: int) -> Any:
        """Return rows start .. stop."""
        return self.values[start:stop].astype(self.dtype, copy=False)

    def fingerprint(self) -> Fingerprint:
        """Return shape, dtype and a digest of all entries."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.values.indptr, self.values.indices, self.values.data):
            digest.update(np.ascontiguousarray(array).data)
        return {"shape": list(self.shape), "dtype": str(self.stored), "digest": digest.hexdigest()}


@dataclass(frozen=True)
class SparseFile(_Sparse):
    """A sparse matrix in two files of ours, read piece by piece."""

    path: Path = Path()  # its entries, row by row; see `entry_type`
    label_file: Path | None = None  # an Arrow file of the rows' names

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each row's entries begin, and the last one's end."""
        return np.asarray(np.load(starts_of(self.path)))

    def rows(self, start: int, stop: int) -> Any:
        """Return rows start .. stop."""
        from scipy import sparse

        starts = np.array(np.load(starts_of(self.path), mmap_mode="r")[start : stop + 1])
        here = np.load(self.path, mmap_mode="r")[starts[0] : starts[-1]]
        parts = np.array(here["value"]), np.array(here["column"]), starts - starts[0]
        return sparse.csr_array(parts, shape=(stop - start, self.width))

    @property
    def labelled(self) -> bool:
        """Whether the rows have names of their own."""
        return self.label_file is not None

    def labels_of(self, rows: NDArray[np.int64]) -> Any:
        """Return the names of some rows, in their order."""
        if self.label_file is None:
            return super().labels_of(rows)
        with names_in(self.label_file) as column:
            return column.take(rows).combine_chunks()


def starts_of(path: Path) -> Path:
    """Return the file of a matrix that says where rows begin."""
    return path.with_suffix(".starts")


def entry_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return what an entry is in a file."""
    return np.dtype([("value", dtype), ("column", np.intc)])


def write_matrix(file: BinaryIO, starts_file: Path, table: SparseTable) -> None:
    """Write a matrix as files for `SparseFile`, with `CHUNK` entries in memory at a time."""
    kind, number = entry_type(table.dtype), np.zeros(table.shape[0], np.int64)
    _write_header(file, kind, 0)
    with contextlib.closing(_Spool(table, starts_file.parent)) as spool:
        for start, rows in spool.blocks():
            number[start : start + rows.shape[0]] = np.diff(rows.indptr)
            entries = np.empty(rows.nnz, kind)
            entries["value"], entries["column"] = rows.data, rows.indices
            file.write(entries.data)
    file.seek(0)
    _write_header(file, kind, int(number.sum()))
    with starts_file.open("wb") as starts:
        np.save(starts, np.concatenate([[0], np.cumsum(number)]))


def _write_header(file: BinaryIO, kind: np.dtype[Any], count: int) -> None:
    # NumPy leaves room for the number of entries to grow.
    header = {"descr": kind.descr, "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, header)


class _Spool:
    """The entries of a matrix in a file without a name, on their way to rows in order."""

    def __init__(self, table: SparseTable, folder: Path) -> None:
        self.table, self.folder = table, folder
        self.kind = np.dtype([("row", np.int64), ("column", np.int64), ("value", table.dtype)])
        self.counts, self.last, self.in_order = np.zeros(table.shape[0], np.int64), 0, True
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        try:
            for part in table.entries():
                if len(part.rows):
                    self._add(part)
        except BaseException:
            self.file.close()
            raise
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])

    def _add(self, part: Entries) -> None:
        rising = self.last <= part.rows[0] and (np.diff(part.rows) >= 0).all()
        self.last, self.in_order = int(part.rows[-1]), self.in_order and bool(rising)
        self.counts += np.bincount(part.rows, minlength=len(self.counts))
        found = np.empty(len(part.rows), self.kind)
        found["row"], found["column"], found["value"] = part
        self.file.write(found.data)

    def close(self) -> None:
        """Give the file up."""
        self.file.close()

    def blocks(self) -> Iterator[tuple[int, Any]]:
        """Yield some rows at a time, in order, and the number of the first."""
        cuts = self._cuts()
        if not self.in_order:
            self._distribute(cuts)
        self.file.seek(0)
        for first, stop in pairwise(cuts):
            found = self._read(int(self.starts[stop] - self.starts[first]))
            part = Entries(found["row"] - first, found["column"], found["value"])
            yield first, rows_of([part], (stop - first, self.table.shape[1]), self.table.dtype)

    def _read(self, count: int) -> NDArray[Any]:
        # `numpy.fromfile` does not know of what is read ahead.
        return np.frombuffer(self.file.read(count * self.kind.itemsize), self.kind)

    def _cuts(self) -> list[int]:
        """Return where to cut the rows so that each part has no more than a chunk, or one row."""
        cuts = [0]
        while cuts[-1] < len(self.starts) - 1:
            most = self.starts[cuts[-1]] + CHUNK
            fits = int(np.searchsorted(self.starts, most, "right")) - 1
            cuts.append(max(fits, cuts[-1] + 1))
        return cuts

    def _distribute(self, cuts: list[int]) -> None:
        """Bring the entries of each part together, those of a row in the order that they have."""
        target = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
        places = self.starts[cuts[:-1]].copy()
        self.file.seek(0)
        while len(found := self._read(CHUNK)):
            parts = np.searchsorted(cuts, found["row"], "right") - 1
            found = found[np.argsort(parts, kind="stable")]
            counts = np.bincount(parts, minlength=len(places))
            stops = np.cumsum(counts)
            for k in np.flatnonzero(counts).tolist():
                target.seek(int(places[k]) * self.kind.itemsize)
                target.write(found[stops[k] - counts[k] : stops[k]].data)
            places += counts
        self.file.close()
        self.file = target


def open_matrix(path: Path, table: SparseTable, label_file: Path | None) -> SparseFile:
    """Return a matrix that `write_matrix` has written as a source."""
    return SparseFile(
        table.source,
        table.shape,
        table.dtype,
        table.columns,
        table.label_name,
        path=path,
        label_file=label_file,
    )


def matrix_in_memory(values: Any, source: str) -> SparseInMemory:
    """Return a matrix of SciPy's as a source."""
    rows = in_order(values.astype(float_type(values.dtype)))
    return SparseInMemory(source, rows.shape, rows.dtype, values=rows)
