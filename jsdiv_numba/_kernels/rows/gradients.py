"""The divergence of two rows of probabilities and its derivatives, in one pass over them."""

from functools import cache
from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    LINE_BYTES,
    bits_of,
    clear_exceptions,
    item,
    load_noalias,
    minimum,
    njit_inline,
    njit_reassoc,
    njit_refcounted,
    prefetch,
    set_item,
    store2_noalias,
)
from ..codegen.precision import FLOAT32, Precision
from ..formulas.js import two_sum
from ..formulas.slopes import gradient_formulas
from ..target import registers, target
from .sums import BLOCK, row_kernels

CHUNK_BYTES, AHEAD_LINES = 512, 32
"""A chunk of so many bytes is computed while the lines so far ahead are being loaded."""

CHUNK_REGISTERS = 4
"""A chunk of float32 is not longer than so many registers hold: equal terms are rounded the same
way each time they are added to a lane."""


TAIL = 16
"""Fewer elements than this at a row's end are added up in float64."""


def _chunk(precision):
    elements = CHUNK_BYTES // precision.Float(0).itemsize
    if precision is not FLOAT32:
        return elements
    return min(elements, CHUNK_REGISTERS * registers(target()).floats)


def _block_sum(precision):
    Float, Int = precision.Float, precision.Int
    formulas = gradient_formulas(precision)
    term, plain_slopes = formulas.term_beside_slopes, formulas.plain_slopes
    zero, none = Float(0), Int(0)
    line = LINE_BYTES // Float(0).itemsize
    chunk, ahead = _chunk(precision), AHEAD_LINES * line

    @njit_inline
    def step(p, q, cotangent, in_p, in_q, i, bits, plain):
        """Write two derivatives; return the term, and the bits and `plain` so far."""
        x, y = load_noalias(p, i), load_noalias(q, i)
        bits = Int(bits | Int(bits_of(x) | bits_of(y)))
        x, y = abs(x), abs(y)
        of_x, of_y, plain = plain_slopes(x, y, plain)
        store2_noalias(in_p, in_q, i, of_x * cotangent, of_y * cotangent)
        return term(x, y), bits, plain

    @njit_reassoc
    def block_sum(p, q, cotangent, in_p, in_q, start, size):
        """Write the derivatives; return the sum of the terms, all elements' bits and `plain`.

        The slopes and the term have all but their last steps in common.
        """
        total, bits, plain = 0.0, none, none
        for first in range(start, start + size, chunk):
            stop, part = minimum(first + chunk, start + size), zero
            for i in range(first, stop, line):
                prefetch(p, i + ahead)
                prefetch(q, i + ahead)
            # What vectors leave would be added up one by one.
            whole = first + (stop - first) // TAIL * TAIL
            for i in range(first, whole):
                value, bits, plain = step(p, q, cotangent, in_p, in_q, i, bits, plain)
                part += value
            # Equal terms would round the same way chunk after chunk.
            total += np.float64(part)
            for i in range(whole, stop):
                value, bits, plain = step(p, q, cotangent, in_p, in_q, i, bits, plain)
                total += np.float64(value)
        return total, bits, plain

    return block_sum


def _block_gradient(precision):
    gradient = gradient_formulas(precision).gradient

    @njit_refcounted
    def block_gradient(p, q, cotangent, in_p, in_q, start, size):
        """Write the derivatives in numbers of any size."""
        for i in range(start, start + size):
            of_x, of_y = gradient(item(p, i), item(q, i), cotangent)
            set_item(in_p, i, of_x)
            set_item(in_q, i, of_y)

    return block_gradient


@cache
def sum_with_gradient(precision: Precision) -> Any:
    """Compile the kernel for one precision."""
    Float, none, zero = precision.Float, precision.Int(0), precision.Float(0)
    block_sum, block_gradient = _block_sum(precision), _block_gradient(precision)
    kernels = row_kernels(precision)
    needs_full_range, full_range_sum = kernels.needs_full_range, kernels.js_full_range_sum

    @njit_refcounted
    def sum_with_gradient(p, q, cotangent, in_p, in_q):
        """Write the derivatives of a number times two rows' divergence, and return that.

        Elements are adjacent, and what is written to shares no memory with any other row.
        """
        total, rest, bits = 0.0, 0.0, none
        for start in range(0, p.size, BLOCK):
            size = minimum(BLOCK, p.size - start)
            part, part_bits, plain = block_sum(p, q, cotangent, in_p, in_q, start, size)
            if plain < none or cotangent == zero:
                block_gradient(p, q, cotangent, in_p, in_q, start, size)
            total, error = two_sum(total, part)
            rest += error
            bits |= part_bits
        total += rest
        if needs_full_range(p, q, bits, total):
            total, rest = full_range_sum(p, q)
            total += rest
            clear_exceptions()
        return Float(total)

    return sum_with_gradient
