"""SciPy as the reference, on rows where its formulas lose nothing."""

import numpy as np
import pytest
from scipy.spatial import distance
from scipy.special import entr, rel_entr, softmax

from jsdiv_numba import (
    cdist,
    jensenshannon,
    js_divergence,
    js_divergence_logit,
    js_sum,
    js_term,
    pdist,
)

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(40, 0.4), (2, 6, 5))
P, Q = (np.where(x < 0.01, 0, x) for x in (P, Q))
P, Q = (x / x.sum(axis=-1, keepdims=True) for x in (P, Q))
M = (P + Q) / 2
TERMS = (rel_entr(P, M) + rel_entr(Q, M)) / 2
PRECISIONS = pytest.mark.parametrize(
    ("dtype", "rounding"), [(np.float64, 1e-12), (np.float32, 2e-6)]
)


def test_terms():
    np.testing.assert_allclose(js_term(P, Q), TERMS, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(js_divergence(P, Q, reduce=False), TERMS, rtol=1e-12, atol=1e-16)


@PRECISIONS
@pytest.mark.parametrize("axis", [-1, 0, 1, (0, 1), (1, 2), None], ids=str)
def test_sums_of_relative_entropies(axis, dtype, rounding):
    result = js_divergence(P.astype(dtype), Q.astype(dtype), axis=axis)
    np.testing.assert_allclose(result, TERMS.sum(axis=axis, keepdims=True), rtol=rounding)


def test_entropy_of_the_mixture_less_the_mean_of_the_entropies():
    gain = entr(M).sum(axis=-1) - (entr(P) + entr(Q)).sum(axis=-1) / 2
    np.testing.assert_allclose(js_sum(P, Q), gain, rtol=1e-12)


@PRECISIONS
@pytest.mark.parametrize("base", [None, 2, 10])
@pytest.mark.parametrize("keepdims", [True, False])
def test_the_distance_squared(base, keepdims, dtype, rounding):
    expected = distance.jensenshannon(P, Q, base=base, axis=-1, keepdims=keepdims) ** 2
    result = js_divergence(P.astype(dtype), Q.astype(dtype), base=base, keepdims=keepdims)
    np.testing.assert_allclose(result, expected, rtol=rounding)


@pytest.mark.parametrize("axis", [-1, 0])
def test_logits_are_softmaxed(axis):
    A, B = 3 * RNG.standard_normal((2, 6, 40))
    expected = distance.jensenshannon(softmax(A, axis), softmax(B, axis), axis=axis) ** 2
    result = js_divergence_logit(A, B, axis=axis, keepdims=False)
    np.testing.assert_allclose(result, expected, rtol=1e-11)


def test_what_scipy_cancels_is_kept():
    """Near-equal rows, where its terms of both signs leave nothing but rounding."""
    q = P[0, 0] * (1 + 1e-9 * np.resize([1, -1], 40))
    exact = np.sum(P[0, 0]) * 1e-18 / 8
    assert js_divergence(P[0, 0], q, keepdims=False) == pytest.approx(exact, rel=1e-6)
    m = (P[0, 0] + q) / 2
    assert abs((rel_entr(P[0, 0], m) + rel_entr(q, m)).sum() / 2 - exact) > exact


def test_what_broadcasts_along_the_categories_is_normalised_afterwards():
    """SciPy divides one number by itself, so that it counts as 1 for each category."""
    q, in_full = np.array([[0.2, 0.8], [0.5, 0.5]]), np.full((2, 2), 0.25)
    result = jensenshannon(0.25, q, axis=1)
    np.testing.assert_array_equal(result, jensenshannon(in_full, q, axis=1))
    np.testing.assert_allclose(result, distance.jensenshannon(in_full, q, axis=1), rtol=1e-12)
    assert result[1] == 0.0
    assert distance.jensenshannon([[0.25], [0.25]], q, axis=1)[1] > 0.1
    logits = js_divergence_logit([[0.0], [3.0]], [[1.0, 2.0]])
    expected = js_divergence_logit([[0.0, 0.0], [3.0, 3.0]], [1.0, 2.0])
    np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("rows", [np.empty((3, 0)), np.zeros((3, 2))], ids=["empty", "zeros"])
def test_rows_that_cannot_be_divided_by_their_sum_are_nan(rows):
    np.testing.assert_array_equal(jensenshannon(rows, rows, axis=1), np.full(3, np.nan))
    np.testing.assert_array_equal(cdist(rows, rows[:2]), np.full((3, 2), np.nan))
    np.testing.assert_array_equal(pdist(rows), np.full(3, np.nan))
    np.testing.assert_array_equal(js_divergence(rows, rows), np.zeros((3, 1)))
