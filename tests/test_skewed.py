"""The divergence with a weight other than ½, and its derivatives."""

import re
from itertools import product

import numpy as np
import pytest
import scipy.special
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mpmath import mpf

from jsdiv_numba import (
    JSDivergenceLoss,
    js_divergence,
    js_divergence_grad,
    js_divergence_many,
    js_divergence_many_grad,
    kl_divergence,
)
from tests import cases, oracle
from tests.strategies import LAYOUTS, probability_pairs

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(5, 0.5), (2, 4, 3)) + 0.01
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
ERROR = {np.float64: 1e-14, np.float32: 1e-6}
CASES = 60
AXES = pytest.mark.parametrize("axis", [-1, 0, 1, (0, 1), (0, 2), None], ids=str)
REDUCE = pytest.mark.parametrize("reduce", [True, False])

every_input = settings(deadline=None, max_examples=60)
dyadic = st.integers(0, 64).map(lambda n: n / 64)


def a_weight(rng):
    """Any between 0 and 1, more often one near an end, or an end."""
    small = 10.0 ** rng.uniform(-12, 0)
    return float(rng.choice([rng.random(), 0.3, small, 1 - small, 0, 1]))


def weights_for(axis, reduce=True):
    """Weights of every result, some of them ends."""
    weights = RNG.random(np.shape(js_divergence(P, Q, axis=axis, reduce=reduce)))
    weights.flat[::7] = 0
    return weights


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_rows_columns_and_elements(kind, dtype):
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        p, q = cases.ROWS[kind](rng, dtype)
        weight = a_weight(rng)
        terms = oracle.skewed_terms(p, q, weight)
        exact = sum(terms, mpf(0))
        in_columns = [np.stack([x, x], axis=1) for x in (p, q)]
        for computed in (
            js_divergence(p, q, weight=weight, keepdims=False),
            js_divergence(*in_columns, weight=weight, axis=0)[0, 0],
        ):
            assert computed >= 0
            assert oracle.relative_error(computed, exact) < ERROR[dtype], (p, q, weight)
        for one, term in zip(js_divergence(p, q, weight=weight, reduce=False), terms, strict=True):
            assert oracle.relative_error(one, term) < ERROR[dtype], (p, q, weight)


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_derivatives(kind, dtype):
    rng = np.random.default_rng(2)
    for _ in range(CASES):
        p, q = cases.ROWS[kind](rng, dtype)
        weight = a_weight(rng)
        _, in_p, in_q = js_divergence_grad(p, q, weight=weight)
        of_q = oracle.skewed_slopes(q, p, 1 - mpf(weight))
        exact = [*oracle.skewed_slopes(p, q, weight), *of_q]
        for computed, slope in zip([*in_p, *in_q], exact, strict=True):
            if np.isfinite(float(slope)):
                assert oracle.relative_error(computed, slope) < ERROR[dtype], (p, q, weight)
            else:
                assert computed == -np.inf


@PRECISIONS
@pytest.mark.parametrize("weight", [0, 1])
def test_without_one_of_both_all_is_0(weight, dtype):
    """However small a part of one the other is, whose logarithm would be of nothing."""
    limits = np.finfo(dtype)
    small, large = limits.smallest_subnormal, limits.max
    for p, q in product([0, small, limits.tiny / 8, limits.tiny, 1, large], repeat=2):
        pair = np.array([p], dtype), np.array([q], dtype)
        assert not any(result.any() for result in js_divergence_grad(*pair, weight=weight))
        assert not js_divergence(*pair, weight=weight, reduce=False).any()


@PRECISIONS
@pytest.mark.parametrize("weight", [0.2, 1e-15])
def test_at_the_ends_of_the_range(weight, dtype):
    limits = np.finfo(dtype)
    numbers = [0, limits.smallest_subnormal, limits.tiny / 8, limits.tiny, 3 * limits.tiny]
    numbers += [limits.eps**3, 1e-10, 1, 1e10, limits.max / 4, 0.49 * limits.max, limits.max]
    for pair in product(np.array(numbers, dtype), repeat=2):
        p, q = np.array(pair).reshape(2, 1)
        (exact,) = oracle.skewed_terms(p, q, weight)
        for computed in (
            js_divergence(p, q, weight=weight)[0],
            js_divergence(p, q, weight=weight, reduce=False)[0],
        ):
            assert oracle.relative_error(computed, exact) < ERROR[dtype], pair
        if p > 0:
            (slope,) = oracle.skewed_slopes(p, q, weight)
            in_p = js_divergence_grad(p, q, weight=weight)[1][0]
            assert oracle.relative_error(in_p, slope) < ERROR[dtype], pair


