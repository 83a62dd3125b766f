"""Pairs of rows of counts: the divergence, and its first three moments by chance alone.

Given the total of every category, c_k of t_k observations are in the first sample; the c_k have a
multivariate hypergeometric distribution. So E Σ f_k = Σ E f_k, and the variance is exact too:
polynomials of different degrees are uncorrelated between categories, and those of degree j
correlate as

    ρ_j(k, l) = (-1)^j·√(C(t_k, j)·C(t_l, j) / (C(N - t_k, j)·C(N - t_l, j))),

so that a sum over pairs of categories is a square of a sum. The third central moment is that of
independent categories, each regressed on c, with the correction that makes it exact for quadratic
f and normal c. docs/mathematics.md has the derivation.
"""

import numpy as np

from ..codegen.intrinsics import (
    item,
    maximum,
    minimum,
    njit_no_refcount,
    njit_reassoc,
    set_item,
    where,
)
from ..codegen.precision import FLOAT64
from ..formulas.js import scalar_formulas
from .cells import cell_kernels
from .columns import (
    COLUMNS,
    CUBE,
    LINEAR,
    LINEAR_CUBE,
    LINEAR_SQUARE,
    MEAN,
    ORDERS,
    RESIDUAL,
    SHARED,
    SLOPE,
    SQUARE_LINEAR,
)
from .lanes import LANES as CELLS
from .series import CLASSES, LANES, series_kernels

DIVERGENCE, NULL_MEAN, NULL_VARIANCE, NULL_THIRD, DELTA_VARIANCE, SECOND_ORDER = range(6)
"""Columns of the result: the divergence; its mean, variance and third central moment by chance;
its variance by the delta method; and the second order of its bias."""

BUCKET, BUCKETS = 4.0, 80
"""Categories without a series are put in order by what is expected of them, in steps of so many."""

ROUNDING = 1e-26
"""Of a squared mean: a lesser variance is what rounding makes of none."""


def count_pairs():
    """Return the routine `count_pairs`."""
    series = series_kernels()
    tally, observed, coefficients = _tally(), _observed(), series.coefficients
    moments_of = _moments_of(cell_kernels().moments, series)

    @njit_no_refcount
    def of_pair(a, b, n1, n2, mark, again, room, out):
        observed(a, b, n1, n2, out)
        distinct = tally(a, b, room)
        moments_of(distinct, n1, n2, mark, again, room)
        _null(distinct, n1, n2, room.totals, room.numbers, room.found, out)

    @njit_no_refcount
    def sizes(k, n_a, n_b, i_of, j_of):
        """Return how many observations the samples of a pair have, the fewer first."""
        n1, n2 = item(n_a, item(i_of, k)), item(n_b, item(j_of, k))
        return minimum(n1, n2), maximum(n1, n2)

    def pairs(a, b, n_a, n_b, i_of, j_of, room, result):
        """Write what is known of each pair of rows i_of[k] of a and j_of[k] of b."""
        mark, last = 0, (-1.0, -1.0)
        for k in range(i_of.size):
            i, j, out = i_of[k], j_of[k], result[k]
            least, most = sizes(k, n_a, n_b, i_of, j_of)
            if least == 0.0:
                for column in range(out.size):
                    out[column] = np.nan
                continue
            if (least, most) != last:
                mark, last = mark + 1, (least, most)
                coefficients(least, most, room.powers)
            again = k + 1 < i_of.size and sizes(k + 1, n_a, n_b, i_of, j_of) == last
            # In one order, so that the bits do not depend on which sample comes first.
            x, y = (b[j], a[i]) if n_b[j] < n_a[i] else (a[i], b[j])
            of_pair(x, y, least, most, mark, again, room, out)

    return pairs


def _tally():
    @njit_no_refcount
    def tally(a, b, room):
        """Write the distinct totals with their numbers; return how many there are.

        Totals above what `counts` has room for are taken one by one.
        """
        totals, numbers, counts = room.totals, room.numbers, room.counts
        distinct = 0
        for k in range(a.size):
            t = item(a, k) + item(b, k)
            if t == 0:
                continue
            if t >= counts.size:
                set_item(totals, distinct, t)
                set_item(numbers, distinct, 1)
                distinct += 1
            else:
                known = item(counts, t)
                if known == 0:
                    set_item(totals, distinct, t)
                    # Its number is in `counts` until all categories are known.
                    set_item(numbers, distinct, 0)
                    distinct += 1
                set_item(counts, t, known + 1)
        for i in range(distinct):
            t = item(totals, i)
            if item(numbers, i) == 0:
                set_item(numbers, i, item(counts, t))
                set_item(counts, t, 0)
        return distinct

    return tally


