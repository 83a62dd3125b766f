"""Loops over one pair of rows of weights, normalised on the fly.

Dividing first would cost the accuracy of near-equal rows: the rounding of each
quotient is an error of its own. With row sums S and T, the term of p/S and q/T
is that of p·T and q·S, divided by S·T, and p·T - q·S is computed to its last
bits, from exact products and from sums of twice the working precision. It is 0
for counts in proportion.
"""

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    any_layout,
    bits_of,
    contiguous,
    float_of,
    item,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_reassoc,
    njit_refcounted,
    noinline,
    where,
)
from ..codegen.lanes import lane_kernels
from ..codegen.precision import FLOAT32, Precision
from ..formulas.js import scalar_formulas, two_sum
from .pair_summands import PairSummand, difference_of, js_pair_summand, product
from .sums import BLOCK

ONE_TWICE = 2 * int(np.float64(1).view(np.int64))
"""The bits of 1, twice: less those of a power of two, these are the bits of 1 over it."""

INFINITE = np.int64(np.float64(np.inf).view(np.int64))
"""The bits of a float64's exponent."""

NEAR_BYTES = 1 << 18
"""A longer row's successor is not loaded ahead: it would not stay in the first cache."""


@cache
def normalised_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    scale_of = _scale_of(precision)
    row_scale = _row_scale(precision, scale_of)
    weighted_term, weights_of = js_pair_summand(precision).term, _weights_of(precision)
    pair_sum = normalised_sum(precision, js_pair_summand(precision))
    return SimpleNamespace(
        scale_of=scale_of,
        scaled=_scaled(precision),
        row_scale=row_scale,
        weighted_term=weighted_term,
        weights_of=weights_of,
        is_ordinary=is_ordinary_kernel(precision, precision.weighed),
        device_scaled_term=_device_scaled_term(precision),
        pair_sum=pair_sum,
        row_sums=_row_sums(precision, row_scale, pair_sum),
        signed_terms=_signed_terms(precision, row_scale, weighted_term, weights_of),
    )


def _scale_of(precision):
    Float, Int = precision.Float, precision.Int
    infinite = Int(Float(np.inf).view(Int))
    one = Int(Float(1).view(Int))
    lowest = Int(Float(np.finfo(Float).tiny).view(Int))
    highest = Int(Int(one + one) - lowest)

    @njit_inline
    def scale_of(largest):
        """Return the power of two that brings a row with this largest entry near 1."""
        exponent = minimum(maximum(Int(bits_of(largest) & infinite), lowest), highest)
        return float_of(Int(Int(one + one) - exponent))

    return scale_of


def _sums_in_float64(precision):
    Int = precision.Int
    none = Int(0)

    @njit_reassoc
    def block_sum(p, start, size):
        total, signs = 0.0, none
        for i in range(start, start + size):
            x = item(p, i)
            total += np.float64(x)
            signs = Int(signs | bits_of(x))
        return total, signs

    @njit_no_refcount
    def sums(p):
        """Return a row's sum, its low-order part, and an integer with all sign bits in it."""
        total, rest, signs = 0.0, 0.0, none
        for start in range(0, p.size, BLOCK):
            part, part_signs = block_sum(p, start, minimum(BLOCK, p.size - start))
            total, error = two_sum(total, part)
            rest += error
            signs |= part_signs
        return total, rest, signs

    return sums


@njit_inline
def split(x, magic):
    """Return what of x is left beside a large number, and the rest."""
    upper = (x + magic) - magic
    return upper, x - upper


@njit_inline
def magic_of(total):
    """Return what splits a row's entries, which are below twice their sum's power of two.

    Their parts above 2^-50 of that add up without rounding.
    """
    return 6.0 * float_of(np.int64(bits_of(total) & INFINITE))


@njit_inline
def inverse_power(total):
    """Return the power of two that brings a sum near 1."""
    return float_of(ONE_TWICE - (bits_of(total) & INFINITE))


def _split_sums(precision):
    Int = precision.Int
    none = Int(0)

    @njit_reassoc
    def rounded_sum(p):
        total, signs = 0.0, none
        for i in range(p.size):
            x = item(p, i)
            total += x
            signs = Int(signs | bits_of(x))
        return total, signs

    @njit_reassoc
    def parts(p, magic):
        upper, lower = 0.0, 0.0
        for i in range(p.size):
            high, low = split(item(p, i), magic)
            upper += high
            lower += low
        return upper, lower

    @njit_no_refcount
    def sums(p):
        """Return the sum of float64 entries, its low-order part, and the signs of all."""
        total, signs = rounded_sum(p)
        upper, lower = parts(p, magic_of(total))
        total, rest = two_sum(upper, lower)
        return total, rest, signs

    return sums