@pytest.mark.parametrize("scale", [1e-280, 1e-250, 1e-207, 1e-150])
def test_many_terms_that_are_subnormal_beside_a_small_weight(scale):
    """Each is rounded by up to half a unit, and so would be hundreds of them."""
    p = np.full(255, scale)
    for weight in (1e-200, 1e-100, 1e-50):
        for separation in 10.0 ** np.arange(-12, 0):
            q = p * (1 + separation)
            with oracle.in_balls(500):
                exact = oracle.repeated(oracle.skewed_terms(p[:1], q[:1], weight), [p.size])
                for computed in (
                    js_divergence(p, q, weight=weight)[0],
                    js_divergence(p[:, np.newaxis], q[:, np.newaxis], weight=weight, axis=0)[0, 0],
                    js_divergence_grad(p, q, weight=weight)[0][0],
                    js_divergence_many([p, q, q], weights=[1, weight, 0])[0],
                ):
                    assert oracle.relative_error(computed, exact) < 1e-14, (weight, separation)


@pytest.mark.parametrize(
    ("large", "weight", "dtype"), [(1e300, 1e-100, np.float64), (1e27, 2e-20, np.float32)]
)
def test_derivatives_where_a_number_is_as_large_as_the_mean_is_scaled(large, weight, dtype):
    """As they are scaled, so that the larger is about 1, the other one is 0."""
    for factor in 2.0 ** np.linspace(-2, 2, 17):
        p, q = np.array([[factor * weight], [large]], dtype)
        with oracle.in_balls(500):
            (slope,) = oracle.skewed_slopes(p, q, float(dtype(weight)))
            _, in_p, _ = js_divergence_grad(p, q, weight=weight)
            assert oracle.relative_error(in_p[0], slope) < ERROR[dtype], factor
            _, of_many = js_divergence_many_grad([p, q, q], weights=[1, weight / 2, weight / 2])
            assert oracle.relative_error(of_many[0, 0], slope) < ERROR[dtype], factor


@PRECISIONS
@pytest.mark.parametrize("length", [5_000, (1 << 20) + 3])
def test_long_rows(length, dtype):
    """Equal elements are the hardest: their rounding errors do not cancel."""
    rng = np.random.default_rng(4)
    for weight in (0.9, 1e-3):
        separation = 10.0 ** rng.uniform(np.log10(cases.EPSILON[dtype]), 0)
        p = (rng.random(1) / length).astype(dtype)
        q = (p * (1 + separation)).astype(dtype)
        exact = oracle.repeated(oracle.skewed_terms(p, q, weight), [length])
        rows = [np.repeat(x, length) for x in (p, q)]
        columns = [np.stack([x, x], axis=1) for x in rows]
        for computed in (
            js_divergence(*rows, weight=weight)[0],
            js_divergence(*columns, weight=weight, axis=0)[0, 0],
        ):
            assert oracle.relative_error(computed, exact) < ERROR[dtype], (p, q, weight)


@REDUCE
@PRECISIONS
@pytest.mark.parametrize("half", [0.5, np.float32(0.5), [[0.5]], np.full((4, 3, 1), 0.5)])
def test_a_half_everywhere_is_the_default_to_the_last_bit(half, dtype, reduce):
    p, q = P.astype(dtype), Q.astype(dtype)
    for function in (js_divergence, js_divergence_grad):
        expected = function(p, q, reduce=reduce)
        for one, other in zip(function(p, q, weight=half, reduce=reduce), expected, strict=True):
            np.testing.assert_array_equal(one, other, strict=True)


@PRECISIONS
def test_a_half_among_others_is_the_default_but_for_rounding(dtype):
    p, q = (x.reshape(12, 5).astype(dtype) for x in (P, Q))
    weight = np.where(np.arange(12) % 2, 0.5, 0.2)[:, np.newaxis]
    computed = js_divergence(p, q, weight=weight)[1::2]
    np.testing.assert_allclose(computed, js_divergence(p, q)[1::2], rtol=ERROR[dtype])


@every_input
@given(probability_pairs(smallest=0), dyadic)
def test_swapping_both_pairs_changes_no_bit(pair, weight):
    p, q = pair
    for reduce in (True, False):
        there = js_divergence(p, q, weight=weight, reduce=reduce)
        back = js_divergence(q, p, weight=1 - weight, reduce=reduce)
        assert there.tobytes() == back.tobytes()


