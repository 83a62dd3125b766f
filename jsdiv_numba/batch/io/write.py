"""A matrix or a picture into a file: whole, or not at all."""

import contextlib
import gzip
import os
import secrets
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError, OutputError

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_COMPRESSED = ".gz"
TABLE_SUFFIXES = (".parquet", *_DELIMITERS, *(suffix + _COMPRESSED for suffix in _DELIMITERS))
MATRIX_SUFFIXES = (".npy", *TABLE_SUFFIXES)
OUTPUT_SUFFIXES = (*MATRIX_SUFFIXES, ".zarr")
PICTURE_SUFFIXES = (".png", ".svg", ".pdf")


def suffix_of(path: Path) -> str:
    """Return the extension of an output: of compressed text, both.

    Examples
    --------
    >>> suffix_of(Path("a.b.CSV.gz")), suffix_of(Path("a.b.npy"))
    ('.csv.gz', '.npy')
    """
    both = "".join(path.suffixes[-2:]).lower()
    return both if both in TABLE_SUFFIXES else path.suffix.lower()


def check_destination(
    path: Path, suffixes: Sequence[str], sources: Sequence[str] = (), *, probe: bool = True
) -> None:
    """Raise `FileError` if `path` could not be written, before anything is computed.

    `probe` says whether to try if its folder can be written to, by a file that is removed
    at once.
    """
    if suffix_of(path) not in suffixes:
        raise FileError(f"{path}: unknown extension {path.suffix!r}; use {', '.join(suffixes)}")
    if path.suffix.lower() != ".zarr":
        _require_file(path)
    for source in sources:
        _require_unread(path, source)
    if probe:
        with writing(path):
            temporary = _temporary(path)
            temporary.open("xb").close()
            temporary.unlink()


def _require_unread(path: Path, source: str) -> None:
    """Raise `FileError` if an output is an input, or stands among the files of one."""
    if not os.path.exists(source):
        return
    if path.exists() and path.samefile(source):
        raise FileError(f"{path}: is read as well; write to another file")
    if os.path.isdir(source) and Path(source).resolve() in path.resolve().parents:
        raise FileError(f"{path}: lies in {source}, which is read; write to another folder")


def _require_file(path: Path) -> None:
    """Raise `FileError` if something is there that a file could not take the place of."""
    if path.is_dir():
        raise FileError(f"{path}: a folder, not a file")
    if path.exists() and not path.is_file():
        raise FileError(f"{path}: a device or a pipe, not a file")


def check_headings(path: Path, headings: Sequence[str]) -> None:
    """Raise `FileError` if `path` is a Parquet file that would have two columns of one name."""
    if path.suffix.lower() != ".parquet":
        return
    heading, count = Counter(headings).most_common(1)[0]
    if count > 1:
        raise FileError(
            f"{path}: {count} columns would be called {heading!r}, which Parquet's readers "
            f"refuse; give the rows labels of their own or write .csv"
        )


def write_table(
    path: Path,
    values: NDArray[np.floating[Any]],
    *,
    labels: Mapping[str, Sequence[str]],
    headings: Sequence[str],
) -> None:
    """Write values with their labels; every float reads back as the same float.

    `path`: ``.csv``, ``.tsv``, both also ``.gz``, ``.parquet``, or ``.npy``, which holds
    the values only. `values`, shape (n,) or (n, m): what is written. `labels`, length n:
    the leading columns of text, by their heading. `headings`, length m: what the columns of
    `values` are called. Raises `FileError` if the file cannot be written.
    """
    suffix = suffix_of(path)
    with replacing(path) as file:
        if suffix == ".npy":
            np.save(file, values)
        else:
            write_arrow(file, suffix, arrow_table(values, labels, headings))


def arrow_table(
    values: NDArray[np.floating[Any]],
    labels: Mapping[str, Sequence[str]],
    headings: Sequence[str],
) -> Any:
    """Return values and labels as an Arrow table; the arguments are those of `write_table`."""
    import pyarrow as pa

    columns = [pa.array(texts, pa.string()) for texts in labels.values()]
    columns += [pa.array(np.ascontiguousarray(c)) for c in values.reshape(len(values), -1).T]
    return pa.Table.from_arrays(columns, names=[*labels, *headings])


def write_arrow(file: BinaryIO, suffix: str, table: Any, *, header: bool = True) -> None:
    """Write an Arrow table.

    `suffix`: ``.csv``, ``.tsv``, both also ``.gz``, or ``.parquet``. `header` says whether
    text begins with the columns' names.
    """
    from pyarrow import csv, parquet

    if suffix == ".parquet":
        parquet.write_table(table, file)
    elif suffix.endswith(_COMPRESSED):
        # Without name and time, what is written depends on nothing but the table.
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as compressed:
            write_arrow(compressed, suffix.removesuffix(_COMPRESSED), table, header=header)  # type: ignore[arg-type]
    else:
        options = csv.WriteOptions(include_header=header, delimiter=_DELIMITERS[suffix])
        csv.write_csv(table, file, options)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once it is whole.

    It is written under a temporary name in the same folder, flushed to the disk and
    renamed; if anything goes wrong on the way, it is removed and `path` stays as it was.

    `path`: the file to be written; a link is followed. Raises `FileError` if the file
    cannot be written.
    """
    target = Path(os.path.realpath(path))
    temporary = _temporary(target)
    with writing(path):
        try:
            # To a file that is for reading too, NumPy writes as Python does, whose errors say why.
            with open(temporary, "x+b", opener=_opener(target)) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            keep_access(temporary, target)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _opener(target: Path) -> Callable[[str, int], int]:
    """Return what opens a file that nobody else may read until it has the mode of `target`."""
    mode = 0o600 if target.exists() else 0o666
    return lambda path, flags: os.open(path, flags, mode)


def keep_access(path: Path, target: Path) -> None:
    """Give a file the mode, and where the system allows it the owner, of the one it replaces.

    `target`: the file whose place it takes; if there is none, `path` stays as it is.
    """
    with contextlib.suppress(FileNotFoundError):
        status = target.stat()
        if hasattr(os, "chown"):
            # To give a file away takes privileges; to another group of ours, none.
            for owner in (status.st_uid, -1):
                with contextlib.suppress(OSError):
                    os.chown(path, owner, status.st_gid)
                    break
        # Some file systems have neither owners nor modes.
        with contextlib.suppress(OSError):
            path.chmod(stat.S_IMODE(status.st_mode) & 0o777)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says against writing into a line that names the output."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def _temporary(path: Path) -> Path:
    # Not the tempfile module: its files are private, and results are for the user's group too.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
