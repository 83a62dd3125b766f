"""The derivatives of the Kullback-Leibler divergence and of the entropy of rows of logits.

With p = softmax(a), q = softmax(b), w = log(p/q) and the weights c of the row's terms,

    dKL/da_i = p_i·[c_i·(w_i + 1) - Σ c·p·(w + 1)],   dKL/db_i = q_i·Σ c·p - c_i·p_i,
     dH/da_i = p_i·[Σ c·p·(log p + 1) - c_i·(log p_i + 1)].

A constant added to all w changes nothing where all weights are equal, so w is taken less
its value at a reference r, the category where p is largest of those that q does not rule
out. That is t = (a - a_r) - (b - b_r), which does not cancel; and q - p is q·(1 - e^w) or
-p·(1 - e^-w). Terms with c = 0 count for nothing, infinite ones too.
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    clear_exceptions,
    contiguous,
    empty,
    item,
    maximum,
    minimum,
    njit_reassoc,
    njit_refcounted,
    set_item,
    where,
)
from ..codegen.precision import Precision
from ..formulas.js import scalar_formulas
from ..rows.sums import BLOCK
from .near import excess_kernel, log_ratios_kernel
from .softmax import place_of_largest, softmax_kernels

SMALL = 2.0**-6
"""By which logits are multiplied that differ by more than a float, and what follows divided."""


@cache
def kl_logit_gradient_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    weighted_sums, write_first = _weighted_sums(precision), _write_first(precision)
    return SimpleNamespace(
        kl_gradient=_kl_gradient(precision, weighted_sums, write_first),
        entropy_gradient=_entropy_gradient(precision, weighted_sums, write_first),
    )


def _weighted_sums(precision):
    zero = precision.Float(0)

    @njit_reassoc
    def block_sums(p, slopes, weights, reference, start, size):
        slope, difference, weight = zero, zero, weights[reference]
        for i in range(start, start + size):
            x = item(p, i)
            own = item(weights, i)
            ignored = where(own == zero, True, x == zero)
            slope += where(ignored, zero, x * own * item(slopes, i))
            difference += x * (own - weight)
        return slope, difference

    @njit_refcounted
    def weighted_sums(p, slopes, weights, reference):
        """Return Σ c·p·t and Σ p·(c - c_r)."""
        slope, difference = 0.0, 0.0
        for start in range(0, p.size, BLOCK):
            size = minimum(BLOCK, p.size - start)
            part, part_difference = block_sums(p, slopes, weights, reference, start, size)
            slope += part
            difference += part_difference
        return slope, difference

    return weighted_sums


def _write_first(precision):
    Float, zero = precision.Float, precision.Float(0)

    @njit_refcounted
    def write_first(p, slopes, weights, reference, sums, constant, times, gradient):
        """Write p·[c·(t + constant) - Σ c·p·(t + constant)]·times."""
        slope, difference = sums
        weight = np.float64(weights[reference])
        for i in range(p.size):
            # In float64, since weights of both signs may cancel here.
            factor = (np.float64(weights[i]) - weight) - difference
            more = where(factor == 0.0, 0.0, constant * factor)
            own = np.float64(weights[i]) * np.float64(slopes[i])
            change = (where(weights[i] == zero, 0.0, own) - slope) + more
            gradient[i] = where(p[i] == zero, zero, Float(np.float64(p[i]) * change * times))

    return write_first


def _reference(precision):
    infinity = precision.Float(np.inf)

    @njit_refcounted
    def reference_of(p, b):
        """Return where p is largest of the categories that the logits b do not rule out."""
        best = -1
        for i in range(p.size):
            if b[i] > -infinity and (best < 0 or p[i] > p[best]):
                best = i
        return maximum(best, 0)

    return reference_of


def _rules_out(precision):
    zero, infinity = precision.Float(0), precision.Float(np.inf)

    @njit_refcounted
    def rules_out(a, b, weights):
        """Whether b rules out a category of a whose term counts: the divergence is infinite."""
        found = False
        for i in range(a.size):
            alone = item(b, i) == -infinity and item(a, i) > -infinity
            found |= alone and item(weights, i) != zero
        return found

    return rules_out


def _log_total(precision):
    excess_of = excess_kernel(precision)

    @njit_refcounted
    def log_total(p, q, b, ratios, reference):
        """Return log Σ q·e^t, which is what w is less than t.

        It is log(q_r/p_r) too, which serves where that is far from 0.
        """
        excess = excess_of(p, q, ratios, reference)
        if abs(excess) < 0.5:
            return math.log1p(excess)
        top = place_of_largest(q)
        ratio_of_tops = np.float64(q[top]) / np.float64(p[reference])
        return np.float64(b[reference]) - np.float64(b[top]) + math.log(ratio_of_tops)

    return log_total


def _write_second(precision):
    Float, zero = precision.Float, precision.Float(0)
    exp_and_rest = scalar_formulas(precision).exp_and_rest

    @njit_refcounted
    def write_second(p, q, ratios, weights, reference, difference, log_total, gradient):
        """Write c·(q - p) + q·Σ p·(c_j - c)."""
        change, weight = Float(difference), weights[reference]
        # Elsewhere q - p is as large as p at the reference, and t may have lost what w is.
        near = abs(log_total) < 1.0
        for i in range(p.size):
            log_ratio = ratios[i] - Float(log_total)
            _, rest = exp_and_rest(-abs(log_ratio))
            apart = where(log_ratio > zero, -p[i], q[i]) * rest
            apart = where(near, apart, q[i] - p[i])
            gradient[i] = weights[i] * apart + q[i] * (change - (weights[i] - weight))

    return write_second


def _small_ratios(precision):
    zero, small = precision.Float(0), precision.Float(SMALL)

    @njit_refcounted
    def small_ratios(p, q, a, b, reference, ratios):
        """Write t times a small number, for those that overflow; return that of `log_total`."""
        a_reference, b_reference = small * a[reference], small * b[reference]
        for i in range(ratios.size):
            ratio = (small * a[i] - a_reference) - (small * b[i] - b_reference)
            ratios[i] = where(np.isnan(ratio), zero, ratio)
        top = place_of_largest(q)
        ratio_of_tops = np.float64(q[top]) / np.float64(p[reference])
        difference = np.float64(b_reference) - np.float64(small * b[top])
        return difference + SMALL * math.log(ratio_of_tops)

    return small_ratios


def _kl_gradient(precision, weighted_sums, write_first):
    small_ratios = _small_ratios(precision)
    softmax = softmax_kernels(precision).softmax
    log_ratios = log_ratios_kernel(precision)
    log_total_of, write_second = _log_total(precision), _write_second(precision)
    reference_of, rules_out = _reference(precision), _rules_out(precision)

    @njit_refcounted
    def kl_gradient(a, b, weights, in_a, in_b):
        """Write the derivatives of a row's terms, times weights and summed, of any strides.

        Where the divergence is infinite it has no derivatives in `a`, and they are NaN.
        """
        if a.size == 0:
            return
        x, y, c = contiguous(a), contiguous(b), contiguous(weights)
        p, q, ratios = softmax(x), softmax(y), empty(a.size, a.dtype)
        reference = reference_of(p, y)
        log_ratios(x, y, reference, ratios)
        sums, log_total = weighted_sums(p, ratios, c, reference), np.inf
        in_a[:] = 0
        if p[reference] > 0:
            log_total = log_total_of(p, q, y, ratios, reference)
        write_second(p, q, ratios, c, reference, sums[1], log_total, in_b)
        if rules_out(x, y, c):
            in_a[:] = np.nan
        elif p[reference] > 0 and abs(sums[0]) < np.inf and abs(log_total) < np.inf:
            write_first(p, ratios, c, reference, sums, 1.0 - log_total, 1.0, in_a)
        elif p[reference] > 0:
            constant = SMALL - small_ratios(p, q, x, y, reference, ratios)
            sums = weighted_sums(p, ratios, c, reference)
            write_first(p, ratios, c, reference, sums, constant, 1.0 / SMALL, in_a)
        clear_exceptions()

    return kl_gradient


def _entropy_gradient(precision, weighted_sums, write_first):
    kernels = softmax_kernels(precision)
    exponentials, scale = kernels.exponentials, kernels.scale

    @njit_refcounted
    def write_shifted(row, top, slopes):
        for i in range(row.size):
            set_item(slopes, i, top - item(row, i))

    @njit_refcounted
    def entropy_gradient(logits, weights, gradient):
        """Write the derivatives of a row's terms, times weights and summed, of any strides."""
        if logits.size == 0:
            return
        row, c = contiguous(logits), contiguous(weights)
        p, slopes = empty(row.size, row.dtype), empty(row.size, row.dtype)
        top, total, _ = exponentials(row, p)
        scale(p, total)
        write_shifted(row, top, slopes)
        reference = place_of_largest(p)
        sums = weighted_sums(p, slopes, c, reference)
        write_first(p, slopes, c, reference, sums, math.log(total) - 1.0, 1.0, gradient)
        clear_exceptions()

    return entropy_gradient
