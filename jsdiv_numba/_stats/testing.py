"""The test of pairs of samples: what is known of them, their p-values and estimates."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._core.validation import FloatArray
from .counts import BoolArray
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
    """Test each pair; what takes longest of it is what counts as done."""
    method, workers, report = settings.method, settings.workers, settings.report
    if resampling(method):
        null = null_of(pairs, workers)
        pvalue = drawn_tails(pairs, null.divergence, method, workers, report)
    else:
        listed = _are_listed(pairs, method)
        null = null_of(pairs, workers, report, later=listed)
        pvalue = pearson_tail(null, pairs.sizes)
        if listed is not None:
            few = np.flatnonzero(listed)
            observed = null.divergence[few]
            pvalue[few] = exact_tails(fewest(pairs, few), observed, workers, report)
    return Outcome(null, pvalue, estimates(settings.estimator, null, pairs))


def _are_listed(pairs: Pairs, method: str) -> BoolArray | None:
    """Return of which pairs all tables with the same margins are listed; None is of none."""
    if method == "moments":
        return None
    if method == "exact":
        _check_few(pairs, log_tables(pairs, EXACT_TABLES))
        return np.ones(len(pairs.i), bool)
    few: BoolArray = log_tables(pairs, MOST_TABLES) <= np.log(MOST_TABLES)
    return few


def _check_few(pairs: Pairs, logs: FloatArray) -> None:
    if (logs > np.log(EXACT_TABLES)).any():
        k = int(logs.argmax())
        n1, n2 = (int(n[k]) for n in pairs.sizes)
        raise ValueError(
            f"method is 'exact', which lists at most 1e9 tables of at most 1000 observations; "
            f"samples of {n1} and {n2} have more: choose 'auto', or a PermutationMethod"
        )


@dataclass(frozen=True)
class Intervals:
    """What gives confidence intervals of pairs that were tested; it can be pickled."""

    outcome: Outcome
    rows_of: RowsOf
    shape: tuple[int, ...]
    settings: Settings

    def __call__(self, level: float, method: Any) -> tuple[Any, Any]:
        """Return both ends, in the shape of the batch."""
        (null, _, estimate), settings = self.outcome, self.settings
        if method is None:
            ends = by_score(estimate, settings.estimator, null, level)
        else:
            given = self.rows_of, null.divergence, settings.workers
            ends = by_drawing(estimate, draws_of_counts(settings.estimator, *given), method, level)
        low, high = ((end / settings.divisor).reshape(self.shape)[()] for end in ends)
        return low, high


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

    return JSTestResult(
        statistic=shaped(null.divergence / divisor),
        pvalue=shaped(outcome.pvalue),
        estimate=shaped(outcome.estimate / divisor),
        null_mean=shaped(null.mean / divisor),
        null_std=shaped(np.sqrt(null.variance) / divisor),
        undersampled=shaped(is_undersampled(null)),
        _interval=Intervals(outcome, rows_of, shape, settings._replace(report=None)),
    )
