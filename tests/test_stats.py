"""Tests and estimates for samples: what they return, for which inputs, and what they refuse."""

import math
import pickle
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse, stats
from scipy.spatial.distance import squareform

import jsdiv_numba
from jsdiv_numba.stats import (
    JSTestResult,
    cdist_test,
    js_divergence_counts,
    js_test,
    pdist_test,
)
from tests import counts_oracle as oracle
from tests.strategies import LAYOUTS

FIELDS = "statistic", "pvalue", "estimate", "null_mean", "null_std", "undersampled"
RNG = np.random.default_rng(2)
X, Y = RNG.poisson(2, (2, 3, 4, 6))
"""Samples of 6 categories, in batches of (3, 4)."""

SMALL = [3, 1, 0, 2], [1, 2, 2, 0]


def same(result, other, rtol=1e-12):
    for name in FIELDS:
        np.testing.assert_allclose(getattr(result, name), getattr(other, name), rtol=rtol)


def test_a_pair_gives_scalars_and_a_readable_result():
    result = js_test(*SMALL)
    assert isinstance(result, JSTestResult)
    assert all(np.shape(getattr(result, name)) == () for name in FIELDS)
    text = repr(result)
    assert text.startswith("JSTestResult(statistic=np.float64(")
    assert all(f"{name}=" in text for name in FIELDS)
    assert "_interval" not in text


def shown(result):
    """The caption and the rows of the table that a notebook shows."""
    root = ElementTree.fromstring(result._repr_html_())
    return root.find("caption").text, [[cell.text for cell in row] for row in root.iter("tr")]


def test_a_notebook_shows_a_table():
    result = js_test(*SMALL)
    caption, (head, line) = shown(result)
    assert caption == "Do two samples come from one distribution?"
    assert head == list(FIELDS)
    assert [float(cell) for cell in line[:-1]] == [
        float(f"{getattr(result, name):.4g}") for name in FIELDS[:-1]
    ]
    assert line[-1] == str(result.undersampled)


def test_of_many_tests_a_notebook_shows_the_smallest_p_values():
    counts = np.random.default_rng(0).multinomial(60, np.full(5, 0.2), (4, 6))
    counts[1, 2] = [60, 0, 0, 0, 0]
    counts[3, 3] = 0
    result = js_test(counts, counts[:1, :1])
    caption, (head, *lines) = shown(result)
    assert head[:2] == ["axis 0", "axis 1"]
    assert caption == (
        f"4 × 6 tests, the 10 of the smallest p-values; p ≤ 0.05 in {(result.pvalue <= 0.05).sum()}"
    )
    found = [result.pvalue[int(i), int(j)] for i, j, *_ in lines]
    assert found == sorted(result.pvalue[~np.isnan(result.pvalue)])[:10]
    assert lines[0][:2] == ["1", "2"]
    assert shown(js_test(counts[:0, 0], counts[0, 0]))[0] == "0 tests; p ≤ 0.05 in 0"
    assert shown(js_test(counts[3, 3], counts[0, 0]))[1][1][:2] == ["nan", "nan"]


@pytest.mark.parametrize("method", ["auto", stats.MonteCarloMethod(n_resamples=9)])
def test_progress_counts_pairs(method, monkeypatch):
    monkeypatch.setattr("jsdiv_numba._stats.null.BLOCK_PAIRS", 4)
    counts = np.random.default_rng(0).multinomial(30, np.full(4, 0.25), 6)
    for test, total in ((pdist_test, 15), (lambda x, **more: cdist_test(x, x, **more), 36)):
        seen = []
        test(counts, method=method, progress=lambda *told, seen=seen: seen.append(told), workers=2)
        assert seen[-1] == (total, total)
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)
        assert len(seen) > 3


def test_the_statistic_is_the_divergence_of_the_shares():
    x, y = (np.array(sample) for sample in SMALL)
    expected = jsdiv_numba.js_divergence(x / x.sum(), y / y.sum(), keepdims=False)
    np.testing.assert_allclose(js_test(x, y).statistic, expected, rtol=1e-14)


def test_mean_deviation_and_tail_are_those_of_all_tables():
    totals = [x + y for x, y in zip(*SMALL, strict=True)]
    mean, variance, _ = oracle.moments_of_tables(totals, 6)
    tail = oracle.tail_of_tables(totals, 6, oracle.divergence(*SMALL))
    result = js_test(*SMALL)
    np.testing.assert_allclose(result.null_mean, float(mean), rtol=1e-10)
    np.testing.assert_allclose(result.null_std, math.sqrt(variance), rtol=1e-10)
    np.testing.assert_allclose(result.pvalue, float(tail), rtol=1e-12)


