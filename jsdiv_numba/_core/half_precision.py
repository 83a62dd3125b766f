"""float16 and bfloat16, which are computed in float32: blocks of them, each in its turn."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._kernels.load import routine
from .validation import SMALL, FloatArray

BLOCK_ELEMENTS = 1 << 18
"""Of operands that are converted: what is written should still be in some cache."""


def is_half(operand: Any) -> bool:
    """Whether an operand is an array of half precision."""
    if not isinstance(operand, np.ndarray):
        return False
    return operand.dtype.itemsize == 2 and operand.dtype.kind in "fV"


class Room:
    """Memory for the operands of each block in turn: new memory takes longer than all else."""

    def __init__(self) -> None:
        self._kept: dict[int, FloatArray] = {}

    def in_single(self, operands: Iterable[Any]) -> tuple[Any, ...]:
        """Return operands, those of half precision in float32 until the next are asked for."""
        return tuple(
            _written(array, self._memory(i, array.size)) if is_half(array) else array
            for i, array in enumerate(operands)
        )

    def _memory(self, i: int, size: int) -> FloatArray:
        memory = self._kept.get(i)
        if memory is None or memory.size < size:
            memory = self._kept[i] = np.empty(size, np.float32)
        return memory[:size]


class Rooms:
    """As many as threads are at work."""

    def __init__(self) -> None:
        self._free: list[Room] = []

    @contextmanager
    def one(self) -> Iterator[Room]:
        """Lend a room for one block."""
        try:
            room = self._free.pop()
        except IndexError:
            room = Room()
        yield room
        self._free.append(room)


def _written(array: FloatArray, memory: FloatArray) -> FloatArray:
    """Write an array in float32 to memory of its size, in its own order."""
    is_whole = array.flags.forc
    by_columns = not array.flags.c_contiguous and array.strides[0] == array.itemsize
    result = memory.reshape(array.shape, order="F" if by_columns else "C")

    def in_rows(each: FloatArray) -> FloatArray:
        """View rows in which numbers are adjacent."""
        return each.ravel(order="K")[None] if is_whole else each.T if by_columns else each

    adjacent = is_whole or (array.ndim == 2 and array.itemsize in array.strides)
    if array.dtype == np.float16 and array.size > SMALL and adjacent:
        halves = in_rows(array).view(np.int16)
        routine("widen_float16", "float32")(halves, in_rows(result))
    else:
        np.copyto(result, array, casting="unsafe")
    return result
