"""Operands that are not as a ufunc takes them: blocks of them are written anew, each in its turn.

They have other dtypes, or their rows lie apart in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Self

import numpy as np

from .._kernels.load import routine
from .transposition import SIDE, are_columns, column_axis, in_rows, room_in_rows, size_in_rows
from .validation import SMALL, FloatArray

BLOCK_ELEMENTS = 1 << 18
"""Of operands that are written anew: what is written should still be in some cache."""

SIDE_BY_SIDE, MOST_ELEMENTS = 32, 1 << 21
"""Rows in a block whose elements lie apart, of more than one line of memory; unless those would be
too many."""

IDLE_BYTES, MOST_IDLE = 1 << 22, 8
"""Memory that is kept from one call to the next: pieces of at most so many bytes, and so many."""

_idle: list[np.ndarray[Any, np.dtype[np.uint8]]] = []

Dtypes = tuple[np.dtype[Any], ...]


@cache
def dtypes_of(ufunc: Any) -> Dtypes:
    """Return the dtypes of the inputs of a ufunc, or of what has its types."""
    inputs, _ = ufunc.types[0].split("->")
    return tuple(map(np.dtype, inputs))


@cache
def takes_rows(ufunc: Any) -> bool:
    """Whether a ufunc takes rows, or more than that, and not elements."""
    return ufunc.signature is not None


def are_converted(operands: Sequence[Any], dtypes: Dtypes) -> bool:
    """Whether any operand is an array of another dtype."""
    return any(
        isinstance(operand, np.ndarray) and operand.dtype != dtype
        for operand, dtype in zip(operands, dtypes, strict=False)
    )


def column_axes(operands: Sequence[Any]) -> set[int]:
    """Return the axes along which elements lie side by side, where those of rows lie apart."""
    axes = {column_axis(operand) for operand in operands if isinstance(operand, np.ndarray)}
    return {axis for axis in axes if axis is not None}


def whole_lines(rows: int, length: int) -> int:
    """Return about so many rows, but as many as lie side by side on a few lines of memory."""
    fewest = min(SIDE_BY_SIDE, max(1, MOST_ELEMENTS // length))
    return max(rows // SIDE * SIDE, fewest)


class Room:
    """Memory for the operands of each block in turn: new memory takes longer than all else."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, bool], FloatArray] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what it has to the next call."""
        while self._kept:
            _, memory = self._kept.popitem()
            if memory.nbytes <= IDLE_BYTES and len(_idle) < MOST_IDLE:
                _idle.append(memory)

    def taken(
        self, ufunc: Any, operands: Sequence[FloatArray], first: int = 0
    ) -> tuple[FloatArray, ...]:
        """Return operands as a ufunc takes them, until others with these numbers are asked for."""
        dtypes, rows = dtypes_of(ufunc), takes_rows(ufunc)
        return tuple(
            [
                self._taken(i, array, dtype, rows)
                for i, (array, dtype) in enumerate(zip(operands, dtypes, strict=True), first)
            ]
        )

    def _taken(self, i: int, array: FloatArray, dtype: np.dtype[Any], rows: bool) -> FloatArray:
        if array.dtype != dtype:
            array = written(array, self._memory((i, False), array.size, dtype))
        axis = column_axis(array) if rows else None
        if axis is None:
            return array
        return in_rows(array, axis, self._memory((i, True), size_in_rows(array), dtype))

    def instead_of(
        self, ufunc: Any, outs: Sequence[FloatArray], first: int
    ) -> tuple[FloatArray, ...]:
        """Return what a ufunc is to write to, from which `write_columns` takes it to the arrays."""
        if not takes_rows(ufunc):
            return tuple(outs)
        return tuple([self._instead_of(i, array) for i, array in enumerate(outs, first)])

    def _instead_of(self, i: int, array: FloatArray) -> FloatArray:
        axis = column_axis(array)
        if axis is None or not are_columns(array):
            return array
        return room_in_rows(array, axis, self._memory((i, True), size_in_rows(array), array.dtype))

    def _memory(self, which: tuple[int, bool], size: int, dtype: np.dtype[Any]) -> FloatArray:
        needed = size * dtype.itemsize
        memory = self._kept.get(which)
        if memory is None:
            memory = _idle.pop() if _idle else np.empty(needed, np.uint8)
        if memory.nbytes < needed:
            memory = np.empty(needed, np.uint8)
        self._kept[which] = memory
        return memory[:needed].view(dtype)


class Rooms:
    """As many as threads are at work."""

    def __init__(self) -> None:
        self._free: list[Room] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave to the next call what they have."""
        for room in self._free:
            with room:
                pass

    @contextmanager
    def one(self) -> Iterator[Room]:
        """Lend a room for one block."""
        try:
            room = self._free.pop()
        except IndexError:
            room = Room()
        yield room
        self._free.append(room)


def written(array: FloatArray, memory: FloatArray) -> FloatArray:
    """Write an array to memory of its size, in its own order; return it as it stands there."""
    by_columns = not array.flags.c_contiguous and array.strides[0] == array.itemsize
    result = memory.reshape(array.shape, order="F" if by_columns else "C")
    rows, result_rows = (_in_rows(each, array.flags.forc, by_columns) for each in (array, result))
    is_narrow = array.dtype == np.float16 and memory.dtype == np.float32 and array.size > SMALL
    if is_narrow and rows.ndim == 2 and rows.strides[1] == rows.itemsize:
        # NumPy 2.4 converts one number at a time.
        routine("widen_float16", "float32")(rows.view(np.int16), result_rows)
    else:
        np.copyto(result, array, casting="unsafe")
    return result


def _in_rows(array: FloatArray, is_whole: bool, by_columns: bool) -> FloatArray:
    """View an array as it follows memory, as one row if that has no gaps."""
    return array.ravel(order="K")[None] if is_whole else array.T if by_columns else array