def test_a_batch_has_the_results_of_its_pairs():
    result = js_test(X, Y)
    for index in np.ndindex(3, 4):
        alone = js_test(X[index], Y[index])
        for name in FIELDS:
            assert getattr(result, name)[index] == getattr(alone, name)


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (-1, 0), None])
@pytest.mark.parametrize("keepdims", [False, True])
def test_any_axes_hold_the_categories(axis, keepdims):
    axes = tuple(range(3)) if axis is None else np.atleast_1d(axis) % 3
    kept = [a for a in range(3) if a not in axes]
    rows = [np.transpose(z, [*kept, *sorted(axes)]) for z in (X, Y)]
    flat = [z.reshape(*[z.shape[i] for i in range(len(kept))], -1) for z in rows]
    result = js_test(X, Y, axis=axis, keepdims=keepdims)
    expected = js_test(*flat)
    shape = tuple(1 if a in axes else X.shape[a] for a in range(3))
    for name in FIELDS:
        found = np.asarray(getattr(result, name))
        assert found.shape == (shape if keepdims else np.shape(expected.pvalue))
        np.testing.assert_array_equal(found.ravel(), np.ravel(getattr(expected, name)))


def test_batches_broadcast():
    result = js_test(X[:, :1], Y[0])
    assert result.pvalue.shape == (3, 4)
    assert result.pvalue[2, 3] == js_test(X[2, 0], Y[0, 3]).pvalue


def test_the_order_of_samples_changes_no_bit():
    result, swapped = js_test(X, Y), js_test(Y, X)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(result, name), getattr(swapped, name))


@given(order=st.permutations(range(6)))
def test_the_order_of_categories_does_not_matter(order):
    same(js_test(X[..., order], Y[..., order]), js_test(X, Y))


@given(zeros=st.integers(1, 30))
def test_categories_without_observations_do_not_matter(zeros):
    x, y = (np.append(sample, [0] * zeros) for sample in SMALL)
    same(js_test(x, y), js_test(*SMALL))


def test_a_base_changes_the_unit_and_no_p_value():
    nats, bits = js_test(X, Y), js_test(X, Y, base=2)
    np.testing.assert_array_equal(bits.pvalue, nats.pvalue)
    for name in ("statistic", "estimate", "null_mean", "null_std"):
        np.testing.assert_allclose(getattr(bits, name), getattr(nats, name) / np.log(2))
    for end, other in zip(bits.confidence_interval(), nats.confidence_interval(), strict=True):
        np.testing.assert_allclose(end, other / np.log(2), atol=1e-15)


def test_workers_change_no_bit():
    once = [getattr(js_test(X, Y, workers=1), name) for name in FIELDS]
    again = [getattr(js_test(X, Y, workers=-1), name) for name in FIELDS]
    np.testing.assert_array_equal(once, again)


NARROW = [np.uint8, np.int16, np.int64, np.uint64, np.float16, np.float32, bool]


@pytest.mark.parametrize("dtype", NARROW)
def test_counts_are_of_any_dtype(dtype):
    x, y = (np.array(sample) for sample in ([1, 0, 1, 1], [1, 1, 0, 0]))
    same(js_test(x.astype(dtype), y.astype(dtype)), js_test(x, y))


def test_counts_lie_anywhere():
    misaligned = LAYOUTS["misaligned"]
    same(pdist_test(misaligned(X[0])), pdist_test(X[0]))
    same(js_test(misaligned(X), misaligned(Y)), js_test(X, Y))


def test_results_do_not_change_with_what_was_passed():
    method = stats.BootstrapMethod(n_resamples=9, method="basic", rng=1)
    for test, settings in ((js_test, {"groups": [0, 1, 0, 1]}), (pdist_test, {})):
        rows = X[0].copy()
        result, expected = test(rows, **settings), test(X[0], **settings)
        rows[:] = 7
        ends, others = (each.confidence_interval(method=method) for each in (result, expected))
        np.testing.assert_array_equal(ends, others)


def test_results_can_be_pickled():
    method = stats.BootstrapMethod(n_resamples=9, method="basic", rng=1)
    rows = X[0]
    grouped = js_test(rows, groups=[0, 1, 0, 1])
    for result in (js_test(X, Y), pdist_test(sparse.csr_array(rows)), grouped):
        copied = pickle.loads(pickle.dumps(result))
        same(copied, result)
        ends, others = (each.confidence_interval(method=method) for each in (copied, result))
        np.testing.assert_array_equal(ends, others)


