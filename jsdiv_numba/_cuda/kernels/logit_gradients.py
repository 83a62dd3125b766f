"""Kernels over rows of logits that give the divergence and its derivatives.

As `_kernels.logit_gradients` has them: after the softmaxes, one sweep sums the terms and the
slopes' means, and another writes the derivatives. Where these have cancelled, the slopes
are taken less that of a reference, a category where p is largest, in two sweeps more. Of
several such categories it is one with the largest q.
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import FLOAT32, Precision
from ..._kernels.formulas.js import scalar_formulas
from .. import target
from ..target import ALIGNMENT, cuda, device, jit, least, most, mul_rn, row_of
from .indexing import NONE, ONE, access, index_of, place_of
from .logits import A_SUM, A_TOP, B_SUM, B_TOP, STATE, VALUE, logit_sweeps
from .reductions import WARPS, group_functions

P_MEAN, Q_MEAN, A_LARGEST, B_LARGEST, B_AT_A, A_AT_B = range(6, STATE)
"""Slots of a row's state: the means of both sides' slopes, each side's largest derivative, and the
logits of b and of a where the other one is largest, which are the references."""

A_WEIGHT, B_WEIGHT = 4, 5
"""Of weighted terms, whose value is not kept, the weights at the references; beside each mean, two
slots on, stands the slope there."""


@device
def both(sums):
    """Return the largest logits and the sums of both sides."""
    return sums[A_TOP], sums[A_SUM], sums[B_TOP], sums[B_SUM]


@device
def swapped(sums):
    """Return them with the second side first."""
    return sums[B_TOP], sums[B_SUM], sums[A_TOP], sums[A_SUM]


@cache
def logit_gradient_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels for one precision."""
    near = _near(precision)
    return SimpleNamespace(
        whole_gradients=_whole_gradients(precision, False, near),
        staged_gradients=_whole_gradients(precision, True, near),
        term_gradients=_term_gradients(precision, near),
        pieces_of_term_gradients=_pieces_of_term_gradients(precision, near),
        term_gradients_of_pieces=_term_gradients_of_pieces(precision, near),
        pieces_of_gradients=_pieces_of_gradients(precision, near),
        gradients_of_pieces=_gradients_of_pieces(precision),
    )


def _slopes(precision):
    formulas = scalar_formulas(precision)
    if precision is FLOAT32:
        return target.formula(precision, formulas.half_logs_by_log2)
    half_log_lesser = target.formula(precision, formulas.half_log_lesser)
    half_log_greater = target.formula(precision, formulas.half_log_greater)
    smallest = precision.Float(np.finfo(precision.Float).tiny)

    @device
    def slopes(x, y):
        """Return ½·log(2x/s) and ½·log(2y/s); of a number that is 0, anything finite."""
        s, d, m = most(x + y, smallest), abs(x - y), least(x, y)
        lesser, greater = half_log_lesser(s, d, m + m), half_log_greater(s, d)
        return lesser if x < y else greater, lesser if y < x else greater

    return slopes


def _own_sweeps(precision, sweeps):
    slopes = _slopes(precision)
    return SimpleNamespace(
        add_up=_add_up(precision, sweeps.exponentials, sweeps.adding, slopes),
        write=_write(precision, sweeps.exponentials, _of_four(precision, slopes)),
    )


