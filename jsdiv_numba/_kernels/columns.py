"""Loops over many pairs of columns at once, for sums along an axis that memory does not follow."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import item, kernel, minimum, set_item, where
from .precision import Precision
from .rows import row_kernels
from .scalar import exact_sum, scalar_formulas

BLOCK = 16
"""Rows added up in the input's precision before float64 takes over."""


@cache
def column_kernels(precision: Precision) -> SimpleNamespace:
    """Compile the kernels for one precision."""
    add_terms = _add_terms(precision)
    return SimpleNamespace(column_sums=_column_sums(precision, add_terms))


def _add_terms(precision):
    Float = precision.Float
    term = scalar_formulas(precision).term
    zero, nan = Float(0), Float(np.nan)

    @kernel
    def add_terms(p, q, sums, masses):
        """Add the terms of two contiguous rows, and p + q, to the columns' sums.

        NaN for a negative entry.
        """
        for j in range(sums.size):
            x, y = item(p, j), item(q, j)
            value = where(minimum(x, y) < zero, nan, term(abs(x), abs(y)))
            set_item(sums, j, item(sums, j) + value)
            set_item(masses, j, item(masses, j) + (x + y))

    return add_terms


def _column_sums(precision, add_terms):
    Float = precision.Float
    itemsize = Float(0).itemsize
    trusted, huge = 2.0**precision.trusted, 2.0**precision.huge
    row_sum = row_kernels(precision).row_sum

    @kernel
    def add_block(p, q, start, stop, sums, masses):
        sums[:], masses[:] = 0, 0
        for i in range(start, stop):
            add_terms(p[i], q[i], sums, masses)

    @kernel
    def column_sums(p, q, result):
        """Write the divergence of each column of p with that of q."""
        length, number = p.shape
        totals, rests, masses = np.zeros(number), np.zeros(number), np.zeros(number)
        if p.strides[1] == itemsize and q.strides[1] == itemsize:
            sums, block_masses = np.empty(number, Float), np.empty(number, Float)
            for start in range(0, length, BLOCK):
                add_block(p, q, start, minimum(start + BLOCK, length), sums, block_masses)
                for j in range(number):
                    totals[j], error = exact_sum(totals[j], np.float64(sums[j]))
                    rests[j] += error
                    masses[j] += block_masses[j]
        for j in range(number):
            total = totals[j] + rests[j]
            if not (total > trusted and masses[j] < huge):
                total = row_sum(p[:, j], q[:, j])
            result[j] = Float(total)

    return column_sums
