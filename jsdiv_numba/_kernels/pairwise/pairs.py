"""Loops over tiles of row pairs.

With each normalised row's entropy known, the divergence of a pair costs one
logarithm an element:

    JS(p, q) = ½ Σ p log p + ½ Σ q log q - Σ m log m,   m = ½(p + q),

and with other weights than ½ as well. Rows are multiplied by twice their weights first, so
that 2m is a sum of two rows as before.

The three sums cancel when the rows are close, so a pair that comes out below
a few per cent is computed again (`Precision.pair_near`) term by term, from the rows as given. What
has no such form is computed so for all pairs.
"""

from collections import namedtuple
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    contiguous,
    empty,
    entry,
    fma,
    item,
    larger,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_reassoc,
    njit_reassoc_inline,
    njit_refcounted,
    noinline,
    power_of_two,
    row_of,
    set_entry,
    set_item,
    where,
    zeroed,
)
from ..codegen.precision import FLOAT32, FLOAT64, Precision
from ..formulas.js import scalar_formulas, two_sum
from ..records import Block, PaddedRows, Side, Values, Weighing
from ..rows.normalised import is_ordinary_kernel, normalised_kernels, normalised_sum
from ..target import has_multiply_add, registers, target
from .measures import JS, PairMeasure
from .shared import NEAR, SPREAD, count_of, dense_sums, level_kernel, room_for_filled

UNROLL = 4
"""Rows of the second set that one row of the first meets at a time: `PaddedRows.padded` has a
multiple of them."""

LANES = 16
"""Its columns are padded with zeros to a multiple of so many, which leaves the loops over them no
remainder."""

KNOWN = 6
"""Columns of `PaddedRows.known`."""

TILE_BYTES = 1 << 18
"""Rows of the second set that stay in the cache while those of the first pass."""


@cache
def pair_kernels(precision: Precision, measure: PairMeasure) -> SimpleNamespace:
    """Compile what a pair's divergence is made of, for one precision.

    Each is vectorised where it is compiled. Whoever calls it with arguments of the same
    types links the same code, and has the same bits.
    """
    return SimpleNamespace(
        prepare=_prepare(precision),
        entropy_sums=_entropy_sums(precision),
        divergence=_divergence(precision, measure),
        shared_value=_shared_value(measure) if precision is FLOAT64 else None,
    )


def _block(precision: Precision) -> int:
    """Return how many elements are added up before float64, or its exact sum, takes over."""
    if not has_multiply_add():
        # Where that is a call of the C library, LLVM adds up one after another, not in lanes.
        return precision.pair_block // 16
    if precision is FLOAT32:
        return precision.pair_block
    lanes = registers(target()).floats
    # LLVM has two vectors for a row where there are 32 registers, and so as many numbers in a lane.
    return precision.pair_block if lanes == 16 else precision.pair_block * lanes // 32


