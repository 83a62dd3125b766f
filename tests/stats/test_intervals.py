"""Confidence intervals: what they are made of, and how often they hold the divergence."""

import numpy as np
import pytest
from scipy import stats

import jsdiv_numba
from jsdiv_numba.stats import ConfidenceInterval, js_test, pdist_test

P, Q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.3, 0.25, 0.25, 0.2])
TRUE = jsdiv_numba.js_divergence(P, Q, keepdims=False)


def drawn(number, size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.multinomial(size, P, number), rng.multinomial(size, Q, number)


def basic(seed):
    return stats.BootstrapMethod(n_resamples=999, method="basic", rng=seed)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_an_interval_ends_so_many_standard_errors_away(level):
    x, y = drawn(1, 500)
    result = js_test(x[0], y[0])
    p, q = x[0] / 500, y[0] / 500
    m = (p + q) / 2
    u, v = np.log(p / m) / 2, np.log(q / m) / 2
    delta = ((p * u * u).sum() - (p * u).sum() ** 2 + (q * v * v).sum() - (q * v).sum() ** 2) / 500
    interval = result.confidence_interval(level)
    assert isinstance(interval, ConfidenceInterval)
    z = stats.norm.ppf(0.5 + level / 2)
    for end in interval:
        variance = result.null_std**2 + delta / result.statistic * end
        np.testing.assert_allclose(abs(result.estimate - end), z * np.sqrt(variance), rtol=1e-9)
    assert interval.low < result.estimate < interval.high


def test_an_adjusted_interval_is_stretched_as_the_estimate_is():
    x, y = drawn(1, 60)
    plain, adjusted = (js_test(x[0], y[0], estimator=name) for name in ("null", "adjusted"))
    factor = adjusted.estimate / plain.estimate
    assert factor > 1
    ends = zip(plain.confidence_interval(), adjusted.confidence_interval(), strict=True)
    for end, stretched in ends:
        np.testing.assert_allclose(stretched, factor * end, rtol=1e-9)


def test_ends_are_what_a_divergence_can_be():
    x, y = drawn(300, 10)
    for estimator in ("null", "adjusted", "plugin"):
        low, high = js_test(x, y, estimator=estimator).confidence_interval()
        assert (low >= 0).all()
        assert (high <= np.log(2)).all()
        assert (low <= high).all()


def test_ends_are_of_the_batchs_shape():
    x, y = drawn(3, 100)
    assert js_test(x[:, None], y).confidence_interval().low.shape == (3, 3)
    assert pdist_test(x).confidence_interval(method=basic(0)).high.shape == (3,)


def test_intervals_hold_the_divergence():
    """Between 93 and 97 in 100, beyond which 6 standard errors of 20,000 intervals are."""
    x, y = drawn(20_000, 400)
    result = js_test(x, y)
    low, high = result.confidence_interval()
    share = np.mean((low <= TRUE) & (high >= TRUE))
    assert not result.undersampled.any()
    assert 0.93 < share < 0.97


def test_bootstrapped_intervals_hold_the_divergence():
    """Of 200 about 190; fewer than 170 are less likely than 1 in 10^9."""
    x, y = drawn(200, 400)
    low, high = js_test(x, y).confidence_interval(method=basic(1))
    assert ((low <= TRUE) & (high >= TRUE)).sum() >= 170


def test_a_bootstrapped_interval_depends_on_its_seed_alone():
    x, y = drawn(2, 100)
    first = js_test(x, y, workers=1).confidence_interval(method=basic(3))
    again = js_test(x, y, workers=2).confidence_interval(method=basic(3))
    np.testing.assert_array_equal(first, again)


def test_few_observations_are_flagged():
    rng = np.random.default_rng(1)
    p = np.full(1000, 1e-3)
    x, y = rng.multinomial(500, p, (2, 20))
    assert js_test(x, y).undersampled.all()
    x, y = rng.multinomial(100_000, p, (2, 20))
    assert not js_test(x, y).undersampled.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"confidence_level": 95}, "confidence_level is 95; it must be between 0 and 1"),
        ({"confidence_level": "a"}, "confidence_level is 'a'; it must be between 0 and 1"),
        ({"method": "basic"}, "method is 'basic'; it must be None or scipy.stats.BootstrapMethod"),
        ({"method": stats.BootstrapMethod()}, "pass method='basic' to it"),
        (
            {"method": stats.BootstrapMethod(n_resamples=0, method="basic")},
            "n_resamples is 0; it must be a positive whole number",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        js_test([1, 2], [2, 1]).confidence_interval(**arguments)
