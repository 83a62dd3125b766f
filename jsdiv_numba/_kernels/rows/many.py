"""Loops over many rows at once, for the divergence of any number of distributions.

With weights w that add up to 1 and m = Σ w·p, each category's part is

    Σ w·p·log(p/m) = Σ w·excess(p, m),

a sum of positive numbers. The excess needs p - m, and a subtraction of the rounded m
gives it with an error of m's last bit. That error, m being at hand, is

    gap = Σ w·p - m = (r - m) + Σ w·(p - r),

and (p - m) - gap is what it should be. r is the distribution of the largest weight: where
all are equal, the gap is r - m exactly, and the divergence 0. Where r is far from m,
the divergence is so large that nothing depends on the gap, and it is taken as 0.

All loops run over blocks of categories, one distribution after the other.
"""

from collections import namedtuple
from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    bits_of,
    clear_exceptions,
    contiguous,
    contiguous_rows,
    empty,
    item,
    maximum,
    minimum,
    njit_inline,
    njit_reassoc,
    njit_refcounted,
    row_item,
    set_item,
    where,
    zeroed,
)
from ..codegen.precision import FLOAT64, Precision
from ..formulas.js import two_sum
from ..formulas.kl import kl_formulas
from ..formulas.skewed import skewed_formulas
from .sums import BLOCK, add_scaled, total_of_scaled


@cache
def mixture_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    mix, slow_path = _mix(precision), _slow_category()
    block_terms = _block_terms(precision, mix)
    slow_term = _slow_term(slow_path)
    parts = _parts(precision, mix, _slow_parts(slow_path))
    return SimpleNamespace(
        added=_added(parts),
        total=_total(precision, block_terms, slow_term),
        terms=_terms(precision, block_terms, slow_term),
        gradient=_gradient(precision, mix, _slow_slopes(slow_path)),
    )


@njit_refcounted
def heaviest(weights):
    """Return the index of the largest weight."""
    r = 0
    for i in range(1, weights.size):
        r = i if weights[i] > weights[r] else r
    return r


@njit_refcounted
def _are_equal(rows):
    """Whether all rows of a matrix are the same, as those of zeros are."""
    for i in range(1, rows.shape[0]):
        differ = False
        for j in range(rows.shape[1]):
            differ |= row_item(rows, i, j) != row_item(rows, 0, j)
        if differ:
            return False
    return True


@njit_inline
def gap_of(reference, mean, excess):
    """Return the gap, given what the mean exceeds the reference by."""
    own = reference - mean
    return where(4.0 * abs(own) > mean, 0.0, own + excess)


@njit_refcounted
def _add_weighted(rows, i, weight, means, rests, start, size):
    """Add a row times its weight to means, by two-sums whose errors are kept."""
    for j in range(size):
        part = weight * row_item(rows, i, start + j)
        total, error = two_sum(item(means, j), part)
        set_item(means, j, total)
        set_item(rests, j, item(rests, j) + error)


@njit_refcounted
def _add_differences(rows, i, r, weight, sums, start, size):
    """Add what a row exceeds another by, times its weight."""
    for j in range(size):
        part = weight * (row_item(rows, i, start + j) - row_item(rows, r, start + j))
        set_item(sums, j, item(sums, j) + np.float64(part))


def _mix(precision):
    Float = precision.Float
    zero = Float(0)

    @njit_refcounted
    def mix(rows, weights, means, gaps, sums, start, size):
        """Write, of some categories, the means, and what the exact ones exceed them by.

        The last array is one to work in, and in float64.
        """
        means[:size], gaps[:size] = zero, zero
        for i in range(weights.size):
            _add_weighted(rows, i, Float(weights[i]), means, gaps, start, size)
        for j in range(size):
            set_item(means, j, item(means, j) + item(gaps, j))
        r, sums[:size] = heaviest(weights), 0.0
        for i in range(weights.size):
            if i != r:
                _add_differences(rows, i, r, Float(weights[i]), sums, start, size)
        for j in range(size):
            reference, mean = row_item(rows, r, start + j), item(means, j)
            gap = gap_of(np.float64(reference), np.float64(mean), item(sums, j))
            set_item(gaps, j, Float(gap))

    return mix