def _scaled(precision):
    Float = precision.Float

    @njit_inline
    def scaled(scale, total, rest):
        rounded = Float(scale * total)
        return Float(scale), rounded, Float((scale * total - np.float64(rounded)) + scale * rest)

    return scaled


def _row_scale_by_largest(precision, scale_of, scaled):
    Float = precision.Float
    zero, nan = Float(0), Float(np.nan)

    @njit_no_refcount
    def row_scale_by_largest(p):
        noinline()
        largest = zero
        for i in range(p.size):
            if not np.isfinite(p[i]):
                return nan, nan, nan
            largest = maximum(abs(p[i]), largest)
        scale = scale_of(largest)
        total, rest = 0.0, 0.0
        for i in range(p.size):
            total, error = two_sum(total, np.float64(p[i] * scale))
            rest += error
        return scale, *scaled(1.0, total, rest)[1:]

    return row_scale_by_largest


def _row_scale(precision, scale_of):
    Float = precision.Float
    lowest, highest = 2.0**-precision.weighed, 2.0**precision.weighed
    zero, nan, scaled = Float(0), Float(np.nan), _scaled(precision)
    row_scale_by_largest = _row_scale_by_largest(precision, scale_of, scaled)
    sums = _sums_in_float64(precision) if precision is FLOAT32 else _split_sums(precision)

    @njit_inline
    def row_scale(p):
        """Return a power of two that brings the row's sum or largest entry near 1.

        And the sum times it, which is a float and its low-order part. All are NaN if an entry is
        negative, infinite or NaN. The row is contiguous.
        """
        total, rest, signs = sums(p)
        if signs < 0:
            for i in range(p.size):
                if p[i] < 0:
                    return nan, nan, nan
        if total == 0.0:
            return scale_of(zero), zero, zero
        if not lowest < total < highest:
            return row_scale_by_largest(p)
        return scaled(inverse_power(total), total, rest)

    return row_scale


def _weights_of(precision):
    unit = precision.Float(2.0**precision.unit)

    @njit_inline
    def weights_of(p_scale, q_scale, p_sum, q_sum):
        """Return the weights of entries of p and of q, whose terms are then 2^unit times theirs.

        And by what to divide their sum. The scales are those that entries have not been given.
        """
        (p_total, p_rest), (q_total, q_rest) = p_sum, q_sum
        p_unit, q_unit = p_scale * unit, q_scale * unit
        divisor = np.float64(p_total) * np.float64(q_total) * np.float64(unit)
        return (q_total * p_unit, q_rest * p_unit), (p_total * q_unit, p_rest * q_unit), divisor

    return weights_of


def _device_scaled_term(precision):
    term_of = scalar_formulas(precision).device_term_of
    smallest = np.finfo(precision.Float).tiny

    @njit_inline
    def scaled_term(x, y, p_sum, q_sum):
        """Return the term of x·T and y·S, and their difference, from scales, sums and rests."""
        p_scale, p_total, p_rest = p_sum
        q_scale, q_total, q_rest = q_sum
        a, a_rest = product(abs(x) * p_scale, q_total, q_rest)
        b, b_rest = product(abs(y) * q_scale, p_total, p_rest)
        difference = difference_of(a, b, a_rest, b_rest)
        s = maximum(a + b, smallest)
        return term_of(s, abs(difference), minimum(a, b), maximum(a, b)), difference

    return scaled_term


@cache
def is_ordinary_kernel(precision: Precision, weighed: int) -> Any:
    """Return what tells whether a row's scale is within a power of two and one over it."""
    lowest, highest = precision.Float(2.0**-weighed), precision.Float(2.0**weighed)

    @njit_inline
    def is_ordinary(scale):
        """Whether entries need not be scaled before they are weighed."""
        return lowest <= scale <= highest

    return is_ordinary


def _extreme_sum(precision, summand):
    one, zero, extreme_term = precision.Float(1), precision.Float(0), summand.extreme_term
    weights_of, over = _weights_of(precision), sum_over(summand)

    @njit_no_refcount
    def extreme_sum(p, q, p_scale, q_scale, p_sum, q_sum, *beside):
        noinline()
        if p_sum[0] == zero or q_sum[0] == zero:
            return np.nan
        p_weight, q_weight, divisor = weights_of(one, one, p_sum, q_sum)
        total, rest = 0.0, 0.0
        for i in range(p.size):
            x, y = abs(p[i]), abs(q[i])
            term = extreme_term(x, y, p_scale, q_scale, p_weight, q_weight, *beside)
            total, error = two_sum(total, np.float64(term))
            rest += error
        return over(total, rest, divisor)

    return extreme_sum


