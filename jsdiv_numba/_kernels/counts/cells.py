"""What one category contributes, given its total: exact sums over all that chance may give it.

Of N observations, n1 in one sample and n2 in the other, t fell into a category. If both samples
come from one distribution, c of these are in the first with the hypergeometric probability

    w(c) = C(n1, c)·C(n2, t - c) / C(N, t),

and the category's term of the divergence is f(c) = term(c/n1, (t - c)/n2). Its moments, and its
coefficients in the polynomials that are orthogonal under w (Hahn's, made here by Lanczos'
recurrence), are all that the moments of the divergence need of the category (`pairs`).

Where w is wide and far from every boundary, every h-th c is enough: by Poisson's summation
formula the error of such a sum is about exp(-2π²σ²/h²), and h = σ/1.9 leaves 1e-30 of it. The
boundaries' part is below exp(-SMOOTH).
"""

import math
from functools import cache
from types import SimpleNamespace

from ..codegen.intrinsics import item, maximum, minimum, njit_inline, njit_no_refcount, set_item
from ..codegen.precision import FLOAT64
from ..formulas.js import scalar_formulas

NODES = 512
"""At most so many c have a weight that counts: σ² < SMOOTH where all of them are taken."""

SCRATCH = 6
"""Vectors of so many numbers that a category needs: c, w, x, residuals and two polynomials."""

ORDERS = 7
"""How many polynomials are looked at above the first degree."""

MEAN, SLOPE, LINEAR, RESIDUAL, CUBE, SQUARE_LINEAR, LINEAR_SQUARE, LINEAR_CUBE, SHARED = range(9)
"""Columns: E f; the slope b of f in x = c - E c; E x²; and with r = f - E f - b·x: E r², E r³,
E r²x, E r x², E x³; then what the polynomials of degrees 2, 3, ... share with other categories."""

COLUMNS = SHARED + ORDERS

SMOOTH = 80.0
"""How far the mean must be from every boundary for a sum over every h-th c."""

NEGLIGIBLE = 1e-22
"""Weight, relative to the largest, of the c at which a sum ends."""

ENOUGH = 1e-15
"""Share of a variance that polynomials of higher degree are not looked at for."""


@cache
def cell_kernels() -> SimpleNamespace:
    """Compile what is known of one category."""
    nodes = _nodes(_every(), _every_so_many(_log_weight()))
    residuals = _residuals(scalar_formulas(FLOAT64).term)
    return SimpleNamespace(moments=_moments(nodes, residuals, _shares()))


def _log_weight():
    @njit_inline
    def rest_of_stirling(x):
        """Return log Γ(x + 1) less Stirling's formula: to 1e-13 for x > 12."""
        y = 1.0 / (x * x)
        return (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y / 1680))) / x

    @njit_inline
    def part(x, mean):
        return (x + 0.5) * math.log1p((x - mean) / mean) + rest_of_stirling(x)

    @njit_no_refcount
    def log_weight(c, t, n1, n2):
        """Return log w(c) up to a constant; no step subtracts what is large (Loader 2000)."""
        total = n1 + n2
        share, rest = t / total, (total - t) / total
        in_first = part(c, n1 * share) + part(n1 - c, n1 * rest)
        return -in_first - part(t - c, n2 * share) - part(n2 - t + c, n2 * rest)

    return log_weight


def _every():
    @njit_no_refcount
    def every(t, n1, n2, counts, weights):
        """Write all c that count, and their weights relative to the largest."""
        mode = math.floor((t + 1.0) * (n1 + 1.0) / (n1 + n2 + 2.0))
        number, weight, c = 0, 1.0, mode
        highest, lowest = minimum(t, n1), maximum(0.0, t - n2)
        while weight > NEGLIGIBLE and number < NODES:
            set_item(counts, number, c)
            set_item(weights, number, weight)
            number += 1
            if c >= highest:
                break
            weight *= (n1 - c) * (t - c) / ((c + 1.0) * (n2 - t + c + 1.0))
            c += 1.0
        weight, c = 1.0, mode
        while c > lowest and number < NODES:
            weight *= c * (n2 - t + c) / ((n1 - c + 1.0) * (t - c + 1.0))
            c -= 1.0
            if weight <= NEGLIGIBLE:
                break
            set_item(counts, number, c)
            set_item(weights, number, weight)
            number += 1
        return number

    return every


def _every_so_many(log_weight):
    @njit_no_refcount
    def every_so_many(t, n1, n2, step, counts, weights):
        """Write every `step`-th c and its weight relative to the first, near the mean."""
        mean = t * n1 / (n1 + n2)
        highest, lowest = minimum(t, n1), maximum(0.0, t - n2)
        first = math.floor(mean)
        at_first = log_weight(first, t, n1, n2)
        number = 0
        for direction in range(2):
            by = step if direction == 0 else -step
            c = first if direction == 0 else first - step
            while lowest < c < highest and number < NODES:
                weight = math.exp(log_weight(c, t, n1, n2) - at_first)
                if weight <= NEGLIGIBLE:
                    break
                set_item(counts, number, c)
                set_item(weights, number, weight)
                number += 1
                c += by
        return number

    return every_so_many


