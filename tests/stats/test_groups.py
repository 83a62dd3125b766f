"""Rows in two groups, permuted whole."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from jsdiv_numba.stats import js_test

ROWS = np.array([[3, 0, 1], [2, 2, 0], [0, 1, 4], [1, 0, 3], [0, 5, 1]])
GROUPS = ["a", "a", "b", "b", "b"]


def permutation(seed, number=999):
    return stats.PermutationMethod(n_resamples=number, rng=seed)


def test_few_rows_are_divided_in_all_ways():
    result = js_test(ROWS, groups=GROUPS)
    every = []
    for chosen in combinations(range(5), 2):
        x = ROWS[list(chosen)].sum(axis=0)
        every.append(js_test(x, ROWS.sum(axis=0) - x).statistic)
    observed = js_test(ROWS[:2].sum(axis=0), ROWS[2:].sum(axis=0)).statistic
    np.testing.assert_allclose(result.statistic, observed, rtol=1e-14)
    assert result.pvalue == np.mean(np.array(every) >= observed * (1 - 1e-9))
    np.testing.assert_allclose(result.null_mean, np.mean(every), rtol=1e-12)
    np.testing.assert_allclose(result.null_std, np.std(every), rtol=1e-12)
    assert result.estimate == result.statistic - result.null_mean


def test_labels_of_any_kind_and_either_axis():
    result = js_test(ROWS, groups=GROUPS)
    assert js_test(ROWS.T, groups=GROUPS, axis=0).pvalue == result.pvalue
    assert js_test(ROWS, groups=[True, True, False, False, False]).pvalue == result.pvalue
    assert js_test(ROWS, groups=GROUPS, keepdims=True).pvalue.shape == (1, 1)


def test_drawn_permutations_depend_on_their_seed():
    rows = np.random.default_rng(0).poisson(1, (40, 10))
    groups = np.arange(40) % 2
    first = js_test(rows, groups=groups, method=permutation(1))
    assert js_test(rows, groups=groups, method=permutation(1)).pvalue == first.pvalue
    assert js_test(rows, groups=groups, method=permutation(2)).null_mean != first.null_mean


def bursty(rng, number, columns=30):
    """Documents: each has its own probabilities, around those that all have."""
    weights = rng.dirichlet(np.full(columns, 0.3), number)
    return np.array([rng.multinomial(50, p) for p in weights])


def test_bursts_deceive_a_test_of_counts_and_not_one_of_rows():
    """Of 40 tests at 5 % with nothing to find, more than 15 reject once in 10^9."""
    rng = np.random.default_rng(4)
    groups = np.repeat([0, 1], 15)
    of_rows = of_counts = 0
    for seed in range(40):
        rows = bursty(rng, 30)
        of_rows += js_test(rows, groups=groups, method=permutation(seed, 199)).pvalue <= 0.05
        of_counts += js_test(rows[:15].sum(axis=0), rows[15:].sum(axis=0)).pvalue <= 0.05
    assert of_rows <= 15
    assert of_counts == 40


def test_an_interval_draws_rows_again():
    rng = np.random.default_rng(2)
    rows = np.concatenate([rng.multinomial(50, [0.6, 0.3, 0.1], 20)] * 2)
    rows[20:] = rng.multinomial(50, [0.3, 0.3, 0.4], 20)
    result = js_test(rows, groups=np.repeat([0, 1], 20), method=permutation(0))
    method = stats.BootstrapMethod(n_resamples=499, method="basic", rng=0)
    low, high = result.confidence_interval(method=method)
    assert 0 < low < result.estimate < high < np.log(2)
    with pytest.raises(ValueError, match="with groups an interval needs rows drawn again"):
        result.confidence_interval()


def test_rows_without_observations_say_nothing():
    empty = js_test(np.zeros((4, 3)), groups=[0, 0, 1, 1])
    assert np.isnan([empty.statistic, empty.pvalue, empty.estimate]).all()
    # Four of the six divisions leave both groups with observations.
    rows = np.array([[0, 0], [0, 0], [3, 1], [1, 2]])
    found = js_test(rows, groups=[0, 1, 0, 1])
    assert found.pvalue == 1
    assert found.null_mean == pytest.approx(found.statistic)
    method = stats.BootstrapMethod(n_resamples=50, method="basic", rng=0)
    low, high = found.confidence_interval(method=method)
    assert 0 <= low <= high


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": GROUPS, "y": ROWS}, "groups and y: with groups, both samples are rows of x"),
        ({"groups": GROUPS[:4]}, r"groups has shape \(4,\); x has 5 rows"),
        ({"groups": list("abcab")}, "groups has 3 different labels"),
        (
            {"groups": ["a", None, "a", "a", "a"]},
            r"groups\[1\] is None; each row of x is in a group",
        ),
        ({"groups": ["a", "b", "a", "b", np.nan]}, r"groups\[4\] is nan; each row of x"),
        ({"groups": [0, 0, 0, 0, np.nan]}, r"groups\[4\] is nan; each row of x is in a group"),
        ({"groups": [pd.NA, 1, 1, 1, 1]}, r"groups\[0\] is <NA>; each row of x is in a group"),
        ({"groups": np.ma.array([1, 1, 2, 2, 2], mask=[0, 0, 1, 0, 0])}, r"groups\[2\] is masked"),
        ({"groups": GROUPS, "method": "exact"}, "with groups, rows are permuted"),
        ({"groups": GROUPS, "estimator": "second_order"}, "with groups, it must be one of 'null'"),
        ({"groups": GROUPS, "axis": None}, "with groups it must be one axis"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        js_test(ROWS, **arguments)


def test_labels_of_several_kinds_are_refused():
    with pytest.raises(TypeError, match=r"^groups has labels of several kinds; make all of them"):
        js_test(ROWS, groups=np.array(["a", 1, 1, 1, 1], object))


def test_more_observations_than_are_exact_are_named():
    with pytest.raises(ValueError, match=r"x has 1\.8\d*e\+16 observations, more than 2\^53"):
        js_test(np.full((4, 1), 2**52), groups=[0, 0, 1, 1])


def test_rows_are_a_matrix_without_nan():
    with pytest.raises(ValueError, match="with groups it must be 2-d"):
        js_test(ROWS[0], groups=["a", "b", "a"])
    with pytest.raises(ValueError, match="x has a NaN"):
        js_test(np.where(ROWS == 5, np.nan, ROWS), groups=GROUPS)
