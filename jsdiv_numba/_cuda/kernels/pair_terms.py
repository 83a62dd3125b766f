"""What each measure adds up over a pair of rows of weights, which are normalised on the fly.

The functions take an entry of each row, and of each row its scale, its sum and what rounding has
left of that; with weights, those of both sides.
"""

import math
from typing import Any

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..._kernels.formulas.kl import kl_formulas
from ..._kernels.rows.normalised import normalised_kernels
from ..._kernels.rows.pair_summands import difference_of, product, skewed_pair_summand
from .. import target
from ..target import device, most


def pair_term(precision: Precision, measure: str) -> Any:
    """Return the term of "js", "skewed" or "kl", for one precision."""
    return {"js": _js, "skewed": _skewed, "kl": _kl}[measure](precision)


def _js(precision):
    scaled_term = target.formula(precision, normalised_kernels(precision).device_scaled_term)

    @device
    def js_term(x, y, p_known, q_known):
        return scaled_term(x, y, p_known, q_known)[0]

    return js_term


def _skewed(precision):
    term = target.formula(precision, skewed_pair_summand(precision).term)

    @device
    def skewed_term(x, y, p_known, q_known, p_weight, q_weight):
        p_scale, p_total, p_rest = p_known
        q_scale, q_total, q_rest = q_known
        of_x, of_y = (q_total, q_rest), (p_total, p_rest)
        return term(abs(x) * p_scale, abs(y) * q_scale, of_x, of_y, p_weight, q_weight)[0]

    return skewed_term


def _kl(precision):
    Float, formulas = precision.Float, kl_formulas(precision)
    excess_of = target.formula(precision, formulas.excess_of)
    kl_term = target.formula(precision, formulas.kl_term)
    product_of = target.formula(precision, product)
    difference = target.formula(precision, difference_of)
    limits, zero, infinity = np.finfo(Float), Float(0), Float(np.inf)
    # Below it, rounding leaves less of a product than there are numbers for.
    lost, smallest = Float(limits.tiny / limits.eps**2), Float(limits.tiny)

    @device
    def kl_excess(x, y, p_known, q_known):
        """Return p·log(p/q) - p + q, inf where q alone is 0."""
        p_scale, p_total, p_rest = p_known
        q_scale, q_total, q_rest = q_known
        a, a_rest = product_of(abs(x) * p_scale, q_total, q_rest)
        b, b_rest = product_of(abs(y) * q_scale, p_total, p_rest)
        if b >= lost:
            return excess_of(a, b, difference(a, b, a_rest, b_rest))
        if y == zero:
            return infinity if x > zero else zero
        # As it is scaled, the second may be subnormal or 0: its logarithm is taken before.
        scaling = Float(math.log(most(q_scale * p_total, smallest)))
        return (kl_term(a, y) - a * scaling) - a + b

    return kl_excess
