"""The rule by which sparse rows are compared: for float64, that of dense ones."""

import numpy as np
import pytest

from jsdiv_numba._core.levels import rule_of
from jsdiv_numba._core.pair_metric import metric_of
from jsdiv_numba._core.sparse import counts_of

METRIC = metric_of("jensenshannon", None)
DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)


@pytest.mark.parametrize("length", [16, 31, 32, 33, 64, 65, 127, 400, 1025])
def test_levels_are_those_of_dense_rows_down_to_what_shares_with_any(length):
    counts, levels = counts_of(np.tril(np.ones((length, length))), 1)
    found = rule_of(METRIC, DOUBLE, length).levels_of(counts)
    np.testing.assert_array_equal(found, np.maximum(levels, -levels.max()))


@pytest.mark.parametrize("length", [64, 100, 5_000])
@pytest.mark.parametrize("kind", ["js_divergence", "kl_divergence"])
def test_levels_rise_from_empty_to_full_rows(length, kind):
    rule = rule_of(metric_of(kind, None), SINGLE, length)
    levels = rule.levels_of(np.arange(length + 1))
    assert (np.diff(levels) >= 0).all()
    assert rule.lowest == levels[0] <= 0 < levels[-1]
    assert levels[0] >= -levels[-1]


def test_what_clearly_shares_has_levels_that_say_so():
    rule = rule_of(METRIC, DOUBLE, 100)
    for most in range(101):
        for other in range(0, 101, 7):
            if rule.all_share(most, other):
                assert rule.levels_of(np.array([most, other])).sum() <= 0


def test_few_columns_decide_alone():
    assert np.isneginf(rule_of(METRIC, DOUBLE, 15).levels_of(np.array([0, 15]))).all()
    assert np.isposinf(rule_of(METRIC, SINGLE, 63).levels_of(np.array([0, 63]))).all()
