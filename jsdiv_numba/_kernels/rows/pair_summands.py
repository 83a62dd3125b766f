"""What each measure adds up over a pair of rows of weights, which are normalised on the fly.

The loop, and what it multiplies entries by, are in `normalised`; here is what it adds up. p - q is
computed to its last bits, so that nearly equal rows lose nothing by their division.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..codegen.intrinsics import fma, maximum, minimum, njit_inline, where
from ..codegen.intrinsics import mul_rn as rounded_product
from ..codegen.precision import FLOAT64, Precision
from ..formulas.js import scalar_formulas
from ..formulas.kl import kl_formulas
from ..formulas.skewed import skewed_formulas


class PairSummand(NamedTuple):
    """One measure's part in the loop over two rows.

    What the loop is given beside the rows, such as weights, it hands on.
    """

    term: Any
    """Of entries x, y >= 0 and what each is to be multiplied by, a float and its low-order part:
    what is added up, and the difference of the products."""

    extreme_term: Any
    """The same alone, of rows whose entries are to be scaled first, which takes their scales."""

    weighed: int
    """Up to which power of two entries may be scaled by what they are multiplied by."""

    most: float
    """What no sum exceeds, though rounding may."""

    with_infinite: bool = False
    """Whether a term may be infinite."""


@njit_inline
def product(x, weight, rest):
    """Return x·(weight + rest) as a float and its low-order part: the two-product, by fma.

    T. Ogita, S. M. Rump and S. Oishi, Accurate sum and dot product, SIAM J. Sci. Comput. 26 (2005).
    """
    rounded = rounded_product(x, weight)
    return rounded, fma(x, rest, fma(x, weight, -rounded))


@njit_inline
def difference_of(a, b, a_rest, b_rest):
    """Return a - b with their rests: 0 where they are equal, and minus that of b - a.

    Of two products it is Kahan's difference of products, symmetric. C.-P. Jeannerod, N. Louvet and
    J.-M. Muller, Further analysis of Kahan's algorithm for the accurate computation of 2 x 2
    determinants, Math. Comp. 82 (2013).
    """
    return (a - b) + (a_rest - b_rest)


@cache
def js_pair_summand(precision: Precision) -> PairSummand:
    """Return the term of the Jensen-Shannon divergence."""
    Float = precision.Float
    term_of = scalar_formulas(precision).term_of
    smallest, zero = np.finfo(Float).tiny, Float(0)

    @njit_inline
    def term(x, y, x_weight, y_weight):
        a, a_rest = product(x, *x_weight)
        b, b_rest = product(y, *y_weight)
        difference = difference_of(a, b, a_rest, b_rest)
        s = maximum(a + b, smallest)
        # Of -0 this makes 0, down to its bits.
        lesser = maximum(minimum(a, b), zero)
        return term_of(s, abs(difference), lesser, maximum(a, b)), difference

    return PairSummand(term, _scaled_first(term), precision.weighed, np.log(2.0))


@cache
def skewed_pair_summand(precision: Precision) -> PairSummand:
    """Return the term of the skewed divergence, which takes the weights of p and of q."""
    term_of = skewed_formulas(precision).term_of

    @njit_inline
    def term(x, y, x_weight, y_weight, p_weight, q_weight):
        a, a_rest = product(abs(x), *x_weight)
        b, b_rest = product(abs(y), *y_weight)
        difference = difference_of(a, b, a_rest, b_rest)
        return term_of(a, b, difference, p_weight, q_weight), difference

    return PairSummand(term, _scaled_first(term), precision.weighed, np.inf)


SAFE = 100
"""Where entries are scaled by 2^-100 at least, none but 0 becomes 0 or subnormal: the smallest is
2^-1074, and what it is multiplied by has 2^unit in it."""

LOST, FOUND = 2.0**-950, 2.0**900
"""An entry that is scaled to less than the first is multiplied by the second before."""


@cache
def kl_pair_summand() -> PairSummand:
    """Return p·log(p/q) - p + q in float64, inf where q alone is 0."""
    excess_of, found_log = kl_formulas(FLOAT64).excess_of, float(np.log(FOUND))

    @njit_inline
    def term(x, y, x_weight, y_weight):
        a, a_rest = product(abs(x), *x_weight)
        b, b_rest = product(abs(y), *y_weight)
        difference = difference_of(a, b, a_rest, b_rest)
        lone = where(a > 0.0, np.inf, 0.0)
        return where(b == 0.0, lone, excess_of(a, b, difference)), difference

    @njit_inline
    def extreme_term(p, q, p_scale, q_scale, p_weight, q_weight):
        x, y = p * p_scale, q * q_scale
        if y < LOST and q > 0.0:
            # There q_scale is small, and the product no subnormal number.
            a, b = product(x, *p_weight)[0], (q * FOUND) * (q_scale * q_weight[0])
            return excess_of(a, b, a - b) + found_log * a - b
        if y == 0.0 and p > 0.0:
            return np.inf
        return term(x, y, p_weight, q_weight)[0]

    return PairSummand(term, extreme_term, SAFE, np.inf, with_infinite=True)


def _scaled_first(term):
    @njit_inline
    def extreme_term(p, q, p_scale, q_scale, p_weight, q_weight, *beside):
        return term(p * p_scale, q * q_scale, p_weight, q_weight, *beside)[0]

    return extreme_term
