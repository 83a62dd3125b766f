"""The mathematics, written once: the term of the divergence of J. Lin (1991), and its parts.

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

Where a processor has a logarithm, as GPUs do for float32, the term costs one division:
with z = d/s and x = m/s it is d·z·(1/4 + z²/24 + ...) for z² < 1/2, and for the others, where
it is no longer small, ½·s·[x·log(2x) + (1 - x)·log(2(1 - x))].
"""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    bits_of,
    exp2,
    float_of,
    float_of_multiple,
    fma,
    in_register,
    log2,
    maximum,
    minimum,
    njit_inline,
    polynomial,
    quotient,
    reciprocal,
    where,
)
from ..codegen.precision import FLOAT32, FLOAT64, Precision
from ..target import adds_beside_products, registers, target


@cache
def scalar_formulas(precision: Precision) -> SimpleNamespace:
    """Compile the formulas for one precision."""
    greater_ratio = _greater_ratio(precision)
    lesser_ratio = _lesser_ratio(precision, _log_ratio_parts(precision))
    term_of = _term_of(precision, lesser_ratio, greater_ratio)
    at_least_normal = _at_least_normal(precision)
    term = term_over(at_least_normal, term_of)
    term_of_numbers = _term_of_numbers(at_least_normal, term_of)
    device_term_of = _term_of_by_log2(precision) if precision is FLOAT32 else term_of
    device_term = term_over(at_least_normal, device_term_of) if precision is FLOAT32 else term
    scale_up_of = _scale_up_of(precision)
    exp_parts = _exp_parts(precision)
    log2_in_ulps = _log2(precision, precision.log2)
    return SimpleNamespace(
        at_least_normal=at_least_normal,
        term_of=term_of,
        term=term,
        term_of_numbers=term_of_numbers,
        device_term_of=device_term_of,
        device_term=device_term,
        scale_up_of=scale_up_of,
        js_term=_js_term(precision, term, scale_up_of),
        device_js_term=_js_term(precision, device_term, scale_up_of),
        half_log_lesser=_half_log_lesser(precision, lesser_ratio),
        half_log_greater=_half_log_greater(precision, greater_ratio),
        exp=_exp(precision, exp_parts),
        device_exp=_exp_by_exp2(precision) if precision is FLOAT32 else _exp(precision, exp_parts),
        half_logs_by_log2=_half_log_by_log2(precision) if precision is FLOAT32 else None,
        exp2=_exp2(precision),
        exp_and_rest=_exp_and_rest(precision, exp_parts),
        log2_in_ulps=log2_in_ulps,
        finer_log2_in_ulps=_log2(precision, precision.finer_log2 or precision.log2),
        device_log2=_log2_by_instruction(precision) if precision is FLOAT32 else log2_in_ulps,
    )


@njit_inline
def two_sum(x, y):
    """Return x + y and its rounding error, exactly: Knuth's two-sum.

    D. E. Knuth, The Art of Computer Programming, volume 2, section 4.2.2, theorem B.
    """
    total = x + y
    part = total - x
    return total, (x - (total - part)) + (y - part)


def _polynomial(precision, coefficients, chains=1):
    return polynomial([precision.Float(c) for c in coefficients], chains)


def chains_of(precision):
    """Return 2 where few vectors are in flight and wait for each other's multiply-adds, else 1."""
    return 2 if precision is FLOAT64 and registers(target()).floats < 16 else 1


def _tails(precision):
    """Return the polynomials of the lesser's logarithm and of the greater's."""
    chains = chains_of(precision)
    return (
        _polynomial(precision, precision.lesser, chains),
        _polynomial(precision, precision.greater, chains),
    )


def _log_ratio_parts(precision):
    Int = precision.Int
    split = Int(int(precision.split * 2**precision.mantissa))
    exponent_bits = Int(-(1 << precision.mantissa))

    @njit_inline
    def log_ratio_parts(x, s):
        """Return k·2^mantissa and x·2^-k near s, for s > 0.

        Where x is 0 or subnormal the latter is finite nonsense: such an x counts
        only where s is tiny too, and there the caller scales both up.
        """
        bits = bits_of(x)
        # Int() at every step: Numba would widen int32 to int64, at half the speed.
        k = Int(Int(Int(bits - bits_of(s)) + split) & exponent_bits)
        return k, float_of(Int(bits - k))

    return log_ratio_parts


def _lesser_ratio(precision, log_ratio_parts):
    zero = precision.Int(0)

    @njit_inline
    def lesser_ratio(s, difference, x):
        """Return whether k = 0, k·2^mantissa and v, given s, x = 2m and what s - x is exactly.

        Such a k need not be shifted out of the exponent's place.
        """
        k, reduced = log_ratio_parts(x, s)
        near = k == zero
        v = quotient(where(near, difference, s - reduced), s + reduced)
        return near, float_of_multiple(k), v

    return lesser_ratio