def _nodes(every, every_so_many):
    @njit_no_refcount
    def nodes(t, n1, n2, counts, weights):
        """Write c and weights that add up to 1; return how many."""
        total = n1 + n2
        share = t / total
        rest = (total - t) / total
        boundary = minimum(n1, n2) * minimum(share, rest)
        step = 1.0
        if boundary >= SMOOTH:
            deviation = math.sqrt(t * (n1 / total) * (n2 / total) * ((total - t) / (total - 1.0)))
            step = math.floor(deviation / 1.9)
        if step > 1.0:
            number = every_so_many(t, n1, n2, step, counts, weights)
        else:
            number = every(t, n1, n2, counts, weights)
        sum_of_weights = 0.0
        for i in range(number):
            sum_of_weights += item(weights, i)
        for i in range(number):
            set_item(weights, i, item(weights, i) / sum_of_weights)
        return number

    return nodes


def _residuals(term):
    @njit_no_refcount
    def residuals(t, n1, n2, number, scratch, out):
        """Write x and what f leaves over a line in it, with the moments of both."""
        counts, weights, xs, rs = scratch[0], scratch[1], scratch[2], scratch[3]
        expected = t * n1 / (n1 + n2)
        mean = 0.0
        for i in range(number):
            c = item(counts, i)
            value = term(c / n1, (t - c) / n2)
            set_item(xs, i, c - expected)
            set_item(rs, i, value)
            mean += item(weights, i) * value
        square = covariance = 0.0
        for i in range(number):
            w, x = item(weights, i), item(xs, i)
            square += w * x * x
            covariance += w * x * (item(rs, i) - mean)
        slope = covariance / square if square > 0.0 else 0.0
        residual = cube = square_linear = linear_square = linear_cube = 0.0
        for i in range(number):
            w, x = item(weights, i), item(xs, i)
            r = item(rs, i) - mean - slope * x
            set_item(rs, i, r)
            residual += w * r * r
            cube += w * r * r * r
            square_linear += w * r * r * x
            linear_square += w * r * x * x
            linear_cube += w * x * x * x
        set_item(out, MEAN, mean)
        set_item(out, SLOPE, slope)
        set_item(out, LINEAR, square)
        set_item(out, RESIDUAL, residual)
        set_item(out, CUBE, cube)
        set_item(out, SQUARE_LINEAR, square_linear)
        set_item(out, LINEAR_SQUARE, linear_square)
        set_item(out, LINEAR_CUBE, linear_cube)

    return residuals


def _shares():
    @njit_no_refcount
    def shares(t, n1, n2, number, scratch, out):
        """Write, for each degree, the coefficient of f times what other categories see of it."""
        weights, xs, rs, before, now = scratch[1], scratch[2], scratch[3], scratch[4], scratch[5]
        total = n1 + n2
        for j in range(ORDERS):
            set_item(out, SHARED + j, 0.0)
        highest = minimum(minimum(t, total - t), minimum(n1, n2))
        deviation = math.sqrt(item(out, LINEAR))
        left = all_of_it = item(out, RESIDUAL)
        if highest < 2.0 or not all_of_it > 0.0:
            return
        for i in range(number):
            set_item(before, i, 1.0)
            set_item(now, i, item(xs, i) / deviation)
        below, factor, degree = 1.0, t / (total - t), 1.0
        while degree < highest and degree <= ORDERS:
            factor *= (t - degree) / (total - t - degree)
            if factor * left <= ENOUGH * all_of_it:
                break
            centre = 0.0
            for i in range(number):
                p = item(now, i)
                centre += item(weights, i) * p * p * item(xs, i)
            centre /= deviation
            norm = 0.0
            for i in range(number):
                p = item(now, i)
                following = (item(xs, i) / deviation - centre) * p - below * item(before, i)
                set_item(before, i, p)
                set_item(now, i, following)
                norm += item(weights, i) * following * following
            below = math.sqrt(norm)
            coefficient = 0.0
            for i in range(number):
                p = item(now, i) / below
                set_item(now, i, p)
                coefficient += item(weights, i) * p * item(rs, i)
            set_item(out, SHARED + int(degree) - 1, coefficient * math.sqrt(factor))
            left -= coefficient * coefficient
            degree += 1.0

    return shares


def _moments(nodes, residuals, shares):
    @njit_no_refcount
    def moments(t, n1, n2, scratch, out):
        """Write what is known of a category with t observations."""
        number = nodes(t, n1, n2, scratch[0], scratch[1])
        residuals(t, n1, n2, number, scratch, out)
        shares(t, n1, n2, number, scratch, out)

    return moments