def test_sparse_counts_stay_as_they_are():
    given = sparse.csr_array(([1, 2, 3, 4], [2, 0, 0, 1], [0, 3, 4]), (2, 3))
    same(pdist_test(given), pdist_test(given.toarray()))
    assert given.indices.tolist() == [2, 0, 0, 1]
    assert given.data.tolist() == [1, 2, 3, 4]


def test_sparse_counts_are_counts():
    x, y = X.reshape(12, 6), Y.reshape(12, 6)
    same(js_test(sparse.csr_array(x), sparse.coo_array(y)), js_test(x, y))
    same(pdist_test(sparse.csr_matrix(x)), pdist_test(x))
    same(cdist_test(sparse.csc_array(x), y), cdist_test(x, y))


def test_nan_propagates_by_default():
    x = X.astype(float)
    x[1, 2, 3] = np.nan
    result = js_test(x, Y)
    where = np.isnan(result.pvalue)
    assert np.argwhere(where).tolist() == [[1, 2]]
    assert np.isnan(result.confidence_interval().low[1, 2])
    assert np.isnan(js_divergence_counts(x, Y)[1, 2])


def test_nan_can_be_left_out():
    x, y = X.astype(float), Y.astype(float)
    x[1, 2, 3] = y[0, 0, 0] = np.nan
    result = js_test(x, y, nan_policy="omit")
    assert result.pvalue[1, 2] == js_test(X[1, 2, [0, 1, 2, 4, 5]], Y[1, 2, [0, 1, 2, 4, 5]]).pvalue
    assert result.pvalue[0, 0] == js_test(X[0, 0, 1:], Y[0, 0, 1:]).pvalue


def test_nan_in_a_matrix_loses_its_row():
    x = X[0].astype(float)
    x[2, 1] = np.nan
    for values in (x, sparse.csr_array(x)):
        lost = np.isnan(squareform(pdist_test(values).pvalue))
        assert lost.sum() == 2 * 3
        assert lost[2].sum() == 3


def test_no_observations_give_nan():
    result = js_test([[0, 0], [1, 2]], [[1, 2], [2, 1]])
    assert np.isnan(result.pvalue).tolist() == [True, False]
    assert np.isnan(result.estimate).tolist() == [True, False]


def test_empty_batches_are_no_error():
    assert js_test(np.zeros((0, 4), int), np.ones((0, 4), int)).pvalue.shape == (0,)
    assert pdist_test(np.ones((1, 4), int)).pvalue.shape == (0,)
    assert cdist_test(np.ones((0, 4), int), np.ones((2, 4), int)).estimate.shape == (0, 2)


@pytest.mark.parametrize("method", ["auto", "moments", "exact"])
def test_matrices_have_the_results_of_their_pairs(method):
    x, y = X[0], Y[1]
    crossed, within = cdist_test(x, y, method=method), pdist_test(x, method=method)
    condensed = iter(range(6))
    for i in range(4):
        for j in range(4):
            alone = js_test(x[i], y[j], method=method)
            assert [getattr(crossed, n)[i, j] for n in FIELDS] == [
                getattr(alone, n) for n in FIELDS
            ]
        for j in range(i + 1, 4):
            alone = js_test(x[i], x[j], method=method)
            assert within.pvalue[next(condensed)] == alone.pvalue


def test_exact_and_moments_agree_where_tables_are_many():
    rng = np.random.default_rng(0)
    x, y = rng.multinomial([20, 25], [0.3, 0.3, 0.2, 0.2])
    exact, moments = (js_test(x, y, method=m).pvalue for m in ("exact", "moments"))
    assert js_test(x, y).pvalue == exact
    assert abs(exact - moments) < 0.02


def within_binomial_limits(reached, number, probability):
    """Whether so many are not too few nor too many: in one run of 10^9 they would be."""
    low, high = stats.binom.ppf([5e-10, 1 - 5e-10], number, probability)
    return low <= reached <= high


@pytest.mark.parametrize("kind", [stats.PermutationMethod, stats.MonteCarloMethod])
def test_drawn_tables_give_the_same_p_value(kind):
    rng = np.random.default_rng(3)
    weights = 1 / np.arange(1, 41)
    x, y = rng.multinomial([60, 90], weights / weights.sum())
    drawn = js_test(x, y, method=kind(n_resamples=2000, rng=np.random.default_rng(1)))
    reached = round(drawn.pvalue * 2001) - 1
    assert within_binomial_limits(reached, 2000, js_test(x, y, method="moments").pvalue)


def test_a_permutation_test_counts_all_where_they_are_few():
    method = stats.PermutationMethod(n_resamples=1000, rng=0)
    result = js_test(*SMALL, method=method)
    assert result.pvalue == js_test(*SMALL, method="exact").pvalue