def _off_fast_path(precision):
    Float, Int = precision.Float, precision.Int
    huge, zero = Float(2.0**precision.huge), Float(0)
    none, sign = Int(0), np.iinfo(Int).min

    @njit_inline
    def off_fast_path(x, mean, lowest):
        """Return an integer that is negative where the loops' formulas do not hold.

        Where the mean is below the lowest, or the number huge or negative.
        """
        low = where(mean < lowest, where(x > zero, Int(sign), none), none)
        return Int(bits_of(x) | where(x > huge, Int(sign), low))

    return off_fast_path


def _block_terms(precision, mix):
    Float, Int = precision.Float, precision.Int
    none, off_fast_path = Int(0), _off_fast_path(precision)
    excess_of = kl_formulas(precision).excess_of

    @njit_inline
    def excess(x, mean, gap):
        return excess_of(x, mean, (x - mean) - gap)

    @njit_refcounted
    def add_excesses(rows, i, weight, means, gaps, terms, start, size, lowest):
        bits = none
        for j in range(size):
            x, mean = row_item(rows, i, start + j), item(means, j)
            term = weight * excess(x, mean, item(gaps, j))
            set_item(terms, j, item(terms, j) + np.float64(term))
            bits = Int(bits | off_fast_path(x, mean, lowest))
        return bits

    @njit_refcounted
    def block_terms(rows, weights, means, gaps, terms, start, size, lowest):
        """Write the terms of some categories; return an integer, negative if they do not hold."""
        mix(rows, weights, means, gaps, terms, start, size)
        terms[:size] = 0.0
        bits = none
        for i in range(weights.size):
            weight = Float(weights[i])
            own = add_excesses(rows, i, weight, means, gaps, terms, start, size, lowest)
            bits = Int(bits | own)
        return bits

    return block_terms


def _slow_category():
    scales_of = skewed_formulas(FLOAT64).scales_of

    @njit_refcounted
    def slow_category(rows, weights, j):
        """Return a category's scales, as `scales_of` does, its mean and gap; NaN if it is invalid.

        Numbers are in float64, and scaled so that the largest that counts is between 1 and 2.
        """
        top, valid = 0.0, True
        for i in range(weights.size):
            x = np.float64(rows[i, j])
            valid = valid and 0.0 <= x < np.inf
            if weights[i] > 0.0 and x > top:
                top = x
        scale_up, unit, size, exponent = scales_of(top)
        mean, rest, excess = 0.0, 0.0, 0.0
        for i in range(weights.size):
            if weights[i] > 0.0:
                mean, error = two_sum(mean, weights[i] * (rows[i, j] * scale_up * unit))
                rest += error
        mean += rest
        reference = rows[heaviest(weights), j] * scale_up * unit
        for i in range(weights.size):
            if weights[i] > 0.0:
                excess += weights[i] * (rows[i, j] * scale_up * unit - reference)
        gap = gap_of(reference, mean, excess)
        return (scale_up, unit, size, exponent), (mean if valid else np.nan), gap

    return slow_category


def _slow_term(slow_category):
    excess_of, scaled_further = (
        kl_formulas(FLOAT64).excess_of,
        skewed_formulas(FLOAT64).scaled_further,
    )

    @njit_refcounted
    def slow_term(rows, weights, j):
        """Return a power of two, and times it the term of any category."""
        (scale_up, unit, size, _), mean, gap = slow_category(rows, weights, j)
        total = mean - mean
        for i in range(weights.size):
            if weights[i] > 0.0:
                x = rows[i, j] * scale_up * unit
                total += weights[i] * excess_of(x, mean, (x - mean) - gap)
        return scaled_further(scale_up, total, size)

    return slow_term


