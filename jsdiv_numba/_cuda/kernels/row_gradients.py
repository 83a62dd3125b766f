"""Kernels over rows of probabilities that give the divergence and its derivatives in one pass."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..._kernels.formulas.js import scalar_formulas
from ..._kernels.formulas.slopes import gradient_formulas
from .. import target
from ..target import cuda, device, jit, least, most, row_of
from .indexing import NONE, ONE, access, index_of, place_of
from .reductions import WARPS, group_functions
from .rows import row_sweeps


@cache
def derivative_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels for one precision."""
    slopes = _slopes(precision)
    add_up = _add_up(precision, slopes)
    return SimpleNamespace(
        whole_gradients=_whole_gradients(precision, add_up),
        pieces_of_gradients=_pieces_of_gradients(precision, add_up),
        term_gradients=_term_gradients(precision, slopes),
    )


def _slopes(precision):
    zero, nan = precision.Float(0), precision.Float(np.nan)
    formulas = gradient_formulas(precision)
    plain = target.formula(precision, formulas.device_gradient)
    gradient = target.formula(precision, formulas.gradient)

    @device
    def slow_path(x, y, weight):
        """Return the derivatives of any term; NaN for what is no probability."""
        top = most(x, y)
        if not (x >= zero and y >= zero) or top == np.inf:
            return nan, nan
        if top == zero:
            return zero, zero
        return gradient(x, y, weight)

    @device
    def slopes(x, y, w):
        """Return the weighted derivatives of four terms."""
        a, b, c, d = (
            plain(x[0], y[0], w[0]),
            plain(x[1], y[1], w[1]),
            plain(x[2], y[2], w[2]),
            plain(x[3], y[3], w[3]),
        )
        of_x, of_y = (a[0], b[0], c[0], d[0]), (a[1], b[1], c[1], d[1])
        if least(least(a[2], b[2]), least(c[2], d[2])) < zero:
            e, f, g, h = (
                slow_path(x[0], y[0], w[0]),
                slow_path(x[1], y[1], w[1]),
                slow_path(x[2], y[2], w[2]),
                slow_path(x[3], y[3], w[3]),
            )
            of_x, of_y = (e[0], f[0], g[0], h[0]), (e[1], f[1], g[1], h[1])
        return of_x, of_y

    return slopes


def _add_up(precision, slopes):
    groups, zero = group_functions(precision), precision.Float(0)
    sum_of_group, ends_of_group = groups.sum_of_group, groups.ends_of_group
    functions, add_four = access(precision, 0), row_sweeps(precision).add_four
    load, store = functions.load, functions.store

    @device
    def add_up(p, q, weight, in_p, in_q, start, stop, end, aligned, lane, lanes, shared):
        """Return what `rows.add_up` does, and write the derivatives up to `end`."""
        total, lo, low, size = zero, zero, zero, zero
        w = weight, weight, weight, weight
        i = start + 4 * lane
        while i < stop:
            x, y = load(p, i, stop, aligned), load(q, i, stop, aligned)
            total, lo, low, size = add_four(x, y, total, lo, low, size)
            of_x, of_y = slopes(x, y, w)
            store(in_p, i, end, aligned, of_x)
            store(in_q, i, end, aligned, of_y)
            i += 4 * lanes
        total, lo = sum_of_group(total, lo, lanes, shared)
        low, size = ends_of_group(low, size, lanes, shared)
        return total, lo, low, size

    return add_up


def _whole_gradients(precision, add_up):
    Float, settle = precision.Float, row_sweeps(precision).settle

    @jit
    def whole_gradients(P, Q, weights, shift, aligned, divisor, in_P, in_Q, result):
        """Write the divergence of each row and its derivatives."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, result.shape[0])
        lanes = ONE << shift
        i, j, k = index_of(row, P.shape)
        p, q, in_p, in_q = (
            row_of(P, i, j, k),
            row_of(Q, i, j, k),
            row_of(in_P, i, j, k),
            row_of(in_Q, i, j, k),
        )
        weight, stop = Float(weights[i, j, k, 0]) / divisor, p.shape[0]
        sums = add_up(
            p, q, weight, in_p, in_q, NONE, stop, stop if exists else NONE, aligned, lane, lanes,
            shared,
        )  # fmt: skip
        value = settle(p, q, sums, lane, lanes, shared)
        if exists and lane == 0:
            result[row] = value / divisor

    return whole_gradients


def _pieces_of_gradients(precision, add_up):
    Float = precision.Float

    @jit
    def pieces_of_gradients(P, Q, weights, shift, aligned, piece, divisor, in_P, in_Q, parts):
        """Write what `pieces_of_rows` does in its first sweep, and the derivatives."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, parts.shape[0])
        lanes = ONE << shift
        i, j, k = index_of(row, P.shape)
        p, q, in_p, in_q = (
            row_of(P, i, j, k),
            row_of(Q, i, j, k),
            row_of(in_P, i, j, k),
            row_of(in_Q, i, j, k),
        )
        weight = Float(weights[i, j, k, 0]) / divisor
        start = cuda.blockIdx.y * piece
        stop = min(start + piece, p.shape[0])
        sums = add_up(
            p, q, weight, in_p, in_q, start, stop, stop if exists else NONE, aligned, lane, lanes,
            shared,
        )  # fmt: skip
        if exists and lane == 0:
            part = parts[row, cuda.blockIdx.y]
            part[0], part[1], part[2], part[3] = sums

    return pieces_of_gradients


def _term_gradients(precision, slopes):
    functions = access(precision, 0)
    load, store = functions.load, functions.store
    js_term = target.formula(precision, scalar_formulas(precision).device_js_term)

    @jit
    def term_gradients(P, Q, weights, shift, aligned, piece, divisor, in_P, in_Q, result):
        """Write each term and its derivatives."""
        row, lane, exists = place_of(shift, P.shape[0] * P.shape[1] * P.shape[2])
        i, j, k = index_of(row, P.shape)
        p, q, of_row, terms = (
            row_of(P, i, j, k),
            row_of(Q, i, j, k),
            row_of(weights, i, j, k),
            row_of(result, i, j, k),
        )
        in_p, in_q = row_of(in_P, i, j, k), row_of(in_Q, i, j, k)
        start = cuda.blockIdx.y * piece
        stop = min(start + piece, p.shape[0]) if exists else start
        n = start + 4 * lane
        while n < stop:
            x, y = load(p, n, stop, aligned), load(q, n, stop, aligned)
            w = load(of_row, n, stop, False)
            values = (
                js_term(x[0], y[0]) / divisor,
                js_term(x[1], y[1]) / divisor,
                js_term(x[2], y[2]) / divisor,
                js_term(x[3], y[3]) / divisor,
            )
            store(terms, n, stop, aligned, values)
            w = w[0] / divisor, w[1] / divisor, w[2] / divisor, w[3] / divisor
            of_x, of_y = slopes(x, y, w)
            store(in_p, n, stop, aligned, of_x)
            store(in_q, n, stop, aligned, of_y)
            n += 4 * (ONE << shift)

    return term_gradients
