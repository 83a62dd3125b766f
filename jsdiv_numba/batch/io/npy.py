"""NumPy's arrays, and archives of them, as rows."""

import tokenize
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.roles import Field, Roles, roles
from jsdiv_numba.batch.io.rows import Block, Stream
from jsdiv_numba.batch.io.table import RowFilter, joined, stream_of

# Of what stands in a header, NumPy raises whatever Python has for such an expression.
DAMAGE = (
    *(ValueError, TypeError, KeyError, EOFError, OverflowError, MemoryError, RecursionError),
    *(SyntaxError, tokenize.TokenError, BadZipFile, RuntimeError, zlib.error),
)
_BLOCK_BYTES = 1 << 25
UNREADABLE = "damaged, cut short, not a NumPy file, or it holds Python objects instead of numbers"


def read_npz(path: Path, source: str, member: str | None = None) -> NDArray[Any]:
    """Return the only array of an ``.npz`` file, or the one called `member`."""
    try:
        with path.open("rb") as file, _archive(file, source) as archive:
            return _member(archive, chosen_member(archive, path, source, member))
    except FileError:
        raise
    except DAMAGE as error:
        raise FileError(f"{source}: {UNREADABLE}") from error


def _archive(file: BinaryIO, source: str) -> ZipFile:
    if file.read(6) == b"\x93NUMPY":
        raise FileError(f"{source}: an .npy file under another name; call it .npy")
    return ZipFile(file)


def chosen_member(archive: ZipFile, path: Path, source: str, member: str | None) -> str:
    """Return the name of a member: that of the only one, or of what is called `member`."""
    names = {name.removesuffix(".npy"): name for name in archive.namelist()}
    if not names:
        raise FileError(f"{source}: it holds no array")
    listed = ", ".join(names)
    if member is None and len(names) != 1:
        # Of stdin, and of a file under another name, none can be named.
        named = path.suffix.lower() == ".npz"
        how = f"as {path}:NAME" if named else "as FILE.npz:NAME of a file under such a name"
        raise FileError(f"{source}: say which of its arrays ({listed}), {how}")
    if member is not None and member not in names:
        raise FileError(f"{source}: no array {member!r} in {path}; its arrays: {listed}")
    return names[member] if member is not None else next(iter(names.values()))


def _member(archive: ZipFile, name: str) -> NDArray[Any]:
    """Return an array of an archive, which NumPy reads no further than the array's last value."""
    with archive.open(name) as file:
        array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        # The sum that tells of damage is looked at where the member ends.
        while file.read(1 << 20):
            pass
    return array


def require_rows(shape: tuple[int, ...], dtype: np.dtype[Any], source: str) -> tuple[int, int]:
    """Return the shape of an array whose rows can be distributions.

    Raises `FileError` if it is not 2-D, holds anything but real numbers, or nothing.
    """
    if dtype.kind not in "buif":
        raise FileError(f"{source}: dtype {dtype}; values have to be real numbers")
    if len(shape) != 2:
        raise FileError(f"{source}: shape {shape}; rows need a 2-D array")
    if 0 in shape:
        raise FileError(f"{source}: shape {shape}; there are no values")
    return shape[0], shape[1]


def float_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return what values are computed in: float32 where it holds them, else float64."""
    single = dtype.kind == "f" and dtype.itemsize <= 4
    return np.dtype(np.float32 if single else np.float64)


def stream_array(
    read: Callable[[int, int], NDArray[Any]],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    source: str,
    options: TableOptions,
) -> Stream:
    """Return the rows of an array, block by block, without and with what is said of it."""
    number, width = require_rows(shape, dtype, source)
    kind = float_type(dtype)
    if options.label_column or options.columns or options.exclude:
        found = roles([Field("", "number")] * width, options, source, named=False)
        chosen = list(found.values)
    else:
        # Of millions of columns, no list.
        found, chosen = Roles((), range(width), ()), None

    def blocks(rows: RowFilter) -> Iterator[Block]:
        step = max(1, _BLOCK_BYTES // (8 * width))
        for start in range(0, number, step):
            block = read(start, min(start + step, number))
            labels = joined([numbers_as_text(block[:, j]) for j in found.labels], options)
            kept = rows.kept(start, len(block), labels)
            values = (block if chosen is None else block[:, chosen]).astype(kind, copy=False)
            if options.missing == "zero":
                values = np.where(np.isnan(values), kind.type(0), values)
            if kept is not None:
                values = values[kept]
                labels = None if labels is None else labels.filter(kept)
            yield values, labels

    return stream_of(blocks, source, None, found, options, kind, (), totals=False)


def numbers_as_text(column: NDArray[Any]) -> Any:
    """Return numbers that label rows as Arrow's text: whole ones without a point."""
    import pyarrow as pa

    values = column.tolist()
    whole = [int(v) if isinstance(v, float) and v.is_integer() else v for v in values]
    return pa.array(list(map(str, whole)), pa.string())
