"""The divergence of any number of distributions, and its derivatives."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import log, mp, mpf, workdps

from jsdiv_numba import (
    Loss,
    entropy,
    js_divergence,
    js_divergence_grad,
    js_divergence_many,
    js_divergence_many_grad,
    mean_scalarise,
)
from tests import cases, oracle

RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.full(5, 0.5), (4, 3, 2)) + 0.01
WEIGHTS = np.array([4.0, 1.0, 2.0, 3.0])
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
ERROR = {np.float64: 1e-14, np.float32: 1e-6}
CASES = 40
REDUCE = pytest.mark.parametrize("reduce", [True, False])


def stack(kind, dtype, rng):
    """Distributions of one kind, some of which are others' near copies, and their weights."""
    number = int(rng.choice([1, 3, 5, 40]))
    rows = list(cases.ROWS[kind](rng, dtype))
    while len(rows) < number:
        other = rows[rng.integers(len(rows))].astype(np.float64)
        separation = 10.0 ** rng.uniform(np.log10(cases.EPSILON[dtype]), 0)
        copy = np.abs(other * (1 + separation * rng.standard_normal(other.size))).astype(dtype)
        rows.append(np.where(np.isfinite(copy), copy, other).astype(dtype))
    weights = rng.random(number)
    weights[rng.integers(number)] *= rng.choice([1, 1e-6, 0]) if number > 1 else 1
    return np.stack(rows[:number]), weights


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_divergences_terms_and_derivatives(kind, dtype):
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        rows, weights = stack(kind, dtype, rng)
        shares = oracle.shares(weights)
        terms = [oracle.term_of_many(column, shares) for column in rows.T]
        exact = sum(terms, mpf(0))
        computed, slopes = js_divergence_many_grad(rows, weights=weights, keepdims=False)
        assert computed >= 0
        assert oracle.relative_error(computed, exact) < ERROR[dtype], (rows, weights)
        each = js_divergence_many(rows, weights=weights, reduce=False)
        for one, term in zip(each, terms, strict=True):
            assert oracle.relative_error(one, term) < ERROR[dtype], (rows, weights)
        for column, own in zip(rows.T, slopes.T, strict=True):
            check_slopes(column, shares, own, ERROR[dtype])


def exact_addition(rows, weights, i):
    """What a distribution adds, exactly, and the larger of that and its part of the whole."""
    shares, others = oracle.shares(weights), oracle.shares(np.delete(weights, i))
    whole = sum((oracle.term_of_many(column, shares) for column in rows.T), mpf(0))
    columns = np.delete(rows, i, axis=0).T
    added = whole - sum((oracle.term_of_many(column, others) for column in columns), mpf(0))
    return added, max(abs(added), shares[i] * whole)


@PRECISIONS
@pytest.mark.parametrize("kind", cases.ROWS)
def test_what_each_adds(kind, dtype):
    rng = np.random.default_rng(2)
    subnormal = mpf(float(np.finfo(dtype).smallest_subnormal))
    for _ in range(8):
        rows, weights = stack(kind, dtype, rng)
        if np.count_nonzero(weights) < 2:
            continue
        added = js_divergence_many(rows, weights=weights, leave_one_out=True, keepdims=False)
        assert added.dtype == dtype
        for i in {int(rng.integers(len(rows))), int(weights.argmax())}:
            exact, size = exact_addition(rows, weights, i)
            error = abs(mpf(float(added[i])) - exact)
            assert error <= ERROR[dtype] * size + 3 * subnormal, (rows, weights, i)


@pytest.mark.parametrize("share", [0.5, 0.9, 1 - 1e-9, 1e-12, 1e-200])
def test_what_each_adds_where_weights_are_far_apart(share):
    rows = np.random.default_rng(3).dirichlet(np.ones(9), 4)
    rows[3] = rows[2] * (1 + 1e-9 * rows[1])
    weights = np.array([share, *np.full(3, (1 - share) / 3)])
    added = js_divergence_many(rows, weights=weights, leave_one_out=True, keepdims=False)
    with workdps(450):
        for i in range(4):
            exact, size = exact_addition(rows, weights, i)
            assert abs(mpf(float(added[i])) - exact) <= 1e-14 * size


