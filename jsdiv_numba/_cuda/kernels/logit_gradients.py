"""Kernels over rows of logits that give the divergence and its derivatives.

As `_kernels.logits.js_gradients` has them: after the softmaxes, one sweep sums the terms and the
slopes' means, and another writes the derivatives. Where these have cancelled, the slopes
are taken less that of a reference, a category where p is largest, in two sweeps more. Of
several such categories it is one with the largest q. Where each term has a cotangent of its own, or
the sides have weights, they are taken so at once.
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import FLOAT32, Precision
from ..._kernels.formulas.js import scalar_formulas
from .. import target
from ..target import ALIGNMENT, cuda, device, jit, least, most, mul_rn, row_of
from .indexing import NONE, ONE, access, index_of, piece_of, place_of, reports
from .logits import A_SUM, A_TOP, B_SUM, B_TOP, LIMIT, STATE, VALUE, logit_sweeps
from .reductions import WARPS, group_functions
from .summands import summand_of, weights_of

P_MEAN, Q_MEAN, A_LARGEST, B_LARGEST, B_AT_A, A_AT_B, A_SHARE, B_SHARE = range(LIMIT + 1, STATE)
"""Slots of a row's state: the means of both sides' slopes, each side's largest derivative, the
logits of b and of a where the other one is largest, which are the references, and the shares."""

A_COTANGENT, B_COTANGENT = 4, 5
"""Of terms with cotangents, whose value is not kept, those at the references; beside each mean, two
slots on, stands the slope there."""


@device
def both(sums, shares):
    """Return the largest logits, the sums and the shares of both sides."""
    return sums[A_TOP], sums[A_SUM], shares[0], sums[B_TOP], sums[B_SUM], shares[1]


@device
def swapped(sums, shares):
    """Return them with the second side first."""
    return sums[B_TOP], sums[B_SUM], shares[1], sums[A_TOP], sums[A_SUM], shares[0]


@cache
def logit_gradient_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels for rows without weights and with one cotangent each."""
    near = _near(precision)
    return SimpleNamespace(
        whole_gradients=_whole_gradients(precision, False, near),
        staged_gradients=_whole_gradients(precision, True, near),
        pieces_of_gradients=_pieces_of_gradients(precision, near),
        gradients_of_pieces=_gradients_of_pieces(precision),
    )


@cache
def logit_term_gradient_kernels(precision: Precision, skewed: bool) -> SimpleNamespace:
    """Return the kernels for rows of which each term has a cotangent, with or without weights."""
    sweeps = _term_sweeps(precision)
    shares_of = _shares_of(precision, skewed)
    return SimpleNamespace(
        term_gradients=_term_gradients(precision, sweeps, shares_of),
        pieces_of_term_gradients=_pieces_of_term_gradients(precision, sweeps, shares_of),
        term_gradients_of_pieces=_term_gradients_of_pieces(precision),
    )


def _shares_of(precision, skewed):
    of_row, shares = weights_of(precision, skewed).of_row, summand_of(precision, skewed).shares

    @device
    def shares_of(weights, i, j, k):
        """Return the shares of both sides of a row: twice their weights."""
        return shares(*of_row(weights, i, j, k))

    return shares_of


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
    def write(a, b, sums, means, cotangent, outs, piece, aligned, lane, lanes, shared):
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
            store(in_a, i, end, aligned, times(of_e, cotangent * of_a))
            store(in_b, i, end, aligned, times(of_f, cotangent * of_b))
            i += 4 * lanes
        a_largest = top_of_group(a_largest, lanes, shared)
        b_largest = top_of_group(b_largest, lanes, shared)
        return a_largest, b_largest

    return write


def _near(precision):
    at = _at(precision)
    add_up, write = _near_sums(precision, at), _near_derivatives(precision, at)
    return SimpleNamespace(references=_references(precision), add_up=add_up, write=write)


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
        """Return g - g_r over the first side's share, and 0 for a probability of 0."""
        above = ratio > zero
        exponential, lo = exp_and_rest(-abs(ratio))
        share, other = (x_reference, y_reference) if above else (x, y)
        whole = share + other
        share, other = share / whole, other / whole
        value = half_log_lesser(one, other * lo, share + other * exponential)
        value = -value if above else value
        return zero if x == zero else value

    @device
    def at(a, b, i, sides, b_reference):
        """Return p, q, t and g - g_r of a category; the reference is where a is largest."""
        a_top, a_sum, a_share, b_top, b_sum, b_share = sides
        x, y = Float(a[i]), Float(b[i])
        p, q = exp(x - a_top) / a_sum, exp(y - b_top) / b_sum
        ratio = log_ratio(x, y, a_top, b_reference)
        q_reference = exp(b_reference - b_top) / b_sum
        of_p, of_q = a_share * (one / a_sum), b_share * q_reference
        return p, q, ratio, a_share * change(a_share * p, b_share * q, ratio, of_p, of_q)

    return at


