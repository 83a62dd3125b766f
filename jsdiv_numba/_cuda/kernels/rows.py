"""Kernels over rows of probabilities and of weights.

A row belongs to the threads of one group, or to many groups, of which each takes a
piece. In that case a kernel writes what it knows of each piece to `parts`, another puts
that together to the row's `state`, and so on through the `sweeps` over the row that
the first needs: the next sweep reads the state.
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..._kernels.rows.normalised import normalised_kernels
from .. import target
from ..target import THREADS, cuda, device, jit, least, most, mul_rn, row_of
from .indexing import NONE, ONE, access, index_of, piece_of, place_of, reports
from .reductions import WARPS, group_functions
from .summands import summand_of, weights_of


@cache
def row_kernels(precision: Precision, skewed: bool) -> SimpleNamespace:
    """Return the kernels over rows of probabilities, with or without weights."""
    sweeps = row_sweeps(precision, skewed)
    of_row = weights_of(precision, skewed).of_row
    return SimpleNamespace(
        whole_rows=_whole_rows(precision, sweeps, of_row),
        pieces_of_rows=_pieces_of_rows(precision, sweeps, of_row),
        rows_of_pieces=_rows_of_pieces(precision),
    )


@cache
def distance_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels over rows that are normalised."""
    normal = weighing(precision)
    return SimpleNamespace(
        normalised_rows=_normalised_rows(precision, normal),
        pieces_of_normalised=_pieces_of_normalised(precision, normal),
        normalised_of_pieces=_normalised_of_pieces(precision),
    )


@cache
def row_sweeps(precision: Precision, skewed: bool) -> SimpleNamespace:
    """Return what is done with a row of probabilities."""
    summand = summand_of(precision, skewed)
    add_four, full_range = _add_four(precision, summand), _full_range(precision, summand)
    return SimpleNamespace(
        add_four=add_four,
        add_up=_add_up(precision, add_four),
        full_range=full_range,
        settle=_settle(precision, full_range),
    )


def _add_four(precision, summand):
    two_sum, term, mass = group_functions(precision).two_sum, summand.term, summand.mass

    @device
    def add_four(x, y, weights, total, lo, low, size):
        """Add terms to their sum and its low-order part, entries to the smallest and the sum."""
        part = (term(x[0], y[0], *weights) + term(x[1], y[1], *weights)) + (
            term(x[2], y[2], *weights) + term(x[3], y[3], *weights)
        )
        total, error = two_sum(total, part)
        smallest = least(
            least(least(x[0], y[0]), least(x[1], y[1])),
            least(least(x[2], y[2]), least(x[3], y[3])),
        )
        entries = (mass(x[0], y[0], *weights) + mass(x[1], y[1], *weights)) + (
            mass(x[2], y[2], *weights) + mass(x[3], y[3], *weights)
        )
        return total, lo + error, least(smallest, low), size + entries

    return add_four


def _add_up(precision, add_four):
    groups, zero = group_functions(precision), precision.Float(0)
    sum_of_group, ends_of_group = groups.sum_of_group, groups.ends_of_group
    load = access(precision, 0).load

    @device
    def add_up(p, q, weights, start, stop, aligned, lane, lanes, shared):
        """Return a row's sum of terms, its low-order part, the smallest entry, a sum of some.

        The last is no smaller than the largest entry, but for what of it is not finite.
        """
        total, lo, low, size = zero, zero, zero, zero
        i = start + 4 * lane
        while i < stop:
            x, y = load(p, i, stop, aligned), load(q, i, stop, aligned)
            total, lo, low, size = add_four(x, y, weights, total, lo, low, size)
            i += 4 * lanes
        total, lo = sum_of_group(total, lo, lanes, shared)
        low, size = ends_of_group(low, size, lanes, shared)
        return total, lo, low, size

    return add_up


def _is_trusted(precision):
    Float, zero = precision.Float, precision.Float(0)
    trusted, huge = Float(2.0**precision.trusted), Float(2.0**precision.huge)

    @device
    def is_trusted(value, low, size):
        """Whether a row's first sum needs no second one. NaN does, since `size` lacks it."""
        return value > trusted and low >= zero and size < huge

    return is_trusted


