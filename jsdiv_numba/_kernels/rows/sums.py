"""Loops over one pair of rows of probabilities, or over one row, which then stands for both."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    LINE_BYTES,
    bits_of,
    clear_exceptions,
    contiguous,
    item,
    larger,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_reassoc,
    njit_refcounted,
    noinline,
    where,
    zeroed,
)
from ..codegen.lanes import lane_kernels
from ..codegen.precision import FLOAT64, Precision
from ..formulas.js import two_sum
from .summands import entropy_summand, excess_summand, js_summand, kl_summand, skewed_summand

BLOCK = 1024
"""Elements added up in lanes of the input's precision before float64 takes over."""

SCALE_UP, SCALE_DOWN = 2.0**FLOAT64.scale_up, 2.0**-64
"""By which `scale_up_of` scales the smallest and the largest numbers."""

GAP_BLOCK = BLOCK // 2
"""The same where Σ (p - q) is added to the terms, and may cancel two thirds of them: 64 equal terms
and differences in a lane of float64 would be rounded by too much."""

GAP_CANCELLED = 0.35
"""A sum below this fraction of Σ |p - q| has its Σ (p - q) added up again, more precisely."""

AHEAD_LINES = 128
"""Lines are computed while those so far ahead are being loaded, mostly those of the next row.
Without it, rows from memory are waited for: the processor looks ahead by instructions, and here
there are many to a line."""


