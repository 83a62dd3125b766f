"""The derivatives: against mpmath, central differences and JAX, and the value beside them."""

import tracemalloc
import warnings
from itertools import product

import numpy as np
import pytest

from jsdiv_numba import (
    js_divergence,
    js_divergence_grad,
    js_divergence_logit,
    js_divergence_logit_grad,
)
from tests import cases, oracle
from tests.strategies import LAYOUTS

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(5, 0.5), (2, 4, 3)) + 0.01
BOTH = pytest.mark.parametrize(
    ("gradient", "divergence"),
    [(js_divergence_grad, js_divergence), (js_divergence_logit_grad, js_divergence_logit)],
    ids=["probabilities", "logits"],
)
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
AXES = [-1, 0, 1, (0, 1), (0, 2), (), None]
CASES = 200
ERROR = {np.float64: 1e-14, np.float32: 1e-6}
LOGIT_ERROR = {np.float64: 1e-12, np.float32: 1e-4}


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_derivatives_in_probabilities(kind, dtype):
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        p, q = cases.ROWS[kind](rng, dtype)
        _, in_p, in_q = js_divergence_grad(p, q)
        exact = [*oracle.js_slopes(p, q), *oracle.js_slopes(q, p)]
        for computed, slope in zip([*in_p, *in_q], exact, strict=True):
            if np.isfinite(float(slope)):
                assert oracle.relative_error(computed, slope) < ERROR[dtype], (p, q)
            else:
                assert computed == -np.inf


@PRECISIONS
@pytest.mark.parametrize("kind", cases.LOGITS)
def test_derivatives_in_logits(kind, dtype):
    rng = np.random.default_rng(2)
    for _ in range(CASES):
        a, b = cases.LOGITS[kind](rng, dtype)
        _, in_a, in_b = js_divergence_logit_grad(a, b)
        for computed, row, other in ((in_a, a, b), (in_b, b, a)):
            exact = oracle.js_gradient_logit(row, other)
            assert oracle.error_of_largest(computed, exact) < LOGIT_ERROR[dtype], (a, b)
            np.testing.assert_array_equal(computed[np.isneginf(row)], 0)


