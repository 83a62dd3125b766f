"""Loops over many columns at once, for sums along an axis that memory does not follow."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    FIRST_LINES,
    LINE_BYTES,
    any_layout,
    bits_of,
    empty,
    item,
    items,
    maximum,
    minimum,
    njit_inline,
    njit_refcounted,
    prefetch_to_second,
    row_item,
    row_place,
    set_item,
    where,
    zeroed,
)
from ..codegen.precision import Precision
from ..formulas.js import two_sum
from .summands import entropy_summand, js_summand, kl_summand, skewed_summand
from .sums import row_kernels

BLOCK = 32
"""Rows added up in the input's precision before float64 takes over, four at a time: equal terms
are rounded the same way each time they are added to a sum."""

SUMS = 32
"""As many such sums, or fewer of few rows, take the rows in turn: those next to each other go into
different ones, and may be read as one row. A column's sum depends on its length alone: neither on
how its rows lie in memory, nor on the other columns."""

WIDTH = 2048
"""Adjacent rows are read as one of so many elements or fewer: it fills vectors where there are few
columns, and is longer than what a processor loads ahead by itself."""


SEVERAL = 16
"""Where more than one column in so many is doubtful, all are looked at once more, side by side: one
by one takes longer."""

SUM, KNOWN, DOUBTFUL = range(3)
"""A column's sum is right; is known to be 0 or infinite; has to be computed as that of a row."""


@cache
def column_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    rows = row_kernels(precision)
    return SimpleNamespace(
        column_sums=_column_sums(precision, js_summand(precision), rows.row_sum),
        kl_sums=_column_sums(precision, kl_summand(precision), rows.kl_sum),
        kl_parts=_column_parts(precision, kl_summand(precision), rows.kl_parts),
        entropy_sums=_column_sums(precision, entropy_summand(precision), rows.entropy_sum),
        skewed_sums=_column_sums(precision, skewed_summand(precision), rows.skewed_sum),
    )


@njit_inline
def _load_ahead(p, q, i, step, number):
    """Begin to load the first lines of four rows, which need not exist."""
    line = LINE_BYTES // p.itemsize
    for row in range(i, i + 4 * step, step):
        for j in range(0, minimum(number, FIRST_LINES * line), line):
            prefetch_to_second(row_place(p, row), j)
            prefetch_to_second(row_place(q, row), j)


@njit_inline
def _four_added(a, b, c, d):
    """Return the sum of four numbers and, nearly, its rounding error."""
    first, first_error = two_sum(a, b)
    second, second_error = two_sum(c, d)
    both, error = two_sum(first, second)
    return both, (first_error + second_error) + error


@njit_inline
def _add_gap(gaps, rests, j, gap, rest):
    """Add a difference, and what its rounding left, to a column's."""
    total, error = two_sum(item(gaps, j), gap)
    set_item(gaps, j, total)
    set_item(rests, j, item(rests, j) + (rest + error))


def _add_terms(precision, summand):
    """Return what adds the terms of one row, and of four, to the columns' sums."""
    Float = precision.Float
    term, mass, with_gap = summand.term, summand.mass, summand.with_gap
    zero, nan = Float(0), Float(np.nan)

    @njit_inline
    def term_at(p, q, i, j, own):
        """Return a column's term in one row, its mass, the lesser entry and the difference.

        If the lesser is negative, the term means nothing.
        """
        x, y = row_item(p, i, j), row_item(q, i, j)
        return term(x, y, *own), mass(x, y, *own), minimum(x, y), x - y

    @njit_refcounted
    def add_terms(p, q, i, number, sums, masses, gaps, rests, *weights):
        """Add the terms of a row, and their masses, to the columns' sums; NaN for a negative."""
        for j in range(number):
            value, own_mass, least, gap = term_at(p, q, i, j, items(weights, j))
            set_item(sums, j, item(sums, j) + where(least < zero, nan, value))
            set_item(masses, j, item(masses, j) + own_mass)
            if with_gap:
                _add_gap(gaps, rests, j, gap, zero)

    @njit_refcounted
    def add_four(p, q, i, step, number, sums, masses, gaps, rests, *weights):
        """Add those of four rows."""
        for j in range(number):
            own = items(weights, j)
            a, a_mass, a_least, a_gap = term_at(p, q, i, j, own)
            b, b_mass, b_least, b_gap = term_at(p, q, i + step, j, own)
            c, c_mass, c_least, c_gap = term_at(p, q, i + 2 * step, j, own)
            d, d_mass, d_least, d_gap = term_at(p, q, i + 3 * step, j, own)
            least = minimum(minimum(a_least, b_least), minimum(c_least, d_least))
            value = where(least < zero, nan, (a + b) + (c + d))
            set_item(sums, j, item(sums, j) + value)
            set_item(masses, j, item(masses, j) + ((a_mass + b_mass) + (c_mass + d_mass)))
            if with_gap:
                _add_gap(gaps, rests, j, *_four_added(a_gap, b_gap, c_gap, d_gap))

    return add_terms, add_four


