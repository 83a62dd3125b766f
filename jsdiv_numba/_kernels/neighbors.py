"""The nearest rows, or those within a radius: only pairs that a bound leaves are computed.

With √p the roots of a normalised row, and of p > 0 also the harmonics √p·cos(λ log p) and
√p·sin(λ log p), two matrix products bound the divergence of every pair from below:

    JS >= ln 2·(1 - C),  C = Σ √p √q,
    JS >= ln 2 - β·(C + γ·Σ √(pq)·cos(λ log (p/q))),  β + β·γ = ln 2.

The first takes one product, the second three, and is within some per cent of the divergence.
docs/mathematics.md derives both, and the margins for what the products round.
"""

from collections import namedtuple
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import njit, types

from .compile import borrowing, formula, horner, item, kernel, maximum, minimum, set_item, where
from .pairs import TOGETHER, Rows, pair_kernels
from .precision import FLOAT64
from .products import (
    DEPTH,
    PANEL,
    WIDTH,
    lowest_bit,
    multiply_panels,
    number_of_bits,
    reaching,
)
from .scalar import scalar_formulas

FREQUENCY = 0.625
"""λ."""

SECOND = 0.1874
"""β·γ: about the most for which the second bound holds."""

FIRST = np.log(2.0) - SECOND
"""β."""

