"""The divergence of any number of rows of logits, and its derivatives."""

import re

import numpy as np
import pytest
import scipy.special
from mpmath import mp, mpf

from jsdiv_numba import (
    Loss,
    js_divergence_logit,
    js_divergence_logit_grad,
    js_divergence_many,
    js_divergence_many_logit,
    js_divergence_many_logit_grad,
    mean_scalarise,
)
from tests import cases, oracle

RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 3, 2, 5))
WEIGHTS = np.array([4.0, 1.0, 2.0, 3.0])
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
REDUCE = pytest.mark.parametrize("reduce", [True, False])
ERROR = {np.float64: 1e-10, np.float32: 1e-4}
GRADIENT_ERROR = {np.float64: 1e-12, np.float32: 1e-4}
CASES = 40


def stack(kind, dtype, rng):
    """Rows of one kind, some of which are others' near copies, and their weights."""
    number = int(rng.choice([1, 2, 3, 5, 40]))
    rows = list(cases.LOGITS[kind](rng, dtype))
    while len(rows) < number:
        other = rows[rng.integers(len(rows))].astype(np.float64)
        separation = 10.0 ** rng.uniform(np.log10(cases.LOGIT_EPSILON[dtype]), 0)
        rows.append((other + separation * rng.standard_normal(other.size)).astype(dtype))
    weights = rng.random(number)
    weights[rng.integers(number)] *= rng.choice([1, 1e-6, 0]) if number > 1 else 1
    return np.stack(rows[:number]), weights


def check(rows, weights, cotangents, dtype):
    """Hold the divergence, its terms and their derivatives to mpmath."""
    shares = oracle.shares(weights)
    columns = list(zip(*map(oracle.softmax, rows), strict=True))
    terms = [oracle.term_of_many(column, shares) for column in columns]
    exact = sum(terms, mpf(0))
    value = js_divergence_many_logit(rows, weights=weights, keepdims=False)
    assert value >= 0
    assert oracle.relative_error(value, exact) < ERROR[dtype], (rows, weights)
    each, slopes = js_divergence_many_logit_grad(
        rows, weights=weights, reduce=False, cotangent=cotangents
    )
    for one, term in zip(each, terms, strict=True):
        error = oracle.relative_error(one, term) * (float(term / exact) if term else 1.0)
        assert error < ERROR[dtype], (rows, weights)
    in_rows = oracle.gradient_of_many_logit(columns, shares, cotangents)
    logs = [oracle.log_ratios_to_mean(column, shares) for column in columns]
    unavoidable = 1e9 * mpf(float(np.finfo(dtype).tiny))
    for i, share in enumerate(shares):
        p = [column[i] for column in columns]
        ratios = (abs(own[i]) for own, x in zip(logs, p, strict=True) if x and share)
        scale = share * max(ratios, default=mpf(0)) * max(abs(float(c)) for c in cotangents)
        for one, slope in zip(slopes[i], in_rows[i], strict=True):
            error = abs(mpf(float(one)) - slope)
            bound = GRADIENT_ERROR[dtype] * scale + unavoidable
            assert error <= bound, (rows, weights, cotangents)
        np.testing.assert_array_equal(slopes[i][np.isneginf(rows[i])], 0)


@PRECISIONS
@pytest.mark.parametrize("kind", cases.LOGITS)
def test_divergences_terms_and_derivatives(kind, dtype):
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        rows, weights = stack(kind, dtype, rng)
        check(rows, weights, np.ones(rows.shape[1], dtype), dtype)
        check(rows, weights, rng.choice([-1, 0, 0.5, 1, 3], rows.shape[1]).astype(dtype), dtype)


@PRECISIONS
@pytest.mark.parametrize("third", [False, True])
@pytest.mark.parametrize("kind", ["ordinary_logits", "near_equal_logits", "logits_with_zeros"])
def test_one_small_weight_in_either_place(kind, third, dtype):
    rng = np.random.default_rng(3)
    for small in (1e-3, 1e-10, *([1e-100, 1e-200] if dtype is np.float64 else [1e-20])):
        for _ in range(5):
            rows = np.stack(cases.LOGITS[kind](rng, dtype))
            more = rng.standard_normal((int(third), rows.shape[1])).astype(dtype)
            for weights in ([small, 1], [1, small]):
                with mp.workdps(500):
                    given = [*weights, 0] if third else weights
                    check(np.concatenate([rows, more]), given, np.ones(rows.shape[1]), dtype)


