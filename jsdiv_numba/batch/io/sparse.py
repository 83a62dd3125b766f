"""Sparse matrices, as SciPy and Matrix Market keep them, as rows; made dense block by block."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.dialect import open_bytes, readable
from jsdiv_numba.batch.io.matrix_market import read_matrix_market
from jsdiv_numba.batch.io.npy import DAMAGE, require_rows, stream_array
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.rows import Stream

_MEMBERS = {"format", "shape", "data"}


def is_sparse(path: Path) -> bool:
    """Return whether an ``.npz`` file is a matrix that `scipy.sparse.save_npz` wrote."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()} >= _MEMBERS
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return False


def read_sparse(path: Path, source: str) -> Any:
    """Return the matrix of an ``.npz`` or ``.mtx`` file, in SciPy's form of compressed rows."""
    from scipy import sparse

    try:
        if path.suffix.lower() == ".npz":
            matrix = sparse.load_npz(path)
            # What lies outside of a matrix is written to all the same, unless it is looked at.
            if hasattr(matrix, "check_format"):
                matrix.check_format(full_check=True)
        else:
            with readable(source), open_bytes(path) as file:
                matrix = read_matrix_market(file)
    except FileError:
        raise
    except DAMAGE as error:
        first_line = str(error).partition("\n")[0]
        raise FileError(f"{source}: damaged, or not a sparse matrix ({first_line})") from error
    require_rows(matrix.shape, matrix.dtype, source)
    rows = sparse.csr_array(matrix)
    rows.sum_duplicates()
    return rows


def stream_sparse(path: Path, source: str, options: TableOptions) -> Stream:
    """Read a sparse matrix, block by block; the arguments are those of `read_sparse`."""
    matrix = read_sparse(path, source)

    def read(start: int, stop: int) -> np.ndarray:
        return np.asarray(matrix[start:stop].toarray())

    return stream_array(read, matrix.shape, matrix.dtype, source, options)


def dense_bytes(path: Path, source: str) -> int:
    """Return how much memory a sparse matrix takes once it is dense; only its shape is read."""
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path) as members:
                shape = members["shape"].tolist()
            return 8 * int(np.prod(shape, dtype=object))
        with readable(source), open_bytes(path) as file:
            sizes = next(line for line in file if line.strip() and not line.startswith(b"%"))
        rows, columns, *_ = map(int, sizes.split())
        return 8 * rows * columns
    except (*DAMAGE, StopIteration):
        # What is damaged has no size; its reader says more of it.
        return 0
