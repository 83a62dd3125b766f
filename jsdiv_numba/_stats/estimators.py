"""Estimates of the divergence of the distributions that two samples were drawn from, in nats."""

import math
from functools import cache

import numpy as np
from scipy.special import digamma

from .._core import validation
from .._core.validation import FloatArray
from .counts import IntArray
from .null import Null, Pairs

LN2 = math.log(2.0)

ESTIMATORS = "null", "adjusted", "second_order", "grassberger", "plugin"


def check_estimator(estimator: str) -> None:
    """Raise if there is none of this name."""
    if estimator not in ESTIMATORS:
        listed = ", ".join(map(repr, ESTIMATORS))
        raise ValueError(f"estimator is {estimator!r}; it must be one of {listed}")


def estimates(estimator: str, null: Null, pairs: Pairs) -> FloatArray:
    """Return an estimate for each pair."""
    if estimator == "grassberger":
        return _grassberger(pairs)
    return by_moments(estimator, null.divergence, null.mean, null.second_order)


def by_moments(
    estimator: str, divergence: FloatArray, mean: FloatArray, second_order: FloatArray
) -> FloatArray:
    """Return the estimates that need no more of the counts."""
    if estimator == "null":
        return divergence - mean
    if estimator == "adjusted":
        return (divergence - mean) * stretch(mean)
    if estimator == "second_order":
        return divergence - second_order
    return divergence


def stretch(mean: FloatArray) -> FloatArray:
    """Return what brings the divergence of disjoint samples, less its mean by chance, to log 2."""
    room = LN2 - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        # Where chance makes all samples disjoint, nothing can be said.
        factor: FloatArray = np.where(room > 1e-12, LN2 / room, np.nan)
    return factor


def _grassberger(pairs: Pairs) -> FloatArray:
    """Return H(x + y) - ½H(x) - ½H(y), by Grassberger's estimator of entropies (2003)."""
    unequal = np.subtract(*pairs.sizes) != 0
    if unequal.any():
        k = int(unequal.argmax())
        n1, n2 = (int(n[k]) for n in pairs.sizes)
        raise ValueError(
            f"estimator is 'grassberger', which compares samples of one size; {n1} and {n2} are "
            "two: choose 'null'"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        own = [
            np.log(size) - _gains(rows).sum(axis=1) / size
            for rows, size in ((pairs.a, pairs.size_a), (pairs.b, pairs.size_b))
        ]
        result: FloatArray = -0.5 * (own[0][pairs.i] + own[1][pairs.j])
        step = max(1, (1 << 22) // max(pairs.a.shape[1], 1))
        for start in range(0, len(result), step):
            part = slice(start, start + step)
            both = pairs.a[pairs.i[part]] + pairs.b[pairs.j[part]]
            size = both.sum(axis=1)
            result[part] += np.log(size) - _gains(both).sum(axis=1) / size
    return result


def _gains(counts: IntArray) -> FloatArray:
    """Return c·G(c) of counts, where G(c) stands for log c: those of small ones from a table."""
    table = _table_of_gains()
    gains: FloatArray = table[np.minimum(counts, len(table) - 1)]
    large = counts >= len(table)
    gains[large] = _gain(counts[large].astype(float))
    return gains


@cache
def _table_of_gains() -> FloatArray:
    return np.append(0.0, _gain(np.arange(1.0, 1 << 16)))


def _gain(c: FloatArray) -> FloatArray:
    sign = np.where(c % 2 == 0, 1.0, -1.0)
    halves = digamma((c + 1) / 2) - digamma(c / 2)
    gain: FloatArray = c * (digamma(c) + 0.5 * sign * halves)
    return gain


def in_base(base: float | None) -> float:
    """Return what divides nats."""
    return validation.log_base(base) or 1.0