def _total(precision, block_terms, slow_term):
    Float, Int = precision.Float, precision.Int
    trusted, none, tiny = 2.0**precision.trusted, Int(0), np.finfo(Float).tiny

    @njit_reassoc
    def sum_of(values, size):
        total = 0.0
        for j in range(size):
            total += item(values, j)
        return total

    @njit_refcounted
    def slow_total(rows, weights):
        totals, rests = zeroed(3, np.float64), zeroed(3, np.float64)
        for j in range(rows.shape[1]):
            scale, value = slow_term(rows, weights, j)
            add_scaled(totals, rests, scale, value)
        total, rest = total_of_scaled(totals, rests)
        return total + rest

    @njit_refcounted
    def total(rows, weights):
        """Return the divergence of a matrix's rows with weights that add up to 1."""
        rows, weights = contiguous_rows(rows), contiguous(weights)
        length = rows.shape[1]
        means, gaps = empty((2, minimum(length, BLOCK)), Float)
        terms = empty(means.size, np.float64)
        total, rest, bits = 0.0, 0.0, none
        for start in range(0, length, BLOCK):
            size = minimum(BLOCK, length - start)
            own = block_terms(rows, weights, means, gaps, terms, start, size, tiny)
            total, error = two_sum(total, sum_of(terms, size))
            rest += error
            bits = Int(bits | own)
        total += rest
        if bits < none or not (total > trusted or (total == 0.0 and _are_equal(rows))):
            total = slow_total(rows, weights)
            clear_exceptions()
        return Float(total)

    return total


def _terms(precision, block_terms, slow_term):
    Float, none = precision.Float, precision.Int(0)
    lowest = Float(2.0**precision.tiny)

    @njit_refcounted
    def terms(rows, weights, result):
        """Write each category's term of the divergence of a matrix's rows."""
        rows, weights = contiguous_rows(rows), contiguous(weights)
        length = rows.shape[1]
        means, gaps = empty((2, minimum(length, BLOCK)), Float)
        terms = empty(means.size, np.float64)
        for start in range(0, length, BLOCK):
            size = minimum(BLOCK, length - start)
            bits = block_terms(rows, weights, means, gaps, terms, start, size, lowest)
            for j in range(size):
                if bits < none:
                    scale_up, value = slow_term(rows, weights, start + j)
                    terms[j] = value / scale_up
                result[start + j] = Float(terms[j])
            if bits < none:
                clear_exceptions()

    return terms


def _slow_slopes(slow_category):
    log_ratio = skewed_formulas(FLOAT64).log_ratio

    @njit_refcounted
    def slow_slopes(rows, weights, j, cotangent, result):
        """Write the derivatives in any category, times a number."""
        (scale_up, unit, _, exponent), mean, gap = slow_category(rows, weights, j)
        for i in range(weights.size):
            p, weight = np.float64(rows[i, j]), weights[i]
            slope = mean - mean
            if cotangent != 0.0 and weight > 0.0 and mean > 0.0:
                if p == 0.0:
                    slope = -np.inf
                else:
                    x = p * scale_up * unit
                    slope = weight * log_ratio(p, x, mean, (x - mean) - gap, exponent)
                slope *= cotangent
            result[i, j] = slope

    return slow_slopes


