"""The derivatives of the divergence of two rows of logits.

With p = softmax(a), q = softmax(b) and the weights c of the row's terms,

    dJS/da_i = p_i·(c_i·g_i - Σ c·p·g),   g = ½·log(2p/(p + q)).

Where all weights are equal, this is computed as it stands. Its errors are of the size of
the largest p, so it has cancelled where no derivative is: where the rows are nearly equal,
or one probability is nearly 1. Then, a constant added to all g changing nothing, the slopes
are taken less that of a reference r, the category where p is largest. With t = log(p/q)
less its value at r, which is (a - a_r) - (b - b_r), and β = q/(p + q),

    g_i - g_r = ½·log(1 - β_i·(1 - e^t))  for t <= 0,  -½·log(1 - β_r·(1 - e^-t))  for t > 0.

Only where weights differ is g_r needed too, and it follows from Σ q·e^t = q_r/p_r.
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
    load_noalias,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_reassoc,
    njit_refcounted,
    set_item,
    store2_noalias,
    where,
)
from ..codegen.precision import Precision
from ..formulas.js import scalar_formulas
from ..rows.sums import BLOCK
from .js import logit_kernels
from .near import log_ratios_kernel
from .softmax import place_of_largest, softmax_kernels


@cache
def logit_gradient_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    differences = _differences(log_ratios_kernel(precision), _slope_changes(precision))
    of_terms = _of_terms(precision, differences)
    return SimpleNamespace(
        sum_with_gradient=_sum_with_gradient(
            precision, _plain(precision), _near(precision, differences)
        ),
        of_terms=_of_equal_terms(precision, of_terms),
        of_skewed_terms=of_terms,
    )


def _slope_changes(precision):
    formulas = scalar_formulas(precision)
    exp_and_rest, half_log_lesser = formulas.exp_and_rest, formulas.half_log_lesser
    zero, one = precision.Float(0), precision.Float(1)

    @njit_no_refcount
    def slope_changes(p, q, reference, ratios, changes, p_share, q_share):
        """Write g - g_r, and 0 for a probability of 0; shares are twice the weights."""
        p_reference, q_reference = p_share * p[reference], q_share * q[reference]
        whole_reference = p_reference + q_reference
        for i in range(changes.size):
            x, y, ratio = p_share * item(p, i), q_share * item(q, i), item(ratios, i)
            above = ratio > zero
            exponential, rest = exp_and_rest(-abs(ratio))
            whole = where(above, whole_reference, x + y)
            share, other = (
                where(above, p_reference, x) / whole,
                where(above, q_reference, y) / whole,
            )
            change = half_log_lesser(one, other * rest, fma(other, exponential, share))
            change = where(above, -change, change) * p_share
            set_item(changes, i, where(x == zero, zero, change))

    return slope_changes


def _differences(log_ratios, slope_changes):
    @njit_no_refcount
    def differences(a, b, p, q, ratios, changes, p_share, q_share):
        """Write t and g - g_r; return r."""
        reference = place_of_largest(p)
        log_ratios(a, b, reference, ratios)
        slope_changes(p, q, reference, ratios, changes, p_share, q_share)
        return reference

    return differences


@cache
def _mean(precision):
    zero = precision.Float(0)

    @njit_reassoc
    def block_sum(p, slopes, start, size):
        total = zero
        for i in range(start, start + size):
            total += item(p, i) * item(slopes, i)
        return total

    @njit_no_refcount
    def mean(p, slopes):
        """Return Σ p·g."""
        total = 0.0
        for start in range(0, p.size, BLOCK):
            total += block_sum(p, slopes, start, minimum(BLOCK, p.size - start))
        return total

    return mean


@cache
def _derivatives(precision):
    zero = precision.Float(0)

    @njit_no_refcount
    def derivatives(p, slopes, mean, factor, result):
        """Write p·(g - mean)·factor; return the largest |p·(g - mean)|."""
        largest = zero
        for i in range(p.size):
            x = item(p, i)
            value = where(x == zero, zero, x * (item(slopes, i) - mean))
            largest = larger(abs(value), largest)
            set_item(result, i, value * factor)
        return largest

    return derivatives


def _near(precision, differences):
    Float, one = precision.Float, precision.Float(1)
    mean, derivatives = _mean(precision), _derivatives(precision)

    @njit_no_refcount
    def near(a, b, p, q, weight, ratios, changes, result):
        """Write the derivatives in one of two rows, accurate however small."""
        differences(a, b, p, q, ratios, changes, one, one)
        derivatives(p, changes, Float(mean(p, changes)), weight, result)

    return near


def _plain(precision):
    Float = precision.Float
    formulas = scalar_formulas(precision)
    half_log_lesser, half_log_greater = formulas.half_log_lesser, formulas.half_log_greater
    smallest = np.finfo(Float).tiny

    @njit_no_refcount
    def plain(p, q, p_factor, q_factor, in_p, in_q):
        """Write ½·log(2p/s) and ½·log(2q/s); of a number that is 0, anything finite."""
        for i in range(p.size):
            x, y = load_noalias(p, i) * p_factor, load_noalias(q, i) * q_factor
            s, d, m = maximum(x + y, smallest), abs(x - y), minimum(x, y)
            lesser, greater = half_log_lesser(s, d, m + m), half_log_greater(s, d)
            of_p, of_q = where(x < y, lesser, greater), where(y < x, lesser, greater)
            store2_noalias(in_p, in_q, i, of_p, of_q)

    return plain


def _sum_with_gradient(precision, plain, near):
    Float = precision.Float
    kernels, cancelled = softmax_kernels(precision), Float(precision.gradient_cancelled)
    largest, near_zero = kernels.largest, kernels.near_zero
    powers_of_both, scale = kernels.powers_of_both, kernels.scale
    sum_of_exponentials = logit_kernels(precision).sum_of_exponentials
    mean, derivatives = _mean(precision), _derivatives(precision)

    @njit_no_refcount
    def first_try(p, q, of_p, of_q, p_total, q_total, weight, in_a, in_b):
        """Write the derivatives as the formula stands; return whether none of them is accurate."""
        p_factor, q_factor = Float(1.0 / p_total), Float(1.0 / q_total)
        plain(p, q, p_factor, q_factor, of_p, of_q)
        p_mean, q_mean = mean(p, of_p) / p_total, mean(q, of_q) / q_total
        a_largest = derivatives(p, of_p, Float(p_mean), weight * p_factor, in_a)
        b_largest = derivatives(q, of_q, Float(q_mean), weight * q_factor, in_b)
        # The largest exponential is next to 1. Not `<`, for the sake of NaN.
        return not (a_largest >= cancelled and b_largest >= cancelled)

    @njit_refcounted
    def sum_with_gradient(a, b, weight, in_a, in_b):
        """Write the derivatives of a weight times two rows' divergence, and return that.

        Elements are adjacent, and what is written to shares no memory with any other row.
        """
        workspace = empty((4, a.size), a.dtype)
        p, q = any_layout(workspace[0]), any_layout(workspace[1])
        of_p, of_q = any_layout(workspace[2]), any_layout(workspace[3])
        (near_a, a_top), (near_b, b_top) = near_zero(a, largest(a), p), near_zero(b, largest(b), q)
        p_sums, q_sums = powers_of_both(near_a, near_b, a_top, b_top, p, q)
        total, scaled, _, _ = sum_of_exponentials(a, b, p, q, p_sums, q_sums, (p, q))
        # What has cancelled in the divergence has in its derivatives.
        if scaled:
            again = True
        else:
            # Only to make 0 what does not count.
            scale(p, 1.0)
            scale(q, 1.0)
            again = first_try(p, q, of_p, of_q, p_sums[0], q_sums[0], weight, in_a, in_b)
        if again:
            if not scaled:
                scale(p, p_sums[0])
                scale(q, q_sums[0])
            near(a, b, p, q, weight, of_p, of_q, in_a)
            near(b, a, q, p, weight, of_p, of_q, in_b)
            clear_exceptions()
        return total

    return sum_with_gradient


@njit_inline
def _slope_at_reference(quotient, excess, p_share, q_share):
    """Return g_r, given q_r/p_r and what it exceeds 1 by."""
    change = 0.5 * q_share * excess
    if change > -0.75:
        logarithm = math.log1p(change)
    else:
        logarithm = math.log(0.5 * p_share + 0.5 * q_share * quotient)
    return 0.0 if p_share == 0.0 else -0.5 * p_share * logarithm


def _of_terms(precision, differences):
    exp_and_rest = scalar_formulas(precision).exp_and_rest
    Float, zero = precision.Float, precision.Float(0)
    softmax = softmax_kernels(precision).softmax

    @njit_reassoc
    def block_sums(p, q, ratios, changes, weights, reference, start, size):
        slope, difference, excess = zero, zero, zero
        quotient, weight = q[reference] / p[reference], weights[reference]
        for i in range(start, start + size):
            x, own, ratio = item(p, i), item(weights, i), item(ratios, i)
            slope += x * (own * item(changes, i))
            difference += x * (own - weight)
            _, rest = exp_and_rest(-abs(ratio))
            excess += where(ratio > zero, x * quotient * rest, -item(q, i) * rest)
        return slope, difference, excess

    @njit_no_refcount
    def sums(p, q, ratios, changes, weights, reference, p_share, q_share):
        """Return Σ p·c·(g - g_r), Σ p·(c - c_r) and g_r."""
        slope, difference, excess = 0.0, 0.0, 0.0
        for start in range(0, p.size, BLOCK):
            size = minimum(BLOCK, p.size - start)
            parts = block_sums(p, q, ratios, changes, weights, reference, start, size)
            slope += parts[0]
            difference += parts[1]
            excess += parts[2]
        quotient = np.float64(q[reference]) / np.float64(p[reference])
        return slope, difference, _slope_at_reference(quotient, excess, p_share, q_share)

    @njit_refcounted
    def side(a, b, p, q, weights, workspace, result, p_share, q_share):
        ratios, changes = any_layout(workspace[0]), any_layout(workspace[1])
        reference = differences(a, b, p, q, ratios, changes, p_share, q_share)
        slope, difference, at_reference = sums(
            p, q, ratios, changes, weights, reference, p_share, q_share
        )
        mean = Float(slope + at_reference * difference)
        for i in range(p.size):
            more = Float(at_reference) * (weights[i] - weights[reference])
            value = p[i] * ((weights[i] * changes[i] + more) - mean)
            result[i] = where(p[i] == zero, zero, value)

    @njit_refcounted
    def of_terms(a, b, weights, in_a, in_b, p_weight, q_weight):
        """Write the derivatives of the sum of two rows' terms times numbers, of any strides."""
        if a.size == 0:
            return
        workspace = empty((2, a.size), a.dtype)
        x, y, w = contiguous(a), contiguous(b), contiguous(weights)
        p, q = softmax(x), softmax(y)
        p_share, q_share = p_weight + p_weight, q_weight + q_weight
        side(x, y, p, q, w, workspace, in_a, p_share, q_share)
        side(y, x, q, p, w, workspace, in_b, q_share, p_share)
        clear_exceptions()

    return of_terms


def _of_equal_terms(precision, of_terms):
    half = precision.Float(0.5)

    @njit_refcounted
    def of_equal_terms(a, b, weights, in_a, in_b):
        of_terms(a, b, weights, in_a, in_b, half, half)

    return of_equal_terms
