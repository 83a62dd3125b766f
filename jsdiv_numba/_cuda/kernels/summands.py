"""What each measure has the kernels add up: the loops are the same for all.

The functions take two elements and, as so many arguments, what the measure depends on beside
them: nothing, or the weights of both sides.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..._kernels.formulas.js import scalar_formulas
from ..._kernels.formulas.skewed import skewed_formulas
from ..._kernels.formulas.slopes import gradient_formulas
from ..._kernels.rows.summands import js_summand, skewed_summand
from .. import target
from ..target import device, least, most, row_of
from .indexing import access


class Summand(NamedTuple):
    """One measure's part in the kernels."""

    term: Any
    """What is added up, of elements >= 0 that need no scaling."""

    mass: Any
    """Their sum; infinite where `term` does not hold."""

    full_term: Any
    """Of any elements >= 0: a power of two, and times it what is added up."""

    any_term: Any
    """What is added up, of any elements: NaN for what is no probability."""

    term_of: Any
    """`term`, given what p - q is more precisely."""

    slopes: Any
    """The derivatives of any term, times a number."""

    plain_slopes: Any
    """The same and a negative number where these do not hold; None if there is no faster way."""

    shares: Any
    """Twice the weights of both sides."""

    near: Any
    """Below what a divergence of logits is computed again, given that of equal weights."""


class Weights(NamedTuple):
    """How the kernels read the weights, from a tuple of arrays by rows."""

    of_row: Any
    """Those of a row, given its indices."""

    of_rows: Any
    """The arrays' rows."""

    of_four: Any
    """Those of four elements, given these rows."""


@cache
def summand_of(precision: Precision, skewed: bool) -> Summand:
    """Return the summand of the divergence with or without weights, for one precision."""
    return _skewed(precision) if skewed else _js(precision)


@cache
def weights_of(precision: Precision, skewed: bool) -> Weights:
    """Return how weights are read, for one precision: without them there are empty tuples."""
    return _two_weights(precision) if skewed else _no_weights()


def _js(precision):
    formulas, slopes = scalar_formulas(precision), gradient_formulas(precision)
    term = target.formula(precision, formulas.device_term)
    scale_up_of = target.formula(precision, formulas.scale_up_of)
    term_of_parts = target.formula(precision, formulas.device_term_of)
    smallest, one = precision.Float(np.finfo(precision.Float).tiny), precision.Float(1)

    @device
    def full_term(p, q):
        scale = scale_up_of(most(p, q))
        return scale, term(p * scale, q * scale)

    @device
    def term_of(p, q, d):
        return term_of_parts(most(p + q, smallest), abs(d), least(p, q), most(p, q))

    @device
    def shares():
        return one, one

    @device
    def near(limit):
        return limit

    return Summand(
        term=term,
        mass=target.formula(precision, js_summand(precision).mass),
        full_term=full_term,
        any_term=target.formula(precision, formulas.device_js_term),
        term_of=term_of,
        slopes=target.formula(precision, slopes.gradient),
        plain_slopes=target.formula(precision, slopes.device_gradient),
        shares=shares,
        near=near,
    )


def _skewed(precision):
    formulas, four = skewed_formulas(precision), precision.Float(4)

    @device
    def shares(p_weight, q_weight):
        return p_weight + p_weight, q_weight + q_weight

    @device
    def near(limit, p_weight, q_weight):
        # What the divergence of near-equal rows is proportional to.
        return limit * (four * p_weight * q_weight)

    return Summand(
        term=target.formula(precision, formulas.term),
        mass=target.formula(precision, skewed_summand(precision).mass),
        full_term=target.formula(precision, formulas.full_term),
        any_term=target.formula(precision, formulas.skewed_term),
        term_of=target.formula(precision, formulas.term_of),
        slopes=target.formula(precision, formulas.skewed_gradient),
        plain_slopes=None,
        shares=shares,
        near=near,
    )


def _no_weights():
    @device
    def of_row(_weights, _i, _j, _k):
        return ()

    @device
    def of_four(_rows, _n, _stop):
        return (), (), (), ()

    return Weights(of_row=of_row, of_rows=of_row, of_four=of_four)


def _two_weights(precision):
    Float, load = precision.Float, access(precision, 0).load

    @device
    def of_row(weights, i, j, k):
        return Float(weights[0][i, j, k, 0]), Float(weights[1][i, j, k, 0])

    @device
    def of_rows(weights, i, j, k):
        return row_of(weights[0], i, j, k), row_of(weights[1], i, j, k)

    @device
    def of_four(rows, n, stop):
        p, q = load(rows[0], n, stop, False), load(rows[1], n, stop, False)
        return (p[0], q[0]), (p[1], q[1]), (p[2], q[2]), (p[3], q[3])

    return Weights(of_row=of_row, of_rows=of_rows, of_four=of_four)
