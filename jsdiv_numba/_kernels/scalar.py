"""The mathematics, written once: the term of the divergence and what it is made of.

`scalar_formulas(precision)` compiles it for one precision. With s = p + q,
d = |p - q|, m = min(p, q) and M = max(p, q),

    term(p, q) = ½·[m·log(2m/s) + M·log(2M/s)],

    log(2M/s) = 2·atanh(u),  u = d/(2s + d),
    log(2m/s) = k·ln 2 - 2·atanh(v),  v = (s - m')/(s + m'),  m' = 2m·2^-k.

When k = 0, which is when p and q are close, v = d/(s + m') and the first-order
parts of both logarithms, which would cancel, combine exactly:

    M·u - m·v = s·u·v >= 0.

So no step subtracts nearly equal numbers, and the result is accurate to a few
units in the last place from p = q to p = 0. Nothing branches: it vectorises.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import (
    bits_of,
    float_of,
    fma,
    formula,
    horner,
    maximum,
    minimum,
    quotient,
    where,
)
from .precision import Precision


@cache
def scalar_formulas(precision: Precision) -> SimpleNamespace:
    """Compile the formulas for one precision."""
    greater_ratio = _greater_ratio(precision)
    lesser_ratio = _lesser_ratio(precision, _log_ratio_parts(precision))
    term_of = _term_of(precision, lesser_ratio, greater_ratio)
    term = _term(precision, term_of)
    lift_of = _lift_of(precision)
    exp_parts = _exp_parts(precision)
    return SimpleNamespace(
        term_of=term_of,
        term=term,
        lift_of=lift_of,
        js_term=_js_term(precision, term, lift_of),
        half_log_lesser=_half_log_lesser(precision, lesser_ratio),
        half_log_greater=_half_log_greater(precision, greater_ratio),
        exp=_exp(precision, exp_parts),
        exp_and_rest=_exp_and_rest(precision, exp_parts),
        log2_in_ulps=_log2(precision),
    )


@formula
def exact_sum(x, y):
    """Return x + y and its rounding error, exactly (Knuth's two-sum)."""
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _descending(precision, coefficients):
    return tuple(precision.Float(c) for c in reversed(coefficients))


def _log_ratio_parts(precision):
    Float, Int = precision.Float, precision.Int
    mantissa = Int(precision.mantissa)
    split = Int(int(precision.split * 2**precision.mantissa))

    @formula
    def log_ratio_parts(x, s):
        """Return k as an integer and as a float, and x·2^-k near s, for s > 0.

        Where x is 0 or subnormal the latter is finite nonsense: such an x counts
        only where s is tiny too, and there the caller lifts both.
        """
        bits = bits_of(x)
        # Int() at every step: Numba would widen int32 to int64, at half the speed.
        k = Int(Int(Int(bits - bits_of(s)) + split) >> mantissa)
        reduced = float_of(Int(bits - Int(k << mantissa)))
        return k, Float(k), reduced

    return log_ratio_parts


def _lesser_ratio(precision, log_ratio_parts):
    zero = precision.Int(0)

    @formula
    def lesser_ratio(s, difference, x):
        """Return whether k = 0, k and v, given s, x = 2m and what s - x is without rounding."""
        k, exponent, reduced = log_ratio_parts(x, s)
        near = k == zero
        v = quotient(where(near, difference, s - reduced), s + reduced)
        return near, exponent, v

    return lesser_ratio


def _greater_ratio(precision):
    two = precision.Float(2)

    @formula
    def greater_ratio(s, d):
        """Return u."""
        return quotient(d, fma(two, s, d))

    return greater_ratio


def _term_of(precision, lesser_ratio, greater_ratio):
    half_ln2 = precision.Float(np.log(2) / 2)
    lesser_tail = _descending(precision, precision.lesser)
    greater_tail = _descending(precision, precision.greater)

    @formula
    def term_of(s, d, m, M):
        """Return the term, given s = p + q > 0, |p - q|, min(p, q) and max(p, q)."""
        near, exponent, v = lesser_ratio(s, d, m + m)
        u = greater_ratio(s, d)
        mv, Mu, vv, uu = m * v, M * u, v * v, u * u
        leading = where(near, s * u * v, fma(m, fma(exponent, half_ln2, -v), Mu))
        tails = fma(Mu * uu, horner(uu, greater_tail), leading)
        return fma(-(mv * vv), horner(vv, lesser_tail), tails)

    return term_of


def _term(precision, term_of):
    Float = precision.Float
    smallest = np.nextafter(Float(0), Float(1))

    @formula
    def term(p, q):
        """Return the term of p, q >= 0 that need no lifting, both possibly 0."""
        s = maximum(p + q, smallest)
        return term_of(s, abs(p - q), minimum(p, q), maximum(p, q))

    return term


def _lift_of(precision):
    Float = precision.Float
    tiny, huge = Float(2.0**precision.tiny), Float(2.0**precision.huge)
    lift, lower, one = Float(2.0**precision.lift), Float(2.0**-64), Float(1)

    @formula
    def lift_of(greater):
        """Return the power of two that brings p and q to where `term_of` is accurate."""
        return where(greater > huge, lower, where(greater < tiny, lift, one))

    return lift_of


def _js_term(precision, term, lift_of):
    zero, nan = precision.Float(0), precision.Float(np.nan)

    @formula
    def js_term(p, q):
        """Return the term for any p and q: NaN for negative, infinite or NaN."""
        a, b = abs(p), abs(q)  # -0 is 0, down to its bits
        lift = lift_of(maximum(a, b))
        return where(minimum(p, q) < zero, nan, term(a * lift, b * lift) / lift)

    return js_term


def _half_log_greater(precision, greater_ratio):
    greater_tail = _descending(precision, precision.greater)

    @formula
    def half_log_greater(s, d):
        """Return ½·log(2M/s), the term's derivative in the greater of p and q."""
        u = greater_ratio(s, d)
        uu = u * u
        return fma(u * uu, horner(uu, greater_tail), u)

    return half_log_greater


def _half_log_lesser(precision, lesser_ratio):
    Float = precision.Float
    half_ln2, none = Float(np.log(2) / 2), Float(0)
    lesser_tail = _descending(precision, precision.lesser)

    @formula
    def half_log_lesser(s, d, x, lifted=none):
        """Return ½·log(2m/s) = ½·log(1 - d/s), the term's derivative in the lesser of p and q.

        x is 2m·2^lifted.
        """
        _, exponent, v = lesser_ratio(s, where(lifted == none, d, s - x), x)
        vv = v * v
        return fma(exponent - lifted, half_ln2, -fma(v * vv, horner(vv, lesser_tail), v))

    return half_log_lesser


def _exp_parts(precision):
    Float, Int = precision.Float, precision.Int
    mantissa = Int(precision.mantissa)
    # Its last bits, those of the rounded multiple of ln 2, shift into the exponent's place.
    magic = Float(1.5 * 2**precision.mantissa)
    log2_e, minus_ln2 = Float(1 / np.log(2)), Float(-np.log(2))
    lowest = Float(precision.exp_min)

    @formula
    def exp_parts(x):
        """Return r and k, as the bits to add to a float's, where e^x = e^r·2^k."""
        y = where(x < lowest, lowest, x)
        shifted = fma(y, log2_e, magic)
        r = fma(shifted - magic, minus_ln2, y)
        return r, Int(bits_of(shifted) << mantissa)

    return exp_parts


def _exp(precision, exp_parts):
    Float, Int = precision.Float, precision.Int
    lowest, zero = Float(precision.exp_min), Float(0)
    series = _descending(precision, (1.0, 1.0, *precision.exponential))

    @formula
    def exp(x):
        """Return e^x for x <= 0; 0 where it would be all but subnormal.

        For NaN it is a NaN, but for one whose payload is not 0.
        """
        r, power = exp_parts(x)
        value = float_of(Int(bits_of(horner(r, series)) + power))
        return where(x < lowest, zero, value)

    return exp


def _exp_and_rest(precision, exp_parts):
    Float, Int = precision.Float, precision.Int
    lowest, zero, one = Float(precision.exp_min), Float(0), Float(1)
    bits_of_one = Int(Float(1).view(Int))
    series = _descending(precision, (1.0, *precision.exponential))

    @formula
    def exp_and_rest(x):
        """Return e^x and 1 - e^x for x <= 0, both to their last bits."""
        r, power = exp_parts(x)
        scale = float_of(Int(bits_of_one + power))
        change = r * horner(r, series)
        exponential = where(x < lowest, zero, fma(scale, change, scale))
        return exponential, where(x < lowest, one, fma(-scale, change, one - scale))

    return exp_and_rest


def _log2(precision):
    Float, Int = precision.Float, precision.Int
    unit, exponent_bits = 2.0**precision.mantissa, Int(-(1 << precision.mantissa))
    # Less the bits of 2/3, the exponent bits are those of the reduced number in 2/3 .. 4/3.
    origin = Int(Float(2 / 3).view(Int))
    split, minus_one = Float(precision.log2_split), Float(-1)
    low_centre, high_centre = (Float(centre) for centre in precision.log2_centres)
    low_offset, high_offset = (
        Float(-unit * np.log2(np.longdouble(c))) for c in precision.log2_centres
    )
    tail = _descending(precision, [unit * c for c in precision.log2])

    @formula
    def log2_in_ulps(x):
        """Return log2(x)·2^mantissa for x > 0; a finite number for 0 and for subnormal x.

        In this unit the exponent need not be shifted out of its place.
        """
        bits = bits_of(x)
        k = Int(Int(bits - origin) & exponent_bits)
        reduced = float_of(Int(bits - k))
        low = reduced < split
        f = fma(reduced, where(low, low_centre, high_centre), minus_one)
        return fma(f, horner(f, tail), Float(k) + where(low, low_offset, high_offset))

    return log2_in_ulps
