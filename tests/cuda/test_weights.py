"""Weights other than ½ on device arrays, and the Kullback-Leibler divergence of their pairs."""

import numpy as np
import pytest
from mpmath import mpf, workdps

import jsdiv_numba
from jsdiv_numba import cuda as device_functions
from tests import cases, oracle

pytest.importorskip("numba.cuda")
from jsdiv_numba._cuda import pairwise, target
from tests.cuda.ways import (
    LOGIT_ERROR,
    LOGIT_SLOPE_ERROR,
    NEEDS_DEVICE,
    PAIR_ERROR,
    PRECISIONS,
    ROW_ERROR,
    batch,
    on_host,
    share_out,
)

pytestmark = NEEDS_DEVICE
LEAST = {np.float64: 1e-200, np.float32: 1e-20}
DIGITS = 450
"""What tells the smallest weight's rest from 1."""

LENGTH = 35
"""Of rows: what the simulator does in time."""

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(5, 0.5), (2, 4, 3)) + 0.01


@pytest.fixture(params=["read again", "in pieces, a block for each"])
def way(request, monkeypatch):
    """One of the ways in which rows are shared out to threads."""
    return share_out(monkeypatch, request.param)


def weights_for(number, dtype):
    """Weights of every size, as they are in a precision."""
    few = [0.0, 1.0, 0.3, LEAST[dtype], 1e-9, 1 - 1e-4, 0.77]
    return np.resize(np.array(few, dtype), number).astype(np.float64)[:, None]


@PRECISIONS
@pytest.mark.usefixtures("way")
def test_rows_are_accurate_whatever_the_way(dtype):
    P, Q = batch(cases.ROWS, np.random.default_rng(21), dtype, 1, 98)[..., :LENGTH]
    weights = weights_for(len(P), dtype)
    options = {"weight": weights, "keepdims": True}
    value, in_P, in_Q = map(on_host, device_functions.js_divergence_grad(P, Q, **options))
    alone = on_host(device_functions.js_divergence(P, Q, **options))
    np.testing.assert_array_equal(value, alone)
    terms = on_host(device_functions.js_divergence(P, Q, weight=weights, reduce=False))
    expected = jsdiv_numba.js_divergence_grad(P, Q, **options)
    for p, q, weight, one in zip(P, Q, weights[:, 0], value[:, 0], strict=True):
        with workdps(DIGITS):
            exact = sum(oracle.skewed_terms(p, q, float(weight)), mpf(0))
            assert oracle.relative_error(one, exact) < ROW_ERROR[dtype]
    bounds = {"rtol": ROW_ERROR[dtype], "atol": 0}
    np.testing.assert_allclose(in_P, expected[1], **bounds)
    np.testing.assert_allclose(in_Q, expected[2], **bounds)
    of_terms = jsdiv_numba.js_divergence(P, Q, weight=weights, reduce=False)
    np.testing.assert_allclose(terms, of_terms, **bounds)


@PRECISIONS
@pytest.mark.usefixtures("way")
def test_logits_are_accurate_whatever_the_way(dtype):
    A, B = batch(cases.LOGITS, np.random.default_rng(22), dtype, 2, 99)[..., :LENGTH]
    weights = weights_for(len(A), dtype)
    cotangents = np.linspace(-1, 2, len(A)).astype(dtype)[:, None]
    options = {"weight": weights, "cotangent": cotangents}
    value, in_A, in_B = map(on_host, device_functions.js_divergence_logit_grad(A, B, **options))
    alone = on_host(device_functions.js_divergence_logit(A, B, weight=weights))
    np.testing.assert_array_equal(value, alone)
    terms = device_functions.js_divergence_logit(A, B, weight=weights, reduce=False)
    for i, sums in enumerate(on_host(terms).sum(axis=1)):
        a, b, weight = A[i], B[i], float(weights[i, 0])
        with workdps(DIGITS):
            exact = sum(oracle.skewed_terms_logit(a, b, weight), mpf(0))
            assert oracle.relative_error(value[i, 0], exact) < LOGIT_ERROR[dtype]
            assert oracle.relative_error(sums, exact) < LOGIT_ERROR[dtype]
            repeated = np.repeat(cotangents[i], a.size)
            sides = (in_A[i], a, b, mpf(weight)), (in_B[i], b, a, 1 - mpf(weight))
            for one, row, other, of_other in sides:
                exact = oracle.skewed_gradient_logit(row, other, of_other, repeated)
                assert oracle.error_of_largest(one, exact) < LOGIT_SLOPE_ERROR[dtype]


