"""What format a file has, and its rows in one stream whatever that is."""

import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.anndata import anndata_bytes, open_h5ad
from jsdiv_numba.batch.io.compressed import SparseTable
from jsdiv_numba.batch.io.file_errors import require_file
from jsdiv_numba.batch.io.long import LongTable, long_table, options_of_lines
from jsdiv_numba.batch.io.npy import read_npz, stream_array
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.parquet import dense_bytes as parquet_bytes
from jsdiv_numba.batch.io.parquet import feather_bytes, files_of, stream_feather, stream_parquet
from jsdiv_numba.batch.io.rows import Stream
from jsdiv_numba.batch.io.sources import Source, open_npy, open_zarr
from jsdiv_numba.batch.io.sparse import (
    is_sparse,
    open_mtx,
    open_npz,
    sparse_bytes,
    stream_sparse,
)
from jsdiv_numba.batch.io.text import TEXT_SUFFIXES, stream_text

STDIN = "-"
ARRAYS = (".npy", ".zarr")
"""What is read where it lies."""

SPARSE = (".h5ad", ".mtx", ".npz")
"""What has sparse matrices."""

SUFFIXES = (*TEXT_SUFFIXES, ".feather", ".h5ad", ".mtx", ".npy", ".npz", ".parquet", ".zarr")
_COMPRESSED = (*TEXT_SUFFIXES, ".mtx")
_SAME = {".pq": ".parquet", ".arrow": ".feather", ".ipc": ".feather"}
_MEMBER_MARKS = (".npz:", ".h5ad:")
_ZARR_MARKS = ("zarr.json", ".zarray")
_EXPORTS = {
    "a spreadsheet; save the sheet as CSV UTF-8": (".xlsx", ".xls", ".xlsm", ".ods", ".numbers"),
    "made by R; write.csv(x, 'x.csv') saves it as text": (".rds", ".rda", ".rdata"),
    "a table of BIOM; 'biom convert --to-tsv' makes it text, whose rows are categories "
    "(--transpose)": (".biom",),
    "an HDF5 file; numpy.save('x.npy', file['name'][:]) saves an array of it": (".h5", ".hdf5"),
    "Python objects, which could be anything; save them as .npy or .csv": (".pkl", ".pickle"),
    "compressed in a way that is not read; .gz is": (".bz2", ".xz", ".zip", ".zst"),
    "JSON; pandas.read_json('x.json').to_csv('x.csv') makes it text": (".json", ".jsonl"),
}


class Place(NamedTuple):
    """Where rows are, and in which format."""

    source: str  # what the user named
    path: Path  # the file or folder
    kind: str  # its format, as an extension
    member: str | None = None  # which array of an ``.npz`` file


def place_of(source: str, options: TableOptions) -> Place:
    """Return where rows are, and in which format; nothing is read yet.

    `source`: a file or folder, as the user named it; ``FILE.npz:NAME`` is an array of
    several, and ``FILE.h5ad:layers/NAME`` a layer. Raises `FileError` if there is no such
    file, or if it is of no known format.

    Examples
    --------
    >>> place_of("counts.xls", TableOptions())
    Traceback (most recent call last):
        ...
    jsdiv_numba.batch.errors.FileError: counts.xls: a spreadsheet; save the sheet as CSV UTF-8
    """
    if not source:
        raise FileError("'': no name of a file")
    path, member = (_spooled(options), None) if source == STDIN else split_member(source)
    if path.is_dir():
        return Place(source, path, _kind_of_folder(path, source))
    kind = kind_of(path.name, source) if options.format is None else _format(options.format, source)
    if not path.exists():
        raise FileError(f"{source}: No such file or directory")
    require_file(path, source)
    return Place(source, path, kind, member)


_STDIN_FILE: ContextVar[Path] = ContextVar("jsdiv_stdin")


@contextmanager
def stdin_as_file() -> Iterator[None]:
    """Keep what comes from stdin in a file, which ``-`` stands for in the block."""
    with tempfile.TemporaryDirectory(prefix="jsdiv-") as folder:
        path = Path(folder, "stdin")
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        token = _STDIN_FILE.set(path)
        try:
            yield
        finally:
            _STDIN_FILE.reset(token)


def _spooled(options: TableOptions) -> Path:
    path = _STDIN_FILE.get(None)
    if path is None:
        raise FileError("-: only the command reads stdin; name a file")
    if options.format is None:
        raise FileError("-: say which format stdin has, for example --format csv")
    return path


def kind_of(name: str, source: str) -> str:
    """Return the format of a file by its name, in any case, and without that of compression."""
    lower = name.lower()
    plain = lower.removesuffix(".gz")
    suffix = os.path.splitext(plain)[1]
    suffix = _SAME.get(suffix, suffix)
    if suffix in SUFFIXES and (plain == lower or suffix in _COMPRESSED):
        return suffix
    shown = os.path.splitext(name)[1]
    for what, suffixes in _EXPORTS.items():
        if suffix in suffixes:
            raise FileError(f"{source}: {what}")
    raise FileError(
        f"{source}: unknown extension {shown!r}; use {', '.join(sorted(SUFFIXES))}, or say --format"
    )


