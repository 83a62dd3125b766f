"""float16 as float32: NumPy 2.4 converts one number at a time, some twenty times as slowly."""

from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    float_of,
    load_noalias,
    njit_inline,
    njit_no_refcount,
    store_noalias,
    where,
)
from ..codegen.precision import FLOAT32

SIGN_AND_MAGNITUDE = np.int32(~0x70001FFF)
"""Where the bits of a float16 are in a float32 once they are moved, of which the sign was copied
into those between."""

REBIAS = np.float32(2.0**112)
"""What the exponents, which are so many apart, make of a product; subnormal numbers have none."""

INFINITE = np.int32(0x7C00)
"""The bits of an infinite float16; those of NaN are more, as integers."""


def widen_float16() -> Any:
    """Return the routine `widen_float16`."""
    Int, mantissa = FLOAT32.Int, FLOAT32.mantissa
    exponent, magnitude = Int(0xFF << mantissa), Int(0x7FFF)
    moved = Int(mantissa - 10)

    @njit_inline
    def widened(half):
        bits = Int(half)
        placed = Int(Int(bits << moved) & SIGN_AND_MAGNITUDE)
        infinite = Int(bits & magnitude) >= INFINITE
        return where(infinite, float_of(Int(placed | exponent)), float_of(placed) * REBIAS)

    @njit_no_refcount
    def widen_row(halves, result):
        for i in range(halves.size):
            store_noalias(result, i, widened(load_noalias(halves, i)))

    def widen_float16(halves, result):
        """Write the float32 of each row's float16, given as integers of the same bits."""
        for i in range(halves.shape[0]):
            widen_row(halves[i], result[i])

    return widen_float16