def _add_up(precision, exponentials, adding, slopes):
    add, sum_of_group = adding.add, adding.sum_of_group
    zero, one = precision.Float(0), precision.Float(1)
    term = target.formula(precision, scalar_formulas(precision).device_term)

    @device
    def at(x, y):
        of_x, of_y = slopes(x, y)
        return term(x, y), mul_rn(x, of_x), mul_rn(y, of_y)

    @device
    def add_up(a, b, sums, start, stop, aligned, lane, lanes, shared):
        """Return the sums of the terms, of p·½·log(2p/s) and of q·½·log(2q/s)."""
        of_a, of_b = one / sums[A_SUM], one / sums[B_SUM]
        total, p_mean, q_mean = zero, zero, zero
        lo, p_lo, q_lo = zero, zero, zero
        i = start + 4 * lane
        while i < stop:
            e = exponentials(a, i, stop, aligned, sums[A_TOP])
            f = exponentials(b, i, stop, aligned, sums[B_TOP])
            t0, g0, h0 = at(mul_rn(e[0], of_a), mul_rn(f[0], of_b))
            t1, g1, h1 = at(mul_rn(e[1], of_a), mul_rn(f[1], of_b))
            t2, g2, h2 = at(mul_rn(e[2], of_a), mul_rn(f[2], of_b))
            t3, g3, h3 = at(mul_rn(e[3], of_a), mul_rn(f[3], of_b))
            part = (t0 + t1) + (t2 + t3)
            p_part, q_part = (g0 + g1) + (g2 + g3), (h0 + h1) + (h2 + h3)
            total, lo = add(total, lo, part)
            p_mean, p_lo = add(p_mean, p_lo, p_part)
            q_mean, q_lo = add(q_mean, q_lo, q_part)
            i += 4 * lanes
        total, lo = sum_of_group(total, lo, lanes, shared)
        p_mean, p_lo = sum_of_group(p_mean, p_lo, lanes, shared)
        q_mean, q_lo = sum_of_group(q_mean, q_lo, lanes, shared)
        return (total, lo), (p_mean, p_lo), (q_mean, q_lo)

    return add_up


def _of_four(precision, slopes):
    zero = precision.Float(0)

    @device
    def derivative(e, slope, mean):
        return zero if e == zero else e * (slope - mean)

    @device
    def of_four(e, f, of_a, of_b, means):
        """Return the derivatives in four logits of both rows, over their sums of exponentials."""
        g0, h0 = slopes(mul_rn(e[0], of_a), mul_rn(f[0], of_b))
        g1, h1 = slopes(mul_rn(e[1], of_a), mul_rn(f[1], of_b))
        g2, h2 = slopes(mul_rn(e[2], of_a), mul_rn(f[2], of_b))
        g3, h3 = slopes(mul_rn(e[3], of_a), mul_rn(f[3], of_b))
        in_a = (
            derivative(e[0], g0, means[0]),
            derivative(e[1], g1, means[0]),
            derivative(e[2], g2, means[0]),
            derivative(e[3], g3, means[0]),
        )
        in_b = (
            derivative(f[0], h0, means[1]),
            derivative(f[1], h1, means[1]),
            derivative(f[2], h2, means[1]),
            derivative(f[3], h3, means[1]),
        )
        return in_a, in_b

    return of_four


def _write(precision, exponentials, of_four):
    zero, one = precision.Float(0), precision.Float(1)
    top_of_group, store = group_functions(precision).top_of_group, access(precision, 0).store

    @device
    def largest_of(x, largest):
        larger = most(most(abs(x[0]), abs(x[1])), most(abs(x[2]), abs(x[3])))
        return most(larger, largest)

    @device
    def times(x, factor):
        return x[0] * factor, x[1] * factor, x[2] * factor, x[3] * factor

    @device
    def write(a, b, sums, means, weight, outs, piece, aligned, lane, lanes, shared):
        """Write the derivatives up to the piece's end; return the largest of each row."""
        (in_a, in_b), (start, stop, end) = outs, piece
        of_a, of_b = one / sums[A_SUM], one / sums[B_SUM]
        a_largest, b_largest = zero, zero
        i = start + 4 * lane
        while i < stop:
            e = exponentials(a, i, stop, aligned, sums[A_TOP])
            f = exponentials(b, i, stop, aligned, sums[B_TOP])
            of_e, of_f = of_four(e, f, of_a, of_b, means)
            a_largest, b_largest = largest_of(of_e, a_largest), largest_of(of_f, b_largest)
            store(in_a, i, end, aligned, times(of_e, weight * of_a))
            store(in_b, i, end, aligned, times(of_f, weight * of_b))
            i += 4 * lanes
        a_largest = top_of_group(a_largest, lanes, shared)
        b_largest = top_of_group(b_largest, lanes, shared)
        return a_largest, b_largest

    return write


