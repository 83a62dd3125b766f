"""The counts that chance may give categories, and how likely each is, from the likeliest outwards.

Where w is wide and f has no singularity in reach, every h-th c is enough. The error of such a sum
is as small as the characteristic function of c at the multiples of 2π/h, which is below
exp(-2σ²·sin²(π/h)) as c is a sum of independent Bernoulli variables: docs/mathematics.md. The
boundaries 0 and t, where f is x·log x, have a weight below exp(-SMOOTH).
"""

import math

from ..codegen.intrinsics import (
    load_noalias,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    noinline,
    store2_noalias,
    store_noalias,
    where,
)
from .lanes import (
    COUNTS,
    DEVIATION,
    EXPECTED,
    INVERSE,
    KNOWN,
    LANES,
    MODE,
    REST,
    STEP,
    TOTAL,
    TOTALS,
    WEIGHTS,
    largest,
)

HALF = 128
"""More than there are c above the likeliest with a weight that counts, and below."""

TOGETHER = 4
"""Nodes that are written, and added up, at once."""

NODES = 2 * HALF + 2
"""With two between."""

SMOOTH = 40.0
"""Logarithm of how much more likely others are than c = 0, for a sum over every h-th c."""

NEGLIGIBLE = 1e-18
"""Weight, relative to the largest, of the c at which a sum ends: but not before `TOGETHER` on
either side, for of a sample that is nearly all in one category these are all that varies."""


@njit_no_refcount
def _describe(lanes, n1, n2, smooth_from, totals, known):
    """Write what is known of each category beforehand."""
    noinline()
    total = n1 + n2
    share, other, ways = n1 / total, n2 / total, (n1 + 1.0) / (total + 2.0)
    for lane in range(lanes):
        t = load_noalias(totals, lane)
        variance = t * share * other * ((total - t) / (total - 1.0))
        deviation = math.sqrt(variance)
        mode = float(math.floor((t + 1.0) * ways))
        mode = maximum(minimum(mode, minimum(t, n1)), maximum(t - n2, 0.0))
        # The largest h with 2σ²·sin²(π/h) >= 36, or somewhat less.
        step = float(math.floor(math.pi * math.sqrt(maximum(variance / 18.0 - 0.6, 0.0))))
        is_smooth = t >= smooth_from
        store_noalias(known, TOTAL * LANES + lane, t)
        store_noalias(known, REST * LANES + lane, n2 - t)
        store_noalias(known, EXPECTED * LANES + lane, t * n1 / total)
        store_noalias(known, MODE * LANES + lane, mode)
        store_noalias(known, STEP * LANES + lane, where(is_smooth, maximum(step, 1.0), 1.0))
        inverse = where(variance > 0.0, 1.0 / deviation, 0.0)
        store_noalias(known, INVERSE * LANES + lane, inverse)
        store_noalias(known, DEVIATION * LANES + lane, deviation)


@njit_no_refcount
def _begin(lanes, known, counts, weights):
    """Write the first nodes, which are the likeliest."""
    noinline()
    for lane in range(lanes):
        mode = load_noalias(known, MODE * LANES + lane)
        store2_noalias(counts, weights, lane, mode, 1.0)


@njit_inline
def _ways_of(upwards, n1):
    """Return what tells c upwards from c downwards: a sign, and where t and n2 - t are."""
    if upwards:
        return 1.0, n1, 0.0, TOTAL * LANES, REST * LANES
    return -1.0, 0.0, n1, REST * LANES, TOTAL * LANES


@njit_no_refcount
def _next_nodes(upwards, at, to, lanes, n1, known, counts, weights):
    """Write the nodes after one, each one c further."""
    noinline()
    least = NEGLIGIBLE if at else 0.0
    sign, of_left, of_gained, left_row, gained_row = _ways_of(upwards, n1)
    for lane in range(lanes):
        c, w = load_noalias(counts, at + lane), load_noalias(weights, at + lane)
        left = load_noalias(known, left_row + lane)
        gained = load_noalias(known, gained_row + lane)
        for node in range(TOGETHER):
            lost, won = (of_left - sign * c) * (left - sign * c), sign * c + 1.0
            w *= lost / ((of_gained + won) * (gained + won))
            # Where the weight is 0, c stays where f is finite.
            counts_still = w > least
            c, w = where(counts_still, c + sign, c), where(counts_still, w, 0.0)
            store2_noalias(counts, weights, to + node * LANES + lane, c, w)


@njit_no_refcount
def _advance(upwards, s, at, to, lanes, n1, known, counts, weights):
    """Go on from c by the s-th of h steps and the one after, where there are so many."""
    noinline()
    sign, of_left, of_gained, left_row, gained_row = _ways_of(upwards, n1)
    for lane in range(lanes):
        c, w = load_noalias(counts, at + lane), load_noalias(weights, at + lane)
        left = load_noalias(known, left_row + lane)
        gained = load_noalias(known, gained_row + lane)
        steps = load_noalias(known, STEP * LANES + lane) - s
        lost, won = (of_left - sign * c) * (left - sign * c), sign * c + 1.0
        ways = (of_gained + won) * (gained + won)
        lost_too = lost * ((of_left - won) * (left - won))
        ways_too = ways * ((of_gained + won + 1.0) * (gained + won + 1.0))
        ratio = where(steps > 1.0, lost_too, lost) / where(steps > 1.0, ways_too, ways)
        goes = steps > 0.0
        w = where(goes, w * ratio, w)
        counts_still = w > NEGLIGIBLE
        further = where(goes & counts_still, c + sign * minimum(steps, 2.0), c)
        store2_noalias(counts, weights, to + lane, further, where(counts_still, w, 0.0))


@njit_no_refcount
def _walk(upwards, number, lanes, steps, n1, known, counts, weights):
    """Write the nodes on one side; return how many there are by then."""
    end, at = number // TOGETHER * TOGETHER + HALF, 0
    while number < end:
        until = (number // TOGETHER + 1) * TOGETHER
        if steps == 1:
            _next_nodes(upwards, at, number * LANES, lanes, n1, known, counts, weights)
            at = (until - 1) * LANES
        else:
            for node in range(number, until):
                for s in range(0, steps, 2):
                    # What is not a node yet is kept in two places by turns.
                    to = (node if s + 2 >= steps else NODES - 1 - s // 2 % 2) * LANES
                    _advance(upwards, float(s), at, to, lanes, n1, known, counts, weights)
                    at = to
        number = until
        if largest(lanes, at, weights) == 0.0:
            break
    return number


@njit_no_refcount
def write_nodes(lanes, n1, n2, room):
    """Write the c that count and their weights; return how many there are."""
    smooth_from = SMOOTH / -math.log1p(-n1 / (n1 + n2))
    of_nodes, of_lanes = room.nodes, room.lanes
    counts, weights, known = of_nodes[COUNTS], of_nodes[WEIGHTS], of_lanes[KNOWN]
    _describe(lanes, n1, n2, smooth_from, of_lanes[TOTALS], known)
    steps = int(largest(lanes, STEP * LANES, known))
    _begin(lanes, known, counts, weights)
    number = _walk(True, 1, lanes, steps, n1, known, counts, weights)
    return _walk(False, number, lanes, steps, n1, known, counts, weights)
