"""Which row a thread works on, and how it reads and writes that: four elements at a time.

Inputs and outputs have four axes, the last of them the row's. Of a group of
`lanes` threads, each takes four adjacent elements, then the four that are 4·lanes
further on. Where all arrays allow it (`aligned`), these are one access to memory.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..target import cuda, device, four, set_four

NONE, ONE = np.int64(0), np.int64(1)


@device
def index_of(row, shape):
    """Return the indices of a row, the rows being counted along the first three axes."""
    b, c = shape[1], shape[2]
    if shape[0] == 1 and b == 1:  # divisions of such integers are subroutines
        return NONE, NONE, row
    return row // (b * c), (row // c) % b, row % c


@device
def place_of(shift, rows):
    """Return the number of the thread's row, one that exists, and its lane of 2^shift."""
    thread = np.int64(cuda.blockIdx.x) * cuda.blockDim.x + cuda.threadIdx.x
    row = thread >> shift
    return min(row, rows - 1), thread - (row << shift), row < rows


class Piece(NamedTuple):
    """A piece of a row, and the thread's part in it."""

    row: Any
    place: Any
    """The row's indices along the first three axes."""

    part: Any
    """The piece's number."""

    start: Any
    stop: Any
    end: Any
    """Up to where the thread may write: 0 where there is no such row."""

    lane: Any
    lanes: Any


@device
def piece_of(shape, shift, piece, rows):
    """Return the thread's piece, of `piece` elements but for the last."""
    row, lane, exists = place_of(shift, rows)
    start = cuda.blockIdx.y * piece
    stop = min(start + piece, shape[3])
    end, lanes = stop if exists else NONE, ONE << shift
    return Piece(row, index_of(row, shape), cuda.blockIdx.y, start, stop, end, lane, lanes)


@device
def reports(piece):
    """Whether it is this thread that writes what is found out of a piece."""
    return piece.end > NONE and piece.lane == 0


@cache
def access(precision: Precision, fill: float) -> SimpleNamespace:
    """Return the functions for one precision and what stands beyond the end of a row."""
    return SimpleNamespace(load=_load(precision, precision.Float(fill)), store=_store())


def _load(precision, fill):
    Float = precision.Float

    @device
    def one(row, i, stop):
        # An unsigned index cannot count from the end, which would be tested for.
        return Float(row[np.uint64(i)]) if i < stop else fill

    @device
    def load(row, i, stop, aligned):
        """Return four elements as floats."""
        if aligned and i + 4 <= stop:
            x = four(row, i)
            return Float(x[0]), Float(x[1]), Float(x[2]), Float(x[3])
        return (
            one(row, i, stop),
            one(row, i + 1, stop),
            one(row, i + 2, stop),
            one(row, i + 3, stop),
        )

    return load


def _store():
    @device
    def one(row, i, stop, value):
        if i < stop:
            row[np.uint64(i)] = value

    @device
    def store(row, i, stop, aligned, values):
        """Write four elements."""
        if aligned and i + 4 <= stop:
            set_four(row, i, values)
        else:
            one(row, i, stop, values[0])
            one(row, i + 1, stop, values[1])
            one(row, i + 2, stop, values[2])
            one(row, i + 3, stop, values[3])

    return store