@PRECISIONS
@pytest.mark.parametrize("kind", cases.LOGITS)
def test_derivatives_in_logits_of_weighted_terms(kind, dtype):
    rng = np.random.default_rng(3)
    for _ in range(CASES // 4):
        a, b = cases.LOGITS[kind](rng, dtype)
        weights = rng.choice([-1, 0, 0.5, 1, 1, 3], a.size).astype(dtype)
        _, in_a, in_b = js_divergence_logit_grad(a, b, reduce=False, cotangent=weights)
        for computed, row, other in ((in_a, a, b), (in_b, b, a)):
            exact = oracle.js_gradient_logit(row, other, weights)
            assert oracle.error_of_largest(computed, exact) < LOGIT_ERROR[dtype], (a, b, weights)


@PRECISIONS
def test_derivatives_at_the_ends_of_the_range(dtype):
    limits = np.finfo(dtype)
    numbers = [limits.smallest_subnormal, limits.tiny / 8, limits.tiny, 3 * limits.tiny]
    numbers += [limits.eps**3, 1e-10, 1, 1e10, limits.max / 4, 0.49 * limits.max, limits.max]
    for pair in product(np.array(numbers, dtype), repeat=2):
        p, q = np.array(pair).reshape(2, 1)
        _, in_p, _ = js_divergence_grad(p, q)
        assert oracle.relative_error(in_p[0], oracle.js_slopes(p, q)[0]) < ERROR[dtype], pair


@PRECISIONS
def test_a_subnormal_number_beside_a_0(dtype):
    for p in np.finfo(dtype).smallest_subnormal * np.array([1, 2, 1000], dtype):
        _, in_p, in_q = js_divergence_grad(np.array([p]), np.zeros(1, dtype))
        np.testing.assert_allclose(in_p, np.log(2) / 2, rtol=ERROR[dtype])
        assert in_q == -np.inf


@PRECISIONS
def test_at_a_zero(dtype):
    p, q = np.array([[0, 0.5, 0, 0.5], [0.2, 0, 0, 0.8]], dtype)
    half_log_2 = dtype(np.log(2) / 2)
    for reduce in (True, False):
        _, in_p, in_q = js_divergence_grad(p, q, reduce=reduce)
        np.testing.assert_array_max_ulp(in_p[:3], np.array([-np.inf, half_log_2, 0], dtype), 1)
        np.testing.assert_array_max_ulp(in_q[:3], np.array([half_log_2, -np.inf, 0], dtype), 1)
    _, in_p, _ = js_divergence_grad(p, q, cotangent=-2)
    assert in_p[0] == np.inf
    _, in_p, in_q = js_divergence_grad(p, q, cotangent=0)
    np.testing.assert_array_equal([in_p, in_q], np.zeros((2, 4), dtype), strict=True)


def test_where_both_are_0_the_level_plane_touches_from_below():
    """A subgradient: no divergence beside the point is less than the plane says."""
    _, in_p, in_q = js_divergence_grad([0.0, 0.3], [0.0, 0.7])
    value = js_divergence([0.0, 0.3], [0.0, 0.7])
    for p, q in 10.0 ** np.random.default_rng(0).uniform(-9, 0, (100, 2)):
        assert js_divergence([p, 0.3], [q, 0.7]) >= value + in_p[0] * p + in_q[0] * q


def assert_same_value(value, expected):
    """But for the order in which a row's terms were added up."""
    np.testing.assert_allclose(value, expected, rtol=ERROR[expected.dtype.type], strict=True)


def central_differences(function, x, step=1e-6):
    slopes = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        slopes[place] = (function(up) - function(down)) / (2 * step)
    return slopes


SHAPES = [
    ((4, 3, 5), (4, 3, 5)),
    ((5,), (4, 3, 5)),
    ((4, 1, 5), (3, 1)),
    ((), (4, 3, 2)),
    ((1, 1, 1), (2, 2, 2)),
]


@BOTH
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_central_differences(gradient, divergence, axis, shapes):
    rng = np.random.default_rng(4)
    p, q = (rng.random(shape) + 0.1 for shape in shapes)
    for keepdims, reduce, base in [(True, True, None), (False, True, 2), (True, False, None)]:
        options = {"axis": axis, "keepdims": keepdims, "reduce": reduce, "base": base}
        value = divergence(p, q, **options)
        weights = rng.standard_normal(np.shape(value))

        def weighted(p, q, weights=weights, options=options):
            return (weights * divergence(p, q, **options)).sum()

        computed = gradient(p, q, cotangent=weights, **options)
        assert_same_value(computed[0], value)
        in_p = central_differences(lambda x: weighted(x, q), np.asarray(p))
        in_q = central_differences(lambda x: weighted(p, x), np.asarray(q))
        for one, expected in zip(computed[1:], (in_p, in_q), strict=True):
            assert np.shape(one) == expected.shape
            np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-8)


@BOTH
def test_jax_has_the_same(gradient, divergence):
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)

    def terms(p, q):
        s = p + q
        return 0.5 * (p * jax.numpy.log(2 * p / s) + q * jax.numpy.log(2 * q / s))

    def total(a, b):
        if divergence is js_divergence_logit:
            a, b = jax.nn.softmax(a, axis=-1), jax.nn.softmax(b, axis=-1)
        return (weights * terms(a, b).sum(axis=-1, keepdims=True)).sum()

    weights = RNG.standard_normal((4, 3, 1))
    expected = jax.grad(total, argnums=(0, 1))(P, Q)
    computed = gradient(P, Q, cotangent=weights)[1:]
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-13)


@BOTH
@PRECISIONS
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("reduce", [True, False])
def test_the_value_is_the_divergence(gradient, divergence, dtype, axis, reduce):
    p, q = (np.stack([x, x[::-1]]).astype(dtype) for x in (P, Q))
    pairs = [(p, q), (p[:, ::2, ::-1], q[:, 1::2, ::-1]), (p.T, q.T), (p[0, 0, 0], q)]
    for (first, second), base in product(pairs, (None, 2)):
        options = {"axis": axis, "reduce": reduce, "base": base}
        value, *gradients = gradient(first, second, **options)
        expected = divergence(first, second, **options)
        assert_same_value(value, expected)
        if divergence is js_divergence_logit or not reduce:
            np.testing.assert_array_equal(value, expected)
        for one, array in zip(gradients, (first, second), strict=True):
            assert (one.shape, one.dtype) == (array.shape, dtype)


