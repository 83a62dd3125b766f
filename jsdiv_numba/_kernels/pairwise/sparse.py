"""Pairs of rows that are mostly zeros, from the columns that both have.

The rows of the second set are kept by column, as lists of who has it; each entry of a row of the
first meets one list (Gustavson's algorithm). A divergence that comes out small has cancelled, and
is computed again term by term, over the columns that either row has.
"""

from collections import namedtuple
from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    contiguous,
    empty,
    item,
    load_noalias,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_refcounted,
    noinline,
    set_item,
    store_noalias,
    where,
    zeroed,
)
from ..codegen.lanes import lane_kernels
from ..codegen.precision import FLOAT64
from ..formulas.js import two_sum
from ..rows.normalised import is_ordinary_kernel, normalised_kernels, sum_over
from ..rows.sums import BLOCK
from .measures import JS, PairMeasure
from .shared import GROUP, NEAR, SCALE, count_of, level_kernel, shared_terms

KNOWN = 3
"""Columns of `CompressedRows.known`."""

BLOCK_ROWS = 32
"""Rows of the first set that meet the lists together, while these are in the cache."""

DIGIT = 11
"""Bits that one pass of the radix sort looks at."""

Lists = namedtuple("Lists", "columns starts stops rows entries logs")
"""The rows of a block by column: their numbers in the block, their entries and logarithms."""

Scratch = namedtuple("Scratch", "sums terms values")
"""Of a block of rows the sums, of a list the terms, and of a row what is written of it."""


def count_entries() -> Any:
    """Return the routine `count_entries`."""
    level_of = level_kernel()

    def count_entries(matrix, counts, levels):
        """Write how many entries of each row are not 0, and their level."""
        for i in range(matrix.shape[0]):
            counts[i] = count_of(contiguous(matrix[i]))
            levels[i] = level_of(counts[i], matrix.shape[1])

    return count_entries


def compress_rows() -> Any:
    """Return the routine `compress_rows`."""

    @njit_refcounted
    def compress_row(row, columns, given, first):
        at = first
        # What is written of a 0 is written over, but for those after the last entry.
        last = row.size
        while last and item(row, last - 1) == 0.0:
            last -= 1
        for j in range(last):
            x = item(row, j)
            set_item(columns, at, np.int32(j))
            set_item(given, at, x)
            at += x != 0.0

    def compress_rows(matrix, starts, columns, given):
        """Write what is not 0 of each row, in order, from the row's start on."""
        for i in range(matrix.shape[0]):
            compress_row(contiguous(matrix[i]), columns, given, starts[i])

    return compress_rows


def prepare_sparse() -> Any:
    """Return the routine `prepare_sparse`."""
    row_scale, times_log = normalised_kernels(FLOAT64).row_scale, shared_terms().times_log

    @njit_refcounted
    def normalise(row, scale, factor, entries, logs, first):
        for k in range(row.size):
            # Not times both at once: of subnormal rows that is infinite.
            p = abs(item(row, k)) * scale * factor
            set_item(entries, first + k, p)
            set_item(logs, first + k, times_log(p))

    def prepare_sparse(rows, start, stop, weight):
        """Fill in what is known of rows start .. stop; return whether any of it is NaN."""
        starts, entries, logs, known = rows.starts, rows.entries, rows.logs, rows.known
        with_nan = False
        for i in range(start, stop):
            row = rows.given[starts[i] : starts[i + 1]]
            scale, total, rest = row_scale(row)
            known[i, 0], known[i, 1], known[i, 2] = scale, total, rest
            if total > 0.0:
                factor = SCALE * (2.0 * weight) / total
                normalise(row, scale, factor, entries, logs, starts[i])
            else:
                entries[starts[i] : starts[i + 1]] = 0.0
                logs[starts[i] : starts[i + 1]] = 0.0
            with_nan |= np.isnan(total)
        return with_nan

    return prepare_sparse