def test_resamples_depend_on_their_seed_alone():
    method = {seed: stats.MonteCarloMethod(n_resamples=99, rng=seed) for seed in (1, 2)}
    x, y = X[0], X[1]
    first = js_test(x, y, method=method[1], workers=1).pvalue
    np.testing.assert_array_equal(js_test(x, y, method=method[1], workers=2).pvalue, first)
    batch = stats.MonteCarloMethod(n_resamples=99, rng=1, batch=99)
    np.testing.assert_array_equal(js_test(x, y, method=batch).pvalue, first)
    assert (js_test(x, y, method=method[2]).pvalue != first).any()


def test_p_values_are_never_below_what_any_table_has():
    x, y = [5000, 0, 0], [0, 4000, 3000]
    assert js_test(x, y, method="moments").pvalue >= 0
    few = js_test([4, 0], [0, 4], method="moments").pvalue
    assert few >= (1 - 1e-12) / math.comb(8, 4)


def test_more_observations_than_can_be_drawn_are_named():
    huge = [10**15, 2], [10**15, 3]
    for method in (stats.PermutationMethod(n_resamples=9), stats.MonteCarloMethod(n_resamples=9)):
        with pytest.raises(ValueError, match=r"less than 1e\+09 observations; samples of 1e\+15"):
            js_test(*huge, method=method)
    assert 0.5 < js_test(*huge).pvalue < 1


@pytest.mark.parametrize("method", ["auto", "moments", "exact"])
def test_no_divergence_has_p_value_1(method):
    assert js_test([5, 9, 2], [5, 9, 2], method=method).pvalue == 1


def test_samples_without_a_choice_have_p_value_1():
    assert js_test([4, 0], [7, 0]).pvalue == 1
    assert js_test([1, 1, 0, 0], [0, 0, 1, 1], method="moments").pvalue == 1


def test_the_order_of_columns_of_tables_is_compared():
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame([SMALL[0]], columns=list("abcd"))
    y = pandas.DataFrame([SMALL[1]], columns=list("abdc"))
    for test in (js_test, cdist_test):
        with pytest.raises(ValueError, match="same columns in another order"):
            test(x, y)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[1, 2], [0.5, 1]], r"x\[1, 0\] is 0.5; counts must be whole numbers, not negative"),
        ([[1, 2], [1, -1]], r"x\[1, 1\] is -1; counts must be whole numbers, not negative"),
        ([[1, np.inf]], r"x\[0, 1\] is inf; counts must be whole numbers, not negative"),
        ([[1, 2.0**60]], r"x\[0, 1\] is 1\.15\d*e\+18; counts must be at most 2\^53"),
        ([[2**52, 2**52, 2**52]], r"x\[0\] has 1\.351e\+16 observations, more than 2\^53"),
    ],
)
def test_what_is_no_count_is_named(x, message):
    with pytest.raises(ValueError, match=message):
        js_test(x, np.ones_like(x))
    for values in (x, sparse.csr_array(np.array(x))):
        with pytest.raises(ValueError, match=message.replace("x", "X", 1)):
            pdist_test(values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"estimator": "jackknife"}, "estimator is 'jackknife'; it must be one of 'null'"),
        ({"method": "asymptotic"}, "method is 'asymptotic'; it must be one of 'auto'"),
        ({"method": stats.BootstrapMethod()}, "method is BootstrapMethod"),
        ({"method": stats.MonteCarloMethod(rvs=(None,))}, "method has rvs"),
        ({"method": stats.PermutationMethod(n_resamples=0)}, "n_resamples is 0"),
        ({"method": stats.PermutationMethod(n_resamples=np.inf)}, "n_resamples is inf"),
        ({"nan_policy": "ignore"}, "nan_policy is 'ignore'; it must be one of 'propagate'"),
        ({"base": 1}, "base is 1"),
        ({"workers": 0}, "workers is 0"),
        ({"axis": 3}, "axis 3 is out of bounds"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        js_test([[1, 2]], [[2, 1]], **arguments)


def test_nan_can_be_an_error():
    with pytest.raises(ValueError, match=r"y\[1\] is nan, and nan_policy is 'raise'"):
        js_test([1, 2], [1, np.nan], nan_policy="raise")


def test_too_many_tables_are_refused():
    with pytest.raises(ValueError, match="method is 'exact', which lists at most 1e9 tables"):
        js_test(np.full(40, 9), np.full(40, 8), method="exact")


def test_shapes_have_to_fit():
    with pytest.raises(ValueError, match="x of shape"):
        js_test([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="different numbers of columns"):
        cdist_test([[1, 2, 3]], [[1, 2]])
    with pytest.raises(ValueError, match="X has shape"):
        pdist_test([1, 2, 3])
