"""Kernels over elements, of which each gives one of the result."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..target import cuda, device, jit, row_of
from .indexing import NONE, ONE, access, index_of, place_of
from .summands import Summand, summand_of, weights_of

# With what is no wider than an array's own numbers, float32 stays float32.
ZERO, WHOLE, NAN = np.float32(0), np.float32(1), np.float32(np.nan)


@cache
def element_kernels(precision: Precision, skewed: bool) -> SimpleNamespace:
    """Return the kernels for one precision, with or without weights."""
    return SimpleNamespace(terms=_terms(precision, skewed))


def four_terms(summand: Summand) -> Any:
    """Return what computes four terms, in a unit."""
    term = summand.any_term

    @device
    def four_terms(x, y, weights, divisor):
        return (
            term(x[0], y[0], *weights[0]) / divisor,
            term(x[1], y[1], *weights[1]) / divisor,
            term(x[2], y[2], *weights[2]) / divisor,
            term(x[3], y[3], *weights[3]) / divisor,
        )

    return four_terms


def _terms(precision, skewed):
    functions, weighted = access(precision, 0), weights_of(precision, skewed)
    load, store = functions.load, functions.store
    of_rows, of_four = weighted.of_rows, weighted.of_four
    terms_of = four_terms(summand_of(precision, skewed))

    @jit
    def terms(P, Q, weights, shift, aligned, piece, divisor, result):
        """Write the term of each two elements."""
        row, lane, exists = place_of(shift, P.shape[0] * P.shape[1] * P.shape[2])
        i, j, k = index_of(row, P.shape)
        p, q, terms = row_of(P, i, j, k), row_of(Q, i, j, k), row_of(result, i, j, k)
        of_both = of_rows(weights, i, j, k)
        start = cuda.blockIdx.y * piece
        stop = min(start + piece, p.shape[0]) if exists else start
        n = start + 4 * lane
        while n < stop:
            x, y = load(p, n, stop, aligned), load(q, n, stop, aligned)
            store(terms, n, stop, aligned, terms_of(x, y, of_four(of_both, n, stop), divisor))
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


@jit
def both_weights(given, of_p, of_q):
    """Write the weights of both sides, given the second one's: NaN for what is none."""
    number = given.shape[0] * given.shape[1] * given.shape[2] * given.shape[3]
    for n in range(cuda.grid(1), number, cuda.gridsize(1)):
        i, j, k, m = element_of(n, given.shape)
        weight = given[i, j, k, m]
        valid = ZERO <= weight <= WHOLE
        of_p[n], of_q[n] = WHOLE - weight if valid else NAN, weight if valid else NAN
