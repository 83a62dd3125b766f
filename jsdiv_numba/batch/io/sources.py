"""Files whose rows are read when they are asked for, and what tells that a file has changed.

A source holds a path and what its header says, never an open file: so it can be sent to
another process, and every read sees whether the file is still the one that was opened.
"""

import hashlib
import mmap
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba._core.sparse import is_sparse
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.file_errors import reading
from jsdiv_numba.batch.io.folders import files_below
from jsdiv_numba.batch.io.leases import end_lease, nobody_waits, take_lease
from jsdiv_numba.batch.io.npy import DAMAGE, UNREADABLE, float_type, require_rows

Floats = NDArray[np.floating[Any]]
Fingerprint = dict[str, Any]

_SAMPLES, _SAMPLE_BYTES = 64, 1 << 16
_MAPPED_BYTES = 1 << 24
"""What is mapped at a time: mapping less costs more, and so much of each file is in memory."""


@dataclass(frozen=True)
class Source(ABC):
    """Rows that need not fit in memory."""

    source: str  # the file, as the user named it
    shape: tuple[int, int]  # rows and columns
    stored: np.dtype[Any]  # what the file holds
    columns: tuple[str, ...] | None = None  # the headings of the columns
    label_name: str = "row"  # the heading of the labels

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """What `rows` gives: float32 where it holds what is stored, else float64."""
        return float_type(self.stored)

    @property
    def labelled(self) -> bool:
        """Whether the rows have names of their own."""
        return False

    @property
    def row_values(self) -> int:
        """How many values a row takes in memory."""
        return self.width

    @abstractmethod
    def rows(self, start: int, stop: int) -> Floats:
        """Return rows start .. stop, shape (stop - start, width), dense or sparse."""

    def blocks(self, start: int, stop: int, step: int) -> Iterator[Floats]:
        """Yield rows start .. stop, `step` at a time; a block may overwrite the one before."""
        for first in range(start, stop, step):
            yield self.rows(first, min(first + step, stop))

    def labels(self, start: int, stop: int) -> Any:
        """Return the names of rows start .. stop, as an Arrow array."""
        return self.labels_of(np.arange(start, stop))

    def labels_of(self, rows: NDArray[np.int64]) -> Any:
        """Return the names of some rows, in their order, as an Arrow array."""
        import pyarrow as pa
        from pyarrow import compute

        return compute.binary_join_element_wise("row", pa.array(rows).cast(pa.string()), " ")


@contextmanager
def names_in(path: Path) -> Iterator[Any]:
    """Open an Arrow file of names, a column that is not read but mapped."""
    import pyarrow as pa

    # As bytes: a path of text has to be UTF-8 for Arrow.
    with pa.memory_map(str(path) if sys.platform == "win32" else os.fsencode(path)) as file:
        yield pa.ipc.open_file(file).read_all().column(0)


