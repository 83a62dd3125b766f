"""Two near-equal rows of logits: their terms, from the differences of the logits.

With δ = a - b and Λ = log Σ q·e^δ, p/q = e^(δ - Λ) and (p - q)/(p + q) = tanh((δ - Λ)/2).
Both are taken less what δ is at a reference, which cancels whatever constant was added to a
row. What rounding then adds to all differences alike hardly counts, since Σ (p - q) = 0.
"""

import math
from functools import cache
from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    item,
    larger,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_reassoc,
    njit_refcounted,
    set_item,
    where,
)
from ..codegen.precision import Precision
from ..formulas.js import scalar_formulas, two_sum
from ..rows.sums import BLOCK
from .softmax import softmax_kernels

SEARCHED = 128
"""A maximum is that of so many elements first, which are then searched for its place."""


@cache
def log_ratios_kernel(precision: Precision) -> Any:
    """Compile what writes the differences of logits, for one precision."""
    zero = precision.Float(0)

    @njit_no_refcount
    def log_ratios(a, b, reference, ratios):
        """Write log(p/q) less what it is at a reference.

        Where p is 0 it may be any number, and where it is ∞ - ∞ it is 0.
        """
        a_reference, b_reference = a[reference], b[reference]
        for i in range(ratios.size):
            x, x_error = two_sum(item(a, i), -a_reference)
            y, y_error = two_sum(item(b, i), -b_reference)
            error = x_error - y_error
            ratio = (x - y) + where(np.isnan(error), zero, error)
            set_item(ratios, i, where(np.isnan(ratio), zero, ratio))

    return log_ratios


@njit_no_refcount
def comes_first(a, b):
    """Whether `a` is the first of the two, so that swapping them changes no bit of the result."""
    for i in range(a.size):
        if a[i] != b[i]:
            return a[i] < b[i]
    return True


def _reference_of(precision):
    zero, smallest = precision.Float(0), np.finfo(precision.Float).tiny

    @njit_inline
    def likeness(x, y):
        m, M = minimum(x, y), maximum(x, y)
        return m * (m / maximum(M, smallest))

    @njit_reassoc
    def largest(p, q, start, size):
        top = zero
        for i in range(start, start + size):
            top = larger(likeness(item(p, i), item(q, i)), top)
        return top

    @njit_no_refcount
    def reference_of(p, q):
        """Return a category of which both rows have much, and about as much."""
        top, i = zero, 0
        for start in range(0, p.size, SEARCHED):
            own = largest(p, q, start, minimum(SEARCHED, p.size - start))
            if own > top:
                top, i = own, start
        while i + 1 < p.size and likeness(p[i], q[i]) < top:
            i += 1
        return i

    return reference_of


@cache
def excess_kernel(precision: Precision) -> Any:
    """Compile what says how far ratios exceed log(p/q), for one precision."""
    exp_and_rest, zero = scalar_formulas(precision).exp_and_rest, precision.Float(0)

    @njit_reassoc
    def block_excess(p, q, ratios, quotient, start, size):
        total = zero
        for i in range(start, start + size):
            ratio = item(ratios, i)
            _, rest = exp_and_rest(-abs(ratio))
            total += where(ratio > zero, item(p, i) * quotient * rest, -item(q, i) * rest)
        return total

    @njit_no_refcount
    def excess(p, q, ratios, reference):
        """Return Σ q·(e^t - 1) of ratios t."""
        total, quotient = 0.0, q[reference] / p[reference]
        for start in range(0, p.size, BLOCK):
            size = minimum(BLOCK, p.size - start)
            total += block_excess(p, q, ratios, quotient, start, size)
        return total

    return excess


def lifted_terms(precision: Precision, terms: Any) -> Any:
    """Compile, of a loop over near-equal rows, one that lifts their probabilities itself."""
    softmax, unit = softmax_kernels(precision).lifted, precision.Float(2.0**-precision.lift)
    is_lifted = precision.lift != 0

    @njit_refcounted
    def lifted_terms(a, b, p, q, result, *weights):
        """Write the lifted terms; return what to multiply them by."""
        if is_lifted:
            p, q = softmax(a), softmax(b)
        terms(a, b, p, q, result, *weights)
        return unit

    return lifted_terms


def near_terms(precision: Precision, part: Any) -> Any:
    """Compile the loop over near-equal rows for one function of p, q, p - q and log(p/q)."""
    Float, zero, one = precision.Float, precision.Float(0), precision.Float(1)
    exp_and_rest, log_ratios = scalar_formulas(precision).exp_and_rest, log_ratios_kernel(precision)
    reference_of, excess = _reference_of(precision), excess_kernel(precision)
    unit = 2.0**-precision.lift

    @njit_inline
    def relative_difference(ratio):
        """Return (p - q)/(p + q)."""
        exponential, rest = exp_and_rest(-abs(ratio))
        size = rest / (one + exponential)
        return where(ratio > zero, size, -size)

    @njit_no_refcount
    def near_terms(a, b, p, q, terms, *weights):
        """Write the terms of contiguous rows of logits, given their probabilities.

        Those are lifted, and so are the terms.
        """
        reference = reference_of(p, q)
        log_ratios(a, b, reference, terms)
        log_total = Float(math.log1p(unit * excess(p, q, terms, reference)))
        for i in range(p.size):
            x, y, ratio = item(p, i), item(q, i), item(terms, i) - log_total
            # Far apart, p and q say as much: and where they have nothing in common, they alone.
            near = (x + y) * relative_difference(ratio)
            difference = where(abs(ratio) < one, near, x - y)
            set_item(terms, i, part(x, y, difference, ratio, *weights))

    return near_terms