def _prepare(precision):
    Float = precision.Float
    row_scale = normalised_kernels(precision).row_scale
    log2_in_ulps, zero = scalar_formulas(precision).finer_log2_in_ulps, Float(0)
    unit = Float(2.0**precision.mantissa)
    near, near_of_largest = precision.pair_near
    if precision is FLOAT64:
        near_of_largest *= 16 / registers(target()).floats
    block, is_ordinary = _block(precision), is_ordinary_kernel(precision, precision.weighed)
    level_of, counted, mantissa = level_kernel(), precision is FLOAT64, precision.mantissa

    @njit_no_refcount
    def normalise(row, normalised, factor):
        for i in range(row.size):
            set_item(normalised, i, abs(item(row, i)) * factor)

    @njit_reassoc
    def entropy_block(normalised, start, size):
        entropy, largest = 0.0, zero
        for i in range(start, start + size):
            p = item(normalised, i)
            entropy += np.float64(fma(p, log2_in_ulps(p), p * unit))
            largest = larger(p, largest)
        return entropy, largest

    @njit_no_refcount
    def half_entropy(normalised):
        """Return ½ Σ (p log2 p + p)·2^mantissa, and the largest p."""
        entropy, rest, largest = 0.0, 0.0, 0.0
        for start in range(0, normalised.size, block):
            size = minimum(block, normalised.size - start)
            part, top = entropy_block(normalised, start, size)
            entropy, error = two_sum(entropy, part)
            rest += error
            largest = maximum(largest, np.float64(top))
        return 0.5 * (entropy + rest), largest

    @njit_refcounted
    def prepare(rows, start, stop, scale_exponent, side):
        """Fill in all that is known of rows start .. stop; return whether any of it is NaN."""
        known, with_nan, whole = rows.known, False, power_of_two(scale_exponent + mantissa)
        for i in range(start, stop):
            row, padded = contiguous(row_of(rows.given, i)), row_of(rows.padded, i)
            scale, total, rest = row_scale(row)
            size = power_of_two(scale_exponent) * (2.0 * side.weight)
            normalise(row, padded, Float(np.float64(scale) * size / total))
            entropy, largest = half_entropy(padded)
            set_entry(known, i, 0, scale)
            set_entry(known, i, 1, total)
            set_entry(known, i, 2, rest)
            set_entry(known, i, 3, entropy + side.offset * whole)
            limit = near + near_of_largest * largest * power_of_two(-scale_exponent)
            set_entry(known, i, 4, limit)
            counts = counted and is_ordinary(scale)
            set_entry(known, i, 5, level_of(count_of(row), row.size) if counts else np.inf)
            with_nan |= np.isnan(total)
        return with_nan

    return prepare


def _entropy_sums(precision):
    Float = precision.Float
    log2_in_ulps, block = scalar_formulas(precision).log2_in_ulps, _block(precision)
    zero = Float(0)
    # With as many constants as float64 has, four rows take more than 16 registers.
    four_at_once = precision is FLOAT32 or registers(target()).number == 32

    @njit_reassoc_inline
    def sums_of_four(p, i, q, rows, start, size):
        j0, j1, j2, j3 = rows
        s0 = s1 = s2 = s3 = zero
        for k in range(start, start + size):
            x = entry(p, i, k)
            v0, v1 = x + entry(q, j0, k), x + entry(q, j1, k)
            v2, v3 = x + entry(q, j2, k), x + entry(q, j3, k)
            s0 += v0 * log2_in_ulps(v0)
            s1 += v1 * log2_in_ulps(v1)
            s2 += v2 * log2_in_ulps(v2)
            s3 += v3 * log2_in_ulps(v3)
        return s0, s1, s2, s3

    @njit_reassoc_inline
    def sums_of_two(p, i, q, j0, j1, start, size):
        s0 = s1 = zero
        for k in range(start, start + size):
            x = entry(p, i, k)
            v0, v1 = x + entry(q, j0, k), x + entry(q, j1, k)
            s0 += v0 * log2_in_ulps(v0)
            s1 += v1 * log2_in_ulps(v1)
        return s0, s1

    @njit_inline
    def block_sums(p, i, q, rows, start, size):
        if four_at_once:
            return sums_of_four(p, i, q, rows, start, size)
        s0, s1 = sums_of_two(p, i, q, rows[0], rows[1], start, size)
        s2, s3 = sums_of_two(p, i, q, rows[2], rows[3], start, size)
        return s0, s1, s2, s3

    @njit_inline
    def entropy_sums(p, i, q, rows):
        """Return Σ v log2 v·2^mantissa, v = p + q, of padded row i of p with four rows of q."""
        s0 = s1 = s2 = s3 = 0.0
        r0 = r1 = r2 = r3 = 0.0
        length = p.shape[1]
        for start in range(0, length, block):
            size = minimum(block, length - start)
            t0, t1, t2, t3 = block_sums(p, i, q, rows, start, size)
            s0, e0 = two_sum(s0, np.float64(t0))
            s1, e1 = two_sum(s1, np.float64(t1))
            s2, e2 = two_sum(s2, np.float64(t2))
            s3, e3 = two_sum(s3, np.float64(t3))
            r0, r1, r2, r3 = r0 + e0, r1 + e1, r2 + e2, r3 + e3
        return s0 + r0, s1 + r1, s2 + r2, s3 + r3

    return entropy_sums


