"""What categories contribute, given their totals: exact sums over all that chance may give them.

Of N observations, n1 in one sample and n2 in the other, t fell into a category. If both samples
come from one distribution, c of these are in the first with the hypergeometric probability

    w(c) = C(n1, c)·C(n2, t - c) / C(N, t),

and the category's term of the divergence is f(c) = term(c/n1, (t - c)/n2). Its moments, and its
coefficients in the polynomials that are orthogonal under w (Hahn's, `recurrence`), are all
that the moments of the divergence need of the category (`pairs`).

Categories of which the smaller sample is expected to have many observations are left to `series`.
"""

from functools import cache
from types import SimpleNamespace

from ..codegen.intrinsics import (
    fma,
    item,
    load_noalias,
    njit_inline,
    njit_no_refcount,
    noinline,
    set_item,
    store_noalias,
    where,
)
from ..codegen.precision import FLOAT64
from ..formulas.js import scalar_formulas
from .columns import (
    CUBE,
    LINEAR,
    LINEAR_CUBE,
    LINEAR_SQUARE,
    MEAN,
    ORDERS,
    RESIDUAL,
    SHARED,
    SLOPE,
    SQUARE_LINEAR,
)
from .lanes import (
    COUNTS,
    DEVIATION,
    EXPECTED,
    FITTED,
    GRADIENT,
    INTERCEPT,
    INVERSE,
    KNOWN,
    LANES,
    OF_F,
    OF_R,
    OF_RR,
    OF_RRR,
    OF_RRU,
    OF_UUU,
    OF_X,
    OF_XF,
    OF_XX,
    OTHER_SUMS,
    SCALE,
    SHARES,
    SUMS,
    TOTAL,
    TOTALS,
    VALUES,
    VARIANCE,
    WEIGHTS,
    WHOLE,
    WIDTH,
)
from .nodes import TOGETHER, write_nodes
from .shares import write_shares


@cache
def cell_kernels() -> SimpleNamespace:
    """Compile what is known of categories with few observations."""
    return SimpleNamespace(moments=_moments(_terms()))


def _terms():
    term = scalar_formulas(FLOAT64).term

    @njit_no_refcount
    def terms(number, lanes, n1, n2, known, counts, out):
        noinline()
        of_first, of_second = 1.0 / n1, 1.0 / n2
        for node in range(number):
            at = node * LANES
            for lane in range(lanes):
                c, t = load_noalias(counts, at + lane), load_noalias(known, TOTAL * LANES + lane)
                store_noalias(out, at + lane, term(c * of_first, (t - c) * of_second))

    return terms


@njit_inline
def _add(row, lane, value, old, new):
    here = row * LANES + lane
    store_noalias(new, here, load_noalias(old, here) + value)


@njit_no_refcount
def _first_sums(at, lanes, known, counts, weights, values, old, new):
    """Add some nodes to what a line is fitted by."""
    noinline()
    for lane in range(lanes):
        expected = load_noalias(known, EXPECTED * LANES + lane)
        whole = of_f = of_x = of_xx = of_xf = 0.0
        for node in range(TOGETHER):
            here = at + node * LANES + lane
            w, f = load_noalias(weights, here), load_noalias(values, here)
            x = load_noalias(counts, here) - expected
            wx = w * x
            whole, of_x = whole + w, of_x + wx
            of_f, of_xx, of_xf = fma(w, f, of_f), fma(wx, x, of_xx), fma(wx, f, of_xf)
        _add(WHOLE, lane, whole, old, new)
        _add(OF_F, lane, of_f, old, new)
        _add(OF_X, lane, of_x, old, new)
        _add(OF_XX, lane, of_xx, old, new)
        _add(OF_XF, lane, of_xf, old, new)


@njit_no_refcount
def _fit(lanes, sums, fitted):
    """Write the line."""
    noinline()
    for lane in range(lanes):
        scale = 1.0 / load_noalias(sums, WHOLE * LANES + lane)
        mean = load_noalias(sums, OF_F * LANES + lane) * scale
        square = load_noalias(sums, OF_XX * LANES + lane)
        product = load_noalias(sums, OF_XF * LANES + lane)
        product -= mean * load_noalias(sums, OF_X * LANES + lane)
        store_noalias(fitted, SCALE * LANES + lane, scale)
        store_noalias(fitted, INTERCEPT * LANES + lane, mean)
        slope = where(square > 0.0, product / square, 0.0)
        store_noalias(fitted, GRADIENT * LANES + lane, slope)
        store_noalias(fitted, VARIANCE * LANES + lane, square * scale)


