"""What a user names as input, as a source of rows: read where it lies, or copied beside the output.

A row of text or of Parquet cannot be found without reading what stands before it, and
tiles need each row many times: such a file is read once, block by block, into an
``.npy`` file in the folder of the unfinished run.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

import numpy as np

from jsdiv_numba.batch.errors import FileError, OutputError
from jsdiv_numba.batch.labelled import Stream
from jsdiv_numba.batch.parquet import stream_parquet
from jsdiv_numba.batch.partial import sync_folder
from jsdiv_numba.batch.readers import split_member
from jsdiv_numba.batch.sources import (
    Fingerprint,
    Source,
    called,
    file_fingerprint,
    folder_fingerprint,
    open_array,
    open_npy,
    open_zarr,
)
from jsdiv_numba.batch.text import stream_text

_ZARR_MARKS = ("zarr.json", ".zarray")
_TEXT = {".csv": ",", ".tsv": "\t", ".csv.gz": ",", ".tsv.gz": "\t"}
SUFFIXES = (*_TEXT, ".npy", ".npz", ".parquet", ".zarr")


@dataclass(frozen=True)
class Input:
    """A file, a folder, or an array, before it is opened.

    Parameters
    ----------
    source : str
        What messages call it.
    path : Path, optional
        Where it lies; None for an array.
    kind : str
        Its extension, ``"parquet folder"`` or ``"array"``.
    member : str, optional
        Which array of an ``.npz`` file.
    values : array_like, optional
        The array.
    """

    source: str
    path: Path
    kind: str
    member: str | None = None
    values: Any = None

    def fingerprint(self) -> Fingerprint:
        """Return what changes when the rows do."""
        if self.kind == "array":
            return open_array(self.values, self.source).fingerprint()
        if self.path.is_dir():
            return folder_fingerprint(self.path)
        return file_fingerprint(self.path, self.source)

    def open(self, folder: Path, role: str, *, lenient: bool) -> Source:
        """Return the rows, copied first if need be.

        Parameters
        ----------
        folder : Path
            Where the copy is kept.
        role : str
            What the copy is called.
        lenient : bool
            Whether rows may be no distributions.

        Returns
        -------
        Source

        Raises
        ------
        FileError
        """
        if self.kind == "array":
            return open_array(self.values, self.source)
        if self.kind == ".npy":
            return open_npy(self.path, self.source)
        if self.kind == ".zarr":
            return open_zarr(self.path, self.source)
        copy = _Copy(folder / f"{role}.npy", self.source)
        if self.kind == ".npz":
            copy.make(self._extract)
            return called(open_npy(copy.path, self.source), self.source, None, "row", None)
        stream = self._stream(lenient)
        copy.make(lambda file: _write(file, stream, copy.labels, self.source))
        labels = copy.labels if stream.labelled else None
        rows = open_npy(copy.path, self.source)
        return called(rows, self.source, stream.columns, stream.label_name, labels)

    def _stream(self, lenient: bool) -> Stream:
        if self.kind in _TEXT:
            return stream_text(self.path, self.source, _TEXT[self.kind], lenient=lenient)
        paths = sorted(self.path.glob("*.parquet")) if self.path.is_dir() else [self.path]
        return stream_parquet(paths, self.source)

    def _extract(self, file: BinaryIO) -> None:
        # A member of an .npz file is an .npy file.
        try:
            with ZipFile(self.path) as archive:
                names = [name.removesuffix(".npy") for name in archive.namelist()]
                with archive.open(f"{self._chosen(names)}.npy") as member:
                    shutil.copyfileobj(member, file, 1 << 20)
        except (BadZipFile, EOFError) as error:
            raise FileError(f"{self.source}: damaged, or not an .npz file") from error

    def _chosen(self, names: list[str]) -> str:
        listed = ", ".join(names) or "none"
        if self.member is None and len(names) != 1:
            raise FileError(
                f"{self.source}: say which of its arrays ({listed}), as {self.path}:NAME"
            )
        if self.member is not None and self.member not in names:
            raise FileError(
                f"{self.source}: no array {self.member!r} in {self.path}; its arrays: {listed}"
            )
        return names[0] if self.member is None else self.member


def as_input(given: Any, name: str) -> Input:
    """Return what a user gave as an input; nothing is read yet.

    Parameters
    ----------
    given : str, path or array_like
        A file, a folder or a matrix.
    name : str
        What messages call a matrix.

    Returns
    -------
    Input

    Raises
    ------
    FileError
        If the file is missing, or of no known kind.
    """
    if not isinstance(given, str | os.PathLike):
        return Input(name, Path(), "array", values=np.asanyarray(given))
    source = os.fspath(given)
    path, member = split_member(source)
    # Tiles may be computed by another process, in another folder.
    path = path.absolute()
    if path.is_dir():
        return Input(source, path, _kind_of_folder(path, source))
    suffixes = "".join(path.suffixes[-2:]).lower(), path.suffix.lower()
    kind = next((suffix for suffix in suffixes if suffix in SUFFIXES), None)
    if kind is None:
        known = ", ".join(sorted(SUFFIXES))
        raise FileError(f"{source}: unknown extension {path.suffix!r}; use {known}")
    if not path.exists():
        raise FileError(f"{source}: No such file or directory")
    return Input(source, path, kind, member)


def _kind_of_folder(path: Path, source: str) -> str:
    if any((path / mark).exists() for mark in _ZARR_MARKS):
        return ".zarr"
    if any(path.glob("*.parquet")):
        return "parquet folder"
    raise FileError(f"{source}: a folder without a Zarr array and without .parquet files")


class _Copy:
    """The rows of a file, copied into an ``.npy`` file, and their labels into an Arrow file.

    Parameters
    ----------
    path : Path
        Where to; it has this name once it is whole.
    source : str
        What is copied.
    """

    def __init__(self, path: Path, source: str) -> None:
        self.path, self.source = path, source
        self.labels = path.with_suffix(".labels.arrow")

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


def _write(file: BinaryIO, stream: Stream, labels: Path, source: str) -> None:
    count = 0
    _write_header(file, stream, count)
    with _label_writer(labels, stream.labelled) as write_labels:
        for values, names in stream.blocks:
            file.write(np.ascontiguousarray(values, stream.dtype).data)
            count += len(values)
            write_labels(names)
    if not count:
        raise FileError(f"{source}: the file has no rows")
    file.seek(0)
    _write_header(file, stream, count)


def _write_header(file: BinaryIO, stream: Stream, count: int) -> None:
    # NumPy leaves room for the first number of the shape to grow.
    np.lib.format.write_array_header_1_0(
        file,
        {
            "descr": np.lib.format.dtype_to_descr(stream.dtype),
            "fortran_order": False,
            "shape": (count, stream.width),
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
