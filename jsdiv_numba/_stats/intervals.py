"""Confidence intervals of the divergence of the distributions, in nats."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from .._core.validation import FloatArray
from .counts import IntArray
from .estimators import LN2, estimates, stretch
from .methods import check_bootstrap, generator
from .null import Null, Pairs, null_of
from .resampling import batches

DISAGREEMENT = 0.3
"""So many standard errors between two corrections for bias leave an interval off its confidence."""


class ConfidenceInterval(NamedTuple):
    """The ends of an interval, or of many."""

    low: Any
    high: Any


Draw = Callable[[Any, np.random.Generator], tuple[FloatArray, FloatArray]]
"""Given a method and random numbers, estimates of samples drawn again, and their divergence
before: an interval is off as much as these are."""

RowsOf = Callable[[int], tuple[IntArray, IntArray]]
"""Given the index of a pair, its two rows of counts."""


def check_level(level: Any) -> float:
    """Return a confidence level as a number between 0 and 1."""
    if not (isinstance(level, float | np.floating) and 0 < level < 1):
        raise ValueError(f"confidence_level is {level!r}; it must be between 0 and 1")
    return float(level)


def standard_error(null: Null) -> FloatArray:
    """Return the standard error of the divergence, once its mean by chance is subtracted."""
    error: FloatArray = np.sqrt(np.maximum(null.delta_variance - null.variance, null.variance))
    return error


def is_undersampled(null: Null) -> Any:
    """Return where too few observations leave the bias open.

    The mean by chance is the bias where both distributions are equal, the second order
    where the counts are large; in between, an interval is as good as they agree.
    """
    return np.abs(null.mean - null.second_order) > DISAGREEMENT * standard_error(null)


def by_score(
    estimate: FloatArray, estimator: str, null: Null, level: float
) -> tuple[FloatArray, FloatArray]:
    """Return the divergences that the estimate is not too far from, as Wilson (1927) has shares.

    The variance of an estimate grows with the divergence δ, as V_0 + κδ: from that by chance,
    V_0, with what the delta method's is of each unit of the samples' divergence, κ. So
    (estimate - δ)² = z²(V_0 + κδ) has the ends as its roots.
    """
    z = ndtri(0.5 + level / 2)
    factor = stretch(null.mean) if estimator == "adjusted" else np.ones(len(estimate))
    estimate = estimate / factor
    with np.errstate(invalid="ignore"):
        slope = np.where(null.divergence > 0, null.delta_variance / null.divergence, 0.0)
    shift = z * z * slope / 2
    half = z * np.sqrt(np.maximum(null.variance + slope * estimate + (shift / z) ** 2, 0.0))
    centre = estimate + shift
    return within(factor * (centre - half)), within(factor * (centre + half))


def within(values: Any) -> Any:
    """Return values, none beyond what a divergence can be."""
    return np.clip(values, 0.0, LN2)


def by_drawing(
    estimate: FloatArray, draws: list[Draw], method: Any, level: float
) -> tuple[FloatArray, FloatArray]:
    """Return the basic bootstrap's interval of each estimate."""
    check_bootstrap(method)
    rng = generator(method)
    ends = np.full((2, len(estimate)), np.nan)
    for k, draw in enumerate(draws):
        if np.isnan(estimate[k]):
            continue
        drawn, truth = draw(method, rng)
        ends[:, k] = estimate[k] + truth - np.quantile(drawn, [0.5 + level / 2, 0.5 - level / 2])
    return within(ends[0]), within(ends[1])


def draws_of_counts(
    estimator: str, rows_of: RowsOf, divergence: FloatArray, workers: int | None
) -> list[Draw]:
    """Return what draws observations again, from either sample, with replacement."""

    def of_pair(k: int) -> Draw:
        def draw(method: Any, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
            rows = rows_of(k)
            used = rows[0] + rows[1] > 0
            found = []
            for number in batches(method, int(used.sum())):
                x, y = (
                    rng.multinomial(row.sum(), row[used] / row.sum(), number).astype(np.intp)
                    for row in rows
                )
                index = np.arange(number)
                size_x, size_y = (each.sum(axis=1, dtype=np.float64) for each in (x, y))
                again = Pairs(x, y, size_x, size_y, index, index)
                found.append(estimates(estimator, null_of(again, workers), again))
            return np.concatenate(found), divergence[k]

        return draw

    return [of_pair(k) for k in range(len(divergence))]