@cache
def exact_kernel(precision: Precision, measure: PairMeasure) -> Any:
    """Return what computes the divergence of two rows term by term."""
    Float, sum_of = precision.Float, normalised_sum(precision, measure.summand_of(precision))

    @njit_no_refcount
    def known_of(rows, i):
        return (
            Float(entry(rows.known, i, 0)),
            Float(entry(rows.known, i, 1)),
            Float(entry(rows.known, i, 2)),
        )

    @njit_no_refcount
    def of_adjacent(p, q, p_known, q_known, beside):
        noinline()
        return np.float64(sum_of(p, q, p_known, q_known, *beside))

    @njit_refcounted
    def of_copies(p, q, p_known, q_known, beside):
        noinline()
        return of_adjacent(contiguous(p), contiguous(q), p_known, q_known, beside)

    @njit_no_refcount
    def exact(a, b, i, j, beside):
        p, q, p_known, q_known = (
            row_of(a.given, i),
            row_of(b.given, j),
            known_of(a, i),
            known_of(b, j),
        )
        if p.strides[0] == p.itemsize and q.strides[0] == q.itemsize:
            return of_adjacent(p, q, p_known, q_known, beside)
        return of_copies(p, q, p_known, q_known, beside)

    return exact


def _divergence(precision, measure):
    exact = exact_kernel(precision, measure)

    @njit_no_refcount
    def divergence(a, b, i, j, entropy_sum, unit, most, beside):
        """Return the divergence of two rows, given what `entropy_sums` says of them."""
        value = unit * (entry(a.known, i, 3) + entry(b.known, j, 3) - 0.5 * entropy_sum)
        if not value >= maximum(entry(a.known, i, 4), entry(b.known, j, 4)):
            value = exact(a, b, i, j, beside)
        return where(value > most, most, value)

    return divergence


@njit_inline
def shares(a, b, i, j):
    """Whether two rows are compared by the columns that both have; see `level_kernel`."""
    return entry(a.known, i, 5) + entry(b.known, j, 5) <= 0.0


def _shared_value(measure):
    """Return what compares rows of float64 by the columns that both have, where that is faster."""
    sums, exact = dense_sums(), exact_kernel(FLOAT64, measure)
    write_filled, shared_divergence = sums.write_filled, sums.shared_divergence

    @njit_no_refcount
    def shared_value(a, b, i, j, scale, filled, count, most, beside):
        """Return the divergence of two rows, and how much is filled of row i, written first."""
        if count < 0:
            count = write_filled(a.padded, i, scale, filled)
        divergence = shared_divergence(filled, count, b.padded, j, scale, most)
        if not divergence >= NEAR:
            divergence = exact(a, b, i, j, beside)
        return where(divergence > most, most, divergence), count

    return shared_value


Wanted = namedtuple("Wanted", "unit scale factor root most beside")
"""Units of a sum of entropies and of what rows are scaled by, a factor, whether a root is taken,
what no divergence exceeds, and the weights that the sum of a pair takes."""


@njit_inline
def value_of(divergence, wanted):
    """Return what is wanted of a divergence in nats."""
    value = divergence * wanted.factor
    return np.sqrt(value) if wanted.root else value


def _write_row_exactly(precision, measure):
    """Return what writes the pairs of one row with those of a tile, term by term."""
    exact = exact_kernel(precision, measure)

    @njit_inline
    def write_row(a, b, i, first, stop, wanted, _filled, target):
        result, row, column = target
        for j in range(first, stop):
            result[row, column + j] = value_of(exact(a, b, i, j, wanted.beside), wanted)

    return write_row


