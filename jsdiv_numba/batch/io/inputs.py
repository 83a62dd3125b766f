"""What a user names as input, as a source of rows: read where it lies, or copied beside the output.

A row of text or of Parquet cannot be found without reading what stands before it, and
tiles need each row many times: such a file is read once, block by block, into an
``.npy`` file in the folder of the unfinished run.
"""

import errno
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np

from jsdiv_numba._core import sparse, validation
from jsdiv_numba.batch.errors import FileError, OutputError
from jsdiv_numba.batch.io.compressed import (
    CHUNK,
    SparseFile,
    SparseInMemory,
    SparseTable,
    matrix_in_memory,
    open_matrix,
    starts_of,
    write_matrix,
)
from jsdiv_numba.batch.io.durable import sync_folder
from jsdiv_numba.batch.io.file_errors import reading
from jsdiv_numba.batch.io.formats import (
    ARRAYS,
    STDIN,
    Place,
    open_in_place,
    place_of,
    stream_rows,
    stream_source,
)
from jsdiv_numba.batch.io.npy import DAMAGE, chosen_member
from jsdiv_numba.batch.io.options import DEFAULT, TableOptions
from jsdiv_numba.batch.io.roles import require_categories
from jsdiv_numba.batch.io.rows import ROW, Block, Reading, Stream, faults
from jsdiv_numba.batch.io.sources import (
    ArrayFile,
    ArrayInMemory,
    Fingerprint,
    Source,
    called,
    file_fingerprint,
    folder_fingerprint,
    names_in,
    open_array,
    open_npy,
)
from jsdiv_numba.batch.io.sparse import is_sparse


@dataclass(frozen=True)
class Input:
    """A file, a folder, or an array, before it is opened."""

    source: str  # what messages call it
    path: Path  # where it lies; None for an array
    kind: str  # its format, as an extension, or ``"array"``
    member: str | None = None  # which array of an ``.npz`` file
    values: Any = None  # the array
    options: TableOptions = DEFAULT  # what is said of it
    mapped: Path | None = None  # the file whose bytes an array of NumPy's is
    tell: Callable[[Reading], None] = field(default=lambda _: None, compare=False)
    """Is told what the file was taken for."""

    @property
    def read(self) -> Path | None:
        """The file or folder that is read, if there is one."""
        return self.mapped if self.kind == "array" else self.path

    def fingerprint(self) -> Fingerprint:
        """Return what changes when the rows do."""
        if self.kind == "array":
            return self._in_memory().fingerprint()
        if self.path.is_dir():
            with reading(self.source):
                return folder_fingerprint(self.path)
        found = file_fingerprint(self.path, self.source)
        # What was read from a pipe lies in a file of this moment.
        return found if self.source != STDIN else {**found, "modified": 0}

    def open(self, folder: Path, role: str, *, lenient: bool) -> Source:
        """Return the rows, copied first if need be.

        `lenient` says whether rows may be no distributions.
        """
        if self.kind == "array":
            return self._in_memory()
        with reading(self.source):
            return self._opened(folder, role, lenient)

    def _in_memory(self) -> ArrayInMemory | SparseInMemory:
        if sparse.is_sparse(self.values):
            return matrix_in_memory(self.values, self.source)
        return open_array(self.values, self.source)

    def _opened(self, folder: Path, role: str, lenient: bool) -> Source:
        place = Place(self.source, self.path, self.kind, self.member)
        copy = _Copy(folder / f"{role}.npy", self.source)
        if not self.options.concern_values and self._is_array:
            rows = self._open_array(place, copy)
            require_categories(self.source, rows.width, "")
            stream = stream_source(rows, self.options)
            self.tell(stream.reading)
            return rows
        stream = stream_rows(place, self.options, lenient=lenient)
        self.tell(stream.reading)
        only_missing = self.options.missing == "nan" and not lenient
        if stream.matrix is not None:
            return self._open_sparse(stream, copy, only_missing)
        if only_missing:
            # Of rows that are no distributions, only those with missing values give NaN.
            stream = stream._replace(blocks=_only_missing(stream, self.source))
        copy.make(lambda file: _write(file, stream, copy, self.source))
        return _labelled(copy, stream, self.source)

    @property
    def _is_array(self) -> bool:
        whole = self.kind == ".npz" and (self.member is not None or not is_sparse(self.path))
        return self.kind in ARRAYS or whole

    def _open_array(self, place: Place, copy: "_Copy") -> Source:
        if self.kind in ARRAYS:
            return open_in_place(place)
        copy.make(self._extract)
        return called(open_npy(copy.path, self.source), self.source, None, ROW, None)

    def _open_sparse(self, stream: Stream, copy: "_Copy", only_missing: bool) -> Source:
        matrix = stream.matrix.transposed if stream.transposed else stream.matrix
        copy.make(lambda file: _write_sparse(file, matrix, copy))
        rows = open_matrix(copy.path, matrix, None if matrix.rows is None else copy.labels)
        if only_missing:
            for _ in _only_missing(stream._replace(blocks=_blocks_of(rows)), self.source):
                pass
        return rows

    def _extract(self, file: BinaryIO) -> None:
        # A member of an .npz file is an .npy file.
        try:
            with ZipFile(self.path) as archive:
                chosen = chosen_member(archive, self.path, self.source, self.member)
                with archive.open(chosen) as member:
                    shutil.copyfileobj(member, file, 1 << 20)
        except FileError:
            raise
        except DAMAGE as error:
            raise FileError(f"{self.source}: damaged, or not an .npz file") from error