def _sum_over_either(measure):
    """Return a kernel that gives the bits that `normalised_sum` gives of dense rows."""
    lanes, summand = lane_kernels(FLOAT64), measure.summand_of(FLOAT64)
    term_of, extreme_term = summand.term, summand.extreme_term
    weights_of = normalised_kernels(FLOAT64).weights_of
    is_ordinary, over = is_ordinary_kernel(FLOAT64, summand.weighed), sum_over(summand)
    number, zeros, sum_of = lanes.number, lanes.zeros, lanes.sum_of
    none = np.iinfo(np.int64).max

    @njit_inline
    def next_column(rows, at, stop):
        return np.int64(rows.columns[at]) if at < stop else none

    @njit_inline
    def weights(p_known, q_known, in_lanes):
        if in_lanes:
            return weights_of(p_known[0], q_known[0], p_known[1:], q_known[1:])
        return weights_of(1.0, 1.0, p_known[1:], q_known[1:])

    @njit_inline
    def known_of(rows, i):
        return rows.known[i, 0], rows.known[i, 1], rows.known[i, 2]

    @njit_no_refcount
    def sum_over_either(a, b, i, j, beside):
        """Return the divergence of two rows, the terms of all columns in lanes added up."""
        noinline()
        p_known, q_known = known_of(a, i), known_of(b, j)
        in_lanes = is_ordinary(p_known[0]) and is_ordinary(q_known[0])
        p_scale, q_scale = p_known[0], q_known[0]
        p_weight, q_weight, divisor = weights(p_known, q_known, in_lanes)
        at_p, p_stop, at_q, q_stop = a.starts[i], a.starts[i + 1], b.starts[j], b.starts[j + 1]
        p_column, q_column = next_column(a, at_p, p_stop), next_column(b, at_q, q_stop)
        total, rest = 0.0, 0.0
        while minimum(p_column, q_column) != none:
            block, totals = minimum(p_column, q_column) // BLOCK, zeros(0.0)
            for lane in range(number):
                totals[lane] = 0.0
            while minimum(p_column, q_column) // BLOCK == block:
                column, x, y = minimum(p_column, q_column), 0.0, 0.0
                if p_column == column:
                    x = abs(a.given[at_p])
                    at_p += 1
                    p_column = next_column(a, at_p, p_stop)
                if q_column == column:
                    y = abs(b.given[at_q])
                    at_q += 1
                    q_column = next_column(b, at_q, q_stop)
                if in_lanes:
                    totals[column % number] += term_of(x, y, p_weight, q_weight, *beside)[0]
                else:
                    term = extreme_term(x, y, p_scale, q_scale, p_weight, q_weight, *beside)
                    total, error = two_sum(total, term)
                    rest += error
            if in_lanes:
                total, error = two_sum(total, sum_of(totals))
                rest += error
        return over(total, rest, divisor)

    return sum_over_either


@njit_refcounted
def sort_by_column(columns, first, last, order, spare, counts):
    """Return the places first .. last in order of their columns, and of the places themselves.

    It is in one of two arrays that are given.
    """
    size, largest = last - first, np.int32(0)
    for k in range(size):
        set_item(order, k, np.int32(k))
        largest = maximum(largest, item(columns, first + k))
    shift = 0
    while largest >> shift:
        for digit in range(counts.size):
            counts[digit] = 0
        for k in range(size):
            digit = (item(columns, first + item(order, k)) >> shift) & (counts.size - 1)
            set_item(counts, digit, item(counts, digit) + 1)
        before = 0
        for digit in range(counts.size):
            before, counts[digit] = before + counts[digit], before
        for k in range(size):
            place = item(order, k)
            digit = (item(columns, first + place) >> shift) & (counts.size - 1)
            set_item(spare, item(counts, digit), place)
            set_item(counts, digit, item(counts, digit) + 1)
        order, spare, shift = spare, order, shift + DIGIT
    return order


@njit_refcounted
def row_numbers(rows, start, stop, numbers):
    """Write for each entry of rows start .. stop which of them it is in."""
    first = rows.starts[start]
    for i in range(start, stop):
        for k in range(rows.starts[i] - first, rows.starts[i + 1] - first):
            numbers[k] = i - start


@njit_refcounted
def lists_of(rows, start, stop, counts):
    """Return rows start .. stop by column."""
    first, last = rows.starts[start], rows.starts[stop]
    size = last - first
    numbers, order, spare = (
        empty(size, np.int32),
        empty(size, np.int32),
        empty(size, np.int32),
    )
    row_numbers(rows, start, stop, numbers)
    order = sort_by_column(rows.columns, first, last, order, spare, counts)
    distinct, length, before, run = 0, 0, np.int32(-1), 0
    for k in range(size):
        column = rows.columns[first + order[k]]
        if column != before:
            distinct, before, run = distinct + 1, column, 0
        length += GROUP if run % GROUP == 0 else 0
        run += 1
    columns, starts, stops = (
        empty(distinct, np.int32),
        empty(distinct + 1, np.intp),
        empty(distinct, np.intp),
    )
    numbers_of, entries, logs = (
        empty(length, np.int32),
        zeroed(length, np.float64),
        zeroed(length, np.float64),
    )
    for k in range(length):
        numbers_of[k] = np.int32(stop - start)
    at, place, before = -1, np.intp(0), np.int32(-1)
    for k in range(size):
        source = first + order[k]
        column = rows.columns[source]
        if column != before:
            if at >= 0:
                stops[at] = place
                place = (place + GROUP - 1) // GROUP * GROUP
            at, before = at + 1, column
            columns[at], starts[at] = column, place
        numbers_of[place] = numbers[order[k]]
        entries[place], logs[place] = rows.entries[source], rows.logs[source]
        place += 1
    if at >= 0:
        stops[at] = place
    starts[distinct] = length
    return Lists(columns, starts, stops, numbers_of, entries, logs)