def _near_sums(precision, at):
    groups, zero = group_functions(precision), precision.Float(0)
    equal = precision.Float(1), precision.Float(1)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group

    @device
    def add_side(a, b, sides, b_reference, start, stop, lane, lanes, shared):
        total, total_rest = zero, zero
        for i in range(start + lane, stop, lanes):
            p, _, _, g = at(a, b, i, sides, b_reference)
            total, error = two_sum(total, mul_rn(p, g))
            total_rest += error
        return sum_of_group(total, total_rest, lanes, shared)

    @device
    def add_up(a, b, s, references, start, stop, lane, lanes, shared):
        """Return the sums of p·(g - g_r), of both sides."""
        of_a = add_side(a, b, both(s, equal), references[0], start, stop, lane, lanes, shared)
        of_b = add_side(b, a, swapped(s, equal), references[1], start, stop, lane, lanes, shared)
        return of_a, of_b

    return add_up


def _near_derivatives(precision, at):
    zero, equal = precision.Float(0), (precision.Float(1), precision.Float(1))

    @device
    def write(a, b, s, references, means, cotangent, outs, start, stop, lane, lanes):
        """Write the derivatives."""
        in_a, in_b = outs
        for i in range(start + lane, stop, lanes):
            p, _, _, g = at(a, b, i, both(s, equal), references[0])
            in_a[i] = zero if p == zero else p * (g - means[0]) * cotangent
            q, _, _, h = at(b, a, i, swapped(s, equal), references[1])
            in_b[i] = zero if q == zero else q * (h - means[1]) * cotangent

    return write


def _whole_gradients(precision, staged, near):
    Float, sweeps = precision.Float, logit_sweeps(precision, False, staged)
    softmax, sum_of, kept = sweeps.softmax, sweeps.sum_of, sweeps.kept
    divergence, own = sweeps.divergence, _own_sweeps(precision, sweeps)
    add_up, write, cancelled = own.add_up, own.write, Float(precision.device_gradient_cancelled)
    references, add_near, write_near = near.references, near.add_up, near.write
    kind = target.type_of(precision)

    @jit
    def whole_gradients(A, B, cotangents, shift, aligned, room, divisor, in_A, in_B, result):
        """Write the divergence of each row and its derivatives, times the row's cotangent."""
        shared = cuda.shared.array((2, WARPS), Float)
        memory = cuda.shared.array(0, kind, alignment=ALIGNMENT)
        row, lane, exists = place_of(shift, result.shape[0])
        lanes, first = ONE << shift, 2 * room * (cuda.threadIdx.x >> shift)
        i, j, k = index_of(row, A.shape)
        a, b = row_of(A, i, j, k), row_of(B, i, j, k)
        outs = row_of(in_A, i, j, k), row_of(in_B, i, j, k)
        x, y = memory[first : first + room], memory[first + room : first + 2 * room]
        cotangent, stop = Float(cotangents[i, j, k, 0]) / divisor, a.shape[0]
        end = stop if exists else NONE
        a_top, a_total, a_lo = softmax(a, x, NONE, stop, aligned, lane, lanes, shared)
        b_top, b_total, b_lo = softmax(b, y, NONE, stop, aligned, lane, lanes, shared)
        sums = a_top, sum_of(a_top, a_total, a_lo), b_top, sum_of(b_top, b_total, b_lo)
        x, y = kept(a, x), kept(b, y)
        total, of_p, of_q = add_up(x, y, sums, NONE, stop, aligned, lane, lanes, shared)
        means = of_p[0] + of_p[1], of_q[0] + of_q[1]
        piece = NONE, stop, end
        a_largest, b_largest = write(
            x, y, sums, means, cotangent, outs, piece, aligned, lane, lanes, shared
        )
        value = divergence(a, b, (), sums, total[0] + total[1], lane, lanes, shared)
        again = not (a_largest >= cancelled and b_largest >= cancelled)
        if cuda.syncthreads_or(np.int32(again)):
            stop = stop if again else NONE
            where = references(a, b, sums, NONE, stop, lane, lanes, shared)
            of_p, of_q = add_near(a, b, sums, where, NONE, stop, lane, lanes, shared)
            means, stop = (of_p[0] + of_p[1], of_q[0] + of_q[1]), min(stop, end)
            write_near(a, b, sums, where, means, cotangent, outs, NONE, stop, lane, lanes)
        if exists and lane == 0:
            result[row] = value / divisor

    return whole_gradients