def as_input(
    given: Any,
    name: str,
    options: TableOptions = DEFAULT,
    tell: Callable[[Reading], None] = lambda _: None,
) -> Input:
    """Return what a user gave as an input; nothing is read yet.

    Raises `FileError` if the file is missing, or of no known kind.
    """
    if not isinstance(given, str | os.PathLike):
        given = validation.unmasked(name, given)
        values = given if sparse.is_sparse(given) else np.asanyarray(given)
        return Input(name, Path(), "array", values=values, mapped=_mapped(values))
    with reading(os.fspath(given)):
        source, path, kind, member = place_of(os.fspath(given), options)
    # Tiles may be computed by another process, in another folder.
    return Input(source, path.absolute(), kind, member, options=options, tell=tell)


def _mapped(values: Any) -> Path | None:
    """Return the file that an array, or what it is a view of, is mapped from."""
    while values is not None:
        if isinstance(values, np.memmap) and values.filename is not None:
            return Path(os.fspath(values.filename))
        values = getattr(values, "base", None)
    return None


class _Copy:
    """The rows of a file, copied into an ``.npy`` file, and their labels into an Arrow file.

    `path` is where to; it has this name once it is whole. `source` is what is copied.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.source = path, source
        self.labels = path.with_suffix(".labels.arrow")
        self.columns = path.with_suffix(".columns.arrow")

    def make(self, write: Callable[[BinaryIO], None]) -> None:
        """Write the copy, unless an earlier run did."""
        if self.path.exists():
            return
        temporary = self.path.with_suffix(".tmp")
        try:
            with temporary.open("w+b") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            # What is written lies beside the output; all else is read.
            full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
            where = f"{self.path}: cannot be written" if full else self.source
            kind = OutputError if full else FileError
            raise kind(f"{where}: {error.strerror or error}") from error


def _only_missing(stream: Stream, source: str) -> Iterator[Block]:
    """Yield a stream's blocks, and raise for a fault that is no missing value."""
    start = 0
    for values, labels in stream.blocks:
        for found in faults(values, source, start, stream.columns):
            missing = found.value is not None and math.isnan(found.value)
            zeros = found.value is None and stream.transposed
            if not (missing or zeros):
                raise FileError(str(found))
        start += values.shape[0]
        yield values, labels


def _labelled(copy: _Copy, stream: Stream, source: str) -> ArrayFile:
    """Return a copy of rows as a source with their names."""
    rows = open_npy(copy.path, source)
    named = stream.columns is not None if stream.transposed else stream.labelled
    labels = copy.labels if named else None
    if not stream.transposed:
        return called(rows, source, stream.columns, stream.label_name, labels)
    columns = None
    if stream.labelled:
        with names_in(copy.columns) as names:
            columns = tuple(names.to_pylist())
    return called(rows, source, columns, ROW, labels)


def _write(file: BinaryIO, stream: Stream, copy: _Copy, source: str) -> None:
    count = 0
    _write_header(file, stream, count)
    named = copy.columns if stream.transposed else copy.labels
    with _label_writer(named, stream.labelled) as write_labels:
        for values, names in stream.blocks:
            file.write(np.ascontiguousarray(values, stream.dtype).data)
            count += len(values)
            write_labels(names)
    if not count:
        raise FileError(f"{source}: the file has no rows")
    if stream.transposed and stream.columns is not None:
        _write_labels(copy.labels, stream.columns)
    file.seek(0)
    _write_header(file, stream, count)


def _write_sparse(file: BinaryIO, matrix: SparseTable, copy: _Copy) -> None:
    write_matrix(file, starts_of(copy.path), matrix)
    if matrix.rows is not None:
        _write_labels(copy.labels, matrix.rows)


def _blocks_of(rows: SparseFile) -> Iterator[Block]:
    step = max(1, CHUNK // rows.row_values)
    for block in rows.blocks(0, rows.shape[0], step):
        yield block, None


def _write_labels(path: Path, names: Sequence[str]) -> None:
    import pyarrow as pa

    with _label_writer(path, True) as write_labels:
        write_labels(pa.array(names, pa.string()))


def _write_header(file: BinaryIO, stream: Stream, count: int) -> None:
    # NumPy leaves room for the number of rows to grow, of columns in Fortran's order.
    shape = (stream.width, count) if stream.transposed else (count, stream.width)
    np.lib.format.write_array_header_1_0(
        file,
        {
            "descr": np.lib.format.dtype_to_descr(stream.dtype),
            "fortran_order": stream.transposed,
            "shape": shape,
        },
    )


@contextmanager
def _label_writer(path: Path, labelled: bool) -> Iterator[Callable[[Any], None]]:
    if not labelled:
        yield lambda _: None
        return
    import pyarrow as pa

    schema = pa.schema([("label", pa.string())])
    with path.open("wb") as file:
        with pa.ipc.new_file(file, schema) as writer:
            yield lambda names: writer.write_batch(pa.record_batch([names], schema=schema))
        file.flush()
        os.fsync(file.fileno())