def _full_range(precision, summand):
    Float, groups, full_term = precision.Float, group_functions(precision), summand.full_term
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    zero, one, nan = Float(0), Float(1), Float(np.nan)

    @device
    def full_range(p, q, weights, start, stop, lane, lanes, shared):
        """Add up large, ordinary and small terms in separate accumulators: Blue's algorithm.

        J. L. Blue, A portable Fortran program to find the Euclidean norm, ACM TOMS 4 (1978).
        """
        scaled_up, total, scaled_down = zero, zero, zero
        scaled_up_lo, lo, scaled_down_lo = zero, zero, zero
        for i in range(start + lane, stop, lanes):
            x, y = Float(p[i]), Float(q[i])
            if not (x >= zero and y >= zero):
                total = nan
            own, value = full_term(abs(x), abs(y), *weights)
            if own > one:
                scaled_up, error = two_sum(scaled_up, value)
                scaled_up_lo += error
            elif own < one:
                scaled_down, error = two_sum(scaled_down, value)
                scaled_down_lo += error
            else:
                total, error = two_sum(total, value)
                lo += error
        scaled_up, scaled_up_lo = sum_of_group(scaled_up, scaled_up_lo, lanes, shared)
        total, lo = sum_of_group(total, lo, lanes, shared)
        scaled_down, scaled_down_lo = sum_of_group(scaled_down, scaled_down_lo, lanes, shared)
        return (scaled_up, scaled_up_lo), (total, lo), (scaled_down, scaled_down_lo)

    return full_range


def _of_full_range(precision):
    Float, zero, one = precision.Float, precision.Float(0), precision.Float(1)
    scale_up, lower = Float(2.0**precision.scale_up), Float(2.0**-64)

    @device
    def of_full_range(scaled_up, plain, scaled_down):
        """Return the sum of the three."""
        total, much = plain[0] + plain[1], scaled_down[0] + scaled_down[1]
        if much != zero:
            return (much + total * lower) / lower
        return (
            total
            if not total <= one
            else (scaled_up[0] + scaled_up[1] + total * scale_up) / scale_up
        )

    return of_full_range


def _settle(precision, full_range):
    is_trusted, of_full_range = _is_trusted(precision), _of_full_range(precision)

    @device
    def settle(p, q, weights, sums, lane, lanes, shared):
        """Return a row's divergence, computed again where the first sum is not to be trusted."""
        total, lo, low, size = sums
        value = total + lo
        again = not is_trusted(value, low, size)
        if cuda.syncthreads_or(np.int32(again)):
            stop = p.shape[0] if again else NONE
            scaled_up, plain, scaled_down = full_range(
                p, q, weights, NONE, stop, lane, lanes, shared
            )
            value = of_full_range(scaled_up, plain, scaled_down) if again else value
        return value

    return settle


