"""Tests of jsdiv_numba.jax: what JAX sees, under its transformations, is what NumPy sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import jsdiv_numba
from jsdiv_numba import jax as bridge

RNG = np.random.default_rng(13)
SHAPE = (2, 3, 4)
P, Q = RNG.uniform(0.1, 1, (2, *SHAPE))
each = pytest.mark.parametrize("name", [name for name in bridge.__all__ if "divergence" in name])
entropies = pytest.mark.parametrize("name", ["entropy", "entropy_logit"])
settings = pytest.mark.parametrize(
    "options",
    [
        {},
        {"axis": 1},
        {"axis": [0, -1], "keepdims": False},
        {"axis": None},
        {"axis": None, "keepdims": False},
        {"reduce": False, "axis": (0, 2)},
        {"base": 2, "workers": 1, "key": 0},
    ],
    ids=str,
)


@pytest.fixture(autouse=True)
def float64():
    """For every thread: the context manager of this name holds for one, not for callbacks."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def both(name):
    return getattr(bridge, name), getattr(jsdiv_numba, name)


@each
@settings
@pytest.mark.parametrize("second", [SHAPE, (4,), (3, 1)], ids=str)
def test_values_and_derivatives(name, options, second):
    ours, theirs = both(name)
    q = RNG.uniform(0.1, 1, second)

    def call(p, q):
        return ours(p, q, **options)

    for function in (call, jax.jit(call)):
        np.testing.assert_allclose(function(P, q), theirs(P, q, **options), rtol=1e-14)
    check_grads(call, (P, q), order=1, modes=["rev"])
    eager, jitted = (f(P, q) for f in (_grads(call), jax.jit(_grads(call))))
    for one, other in zip(eager, jitted, strict=True):
        np.testing.assert_array_equal(one, other)


@entropies
@settings
def test_entropies_and_their_derivatives(name, options):
    ours, theirs = both(name)
    if name == "entropy_logit":
        options = {**options, "temperature": 0.5}

    def call(p):
        return ours(p, **options)

    for function in (call, jax.jit(call)):
        np.testing.assert_allclose(function(P), theirs(P, **options), rtol=1e-14)
    check_grads(call, (P,), order=1, modes=["rev"])
    values = jax.vmap(call)(np.stack([P, Q]))
    np.testing.assert_allclose(values[1], theirs(Q, **options), rtol=1e-14)


@entropies
def test_entropies_follow_the_same_rules(name):
    ours, _ = both(name)
    value, grad = jax.value_and_grad(lambda p: jnp.sum(ours(p)))(jnp.array([0.5, 0.25], "float16"))
    assert (value.dtype, grad.dtype) == (jnp.float32, jnp.float16)
    with pytest.raises(ValueError, match="axis 5 is out of bounds"):
        ours(P, axis=5)
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"X\[0, 0, 0\] is inf"):
        ours(np.full(SHAPE, np.inf)).block_until_ready()


def _grads(function):
    return jax.grad(lambda p, q: jnp.sum(jnp.sin(function(p, q))), argnums=(0, 1))


@each
@settings
@pytest.mark.parametrize("in_axes", [(0, 0), (1, None), (None, -1)], ids=str)
def test_vmap(name, options, in_axes):
    ours, theirs = both(name)
    p, q = RNG.uniform(0.1, 1, (2, 5, *SHAPE))
    arrays = [
        x[0] if axis is None else np.moveaxis(x, 0, axis)
        for x, axis in zip((p, q), in_axes, strict=True)
    ]

    def call(p, q):
        return ours(p, q, **options)

    def at(i):
        return [
            x if axis is None else np.take(x, i, axis)
            for x, axis in zip(arrays, in_axes, strict=True)
        ]

    values = jax.vmap(call, in_axes)(*arrays)
    grads = jax.jit(jax.vmap(_grads(call), in_axes))(*arrays)
    for i in range(5):
        np.testing.assert_allclose(values[i], theirs(*at(i), **options), rtol=1e-14)
        for grad, expected in zip(grads, _grads(call)(*at(i)), strict=True):
            np.testing.assert_allclose(grad[i], expected, rtol=1e-12, atol=1e-16)


@each
def test_vmap_of_vmap(name):
    ours, theirs = both(name)
    pairs = jax.vmap(jax.vmap(ours, (None, 0)), (0, None))(P[0], Q[1])
    np.testing.assert_allclose(pairs, theirs(P[0][:, None], Q[1]), rtol=1e-14)


@each
def test_the_derivative_of_a_batch_is_summed_where_it_is_shared(name):
    ours, _ = both(name)
    shared = jax.grad(lambda q: jnp.sum(jax.vmap(ours, (0, None))(P, q)))(Q[0])
    plain = jax.grad(lambda q: jnp.sum(ours(P, q)))(Q[0])
    np.testing.assert_allclose(shared, plain, rtol=1e-12, atol=1e-16)


@each
@pytest.mark.parametrize(
    ("dtype", "returned"),
    [
        (jnp.float64, jnp.float64),
        (jnp.float32, jnp.float32),
        (jnp.float16, jnp.float32),
        (jnp.bfloat16, jnp.float32),
    ],
    ids=str,
)
def test_dtypes(name, dtype, returned):
    p, q = jnp.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]], dtype)
    value, grad = jax.value_and_grad(lambda p: jnp.sum(both(name)[0](p, q)))(p)
    assert (value.dtype, grad.dtype) == (returned, dtype)


