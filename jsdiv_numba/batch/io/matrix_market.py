"""Matrix Market files, read without SciPy's reader, which ends the process at damaged ones.

As of SciPy 1.17, `scipy.io.mmread` of a text that is cut short in a line of values is a
segmentation fault, or an exception that nothing can catch.
"""

import itertools
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.io.compressed import Entries

_BANNER = b"%%matrixmarket"
_FIELDS = {"real", "double", "integer", "unsigned-integer", "pattern"}
_SIGNS = {"general": 0, "symmetric": 1, "skew-symmetric": -1}
"""What becomes of a value on the other side of the diagonal."""

_LINES = 1 << 17
"""Lines that are in memory at a time."""


class Header(NamedTuple):
    """What a file says before its values."""

    coordinates: bool
    pattern: bool
    sign: int
    sizes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.sizes[0], self.sizes[1]


def matrix_header(file: BinaryIO) -> Header:
    """Read what a file says before its values.

    Raises `ValueError` if it is damaged, or complex.
    """
    banner = file.readline(1 << 12).lower().split()
    if len(banner) != 5 or banner[:2] != [_BANNER, b"matrix"]:
        raise ValueError("its first line is not '%%MatrixMarket matrix FORMAT FIELD SYMMETRY'")
    layout, field, symmetry = (word.decode("latin-1") for word in banner[2:])
    if layout not in {"coordinate", "array"}:
        raise ValueError(f"its format is {layout!r}")
    if field not in _FIELDS or symmetry not in _SIGNS or (layout, field) == ("array", "pattern"):
        raise ValueError(f"its values are {field} and {symmetry}")
    sizes = tuple(map(int, _size_line(file).split()))
    if len(sizes) != (3 if layout == "coordinate" else 2) or min(sizes) < 0:
        raise ValueError(f"its sizes are {sizes}")
    if _SIGNS[symmetry] and sizes[0] != sizes[1]:
        raise ValueError(f"it is {symmetry}, of {sizes[0]} rows and {sizes[1]} columns")
    return Header(layout == "coordinate", field == "pattern", _SIGNS[symmetry], sizes)


def _size_line(file: BinaryIO) -> bytes:
    for line in file:
        if line.strip() and not line.startswith(b"%"):
            return line
    raise ValueError("it ends before its sizes")


def matrix_entries(file: BinaryIO, header: Header) -> Iterator[Entries]:
    """Read the entries that follow, with both sides of the diagonal; zeros of arrays, too."""
    parts = _coordinates(file, header) if header.coordinates else _array(file, header)
    for part in parts:
        off = part.rows != part.columns
        if not header.sign or not off.any():
            yield part
            continue
        rows, columns, values = part
        yield Entries(
            np.concatenate([rows, columns[off]]),
            np.concatenate([columns, rows[off]]),
            np.concatenate([values, header.sign * values[off]]),
        )


def _values(file: BinaryIO, count: int, width: int) -> Iterator[NDArray[np.float64]]:
    """Yield what follows: so many lines of so many numbers."""
    lines = (line for line in file if line.strip() and not line.startswith(b"%"))
    number = 0
    while some := list(itertools.islice(lines, _LINES)):
        found = np.loadtxt(some, ndmin=2, comments=None, encoding="latin-1")
        number += len(found)
        if number > count or found.shape[1] != width:
            break
        yield found
    else:
        found = np.empty((0, width))
    if (number, found.shape[1]) != (count, width):
        raise ValueError(
            f"there are {number} lines of {found.shape[1]} numbers, not {count} of {width}"
        )


def _coordinates(file: BinaryIO, header: Header) -> Iterator[Entries]:
    for found in _values(file, header.sizes[2], 2 if header.pattern else 3):
        places = found[:, :2] - 1
        if not ((places >= 0) & (places < header.shape) & (places % 1 == 0)).all():
            raise ValueError(f"a value stands outside of {header.shape[0]} × {header.shape[1]}")
        values = np.ones(len(found)) if header.pattern else found[:, 2]
        rows, columns = places.astype(np.int64).T
        yield Entries(rows, columns, values)


def _array(file: BinaryIO, header: Header) -> Iterator[Entries]:
    rows, columns = header.shape
    # Of what is symmetric, a column begins at the diagonal, or after it where that is zero.
    tops = np.arange(columns) + (header.sign < 0) if header.sign else np.zeros(columns, np.int64)
    starts = np.concatenate([[0], np.cumsum(rows - tops)])
    first = 0
    for found in _values(file, int(starts[-1]), 1):
        places = np.arange(first, first + len(found))
        column = np.searchsorted(starts, places, "right") - 1
        yield Entries(places - starts[column] + tops[column], column, found[:, 0])
        first += len(found)