def _format(given: str, source: str) -> str:
    kind = _SAME.get(given.removesuffix(".gz"), given.removesuffix(".gz"))
    if kind not in SUFFIXES or kind == ".zarr":
        known = ", ".join(suffix[1:] for suffix in sorted(SUFFIXES) if suffix != ".zarr")
        raise FileError(f"{source}: unknown format {given[1:]!r}; use one of {known}")
    return kind


def _kind_of_folder(path: Path, source: str) -> str:
    if any((path / mark).exists() for mark in _ZARR_MARKS):
        return ".zarr"
    if files_of(path):
        return ".parquet"
    raise FileError(f"{source}: a folder without a Zarr array and without .parquet files")


def split_member(source: str) -> tuple[Path, str | None]:
    """Return the path of an input, and the array that it names of an ``.npz`` file."""
    path = Path(source)
    mark = max(_MEMBER_MARKS, key=source.lower().rfind)
    at = source.lower().rfind(mark)
    if at < 0 or path.exists():
        return path, None
    return Path(source[: at + len(mark) - 1]), source[at + len(mark) :]


def stream_rows(place: Place, options: TableOptions, *, lenient: bool = False) -> Stream:
    """Return the rows of a file, block by block.

    `lenient` says whether rows of numbers may be no distributions. Raises `FileError` now
    or while the blocks are read.
    """
    if options.long is not None:
        return _open_long(place, options, lenient=lenient).stream()
    return _lines(place, options, lenient)


def _open_long(place: Place, options: TableOptions, *, lenient: bool) -> LongTable:
    """Return a long table after a first pass over it; the arguments are those of `stream_rows`."""
    lines = options_of_lines(options)
    return long_table(lambda: _lines(place, lines, lenient), place.source, options)


def _lines(place: Place, options: TableOptions, lenient: bool) -> Stream:
    source, path, kind, member = place
    if kind in TEXT_SUFFIXES:
        return stream_text(path, source, kind, options, lenient=lenient)
    if kind in ARRAYS:
        return stream_source(open_in_place(place), options)
    if kind == ".npz" and (member is not None or not is_sparse(path)):
        array = read_npz(path, source, member)
        return stream_array(lambda a, b: array[a:b], array.shape, array.dtype, source, options)
    if kind in SPARSE:
        return stream_sparse(_open_sparse(place), options)
    readers = {".feather": stream_feather, ".parquet": stream_parquet}
    return readers[kind](path, source, options)


def _open_sparse(place: Place) -> SparseTable:
    source, path, kind, member = place
    if kind == ".h5ad":
        return open_h5ad(path, source, member)
    return open_npz(path, source) if kind == ".npz" else open_mtx(path, source)


def open_in_place(place: Place) -> Source:
    """Return an array that is read where it lies."""
    opened = open_npy if place.kind == ".npy" else open_zarr
    return opened(place.path.absolute(), place.source)


def stream_source(rows: Source, options: TableOptions) -> Stream:
    """Return the rows of an array that need not fit in memory, with what is said of them."""
    return stream_array(rows.rows, rows.shape, rows.stored, rows.source, options)


def memory_bytes(place: Place) -> int:
    """Return about how much memory the values of a file take, without reading them.

    Of text it is what it takes uncompressed.
    """
    path, kind = place.path, place.kind
    if kind == ".zarr":
        (rows, columns), size = open_zarr(path, place.source).shape, 8
        return rows * columns * size
    if kind == ".parquet":
        return sum(map(parquet_bytes, files_of(path) if path.is_dir() else [path]))
    if kind == ".feather":
        return feather_bytes(path)
    if kind in SPARSE and (kind != ".npz" or (place.member is None and is_sparse(path))):
        return _entry_bytes(place)
    if kind == ".npz":
        return _member_bytes(place)
    return _text_bytes(path)


def _entry_bytes(place: Place) -> int:
    if place.kind == ".h5ad":
        return anndata_bytes(place.path, place.source, place.member)
    return sparse_bytes(place.path, place.source)


def _member_bytes(place: Place) -> int:
    try:
        with zipfile.ZipFile(place.path) as archive:
            return max(
                (
                    info.file_size
                    for info in archive.infolist()
                    if place.member in (None, info.filename.removesuffix(".npy"))
                ),
                default=0,
            )
    except (zipfile.BadZipFile, NotImplementedError):
        return 0


def _text_bytes(path: Path) -> int:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size < 18 or file.read(2) != b"\x1f\x8b":
            return size
        # The last bytes say how long the text is, up to a multiple of 4 GiB.
        file.seek(-4, os.SEEK_END)
        return max(size, int.from_bytes(file.read(4), "little"))
