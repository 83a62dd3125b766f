"""What many distributions have in the middle: the mean, and the nearest to all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdiv_numba import js_centroid, js_divergence, js_divergence_grad, kl_divergence

RNG = np.random.default_rng(4)
P = RNG.dirichlet(np.full(6, 0.5), (5, 3))
WEIGHTS = np.array([3.0, 1.0, 0.0, 2.0, 0.5])
SHARES = WEIGHTS / WEIGHTS.sum()


def to_all(divergence, rows, centroid, shares):
    return np.tensordot(shares, divergence(rows, centroid, keepdims=False), 1)


def test_the_mean_is_the_default():
    np.testing.assert_allclose(js_centroid(P), P.mean(axis=0), rtol=1e-15)
    np.testing.assert_allclose(js_centroid(P, weights=WEIGHTS), np.tensordot(SHARES, P, 1))
    counts = [[3, 1], [1, 1]]
    np.testing.assert_allclose(js_centroid(counts, normalise=True), [0.625, 0.375])


@pytest.mark.parametrize(
    ("method", "divergence"), [("mean", kl_divergence), ("cccp", js_divergence)]
)
def test_no_other_distribution_is_nearer_to_all(method, divergence):
    centroid = js_centroid(P, weights=WEIGHTS, method=method)
    np.testing.assert_allclose(centroid.sum(axis=-1), 1, rtol=1e-14)
    least = to_all(divergence, P, centroid, SHARES)
    rng = np.random.default_rng(1)
    for size in (1e-1, 1e-3, 1e-5):
        for _ in range(50):
            other = centroid * np.exp(size * rng.standard_normal(centroid.shape))
            other /= other.sum(axis=-1, keepdims=True)
            assert (to_all(divergence, P, other, SHARES) >= least * (1 - 1e-14)).all()


@given(st.integers(0, 1 << 30))
@settings(max_examples=30)
def test_the_slopes_of_the_nearest_to_all_are_one(seed):
    """The condition for the least: all that changes the centroid's sum changes it alike."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(7, 0.7), 4) * (rng.random((4, 7)) < 0.8) + 1e-3
    rows /= rows.sum(axis=1, keepdims=True)
    weights = rng.dirichlet(np.ones(4))
    centroid = js_centroid(rows, weights=weights, method="cccp", tol=1e-13)
    _, _, slope = js_divergence_grad(rows, centroid[None], cotangent=weights[:, None])
    assert np.ptp(slope) < 1e-9


@pytest.mark.parametrize("method", ["mean", "cccp"])
def test_no_setting_for_floating_point_errors_matters(method):
    with np.errstate(all="raise"):
        centroid = js_centroid([[1e-308, 1.0], [3e-320, 1.0]], method=method)
        narrow = js_centroid(np.float32([[1e-38, 1.0], [3e-40, 1.0]]), method=method)
    np.testing.assert_allclose(centroid, [0.0, 1.0], atol=1e-300)
    np.testing.assert_allclose(narrow, [0.0, 1.0], atol=1e-30)


def test_each_step_is_the_geometric_mean_of_midpoints():
    rows = P[:, 0]
    mean = rows.mean(axis=0)
    step = np.exp(np.log((rows + mean) / 2).mean(axis=0))
    with pytest.warns(RuntimeWarning, match="js_centroid: after 1 steps the last one has moved"):
        once = js_centroid(rows, method="cccp", max_iter=1)
    np.testing.assert_allclose(once, step / step.sum(), rtol=1e-13)


def test_of_equal_and_of_symmetric_distributions():
    one = P[0, 0]
    np.testing.assert_allclose(js_centroid([one, one, one], method="cccp"), one, rtol=1e-15)
    np.testing.assert_allclose(js_centroid(np.eye(4), method="cccp"), np.full(4, 0.25), rtol=1e-9)
    alone = js_centroid([one, P[1, 0]], weights=[1, 0], method="cccp")
    np.testing.assert_allclose(alone, one, rtol=1e-15)


def test_categories_that_nobody_has_stay_empty():
    rows = P[:, 0].copy()
    rows[:, 2] = 0
    centroid = js_centroid(rows / rows.sum(axis=1, keepdims=True), method="cccp")
    assert centroid[2] == 0
    assert (np.delete(centroid, 2) > 0).all()


@pytest.mark.parametrize("method", ["mean", "cccp"])
def test_along_axes(method):
    expected = js_centroid(P, method=method)
    moved = np.moveaxis(P, 0, 1)
    np.testing.assert_allclose(js_centroid(moved, over=1, method=method), expected, rtol=1e-9)
    turned = js_centroid(np.swapaxes(P, 1, 2), axis=1, method=method)
    np.testing.assert_allclose(turned, expected.T, rtol=1e-9)
    joint = js_centroid(P / 3, axis=None, method=method)
    assert joint.shape == (3, 6)
    np.testing.assert_allclose(joint.sum(), 1)
    single = js_centroid(P.astype(np.float32), method=method)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5)


def test_a_nan_stays_where_it_is():
    rows = P.copy()
    rows[1, 2, 3] = np.nan
    centroid = js_centroid(rows, method="cccp")
    np.testing.assert_allclose(centroid[:2], js_centroid(P, method="cccp")[:2], rtol=1e-9)
    assert np.isnan(centroid[2]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "median"}, "method is 'median'; it must be one of 'mean', 'cccp'"),
        ({"tol": 0}, "tol is 0; it must be positive"),
        ({"max_iter": 0}, "max_iter is 0; it must be positive"),
        ({"weights": [1, 2]}, r"weights has shape \(2,\); P has 5 distributions"),
    ],
)
def test_what_is_wrong_is_said(options, message):
    with pytest.raises(ValueError, match=message):
        js_centroid(P, **options)


@pytest.mark.parametrize("max_iter", [1.5, np.inf, "many"])
def test_a_number_of_steps_is_an_integer(max_iter):
    with pytest.raises(TypeError, match=f"max_iter is {max_iter!r}; it must be an integer"):
        js_centroid(P, max_iter=max_iter)


def test_an_invalid_probability_is_named():
    with pytest.raises(ValueError, match=r"P\[0, 1\] is -1"):
        js_centroid([[1, -1], [0, 1]])


def test_sums_that_overflow():
    rows, scale = np.array([[1.2, 0.9, 0.9], [1.0, 1.9, 0.1]]), np.finfo(float).max / 2
    expected = js_centroid(rows, method="cccp")
    ours = js_centroid(scale * rows, method="cccp") / scale
    np.testing.assert_allclose(ours, expected, rtol=1e-14)


def test_a_nan_concerns_its_distributions_alone():
    settings = {"method": "cccp", "tol": 1e-13}
    pairs = np.stack([P[:2], P[1:3]], axis=1)
    expected = js_centroid(pairs, **settings)
    pairs[0, 0, 0, 1] = np.nan
    ours = js_centroid(pairs, **settings)
    np.testing.assert_array_equal(ours[0, 0], np.nan)
    np.testing.assert_allclose(ours[1], expected[1], rtol=1e-11)
