"""The features of `JensenShannonSampler`, derived and proven: ``python -m tests.feature_map``.

Of p and q with ω = log(p/q), y = ω/2, a term is √(pq)·D(y), and half the squared distance of
their features √(pq)·N(y):

    D(y) = y·sinh(y) - cosh(y)·log(cosh(y))
    N(y) = ln 2·(cosh(y) - 1) + Σ aⱼ·(1 - cos(2λⱼy))

so that no term, nor any sum of them, has a larger relative error than |N/D - 1|. A term of which
one side is 0 has none, because a₀ + Σ aⱼ = ln 2. Both functions are even: y >= 0.

The best coefficients are those at which N/D - 1 has 2J + 1 extrema of one size and alternating
signs, one of them in 0: found by Newton's method, then rounded to `DECIMALS`.

The proof encloses N/D in python-flint's balls, which hold true values, all rounding included: near
0 by Taylor polynomials of N/y² and D/y² with their remainders, then on short intervals by one
of N/D, and from `LAST` on by |N/D - 1| <= 2/(cosh(y) - 1). That is because N - D is the difference
of two positive definite functions of ω which are ln 2 in 0, and no larger anywhere; so that
D >= ln 2·(cosh(y) - 1), too.
"""

from collections.abc import Iterator
from math import inf, nextafter

from flint import arb, arb_series, ctx
from mpmath import cos, cosh, diff, findroot, log, lu_solve, matrix, mp, mpf, norm, sign, sin, sinh

from jsdiv_numba._core.feature_map import MAPS, FeatureMap

DECIMALS = 7
STARTS = {
    1: ((0.55,), (0.24,)),
    2: ((0.381, 0.98), (0.31, 0.0325)),
    3: ((0.3165, 0.7225, 1.3605), (0.3227, 0.0637, 0.00594)),
}
"""Frequencies and weights from which Newton's method finds the best."""

FIRST, LAST, WIDTH = 0.25, 12.0, 1 / 256
NEAR_ORDER, ORDER = 16, 4
"""Of Taylor polynomials in 0, and in the middle of an interval."""


def exact(y: mpf) -> mpf:
    """D, of mpmath's numbers."""
    return y * sinh(y) - cosh(y) * log(cosh(y))


def deviation(y: mpf, frequencies: list[mpf], weights: list[mpf]) -> mpf:
    """N/D - 1."""
    waves = sum(a * (1 - cos(2 * k * y)) for k, a in zip(frequencies, weights, strict=True))
    return (log(mpf(2)) * (cosh(y) - 1) + waves) / exact(y) - 1


def extrema(frequencies: list[mpf], weights: list[mpf]) -> list[mpf]:
    """Where N/D - 1 has its extrema: in 0, or as near as its quotient allows, and beyond."""

    def value(y: mpf) -> mpf:
        return deviation(y, frequencies, weights)

    grid = [mpf("1e-6"), *(mpf(i) / 16 for i in range(1, 160))]
    values = list(map(value, grid))
    found = grid[:1]
    for i in range(1, len(grid) - 1):
        if (values[i] - values[i - 1]) * (values[i + 1] - values[i]) < 0:
            ends = grid[i - 1], grid[i + 1]
            found.append(findroot(lambda y: diff(value, y), ends, solver="anderson", verify=False))
    return found


@mp.workdps(30)
def derived(steps: int) -> tuple[list[mpf], list[mpf]]:
    """The best frequencies and weights."""
    frequencies, weights = ([mpf(x) for x in given] for given in STARTS[steps])
    while True:
        places = extrema(frequencies, weights)
        errors = [deviation(y, frequencies, weights) for y in places]
        if len(places) != 2 * steps + 1:
            raise ValueError(f"{len(places)} extrema of {steps} cosines")
        # Unknown are changes of all, and the size of the extrema.
        equations = matrix(len(places), len(places))
        for i, (y, error) in enumerate(zip(places, errors, strict=True)):
            for j, (k, a) in enumerate(zip(frequencies, weights, strict=True)):
                equations[i, j] = 2 * a * y * sin(2 * k * y) / exact(y)
                equations[i, steps + j] = (1 - cos(2 * k * y)) / exact(y)
            equations[i, 2 * steps] = -sign(error)
        change = lu_solve(equations, -matrix(errors))[: 2 * steps]
        frequencies = [k + d for k, d in zip(frequencies, change[:steps], strict=True)]
        weights = [a + d for a, d in zip(weights, change[steps:], strict=True)]
        if norm(change) < mpf("1e-12"):
            return frequencies, weights