def test_what_each_adds_stands_where_the_distributions_did():
    added = js_divergence_many(P, leave_one_out=True)
    assert added.shape == (4, 3, 2, 1)
    for i in range(4):
        rest = js_divergence_many(np.delete(P, i, axis=0))
        np.testing.assert_allclose(added[i], js_divergence_many(P) - rest, rtol=1e-11)
    for axes in ((1, 0, 3, 2), (3, 2, 1, 0)):
        moved, over, axis = np.transpose(P, axes), axes.index(0), axes.index(3)
        given = {"leave_one_out": True, "over": over, "axis": axis}
        kept = js_divergence_many(moved, **given)
        np.testing.assert_allclose(kept, np.transpose(added, axes), rtol=1e-13)
        bare = js_divergence_many(moved, keepdims=False, **given)
        np.testing.assert_array_equal(bare, np.squeeze(kept, axis))
    out = np.empty((4, 3, 2), np.float32)
    given = {"keepdims": False, "base": 2, "out": out, "workers": 3}
    assert js_divergence_many(P, leave_one_out=True, **given) is out
    np.testing.assert_allclose(out, added[..., 0] / np.log(2), rtol=1e-6)
    joint = js_divergence_many(P, leave_one_out=True, axis=None, keepdims=False)
    np.testing.assert_allclose(joint, added.sum(axis=(1, 2, 3)), rtol=1e-11)


def test_what_none_adds_and_what_cannot_be_left_out():
    rows = np.stack([P[0, 0, 0]] * 3)
    assert not js_divergence_many(rows, leave_one_out=True).any()
    with pytest.raises(ValueError, match="only one distribution has a weight"):
        js_divergence_many(rows, weights=[0, 1, 0], leave_one_out=True)
    with pytest.raises(ValueError, match="reduce is False; what each distribution adds is a sum"):
        js_divergence_many(rows, reduce=False, leave_one_out=True)
    rows[1, 2] = np.nan
    assert np.isnan(js_divergence_many(rows, leave_one_out=True)).all()
    rows[1, 2] = -1
    with pytest.raises(ValueError, match=r"P\[1, 2\] is -1"):
        js_divergence_many(rows, leave_one_out=True)


def check_slopes(column, shares, computed, bound):
    """Hold a category's derivatives to a part of the largest logarithm in it."""
    logs = oracle.log_ratios_to_mean(column, shares)
    largest = max((abs(x) for x in logs if abs(x) < mpf("inf")), default=mpf(0))
    for one, exact, share in zip(computed, logs, shares, strict=True):
        if not share or not exact:
            assert one == 0
        elif abs(exact) == mpf("inf"):
            assert one == -np.inf
        else:
            unavoidable = float(np.finfo(computed.dtype).smallest_subnormal)
            error = abs(mpf(float(one)) - share * exact) - unavoidable
            assert error < bound * share * largest, (column, shares)


SMALL_WEIGHTS = {np.float64: [1e-200, 1e-100, 1e-20, 1e-10, 1e-3], np.float32: [1e-20, 1e-7, 1e-3]}


@PRECISIONS
@pytest.mark.parametrize("third", [False, True])
@pytest.mark.parametrize("kind", ["ordinary", "near_equal", "disjoint"])
def test_one_small_weight_in_either_place(kind, third, dtype):
    """No weight is one less the other: beside a small one, that leaves none of its digits."""
    rng = np.random.default_rng(3)
    for small in SMALL_WEIGHTS[dtype]:
        for _ in range(5):
            rows = np.stack(cases.ROWS[kind](rng, dtype))
            more = rng.dirichlet(np.ones(rows.shape[1]), int(third)).astype(dtype)
            for weights in ([small, 1], [1, small]):
                given = [*weights, 0] if third else weights
                with mp.workdps(500):
                    check_stack(np.concatenate([rows, more]), given, ERROR[dtype])


def check_stack(rows, weights, bound):
    """Hold the divergence, its terms and their derivatives to mpmath."""
    shares = oracle.shares(weights)
    terms = [oracle.term_of_many(column, shares) for column in rows.T]
    value, slopes = js_divergence_many_grad(rows, weights=weights, keepdims=False)
    assert oracle.relative_error(value, sum(terms, mpf(0))) < bound, (rows, weights)
    assert js_divergence_many(rows, weights=weights, keepdims=False) == value
    each = js_divergence_many(rows, weights=weights, reduce=False)
    for one, term in zip(each, terms, strict=True):
        assert oracle.relative_error(one, term) < bound, (rows, weights)
    for column, own in zip(rows.T, slopes.T, strict=True):
        check_slopes(column, shares, own, bound)