@each
def test_float64_is_not_made_where_jax_has_none(name):
    with jax.enable_x64(False):
        assert both(name)[0](P, Q).dtype == jnp.float32


@each
def test_many_rows(name):
    """As many as JAX computes in another thread, from where it calls back."""
    p, q = RNG.uniform(0.1, 1, (2, 3000, 500))
    ours, theirs = both(name)
    np.testing.assert_allclose(jax.jit(ours)(p, q), theirs(p, q), rtol=1e-14)


@each
def test_what_it_cannot_do_is_an_error(name):
    ours, _ = both(name)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda p: ours(p, Q), (P,), (P,))


@each
@pytest.mark.parametrize(
    "second",
    [
        jax.hessian,
        lambda f: jax.jacrev(jax.grad(f)),
        lambda f: jax.jit(jax.grad(lambda p: jnp.sum(jax.grad(f)(p)))),
        lambda f: jax.vmap(jax.grad(lambda p: jnp.sum(jax.grad(f)(p)))),
        lambda f: jax.grad(lambda p: jnp.sum(jax.vjp(f, P)[1](jnp.sum(p))[0])),
    ],
)
def test_a_second_derivative_is_an_error_of_ours(name, second):
    ours, _ = both(name)
    message = (
        "^the functions of jsdiv_numba.jax can be differentiated only once, and in reverse mode"
    )
    with pytest.raises(TypeError, match=message):
        second(lambda p: jnp.sum(ours(p, Q)))(P)


@each
def test_errors(name):
    ours, _ = both(name)
    with pytest.raises(ValueError, match="do not broadcast"):
        ours(P, Q[..., :3])
    with pytest.raises(TypeError, match="Q has dtype complex"):
        ours(P, Q * 1j)
    with pytest.raises(ValueError, match="axis 5 is out of bounds"):
        jax.jit(lambda p: ours(p, Q, axis=5))(P)
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"P\[0, 0, 0\] is inf"):
        ours(np.full(SHAPE, np.inf), Q).block_until_ready()


@pytest.mark.parametrize("name", ["js_divergence", "js_divergence_logit"])
@pytest.mark.parametrize(
    "weight", [0.1, np.linspace(0.1, 1, 6).reshape(2, 3, 1)], ids=["one", "rows"]
)
def test_a_weight(name, weight):
    ours, theirs = both(name)
    expected = theirs(P, Q[0], weight=weight)

    def call(p, q):
        return ours(p, q, weight=weight)

    for function in (call, jax.jit(call)):
        np.testing.assert_allclose(function(P, Q[0]), expected, rtol=1e-14)
    np.testing.assert_allclose(ours(P, Q[0], weight=jnp.asarray(weight)), expected, rtol=1e-14)
    check_grads(call, (P, Q[0]), order=1, modes=["rev"])
    batch = jax.vmap(call, (0, None))(np.stack([P, Q]), Q[0])
    np.testing.assert_allclose(batch[0], expected, rtol=1e-14)
    with pytest.raises(TypeError, match=r"^weight is traced by JAX; it is a constant"):
        jax.jit(lambda weight: ours(P, Q, weight=weight))(weight)
    with pytest.raises(ValueError, match="weight is 2; a weight must be between 0 and 1"):
        ours(P, Q, weight=2)
    with pytest.raises(
        ValueError, match=r"weight of shape \(7,\) does not broadcast to the result's"
    ):
        jax.jit(lambda p: ours(p, Q, weight=[0.5] * 7))(P)


@pytest.mark.parametrize("name", ["js_divergence", "kl_divergence_logit", "entropy_logit"])
def test_scan_and_jit_of_grad(name):
    """In a loop that JAX has compiled, each step has the values and derivatives of a call."""
    function = getattr(bridge, name)
    rows = np.random.default_rng(3).uniform(0.1, 1, (4, 2, 5))

    def loss(one):
        arrays = (one[0],) if name.startswith("entropy") else (one[0], one[1])
        return function(*arrays, keepdims=False)

    @jax.jit
    def of_all(rows):
        return jax.lax.scan(lambda total, one: (total + loss(one), jax.grad(loss)(one)), 0.0, rows)

    total, slopes = of_all(rows)
    np.testing.assert_allclose(total, sum(float(loss(one)) for one in rows), rtol=1e-14)
    np.testing.assert_array_equal(slopes, np.stack([jax.grad(loss)(one) for one in rows]))

    def summed(rows):
        return jax.lax.scan(lambda total, one: (total + loss(one), None), 0.0, rows)[0]

    np.testing.assert_allclose(jax.grad(summed)(rows), slopes, rtol=1e-14)


def test_subnormal_numbers_count():
    p, q = np.full((2, 20_000, 64), 1e-320) * [[[3]], [[1]]]
    for workers in (1, 2):
        found = jax.jit(lambda p, q, n=workers: bridge.js_divergence(p, q, workers=n))(p, q)
        np.testing.assert_array_equal(found, jsdiv_numba.js_divergence(p, q, workers=workers))
    slopes = jax.grad(lambda p: bridge.js_divergence(p, q).sum())(p)
    np.testing.assert_array_equal(slopes, jsdiv_numba.js_divergence_grad(p, q)[1])
