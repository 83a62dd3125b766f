"""Rows whose elements lie apart in memory, because those of a column lie side by side."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._kernels.load import routine
from .validation import FloatArray

LEAST = 1 << 15
"""Of fewer elements kernels copy each row for themselves in less time than the routine takes to be
loaded."""

SIDE = 16
"""The routine writes squares of up to so many rows and columns; a line has no more elements."""

LINE_BYTES = 64

SIDE_BY_SIDE, MOST_ELEMENTS = 32, 1 << 21
"""Rows in a block whose elements lie apart, of more than one line of memory; unless those would be
too many."""


def column_axis(array: FloatArray) -> int | None:
    """Return the axis along which elements lie side by side, if those along the last lie apart."""
    itemsize, strides = array.itemsize, array.strides
    if array.size < LEAST or array.ndim < 2 or strides[-1] in {0, itemsize}:
        return None
    # What lies across two places of a number is copied by NumPy.
    if not array.flags.aligned:
        return None
    for axis in range(array.ndim - 1):
        if strides[axis] == itemsize and array.shape[axis] > 1:
            return axis
    return None


def column_axes(operands: Sequence[Any]) -> set[int]:
    """Return the axes along which elements lie side by side, where those of rows lie apart."""
    axes = {column_axis(operand) for operand in operands if isinstance(operand, np.ndarray)}
    return {axis for axis in axes if axis is not None}


def whole_lines(rows: int, length: int) -> int:
    """Return about so many rows, but as many as lie side by side on a few lines of memory."""
    fewest = min(SIDE_BY_SIDE, max(1, MOST_ELEMENTS // length))
    return max(rows // SIDE * SIDE, fewest)


def size_in_rows(array: FloatArray) -> int:
    """Return how many elements such an array's rows need room for."""
    length: int = array.shape[-1]
    size: int = (math.prod(array.shape[:-1]) + SIDE) * _distance(length, array.itemsize)
    return size


def _distance(length: int, itemsize: int) -> int:
    """Return how far apart rows are: with room for a square, in sets of a cache that differ."""
    lines: int = -(-max(length, SIDE) * itemsize // LINE_BYTES) | 1
    return lines * LINE_BYTES // itemsize


def room_in_rows(array: FloatArray, axis: int, memory: FloatArray) -> FloatArray:
    """Return an array with such an axis as it would stand in memory, in rows."""
    *outer, length = array.shape
    distance = _distance(length, array.itemsize)
    # After the last rows of a square there are others to be written, or what is left over.
    outer.append(outer.pop(axis))
    rows = memory[: math.prod(outer) * distance].reshape(*outer, distance)[..., :length]
    return np.moveaxis(rows, -2, axis)


def in_rows(array: FloatArray, axis: int, memory: FloatArray) -> FloatArray:
    """Write an array with such an axis to memory, in rows; return it as it stands there."""
    rows = room_in_rows(array, axis, memory)
    _transpose(np.moveaxis(array, axis, -1), np.moveaxis(rows, axis, -2))
    return rows


def are_columns(array: FloatArray) -> bool:
    """Whether `write_columns` is for an array: rows and columns are as long as a square."""
    axis = column_axis(array)
    return axis is not None and min(array.shape[axis], array.shape[-1]) >= SIDE


def write_columns(rows: FloatArray, array: FloatArray) -> None:
    """Write rows to an array where they are columns."""
    axis = column_axis(array)
    assert axis is not None
    _transpose(np.moveaxis(rows, axis, -2), np.moveaxis(array, axis, -1))


def _transpose(sources: FloatArray, results: FloatArray) -> None:
    transpose = routine("transpose_matrices", sources.dtype.name)
    if sources.ndim == 2:
        transpose(sources[np.newaxis], results[np.newaxis])
        return
    for index in np.ndindex(*sources.shape[:-3]):
        transpose(sources[index], results[index])
