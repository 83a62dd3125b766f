"""Kernels over rows of logits.

A first sweep gives each row's largest logit and its sum of exponentials, a second the terms
from the probabilities. Where their sum is so small that the rounding of those
shows beside p - q, a third and a fourth take the differences of the
logits, as `_kernels.logits` does, but in their own precision: with δ = a - b less the difference
of the largest logits, which is as small as the rows are close, and Λ = log Σ q·e^δ,
(p - q)/(p + q) = tanh((δ - Λ)/2).

Where two rows fit into shared memory, they are read once: the `staged` kernels keep the
exponentials there. Where there are few long rows, a kernel does one of these sweeps
over a piece of a row, as in `rows`.
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import FLOAT32, Precision
from ..._kernels.formulas.js import scalar_formulas
from .. import target
from ..target import (
    ALIGNMENT,
    THREADS,
    cuda,
    device,
    four,
    jit,
    most,
    mul_rn,
    row_of,
    set_four,
)
from .indexing import NONE, ONE, access, index_of, piece_of, place_of, reports
from .reductions import WARPS, group_functions
from .summands import summand_of, weights_of

A_TOP, A_SUM, B_TOP, B_SUM, VALUE, RATIO, LIMIT = range(7)
"""Slots of what is known of a row, for all sweeps over it: each side's largest logit and its sum of
exponentials, the divergence, Λ, and below what the divergence is computed again."""

STATE = 15
"""Slots of a row; those after the first seven are `logit_gradients`'s."""


@cache
def logit_kernels(precision: Precision, skewed: bool) -> SimpleNamespace:
    """Return the kernels for one precision, with or without weights."""
    of_row = weights_of(precision, skewed).of_row
    return SimpleNamespace(
        whole_logits=_whole_logits(precision, logit_sweeps(precision, skewed, False), of_row),
        staged_logits=_whole_logits(precision, logit_sweeps(precision, skewed, True), of_row),
        logit_terms=_logit_terms(precision, skewed),
        pieces_of_logits=_pieces_of_logits(precision, skewed, with_terms=False),
        pieces_of_terms=_pieces_of_logits(precision, skewed, with_terms=True),
        logits_of_pieces=_logits_of_pieces(precision),
    )


@cache
def logit_sweeps(precision: Precision, skewed: bool, staged: bool) -> SimpleNamespace:
    """Return what is done with a row of logits, which may be kept in shared memory."""
    adding, summand = _adding(precision, staged), summand_of(precision, skewed)
    softmax = _staged_softmax(precision, adding) if staged else _softmax(precision)
    exponentials = _staged_exponentials() if staged else _exponentials(precision)
    near = _near(precision, summand)
    return SimpleNamespace(
        adding=adding,
        softmax=softmax,
        exponentials=exponentials,
        kept=_kept(staged),
        sum_of=_sum_of(precision),
        add_terms=_add_terms(precision, summand.term, exponentials, adding),
        divergence=_divergence(precision, near),
        near=near,
    )


def _adding(precision, staged):
    """Return how sums are added up: those of rows that fit into shared memory have few terms."""
    groups, zero = group_functions(precision), precision.Float(0)
    two_sum, plain_sum_of_group = groups.two_sum, groups.plain_sum_of_group

    @device
    def add(total, lo, part):
        total, error = two_sum(total, part)
        return total, lo + error

    @device
    def add_plainly(total, lo, part):
        return total + part, lo

    @device
    def sum_of_group(total, _lo, lanes, shared):
        return plain_sum_of_group(total, lanes, shared), zero

    if staged:
        return SimpleNamespace(add=add_plainly, sum_of_group=sum_of_group)
    return SimpleNamespace(add=add, sum_of_group=groups.sum_of_group)


def _tops(precision):
    Float = precision.Float
    lowest, huge = Float(np.finfo(precision.Float).min), Float(np.finfo(precision.Float).max)

    @device
    def of_four(x):
        """Return the largest of four logits, and whether one is NaN or +inf."""
        valid = x[0] <= huge and x[1] <= huge and x[2] <= huge and x[3] <= huge
        return most(most(x[0], x[1]), most(x[2], x[3])), not valid

    @device
    def only_of_four(x):
        """Return the largest. Of what is not valid, the instruction for 2^x makes NaN itself."""
        return most(most(x[0], x[1]), most(x[2], x[3])), False

    return only_of_four if precision is FLOAT32 else of_four, lowest


