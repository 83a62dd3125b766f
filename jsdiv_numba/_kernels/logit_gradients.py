"""The derivatives of the divergence of two rows of logits.

With p = softmax(a), q = softmax(b) and the weights c of the row's terms,

    dJS/da_i = p_i·(c_i·g_i - Σ c·p·g),   g = ½·log(2p/(p + q)).

A constant added to all g changes nothing where all weights are equal, so the slopes are
taken less that of a reference r, the category where p is largest. With t = log(p/q) less
its value at r, which is (a - a_r) - (b - b_r), and β = q/(p + q),

    g_i - g_r = ½·log(1 - β_i·(1 - e^t))  for t <= 0,  -½·log(1 - β_r·(1 - e^-t))  for t > 0.

So neither rows that are nearly equal nor probabilities near 1 cancel. Only where weights
differ is g_r needed too, and it follows from Σ q·e^t = q_r/p_r.
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import (
    clear_exceptions,
    contiguous,
    fma,
    item,
    kernel,
    minimum,
    set_item,
    summing,
    where,
)
from .precision import Precision
from .rows import BLOCK
from .scalar import exact_sum, scalar_formulas
from .softmax import softmax_kernels


@cache
def logit_gradient_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    log_ratios = _log_ratios(precision)
    side = _side(precision, log_ratios, _slopes(precision), _sums(precision))
    return SimpleNamespace(log_ratios=log_ratios, logit_gradient=_logit_gradient(precision, side))


def _log_ratios(precision):
    zero = precision.Float(0)

    @kernel
    def log_ratios(a, b, reference, ratios):
        """Write t; where p is 0 it may be any number, and where it is ∞ - ∞ it is 0."""
        a_reference, b_reference = a[reference], b[reference]
        for i in range(ratios.size):
            x, x_error = exact_sum(item(a, i), -a_reference)
            y, y_error = exact_sum(item(b, i), -b_reference)
            error = x_error - y_error
            ratio = (x - y) + where(np.isnan(error), zero, error)
            set_item(ratios, i, where(np.isnan(ratio), zero, ratio))

    return log_ratios


def _slopes(precision):
    formulas = scalar_formulas(precision)
    exp_and_rest, half_log_lesser = formulas.exp_and_rest, formulas.half_log_lesser
    zero, one = precision.Float(0), precision.Float(1)

    @kernel
    def write_slopes(p, q, ratios, reference, weights, slopes):
        """Write c·(g - g_r), and 0 for a probability of 0."""
        own_share = p[reference] / (p[reference] + q[reference])
        other_share = q[reference] / (p[reference] + q[reference])
        for i in range(slopes.size):
            x, y, ratio = item(p, i), item(q, i), item(ratios, i)
            exponential, rest = exp_and_rest(-abs(ratio))
            above, whole = ratio > zero, x + y
            share, other = where(above, own_share, x / whole), where(above, other_share, y / whole)
            change = half_log_lesser(one, other * rest, fma(other, exponential, share))
            slope = where(above, -change, change) * item(weights, i)
            set_item(slopes, i, where(x == zero, zero, slope))

    return write_slopes


def _sums(precision):
    exp_and_rest = scalar_formulas(precision).exp_and_rest
    zero = precision.Float(0)

    @summing
    def block_sums(p, q, ratios, slopes, weights, reference, start, size):
        slope, difference, excess = zero, zero, zero
        quotient, weight = q[reference] / p[reference], weights[reference]
        for i in range(start, start + size):
            x, ratio = item(p, i), item(ratios, i)
            slope += x * item(slopes, i)
            difference += x * (item(weights, i) - weight)
            _, rest = exp_and_rest(-abs(ratio))
            excess += where(ratio > zero, x * quotient * rest, -item(q, i) * rest)
        return slope, difference, excess

    @kernel
    def sums(p, q, ratios, slopes, weights, reference):
        """Return Σ p·c·(g - g_r), Σ p·(c - c_r) and g_r."""
        slope, difference, excess = 0.0, 0.0, 0.0
        for start in range(0, p.size, BLOCK):
            size = minimum(BLOCK, p.size - start)
            parts = block_sums(p, q, ratios, slopes, weights, reference, start, size)
            slope += parts[0]
            difference += parts[1]
            excess += parts[2]
        return slope, difference, -0.5 * math.log1p(0.5 * excess)

    return sums


def _side(precision, log_ratios, write_slopes, sums):
    Float, zero = precision.Float, precision.Float(0)

    @kernel
    def side(a, b, p, q, weights, workspace, gradient):
        """Write the derivatives in one of the two rows."""
        ratios, slopes = workspace[0], workspace[1]
        reference = np.argmax(p)
        log_ratios(a, b, reference, ratios)
        write_slopes(p, q, ratios, reference, weights, slopes)
        slope, difference, at_reference = sums(p, q, ratios, slopes, weights, reference)
        mean = Float(slope + at_reference * difference)
        for i in range(p.size):
            more = Float(at_reference) * (weights[i] - weights[reference])
            gradient[i] = where(p[i] == zero, zero, p[i] * ((slopes[i] + more) - mean))

    return side


def _logit_gradient(precision, side):
    softmax = softmax_kernels(precision).softmax

    @kernel
    def logit_gradient(a, b, weights, in_a, in_b):
        """Write the derivatives of a row's terms, times weights and summed, of any strides."""
        if a.size == 0:
            return
        x, y, w = contiguous(a), contiguous(b), contiguous(weights)
        p, q = softmax(x), softmax(y)
        workspace = np.empty((2, a.size), a.dtype)
        side(x, y, p, q, w, workspace, in_a)
        side(y, x, q, p, w, workspace, in_b)
        clear_exceptions()

    return logit_gradient