def _near(precision):
    at = _at(precision)
    add_up, write = _near_sums(precision, at), _near_derivatives(precision, at)
    return SimpleNamespace(references=_references(precision), at=at, add_up=add_up, write=write)


def _references(precision):
    Float, none = precision.Float, precision.Float(-np.inf)
    top_of_group = group_functions(precision).top_of_group

    @device
    def references(a, b, sums, start, stop, lane, lanes, shared):
        """Return the largest of b where a is largest, and of a where b is."""
        in_b, in_a = none, none
        for i in range(start + lane, stop, lanes):
            x, y = Float(a[i]), Float(b[i])
            in_b = most(y, in_b) if x == sums[A_TOP] else in_b
            in_a = most(x, in_a) if y == sums[B_TOP] else in_a
        in_b = top_of_group(in_b, lanes, shared)
        in_a = top_of_group(in_a, lanes, shared)
        return in_b, in_a

    return references


def _at(precision):
    Float, two_sum = precision.Float, group_functions(precision).two_sum
    formulas = scalar_formulas(precision)
    exp = target.formula(precision, formulas.device_exp)
    exp_and_rest = target.formula(precision, formulas.exp_and_rest)
    half_log_lesser = target.formula(precision, formulas.half_log_lesser)
    zero, one = Float(0), Float(1)

    @device
    def log_ratio(x, y, x_reference, y_reference):
        """Return t; where it is ∞ - ∞ it is 0."""
        x, x_error = two_sum(x, -x_reference)
        y, y_error = two_sum(y, -y_reference)
        error, ratio = x_error - y_error, x - y
        if not math.isnan(error):
            ratio += error
        return zero if math.isnan(ratio) else ratio

    @device
    def change(x, y, ratio, x_reference, y_reference):
        """Return g - g_r, and 0 for a probability of 0."""
        above = ratio > zero
        exponential, lo = exp_and_rest(-abs(ratio))
        share, other = (x_reference, y_reference) if above else (x, y)
        whole = share + other
        share, other = share / whole, other / whole
        value = half_log_lesser(one, other * lo, share + other * exponential)
        value = -value if above else value
        return zero if x == zero else value

    @device
    def at(a, b, i, sums, b_reference):
        """Return p, q, t and g - g_r of a category; the reference is where a is largest."""
        a_top, a_sum, b_top, b_sum = sums
        x, y = Float(a[i]), Float(b[i])
        p, q = exp(x - a_top) / a_sum, exp(y - b_top) / b_sum
        ratio = log_ratio(x, y, a_top, b_reference)
        q_reference = exp(b_reference - b_top) / b_sum
        return p, q, ratio, change(p, q, ratio, one / a_sum, q_reference)

    return at


def _near_sums(precision, at):
    groups, zero = group_functions(precision), precision.Float(0)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group

    @device
    def add_side(a, b, sums, b_reference, start, stop, lane, lanes, shared):
        total, total_rest = zero, zero
        for i in range(start + lane, stop, lanes):
            p, _, _, g = at(a, b, i, sums, b_reference)
            total, error = two_sum(total, mul_rn(p, g))
            total_rest += error
        return sum_of_group(total, total_rest, lanes, shared)

    @device
    def add_up(a, b, s, references, start, stop, lane, lanes, shared):
        """Return the sums of p·(g - g_r), of both sides."""
        of_a = add_side(a, b, both(s), references[0], start, stop, lane, lanes, shared)
        of_b = add_side(b, a, swapped(s), references[1], start, stop, lane, lanes, shared)
        return of_a, of_b

    return add_up


def _near_derivatives(precision, at):
    zero = precision.Float(0)

    @device
    def write(a, b, s, references, means, weight, in_a, in_b, start, stop, lane, lanes):
        """Write the derivatives."""
        for i in range(start + lane, stop, lanes):
            p, _, _, g = at(a, b, i, both(s), references[0])
            in_a[i] = zero if p == zero else p * (g - means[0]) * weight
            q, _, _, h = at(b, a, i, swapped(s), references[1])
            in_b[i] = zero if q == zero else q * (h - means[1]) * weight

    return write