@every_input
@given(probability_pairs(), st.floats(0, 1))
def test_between_0_and_the_entropy_of_the_weights(pair, weight):
    p, q = (x.astype(np.float64) / x.sum(dtype=np.float64) for x in pair)
    value = js_divergence(p, q, weight=weight, keepdims=False)
    bound = scipy.special.entr(weight) - scipy.special.xlog1py(1 - weight, -weight)
    a_few_subnormal = 1e-320
    assert 0 <= value <= bound * (1 + 1e-14) + a_few_subnormal
    if weight in (0, 1) or np.array_equal(p, q):
        assert value == 0


@every_input
@given(probability_pairs(smallest=0), st.floats(1e-9, 1 - 1e-9))
def test_it_is_what_its_divergences_add_up_to(pair, weight):
    p, q = (x.astype(np.float64) for x in pair)
    m = (1 - weight) * p + weight * q
    assume(((m > 0) == (p + q > 0)).all())  # the mean of 0 and 5e-324 is 0
    expected = (1 - weight) * kl_divergence(p, m) + weight * kl_divergence(q, m)
    np.testing.assert_allclose(js_divergence(p, q, weight=weight), expected, atol=1e-13)


@every_input
@given(probability_pairs(), st.floats(0, 1), st.floats(0, 1))
def test_it_is_concave_in_the_weight(pair, first, second):
    p, q = (x.astype(np.float64) for x in pair)
    ends = [js_divergence(p, q, weight=weight, keepdims=False) for weight in (first, second)]
    middle = js_divergence(p, q, weight=(first + second) / 2, keepdims=False)
    a_few_subnormal = 1e-320
    assert middle >= np.mean(ends) * (1 - 1e-13) - a_few_subnormal


def test_disjoint_rows_have_the_entropy_of_the_weights():
    for weight in (1e-9, 0.1, 0.75):
        value = js_divergence([0.25, 0.75, 0], [0, 0, 1], weight=weight, keepdims=False)
        bound = -weight * np.log(weight) - (1 - weight) * np.log1p(-weight)
        np.testing.assert_allclose(value, bound, rtol=1e-15)


@AXES
@REDUCE
@PRECISIONS
def test_one_weight_for_each_result(axis, reduce, dtype):
    """As when the results are asked for one by one."""
    p, q, weights = P.astype(dtype), Q.astype(dtype), weights_for(axis, reduce)
    computed = js_divergence(p, q, axis=axis, reduce=reduce, weight=weights)
    assert (computed.shape, computed.dtype) == (weights.shape, dtype)
    for place in np.ndindex(weights.shape):
        every = js_divergence(p, q, axis=axis, reduce=reduce, weight=weights[place])
        np.testing.assert_allclose(computed[place], every[place], rtol=4 * np.finfo(dtype).eps)
    if reduce:
        flat = js_divergence(p, q, axis=axis, keepdims=False, weight=np.squeeze(weights))
        np.testing.assert_array_equal(np.reshape(flat, weights.shape), computed)


@AXES
@REDUCE
def test_central_differences_and_the_value(axis, reduce):
    weight = weights_for(axis, reduce)
    for p, q in ((P, Q), (P[0, 0], Q)):
        options = {"axis": axis, "reduce": reduce, "base": 2, "weight": weight}
        cotangent = RNG.standard_normal(weight.shape)
        value, *gradients = js_divergence_grad(p, q, cotangent=cotangent, **options)
        np.testing.assert_array_equal(value, js_divergence(p, q, **options), strict=True)
        for which, computed in enumerate(gradients):
            direction = RNG.standard_normal((p, q)[which].shape)
            ends = []
            for step in (-1e-6, 1e-6):
                moved = [x + step * direction if i == which else x for i, x in enumerate((p, q))]
                ends.append((cotangent * js_divergence(*moved, **options)).sum())
            expected = (ends[1] - ends[0]) / 2e-6
            np.testing.assert_allclose((computed * direction).sum(), expected, rtol=1e-6, atol=1e-8)


def test_at_a_zero():
    p, q = [0, 0.5, 0, 0.5], [0.2, 0, 0, 0.8]
    for reduce in (True, False):
        _, in_p, in_q = js_divergence_grad(p, q, weight=0.2, reduce=reduce)
        np.testing.assert_allclose(in_p[:3], [-np.inf, 0.8 * np.log(1 / 0.8), 0], rtol=1e-15)
        np.testing.assert_allclose(in_q[:3], [0.2 * np.log(1 / 0.2), -np.inf, 0], rtol=1e-15)
    for options in ({"weight": 0}, {"weight": 1}, {"weight": 0.2, "cotangent": 0}):
        _, in_p, in_q = js_divergence_grad(p, q, **options)
        np.testing.assert_array_equal([in_p, in_q], np.zeros((2, 4)))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("axis", [-1, 0, (0, 2)], ids=str)
