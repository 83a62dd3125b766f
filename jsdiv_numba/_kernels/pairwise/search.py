"""The nearest rows, or those within a radius: only pairs that a bound leaves are computed.

Products of what `bounds` knows of rows say how far apart two of them are at least: first of
their roots, and where that leaves many pairs, of their harmonics as well.
"""

from collections import namedtuple
from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    entry,
    item,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    noinline,
    power_of_two,
    row_of,
    set_entry,
    set_item,
)
from ..codegen.precision import FLOAT64
from .blocking import FOUND, LEFT, NONE, TILE, sizes
from .bounds import WEIGHTS, limit_of
from .matmul import WIDTH, lowest_bit, multiply_panels, number_of_bits, reaching
from .measures import JS, PairMeasure
from .pairs import UNROLL, exact_kernel, pair_kernels, shares, value_of
from .shared import SPREAD

SQUARE = sizes().square

REFINE_ABOVE = 1 / 32
"""Of the pairs in a tile: if the first bound leaves more, the second is worth its product."""

MUCH = 0.25
"""Of the pairs in a tile: if more are left, rows that are read should serve many."""

BLOCK_BYTES = 1 << 18
"""Rows of the second set that stay in the cache while those of the first pass."""

Goal = namedtuple("Goal", "found offset unit halves margins")
"""What is found, the number of b's first row, what is wanted, the halves of the squares of a's
vectors, and the margin and the resolution of bounds."""

Task = namedtuple("Task", "a b own scratch filled goal")
"""Two sets of rows, which row of b is the first of a itself, and room."""

Value = namedtuple("Value", "of_sum scale factor root multiple most beside")
"""What makes a value of a sum of entropies: its unit, the power of two that rows lack to be
those of `shared`, a factor, and whether a root is taken. Of the measure: which multiple of the
Jensen-Shannon divergence it has at least and at most, and the weights that a pair's sum takes."""


@njit_inline
def before(value, index, other, other_index):
    """Whether one neighbour is nearer than another, or as near and earlier."""
    return value < other or (value == other and index < other_index)


@njit_no_refcount
def offer(values, indices, value, index):
    """Put a neighbour into a heap in the place of the farthest, if it is before that."""
    if not before(value, index, item(values, 0), item(indices, 0)):
        return
    place, child, size = 0, 1, values.size
    while child < size:
        nearer, number = item(values, child), item(indices, child)
        if child + 1 < size:
            other, other_number = item(values, child + 1), item(indices, child + 1)
            if before(nearer, number, other, other_number):
                child, nearer, number = child + 1, other, other_number
        if not before(value, index, nearer, number):
            break
        set_item(values, place, nearer)
        set_item(indices, place, number)
        place, child = child, 2 * child + 1
    set_item(values, place, value)
    set_item(indices, place, index)


@njit_no_refcount
def keep(found, i, value, index):
    """Keep a neighbour of row i if it is wanted."""
    if found.values.shape[1]:
        offer(row_of(found.values, i), row_of(found.indices, i), value, index)
    elif value <= found.radius:
        used = item(found.state, FOUND)
        set_item(found.rows, used, i)
        set_item(found.columns, used, index)
        set_item(found.distances, used, value)
        set_item(found.state, FOUND, used + 1)


@njit_no_refcount
def limit_from(goal, i, column, refined):
    """Return what the product of row i with one from `column` on reaches if it is wanted."""
    found, unit, (margin, resolution) = goal.found, goal.unit, goal.margins
    value = found.radius
    if found.values.shape[1]:
        value = entry(found.values, i, 0)
        # Nothing is nearer, and what is as near comes too late.
        if value == 0.0 and entry(found.indices, i, 0) < goal.offset + column:
            return np.float32(np.inf)
    if unit.multiple == 0.0:
        return np.float32(-np.inf)
    half, weight = entry(goal.halves, 0, i), WEIGHTS[0]
    if refined:
        half, weight = half + entry(goal.halves, 1, i), WEIGHTS[1]
    return limit_of(value, unit, weight, half, margin, resolution)


