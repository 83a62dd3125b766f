"""Kernels over all pairs of rows.

As in `_kernels.pairs`: a pair costs one logarithm an element, from the rows' entropies,
and one that comes out close is computed again, term by term. A block of threads
takes a square of pairs, each of its threads 4 × 4 of them; what it reads of the
rows goes through shared memory, a few columns at a time.
"""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import FLOAT32, Precision
from ..._kernels.formulas.js import scalar_formulas
from ..._kernels.rows.normalised import normalised_kernels
from .. import target
from ..target import THREADS, WARP, cuda, device, four, jit, most
from .indexing import NONE
from .reductions import WARPS, group_functions
from .rows import weighing

SIDE = math.isqrt(THREADS)
"""Threads along each side of a square of pairs."""

SQUARE = 4 * SIDE
"""Pairs along each side. Matrices are padded to a multiple of it."""

PADDED_SIDE, PAIRS = SQUARE + 1, SQUARE * SQUARE

FOURS = THREADS // SQUARE
"""Threads that copy one row's columns, four each."""

COLUMNS = 4 * FOURS
"""Columns that shared memory holds at a time. Rows are padded with zeros to a multiple of it."""


KNOWN = 5
"""What is known of a row: its scale, its sum in two parts, half its entropy, and the divergence
below which a pair of it is computed again."""


@cache
def pair_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels for one precision."""
    entropy_sums = _entropy_sums(precision, _meet(precision), _compensated(precision))
    return SimpleNamespace(
        prepare=_prepare(precision),
        squares=_squares(precision, entropy_sums, _finished(precision)),
    )


def _prepare(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    ends_of_group = groups.ends_of_group
    weight_of = weighing(precision).weight_of
    log2 = target.formula(precision, scalar_formulas(precision).device_log2)
    zero, half, unit = Float(0), Float(0.5), Float(2.0**precision.device_log2)
    near, near_of_largest = (Float(number) for number in precision.pair_near)

    @jit
    def prepare(given, aligned, spread, padded, known):
        """Fill in all that is known of each row, a block for each. `spread` is a power of two."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane = cuda.blockIdx.x, cuda.threadIdx.x
        x, stop = given[row], given.shape[1]
        weight = weight_of(x, NONE, stop, aligned, np.int64(lane), np.int64(THREADS), shared)
        factor = weight[0] * spread / weight[1]
        total, lo, top = zero, zero, zero
        for i in range(lane, padded.shape[1], THREADS):
            x = abs(Float(given[row, i])) * factor if i < given.shape[1] else zero
            padded[row, i] = x
            total, error = two_sum(total, x * log2(x) + x * unit)
            lo += error
            top = most(x, top)
        total, lo = sum_of_group(total, lo, THREADS, shared)
        _, top = ends_of_group(zero, top, THREADS, shared)
        if lane == 0:
            known[row, 0], known[row, 1], known[row, 2] = weight
            known[row, 3] = half * (total + lo)
            known[row, 4] = near + near_of_largest * top / spread

    return prepare


def _meet(precision):
    log2 = target.formula(precision, scalar_formulas(precision).device_log2)

    @device
    def add(x, y, total):
        v = x + y
        return total + v * log2(v)

    @device
    def meet(x, y, totals):
        """Add Σ v log2 v, v = x + y, of one element with four, to their totals."""
        return (
            add(x, y[0], totals[0]),
            add(x, y[1], totals[1]),
            add(x, y[2], totals[2]),
            add(x, y[3], totals[3]),
        )

    return meet


def _compensated(precision):
    two_sum = group_functions(precision).two_sum

    @device
    def compensated(totals, rests, parts):
        """Return four totals with something added, and their low-order parts."""
        t0, e0 = two_sum(totals[0], parts[0])
        t1, e1 = two_sum(totals[1], parts[1])
        t2, e2 = two_sum(totals[2], parts[2])
        t3, e3 = two_sum(totals[3], parts[3])
        return (t0, t1, t2, t3), (rests[0] + e0, rests[1] + e1, rests[2] + e2, rests[3] + e3)

    @device
    def added(totals, rests, parts):
        """Do the same where float64 leaves room for rounding."""
        return (
            (
                totals[0] + parts[0],
                totals[1] + parts[1],
                totals[2] + parts[2],
                totals[3] + parts[3],
            ),
            rests,
        )

    return compensated if precision is FLOAT32 else added


@device
def index_of_pair(i, j, width, above):
    """Return where a pair stands in a matrix of this width, or in the condensed half of one."""
    return width * i - i * (i + 1) // 2 + j - i - 1 if above else i * width + j


@device
def start_of_load(first_row, rows, length):
    """Return where the four elements begin that a thread copies first, and their place there."""
    own = cuda.threadIdx.x // FOURS
    row = min(first_row + own, rows - 1)
    column = 4 * (cuda.threadIdx.x % FOURS)
    return row * length + column, own, column


@device
def load_columns(rows, start, row, column, columns):
    """Copy some columns of the rows of a square to shared memory, four elements a thread."""
    x = four(rows, start)
    columns[column, row], columns[column + 1, row] = x[0], x[1]
    columns[column + 2, row], columns[column + 3, row] = x[2], x[3]


@device
def four_of(columns, column, start):
    """Return what one column holds of a thread's four rows."""
    return (
        columns[column, start],
        columns[column, start + SIDE],
        columns[column, start + 2 * SIDE],
        columns[column, start + 3 * SIDE],
    )