def _sum_of(precision):
    Float, zero = precision.Float, precision.Float(0)
    nan, infinity = Float(np.nan), Float(np.inf)

    @device
    def sum_of(top, total, lo):
        """Return a row's sum of exponentials: NaN if a logit is NaN or +inf, or none is finite."""
        value = total + lo
        return value if value > zero and top < infinity else nan

    return sum_of


def _softmax(precision):
    groups, zero = group_functions(precision), precision.Float(0)
    two_sum, sum_of_group, top_of_group = (
        groups.two_sum,
        groups.sum_of_group,
        groups.top_of_group,
    )
    exp = target.formula(precision, scalar_formulas(precision).device_exp)
    load, infinity = access(precision, -np.inf).load, precision.Float(np.inf)
    of_four, lowest = _tops(precision)

    @device
    def softmax(a, _kept, start, stop, aligned, lane, lanes, shared):
        """Return the largest logit, and the sum of the exponentials of all less that one.

        In one sweep, by scaling what there is whenever a larger one comes: online softmax
        (M. Milakov and N. Gimelshein, arXiv:1805.02867).
        """
        top, total, lo, invalid = lowest, zero, zero, False
        i = start + 4 * lane
        while i < stop:
            x = load(a, i, stop, aligned)
            largest, wrong = of_four(x)
            invalid = invalid or wrong
            if largest > top:
                factor = exp(top - largest)
                total, lo, top = total * factor, lo * factor, largest
            part = (exp(x[0] - top) + exp(x[1] - top)) + (exp(x[2] - top) + exp(x[3] - top))
            total, error = two_sum(total, part)
            lo += error
            i += 4 * lanes
        top_of_all = top_of_group(infinity if invalid else top, lanes, shared)
        factor = exp(top - top_of_all)
        total, lo = sum_of_group(total * factor, lo * factor, lanes, shared)
        return top_of_all, total, lo

    return softmax


def _staged_softmax(precision, adding):
    top_of_group, zero = group_functions(precision).top_of_group, precision.Float(0)
    add, sum_of_group = adding.add, adding.sum_of_group
    exp = target.formula(precision, scalar_formulas(precision).device_exp)
    load, infinity = access(precision, -np.inf).load, precision.Float(np.inf)
    of_four, lowest = _tops(precision)

    @device
    def softmax(a, kept, start, stop, aligned, lane, lanes, shared):
        """Do what that of rows that are not kept does, and keep the exponentials."""
        top, invalid = lowest, False
        i = start + 4 * lane
        while i < stop:
            x = load(a, i, stop, aligned)
            largest, wrong = of_four(x)
            top, invalid = most(largest, top), invalid or wrong
            set_four(kept, i, x)
            i += 4 * lanes
        top = top_of_group(infinity if invalid else top, lanes, shared)
        total, lo = zero, zero
        i = start + 4 * lane
        while i < stop:
            x = four(kept, i)
            x = exp(x[0] - top), exp(x[1] - top), exp(x[2] - top), exp(x[3] - top)
            set_four(kept, i, x)
            total, lo = add(total, lo, (x[0] + x[1]) + (x[2] + x[3]))
            i += 4 * lanes
        total, lo = sum_of_group(total, lo, lanes, shared)
        return top, total, lo

    return softmax


def _exponentials(precision):
    exp = target.formula(precision, scalar_formulas(precision).device_exp)
    load = access(precision, -np.inf).load

    @device
    def exponentials(a, i, stop, aligned, top):
        """Return four of a row's exponentials."""
        x = load(a, i, stop, aligned)
        return exp(x[0] - top), exp(x[1] - top), exp(x[2] - top), exp(x[3] - top)

    return exponentials