@PRECISIONS
def test_differences_that_are_subnormal(dtype):
    """Of three distributions each of which has normal numbers alone."""
    rng = np.random.default_rng(4)
    for factor in 10.0 ** np.arange(1, 11):
        scale = factor * float(np.finfo(dtype).tiny)
        for separation in (cases.EPSILON[dtype], 1e-3):
            row = scale * (1 + rng.random(7))
            rows = row * (1 + separation * rng.standard_normal((3, 7)))
            check_stack(rows.astype(dtype), rng.random(3), ERROR[dtype])


@PRECISIONS
def test_a_thousand_distributions_nearly_equal(dtype):
    rng = np.random.default_rng(2)
    row = rng.dirichlet(np.ones(7))
    for separation in (cases.EPSILON[dtype], 1e-3, 1):
        rows = np.abs(row * (1 + separation * rng.standard_normal((1000, 7)))).astype(dtype)
        shares = oracle.shares(np.ones(1000))
        exact = sum((oracle.term_of_many(column, shares) for column in rows.T), mpf(0))
        computed = js_divergence_many(rows, keepdims=False)
        assert oracle.relative_error(computed, exact) < ERROR[dtype]


@REDUCE
@PRECISIONS
def test_two_are_the_divergence_of_two_to_the_last_bit(dtype, reduce):
    p, q = P[:2].astype(dtype)
    for weights, weight in ((None, 0.5), ([1, 3], 0.75)):
        for axis in (-1, 1, (1, 2)):
            own = axis if axis == -1 else 0 if axis == 1 else (0, 1)
            options = {"weights": weights, "axis": axis, "reduce": reduce}
            expected = js_divergence_grad(p, q, weight=weight, axis=own, reduce=reduce)
            value, gradient = js_divergence_many_grad(P[:2].astype(dtype), **options)
            np.testing.assert_array_equal(value, expected[0], strict=True)
            np.testing.assert_array_equal(gradient, np.stack(expected[1:]), strict=True)
            computed = js_divergence_many(P[:2].astype(dtype), **options)
            exact = js_divergence(p, q, weight=weight, axis=own, reduce=reduce)
            np.testing.assert_array_equal(computed, exact, strict=True)


@settings(deadline=None, max_examples=60)
@given(st.integers(3, 6), st.integers(0, 2**32 - 1), st.sampled_from([0.05, 1.0]))
def test_between_0_and_the_entropy_of_the_weights(number, seed, concentration):
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(9, concentration), number)
    weights = rng.dirichlet(np.ones(number))
    value = js_divergence_many(rows, weights=weights, keepdims=False)
    assert 0 <= value <= entropy(weights, keepdims=False) * (1 + 1e-14)
    expected = entropy(weights @ rows) - weights @ entropy(rows)
    np.testing.assert_allclose(value, expected[0], atol=1e-13)
    order = rng.permutation(number)
    swapped = js_divergence_many(rows[order], weights=weights[order], keepdims=False)
    np.testing.assert_allclose(swapped, value, rtol=1e-14)


@PRECISIONS
def test_equal_ones_have_0_and_disjoint_ones_the_entropy_of_the_weights(dtype):
    for number in (1, 3, 7):
        weights = RNG.random(number)
        for row in P.reshape(-1, 5).astype(dtype):
            equal = np.stack([row] * number)
            value, gradient = js_divergence_many_grad(equal, weights=weights, keepdims=False)
            assert value == 0
            assert not gradient.any()
        shares = weights / weights.sum()
        value = js_divergence_many(np.eye(number, dtype=dtype), weights=weights, keepdims=False)
        np.testing.assert_allclose(value, entropy(shares, keepdims=False), rtol=ERROR[dtype])


@REDUCE
@pytest.mark.parametrize("axis", [-1, 1, (1, 3), None], ids=str)
def test_axes_and_the_place_of_the_distributions(axis, reduce):
    options = {"weights": WEIGHTS, "reduce": reduce}
    value, gradient = js_divergence_many_grad(P, axis=axis, **options)
    axes = (1, 2, 3) if axis is None else axis
    kept = P.shape[1:] if not reduce else np.sum(P[0], axis=own_axes(axes), keepdims=True).shape
    assert value.shape == kept
    moved = np.moveaxis(P, 0, 2)
    there = {0: 2, 1: 0, 2: 1, 3: 3}
    places = tuple(there[a % 4] for a in np.atleast_1d(axes))
    other, slopes = js_divergence_many_grad(moved, axis=places, over=-2, **options)
    np.testing.assert_allclose(other, value, rtol=1e-14)
    np.testing.assert_allclose(np.moveaxis(slopes, 2, 0), gradient, rtol=1e-13, atol=1e-17)


