"""Loops over many pairs of columns at once, for sums along an axis that memory does not follow."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from .compile import item, kernel, minimum, set_item, summing, where
from .precision import Precision
from .rows import row_kernels
from .scalar import scalar_formulas

BLOCK = 64
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

    @summing
    def add_terms(p, q, sums):
        """Add the terms of two contiguous rows to the columns' sums: NaN for a negative entry."""
        for j in range(sums.size):
            x, y = item(p, j), item(q, j)
            value = where(minimum(x, y) < zero, nan, term(abs(x), abs(y)))
            set_item(sums, j, item(sums, j) + value)

    return add_terms


def _column_sums(precision, add_terms):
    Float = precision.Float
    itemsize = Float(0).itemsize
    low, high = (2.0**power for power in precision.trusted)
    row_sum = row_kernels(precision).row_sum

    @kernel
    def column_sums(p, q, result):
        """Write the divergence of each column of p with that of q."""
        length, number = p.shape
        totals = np.zeros(number, np.float64)
        if p.strides[1] == itemsize and q.strides[1] == itemsize:
            sums = np.zeros(number, Float)
            for start in range(0, length, BLOCK):
                for i in range(start, minimum(start + BLOCK, length)):
                    add_terms(p[i], q[i], sums)
                for j in range(number):
                    totals[j] += sums[j]
                    sums[j] = 0
        for j in range(number):
            if not low < totals[j] < high:
                totals[j] = row_sum(p[:, j], q[:, j])
            result[j] = Float(totals[j])

    return column_sums