def _pieces_of_gradients(precision, near):
    Float, cancelled = precision.Float, precision.Float(precision.device_gradient_cancelled)
    sweeps = _own_sweeps(precision, logit_sweeps(precision, False, False))
    add_up, write = sweeps.add_up, sweeps.write
    references, add_near, write_near = near.references, near.add_up, near.write

    @jit
    def pieces_of_gradients(
        A, B, cotangents, shift, aligned, piece, sweep, divisor, states, parts, in_A, in_B
    ):
        """Write what a sweep finds out of each piece of each row, or its derivatives."""
        shared = cuda.shared.array((2, WARPS), Float)
        own = piece_of(A.shape, shift, piece, parts.shape[0])
        (i, j, k), start, stop, lane, lanes = own.place, own.start, own.stop, own.lane, own.lanes
        a, b, s = row_of(A, i, j, k), row_of(B, i, j, k), states[own.row]
        outs = row_of(in_A, i, j, k), row_of(in_B, i, j, k)
        cotangent = Float(cotangents[i, j, k, 0]) / divisor
        part, means, where = (
            parts[own.row, own.part],
            (s[P_MEAN], s[Q_MEAN]),
            (s[B_AT_A], s[A_AT_B]),
        )
        if sweep > 1 and s[A_LARGEST] >= cancelled and s[B_LARGEST] >= cancelled:
            stop = start
        if sweep == 0:
            total, of_p, of_q = add_up(a, b, s, start, stop, aligned, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = total
                part[2], part[3] = of_p
                part[4], part[5] = of_q
        elif sweep < 3:
            if sweep == 1:
                place = start, stop, own.end
                found = write(a, b, s, means, cotangent, outs, place, aligned, lane, lanes, shared)
            else:
                found = references(a, b, s, start, stop, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = found
        elif sweep == 3:
            of_p, of_q = add_near(a, b, s, where, start, stop, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = of_p
                part[2], part[3] = of_q
        else:
            stop = min(stop, own.end)
            write_near(a, b, s, where, means, cotangent, outs, start, stop, lane, lanes)

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


@cache
def _term_sweeps(precision):
    at = _at(precision)
    return SimpleNamespace(
        references=_references(precision),
        cotangent_at=_cotangent_at(precision),
        add_up=_add_up_terms(precision, at),
        mean_of=_mean_of(precision),
        write=_write_terms(precision, at),
    )


def _cotangent_at(precision):
    Float, none = precision.Float, precision.Float(-np.inf)
    top_of_group = group_functions(precision).top_of_group

    @device
    def cotangent_at(a, b, c, a_top, b_reference, start, stop, lane, lanes, shared):
        """Return c_r."""
        own = none
        for i in range(start + lane, stop, lanes):
            if Float(a[i]) == a_top and Float(b[i]) == b_reference:
                own = most(Float(c[i]), own)
        return top_of_group(own, lanes, shared)

    return cotangent_at


def _quotient_at(precision):
    exp = target.formula(precision, scalar_formulas(precision).device_exp)

    @device
    def quotient_at(sides, b_reference):
        """Return q_r/p_r."""
        _, a_sum, _, b_top, b_sum, _ = sides
        return exp(b_reference - b_top) / b_sum * a_sum

    return quotient_at


def _add_up_terms(precision, at):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    exp_and_rest = target.formula(precision, scalar_formulas(precision).exp_and_rest)
    quotient_at, zero = _quotient_at(precision), Float(0)

    @device
    def add_up(a, b, c, sides, where, start, stop, lane, lanes, shared):
        """Return Σ p·c·(g - g_r), Σ p·(c - c_r) and what gives g_r, with their low-order parts."""
        b_reference, c_reference = where
        slope, slope_rest, more, more_rest, excess, excess_rest = zero, zero, zero, zero, zero, zero
        quotient = quotient_at(sides, b_reference)
        for i in range(start + lane, stop, lanes):
            p, q, ratio, g = at(a, b, i, sides, b_reference)
            own = Float(c[i])
            slope, error = two_sum(slope, mul_rn(p, own * g))
            slope_rest += error
            more, error = two_sum(more, mul_rn(p, own - c_reference))
            more_rest += error
            _, lo = exp_and_rest(-abs(ratio))
            part = mul_rn(mul_rn(p, quotient), lo) if ratio > zero else -mul_rn(q, lo)
            excess, error = two_sum(excess, part)
            excess_rest += error
        slope, slope_rest = sum_of_group(slope, slope_rest, lanes, shared)
        more, more_rest = sum_of_group(more, more_rest, lanes, shared)
        excess, excess_rest = sum_of_group(excess, excess_rest, lanes, shared)
        return (slope, slope_rest), (more, more_rest), (excess, excess_rest)

    return add_up


def _mean_of(precision):
    Float, quotient_at = precision.Float, _quotient_at(precision)
    zero, half, far = Float(0), Float(0.5), Float(-0.75)

    @device
    def slope_at(quotient, excess, a_share, b_share):
        """Return g_r, given q_r/p_r and what it exceeds 1 by."""
        change = half * b_share * excess
        if change > far:
            logarithm = Float(math.log1p(change))
        else:
            logarithm = Float(math.log(half * a_share + half * b_share * quotient))
        return zero if a_share == zero else -half * a_share * logarithm

    @device
    def mean_of(sides, b_reference, slope, more, excess):
        """Return Σ p·c·(g - g_r) + g_r·Σ p·(c - c_r), and g_r."""
        quotient = quotient_at(sides, b_reference)
        at_reference = slope_at(quotient, excess[0] + excess[1], sides[2], sides[5])
        return (slope[0] + slope[1]) + at_reference * (more[0] + more[1]), at_reference

    return mean_of


def _write_terms(precision, at):
    Float, zero = precision.Float, precision.Float(0)

    @device
    def write(rows, sides, where, means, divisor, start, stop, lane, lanes):
        """Write the derivatives with respect to one side."""
        (a, b, c, result), (b_reference, c_reference), (mean, at_reference) = rows, where, means
        for i in range(start + lane, stop, lanes):
            p, _, _, g = at(a, b, i, sides, b_reference)
            own = Float(c[i])
            value = p * ((own * g + at_reference * (own - c_reference)) - mean) / divisor
            result[i] = zero if p == zero else value

    return write


def _term_gradients(precision, sweeps, shares_of):
    Float, of_logits = precision.Float, logit_sweeps(precision, False, False)
    softmax, sum_of, references = of_logits.softmax, of_logits.sum_of, sweeps.references
    cotangent_at, add_up, mean_of = sweeps.cotangent_at, sweeps.add_up, sweeps.mean_of
    write = sweeps.write

    @device
    def one_side(rows, sides, reference, divisor, stop, end, lane, lanes, shared):
        a, b, c, _ = rows
        own = cotangent_at(a, b, c, sides[0], reference, NONE, stop, lane, lanes, shared)
        where = reference, own
        slope, more, excess = add_up(a, b, c, sides, where, NONE, stop, lane, lanes, shared)
        means = mean_of(sides, reference, slope, more, excess)
        write(rows, sides, where, means, divisor, NONE, end, lane, lanes)

    @jit
    def term_gradients(A, B, weights, cotangents, shift, aligned, divisor, in_A, in_B):
        """Write the derivatives of the sum of each row's terms times cotangents."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, A.shape[0] * A.shape[1] * A.shape[2])
        lanes = ONE << shift
        i, j, k = index_of(row, A.shape)
        a, b, c = row_of(A, i, j, k), row_of(B, i, j, k), row_of(cotangents, i, j, k)
        in_a, in_b = row_of(in_A, i, j, k), row_of(in_B, i, j, k)
        stop, shares = a.shape[0], shares_of(weights, i, j, k)
        end = stop if exists else NONE
        a_top, total, lo = softmax(a, a, NONE, stop, aligned, lane, lanes, shared)
        a_sum = sum_of(a_top, total, lo)
        b_top, total, lo = softmax(b, b, NONE, stop, aligned, lane, lanes, shared)
        b_sum = sum_of(b_top, total, lo)
        sums = a_top, a_sum, b_top, b_sum
        b_at_a, a_at_b = references(a, b, sums, NONE, stop, lane, lanes, shared)
        rows, sides = (a, b, c, in_a), both(sums, shares)
        one_side(rows, sides, b_at_a, divisor, stop, end, lane, lanes, shared)
        rows, sides = (b, a, c, in_b), swapped(sums, shares)
        one_side(rows, sides, a_at_b, divisor, stop, end, lane, lanes, shared)

    return term_gradients


def _pieces_of_term_gradients(precision, sweeps, shares_of):
    Float, references, cotangent_at = precision.Float, sweeps.references, sweeps.cotangent_at
    add_up, write = sweeps.add_up, sweeps.write

    @jit
    def pieces_of_term_gradients(
        A, B, weights, cotangents, shift, piece, sweep, divisor, states, parts, in_A, in_B
    ):
        """Write what a sweep finds out of each piece of each row, or the derivatives."""
        shared = cuda.shared.array((2, WARPS), Float)
        own = piece_of(A.shape, shift, piece, parts.shape[0])
        (i, j, k), start, stop, lane, lanes = own.place, own.start, own.stop, own.lane, own.lanes
        a, b, c = row_of(A, i, j, k), row_of(B, i, j, k), row_of(cotangents, i, j, k)
        in_a, in_b, s = row_of(in_A, i, j, k), row_of(in_B, i, j, k), states[own.row]
        part, shares = parts[own.row, own.part], shares_of(weights, i, j, k)
        of_a, of_b = both(s, shares), swapped(s, shares)
        at_a, at_b = (s[B_AT_A], s[A_COTANGENT]), (s[A_AT_B], s[B_COTANGENT])
        if sweep == 0:
            found = references(a, b, s, start, stop, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = found
                s[A_SHARE], s[B_SHARE] = shares
        elif sweep == 1:
            in_p = cotangent_at(a, b, c, s[A_TOP], s[B_AT_A], start, stop, lane, lanes, shared)
            in_q = cotangent_at(b, a, c, s[B_TOP], s[A_AT_B], start, stop, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = in_p, in_q
        elif sweep == 2:
            slope, more, excess = add_up(a, b, c, of_a, at_a, start, stop, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = slope
                part[2], part[3] = more
                part[4], part[5] = excess
        elif sweep == 3:
            slope, more, excess = add_up(b, a, c, of_b, at_b, start, stop, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = slope
                part[2], part[3] = more
                part[4], part[5] = excess
        else:
            means = s[P_MEAN], s[P_MEAN + 2]
            write((a, b, c, in_a), of_a, at_a, means, divisor, start, own.end, lane, lanes)
            means = s[Q_MEAN], s[Q_MEAN + 2]
            write((b, a, c, in_b), of_b, at_b, means, divisor, start, own.end, lane, lanes)

    return pieces_of_term_gradients


@cache
def _term_gradients_of_pieces(precision):
    Float, groups = precision.Float, group_functions(precision)
    ends_of_pieces, sum_of_pieces = groups.ends_of_pieces, groups.sum_of_pieces
    mean_of = _mean_of(precision)

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
                s[A_COTANGENT], s[B_COTANGENT] = of_a, of_b
        elif sweep < 4:
            slope = sum_of_pieces(parts, row, 0, shared)
            more = sum_of_pieces(parts, row, 2, shared)
            excess = sum_of_pieces(parts, row, 4, shared)
            shares = s[A_SHARE], s[B_SHARE]
            if cuda.threadIdx.x == 0 and sweep == 2:
                means = mean_of(both(s, shares), s[B_AT_A], slope, more, excess)
                s[P_MEAN], s[P_MEAN + 2] = means
            elif cuda.threadIdx.x == 0:
                means = mean_of(swapped(s, shares), s[A_AT_B], slope, more, excess)
                s[Q_MEAN], s[Q_MEAN + 2] = means

    return term_gradients_of_pieces