def test_layout_changes_nothing(layout, axis):
    weight = weights_for(axis)
    expected = js_divergence_grad(P, Q, axis=axis, weight=weight)
    computed = js_divergence_grad(layout(P), layout(Q), axis=axis, weight=layout(weight))
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-17)


@AXES
@REDUCE
def test_blocks_and_workers_make_no_difference(axis, reduce, monkeypatch):
    weight = weights_for(axis, reduce)
    options = {"axis": axis, "reduce": reduce, "weight": weight}
    expected = js_divergence_grad(P, Q, **options)
    for name, size in (("BLOCK_ELEMENTS", 16), ("BLOCK_WITH_SECONDARY", 16), ("ROW_PIECE", 4)):
        monkeypatch.setattr(f"jsdiv_numba._core.blocks.{name}", size)
    monkeypatch.setattr("jsdiv_numba._core.blocks.COLUMN_PIECE", 2)
    for workers in (1, 3):
        computed = js_divergence_grad(P, Q, workers=workers, **options)
        for one, other in zip(computed, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-17)


@pytest.mark.parametrize(
    ("shape", "axis"), [((700, 611), -1), ((611, 700), 0), (((1 << 20) + 77,), -1)], ids=str
)
def test_workers_change_no_bit(shape, axis):
    p, q = RNG.random((2, *shape), np.float32)
    weight = RNG.random(np.shape(js_divergence(p, q, axis=axis)))
    alone = js_divergence(p, q, axis=axis, weight=weight, workers=1)
    for workers in (2, 7):
        shared = js_divergence(p, q, axis=axis, weight=weight, workers=workers)
        assert shared.tobytes() == alone.tobytes()


@REDUCE
def test_nan_stays_in_its_row_and_out_may_be_an_input(reduce):
    p = P.copy()
    p[1, 1, 2] = np.nan
    value, in_p, _ = js_divergence_grad(p, Q, weight=0.3, reduce=reduce)
    spoiled = (1, 1) if reduce else (1, 1, 2)
    assert np.isnan(value[spoiled]).all()
    assert np.isnan(in_p[spoiled]).all()
    assert np.isnan(value).sum() == 1
    expected = js_divergence(P, Q, weight=0.3, reduce=False)
    p = P.copy()
    assert js_divergence(p, Q, weight=0.3, reduce=False, out=p) is p
    np.testing.assert_array_equal(p, expected)


@pytest.mark.parametrize("function", [js_divergence, js_divergence_grad])
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (1.5, "weight is 1.5; a weight must be between 0 and 1"),
        (-1e-300, "weight is -1e-300; a weight must be between 0 and 1"),
        (np.nan, "weight is nan; a weight must be between 0 and 1"),
        ([[0.5], [np.inf]], "weight[1, 0] is inf; a weight must be between 0 and 1"),
        ([0.5, 0.5], "weight of shape (2,) does not broadcast to the result's shape (4, 3, 1)"),
    ],
    ids=str,
)
def test_wrong_weights(function, weight, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function(P, Q, weight=weight)


def test_wrong_kinds_of_weights_and_wrong_probabilities():
    with pytest.raises(TypeError, match="weight has dtype <U3; pass real numbers"):
        js_divergence(P, Q, weight="0.5")
    q = Q.copy()
    q[1, 2, 3] = -1
    for weight in (0.3, np.full((4, 3, 1), 0.3)):
        with pytest.raises(ValueError, match=r"Q\[1, 2, 3\] is -1.0; probabilities must be"):
            js_divergence(P, q, weight=weight)


def test_a_loss_has_it_or_is_called_with_it():
    weight = RNG.random((4, 3))
    expected = js_divergence(P, Q, weight=weight, keepdims=False).mean()
    loss = JSDivergenceLoss(weight=weight)
    assert loss(P, Q) == JSDivergenceLoss()(P, Q, weight=weight) == expected
    value, gradients = loss.value_and_grad(P, Q)
    _, *exact = js_divergence_grad(P, Q, weight=weight, keepdims=False, cotangent=1 / 12)
    assert value == expected
    for one, other in zip(gradients, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)
    loss.weight = 0.5
    assert loss(P, Q) == JSDivergenceLoss()(P, Q)
    with pytest.raises(ValueError, match="weight is 2; a weight must be between 0 and 1"):
        JSDivergenceLoss(weight=2)