def _observed():
    formulas = scalar_formulas(FLOAT64)
    term, at_least_normal = formulas.term, formulas.at_least_normal
    log_of_greater, log_of_lesser = formulas.half_log_greater, formulas.half_log_lesser

    @njit_reassoc
    def sums(a, b, n1, n2):
        """Return the divergence, the moments of both samples' logarithms, and the bias.

        A logarithm of 0 is finite, and counts for nothing.
        """
        divergence = mean_p = mean_q = square_p = square_q = bias = 0.0
        for k in range(a.size):
            p, q = float(item(a, k)) / n1, float(item(b, k)) / n2
            s, d, least = at_least_normal(p + q), abs(p - q), minimum(p, q)
            divergence += term(p, q)
            greater, lesser = log_of_greater(s, d), log_of_lesser(s, d, least + least)
            u, v = where(p > q, greater, lesser), where(p > q, lesser, greater)
            mean_p += p * u
            mean_q += q * v
            square_p += p * u * u
            square_q += q * v * v
            both = (q * (1.0 - p) / n1 + p * (1.0 - q) / n2) / s
            bias += where(least > 0.0, both, 0.0)
        return divergence, mean_p, mean_q, square_p, square_q, bias

    @njit_no_refcount
    def observed(a, b, n1, n2, out):
        """Write what is known of the samples as they are."""
        divergence, mean_p, mean_q, square_p, square_q, bias = sums(a, b, n1, n2)
        set_item(out, DIVERGENCE, divergence)
        spread = (square_p - mean_p * mean_p) / n1 + (square_q - mean_q * mean_q) / n2
        set_item(out, DELTA_VARIANCE, maximum(spread, 0.0))
        set_item(out, SECOND_ORDER, 0.25 * bias)

    return observed


@njit_no_refcount
def _copy(row, out):
    for column in range(COLUMNS):
        set_item(out, column, item(row, column))


def _moments_of(moments_of_few, series):
    class_of, of_many = series.class_of, _of_many(series.moments)
    of_few = _of_few(moments_of_few)

    @njit_no_refcount
    def moments_of(distinct, n1, n2, mark, again, room):
        """Write what is known of each category, from the memory of totals where it is there.

        The others wait for more of their class, to be computed together. They are remembered
        where the next pair's samples are of these sizes again.
        """
        totals, memo, marks, found = room.totals, room.memo, room.marks, room.found
        waiting = room.waiting
        for kind in range(CLASSES + 1):
            waiting[kind, 0] = 0
        for i in range(distinct):
            t = item(totals, i)
            if t < marks.size and item(marks, t) == mark:
                _copy(memo[t], found[i])
                continue
            kind = class_of(float(t), n1, n2)
            waiting[kind, 0] += 1
            waiting[kind, waiting[kind, 0]] = i
        of_many(n1, n2, room)
        of_few(n1, n2, room)
        if again:
            for i in range(distinct):
                t = item(totals, i)
                if t < marks.size and item(marks, t) != mark:
                    _copy(found[i], memo[t])
                    set_item(marks, t, mark)

    return moments_of


def _of_many(moments):
    @njit_no_refcount
    def of_many(n1, n2, room):
        """Write what is known of the categories in each of the series' classes."""
        waiting = room.waiting
        for kind in range(CLASSES):
            end = waiting[kind, 0] + 1
            for start in range(1, end, LANES):
                moments(kind, waiting[kind, start : min(start + LANES, end)], n1, n2, room)

    return of_many