def _compare_exactly(measure):
    """Return what computes a row against listed columns, term by term."""
    exact = exact_kernel(FLOAT64, measure)

    @njit_no_refcount
    def compare(task, i, start, number, last, refined):
        noinline()
        scratch, goal, unit = task.scratch, task.goal, task.goal.unit
        for place in range(number):
            j = item(scratch.columns, place)
            if entry(scratch.tile, i, j) >= item(scratch.limits, i):
                value = value_of(exact(task.a, task.b, i, start + j, unit.beside), unit)
                keep(goal.found, i, value, goal.offset + start + j)
                limit = limit_from(goal, i, start + minimum(j, last), refined)
                set_item(scratch.limits, i, limit)

    return compare


def _compare(measure, by_shared_columns):
    """Return what does so by entropies, or of some by the columns that both rows have."""
    kernels = pair_kernels(FLOAT64, measure)
    divergence, entropy_sums = kernels.divergence, kernels.entropy_sums
    shared_value = kernels.shared_value

    @njit_no_refcount
    def compare(task, i, start, number, last, refined):
        """Compute row i against listed columns of a tile, and keep what is wanted.

        As nearer ones are found, those that are farther by their products are left out.
        Columns up to `last` are listed in order.
        """
        noinline()
        a, b, scratch, goal, unit = task.a, task.b, task.scratch, task.goal, task.goal.unit
        columns, waiting, count = scratch.columns, 0, -1
        for place in range(number):
            j = item(columns, place)
            if entry(scratch.tile, i, j) >= item(scratch.limits, i):
                set_item(columns, waiting, start + j)
                waiting += 1
            if waiting == UNROLL or (waiting and place == number - 1):
                for k in range(waiting, UNROLL):
                    set_item(columns, k, item(columns, 0))
                together = item(columns, 0), item(columns, 1), item(columns, 2), item(columns, 3)
                sharing, sums = 0, (0.0, 0.0, 0.0, 0.0)
                for k in range(waiting if by_shared_columns else 0):
                    sharing += shares(a, b, i, together[k])
                if sharing < waiting:
                    sums = entropy_sums(a.padded, i, b.padded, together)
                for k in range(waiting):
                    if by_shared_columns and sharing and shares(a, b, i, together[k]):
                        value, count = shared_value(
                            a, b, i, together[k], unit.scale, task.filled, count,
                            unit.most, unit.beside,
                        )  # fmt: skip
                    else:
                        value = divergence(
                            a, b, i, together[k], sums[k], unit.of_sum, unit.most, unit.beside
                        )
                    keep(goal.found, i, value_of(value, unit), goal.offset + together[k])
                limit = limit_from(goal, i, start + minimum(j, last), refined)
                set_item(scratch.limits, i, limit)
                waiting = 0

    return compare


@njit_inline
def bits_reaching(tile, row, start, width, limit):
    """Bits of the elements of a row that reach a limit, among those before the width."""
    mask = reaching(tile, row * tile.shape[1] + start, limit)
    return mask & ((1 << minimum(width - start, WIDTH)) - 1)


@njit_no_refcount
def list_nearest(scratch, i, width, own):
    """List as many columns with the largest products as neighbours are wanted, but for its own."""
    number, best, places = 0, scratch.best, scratch.places
    for k in range(best.size):
        set_item(best, k, np.inf)
        set_item(places, k, NONE)
    for first in range(0, width, WIDTH):
        mask = bits_reaching(scratch.tile, i, first, width, np.float32(-item(best, 0)))
        while mask:
            j = first + lowest_bit(mask)
            mask &= mask - 1
            if j != own:
                offer(best, places, -np.float64(entry(scratch.tile, i, j)), j)
    for k in range(places.size):
        if item(places, k) != NONE:
            set_item(scratch.columns, number, item(places, k))
            number += 1
    return number


@njit_no_refcount
def list_reaching(scratch, i, first, last, own):
    """List the columns of a range whose products reach the row's limit, but for its own."""
    noinline()
    number = 0
    for at in range(first, last, WIDTH):
        mask = bits_reaching(scratch.tile, i, at, last, item(scratch.limits, i))
        while mask:
            j = at + lowest_bit(mask)
            mask &= mask - 1
            if j != own:
                set_item(scratch.columns, number, j)
                number += 1
    return number


