"""Derivatives of losses against JAX's, of hypercoil's formulas restated in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdiv_numba import JSDivergenceLogitLoss, JSDivergenceLoss, scalarise

RNG = np.random.default_rng(14)
SCORES = RNG.uniform(0.05, 0.7, (3, 4, 2))
TIED = np.round(SCORES, 1)


@pytest.fixture(scope="module", autouse=True)
def float64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def norm(X, *, p=2, force_vector_norm=False, axis=-1):
    if not force_vector_norm:
        return jnp.linalg.norm(X, ord=p, axis=axis)
    axes = range(X.ndim) if axis is None else np.atleast_1d(axis) % X.ndim
    front = jnp.moveaxis(X, tuple(axes), tuple(range(len(axes))))
    return jnp.linalg.norm(front.reshape(-1, *front.shape[len(axes) :]), ord=p, axis=0)


def selfwmean(X, *, axis=None, gradpath="input", softmax_axis=False, softmax_invert=False):
    weight = X
    if softmax_axis is not False:
        X = -X if softmax_invert else X
        weight = jax.nn.softmax(X, axis=None if softmax_axis is True else softmax_axis)
    if gradpath == "input":
        weight = jax.lax.stop_gradient(weight)
    elif gradpath == "weight":
        X = jax.lax.stop_gradient(X)
    return (weight * X).sum(axis) / weight.sum(axis)


REFERENCES = {
    "sum_scalarise": jnp.sum,
    "mean_scalarise": jnp.mean,
    "meansq_scalarise": lambda X, **params: jnp.mean(X**2, **params),
    "max_scalarise": jnp.max,
    "norm_scalarise": norm,
    "vnorm_scalarise": lambda X, **params: norm(X, force_vector_norm=True, **params),
    "selfwmean_scalarise": selfwmean,
}
CASES = [
    *((name, {}) for name in ("sum_scalarise", "mean_scalarise", "meansq_scalarise")),
    ("max_scalarise", {}),
    *(("vnorm_scalarise", {"p": p}) for p in (1, 2, 2.5, np.inf, -np.inf)),
    *(
        ("selfwmean_scalarise", {"gradpath": path, "softmax_axis": over, "softmax_invert": invert})
        for path in ("input", "weight", None)
        for over, invert in ((False, False), (False, True), (True, False), (True, True), (-1, True))
    ),
]
each = pytest.mark.parametrize(("name", "params"), CASES, ids=str)


def assert_same(scalarisation, reference, scores):
    value, grad = scalarisation.value_and_grad(scores)
    expected, expected_grad = jax.value_and_grad(reference)(scores)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(grad, expected_grad, rtol=1e-10, atol=1e-14)


@each
@pytest.mark.parametrize("scores", [SCORES, TIED], ids=["apart", "tied"])
@pytest.mark.parametrize("axis", [None, (0, 1)], ids=str)
def test_maps(name, params, scores, axis):
    inner = getattr(scalarise, name)(axis=axis, **params)
    reference = REFERENCES[name]
    assert_same(
        scalarise.meansq_scalarise(inner=inner),
        lambda X: jnp.mean(reference(X, axis=axis, **params) ** 2),
        scores,
    )


@pytest.mark.parametrize("p", [1, -1, 2, -2, np.inf, -np.inf, "fro", "nuc"])
@pytest.mark.parametrize("axis", [(0, 1), (2, 0)], ids=str)
def test_matrix_norms(p, axis):
    inner = scalarise.norm_scalarise(p=p, axis=axis)
    assert_same(
        scalarise.sum_scalarise(inner=inner),
        lambda X: jnp.sum(norm(X, p=p, axis=axis)),
        SCORES,
    )


def js_divergence(P, Q):
    eps = jnp.finfo(P.dtype).eps
    M = (P + Q) / 2
    P, Q, M = P + eps, Q + eps, M + eps
    return jnp.sum(P * jnp.log(P / M) + Q * jnp.log(Q / M), axis=-1) / 2


def js_divergence_logit(A, B):
    return js_divergence(jax.nn.softmax(A), jax.nn.softmax(B))


@settings(deadline=None, max_examples=40)
@given(
    loss_class=st.sampled_from([JSDivergenceLoss, JSDivergenceLogitLoss]),
    outer=st.sampled_from(CASES),
    inner=st.sampled_from(CASES),
    nu=st.sampled_from([1.0, -0.5, 3.0]),
    seed=st.integers(0, 100),
)
def test_losses(loss_class, outer, inner, nu, seed):
    (outer_name, outer_params), (inner_name, inner_params) = outer, inner
    P, Q = np.random.default_rng(seed).dirichlet(np.ones(6), (2, 3, 4))
    logits = loss_class is JSDivergenceLogitLoss
    score, inputs = (js_divergence_logit, np.log([P, Q])) if logits else (js_divergence, (P, Q))

    def reference(P, Q):
        reduced = REFERENCES[inner_name](score(P, Q), axis=-1, **inner_params)
        return nu * REFERENCES[outer_name](reduced, axis=None, **outer_params)

    composed = getattr(scalarise, inner_name)(axis=-1, **inner_params)
    composed = getattr(scalarise, outer_name)(axis=None, inner=composed, **outer_params)
    value, grads = loss_class(nu, scalarisation=composed).value_and_grad(*inputs)
    expected, expected_grads = jax.value_and_grad(reference, argnums=(0, 1))(*inputs)
    np.testing.assert_allclose(value, expected, rtol=1e-9)
    for grad, theirs in zip(grads, expected_grads, strict=True):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(grad, theirs, rtol=1e-7, atol=1e-9 * scale)