@dataclass(frozen=True)
class ArrayInMemory(Source):
    """A matrix that is in memory, or that NumPy maps."""

    values: Any = None  # the rows. Shape (n, m)

    def rows(self, start: int, stop: int) -> Floats:
        """Return rows start .. stop."""
        return np.asarray(self.values[start:stop], self.dtype)

    def fingerprint(self) -> Fingerprint:
        """Return shape, dtype and a digest of all values."""
        digest = hashlib.blake2b(digest_size=16)
        step = max(1, _SAMPLE_BYTES // max(self.width, 1))
        for start in range(0, self.shape[0], step):
            digest.update(np.ascontiguousarray(self.values[start : start + step]).data)
        return {"shape": list(self.shape), "dtype": str(self.stored), "digest": digest.hexdigest()}


@dataclass(frozen=True)
class ArrayFile(Source):
    """The 2-D array of an ``.npy`` file, read piece by piece.

    It is mapped where nobody can cut it short meanwhile (see `jsdiv_numba.batch.io.leases`),
    which spares a copy, and read elsewhere, where a read comes back short.
    """

    path: Path = Path()  # the file
    offset: int = 0  # where its values begin
    columns_first: bool = False  # whether columns are contiguous (Fortran order), not rows
    state: tuple[int, int] = (0, 0)  # size and time of modification
    label_file: Path | None = None  # an Arrow file of the rows' names

    def rows(self, start: int, stop: int) -> Floats:
        """Return rows start .. stop."""
        with self._unchanged() as file:
            (rows,) = self._read_blocks(file, start, stop, stop - start)
        return rows

    def blocks(self, start: int, stop: int, step: int) -> Iterator[Floats]:
        """Yield rows start .. stop, `step` at a time, from memory that is used again."""
        with self._unchanged() as file:
            if self._is_as_in_memory and take_lease(file):
                for block in self._mapped_blocks(file, start, stop, step):
                    yield block
                    start += len(block)
                    if not nobody_waits(file):
                        break
                end_lease(file)
            yield from self._read_blocks(file, start, stop, step)

    @property
    def _is_as_in_memory(self) -> bool:
        in_place = self.offset % self.stored.itemsize == 0 and not self.columns_first
        return in_place and self.stored == self.dtype

    def _mapped_blocks(self, file: Any, start: int, stop: int, step: int) -> Iterator[Floats]:
        length = self.width * self.stored.itemsize
        # What is mapped counts as the process's memory once it is touched.
        together = max(1, _MAPPED_BYTES // (step * length)) * step
        for first in range(start, stop, together):
            begin = self.offset + first * length
            before = begin % mmap.ALLOCATIONGRANULARITY
            size = (min(first + together, stop) - first) * length
            # It is given back when the last block of it is.
            mapped = mmap.mmap(
                file.fileno(), before + size, access=mmap.ACCESS_READ, offset=begin - before
            )
            values = np.frombuffer(mapped, self.stored, size // self.stored.itemsize, before)
            rows = values.reshape(-1, self.width)
            for i in range(0, len(rows), step):
                yield rows[i : i + step]

    def _read_blocks(self, file: Any, start: int, stop: int, step: int) -> Iterator[Floats]:
        room = np.empty(min(step, stop - start) * self.width, self.stored)
        for first in range(start, stop, step):
            count = min(first + step, stop) - first
            read = self._read(file, first, count, room[: count * self.width])
            self._require_unchanged(file)
            yield read.astype(self.dtype, order="C", copy=False)

    def _read(self, file: Any, start: int, count: int, room: NDArray[Any]) -> NDArray[Any]:
        (number, width), size = self.shape, self.stored.itemsize
        if not self.columns_first:
            self._fill(file, self.offset + start * width * size, room)
            return room.reshape(count, width)
        columns = room.reshape(width, count)
        for j in range(width):
            self._fill(file, self.offset + (j * number + start) * size, columns[j])
        return columns.T

    @property
    def labelled(self) -> bool:
        """Whether the rows have names of their own."""
        return self.label_file is not None

    def labels(self, start: int, stop: int) -> Any:
        """Return the names of rows start .. stop."""
        if self.label_file is None:
            return super().labels(start, stop)
        with names_in(self.label_file) as column:
            return column.slice(start, stop - start).combine_chunks()

    def labels_of(self, rows: NDArray[np.int64]) -> Any:
        """Return the names of some rows, in their order."""
        if self.label_file is None:
            return super().labels_of(rows)
        with names_in(self.label_file) as column:
            return column.take(rows).combine_chunks()

    def fingerprint(self) -> Fingerprint:
        """Return the file's size, its time of modification, and a digest of its bytes."""
        return file_fingerprint(self.path, self.source)

    def _unchanged(self) -> Any:
        try:
            file = self.path.open("rb", buffering=0)
        except OSError as error:
            raise FileError(f"{self.source}: {error.strerror or error}") from error
        try:
            self._require_unchanged(file)
        except BaseException:
            file.close()
            raise
        return file

    def _require_unchanged(self, file: Any) -> None:
        status = os.fstat(file.fileno())
        size, modified = self.state
        if status.st_size != size:
            raise FileError(
                f"{self.source}: changed while it was read: its size was {size} bytes "
                f"and is {status.st_size}"
            )
        if status.st_mtime_ns != modified:
            raise FileError(f"{self.source}: changed while it was read")

    def _fill(self, file: Any, position: int, array: NDArray[Any]) -> None:
        view = array.reshape(-1).view(np.uint8).data
        file.seek(position)
        while view:
            try:
                count = file.readinto(view)
            except OSError as error:
                raise FileError(f"{self.source}: {error.strerror or error}") from error
            if not count:
                self._require_unchanged(file)
                raise FileError(f"{self.source}: ends too early, at byte {file.tell()}")
            view = view[count:]


@dataclass(frozen=True)
class ZarrArray(Source):
    """A 2-D Zarr array in a folder."""

    path: Path = Path()  # the folder

    def rows(self, start: int, stop: int) -> Floats:
        """Return rows start .. stop; every chunk that they touch is read whole."""
        import zarr

        with reading(f"{self.source}, rows {start} to {stop - 1}"):
            values = zarr.open_array(self.path, mode="r")[start:stop]
        return np.ascontiguousarray(values, self.dtype)

    def fingerprint(self) -> Fingerprint:
        """Return a digest of the names, sizes and times of its files."""
        return folder_fingerprint(self.path)


@dataclass(frozen=True)
class Rearranged(Source):
    """Some rows of another source, in another order."""

    original: Any = None  # where the rows are
    order: Any = None  # which they are

    @property
    def labelled(self) -> bool:
        """Whether the rows have names of their own."""
        return bool(self.original.labelled)

    def rows(self, start: int, stop: int) -> Floats:
        """Return rows start .. stop: what lies together is read together."""
        wanted = self.order[start:stop]
        by_place = np.argsort(wanted, kind="stable")
        places = wanted[by_place]
        values = np.empty((len(wanted), self.width), self.dtype)
        ends = [*(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
        begin, parts = 0, []
        for end in ends if len(places) else ():
            first, last = int(places[begin]), int(places[end - 1])
            part = self.original.rows(first, last + 1)
            if is_sparse(part):
                parts.append(part)
            else:
                values[by_place[begin:end]] = part
            begin = end
        return _joined(parts)[np.argsort(by_place)] if parts else values

    @property
    def row_values(self) -> int:
        """How many values a row takes in memory."""
        return int(self.original.row_values)

    def labels_of(self, rows: NDArray[np.int64]) -> Any:
        """Return the names of some rows, in their order."""
        return self.original.labels_of(self.order[rows])

    def fingerprint(self) -> Fingerprint:
        """Return that of what it is made of."""
        return {**self.original.fingerprint(), "rows": len(self.order)}


def _joined(parts: list[Any]) -> Any:
    from scipy import sparse

    return sparse.vstack(parts, format="csr")


def rearranged(source: Source, order: NDArray[np.int64]) -> Rearranged:
    """Return some rows of a source, in another order."""
    shape = len(order), source.width
    return Rearranged(
        source.source,
        shape,
        source.stored,
        source.columns,
        source.label_name,
        original=source,
        order=order,
    )


def open_array(values: Any, source: str) -> ArrayInMemory:
    """Return an array in memory as a source.

    `values`, shape (n, m): one row a distribution. Raises `FileError` if it is no matrix of
    real numbers, or empty.
    """
    array = np.asanyarray(values)
    shape = require_rows(array.shape, array.dtype, source)
    return ArrayInMemory(source, shape, array.dtype, values=array)


def open_npy(path: Path, source: str) -> ArrayFile:
    """Return the 2-D array of an ``.npy`` file as a source; only its header is read."""
    try:
        status = path.stat()
        begin = _begin(path)
        # NumPy opens an archive, and leaves it open where it is damaged. Values may look like
        # the end of one.
        if begin != np.lib.format.MAGIC_PREFIX and is_zipfile(path):
            raise FileError(f"{source}: an .npz file under another name; call it .npz")
        if begin.startswith(b"PK"):
            raise FileError(f"{source}: {UNREADABLE}")
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise FileError(f"{source}: {error.strerror or error}") from error
    except FileError:
        raise
    except DAMAGE as error:
        raise FileError(f"{source}: {UNREADABLE}") from error
    shape = require_rows(mapped.shape, mapped.dtype, source)
    columns_first = not mapped.flags.c_contiguous
    state = status.st_size, status.st_mtime_ns
    return ArrayFile(
        source,
        shape,
        mapped.dtype,
        path=path.absolute(),
        offset=mapped.offset,
        columns_first=columns_first,
        state=state,
    )


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(np.lib.format.MAGIC_PREFIX))


def called(
    file: ArrayFile,
    source: str,
    columns: tuple[str, ...] | None,
    label_name: str,
    label_file: Path | None,
) -> ArrayFile:
    """Return the rows of a file under the name, and with the labels, of the file they came from."""
    return replace(
        file, source=source, columns=columns, label_name=label_name, label_file=label_file
    )


def open_zarr(path: Path, source: str) -> ZarrArray:
    """Return a Zarr array as a source; only its metadata is read."""
    import zarr

    try:
        array = zarr.open_array(path, mode="r")
    except (OSError, ValueError, KeyError, TypeError) as error:
        first_line = str(error).partition("\n")[0]
        raise FileError(f"{source}: not a readable Zarr array ({first_line})") from error
    dtype = np.dtype(array.dtype)
    shape = require_rows(array.shape, dtype, source)
    return ZarrArray(source, shape, dtype, path=path.absolute())


def file_fingerprint(path: Path, source: str) -> Fingerprint:
    """Return a file's size, its time of modification, and a digest of 64 samples or of all."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            for position in _samples(status.st_size):
                file.seek(position)
                digest.update(file.read(_SAMPLE_BYTES))
    except OSError as error:
        raise FileError(f"{source}: {error.strerror or error}") from error
    return {
        "size": status.st_size,
        "modified": status.st_mtime_ns,
        "digest": digest.hexdigest(),
    }


def _samples(size: int) -> Iterator[int]:
    if size <= _SAMPLES * _SAMPLE_BYTES:
        yield from range(0, size, _SAMPLE_BYTES)
        return
    for k in range(_SAMPLES):
        yield k * (size - _SAMPLE_BYTES) // (_SAMPLES - 1)


def folder_fingerprint(path: Path) -> Fingerprint:
    """Return the number of files in a folder and a digest of their names, sizes and times."""
    digest = hashlib.blake2b(digest_size=16)
    files = [file for file in files_below(path) if file.is_file()]
    for file in files:
        status = file.stat()
        entry = f"{file.relative_to(path)}\0{status.st_size}\0{status.st_mtime_ns}\n"
        digest.update(entry.encode("utf-8", "surrogateescape"))
    return {"files": len(files), "digest": digest.hexdigest()}
