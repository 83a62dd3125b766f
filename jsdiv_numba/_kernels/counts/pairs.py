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

from ..codegen.intrinsics import item, njit_no_refcount, set_item
from ..codegen.precision import FLOAT64
from ..formulas.js import scalar_formulas
from .cells import (
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
    cell_kernels,
)

DIVERGENCE, NULL_MEAN, NULL_VARIANCE, NULL_THIRD, DELTA_VARIANCE, SECOND_ORDER = range(6)
"""Columns of the result: the divergence; its mean, variance and third central moment by chance;
its variance by the delta method; and the second order of its bias."""

ROUNDING = 1e-26
"""Of a squared mean: a lesser variance is what rounding makes of none."""


def count_pairs():
    """Return the routine `count_pairs`."""
    tally, moments_of, null = _tally(), _moments_of(cell_kernels().moments), _null()

    @njit_no_refcount
    def of_pair(a, b, n1, n2, totals, numbers, counts, memo, marks, mark, found, scratch, out):
        distinct = tally(a, b, n1, n2, totals, numbers, counts, out)
        for i in range(distinct):
            moments_of(item(totals, i), n1, n2, memo, marks, mark, scratch, found[i])
        null(distinct, n1, n2, totals, numbers, found, out)

    def pairs(
        a, b, n_a, n_b, i_of, j_of, totals, numbers, counts, memo, marks, found, scratch, result
    ):
        """Write what is known of each pair of rows i_of[k] of a and j_of[k] of b.

        `memo` has what is known of categories, by total, for the sizes of samples that a pair had
        last; `marks` says of which pair a row of it is. `counts` are zeros.
        """
        mark, last1, last2 = 0, -1.0, -1.0
        for k in range(i_of.size):
            i, j = i_of[k], j_of[k]
            n1, n2 = n_a[i], n_b[j]
            out = result[k]
            if n1 == 0.0 or n2 == 0.0:
                for column in range(out.size):
                    out[column] = np.nan
                continue
            # In one order, so that the bits do not depend on which sample comes first.
            swapped = n2 < n1
            least, most = (n2, n1) if swapped else (n1, n2)
            if least != last1 or most != last2:
                mark, last1, last2 = mark + 1, least, most
            x, y = (b[j], a[i]) if swapped else (a[i], b[j])
            of_pair(
                x, y, least, most, totals, numbers, counts, memo, marks, mark, found, scratch, out
            )

    return pairs


def _tally():
    formulas = scalar_formulas(FLOAT64)
    term = formulas.term
    log_of_greater, log_of_lesser = formulas.half_log_greater, formulas.half_log_lesser

    @njit_no_refcount
    def tally(a, b, n1, n2, totals, numbers, counts, out):
        """Write the sums over categories, and the distinct totals with their numbers.

        Totals above what `counts` has room for are taken one by one.
        """
        distinct = 0
        divergence = mean_p = mean_q = square_p = square_q = bias = 0.0
        for k in range(a.size):
            in_a, in_b = item(a, k), item(b, k)
            t = in_a + in_b
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
            p, q = in_a / n1, in_b / n2
            s, d = p + q, abs(p - q)
            divergence += term(p, q)
            greater = log_of_greater(s, d)
            lesser = log_of_lesser(s, d, 2.0 * min(p, q)) if in_a > 0 and in_b > 0 else 0.0
            u, v = (greater, lesser) if p > q else (lesser, greater)
            mean_p += p * u
            mean_q += q * v
            square_p += p * u * u
            square_q += q * v * v
            if in_a > 0 and in_b > 0:
                bias += (q * (1.0 - p) / n1 + p * (1.0 - q) / n2) / s
        for i in range(distinct):
            t = item(totals, i)
            if item(numbers, i) == 0:
                set_item(numbers, i, item(counts, t))
                set_item(counts, t, 0)
        set_item(out, DIVERGENCE, divergence)
        spread = (square_p - mean_p * mean_p) / n1 + (square_q - mean_q * mean_q) / n2
        set_item(out, DELTA_VARIANCE, max(spread, 0.0))
        set_item(out, SECOND_ORDER, 0.25 * bias)
        return distinct

    return tally


def _moments_of(moments):
    @njit_no_refcount
    def moments_of(t, n1, n2, memo, marks, mark, scratch, out):
        """Write what is known of a category, from the memory of totals where it is there."""
        if t >= marks.size:
            moments(float(t), n1, n2, scratch, out)
            return
        row = memo[t]
        if item(marks, t) != mark:
            moments(float(t), n1, n2, scratch, row)
            set_item(marks, t, mark)
        for column in range(COLUMNS):
            set_item(out, column, item(row, column))

    return moments_of


def _null():
    @njit_no_refcount
    def variance(distinct, n1, n2, totals, numbers, found):
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
    def null(distinct, n1, n2, totals, numbers, found, out):
        """Write the mean, the variance and the third central moment of the divergence by chance."""
        total = n1 + n2
        spread, slope = variance(distinct, n1, n2, totals, numbers, found)
        mean = third = cubes = first = second = whole = 0.0
        for i in range(distinct):
            number, t = float(item(numbers, i)), item(totals, i)
            row = found[i]
            share = t / total
            rest = (total - t) / total
            mean += number * item(row, MEAN)
            d = item(row, SLOPE) - slope
            third += number * (item(row, CUBE) + 3.0 * d * item(row, SQUARE_LINEAR))
            third += number * d * d * d * item(row, LINEAR_CUBE)
            if item(row, LINEAR) > 0.0:
                third += number * 3.0 * d * d * item(row, LINEAR_SQUARE) / (rest * rest)
                # The curvature in standard deviations, as if the categories were independent.
                curve = item(row, LINEAR_SQUARE) / (2.0 * item(row, LINEAR) * rest)
                first += number * curve * share
                second += number * curve * curve * share
                cubes += number * curve**3 * (1.0 - 3.0 * share - rest**3)
        whole = cubes + 3.0 * second * first - first**3
        # Where the totals leave chance no choice, what is rounded is no variance.
        is_open = spread > ROUNDING * mean * mean
        set_item(out, NULL_MEAN, mean)
        set_item(out, NULL_VARIANCE, spread if is_open else 0.0)
        set_item(out, NULL_THIRD, third + 8.0 * whole if is_open else 0.0)

    return null
