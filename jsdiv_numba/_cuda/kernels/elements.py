"""Kernels over elements, of which each gives one of the result."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..._kernels.formulas.js import scalar_formulas
from .. import target
from ..target import cuda, device, jit, row_of
from .indexing import NONE, ONE, access, index_of, place_of


@cache
def element_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels for one precision."""
    return SimpleNamespace(terms=_terms(precision))


def _terms(precision):
    functions = access(precision, 0)
    load, store = functions.load, functions.store
    js_term = target.formula(precision, scalar_formulas(precision).device_js_term)

    @jit
    def terms(P, Q, shift, aligned, piece, divisor, result):
        """Write the term of each two elements."""
        row, lane, exists = place_of(shift, P.shape[0] * P.shape[1] * P.shape[2])
        i, j, k = index_of(row, P.shape)
        p, q, terms = row_of(P, i, j, k), row_of(Q, i, j, k), row_of(result, i, j, k)
        start = cuda.blockIdx.y * piece
        stop = min(start + piece, p.shape[0]) if exists else start
        n = start + 4 * lane
        while n < stop:
            x, y = load(p, n, stop, aligned), load(q, n, stop, aligned)
            values = (
                js_term(x[0], y[0]) / divisor,
                js_term(x[1], y[1]) / divisor,
                js_term(x[2], y[2]) / divisor,
                js_term(x[3], y[3]) / divisor,
            )
            store(terms, n, stop, aligned, values)
            n += 4 * (ONE << shift)

    return terms


@device
def element_of(n, shape):
    """Return the indices of an element."""
    if shape[0] == 1 and shape[1] == 1 and shape[2] == 1:
        return NONE, NONE, NONE, n
    i, j, k = index_of(n // shape[3], shape)
    return i, j, k, n % shape[3]


@jit
def convert(source, result):
    """Copy elements, and convert them."""
    number = result.shape[0] * result.shape[1] * result.shape[2] * result.shape[3]
    for n in range(cuda.grid(1), number, cuda.gridsize(1)):
        i, j, k, m = element_of(n, result.shape)
        result[i, j, k, m] = source[i, j, k, m]


@jit
def copy_element(array, n, result):
    """Copy one element."""
    i, j, k, m = element_of(np.int64(n), array.shape)
    result[0] = array[i, j, k, m]


@jit
def fill(value, result):
    """Write a number to all elements."""
    for n in range(cuda.grid(1), result.shape[0], cuda.gridsize(1)):
        result[n] = value


@jit
def first_invalid(array, lowest, infinity, place):
    """Find the first element that is infinite or below a number."""
    number = array.shape[0] * array.shape[1] * array.shape[2] * array.shape[3]
    for n in range(cuda.grid(1), number, cuda.gridsize(1)):
        i, j, k, m = element_of(n, array.shape)
        value = array[i, j, k, m]
        if value < lowest or value == infinity:
            cuda.atomic.min(place, 0, n)