def _write_group(precision, measure):
    """Return what writes the pairs of one row with a few others, by entropies."""
    kernels = pair_kernels(precision, measure)
    entropy_sums, divergence = kernels.entropy_sums, kernels.divergence

    @njit_inline
    def write_group(a, b, i, j, first, stop, wanted, target):
        result, row, column = target
        sums = entropy_sums(a.padded, i, b.padded, (j, j + 1, j + 2, j + 3))
        for k in range(first, stop):
            value = divergence(a, b, i, k, sums[k - j], wanted.unit, wanted.most, wanted.beside)
            result[row, column + k] = value_of(value, wanted)

    return write_group


def _write_row_by_entropies(precision, measure):
    """Return what does so for a row, and where entropies cancel term by term."""
    write_group = _write_group(precision, measure)

    @njit_inline
    def write_row(a, b, i, first, stop, wanted, _filled, target):
        for j in range(first - first % UNROLL, stop, UNROLL):
            j_start, j_stop = maximum(j, first), minimum(j + UNROLL, stop)
            write_group(a, b, i, j, j_start, j_stop, wanted, target)

    return write_row


@njit_no_refcount
def number_sharing(a, b, i, first, stop):
    """Return with how many of some rows row i is compared by the columns that both have."""
    number = 0
    for j in range(first, stop):
        number += shares(a, b, i, j)
    return number


def _write_shared(measure):
    """Return what writes the pairs of one row that are compared so."""
    shared_value = pair_kernels(FLOAT64, measure).shared_value

    @njit_inline
    def write_shared(a, b, i, first, stop, wanted, filled, count, target):
        """Do so; return how much of row i is filled."""
        result, row, column = target
        for j in range(first, stop):
            if shares(a, b, i, j):
                value, count = shared_value(
                    a, b, i, j, wanted.scale, filled, count, wanted.most, wanted.beside
                )
                result[row, column + j] = value_of(value, wanted)
        return count

    return write_shared


def _write_row_by_shared_columns(measure):
    """Return what writes the pairs of a row either way, whichever is faster."""
    write_group, write_shared = _write_group(FLOAT64, measure), _write_shared(measure)

    @njit_inline
    def write_row(a, b, i, first, stop, wanted, filled, target):
        sharing, count = number_sharing(a, b, i, first, stop), -1
        for j in range(first - first % UNROLL, stop, UNROLL):
            j_start, j_stop, number = maximum(j, first), minimum(j + UNROLL, stop), 0
            if sharing:
                number = number_sharing(a, b, i, j_start, j_stop)
            if number < j_stop - j_start:
                write_group(a, b, i, j, j_start, j_stop, wanted, target)
            if number:
                count = write_shared(a, b, i, j_start, j_stop, wanted, filled, count, target)

    return write_row


def _write_row(precision, measure, by_shared_columns):
    if not measure.by_entropies:
        return _write_row_exactly(precision, measure)
    if by_shared_columns:
        return _write_row_by_shared_columns(measure)
    return _write_row_by_entropies(precision, measure)