def _greater_ratio(precision):
    two = precision.Float(2)
    # On x86, what adds stands beside what multiplies, which there is more to do for.
    adds = precision is FLOAT64 and adds_beside_products()

    @njit_inline
    def greater_ratio(s, d):
        """Return u."""
        return quotient(d, s + (s + d) if adds else fma(two, s, d))

    return greater_ratio


def _term_of(precision, lesser_ratio, greater_ratio):
    half_ln2_per_ulp = precision.Float(np.log(2) / 2 / 2.0**precision.mantissa)
    lesser_tail, greater_tail = _tails(precision)

    @njit_inline
    def term_of(s, d, m, M):
        """Return the term, given s = p + q > 0, |p - q|, min(p, q) and max(p, q)."""
        near, k, v = lesser_ratio(s, d, m + m)
        u = greater_ratio(s, d)
        mv, Mu, vv, uu = m * v, M * u, v * v, u * u
        leading = where(near, s * u * v, fma(m, fma(k, half_ln2_per_ulp, -v), Mu))
        tails = fma(Mu * uu, greater_tail(uu), leading)
        return fma(-(mv * vv), lesser_tail(vv), tails)

    return term_of


def _at_least_normal(precision):
    # Not a subnormal number: where p = q = 0, the processor would take four times as long.
    smallest = np.finfo(precision.Float).tiny

    @njit_inline
    def at_least_normal(s):
        """Return p + q, or what stands for it where both are 0."""
        return maximum(s, smallest)

    return at_least_normal


def term_over(denominator, term_of):
    """Compile the term of p and q, given what makes p + q fit to divide by."""

    @njit_inline
    def term(p, q):
        """Return the term of p, q >= 0 that need no scaling, both possibly 0."""
        s = denominator(p + q)
        return term_of(s, abs(p - q), minimum(p, q), maximum(p, q))

    return term


def _term_of_numbers(denominator, term_of):
    @njit_inline
    def term_of_numbers(p, q):
        """Return what `term` does, by an operation less; with a NaN, it means nothing."""
        m, M = minimum(p, q), maximum(p, q)
        return term_of(denominator(p + q), M - m, m, M)

    return term_of_numbers


def _term_of_by_log2(precision):
    Float = precision.Float
    smallest, half_ln2, half = np.finfo(Float).tiny, Float(np.log(2) / 2), Float(0.5)
    near_series = _polynomial(precision, precision.near_term)
    far_series = _polynomial(precision, precision.far_term)

    @njit_inline
    def term_of_by_log2(s, d, m, _M):
        """Return what `term_of` does."""
        inverse = reciprocal(s)
        z, x = d * inverse, m * inverse
        w = z * z
        near = (d * z) * near_series(w)
        x_log_x = x * log2(maximum(x, smallest))
        far = s * fma(x_log_x, half_ln2, far_series(x))
        # In this order, because a NaN is in w.
        return where(w >= half, far, near)

    return term_of_by_log2


def _scale_up_of(precision):
    Float = precision.Float
    tiny, huge = Float(2.0**precision.tiny), Float(2.0**precision.huge)
    scale_up, scale_down, one = Float(2.0**precision.scale_up), Float(2.0**-64), Float(1)

    @njit_inline
    def scale_up_of(greater):
        """Return the power of two that brings p and q to where `term_of` is accurate."""
        return where(greater > huge, scale_down, where(greater < tiny, scale_up, one))

    return scale_up_of


def _js_term(precision, term, scale_up_of):
    zero, nan = precision.Float(0), precision.Float(np.nan)

    @njit_inline
    def js_term(p, q):
        """Return the term for any p and q: NaN for negative, infinite or NaN."""
        a, b = abs(p), abs(q)  # -0 is 0, down to its bits
        scale_up = scale_up_of(maximum(a, b))
        return where(minimum(p, q) < zero, nan, term(a * scale_up, b * scale_up) / scale_up)

    return js_term


def _half_log_greater(precision, greater_ratio):
    _, greater_tail = _tails(precision)

    @njit_inline
    def half_log_greater(s, d):
        """Return ½·log(2M/s), the term's derivative in the greater of p and q."""
        u = greater_ratio(s, d)
        uu = u * u
        return fma(u * uu, greater_tail(uu), u)

    return half_log_greater


def _half_log_lesser(precision, lesser_ratio):
    Float, unit = precision.Float, 2.0**precision.mantissa
    half_ln2_per_ulp, none, ulps = Float(np.log(2) / 2 / unit), Float(0), Float(unit)
    lesser_tail, _ = _tails(precision)

    @njit_inline
    def half_log_lesser(s, d, x, scaled_up=none):
        """Return ½·log(2m/s) = ½·log(1 - d/s), the term's derivative in the lesser of p and q.

        x is 2m·2^scaled up.
        """
        _, k, v = lesser_ratio(s, where(scaled_up == none, d, s - x), x)
        vv = v * v
        return fma(k - scaled_up * ulps, half_ln2_per_ulp, -fma(v * vv, lesser_tail(vv), v))

    return half_log_lesser


