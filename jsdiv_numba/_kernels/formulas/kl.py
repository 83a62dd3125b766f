"""The mathematics of the logarithm of a ratio: the terms of KL and of the entropy.

`kl_formulas(precision)` compiles it for one precision. With k a whole number
that is 0 where p and q are within a factor of about two, and p' = p·2^-k near q,

    log(p/q) = k·ln 2 + 2·atanh(v),  v = (p' - q)/(p' + q).

Terms p·log(p/q) of both signs cancel in a sum. What a row adds up instead is

    excess(p, q) = p·log(p/q) - p + q >= 0,

and Σp - Σq apart. When k = 0, the excess's own first-order parts combine exactly:

    p·2v - (p - q) = (p - q)·v >= 0.

The entropy's term is -p·log(p/1), without a cancellation of its own.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    bits_of,
    float_of,
    float_of_multiple,
    fma,
    maximum,
    minimum,
    njit_inline,
    polynomial,
    where,
)
from ..codegen.precision import Precision
from .js import chains_of, scalar_formulas


@cache
def kl_formulas(precision: Precision) -> SimpleNamespace:
    """Compile the formulas for one precision."""
    ratio_parts, lone_scale = _ratio_parts(precision), _lone_scale(precision)
    full_ratio_parts = _full_ratio_parts(ratio_parts, lone_scale)
    log_of = _log_of(precision)
    excess_from = _excess_from(precision)
    kl_term = _kl_term(precision, full_ratio_parts, log_of)
    return SimpleNamespace(
        ratio_parts=ratio_parts,
        full_ratio_parts=full_ratio_parts,
        log_of=log_of,
        excess=_excess(ratio_parts, excess_from),
        excess_of=_excess_of(precision, ratio_parts, excess_from),
        scaled_excess=_scaled_excess(precision, full_ratio_parts, excess_from),
        kl_term=kl_term,
        entropy_term=_entropy_term(precision, kl_term),
        kl_gradient=_kl_gradient(precision, full_ratio_parts, log_of),
        entropy_gradient=_entropy_gradient(precision, full_ratio_parts, log_of),
        minus_p_log_p=_minus_p_log_p(precision, ratio_parts, log_of),
        scaled_entropy=_scaled_entropy(precision, full_ratio_parts, log_of),
    )


def _ratio_parts(precision):
    Float, Int = precision.Float, precision.Int
    sign, exponent_bits = Int(8 * Float(0).itemsize - 1), Int(-(1 << precision.mantissa))
    fraction, smallest = Int((1 << precision.mantissa) - 1), np.finfo(Float).tiny

    @njit_inline
    def ratio_parts(p, q):
        """Return k·2^mantissa, what p·2^-k exceeds q by, and what both add up to.

        Such a k need not be shifted out of the exponent's place.
        Where p or q is 0 or subnormal they are finite nonsense, unless both are 0.
        """
        bits = bits_of(p)
        # Int() at every step: Numba would widen int32 to int64, at half the speed.
        difference = Int(bits - bits_of(q))
        towards_zero = Int(difference + Int(Int(difference >> sign) & fraction))
        k = Int(towards_zero & exponent_bits)
        reduced = float_of(Int(bits - k))
        return float_of_multiple(k), reduced - q, maximum(reduced + q, smallest)

    return ratio_parts


def _lone_scale(precision):
    Float = precision.Float
    tiny, huge = np.finfo(Float).tiny, Float(2.0**precision.huge)
    scale_up, scale_down, one = Float(2.0**64), Float(2.0**-64), Float(1)
    exponent = Float(64 * 2.0**precision.mantissa)

    @njit_inline
    def lone_scale(x):
        """Return a power of two that brings x to where `ratio_parts` holds, and its logarithm.

        The latter in k's unit.
        """
        scale = where(x < tiny, scale_up, where(x > huge, scale_down, one))
        return scale, where(x < tiny, exponent, where(x > huge, -exponent, Float(0)))

    return lone_scale


def _full_ratio_parts(ratio_parts, lone_scale):
    @njit_inline
    def full_ratio_parts(p, q):
        """Return the same for any p and q > 0."""
        p_scale, p_exponent = lone_scale(p)
        q_scale, q_exponent = lone_scale(q)
        k, difference, total = ratio_parts(p * p_scale, q * q_scale)
        return k - p_exponent + q_exponent, difference, total

    return full_ratio_parts


def _tail(precision):
    return polynomial([precision.Float(c) for c in precision.ratio], chains_of(precision))


def _log_of(precision):
    ln2_per_ulp, tail = precision.Float(np.log(2) / 2.0**precision.mantissa), _tail(precision)

    @njit_inline
    def log_of(k, v):
        """Return k·ln 2 + 2·atanh(v), given k·2^mantissa."""
        vv = v * v
        return fma(k, ln2_per_ulp, fma((v + v) * vv, tail(vv), v + v))

    return log_of


def _excess_from(precision):
    Float = precision.Float
    ln2, zero, tail = Float(np.log(2)), Float(0), _tail(precision)
    ulp = Float(2.0**-precision.mantissa)

    @njit_inline
    def excess_from(k, v, p, d, difference):
        """Return p·log(p/q) - p + q, given p - q as it is and as it is of the rounded numbers.

        Where k = 0, the first serves. Elsewhere the second, which errs as q does in the logarithm.
        """
        vv = v * v
        # The logarithm would be rounded before most of it cancels.
        twice = p + p
        far = fma(twice, v, fma(p * (k * ulp), ln2, -difference))
        leading = where(k == zero, d * v, far)
        return fma(twice * (v * vv), tail(vv), leading)

    return excess_from


def _excess(ratio_parts, excess_from):
    @njit_inline
    def excess(p, q):
        """Return the excess of p, q >= 0 that need no scaling, both possibly 0."""
        k, difference, total = ratio_parts(p, q)
        return excess_from(k, difference / total, p, difference, p - q)

    return excess


def _excess_of(precision, ratio_parts, excess_from):
    zero = precision.Float(0)

    @njit_inline
    def excess_of(p, q, d):
        """Return the same, given what p - q is more precisely."""
        k, difference, total = ratio_parts(p, q)
        return excess_from(k, where(k == zero, d, difference) / total, p, d, p - q)

    return excess_of


def _scaled_excess(precision, full_ratio_parts, excess_from):
    Float = precision.Float
    zero, infinity, nan = Float(0), Float(np.inf), Float(np.nan)
    scale_up_of = scalar_formulas(precision).scale_up_of

    @njit_inline
    def scaled_excess(p, q):
        """Return a power of two, and times it the excess of any p, q >= 0 and p - q."""
        scale = scale_up_of(maximum(p, q))
        k, difference, total = full_ratio_parts(p, q)
        d = p * scale - q * scale
        excess = excess_from(k, difference / total, p * scale, d, d)
        excess = where(q > zero, excess, where(p > zero, infinity, zero))
        return scale, where(maximum(p, q) < infinity, excess, nan), d

    return scaled_excess


def _kl_term(precision, full_ratio_parts, log_of):
    Float = precision.Float
    zero, infinity, nan = Float(0), Float(np.inf), Float(np.nan)

    @njit_inline
    def kl_term(p, q):
        """Return p·log(p/q) for any p and q, inf for q = 0 < p.

        NaN for negative, infinite or NaN.
        """
        a, b = abs(p), abs(q)  # -0 is 0
        k, difference, total = full_ratio_parts(a, b)
        # Adding 0 makes 0 of -0.
        value = a * log_of(k, difference / total) + zero
        value = where(b == zero, where(a > zero, infinity, a), value)
        value = where(maximum(a, b) == infinity, nan, value)
        return where(minimum(p, q) < zero, nan, value)

    return kl_term


def _entropy_term(precision, kl_term):
    zero, one = precision.Float(0), precision.Float(1)

    @njit_inline
    def entropy_term(p, _):
        """Return -p·log(p) for any p: NaN for negative, infinite or NaN."""
        return zero - kl_term(p, one)

    return entropy_term


def _kl_gradient(precision, full_ratio_parts, log_of):
    Float = precision.Float
    zero, one, infinity = Float(0), Float(1), Float(np.inf)

    @njit_inline
    def kl_gradient(p, q, cotangent):
        """Return the term's derivatives, log(p/q) + 1 and -p/q, times a number, 0 where that is.

        Where p and q are 0, they are those of p = q.
        """
        a, b = abs(p), abs(q)
        k, difference, total = full_ratio_parts(a, b)
        in_p, in_q = log_of(k, difference / total) + one, -(a / b)
        in_p = where(b == zero, where(a == zero, one, infinity), where(a == zero, -infinity, in_p))
        in_q = where(b == zero, where(a == zero, -one, -infinity), in_q)
        ignored = cotangent == zero
        return where(ignored, zero, in_p * cotangent), where(ignored, zero, in_q * cotangent)

    return kl_gradient


def _entropy_gradient(precision, full_ratio_parts, log_of):
    Float = precision.Float
    zero, one, infinity = Float(0), Float(1), Float(np.inf)

    @njit_inline
    def entropy_gradient(p, cotangent):
        """Return the term's derivative, -log(p) - 1, times a number, 0 where that is."""
        k, difference, total = full_ratio_parts(abs(p), one)
        slope = where(p == zero, infinity, -(log_of(k, difference / total) + one))
        return where(cotangent == zero, zero, slope * cotangent)

    return entropy_gradient


def _minus_p_log_p(precision, ratio_parts, log_of):
    one = precision.Float(1)

    @njit_inline
    def minus_p_log_p(p):
        """Return -p·log(p) for p >= 0 that needs no scaling."""
        k, difference, total = ratio_parts(p, one)
        return -p * log_of(k, difference / total)

    return minus_p_log_p


def _scaled_entropy(precision, full_ratio_parts, log_of):
    one, infinity, nan = precision.Float(1), precision.Float(np.inf), precision.Float(np.nan)
    scale_up_of = scalar_formulas(precision).scale_up_of

    @njit_inline
    def scaled_entropy(p):
        """Return a power of two, and times it -p·log(p), for any p >= 0."""
        scale = scale_up_of(p)
        k, difference, total = full_ratio_parts(p, one)
        entropy = -(p * scale) * log_of(k, difference / total)
        return scale, where(p < infinity, entropy, nan)

    return scaled_entropy