def _whole_gradients(precision, staged, near):
    Float, sweeps = precision.Float, logit_sweeps(precision, staged)
    softmax, sum_of, kept = sweeps.softmax, sweeps.sum_of, sweeps.kept
    divergence, own = sweeps.divergence, _own_sweeps(precision, sweeps)
    add_up, write, cancelled = own.add_up, own.write, Float(precision.device_gradient_cancelled)
    references, add_near, write_near = near.references, near.add_up, near.write
    kind = target.type_of(precision)

    @jit
    def whole_gradients(A, B, weights, shift, aligned, room, divisor, in_A, in_B, result):
        """Write the divergence of each row and its derivatives."""
        shared = cuda.shared.array((2, WARPS), Float)
        memory = cuda.shared.array(0, kind, alignment=ALIGNMENT)
        row, lane, exists = place_of(shift, result.shape[0])
        lanes, first = ONE << shift, 2 * room * (cuda.threadIdx.x >> shift)
        i, j, k = index_of(row, A.shape)
        a, b, in_a, in_b = (
            row_of(A, i, j, k),
            row_of(B, i, j, k),
            row_of(in_A, i, j, k),
            row_of(in_B, i, j, k),
        )
        x, y = memory[first : first + room], memory[first + room : first + 2 * room]
        weight, stop = Float(weights[i, j, k, 0]) / divisor, a.shape[0]
        end = stop if exists else NONE
        a_top, a_total, a_lo = softmax(a, x, NONE, stop, aligned, lane, lanes, shared)
        b_top, b_total, b_lo = softmax(b, y, NONE, stop, aligned, lane, lanes, shared)
        sums = a_top, sum_of(a_top, a_total, a_lo), b_top, sum_of(b_top, b_total, b_lo)
        x, y = kept(a, x), kept(b, y)
        total, of_p, of_q = add_up(x, y, sums, NONE, stop, aligned, lane, lanes, shared)
        means = of_p[0] + of_p[1], of_q[0] + of_q[1]
        outs, piece = (in_a, in_b), (NONE, stop, end)
        a_largest, b_largest = write(
            x, y, sums, means, weight, outs, piece, aligned, lane, lanes, shared
        )
        value = divergence(a, b, sums, total[0] + total[1], lane, lanes, shared)
        again = not (a_largest >= cancelled and b_largest >= cancelled)
        if cuda.syncthreads_or(np.int32(again)):
            stop = stop if again else NONE
            where = references(a, b, sums, NONE, stop, lane, lanes, shared)
            of_p, of_q = add_near(a, b, sums, where, NONE, stop, lane, lanes, shared)
            means, stop = (of_p[0] + of_p[1], of_q[0] + of_q[1]), min(stop, end)
            write_near(a, b, sums, where, means, weight, in_a, in_b, NONE, stop, lane, lanes)
        if exists and lane == 0:
            result[row] = value / divisor

    return whole_gradients


