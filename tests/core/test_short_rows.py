"""Many short rows at once: the bits of one row after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdiv_numba import JSDivergenceLoss, jensenshannon, js_divergence
from jsdiv_numba._core.measures import DISTANCE, MANY, PROBABILITIES
from jsdiv_numba._kernels.catalog import SHORT
from jsdiv_numba._kernels.load import built
from tests import oracle

MEASURES = {"probabilities": PROBABILITIES, "distance": DISTANCE}
DTYPES = np.float32, np.float64
EACH = pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
BOTH = pytest.mark.parametrize("dtype", DTYPES)


def both(measure, P, Q):
    """Return what is computed of many rows at once, and one by one."""
    dtypes = (P.dtype.name,)
    with np.errstate(all="ignore"):
        short = built(measure.ufuncs.short_total, dtypes)(P, Q)
        return short, built(measure.ufuncs.total, dtypes)(P, Q)


def rows(rng, number, length, dtype, kind):
    P = rng.dirichlet(np.full(length, 0.5), number)
    P[rng.random(P.shape) < 0.2] = 0
    factors = {"ordinary": 1.0, "small": 1e-12, "counts": 1e4}
    return np.ascontiguousarray(P * factors[kind], dtype)


@EACH
@BOTH
@pytest.mark.parametrize("kind", ["ordinary", "small", "counts"])
@pytest.mark.parametrize("length", range(1, SHORT + 1))
def test_bits_are_those_of_single_rows(measure, dtype, kind, length):
    rng = np.random.default_rng(length)
    P, Q = (rows(rng, 75, length, dtype, kind) for _ in range(2))
    Q[::7] = P[::7]
    short, one_by_one = both(measure, P, Q)
    is_done = ~np.isnan(short)
    np.testing.assert_array_equal(short[is_done], one_by_one[is_done])
    # Rows of nothing but zeros have no distance, and are left to the others.
    assert is_done[P.any(axis=1) & Q.any(axis=1)].all()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@EACH
def test_any_floats_are_right_or_left_to_others(measure, data):
    dtype = data.draw(st.sampled_from(DTYPES))
    shape = data.draw(st.integers(1, 70)), data.draw(st.integers(1, SHORT))
    special = [0, -0.0, 1, 0.5, np.finfo(dtype).tiny, np.finfo(dtype).max, np.inf, np.nan, -1]
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    P, Q = (rng.random(shape).astype(dtype) for _ in range(2))
    for array in P, Q:
        for _ in range(data.draw(st.integers(0, 3))):
            place = rng.integers(shape[0]), rng.integers(shape[1])
            array[place] = data.draw(st.sampled_from(special))
    short, one_by_one = both(measure, P, Q)
    is_done = ~np.isnan(short)
    np.testing.assert_array_equal(short[is_done], one_by_one[is_done])


@EACH
@BOTH
@pytest.mark.parametrize("bad", [-1, np.nan, np.inf])
def test_what_is_invalid_is_left_to_others(measure, dtype, bad):
    P, Q = np.ones((2, 3, 5), dtype)
    P[1, 2] = bad
    short, _ = both(measure, P, Q)
    np.testing.assert_array_equal(np.isnan(short), [False, True, False])


@BOTH
@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, lambda X: X[:, ::-1][:, ::-1]])
@pytest.mark.parametrize("number", [1, MANY - 1, MANY, 70, 3000])
def test_functions_do_not_depend_on_the_number_of_rows(dtype, layout, number):
    rng = np.random.default_rng(0)
    P, Q = (rows(rng, number, 10, dtype, "ordinary") + dtype(0.01) for _ in range(2))
    P[::5] = Q[::5]
    P[3:4] *= 1e-30
    for function in (js_divergence, jensenshannon):
        options = {"axis": 1} if function is jensenshannon else {"keepdims": False}
        result = function(layout(P), layout(Q), **options)
        expected = [function(p, q, **options | {"axis": -1}) for p, q in zip(P, Q, strict=True)]
        if layout is not np.asfortranarray:
            np.testing.assert_array_equal(result, expected)
        np.testing.assert_allclose(result, expected, rtol=1e-6 if dtype is np.float32 else 1e-14)
        two = function(layout(P), layout(Q), workers=2, **options)
        np.testing.assert_array_equal(result, two)


@EACH
@BOTH
def test_longer_rows_and_none_are_no_matter(measure, dtype):
    for shape, expected in [((3, SHORT + 1), [np.nan] * 3), ((0, 5), []), ((0, 40), [])]:
        short, _ = both(measure, *np.ones((2, *shape), dtype))
        np.testing.assert_array_equal(short, expected)
    np.testing.assert_array_equal(js_divergence(*np.ones((2, 50, 0), dtype)), np.zeros((50, 1)))


@BOTH
def test_results_are_right(dtype):
    rng = np.random.default_rng(1)
    P, Q = (rows(rng, 40, 9, dtype, "ordinary") for _ in range(2))
    bound = 1e-6 if dtype is np.float32 else 1e-14
    for p, q, value in zip(P, Q, js_divergence(P, Q, keepdims=False), strict=True):
        assert oracle.relative_error(value, oracle.js_divergence(p, q)) < bound


@BOTH
def test_an_error_names_the_entry(dtype):
    P, Q = np.ones((2, 50, 5), dtype)
    P[33, 2] = -1
    for arrays in (P, Q), (np.tile(P, (100, 1)), np.tile(Q, (100, 1))):
        with pytest.raises(ValueError, match=r"P\[33, 2\] is -1"):
            js_divergence(*arrays)
        with pytest.raises(ValueError, match=r"p\[33, 2\] is -1"):
            jensenshannon(*arrays, axis=1)


@BOTH
def test_a_loss_of_rows_of_which_some_are_tiny(dtype):
    P, Q = np.random.default_rng(0).random((2, 50, 5)).astype(dtype)
    P[7], Q[7] = 1e-37, 2e-37
    expected = js_divergence(P, Q, keepdims=False).mean()
    np.testing.assert_allclose(JSDivergenceLoss()(P, Q), expected, rtol=1e-6)