def _staged_exponentials():
    @device
    def exponentials(kept, i, _stop, _aligned, _top):
        """Return four of a row's exponentials, which its own thread has kept."""
        return four(kept, i)

    return exponentials


def _kept(staged):
    @device
    def its_place(_row, place):
        """Return where a row's exponentials are kept."""
        return place

    @device
    def itself(row, _place):
        """Return the row, of which nothing is kept."""
        return row

    return its_place if staged else itself


def _add_terms(precision, term, exponentials, adding):
    add, sum_of_group, zero = adding.add, adding.sum_of_group, precision.Float(0)
    one = precision.Float(1)

    @device
    def add_terms(a, b, weights, sums, start, stop, aligned, lane, lanes, shared):
        """Return the sum of terms of probabilities, and its low-order part."""
        a_top, of_a, b_top, of_b = sums[A_TOP], one / sums[A_SUM], sums[B_TOP], one / sums[B_SUM]
        total, lo = zero, zero
        i = start + 4 * lane
        while i < stop:
            x = exponentials(a, i, stop, aligned, a_top)
            y = exponentials(b, i, stop, aligned, b_top)
            part = (
                term(mul_rn(x[0], of_a), mul_rn(y[0], of_b), *weights)
                + term(mul_rn(x[1], of_a), mul_rn(y[1], of_b), *weights)
            ) + (
                term(mul_rn(x[2], of_a), mul_rn(y[2], of_b), *weights)
                + term(mul_rn(x[3], of_a), mul_rn(y[3], of_b), *weights)
            )
            total, lo = add(total, lo, part)
            i += 4 * lanes
        return sum_of_group(total, lo, lanes, shared)

    return add_terms


def _near(precision, summand):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    exp = target.formula(precision, scalar_formulas(precision).device_exp)
    term_of, limit_of = summand.term_of, _near_limit(precision, summand)
    zero, half, one = Float(0), Float(0.5), Float(1)
    smallest = Float(np.finfo(precision.Float).tiny)

    @device
    def difference(a, b, i, sums):
        """Return δ."""
        delta, error = two_sum(Float(a[np.uint64(i)]), -Float(b[np.uint64(i)]))
        of_tops, of_tops_error = two_sum(sums[A_TOP], -sums[B_TOP])
        return (delta - of_tops) + (error - of_tops_error)

    @device
    def add_ratios(a, b, sums, start, stop, lane, lanes, shared):
        """Return the two sums that give Λ, each with its low-order part."""
        in_b, b_lo, in_a, a_lo = zero, zero, zero, zero
        for i in range(start + lane, stop, lanes):
            e, f = exp(Float(a[i]) - sums[A_TOP]), exp(Float(b[i]) - sums[B_TOP])
            if e > zero or f > zero:
                delta = difference(a, b, i, sums)
                close = abs(delta) < one
                up = f * Float(math.expm1(delta)) if close else e - f
                down = e * Float(math.expm1(-delta)) if close else f - e
                in_b, error = two_sum(in_b, up)
                b_lo += error
                in_a, error = two_sum(in_a, down)
                a_lo += error
        in_b, b_lo = sum_of_group(in_b, b_lo, lanes, shared)
        in_a, a_lo = sum_of_group(in_a, a_lo, lanes, shared)
        return (in_b, b_lo), (in_a, a_lo)

    @device
    def ratio_of(in_b, in_a, sums):
        """Return Λ, from both sides, so that it changes its sign alone when they are swapped."""
        from_b = Float(math.log1p((in_b[0] + in_b[1]) / sums[B_SUM]))
        from_a = Float(math.log1p((in_a[0] + in_a[1]) / sums[A_SUM]))
        return half * (from_b - from_a)

    @device
    def term(a, b, i, weights, sums, ratio):
        """Return a category's term."""
        x = exp(Float(a[i]) - sums[A_TOP]) / sums[A_SUM]
        y = exp(Float(b[i]) - sums[B_TOP]) / sums[B_SUM]
        delta = difference(a, b, i, sums) - ratio
        d = most(x + y, smallest) * Float(math.tanh(half * delta)) if abs(delta) < one else x - y
        return term_of(x, y, d, *weights)

    @device
    def add_terms(a, b, weights, sums, ratio, start, stop, lane, lanes, shared):
        """Return the sum of terms, and its low-order part."""
        total, lo = zero, zero
        for i in range(start + lane, stop, lanes):
            total, error = two_sum(total, term(a, b, i, weights, sums, ratio))
            lo += error
        return sum_of_group(total, lo, lanes, shared)

    return SimpleNamespace(
        add_ratios=add_ratios, ratio_of=ratio_of, term=term, add_terms=add_terms, limit_of=limit_of
    )


