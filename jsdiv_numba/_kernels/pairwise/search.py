"""The nearest rows, or those within a radius: only pairs that a bound leaves are computed.

Products of what `bounds` knows of rows say how far apart two of them are at least: first of
their roots, and where that leaves many pairs, of their harmonics as well.
"""

from collections import namedtuple
from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    noinline,
    power_of_two,
)
from ..codegen.precision import FLOAT64
from .blocking import FOUND, LEFT, NONE, TILE, sizes
from .bounds import WEIGHTS, limit_of
from .matmul import WIDTH, lowest_bit, multiply_panels, number_of_bits, reaching
from .measures import JS, PairMeasure
from .pairs import UNROLL, exact_kernel, pair_kernels, shares
from .shared import SPREAD

SQUARE = sizes().square

REFINE_ABOVE = 1 / 32
"""Of the pairs in a tile: if the first bound leaves more, the second is worth its product."""

MUCH = 0.25
"""Of the pairs in a tile: if more are left, rows that are read should serve many."""

BLOCK_BYTES = 1 << 18
"""Rows of the second set that stay in the cache while those of the first pass."""

Task = namedtuple("Task", "a b halves own offset unit margins found scratch")
"""Two sets of rows, the halves of the squares of a's vectors, which row of b is the first of a
itself, the number of b's first row, what is wanted, the margin and the resolution of bounds,
what is found, and room."""

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
    if not before(value, index, values[0], indices[0]):
        return
    place, size = 0, values.size
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and before(
            values[child], indices[child], values[child + 1], indices[child + 1]
        ):
            child += 1
        if not before(value, index, values[child], indices[child]):
            break
        values[place], indices[place] = values[child], indices[child]
        place = child
    values[place], indices[place] = value, index


@njit_no_refcount
def keep(found, i, value, index):
    """Keep a neighbour of row i if it is wanted."""
    if found.values.shape[1]:
        offer(found.values[i], found.indices[i], value, index)
    elif value <= found.radius:
        used = found.state[FOUND]
        found.rows[used], found.columns[used], found.distances[used] = i, index, value
        found.state[FOUND] = used + 1


@njit_no_refcount
def limit_from(task, i, column, refined):
    """Return what the product of row i with one from `column` on reaches if it is wanted."""
    found, (margin, resolution) = task.found, task.margins
    value = found.radius
    if found.values.shape[1]:
        value = found.values[i, 0]
        # Nothing is nearer, and what is as near comes too late.
        if value == 0.0 and found.indices[i, 0] < task.offset + column:
            return np.float32(np.inf)
    if task.unit.multiple == 0.0:
        return np.float32(-np.inf)
    half = task.halves[0, i] + (task.halves[1, i] if refined else 0.0)
    return limit_of(value, task.unit, WEIGHTS[1 if refined else 0], half, margin, resolution)


def _value_of(kernels):
    divergence = kernels.divergence

    @njit_no_refcount
    def value_of(a, b, i, j, entropy_sum, unit):
        value = divergence(a, b, i, j, entropy_sum, unit.of_sum, unit.most, unit.beside)
        value *= unit.factor
        return np.sqrt(value) if unit.root else value

    return value_of


def _compare_exactly(measure):
    """Return what computes a row against listed columns, term by term."""
    exact = exact_kernel(FLOAT64, measure)

    @njit_no_refcount
    def compare(task, i, start, number, last, refined):
        noinline()
        scratch, unit = task.scratch, task.unit
        for place in range(number):
            j = scratch.columns[place]
            if scratch.tile[i, j] >= scratch.limits[i]:
                value = exact(task.a, task.b, i, start + j, unit.beside) * unit.factor
                value = np.sqrt(value) if unit.root else value
                keep(task.found, i, value, task.offset + start + j)
                scratch.limits[i] = limit_from(task, i, start + minimum(j, last), refined)

    return compare


def _compare(measure, by_shared_columns):
    """Return what does so by entropies, or of some by the columns that both rows have."""
    kernels = pair_kernels(FLOAT64, measure)
    value_of, entropy_sums = _value_of(kernels), kernels.entropy_sums
    shared_value = kernels.shared_value

    @njit_no_refcount
    def compare(task, i, start, number, last, refined):
        """Compute row i against listed columns of a tile, and keep what is wanted.

        As nearer ones are found, those that are farther by their products are left out.
        Columns up to `last` are listed in order.
        """
        noinline()
        a, b, scratch, unit = task.a, task.b, task.scratch, task.unit
        columns, waiting, count = scratch.columns, 0, -1
        for place in range(number):
            j = columns[place]
            if scratch.tile[i, j] >= scratch.limits[i]:
                columns[waiting] = start + j
                waiting += 1
            if waiting == UNROLL or (waiting and place == number - 1):
                for k in range(waiting, UNROLL):
                    columns[k] = columns[0]
                together = columns[0], columns[1], columns[2], columns[3]
                sharing, sums = 0, (0.0, 0.0, 0.0, 0.0)
                for k in range(waiting if by_shared_columns else 0):
                    sharing += shares(a, b, i, together[k])
                if sharing < waiting:
                    sums = entropy_sums(a.padded, i, b.padded, together)
                for k in range(waiting):
                    if by_shared_columns and sharing and shares(a, b, i, together[k]):
                        value, count = shared_value(
                            a, b, i, together[k], unit.scale, scratch.filled, count,
                            unit.most, unit.beside,
                        )  # fmt: skip
                        value *= unit.factor
                        value = np.sqrt(value) if unit.root else value
                    else:
                        value = value_of(a, b, i, together[k], sums[k], unit)
                    keep(task.found, i, value, task.offset + together[k])
                scratch.limits[i] = limit_from(task, i, start + minimum(j, last), refined)
                waiting = 0

    return compare


