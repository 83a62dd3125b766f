"""Short rows: as many at a time as there are lanes, and none of them waits for its own sum.

A row's sum has the bits that the loops over one row give it: what those add up in lanes is added up
here, in the same order, across vectors of which each has one element of every row. A row that they
would compute otherwise, because an element is negative, huge or not finite, or the sum too small,
is NaN.
"""

from typing import Any

import numpy as np

from ..catalog import SHORT
from ..codegen.intrinsics import (
    bits_of,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    noinline,
    row_place,
    where,
)
from ..codegen.lanes import address, number_of_lanes, room_of
from ..codegen.precision import FLOAT32, Precision
from ..codegen.squares import transpose as transpose_square
from ..formulas.js import two_sum
from .normalised import inverse_power, magic_of, normalised_kernels, split
from .pair_summands import js_pair_summand
from .summands import js_summand

ROWS = 32
"""So many are computed at a time: loops over fewer LLVM 20 unrolls, and does not vectorise."""


def short_sums(precision: Precision) -> Any:
    """Return what writes the divergences of short rows."""
    Float, Int = precision.Float, precision.Int
    summand, number = js_summand(precision), ROWS
    term, bits_in = summand.term, summand.bits
    trusted, zero = 2.0**precision.trusted, Float(0)
    none, huge = Int(0), Int(Float(2.0**precision.huge).view(Int))
    columns, lanes = room_of(number * SHORT), room_of(number)
    transpose, sum_of_terms = _transpose(number), _sum_of_terms(precision, number)

    @njit_no_refcount
    def short_sums(P, Q, results):
        """Write the divergences of contiguous rows."""
        noinline()
        p, q, terms = columns(zero), columns(zero), columns(zero)
        bits, largest, apart, sums = lanes(none), lanes(none), lanes(none), lanes(0.0)
        for i in range(P.shape[1] * number, SHORT * number):
            terms[i] = zero
        for start in range(0, results.size, number):
            count = minimum(number, results.size - start)
            transpose(P, start, count, p)
            transpose(Q, start, count, q)
            for i in range(number):
                bits[i] = largest[i] = apart[i] = none
            for j in range(P.shape[1]):
                row = j * number
                for i in range(number):
                    x, y = p[row + i], q[row + i]
                    terms[row + i] = term(x, y)
                    bits[i] = Int(bits[i] | bits_in(x, y))
                    largest[i] = maximum(maximum(bits_of(x), bits_of(y)), largest[i])
                    apart[i] = Int(apart[i] | Int(bits_of(x) ^ bits_of(y)))
            for i in range(number):
                total = sum_of_terms(terms, i)
                is_plain = bits[i] >= none and largest[i] <= huge
                is_right = total > trusted or apart[i] == none
                sums[i] = where(is_plain and is_right, total, np.nan)
            for i in range(count):
                results[start + i] = Float(sums[i])

    return short_sums


def _transpose(number):
    square = transpose_square(SHORT, whole=False)

    @njit_inline
    def transpose(rows, start, count, columns):
        """Write the elements of some rows, those of a column side by side, and zeros.

        Lanes without a row have that of another one, so that nothing is divided by 0.
        """
        for first in range(0, number, SHORT):
            place, result = (
                row_place(rows, start + minimum(first, count - 1)),
                address(columns, first),
            )
            step, length = rows.strides[0], rows.shape[1]
            square(place, step, count - first, length, result, number * rows.itemsize)

    return transpose


def _sum_of_terms(precision, number):
    """Return what adds up a row's terms, as `lanes.add_run` and `lanes.sum_of_runs` do."""
    half, in_two_steps = SHORT // 2, number_of_lanes(precision) == SHORT

    @njit_inline
    def both(terms, k):
        x, y = terms[k], terms[k + half * number]
        return np.float64(x + y) if in_two_steps else np.float64(x) + np.float64(y)

    @njit_inline
    def four(terms, k):
        return (both(terms, k) + both(terms, k + 4 * number)) + (
            both(terms, k + 2 * number) + both(terms, k + 6 * number)
        )

    @njit_inline
    def sum_of_terms(terms, i):
        return four(terms, i) + four(terms, i + number)

    return sum_of_terms


