"""Loops over tiles of row pairs.

With each normalised row's entropy known, the divergence of a pair costs one
logarithm an element:

    JS(p, q) = ½ Σ p log p + ½ Σ q log q - Σ m log m,   m = ½(p + q).

The three sums cancel when the rows are close, so a pair that comes out below
`Precision.pair_near` is computed again term by term, from the rows as given.
"""

from collections import namedtuple
from functools import cache
from types import SimpleNamespace

import numpy as np
from numba import njit, types

from .compile import any_layout, contiguous, item, kernel, set_item, summing
from .normalised import normalised_kernels
from .precision import Precision
from .rows import BLOCK
from .scalar import scalar_formulas

LANES = 16
"""Rows are padded with zeros to a multiple of this, which leaves no loop a remainder."""

TOGETHER = 4
"""Rows of the second set that one row of the first meets at a time."""

TILE_BYTES = 1 << 18
"""Rows of the second set that stay in the cache while those of the first pass."""

Prepared = namedtuple("Prepared", "given padded scales totals rests entropies")
"""Rows ready for `pair_block`: as given, and normalised, scaled by 2^spread and padded.

`scales`, `totals` and `rests` are what `row_scale` says of each, and `entropies`
is ½ Σ (p log2 p + p) of the scaled row.
"""


def padded_length(length: int) -> int:
    """Return the number of columns of `Prepared.padded`."""
    return -(-max(length, 1) // LANES) * LANES


def padded_rows(number: int) -> int:
    """Return the number of rows of `Prepared.padded`."""
    return -(-number // TOGETHER) * TOGETHER


@cache
def pair_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision, for these argument types alone."""
    kind = types.float32 if precision.Float is np.float32 else types.float64
    given = types.Array(kind, 2, "A", readonly=True)
    matrix, vector = types.Array(kind, 2, "C"), types.Array(kind, 1, "C")
    sums = types.Array(types.float64, 1, "C")
    prepared = (given, matrix, vector, vector, vector, sums)
    size, result = types.intp, types.Array(kind, 2, "A")
    ranges = (size, size, size, size)
    options = {"nogil": True, "error_model": "numpy", "fastmath": False}
    # Numba casts the layout of an array argument, but not of one within a tuple.
    prepare = njit(types.void(*prepared, size, size, size), **options)
    pair_block = njit(
        types.void(*prepared, *prepared, *ranges, size, types.boolean, result), **options
    )
    return SimpleNamespace(
        padded_length=padded_length,
        padded_rows=padded_rows,
        prepare=prepare(_prepare(precision)),
        pair_block=pair_block(_pair_block(precision)),
    )


def _prepare(precision):
    Float = precision.Float
    row_scale = normalised_kernels(precision).row_scale
    log2 = scalar_formulas(precision).log2

    @summing
    def normalise(row, normalised, factor):
        """Write a contiguous row times a factor; return ½ Σ (p log2 p + p) of that."""
        entropy = 0.0
        for i in range(row.size):
            p = abs(item(row, i)) * factor
            set_item(normalised, i, p)
            entropy += np.float64(p * log2(p) + p)
        return 0.5 * entropy

    def prepare(given, padded, scales, totals, rests, entropies, start, stop, spread):
        """Fill in all that is known of rows start .. stop."""
        rows = Prepared(given, padded, scales, totals, rests, entropies)
        for i in range(start, stop):
            row = contiguous(rows.given[i])
            scale, total, rest = row_scale(row)
            rows.scales[i], rows.totals[i], rows.rests[i] = scale, total, rest
            factor = Float(np.float64(scale) * 2.0**spread / total)
            rows.padded[i, row.size :] = 0.0
            rows.entropies[i] = normalise(row, any_layout(rows.padded[i]), factor)

    return prepare


def _entropy_sums(precision):
    Float = precision.Float
    log2 = scalar_formulas(precision).log2
    zero = Float(0)

    @summing
    def block_sums(p, q0, q1, q2, q3, start, size):
        s0 = s1 = s2 = s3 = zero
        for i in range(start, start + size):
            x = item(p, i)
            v0, v1, v2, v3 = x + item(q0, i), x + item(q1, i), x + item(q2, i), x + item(q3, i)
            s0 += v0 * log2(v0)
            s1 += v1 * log2(v1)
            s2 += v2 * log2(v2)
            s3 += v3 * log2(v3)
        return s0, s1, s2, s3

    @kernel
    def entropy_sums(p, q, j):
        """Return Σ v log2 v, v = p + q, of one padded row with four."""
        s0 = s1 = s2 = s3 = 0.0
        for start in range(0, p.size, BLOCK):
            size = min(BLOCK, p.size - start)
            t0, t1, t2, t3 = block_sums(p, q[j], q[j + 1], q[j + 2], q[j + 3], start, size)
            s0, s1, s2, s3 = s0 + t0, s1 + t1, s2 + t2, s3 + t3
        return s0, s1, s2, s3

    return entropy_sums


def _pair_block(precision):
    Float = precision.Float
    near, ln2, itemsize = precision.pair_near, np.log(2.0), precision.Float(0).itemsize
    entropy_sums = _entropy_sums(precision)
    pair_sum = normalised_kernels(precision).pair_sum

    @kernel
    def sum_of(rows, i):
        return rows.scales[i], rows.totals[i], rows.rests[i]

    @kernel
    def exact(a, b, i, j):
        p, q = contiguous(a.given[i]), contiguous(b.given[j])
        return pair_sum(p, q, sum_of(a, i), sum_of(b, j))

    def pair_block(
        a0,
        a1,
        a2,
        a3,
        a4,
        a5,
        b0,
        b1,
        b2,
        b3,
        b4,
        b5,
        i_start,
        i_stop,
        j_start,
        j_stop,
        spread,
        above,
        result,
    ):
        """Write the divergences of rows i_start .. i_stop and j_start .. j_stop.

        With `above`, only those of pairs i < j.
        """
        a, b = Prepared(a0, a1, a2, a3, a4, a5), Prepared(b0, b1, b2, b3, b4, b5)
        unit = ln2 * 2.0**-spread
        tile = max(TILE_BYTES // (a.padded.shape[1] * itemsize), 1) * TOGETHER
        for tile_start in range(j_start, j_stop, tile):
            tile_stop = min(tile_start + tile, j_stop)
            for i in range(i_start, i_stop):
                first = max(tile_start, i + 1) if above else tile_start
                for j in range(first - first % TOGETHER, tile_stop, TOGETHER):
                    sums = entropy_sums(a.padded[i], b.padded, j)
                    for k in range(TOGETHER):
                        if first <= j + k < tile_stop:
                            entropies = a.entropies[i] + b.entropies[j + k]
                            value = unit * (entropies - 0.5 * sums[k])
                            if not value >= near:
                                value = np.float64(exact(a, b, i, j + k))
                            result[i - i_start, j + k - j_start] = Float(value)

    return pair_block
