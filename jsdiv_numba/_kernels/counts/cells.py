"""What one category contributes, given its total: exact sums over all that chance may give it.

Of N observations, n1 in one sample and n2 in the other, t fell into a category. If both samples
come from one distribution, c of these are in the first with the hypergeometric probability

    w(c) = C(n1, c)·C(n2, t - c) / C(N, t),

and the category's term of the divergence is f(c) = term(c/n1, (t - c)/n2). Its moments, and its
coefficients in the polynomials that are orthogonal under w (Hahn's, `series.recurrence`), are all
that the moments of the divergence need of the category (`pairs`).

Where w is wide and f has no singularity in reach, every h-th c is enough: by Poisson's summation
formula the error of such a sum is about exp(-2π²σ²/h²), and h = σ/1.9 leaves 1e-30 of it. The
boundaries 0 and t, where f is x·log x, have a weight below exp(-SMOOTH).

Categories of which the smaller sample is expected to have many observations are left to `series`.
"""

import math
from functools import cache
from types import SimpleNamespace

from ..codegen.intrinsics import (
    fma,
    item,
    load_noalias,
    minimum,
    njit_no_refcount,
    njit_reassoc,
    noinline,
    set_item,
    store2_noalias,
    store_noalias,
)
from ..codegen.precision import FLOAT64
from ..formulas.js import scalar_formulas
from .columns import (
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
from .series import recurrence

NODES = 512
"""More than there are c with a weight that counts, where `series` does not serve."""

SCRATCH = 7
"""Vectors of so many numbers that a category needs: c, w, x, r and three polynomials."""

SMOOTH = 40.0
"""Logarithm of how much more likely others are than c = 0, for a sum over every h-th c."""

NEGLIGIBLE = 1e-18
"""Weight, relative to the largest, of the c at which a sum ends."""

ENOUGH = 1e-15
"""Share of a variance that polynomials of higher degree are not looked at for."""


@cache
def cell_kernels() -> SimpleNamespace:
    """Compile what is known of one category."""
    return SimpleNamespace(moments=_moments(_nodes(), _residuals(), _shares()))


def _ratios():
    @njit_no_refcount
    def ratios_above(first, number, t, n1, n2, out):
        """Write w(c + 1)/w(c) of so many c."""
        noinline()
        rest = n2 - t
        for i in range(number):
            c = first + i
            store_noalias(out, i, ((n1 - c) * (t - c)) / ((c + 1.0) * (rest + c + 1.0)))

    @njit_no_refcount
    def ratios_below(first, number, t, n1, n2, out):
        """Write w(c - 1)/w(c) of so many c, downwards."""
        noinline()
        rest = n2 - t
        for i in range(number):
            c = first - i
            store_noalias(out, i, (c * (rest + c)) / ((n1 - c + 1.0) * (t - c + 1.0)))

    return ratios_above, ratios_below


def _nodes():
    ratios_above, ratios_below = _ratios()

    @njit_no_refcount
    def step_for(t, n1, n2):
        """Return which c are taken: all, or every so many."""
        total = n1 + n2
        share = n1 / total
        if t == total or -t * math.log1p(-share) < SMOOTH:
            return 1
        variance = t * share * (n2 / total) * ((total - t) / (total - 1.0))
        return max(int(math.sqrt(variance) / 1.9), 1)

    @njit_no_refcount
    def walk(number, direction, mode, step, steps, ratios, counts, weights):
        """Write every so many c on one side, and their weights; return how many there are."""
        weight, left, c = 1.0, step, mode
        for i in range(steps):
            weight *= item(ratios, i)
            if weight <= NEGLIGIBLE:
                break
            c += direction
            left -= 1
            if left == 0:
                left = step
                set_item(counts, number, c)
                set_item(weights, number, weight)
                number += 1
        return number

    @njit_no_refcount
    def nodes(t, n1, n2, counts, weights, ratios):
        """Write the c that count and their weights, for n1 <= n2; return how many there are."""
        mode = float(math.floor((t + 1.0) * (n1 + 1.0) / (n1 + n2 + 2.0)))
        most = NODES / 2 - 1.0
        above = int(minimum(minimum(t, n1) - mode, most))
        below = int(minimum(minimum(mode, n2 - t + mode), most))
        step = step_for(t, n1, n2)
        set_item(counts, 0, mode)
        set_item(weights, 0, 1.0)
        ratios_above(mode, above, t, n1, n2, ratios)
        number = walk(1, 1.0, mode, step, above, ratios, counts, weights)
        ratios_below(mode, below, t, n1, n2, ratios)
        return walk(number, -1.0, mode, step, below, ratios, counts, weights)

    return nodes


def _residuals():
    term = scalar_formulas(FLOAT64).term

    @njit_no_refcount
    def terms(number, t, n1, n2, counts, out):
        noinline()
        of_first, of_second = 1.0 / n1, 1.0 / n2
        for i in range(number):
            c = load_noalias(counts, i)
            store_noalias(out, i, term(c * of_first, (t - c) * of_second))

    @njit_reassoc
    def sums(number, expected, weights, counts, values):
        """Return the sums of w, w·f, w·x, w·x² and w·x·f."""
        whole = mean = first = square = product = 0.0
        for i in range(number):
            w, x = item(weights, i), item(counts, i) - expected
            wx = w * x
            whole += w
            mean += w * item(values, i)
            first += wx
            square += wx * x
            product += wx * item(values, i)
        return whole, mean, first, square, product

    @njit_no_refcount
    def left_over(number, mean, slope, expected, counts, values, xs, rs):
        """Write x and r."""
        noinline()
        for i in range(number):
            x = load_noalias(counts, i) - expected
            store2_noalias(xs, rs, i, x, fma(-slope, x, load_noalias(values, i) - mean))

    @njit_reassoc
    def higher_moments(number, weights, xs, rs):
        residual = cube = square_linear = linear_square = linear_cube = 0.0
        for i in range(number):
            x, r = item(xs, i), item(rs, i)
            wr, wxx = item(weights, i) * r, item(weights, i) * x * x
            wrr = wr * r
            residual += wrr
            cube += wrr * r
            square_linear += wrr * x
            linear_square += wxx * r
            linear_cube += wxx * x
        return residual, cube, square_linear, linear_square, linear_cube

    @njit_no_refcount
    def residuals(t, n1, n2, number, scratch, out):
        """Write x and what f leaves over a line in it, with the moments of both.

        Returns what makes weights add up to 1.
        """
        counts, weights, xs, rs, values = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4]
        terms(number, t, n1, n2, counts, values)
        expected = t * n1 / (n1 + n2)
        whole, mean, first, square, product = sums(number, expected, weights, counts, values)
        scale = 1.0 / whole
        mean *= scale
        slope = (product - mean * first) / square if square > 0.0 else 0.0
        left_over(number, mean, slope, expected, counts, values, xs, rs)
        moments = higher_moments(number, weights, xs, rs)
        set_item(out, MEAN, mean)
        set_item(out, SLOPE, slope)
        set_item(out, LINEAR, square * scale)
        set_item(out, RESIDUAL, moments[0] * scale)
        set_item(out, CUBE, moments[1] * scale)
        set_item(out, SQUARE_LINEAR, moments[2] * scale)
        set_item(out, LINEAR_SQUARE, moments[3] * scale)
        set_item(out, LINEAR_CUBE, moments[4] * scale)
        return scale

    return residuals