def _whole_rows(precision, sweeps, of_row):
    Float, add_up, settle = precision.Float, sweeps.add_up, sweeps.settle

    @jit
    def whole_rows(P, Q, weights, shift, aligned, divisor, result):
        """Write the divergence of each row."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, result.shape[0])
        lanes = ONE << shift
        i, j, k = index_of(row, P.shape)
        p, q, of_both = row_of(P, i, j, k), row_of(Q, i, j, k), of_row(weights, i, j, k)
        sums = add_up(p, q, of_both, NONE, p.shape[0], aligned, lane, lanes, shared)
        value = settle(p, q, of_both, sums, lane, lanes, shared)
        if exists and lane == 0:
            result[row] = value / divisor

    return whole_rows


def _pieces_of_rows(precision, sweeps, of_row):
    Float, one = precision.Float, precision.Float(1)
    add_up, full_range = sweeps.add_up, sweeps.full_range

    @jit
    def pieces_of_rows(P, Q, weights, shift, aligned, piece, sweep, state, parts):
        """Write what is known of each piece of each row."""
        shared = cuda.shared.array((2, WARPS), Float)
        own = piece_of(P.shape, shift, piece, parts.shape[0])
        (i, j, k), start, stop = own.place, own.start, own.stop
        p, q, of_both = row_of(P, i, j, k), row_of(Q, i, j, k), of_row(weights, i, j, k)
        part = parts[own.row, own.part]
        if sweep == 0:
            total, lo, low, size = add_up(
                p, q, of_both, start, stop, aligned, own.lane, own.lanes, shared
            )
            if reports(own):
                part[0], part[1], part[2], part[3] = total, lo, low, size
        else:
            stop = stop if state[own.row, 1] == one else start
            scaled_up, plain, scaled_down = full_range(
                p, q, of_both, start, stop, own.lane, own.lanes, shared
            )
            if reports(own):
                part[0], part[1] = scaled_up
                part[2], part[3] = plain
                part[4], part[5] = scaled_down

    return pieces_of_rows


@cache
def _rows_of_pieces(precision):
    Float, groups = precision.Float, group_functions(precision)
    zero, one = Float(0), Float(1)
    sum_of_pieces, ends_of_pieces = groups.sum_of_pieces, groups.ends_of_pieces
    is_trusted, of_full_range = _is_trusted(precision), _of_full_range(precision)

    @jit
    def rows_of_pieces(parts, sweep, divisor, state, result):
        """Put a row together, a block for each: its sum and whether that is not to be trusted."""
        shared = cuda.shared.array((2, WARPS), Float)
        row = cuda.blockIdx.x
        if sweep == 0:
            total, lo = sum_of_pieces(parts, row, 0, shared)
            low, size = ends_of_pieces(parts, row, 2, 3, shared)
            value = total + lo
            again = zero if is_trusted(value, low, size) else one
        else:
            scaled_up = sum_of_pieces(parts, row, 0, shared)
            plain = sum_of_pieces(parts, row, 2, shared)
            scaled_down = sum_of_pieces(parts, row, 4, shared)
            again = state[row, 1]
            value = of_full_range(scaled_up, plain, scaled_down) if again == one else state[row, 0]
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            state[row, 0], state[row, 1] = value, again
            result[row] = value / divisor

    return rows_of_pieces


@cache
def weighing(precision: Precision) -> SimpleNamespace:
    """Return the functions that normalised rows need, for one precision."""
    return SimpleNamespace(
        weight_of=_weight_of(precision),
        add_terms=_add_normalised(precision),
        divergence=_divergence(precision),
    )


def _weight_of(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    ends_of_group, load = groups.ends_of_group, access(precision, 0).load
    scale_of = target.formula(precision, normalised_kernels(precision).scale_of)
    zero, nan, infinity = Float(0), Float(np.nan), Float(np.inf)
    moderate = -precision.tiny // 2
    tiny, huge = Float(2.0**-moderate), Float(2.0**moderate)

    @device
    def sum_and_ends(p, start, stop, aligned, lane, lanes, shared):
        total, lo, low, top = zero, zero, zero, zero
        i = start + 4 * lane
        while i < stop:
            x = load(p, i, stop, aligned)
            # What is rounded here shifts all differences alike, which cancels.
            total, error = two_sum(total, (x[0] + x[1]) + (x[2] + x[3]))
            lo += error
            low = least(least(least(x[0], x[1]), least(x[2], x[3])), low)
            top = most(most(most(x[0], x[1]), most(x[2], x[3])), top)
            i += 4 * lanes
        total, lo = sum_of_group(total, lo, lanes, shared)
        low, top = ends_of_group(low, top, lanes, shared)
        return total, lo, low, top

    @device
    def scaled_sum(p, start, stop, scale, lane, lanes, shared):
        total, lo = zero, zero
        for i in range(start + lane, stop, lanes):
            total, error = two_sum(total, mul_rn(Float(p[i]), scale))
            lo += error
        return sum_of_group(total, lo, lanes, shared)

    @device
    def weight_of(p, start, stop, aligned, lane, lanes, shared):
        """Return a power of two that brings the largest entry near 1, and the row's sum times it.

        The sum is a float and its low-order part; NaN if an entry is negative, infinite or NaN.
        """
        total, lo, low, top = sum_and_ends(p, start, stop, aligned, lane, lanes, shared)
        scale = scale_of(top)
        extreme = top > zero and not (tiny < top < huge)
        if cuda.syncthreads_or(np.int32(extreme)):
            end = stop if extreme else start
            again, again_lo = scaled_sum(p, start, end, scale, lane, lanes, shared)
            total, lo = (again, again_lo) if extreme else (total * scale, lo * scale)
        else:
            total, lo = total * scale, lo * scale
        rounded = total + lo
        if low < zero or not top < infinity:
            rounded = nan
        return scale, rounded, (total - rounded) + lo

    return weight_of


def _add_normalised(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    load = access(precision, 0).load
    scaled_term = target.formula(precision, normalised_kernels(precision).device_scaled_term)
    zero = Float(0)

    @device
    def add_terms(p, q, p_weight, q_weight, start, stop, aligned, lane, lanes, shared):
        """Return the sum of terms of p·T and q·S, and its low-order part."""
        total, lo = zero, zero
        i = start + 4 * lane
        while i < stop:
            x, y = load(p, i, stop, aligned), load(q, i, stop, aligned)
            part = (
                scaled_term(x[0], y[0], p_weight, q_weight)[0]
                + scaled_term(x[1], y[1], p_weight, q_weight)[0]
            ) + (
                scaled_term(x[2], y[2], p_weight, q_weight)[0]
                + scaled_term(x[3], y[3], p_weight, q_weight)[0]
            )
            total, error = two_sum(total, part)
            lo += error
            i += 4 * lanes
        return sum_of_group(total, lo, lanes, shared)

    return add_terms


def _divergence(precision):
    ln2 = precision.Float(math.log(2))

    @device
    def divergence(sums, p_weight, q_weight):
        """Return the divergence of two rows, from the sum of their terms."""
        value = (sums[0] + sums[1]) / (p_weight[1] * q_weight[1])
        # No divergence of distributions is above ln 2, though rounding may be.
        return ln2 if value > ln2 else value

    return divergence


def _normalised_rows(precision, normal):
    Float = precision.Float
    weight_of, add_terms, divergence = normal.weight_of, normal.add_terms, normal.divergence

    @jit
    def normalised_rows(P, Q, shift, aligned, divisor, result):
        """Write the distance of each row, both sides divided by their sums."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, result.shape[0])
        lanes = ONE << shift
        i, j, k = index_of(row, P.shape)
        p, q = row_of(P, i, j, k), row_of(Q, i, j, k)
        stop = p.shape[0]
        p_weight = weight_of(p, NONE, stop, aligned, lane, lanes, shared)
        q_weight = weight_of(q, NONE, stop, aligned, lane, lanes, shared)
        sums = add_terms(p, q, p_weight, q_weight, NONE, stop, aligned, lane, lanes, shared)
        value = divergence(sums, p_weight, q_weight)
        if exists and lane == 0:
            result[row] = math.sqrt(value / divisor)

    return normalised_rows


