"""What each measure adds up over a row; the loops over rows and columns are the same for all."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..codegen.intrinsics import bits_of, maximum, njit_inline, where
from ..codegen.precision import FLOAT64, Precision
from ..formulas.js import scalar_formulas
from ..formulas.kl import kl_formulas
from ..formulas.skewed import mixture, skewed_formulas


class Summand(NamedTuple):
    """One measure's part in a loop: compiled formulas of two elements p, q >= 0.

    A sum over one row alone has that row for both. What a loop is given beside the
    rows, such as weights, it hands on to each.
    """

    term: Any
    """What is added up, for elements that need no scaling."""

    bits: Any
    """The bits of the elements, as an integer; negative where `term` does not hold."""

    mass: Any
    """Their sum; infinite where `term` does not hold."""

    scaled_up: Any
    """In float64 and for any elements: a power of two, what is added up times it, and what is
    added up apart times it."""

    with_gap: bool = False
    """Whether p - q is added up apart: the sum is then that of both."""

    has_infinite: bool = False
    """Whether a term is infinite where q alone is 0, which rows are then searched for first."""

    is_weighted: bool = False
    """Whether there are weights, which may make a term of any elements tiny."""


@cache
def js_summand(precision: Precision) -> Summand:
    """Return the term of the Jensen-Shannon divergence."""
    wide = scalar_formulas(FLOAT64)
    wide_term, scale_up_of = wide.term, wide.scale_up_of

    @njit_inline
    def scaled_up(p, q):
        scale_up = scale_up_of(maximum(p, q))
        return scale_up, wide_term(p * scale_up, q * scale_up), 0.0

    @njit_inline
    def mass(p, q):
        return p + q

    # Of rows with a NaN, the bits tell.
    term = scalar_formulas(precision).term_of_numbers
    return Summand(term, _bits(precision), mass, scaled_up)


@cache
def entropy_summand(precision: Precision) -> Summand:
    """Return -p·log(p)."""
    minus_p_log_p = kl_formulas(precision).minus_p_log_p
    scaled_entropy = kl_formulas(FLOAT64).scaled_entropy

    @njit_inline
    def term(p, _q):
        return minus_p_log_p(p)

    @njit_inline
    def bits(p, _q):
        return bits_of(p)

    @njit_inline
    def mass(p, _q):
        return p

    @njit_inline
    def scaled_up(p, _q):
        scale, entropy = scaled_entropy(p)
        return scale, entropy, 0.0

    return Summand(term, bits, mass, scaled_up)


@cache
def excess_summand(precision: Precision) -> Summand:
    """Return p·log(p/q) - p + q, whose sum is that of p·log(p/q) where Σp = Σq."""
    scaled_excess = kl_formulas(FLOAT64).scaled_excess

    @njit_inline
    def scaled_up(p, q):
        scale, excess, _ = scaled_excess(p, q)
        return scale, excess, 0.0

    term, bits, mass = _excess_in_loops(precision)
    return Summand(term, bits, mass, scaled_up)


@cache
def kl_summand(precision: Precision) -> Summand:
    """Return the excess with p - q apart: both added up are the sum of p·log(p/q)."""
    scaled_up = kl_formulas(FLOAT64).scaled_excess
    term, bits, mass = _excess_in_loops(precision)
    return Summand(term, bits, mass, scaled_up, with_gap=True, has_infinite=True)


@cache
def skewed_summand(precision: Precision) -> Summand:
    """Return the term of the skewed divergence, which takes the weights of p and of q."""
    Float, Int = precision.Float, precision.Int
    tiny, zero, infinity = np.finfo(Float).tiny, Float(0), Float(np.inf)
    none, sign = Int(0), np.iinfo(Int).min
    both_bits = _bits(precision)
    full_term = skewed_formulas(FLOAT64).full_term

    @njit_inline
    def bits(p, q, p_weight, q_weight):
        lost = where(maximum(p, q) > zero, Int(sign), none)
        lost = where(mixture(p, q, p_weight, q_weight) < tiny, lost, none)
        return Int(both_bits(p, q) | lost)

    @njit_inline
    def mass(p, q, p_weight, q_weight):
        lost = where(maximum(p, q) > zero, infinity, zero)
        return where(mixture(p, q, p_weight, q_weight) < tiny, lost, p + q)

    @njit_inline
    def scaled_up(p, q, p_weight, q_weight):
        scale, value = full_term(p, q, p_weight, q_weight)
        return scale, value, 0.0

    return Summand(skewed_formulas(precision).term, bits, mass, scaled_up, is_weighted=True)


def _bits(precision):
    Int = precision.Int

    @njit_inline
    def bits(p, q):
        return Int(bits_of(p) | bits_of(q))

    return bits


def _excess_in_loops(precision):
    Float, Int = precision.Float, precision.Int
    tiny, zero, infinity = np.finfo(Float).tiny, Float(0), Float(np.inf)
    none, sign = Int(0), np.iinfo(Int).min
    both_bits = _bits(precision)

    @njit_inline
    def bits(p, q):
        lone = where(q < tiny, where(p > zero, Int(sign), none), none)
        return Int(both_bits(p, q) | lone)

    @njit_inline
    def mass(p, q):
        return where(q < tiny, where(p > zero, infinity, zero), p + q)

    return kl_formulas(precision).excess, bits, mass
