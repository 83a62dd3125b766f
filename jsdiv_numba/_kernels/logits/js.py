"""Loops over one pair of rows of logits.

A row's divergence is first computed from entropies, at one logarithm an element.
Where that has cancelled, it is computed again term by term from the probabilities;
and where the rounding of those is no longer small beside p - q, once more, from the
differences of the logits (`near`).
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    any_layout,
    clear_exceptions,
    contiguous,
    empty,
    fma,
    item,
    larger,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_reassoc,
    njit_refcounted,
    row_of,
    where,
)
from ..codegen.precision import Precision
from ..formulas.js import scalar_formulas
from ..formulas.skewed import skewed_formulas
from ..rows.sums import BLOCK, row_kernels
from .near import comes_first, lifted_terms, near_terms
from .softmax import softmax_kernels


@cache
def logit_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    kernels = softmax_kernels(precision)
    near_js_terms, near_skewed_terms = _near_js_terms(precision), _near_skewed_terms(precision)
    sum_of_exponentials = _sum_of_exponentials(precision, kernels, _sum_of(near_js_terms))
    js_term = scalar_formulas(precision).js_term
    skewed_term = skewed_formulas(precision).skewed_term
    return SimpleNamespace(
        sum_of_exponentials=sum_of_exponentials,
        logit_sums=_logit_sums(precision, kernels, sum_of_exponentials),
        logit_terms=_logit_terms(precision, kernels.softmax, js_term, near_js_terms),
        skewed_sum=_skewed_sum(precision, kernels.softmax, near_skewed_terms),
        skewed_terms=_logit_terms(precision, kernels.softmax, skewed_term, near_skewed_terms),
    )


def _from_entropies(precision):
    Float = precision.Float
    log2_in_ulps = scalar_formulas(precision).log2_in_ulps
    zero, ln2_in_ulps = Float(0), np.log(2.0) / 2.0**precision.mantissa
    ln2, lowest = np.log(2.0), Float(-np.inf)

    @njit_reassoc
    def mixed_block(x, y, ratio, ahead, start, size):
        (a, b), total, a_top, b_top = ahead, zero, lowest, lowest
        for i in range(size):
            mixed = fma(item(y, start + i), ratio, item(x, start + i))
            total += mixed * log2_in_ulps(mixed)
            a_top = larger(item(a, start + i), a_top)
            b_top = larger(item(b, start + i), b_top)
        return total, a_top, b_top

    @njit_no_refcount
    def from_entropies(x, y, x_total, y_total, x_moment, y_moment, ahead):
        """Return JS = ½ Σ p log p + ½ Σ q log q - Σ m log m of two rows of exponentials.

        In multiples of the first row's sum, 2m is x + ratio·y. The ratio is
        rounded, so that q stands in it with a mass that is not quite 1.

        And the largest of each of two rows that are `ahead`: what finds it is idle beside
        logarithms.
        """
        ratio = Float(x_total / y_total)
        entropy, a_top, b_top = 0.0, lowest, lowest
        for start in range(0, x.size, BLOCK):
            size = minimum(BLOCK, x.size - start)
            part, of_a, of_b = mixed_block(x, y, ratio, ahead, start, size)
            entropy += part
            a_top, b_top = larger(of_a, a_top), larger(of_b, b_top)
        mass = ratio * y_total
        # Of the logarithms of both sums, that of the ratio is left.
        of_both = x_moment + ratio * y_moment + mass * math.log(np.float64(ratio))
        of_both += (x_total + mass) * ln2
        return 0.5 * (of_both - ln2_in_ulps * entropy) / x_total, a_top, b_top

    return from_entropies


def _sum_of_exponentials(precision, kernels, near_sum):
    Float, ln2 = precision.Float, np.log(2.0)
    cancelled, near = precision.logit_cancelled, precision.logit_near
    scale = kernels.scale
    from_entropies = _from_entropies(precision)
    row_sum = row_kernels(precision).row_sum

    @njit_no_refcount
    def sum_of_exponentials(a, b, x, y, x_sums, y_sums, ahead):
        """Return the divergence, whether the exponentials are probabilities now, and what is ahead.

        That is the largest of each of two rows that come next.
        """
        if not comes_first(a, b):
            a, b, x, y, x_sums, y_sums = b, a, y, x, y_sums, x_sums
        x_total, x_moment = x_sums
        y_total, y_moment = y_sums
        total, a_top, b_top = from_entropies(x, y, x_total, y_total, x_moment, y_moment, ahead)
        if total >= cancelled:
            # No divergence of distributions is above ln 2, though rounding may be.
            return Float(where(total > ln2, ln2, total)), False, a_top, b_top
        if np.isnan(x_total + y_total):
            clear_exceptions()
            return Float(np.nan), False, a_top, b_top
        scale(x, x_total)
        scale(y, y_total)
        # What has cancelled is off by less than a half of the smaller bound.
        if not total < 0.5 * near:
            total = np.float64(row_sum(x, y))
        if total < near:
            total = near_sum(a, b, x, y)
            clear_exceptions()
        return Float(total), True, a_top, b_top

    return sum_of_exponentials


def _sum_of(near_terms):
    @njit_reassoc
    def sum_of(terms):
        total = 0.0
        for i in range(terms.size):
            total += np.float64(item(terms, i))
        return total

    @njit_refcounted
    def near_sum(a, b, p, q, *weights):
        terms = any_layout(empty(p.size, p.dtype))
        unit = near_terms(a, b, p, q, terms, *weights)
        return sum_of(terms) * np.float64(unit)

    return near_sum


def _logit_sums(precision, kernels, sum_of_exponentials):
    largest, near_zero = kernels.largest, kernels.near_zero
    powers_of_both, zero = kernels.powers_of_both, precision.Float(0)

    @njit_refcounted
    def logit_sums(A, B, results):
        """Write the divergence of each pair of rows of logits of any stride."""
        workspace = empty((2, A.shape[1]), A.dtype)
        x, y = any_layout(workspace[0]), any_layout(workspace[1])
        looks_ahead = A.strides[1] == A.itemsize and B.strides[1] == B.itemsize
        a_top, b_top, known = zero, zero, False
        for i in range(results.size):
            results[i] = zero
            if x.size:
                a, b = contiguous(row_of(A, i)), contiguous(row_of(B, i))
                if not known:
                    a_top, b_top = largest(a), largest(b)
                known = looks_ahead and i + 1 < results.size
                ahead = (row_of(A, i + 1), row_of(B, i + 1)) if known else (x, y)
                (near_a, a_top), (near_b, b_top) = near_zero(a, a_top, x), near_zero(b, b_top, y)
                x_sums, y_sums = powers_of_both(near_a, near_b, a_top, b_top, x, y)
                results[i], _, a_top, b_top = sum_of_exponentials(a, b, x, y, x_sums, y_sums, ahead)

    return logit_sums


@njit_inline
def _concentration(p_weight=0.5, q_weight=0.5):
    """Return what near-equal rows' divergence is proportional to, 1 where weights are equal."""
    return 4.0 * np.float64(p_weight) * np.float64(q_weight)


