"""From a row of logits to its exponentials and probabilities."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    FIRST_LINES,
    LINE_BYTES,
    clear_exceptions,
    contiguous,
    empty,
    item,
    larger,
    load_noalias,
    minimum,
    njit_no_refcount,
    njit_reassoc,
    njit_refcounted,
    prefetch_to_second,
    set_item,
    store_noalias,
    where,
)
from ..codegen.precision import Precision
from ..formulas.js import scalar_formulas
from ..rows.sums import BLOCK
from ..target import has_multiply_add


@cache
def softmax_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    exponentials, scale = _exponentials(precision), _scale(precision)
    return SimpleNamespace(
        exponentials=exponentials, scale=scale, softmax=_softmax(exponentials, scale)
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


def _scale(precision):
    Float = precision.Float

    @njit_no_refcount
    def scale(values, total):
        """Divide a row by its sum."""
        factor = Float(1.0 / total)
        for i in range(values.size):
            set_item(values, i, item(values, i) * factor)

    return scale


def _softmax(exponentials, scale):
    @njit_refcounted
    def softmax(logits):
        """Return the probabilities of a row of any stride."""
        values = empty(logits.size, logits.dtype)
        _, total, _ = exponentials(logits, values)
        scale(values, total)
        return values

    return softmax
