"""Rows along several axes that no view makes one axis of: gathered a block at a time."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from .transposition import are_columns, write_columns
from .validation import FloatArray, kept_then_reduced, rows_along

LEAST = 1 << 19
"""Of fewer elements a copy is made at once: they are one block."""


class GatheredRows:
    """Rows of which a part is copied when an index asks for it.

    Indexing is by the outer axes, as `blocks.run` does.
    """

    def __init__(self, array: FloatArray, core: int) -> None:
        self.array, self.core = array, core

    @property
    def outer(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.array.shape
        return shape[: len(shape) - self.core]

    @property
    def length(self) -> int:
        return math.prod(self.array.shape[self.array.ndim - self.core :])

    @property
    def shape(self) -> tuple[int, ...]:
        return *self.outer, self.length

    def __getitem__(self, block: Any) -> FloatArray:
        return _elements(self.array[block], self.core, 0, self.length)

    def empty(self, block: Any) -> FloatArray:
        """Return rows to be filled in, which are then assigned to a block."""
        part = self.array[block]
        return np.empty((*part.shape[: part.ndim - self.core], self.length), part.dtype)

    def __setitem__(self, block: Any, rows: FloatArray) -> None:
        part = self.array[block]
        if self.core == 1 and rows.dtype == part.dtype and are_columns(part):
            write_columns(rows, part)
            return
        # What is not finite may be converted.
        with np.errstate(all="ignore"):
            part[...] = rows.reshape(part.shape)

    def pieces(self, size: int) -> "GatheredPieces":
        """Return the whole pieces of so many elements, along a new first axis."""
        return GatheredPieces(self, size)

    def after_pieces(self, size: int) -> FloatArray:
        """Return what whole pieces leave."""
        whole = self.length // size * size
        return _elements(self.array, self.core, whole, self.length)


class GatheredPieces:
    """Pieces of such rows, along a first axis of their own."""

    def __init__(self, rows: GatheredRows, size: int) -> None:
        self.rows, self.size = rows, size

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows.length // self.size, *self.rows.outer, self.size

    def __getitem__(self, block: Any) -> FloatArray:
        which, *outer = block
        first, last, _ = which.indices(self.shape[0])
        rows = self.rows.array[tuple(outer)]
        flat = _elements(rows, self.rows.core, first * self.size, last * self.size)
        return np.moveaxis(flat.reshape(*flat.shape[:-1], -1, self.size), -2, 0)


def _elements(array: FloatArray, core: int, start: int, stop: int) -> FloatArray:
    """Return some of the elements that the last axes have, in their order, along one axis."""
    if core == 1:
        return array[..., start:stop]
    axis = array.ndim - core
    outer, inner = array.shape[:axis], math.prod(array.shape[axis + 1 :])
    if start == stop:
        return np.empty((*outer, 0), array.dtype)
    low, high = start // inner, (stop - 1) // inner
    before: tuple[Any, ...] = (slice(None),) * axis

    def of_one(i: int, first: int, last: int) -> FloatArray:
        return _elements(array[(*before, i)], core - 1, first - i * inner, last - i * inner)

    if low == high:
        return of_one(low, start, stop)
    if inner > stop - start:
        parts = of_one(low, start, high * inner), of_one(high, high * inner, stop)
        return np.concatenate(parts, axis=-1)
    slab = array[(*before, slice(low, high + 1))].reshape(*outer, (high + 1 - low) * inner)
    return slab[..., start - low * inner : stop - low * inner]


def rows_of(
    array: FloatArray, shape: tuple[int, ...], axes: tuple[int, ...]
) -> FloatArray | GatheredRows:
    """View an array, broadcast to `shape`, with the reduced axes as one last axis.

    Where their strides do not allow a view, its blocks are copied when they are needed.
    """
    if len(axes) < 2:
        return rows_along(array, shape, axes)
    return merged(kept_then_reduced(np.broadcast_to(array, shape), axes), len(axes))


def result_rows(array: FloatArray, axes: tuple[int, ...]) -> FloatArray | GatheredRows:
    """Return the same of an array to write to, whose rows are contiguous."""
    if not axes:
        return rows_along(array, array.shape, axes)
    moved = kept_then_reduced(array, axes)
    rows = _merged(moved, len(axes))
    if isinstance(rows, np.ndarray) and rows.strides[-1] == rows.itemsize:
        return rows
    return GatheredRows(moved, len(axes))


def merged(array: FloatArray, core: int) -> FloatArray | GatheredRows:
    """Return the same of the last axes of an array; few elements are copied at once."""
    rows = _merged(array, core)
    small = isinstance(rows, GatheredRows) and array.size <= LEAST
    return rows[...] if small else rows


def _merged(array: FloatArray, core: int) -> FloatArray | GatheredRows:
    longer = [
        (n, stride)
        for n, stride in zip(array.shape[-core:], array.strides[-core:], strict=True)
        if n > 1
    ]
    if all(stride == n * inner for (_, stride), (n, inner) in pairwise(longer)):
        outer, reduced = array.shape[: array.ndim - core], array.shape[array.ndim - core :]
        return array.reshape(*outer, math.prod(reduced))
    return GatheredRows(array, core)