@njit_inline
def bits_reaching(tile, row, start, width, limit):
    """Bits of the elements of a row that reach a limit, among those before the width."""
    mask = reaching(tile, row * tile.shape[1] + start, limit)
    return mask & ((1 << minimum(width - start, WIDTH)) - 1)


@njit_no_refcount
def list_nearest(task, i, start, width):
    """List as many columns with the largest products as neighbours are wanted."""
    scratch, number = task.scratch, 0
    best, places = scratch.best, scratch.places
    for k in range(best.size):
        best[k], places[k] = np.inf, NONE
    for first in range(0, width, WIDTH):
        mask = bits_reaching(scratch.tile, i, first, width, np.float32(-best[0]))
        while mask:
            j = first + lowest_bit(mask)
            mask &= mask - 1
            if j + start != task.own + i:
                offer(best, places, -np.float64(scratch.tile[i, j]), j)
    for place in places:
        if place != NONE:
            scratch.columns[number] = place
            number += 1
    return number


@njit_no_refcount
def list_reaching(task, i, start, first, last):
    """List the columns of a range whose products reach the row's limit."""
    noinline()
    scratch, number = task.scratch, 0
    for at in range(first, last, WIDTH):
        mask = bits_reaching(scratch.tile, i, at, last, scratch.limits[i])
        while mask:
            j = at + lowest_bit(mask)
            mask &= mask - 1
            if j + start != task.own + i:
                scratch.columns[number] = j
                number += 1
    return number


def _begin(compare):
    @njit_no_refcount
    def begin(task, number, start, width, refined):
        """Compute those with the largest products, for a first limit, and mark them as done."""
        noinline()
        scratch = task.scratch
        for i in range(number):
            if np.isinf(task.found.values[i, 0]):
                scratch.limits[i] = -np.inf
                size = list_nearest(task, i, start, width)
                compare(task, i, start, size, np.intp(0), refined)
                for place in scratch.places:
                    if place != NONE:
                        scratch.tile[i, place] = np.nan

    return begin


@njit_no_refcount
def multiply(scratch, a_panels, b_panels, start, width, add):
    """Write all products of a tile, or add them to what is there."""
    noinline()
    for first in range(0, width, SQUARE):
        panels = (minimum(SQUARE, width - first) + WIDTH - 1) // WIDTH
        b_first = (start + first) // WIDTH
        multiply_panels(a_panels, b_panels, b_first, panels, scratch.tile, first, add)


@njit_no_refcount
def number_left(task, number, start, width, refined):
    """Set the rows' limits, and count the pairs that reach them."""
    noinline()
    scratch, total = task.scratch, 0
    for i in range(number):
        scratch.limits[i] = limit_from(task, i, start, refined)
        for first in range(0, width, WIDTH):
            mask = bits_reaching(scratch.tile, i, first, width, scratch.limits[i])
            total += number_of_bits(mask)
    return total


def search(measure: PairMeasure = JS, *, by_shared_columns: bool = False) -> Any:
    """Return the routine `search_neighbors`, or that of another measure."""
    by_entropies = measure.by_entropies
    compare = _compare(measure, by_shared_columns) if by_entropies else _compare_exactly(measure)
    begin, beside_of = _begin(compare), measure.beside_of(FLOAT64)
    ln2, mantissa = np.log(2.0), FLOAT64.mantissa

    def search_neighbors(a, b, halves, queries, unit, weighing, found, scratch):
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
        task = Task(
            a.rows, b.rows, halves, queries.own, queries.offset, value, margins, found, scratch
        )
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
                multiply(scratch, a.roots, b.roots, start, width, refined)
                if found.values.shape[1]:
                    begin(task, number, start, width, refined)
                left = number_left(task, number, start, width, refined)
            if left > REFINE_ABOVE * pairs:
                if not a.harmonics.size:
                    state[LEFT] = left
                    return True
                refined = left >= 0
                multiply(scratch, a.harmonics, b.harmonics, start, width, refined)
                left = number_left(task, number, start, width, refined)
            # Where much is left, rows of b meet all rows of a while they are in the cache.
            block = cached if left > MUCH * pairs else width
            for first in range(0, width if left else 0, block):
                last = minimum(first + block, width)
                for i in range(number):
                    size = list_reaching(task, i, start, first, last)
                    compare(task, i, start, size, width, refined)
            state[TILE], state[LEFT] = state[TILE] + 1, -1
        return False

    return search_neighbors
