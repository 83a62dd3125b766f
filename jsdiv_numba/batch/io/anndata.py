"""AnnData's files, whose matrices have the names of cells and of genes beside them.

They are not among the files that `tests.fuzz` damages: HDF5 1.14 runs in a circle in an attribute
of some of these, which nothing in Python can end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.compressed import CHUNK, Entries, SparseTable
from jsdiv_numba.batch.io.npy import require_rows
from jsdiv_numba.batch.io.rows import ROW
from jsdiv_numba.batch.io.sparse import compressed_entries, sparse_table

_KINDS = {"csr": "csr", "csr_matrix": "csr", "csc": "csc", "csc_matrix": "csc"}


def open_h5ad(path: Path, source: str, member: str | None) -> SparseTable:
    """Return a matrix of an AnnData file, ``X`` unless another is named, such as ``layers/raw``."""
    name = "X" if member is None else member
    with _opened(path, source) as file:
        matrix = file.get(name)
        if not _is_matrix(matrix):
            raise FileError(f"{source}: no matrix {name!r} in {path}; it has {_listed(file)}")
        shape, dtype = _shape(matrix), _array(matrix).dtype
        require_rows(tuple(shape), dtype, source)
        names = (
            _names(file.get("obs")),
            _names(file.get("raw/var" if name[:4] == "raw/" else "var")),
        )
    fit = [_fitting(own, n) for own, n in zip(names, shape, strict=False)]
    if name == "X" or name.startswith(("raw/", "layers/")):
        for frame, own, found, n in zip(("obs", "var"), names, fit, shape, strict=False):
            if own is not found:
                raise FileError(
                    f"{source}: damaged: {frame} has {len(own or ()):,} names, of {n:,} in {name}"
                )

    def entries() -> Iterator[Entries]:
        with _opened(path, source) as file:
            yield from _entries(file[name])

    label_name = ROW if fit[0] is None else "cell"
    return sparse_table(
        source, shape, dtype, entries, rows=fit[0], columns=fit[1], label_name=label_name
    )


def anndata_bytes(path: Path, source: str, member: str | None) -> int:
    """Return about how much memory the entries of a matrix take; only their number is read."""
    with _opened(path, source) as file:
        matrix = file.get("X" if member is None else member)
        return 0 if matrix is None else 12 * int(_array(matrix).size)


@contextmanager
def _opened(path: Path, source: str) -> Iterator[Any]:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise FileError(
            f'{source}: reading it takes h5py: pip install "jsdiv_numba[anndata]"'
        ) from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise FileError(f"{source}: damaged, or not an HDF5 file") from error


def _is_matrix(found: Any) -> bool:
    if not hasattr(found, "keys"):
        return found is not None
    return "data" in found or "indptr" in found


def _fitting(names: tuple[str, ...] | None, number: int) -> tuple[str, ...] | None:
    """Return the names of an axis, unless they are of another."""
    return names if names is not None and len(names) == number else None


def _listed(file: Any) -> str:
    layers = [f"layers/{name}" for name in file.get("layers", ())]
    return ", ".join([name for name in ("X", "raw/X") if name in file] + layers) or "none"


def _array(matrix: Any) -> Any:
    """Return the numbers of a matrix: its entries, or all of it."""
    if hasattr(matrix, "keys"):
        return matrix["data"]
    return matrix


def _shape(matrix: Any) -> list[int]:
    if not hasattr(matrix, "keys"):
        return list(matrix.shape)
    found = matrix.attrs.get("shape", matrix.attrs.get("h5sparse_shape"))
    return [] if found is None else np.asarray(found).tolist()


def _entries(matrix: Any) -> Iterator[Entries]:
    if not hasattr(matrix, "keys"):
        yield from _dense_entries(matrix)
        return

    def read(name: str) -> Iterator[NDArray[Any]]:
        array = matrix[name]
        for first in range(0, len(array), CHUNK):
            yield array[first : first + CHUNK]

    kind = matrix.attrs.get("encoding-type", matrix.attrs.get("h5sparse_format"))
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if kind not in _KINDS:
        raise ValueError(f"its encoding is {kind!r}")
    yield from compressed_entries(read, _shape(matrix), _KINDS[kind])


def _dense_entries(matrix: Any) -> Iterator[Entries]:
    number, width = matrix.shape
    step = max(1, CHUNK // width)
    for first in range(0, number, step):
        block = matrix[first : first + step]
        rows, columns = np.nonzero(block)
        yield Entries(rows + first, columns, block[rows, columns])


def _names(frame: Any) -> tuple[str, ...] | None:
    """Return the index of a frame of rows or of columns, or None where it has none."""
    if frame is None or not hasattr(frame, "keys") or "_index" not in frame.attrs:
        return None
    index = frame.get(frame.attrs["_index"])
    index = index.get("values") if hasattr(index, "keys") else index
    if index is None:
        return None
    text = index.dtype.kind in "OS"
    return tuple((index.asstr()[:] if text else index[:].astype(str)).tolist())
