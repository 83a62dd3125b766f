"""Loops over one pair of rows of probabilities."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import bits_of, contiguous, item, kernel, minimum, summing
from .precision import FLOAT64, Precision
from .scalar import scalar_formulas

BLOCK = 2048
"""Elements added up in lanes of the input's precision before float64 takes over."""


@cache
def row_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    block_sum, full_range_sum = _block_sum(precision), _full_range_sum()
    return SimpleNamespace(row_sum=_row_sum(precision, block_sum, full_range_sum))


def _block_sum(precision):
    Float, Int = precision.Float, precision.Int
    term = scalar_formulas(precision).term
    zero, no_sign = Float(0), Int(0)

    @summing
    def block_sum(p, q, start, size):
        """Return the sum of the terms of contiguous rows, and a negative integer for a sign bit."""
        total, signs = zero, no_sign
        for i in range(size):
            x, y = item(p, start + i), item(q, start + i)
            total += term(x, y)
            signs = Int(signs | Int(bits_of(x) | bits_of(y)))
        return total, signs

    return block_sum


def _full_range_sum():
    formulas = scalar_formulas(FLOAT64)
    term, lift_of = formulas.term, formulas.lift_of
    lift, lower = 2.0**FLOAT64.lift, 2.0**-64

    @kernel
    def full_range_sum(p, q, fast_total):
        """Add up in float64, in a unit in which no term is subnormal, or none overflows."""
        unit = lift if fast_total < 1.0 else lower
        total = 0.0
        for i in range(p.size):
            x, y = np.float64(p[i]), np.float64(q[i])
            if x < 0.0 or y < 0.0:
                return np.nan
            own = lift_of(abs(x) + abs(y))
            total += term(abs(x) * own, abs(y) * own) * (unit / own)
        return total / unit

    return full_range_sum


def _row_sum(precision, block_sum, full_range_sum):
    Float, Int = precision.Float, precision.Int
    low, high = (2.0**power for power in precision.trusted)
    no_sign = Int(0)

    @kernel
    def row_sum(p, q):
        """Return the divergence of two rows of any stride: NaN if any value is invalid."""
        x, y = contiguous(p), contiguous(q)
        total, signs = 0.0, no_sign
        for start in range(0, x.size, BLOCK):
            part, sign = block_sum(x, y, start, minimum(BLOCK, x.size - start))
            total += part
            signs |= sign
        if signs < 0 or not low < total < high:
            total = full_range_sum(x, y, total)
        return Float(total)

    return row_sum