def _write_block(precision, measure, by_shared_columns):
    """Return what writes the pairs of a block of rows that are prepared."""
    ln2, itemsize, mantissa = np.log(2.0), precision.Float(0).itemsize, precision.mantissa
    beside_of = measure.beside_of(precision)
    write_row = _write_row(precision, measure, by_shared_columns)

    @njit_inline
    def write_block(a, b, block, scale_exponent, values, weighing, filled, result):
        i_start, i_stop, j_start, j_stop = block
        unit, scale = (
            ln2 * power_of_two(-(scale_exponent + mantissa)),
            power_of_two(SPREAD - scale_exponent),
        )
        beside = beside_of(weighing)
        wanted = Wanted(unit, scale, values.factor, values.root, weighing.most, beside)
        tile = maximum(TILE_BYTES // (a.padded.shape[1] * itemsize), 1) * UNROLL
        for tile_start in range(j_start, j_stop, tile):
            tile_stop = minimum(tile_start + tile, j_stop)
            for i in range(i_start, i_stop):
                row, column = i - i_start, -j_start
                if values.condensed:
                    row, column = 0, i * (2 * a.given.shape[0] - i - 3) // 2 - 1
                first = maximum(tile_start, i + 1) if values.above else tile_start
                write_row(a, b, i, first, tile_stop, wanted, filled, (result, row, column))

    return write_block


def pairs(
    precision: Precision, measure: PairMeasure = JS, *, by_shared_columns: bool = False
) -> Any:
    """Return the routine `pairs`, or that of another measure.

    What compares some pairs by the columns that both rows have is apart: it takes half as long
    again to compile.
    """
    prepare = pair_kernels(precision, measure).prepare
    write_block = _write_block(precision, measure, by_shared_columns)

    @njit_no_refcount
    def of_block(a, b, block, scale_exponent, values, weighing, prepares, filled, result):
        i_start, i_stop, j_start, j_stop = block
        prepare_a, prepare_b = prepares
        with_nan = False
        if prepare_a:
            with_nan |= prepare(a, i_start, i_stop, scale_exponent, weighing.p)
        if prepare_b:
            with_nan |= prepare(b, j_start, j_stop, scale_exponent, weighing.q)
        write_block(a, b, block, scale_exponent, values, weighing, filled, result)
        return with_nan

    def pairs(a, b, block, scale_exponent, values, weighing, prepare_a, prepare_b, result):
        """Write the values of a block; return whether a row that is prepared has a NaN.

        The rows of the block are prepared first if asked for.
        """
        filled = room_for_filled(a.padded.shape[1]) if by_shared_columns else ()
        prepares = prepare_a, prepare_b
        return of_block(a, b, block, scale_exponent, values, weighing, prepares, filled, result)

    return pairs


WRITTEN, WITH_NAN, SHARING = np.int32(0), np.int32(1), np.int32(2)
"""What became of few pairs: with the last they are for `few_pairs_by_shared_columns`."""


@njit_no_refcount
def lowest(rows):
    """Return the lowest level of a row."""
    least = np.inf
    for i in range(rows.known.shape[0]):
        least = minimum(least, entry(rows.known, i, 5))
    return least


def few_pairs(precision: Precision, *, by_shared_columns: bool = False) -> Any:
    """Return the routine `few_pairs`, or what takes its place where rows share few columns."""
    Float, ln2 = precision.Float, np.log(2.0)
    prepare = pair_kernels(precision, JS).prepare
    write_block = _write_block(precision, JS, by_shared_columns)
    hands_on = precision is FLOAT64 and not by_shared_columns

    @njit_no_refcount
    def of_few(a, b, settings, filled, result):
        none, scale_exponent, length = np.intp(0), np.intp(0), a.given.shape[1]
        while length > 1:
            scale_exponent, length = scale_exponent + 1, length // 2
        block = Block(none, a.given.shape[0], none, b.given.shape[0])
        above, condensed, root = settings[1] != 0.0, settings[2] != 0.0, settings[3] != 0.0
        even = Weighing(Side(0.5, 0.0), Side(0.5, 0.0), ln2)
        with_nan = prepare(a, none, block.i_stop, scale_exponent, even.p)
        if settings[4] != 0.0:
            with_nan |= prepare(b, none, block.j_stop, scale_exponent, even.q)
        if hands_on and lowest(a) + lowest(b) <= 0.0:
            return SHARING
        values = Values(above, condensed, root, settings[0])
        write_block(a, b, block, scale_exponent, values, even, filled, result)
        return WITH_NAN if with_nan else WRITTEN

    @njit_refcounted
    def with_room(given):
        number, length = given.shape
        height = (number + UNROLL - 1) // UNROLL * UNROLL
        width = maximum((length + LANES - 1) // LANES, 1) * LANES
        return PaddedRows(given, zeroed((height, width), Float), empty((number, KNOWN), np.float64))

    def few_pairs(a_given, b_given, settings, result):
        """Write all pairs, with room made for what is known of the rows; say what became of them.

        The settings are the factor and flags: above, condensed, root, and whether b is another
        matrix than a, for else it is not prepared.
        """
        a = with_room(a_given)
        b = with_room(b_given) if settings[4] != 0.0 else a
        filled = room_for_filled(a.padded.shape[1]) if by_shared_columns else ()
        return of_few(a, b, settings, filled, result)

    return few_pairs