def _exp_parts(precision):
    Float, Int = precision.Float, precision.Int
    mantissa = Int(precision.mantissa)
    # Its last bits, those of the rounded multiple of ln 2, shift into the exponent's place.
    magic = Float(1.5 * 2**precision.mantissa)
    log2_e, minus_ln2 = Float(1 / np.log(2)), Float(-np.log(2))
    lowest = Float(precision.exp_min)

    @njit_inline
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
    series = _polynomial(precision, (1.0, 1.0, *precision.exponential))

    @njit_inline
    def exp(x):
        """Return e^x for x <= 0; 0 where it would be all but subnormal.

        For NaN it is a NaN, but for one whose payload is not 0.
        """
        r, power = exp_parts(x)
        value = float_of(Int(bits_of(series(r)) + power))
        return where(x < lowest, zero, value)

    return exp


def _exp2(precision):
    Int = precision.Int
    mantissa, magic = Int(precision.mantissa), precision.Float(1.5 * 2**precision.mantissa)
    series = _polynomial(precision, (1.0, *precision.power))

    @njit_inline
    def exp2(x):
        """Return 2^x where it is normal."""
        shifted = x + magic
        value = series(x - (shifted - magic))
        return float_of(Int(bits_of(value) + Int(bits_of(shifted) << mantissa)))

    return exp2


def _exp_by_exp2(precision):
    log2_e = precision.Float(1 / np.log(2))

    @njit_inline
    def exp_by_exp2(x):
        """Return e^x for x <= 0; 0 where it would be subnormal, NaN for NaN.

        It is off by some units in the last place of x: by 10^-6 of it at e^-16.
        """
        return exp2(x * log2_e)

    return exp_by_exp2


def _half_log_by_log2(precision):
    smallest, half_ln2 = np.finfo(precision.Float).tiny, precision.Float(np.log(2) / 2)

    @njit_inline
    def half_logs(p, q):
        """Return ½·log(2p/s) and ½·log(2q/s), to 5·10^-7; of 0, a finite number."""
        inverse = reciprocal(maximum(p + q, smallest))
        return (
            fma(log2(maximum(p * inverse, smallest)), half_ln2, half_ln2),
            fma(log2(maximum(q * inverse, smallest)), half_ln2, half_ln2),
        )

    return half_logs


def _exp_and_rest(precision, exp_parts):
    Float, Int = precision.Float, precision.Int
    lowest, zero, one = Float(precision.exp_min), Float(0), Float(1)
    bits_of_one = Int(Float(1).view(Int))
    series = _polynomial(precision, (1.0, *precision.exponential))

    @njit_inline
    def exp_and_rest(x):
        """Return e^x and 1 - e^x for x <= 0, both to their last bits."""
        r, power = exp_parts(x)
        scale = float_of(Int(bits_of_one + power))
        change = r * series(r)
        exponential = where(x < lowest, zero, fma(scale, change, scale))
        return exponential, where(x < lowest, one, fma(-scale, change, one - scale))

    return exp_and_rest


def _log2_by_instruction(precision):
    smallest = np.finfo(precision.Float).tiny

    @njit_inline
    def log2_by_instruction(x):
        """Return log2(x) for x > 0; a finite number for 0 and for subnormal x."""
        return log2(maximum(x, smallest))

    return log2_by_instruction


def _log2(precision, coefficients):
    Float, Int = precision.Float, precision.Int
    mantissa, unit = precision.mantissa, 2.0**precision.mantissa
    origin = Int(Float(precision.log2_origin).view(Int))
    whole, half = Int(-(1 << mantissa)), Int(1 << mantissa - 1)
    halves, none = Int(-(1 << mantissa - 1)), Int(0)
    one, minus_one = Float(1), Float(-1)
    in_halves, root_half = precision.log2_in_halves, Float(np.sqrt(0.5))
    tail = _polynomial(precision, [unit * c for c in coefficients], chains_of(precision))

    @njit_inline
    def log2_in_ulps(x):
        """Return log2(x)·2^mantissa for x > 0; a finite number for 0 and for subnormal x.

        In this unit the exponent, and a half, need not be shifted out of their place.
        """
        # Less the bits of the origin, the exponent bits are those of the reduced number.
        bits = Int(bits_of(x) - origin)
        reduced = float_of(Int(bits_of(x) - Int(bits & whole)))
        if in_halves:
            centre = where(Int(bits & half) == none, in_register(one), in_register(root_half))
            f = fma(reduced, centre, in_register(minus_one))
            return fma(f, tail(f), float_of_multiple(Int(bits & halves)))
        f = reduced - one
        return fma(f, tail(f), float_of_multiple(Int(bits & whole)))

    return log2_in_ulps
