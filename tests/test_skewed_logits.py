"""The divergence of logits with a weight other than ½, and its derivatives."""

import re

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from jsdiv_numba import (
    JSDivergenceLogitLoss,
    js_divergence,
    js_divergence_logit,
    js_divergence_logit_grad,
    kl_divergence_logit,
)
from tests import cases, oracle
from tests.strategies import LAYOUTS

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((2, 4, 3, 5))
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
ERROR = {np.float64: 1e-10, np.float32: 1e-4}
GRADIENT_ERROR = {np.float64: 1e-12, np.float32: 1e-4}
SMALLEST = {np.float64: -200, np.float32: -20}
CASES = 60
AXES = pytest.mark.parametrize("axis", [-1, 0, 1, (0, 1), (0, 2), (0, 1, 2)], ids=str)
REDUCE = pytest.mark.parametrize("reduce", [True, False])

every_input = settings(deadline=None, max_examples=60)
dyadic = st.integers(0, 64).map(lambda n: n / 64)
logits = st.lists(st.floats(-30, 30) | st.just(-np.inf), min_size=4, max_size=4)


@pytest.fixture(autouse=True)
def _digits_for_the_smallest_weights():
    with mp.workdps(260):
        yield


def a_weight(rng, dtype):
    """Any between 0 and 1, more often one near an end, or an end."""
    small = 10.0 ** rng.uniform(-12, 0)
    least = 10.0 ** rng.uniform(SMALLEST[dtype], 0)
    return float(rng.choice([rng.random(), 0.5, small, 1 - small, least, 0, 1]))


def weights_for(axis):
    """Weights of every row, some of them ends."""
    weights = RNG.random(np.shape(js_divergence_logit(A, B, axis=axis)))
    weights.flat[::5] = 0
    return weights


def of_divergence(computed, term, exact):
    """Return the error of a term, relative to the divergence."""
    return oracle.relative_error(computed, term) * (float(term / exact) if term else 1.0)


@PRECISIONS
@pytest.mark.parametrize("kind", cases.LOGITS)
def test_rows_and_terms(kind, dtype):
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        a, b = cases.LOGITS[kind](rng, dtype)
        weight = a_weight(rng, dtype)
        terms = oracle.skewed_terms_logit(a, b, weight)
        exact = sum(terms, mpf(0))
        computed = js_divergence_logit(a, b, weight=weight, keepdims=False)
        assert computed >= 0
        assert oracle.relative_error(computed, exact) < ERROR[dtype], (a, b, weight)
        of_terms = js_divergence_logit(a, b, weight=weight, reduce=False)
        for one, term in zip(of_terms, terms, strict=True):
            assert of_divergence(one, term, exact) < ERROR[dtype], (a, b, weight)