TILE_WIDTH = 10 * (48 // WIDTH) * WIDTH
"""Rows of the second set that one of the first meets before its limit is set again."""

REFINE_ABOVE = 1 / 32
"""Of the pairs in a tile: if the first bound leaves more, the second is worth its product."""

ALL_ABOVE = 0.75
"""If so many are left, all are computed as they stand, without gathering them."""

BLOCK_BYTES = 1 << 18
"""Rows of the second set that stay in the cache while those of the first pass."""

SLACK = 1e-9
"""More than the relative error of a divergence from the kernel for pairs."""

NONE = np.iinfo(np.intp).max
"""The index of a neighbour that is not there."""

Found = namedtuple("Found", "values indices radius rows columns distances state")
"""The nearest of each row so far, as a heap with the farthest first; or, if its width is 0, the
pairs within a radius, and in `state` how many they are."""

Task = namedtuple("Task", "a b own offset unit found gathered columns")
"""Two sets of rows, which row of b is the first of a itself, the number of b's first row, what is
wanted and found, and room for rows that are not adjacent."""

Unit = namedtuple("Unit", "of_sum factor root")
"""What makes a value of a sum of entropies: its unit, a factor, and whether a root is taken."""


@cache
def neighbor_kernels() -> SimpleNamespace:
    """Compile the kernels, for these argument types alone."""
    rows = types.Array(types.float64, 2, "A", readonly=True)
    matrix, panels = types.Array(types.float64, 2, "C"), types.Array(types.float32, 3, "C")
    size, number, flag = types.intp, types.float64, types.boolean
    vectors = [types.Array(kind, 1, "C") for kind in (size, size, number, size)]
    indices, tile = types.Array(size, 2, "C"), types.Array(types.float32, 2, "C")
    set_of_rows = [rows, matrix, matrix, panels, panels]
    to_search = [*set_of_rows, *set_of_rows, *[size] * 4, size, flag, number, number, number]
    to_search += [matrix, indices, number, *vectors, tile]
    options = {"nogil": True, "error_model": "numpy", "fastmath": False}

    def compiled(function: Any, result: Any, arguments: list[Any]) -> Any:
        return njit(result(*arguments), **options)(function)

    return SimpleNamespace(
        panel=PANEL,
        width=WIDTH,
        tile_width=TILE_WIDTH,
        none=NONE,
        errors=product_errors,
        describe=compiled(_describe(), flag, [rows, matrix, matrix, panels, size, size, size]),
        harmonics=compiled(_harmonics(), types.none, [matrix, panels, size, size, size]),
        search=compiled(_search(), flag, to_search),
    )


def product_errors(length: int) -> tuple[float, float]:
    """Return what rounding may change in the products of roots, and of harmonics as well."""
    blocks = -(-length // DEPTH), -(-2 * length // DEPTH)
    unit = 1.01 * 2.0**-24
    roundings = min(length, DEPTH) + blocks[0] + 4
    refined = min(2 * length, DEPTH) + sum(blocks) + 4
    return unit * roundings, unit * refined * np.log(2.0) / FIRST


def _describe():
    prepare = pair_kernels(FLOAT64).prepare

    def describe(given, padded, known, roots, start, stop, spread):
        """Fill in what is known of rows start .. stop, and their roots.

        Returns whether any of them has a sum of NaN.
        """
        with_nan = prepare(Rows(given, padded, known), start, stop, spread)
        scale, panel = 2.0**-spread, roots.shape[2]
        for i in range(start, stop):
            for k in range(roots.shape[1]):
                roots[i // panel, k, i % panel] = np.float32(np.sqrt(padded[i, k] * scale))
        return with_nan

    return describe


def _harmonics():
    log2_in_ulps = scalar_formulas(FLOAT64).log2_in_ulps
    half_turns_per_ulp = FREQUENCY * np.log(2.0) / np.pi * 2.0**-FLOAT64.mantissa
    size_of_second = np.sqrt(SECOND / FIRST)
    magic, pi, two = 1.5 * 2.0**52, np.pi, 2.0
    # Up to π/2 in either direction, to 1e-10 and 1e-11.
    cosine = tuple((-1.0) ** k / _factorial(2 * k) for k in reversed(range(9)))
    sine = tuple((-1.0) ** k / _factorial(2 * k + 1) for k in reversed(range(9)))

    @formula
    def direction(p):
        """Return cos and sin of λ log p, of the float's bits for 0."""
        half_turns = log2_in_ulps(p) * half_turns_per_ulp
        whole = (half_turns + magic) - magic
        angle = pi * (half_turns - whole)
        half = whole / two
        odd = (half + magic) - magic != half
        sign = where(odd, -1.0, 1.0)
        square = angle * angle
        return sign * horner(square, cosine), sign * angle * horner(square, sine)

    @borrowing
    def harmonics_of_row(row, scale, cosines, sines):
        for k in range(cosines.size):
            p = item(row, k)
            root = np.sqrt(p * scale) * size_of_second
            along, across = direction(p)
            set_item(cosines, k, np.float32(root * along))
            set_item(sines, k, np.float32(root * across))

    def harmonics(padded, panels, start, stop, spread):
        """Fill in the harmonics of rows start .. stop, times the root of what they weigh."""
        scale, panel, length = 2.0**-spread, panels.shape[2], panels.shape[1] // 2
        of_row = np.empty((2, length), np.float32)
        for i in range(start, stop):
            harmonics_of_row(padded[i], scale, of_row[0], of_row[1])
            for half in range(2):
                for k in range(length):
                    panels[i // panel, half * length + k, i % panel] = of_row[half, k]

    return harmonics


def _factorial(n):
    return float(np.prod(np.arange(1.0, n + 1)))


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
def farthest(found, i):
    """Return the value up to which a neighbour of row i is wanted."""
    return found.values[i, 0] if found.values.shape[1] else found.radius


@borrowing
def keep(found, i, value, index):
    """Keep a neighbour of row i if it is wanted."""
    if found.values.shape[1]:
        offer(found.values[i], found.indices[i], value, index)
    elif value <= found.radius:
        used = found.state[0]
        found.rows[used], found.columns[used], found.distances[used] = i, index, value
        found.state[0] = used + 1


@formula
def limit_of(value, unit, refined, error):
    """Return what the product of a pair reaches if its value may be this or less."""
    divergence = (value * value if unit.root else value) / unit.factor * (1.0 + SLACK)
    limit = (np.log(2.0) - divergence) / (FIRST if refined else np.log(2.0)) - error
    return np.float32(limit - 1e-7 * (1.0 + abs(limit)))


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
        """Compute row i against the first of `task.columns`, and keep what is wanted."""
        a, b = task.a, task.b
        for k in range(number):
            row, copy = b.padded[task.columns[k]], task.gathered[k]
            for position in range(row.size):
                set_item(copy, position, item(row, position))
        sums = entropy_sums(a.padded, i, task.gathered, 0)
        for k in range(number):
            j = task.columns[k]
            value = value_of(a, b, i, j, sums[k], task.unit)
            keep(task.found, i, value, task.offset + j)

    return compare_some


def _compare_all(value_of):
    entropy_sums = pair_kernels(FLOAT64).entropy_sums

    @borrowing
    def compare_all(task, tile, number, start, stop):
        """Compute all pairs of a tile but those marked as done, and keep what is wanted."""
        a, b = task.a, task.b
        step = maximum(BLOCK_BYTES // (8 * b.padded.shape[1]), 1) * TOGETHER
        for first in range(start, stop, step):
            last = minimum(first + step, stop)
            for i in range(number):
                for j in range(first, last, TOGETHER):
                    sums = entropy_sums(a.padded, i, b.padded, j)
                    for k in range(j, minimum(j + TOGETHER, last)):
                        if k != task.own + i and not np.isnan(tile[i, k - start]):
                            value = value_of(a, b, i, k, sums[k - j], task.unit)
                            keep(task.found, i, value, task.offset + k)

    return compare_all


@formula
def bits_reaching(tile, row, start, width, limit):
    """Bits of the elements of a row that reach a limit, among those before the width."""
    mask = reaching(tile, row * TILE_WIDTH + start, limit)
    return mask & ((1 << minimum(width - start, WIDTH)) - 1)


@borrowing
def number_reaching(tile, number, width, limits):
    total = 0
    for i in range(number):
        for start in range(0, width, WIDTH):
            total += number_of_bits(bits_reaching(tile, i, start, width, limits[i]))
    return total


def _begin(compare_some):
    @kernel
    def begin(task, tile, i, start, width):
        """Compute those with the largest products, for a first limit, and mark them as done."""
        number = task.found.values.shape[1]
        values, indices = np.full(number, np.inf), np.full(number, NONE)
        for j in range(width):
            if j + start != task.own + i and not np.isnan(tile[i, j]):
                offer(values, indices, -np.float64(tile[i, j]), j)
        waiting = 0
        for k in range(number):
            if indices[k] != NONE:
                tile[i, indices[k]] = np.nan
                task.columns[waiting] = start + indices[k]
                waiting += 1
            if waiting == TOGETHER or k == number - 1:
                compare_some(task, i, np.intp(waiting))
                waiting = 0

    return begin


def _pick(compare_some):
    @borrowing
    def pick(task, tile, i, start, width, limit, refined, error):
        """Compute row i against those rows of a tile whose products reach its limit."""
        waiting = 0
        for first in range(0, width, WIDTH):
            mask = bits_reaching(tile, i, first, width, limit)
            while mask:
                j = first + lowest_bit(mask)
                mask &= mask - 1
                if j + start != task.own + i and tile[i, j] >= limit:
                    task.columns[waiting] = start + j
                    waiting += 1
                if waiting == TOGETHER:
                    compare_some(task, i, np.intp(waiting))
                    waiting = 0
                    limit = limit_of(farthest(task.found, i), task.unit, refined, error)
        compare_some(task, i, np.intp(waiting))

    return pick


def _bounded(begin):
    @borrowing
    def bounded(task, tile, a_panels, b_panels, number, start, width, refined, error, limits):
        """Write the products of a tile's roots, or add those of its harmonics.

        Returns how many pairs the bound leaves.
        """
        panels = (width + WIDTH - 1) // WIDTH
        multiply_panels(a_panels, b_panels, start // WIDTH, panels, tile, refined)
        if not refined and task.found.values.shape[1]:
            for i in range(number):
                if np.isinf(task.found.values[i, 0]):
                    begin(task, tile, i, start, width)
        for i in range(number):
            limits[i] = limit_of(farthest(task.found, i), task.unit, refined, error)
        return number_reaching(tile, number, width, limits)

    return bounded


def _search():
    value_of = _value_of()
    compare_some, compare_all = _compare_some(value_of), _compare_all(value_of)
    bounded, pick = _bounded(_begin(compare_some)), _pick(compare_some)
    ln2, mantissa = np.log(2.0), FLOAT64.mantissa

    def search(
        a_given, a_padded, a_known, a_roots, a_harmonics,
        b_given, b_padded, b_known, b_roots, b_harmonics,
        number, size, own, offset, spread, root, factor, error, refined_error,
        values, indices, radius, rows, columns, distances, state, tile,
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
            own,
            offset,
            Unit(ln2 * 2.0 ** -(spread + mantissa), factor, root),
            Found(values, indices, radius, rows, columns, distances, state),
            np.zeros((TOGETHER, a_padded.shape[1])),
            np.zeros(TOGETHER, np.intp),
        )
        limits = np.empty(number, np.float32)
        while state[1] * TILE_WIDTH < size:
            start = state[1] * TILE_WIDTH
            stop = minimum(start + TILE_WIDTH, size)
            width, pairs = stop - start, number * (stop - start)
            if not values.shape[1] and state[0] + pairs > rows.size:
                return False
            # Whether, rather than True and False, for each of which Numba would compile anew.
            left, bound = state[2], error
            refined = left >= 0
            if not refined:
                left = bounded(
                    task, tile, a_roots, b_roots, number, start, width, refined, bound, limits
                )
            if left > REFINE_ABOVE * pairs:
                if not a_harmonics.size:
                    state[2] = left
                    return True
                refined, bound = left >= 0, refined_error
                left = bounded(
                    task, tile, a_harmonics, b_harmonics, number, start, width, refined, bound,
                    limits,
                )  # fmt: skip
            if left > ALL_ABOVE * pairs:
                compare_all(task, tile, number, start, stop)
            else:
                for i in range(number):
                    pick(task, tile, i, start, width, limits[i], refined, bound)
            state[1], state[2] = state[1] + 1, -1
        return False

    return search