@cache
def row_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision.

    Those of contiguous rows are part of their callers, the others take rows of any stride.
    """
    of_contiguous = SimpleNamespace(
        row_sum=_row_sum(precision, js_summand(precision)),
        kl_sum=_row_sum(precision, kl_summand(precision)),
        entropy_sum=_row_sum(precision, entropy_summand(precision)),
        skewed_sum=_row_sum(precision, skewed_summand(precision)),
    )
    return SimpleNamespace(
        of_contiguous=of_contiguous,
        row_sum=_of_any_stride(of_contiguous.row_sum),
        kl_sum=_of_any_stride(of_contiguous.kl_sum),
        kl_parts=_row_parts(precision, kl_summand(precision)),
        excess_sum=_of_any_stride(_row_sum(precision, excess_summand(precision))),
        entropy_sum=_of_any_stride(of_contiguous.entropy_sum),
        needs_full_range=_needs_full_range(precision, _has_tiny(precision)),
        js_full_range_sum=_full_range_sum(precision, js_summand(precision)),
        skewed_sum=_of_any_stride(of_contiguous.skewed_sum),
    )


def _block_sum(precision, summand):
    Float, Int = precision.Float, precision.Int
    term, bits_in, with_gap = summand.term, summand.bits, summand.with_gap
    zero, none = Float(0), Int(0)
    ahead = AHEAD_LINES * LINE_BYTES // Float(0).itemsize
    lanes = lane_kernels(precision)
    number, zeros, sum_of, bits_of_all = lanes.number, lanes.zeros, lanes.sum_of, lanes.bits_of_all
    ends_run, zero_sums, add_run, sum_of_runs = (
        lanes.ends_run,
        lanes.zero_sums,
        lanes.add_run,
        lanes.sum_of_runs,
    )
    groups_in, last_group, group_at = lanes.groups_in, lanes.last_group, lanes.group_at

    @njit_inline
    def block_sum(p, q, start, size, *beside):
        """Return the sum of the terms of contiguous rows, and the bits that any element has.

        And, where they are needed, Σ (p - q) and Σ |p - q|. A difference that is
        rounded is so by little more than its term.
        """
        groups = groups_in(size)
        totals, bits = zero_sums(0.0), zeros(none)
        gaps, abs_diffs = zero_sums(0.0), zeros(zero)
        p_last, q_last = last_group(p, start, size), last_group(q, start, size)
        run_total, run_gap = zeros(zero), zeros(zero)
        for group in range(groups):
            xs = group_at(p, p_last, start, size, group, ahead)
            ys = group_at(q, q_last, start, size, group, ahead)
            for i in range(number):
                x, y = xs[i], ys[i]
                run_total[i] += term(x, y, *beside)
                bits[i] = Int(bits[i] | bits_in(x, y, *beside))
                if with_gap:
                    run_gap[i] += x - y
                    abs_diffs[i] += abs(x - y)
            if ends_run(group):
                add_run(totals, run_total)
                if with_gap:
                    add_run(gaps, run_gap)
        add_run(totals, run_total)
        if with_gap:
            add_run(gaps, run_gap)
        gap, abs_diff_sum = (sum_of_runs(gaps), sum_of(abs_diffs)) if with_gap else (0.0, zero)
        return sum_of_runs(totals), bits_of_all(bits), gap, abs_diff_sum

    return block_sum


def _gap_parts(precision):
    return _split_gap() if precision is FLOAT64 else _wide_gap()


def _exact_gap(precision):
    gap_parts = _gap_parts(precision)

    @njit_no_refcount
    def exact_gap(p, q):
        """Return Σ (p - q) of contiguous rows in twice their precision."""
        gap, rest = 0.0, 0.0
        for start in range(0, p.size, BLOCK):
            part, part_rest = gap_parts(p, q, start, minimum(BLOCK, p.size - start))
            gap, error = two_sum(gap, part)
            rest += error + part_rest
        return gap + rest

    return exact_gap


def _wide_gap():
    @njit_reassoc
    def wide_gap(p, q, start, size):
        """Return the sum of the differences of float32 elements, in float64."""
        gap = 0.0
        for i in range(start, start + size):
            gap += np.float64(item(p, i) - item(q, i))
        return gap, 0.0

    return wide_gap


def _split_gap():
    @njit_reassoc
    def largest_difference(p, q, start, size):
        top = 0.0
        for i in range(start, start + size):
            top = larger(abs(item(p, i) - item(q, i)), top)
        return top

    @njit_inline
    def split(x, magic):
        upper = (x + magic) - magic
        return upper, x - upper

    @njit_reassoc
    def split_sums(p, q, start, size, magic):
        upper, lower = 0.0, 0.0
        for i in range(start, start + size):
            high, low = split(item(p, i) - item(q, i), magic)
            upper += high
            lower += low
        return upper, lower

    @njit_no_refcount
    def split_gap(p, q, start, size):
        """Return Σ (p - q) of float64 elements, as a sum without rounding and a small one."""
        magic = 3.0 * BLOCK * largest_difference(p, q, start, size)
        return split_sums(p, q, start, size, magic)

    return split_gap


def _has_tiny(precision):
    Int, lowest, none = precision.Int, precision.Float(2.0**precision.tiny), precision.Int(0)

    @njit_reassoc
    def tiny_bits(p):
        bits = none
        for i in range(p.size):
            x = item(p, i)
            bits = Int(bits | where(x < lowest, bits_of(x), none))
        return bits

    @njit_no_refcount
    def has_tiny(p, q):
        """Whether contiguous rows have an element that a term may be lost of.

        Where there is none, a small sum is right, as that of equal rows, or of zeros.
        """
        noinline()
        return Int(tiny_bits(p) | tiny_bits(q)) != none

    return has_tiny


def _differ(precision):
    Int, none = precision.Int, precision.Int(0)

    @njit_reassoc
    def differing_bits(p, q):
        bits = none
        for i in range(p.size):
            bits = Int(bits | Int(bits_of(item(p, i)) ^ bits_of(item(q, i))))
        return bits

    @njit_no_refcount
    def differ(p, q):
        """Whether two contiguous rows differ: if not, their divergence is 0 with any weights."""
        noinline()
        return differing_bits(p, q) != none

    return differ


def _is_infinite(precision):
    Float, Int = precision.Float, precision.Int
    zero, none = Float(0), Int(0)
    infinite = Int(Float(np.inf).view(Int))

    @njit_reassoc
    def bits_among(p, q):
        """Return the bits that any p has where q is 0, those of all, and the largest."""
        alone, bits, top = none, none, none
        for i in range(p.size):
            x, y = item(p, i), item(q, i)
            alone = Int(alone | where(y == zero, bits_of(x), none))
            bits = Int(bits | Int(bits_of(x) | bits_of(y)))
            top = maximum(maximum(bits_of(x), bits_of(y)), top)
        return alone, bits, top

    @njit_no_refcount
    def is_infinite(p, q):
        """Whether a q is 0 where p is not, among contiguous rows of valid elements."""
        alone, bits, top = bits_among(p, q)
        return alone != none and bits >= none and top < infinite

    return is_infinite


def _needs_full_range(precision, may_have_lost):
    Float, Int = precision.Float, precision.Int
    none, above_two = Int(0), Int(Float(2).view(precision.Int))
    trusted = 2.0**precision.trusted
    huge = Int(Float(2.0**precision.huge).view(precision.Int))

    @njit_reassoc
    def largest_bits(p):
        top = none
        for i in range(p.size):
            top = maximum(bits_of(item(p, i)), top)
        return top

    @njit_no_refcount
    def has_huge(p, q):
        noinline()
        return maximum(largest_bits(p), largest_bits(q)) > huge

    @njit_inline
    def needs_full_range(p, q, bits, total):
        """Whether contiguous rows, of these bits and this sum, have elements that it is wrong for.

        A sign, a huge element or, where the sum is small, one that it may have lost. Nothing
        below 2 has the exponent's first bit, so most rows are not searched.
        """
        if bits < none or (not abs(total) > trusted and may_have_lost(p, q)):
            return True
        return (bits & above_two) != none and has_huge(p, q)

    return needs_full_range


@njit_no_refcount
def add_scaled(totals, rests, scale, value):
    """Add a number times a power of two to the sum of the large, ordinary or small ones, scaled."""
    own = 0 if scale > 1.0 else 2 if scale < 1.0 else 1
    totals[own], error = two_sum(totals[own], value)
    rests[own] += error


@njit_no_refcount
def total_of_scaled(totals, rests):
    """Return what `add_scaled` has added up, not scaled, and what rounding left of it."""
    if np.isnan(totals[0]):
        # Where the greater of a NaN and a small number is that number, it stands among the small.
        return np.nan, 0.0
    total, rest = totals[1], rests[1]
    if totals[2] != 0.0:
        total, error = two_sum(totals[2], total * SCALE_DOWN)
        return total / SCALE_DOWN, (error + rests[2] + rest * SCALE_DOWN) / SCALE_DOWN
    if not abs(total) > 1.0:
        total, error = two_sum(totals[0], total * SCALE_UP)
        return total / SCALE_UP, (error + rests[0] + rest * SCALE_UP) / SCALE_UP
    return total, rest


def _full_range_sum(precision, summand):
    scaled_up, has_infinite = summand.scaled_up, summand.has_infinite
    is_infinite = _is_infinite(precision)

    @njit_refcounted
    def full_range_sum(p, q, *weights):
        """Add up in float64, large and small terms in separate accumulators: Blue's algorithm.

        J. L. Blue, A portable Fortran program to find the Euclidean norm, ACM TOMS 4 (1978).

        Return the sum and what its rounding left.
        """
        noinline()
        if has_infinite and is_infinite(p, q):
            return np.inf, 0.0
        totals, rests, infinite = zeroed(3, np.float64), zeroed(3, np.float64), False
        for i in range(p.size):
            x, y = np.float64(p[i]), np.float64(q[i])
            if x < 0.0 or y < 0.0:
                return np.nan, 0.0
            scale, value, beside = scaled_up(abs(x), abs(y), *weights)
            if value == np.inf:
                infinite = True
                continue
            add_scaled(totals, rests, scale, value)
            add_scaled(totals, rests, scale, beside)
        if infinite:
            return totals[0] + totals[1] + totals[2] + np.inf, 0.0
        return total_of_scaled(totals, rests)

    return full_range_sum


def _row_sum(precision, summand):
    Float, none = precision.Float, precision.Int(0)
    with_gap = summand.with_gap
    block_sum, full_range_sum = _block_sum(precision, summand), _full_range_sum(precision, summand)
    may_have_lost = _differ(precision) if summand.is_weighted else _has_tiny(precision)
    needs_full_range = _needs_full_range(precision, may_have_lost)
    exact_gap, block = _exact_gap(precision), GAP_BLOCK if with_gap else BLOCK

    @njit_inline
    def row_sum(x, y, *weights):
        """Return the sum over two contiguous rows: NaN if any value is invalid."""
        total, rest, bits = 0.0, 0.0, none
        gap, abs_diff_sum = 0.0, 0.0
        for start in range(0, x.size, block):
            size = minimum(block, x.size - start)
            part, part_bits, part_gap, part_abs_diff_sum = block_sum(x, y, start, size, *weights)
            total, error = two_sum(total, part)
            rest += error
            bits |= part_bits
            gap += part_gap
            abs_diff_sum += part_abs_diff_sum
        total += rest
        if needs_full_range(x, y, bits, total):
            total, rest = full_range_sum(x, y, *weights)
            total += rest
            clear_exceptions()
        elif with_gap:
            if abs(total + gap) < GAP_CANCELLED * abs_diff_sum:
                gap = exact_gap(x, y)
            total += gap
        return Float(total)

    return row_sum


def _of_any_stride(row_sum):
    @njit_refcounted
    def of_any_stride(p, q, *weights):
        return row_sum(contiguous(p), contiguous(q), *weights)

    return of_any_stride


def _row_parts(precision, summand):
    none, block_sum = precision.Int(0), _block_sum(precision, summand)
    gap_parts = _gap_parts(precision)
    needs_full_range = _needs_full_range(precision, _has_tiny(precision))
    full_range_sum = _full_range_sum(precision, summand)

    @njit_refcounted
    def row_parts(p, q):
        """Return the sum over a piece of two rows of any stride, and what its rounding left.

        With Σ (p - q) in twice the precision, for the pieces' sums may cancel.
        """
        x, y = contiguous(p), contiguous(q)
        total, rest, bits = 0.0, 0.0, none
        gap, gap_rest = 0.0, 0.0
        for start in range(0, x.size, GAP_BLOCK):
            size = minimum(GAP_BLOCK, x.size - start)
            part, part_bits, _, _ = block_sum(x, y, start, size)
            total, error = two_sum(total, part)
            rest += error
            bits |= part_bits
            part, part_rest = gap_parts(x, y, start, size)
            gap, error = two_sum(gap, part)
            gap_rest += error + part_rest
        if needs_full_range(x, y, bits, total):
            total, rest = full_range_sum(x, y)
            clear_exceptions()
            return total, rest
        total, error = two_sum(total, gap)
        return total, error + rest + gap_rest

    return row_parts


@njit_refcounted
def added_up(totals, rests):
    """Return the sum of sums with what their rounding left."""
    total, rest = 0.0, 0.0
    for i in range(totals.size):
        total, error = two_sum(total, totals[i])
        rest += error + rests[i]
    # Of an infinite sum, nothing is left.
    return total if np.isnan(rest) or np.isinf(total) else total + rest
