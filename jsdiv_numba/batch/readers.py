"""A file, whatever its format, as labelled rows."""

from collections.abc import Callable
from pathlib import Path

from jsdiv_numba.batch.arrays import read_npy, read_npz
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.labelled import LabelledRows, require_distributions
from jsdiv_numba.batch.parquet import read_parquet
from jsdiv_numba.batch.text import read_csv, read_tsv

_READERS: dict[str, Callable[[Path, str], LabelledRows]] = {
    ".csv": read_csv,
    ".npy": read_npy,
    ".npz": read_npz,
    ".parquet": read_parquet,
    ".tsv": read_tsv,
}
READ_SUFFIXES = tuple(_READERS)
_MEMBER_MARK = ".npz:"


def read_rows(source: str) -> LabelledRows:
    """Read the rows of a file.

    A first column of text, in the formats that can hold text, is the rows' labels.

    Parameters
    ----------
    source : str
        A ``.npy``, ``.npz``, ``.csv``, ``.tsv`` or ``.parquet`` file. An ``.npz``
        file of several arrays is told which one as ``FILE.npz:name``.

    Returns
    -------
    LabelledRows

    Raises
    ------
    FileError
        If the file cannot be read, or a row of it is no distribution. The message
        names the file, the place in it, and what stands there.

    Examples
    --------
    >>> read_rows("counts.xls")
    Traceback (most recent call last):
        ...
    jsdiv_numba.batch.errors.FileError: counts.xls: unknown extension '.xls'; use .csv, .npy,
    .npz, .parquet, .tsv
    """
    path, member = split_member(source)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise FileError(f"{source}: unknown extension {path.suffix!r}; use {', '.join(_READERS)}")
    if path.is_dir():
        raise FileError(f"{source}: a folder, not a file")
    try:
        rows = reader(path, source) if member is None else read_npz(path, source, member)
    except OSError as error:
        raise FileError(f"{source}: {error.strerror or error}") from error
    if not rows.values.size:
        raise FileError(f"{source}: shape {rows.values.shape}; there are no values")
    require_distributions(rows)
    return rows


def split_member(source: str) -> tuple[Path, str | None]:
    """Return the path of an input, and the array that it names of an ``.npz`` file.

    Parameters
    ----------
    source : str
        The file as the user named it.

    Returns
    -------
    (Path, str or None)
    """
    path = Path(source)
    if _MEMBER_MARK not in source or path.exists():
        return path, None
    archive, _, member = source.rpartition(_MEMBER_MARK)
    return Path(archive + ".npz"), member
