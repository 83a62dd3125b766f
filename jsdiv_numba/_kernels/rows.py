"""Loops over one pair of rows of probabilities."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import bits_of, clear_exceptions, contiguous, item, kernel, maximum, minimum, summing
from .precision import FLOAT64, Precision
from .scalar import exact_sum, scalar_formulas

BLOCK = 1024
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
        """Return the sum of the terms of contiguous rows, that of p + q, and the sign bits."""
        total, mass, signs = zero, zero, no_sign
        for i in range(size):
            x, y = item(p, start + i), item(q, start + i)
            total += term(x, y)
            mass += x + y
            signs = Int(signs | Int(bits_of(x) | bits_of(y)))
        return total, mass, signs

    return block_sum


def _full_range_sum():
    formulas = scalar_formulas(FLOAT64)
    term, lift_of = formulas.term, formulas.lift_of
    lift, lower = 2.0**FLOAT64.lift, 2.0**-64

    @kernel
    def full_range_sum(p, q):
        """Add up in float64, lifted and lowered terms apart, which no others can drown so."""
        lifted, total, lowered = 0.0, 0.0, 0.0
        for i in range(p.size):
            x, y = np.float64(p[i]), np.float64(q[i])
            if x < 0.0 or y < 0.0:
                return np.nan
            x, y = abs(x), abs(y)
            own = lift_of(maximum(x, y))
            value = term(x * own, y * own)
            if own > 1.0:
                lifted += value
            elif own < 1.0:
                lowered += value
            else:
                total += value
        if lowered != 0.0:
            return (lowered + total * lower) / lower
        return total if total > 1.0 else (lifted + total * lift) / lift

    return full_range_sum


def _row_sum(precision, block_sum, full_range_sum):
    Float, Int = precision.Float, precision.Int
    low, high = (2.0**power for power in precision.trusted)
    no_sign = Int(0)

    @kernel
    def row_sum(p, q):
        """Return the divergence of two rows of any stride: NaN if any value is invalid."""
        x, y = contiguous(p), contiguous(q)
        total, rest, mass, signs = 0.0, 0.0, 0.0, no_sign
        for start in range(0, x.size, BLOCK):
            part, part_mass, sign = block_sum(x, y, start, minimum(BLOCK, x.size - start))
            total, error = exact_sum(total, np.float64(part))
            rest += error
            mass += part_mass
            signs |= sign
        total += rest
        if signs < 0 or not (total > low and mass < high):
            total = full_range_sum(x, y)
            clear_exceptions()
        return Float(total)

    return row_sum