def own_axes(axes):
    return tuple(a % 4 - 1 for a in np.atleast_1d(axes))


@REDUCE
@pytest.mark.parametrize("axis", [-1, 1, (1, 3)], ids=str)
def test_central_differences_out_and_workers(axis, reduce):
    options = {"axis": axis, "reduce": reduce, "weights": WEIGHTS, "base": 2}
    value = js_divergence_many(P, **options)
    cotangent = RNG.standard_normal(value.shape)
    outs = np.empty_like(value), np.empty_like(P)
    results = js_divergence_many_grad(P, cotangent=cotangent, out=outs, workers=2, **options)
    assert all(one is other for one, other in zip(results, outs, strict=True))
    np.testing.assert_array_equal(outs[0], value)
    shared = cotangent.copy()
    _, slopes = js_divergence_many_grad(P, cotangent=shared, out=(shared, None), **options)
    np.testing.assert_array_equal(slopes, outs[1])
    direction = RNG.standard_normal(P.shape)
    ends = [
        (cotangent * js_divergence_many(P + step * direction, **options)).sum()
        for step in (-1e-6, 1e-6)
    ]
    expected = (ends[1] - ends[0]) / 2e-6
    np.testing.assert_allclose((outs[1] * direction).sum(), expected, rtol=1e-6, atol=1e-8)


def test_long_rows_have_the_bits_of_any_number_of_workers():
    rows = RNG.random((3, 40, 5000))
    alone = js_divergence_many(rows, workers=1)
    assert js_divergence_many(rows, workers=3).tobytes() == alone.tobytes()
    exact = js_divergence_many(rows, reduce=False).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(alone, exact, rtol=1e-13)


def test_nan_stays_in_its_result():
    rows = P.copy()
    rows[2, 1, 1, 0] = np.nan
    value, gradient = js_divergence_many_grad(rows)
    expected, slopes = js_divergence_many_grad(P)
    expected[1, 1], slopes[:, 1, 1] = np.nan, np.nan
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(gradient, slopes)


@pytest.mark.parametrize("function", [js_divergence_many, js_divergence_many_grad])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1, 2]}, "weights has shape (2,); P has 4 distributions"),
        ({"weights": [1, -1, 1, 1]}, "weights[1] is -1; weights must be finite and not negative"),
        ({"weights": np.zeros(4)}, "weights are all 0; one at least must be positive"),
        ({"over": 4}, "over of P: axis 4 is out of bounds for array of dimension 4"),
        ({"over": -1}, "over is 3, which is an axis of the categories too: P of shape"),
        ({"axis": 4}, "axis 4 is out of bounds for array of dimension 4"),
        ({"base": 1}, "base is 1; it must be"),
        ({"workers": 0}, "workers is 0; it must be"),
    ],
    ids=str,
)
def test_wrong_arguments(function, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        function(P, **options)


@pytest.mark.parametrize("number", [2, 4])
def test_wrong_probabilities_are_named_where_they_stand(number):
    rows = P[:number].copy()
    rows[1, 2, 0, 3] = -1
    with pytest.raises(ValueError, match=r"^P\[1, 2, 0, 3\] is -1.0; probabilities must be"):
        js_divergence_many(rows)
    moved = np.moveaxis(rows, 0, 1)
    with pytest.raises(ValueError, match=r"^P\[2, 1, 0, 3\] is -1.0; probabilities must be"):
        js_divergence_many_grad(moved, over=1)
    with pytest.raises(ValueError, match="has no distribution along axis 0"):
        js_divergence_many(rows[:0])
    with pytest.raises(TypeError, match=r"over is 1.5; it must be an integer"):
        js_divergence_many(rows, over=1.5)


def test_it_is_a_score_whose_derivative_a_loss_knows():
    loss = Loss(js_divergence_many, mean_scalarise())
    value, gradient = loss.value_and_grad(P, weights=WEIGHTS)
    expected, slopes = js_divergence_many_grad(P, weights=WEIGHTS, cotangent=1 / 6)
    assert value == expected.mean() == loss(P, weights=WEIGHTS)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-14)


def test_log_ratios_of_the_oracle_are_the_definition():
    shares = oracle.shares([1, 3])
    assert oracle.log_ratios_to_mean([0.5, 0.25], shares)[0] == log(mpf(0.5) / mpf(0.3125))
    exact = js_divergence([0.5], [0.25], weight=0.75)[0]
    assert oracle.relative_error(exact, oracle.term_of_many([0.5, 0.25], shares)) < 1e-15
