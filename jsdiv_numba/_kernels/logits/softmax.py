"""From a row of logits to its exponentials and probabilities."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    FIRST_LINES,
    LINE_BYTES,
    any_layout,
    clear_exceptions,
    contiguous,
    empty,
    fma,
    item,
    larger,
    load_noalias,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_reassoc,
    njit_refcounted,
    njit_refcounted_inline,
    noinline,
    prefetch_to_second,
    set_item,
    store_noalias,
    where,
)
from ..codegen.precision import Precision
from ..formulas.js import scalar_formulas
from ..rows.sums import BLOCK
from ..target import has_multiply_add

COUNTED = 2.0**-7
"""Logits below the largest by this and `exp_min` have an exponential of 0: by more than a row's
factor, which is within 2^-9 of 1."""

FAR = 2.0**-6
"""Those below it by more, as -inf is, stand for one that is so far below, until they are made 0. In
the sums of a row they count for nothing."""

FAR_FROM_ZERO = 2.0**14
"""A row whose largest logit is beyond this is shifted before it is multiplied by log2(e)."""


@cache
def softmax_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    largest, near_zero = _largest(precision.Float(-np.inf)), _near_zero(precision)
    (powers, powers_of_both), scale = _powers(precision), _scale(precision)
    return SimpleNamespace(
        exponentials=_exponentials(precision),
        largest=largest,
        near_zero=near_zero,
        powers_of_both=powers_of_both,
        scale=scale,
        softmax=_softmax(precision, largest, near_zero, powers, scale, 0),
        lifted=_softmax(precision, largest, near_zero, powers, scale, precision.lift),
    )


@njit_no_refcount
def place_of_largest(row):
    """Return the index of a row's first largest element, or that of its first NaN."""
    place = 0
    for i in range(row.size):
        if np.isnan(row[i]):
            return i
        if row[i] > row[place]:
            place = i
    return place


def _largest(none):
    @njit_reassoc
    def largest(x):
        noinline()
        top = none
        for i in range(x.size):
            top = larger(item(x, i), top)
        return top

    return largest


def _of_block(precision):
    Float = precision.Float
    exp = scalar_formulas(precision).exp
    lowest, zero = Float(precision.exp_min), Float(0)

    @njit_reassoc
    def of_block(x, top, values, start, size):
        """Write e^(x - top); return Σ e^(x - top) and Σ (x - top)·e^(x - top)."""
        total, moment = zero, zero
        for i in range(start, start + size):
            shifted = load_noalias(x, i) - top
            value = exp(shifted)
            store_noalias(values, i, value)
            total += value
            moment += value * where(shifted < lowest, lowest, shifted)
        return total, moment

    return of_block


def _exponentials(precision):
    Float = precision.Float
    line = LINE_BYTES // Float(0).itemsize
    largest = _largest(Float(-np.inf))
    of_block = _of_block(precision)
    # Of a few numbers at a time, LLVM calls the C library for each, and adds and subtracts what
    # else is in their registers along.
    leaves_exceptions = not has_multiply_add()

    @njit_refcounted
    def exponentials(logits, values):
        """Write e^x, x being the logits less the largest; return that, Σ e^x and Σ x·e^x."""
        row = contiguous(logits)
        for i in range(0, minimum(row.size, FIRST_LINES * line), line):
            prefetch_to_second(row, i + row.size)
        top, total, moment = largest(row), 0.0, 0.0
        for start in range(0, row.size, BLOCK):
            size = minimum(BLOCK, row.size - start)
            part, part_moment = of_block(row, top, values, start, size)
            total += part
            moment += part_moment
        if leaves_exceptions:
            clear_exceptions()
        # A NaN in the row may have left the sum finite, but not this.
        return top, (moment if np.isnan(moment) else total), moment

    return exponentials


def _powers_of_block(precision):
    zero, log2_e = precision.Float(0), precision.Float(1 / np.log(2))
    exp2 = scalar_formulas(precision).exp2

    @njit_reassoc
    def of_block(logits, lowest, more, values, start, size):
        """Write 2^t and return Σ 2^t and Σ t·2^t, t = x·log2(e) + `more`, x not below `lowest`."""
        total, moment = zero, zero
        for i in range(start, start + size):
            x = load_noalias(logits, i)
            power = fma(where(x < lowest, lowest, x), log2_e, more)
            value = exp2(power)
            store_noalias(values, i, value)
            total += value
            moment += value * power
        return total, moment

    return of_block


def _powers(precision):
    Float = precision.Float
    line = LINE_BYTES // Float(0).itemsize
    far, log2_e, zero = Float(precision.exp_min - FAR), Float(1 / np.log(2)), Float(0)
    ln2, of_block = np.log(2.0), _powers_of_block(precision)
    leaves_exceptions = not has_multiply_add()

    @njit_inline
    def powers(row, top, values, lift):
        """Write e^x times a factor, of a row with this largest element; return Σ e^x and Σ x·e^x.

        x are the logits less the largest one, plus what the factor is the exponential of: some
        rounding, and `lift` times log 2.
        """
        for i in range(0, minimum(row.size, FIRST_LINES * line), line):
            prefetch_to_second(row, i + row.size)
        lowest, more = top + (far - lift * Float(ln2)), lift - top * log2_e
        total, moment = 0.0, 0.0
        for start in range(0, row.size, BLOCK):
            size = minimum(BLOCK, row.size - start)
            part, part_moment = of_block(row, lowest, more, values, start, size)
            total += part
            moment += part_moment
        if leaves_exceptions:
            clear_exceptions()
        moment *= ln2
        # A NaN in the row may have left the sum finite, but not this.
        return (moment if np.isnan(moment) else total), moment

    @njit_no_refcount
    def of_both(a, b, a_top, b_top, x, y):
        """Do so for two rows: a call for each costs as much as a short one."""
        return powers(a, a_top, x, zero), powers(b, b_top, y, zero)

    return powers, of_both


def _near_zero(precision):
    limit, zero = precision.Float(FAR_FROM_ZERO), precision.Float(0)

    @njit_refcounted_inline
    def near_zero(row, top, values):
        """Return a row and its largest element or, where that is far from 0, less it, in `values`.

        Exponentials are written over it: each is computed of what stands in its place.
        """
        if abs(top) > limit:
            shift(row, top, values)
            return values, zero
        return row, top

    return near_zero


@njit_no_refcount
def shift(row, top, values):
    """Write a row less its largest element."""
    noinline()
    for i in range(row.size):
        set_item(values, i, item(row, i) - top)


def _scale(precision):
    Float = precision.Float
    zero, least = Float(0), Float(np.exp(precision.exp_min - COUNTED))

    @njit_no_refcount
    def scale(values, total):
        """Divide a row by its sum; what does not count is 0."""
        factor = Float(1.0 / total)
        for i in range(values.size):
            value = item(values, i)
            # Not the product or 0: where the factor is 1, LLVM 20 stores under a mask, which takes
            # Zen 4 with AVX2 14 cycles.
            set_item(values, i, value * where(value < least, zero, factor))

    return scale


def _softmax(precision, largest, near_zero, powers, scale, lift):
    own_lift, unit = precision.Float(lift), 2.0**-lift

    @njit_refcounted
    def softmax(logits):
        """Return the probabilities of a row of any stride, times a power of two."""
        values = any_layout(empty(logits.size, logits.dtype))
        row = contiguous(logits)
        row, top = near_zero(row, largest(row), values)
        total, _ = powers(row, top, values, own_lift)
        scale(values, total * unit)
        return values

    return softmax