@PRECISIONS
@REDUCE
@pytest.mark.parametrize("kind", cases.LOGITS)
def test_derivatives(kind, reduce, dtype):
    rng = np.random.default_rng(2)
    for _ in range(CASES // 2):
        a, b = cases.LOGITS[kind](rng, dtype)
        weight, cotangent = a_weight(rng, dtype), np.ones(a.size, dtype)
        if not reduce:
            cotangent = rng.choice([-1, 0, 0.5, 1, 1, 3], a.size).astype(dtype)
        given = cotangent[:1] if reduce else cotangent
        _, *both = js_divergence_logit_grad(a, b, weight=weight, reduce=reduce, cotangent=given)
        sides = (a, b, mpf(weight)), (b, a, 1 - mpf(weight))
        for computed, (row, other, of_other) in zip(both, sides, strict=True):
            exact = oracle.skewed_gradient_logit(row, other, of_other, cotangent)
            error = oracle.error_of_largest(computed, exact)
            assert error < GRADIENT_ERROR[dtype], (a, b, weight, cotangent)
            np.testing.assert_array_equal(computed[np.isneginf(row)], 0)


@PRECISIONS
@pytest.mark.parametrize("length", [1_025, 100_003])
def test_long_rows(length, dtype):
    rng = np.random.default_rng(4)
    index = np.sort(rng.integers(0, 100, length))
    counts = [int(count) for count in np.bincount(index, minlength=100)]
    for separation, weight in ((3, 1e-3), (1e-2, 0.9), (cases.LOGIT_EPSILON[dtype], 0.1)):
        a = (2 * rng.standard_normal(100)).astype(dtype)
        b = (a + separation * rng.standard_normal(100)).astype(dtype)
        computed = js_divergence_logit(a[index], b[index], weight=weight, keepdims=False)
        exact = oracle.repeated(oracle.skewed_terms_logit(a, b, weight, counts), counts)
        assert oracle.relative_error(computed, exact) < ERROR[dtype], (a, b, weight)


@PRECISIONS
@REDUCE
@pytest.mark.parametrize("weight", [0, 1])
def test_without_one_of_both_all_is_0(weight, reduce, dtype):
    a = np.array([[0, 1, -np.inf], [0, -700, 50], [-np.inf, -np.inf, 1e30]], dtype)
    for one, other in ((a, a[::-1]), (a[::-1], a)):
        results = js_divergence_logit_grad(one, other, weight=weight, reduce=reduce)
        assert not any(result.any() for result in results)


@REDUCE
@PRECISIONS
@pytest.mark.parametrize("half", [0.5, np.float32(0.5), [[0.5]], np.full((4, 3, 1), 0.5)])
def test_a_half_everywhere_is_the_default_to_the_last_bit(half, dtype, reduce):
    a, b = A.astype(dtype), B.astype(dtype)
    for function in (js_divergence_logit, js_divergence_logit_grad):
        expected = function(a, b, reduce=reduce)
        for one, other in zip(function(a, b, weight=half, reduce=reduce), expected, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


@every_input
@given(st.tuples(logits, logits), dyadic)
def test_swapping_both_pairs_changes_no_bit(pair, weight):
    a, b = map(np.array, pair)
    for dtype in (np.float64, np.float32):
        a, b = a.astype(dtype), b.astype(dtype)
        for one, other in ((a, b), (a, (a * 1.000001).astype(dtype))):
            for reduce in (True, False):
                there = js_divergence_logit(one, other, weight=weight, reduce=reduce)
                back = js_divergence_logit(other, one, weight=1 - weight, reduce=reduce)
                assert there.tobytes() == back.tobytes()


@every_input
@given(st.tuples(logits, logits), st.floats(0, 1))
def test_it_is_that_of_the_softmaxes(pair, weight):
    a, b = (np.array(row) for row in pair)
    value = js_divergence_logit(a, b, weight=weight, keepdims=False)
    if np.isneginf(a).all() or np.isneginf(b).all():
        assert np.isnan(value)
        return
    bound = scipy.special.entr(weight) - scipy.special.xlog1py(1 - weight, -weight)
    assert 0 <= value <= bound * (1 + 1e-14) + 1e-320
    expected = js_divergence(
        scipy.special.softmax(a), scipy.special.softmax(b), weight=weight, keepdims=False
    )
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-15 * min(weight, 1 - weight))


def test_its_limits_are_the_two_divergences_of_kullback_and_leibler():
    """KL(q‖p) as the weight of q goes to 0, KL(p‖q) as it goes to 1, over the smaller weight."""
    for small in (1e-9, 1e-12):
        forward = js_divergence_logit(A, B, weight=small) / small
        np.testing.assert_allclose(forward, kl_divergence_logit(B, A), rtol=10 * small + 1e-12)
    reverse = js_divergence_logit(A, B, weight=1 - 2.0**-40) * 2.0**40
    np.testing.assert_allclose(reverse, kl_divergence_logit(A, B), rtol=1e-10)


@AXES
@REDUCE
@PRECISIONS
def test_one_weight_for_each_row(axis, reduce, dtype):
    """As when the rows are asked for one by one."""
    a, b, weights = A.astype(dtype), B.astype(dtype), weights_for(axis)
    computed = js_divergence_logit(a, b, axis=axis, reduce=reduce, weight=weights)
    if reduce:
        assert (computed.shape, computed.dtype) == (weights.shape, dtype)
        flat = js_divergence_logit(a, b, axis=axis, keepdims=False, weight=np.squeeze(weights))
        np.testing.assert_array_equal(np.reshape(flat, weights.shape), computed)
    for weight in np.unique(weights):
        every = js_divergence_logit(a, b, axis=axis, reduce=reduce, weight=weight)
        mine = np.broadcast_to(weights == weight, computed.shape)
        np.testing.assert_allclose(computed[mine], every[mine], rtol=4 * np.finfo(dtype).eps)


def test_all_axes_are_summed_over():
    weights = weights_for(-1)
    rows = js_divergence_logit(A, B, weight=weights)
    assert js_divergence_logit(A, B, axis=None, weight=weights, keepdims=False) == rows.sum()
    value, *gradients = js_divergence_logit_grad(A, B, axis=None, weight=weights)
    assert value.shape == (1, 1, 1)
    assert value == rows.sum()
    _, *expected = js_divergence_logit_grad(A, B, weight=weights)
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@AXES
@REDUCE
def test_central_differences_and_the_value(axis, reduce):
    weight = weights_for(axis)
    for a, b in ((A, B), (A[0, 0], B)):
        options = {"axis": axis, "reduce": reduce, "base": 2, "weight": weight}
        expected_value = js_divergence_logit(a, b, **options)
        cotangent = RNG.standard_normal(expected_value.shape)
        value, *gradients = js_divergence_logit_grad(a, b, cotangent=cotangent, **options)
        np.testing.assert_array_equal(value, expected_value, strict=True)
        for which, computed in enumerate(gradients):
            direction = RNG.standard_normal((a, b)[which].shape)
            ends = []
            for step in (-1e-6, 1e-6):
                moved = [x + step * direction if i == which else x for i, x in enumerate((a, b))]
                ends.append((cotangent * js_divergence_logit(*moved, **options)).sum())
            expected = (ends[1] - ends[0]) / 2e-6
            np.testing.assert_allclose((computed * direction).sum(), expected, rtol=1e-6, atol=1e-8)


@REDUCE
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("axis", [-1, 0, (0, 2)], ids=str)
def test_layout_blocks_and_workers_change_nothing(layout, axis, reduce, monkeypatch):
    weight = weights_for(axis)
    options = {"axis": axis, "reduce": reduce}
    expected = js_divergence_logit_grad(A, B, weight=weight, **options)
    for name in ("BLOCK_ELEMENTS", "BLOCK_WITH_SECONDARY"):
        monkeypatch.setattr(f"jsdiv_numba._core.blocks.{name}", 16)
    for workers in (1, 3):
        computed = js_divergence_logit_grad(
            layout(A), layout(B), weight=layout(weight), workers=workers, **options
        )
        for one, other in zip(computed, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@REDUCE
def test_nan_stays_in_its_row_and_out_may_be_an_input(reduce):
    a = A.copy()
    a[1, 1, 2] = np.nan
    value, in_a, _ = js_divergence_logit_grad(a, B, weight=0.3, reduce=reduce)
    for result in (value, in_a):
        assert np.isnan(result[1, 1]).all()
        assert np.isnan(result).sum() == result[1, 1].size
    expected = js_divergence_logit(A, B, weight=0.3, reduce=False)
    a = A.copy()
    assert js_divergence_logit(a, B, weight=0.3, reduce=False, out=a) is a
    np.testing.assert_array_equal(a, expected)


@pytest.mark.parametrize("function", [js_divergence_logit, js_divergence_logit_grad])
@pytest.mark.parametrize(
    ("reduce", "weight", "message"),
    [
        (True, 1.5, "weight is 1.5; a weight must be between 0 and 1"),
        (True, [[0.5], [np.inf]], "weight[1, 0] is inf; a weight must be between 0 and 1"),
        (
            True,
            [0.5, 0.2],
            "weight of shape (2,) does not broadcast to the result's shape (4, 3, 1)",
        ),
        (
            False,
            np.full(5, 0.2),
            "weight of shape (5,) does not broadcast to the rows' shape (4, 3, 1)",
        ),
    ],
    ids=str,
)
def test_wrong_weights(function, reduce, weight, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(A, B, weight=weight, reduce=reduce)


def test_wrong_logits_are_named():
    b = B.copy()
    b[1, 2, 3] = np.inf
    with pytest.raises(ValueError, match=r"Q\[1, 2, 3\] is inf"):
        js_divergence_logit(A, b, weight=0.3)


def test_a_loss_has_it_or_is_called_with_it():
    weight = RNG.random((4, 3))
    expected = js_divergence_logit(A, B, weight=weight, keepdims=False).mean()
    loss = JSDivergenceLogitLoss(weight=weight)
    assert loss(A, B) == JSDivergenceLogitLoss()(A, B, weight=weight) == expected
    value, gradients = loss.value_and_grad(A, B)
    _, *exact = js_divergence_logit_grad(A, B, weight=weight, keepdims=False, cotangent=1 / 12)
    assert value == expected
    for one, other in zip(gradients, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-18)
    loss.weight = 0.5
    assert loss(A, B) == JSDivergenceLogitLoss()(A, B)
    with pytest.raises(ValueError, match="weight is 2; a weight must be between 0 and 1"):
        JSDivergenceLogitLoss(weight=2)
