"""The entropy of probabilities and of logits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from jsdiv_numba import entropy, entropy_logit, kl_divergence
from tests.strategies import lengths, logits, simplices

RNG = np.random.default_rng(0)
P = RNG.dirichlet(np.full(7, 0.5), (2, 4, 3))
P[P < 0.05] = 0
A = 3 * RNG.standard_normal(P.shape)
A[P == 0] = -np.inf
BOTH = pytest.mark.parametrize("function", [entropy, entropy_logit])
AXES = [-1, 0, 1, (0, 2), (-1, 0), (), None]


def reference(function, X, axis):
    if function is entropy_logit:
        X = special.softmax(X, axis=axis)
    return special.entr(X).sum(axis=axis, keepdims=True)


@BOTH
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_scipy_along_axes(function, axis):
    X = P if function is entropy else 3 * RNG.standard_normal(P.shape)
    expected = reference(function, X, axis)
    np.testing.assert_allclose(function(X, axis=axis), expected, rtol=1e-13, atol=1e-15)
    terms = function(X, axis=axis, reduce=False)
    assert terms.shape == X.shape
    np.testing.assert_allclose(
        terms.sum(axis=axis, keepdims=True), function(X, axis=axis), rtol=1e-13
    )


def test_scipy_normalised_rows():
    rows = RNG.dirichlet(np.ones(9), 5)
    for base in (None, 2, 10):
        expected = stats.entropy(rows, axis=-1, base=base)
        np.testing.assert_allclose(entropy(rows, keepdims=False, base=base), expected, rtol=1e-13)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_between_0_and_log_n(data):
    n, dtype = data.draw(lengths(1)), data.draw(st.sampled_from([np.float32, np.float64]))
    p, a = data.draw(simplices((n,))).astype(dtype), data.draw(logits((n,))).astype(dtype)
    eps = np.finfo(dtype).eps
    # NumPy's logarithm may be rounded otherwise than the C library's.
    assert 0 <= entropy_logit(a, keepdims=False) <= np.nextafter(dtype(np.log(n)), dtype(np.inf))
    assert 0 <= entropy(p, keepdims=False) <= np.log(n) + 8 * eps
    for terms in (entropy(p, reduce=False), entropy_logit(a, reduce=False)):
        assert (terms >= 0).all()
        assert not np.signbit(terms).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 3, 100, 5000])
def test_equal_probabilities_have_the_most_and_one_category_none(n, dtype):
    level, alone = np.zeros(n, dtype), np.full(n, -np.inf, dtype)
    alone[n // 2] = 3
    np.testing.assert_allclose(
        entropy_logit(level, keepdims=False), np.log(n), rtol=2 * np.finfo(dtype).eps
    )
    assert entropy_logit(alone, keepdims=False) == 0
    np.testing.assert_allclose(
        entropy(np.full(n, 1 / n, dtype)), np.log(n), rtol=10 * np.finfo(dtype).eps, atol=1e-7
    )
    assert entropy(np.eye(n, dtype=dtype)[0], keepdims=False) == 0


def test_what_is_missing_to_the_most_is_a_divergence():
    rows = RNG.dirichlet(np.ones(8), 20)
    level = np.full(8, 1 / 8)
    missing = np.log(8) - entropy(rows)
    np.testing.assert_allclose(kl_divergence(rows, level), missing, rtol=1e-13)


@pytest.mark.parametrize("shift", [-1e4, 100, 1e4])
def test_a_shift_changes_nothing(shift):
    rows = np.round(A * 1024) / 1024  # so that the shift rounds nothing
    np.testing.assert_array_equal(entropy_logit(rows + shift), entropy_logit(rows))


@pytest.mark.parametrize("temperature", [0.01, 0.5, 2, np.float32(7), 1e6])
@pytest.mark.parametrize("axis", [-1, 0, None])
def test_temperature(temperature, axis):
    X = 3 * RNG.standard_normal((4, 5))
    expected = entropy_logit(X / temperature, axis=axis)
    for shift in (0, 2.0**13):
        result = entropy_logit(X + shift, axis=axis, temperature=temperature)
        np.testing.assert_allclose(result, expected, rtol=1e-9)


def test_temperature_keeps_float32_and_the_input():
    X = np.ones((2, 3), np.float32)
    assert entropy_logit(X, temperature=3.0).dtype == np.float32
    np.testing.assert_array_equal(X, 1)
    assert entropy_logit(np.ones((2, 0)), temperature=2.0).tolist() == [[0], [0]]


@pytest.mark.parametrize("temperature", [0, -1.0, np.inf, np.nan, "1", None])
def test_a_wrong_temperature(temperature):
    with pytest.raises(ValueError, match=r"^temperature is .*; it must be positive and finite$"):
        entropy_logit(A, temperature=temperature)


def test_invalid_input_is_named():
    with pytest.raises(ValueError, match=r"^X\[1\] is -0.5; probabilities must be finite"):
        entropy([0.5, -0.5])
    for options in ({}, {"temperature": 2.0}, {"reduce": False}):
        with pytest.raises(ValueError, match=r"^X\[0, 1\] is inf; logits may be -inf"):
            entropy_logit([[0.0, np.inf]], **options)
    with pytest.raises(TypeError, match=r"^X has dtype complex128"):
        entropy([1j])
    with pytest.raises(ValueError, match=r"^axis 4 is out of bounds"):
        entropy(P, axis=4)


@BOTH
def test_a_nan_stays_in_its_row(function):
    X = np.where(P == 0, 0.5, P)
    X[1, 2, 0, 3] = np.nan
    result = function(X, keepdims=False)
    assert np.isnan(result[1, 2, 0])
    assert np.isnan(result).sum() == 1


@BOTH
def test_out_and_scalars(function):
    out = np.empty((2, 4, 3, 1), np.float32)
    assert function(P, out=out) is out
    np.testing.assert_array_equal(out, function(P).astype(np.float32))
    assert type(function([0.5, 0.5], keepdims=False)) is np.float64
    assert function(np.ones((0, 3))).shape == (0, 1)
    np.testing.assert_array_equal(function(np.ones((2, 0))), np.zeros((2, 1)))


@BOTH
@pytest.mark.parametrize(("shape", "axis"), [((700, 900), -1), ((900, 700), 0), ((3000, 300), 0)])
def test_workers_change_no_bit(function, shape, axis):
    X = np.random.default_rng(0).random(shape, np.float32)
    alone = function(X, axis=axis, workers=1)
    for workers in (2, 7):
        assert function(X, axis=axis, workers=workers).tobytes() == alone.tobytes()
