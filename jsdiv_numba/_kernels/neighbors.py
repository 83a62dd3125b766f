"""The nearest rows, or those within a radius: only pairs that a bound leaves are computed.

Products of what `bounds` knows of rows say how far apart two of them are at least: first of
their roots, and where that leaves many pairs, of their harmonics as well.
"""

from collections import namedtuple
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import njit, types

from . import bounds
from .bounds import WEIGHTS, limit_of
from .compile import borrowing, formula, maximum, minimum
from .pairs import TOGETHER, Rows, pair_kernels
from .precision import FLOAT64
from .products import (
    PANEL,
    WIDTH,
    lowest_bit,
    multiply_panels,
    number_of_bits,
    reaching,
)

SQUARE = 10 * (48 // WIDTH) * WIDTH
"""Columns of a tile whose products are made at a time: they stay in the cache."""

REFINE_ABOVE = 1 / 32
"""Of the pairs in a tile: if the first bound leaves more, the second is worth its product."""

ALL_ABOVE = 0.75
"""If so many are left, all are computed as they stand, without picking them."""

BLOCK_BYTES = 1 << 18
"""Rows of the second set that stay in the cache while those of the first pass."""

NONE = np.iinfo(np.intp).max
"""The index of a neighbour that is not there."""

Found = namedtuple("Found", "values indices radius rows columns distances state")
"""The nearest of each row so far, as a heap with the farthest first; or, if its width is 0, the
pairs within a radius, and in `state` how many they are."""

Room = namedtuple("Room", "tile limits columns best places")
"""For products and what they have to reach, for four columns, and for the nearest of a tile."""

Task = namedtuple("Task", "a b halves own offset unit margins found room")
"""Two sets of rows, the halves of the squares of a's vectors, which row of b is the first of a
itself, the number of b's first row, what is wanted, the margin and the resolution of bounds,
what is found, and room."""

Unit = namedtuple("Unit", "of_sum factor root")
"""What makes a value of a sum of entropies: its unit, a factor, and whether a root is taken."""


@cache
def neighbor_kernels() -> SimpleNamespace:
    """Compile the search and what it needs in any case, for these argument types alone."""
    rows, matrix, panels = _kinds()
    size, number, flag = types.intp, types.float64, types.boolean
    vectors = [types.Array(kind, 1, "C") for kind in (size, size, number, size)]
    room = [types.Array(types.float32, 2, "C"), types.Array(types.float32, 1, "C")]
    room += [types.Array(size, 1, "C"), types.Array(number, 1, "C"), types.Array(size, 1, "C")]
    sets_of_rows = [rows, matrix, matrix, panels, panels] * 2
    to_search = [*sets_of_rows, matrix, *[size] * 5, flag, number, number, number]
    to_search += [matrix, types.Array(size, 2, "C"), number, *vectors, *room]
    to_prepare = [rows, matrix, matrix, size, size, size]
    roots = bounds.root_kernels()
    return SimpleNamespace(
        panel=PANEL,
        width=WIDTH,
        square=SQUARE,
        together=TOGETHER,
        none=NONE,
        margin=bounds.margin,
        resolution=bounds.resolution,
        prepare=_compiled(bounds.preparation(), flag, to_prepare),
        **_describing(roots),
        search=_compiled(_search(), flag, to_search, _nrt=False),
    )


@cache
def harmonic_kernels() -> SimpleNamespace:
    """Compile what describes rows for the second bound."""
    return SimpleNamespace(**_describing(bounds.harmonic_kernels()))


def _kinds() -> tuple[Any, Any, Any]:
    rows = types.Array(types.float64, 2, "A", readonly=True)
    return rows, types.Array(types.float64, 2, "C"), types.Array(types.float32, 3, "C")


def _compiled(function: Any, result: Any, arguments: list[Any], **options: Any) -> Any:
    always = {"nogil": True, "error_model": "numpy", "fastmath": False}
    return njit(result(*arguments), **always, **options)(function)


def _describing(kernels: SimpleNamespace) -> dict[str, Any]:
    _, matrix, panels = _kinds()
    size, number, vector = types.intp, types.float64, types.Array(types.float64, 1, "C")
    to_describe = [matrix, panels, vector, vector, size, size, size, number, types.boolean]
    return {
        "mean": _compiled(kernels.mean, types.none, [matrix, matrix, vector, size]),
        "describe": _compiled(kernels.describe, types.none, to_describe),
    }


@formula
def before(value, index, other, other_index):
    """Whether one neighbour is nearer than another, or as near and earlier."""
    return value < other or (value == other and index < other_index)


@borrowing
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


@borrowing
def keep(found, i, value, index):
    """Keep a neighbour of row i if it is wanted."""
    if found.values.shape[1]:
        offer(found.values[i], found.indices[i], value, index)
    elif value <= found.radius:
        used = found.state[0]
        found.rows[used], found.columns[used], found.distances[used] = i, index, value
        found.state[0] = used + 1


@borrowing
def limit_from(task, i, column, refined):
    """Return what the product of row i with one from `column` on reaches if it is wanted."""
    found, (margin, resolution) = task.found, task.margins
    value = found.radius
    if found.values.shape[1]:
        value = found.values[i, 0]
        # Nothing is nearer, and what is as near comes too late.
        if value == 0.0 and found.indices[i, 0] < task.offset + column:
            return np.float32(np.inf)
    half = task.halves[0, i] + (task.halves[1, i] if refined else 0.0)
    return limit_of(value, task.unit, WEIGHTS[1 if refined else 0], half, margin, resolution)


def _value_of():
    divergence = pair_kernels(FLOAT64).divergence

    @borrowing
    def value_of(a, b, i, j, entropy_sum, unit):
        value = divergence(a, b, i, j, entropy_sum, unit.of_sum) * unit.factor
        return np.sqrt(value) if unit.root else value

    return value_of


def _compare_some(value_of):
    entropy_sums = pair_kernels(FLOAT64).entropy_sums

    @borrowing
    def compare_some(task, i, number):
        """Compute row i against the first of `room.columns`, and keep what is wanted."""
        a, b, columns = task.a, task.b, task.room.columns
        if not number:
            return
        for k in range(number, TOGETHER):
            columns[k] = columns[0]
        places = columns[0], columns[1], columns[2], columns[3]
        sums = entropy_sums(a.padded, i, b.padded, places)
        for k in range(number):
            value = value_of(a, b, i, columns[k], sums[k], task.unit)
            keep(task.found, i, value, task.offset + columns[k])

    return compare_some


def _compare_all(value_of):
    entropy_sums = pair_kernels(FLOAT64).entropy_sums

    @borrowing
    def compare_all(task, number, start, stop):
        """Compute all pairs of a tile but those marked as done, and keep what is wanted."""
        a, b, tile = task.a, task.b, task.room.tile
        step = maximum(BLOCK_BYTES // (8 * b.padded.shape[1]), 1) * TOGETHER
        for first in range(start, stop, step):
            last = minimum(first + step, stop)
            for i in range(number):
                for j in range(first, last, TOGETHER):
                    sums = entropy_sums(a.padded, i, b.padded, (j, j + 1, j + 2, j + 3))
                    for k in range(j, minimum(j + TOGETHER, last)):
                        if k != task.own + i and not np.isnan(tile[i, k - start]):
                            value = value_of(a, b, i, k, sums[k - j], task.unit)
                            keep(task.found, i, value, task.offset + k)

    return compare_all


@formula
def bits_reaching(tile, row, start, width, limit):
    """Bits of the elements of a row that reach a limit, among those before the width."""
    mask = reaching(tile, row * tile.shape[1] + start, limit)
    return mask & ((1 << minimum(width - start, WIDTH)) - 1)


@borrowing
def number_reaching(room, number, width):
    total = 0
    for i in range(number):
        for start in range(0, width, WIDTH):
            mask = bits_reaching(room.tile, i, start, width, room.limits[i])
            total += number_of_bits(mask)
    return total


def _begin(compare_some):
    @borrowing
    def begin(task, i, start, width):
        """Compute those with the largest products, for a first limit, and mark them as done."""
        room = task.room
        tile, best, places = room.tile, room.best, room.places
        best[:], places[:] = np.inf, NONE
        for first in range(0, width, WIDTH):
            mask = bits_reaching(tile, i, first, width, np.float32(-best[0]))
            while mask:
                j = first + lowest_bit(mask)
                mask &= mask - 1
                if j + start != task.own + i:
                    offer(best, places, -np.float64(tile[i, j]), j)
        waiting = 0
        for place in places:
            if place != NONE:
                tile[i, place] = np.nan
                room.columns[waiting] = start + place
                waiting += 1
            if waiting == TOGETHER:
                compare_some(task, i, np.intp(waiting))
                waiting = 0
        compare_some(task, i, np.intp(waiting))

    return begin


def _pick(compare_some):
    @borrowing
    def pick(task, i, start, width, refined):
        """Compute row i against those rows of a tile whose products reach its limit."""
        tile, columns, limit = task.room.tile, task.room.columns, task.room.limits[i]
        waiting = 0
        for first in range(0, width, WIDTH):
            mask = bits_reaching(tile, i, first, width, limit)
            while mask:
                j = first + lowest_bit(mask)
                mask &= mask - 1
                if j + start != task.own + i and tile[i, j] >= limit:
                    columns[waiting] = start + j
                    waiting += 1
                if waiting == TOGETHER:
                    compare_some(task, i, np.intp(waiting))
                    waiting = 0
                    limit = limit_from(task, i, start + j, refined)
        compare_some(task, i, np.intp(waiting))

    return pick


def _bounded(begin):
    @borrowing
    def bounded(task, a_panels, b_panels, number, start, width, refined):
        """Write the products of a tile's roots, or add those of its harmonics.

        Returns how many pairs the bound leaves.
        """
        room, found = task.room, task.found
        for first in range(0, width, SQUARE):
            panels = (minimum(SQUARE, width - first) + WIDTH - 1) // WIDTH
            b_first = (start + first) // WIDTH
            multiply_panels(a_panels, b_panels, b_first, panels, room.tile, first, refined)
        if not refined and found.values.shape[1]:
            for i in range(number):
                if np.isinf(found.values[i, 0]):
                    begin(task, i, start, width)
        for i in range(number):
            room.limits[i] = limit_from(task, i, start, refined)
        return number_reaching(room, number, width)

    return bounded


def _search():
    value_of = _value_of()
    compare_some, compare_all = _compare_some(value_of), _compare_all(value_of)
    bounded, pick = _bounded(_begin(compare_some)), _pick(compare_some)
    ln2, mantissa = np.log(2.0), FLOAT64.mantissa

    def search(
        a_given, a_padded, a_known, a_roots, a_harmonics,
        b_given, b_padded, b_known, b_roots, b_harmonics, halves,
        number, size, own, offset, spread, root, factor, margin, resolution,
        values, indices, radius, rows, columns, distances, state,
        tile, limits, four, best, places,
    ):  # fmt: skip
        """Search the rows of one set for the neighbours of those of another.

        Goes on at tile `state[1]`, where `state[2]` pairs are left of its first bound, or
        none are known to be if it is negative. Returns whether it stops for want of
        harmonics; it also does where there might be no room for the pairs of the next tile,
        and at the end.
        """
        task = Task(
            Rows(a_given, a_padded, a_known),
            Rows(b_given, b_padded, b_known),
            halves,
            own,
            offset,
            Unit(ln2 * 2.0 ** -(spread + mantissa), factor, root),
            (margin, resolution),
            Found(values, indices, radius, rows, columns, distances, state),
            Room(tile, limits, four, best, places),
        )
        step = tile.shape[1]
        while state[1] * step < size:
            start = state[1] * step
            stop = minimum(start + step, size)
            width, pairs = stop - start, number * (stop - start)
            if not values.shape[1] and state[0] + pairs > rows.size:
                return False
            # Whether, rather than True and False, for each of which Numba would compile anew.
            left = state[2]
            refined = left >= 0
            if not refined:
                left = bounded(task, a_roots, b_roots, number, start, width, refined)
            if left > REFINE_ABOVE * pairs:
                if not a_harmonics.size:
                    state[2] = left
                    return True
                refined = left >= 0
                left = bounded(task, a_harmonics, b_harmonics, number, start, width, refined)
            if left > ALL_ABOVE * pairs:
                compare_all(task, number, start, stop)
            elif left:
                for i in range(number):
                    pick(task, i, start, width, refined)
            state[1], state[2] = state[1] + 1, -1
        return False

    return search