@PRECISIONS
def test_where_the_results_lie_changes_no_bit(dtype):
    """Rows so short that results and inputs lie within a vector of each other."""
    buffer = np.empty((6, 5, 7), dtype)
    buffer[:, 0], buffer[:, 2] = np.random.default_rng(7).random((2, 6, 7))
    expected = js_divergence_grad(buffer[:, 0].copy(), buffer[:, 2].copy())
    out = (np.empty((6, 1), dtype), buffer[:, 1], buffer[:, 3])
    computed = js_divergence_grad(buffer[:, 0], buffer[:, 2], out=out)
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@PRECISIONS
def test_rows_of_which_only_a_part_is_plain(dtype):
    """Blocks are computed again one by one, and the others stay."""
    limits = np.finfo(dtype)
    p, q = np.random.default_rng(8).random((2, 3000)).astype(dtype)
    p[1500], q[2999] = limits.tiny / 8, limits.max / 8
    _, in_p, in_q = js_divergence_grad(p, q)
    for i in (0, 1023, 1024, 1500, 2047, 2048, 2999):
        slopes = oracle.js_slopes(p[[i]], q[[i]])[0], oracle.js_slopes(q[[i]], p[[i]])[0]
        for computed, slope in zip((in_p[i], in_q[i]), slopes, strict=True):
            assert oracle.relative_error(computed, slope) < ERROR[dtype]


@BOTH
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("axis", [-1, 0, (0, 2)], ids=str)
def test_layout_changes_nothing(gradient, divergence, layout, axis):
    expected = gradient(P, Q, axis=axis)
    computed = gradient(layout(P), layout(Q), axis=axis)
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-17)


@BOTH
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("reduce", [True, False])
def test_blocks_and_threads_make_no_difference(gradient, divergence, axis, reduce, monkeypatch):
    expected = gradient(P, Q, axis=axis, reduce=reduce)
    monkeypatch.setattr("jsdiv_numba._core.blocks.BLOCK_WITH_SECONDARY", 16)
    monkeypatch.setattr("jsdiv_numba._core.blocks.ROW_PIECE", 4)
    monkeypatch.setattr("jsdiv_numba._core.blocks.COLUMN_PIECE", 2)
    for workers in (1, 3):
        computed = gradient(P, Q, axis=axis, reduce=reduce, workers=workers)
        for one, other in zip(computed, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-17)


@BOTH
@pytest.mark.parametrize("axis", [-1, 0, None], ids=str)
def test_the_number_of_workers_changes_no_bit(gradient, divergence, axis):
    p, q = (np.random.default_rng(seed).random((700, 300)) for seed in (5, 6))
    expected = gradient(p, q[0], axis=axis, workers=1)
    for workers in (2, 7, None):
        for one, other in zip(gradient(p, q[0], axis=axis, workers=workers), expected, strict=True):
            np.testing.assert_array_equal(one, other)


@BOTH
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("reduce", [True, False])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_blocks_of_what_is_shared(gradient, divergence, axis, reduce, shapes, monkeypatch):
    rng = np.random.default_rng(8)
    p, q = (rng.random(shape) + 0.1 for shape in shapes)
    value = divergence(p, q, axis=axis, reduce=reduce, keepdims=False)
    options = {"axis": axis, "reduce": reduce, "keepdims": False}
    options["cotangent"] = rng.standard_normal(np.shape(value))
    expected = gradient(p, q, **options)
    monkeypatch.setattr("jsdiv_numba._core.gradients.SHARED_BLOCK", 12)
    for workers in (1, 3):
        computed = gradient(p, q, workers=workers, **options)
        assert_same_value(computed[0], value)
        for one, other in zip(computed, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-16)


@BOTH
def test_an_error_in_a_block_names_the_place_in_the_whole(gradient, divergence, monkeypatch):
    monkeypatch.setattr("jsdiv_numba._core.gradients.SHARED_BLOCK", 12)
    p = P.copy()
    p[3, 1, 2] = np.inf
    with pytest.raises(ValueError, match=r"^P\[3, 1, 2\] is inf"):
        gradient(p, Q[0])
    p[3, 1, 2] = np.nan
    _, in_p, in_q = gradient(p, Q[0])
    np.testing.assert_array_equal(np.isnan(in_p).any(axis=-1), np.isnan(p).any(axis=-1))
    np.testing.assert_array_equal(np.isnan(in_q).any(axis=-1), [False, True, False])


