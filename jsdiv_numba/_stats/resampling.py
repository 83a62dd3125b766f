"""P-values from samples drawn again: the categories' totals stay, who has them does not."""

import math
from typing import Any

import numpy as np

from .._core.validation import FloatArray
from ..divergence import js_divergence
from .counts import IntArray
from .methods import generator
from .null import Pairs, Report, exact_tails, fewest, log_arrangements

BATCH_ELEMENTS = 1 << 22
"""Counts that are drawn at once, unless the method says how many resamples."""

MOST_DRAWN = 10**9
"""Observations of a table, as `numpy.random.Generator.multivariate_hypergeometric` says."""

SLACK = 1e-11
"""How much less, relatively, counts as much as observed, as in `_kernels.counts.tables`."""


def drawn_tails(
    pairs: Pairs,
    observed: FloatArray,
    method: Any,
    workers: int | None,
    report: Report | None = None,
) -> FloatArray:
    """Return the p-value of each pair by tables drawn with the same margins.

    Where there are no more arrangements than resamples, a permutation test counts them all.
    """
    rng = generator(method)
    result = np.full(len(pairs.i), np.nan)
    logs = log_arrangements(pairs.sizes)
    first, second = pairs.sizes
    _check_drawn(first, second)

    def tail_of(k: int) -> float:
        few = not hasattr(method, "rvs") and logs[k] <= math.log(method.n_resamples) + 1e-9
        if few:
            one = slice(k, k + 1)
            return float(exact_tails(fewest(pairs, one), observed[one], workers)[0])
        a, b = pairs.a[pairs.i[k]], pairs.b[pairs.j[k]]
        return _tail(a, b, observed[k], method, rng, workers)

    for k in range(len(observed)):
        if not np.isnan(observed[k]):
            result[k] = tail_of(k)
        if report is not None:
            report(1)
    return result


def _check_drawn(first: FloatArray, second: FloatArray) -> None:
    """Raise if samples have more observations than NumPy draws tables of."""
    whole = first + second
    if whole.size and whole.max() >= MOST_DRAWN:
        k = int(whole.argmax())
        raise ValueError(
            f"method draws tables of less than {MOST_DRAWN:.0e} observations; samples of "
            f"{first[k]:.4g} and {second[k]:.4g} have more: choose 'auto'"
        )


def _tail(
    a: IntArray,
    b: IntArray,
    observed: float,
    method: Any,
    rng: np.random.Generator,
    workers: int | None,
) -> float:
    used = a + b > 0
    a, b = a[used], b[used]
    totals, size = a + b, int(a.sum())
    reached = 0
    for number in batches(method, len(totals)):
        x = rng.multivariate_hypergeometric(totals, size, number, method="marginals")
        reached += int((plain(x, totals - x, workers) >= observed * (1 - SLACK)).sum())
    return (reached + 1) / (int(method.n_resamples) + 1)


def batches(method: Any, columns: int) -> list[int]:
    """Return how many resamples are drawn at a time."""
    step = method.batch or max(1, BATCH_ELEMENTS // max(columns, 1))
    total = int(method.n_resamples)
    return [min(step, total - start) for start in range(0, total, int(step))]


def plain(x: IntArray, y: IntArray, workers: int | None) -> FloatArray:
    """Return the divergence of each row of counts from the other of the same index."""
    p, q = (rows / rows.sum(axis=-1, keepdims=True) for rows in (x, y))
    values: FloatArray = js_divergence(p, q, keepdims=False, workers=workers)
    return values