def _skewed_sum(precision, softmax, near_terms):
    Float, near = precision.Float, precision.logit_near
    row_sum, near_sum = row_kernels(precision).skewed_sum, _sum_of(near_terms)

    @njit_refcounted
    def skewed_sum(a, b, p_weight, q_weight):
        """Return the skewed divergence of two rows of logits of any stride."""
        if a.size == 0:
            return Float(0)
        a, b = contiguous(a), contiguous(b)
        p, q = softmax(a), softmax(b)
        total = np.float64(row_sum(p, q, p_weight, q_weight))
        if total < near * _concentration(p_weight, q_weight):
            total = near_sum(a, b, p, q, p_weight, q_weight)
        clear_exceptions()
        return Float(total)

    return skewed_sum


def _logit_terms(precision, softmax, term, near_terms):
    near = precision.logit_near

    @njit_refcounted
    def logit_terms(a, b, terms, *weights):
        """Write the terms of two rows of logits of any stride."""
        a, b = contiguous(a), contiguous(b)
        p, q = softmax(a), softmax(b)
        total = 0.0
        for i in range(p.size):
            terms[i] = term(p[i], q[i], *weights)
            total += terms[i]
        if total < near * _concentration(*weights):
            unit = near_terms(a, b, p, q, terms, *weights)
            for i in range(terms.size):
                terms[i] *= unit
            clear_exceptions()

    return logit_terms


def _near_js_terms(precision):
    term_of, smallest = scalar_formulas(precision).term_of, np.finfo(precision.Float).tiny

    @njit_inline
    def js_part(p, q, difference, _log_ratio):
        return term_of(maximum(p + q, smallest), abs(difference), minimum(p, q), maximum(p, q))

    near = near_terms(precision, js_part)

    @njit_refcounted
    def near_js_terms(a, b, p, q, terms):
        """Write the terms, in an order of the rows that the arguments' does not decide."""
        if comes_first(a, b):
            near(a, b, p, q, terms)
        else:
            near(b, a, q, p, terms)

    return lifted_terms(precision, near_js_terms)


def _near_skewed_terms(precision):
    term_of = skewed_formulas(precision).term_of

    @njit_inline
    def skewed_part(p, q, difference, _log_ratio, p_weight, q_weight):
        return term_of(p, q, difference, p_weight, q_weight)

    near = near_terms(precision, skewed_part)

    @njit_refcounted
    def near_skewed_terms(a, b, p, q, terms, p_weight, q_weight):
        """Do so for the skewed divergence."""
        if comes_first(a, b):
            near(a, b, p, q, terms, p_weight, q_weight)
        else:
            near(b, a, q, p, terms, q_weight, p_weight)

    return lifted_terms(precision, near_skewed_terms)