def _entropy_sums(precision, meet, compensated):
    zero = precision.Float(0)
    nothing = (zero, zero, zero, zero)

    @device
    def entropy_sums(a, a_rows, b, b_rows, length, i, j, a_columns, b_columns):
        """Return Σ v log2 v of the thread's 4 × 4 pairs."""
        a_start, row, column = start_of_load(i, a_rows, length)
        b_start, _, _ = start_of_load(j, b_rows, length)
        t0, t1, t2, t3 = nothing, nothing, nothing, nothing
        r0, r1, r2, r3 = nothing, nothing, nothing, nothing
        across, along = cuda.threadIdx.x % SIDE, cuda.threadIdx.x // SIDE
        for first in range(0, length, COLUMNS):
            cuda.syncthreads()
            load_columns(a, a_start + first, row, column, a_columns)
            load_columns(b, b_start + first, row, column, b_columns)
            cuda.syncthreads()
            s0, s1, s2, s3 = nothing, nothing, nothing, nothing
            for n in range(COLUMNS):
                x, y = four_of(a_columns, n, along), four_of(b_columns, n, across)
                s0, s1 = meet(x[0], y, s0), meet(x[1], y, s1)
                s2, s3 = meet(x[2], y, s2), meet(x[3], y, s3)
            t0, r0 = compensated(t0, r0, s0)
            t1, r1 = compensated(t1, r1, s1)
            t2, r2 = compensated(t2, r2, s2)
            t3, r3 = compensated(t3, r3, s3)
        return (t0, t1, t2, t3), (r0, r1, r2, r3)

    return entropy_sums


def _finished(precision):
    Float, ln2 = precision.Float, precision.Float(math.log(2))

    @device
    def finished(value, divisor, root):
        """Return a divergence in the unit that is asked for, or its root."""
        value = (ln2 if value > ln2 else value) / divisor
        return Float(math.sqrt(value)) if root else value

    return finished


def _add_terms(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group, zero = groups.two_sum, groups.sum_of_group, Float(0)
    scaled_term = target.formula(precision, normalised_kernels(precision).device_scaled_term)

    @device
    def add_terms(p, q, p_weight, q_weight, lane, shared):
        """Do what that of `rows` does, by a warp, and with few registers."""
        total, lo = zero, zero
        for i in range(lane, p.shape[0], WARP):
            term, _ = scaled_term(Float(p[i]), Float(q[i]), p_weight, q_weight)
            total, error = two_sum(total, term)
            lo += error
        return sum_of_group(total, lo, WARP, shared)

    return add_terms


def _squares(precision, entropy_sums, finished):
    Float, half = precision.Float, precision.Float(0.5)
    add_terms, divergence = _add_terms(precision), weighing(precision).divergence
    groups = THREADS // WARP

    @jit
    def squares(
        a_given, a, a_known, b_given, b, b_known, length, first_row, last_row, first_column,
        last_column, above, root, unit, divisor, offset, result,
    ):  # fmt: skip
        """Write the pairs of some rows of one matrix, the rows, and some of the other, the columns.

        `a` and `b` are the padded rows, of this length, one after the other.

        With `above`, those i < j, in the condensed order. `offset` is the index of
        the first element of `result` among those of all rows.
        """
        shared = cuda.shared.array((2, WARPS), Float)
        a_columns = cuda.shared.array((COLUMNS, PADDED_SIDE), Float)
        b_columns = cuda.shared.array((COLUMNS, PADDED_SIDE), Float)
        close_pairs = cuda.shared.array(PAIRS, np.int32)
        number_close = cuda.shared.array(1, np.int32)
        i_square = first_row + cuda.blockIdx.y * SQUARE
        j_square = first_column + cuda.blockIdx.x * SQUARE
        if above and j_square + SQUARE <= i_square:
            return
        if cuda.threadIdx.x == 0:
            number_close[0] = 0
        sums, rests = entropy_sums(
            a, a_given.shape[0], b, b_given.shape[0], length, i_square, j_square, a_columns,
            b_columns,
        )  # fmt: skip
        width, across = last_column - first_column, cuda.threadIdx.x % SIDE
        for m in range(4):
            i_local = cuda.threadIdx.x // SIDE + m * SIDE
            i = i_square + i_local
            for n in range(4):
                j = j_square + across + n * SIDE
                if i < last_row and j < last_column and (i < j or not above):
                    mixed = sums[m][n] + rests[m][n]
                    value = unit * ((a_known[i, 3] + b_known[j, 3]) - half * mixed)
                    if value >= most(a_known[i, 4], b_known[j, 4]):
                        place = index_of_pair(np.int64(i), np.int64(j), width, above)
                        result[place - offset] = finished(value, divisor, root)
                    else:
                        slot = cuda.atomic.add(number_close, 0, 1)
                        close_pairs[slot] = i_local * SQUARE + (j - j_square)
        cuda.syncthreads()
        number, lane = number_close[0], cuda.threadIdx.x % WARP
        for first in range(0, number, groups):
            slot = first + cuda.threadIdx.x // WARP
            pair = close_pairs[min(slot, number - 1)]
            i, j = i_square + pair // SQUARE, j_square + pair % SQUARE
            a_weight = a_known[i, 0], a_known[i, 1], a_known[i, 2]
            b_weight = b_known[j, 0], b_known[j, 1], b_known[j, 2]
            p, q = a_given[i], b_given[j]
            sums = add_terms(p, q, a_weight, b_weight, lane, shared)
            value = divergence(sums, a_weight, b_weight)
            if lane == 0 and slot < number:
                place = index_of_pair(np.int64(i), np.int64(j), width, above)
                result[place - offset] = finished(value, divisor, root)

    return squares