def _gradient(precision, mix, slow_slopes):
    Float, Int = precision.Float, precision.Int
    zero, infinity, tiny = Float(0), Float(np.inf), np.finfo(Float).tiny
    none, sign = Int(0), np.iinfo(Int).min
    # One unit in the last place of such a mean, all that numbers may differ by, has all its digits.
    lowest = Float(tiny * 2.0 ** (precision.mantissa + 3))
    off_fast_path = _off_fast_path(precision)
    formulas = kl_formulas(precision)
    ratio_parts, log_of = formulas.ratio_parts, formulas.log_of

    @njit_inline
    def slope(x, mean, gap, weight, cotangent):
        """Return w·log(p/m) times a number: -inf at p = 0 < m, 0 at p = m = 0."""
        k, difference, total = ratio_parts(x, mean)
        v = where(k == zero, (x - mean) - gap, difference) / total
        steep = where(minimum(mean, weight) > zero, -infinity, zero)
        value = where(x == zero, steep, weight * log_of(k, v))
        return where(cotangent == zero, zero, value * cotangent)

    @njit_refcounted
    def write_slopes(rows, i, weight, means, gaps, cotangents, slopes, start, size):
        bits = none
        for j in range(size):
            x, mean = row_item(rows, i, start + j), item(means, j)
            subnormal = where(x < tiny, where(x > zero, Int(sign), none), none)
            bits = Int(bits | Int(subnormal | off_fast_path(x, mean, lowest)))
            cotangent = item(cotangents, start + j)
            set_item(slopes, j, slope(x, mean, item(gaps, j), weight, cotangent))
        return bits

    @njit_refcounted
    def gradient(rows, weights, cotangents, result):
        """Write the derivatives of the terms, times a number for each category."""
        rows, weights = contiguous_rows(rows), contiguous(weights)
        cotangents, length = contiguous(cotangents), rows.shape[1]
        means, gaps, slopes = empty((3, minimum(length, BLOCK)), Float)
        sums = empty(means.size, np.float64)
        for start in range(0, length, BLOCK):
            size = minimum(BLOCK, length - start)
            mix(rows, weights, means, gaps, sums, start, size)
            bits = none
            for i in range(weights.size):
                weight = Float(weights[i])
                own = write_slopes(rows, i, weight, means, gaps, cotangents, slopes, start, size)
                for j in range(size):
                    result[i, start + j] = item(slopes, j)
                bits = Int(bits | own)
            if bits < none:
                for j in range(start, start + size):
                    slow_slopes(rows, weights, j, np.float64(cotangents[j]), result)

    return gradient


Parts = namedtuple("Parts", "own left")
"""Of each distribution the sums Σ excess(p, m), and Σ excess(m', m) of the mean of the others."""


@njit_inline
def share_of(weight):
    """Return a weight over what it leaves to others; above ½ there is no use for that."""
    return weight / (1.0 - weight) if weight <= 0.5 else 1.0


def _excesses(excess_of):
    @njit_inline
    def excesses(x, mean, deviation, share):
        """Return the excess of a number, and that of the others' mean, over the mean of all.

        What the number exceeds the mean by, times its weight over the others', these lack.
        """
        lack = share * deviation
        others = maximum(mean - lack, mean - mean)
        return excess_of(x, mean, deviation), excess_of(others, mean, -lack)

    return excesses


def _slow_parts(slow_category):
    excesses = _excesses(kl_formulas(FLOAT64).excess_of)

    @njit_refcounted
    def slow_parts(rows, weights, parts):
        """Write the parts of any rows."""
        sums = zeroed((2 * weights.size, 3), np.float64)
        rests = zeroed((2 * weights.size, 3), np.float64)
        for j in range(rows.shape[1]):
            (scale_up, unit, size, _), mean, gap = slow_category(rows, weights, j)
            for i in range(weights.size):
                own = left = mean - mean
                if weights[i] > 0.0:
                    x, share = rows[i, j] * scale_up * unit, share_of(weights[i])
                    own, left = excesses(x, mean, (x - mean) - gap, share)
                add_scaled(sums[2 * i], rests[2 * i], scale_up, own * size)
                add_scaled(sums[2 * i + 1], rests[2 * i + 1], scale_up, left * size)
        for i in range(weights.size):
            total, rest = total_of_scaled(sums[2 * i], rests[2 * i])
            parts.own[i] = total + rest
            total, rest = total_of_scaled(sums[2 * i + 1], rests[2 * i + 1])
            parts.left[i] = total + rest

    return slow_parts


