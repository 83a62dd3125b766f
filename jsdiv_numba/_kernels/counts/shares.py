"""What other categories share of a category's variance, degree by degree.

The polynomials that are orthonormal under w follow from each other by `recurrence`; here
they are powers of u, which is x in standard deviations, so that the moments of r and u^k are
all that is needed of the nodes. What is rounded there is of the order of 1e-13 of the deviation
of f, and other categories see no more of it than they see of f.
"""

import math

from ..codegen.intrinsics import (
    fma,
    item,
    load_noalias,
    maximum,
    minimum,
    njit_no_refcount,
    noinline,
    set_item,
    store_noalias,
    where,
)
from .columns import ORDERS
from .lanes import (
    BESIDE,
    DEGREE,
    FACTOR,
    FITTED,
    INVERSE,
    INVERSE_NEXT,
    KNOWN,
    LANES,
    MIDDLE,
    OF_R,
    OTHER_DEGREE,
    POLYNOMIAL,
    SCALE,
    SHARES,
    TOTAL,
    largest,
)
from .recurrence import centre, skew, square

NOTHING = 1e-15
"""Share of a variance that other categories see, below which they see none of it."""


@njit_no_refcount
def _begin(lanes, total, known, every, degree, before, now, after):
    """Write the polynomials of degrees 0 and 1, which are 1 and u."""
    noinline()
    for i in range(before.size):
        set_item(every, i, 0.0)
        set_item(before, i, 0.0)
        set_item(now, i, 0.0)
        set_item(after, i, 0.0)
    for lane in range(lanes):
        t = item(known, TOTAL * LANES + lane)
        set_item(before, LANES + lane, 1.0)
        set_item(now, 2 * LANES + lane, 1.0)
        set_item(degree, FACTOR * LANES + lane, t / (total - t))


@njit_no_refcount
def _recur(j, lanes, n1, n2, known, before, out):
    """Write how the polynomial of degree j + 1 follows, where there is one."""
    noinline()
    total, least = n1 + n2, minimum(n1, n2)
    own, beside, beside_next = centre(j, total), square(j, n1, n2), square(j + 1.0, n1, n2)
    for lane in range(lanes):
        t = load_noalias(known, TOTAL * LANES + lane)
        inverse = load_noalias(known, INVERSE * LANES + lane)
        rest = total - t
        there_is = j + 1.0 <= minimum(minimum(t, rest), least)
        factor = load_noalias(before, FACTOR * LANES + lane) * ((t - j) / (rest - j))
        is_one = there_is & (factor > NOTHING)
        middle = own * skew(t, n1, n2) * inverse
        now = beside * (maximum(t - j + 1.0, 0.0) * maximum(rest - j + 1.0, 0.0))
        following = beside_next * (maximum(t - j, 0.0) * maximum(rest - j, 0.0))
        inverse_next = 1.0 / (math.sqrt(following) * inverse)
        store_noalias(out, FACTOR * LANES + lane, where(is_one, factor, 0.0))
        store_noalias(out, MIDDLE * LANES + lane, where(is_one, middle, 0.0))
        store_noalias(out, BESIDE * LANES + lane, math.sqrt(now) * inverse)
        store_noalias(out, INVERSE_NEXT * LANES + lane, where(is_one, inverse_next, 0.0))


@njit_no_refcount
def _following(rows, lanes, degree, before, now, after):
    """Write the coefficients of the polynomial of a degree; those of u^-1 are 0."""
    noinline()
    for row in range(1, rows + 1):
        for lane in range(lanes):
            at = row * LANES + lane
            middle = load_noalias(degree, MIDDLE * LANES + lane)
            value = fma(-middle, load_noalias(now, at), load_noalias(now, at - LANES))
            beside = load_noalias(degree, BESIDE * LANES + lane)
            value = fma(-beside, load_noalias(before, at), value)
            inverse = load_noalias(degree, INVERSE_NEXT * LANES + lane)
            store_noalias(after, at, value * inverse)


@njit_no_refcount
def _share(lanes, fitted, sums, degree, polynomial, out):
    """Write the coefficient of f times what other categories see of it."""
    noinline()
    for lane in range(lanes):
        value = 0.0
        for power in range(2, ORDERS + 2):
            moment = load_noalias(sums, (OF_R + power) * LANES + lane)
            at = (power + 1) * LANES + lane
            value = fma(load_noalias(polynomial, at), moment, value)
        factor = load_noalias(degree, FACTOR * LANES + lane)
        scale = load_noalias(fitted, SCALE * LANES + lane)
        store_noalias(out, lane, value * scale * math.sqrt(factor))


@njit_no_refcount
def write_shares(lanes, n1, n2, sums, room):
    """Write the shares of each degree."""
    of_lanes = room.lanes
    known, fitted, every = of_lanes[KNOWN], of_lanes[FITTED], of_lanes[SHARES]
    degree, next_one = of_lanes[DEGREE], of_lanes[OTHER_DEGREE]
    before, now = of_lanes[POLYNOMIAL], of_lanes[POLYNOMIAL + 1]
    after = of_lanes[POLYNOMIAL + 2]
    _begin(lanes, n1 + n2, known, every, degree, before, now, after)
    for j in range(1, ORDERS + 1):
        _recur(float(j), lanes, n1, n2, known, degree, next_one)
        degree, next_one = next_one, degree
        if largest(lanes, FACTOR * LANES, degree) == 0.0:
            break
        _following(j + 2, lanes, degree, before, now, after)
        before, now, after = now, after, before
        _share(lanes, fitted, sums, degree, now, every[(j - 1) * LANES : j * LANES])