SHAPES = {
    "one for all": (0.2, {}),
    "one for each row": (RNG.random((4, 3, 1)), {}),
    "one for each row, the axis gone": (RNG.random(3), {"keepdims": False}),
    "along the first axis": (RNG.random((1, 3, 5)), {"axis": 0}),
    "one for all axes": (np.float32(0.7), {"axis": None}),
    "of each term": (RNG.random((4, 3, 5)), {"reduce": False}),
    "whole numbers": (np.array([[1], [0], [1]]), {"base": 2}),
}


@pytest.mark.parametrize(("weight", "options"), SHAPES.values(), ids=SHAPES)
def test_a_weight_is_given_as_on_the_cpu(weight, options):
    names = ["js_divergence", "js_divergence_grad"]
    if np.shape(weight) != P.shape:
        names += ["js_divergence_logit", "js_divergence_logit_grad"]
    for name in names:
        expected = getattr(jsdiv_numba, name)(P, Q, weight=weight, **options)
        computed = getattr(device_functions, name)(P, Q, weight=weight, **options)
        if not name.endswith("grad"):
            computed, expected = [computed], [expected]
        for one, other in zip(computed, expected, strict=True):
            assert tuple(one.shape) == np.shape(other)
            np.testing.assert_allclose(on_host(one), other, rtol=1e-11, atol=1e-15)


def test_a_weight_on_the_device_stays_there():
    weight = np.array([[0.3], [2.0], [np.nan]])
    there = target.cuda.to_device(weight)
    for name in ("js_divergence", "js_divergence_logit"):
        function = getattr(device_functions, name)
        values = on_host(function(P[0], Q[0], weight=there))
        np.testing.assert_array_equal(np.isnan(values), [[False], [True], [True]])
        np.testing.assert_array_equal(values[:1], on_host(function(P[0], Q[0], weight=0.3))[:1])
        with pytest.raises(ValueError, match=r"weight\[1, 0\] is 2.0; a weight must be between"):
            function(P[0], Q[0], weight=there, check=True)
        with pytest.raises(ValueError, match=r"weight of shape \(3, 1\) does not broadcast"):
            function(P, Q, weight=there, keepdims=False)
    _, *both = device_functions.js_divergence_grad(P[0], Q[0], weight=there)
    assert all(np.isnan(on_host(one)[1:]).all() for one in both)


@pytest.mark.parametrize("half", [0.5, np.full((4, 3, 1), 0.5)])
def test_a_half_everywhere_is_the_default_to_the_last_bit(half):
    for name in ("js_divergence", "js_divergence_logit"):
        function = getattr(device_functions, name)
        np.testing.assert_array_equal(
            on_host(function(P, Q, weight=half)), on_host(function(P, Q)), strict=True
        )


WRONG = {
    "outside": {"weight": 1.5},
    "no number": {"weight": "a"},
    "shape": {"weight": np.full((4, 3), 0.2)},
    "of rows": {"weight": np.full((4, 3, 5), 0.2), "reduce": False},
}


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_as_on_the_cpu(options):
    messages = []
    for functions in (jsdiv_numba, device_functions):
        with pytest.raises((TypeError, ValueError)) as caught:
            functions.js_divergence_logit(P, Q, **options)
        messages.append((caught.type, str(caught.value)))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "options",
    [
        {"weight": 2},
        {"weight": [0.1, 0.2]},
        {"metric": "kl_divergence", "weight": 0.1},
        {"metric": "euclidean"},
    ],
    ids=str,
)
def test_what_is_wrong_with_pairs_is_said_as_on_the_cpu(options):
    messages = []
    for functions in (jsdiv_numba, device_functions):
        with pytest.raises((TypeError, ValueError)) as caught:
            functions.cdist(P[0], Q[0], **options)
        messages.append((caught.type, str(caught.value)))
    assert messages[0] == messages[1]


