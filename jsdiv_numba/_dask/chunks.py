"""Arrays as Dask arrays, in the chunks that a computation needs."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import dask
import dask.array as da
import numpy as np
from dask.utils import parse_bytes

from .._core import pair_blocks, pairwise, validation
from .._core.sparse import is_sparse, of_dtype


def as_dask(
    name: str,
    values: Any,
    beside: Any = None,
    whole: tuple[int, ...] = (),
    sparse: bool = False,
) -> da.Array:
    """Return an input as a Dask array, an array_like in the chunks of `beside`, if it is one.

    `sparse` says whether its blocks may be sparse.
    """
    if sparse and is_sparse(values):
        rows = beside.chunks[0] if _fits(beside, values) else -1
        values = da.from_array(values.tocsr(), chunks=(rows, -1), asarray=False)
    if isinstance(values, da.Array):
        validation.as_real(name, of_dtype(values._meta) if sparse else values._meta)
        return _without_empty_chunks(values)
    if hasattr(values, "__dask_graph__"):
        advice = _ADVICE.get(type(values).__module__.split(".")[0], "a Dask array made of it")
        raise TypeError(f"{name} is a {type(values).__name__}; pass {advice}")
    if validation.is_number(values) and isinstance(beside, da.Array):
        values = validation.number_beside(name, values, [validation.as_real("", beside._meta)])
    array = validation.as_real(name, values)
    chunks: list[Any] = ["auto" if array.size else -1] * array.ndim
    if isinstance(beside, da.Array):
        for i in range(-min(array.ndim, beside.ndim), 0):
            if array.shape[i] == beside.shape[i]:
                chunks[i] = beside.chunks[i]
    for i in whole:
        if array.ndim:
            chunks[i] = -1
    return da.from_array(array, chunks=tuple(chunks))


def _without_empty_chunks(array: da.Array) -> da.Array:
    """Return an array in chunks that have elements, where their sizes are known.

    Dask (2026.8) reshapes empty chunks wrongly, and broadcasts no axis of length 1 that has them.
    """
    filled = {
        i: tuple(size for size in own if size) or (0,)
        for i, own in enumerate(array.chunks)
        if len(own) > 1 and 0 in own and not np.isnan(sum(own))
    }
    return array.rechunk(filled) if filled else array


def _fits(beside: Any, values: Any) -> bool:
    return isinstance(beside, da.Array) and beside.ndim == 2 and len(beside) == values.shape[0]


def numbers(array: da.Array) -> validation.FloatArray:
    """Return an array of the dtype of a Dask array."""
    return validation.as_real("", of_dtype(array._meta))


_ADVICE = {
    "dask": "`.to_dask_array(lengths=True)`",
    "xarray": "its Dask array, `.data`",
}


def as_rows(name: str, values: Any) -> da.Array:
    """Return an input as a Dask array of rows."""
    array = as_dask(name, values, whole=(-1,), sparse=True)
    pair_blocks.check_matrix(name, array.shape)
    return array


def check_known(name: str, array: da.Array, axis: int) -> None:
    """Raise if the size along an axis is unknown."""
    if np.isnan(array.shape[axis]):
        raise ValueError(
            f"{name} has chunks of unknown size along axis {axis}; "
            f"call `{name}.compute_chunk_sizes()` first"
        )


def whole(name: str, array: da.Array, axes: Sequence[int]) -> da.Array:
    """Put together the chunks along each of `axes`, and split others so that none grows much."""
    split = [axis for axis in axes if array.numblocks[axis] > 1]
    if not split:
        return array
    for axis in split:
        check_known(name, array, axis)
    sizes = [array.shape[i] if i in axes else max(c) for i, c in enumerate(array.chunks)]
    fits = math.prod(sizes) * array.dtype.itemsize <= chunk_bytes()
    # Dask chooses no chunks beside those of unknown sizes.
    unchanged = fits or np.isnan(sum(array.shape))
    others = () if unchanged else set(range(array.ndim)) - set(axes)
    return array.rechunk(dict.fromkeys(others, "auto") | dict.fromkeys(axes, -1))


def chunk_bytes() -> int:
    """Return how large Dask would have a chunk."""
    return int(parse_bytes(dask.config.get("array.chunk-size")))


def broadcast_shape(P: da.Array, Q: da.Array, names: tuple[str, str]) -> tuple[int, ...]:
    """Return the common shape of two arrays, of which sizes may be unknown (NaN)."""
    if not np.isnan(sum(P.shape) + sum(Q.shape)):
        return validation.broadcast_shape((P, Q), names)
    shape = list(P.shape if P.ndim > Q.ndim else Q.shape)
    for i in range(-min(P.ndim, Q.ndim), 0):
        sizes = {P.shape[i], Q.shape[i]} - {1}
        known = {size for size in sizes if not np.isnan(size)}
        if len(known) > 1:
            raise ValueError(
                f"{names[0]} of shape {P.shape} and {names[1]} of shape {Q.shape} do not broadcast"
            )
        shape[i] = known.pop() if known else sizes.pop() if sizes else 1
    return tuple(shape)


def check_alignment(arrays: tuple[da.Array, ...], names: tuple[str, str]) -> None:
    """Raise if chunks of unknown sizes would have to be cut."""
    P, Q = arrays
    for i in range(-min(P.ndim, Q.ndim), 0):
        if 1 in (P.shape[i], Q.shape[i]) or P.numblocks[i] == Q.numblocks[i] == 1:
            continue
        unknown = [bool(np.isnan(array.shape[i])) for array in arrays]
        if any(unknown) and not (all(unknown) and P.numblocks[i] == Q.numblocks[i]):
            which = unknown.index(True)
            check_known(names[which], arrays[which], arrays[which].ndim + i)


def own_axes(array: da.Array, shape: tuple[int, ...], axes: Sequence[int]) -> list[int]:
    """Return which axes of the broadcast shape an array has, as its own."""
    return [axis - len(shape) + array.ndim for axis in axes if axis >= len(shape) - array.ndim]


def with_indices(arrays: tuple[da.Array, ...]) -> Iterator[Any]:
    """Yield each array and the numbers of its axes in the broadcast shape."""
    ndim = max(array.ndim for array in arrays)
    for array in arrays:
        yield array
        yield tuple(range(ndim - array.ndim, ndim))


def broadcast_chunks(arrays: tuple[da.Array, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the chunks of what two arrays that lie over each other broadcast to."""
    P, Q = sorted(arrays, key=lambda array: array.ndim)
    chunks = list(Q.chunks)
    for i in range(-P.ndim, 0):
        if Q.shape[i] == 1:
            chunks[i] = P.chunks[i]
    return tuple(chunks)


def check_columns(XA: da.Array, XB: da.Array, names: tuple[str, str] = ("XA", "XB")) -> None:
    """Raise if rows are known to have different numbers of columns."""
    if not np.isnan(XA.shape[1] + XB.shape[1]):
        pairwise.check_columns(XA.shape, XB.shape, names)


def in_rows(matrix: da.Array, most: int) -> da.Array:
    """Return a matrix in chunks of at most `most` rows, unless they are much smaller."""
    number, sizes = matrix.shape[0], matrix.chunks[0]
    if np.isnan(number) or not number:
        return matrix
    if max(sizes) <= most and (len(sizes) == 1 or number / len(sizes) >= most / 8):
        return matrix
    return matrix.rechunk({0: -(-number // -(-number // most))}, method="tasks")
