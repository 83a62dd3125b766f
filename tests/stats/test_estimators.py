"""Estimates of the divergence of the distributions that samples come from."""

import math

import numpy as np
import pytest
from mpmath import digamma, log, mpf

from jsdiv_numba.stats import js_divergence_counts, js_test, pdist_test
from tests import counts_oracle as oracle

RNG = np.random.default_rng(8)
X, Y = RNG.multinomial(60, np.full(15, 1 / 15), (2, 5))


def entropy(counts):
    """Grassberger's estimate, from its definition."""
    size = int(sum(counts))

    def gain(c):
        sign = (-1) ** c
        halves = digamma(mpf(c + 1) / 2) - digamma(mpf(c) / 2)
        return digamma(c) + mpf(sign) / 2 * halves

    return log(size) - sum(int(c) * gain(int(c)) for c in counts if c) / size


def test_the_mean_by_chance_is_subtracted():
    result = js_test(X, Y)
    np.testing.assert_array_equal(result.estimate, result.statistic - result.null_mean)
    np.testing.assert_array_equal(js_divergence_counts(X, Y), result.estimate)


def test_plugin_corrects_nothing():
    result = js_test(X, Y, estimator="plugin")
    np.testing.assert_array_equal(result.estimate, result.statistic)


def test_adjusted_is_log_2_for_samples_without_a_common_category():
    x, y = [4, 3, 2, 0, 0], [0, 0, 0, 5, 6]
    np.testing.assert_allclose(js_divergence_counts(x, y, estimator="adjusted"), np.log(2))
    assert np.isnan(js_divergence_counts([1, 0, 1], [0, 1, 0], estimator="adjusted"))


@pytest.mark.parametrize(("x", "y"), [([3, 1, 0, 2], [1, 2, 2, 7]), (X[0], Y[0] * 2)])
def test_the_second_order_is_as_defined(x, y):
    n1, n2 = int(sum(x)), int(sum(y))
    bias = mpf(0)
    for a, b in zip(x, y, strict=True):
        if a and b:
            p, q = mpf(int(a)) / n1, mpf(int(b)) / n2
            bias += (q * (1 - p) / n1 + p * (1 - q) / n2) / (p + q) / 4
    exact = oracle.divergence([int(a) for a in x], [int(b) for b in y]) - bias
    found = js_divergence_counts(x, y, estimator="second_order")
    np.testing.assert_allclose(found, float(exact), rtol=1e-12)


def test_grassbergers_entropies_are_as_defined():
    exact = [
        float(entropy(x + y) - (entropy(x) + entropy(y)) / 2) for x, y in zip(X, Y, strict=True)
    ]
    found = js_divergence_counts(X, Y, estimator="grassberger")
    np.testing.assert_allclose(found, exact, rtol=1e-11)
    # Counts above those that a table has.
    x, y = [70_000, 3], [69_990, 13]
    exact = entropy(np.add(x, y)) - (entropy(x) + entropy(y)) / 2
    found = js_divergence_counts(x, y, estimator="grassberger")
    np.testing.assert_allclose(found, float(exact), rtol=1e-9)


def test_grassbergers_samples_are_of_one_size():
    with pytest.raises(ValueError, match="samples of one size; 3 and 4 are two"):
        js_divergence_counts([1, 2], [2, 2], estimator="grassberger")


def test_estimates_of_pairs_are_those_of_rows():
    for estimator in ("adjusted", "second_order", "grassberger"):
        found = pdist_test(X, estimator=estimator).estimate
        np.testing.assert_array_equal(
            found[0], js_divergence_counts(X[0], X[1], estimator=estimator)
        )


@pytest.mark.parametrize("estimator", ["null", "adjusted"])
def test_no_difference_gives_0_on_the_mean(estimator):
    """The mean of 4,000 estimates is within 6.1 standard errors: once in 10^9 it is not."""
    p = 1 / np.arange(1, 201)
    x, y = RNG.multinomial(50, p / p.sum(), (2, 4000))
    values = js_divergence_counts(x, y, estimator=estimator)
    assert abs(values.mean()) < 6.1 * values.std() / math.sqrt(len(values))
    plain = js_divergence_counts(x, y, estimator="plugin")
    assert plain.mean() > 0.2