def _pieces_of_normalised(precision, normal):
    Float, weight_of, add_terms = precision.Float, normal.weight_of, normal.add_terms

    @jit
    def pieces_of_normalised(P, Q, shift, aligned, piece, sweep, state, parts):
        """Write the weights of each piece of each row, or the sums of its terms."""
        shared = cuda.shared.array((2, WARPS), Float)
        own = piece_of(P.shape, shift, piece, parts.shape[0])
        (i, j, k), start, stop, row = own.place, own.start, own.stop, own.row
        lane, lanes, part = own.lane, own.lanes, parts[row, own.part]
        p, q = row_of(P, i, j, k), row_of(Q, i, j, k)
        if sweep == 0:
            p_weight = weight_of(p, start, stop, aligned, lane, lanes, shared)
            q_weight = weight_of(q, start, stop, aligned, lane, lanes, shared)
            if reports(own):
                part[0], part[1], part[2] = p_weight
                part[3], part[4], part[5] = q_weight
        else:
            p_weight = state[row, 0], state[row, 1], state[row, 2]
            q_weight = state[row, 3], state[row, 4], state[row, 5]
            sums = add_terms(p, q, p_weight, q_weight, start, stop, aligned, lane, lanes, shared)
            if reports(own):
                part[0], part[1] = sums

    return pieces_of_normalised


