"""Loops over many rows of logits, for the divergence of any number of distributions.

A divergence is first that of the probabilities. Where their rounding is no longer small
beside their differences, it is computed again in float64, from p - r, r being the
distribution of the largest weight: these come from the differences of the logits, and

    p - m = (p - r) - Σ w·(p - r).

The derivatives with respect to the logits a of p,

    p·(c·g - Σ c·p·g),   g = w·log(p/m),

with numbers c for the terms, are made of such differences always. As in `js_gradients`, g
and c are taken less what they are at the category where p is largest: where that is nearly
1, nothing else would be left of the derivatives.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    any_layout,
    clear_exceptions,
    empty,
    in_float64,
    njit_inline,
    njit_refcounted,
    zeroed,
)
from ..codegen.precision import FLOAT64, Precision
from ..formulas.kl import kl_formulas
from ..formulas.skewed import skewed_formulas
from ..rows.many import heaviest, mixture_kernels
from .near import near_terms
from .softmax import place_of_largest, softmax_kernels


@cache
def logit_mixture_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    softmaxes = _softmaxes(precision)
    apart = _apart()
    near = _near_terms(apart)
    return SimpleNamespace(
        total=_total(precision, softmaxes, near),
        terms=_terms(precision, softmaxes, near),
        gradient=_gradient(precision, apart),
    )


def _softmaxes(precision):
    Float, softmax = precision.Float, softmax_kernels(precision).softmax

    @njit_refcounted
    def softmaxes(logits):
        """Return the probabilities of every row, computed in one precision or the other."""
        rows, row = empty(logits.shape, Float), empty(logits.shape[1], Float)
        for i in range(rows.shape[0]):
            for j in range(row.size):
                row[j] = logits[i, j]
            p = softmax(row)
            for j in range(row.size):
                rows[i, j] = p[j]
        return rows

    return softmaxes


@njit_refcounted
def _concentration(weights):
    """Return 2·(1 - Σ w²), which near-equal rows' divergence is proportional to."""
    r, others, total = heaviest(weights), 0.0, 0.0
    for i in range(weights.size):
        if i != r:
            others += weights[i]
            total += weights[i] * (1.0 - weights[i])
    return 2.0 * (total + weights[r] * others)


def _apart():
    softmaxes = _softmaxes(FLOAT64)

    @njit_inline
    def difference_of(_p, _q, difference, _log_ratio):
        return difference

    write_differences = near_terms(FLOAT64, difference_of)

    @njit_refcounted
    def apart(logits, weights):
        """Return rows of probabilities, their mean m, and what each exceeds it by, in float64."""
        rows, differences = softmaxes(logits), zeroed(logits.shape, np.float64)
        means, r = zeroed(logits.shape[1], np.float64), heaviest(weights)
        a, p = in_float64(logits[r]), any_layout(rows[r])
        for i in range(weights.size):
            if i != r and weights[i] > 0.0:
                b, q = in_float64(logits[i]), any_layout(rows[i])
                write_differences(b, a, q, p, any_layout(differences[i]))
        for j in range(means.size):
            difference = 0.0
            for i in range(weights.size):
                if weights[i] > 0.0:
                    means[j] += weights[i] * rows[i, j]
                    difference += weights[i] * differences[i, j]
            for i in range(weights.size):
                differences[i, j] -= difference
        return rows, means, differences

    return apart


def _near_terms(apart):
    excess_of = kl_formulas(FLOAT64).excess_of

    @njit_refcounted
    def near_terms(logits, weights):
        """Return the terms of rows whose differences count, however small they are."""
        rows, means, differences = apart(logits, weights)
        terms = zeroed(means.size, np.float64)
        for j in range(means.size):
            for i in range(weights.size):
                if weights[i] > 0.0:
                    terms[j] += weights[i] * excess_of(rows[i, j], means[j], differences[i, j])
        return terms

    return near_terms


def _total(precision, softmaxes, near_terms):
    Float, near = precision.Float, precision.logit_near
    total_of = mixture_kernels(precision).total

    @njit_refcounted
    def total(logits, weights):
        """Return the divergence of rows of logits of any strides, with weights that sum to 1."""
        if logits.shape[1] == 0:
            return Float(0)
        total = np.float64(total_of(softmaxes(logits), weights))
        if total < near * _concentration(weights):
            terms = near_terms(logits, weights)
            total = 0.0
            for j in range(terms.size):
                total += terms[j]
        clear_exceptions()
        return Float(total)

    return total


def _terms(precision, softmaxes, near_terms):
    Float, near = precision.Float, precision.logit_near
    write_terms = mixture_kernels(precision).terms

    @njit_refcounted
    def terms(logits, weights, result):
        """Write each category's term of the divergence of rows of logits."""
        if logits.shape[1] == 0:
            return
        write_terms(softmaxes(logits), weights, result)
        total = 0.0
        for j in range(result.size):
            total += result[j]
        if total < near * _concentration(weights):
            exact = near_terms(logits, weights)
            for j in range(result.size):
                result[j] = Float(exact[j])
        clear_exceptions()

    return terms


def _gradient(precision, apart):
    Float = precision.Float
    log_ratio = skewed_formulas(FLOAT64).log_ratio

    @njit_refcounted
    def write_slopes(p, means, differences, weight, slopes):
        """Write g, and 0 for a probability or a weight of 0."""
        for j in range(p.size):
            slopes[j] = 0.0
            if weight > 0.0 and p[j] > 0.0:
                slopes[j] = weight * log_ratio(p[j], p[j], means[j], differences[j], 0.0)

    @njit_refcounted
    def gradient(logits, weights, cotangents, result):
        """Write the derivatives of the terms, times a number for each category and summed."""
        if logits.shape[1] == 0:
            return
        rows, means, differences = apart(logits, weights)
        slopes = empty(means.size, np.float64)
        for i in range(weights.size):
            p, reference = rows[i], place_of_largest(rows[i])
            write_slopes(p, means, differences[i], weights[i], slopes)
            slope, own = slopes[reference], np.float64(cotangents[reference])
            mean, change = 0.0, 0.0
            for j in range(means.size):
                slopes[j] = 0.0 if p[j] == 0.0 else slopes[j] - slope
                mean += p[j] * (cotangents[j] * slopes[j])
                change += p[j] * (cotangents[j] - own)
            for j in range(means.size):
                more = slope * ((cotangents[j] - own) - change)
                result[i, j] = Float(p[j] * ((cotangents[j] * slopes[j] - mean) + more))
        clear_exceptions()

    return gradient