def _meet():
    shared_term = shared_terms().shared_term

    @njit_no_refcount
    def terms_of(p, p_log, entries, logs, first, size, terms):
        for k in range(size):
            q, q_log = load_noalias(entries, first + k), load_noalias(logs, first + k)
            store_noalias(terms, k, shared_term(p, p_log, q, q_log))

    @njit_no_refcount
    def meet(p, p_log, lists, start, stop, scratch, base):
        """Add the terms of an entry with those of a list to sums that begin at a place."""
        size = (stop - start + GROUP - 1) // GROUP * GROUP
        terms_of(p, p_log, lists.entries, lists.logs, start, size, scratch.terms)
        for k in range(stop - start):
            at = base + item(lists.rows, start + k)
            set_item(scratch.sums, at, item(scratch.sums, at) + item(scratch.terms, k))

    return meet


def _write_row(measure):
    sum_over_either, divergence_of = _sum_over_either(measure), shared_terms().divergence_of
    by_entropies = measure.by_entropies

    @njit_no_refcount
    def values_of(sums, base, first, last, values, most):
        least = most
        for k in range(first, last):
            value = divergence_of(load_noalias(sums, base + k), most)
            store_noalias(values, k, value)
            least = minimum(least, value)
        return least

    @njit_no_refcount
    def finish(values, first, last, factor, root):
        for k in range(first, last):
            value = item(values, k) * factor
            set_item(values, k, np.sqrt(value) if root else value)

    @njit_no_refcount
    def write_row(a, b, i, j_start, within, scratch, base, wanted, most, beside, target):
        """Write what is wanted of a row's divergences from some rows of a block."""
        (first, last), values, (result, row, column) = within, scratch.values, target
        least = 0.0
        if by_entropies:
            least = values_of(scratch.sums, base, first, last, values, most)
        if least < NEAR:
            for k in range(first, last):
                near = not by_entropies or values[k] < NEAR
                if near and a.known[i, 1] > 0.0 and b.known[j_start + k, 1] > 0.0:
                    value = sum_over_either(a, b, i, j_start + k, beside)
                    values[k] = where(value > most, most, value)
        finish(values, first, last, wanted.factor, wanted.root)
        for k in range(first, last):
            defined = a.known[i, 1] > 0.0 and b.known[j_start + k, 1] > 0.0
            result[row, column + k] = values[k] if defined else np.nan

    return write_row


def sparse_pairs(measure: PairMeasure = JS) -> Any:
    """Return the routine `sparse_pairs`, or that of another measure."""
    meet, write_row = _meet(), _write_row(measure)
    beside_of, by_entropies = measure.beside_of(FLOAT64), measure.by_entropies

    @njit_no_refcount
    def add_up(a, lists, i_start, first, order, numbers, skipped, width, above, scratch):
        """Add up the terms of a block of rows with those of all lists.

        With `above` numbers of a and b mean the same rows, the first of b's being `above` - 1:
        what lies before the block is passed over.
        """
        at = 0
        for k in range(order.size):
            place = first + order[k]
            column = a.columns[place]
            while at < lists.columns.size and lists.columns[at] < column:
                at += 1
            if at == lists.columns.size:
                break
            if lists.columns[at] == column:
                start, stop = skipped[at], lists.stops[at]
                if above:
                    while start < stop and lists.rows[start + GROUP - 1] < i_start - (above - 1):
                        start += GROUP
                    skipped[at] = start
                if start < stop:
                    base = numbers[order[k]] * width
                    meet(a.entries[place], a.logs[place], lists, start, stop, scratch, base)

    def sparse_pairs(a, b, block, wanted, weighing, result):
        """Write the values of a block."""
        i_start, i_stop, j_start, j_stop = block
        most, beside = weighing.most, beside_of(weighing)
        counts = empty(1 << DIGIT, np.intp)
        lists = lists_of(b, j_start, j_stop, counts)
        width = j_stop - j_start
        skipped = empty(lists.columns.size, np.intp)
        for k in range(skipped.size):
            skipped[k] = lists.starts[k]
        longest = width + GROUP
        scratch = Scratch(
            empty(BLOCK_ROWS * width, np.int64),
            empty(longest, np.int64),
            empty(longest, np.float64),
        )
        for start in range(i_start, i_stop, BLOCK_ROWS):
            stop = minimum(start + BLOCK_ROWS, i_stop)
            first, last = a.starts[start], a.starts[stop]
            numbers, order, spare = (
                empty(last - first, np.int32),
                empty(last - first, np.int32),
                empty(last - first, np.int32),
            )
            row_numbers(a, start, stop, numbers)
            order = sort_by_column(a.columns, first, last, order, spare, counts)
            for k in range((stop - start) * width):
                set_item(scratch.sums, k, np.int64(0))
            base = j_start + 1 if wanted.above else 0
            if by_entropies:
                add_up(a, lists, start, first, order, numbers, skipped, width, base, scratch)
            for i in range(start, stop):
                row, column = i - i_start, 0
                if wanted.condensed:
                    row, column = 0, i * (2 * (a.starts.size - 1) - i - 3) // 2 - 1 + j_start
                after = maximum(i + 1 - j_start, 0) if wanted.above else 0
                base_of_row, target = (i - start) * width, (result, row, column)
                write_row(
                    a, b, i, j_start, (after, width), scratch, base_of_row, wanted, most, beside,
                    target,
                )  # fmt: skip

    return sparse_pairs