def _polynomials():
    centre, skew, square = recurrence()

    @njit_no_refcount
    def beside_of(j, t, n1, n2):
        total = n1 + n2
        return math.sqrt(square(j, n1, n2) * (t - j + 1.0) * (total - t - j + 1.0))

    @njit_no_refcount
    def begin(number, beside, xs, before, now):
        """Write those of degrees 0 and 1."""
        for i in range(number):
            set_item(before, i, 1.0)
            set_item(now, i, item(xs, i) / beside)

    @njit_no_refcount
    def following(number, xs, now, before, middle, beside, scale, out):
        """Write the polynomial of the next degree."""
        noinline()
        for i in range(number):
            value = (load_noalias(xs, i) - middle) * load_noalias(now, i)
            value = fma(-beside, load_noalias(before, i), value)
            store_noalias(out, i, value * scale)

    @njit_no_refcount
    def middle_of(j, t, n1, n2):
        return centre(j, n1 + n2) * skew(t, n1, n2)

    return SimpleNamespace(
        beside_of=beside_of, begin=begin, following=following, middle_of=middle_of
    )


def _shares():
    polynomials = _polynomials()
    beside_of, middle_of = polynomials.beside_of, polynomials.middle_of
    begin, following = polynomials.begin, polynomials.following

    @njit_reassoc
    def coefficient_of(number, weights, polynomial, rs):
        total = 0.0
        for i in range(number):
            total += item(weights, i) * item(polynomial, i) * item(rs, i)
        return total

    @njit_no_refcount
    def shares(t, n1, n2, number, scale, scratch, out):
        """Write, for each degree, the coefficient of f times what other categories see of it."""
        weights, xs, rs = scratch[1], scratch[2], scratch[3]
        before, now, after = scratch[4], scratch[5], scratch[6]
        total = n1 + n2
        for j in range(ORDERS):
            set_item(out, SHARED + j, 0.0)
        highest = minimum(minimum(t, total - t), minimum(n1, n2))
        left = all_of_it = item(out, RESIDUAL)
        if highest < 2.0 or not all_of_it > 0.0:
            return
        beside = beside_of(1.0, t, n1, n2)
        begin(number, beside, xs, before, now)
        factor, degree = t / (total - t), 1.0
        while degree < highest and degree <= ORDERS:
            factor *= (t - degree) / (total - t - degree)
            if factor * left <= ENOUGH * all_of_it:
                break
            next_beside, middle = beside_of(degree + 1.0, t, n1, n2), middle_of(degree, t, n1, n2)
            following(number, xs, now, before, middle, beside, 1.0 / next_beside, after)
            before, now, after, beside = now, after, before, next_beside
            coefficient = coefficient_of(number, weights, now, rs) * scale
            set_item(out, SHARED + int(degree) - 1, coefficient * math.sqrt(factor))
            left -= coefficient * coefficient
            degree += 1.0

    return shares


def _moments(nodes, residuals, shares):
    @njit_no_refcount
    def moments(t, n1, n2, scratch, out):
        """Write what is known of a category with t observations, n1 <= n2."""
        number = nodes(t, n1, n2, scratch[0], scratch[1], scratch[4])
        scale = residuals(t, n1, n2, number, scratch, out)
        shares(t, n1, n2, number, scale, scratch, out)

    return moments
