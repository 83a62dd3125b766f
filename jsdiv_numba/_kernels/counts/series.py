"""What a category with many observations contributes: f in powers of c, and their exact moments.

With m = t·n1/N, the expected number in the smaller sample, x = c - m and y = x/m,

    f(c) = t/N·Σ_k φ_k·y^k,   φ_k = (-1)^k·(1 + (-n1/n2)^k - 2·(½ - ½·n1/n2)^k) / (2k(k - 1)).

In the polynomials that are orthogonal under w, Hahn's, a multiplication by x is a matrix of three
diagonals, which are known in closed form: so Horner's rule gives the coefficients of f in them,
and of f times another function. The first has degree 0, and its coefficient is E f.

With a matrix of SIZE, E y^k is right for k < 2·SIZE, as in Gauss' quadrature: so many powers are
taken. What they leave of f is below t/N·|y|^(2·SIZE)/SIZE for any c: docs/mathematics.md has the
proof.
"""

import math
from functools import cache
from types import SimpleNamespace

from ..codegen.intrinsics import (
    fma,
    item,
    load_noalias,
    maximum,
    njit_no_refcount,
    noinline,
    set_item,
    store2_noalias,
    store_noalias,
)
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
from .recurrence import centre, skew, square

EXPECTED = 48.0
"""Observations that the smaller sample is expected to have at least."""

SPREADS, SIZES = (1.0 / 320.0, 1.0 / 1500.0), (10, 8)
"""Up to such a variance of y, a matrix of such a size will do: with it, third moments are off by
1e-11 of the deviation of r, cubed."""

SIZE, CLASSES = SIZES[0], len(SIZES)

LANES = 32
"""Categories that are computed together."""

WIDTH = 16
"""A multiple of which they are: two of the widest vectors."""

VECTORS = 8
"""That this takes: two diagonals, a unit vector, the coefficients, two between, what they leave
over a line, and the totals."""

VECTOR_LENGTH = (SIZE + 2) * LANES
"""Numbers of such a vector: a row more on either side is 0."""


@cache
def series_kernels() -> SimpleNamespace:
    """Compile what is known of categories with many observations."""
    return SimpleNamespace(class_of=_class_of(), coefficients=_coefficients(), moments=_moments())


def _class_of():
    @njit_no_refcount
    def class_of(t, n1, n2):
        """Return which of SIZES is for a category, n1 <= n2; CLASSES where the series is slow."""
        total = n1 + n2
        expected = t * (n1 / total)
        spread = (n2 / total) * ((total - t) / total)
        found = CLASSES
        if t < total and expected >= EXPECTED:
            for k in range(CLASSES):
                if spread <= SPREADS[k] * expected:
                    found = k
        return found

    return class_of


def _coefficients():
    @njit_no_refcount
    def coefficients(n1, n2, phi):
        """Write φ_k, for n1 <= n2."""
        ratio = n1 / n2
        half = 0.5 * (1.0 - ratio)
        of_second = of_both = sign = 1.0
        for k in range(2 * SIZE):
            if k < 2:
                set_item(phi, k, 0.0)
            else:
                value = (1.0 + of_second - 2.0 * of_both) / (2.0 * k * (k - 1.0))
                set_item(phi, k, sign * value)
            of_second *= -ratio
            of_both *= half
            sign = -sign

    return coefficients


def _step():
    @njit_no_refcount
    def step(rows, lanes, old, new, diagonal, beside, base, factor):
        """Write the matrix times a vector, and so much of another, for each lane."""
        noinline()
        for row in range(1, rows + 1):
            at = row * LANES
            for lane in range(at, at + lanes):
                value = factor * load_noalias(base, lane)
                before = load_noalias(old, lane - LANES)
                value = fma(load_noalias(beside, lane - LANES), before, value)
                value = fma(load_noalias(diagonal, lane), load_noalias(old, lane), value)
                after = load_noalias(old, lane + LANES)
                store_noalias(new, lane, fma(load_noalias(beside, lane), after, value))

    return step


def _matrix():
    @njit_no_refcount
    def row(j, lanes, n1, n2, totals, diagonal, beside):
        """Write a row of the matrix of y for each category; `beside` leads to the next row."""
        noinline()
        total, share = n1 + n2, n1 / (n1 + n2)
        own, next_one, at = centre(j, total), square(j + 1.0, n1, n2), (int(j) + 1) * LANES
        for lane in range(lanes):
            t = load_noalias(totals, lane)
            expected = t * share
            ways = maximum(t - j, 0.0) * maximum(total - t - j, 0.0)
            b, a = own * skew(t, n1, n2), math.sqrt(next_one * ways)
            store2_noalias(diagonal, beside, at + lane, b / expected, a / expected)

    return row