@njit_no_refcount
def _second_sums(at, lanes, known, fitted, counts, weights, values, old, new):
    """Add some nodes to the moments of what f leaves over the line."""
    noinline()
    for lane in range(lanes):
        expected = load_noalias(known, EXPECTED * LANES + lane)
        inverse = load_noalias(known, INVERSE * LANES + lane)
        mean = load_noalias(fitted, INTERCEPT * LANES + lane)
        slope = load_noalias(fitted, GRADIENT * LANES + lane)
        rrr = rru = uuu = rr = r2 = r3 = r4 = r5 = r6 = r7 = r8 = 0.0
        for node in range(TOGETHER):
            here = at + node * LANES + lane
            w, f = load_noalias(weights, here), load_noalias(values, here)
            x = load_noalias(counts, here) - expected
            r, u = fma(-slope, x, f - mean), x * inverse
            wr, uu = w * r, u * u
            wrr, wru = wr * r, wr * uu
            rrr, rru = fma(wrr, r, rrr), fma(wrr, u, rru)
            uuu, rr = fma(w * u, uu, uuu), rr + wrr
            r2, r3 = r2 + wru, fma(wru, u, r3)
            wru *= uu
            r4, r5 = r4 + wru, fma(wru, u, r5)
            wru *= uu
            r6, r7 = r6 + wru, fma(wru, u, r7)
            r8 = fma(wru, uu, r8)
        _add(OF_RRR, lane, rrr, old, new)
        _add(OF_RRU, lane, rru, old, new)
        _add(OF_UUU, lane, uuu, old, new)
        _add(OF_RR, lane, rr, old, new)
        _add(OF_R + 2, lane, r2, old, new)
        _add(OF_R + 3, lane, r3, old, new)
        _add(OF_R + 4, lane, r4, old, new)
        _add(OF_R + 5, lane, r5, old, new)
        _add(OF_R + 6, lane, r6, old, new)
        _add(OF_R + 7, lane, r7, old, new)
        _add(OF_R + 8, lane, r8, old, new)


@njit_no_refcount
def _clear(values):
    for i in range(values.size):
        set_item(values, i, 0.0)


@njit_no_refcount
def _residuals(number, lanes, room):
    """Write the sums over all nodes; return which vector has the second ones."""
    of_nodes, of_lanes = room.nodes, room.lanes
    counts, weights, values = of_nodes[COUNTS], of_nodes[WEIGHTS], of_nodes[VALUES]
    known, fitted = of_lanes[KNOWN], of_lanes[FITTED]
    old, new = of_lanes[SUMS], of_lanes[OTHER_SUMS]
    _clear(old)
    for node in range(0, number, TOGETHER):
        _first_sums(node * LANES, lanes, known, counts, weights, values, old, new)
        old, new = new, old
    _fit(lanes, old, fitted)
    old, new = of_lanes[SUMS], of_lanes[OTHER_SUMS]
    _clear(old)
    for node in range(0, number, TOGETHER):
        _second_sums(node * LANES, lanes, known, fitted, counts, weights, values, old, new)
        old, new = new, old
    return SUMS + number // TOGETHER % 2


@njit_no_refcount
def _write(lane, lanes, sums, out):
    """Write what is known of one category."""
    known, fitted, shared = lanes[KNOWN], lanes[FITTED], lanes[SHARES]
    scale = item(fitted, SCALE * LANES + lane)
    deviation = item(known, DEVIATION * LANES + lane)
    set_item(out, MEAN, item(fitted, INTERCEPT * LANES + lane))
    set_item(out, SLOPE, item(fitted, GRADIENT * LANES + lane))
    set_item(out, LINEAR, item(fitted, VARIANCE * LANES + lane))
    set_item(out, RESIDUAL, item(sums, OF_RR * LANES + lane) * scale)
    set_item(out, CUBE, item(sums, OF_RRR * LANES + lane) * scale)
    scale *= deviation
    set_item(out, SQUARE_LINEAR, item(sums, OF_RRU * LANES + lane) * scale)
    scale *= deviation
    set_item(out, LINEAR_SQUARE, item(sums, (OF_R + 2) * LANES + lane) * scale)
    set_item(out, LINEAR_CUBE, item(sums, OF_UUU * LANES + lane) * (scale * deviation))
    for j in range(ORDERS):
        set_item(out, SHARED + j, item(shared, j * LANES + lane))


def _moments(terms):
    @njit_no_refcount
    def moments(places, n1, n2, room):
        """Write what is known of up to LANES categories, by their totals' places, n1 <= n2."""
        of_nodes, of_lanes, number = room.nodes, room.lanes, places.size
        lanes = (number + WIDTH - 1) & -WIDTH
        for lane in range(lanes):
            # The last ones are filled up with a category that is there.
            place = item(places, min(lane, number - 1))
            set_item(of_lanes[TOTALS], lane, float(item(room.totals, place)))
        nodes = write_nodes(lanes, n1, n2, room)
        terms(nodes, lanes, n1, n2, of_lanes[KNOWN], of_nodes[COUNTS], of_nodes[VALUES])
        sums = of_lanes[_residuals(nodes, lanes, room)]
        write_shares(lanes, n1, n2, sums, room)
        for lane in range(number):
            _write(lane, of_lanes, sums, room.found[item(places, lane)])

    return moments
