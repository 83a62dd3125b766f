"""Loops over one pair of rows of probabilities, or over one row, which then stands for both."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    LINE_BYTES,
    apart,
    bits_of,
    borrowing,
    clear_exceptions,
    contiguous,
    formula,
    item,
    kernel,
    larger,
    maximum,
    minimum,
    summing,
    zeroed,
)
from ..codegen.lanes import lane_kernels
from ..codegen.precision import FLOAT64, Precision
from ..formulas.js import exact_sum
from .summands import entropy_summand, excess_summand, js_summand, kl_summand, skewed_summand

BLOCK = 1024
"""Elements added up in lanes of the input's precision before float64 takes over."""

LIFT, LOWER = 2.0**FLOAT64.lift, 2.0**-64
"""By which `lift_of` scales the smallest and the largest numbers."""

GAP_CANCELLED = 0.25
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
        needs_full_range=_needs_full_range(precision),
        js_full_range_sum=_full_range_sum(js_summand(precision)),
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

    @formula
    def block_sum(p, q, start, size, *beside):
        """Return the sum of the terms of contiguous rows, and the bits that any element has.

        And, where they are needed, Σ (p - q) and Σ |p - q|. A difference that is
        rounded is so by little more than its term.
        """
        groups = groups_in(size)
        totals, bits = zero_sums(0.0), zeros(none)
        gaps, spreads = zero_sums(0.0), zeros(zero)
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
                    spreads[i] += abs(x - y)
            if ends_run(group):
                add_run(totals, run_total)
                if with_gap:
                    add_run(gaps, run_gap)
        add_run(totals, run_total)
        if with_gap:
            add_run(gaps, run_gap)
        gap, spread = (sum_of_runs(gaps), sum_of(spreads)) if with_gap else (0.0, zero)
        return sum_of_runs(totals), bits_of_all(bits), gap, spread

    return block_sum


def _gap_parts(precision):
    return _split_gap() if precision is FLOAT64 else _wide_gap()


def _exact_gap(precision):
    gap_parts = _gap_parts(precision)

    @kernel
    def exact_gap(p, q):
        """Return Σ (p - q) of contiguous rows in twice their precision."""
        gap, rest = 0.0, 0.0
        for start in range(0, p.size, BLOCK):
            part, part_rest = gap_parts(p, q, start, minimum(BLOCK, p.size - start))
            gap, error = exact_sum(gap, part)
            rest += error + part_rest
        return gap + rest

    return exact_gap


def _wide_gap():
    @summing
    def wide_gap(p, q, start, size):
        """Return the sum of the differences of float32 elements, in float64."""
        gap = 0.0
        for i in range(start, start + size):
            gap += np.float64(item(p, i) - item(q, i))
        return gap, 0.0

    return wide_gap


def _split_gap():
    @summing
    def largest_difference(p, q, start, size):
        top = 0.0
        for i in range(start, start + size):
            top = larger(abs(item(p, i) - item(q, i)), top)
        return top

    @formula
    def split(x, magic):
        upper = (x + magic) - magic
        return upper, x - upper

    @summing
    def split_sums(p, q, start, size, magic):
        upper, lower = 0.0, 0.0
        for i in range(start, start + size):
            high, low = split(item(p, i) - item(q, i), magic)
            upper += high
            lower += low
        return upper, lower

    @kernel
    def split_gap(p, q, start, size):
        """Return Σ (p - q) of float64 elements, as a sum without rounding and a small one."""
        magic = 3.0 * BLOCK * largest_difference(p, q, start, size)
        return split_sums(p, q, start, size, magic)

    return split_gap


def _needs_full_range(precision):
    Float, Int = precision.Float, precision.Int
    none, above_two = Int(0), Int(Float(2).view(precision.Int))
    huge = Int(Float(2.0**precision.huge).view(precision.Int))

    @summing
    def largest_bits(p):
        top = none
        for i in range(p.size):
            top = maximum(bits_of(item(p, i)), top)
        return top

    @borrowing
    def has_huge(p, q):
        apart()
        return maximum(largest_bits(p), largest_bits(q)) > huge

    @formula
    def needs_full_range(p, q, bits):
        """Whether contiguous rows, with these bits among them, have a sign or a huge element.

        Nothing below 2 has the exponent's first bit, so most rows are not searched.
        """
        if bits < none or (bits & above_two) == none:
            return bits < none
        return has_huge(p, q)

    return needs_full_range