def rows_of(dtype):
    """Rows of every kind, of which some are empty or have nothing in common."""
    A, B = batch(cases.ROWS, np.random.default_rng(23), dtype, 1, 98)[..., :LENGTH]
    return np.concatenate([A, B[:3], np.eye(3, LENGTH, -1, dtype=dtype)]), B


@PRECISIONS
@pytest.mark.parametrize("weight", [None, 0.3, 1e-9, "least", 1.0])
def test_pairs_are_accurate(weight, dtype):
    A, B = rows_of(dtype)
    weight = LEAST[dtype] if weight == "least" else weight
    options = {"metric": "kl_divergence"}
    if weight is not None:
        options = {"metric": "js_divergence", "weight": float(dtype(weight))}
    expected = jsdiv_numba.cdist(A, B, **options)
    computed = on_host(device_functions.cdist(A, B, **options))
    np.testing.assert_allclose(computed, expected, rtol=PAIR_ERROR[dtype], atol=0)
    for i in range(len(B)):
        if A[i].any() and B[i].any():
            with workdps(700):
                if weight is None:
                    exact = oracle.kl_divergence_normalised(A[i], B[i])
                else:
                    exact = oracle.skewed_divergence_normalised(A[i], B[i], options["weight"])
                if exact == np.inf:
                    assert computed[i, i] == np.inf
                else:
                    assert oracle.relative_error(computed[i, i], exact) < PAIR_ERROR[dtype]


MEASURES = [
    {"weight": 0.2},
    {"weight": 0.9, "metric": "js_divergence", "base": 2},
    {"metric": "kl_divergence"},
]


@pytest.mark.parametrize("options", MEASURES, ids=str)
def test_pairs_within_one_matrix_and_in_tiles(options, monkeypatch):
    X = RNG.dirichlet(np.ones(4), 18)
    X[3] = X[2] * 4
    expected = jsdiv_numba.pdist(X, **options)
    computed = on_host(device_functions.pdist(X, **options))
    np.testing.assert_allclose(computed, expected, rtol=1e-11)
    square = on_host(device_functions.cdist(X, X, **options))
    np.testing.assert_array_equal(square[np.triu_indices(18, 1)], computed)
    assert square[3, 2] == square[2, 3] == 0
    monkeypatch.setattr(pairwise, "TILE_BYTES", 1)
    out = np.empty_like(square)
    device_functions.cdist(X, X, out=out, **options)
    np.testing.assert_array_equal(out, square)


def test_swapped_rows_have_the_other_weight():
    """To the last bits: a device makes one operation of some products and sums."""
    A, B = RNG.dirichlet(np.full(7, 0.5), (2, 5))
    for name in ("js_divergence", "js_divergence_logit"):
        function = getattr(device_functions, name)
        there, back = function(A, B, weight=0.25), function(B, A, weight=0.75)
        np.testing.assert_array_max_ulp(on_host(there), on_host(back), 4)
    there = on_host(device_functions.cdist(A, B, "js_divergence", weight=0.25))
    back = on_host(device_functions.cdist(B, A, "js_divergence", weight=0.75))
    np.testing.assert_allclose(there, back.T, rtol=1e-13)


def of_every_kind(p, q, weight):
    """Return results of kernels with barriers."""
    few = p[:, :4]
    return [
        *device_functions.js_divergence_grad(p, q, weight=weight),
        *device_functions.js_divergence_logit_grad(p, q, weight=weight),
        device_functions.js_divergence_logit(p, q, reduce=False, weight=weight),
        device_functions.cdist(few, few[::-1], weight=weight),
        device_functions.cdist(few, few[::-1], "kl_divergence"),
    ]


@pytest.mark.skipif(not target.SIMULATED, reason="threads of a device take no turns")
@pytest.mark.usefixtures("way")
def test_no_barrier_is_missing(monkeypatch):
    """Threads take turns: one that is ahead of a barrier, or behind it, would be seen."""
    from tests.simulator import Block

    p = np.random.default_rng(11).dirichlet(np.ones(40), 2)
    q = p[::-1] * [[1.0], [1 + 1e-7]]
    forwards = of_every_kind(p, q, 0.2)
    monkeypatch.setattr(Block, "step", -1)
    for one, other in zip(forwards, of_every_kind(p, q, 0.2), strict=True):
        np.testing.assert_array_equal(on_host(one), on_host(other))