def _add_rows(precision, summand):
    (add_terms, add_four), with_gap = _add_terms(precision, summand), summand.with_gap

    @njit_refcounted
    def add_rows(p, q, rows, columns, sums, masses, gaps, rests, *weights):
        """Write those of every so many rows, of the last one in the first columns alone."""
        (first, step, number), (width, in_last) = rows, columns
        _clear(sums, masses, width)
        if with_gap:
            _clear(gaps, rests, width)
        fours = number // 4 * 4
        for i in range(first, first + fours * step, 4 * step):
            _load_ahead(p, q, i + 4 * step, step, width)
            add_four(p, q, i, step, width, sums, masses, gaps, rests, *weights)
        for row in range(fours, number + 1):
            in_row = width if row < number else in_last
            add_terms(p, q, first + row * step, in_row, sums, masses, gaps, rests, *weights)

    return add_rows


@njit_refcounted
def _clear(first, second, number):
    for j in range(number):
        set_item(first, j, first.dtype.type(0))
        set_item(second, j, second.dtype.type(0))


@njit_refcounted
def _add_up(sums, masses, width, totals, rests, all_masses):
    """Add up, for each column, the sums of rows that were read as one."""
    number = totals.size
    for first in range(0, width, maximum(number, 1)):
        for j in range(number):
            total, error = two_sum(item(totals, j), np.float64(item(sums, first + j)))
            set_item(totals, j, total)
            set_item(rests, j, item(rests, j) + error)
            mass = np.float64(item(masses, first + j))
            set_item(all_masses, j, item(all_masses, j) + mass)


@njit_inline
def _sums_of(rows):
    """Return how many sums take so many rows in turn."""
    number = 1
    while number < SUMS and number * BLOCK < rows:
        number *= 2
    return number


@njit_refcounted
def rows_together(p, q):
    """Return how many rows are read as one: several only where they are adjacent in memory."""
    length, number = p.shape
    together, most, itemsize = 1, _sums_of(length), p.itemsize
    if p.strides[0] == number * itemsize and q.strides[0] == number * itemsize:
        while together < most and 2 * together * number <= WIDTH:
            together *= 2
    return together


@njit_refcounted
def repeated(values, times):
    """Return the numbers of a contiguous array, one time after the other."""
    size = values.size
    every = empty(times * size, values.dtype)
    for start in range(0, times * size, maximum(size, 1)):
        for j in range(size):
            set_item(every, start + j, item(values, j))
    return any_layout(every)


def _added_up(precision, summand):
    Float = precision.Float
    itemsize = Float(0).itemsize
    add_rows, with_gap = _add_rows(precision, summand), summand.with_gap

    @njit_refcounted
    def added_up(p, q, *weights):
        """Return the columns' sums, masses and gaps, each sum with what its rounding left.

        Masses are infinite where columns are not side by side, and nothing was added up. Weights
        are contiguous arrays of one for each column, `repeated` for `rows_together`.
        """
        length, number = p.shape
        totals, rests, masses = (
            zeroed(number, np.float64),
            zeroed(number, np.float64),
            zeroed(number, np.float64),
        )
        gaps, gap_errors, gap_rests = zeroed((3, number if with_gap else 0), np.float64)
        if p.strides[1] != itemsize or q.strides[1] != itemsize:
            masses[:] = np.inf
            return totals, rests, masses, gaps, gap_errors
        most = rows_together(p, q)
        sums, own_masses = empty(most * number, Float), empty(most * number, Float)
        own_gaps, own_rests = empty((2, most * number if with_gap else 0), Float)
        for start in range(0, length, SUMS * BLOCK):
            size = minimum(length - start, SUMS * BLOCK)
            step = _sums_of(size)
            full, left = size // step, size % step
            together = minimum(most, step)
            width = together * number
            for first in range(0, step, together):
                rows = start + first, step, full
                columns = width, maximum(minimum(left - first, together), 0) * number
                add_rows(p, q, rows, columns, sums, own_masses, own_gaps, own_rests, *weights)
                _add_up(sums, own_masses, width, totals, rests, masses)
                if with_gap:
                    _add_up(own_gaps, own_rests, width, gaps, gap_errors, gap_rests)
        for j in range(gaps.size):
            set_item(gap_errors, j, item(gap_errors, j) + item(gap_rests, j))
        return totals, rests, masses, gaps, gap_errors

    return added_up