def _begin(compare):
    @njit_no_refcount
    def begin(task, number, start, width, refined):
        """Compute those with the largest products, for a first limit, and mark them as done."""
        noinline()
        scratch, values = task.scratch, task.goal.found.values
        for i in range(number):
            if entry(values, i, 0) == np.inf:
                set_item(scratch.limits, i, np.float32(-np.inf))
                size = list_nearest(scratch, i, width, task.own + i - start)
                compare(task, i, start, size, np.intp(0), refined)
                for k in range(scratch.places.size):
                    place = item(scratch.places, k)
                    if place != NONE:
                        set_entry(scratch.tile, i, place, np.float32(np.nan))

    return begin


@njit_no_refcount
def multiply(tile, a_panels, b_panels, start, width, add):
    """Write all products of a tile, or add them to what is there."""
    noinline()
    for first in range(0, width, SQUARE):
        panels = (minimum(SQUARE, width - first) + WIDTH - 1) // WIDTH
        b_first = (start + first) // WIDTH
        multiply_panels(a_panels, b_panels, b_first, panels, tile, first, add)


@njit_no_refcount
def number_left(goal, scratch, number, start, width, refined):
    """Set the rows' limits, and count the pairs that reach them."""
    noinline()
    total = 0
    for i in range(number):
        limit = limit_from(goal, i, start, refined)
        set_item(scratch.limits, i, limit)
        for first in range(0, width, WIDTH):
            total += number_of_bits(bits_reaching(scratch.tile, i, first, width, limit))
    return total


def search(measure: PairMeasure = JS, *, by_shared_columns: bool = False) -> Any:
    """Return the routine `search_neighbors`, or that of another measure."""
    by_entropies = measure.by_entropies
    compare = _compare(measure, by_shared_columns) if by_entropies else _compare_exactly(measure)
    begin, beside_of = _begin(compare), measure.beside_of(FLOAT64)
    ln2, mantissa = np.log(2.0), FLOAT64.mantissa

    def search_neighbors(a, b, halves, queries, unit, weighing, found, scratch, filled):
        """Search the rows of one set for the neighbours of those of another.

        Goes on at tile `state[TILE]`, where `state[LEFT]` pairs are left of its first bound, or
        none are known to be if it is negative. Returns whether it stops for want of
        harmonics; it also does where there might be no room for the pairs of the next tile,
        and at the end.
        """
        value = Value(
            ln2 * power_of_two(-(queries.scale_exponent + mantissa)),
            power_of_two(SPREAD - queries.scale_exponent),
            unit.factor,
            unit.root,
            unit.multiple,
            weighing.most,
            beside_of(weighing),
        )
        margins = unit.margin, unit.resolution
        number, rows_of_b, state = queries.number, queries.rows_of_b, found.state
        goal = Goal(found, queries.offset, value, halves, margins)
        room = filled if by_shared_columns else ()
        task = Task(a.rows, b.rows, queries.own, scratch, room, goal)
        step = scratch.tile.shape[1]
        cached = maximum(BLOCK_BYTES // (8 * WIDTH * b.rows.padded.shape[1]), 1) * WIDTH
        while state[TILE] * step < rows_of_b:
            start = state[TILE] * step
            width = minimum(step, rows_of_b - start)
            pairs = number * width
            if not found.values.shape[1] and state[FOUND] + pairs > found.rows.size:
                return False
            # Whether, rather than True and False, for each of which Numba would compile anew.
            left = state[LEFT]
            refined = left >= 0
            if not refined:
                multiply(scratch.tile, a.roots, b.roots, start, width, refined)
                if found.values.shape[1]:
                    begin(task, number, start, width, refined)
                left = number_left(goal, scratch, number, start, width, refined)
            if left > REFINE_ABOVE * pairs:
                if not a.harmonics.size:
                    state[LEFT] = left
                    return True
                refined = left >= 0
                multiply(scratch.tile, a.harmonics, b.harmonics, start, width, refined)
                left = number_left(goal, scratch, number, start, width, refined)
            # Where much is left, rows of b meet all rows of a while they are in the cache.
            block = cached if left > MUCH * pairs else width
            for first in range(0, width if left else 0, block):
                last = minimum(first + block, width)
                for i in range(number):
                    size = list_reaching(scratch, i, first, last, queries.own + i - start)
                    compare(task, i, start, size, width, refined)
            state[TILE], state[LEFT] = state[TILE] + 1, -1
        return False

    return search_neighbors
