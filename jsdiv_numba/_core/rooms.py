"""Memory in which blocks of operands are written anew that are not as a ufunc takes them.

They have other dtypes, or their rows lie apart.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Self

import numpy as np

from .conversion import dtypes_of, written
from .transposition import are_columns, column_axis, in_rows, room_in_rows, size_in_rows
from .validation import FloatArray

BLOCK_ELEMENTS = 1 << 18
"""Of operands that are written anew: what is written should still be in some cache."""

IDLE_BYTES, MOST_IDLE = 1 << 22, 8
"""Memory that is kept from one call to the next: pieces of at most so many bytes, and so many."""

_idle: list[np.ndarray[Any, np.dtype[np.uint8]]] = []


@cache
def takes_rows(ufunc: Any) -> bool:
    """Whether a ufunc takes rows, or more than that, and not elements."""
    return ufunc.signature is not None


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
            with suppress(IndexError):  # another thread may take the last piece
                memory = _idle.pop()
        if memory is None or memory.nbytes < needed:
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
