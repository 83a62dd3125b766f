"""The kernel over rows of logits.

Two passes give each row's largest logit and its sum of exponentials, and a
third the terms from the probabilities. Where their sum is so small that the
rounding of those shows beside p - q, a fourth and a fifth take the differences of the
logits, as `_kernels.logits` does, but in their own precision: with δ = a - b less the difference
of the largest logits, which is as small as the rows are close, and Λ = log Σ q·e^δ,
(p - q)/(p + q) = tanh((δ - Λ)/2).
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from .._kernels.precision import Precision
from .._kernels.scalar import scalar_formulas
from . import target
from .rows import index_of, place_of
from .sums import WARPS, group_functions
from .target import cuda, device, jit


@cache
def logit_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernel for one precision."""
    near = _near(precision)
    parts = _softmax(precision), _term_at(precision), near.log_ratio, near.term
    return SimpleNamespace(logit_rows=_logit_rows(precision, *parts))


def _softmax(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    ends_of_group = groups.ends_of_group
    exp = target.formula(precision, scalar_formulas(precision).exp)
    zero, lowest = Float(0), Float(np.finfo(precision.Float).min)

    @device
    def softmax(a, lane, lanes, shared):
        """Return the largest logit, and the sum of the exponentials of all less that one."""
        top = lowest
        for i in range(lane, a.shape[0], lanes):
            top = max(top, Float(a[np.uint64(i)]))
        _, top = ends_of_group(zero, top, lanes, shared)
        total, rest = zero, zero
        for i in range(lane, a.shape[0], lanes):
            total, error = two_sum(total, exp(Float(a[np.uint64(i)]) - top))
            rest += error
        total, rest = sum_of_group(total, rest, lanes, shared)
        return top, total + rest

    return softmax


def _term_at(precision):
    Float, formulas = precision.Float, scalar_formulas(precision)
    exp = target.formula(precision, formulas.exp)
    js_term = target.formula(precision, formulas.js_term)

    @device
    def term_at(a, b, i, a_sum, b_sum):
        """Return a category's probabilities and term."""
        x = exp(Float(a[np.uint64(i)]) - a_sum[0]) / a_sum[1]
        y = exp(Float(b[np.uint64(i)]) - b_sum[0]) / b_sum[1]
        return x, y, js_term(x, y)

    return term_at


def _near(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    formulas = scalar_formulas(precision)
    exp = target.formula(precision, formulas.exp)
    term_of = target.formula(precision, formulas.term_of)
    zero, half, one = Float(0), Float(0.5), Float(1)
    smallest = Float(np.finfo(precision.Float).smallest_subnormal)

    @device
    def difference(a, b, i, a_top, b_top):
        """Return δ."""
        delta, error = two_sum(Float(a[np.uint64(i)]), -Float(b[np.uint64(i)]))
        of_tops, of_tops_error = two_sum(a_top, -b_top)
        return (delta - of_tops) + (error - of_tops_error)

    @device
    def log_ratio(a, b, a_sum, b_sum, stop, lane, lanes, shared):
        """Return Λ, from both sides, so that it changes its sign alone when they are swapped."""
        in_b, b_rest, in_a, a_rest = zero, zero, zero, zero
        for i in range(lane, stop, lanes):
            e, f = exp(Float(a[i]) - a_sum[0]), exp(Float(b[i]) - b_sum[0])
            if e > zero or f > zero:
                delta = difference(a, b, i, a_sum[0], b_sum[0])
                close = abs(delta) < one
                up = f * Float(math.expm1(delta)) if close else e - f
                down = e * Float(math.expm1(-delta)) if close else f - e
                in_b, error = two_sum(in_b, up)
                b_rest += error
                in_a, error = two_sum(in_a, down)
                a_rest += error
        in_b, b_rest = sum_of_group(in_b, b_rest, lanes, shared)
        in_a, a_rest = sum_of_group(in_a, a_rest, lanes, shared)
        from_b = Float(math.log1p((in_b + b_rest) / b_sum[1]))
        from_a = Float(math.log1p((in_a + a_rest) / a_sum[1]))
        return half * (from_b - from_a)

    @device
    def term(a, b, i, a_sum, b_sum, ratio):
        """Return a category's term."""
        x = exp(Float(a[i]) - a_sum[0]) / a_sum[1]
        y = exp(Float(b[i]) - b_sum[0]) / b_sum[1]
        s, d = max(x + y, smallest), abs(x - y)
        delta = difference(a, b, i, a_sum[0], b_sum[0]) - ratio
        if abs(delta) < one:
            d = s * Float(math.tanh(half * abs(delta)))
        return term_of(s, d, min(x, y), max(x, y))

    return SimpleNamespace(log_ratio=log_ratio, term=term)


def _logit_rows(precision, softmax, term_at, log_ratio, near_term):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    zero, ln2, none = Float(0), Float(math.log(2)), np.int64(0)
    near = Float(precision.logit_near)

    @jit
    def logit_rows(A, B, lanes, with_terms, divisor, terms, result):
        """Write the divergence of each row, or its terms."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(lanes, A.shape[0] * A.shape[1] * A.shape[2])
        i, j, k = index_of(row, A.shape)
        a, b = A[i, j, k], B[i, j, k]
        a_sum, b_sum = softmax(a, lane, lanes, shared), softmax(b, lane, lanes, shared)
        total, rest = zero, zero
        for n in range(lane, a.shape[0], lanes):
            _, _, value = term_at(a, b, n, a_sum, b_sum)
            if with_terms and exists:
                terms[i, j, k, n] = value / divisor
            total, error = two_sum(total, value)
            rest += error
        total, rest = sum_of_group(total, rest, lanes, shared)
        value = total + rest
        close = value < near
        if cuda.syncthreads_or(np.int32(close)):
            stop = a.shape[0] if close else none
            ratio = log_ratio(a, b, a_sum, b_sum, stop, lane, lanes, shared)
            total, rest = zero, zero
            for n in range(lane, stop, lanes):
                part = near_term(a, b, n, a_sum, b_sum, ratio)
                if with_terms and exists:
                    terms[i, j, k, n] = part / divisor
                total, error = two_sum(total, part)
                rest += error
            total, rest = sum_of_group(total, rest, lanes, shared)
            value = total + rest if close else value
        if exists and lane == 0 and not with_terms:
            # No divergence of distributions is above ln 2, though rounding may be.
            result[row] = (ln2 if value > ln2 else value) / divisor

    return logit_rows