@cache
def normalised_sum(precision: Precision, summand: PairSummand) -> Any:
    """Return what adds up a summand over two rows, each divided by its sum."""
    Float = precision.Float
    term_of, most, extreme_sum = summand.term, summand.most, _extreme_sum(precision, summand)
    is_ordinary = is_ordinary_kernel(precision, summand.weighed)
    weights_of = _weights_of(precision)
    over = sum_over(summand)
    near = NEAR_BYTES // Float(0).itemsize
    lanes, zero = lane_kernels(precision), Float(0)
    number, zeros, zero_sums = lanes.number, lanes.zeros, lanes.zero_sums
    ends_run, add_run, sum_of_runs = lanes.ends_run, lanes.add_run, lanes.sum_of_runs
    groups_in, last_group, group_at = lanes.groups_in, lanes.last_group, lanes.group_at

    @njit_inline
    def block_sum(p, q, start, size, p_weight, q_weight, ahead, *beside):
        groups, totals = groups_in(size), zero_sums(0.0)
        p_last, q_last = last_group(p, start, size), last_group(q, start, size)
        run_total = zeros(zero)
        for group in range(groups):
            xs = group_at(p, p_last, start, size, group, ahead)
            ys = group_at(q, q_last, start, size, group, ahead)
            for i in range(number):
                run_total[i] += term_of(xs[i], ys[i], p_weight, q_weight, *beside)[0]
            if ends_run(group):
                add_run(totals, run_total)
        add_run(totals, run_total)
        return sum_of_runs(totals)

    @njit_inline
    def sum_of(p, q, p_known, q_known, *beside):
        """Return the sum over two contiguous rows, normalised by what `row_scale` says."""
        p_scale, p_sum = p_known[0], p_known[1:]
        q_scale, q_sum = q_known[0], q_known[1:]
        if is_ordinary(p_scale) and is_ordinary(q_scale):
            p_weight, q_weight, divisor = weights_of(p_scale, q_scale, p_sum, q_sum)
            ahead = p.size if p.size < near else 0
            total, rest = 0.0, 0.0
            for start in range(0, p.size, BLOCK):
                size = minimum(BLOCK, p.size - start)
                part = block_sum(p, q, start, size, p_weight, q_weight, ahead, *beside)
                total, error = two_sum(total, part)
                rest += error
            total = over(total, rest, divisor)
        else:
            total = extreme_sum(p, q, p_scale, q_scale, p_sum, q_sum, *beside)
        return Float(where(total > most, most, total))

    return sum_of


def sum_over(summand: PairSummand) -> Any:
    """Return what adds to a sum what rounding left of it, and divides: by 0 it is NaN."""
    with_infinite = summand.with_infinite

    @njit_inline
    def over(total, rest, divisor):
        # Of an infinite sum, nothing is left.
        if with_infinite and total == np.inf:
            return where(divisor > 0.0, total, np.nan)
        return (total + rest) / divisor

    return over


def _row_sums(precision, row_scale, pair_sum):
    zero = precision.Float(0)
    lanes = lane_kernels(precision)
    number, zeros = lanes.number, lanes.zeros

    @njit_no_refcount
    def scales_of(P, start, count, scales, totals, rests):
        """Fill in what is known of some rows: they do not wait for each other's sums."""
        noinline()
        for k in range(count):
            scales[k], totals[k], rests[k] = row_scale(any_layout(P[start + k]))

    @njit_no_refcount
    def row_sums(P, Q, results):
        """Write the divergences of pairs of contiguous rows, each divided by its sum."""
        noinline()
        p_scales, p_totals, p_rests = zeros(zero), zeros(zero), zeros(zero)
        q_scales, q_totals, q_rests = zeros(zero), zeros(zero), zeros(zero)
        for start in range(0, results.size, number):
            count = minimum(number, results.size - start)
            scales_of(P, start, count, p_scales, p_totals, p_rests)
            scales_of(Q, start, count, q_scales, q_totals, q_rests)
            for k in range(count):
                p, q = any_layout(P[start + k]), any_layout(Q[start + k])
                p_known = p_scales[k], p_totals[k], p_rests[k]
                q_known = q_scales[k], q_totals[k], q_rests[k]
                results[start + k] = pair_sum(p, q, p_known, q_known)

    return row_sums


def _signed_terms(precision, row_scale, weighted_term, weights_of):
    Float, one = precision.Float, precision.Float(1)

    @njit_refcounted
    def signed_terms(p, q, terms):
        """Write the terms of two rows of any stride, each divided by its sum.

        A term is negative where the second row has more.
        """
        p_known, q_known = row_scale(contiguous(p)), row_scale(contiguous(q))
        p_weight, q_weight, divisor = weights_of(one, one, p_known[1:], q_known[1:])
        for i in range(p.size):
            x, y = abs(p[i]) * p_known[0], abs(q[i]) * q_known[0]
            term, difference = weighted_term(x, y, p_weight, q_weight)
            terms[i] = Float(math.copysign(np.float64(term) / divisor, np.float64(difference)))

    return signed_terms