def _pieces_of_gradients(precision, near):
    Float, cancelled = precision.Float, precision.Float(precision.device_gradient_cancelled)
    own = _own_sweeps(precision, logit_sweeps(precision, False))
    add_up, write = own.add_up, own.write
    references, add_near, write_near = near.references, near.add_up, near.write

    @jit
    def pieces_of_gradients(
        A, B, weights, shift, aligned, piece, sweep, divisor, states, parts, in_A, in_B
    ):
        """Write what a sweep finds out of each piece of each row, or its derivatives."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, parts.shape[0])
        lanes = ONE << shift
        i, j, k = index_of(row, A.shape)
        a, b, in_a, in_b, s = (
            row_of(A, i, j, k),
            row_of(B, i, j, k),
            row_of(in_A, i, j, k),
            row_of(in_B, i, j, k),
            states[row],
        )
        weight = Float(weights[i, j, k, 0]) / divisor
        start = cuda.blockIdx.y * piece
        stop = min(start + piece, a.shape[0])
        end = stop if exists else NONE
        part, means, where = (
            parts[row, cuda.blockIdx.y],
            (s[P_MEAN], s[Q_MEAN]),
            (s[B_AT_A], s[A_AT_B]),
        )
        first = exists and lane == 0
        if sweep > 1 and s[A_LARGEST] >= cancelled and s[B_LARGEST] >= cancelled:
            stop = start
        if sweep == 0:
            total, of_p, of_q = add_up(a, b, s, start, stop, aligned, lane, lanes, shared)
            if first:
                part[0], part[1] = total
                part[2], part[3] = of_p
                part[4], part[5] = of_q
        elif sweep < 3:
            if sweep == 1:
                place = start, stop, end
                found = write(
                    a, b, s, means, weight, (in_a, in_b), place, aligned, lane, lanes, shared
                )
            else:
                found = references(a, b, s, start, stop, lane, lanes, shared)
            if first:
                part[0], part[1] = found
        elif sweep == 3:
            of_p, of_q = add_near(a, b, s, where, start, stop, lane, lanes, shared)
            if first:
                part[0], part[1] = of_p
                part[2], part[3] = of_q
        else:
            stop = min(stop, end)
            write_near(a, b, s, where, means, weight, in_a, in_b, start, stop, lane, lanes)

    return pieces_of_gradients


def _gradients_of_pieces(precision):
    Float, groups = precision.Float, group_functions(precision)
    ends_of_pieces, sum_of_pieces = groups.ends_of_pieces, groups.sum_of_pieces
    cancelled = Float(precision.device_gradient_cancelled)

    @jit
    def gradients_of_pieces(parts, sweep, divisor, states, result):
        """Put together, a block for each row, what a sweep found out of its pieces."""
        shared = cuda.shared.array((2, WARPS), Float)
        row = cuda.blockIdx.x
        s = states[row]
        if sweep == 0:
            total, lo = sum_of_pieces(parts, row, 0, shared)
            p, p_lo = sum_of_pieces(parts, row, 2, shared)
            q, q_lo = sum_of_pieces(parts, row, 4, shared)
            if cuda.threadIdx.x == 0:
                s[VALUE], s[P_MEAN], s[Q_MEAN] = total + lo, p + p_lo, q + q_lo
                result[row] = s[VALUE] / divisor
        elif sweep < 3:
            _, of_a = ends_of_pieces(parts, row, 0, 0, shared)
            _, of_b = ends_of_pieces(parts, row, 1, 1, shared)
            if cuda.threadIdx.x == 0 and sweep == 1:
                s[A_LARGEST], s[B_LARGEST] = of_a, of_b
            elif cuda.threadIdx.x == 0:
                s[B_AT_A], s[A_AT_B] = of_a, of_b
        else:
            p, p_lo = sum_of_pieces(parts, row, 0, shared)
            q, q_lo = sum_of_pieces(parts, row, 2, shared)
            if cuda.threadIdx.x == 0 and not (
                s[A_LARGEST] >= cancelled and s[B_LARGEST] >= cancelled
            ):
                s[P_MEAN], s[Q_MEAN] = p + p_lo, q + q_lo

    return gradients_of_pieces


def _weight_at(precision):
    Float, none = precision.Float, precision.Float(-np.inf)
    top_of_group = group_functions(precision).top_of_group

    @device
    def weight_at(a, b, w, a_top, b_reference, start, stop, lane, lanes, shared):
        """Return c_r."""
        own = none
        for i in range(start + lane, stop, lanes):
            if Float(a[i]) == a_top and Float(b[i]) == b_reference:
                own = most(Float(w[i]), own)
        return top_of_group(own, lanes, shared)

    return weight_at


def _weighted_sums(precision, at):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    exp = target.formula(precision, scalar_formulas(precision).device_exp)
    exp_and_rest = target.formula(precision, scalar_formulas(precision).exp_and_rest)
    zero, half = Float(0), Float(0.5)

    @device
    def add_up(a, b, w, sums, where, start, stop, lane, lanes, shared):
        """Return Σ p·c·(g - g_r), Σ p·(c - c_r) and what gives g_r, with their low-order parts."""
        b_reference, w_reference = where
        slope, slope_rest, more, more_rest, excess, excess_rest = zero, zero, zero, zero, zero, zero
        quotient = exp(b_reference - sums[B_TOP]) / sums[B_SUM] * sums[A_SUM]
        for i in range(start + lane, stop, lanes):
            p, q, ratio, g = at(a, b, i, sums, b_reference)
            own = Float(w[i])
            slope, error = two_sum(slope, mul_rn(p, own * g))
            slope_rest += error
            more, error = two_sum(more, mul_rn(p, own - w_reference))
            more_rest += error
            _, lo = exp_and_rest(-abs(ratio))
            part = mul_rn(mul_rn(p, quotient), lo) if ratio > zero else -mul_rn(q, lo)
            excess, error = two_sum(excess, part)
            excess_rest += error
        slope, slope_rest = sum_of_group(slope, slope_rest, lanes, shared)
        more, more_rest = sum_of_group(more, more_rest, lanes, shared)
        excess, excess_rest = sum_of_group(excess, excess_rest, lanes, shared)
        return (slope, slope_rest), (more, more_rest), (excess, excess_rest)

    @device
    def mean_of(slope, more, excess):
        """Return Σ p·c·(g - g_r) + g_r·Σ p·(c - c_r), and g_r."""
        at_reference = -half * Float(math.log1p(half * (excess[0] + excess[1])))
        return (slope[0] + slope[1]) + at_reference * (more[0] + more[1]), at_reference

    return add_up, mean_of


def _write_weighted(precision, at):
    Float, zero = precision.Float, precision.Float(0)

    @device
    def write(a, b, w, sums, where, means, divisor, result, start, stop, lane, lanes):
        """Write the derivatives with respect to one side."""
        (b_reference, w_reference), (mean, at_reference) = where, means
        for i in range(start + lane, stop, lanes):
            p, _, _, g = at(a, b, i, sums, b_reference)
            own = Float(w[i])
            value = p * ((own * g + at_reference * (own - w_reference)) - mean) / divisor
            result[i] = zero if p == zero else value

    return write


def _term_gradients(precision, near):
    Float, sweeps = precision.Float, logit_sweeps(precision, False)
    references, at, softmax, sum_of = near.references, near.at, sweeps.softmax, sweeps.sum_of
    weight_at, write = _weight_at(precision), _write_weighted(precision, at)
    add_up, mean_of = _weighted_sums(precision, at)

    @device
    def one_side(a, b, w, sums, reference, divisor, result, stop, end, lane, lanes, shared):
        own = weight_at(a, b, w, sums[A_TOP], reference, NONE, stop, lane, lanes, shared)
        where = reference, own
        slope, more, excess = add_up(a, b, w, sums, where, NONE, stop, lane, lanes, shared)
        means = mean_of(slope, more, excess)
        write(a, b, w, sums, where, means, divisor, result, NONE, end, lane, lanes)

    @jit
    def term_gradients(A, B, weights, shift, aligned, divisor, in_A, in_B):
        """Write the derivatives of the sum of each row's terms times weights."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, A.shape[0] * A.shape[1] * A.shape[2])
        lanes = ONE << shift
        i, j, k = index_of(row, A.shape)
        a, b, w = row_of(A, i, j, k), row_of(B, i, j, k), row_of(weights, i, j, k)
        in_a, in_b = row_of(in_A, i, j, k), row_of(in_B, i, j, k)
        stop = a.shape[0]
        end = stop if exists else NONE
        a_top, total, lo = softmax(a, a, NONE, stop, aligned, lane, lanes, shared)
        a_sum = sum_of(a_top, total, lo)
        b_top, total, lo = softmax(b, b, NONE, stop, aligned, lane, lanes, shared)
        b_sum = sum_of(b_top, total, lo)
        sums = a_top, a_sum, b_top, b_sum
        in_b_row, in_a_row = references(a, b, sums, NONE, stop, lane, lanes, shared)
        one_side(a, b, w, sums, in_b_row, divisor, in_a, stop, end, lane, lanes, shared)
        sums = swapped(sums)
        one_side(b, a, w, sums, in_a_row, divisor, in_b, stop, end, lane, lanes, shared)

    return term_gradients


