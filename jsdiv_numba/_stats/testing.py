"""The test of pairs of samples: what is known of them, their p-values and estimates."""

from typing import Any, NamedTuple

import numpy as np

from .._core.validation import FloatArray
from .estimators import estimates
from .intervals import RowsOf, by_drawing, by_score, draws_of_counts, is_undersampled
from .methods import resampling
from .null import MOST_TABLES, Null, Pairs, Report, exact_tails, fewest, log_tables, null_of
from .pvalues import pearson_tail
from .resampling import drawn_tails
from .results import JSTestResult

EXACT_TABLES = 1e9
"""More are not enumerated even where that is asked for."""


class Settings(NamedTuple):
    """What is asked for, checked."""

    estimator: str
    method: Any
    divisor: float
    """Of all that is in nats: the logarithm of the base."""
    workers: int | None
    report: Report | None = None
    """Called with how many pairs more are done, where that is asked for."""


class Outcome(NamedTuple):
    """What a test finds of each pair."""

    null: Null
    pvalue: FloatArray
    estimate: FloatArray


def outcome_of(pairs: Pairs, settings: Settings) -> Outcome:
    """Test each pair."""
    drawn = resampling(settings.method)
    null = null_of(pairs, settings.workers, None if drawn else settings.report)
    return Outcome(
        null, _pvalues(pairs, null, settings), estimates(settings.estimator, null, pairs)
    )


def _pvalues(pairs: Pairs, null: Null, settings: Settings) -> FloatArray:
    method = settings.method
    if resampling(method):
        return drawn_tails(pairs, null.divergence, method, settings.workers, settings.report)
    if method == "moments":
        return pearson_tail(null, pairs.sizes)
    logs = log_tables(pairs, EXACT_TABLES if method == "exact" else MOST_TABLES)
    if method == "exact":
        _check_few(pairs, logs)
        return exact_tails(pairs, null.divergence, settings.workers)
    values = pearson_tail(null, pairs.sizes)
    few = np.flatnonzero(logs <= np.log(MOST_TABLES))
    values[few] = exact_tails(fewest(pairs, few), null.divergence[few], settings.workers)
    return values


def _check_few(pairs: Pairs, logs: FloatArray) -> None:
    if (logs > np.log(EXACT_TABLES)).any():
        k = int(logs.argmax())
        n1, n2 = (int(n[k]) for n in pairs.sizes)
        raise ValueError(
            f"method is 'exact', which lists at most 1e9 tables of at most 1000 observations; "
            f"samples of {n1} and {n2} have more: choose 'auto', or a PermutationMethod"
        )


def result_of(
    outcome: Outcome,
    rows_of: RowsOf,
    missing: Any,
    shape: tuple[int, ...],
    settings: Settings,
) -> JSTestResult:
    """Return the outcome in the shape of the batch and in the unit asked for."""
    null, divisor = outcome.null, settings.divisor
    for values in (*null, outcome.pvalue, outcome.estimate):
        values[missing] = np.nan

    def shaped(values: Any) -> Any:
        return values.reshape(shape)[()]

    def interval(level: float, method: Any) -> tuple[Any, Any]:
        if method is None:
            ends = by_score(outcome.estimate, settings.estimator, null, level)
        else:
            draws = draws_of_counts(settings.estimator, rows_of, null.divergence, settings.workers)
            ends = by_drawing(outcome.estimate, draws, method, level)
        low, high = (shaped(end / divisor) for end in ends)
        return low, high

    return JSTestResult(
        statistic=shaped(null.divergence / divisor),
        pvalue=shaped(outcome.pvalue),
        estimate=shaped(outcome.estimate / divisor),
        null_mean=shaped(null.mean / divisor),
        null_std=shaped(np.sqrt(null.variance) / divisor),
        undersampled=shaped(is_undersampled(null)),
        _interval=interval,
    )
