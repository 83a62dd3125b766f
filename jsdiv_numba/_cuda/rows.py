"""Kernels over rows of probabilities and of weights.

Inputs have four axes, the last of them the row's (`_views`).
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from .._kernels.normalised import normalised_kernels
from .._kernels.precision import Precision
from .._kernels.scalar import scalar_formulas
from . import target
from .sums import WARPS, group_functions
from .target import THREADS, cuda, device, jit


@device
def index_of(row, shape):
    """Return the indices of a row, the rows being counted along the first three axes."""
    b, c = shape[1], shape[2]
    return row // (b * c), (row // c) % b, row % c


@device
def place_of(lanes, rows):
    """Return the number of the thread's row, one that exists, and its lane."""
    thread = cuda.blockIdx.x * THREADS + cuda.threadIdx.x
    return min(thread // lanes, rows - 1), thread % lanes, thread // lanes < rows


@cache
def row_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels for one precision."""
    add_up, settle = _add_up(precision), _settle(precision, _full_range_sum(precision))
    return SimpleNamespace(
        whole_rows=_whole_rows(precision, add_up, settle),
        pieces_of_rows=_pieces_of_rows(precision, add_up),
        rows_of_pieces=_rows_of_pieces(precision, settle),
        normalised_rows=_normalised_rows(precision),
        sums=_sums(precision),
    )


def _add_up(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, zero = groups.two_sum, precision.Float(0)
    sum_of_group, ends_of_group = groups.sum_of_group, groups.ends_of_group
    term = target.formula(precision, scalar_formulas(precision).term)

    @device
    def load(row, i):
        # An unsigned index cannot count from the end, which would be tested for.
        return Float(row[np.uint64(i)])

    @device
    def add_up(p, q, start, stop, lane, lanes, shared):
        """Return the sum of a row's terms, what it lacks, and the smallest and largest entry."""
        total, rest, low, top = zero, zero, zero, zero
        i, after = start + lane, 3 * lanes
        while i + after < stop:
            x0, y0, x1, y1 = load(p, i), load(q, i), load(p, i + lanes), load(q, i + lanes)
            i += 2 * lanes
            x2, y2, x3, y3 = load(p, i), load(q, i), load(p, i + lanes), load(q, i + lanes)
            i += 2 * lanes
            part = (term(x0, y0) + term(x1, y1)) + (term(x2, y2) + term(x3, y3))
            total, error = two_sum(total, part)
            rest += error
            low = min(low, x0, y0, x1, y1, x2, y2, x3, y3)
            top = max(top, x0, y0, x1, y1, x2, y2, x3, y3)
        while i < stop:
            x, y = load(p, i), load(q, i)
            total, error = two_sum(total, term(x, y))
            rest += error
            low, top = min(low, x, y), max(top, x, y)
            i += lanes
        total, rest = sum_of_group(total, rest, lanes, shared)
        low, top = ends_of_group(low, top, lanes, shared)
        return total, rest, low, top

    return add_up


def _full_range_sum(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    formulas = scalar_formulas(precision)
    term = target.formula(precision, formulas.term)
    lift_of = target.formula(precision, formulas.lift_of)
    zero, one, nan = Float(0), Float(1), Float(np.nan)
    lift, lower = Float(2.0**precision.lift), Float(2.0**-64)

    @device
    def full_range_sum(p, q, stop, lane, lanes, shared):
        """Add up lifted and lowered terms apart, which no others can drown so."""
        lifted, total, lowered = zero, zero, zero
        lifted_rest, rest, lowered_rest = zero, zero, zero
        for i in range(lane, stop, lanes):
            x, y = Float(p[i]), Float(q[i])
            if x < zero or y < zero:
                total = nan
            x, y = abs(x), abs(y)
            own = lift_of(max(x, y))
            value = term(x * own, y * own)
            if own > one:
                lifted, error = two_sum(lifted, value)
                lifted_rest += error
            elif own < one:
                lowered, error = two_sum(lowered, value)
                lowered_rest += error
            else:
                total, error = two_sum(total, value)
                rest += error
        lifted, lifted_rest = sum_of_group(lifted, lifted_rest, lanes, shared)
        total, rest = sum_of_group(total, rest, lanes, shared)
        lowered, lowered_rest = sum_of_group(lowered, lowered_rest, lanes, shared)
        lifted, total, lowered = lifted + lifted_rest, total + rest, lowered + lowered_rest
        if lowered != zero:
            return (lowered + total * lower) / lower
        return total if not total <= one else (lifted + total * lift) / lift

    return full_range_sum


def _settle(precision, full_range_sum):
    Float, zero, none = precision.Float, precision.Float(0), np.int64(0)
    trusted, huge = Float(2.0**precision.trusted), Float(2.0**precision.huge)

    @device
    def settle(p, q, sums, lane, lanes, shared):
        """Return a row's divergence, computed again where the first sum is not to be trusted."""
        total, rest, low, top = sums
        value = total + rest
        again = not value > trusted or low < zero or top > huge
        if cuda.syncthreads_or(np.int32(again)):
            full = full_range_sum(p, q, p.shape[0] if again else none, lane, lanes, shared)
            value = full if again else value
        return value

    return settle


def _whole_rows(precision, add_up, settle):
    Float = precision.Float

    @jit
    def whole_rows(P, Q, lanes, divisor, result):
        """Write the divergence of each row."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(lanes, result.shape[0])
        i, j, k = index_of(row, P.shape)
        p, q = P[i, j, k], Q[i, j, k]
        value = settle(p, q, add_up(p, q, 0, p.shape[0], lane, lanes, shared), lane, lanes, shared)
        if exists and lane == 0:
            result[row] = value / divisor

    return whole_rows


def _pieces_of_rows(precision, add_up):
    Float = precision.Float

    @jit
    def pieces_of_rows(P, Q, lanes, piece, parts):
        """Write what is known of each piece of each row."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(lanes, parts.shape[0])
        i, j, k = index_of(row, P.shape)
        p, q = P[i, j, k], Q[i, j, k]
        start = cuda.blockIdx.y * piece
        stop = min(start + piece, p.shape[0])
        total, rest, low, top = add_up(p, q, start, stop, lane, lanes, shared)
        if exists and lane == 0:
            part = parts[row, cuda.blockIdx.y]
            part[0], part[1], part[2], part[3] = total, rest, low, top

    return pieces_of_rows


def _rows_of_pieces(precision, settle):
    Float, zero, groups = precision.Float, precision.Float(0), group_functions(precision)
    two_sum, sum_of_group, ends_of_group = (
        groups.two_sum,
        groups.sum_of_group,
        groups.ends_of_group,
    )

    @jit
    def rows_of_pieces(P, Q, parts, divisor, result):
        """Write the divergence of each row, a block for each, from those of its pieces."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(THREADS, result.shape[0])
        total, rest, low, top = zero, zero, zero, zero
        for n in range(lane, parts.shape[1], THREADS):
            total, error = two_sum(total, parts[row, n, 0])
            rest += parts[row, n, 1] + error
            low, top = min(low, parts[row, n, 2]), max(top, parts[row, n, 3])
        total, rest = sum_of_group(total, rest, THREADS, shared)
        low, top = ends_of_group(low, top, THREADS, shared)
        i, j, k = index_of(row, P.shape)
        value = settle(P[i, j, k], Q[i, j, k], (total, rest, low, top), lane, THREADS, shared)
        if exists and lane == 0:
            result[row] = value / divisor

    return rows_of_pieces


@cache
def weighing(precision: Precision) -> SimpleNamespace:
    """Return the functions that normalised rows need, for one precision."""
    return SimpleNamespace(weight_of=_weight_of(precision), divergence=_divergence(precision))


def _weight_of(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    ends_of_group = groups.ends_of_group
    scale_of = target.formula(precision, normalised_kernels(precision).scale_of)
    zero, one, nan, infinity = Float(0), Float(1), Float(np.nan), Float(np.inf)
    moderate = -precision.tiny // 2
    tiny, huge, none = Float(2.0**-moderate), Float(2.0**moderate), np.int64(0)

    @device
    def scaled_sum(p, stop, scale, lane, lanes, shared):
        total, rest, low, top = zero, zero, zero, zero
        for i in range(lane, stop, lanes):
            x = Float(p[i]) * scale
            total, error = two_sum(total, x)
            rest += error
            low, top = min(low, x), max(top, x)
        total, rest = sum_of_group(total, rest, lanes, shared)
        low, top = ends_of_group(low, top, lanes, shared)
        return total, rest, low, top

    @device
    def weight_of(p, lane, lanes, shared):
        """Return a power of two that brings the largest entry near 1, and the row's sum times it.

        The sum is a float and what it lacks; NaN if an entry is negative, infinite or NaN.
        """
        total, rest, low, top = scaled_sum(p, p.shape[0], one, lane, lanes, shared)
        scale = scale_of(top)
        extreme = not (tiny < top < huge)
        if cuda.syncthreads_or(np.int32(extreme)):
            stop = p.shape[0] if extreme else none
            again, again_rest, _, _ = scaled_sum(p, stop, scale, lane, lanes, shared)
            total, rest = (again, again_rest) if extreme else (total * scale, rest * scale)
        else:
            total, rest = total * scale, rest * scale
        rounded = total + rest
        if low < zero or not top < infinity:
            rounded = nan
        return scale, rounded, (total - rounded) + rest

    return weight_of


def _divergence(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    scaled_term = target.formula(precision, normalised_kernels(precision).scaled_term)
    zero, ln2 = Float(0), Float(math.log(2))

    @device
    def one_term(p, q, p_weight, q_weight, i):
        x, y = Float(p[np.uint64(i)]), Float(q[np.uint64(i)])
        return scaled_term(x, y, p_weight, q_weight)[0]

    @device
    def divergence(p, q, p_weight, q_weight, stop, lane, lanes, shared):
        """Return the divergence of two rows, normalised by what `weight_of` says of them."""
        total, rest = zero, zero
        i = lane
        while i + lanes < stop:
            part = one_term(p, q, p_weight, q_weight, i)
            part += one_term(p, q, p_weight, q_weight, i + lanes)
            total, error = two_sum(total, part)
            rest += error
            i += 2 * lanes
        if i < stop:
            total, error = two_sum(total, one_term(p, q, p_weight, q_weight, i))
            rest += error
        total, rest = sum_of_group(total, rest, lanes, shared)
        value = (total + rest) / (p_weight[1] * q_weight[1])
        # No divergence of distributions is above ln 2, though rounding may be.
        return ln2 if value > ln2 else value

    return divergence


def _normalised_rows(precision):
    Float, functions = precision.Float, weighing(precision)
    weight_of, divergence = functions.weight_of, functions.divergence

    @jit
    def normalised_rows(P, Q, lanes, divisor, result):
        """Write the distance of each row, both sides divided by their sums."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(lanes, result.shape[0])
        i, j, k = index_of(row, P.shape)
        p, q = P[i, j, k], Q[i, j, k]
        p_weight, q_weight = weight_of(p, lane, lanes, shared), weight_of(q, lane, lanes, shared)
        value = divergence(p, q, p_weight, q_weight, p.shape[0], lane, lanes, shared)
        if exists and lane == 0:
            result[row] = math.sqrt(value / divisor)

    return normalised_rows


def _sums(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group, zero = groups.two_sum, groups.sum_of_group, precision.Float(0)

    @jit
    def sums(X, lanes, result):
        """Write the sum of each row."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane, exists = place_of(lanes, result.shape[0])
        i, j, k = index_of(row, X.shape)
        x, total, rest = X[i, j, k], zero, zero
        for n in range(lane, x.shape[0], lanes):
            total, error = two_sum(total, Float(x[n]))
            rest += error
        total, rest = sum_of_group(total, rest, lanes, shared)
        if exists and lane == 0:
            # A sum of infinities lacks NaN.
            result[row] = total + rest if math.isfinite(total) else total

    return sums