def _parts(precision, mix, slow_parts):
    Float, Int = precision.Float, precision.Int
    trusted, none, tiny = 2.0**precision.trusted, Int(0), np.finfo(Float).tiny
    off_fast_path = _off_fast_path(precision)
    excesses = _excesses(kl_formulas(precision).excess_of)

    @njit_inline
    def deviation_of(x, mean, gap):
        return (x - mean) - gap

    @njit_reassoc
    def block_parts(rows, i, share, means, gaps, start, size):
        """Return the sums of a row's categories, and an integer, negative if they do not hold."""
        own, left, bits = 0.0, 0.0, none
        for j in range(size):
            x, mean = row_item(rows, i, start + j), item(means, j)
            deviation = deviation_of(x, mean, item(gaps, j))
            of_row, of_others = excesses(x, mean, deviation, share)
            own += np.float64(of_row)
            left += np.float64(of_others)
            bits = Int(bits | off_fast_path(x, mean, tiny))
        return own, left, bits

    @njit_refcounted
    def fast_parts(rows, weights, parts):
        """Write the parts; return an integer, negative if they do not hold."""
        length, bits = rows.shape[1], none
        means, gaps = empty((2, minimum(length, BLOCK)), Float)
        work = empty(means.size, np.float64)
        for i in range(weights.size):
            parts.own[i], parts.left[i] = 0.0, 0.0
        for start in range(0, length, BLOCK):
            size = minimum(BLOCK, length - start)
            mix(rows, weights, means, gaps, work, start, size)
            for i in range(weights.size):
                share = Float(share_of(weights[i]))
                own, left, of_block = block_parts(rows, i, share, means, gaps, start, size)
                parts.own[i] += own
                parts.left[i] += left
                bits = Int(bits | of_block)
        return bits

    @njit_refcounted
    def parts_of(rows, weights, parts):
        """Write the parts of a matrix's rows with weights; return the divergence."""
        bits = fast_parts(rows, weights, parts)
        total = _weighted_sum(weights, parts.own)
        if bits < none or not (total > trusted or (total == 0.0 and _are_equal(rows))):
            slow_parts(rows, weights, parts)
            clear_exceptions()
            total = _weighted_sum(weights, parts.own)
        return total

    return parts_of


@njit_refcounted
def _weighted_sum(weights, values):
    total = 0.0
    for i in range(weights.size):
        total += weights[i] * values[i]
    return total


def _added(parts_of):
    @njit_refcounted
    def without(rows, weights, i, parts):
        """Return the divergence of the other rows, whose weights are set to theirs."""
        weights[i], total = 0.0, 0.0
        for k in range(weights.size):
            total += weights[k]
        for k in range(weights.size):
            weights[k] /= total
        return parts_of(rows, weights, parts)

    @njit_refcounted
    def added(rows, weights, result):
        """Write what the divergence of a matrix's rows has more than that of all but each.

        With m' the mean of the others, it is (w·KL(p, m) + (1 - w)·KL(m', m) - w·JS) / (1 - w).
        Beside a weight above ½, of which there is one at most, the others are added up again.
        """
        rows, weights = contiguous_rows(rows), contiguous(weights)
        parts = Parts(empty(weights.size, np.float64), empty(weights.size, np.float64))
        divergence = parts_of(rows, weights, parts)
        for i in range(weights.size):
            weight = weights[i]
            rest = 1.0 - weight
            between = weight * parts.own[i] + rest * parts.left[i]
            result[i] = (between - weight * divergence) / rest
        heavy = heaviest(weights)
        if weights[heavy] > 0.5:
            others = empty(weights.size, np.float64)
            for i in range(weights.size):
                others[i] = weights[i]
            result[heavy] = divergence - without(rows, others, heavy, parts)

    return added