def _moments():
    step, row = _step(), _matrix()

    @njit_no_refcount
    def matrix(size, lanes, totals, n1, n2, diagonal, beside):
        for j in range(size):
            row(float(j), lanes, n1, n2, totals, diagonal, beside)

    @njit_no_refcount
    def horner(size, known_rows, lanes, phi, base, first, second, diagonal, beside):
        """Write the series, as a function of the matrix, times a vector into the first.

        So many rows of the vector are not 0; each step makes it one more.
        """
        rows, degree = known_rows, 2 * size - 1
        for i in range(LANES, (size + 2) * LANES):
            set_item(first, i, 0.0)
            set_item(second, i, 0.0)
        for i in range(LANES, (rows + 1) * LANES):
            set_item(second, i, item(phi, degree) * item(base, i))
        for k in range(degree - 1, 0, -2):
            rows = min(rows + 1, size)
            step(rows, lanes, second, first, diagonal, beside, base, item(phi, k))
            rows = min(rows + 1, size)
            step(rows, lanes, first, second, diagonal, beside, base, item(phi, k - 1))
        step(size, lanes, second, first, diagonal, beside, base, item(phi, 0))

    return _of_categories(matrix, horner, step)


def _of_categories(matrix, horner, step):
    @njit_no_refcount
    def written(size, lane, t, n1, n2, values, times_x, times_f, diagonal, beside, out):
        """Write what is known of one category."""
        total = n1 + n2
        expected = t * (n1 / total)
        share = t / total
        first = item(beside, LANES + lane) * expected
        second = item(beside, 2 * LANES + lane) * expected
        deviation = item(diagonal, 2 * LANES + lane) * expected
        mean, slope = item(values, LANES + lane), item(values, 2 * LANES + lane)
        square = cube = linear = 0.0
        for row in range(3, size + 1):
            at = row * LANES + lane
            r = item(values, at)
            square += r * r
            linear += r * item(times_x, at)
            cube += r * item(times_f, at)
        cube -= mean * square + slope / (first / expected) * linear
        set_item(out, MEAN, share * mean)
        set_item(out, SLOPE, share * slope / first)
        set_item(out, LINEAR, first * first)
        set_item(out, RESIDUAL, share * share * square)
        set_item(out, CUBE, share * share * share * cube)
        set_item(out, SQUARE_LINEAR, share * share * linear * expected)
        set_item(out, LINEAR_SQUARE, share * item(values, 3 * LANES + lane) * first * second)
        set_item(out, LINEAR_CUBE, first * first * deviation)
        factor = t / (total - t)
        for j in range(ORDERS):
            left = total - t - (j + 1.0)
            factor = factor * (t - (j + 1.0)) / left if left > 0.0 else 0.0
            value = share * item(values, (j + 3) * LANES + lane)
            set_item(out, SHARED + j, value * math.sqrt(factor))

    @njit_no_refcount
    def moments(kind, places, n1, n2, room):
        """Write what is known of categories of one class, up to LANES, by their totals' places."""
        number, totals, found = places.size, room.totals, room.found
        phi, vectors = room.powers, room.vectors
        diagonal, beside, base, values = vectors[0], vectors[1], vectors[2], vectors[3]
        first, second, rest, ts = vectors[4], vectors[5], vectors[6], vectors[7]
        size, lanes = SIZES[kind], (number + WIDTH - 1) & -WIDTH
        for lane in range(lanes):
            # The last ones are filled up with a category that is there.
            set_item(ts, lane, float(item(totals, places[min(lane, number - 1)])))
            set_item(base, LANES + lane, 1.0)
        matrix(size, lanes, ts, n1, n2, diagonal, beside)
        horner(size, 1, lanes, phi, base, values, second, diagonal, beside)
        for i in range(LANES, (size + 2) * LANES):
            set_item(rest, i, 0.0 if i < 3 * LANES else item(values, i))
        horner(size, size, lanes, phi, rest, first, second, diagonal, beside)
        step(size, lanes, rest, second, diagonal, beside, base, 0.0)
        for lane in range(number):
            place = places[lane]
            t = item(ts, lane)
            written(size, lane, t, n1, n2, values, second, first, diagonal, beside, found[place])

    return moments