def _of_few(moments):
    @njit_no_refcount
    def bucket_of(t, share):
        return min(int(minimum(t * share, BUCKET * BUCKETS) * (1.0 / BUCKET)), BUCKETS - 1)

    @njit_no_refcount
    def sort(share, room):
        """Put categories in order, so that sums of like length are computed together."""
        totals, few, ends, order = room.totals, room.waiting[CLASSES], room.ends, room.order
        for bucket in range(BUCKETS + 1):
            set_item(ends, bucket, 0)
        for k in range(1, item(few, 0) + 1):
            bucket = bucket_of(item(totals, item(few, k)), share) + 1
            set_item(ends, bucket, item(ends, bucket) + 1)
        for bucket in range(BUCKETS):
            set_item(ends, bucket + 1, item(ends, bucket) + item(ends, bucket + 1))
        for k in range(1, item(few, 0) + 1):
            bucket = bucket_of(item(totals, item(few, k)), share)
            set_item(order, item(ends, bucket), item(few, k))
            set_item(ends, bucket, item(ends, bucket) + 1)

    @njit_no_refcount
    def of_few(n1, n2, room):
        """Write what is known of the categories that no series is for."""
        sort(n1 / (n1 + n2), room)
        number, order = room.waiting[CLASSES, 0], room.order
        for start in range(0, number, CELLS):
            moments(order[start : min(start + CELLS, number)], n1, n2, room)

    return of_few


@njit_no_refcount
def _variance(distinct, n1, n2, totals, numbers, found):
    """Return the exact variance, and the slope that all categories share."""
    total = n1 + n2
    slope = 0.0
    for i in range(distinct):
        slope += item(numbers, i) * item(totals, i) * found[i, SLOPE]
    slope /= total
    alone = linear = 0.0
    for i in range(distinct):
        number, t = item(numbers, i), item(totals, i)
        difference = found[i, SLOPE] - slope
        alone += number * found[i, RESIDUAL]
        linear += number * t * difference * difference
    value = alone + linear * (n1 / total) * (n2 / (total - 1.0))
    sign = 1.0
    for j in range(ORDERS):
        shared = own = 0.0
        for i in range(distinct):
            number, part = item(numbers, i), found[i, SHARED + j]
            shared += number * part
            own += number * part * part
        value += sign * (shared * shared - own)
        sign = -sign
    return value, slope


@njit_no_refcount
def _curvature(i, total, totals, found):
    """Return u_i, the curvature in standard deviations, as if categories were independent."""
    row, t = found[i], item(totals, i)
    if item(row, LINEAR) > 0.0:
        return item(row, LINEAR_SQUARE) / (2.0 * item(row, LINEAR) * ((total - t) / total))
    return 0.0


@njit_no_refcount
def _largest(distinct, totals, numbers):
    """Return which category is the largest, or -1 if several are."""
    top = 0
    for i in range(1, distinct):
        top = i if item(totals, i) > item(totals, top) else top
    return top if item(numbers, top) == 1 else -1


@njit_no_refcount
def _dependence(distinct, total, totals, numbers, found):
    """Return what the bracket has in the third moment: no term is of one category alone.

    As one with nearly all observations would cancel itself, it is left out of the sums.
    """
    top = _largest(distinct, totals, numbers)
    cubes = first = second = 0.0
    for i in range(distinct):
        if i != top:
            number, share = float(item(numbers, i)), item(totals, i) / total
            u = _curvature(i, total, totals, found)
            first += number * u * share
            second += number * u * u * share
            cubes += number * u**3 * (share * share * (share - 3.0))
    value = cubes + 3.0 * second * first - first**3
    if top >= 0:
        u, t = _curvature(top, total, totals, found), item(totals, top)
        spread = u * ((total - t) / total) * first + (second - first * first)
        value += 3.0 * u * (t / total) * spread
    return value


@njit_no_refcount
def _null(distinct, n1, n2, totals, numbers, found, out):
    """Write the mean, the variance and the third central moment of the divergence by chance."""
    total = n1 + n2
    spread, slope = _variance(distinct, n1, n2, totals, numbers, found)
    mean = third = 0.0
    for i in range(distinct):
        number, row = float(item(numbers, i)), found[i]
        mean += number * item(row, MEAN)
        d, rest = item(row, SLOPE) - slope, (total - item(totals, i)) / total
        third += number * (item(row, CUBE) + 3.0 * d * item(row, SQUARE_LINEAR))
        third += number * d * d * d * item(row, LINEAR_CUBE)
        if item(row, LINEAR) > 0.0:
            third += number * 3.0 * d * d * item(row, LINEAR_SQUARE) / (rest * rest)
    third += 8.0 * _dependence(distinct, total, totals, numbers, found)
    # Where the totals leave chance no choice, what is rounded is no variance.
    is_open = spread > ROUNDING * mean * mean
    set_item(out, NULL_MEAN, mean)
    set_item(out, NULL_VARIANCE, spread if is_open else 0.0)
    set_item(out, NULL_THIRD, third if is_open else 0.0)
