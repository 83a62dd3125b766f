"""Sizes of the blocks in which the search for neighbours multiplies, and what rounding does there.

All that its caller has to know of `matmul`, `bounds` and `search`, without Numba.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np

from ..cache import bundle
from ..target import registers, target

FOUND, TILE, LEFT = range(3)
"""Slots of what a search that stops keeps: how many pairs it has found since it was emptied, the
tile at which it goes on, and how many pairs its first bound has left there, or -1."""

VECTORS = 3
"""Registers side by side in a row of the block."""


class Sizes(NamedTuple):
    """What depends on the processor."""

    lanes: int
    """Floats in a register."""

    panel: int
    """Rows of one matrix that meet `width` of another in registers."""

    width: int

    square: int
    """Columns of a tile whose products are made at a time: they stay in the cache."""


@cache
def sizes() -> Sizes:
    """Return the sizes for the processor that the kernels which are loaded are compiled for."""
    here = target()
    lanes, number = registers(bundle.target(here.triple) or here)
    width = VECTORS * lanes
    return Sizes(lanes, 8 if number == 32 else 4, width, 10 * (48 // width) * width)


DEPTH = 192
"""Terms that are added up in registers: a panel of so many stays in the nearest cache."""

NONE = np.iinfo(np.intp).max
"""The index of a neighbour that is not there."""


def margin(length: int) -> float:
    """Return what rounding may change in a product, as a multiple of ½|x|² + |x'|²."""
    blocks = -(-(length + 1) // DEPTH) - (-(2 * length + 1) // DEPTH)
    return 1.01 * 2.0**-24 * (min(2 * length + 1, DEPTH) + blocks + 5)


def resolution(length: int) -> float:
    """Return what rounding may change in the distance of two vectors before they are centred."""
    return 2.0**-48 * (1.0 + math.log2(length))
