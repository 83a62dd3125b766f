"""Loops over one pair of rows of probabilities."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import bits_of, contiguous, item, kernel, summing
from .precision import FLOAT64, Precision
from .scalar import scalar_formulas

BLOCK = 2048
"""Elements added up in lanes of the input's precision before float64 takes over."""


@cache
def row_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    block_sum = _block_sum(precision)
    full_range_sum = _full_range_sum(precision)
    return SimpleNamespace(
        row_sum=_row_sum(precision, block_sum, full_range_sum),
    )


def _block_sum(precision):
    Float, Int = precision.Float, precision.Int
    term_of = scalar_formulas(precision).term_of
    smallest, zero, no_sign = np.nextafter(Float(0), Float(1)), Float(0), Int(0)

    @summing
    def block_sum(p, q, start, size):
        """Return the sum of the terms of contiguous rows, and a negative integer for a sign bit."""
        total, signs = zero, no_sign
        for i in range(size):
            x, y = item(p, start + i), item(q, start + i)
            total += term_of(max(x + y, smallest), abs(x - y), min(x, y), max(x, y))
            signs = Int(signs | Int(bits_of(x) | bits_of(y)))
        return total, signs

    return block_sum


def _full_range_sum(precision):
    if precision is FLOAT64:
        return _full_range_sum_float64()
    js_term = scalar_formulas(FLOAT64).js_term

    @kernel
    def full_range_sum(p, q, fast_total):
        """Add up in float64, where every float32 is an ordinary number."""
        total = 0.0
        for i in range(p.size):
            total += js_term(np.float64(p[i]), np.float64(q[i]))
        return total

    return full_range_sum


def _full_range_sum_float64():
    formulas = scalar_formulas(FLOAT64)
    term_of, lift_of = formulas.term_of, formulas.lift_of
    smallest, lift, lower = np.nextafter(0.0, 1.0), 2.0**FLOAT64.lift, 2.0**-64

    @kernel
    def full_range_sum(p, q, fast_total):
        """Add up terms lifted above the subnormal numbers, or lowered below overflow."""
        unit = lift if fast_total < 1.0 else lower
        total = 0.0
        for i in range(p.size):
            x, y = p[i], q[i]
            if x < 0.0 or y < 0.0:
                return np.nan
            own = lift_of(abs(x) + abs(y))
            x, y = abs(x) * own, abs(y) * own
            term = term_of(max(x + y, smallest), abs(x - y), min(x, y), max(x, y))
            total += term * (unit / own)
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
            part, sign = block_sum(x, y, start, min(BLOCK, x.size - start))
            total += part
            signs |= sign
        if signs < 0 or not low < total < high:
            total = full_range_sum(x, y, total)
        return Float(total)

    return row_sum
