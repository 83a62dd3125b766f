"""The term's derivatives, ½·log(2p/s) and ½·log(2q/s) with s = p + q."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..codegen.intrinsics import bits_of, maximum, minimum, njit_inline, where
from ..codegen.precision import Precision
from .js import scalar_formulas, term_over


@cache
def gradient_formulas(precision: Precision) -> SimpleNamespace:
    """Compile the formulas for one precision."""
    formulas, by_side = scalar_formulas(precision), _by_side(precision)
    one_for_zero = _one_for_zero(precision)
    all_slopes = _all_slopes(precision, by_side, one_for_zero)
    # As in the term, which then shares the device's divisions.
    device_slopes = _all_slopes(precision, by_side, formulas.at_least_normal)
    plain_slopes = _plain_slopes(precision, all_slopes)
    slopes, weighted = _slopes(precision, by_side), _weighted(precision)
    return SimpleNamespace(
        all_plain=precision.Int(0),
        plain_slopes=plain_slopes,
        # From the slopes' denominator, so that both share their divisions.
        term_beside_slopes=term_over(one_for_zero, formulas.term_of),
        plain_gradient=_plain_gradient(plain_slopes, weighted),
        device_gradient=_device_gradient(precision, device_slopes, weighted),
        gradient=_gradient(slopes, weighted),
    )


def unconditional(precision: Precision, gradient: Any) -> SimpleNamespace:
    """Return the formulas of a gradient that has no fast path for plain numbers."""

    @njit_inline
    def plain_gradient(p, q, cotangent, plain, *weights):
        in_p, in_q = gradient(p, q, cotangent, *weights)
        return in_p, in_q, plain

    return SimpleNamespace(
        all_plain=precision.Int(0), plain_gradient=plain_gradient, gradient=gradient
    )


def _by_side(precision):
    zero, infinity = precision.Float(0), precision.Float(np.inf)

    @njit_inline
    def by_side(p, q, lesser, greater):
        """Return the derivatives in p and in q, given those in the lesser and the greater.

        At p = 0 < q the first is -inf. Where both are 0, there is no derivative,
        and 0 is returned: of all planes that touch the term from below, the level one.
        """
        lesser = where(minimum(p, q) == zero, -infinity, lesser)
        return where(p < q, lesser, greater), where(q < p, lesser, greater)

    return by_side


def _one_for_zero(precision):
    zero, one = precision.Float(0), precision.Float(1)

    @njit_inline
    def one_for_zero(s):
        return where(s == zero, one, s)

    return one_for_zero


def _all_slopes(precision, by_side, denominator):
    formulas = scalar_formulas(precision)
    half_log_lesser, half_log_greater = formulas.half_log_lesser, formulas.half_log_greater

    @njit_inline
    def all_slopes(p, q):
        """Return the derivatives in p, q >= 0 that are neither subnormal nor huge."""
        s, d, m = denominator(p + q), abs(p - q), minimum(p, q)
        return by_side(p, q, half_log_lesser(s, d, m + m), half_log_greater(s, d))

    return all_slopes


def _plain_slopes(precision, all_slopes):
    Float, Int = precision.Float, precision.Int
    one, normal = Int(1), Int(np.finfo(Float).tiny.view(Int))
    huge = Int(Float(2.0**precision.huge).view(Int))

    @njit_inline
    def plain_slopes(p, q, plain):
        """Return the derivatives in p, q >= 0, and `plain`, negative now if these are nonsense.

        That is where either is subnormal, huge or NaN; where one is 0, the other may be.
        """
        least, most = bits_of(minimum(p, q)), bits_of(maximum(p, q))
        subnormal = Int(Int(least - normal) & ~Int(least - one))
        in_p, in_q = all_slopes(p, q)
        return in_p, in_q, Int(plain | Int(subnormal | Int(huge - most)))

    return plain_slopes


def _slopes(precision, by_side):
    Float = precision.Float
    formulas = scalar_formulas(precision)
    half_log_lesser, half_log_greater = formulas.half_log_lesser, formulas.half_log_greater
    smallest, zero, one = np.finfo(Float).tiny, Float(0), Float(1)
    tiny, huge = Float(2.0**precision.tiny), Float(2.0**precision.huge)
    # Numbers that are nearly equal are never on both sides of what scales one of them alone.
    little = Float(2.0 ** (precision.tiny + 30))
    # Lowered beside a huge number, such a one would be subnormal.
    small = max(tiny, Float(2.0**64) * np.finfo(Float).tiny)
    scale_up, lower = Float(2.0**precision.scale_up), Float(2.0**-64)
    scaled_up, scaled_down = Float(precision.scale_up), Float(-64)

    @njit_inline
    def slopes(p, q):
        """Return the derivatives in any p, q >= 0.

        A ratio does not change when both are scaled; the lesser is scaled more where it needs it.
        """
        m, M = minimum(p, q), maximum(p, q)
        is_huge, is_tiny = huge < M, little > M
        is_small = where(is_huge, small, tiny) > m
        scale = where(is_huge, lower, where(is_tiny, scale_up, one))
        scaled = where(is_huge, scaled_down, where(is_tiny, scaled_up, zero))
        s, d = maximum(p * scale + q * scale, smallest), abs(p - q) * scale
        x = m * where(is_small, scale_up, scale)
        lesser = half_log_lesser(s, d, x + x, where(is_small, scaled_up, scaled) - scaled)
        return by_side(p, q, lesser, half_log_greater(s, d))

    return slopes


def _weighted(precision):
    zero = precision.Float(0)

    @njit_inline
    def weighted(in_p, in_q, cotangent):
        """Return the products, 0 where the cotangent is 0, infinite or not."""
        ignored = cotangent == zero
        return where(ignored, zero, in_p * cotangent), where(ignored, zero, in_q * cotangent)

    return weighted


def _plain_gradient(plain_slopes, weighted):
    @njit_inline
    def plain_gradient(p, q, cotangent, plain):
        """Return the derivatives times a number, and `plain` as before."""
        in_p, in_q, plain = plain_slopes(abs(p), abs(q), plain)
        in_p, in_q = weighted(in_p, in_q, cotangent)
        return in_p, in_q, plain

    return plain_gradient


def _device_gradient(precision, all_slopes, weighted):
    Float, Int = precision.Float, precision.Int
    one, normal = Int(1), Int(np.finfo(Float).tiny.view(Int))
    huge = Int(Float(2.0**precision.huge).view(Int))

    @njit_inline
    def refused(p, q):
        """Return a negative number where either is negative, subnormal, huge or NaN."""
        a, b = bits_of(p), bits_of(q)
        least = minimum(a, b)
        subnormal = Int(Int(least - normal) & ~Int(least - one))
        return Int(Int(Int(a | b) | subnormal) | Int(Int(huge - a) | Int(huge - b)))

    @njit_inline
    def device_gradient(p, q, cotangent):
        """Return the derivatives times a number, and a negative number if they are nonsense."""
        in_p, in_q = all_slopes(p, q)
        in_p, in_q = weighted(in_p, in_q, cotangent)
        return in_p, in_q, Float(refused(p, q))

    return device_gradient


def _gradient(slopes, weighted):
    @njit_inline
    def gradient(p, q, cotangent):
        """Return the derivatives times a number, for any p and q."""
        in_p, in_q = slopes(abs(p), abs(q))
        return weighted(in_p, in_q, cotangent)

    return gradient
