"""The derivatives of the Kullback-Leibler divergence and of the entropy."""

import numpy as np
import pytest
from mpmath import mp, mpf
from scipy import special

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
        both = (p > 0) & (q > 0)
        exact_p, exact_q = oracle.kl_slopes(p[both], q[both])
        for computed, exact in zip(in_p[both], exact_p, strict=True):
            error = abs(mpf(float(computed)) - exact) / (abs(exact - 1) + 1)
            assert error < ERROR[dtype], (p, q)
        for computed, exact in zip(in_q[both], exact_q, strict=True):
            if -exact < highest:
                assert oracle.relative_error(computed, exact) < ERROR[dtype], (p, q)
        slopes = oracle.entropy_slopes(p[p > 0])
        for computed, exact in zip(of_entropy[p > 0], slopes, strict=True):
            error = abs(mpf(float(computed)) - exact) / (abs(exact + 1) + 1)
            assert error < ERROR[dtype], p


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
            _, in_a = entropy_logit_grad(a, **options)
            error = oracle.error_of_largest(in_a, oracle.entropy_gradient_logit(a, c))
            assert error < LOGIT_ERROR[dtype], a
            _, *computed = kl_divergence_logit_grad(a, b, **options)
            for one, exact in zip(computed, oracle.kl_gradient_logit(a, b, c), strict=True):
                if exact is None:
                    assert np.isnan(one).all()
                else:
                    assert oracle.error_of_largest(one, exact) < LOGIT_ERROR[dtype], (a, b)


@PRECISIONS
def test_an_infinite_divergence_of_logits_has_half_its_derivatives(dtype):
    """Infinite is it too where the probability ruled out is too small to hold."""
    low = -np.inf
    P = np.array([[0, 0, 1], [0, 1, -300], [-2000, 0, 1], [0, 1, -1]], dtype)
    Q = np.array([[0, low, 0], [0, 1, low], [low, 1, 2], [low, low, 0]], dtype)
    value, in_a, in_b = kl_divergence_logit_grad(P, Q)
    np.testing.assert_array_equal(value, np.inf)
    assert np.isnan(in_a).all()
    expected = special.softmax(Q, axis=-1) - special.softmax(P, axis=-1)
    np.testing.assert_allclose(in_b, expected, rtol=1e-5, atol=1e-7)


@PRECISIONS
def test_terms_that_do_not_count_spoil_no_derivative(dtype):
    """A category that Q rules out, among terms of which it is none."""
    P = np.array([[3, 0, 1, -1], [0, 0, 1, 2], [9, 8, 7, 700], [0, 1, 2, 3]], dtype)
    Q = np.array([[-np.inf, 1, 0, 2], [-np.inf, 0, -np.inf, 1], [2, 1, 0, -np.inf], [0] * 4], dtype)
    counts = np.array([[0, 1, 2, -1], [0, 1, 0, 1], [1, 1, 1, 0], [0] * 4], dtype)
    _, in_a, in_b = kl_divergence_logit_grad(P, Q, reduce=False, cotangent=counts)
    for a, b, c, *computed in zip(P, Q, counts, in_a, in_b, strict=True):
        for one, exact in zip(computed, oracle.kl_gradient_logit(a, b, c), strict=True):
            assert oracle.error_of_largest(one, exact) < LOGIT_ERROR[dtype]
    _, in_a, in_b = kl_divergence_logit_grad(P, Q, cotangent=np.zeros((4, 1)))
    np.testing.assert_array_equal([in_a, in_b], np.zeros((2, 4, 4), dtype), strict=True)
    _, in_a, in_b = kl_divergence_logit_grad(P[0], Q[0] - np.inf, cotangent=0.0)
    assert np.isnan([in_a, in_b]).all()


@PRECISIONS
def test_logits_far_apart(dtype):
    """Where differences of logits are large, they lose what the logarithm of a ratio is."""
    rng = np.random.default_rng(3)
    with mp.workdps(800):
        for _ in range(40):
            a = (10.0 ** rng.uniform(-4, 3) * rng.standard_normal(3)).astype(dtype)
            b = (10.0 ** rng.uniform(1, 4) * rng.standard_normal(3)).astype(dtype)
            b[rng.integers(3)] = rng.choice([0, -np.inf])
            _, *computed = kl_divergence_logit_grad(a, b)
            for one, exact in zip(computed, oracle.kl_gradient_logit(a, b), strict=True):
                if exact is not None:
                    assert oracle.error_of_largest(one, exact) < LOGIT_ERROR[dtype], (a, b)


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
