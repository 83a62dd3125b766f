"""Loops over many columns at once, for sums along an axis that memory does not follow."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..codegen.intrinsics import (
    FIRST_LINES,
    LINE_BYTES,
    empty,
    item,
    items,
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

BLOCK = 16
"""Rows added up in the input's precision before float64 takes over, four at a time: equal terms
are rounded the same way each time they are added to a sum."""


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
def _load_ahead(p, q, i):
    """Begin to load the first lines of four rows, which need not exist."""
    line = LINE_BYTES // p.itemsize
    for row in range(i, i + 4):
        for j in range(0, minimum(p.shape[1], FIRST_LINES * line), line):
            prefetch_to_second(row_place(p, row), j)
            prefetch_to_second(row_place(q, row), j)


def _add_rows(precision, summand):
    Float = precision.Float
    term, mass = summand.term, summand.mass
    zero, nan = Float(0), Float(np.nan)

    @njit_inline
    def term_at(p, q, i, j, own):
        """Return a column's term in one row, its mass and the lesser entry.

        If that is negative, the term means nothing.
        """
        x, y = row_item(p, i, j), row_item(q, i, j)
        return term(x, y, *own), mass(x, y, *own), minimum(x, y)

    @njit_refcounted
    def add_terms(p, q, i, sums, masses, *weights):
        """Add the terms of a row, and their masses, to the columns' sums; NaN for a negative."""
        for j in range(sums.size):
            value, own_mass, least = term_at(p, q, i, j, items(weights, j))
            set_item(sums, j, item(sums, j) + where(least < zero, nan, value))
            set_item(masses, j, item(masses, j) + own_mass)

    @njit_refcounted
    def add_four(p, q, i, sums, masses, *weights):
        """Add those of four rows."""
        for j in range(sums.size):
            own = items(weights, j)
            a, a_mass, a_least = term_at(p, q, i, j, own)
            b, b_mass, b_least = term_at(p, q, i + 1, j, own)
            c, c_mass, c_least = term_at(p, q, i + 2, j, own)
            d, d_mass, d_least = term_at(p, q, i + 3, j, own)
            least = minimum(minimum(a_least, b_least), minimum(c_least, d_least))
            value = where(least < zero, nan, (a + b) + (c + d))
            set_item(sums, j, item(sums, j) + value)
            set_item(masses, j, item(masses, j) + ((a_mass + b_mass) + (c_mass + d_mass)))

    @njit_refcounted
    def add_rows(p, q, start, stop, sums, masses, *weights):
        """Write those of some rows, which are contiguous."""
        sums[:], masses[:] = 0, 0
        fours = start + (stop - start) // 4 * 4
        for i in range(start, fours, 4):
            _load_ahead(p, q, i + 4)
            add_four(p, q, i, sums, masses, *weights)
        for i in range(fours, stop):
            add_terms(p, q, i, sums, masses, *weights)

    return add_rows


@njit_refcounted
def _add_gaps(p, q, gaps, rests):
    """Add the differences of two contiguous rows to the columns' gaps, in twice the precision."""
    for j in range(gaps.size):
        gap, error = two_sum(item(gaps, j), item(p, j) - item(q, j))
        set_item(gaps, j, gap)
        set_item(rests, j, item(rests, j) + error)


def _added_up(precision, summand):
    Float = precision.Float
    itemsize = Float(0).itemsize
    add_rows, with_gap = _add_rows(precision, summand), summand.with_gap

    @njit_refcounted
    def added_up(p, q, *weights):
        """Return the columns' sums, masses and gaps, each sum with what its rounding left.

        All are 0 where columns are not side by side. Weights are contiguous arrays of
        one for each column.
        """
        length, number = p.shape
        totals, rests, masses = (
            zeroed(number, np.float64),
            zeroed(number, np.float64),
            zeroed(number, np.float64),
        )
        gaps, gap_rests = zeroed((2, number if with_gap else 0), Float)
        if p.strides[1] == itemsize and q.strides[1] == itemsize:
            sums, block_masses = empty(number, Float), empty(number, Float)
            for start in range(0, length, BLOCK):
                stop = minimum(start + BLOCK, length)
                add_rows(p, q, start, stop, sums, block_masses, *weights)
                for j in range(number):
                    totals[j], error = two_sum(totals[j], np.float64(sums[j]))
                    rests[j] += error
                    masses[j] += block_masses[j]
                if with_gap:
                    for i in range(start, stop):
                        _add_gaps(p[i], q[i], gaps, gap_rests)
        return totals, rests, masses, gaps, gap_rests

    return added_up


def _column_sums(precision, summand, row_sum):
    Float = precision.Float
    trusted, huge = 2.0**precision.trusted, 2.0**precision.huge
    added_up, with_gap = _added_up(precision, summand), summand.with_gap

    @njit_refcounted
    def column_sums(p, q, result, *weights):
        """Write the sum over each column of p with that of q."""
        totals, rests, masses, gaps, gap_rests = added_up(p, q, *weights)
        for j in range(result.size):
            total = totals[j] + rests[j]
            if not (abs(total) > trusted and masses[j] < huge):
                total = row_sum(p[:, j], q[:, j], *items(weights, j))
            elif with_gap:
                total += np.float64(gaps[j]) + np.float64(gap_rests[j])
            result[j] = Float(total)

    return column_sums


def _column_parts(precision, summand, row_parts):
    trusted, huge = 2.0**precision.trusted, 2.0**precision.huge
    added_up = _added_up(precision, summand)

    @njit_refcounted
    def column_parts(p, q, result, left):
        """Write the sums over pieces of columns, gaps included, and what their rounding left."""
        totals, rests, masses, gaps, gap_rests = added_up(p, q)
        for j in range(result.size):
            if abs(totals[j]) > trusted and masses[j] < huge:
                result[j], error = two_sum(totals[j], np.float64(gaps[j]))
                left[j] = error + rests[j] + np.float64(gap_rests[j])
            else:
                result[j], left[j] = row_parts(p[:, j], q[:, j])

    return column_parts
