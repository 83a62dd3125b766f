"""Kernels over rows of probabilities that give the divergence and its derivatives in one pass."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..target import cuda, device, jit, least, most, row_of
from .elements import four_terms
from .indexing import NONE, ONE, access, index_of, piece_of, place_of, reports
from .reductions import WARPS, group_functions
from .rows import row_sweeps
from .summands import summand_of, weights_of


@cache
def derivative_kernels(precision: Precision, skewed: bool) -> SimpleNamespace:
    """Return the kernels for one precision, with or without weights."""
    summand, weighted = summand_of(precision, skewed), weights_of(precision, skewed)
    slopes, sweeps = _slopes(precision, summand), row_sweeps(precision, skewed)
    add_up = _add_up(precision, slopes, sweeps.add_four)
    return SimpleNamespace(
        whole_gradients=_whole_gradients(precision, add_up, sweeps.settle, weighted.of_row),
        pieces_of_gradients=_pieces_of_gradients(precision, add_up, weighted.of_row),
        term_gradients=_term_gradients(precision, slopes, four_terms(summand), weighted),
    )


def _slopes(precision, summand):
    zero, nan = precision.Float(0), precision.Float(np.nan)
    plain, gradient = summand.plain_slopes, summand.slopes

    @device
    def slow_path(x, y, cotangent, weights):
        """Return the derivatives of any term; NaN for what is no probability."""
        top = most(x, y)
        if not (x >= zero and y >= zero) or top == np.inf:
            return nan, nan
        if top == zero:
            return zero, zero
        return gradient(x, y, cotangent, *weights)

    @device
    def slow_slopes(x, y, c, weights):
        """Return the derivatives of four terms, times numbers."""
        e, f, g, h = (
            slow_path(x[0], y[0], c[0], weights[0]),
            slow_path(x[1], y[1], c[1], weights[1]),
            slow_path(x[2], y[2], c[2], weights[2]),
            slow_path(x[3], y[3], c[3], weights[3]),
        )
        return (e[0], f[0], g[0], h[0]), (e[1], f[1], g[1], h[1])

    if plain is None:
        return slow_slopes

    @device
    def slopes(x, y, c, weights):
        """Return the same, fast where that will do."""
        e, f, g, h = (
            plain(x[0], y[0], c[0], *weights[0]),
            plain(x[1], y[1], c[1], *weights[1]),
            plain(x[2], y[2], c[2], *weights[2]),
            plain(x[3], y[3], c[3], *weights[3]),
        )
        of_x, of_y = (e[0], f[0], g[0], h[0]), (e[1], f[1], g[1], h[1])
        if least(least(e[2], f[2]), least(g[2], h[2])) < zero:
            of_x, of_y = slow_slopes(x, y, c, weights)
        return of_x, of_y

    return slopes


def _add_up(precision, slopes, add_four):
    groups, zero = group_functions(precision), precision.Float(0)
    sum_of_group, ends_of_group = groups.sum_of_group, groups.ends_of_group
    functions = access(precision, 0)
    load, store = functions.load, functions.store

    @device
    def add_up(p, q, weights, cotangent, outs, piece, aligned, lane, lanes, shared):
        """Return what `rows.add_up` does, and write the derivatives up to the piece's end."""
        (in_p, in_q), (start, stop, end) = outs, piece
        total, lo, low, size = zero, zero, zero, zero
        c, w = (cotangent, cotangent, cotangent, cotangent), (weights, weights, weights, weights)
        i = start + 4 * lane
        while i < stop:
            x, y = load(p, i, stop, aligned), load(q, i, stop, aligned)
            total, lo, low, size = add_four(x, y, weights, total, lo, low, size)
            of_x, of_y = slopes(x, y, c, w)
            store(in_p, i, end, aligned, of_x)
            store(in_q, i, end, aligned, of_y)
            i += 4 * lanes
        total, lo = sum_of_group(total, lo, lanes, shared)
        low, size = ends_of_group(low, size, lanes, shared)
        return total, lo, low, size

    return add_up


def _whole_gradients(precision, add_up, settle, of_row):
    Float = precision.Float

    @jit
    def whole_gradients(P, Q, weights, cotangents, shift, aligned, divisor, in_P, in_Q, result):
        """Write the divergence of each row and its derivatives, times the row's cotangent."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, result.shape[0])
        lanes = ONE << shift
        i, j, k = index_of(row, P.shape)
        p, q, of_both = row_of(P, i, j, k), row_of(Q, i, j, k), of_row(weights, i, j, k)
        outs = row_of(in_P, i, j, k), row_of(in_Q, i, j, k)
        cotangent, stop = Float(cotangents[i, j, k, 0]) / divisor, p.shape[0]
        piece = NONE, stop, stop if exists else NONE
        sums = add_up(p, q, of_both, cotangent, outs, piece, aligned, lane, lanes, shared)
        value = settle(p, q, of_both, sums, lane, lanes, shared)
        if exists and lane == 0:
            result[row] = value / divisor

    return whole_gradients


def _pieces_of_gradients(precision, add_up, of_row):
    Float = precision.Float

    @jit
    def pieces_of_gradients(
        P, Q, weights, cotangents, shift, aligned, piece, divisor, in_P, in_Q, parts
    ):
        """Write what `pieces_of_rows` does in its first sweep, and the derivatives."""
        shared = cuda.shared.array((2, WARPS), Float)
        own = piece_of(P.shape, shift, piece, parts.shape[0])
        i, j, k = own.place
        p, q, of_both = row_of(P, i, j, k), row_of(Q, i, j, k), of_row(weights, i, j, k)
        outs = row_of(in_P, i, j, k), row_of(in_Q, i, j, k)
        cotangent, place = (
            Float(cotangents[i, j, k, 0]) / divisor,
            (own.start, own.stop, own.end),
        )
        sums = add_up(p, q, of_both, cotangent, outs, place, aligned, own.lane, own.lanes, shared)
        if reports(own):
            part = parts[own.row, own.part]
            part[0], part[1], part[2], part[3] = sums

    return pieces_of_gradients


def _term_gradients(precision, slopes, terms_of, weighted):
    functions = access(precision, 0)
    load, store = functions.load, functions.store
    of_rows, of_four = weighted.of_rows, weighted.of_four

    @jit
    def term_gradients(
        P, Q, weights, cotangents, shift, aligned, piece, divisor, in_P, in_Q, result
    ):
        """Write each term and its derivatives, times its cotangent."""
        row, lane, exists = place_of(shift, P.shape[0] * P.shape[1] * P.shape[2])
        i, j, k = index_of(row, P.shape)
        p, q, of_row, terms = (
            row_of(P, i, j, k),
            row_of(Q, i, j, k),
            row_of(cotangents, i, j, k),
            row_of(result, i, j, k),
        )
        in_p, in_q = row_of(in_P, i, j, k), row_of(in_Q, i, j, k)
        of_both = of_rows(weights, i, j, k)
        start = cuda.blockIdx.y * piece
        stop = min(start + piece, p.shape[0]) if exists else start
        n = start + 4 * lane
        while n < stop:
            x, y = load(p, n, stop, aligned), load(q, n, stop, aligned)
            c, w = load(of_row, n, stop, False), of_four(of_both, n, stop)
            store(terms, n, stop, aligned, terms_of(x, y, w, divisor))
            c = c[0] / divisor, c[1] / divisor, c[2] / divisor, c[3] / divisor
            of_x, of_y = slopes(x, y, c, w)
            store(in_p, n, stop, aligned, of_x)
            store(in_q, n, stop, aligned, of_y)
            n += 4 * (ONE << shift)

    return term_gradients