def _near_limit(precision, summand):
    near, limit = summand.near, precision.Float(precision.logit_near)

    @device
    def limit_of(weights):
        """Return below what a divergence is computed again."""
        return near(limit, *weights)

    return limit_of


def _divergence(precision, near):
    ln2, limit_of = precision.Float(math.log(2)), near.limit_of
    add_ratios, ratio_of, add_near = near.add_ratios, near.ratio_of, near.add_terms

    @device
    def divergence(a, b, weights, sums, value, lane, lanes, shared):
        """Return a row's divergence, computed again where the probabilities' is not accurate."""
        close = value < limit_of(weights)
        if cuda.syncthreads_or(np.int32(close)):
            stop = a.shape[0] if close else NONE
            in_b, in_a = add_ratios(a, b, sums, NONE, stop, lane, lanes, shared)
            ratio = ratio_of(in_b, in_a, sums)
            total, lo = add_near(a, b, weights, sums, ratio, NONE, stop, lane, lanes, shared)
            value = total + lo if close else value
        # No divergence of distributions is above ln 2, though rounding may be.
        return ln2 if value > ln2 else value

    return divergence


def _whole_logits(precision, sweeps, of_row):
    Float, softmax, sum_of, kept = precision.Float, sweeps.softmax, sweeps.sum_of, sweeps.kept
    add_terms, divergence = sweeps.add_terms, sweeps.divergence
    kind = target.type_of(precision)

    @jit
    def whole_logits(A, B, weights, shift, aligned, room, divisor, result):
        """Write the divergence of each row. `room` is what each has in shared memory."""
        shared = cuda.shared.array((2, WARPS), Float)
        memory = cuda.shared.array(0, kind, alignment=ALIGNMENT)
        row, lane, exists = place_of(shift, result.shape[0])
        lanes, first = ONE << shift, 2 * room * (cuda.threadIdx.x >> shift)
        i, j, k = index_of(row, A.shape)
        a, b, of_both = row_of(A, i, j, k), row_of(B, i, j, k), of_row(weights, i, j, k)
        x, y = memory[first : first + room], memory[first + room : first + 2 * room]
        stop = a.shape[0]
        a_top, a_total, a_lo = softmax(a, x, NONE, stop, aligned, lane, lanes, shared)
        b_top, b_total, b_lo = softmax(b, y, NONE, stop, aligned, lane, lanes, shared)
        sums = a_top, sum_of(a_top, a_total, a_lo), b_top, sum_of(b_top, b_total, b_lo)
        total, lo = add_terms(
            kept(a, x), kept(b, y), of_both, sums, NONE, stop, aligned, lane, lanes, shared
        )
        value = divergence(a, b, of_both, sums, total + lo, lane, lanes, shared)
        if exists and lane == 0:
            result[row] = value / divisor

    return whole_logits


