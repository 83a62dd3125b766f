"""Loops over one pair of rows of probabilities."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import (
    bits_of,
    clear_exceptions,
    contiguous,
    item,
    kernel,
    maximum,
    minimum,
    prefetch,
    summing,
)
from .precision import FLOAT64, Precision
from .scalar import exact_sum, scalar_formulas

BLOCK = 1024
"""Elements added up in lanes of the input's precision before float64 takes over."""

LINE_BYTES, CHUNK_LINES, AHEAD_LINES = 64, 8, 32
"""A chunk of so many cache lines is computed while the lines so far ahead are being loaded,
mostly those of the next row. Without it, rows from memory are waited for: the processor looks
ahead by instructions, and here there are many to a line."""


@cache
def row_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    parts = _block_sum(precision), _needs_full_range(precision), _full_range_sum()
    return SimpleNamespace(row_sum=_row_sum(precision, *parts))


def _block_sum(precision):
    Float, Int = precision.Float, precision.Int
    term = scalar_formulas(precision).term
    zero, none = Float(0), Int(0)
    line = LINE_BYTES // Float(0).itemsize
    chunk, ahead = CHUNK_LINES * line, AHEAD_LINES * line

    @summing
    def block_sum(p, q, start, size):
        """Return the sum of the terms of contiguous rows, and the bits that any element has."""
        total, bits = zero, none
        for first in range(start, start + size, chunk):
            stop = minimum(first + chunk, start + size)
            for i in range(first, stop, line):
                prefetch(p, i + ahead)
                prefetch(q, i + ahead)
            for i in range(first, stop):
                x, y = item(p, i), item(q, i)
                total += term(x, y)
                bits = Int(bits | Int(bits_of(x) | bits_of(y)))
        return total, bits

    return block_sum


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

    @kernel
    def needs_full_range(p, q, bits):
        """Whether contiguous rows, with these bits among them, have a sign or a huge element.

        Nothing below 2 has the exponent's first bit, so most rows are not searched.
        """
        if bits < none or (bits & above_two) == none:
            return bits < none
        return maximum(largest_bits(p), largest_bits(q)) > huge

    return needs_full_range


def _full_range_sum():
    formulas = scalar_formulas(FLOAT64)
    term, lift_of = formulas.term, formulas.lift_of
    lift, lower = 2.0**FLOAT64.lift, 2.0**-64

    @kernel
    def full_range_sum(p, q):
        """Add up in float64, lifted and lowered terms apart, which no others can drown so."""
        lifted, total, lowered = 0.0, 0.0, 0.0
        lifted_rest, rest, lowered_rest = 0.0, 0.0, 0.0
        for i in range(p.size):
            x, y = np.float64(p[i]), np.float64(q[i])
            if x < 0.0 or y < 0.0:
                return np.nan
            x, y = abs(x), abs(y)
            own = lift_of(maximum(x, y))
            value = term(x * own, y * own)
            if own > 1.0:
                lifted, error = exact_sum(lifted, value)
                lifted_rest += error
            elif own < 1.0:
                lowered, error = exact_sum(lowered, value)
                lowered_rest += error
            else:
                total, error = exact_sum(total, value)
                rest += error
        lifted, total, lowered = lifted + lifted_rest, total + rest, lowered + lowered_rest
        if lowered != 0.0:
            return (lowered + total * lower) / lower
        return total if total > 1.0 else (lifted + total * lift) / lift

    return full_range_sum


def _row_sum(precision, block_sum, needs_full_range, full_range_sum):
    Float, Int = precision.Float, precision.Int
    trusted, none = 2.0**precision.trusted, Int(0)

    @kernel
    def row_sum(p, q):
        """Return the divergence of two rows of any stride: NaN if any value is invalid."""
        x, y = contiguous(p), contiguous(q)
        total, rest, bits = 0.0, 0.0, none
        for start in range(0, x.size, BLOCK):
            part, part_bits = block_sum(x, y, start, minimum(BLOCK, x.size - start))
            total, error = exact_sum(total, np.float64(part))
            rest += error
            bits |= part_bits
        total += rest
        if not total > trusted or needs_full_range(x, y, bits):
            total = full_range_sum(x, y)
            clear_exceptions()
        return Float(total)

    return row_sum