def _pieces_of_term_gradients(precision, near):
    Float, references, at = precision.Float, near.references, near.at
    weight_at, write = _weight_at(precision), _write_weighted(precision, at)
    add_up, _ = _weighted_sums(precision, at)

    @jit
    def pieces_of_term_gradients(
        A, B, weights, shift, piece, sweep, divisor, states, parts, in_A, in_B
    ):
        """Write what a sweep finds out of each piece of each row, or the derivatives."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, parts.shape[0])
        lanes = ONE << shift
        i, j, k = index_of(row, A.shape)
        a, b, w = row_of(A, i, j, k), row_of(B, i, j, k), row_of(weights, i, j, k)
        in_a, in_b, s = row_of(in_A, i, j, k), row_of(in_B, i, j, k), states[row]
        start = cuda.blockIdx.y * piece
        stop = min(start + piece, a.shape[0])
        part, sums, of_b_first = parts[row, cuda.blockIdx.y], both(s), swapped(s)
        of_p, of_q = (s[B_AT_A], s[A_WEIGHT]), (s[A_AT_B], s[B_WEIGHT])
        if sweep == 0:
            found = references(a, b, sums, start, stop, lane, lanes, shared)
            if exists and lane == 0:
                part[0], part[1] = found
        elif sweep == 1:
            of_a = weight_at(a, b, w, s[A_TOP], s[B_AT_A], start, stop, lane, lanes, shared)
            of_b = weight_at(b, a, w, s[B_TOP], s[A_AT_B], start, stop, lane, lanes, shared)
            if exists and lane == 0:
                part[0], part[1] = of_a, of_b
        elif sweep == 2:
            slope, more, excess = add_up(a, b, w, sums, of_p, start, stop, lane, lanes, shared)
            if exists and lane == 0:
                part[0], part[1] = slope
                part[2], part[3] = more
                part[4], part[5] = excess
        elif sweep == 3:
            slope, more, excess = add_up(
                b, a, w, of_b_first, of_q, start, stop, lane, lanes, shared
            )
            if exists and lane == 0:
                part[0], part[1] = slope
                part[2], part[3] = more
                part[4], part[5] = excess
        else:
            stop = stop if exists else start
            means = s[P_MEAN], s[P_MEAN + 2]
            write(a, b, w, sums, of_p, means, divisor, in_a, start, stop, lane, lanes)
            means = s[Q_MEAN], s[Q_MEAN + 2]
            write(b, a, w, of_b_first, of_q, means, divisor, in_b, start, stop, lane, lanes)

    return pieces_of_term_gradients


def _term_gradients_of_pieces(precision, near):
    Float, groups = precision.Float, group_functions(precision)
    ends_of_pieces, sum_of_pieces = groups.ends_of_pieces, groups.sum_of_pieces
    _, mean_of = _weighted_sums(precision, near.at)

    @jit
    def term_gradients_of_pieces(parts, sweep, _divisor, states, _result):
        """Put together, a block for each row, what a sweep found out of its pieces."""
        shared = cuda.shared.array((2, WARPS), Float)
        row = cuda.blockIdx.x
        s = states[row]
        if sweep < 2:
            _, of_a = ends_of_pieces(parts, row, 0, 0, shared)
            _, of_b = ends_of_pieces(parts, row, 1, 1, shared)
            if cuda.threadIdx.x == 0 and sweep == 0:
                s[B_AT_A], s[A_AT_B] = of_a, of_b
            elif cuda.threadIdx.x == 0:
                s[A_WEIGHT], s[B_WEIGHT] = of_a, of_b
        elif sweep < 4:
            slope = sum_of_pieces(parts, row, 0, shared)
            more = sum_of_pieces(parts, row, 2, shared)
            excess = sum_of_pieces(parts, row, 4, shared)
            if cuda.threadIdx.x == 0:
                mean = P_MEAN if sweep == 2 else Q_MEAN
                s[mean], s[mean + 2] = mean_of(slope, more, excess)

    return term_gradients_of_pieces