def short_normalised_sums(precision: Precision) -> Any:
    """Return what writes the divergences of short rows, each divided by its sum."""
    Float = precision.Float
    number, summand = ROWS, js_pair_summand(precision)
    term, most, zero = summand.term, summand.most, Float(0)
    kernels = normalised_kernels(precision)
    is_ordinary, weights_of = kernels.is_ordinary, kernels.weights_of
    columns, lanes = room_of(number * SHORT), room_of(number)
    transpose, sum_of_terms = _transpose(number), _sum_of_terms(precision, number)
    scales_of = _scales_of(precision, number)

    @njit_no_refcount
    def short_sums(P, Q, results):
        """Write the divergences of contiguous rows."""
        noinline()
        p, q, terms, sums = columns(zero), columns(zero), columns(zero), lanes(0.0)
        p_scales, p_totals, p_rests = lanes(zero), lanes(zero), lanes(zero)
        q_scales, q_totals, q_rests = lanes(zero), lanes(zero), lanes(zero)
        divisors = lanes(0.0)
        for i in range(P.shape[1] * number, SHORT * number):
            terms[i] = zero
        for start in range(0, results.size, number):
            count = minimum(number, results.size - start)
            transpose(P, start, count, p)
            transpose(Q, start, count, q)
            scales_of(p, P.shape[1], p_scales, p_totals, p_rests)
            scales_of(q, P.shape[1], q_scales, q_totals, q_rests)
            for i in range(number):
                p_sum, q_sum = (p_totals[i], p_rests[i]), (q_totals[i], q_rests[i])
                is_plain = is_ordinary(p_scales[i]) and is_ordinary(q_scales[i])
                weights = weights_of(p_scales[i], q_scales[i], p_sum, q_sum)
                # From here on they are the weights of p, of which each has a low-order part, and q.
                (p_scales[i], p_rests[i]), (q_scales[i], q_rests[i]), divisor = weights
                divisors[i] = where(is_plain, divisor, np.nan)
            for j in range(P.shape[1]):
                row = j * number
                for i in range(number):
                    p_weight, q_weight = (p_scales[i], p_rests[i]), (q_scales[i], q_rests[i])
                    terms[row + i] = term(p[row + i], q[row + i], p_weight, q_weight)[0]
            for i in range(number):
                value = sum_of_terms(terms, i) / divisors[i]
                sums[i] = where(value > most, most, value)
            for i in range(count):
                results[start + i] = Float(sums[i])

    return short_sums


def _scales_of(precision, number):
    """Return what writes what `normalised.row_scale` returns, and NaN where it looks further."""
    Float, Int = precision.Float, precision.Int
    none, nan = Int(0), Float(np.nan)
    lowest, highest = 2.0**-precision.weighed, 2.0**precision.weighed
    scaled, is_split = normalised_kernels(precision).scaled, precision is not FLOAT32
    lanes = room_of(number)

    @njit_inline
    def scales_of(columns, length, scales, totals, rests):
        sums, upper, lower, signs = lanes(0.0), lanes(0.0), lanes(0.0), lanes(none)
        for i in range(number):
            sums[i], upper[i], lower[i], signs[i] = 0.0, 0.0, 0.0, none
        for j in range(length):
            for i in range(number):
                x = columns[j * number + i]
                sums[i] += np.float64(x)
                signs[i] = Int(signs[i] | bits_of(x))
        if is_split:
            magic = lanes(0.0)
            for i in range(number):
                magic[i] = magic_of(sums[i])
            for j in range(length):
                for i in range(number):
                    high, low = split(columns[j * number + i], magic[i])
                    upper[i] += high
                    lower[i] += low
        for i in range(number):
            total, rest = two_sum(upper[i], lower[i]) if is_split else (sums[i], 0.0)
            scale, total, rest = scaled(inverse_power(total), total, rest)
            is_plain = signs[i] >= none and lowest < sums[i] < highest
            scales[i] = where(is_plain, scale, nan)
            totals[i], rests[i] = total, rest

    return scales_of
