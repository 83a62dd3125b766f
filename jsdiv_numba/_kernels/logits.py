"""Loops over one pair of rows of logits.

The divergence of two softmaxes is first computed from the probabilities. A small
one has lost accuracy there, since the rounding of p and q is no longer small
beside p - q, and is computed again: float32 in float64, and float64 from the
differences of the logits (`near_terms`).
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import bits_of, float_of, item, kernel, set_item, summing
from .precision import FLOAT64, Precision
from .rows import BLOCK, row_kernels
from .scalar import exact_sum, scalar_formulas


@cache
def logit_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    softmax = _softmax(precision)
    near_terms = _near_terms(softmax) if precision is FLOAT64 else _terms_in_float64()
    return SimpleNamespace(
        logit_sum=_logit_sum(precision, softmax, near_terms),
        logit_terms=_logit_terms(precision, softmax, near_terms),
    )


def _softmax(precision):
    Float, Int = precision.Float, precision.Int
    exp = scalar_formulas(precision).exp
    limits = np.iinfo(Int)
    magnitude, lowest = Int(limits.max), Int(limits.min)
    sign_shift, zero = Int(limits.bits - 1), Float(0)

    @summing
    def largest(x):
        # Compared as integers, whose maximum LLVM vectorises without a word on NaN.
        top = lowest
        for i in range(x.size):
            bits = bits_of(item(x, i))
            order = Int(bits ^ Int(Int(bits >> sign_shift) & magnitude))
            top = order if order > top else top
        return float_of(Int(top ^ Int(Int(top >> sign_shift) & magnitude)))

    @summing
    def exp_block(x, top, start, size):
        total = zero
        for i in range(size):
            value = exp(item(x, start + i) - top)
            set_item(x, start + i, value)
            total += value
        return total

    @kernel
    def softmax(logits):
        """Return the probabilities of a row of any stride."""
        n = logits.size
        x = np.empty(n, logits.dtype)
        for i in range(n):
            x[i] = logits[i]
        top, total = largest(x), 0.0
        for start in range(0, n, BLOCK):
            total += exp_block(x, top, start, BLOCK if n - start > BLOCK else n - start)
        factor = Float(1.0 / total)
        for i in range(n):
            x[i] *= factor
        return x

    return softmax


def _logit_sum(precision, softmax, near_terms):
    Float, near = precision.Float, precision.logit_near
    row_sum = row_kernels(precision).row_sum

    @kernel
    def logit_sum(a, b):
        """Return the divergence of two rows of logits of any stride."""
        total = row_sum(softmax(a), softmax(b))
        if total < near:
            terms = np.empty(a.size, np.float64)
            near_terms(a, b, terms)
            near_total = 0.0
            for i in range(terms.size):
                near_total += terms[i]
            total = Float(near_total)
        return total

    return logit_sum


def _logit_terms(precision, softmax, near_terms):
    near = precision.logit_near
    js_term = scalar_formulas(precision).js_term

    @kernel
    def logit_terms(a, b, terms):
        """Write the terms of two rows of logits of any stride."""
        p, q = softmax(a), softmax(b)
        total = 0.0
        for i in range(p.size):
            terms[i] = js_term(p[i], q[i])
            total += terms[i]
        if total < near:
            near_terms(a, b, terms)

    return logit_terms


def _terms_in_float64():
    logit_terms = logit_kernels(FLOAT64).logit_terms

    @kernel
    def terms_in_float64(a, b, terms):
        """Compute the terms of float32 logits in float64."""
        wide = np.empty(a.size, np.float64)
        logit_terms(a.astype(np.float64), b.astype(np.float64), wide)
        for i in range(a.size):
            terms[i] = wide[i]

    return terms_in_float64


@kernel
def _comes_first(a, b):
    """Whether `a` is the first of the two, so that swapping them changes no bit of the result."""
    for i in range(a.size):
        if a[i] != b[i]:
            return a[i] < b[i]
    return True


@kernel
def _pivot(p, q):
    """Return the category, of those that matter, where p and q differ least, or -1."""
    largest = 0.0
    for i in range(p.size):
        largest = p[i] if p[i] > largest else largest
    pivot, least = -1, np.inf
    for i in range(p.size):
        if p[i] > 1e-6 * largest and abs(p[i] - q[i]) < least * (p[i] + q[i]):
            pivot, least = i, abs(p[i] - q[i]) / (p[i] + q[i])
    return pivot


def _near_terms(softmax):
    term_of = scalar_formulas(FLOAT64).term_of
    smallest = np.nextafter(0.0, 1.0)

    @kernel
    def relative_difference(a, b, i, pivot_difference, pivot_error):
        """Return δ at category i less δ at the pivot."""
        difference, error = exact_sum(a[i], -b[i])
        return (difference - pivot_difference) + (error - pivot_error)

    @kernel
    def near_terms(a, b, terms):
        """Write the terms of two near-equal rows of logits from the differences of the logits.

        With δ = a - b and Λ = log Σ q·e^δ, p/q = e^(δ - Λ) and (p - q)/(p + q) = tanh((δ - Λ)/2).
        δ is taken less its value at the pivot, which cancels whatever constant was added to a row.
        """
        if not _comes_first(a, b):
            a, b = b, a
        p, q = softmax(a), softmax(b)
        pivot = _pivot(p, q)
        if pivot < 0:
            return
        pivot_difference, pivot_error = exact_sum(a[pivot], -b[pivot])
        q_pivot = q[pivot]
        excess = 0.0
        for i in range(p.size):
            if p[i] == 0.0 and q[i] == 0.0:
                continue
            delta = relative_difference(a, b, i, pivot_difference, pivot_error)
            if abs(delta) < 1.0:
                excess += q[i] * math.expm1(delta)
            else:
                excess += math.exp(a[i] - a[pivot]) * q_pivot - q[i]
        log_total = math.log1p(excess)
        for i in range(p.size):
            x, y = p[i], q[i]
            s, d = max(x + y, smallest), abs(x - y)
            delta = relative_difference(a, b, i, pivot_difference, pivot_error) - log_total
            if abs(delta) < 1.0:
                d = s * math.tanh(0.5 * abs(delta))
            terms[i] = term_of(s, d, min(x, y), max(x, y))

    return near_terms
