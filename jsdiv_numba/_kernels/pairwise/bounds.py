"""What bounds the divergence of two rows from below: vectors whose distance does.

With r the roots √p of a normalised row, and h its harmonics √p·cos(λ log p) and
√p·sin(λ log p) for p > 0,

    JS >= ln 2·½|r - r'|²,
    JS >= β·½|r - r'|² + γ·½|h - h'|²,  β + γ = ln 2.

What is at least a multiple of JS is bounded by the multiple of both.

The first is by the Hellinger distance; the second, by two points of the spectrum that embeds the
divergence's root into a Hilbert space (B. Fuglede and F. Topsøe, Jensen-Shannon divergence and
Hilbert space embedding, ISIT 2004), is within some per cent of the divergence. Distances do not
change when all vectors are measured from one centre, but what float32 rounds does: it is as small
as the vectors are. So both are kept centred, in panels for `matmul`, with one entry more: 1 in a
query, and in the others what makes a product S of a distance,

    S = x·x' - ½|x'|² = ½|x|² - ½|x - x'|².

docs/mathematics.md derives the bounds, and the margins for what is rounded.
"""

import math

import numpy as np

from ..codegen.intrinsics import (
    empty,
    entry,
    item,
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    njit_reassoc,
    noinline,
    polynomial,
    power_of_two,
    row_of,
    set_item,
    where,
)
from ..codegen.precision import FLOAT64
from ..formulas.js import scalar_formulas
from .matmul import LINE
from .measures import JS
from .pairs import pair_kernels

FREQUENCY = 0.625
"""λ."""

SECOND = 0.1874
"""γ: about the most for which the second bound holds."""

FIRST = math.log(2.0) - SECOND
"""β."""

WEIGHTS = math.log(2.0), FIRST
"""What the distances are multiplied by: of the roots, and of both, the harmonics times √(γ/β)."""

SLACK = 1e-9
"""More than the relative error of a divergence from the kernel for pairs."""


def description():
    """Return the routine `describe_rows`."""
    return _describe(_values_of())


def _values_of():
    direction, size = _direction(), math.sqrt(SECOND / FIRST)

    @njit_no_refcount
    def roots_of(row, values, scale, share):
        for k in range(values.size):
            set_item(values, k, np.sqrt(item(row, k) / share * scale))

    @njit_no_refcount
    def harmonics_of(row, values, scale, share):
        length = values.size // 2
        for k in range(length):
            p = item(row, k) / share
            root = np.sqrt(p * scale) * size
            along, across = direction(p)
            set_item(values, k, root * along)
            set_item(values, length + k, root * across)

    @njit_no_refcount
    def values_of(row, values, scale, share, are_harmonics):
        """Write the roots of a row, or its harmonics times the root of what they weigh."""
        noinline()
        if are_harmonics:
            harmonics_of(row, values, scale, share)
        else:
            roots_of(row, values, scale, share)

    return values_of


def preparation():
    """Return what fills in all that pairs need to know of rows."""
    prepare = pair_kernels(FLOAT64, JS).prepare

    def prepare_rows(rows, start, stop, scale_exponent, side):
        """Return whether any of the rows has a sum of NaN."""
        return prepare(rows, start, stop, scale_exponent, side)

    return prepare_rows


def _direction():
    log2_in_ulps = scalar_formulas(FLOAT64).log2_in_ulps
    half_turns_per_ulp = FREQUENCY * math.log(2.0) / math.pi * 2.0**-FLOAT64.mantissa
    magic, pi, two = 1.5 * 2.0**52, math.pi, 2.0
    # Up to π/2 in either direction, to 2e-17.
    cosine = polynomial([(-1.0) ** k / math.factorial(2 * k) for k in range(11)])
    sine = polynomial([(-1.0) ** k / math.factorial(2 * k + 1) for k in range(11)])

    @njit_inline
    def direction(p):
        """Return cos and sin of λ log p, of the float's bits for 0."""
        half_turns = log2_in_ulps(p) * half_turns_per_ulp
        whole = (half_turns + magic) - magic
        angle = pi * (half_turns - whole)
        half = whole / two
        odd = (half + magic) - magic != half
        sign = where(odd, -1.0, 1.0)
        square = angle * angle
        return sign * cosine(square), sign * angle * sine(square)

    return direction


@njit_no_refcount
def _add_scaled(total, values, factor):
    """Add values to a total, and scale the sum."""
    for k in range(total.size):
        set_item(total, k, (item(total, k) + item(values, k)) * factor)


@njit_no_refcount
def _centre(values, centre, vector):
    """Write values less those of the centre, in float32."""
    for k in range(values.size):
        set_item(vector, k, np.float32(item(values, k) - item(centre, k)))


@njit_reassoc
def _square(vector, size):
    """Return the sum of squares of a vector."""
    total = 0.0
    for k in range(size):
        x = np.float64(item(vector, k))
        total += x * x
    return total


@njit_no_refcount
def _transpose(vectors, panels, panel, first, number):
    """Write vectors into a panel, an entry of all of them after another."""
    length = panels.shape[1]
    for start in range(0, length, LINE):
        for i in range(number):
            for k in range(start, minimum(start + LINE, length)):
                panels[panel, k, first + i] = vectors[i, k]


def _describe(values_of):
    def describe_rows(
        padded, panels, halves, centre, start, stop, scale_exponent, weight, margin, as_queries,
        are_harmonics,
    ):  # fmt: skip
        """Fill in the vectors of rows start .. stop, and the halves of their squares.

        Where there are no panels for them, add their mean to the centre instead. The rows are
        padded times twice their weight.
        """
        share = 2.0 * weight
        scale, height, length = power_of_two(-scale_exponent), panels.shape[2], centre.size
        values = empty(length, np.float64)
        if not panels.size:
            number = 0
            for i in range(start, stop):
                if not np.isnan(entry(padded, i, 0)):
                    values_of(row_of(padded, i), values, scale, share, are_harmonics)
                    _add_scaled(centre, values, 1.0)
                    number += 1
            _add_scaled(centre, centre, 0.5 / maximum(number, 1))
            return
        vectors = empty((height, length + LINE), np.float32)
        while start < stop:
            panel, first = start // height, start % height
            number = minimum(height - first, stop - start)
            for i in range(number):
                vector = row_of(vectors, i)
                values_of(row_of(padded, start + i), values, scale, share, are_harmonics)
                _centre(values, centre, vector)
                half = 0.5 * _square(vector, length)
                set_item(halves, start + i, half)
                last = 1.0 if as_queries else -(1.0 - 2.0 * margin) * half
                set_item(vector, length, np.float32(last))
            _transpose(vectors, panels, panel, first, number)
            start += number

    return describe_rows


@njit_inline
def limit_of(value, unit, weight, half, margin, resolution):
    """Return what a query's product with a row reaches if their value may be this or less.

    `half` is half of the query's square.
    """
    divergence = (value * value if unit.root else value) / unit.factor
    distance = np.sqrt(divergence * (2.0 * (1.0 + SLACK) / (weight * unit.multiple))) + resolution
    limit = half * (1.0 - margin) - distance * distance * (0.5 + 2.0**-23)
    return np.float32(limit - 2.0**-23 * abs(limit))