def _look_at(precision, summand):
    Float, Int = precision.Float, precision.Int
    is_weighted, has_infinite = summand.is_weighted, summand.has_infinite
    lowest, zero, none = Float(2.0**precision.tiny), Float(0), Int(0)

    @njit_inline
    def lost_bits(x, y):
        if is_weighted:
            return Int(bits_of(x) ^ bits_of(y))
        return Int(where(x < lowest, bits_of(x), none) | where(y < lowest, bits_of(y), none))

    @njit_refcounted
    def look_at(p, q, i, lost, tops, alone):
        """Collect the bits that sums may have lost, the largest, and those of p where q is 0."""
        for j in range(lost.size):
            x, y = row_item(p, i, j), row_item(q, i, j)
            set_item(lost, j, Int(item(lost, j) | lost_bits(x, y)))
            set_item(tops, j, maximum(item(tops, j), maximum(bits_of(x), bits_of(y))))
            if has_infinite:
                set_item(alone, j, Int(item(alone, j) | where(y == zero, bits_of(x), none)))

    return look_at


def _look_again(precision, summand):
    Float, Int = precision.Float, precision.Int
    none, infinite = Int(0), Int(Float(np.inf).view(Int))
    huge, look_at = 2.0**precision.huge, _look_at(precision, summand)

    @njit_refcounted
    def look_again(p, q, totals, masses, states):
        """Settle what is doubtful by the elements of all columns, which are side by side."""
        lost, tops, alone = zeroed((3, totals.size), Int)
        for i in range(p.shape[0]):
            look_at(p, q, i, lost, tops, alone)
        for j in range(totals.size):
            if states[j] == DOUBTFUL and lost[j] >= none and tops[j] < infinite:
                if alone[j] != none:
                    totals[j], states[j] = np.inf, KNOWN
                elif lost[j] == none and masses[j] < huge:
                    states[j] = SUM

    return look_again


def _settled(precision, summand):
    itemsize, look_again = precision.Float(0).itemsize, _look_again(precision, summand)
    trusted, huge = 2.0**precision.trusted, 2.0**precision.huge

    @njit_refcounted
    def settled(p, q, totals, masses):
        """Return which columns' sums are right; one that is known may be written."""
        states, number = empty(totals.size, np.int8), 0
        for j in range(totals.size):
            states[j] = SUM if abs(totals[j]) > trusted and masses[j] < huge else DOUBTFUL
            if totals[j] == 0.0 and masses[j] == 0.0:
                # No element, of those that count, is anything but 0.
                states[j] = KNOWN
            number += states[j] == DOUBTFUL
        adjacent = p.strides[1] == itemsize and q.strides[1] == itemsize
        if adjacent and number * SEVERAL > totals.size:
            look_again(p, q, totals, masses, states)
        return states

    return settled


def _column_sums(precision, summand, row_sum):
    Float = precision.Float
    settled, with_gap = _settled(precision, summand), summand.with_gap
    added_up = _added_up(precision, summand)

    @njit_refcounted
    def column_sums(p, q, result, *weights):
        """Write the sum over each column of p with that of q."""
        totals, rests, masses, gaps, gap_rests = added_up(p, q, *weights)
        states = settled(p, q, totals, masses)
        for j in range(result.size):
            total = totals[j]
            if states[j] == DOUBTFUL:
                total = row_sum(p[:, j], q[:, j], *items(weights, j))
            elif states[j] == SUM:
                total += rests[j]
                if with_gap:
                    total += gaps[j] + gap_rests[j]
            result[j] = Float(total)

    return column_sums


def _column_parts(precision, summand, row_parts):
    settled, added_up = _settled(precision, summand), _added_up(precision, summand)

    @njit_refcounted
    def column_parts(p, q, result, left):
        """Write the sums over pieces of columns, gaps included, and what their rounding left."""
        totals, rests, masses, gaps, gap_rests = added_up(p, q)
        states = settled(p, q, totals, masses)
        for j in range(result.size):
            if states[j] == SUM:
                result[j], error = two_sum(totals[j], gaps[j])
                left[j] = error + rests[j] + gap_rests[j]
            elif states[j] == DOUBTFUL:
                result[j], left[j] = row_parts(p[:, j], q[:, j])
            else:
                result[j], left[j] = totals[j], 0.0

    return column_parts
