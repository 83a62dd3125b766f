"""The derivatives of the Kullback-Leibler divergence and of the entropy."""

import numpy as np
import pytest
from mpmath import isinf, log, mp, mpf

from jsdiv_numba import (
    entropy,
    entropy_grad,
    entropy_logit,
    entropy_logit_grad,
    kl_divergence,
    kl_divergence_grad,
    kl_divergence_logit,
    kl_divergence_logit_grad,
)
from tests import cases, oracle

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(5, 0.5), (2, 4, 3)) + 0.01
ALL = pytest.mark.parametrize(
    ("gradient", "function", "arrays"),
    [
        (kl_divergence_grad, kl_divergence, (P, Q)),
        (kl_divergence_logit_grad, kl_divergence_logit, (3 * P, Q)),
        (entropy_grad, entropy, (P,)),
        (entropy_logit_grad, entropy_logit, (3 * P,)),
    ],
    ids=["kl", "kl of logits", "entropy", "entropy of logits"],
)
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
CASES = 50
ERROR = {np.float64: 1e-14, np.float32: 1e-6}
LOGIT_ERROR = {np.float64: 1e-12, np.float32: 1e-5}


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_derivatives_in_probabilities(kind, dtype):
    """Relative to the parts log(p/q) and 1, of which one may take the other away."""
    rng, highest = np.random.default_rng(1), float(np.finfo(dtype).max)
    for _ in range(CASES):
        p, q = cases.ROWS[kind](rng, dtype)
        _, in_p, in_q = kl_divergence_grad(p, q)
        _, of_entropy = entropy_grad(p)
        for i in np.flatnonzero((p > 0) & (q > 0)):
            ratio = mpf(float(p[i])) / mpf(float(q[i]))
            error = abs(mpf(float(in_p[i])) - log(ratio) - 1) / (abs(log(ratio)) + 1)
            assert error < ERROR[dtype], (p[i], q[i])
            if ratio < highest:
                assert oracle.relative_error(in_q[i], -ratio) < ERROR[dtype]
        for x, slope in zip(p, of_entropy, strict=True):
            if x:
                exact = -log(mpf(float(x))) - 1
                assert abs(mpf(float(slope)) - exact) < ERROR[dtype] * (abs(exact) + 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_derivatives_at_0(dtype):
    p, q = np.array([[0, 0.5, 0, -0.0], [0.5, 0, 0, 0]], dtype)
    value, in_p, in_q = kl_divergence_grad(p, q)
    assert value == np.inf
    np.testing.assert_array_equal(in_p, np.array([-np.inf, np.inf, 1, 1], dtype), strict=True)
    np.testing.assert_array_equal(in_q, np.array([0, -np.inf, -1, -1], dtype), strict=True)
    _, in_p, in_q = kl_divergence_grad(p, q, cotangent=0)
    np.testing.assert_array_equal([in_p, in_q], np.zeros((2, 4)))
    np.testing.assert_array_equal(entropy_grad(p)[1][[0, 2, 3]], np.inf)


def worst(computed, exact, dtype):
    """Return the largest error, relative to the largest derivative."""
    errors = [abs(mpf(float(c)) - e) for c, e in zip(computed, exact, strict=True)]
    unavoidable = 1e9 * float(np.finfo(dtype).tiny)
    return float(max(errors) / (max(map(abs, exact)) + unavoidable))


@PRECISIONS
@pytest.mark.parametrize("kind", cases.LOGITS)
@pytest.mark.parametrize("weighted", [False, True])
def test_derivatives_in_logits(kind, weighted, dtype):
    rng = np.random.default_rng(2)
    with mp.workdps(150):
        for _ in range(CASES):
            a, b = cases.LOGITS[kind](rng, dtype)
            c = rng.standard_normal(a.size).astype(dtype) if weighted else np.ones_like(a)
            options = {"reduce": False, "cotangent": c} if weighted else {}
            weights = [mpf(float(x)) for x in c]
            p, q = oracle.softmax(a), oracle.softmax(b)
            slopes = [w * (log(x) + 1) if x else mpf(0) for w, x in zip(weights, p, strict=True)]
            mean = sum(x * slope for x, slope in zip(p, slopes, strict=True))
            exact = [x * (mean - slope) for x, slope in zip(p, slopes, strict=True)]
            if max(map(abs, exact)) > 1e-30:
                in_a = entropy_logit_grad(a, **options)[1]
                assert worst(in_a, exact, dtype) < LOGIT_ERROR[dtype], a
            _, in_a, in_b = kl_divergence_logit_grad(a, b, **options)
            total = sum(w * x for w, x in zip(weights, p, strict=True))
            exact = [y * total - w * x for w, x, y in zip(weights, p, q, strict=True)]
            if max(map(abs, exact)) > 1e-30:
                assert worst(in_b, exact, dtype) < LOGIT_ERROR[dtype], (a, b)
            if any(isinf(term) for term in oracle.kl_terms_logit(a, b)):
                continue
            slopes = [
                w * (log(x / y) + 1) if x else mpf(0) for w, x, y in zip(weights, p, q, strict=True)
            ]
            mean = sum(x * slope for x, slope in zip(p, slopes, strict=True))
            exact = [x * (slope - mean) for x, slope in zip(p, slopes, strict=True)]
            if max(map(abs, exact)) > 1e-30:
                assert worst(in_a, exact, dtype) < LOGIT_ERROR[dtype], (a, b)


def test_an_infinite_divergence_of_logits_has_half_its_derivatives():
    value, in_a, in_b = kl_divergence_logit_grad([[0.0, 0.0], [0.0, 1.0]], [0.0, -np.inf])
    np.testing.assert_array_equal(value, np.inf)
    assert np.isnan(in_a).all()
    assert np.isfinite(in_b).all()


@ALL
@pytest.mark.parametrize("axis", [-1, 0, (0, 1), None], ids=str)
@pytest.mark.parametrize("reduce", [True, False])
def test_central_differences_and_the_value(gradient, function, arrays, axis, reduce):
    options = {"axis": axis, "reduce": reduce, "base": 2}
    weights = RNG.standard_normal(np.shape(function(*arrays, **options)))
    value, *gradients = gradient(*arrays, cotangent=weights, **options)
    np.testing.assert_array_equal(value, function(*arrays, **options), strict=True)
    for which, computed in enumerate(gradients):
        direction = RNG.standard_normal(arrays[which].shape)
        ends = []
        for step in (-1e-6, 1e-6):
            moved = [x + step * direction if i == which else x for i, x in enumerate(arrays)]
            ends.append((weights * function(*moved, **options)).sum())
        expected = (ends[1] - ends[0]) / 2e-6
        np.testing.assert_allclose((computed * direction).sum(), expected, rtol=1e-6, atol=1e-7)


@ALL
def test_workers_and_layout(gradient, function, arrays):
    arrays = tuple(np.tile(x, (200, 1, 7)) for x in arrays)
    expected = gradient(*arrays, workers=1)
    for one, other in zip(gradient(*arrays, workers=3), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    strided = gradient(*(np.repeat(x, 2, axis=-1)[..., ::2] for x in arrays), axis=-1)
    for one, other in zip(strided, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-17)


def test_temperature():
    X = 3 * RNG.standard_normal((4, 5))
    value, in_X = entropy_logit_grad(X, temperature=2.5, cotangent=3.0)
    np.testing.assert_array_equal(value, entropy_logit(X, temperature=2.5))
    np.testing.assert_allclose(in_X, 3 * entropy_logit_grad(X / 2.5)[1] / 2.5, rtol=1e-9)


@ALL
def test_a_nan_stays_in_its_row(gradient, function, arrays):
    first, *rest = arrays
    first = first.copy()
    first[1, 1, 2] = np.nan
    _, *gradients = gradient(first, *rest)
    for spoiled, clean in zip(gradients, gradient(*arrays)[1:], strict=True):
        assert np.isnan(spoiled[1, 1]).all()
        expected = clean.copy()
        expected[1, 1] = np.nan
        np.testing.assert_array_equal(spoiled, expected)
