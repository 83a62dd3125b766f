"""The Kullback-Leibler divergence of probabilities and of logits."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from mpmath import isinf, mpf
from scipy import special

import jsdiv_numba
from jsdiv_numba import js_divergence, kl_divergence, kl_divergence_logit
from tests import cases, oracle
from tests import hypercoil_reference as hypercoil
from tests.strategies import logit_pairs, probability_pairs

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(7, 0.5), (2, 2, 4, 3)) + 0.01
A, B = 3 * RNG.standard_normal((2, *P.shape))
BOTH = pytest.mark.parametrize("function", [kl_divergence, kl_divergence_logit])
AXES = [-1, 0, 1, (0, 2), (-1, 0), None]
every_input = settings(deadline=None, max_examples=60)


@BOTH
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_scipy_along_axes(function, axis):
    X, Y = (P, Q) if function is kl_divergence else (A, B)
    p, q = (X, Y)
    if function is kl_divergence_logit:
        p, q = special.softmax(X, axis=axis), special.softmax(Y, axis=axis)
    expected = special.rel_entr(p, q)
    np.testing.assert_allclose(function(X, Y, axis=axis, reduce=False), expected, rtol=1e-9)
    total = expected.sum(axis=axis, keepdims=True)
    for options, unit in (({}, 1), ({"base": 2}, np.log(2))):
        np.testing.assert_allclose(
            function(X, Y, axis=axis, **options), total / unit, rtol=1e-11, atol=1e-14
        )


@every_input
@given(probability_pairs())
def test_gibbs_inequality_of_rows_as_they_are(pair):
    p, q = pair
    gap = math.fsum([*p, *-q])
    value = kl_divergence(p, q, keepdims=False)
    assert value >= gap - 1e-6 * abs(gap) - np.finfo(p.dtype).tiny
    assert np.isposinf(value) == (((p > 0) & (q == 0)).any())
    assert kl_divergence(p, p.copy(), keepdims=False) == 0
    assert not kl_divergence(p, p.copy(), reduce=False).any()


@every_input
@given(logit_pairs())
def test_gibbs_inequality_of_logits(pair):
    a, b = pair
    value = kl_divergence_logit(a, b, keepdims=False)
    assert value >= 0
    assert not np.signbit(value)
    assert np.isposinf(value) == (np.isneginf(b) & ~np.isneginf(a)).any()
    assert kl_divergence_logit(a, a.copy(), keepdims=False) == 0


@every_input
@given(probability_pairs())
def test_js_is_the_mean_divergence_from_the_middle(pair):
    p, q = (x.astype(np.float64) for x in pair)
    middle = (p + q) / 2
    # Half of the smallest number is 0, which is infinitely far from it.
    assume(((middle > 0) == (p + q > 0)).all())
    halves = kl_divergence(p, middle) / 2 + kl_divergence(q, middle) / 2
    gaps = 1e-15 * (1 + np.log(p.size))
    np.testing.assert_allclose(halves, js_divergence(p, q), rtol=1e-12, atol=gaps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [2, 100, 5000])
@pytest.mark.parametrize("axis", [-1, 0])
def test_one_impossible_category_among_many_is_infinite(n, axis, dtype):
    p, q = np.full((2, n), 1 / n, dtype)
    for place in (0, n // 2, n - 1):
        impossible = q.copy()
        impossible[place] = 0
        rows = [np.stack([x, x], axis=1 if axis == 0 else 0) for x in (p, impossible)]
        assert np.isposinf(kl_divergence(*rows, axis=axis)).all()
        shared = np.where(impossible == 0, 0, p)
        assert np.isfinite(kl_divergence(shared, impossible))
        with np.errstate(divide="ignore"):
            assert np.isposinf(kl_divergence_logit(np.log(p), np.log(impossible)))


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 200), (np.float64, 2000)])
def test_a_probability_too_small_to_hold_is_not_0(dtype, far):
    p, q = np.array([[0, -1], [0, -far]], dtype)
    exact = special.softmax(p.astype(float)) @ (special.log_softmax(p.astype(float)) - [0, -far])
    np.testing.assert_allclose(kl_divergence_logit(p, q, keepdims=False), exact, rtol=1e-6)
    assert kl_divergence_logit(q, p, keepdims=False) > 0
    assert kl_divergence_logit(q, np.array([0, -np.inf], dtype), keepdims=False) == np.inf


def test_arguments_broadcast_and_are_not_swapped():
    value = kl_divergence(P, Q[0, 0, 0])
    np.testing.assert_array_equal(value[1, 2], kl_divergence(P[1, 2], Q[0, 0, 0]))
    assert (kl_divergence(P, Q) != kl_divergence(Q, P)).all()


def test_axis_none_takes_one_softmax_of_all():
    whole = kl_divergence_logit(A, B, axis=None, keepdims=False)
    assert whole == kl_divergence_logit(A.ravel(), B.ravel(), keepdims=False)


def test_invalid_input_is_named():
    with pytest.raises(ValueError, match=r"^P\[1\] is -0.5; probabilities must be finite"):
        kl_divergence([0.5, -0.5], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"^Q\[0, 1\] is inf; logits may be -inf"):
        kl_divergence_logit([0.0, 1.0], [[0.0, np.inf]])
    with pytest.raises(ValueError, match=r"^P of shape \(2,\) and Q of shape \(3,\) do not"):
        kl_divergence([1, 2], [1, 2, 3])


@BOTH
@pytest.mark.parametrize(("shape", "axis"), [((700, 900), -1), ((900, 700), 0), ((3000, 300), 0)])
def test_workers_change_no_bit(function, shape, axis):
    X, Y = np.random.default_rng(0).random((2, *shape), np.float32)
    alone = function(X, Y, axis=axis, workers=1)
    for workers in (2, 7):
        assert function(X, Y, axis=axis, workers=workers).tobytes() == alone.tobytes()


@pytest.mark.parametrize("axis", [-1, 0])
def test_workers_change_no_bit_of_one_long_row(axis):
    shape = (1, 2_500_000) if axis else (2_500_000, 1)
    p, q = np.random.default_rng(0).random((2, *shape), np.float32)
    alone = kl_divergence(p, q, axis=axis, workers=1)
    for workers in (2, 7):
        assert kl_divergence(p, q, axis=axis, workers=workers).tobytes() == alone.tobytes()
    wide = special.rel_entr(p.astype(float), q.astype(float)).sum()
    np.testing.assert_allclose(alone, wide, rtol=1e-6)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr("jsdiv_numba._core.blocks.ROW_PIECE", 64)
    monkeypatch.setattr("jsdiv_numba._core.blocks.COLUMN_PIECE", 32)


def in_rows_and_columns(p, q, workers=None):
    columns = (np.stack([x, x], 1) for x in (p, q))
    row = kl_divergence(p, q, keepdims=False, workers=workers)
    return row, kl_divergence(*columns, axis=0, workers=workers)[0, 1]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("separation", [1e-1, 1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pieces_that_cancel(separation, dtype):
    """Where q is p with its halves exchanged, a piece's Σ (p - q) is far above the divergence."""
    rng, smallest = np.random.default_rng(1), max(separation, cases.EPSILON[dtype])
    half = rng.random(700) + 0.1
    p = np.concatenate([half, half * (1 + smallest * rng.standard_normal(700))]).astype(dtype)
    q = np.concatenate([p[700:], p[:700]])
    exact = sum(oracle.kl_terms(p, q))
    for computed in in_rows_and_columns(p, q):
        assert oracle.relative_error(computed, exact) < {np.float64: 1e-14, np.float32: 1e-6}[dtype]


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("kind", cases.ROWS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_pieces_of_every_kind(kind, dtype):
    rng, bound = np.random.default_rng(2), {np.float64: 1e-14, np.float32: 1e-6}[dtype]
    for _ in range(4):
        pairs = [cases.ROWS[kind](rng, dtype) for _ in range(8)]
        p, q = (np.concatenate(rows) for rows in zip(*pairs, strict=True))
        for x in (p, np.where(q == 0, 0, p)):
            exact = sum(oracle.kl_terms(x, q))
            scale = abs(exact) + 2 * oracle.gap(x, q)
            for computed in in_rows_and_columns(x, q):
                if isinf(exact):
                    assert computed == np.inf
                else:
                    error = abs(mpf(float(computed)) - exact)
                    smallest = float(np.finfo(dtype).smallest_subnormal)
                    assert error <= bound * scale + smallest, (x, q)


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_nan_invalid_and_infinite_pieces(dtype):
    p, q = np.random.default_rng(3).random((2, 300)).astype(dtype)
    for value in (np.nan, -1):
        spoiled = p.copy()
        spoiled[200] = value
        if np.isnan(value):
            assert np.isnan(in_rows_and_columns(spoiled, q)).all()
        else:
            with pytest.raises(ValueError, match=r"P\[200\] is -1.0"):
                in_rows_and_columns(spoiled, q)
    q[[10, 250]] = 0
    assert in_rows_and_columns(p, q) == (np.inf, np.inf)
    top = np.finfo(dtype).max
    huge = np.full(300, top)
    assert in_rows_and_columns(huge, huge / 2) == (np.inf, np.inf)
    assert in_rows_and_columns(huge, huge) == (0, 0)


@BOTH
def test_a_nan_stays_in_its_row(function):
    p = P.copy()
    p[1, 2, 0, 3] = np.nan
    result = function(p, Q, keepdims=False)
    assert np.isnan(result[1, 2, 0])
    assert np.isnan(result).sum() == 1
    assert np.isnan(function(p, Q, reduce=False)[1, 2, 0, 3])


@pytest.mark.parametrize("axis", [-1, 0, (0, 2)], ids=str)
@pytest.mark.parametrize("name", ["KLDivergence", "KLDivergenceLogit", "Entropy", "EntropyLogit"])
def test_losses_are_hypercoil_s(name, axis):
    loss = getattr(jsdiv_numba, f"{name}Loss")(2.0, axis=axis)
    assert repr(loss) == f"[ν = 2.0]{name}"
    arrays = (A, B) if name.endswith("Logit") else (P, Q)
    arrays = arrays[:1] if name.startswith("Entropy") else arrays
    expected = 2 * getattr(hypercoil, loss.score.__name__)(*arrays, axis=axis).mean()
    np.testing.assert_allclose(loss(*arrays), expected, rtol=1e-12, atol=1e-13)
