"""Loops over one pair of rows of weights, normalised on the fly.

Dividing first would cost the accuracy of near-equal rows: the rounding of each
quotient is an error of its own. With row sums S and T, the term of p/S and q/T
is that of p·T and q·S, divided by S·T, and p·T - q·S is computed to its last
bits, from exact products and from sums of twice the working precision.
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import (
    bits_of,
    contiguous,
    float_of,
    fma,
    formula,
    item,
    kernel,
    maximum,
    minimum,
    summing,
    where,
)
from .compile import product as rounded_product
from .precision import Precision
from .rows import BLOCK
from .scalar import exact_sum, scalar_formulas


@cache
def normalised_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    scale_of = _scale_of(precision)
    row_scale = _row_scale(precision, scale_of)
    scaled_term = _scaled_term(precision, np.finfo(precision.Float).smallest_subnormal)
    pair_sum = _pair_sum(precision, scaled_term)
    return SimpleNamespace(
        scale_of=scale_of,
        row_scale=row_scale,
        # A device's divisions take no subnormal number.
        device_scaled_term=_scaled_term(precision, np.finfo(precision.Float).tiny),
        pair_sum=pair_sum,
        row_sum=_row_sum(row_scale, pair_sum),
        signed_terms=_signed_terms(precision, row_scale, scaled_term),
    )


def _scale_of(precision):
    Float, Int = precision.Float, precision.Int
    infinite = Int(Float(np.inf).view(Int))
    one = Int(Float(1).view(Int))
    lowest = Int(Float(np.finfo(Float).tiny).view(Int))
    highest = Int(Int(one + one) - lowest)

    @formula
    def scale_of(largest):
        """Return the power of two that brings a row with this largest entry near 1."""
        exponent = minimum(maximum(Int(bits_of(largest) & infinite), lowest), highest)
        return float_of(Int(Int(one + one) - exponent))

    return scale_of


def _row_scale(precision, scale_of):
    Float, Int = precision.Float, precision.Int
    infinite = Int(Float(np.inf).view(Int))
    none, zero, nan = Int(0), Float(0), Float(np.nan)

    @summing
    def largest_bits(p):
        top, signs = none, none
        for i in range(p.size):
            bits = bits_of(item(p, i))
            signs = Int(signs | bits)
            top = maximum(bits, top)
        return top, signs

    # Entries are below 4 once scaled. Their parts above 2^-grid add up without rounding.
    grid = precision.mantissa - 2 - int(np.log2(BLOCK)) + 1
    magic = Float(1.5 * 2.0 ** (precision.mantissa - grid))

    @formula
    def split(x):
        upper = (x + magic) - magic
        return upper, x - upper

    @summing
    def scaled_sums(p, start, size, scale):
        upper, lower = zero, zero
        for i in range(size):
            high, low = split(item(p, start + i) * scale)
            upper += high
            lower += low
        return upper, lower

    @kernel
    def row_scale(p):
        """Return a power of two that brings the largest entry near 1, and the row's sum times it.

        The sum is a float and what it lacks. All are NaN if an entry is negative,
        infinite or NaN. The row is contiguous.
        """
        top, signs = largest_bits(p)
        if signs < 0:
            for i in range(p.size):
                if p[i] < 0:
                    return nan, nan, nan
        if top >= infinite:
            return nan, nan, nan
        scale = scale_of(float_of(top))
        total, rest = 0.0, 0.0
        for start in range(0, p.size, BLOCK):
            upper, lower = scaled_sums(p, start, minimum(BLOCK, p.size - start), scale)
            total, error = exact_sum(total, np.float64(upper))
            rest += error + lower
        rounded = Float(total + rest)
        return scale, rounded, Float((total - rounded) + rest)

    return row_scale


def _scaled_term(precision, smallest):
    term_of = scalar_formulas(precision).term_of

    @formula
    def product(x, total, rest):
        """Return x·(total + rest) as a float and what it lacks."""
        rounded = rounded_product(x, total)
        return rounded, fma(x, rest, fma(x, total, -rounded))

    @formula
    def sum_of_four(a, b, c, d):
        return (a + b) + (c + d)

    @formula
    def scaled_term(x, y, p_sum, q_sum):
        """Return the term of x·T and y·S, and their difference, from what `row_scale` says."""
        p_scale, p_total, p_rest = p_sum
        q_scale, q_total, q_rest = q_sum
        a, a_rest = product(abs(x) * p_scale, q_total, q_rest)
        b, b_rest = product(abs(y) * q_scale, p_total, p_rest)
        difference = sum_of_four(a, -b, a_rest, -b_rest)
        s = maximum(a + b, smallest)
        return term_of(s, abs(difference), minimum(a, b), maximum(a, b)), difference

    return scaled_term


def _pair_sum(precision, scaled_term):
    Float = precision.Float
    zero, ln2 = Float(0), np.log(2.0)

    @summing
    def block_sum(p, q, start, size, p_sum, q_sum):
        total = zero
        for i in range(size):
            total += scaled_term(item(p, start + i), item(q, start + i), p_sum, q_sum)[0]
        return total

    @kernel
    def pair_sum(p, q, p_sum, q_sum):
        """Return the divergence of two contiguous rows, normalised by what `row_scale` says."""
        total = 0.0
        for start in range(0, p.size, BLOCK):
            total += block_sum(p, q, start, minimum(BLOCK, p.size - start), p_sum, q_sum)
        total /= np.float64(p_sum[1]) * np.float64(q_sum[1])
        # No divergence of distributions is above ln 2, though rounding may be.
        return Float(where(total > ln2, ln2, total))

    return pair_sum


def _row_sum(row_scale, pair_sum):
    @kernel
    def row_sum(p, q):
        """Return the divergence of two rows of any stride, each divided by its sum."""
        x, y = contiguous(p), contiguous(q)
        return pair_sum(x, y, row_scale(x), row_scale(y))

    return row_sum


def _signed_terms(precision, row_scale, scaled_term):
    Float = precision.Float

    @kernel
    def signed_terms(p, q, terms):
        """Write the terms of two rows of any stride, each divided by its sum.

        A term is negative where the second row has more.
        """
        p_sum, q_sum = row_scale(contiguous(p)), row_scale(contiguous(q))
        divisor = np.float64(p_sum[1]) * np.float64(q_sum[1])
        for i in range(p.size):
            term, difference = scaled_term(p[i], q[i], p_sum, q_sum)
            terms[i] = Float(math.copysign(np.float64(term) / divisor, np.float64(difference)))

    return signed_terms
