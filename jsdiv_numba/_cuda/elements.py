"""Kernels of which each thread takes one element after another."""

import math
from functools import cache
from types import SimpleNamespace

import numpy as np

from .._kernels.gradients import gradient_formulas
from .._kernels.precision import Precision
from .._kernels.scalar import scalar_formulas
from . import target
from .rows import index_of
from .target import cuda, jit


@cache
def element_kernels(precision: Precision) -> SimpleNamespace:
    """Return the kernels for one precision."""
    return SimpleNamespace(terms=_terms(precision), gradient=_gradient(precision))


def _terms(precision):
    Float = precision.Float
    js_term = target.formula(precision, scalar_formulas(precision).js_term)

    @jit
    def terms(P, Q, divisor, result):
        """Write the term of each two elements."""
        length = result.shape[3]
        number = result.shape[0] * result.shape[1] * result.shape[2] * length
        for n in range(cuda.grid(1), number, cuda.gridsize(1)):
            i, j, k = index_of(n // length, result.shape)
            m = n % length
            result[i, j, k, m] = js_term(Float(P[i, j, k, m]), Float(Q[i, j, k, m])) / divisor

    return terms


def _gradient(precision):
    Float = precision.Float
    js_gradient = target.formula(precision, gradient_formulas(precision).gradient)
    zero, nan = Float(0), Float(np.nan)

    @jit
    def gradient(P, Q, weights, divisor, in_P, in_Q):
        """Write the derivatives of each term, times its weight; NaN for what is no probability."""
        length = in_P.shape[3]
        number = in_P.shape[0] * in_P.shape[1] * in_P.shape[2] * length
        for n in range(cuda.grid(1), number, cuda.gridsize(1)):
            i, j, k = index_of(n // length, in_P.shape)
            m = n % length
            x, y = Float(P[i, j, k, m]), Float(Q[i, j, k, m])
            valid = x >= zero and y >= zero and math.isfinite(x) and math.isfinite(y)
            weight = Float(weights[i, j, k, m]) / divisor
            of_x, of_y = js_gradient(x, y, weight)
            in_P[i, j, k, m] = of_x if valid else nan
            in_Q[i, j, k, m] = of_y if valid else nan

    return gradient


@jit
def convert(source, result):
    """Copy elements, and convert them."""
    length = result.shape[3]
    number = result.shape[0] * result.shape[1] * result.shape[2] * length
    for n in range(cuda.grid(1), number, cuda.gridsize(1)):
        i, j, k = index_of(n // length, result.shape)
        result[i, j, k, n % length] = source[i, j, k, n % length]


@jit
def first_invalid(array, lowest, place):
    """Find the first element that is infinite or below a number."""
    length = array.shape[3]
    number = array.shape[0] * array.shape[1] * array.shape[2] * length
    for n in range(cuda.grid(1), number, cuda.gridsize(1)):
        i, j, k = index_of(n // length, array.shape)
        value = array[i, j, k, n % length]
        if value < lowest or value == math.inf:
            cuda.atomic.min(place, 0, n)
