"""Kernels over all pairs of rows.

As in `_kernels.pairwise.pairs`: a pair costs one logarithm an element, from the rows' entropies,
and one that comes out close is computed again, term by term; what has no such form is computed so
for all pairs. A block of threads takes a square of pairs, each of its threads 4 × 4 of them; what
it reads of the rows goes through shared memory, a few columns at a time.
"""

import math
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..._kernels.codegen.precision import FLOAT32, Precision
from ..._kernels.formulas.js import scalar_formulas
from .. import target
from ..target import THREADS, WARP, cuda, device, four, jit, most
from .indexing import NONE
from .pair_terms import pair_term
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


class Matrix(NamedTuple):
    """Rows, and what is known of them."""

    given: Any

    padded: Any
    """The rows normalised and times their shares, padded to one length, one after the other.
    Nothing where pairs are computed term by term."""

    known: Any


class Side(NamedTuple):
    """What of the rows of one side depends on their weight."""

    share: Any
    """Twice the weight."""

    offset: Any
    """What is added to half the entropy for that."""


class Tile(NamedTuple):
    """Some rows of one matrix, and some of the other, the columns of the result."""

    first: int
    last: int
    left: int
    right: int


class Wanted(NamedTuple):
    """What is wanted of a pair's divergence."""

    unit: Any
    """Of a difference of entropies, in nats."""

    most: Any
    """What no divergence exceeds, though rounding may."""

    divisor: Any
    """Of a divergence in nats."""

    root: Any
    """Whether its root is taken."""


class Output(NamedTuple):
    """Where values are written."""

    above: Any
    """Only those of pairs i < j, in the condensed order."""

    offset: Any
    """The place of the first value among those of all rows."""

    values: Any


@cache
def prepare_kernel(precision: Precision) -> Any:
    """Return the kernel that prepares rows, for one precision."""
    return _prepare(precision)


@cache
def pair_kernel(precision: Precision, measure: str) -> Any:
    """Return the kernel over squares of pairs, for one precision and "js", "skewed" or "kl"."""
    if measure == "kl":
        sort_out = _all_close()
    else:
        entropy_sums = _entropy_sums(precision, _meet(precision), _compensated(precision))
        sort_out = _sort_out(precision, entropy_sums)
    return _squares(precision, sort_out, pair_term(precision, measure))


def _prepare(precision):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group = groups.two_sum, groups.sum_of_group
    ends_of_group = groups.ends_of_group
    weight_of = weighing(precision).weight_of
    log2 = target.formula(precision, scalar_formulas(precision).device_log2)
    zero, half, unit = Float(0), Float(0.5), Float(2.0**precision.device_log2)
    near, near_of_largest = (Float(number) for number in precision.pair_near)

    @jit
    def prepare(given, aligned, spread, side, padded, known):
        """Fill in all that is known of each row, a block for each. `spread` is a power of two."""
        shared = cuda.shared.array((2, WARPS), Float)
        row, lane = cuda.blockIdx.x, cuda.threadIdx.x
        x, stop = given[row], given.shape[1]
        weight = weight_of(x, NONE, stop, aligned, np.int64(lane), np.int64(THREADS), shared)
        factor = weight[0] * spread / weight[1] * side.share
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
            known[row, 3] = half * (total + lo) + side.offset * spread
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
    Float = precision.Float

    @device
    def finished(value, wanted):
        """Return what is wanted of a divergence."""
        value = (wanted.most if value > wanted.most else value) / wanted.divisor
        return Float(math.sqrt(value)) if wanted.root else value

    return finished


def _add_terms(precision, term):
    Float, groups = precision.Float, group_functions(precision)
    two_sum, sum_of_group, zero = groups.two_sum, groups.sum_of_group, Float(0)

    @device
    def add_terms(p, q, p_known, q_known, weights, lane, shared):
        """Return the sum of terms of p·T and q·S, and its low-order part, by a warp."""
        total, lo = zero, zero
        for i in range(lane, p.shape[0], WARP):
            value = term(Float(p[i]), Float(q[i]), p_known, q_known, *weights)
            total, error = two_sum(total, value)
            lo += error
        return sum_of_group(total, lo, WARP, shared)

    return add_terms