def _normalised_of_pieces(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    ends_of_pieces, sum_of_pieces = groups.ends_of_pieces, groups.sum_of_pieces
    divergence, zero = weighing(precision).divergence, Float(0)

    @device
    def weight(parts, row, column, shared):
        """Return the weight of a row from those of its pieces, all scaled as the largest is."""
        scale, _ = ends_of_pieces(parts, row, column, column, shared)
        total, lo = zero, zero
        for n in range(cuda.threadIdx.x, parts.shape[1], THREADS):
            ratio = scale / parts[row, n, column]
            total, error = two_sum(total, parts[row, n, column + 1] * ratio)
            lo += parts[row, n, column + 2] * ratio + error
        total, lo = sum_of_group(total, lo, THREADS, shared)
        rounded = total + lo
        return scale, rounded, (total - rounded) + lo

    @jit
    def normalised_of_pieces(parts, sweep, divisor, state, result):
        """Put a row together, a block for each: its weights, or its distance."""
        shared = cuda.shared.array((2, WARPS), Float)
        row = cuda.blockIdx.x
        if sweep == 0:
            p_weight, q_weight = weight(parts, row, 0, shared), weight(parts, row, 3, shared)
            if cuda.threadIdx.x == 0:
                state[row, 0], state[row, 1], state[row, 2] = p_weight
                state[row, 3], state[row, 4], state[row, 5] = q_weight
        else:
            p_weight = state[row, 0], state[row, 1], state[row, 2]
            q_weight = state[row, 3], state[row, 4], state[row, 5]
            value = divergence(sum_of_pieces(parts, row, 0, shared), p_weight, q_weight)
            if cuda.threadIdx.x == 0:
                result[row] = math.sqrt(value / divisor)

    return normalised_of_pieces


@cache
def sum_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels that add up numbers."""
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group, zero = groups.two_sum, groups.sum_of_group, precision.Float(0)
    sum_of_pieces = groups.sum_of_pieces

    @device
    def add_up(x, start, stop, lane, lanes, shared):
        total, lo = zero, zero
        for n in range(start + lane, stop, lanes):
            total, error = two_sum(total, Float(x[n]))
            lo += error
        return sum_of_group(total, lo, lanes, shared)

    @device
    def rounded(total, lo):
        # A sum of infinities lacks NaN.
        return total + lo if math.isfinite(total) else total

    @jit
    def sums(X, shift, result):
        """Write the sum of each row."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(shift, result.shape[0])
        i, j, k = index_of(row, X.shape)
        total, lo = add_up(row_of(X, i, j, k), NONE, X.shape[3], lane, ONE << shift, shared)
        if exists and lane == 0:
            result[row] = rounded(total, lo)

    @jit
    def pieces_of_sums(X, shift, piece, parts):
        """Write the sum of each piece of each row."""
        shared = cuda.shared.array((2, WARPS), Float)
        own = piece_of(X.shape, shift, piece, parts.shape[0])
        i, j, k = own.place
        total, lo = add_up(row_of(X, i, j, k), own.start, own.stop, own.lane, own.lanes, shared)
        if reports(own):
            part = parts[own.row, own.part]
            part[0], part[1] = total, lo

    @jit
    def sums_of_pieces(parts, result):
        """Put a row together, a block for each."""
        shared = cuda.shared.array((2, WARPS), Float)
        total, lo = sum_of_pieces(parts, cuda.blockIdx.x, 0, shared)
        if cuda.threadIdx.x == 0:
            result[cuda.blockIdx.x] = rounded(total, lo)

    return SimpleNamespace(sums=sums, pieces_of_sums=pieces_of_sums, sums_of_pieces=sums_of_pieces)
