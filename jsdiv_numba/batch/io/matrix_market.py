"""Matrix Market files, read without SciPy's reader, which ends the process at damaged ones.

As of SciPy 1.17, `scipy.io.mmread` of a text that is cut short in a line of values is a
segmentation fault, or an exception that nothing can catch.
"""

import itertools
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BANNER = b"%%matrixmarket"
_FIELDS = {"real", "double", "integer", "unsigned-integer", "pattern"}
_SIGNS = {"general": 0, "symmetric": 1, "skew-symmetric": -1}
"""What becomes of a value on the other side of the diagonal."""


class _Header(NamedTuple):
    coordinates: bool
    pattern: bool
    sign: int
    sizes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return self.sizes[0], self.sizes[1]


def read_matrix_market(file: BinaryIO) -> Any:
    """Return the matrix of a file.

    It is a COO array or a matrix, as it is kept. Raises `ValueError` if it is damaged, or complex.
    """
    header = _header(file)
    if header.coordinates:
        return _coordinates(file, header)
    return _array(file, header)


def _header(file: BinaryIO) -> _Header:
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
    return _Header(layout == "coordinate", field == "pattern", _SIGNS[symmetry], sizes)


def _size_line(file: BinaryIO) -> bytes:
    for line in file:
        if line.strip() and not line.startswith(b"%"):
            return line
    raise ValueError("it ends before its sizes")


def _values(file: BinaryIO, count: int, width: int) -> NDArray[np.float64]:
    """Return what follows: so many lines of so many numbers."""
    lines = (line for line in file if line.strip() and not line.startswith(b"%"))
    first = next(lines, None)
    if first is None:
        found = np.empty((0, width))
    else:
        every = itertools.chain([first], lines)
        found = np.loadtxt(every, ndmin=2, comments=None, encoding="latin-1")
    if found.shape != (count, width):
        raise ValueError(
            f"there are {found.shape[0]} lines of {found.shape[1]} numbers, not {count} of {width}"
        )
    return found


def _coordinates(file: BinaryIO, header: _Header) -> Any:
    from scipy import sparse

    found = _values(file, header.sizes[2], 2 if header.pattern else 3)
    places = found[:, :2] - 1
    if not ((places >= 0) & (places < header.shape) & (places % 1 == 0)).all():
        raise ValueError(f"a value stands outside of {header.shape[0]} × {header.shape[1]}")
    i, j = places.astype(np.int64).T
    values = np.ones(len(found)) if header.pattern else found[:, 2]
    if header.sign:
        off = i != j
        i, j = np.concatenate([i, j[off]]), np.concatenate([j, i[off]])
        values = np.concatenate([values, header.sign * values[off]])
    return sparse.coo_array((values, (i, j)), shape=header.shape)


def _array(file: BinaryIO, header: _Header) -> NDArray[np.float64]:
    rows, columns = header.shape
    if not header.sign:
        return _values(file, rows * columns, 1).reshape(columns, rows).T
    # Of what is symmetric, a column begins at the diagonal, or after it where that is zero.
    columns_of, rows_of = np.triu_indices(rows, 0 if header.sign > 0 else 1)
    values = _values(file, len(rows_of), 1)[:, 0]
    matrix = np.zeros((rows, rows))
    matrix[columns_of, rows_of] = header.sign * values
    matrix[rows_of, columns_of] = values
    return matrix