def _over_sums(precision):
    zero, nan, infinity = precision.Float(0), precision.Float(np.nan), precision.Float(np.inf)

    @device
    def over_sums(sums, p_known, q_known):
        """Return a divergence from the sum of terms: of an infinite one, nothing is left."""
        (total, lo), size = sums, p_known[1] * q_known[1]
        return (total if total == infinity else total + lo) / size if size > zero else nan

    return over_sums


def _sort_out(precision, entropy_sums):
    half, finished = precision.Float(0.5), _finished(precision)

    @device
    def sort_out(a, b, length, square, tile, wanted, output, room):
        """Write the values of a thread's pairs, but for close ones, which are put on a list."""
        (i_square, j_square), (a_columns, b_columns, close_pairs, number_close) = square, room
        sums, rests = entropy_sums(
            a.padded, a.given.shape[0], b.padded, b.given.shape[0], length, i_square, j_square,
            a_columns, b_columns,
        )  # fmt: skip
        for m in range(4):
            i_local = cuda.threadIdx.x // SIDE + m * SIDE
            i = i_square + i_local
            for n in range(4):
                j_local = cuda.threadIdx.x % SIDE + n * SIDE
                j = j_square + j_local
                if is_wanted(i, j, tile, output.above):
                    mixed = sums[m][n] + rests[m][n]
                    value = wanted.unit * ((a.known[i, 3] + b.known[j, 3]) - half * mixed)
                    if value >= most(a.known[i, 4], b.known[j, 4]):
                        put(i, j, finished(value, wanted), tile, output)
                    else:
                        slot = cuda.atomic.add(number_close, 0, 1)
                        close_pairs[slot] = i_local * SQUARE + j_local

    return sort_out


def _all_close():
    @device
    def all_close(_a, _b, _length, square, tile, _wanted, output, room):
        """Put all pairs on the list."""
        (i_square, j_square), (_, _, close_pairs, number_close) = square, room
        for pair in range(cuda.threadIdx.x, PAIRS, THREADS):
            if is_wanted(i_square + pair // SQUARE, j_square + pair % SQUARE, tile, output.above):
                slot = cuda.atomic.add(number_close, 0, 1)
                close_pairs[slot] = pair

    return all_close


@device
def is_wanted(i, j, tile, above):
    """Whether a pair of a square is one of the tile's."""
    return i < tile.last and j < tile.right and (i < j or not above)


@device
def put(i, j, value, tile, output):
    """Write a pair's value to its place."""
    place = index_of_pair(np.int64(i), np.int64(j), tile.right - tile.left, output.above)
    output.values[place - output.offset] = value


def _squares(precision, sort_out, term):
    Float, finished = precision.Float, _finished(precision)
    add_terms, over_sums = _add_terms(precision, term), _over_sums(precision)
    groups = THREADS // WARP

    @jit
    def squares(a, b, length, tile, weights, wanted, output):
        """Write the pairs of some rows of one matrix, the rows, and some of the other, the columns.

        `length` is that of the padded rows.
        """
        shared = cuda.shared.array((2, WARPS), Float)
        a_columns = cuda.shared.array((COLUMNS, PADDED_SIDE), Float)
        b_columns = cuda.shared.array((COLUMNS, PADDED_SIDE), Float)
        close_pairs = cuda.shared.array(PAIRS, np.int32)
        number_close = cuda.shared.array(1, np.int32)
        i_square = tile.first + cuda.blockIdx.y * SQUARE
        j_square = tile.left + cuda.blockIdx.x * SQUARE
        if output.above and j_square + SQUARE <= i_square:
            return
        if cuda.threadIdx.x == 0:
            number_close[0] = 0
        cuda.syncthreads()
        room = a_columns, b_columns, close_pairs, number_close
        sort_out(a, b, length, (i_square, j_square), tile, wanted, output, room)
        cuda.syncthreads()
        number, lane = number_close[0], cuda.threadIdx.x % WARP
        for first in range(0, number, groups):
            slot = first + cuda.threadIdx.x // WARP
            pair = close_pairs[min(slot, number - 1)]
            i, j = i_square + pair // SQUARE, j_square + pair % SQUARE
            p_known = a.known[i, 0], a.known[i, 1], a.known[i, 2]
            q_known = b.known[j, 0], b.known[j, 1], b.known[j, 2]
            sums = add_terms(a.given[i], b.given[j], p_known, q_known, weights, lane, shared)
            if lane == 0 and slot < number:
                put(i, j, finished(over_sums(sums, p_known, q_known), wanted), tile, output)

    return squares