def _write_terms(precision, term):
    groups, zero = group_functions(precision), precision.Float(0)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    exponentials, one = _exponentials(precision), precision.Float(1)
    store = access(precision, 0).store

    @device
    def write_terms(a, b, weights, sums, divisor, terms, piece, aligned, lane, lanes, shared):
        """Write terms of probabilities up to `end`; return their sum and its low-order part."""
        start, stop, end = piece
        of_a, of_b = one / sums[A_SUM], one / sums[B_SUM]
        total, lo = zero, zero
        i = start + 4 * lane
        while i < stop:
            x = exponentials(a, i, stop, aligned, sums[A_TOP])
            y = exponentials(b, i, stop, aligned, sums[B_TOP])
            t = (
                term(mul_rn(x[0], of_a), mul_rn(y[0], of_b), *weights),
                term(mul_rn(x[1], of_a), mul_rn(y[1], of_b), *weights),
                term(mul_rn(x[2], of_a), mul_rn(y[2], of_b), *weights),
                term(mul_rn(x[3], of_a), mul_rn(y[3], of_b), *weights),
            )
            total, error = two_sum(total, (t[0] + t[1]) + (t[2] + t[3]))
            lo += error
            t = t[0] / divisor, t[1] / divisor, t[2] / divisor, t[3] / divisor
            store(terms, i, end, aligned, t)
            i += 4 * lanes
        return sum_of_group(total, lo, lanes, shared)

    return write_terms


