"""From moments to p-values: Pearson's distribution of type III."""

import numpy as np
from scipy.special import gammainc, gammaincc, ndtr

from .._core.validation import FloatArray
from .null import Null, log_arrangements

NEARLY_NORMAL = 1e-6
"""A smaller skewness changes no digit that counts."""


def pearson_tail(null: Null, sizes: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Return P(divergence >= observed) of a shifted gamma distribution with the null's moments.

    It is at least one over the number of ways to divide the observations into the samples,
    which is a bound on any such probability.
    """
    deviation = np.sqrt(null.variance)
    with np.errstate(all="ignore"):
        z = (null.divergence - null.mean) / deviation
        skewness = null.third / deviation**3
        shape = 4.0 / skewness**2
        x = np.maximum(shape + np.sign(skewness) * z * np.sqrt(shape), 0.0)
        tail = np.where(skewness > 0, gammaincc(shape, x), gammainc(shape, x))
        tail = np.where(np.abs(skewness) < NEARLY_NORMAL, ndtr(-z), tail)
        # No variance: the totals leave chance no choice. And no divergence is below 0.
        tail = np.where((null.variance == 0) | (null.divergence == 0), 1.0, tail)
        least = np.exp(-log_arrangements(sizes))
    result: FloatArray = np.where(np.isnan(null.mean), np.nan, np.maximum(tail, least))
    return result