Series = tuple[arb_series, arb_series]


def _series(y: arb, mapped: FeatureMap, order: int) -> Series:
    """The Taylor coefficients of N and D in a number, or hulls of those in a ball of numbers."""
    at = arb_series([y, 1], prec=order)
    up = at.exp()
    down = 1 / up
    cosine, sine = (up + down) / 2, (up - down) / 2
    waves = (arb(a) * (1 - (2 * arb(k) * at).cos()) for k, a in zip(*mapped[:2], strict=True))
    return sum(waves, arb.const_log2() * (cosine - 1)), at * sine - cosine * cosine.log()


def _polynomial(there: list[arb], everywhere: list[arb], y: arb) -> arb:
    """The value of a function with these coefficients in one point, y away from it."""
    value = everywhere[len(there)]
    for coefficient in reversed(there):
        value = value * y + coefficient
    return value


def _ball(low: float, high: float) -> arb:
    return arb((low + high) / 2, (high - low) / 2)


def _intervals(first: float, last: float) -> Iterator[tuple[float, float]]:
    for k in range(int(first / WIDTH), int(last / WIDTH)):
        yield k * WIDTH, (k + 1) * WIDTH


def _near_errors(mapped: FeatureMap) -> Iterator[arb]:
    """Enclose N/D - 1 up to `FIRST`, by N/y² and D/y²."""
    there = _series(arb(0), mapped, NEAR_ORDER)
    everywhere = _series(_ball(0, FIRST), mapped, NEAR_ORDER + 1)
    (n, d), (wide_n, wide_d) = ([list(each)[2:] for each in both] for both in (there, everywhere))
    difference = [a - b for a, b in zip(n, d, strict=True)]
    wide = [a - b for a, b in zip(wide_n, wide_d, strict=True)]
    for low, high in _intervals(0, FIRST):
        y = _ball(low, high)
        yield _polynomial(difference, wide, y) / _polynomial(d, wide_d, y)


def _far_errors(mapped: FeatureMap) -> Iterator[arb]:
    """Enclose N/D - 1 from `FIRST` to `LAST`."""
    for low, high in _intervals(FIRST, LAST):
        n, d = _series(arb((low + high) / 2), mapped, ORDER)
        wide_n, wide_d = _series(_ball(low, high), mapped, ORDER + 1)
        quotient, wide = n / d - 1, wide_n / wide_d
        yield _polynomial(list(quotient), list(wide), _ball(-WIDTH / 2, WIDTH / 2))


def proven_error(mapped: FeatureMap) -> float:
    """A number that the relative error does not exceed."""
    cap, ctx.cap = ctx.cap, NEAR_ORDER + 1
    try:
        with ctx.workprec(128):
            beyond = 2 / (arb(LAST).cosh() - 1)
            errors = [*_near_errors(mapped), *_far_errors(mapped), beyond]
            return nextafter(float(max(error.abs_upper() for error in errors)), inf)
    finally:
        ctx.cap = cap


if __name__ == "__main__":
    for steps, mapped in MAPS.items():
        frequencies, weights = derived(steps)
        print(f"{steps}: {2 * steps + 1} features an entry")
        print("  frequencies", *(mp.nstr(k, 12) for k in frequencies))
        print("  weights    ", *(mp.nstr(a, 12) for a in (log(mpf(2)) - sum(weights), *weights)))
        print(f"  error       {proven_error(mapped):.6e} at most, as they are kept")