@kernel
def add_scaled(totals, rests, scale, value):
    """Add a number times a power of two to the sum of the lifted, plain or lowered ones."""
    own = 0 if scale > 1.0 else 2 if scale < 1.0 else 1
    totals[own], error = exact_sum(totals[own], value)
    rests[own] += error


@kernel
def total_of_scaled(totals, rests):
    """Return what `add_scaled` has added up, not scaled, and what rounding left of it."""
    total, rest = totals[1], rests[1]
    if totals[2] != 0.0:
        total, error = exact_sum(totals[2], total * LOWER)
        return total / LOWER, (error + rests[2] + rest * LOWER) / LOWER
    if not abs(total) > 1.0:
        total, error = exact_sum(totals[0], total * LIFT)
        return total / LIFT, (error + rests[0] + rest * LIFT) / LIFT
    return total, rest


def _full_range_sum(summand):
    lifted = summand.lifted

    @kernel
    def full_range_sum(p, q, *weights):
        """Add up in float64, lifted and lowered terms apart, which no others can drown so.

        Return the sum and what its rounding left.
        """
        apart()
        totals, rests, infinite = zeroed(3, np.float64), zeroed(3, np.float64), False
        for i in range(p.size):
            x, y = np.float64(p[i]), np.float64(q[i])
            if x < 0.0 or y < 0.0:
                return np.nan, 0.0
            scale, value, beside = lifted(abs(x), abs(y), *weights)
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
    Float, Int = precision.Float, precision.Int
    trusted, none = 2.0**precision.trusted, Int(0)
    with_gap = summand.with_gap
    block_sum = _block_sum(precision, summand)
    needs_full_range, full_range_sum = _needs_full_range(precision), _full_range_sum(summand)
    exact_gap = _exact_gap(precision)

    @formula
    def row_sum(x, y, *weights):
        """Return the sum over two contiguous rows: NaN if any value is invalid."""
        total, rest, bits = 0.0, 0.0, none
        gap, spread = 0.0, 0.0
        for start in range(0, x.size, BLOCK):
            size = minimum(BLOCK, x.size - start)
            part, part_bits, part_gap, part_spread = block_sum(x, y, start, size, *weights)
            total, error = exact_sum(total, part)
            rest += error
            bits |= part_bits
            gap += part_gap
            spread += part_spread
        total += rest
        if not abs(total) > trusted or needs_full_range(x, y, bits):
            total, rest = full_range_sum(x, y, *weights)
            total += rest
            clear_exceptions()
        elif with_gap:
            if abs(total + gap) < GAP_CANCELLED * spread:
                gap = exact_gap(x, y)
            total += gap
        return Float(total)

    return row_sum


def _of_any_stride(row_sum):
    @kernel
    def of_any_stride(p, q, *weights):
        return row_sum(contiguous(p), contiguous(q), *weights)

    return of_any_stride


def _row_parts(precision, summand):
    trusted, none = 2.0**precision.trusted, precision.Int(0)
    block_sum, gap_parts = _block_sum(precision, summand), _gap_parts(precision)
    needs_full_range, full_range_sum = _needs_full_range(precision), _full_range_sum(summand)

    @kernel
    def row_parts(p, q):
        """Return the sum over a piece of two rows of any stride, and what its rounding left.

        With Σ (p - q) in twice the precision, for the pieces' sums may cancel.
        """
        x, y = contiguous(p), contiguous(q)
        total, rest, bits = 0.0, 0.0, none
        gap, gap_rest = 0.0, 0.0
        for start in range(0, x.size, BLOCK):
            size = minimum(BLOCK, x.size - start)
            part, part_bits, _, _ = block_sum(x, y, start, size)
            total, error = exact_sum(total, part)
            rest += error
            bits |= part_bits
            part, part_rest = gap_parts(x, y, start, size)
            gap, error = exact_sum(gap, part)
            gap_rest += error + part_rest
        if not abs(total) > trusted or needs_full_range(x, y, bits):
            total, rest = full_range_sum(x, y)
            clear_exceptions()
            return total, rest
        total, error = exact_sum(total, gap)
        return total, error + rest + gap_rest

    return row_parts


@kernel
def added_up(totals, rests):
    """Return the sum of sums with what their rounding left."""
    total, rest = 0.0, 0.0
    for i in range(totals.size):
        total, error = exact_sum(total, totals[i])
        rest += error + rests[i]
    # Of an infinite sum, nothing is left.
    return total if np.isnan(rest) or np.isinf(total) else total + rest
