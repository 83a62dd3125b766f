"""NumPy's own files as rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.labelled import LabelledRows, default_labels

_DAMAGE = (ValueError, EOFError, BadZipFile)
_UNREADABLE = "damaged, not a NumPy file, or it holds Python objects instead of numbers"


def read_npy(path: Path, source: str) -> LabelledRows:
    """Read the 2-D array of an ``.npy`` file as rows, called by their index."""
    with path.open("rb") as file:
        loaded = _load(file, source)
    if not isinstance(loaded, np.ndarray):
        raise FileError(f"{source}: an .npz file under another name; call it .npz")
    return _rows(loaded, source)


def read_npz(path: Path, source: str, member: str | None = None) -> LabelledRows:
    """Read the only array of an ``.npz`` file, or the one called `member`."""
    with path.open("rb") as file:
        loaded = _load(file, source)
        if isinstance(loaded, np.ndarray):
            raise FileError(f"{source}: an .npy file under another name; call it .npy")
        names = ", ".join(loaded) or "none"
        if member is None and len(loaded) != 1:
            raise FileError(f"{source}: say which of its arrays ({names}), as {path}:NAME")
        if member is not None and member not in loaded:
            raise FileError(f"{source}: no array {member!r} in {path}; its arrays: {names}")
        try:
            array = loaded[next(iter(loaded)) if member is None else member]
        except _DAMAGE as error:
            raise FileError(f"{source}: {_UNREADABLE}") from error
    return _rows(array, source)


def _load(file: BinaryIO, source: str) -> NDArray[Any] | Mapping[str, NDArray[Any]]:
    try:
        loaded: NDArray[Any] | Mapping[str, NDArray[Any]] = np.load(file, allow_pickle=False)
    except _DAMAGE as error:
        raise FileError(f"{source}: {_UNREADABLE}") from error
    return loaded


def require_rows(shape: tuple[int, ...], dtype: np.dtype[Any], source: str) -> tuple[int, int]:
    """Return the shape of an array whose rows can be distributions.

    Parameters
    ----------
    shape : tuple of int
        The array's shape.
    dtype : dtype
        What it holds.
    source : str
        The file.

    Returns
    -------
    (int, int)

    Raises
    ------
    FileError
        If it is not 2-D, holds anything but real numbers, or nothing.
    """
    if dtype.kind not in "buif":
        raise FileError(f"{source}: dtype {dtype}; values have to be real numbers")
    if len(shape) != 2:
        raise FileError(f"{source}: shape {shape}; rows need a 2-D array")
    if 0 in shape:
        raise FileError(f"{source}: shape {shape}; there are no values")
    return shape[0], shape[1]


def _rows(array: NDArray[Any], source: str) -> LabelledRows:
    require_rows(array.shape, array.dtype, source)
    single = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    kind = np.float32 if single else np.float64
    values: NDArray[np.floating[Any]] = array.astype(kind, copy=False)
    return LabelledRows(source, values, default_labels(len(values)), "row", columns=None)
