"""The mathematics of the skewed divergence: weights other than ½ on the two sides.

`skewed_formulas(precision)` compiles it for one precision. With weights α and β that
add up to 1, and m = α·p + β·q,

    term(p, q) = α·p·log(p/m) + β·q·log(q/m) = α·excess(p, m) + β·excess(q, m),

since α·(p - m) + β·(q - m) = 0. Both parts are >= 0. What an excess needs to be
accurate is p - m, and that is β·(p - q), without m: however close p and q are, it has
the relative error of a product.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import bits_of, float_of, maximum, minimum, njit_inline, where
from ..codegen.precision import Precision
from .js import scalar_formulas
from .kl import kl_formulas


@cache
def skewed_formulas(precision: Precision) -> SimpleNamespace:
    """Compile the formulas for one precision."""
    term_of, scales_of = _term_of(precision), _scales_of(precision)
    term, scaled_further = _term(term_of), _scaled_further(precision)
    full_term = _full_term(precision, term, scales_of, scaled_further)
    log_ratio = _log_ratio(precision)
    return SimpleNamespace(
        term_of=term_of,
        term=term,
        scales_of=scales_of,
        scaled_further=scaled_further,
        full_term=full_term,
        skewed_term=_skewed_term(precision, full_term),
        log_ratio=log_ratio,
        skewed_gradient=_skewed_gradient(precision, scales_of, log_ratio),
    )


@njit_inline
def mixture(p, q, p_weight, q_weight):
    """Return m."""
    return p_weight * p + q_weight * q


def _term_of(precision):
    excess_of = kl_formulas(precision).excess_of

    @njit_inline
    def term_of(p, q, d, p_weight, q_weight):
        """Return the term of p, q >= 0, given p - q, and that m is neither subnormal nor huge.

        Or p = q = 0. Swapping both pairs changes no bit. Where a weight is 0, so is the term.
        """
        m = mixture(p, q, p_weight, q_weight)
        of_p = p_weight * excess_of(p, m, q_weight * d)
        return of_p + q_weight * excess_of(q, m, -(p_weight * d))

    return term_of


def _term(term_of):
    @njit_inline
    def term(p, q, p_weight, q_weight):
        """Return the same of p and q alone."""
        return term_of(p, q, p - q, p_weight, q_weight)

    return term


def _scales_of(precision):
    Float, Int = precision.Float, precision.Int
    mantissa = Int(precision.mantissa)
    exponent_bits = Int(int(Float(np.inf).view(Int)))
    bias = Int(int(Float(1).view(Int)) >> precision.mantissa)
    twice_bias = Int(2 * int(Float(1).view(Int)))
    scale_up_of = scalar_formulas(precision).scale_up_of
    scaled_up, scaled_down, zero = Float(precision.scale_up), Float(-64), Float(0)
    one = Float(1)

    @njit_inline
    def scales_of(top):
        """Return a power of two, one that then brings a number to 1..2, its reciprocal, and log2.

        The last is that of the first two together.
        """
        scale_up = scale_up_of(top)
        bits = Int(bits_of(top * scale_up) & exponent_bits)
        exponent = where(scale_up > one, scaled_up, where(scale_up < one, scaled_down, zero))
        exponent = exponent - Float(Int(Int(bits >> mantissa) - bias))
        return scale_up, float_of(Int(twice_bias - bits)), float_of(bits), exponent

    return scales_of


def _scaled_further(precision):
    one, scale = precision.Float(1), precision.Float(2.0**precision.scale_up)
    lowest = precision.Float(2.0 ** (precision.tiny + precision.scale_up))

    @njit_inline
    def scaled_further(scale_up, value, size):
        """Return a power of two, and times it what is, times the first one, a value times a size.

        Beside a small weight, the term of numbers that need no scaling may be subnormal.
        """
        subnormal = where(value * (minimum(size, one) * scale) < lowest, scale, one)
        more = where(scale_up == one, where(size < one, subnormal, one), one)
        return scale_up * more, value * (size * more)

    return scaled_further


def _full_term(precision, term, scales_of, scaled_further):
    infinity, nan = precision.Float(np.inf), precision.Float(np.nan)

    @njit_inline
    def full_term(p, q, p_weight, q_weight):
        """Return a power of two, and times it the term of any p, q >= 0."""
        top = maximum(p, q)
        scale_up, unit, size, _ = scales_of(top)
        value = term(p * scale_up * unit, q * scale_up * unit, p_weight, q_weight)
        scale_up, value = scaled_further(scale_up, value, size)
        return scale_up, where(top < infinity, value, nan)

    return full_term


def _skewed_term(precision, full_term):
    zero, nan = precision.Float(0), precision.Float(np.nan)

    @njit_inline
    def skewed_term(p, q, p_weight, q_weight):
        """Return the term for any p and q: NaN for negative, infinite or NaN."""
        scale_up, value = full_term(abs(p), abs(q), p_weight, q_weight)
        return where(minimum(p, q) < zero, nan, value / scale_up)

    return skewed_term


def _log_ratio(precision):
    Float = precision.Float
    zero, tiny, ulps = Float(0), np.finfo(Float).tiny, Float(2.0**precision.mantissa)
    formulas = kl_formulas(precision)
    full_ratio_parts, log_of = formulas.full_ratio_parts, formulas.log_of

    @njit_inline
    def log_ratio(p, scaled, m, d, exponent):
        """Return log(p/m), given p > 0 and, times 2^exponent, p, m and p - m.

        Where the second is subnormal p stands for it, and k = 0 does not make it near m.
        """
        small = scaled < tiny
        k, difference, total = full_ratio_parts(where(small, p, scaled), m)
        v = where(small, difference, where(k == zero, d, difference)) / total
        return log_of(k + where(small, exponent * ulps, zero), v)

    return log_ratio


def _skewed_gradient(precision, scales_of, log_ratio):
    Float = precision.Float
    zero, infinity = Float(0), Float(np.inf)

    @njit_inline
    def slope(p, q, logarithm, p_weight, q_weight):
        """Return the derivative in p: -inf at p = 0 < q, and 0 at p = q = 0.

        Beside a weight of 0, m is what has the other, which may have no logarithm as it is scaled.
        """
        steep = minimum(q, minimum(p_weight, q_weight)) > zero
        at_0 = where(steep, -infinity, zero)
        flat = minimum(p_weight, q_weight) == zero
        return where(flat, zero, where(p == zero, at_0, p_weight * logarithm))

    @njit_inline
    def skewed_gradient(p, q, cotangent, p_weight, q_weight):
        """Return the derivatives, α·log(p/m) and β·log(q/m), times a number, 0 where that is."""
        a, b = abs(p), abs(q)
        scale_up, unit, _, exponent = scales_of(maximum(a, b))
        x, y = a * scale_up * unit, b * scale_up * unit
        m, d = mixture(x, y, p_weight, q_weight), x - y
        in_p = slope(a, b, log_ratio(a, x, m, q_weight * d, exponent), p_weight, q_weight)
        in_q = slope(b, a, log_ratio(b, y, m, -(p_weight * d), exponent), q_weight, p_weight)
        ignored = cotangent == zero
        return where(ignored, zero, in_p * cotangent), where(ignored, zero, in_q * cotangent)

    return skewed_gradient