@BOTH
def test_what_is_shared_takes_little_memory(gradient, divergence):
    many = np.random.default_rng(9).random((30_000, 256), np.float32)
    outs = (None, np.empty_like(many), None)
    gradient(many[:2], many[0])
    tracemalloc.start()
    gradient(many, many[0], out=outs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < many.nbytes / 2


@BOTH
@pytest.mark.parametrize("base", [None, 1e300])
def test_no_setting_for_floating_point_errors_matters(gradient, divergence, base):
    p, q = P.astype(np.float32), Q.astype(np.float32)
    p[0], q[1, 0, 0] = 0 if divergence is js_divergence else -np.inf, 1e-42
    cotangent = np.where(np.arange(12).reshape(4, 3, 1) % 2, 1e300, -1e-300)
    with np.errstate(all="raise"), warnings.catch_warnings(action="error"):
        gradient(p, q, cotangent=cotangent, base=base)
        gradient(p[:, 0], q[1, 0], cotangent=1e300, base=base, axis=(0, 1))
        gradient(p, q[0, 0], cotangent=cotangent, base=base)


@BOTH
def test_scalars_and_empty_arrays(gradient, divergence):
    for results in (gradient(1, 2.0), gradient(1, 2.0, axis=None, keepdims=False)):
        assert [type(result) for result in results] == [np.float64] * 3
    value, in_p, in_q = gradient(np.ones((0, 3)), np.ones(3))
    assert (value.shape, in_p.shape) == ((0, 1), (0, 3))
    np.testing.assert_array_equal(in_q, np.zeros(3), strict=True)
    value, in_p, in_q = gradient(np.ones((2, 0)), np.ones((2, 1)))
    np.testing.assert_array_equal(value, np.zeros((2, 1)))
    assert in_p.shape == (2, 0)
    np.testing.assert_array_equal(in_q, np.zeros((2, 1)))


@BOTH
@pytest.mark.parametrize(
    ("code", "expected"), [("f2", "f4"), ("f4", "f4"), ("i4", "f8"), ("?", "f8"), (">f8", "f8")]
)
def test_dtypes(gradient, divergence, code, expected):
    counts = np.array([[0, 1, 1], [1, 1, 1]])
    computed = gradient(*counts.astype(code))
    for one, other in zip(computed, gradient(*counts.astype(expected)), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@BOTH
@pytest.mark.parametrize("reduce", [True, False])
def test_a_nan_stays_in_its_row(gradient, divergence, reduce):
    p = P.copy()
    p[1, 1, 2] = np.nan
    value, in_p, in_q = gradient(p, Q, reduce=reduce)
    assert_same_value(value, divergence(p, Q, reduce=reduce))
    alone = reduce or divergence is js_divergence_logit
    spoiled = (1, 1) if alone else (1, 1, 2)
    for derivatives, clean in zip((in_p, in_q), gradient(P, Q, reduce=reduce)[1:], strict=True):
        assert np.isnan(derivatives[spoiled]).all()
        expected = clean.copy()
        expected[spoiled] = np.nan
        np.testing.assert_array_equal(derivatives, expected)


def test_logits_without_a_probability_have_no_derivatives():
    A = np.array([[-np.inf, -np.inf], [0, 1]])
    _, in_a, in_b = js_divergence_logit_grad(A, np.zeros(2))
    assert np.isnan(in_a[0]).all()
    assert np.isfinite(in_a[1]).all()
    assert np.isnan(in_b).all()


def test_a_row_s_derivatives_in_logits_sum_to_0():
    _, in_a, in_b = js_divergence_logit_grad(10 * P, 20 * Q)
    np.testing.assert_allclose(in_a.sum(axis=-1), 0, atol=1e-16)
    np.testing.assert_allclose(in_b.sum(axis=-1), 0, atol=1e-16)


@BOTH
def test_a_broadcast_row_has_the_sum_of_its_copies(gradient, divergence):
    row = P[0, 0].astype(np.float32)
    many = np.random.default_rng(7).random((50_000, 5)).astype(np.float32)
    _, in_row, _ = gradient(row, many)
    _, each, _ = gradient(np.broadcast_to(row, many.shape).copy(), many)
    np.testing.assert_allclose(in_row, each.sum(axis=0, dtype=float), rtol=1e-6, atol=1e-3)


@PRECISIONS
@pytest.mark.parametrize("shape", [(3,), (1, 1, 3), (2, 1, 1), (4999, 1), ()], ids=str)
def test_derivatives_of_equal_copies_are_added_up_accurately(shape, dtype):
    copies = np.full((2, 4999, 3), 0.3, dtype)
    _, in_row, _ = js_divergence_grad(np.full(shape, 0.7, dtype), copies)
    _, each, _ = js_divergence_grad(dtype(0.7), dtype(0.3))
    np.testing.assert_allclose(in_row, float(each) * (copies.size // in_row.size), ERROR[dtype])


@BOTH
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("reduce", [True, False])
def test_out(gradient, divergence, axis, reduce):
    for p, q in ((P, Q), (P[0, 0], Q)):
        options = {"axis": axis, "reduce": reduce}
        expected = gradient(p, q, **options)
        outs = tuple(np.full(np.shape(one), 7.0) for one in expected)
        strided = tuple(np.full((*np.shape(one), 2), 7.0)[..., 0] for one in expected)
        for given in (outs, strided, (None, outs[1], None), (outs[0], None, strided[2])):
            computed = gradient(p, q, out=given, **options)
            for one, other, array in zip(computed, expected, given, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-14, atol=1e-17)
                assert array is None or one is array


@BOTH
def test_out_may_be_an_input_or_of_another_precision(gradient, divergence):
    expected = gradient(P, Q)
    p, q = P.copy(), Q.copy()
    gradient(p, q, out=(None, q, p))
    np.testing.assert_array_equal([q, p], expected[1:])
    both = np.empty_like(P)
    gradient(P, Q, out=(None, both, both))
    np.testing.assert_array_equal(both, expected[2])
    narrow = np.empty(P.shape, np.float32)
    gradient(P, Q, out=(None, narrow, None))
    np.testing.assert_array_equal(narrow, expected[1].astype(np.float32))


@BOTH
@pytest.mark.parametrize("reduce", [True, False])
def test_out_may_be_the_cotangent(gradient, divergence, reduce):
    shape = divergence(P, Q, reduce=reduce).shape
    cotangent = np.random.default_rng(8).random(shape)
    expected = gradient(P, Q, reduce=reduce, cotangent=cotangent)
    for i in range(1 if reduce else 3):
        given = cotangent.copy()
        outs = tuple(given if i == j else None for j in range(3))
        computed = gradient(P, Q, reduce=reduce, cotangent=given, out=outs)
        for one, other in zip(computed, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@BOTH
@pytest.mark.parametrize("narrow", [np.float16, np.float32, np.int8])
def test_a_narrow_cotangent_is_divided_in_the_precision_of_the_value(gradient, divergence, narrow):
    cotangent = np.arange(1, 13).reshape(4, 3, 1)
    expected = gradient(P, Q, base=10, cotangent=cotangent.astype(float))
    computed = gradient(P, Q, base=10, cotangent=cotangent.astype(narrow))
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@BOTH
def test_invalid_arguments(gradient, divergence):
    invalid, message = (-1, "is -1.0; prob") if divergence is js_divergence else (np.inf, "is inf")
    p = P.copy()
    p[1, 2, 3] = invalid
    with pytest.raises(ValueError, match=rf"P\[1, 2, 3\] {message}"):
        gradient(p, Q)
    with pytest.raises(ValueError, match=r"cotangent of shape \(5,\) does not broadcast to .*1\)"):
        gradient(P, Q, cotangent=np.ones(5))
    for out, kind in ((P, "ndarray"), ((None, None), "tuple of 2")):
        with pytest.raises(TypeError, match=f"out is a {kind}; it must be a tuple of 3"):
            gradient(P, Q, out=out)
    with pytest.raises(ValueError, match=r"out\[2\] has shape \(5,\); the result has shape"):
        gradient(P, Q, out=(None, None, np.empty(5)))
    with pytest.raises(TypeError, match="cotangent has dtype complex128"):
        gradient(P, Q, cotangent=1j)
    with pytest.raises(ValueError, match="do not broadcast"):
        gradient(P, Q[0, :, :2])