@REDUCE
@PRECISIONS
def test_two_are_those_of_the_function_of_two(dtype, reduce):
    a = A[:2].astype(dtype)
    options = {"reduce": reduce, "base": 2}
    for weights in (None, [1, 3]):
        weight = 0.5 if weights is None else 0.75
        value, gradient = js_divergence_many_logit_grad(a, weights=weights, **options)
        expected, *both = js_divergence_logit_grad(*a, weight=weight, **options)
        np.testing.assert_array_equal(value, expected)
        np.testing.assert_array_equal(gradient, np.stack(both))
        np.testing.assert_array_equal(
            js_divergence_many_logit(a, weights=weights, **options),
            js_divergence_logit(*a, weight=weight, **options),
        )


@REDUCE
@pytest.mark.parametrize(
    ("over", "axis"), [(0, -1), (0, (1, 2, 3)), (1, 0), (-1, (0, 1)), (2, None)], ids=str
)
def test_axes(over, axis, reduce):
    a = np.moveaxis(A, 0, over)
    over_all = axis if axis is not None else tuple(i for i in range(4) if i != over % 4)
    softmaxes = scipy.special.softmax(a, axis=over_all)
    options = {"over": over, "axis": axis, "reduce": reduce, "weights": WEIGHTS}
    computed, gradient = js_divergence_many_logit_grad(a, **options)
    np.testing.assert_allclose(computed, js_divergence_many(softmaxes, **options), rtol=1e-12)
    direction = RNG.standard_normal(a.shape)
    ends = [js_divergence_many_logit(a + h * direction, **options).sum() for h in (-1e-6, 1e-6)]
    np.testing.assert_allclose((gradient * direction).sum(), np.diff(ends) / 2e-6, rtol=1e-5)


@PRECISIONS
def test_equal_rows_and_shifted_ones(dtype):
    a = np.repeat(A[:1, 0], 3, axis=0).astype(dtype)
    assert not js_divergence_many_logit(a).any()
    shifted = np.float64(a) + np.array([0, 2**10, -(2**10)])[:, None, None]
    value = js_divergence_many_logit(np.round(shifted * 2**20) / 2**20)
    assert (value < 1e-12).all()


def test_nan_and_nothing():
    a = A.copy()
    a[2, 1, 1, 3] = np.nan
    a[1, 0, 0] = -np.inf
    value, gradient = js_divergence_many_logit_grad(a)
    spoiled = np.zeros((3, 2, 1), bool)
    spoiled[1, 1] = spoiled[0, 0] = True
    np.testing.assert_array_equal(np.isnan(value), spoiled)
    assert np.isnan(gradient[:, 1, 1]).all()
    assert np.isnan(gradient).sum() == 2 * 4 * 5
    np.testing.assert_array_equal(js_divergence_many_logit(np.ones((3, 0))), [0.0])


def test_workers_change_no_bit():
    a = RNG.standard_normal((3, 700, 611)).astype(np.float32)
    alone = js_divergence_many_logit(a, workers=1)
    assert js_divergence_many_logit(a, workers=3).tobytes() == alone.tobytes()


def test_a_loss_of_it():
    loss = Loss(js_divergence_many_logit, mean_scalarise())
    value, gradient = loss.value_and_grad(A)
    expected, exact = js_divergence_many_logit_grad(A, cotangent=1 / 6)
    assert value == expected.mean()
    np.testing.assert_allclose(gradient, exact, rtol=1e-14)


def test_wrong_logits_are_named():
    for number in (2, 4):
        a = A[:number].copy()
        a[1, 2, 1, 3] = np.inf
        message = "P[1, 2, 1, 3] is inf; logits may be -inf, a probability of 0, but not +inf"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            js_divergence_many_logit(a)