def _logit_terms(precision, skewed):
    Float, sweeps = precision.Float, logit_sweeps(precision, skewed, False)
    softmax, sum_of, near = sweeps.softmax, sweeps.sum_of, sweeps.near
    add_ratios, ratio_of, near_term = near.add_ratios, near.ratio_of, near.term
    write_terms = _write_terms(precision, summand_of(precision, skewed).any_term)
    of_row, limit_of = weights_of(precision, skewed).of_row, near.limit_of

    @jit
    def logit_terms(A, B, weights, shift, aligned, divisor, result):
        """Write the terms of each row."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, A.shape[0] * A.shape[1] * A.shape[2])
        lanes = ONE << shift
        i, j, k = index_of(row, A.shape)
        a, b, terms = row_of(A, i, j, k), row_of(B, i, j, k), row_of(result, i, j, k)
        stop, of_both = a.shape[0], of_row(weights, i, j, k)
        end = stop if exists else NONE
        a_top, a_total, a_lo = softmax(a, a, NONE, stop, aligned, lane, lanes, shared)
        b_top, b_total, b_lo = softmax(b, b, NONE, stop, aligned, lane, lanes, shared)
        sums = a_top, sum_of(a_top, a_total, a_lo), b_top, sum_of(b_top, b_total, b_lo)
        piece = NONE, stop, end
        total, lo = write_terms(
            a, b, of_both, sums, divisor, terms, piece, aligned, lane, lanes, shared
        )
        close = total + lo < limit_of(of_both)
        if cuda.syncthreads_or(np.int32(close)):
            stop = stop if close else NONE
            in_b, in_a = add_ratios(a, b, sums, NONE, stop, lane, lanes, shared)
            ratio = ratio_of(in_b, in_a, sums)
            for n in range(lane, min(stop, end), lanes):
                terms[n] = near_term(a, b, n, of_both, sums, ratio) / divisor

    return logit_terms


def _sums_of_pieces(precision, skewed, with_terms):
    """Return what adds up the terms of a piece, by exponentials and by ratios; or writes them."""
    sweeps = logit_sweeps(precision, skewed, False)
    write_terms = _write_terms(precision, summand_of(precision, skewed).any_term)
    add_terms, add_near, near_term = sweeps.add_terms, sweeps.near.add_terms, sweeps.near.term

    @device
    def plain_sum(a, b, weights, state, divisor, terms, piece, aligned, lane, lanes, shared):
        start, stop, _ = piece
        if with_terms:  # known when this is compiled
            return write_terms(
                a, b, weights, state, divisor, terms, piece, aligned, lane, lanes, shared
            )
        return add_terms(a, b, weights, state, start, stop, aligned, lane, lanes, shared)

    @device
    def near_sum(a, b, weights, state, divisor, terms, piece, lane, lanes, shared):
        start, stop, end = piece
        if with_terms:
            for n in range(start + lane, min(stop, end), lanes):
                terms[n] = near_term(a, b, n, weights, state, state[RATIO]) / divisor
            return state[VALUE], state[VALUE]
        return add_near(a, b, weights, state, state[RATIO], start, stop, lane, lanes, shared)

    return plain_sum, near_sum


def _pieces_of_logits(precision, skewed, with_terms):
    Float, sweeps = precision.Float, logit_sweeps(precision, skewed, False)
    softmax, add_ratios, limit_of = sweeps.softmax, sweeps.near.add_ratios, sweeps.near.limit_of
    plain_sum, near_sum = _sums_of_pieces(precision, skewed, with_terms)
    of_row = weights_of(precision, skewed).of_row

    @jit
    def pieces_of_logits(
        A, B, weights, shift, aligned, piece, sweep, divisor, states, parts, result
    ):
        """Write what a sweep finds out of each piece of each row, or, into `result`, its terms."""
        shared = cuda.shared.array((2, WARPS), Float)
        own = piece_of(A.shape, shift, piece, parts.shape[0])
        (i, j, k), start, stop, lane, lanes = own.place, own.start, own.stop, own.lane, own.lanes
        a, b, terms, state = (
            row_of(A, i, j, k),
            row_of(B, i, j, k),
            row_of(result, i, j, k),
            states[own.row],
        )
        part, of_both = parts[own.row, own.part], of_row(weights, i, j, k)
        if sweep > 1 and not state[VALUE] < state[LIMIT]:
            stop = start
        if sweep == 0:
            of_a = softmax(a, a, start, stop, aligned, lane, lanes, shared)
            of_b = softmax(b, b, start, stop, aligned, lane, lanes, shared)
            if reports(own):
                part[0], part[1], part[2] = of_a
                part[3], part[4], part[5] = of_b
                state[LIMIT] = limit_of(of_both)
        elif sweep == 2:
            in_b, in_a = add_ratios(a, b, state, start, stop, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = in_b
                part[2], part[3] = in_a
        else:
            place = start, stop, own.end
            if sweep == 1:
                total = plain_sum(
                    a, b, of_both, state, divisor, terms, place, aligned, lane, lanes, shared
                )
            else:
                total = near_sum(a, b, of_both, state, divisor, terms, place, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = total

    return pieces_of_logits


@cache
def _logits_of_pieces(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    ends_of_pieces, sum_of_pieces = groups.ends_of_pieces, groups.sum_of_pieces
    sweeps = logit_sweeps(precision, False, False)
    sum_of, ratio_of = sweeps.sum_of, sweeps.near.ratio_of
    exp = target.formula(precision, scalar_formulas(precision).device_exp)
    zero, ln2 = Float(0), Float(math.log(2))

    @device
    def softmax(parts, row, column, shared):
        """Return a row's largest logit and its sum of exponentials."""
        _, top = ends_of_pieces(parts, row, column, column, shared)
        total, lo = zero, zero
        for n in range(cuda.threadIdx.x, parts.shape[1], THREADS):
            factor = exp(parts[row, n, column] - top)
            total, error = two_sum(total, parts[row, n, column + 1] * factor)
            lo += parts[row, n, column + 2] * factor + error
        total, lo = sum_of_group(total, lo, THREADS, shared)
        return top, sum_of(top, total, lo)

    @jit
    def logits_of_pieces(parts, sweep, divisor, states, result):
        """Put together, a block for each row, what a sweep found out of its pieces."""
        shared = cuda.shared.array((2, WARPS), Float)
        row = cuda.blockIdx.x
        state = states[row]
        value, ratio = state[VALUE], state[RATIO]
        if sweep == 0:
            a_top, a_sum = softmax(parts, row, 0, shared)
            b_top, b_sum = softmax(parts, row, 3, shared)
            if cuda.threadIdx.x == 0:
                state[A_TOP], state[A_SUM], state[B_TOP], state[B_SUM] = a_top, a_sum, b_top, b_sum
        elif sweep == 2:
            in_b = sum_of_pieces(parts, row, 0, shared)
            in_a = sum_of_pieces(parts, row, 2, shared)
            ratio = ratio_of(in_b, in_a, state)
        else:
            total, lo = sum_of_pieces(parts, row, 0, shared)
            value = total + lo if sweep == 1 or value < state[LIMIT] else value
        cuda.syncthreads()
        if cuda.threadIdx.x == 0 and sweep > 0:
            state[VALUE], state[RATIO] = value, ratio
            result[row] = (ln2 if value > ln2 else value) / divisor

    return logits_of_pieces
