"""Loops over rows of logits, for the Kullback-Leibler divergence and the entropy.

A divergence is first computed as Σ p·log(p/q), from the logits. Where that has
cancelled, it is computed again as the sum of excesses of the probabilities; and where
their rounding is no longer small beside p - q, or a q that matters has none, once
more, from the differences of the logits. An entropy's parts have one sign each.
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
    in_float64,
    item,
    minimum,
    njit_inline,
    njit_reassoc,
    njit_refcounted,
    where,
)
from ..codegen.precision import FLOAT64, Precision
from ..formulas.kl import kl_formulas
from ..rows.sums import BLOCK, row_kernels
from .near import near_terms
from .softmax import softmax_kernels

FAR_FROM_ZERO = 40.0
"""A probability of at least e^FAR_FROM_ZERO times the smallest normal one is accurate, in
rows of any length."""

NEXT_TO_NOTHING = 1e-30
"""Where all but one category of a row have less, those count that are otherwise taken as 0."""


SCALE_UP = 64.0
"""Added to logits whose exponentials would have few bits, and taken off their sum."""


@cache
def kl_logit_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    kernels = softmax_kernels(precision)
    log_ratios = _log_ratios(precision, kernels)
    log_total = _log_total(precision)
    return SimpleNamespace(
        kl_sum=_kl_sum(precision, kernels, log_ratios),
        kl_terms=_kl_terms(precision, log_ratios),
        entropy_sum=_entropy_sum(precision, kernels, log_total),
        entropy_terms=_entropy_terms(precision, kernels, log_total),
    )


def _log_ratios(precision, kernels):
    Float = precision.Float
    zero, infinity = Float(0), Float(np.inf)
    inaccurate = Float(precision.exp_min + FAR_FROM_ZERO)
    exponentials = kernels.exponentials

    @njit_inline
    def weighted(value, a, b, a_top, b_top, log_ratio):
        """Return e^a times the logarithm of e^a/e^b, to which the last argument is added.

        Infinite where b alone is -inf, even if e^a is taken as 0.
        """
        lone = where(b == -infinity, where(a > -infinity, infinity, zero), zero)
        # Not left to the loop, which would add up the two tops first.
        ratio = ((a - a_top) - (b - b_top)) + log_ratio
        return where(value == zero, lone, value * ratio)

    @njit_reassoc
    def weighted_sums(values, a, b, a_top, b_top, start, size):
        total, lone = zero, zero
        for i in range(start, start + size):
            value, x, y = item(values, i), item(a, i), item(b, i)
            total += weighted(value, x, y, a_top, b_top, zero)
            lone += where(y - b_top < inaccurate, value, zero)
        return total, lone

    @njit_refcounted
    def log_ratios(a, b, x, y):
        """Write e^a and e^b, less their largest logits.

        Return those and the sums of each, Σ p·log(p/q), and Σ e^a where q is not accurate.
        """
        a_top, x_total, _ = exponentials(a, x)
        b_top, y_total, _ = exponentials(b, y)
        total, lone = 0.0, 0.0
        for start in range(0, a.size, BLOCK):
            size = minimum(BLOCK, a.size - start)
            part, part_lone = weighted_sums(x, a, b, a_top, b_top, start, size)
            total += part
            lone += part_lone
        total = total / x_total + math.log(y_total / x_total)
        return (a_top, x_total), (b_top, y_total), total, lone

    return SimpleNamespace(
        log_ratios=log_ratios, weighted=weighted, half_term=_half_term(), extreme=_extreme()
    )


def _half_term():
    @njit_inline
    def half_term(p, a, b, tops, log_of_totals):
        """Return half of a term of probability p, whose logits may differ by more than a float."""
        a, b, (a_top, b_top) = 0.5 * np.float64(a), 0.5 * np.float64(b), tops
        ratio = ((a - 0.5 * a_top) - (b - 0.5 * b_top)) + 0.5 * log_of_totals
        lone = where(b == -np.inf, where(a > -np.inf, np.inf, 0.0), 0.0)
        return where(p == 0.0, lone, p * ratio)

    return half_term


def _extreme():
    half_term = _half_term()

    @njit_refcounted
    def extreme(a, b, x, of_a, of_b):
        """Return the divergence where its parts have overflown, which is not always infinite."""
        (a_top, x_total), (b_top, y_total) = of_a, of_b
        tops, log_of_totals = (np.float64(a_top), np.float64(b_top)), math.log(y_total / x_total)
        half = 0.0
        for i in range(a.size):
            half += half_term(np.float64(x[i]) / x_total, a[i], b[i], tops, log_of_totals)
        return 2.0 * half

    return extreme


def _near_kl_terms(whole):
    """Compile the loop over near-equal rows, for their excesses or for the whole terms."""
    excess_of, softmax = kl_formulas(FLOAT64).excess_of, softmax_kernels(FLOAT64).softmax

    @njit_inline
    def excess_part(p, q, difference, log_ratio):
        near = abs(log_ratio) < 1.0
        if p == 0.0:
            return q
        return excess_of(p, q, difference) if near else p * log_ratio - difference

    @njit_inline
    def whole_part(p, _q, _difference, log_ratio):
        return 0.0 if p == 0.0 else p * log_ratio

    near = near_terms(FLOAT64, whole_part if whole else excess_part)

    @njit_refcounted
    def near_kl_terms(a, b):
        """Return the terms in float64, where next to no q is 0 but that of -inf."""
        terms, a, b = any_layout(empty(a.size, np.float64)), in_float64(a), in_float64(b)
        near(a, b, softmax(a), softmax(b), terms)
        return terms

    return near_kl_terms


def _kl_sum(precision, kernels, log_ratio_kernels):
    Float = precision.Float
    cancelled, near = precision.logit_cancelled, precision.logit_near
    log_ratios, scale = log_ratio_kernels.log_ratios, kernels.scale
    extreme = log_ratio_kernels.extreme
    excess_sum, near_sum = row_kernels(precision).excess_sum, _near_sum()

    @njit_refcounted
    def kl_sum(a, b):
        """Return the divergence of two rows of logits of any stride."""
        if a.size == 0:
            return Float(0)
        a, b = contiguous(a), contiguous(b)
        workspace = empty((2, a.size), a.dtype)
        x, y = workspace[0], workspace[1]
        of_a, of_b, total, lone = log_ratios(a, b, x, y)
        if total == np.inf:
            total = extreme(a, b, x, of_a, of_b)
        elif total < cancelled:
            if lone == 0.0:
                scale(x, of_a[1])
                scale(y, of_b[1])
                total = np.float64(excess_sum(x, y))
            if lone > 0.0 or total < near:
                total = near_sum(a, b)
        clear_exceptions()
        return Float(total)

    return kl_sum


def _near_sum():
    near_excesses = _near_kl_terms(whole=False)

    @njit_refcounted
    def near_sum(a, b):
        total, terms = 0.0, near_excesses(a, b)
        for i in range(terms.size):
            total += terms[i]
        return total

    return near_sum


def _kl_terms(precision, log_ratio_kernels):
    Float, cancelled = precision.Float, precision.logit_cancelled
    log_ratios, weighted = log_ratio_kernels.log_ratios, log_ratio_kernels.weighted
    half_term, near_kl_terms = log_ratio_kernels.half_term, _near_kl_terms(whole=True)

    @njit_refcounted
    def kl_terms(a, b, terms):
        """Write the terms of two rows of logits of any stride."""
        if a.size == 0:
            return
        a, b = contiguous(a), contiguous(b)
        workspace = empty((2, a.size), a.dtype)
        x, y = workspace[0], workspace[1]
        (a_top, x_total), (b_top, y_total), total, _ = log_ratios(a, b, x, y)
        if total < cancelled:
            near = near_kl_terms(a, b)
            for i in range(a.size):
                terms[i] = Float(near[i])
            clear_exceptions()
            return
        if np.isnan(total):
            terms[:] = np.nan
            return
        if total == np.inf:
            tops, log_of_totals = (
                (np.float64(a_top), np.float64(b_top)),
                math.log(y_total / x_total),
            )
            for i in range(a.size):
                p = np.float64(x[i]) / x_total
                terms[i] = Float(2.0 * half_term(p, a[i], b[i], tops, log_of_totals))
            clear_exceptions()
            return
        factor, log_ratio = Float(1.0 / x_total), Float(math.log(y_total / x_total))
        for i in range(a.size):
            terms[i] = weighted(x[i] * factor, a[i], b[i], a_top, b_top, log_ratio)
        clear_exceptions()

    return kl_terms


def _log_total(precision):
    Float = precision.Float
    one, zero = Float(1), Float(0)

    @njit_reassoc
    def sum_of_others(values):
        total = 0.0
        for i in range(values.size):
            value = item(values, i)
            total += np.float64(where(value == one, zero, value))
        return total

    @njit_refcounted
    def tiny_sums(row, top):
        """Return the sums of all exponentials but that of the largest, down to subnormal ones."""
        total, moment = 0.0, 0.0
        for i in range(row.size):
            x = np.float64(row[i]) - np.float64(top)
            if -np.inf < x < 0.0:
                scaled_up = math.exp(x + SCALE_UP)
                total += scaled_up
                moment += x * scaled_up
        lower = math.exp(-SCALE_UP)
        return total * lower, moment * lower

    @njit_refcounted
    def log_total(row, top, values, total, moment):
        """Return log Σ e^x of a row with these exponentials, sum and Σ x·e^x, and the latter again.

        Where one category has more than half of the probability, that logarithm
        is made of the others.
        """
        if not total < 2.0:
            return math.log(total), moment
        others = sum_of_others(values)
        if others < NEXT_TO_NOTHING:
            others, moment = tiny_sums(row, top)
        return math.log1p(others), moment

    return log_total


def _entropy_sum(precision, kernels, log_total):
    Float = precision.Float
    exponentials = kernels.exponentials

    @njit_refcounted
    def entropy_sum(logits):
        """Return the entropy of a row of logits of any stride."""
        if logits.size == 0:
            return Float(0)
        row = contiguous(logits)
        values = empty(row.size, row.dtype)
        top, total, moment = exponentials(row, values)
        log_of_total, moment = log_total(row, top, values, total, moment)
        # No entropy is above that of equal probabilities, though rounding may be.
        entropy, highest = log_of_total - moment / total, math.log(row.size)
        clear_exceptions()
        return Float(where(entropy > highest, highest, entropy))

    return entropy_sum


def _entropy_terms(precision, kernels, log_total):
    Float = precision.Float
    exponentials = kernels.exponentials

    @njit_refcounted
    def entropy_terms(logits, terms):
        """Write the terms -p·log(p) of a row of logits of any stride."""
        if logits.size == 0:
            return
        row = contiguous(logits)
        values = empty(row.size, row.dtype)
        top, total, moment = exponentials(row, values)
        log_of_total, _ = log_total(row, top, values, total, moment)
        for i in range(row.size):
            shifted, value = np.float64(row[i] - top), np.float64(values[i])
            if value == 0.0 and shifted > -np.inf:
                scaled_up = math.exp(shifted + SCALE_UP) * (log_of_total - shifted)
                terms[i] = Float(scaled_up / total * math.exp(-SCALE_UP))
                continue
            # What is 0 stays so, or becomes NaN with the sum.
            value /= total
            terms[i] = Float(value if value == 0.0 else value * (log_of_total - shifted))
        clear_exceptions()

    return entropy_terms
