"""Rows whose elements lie apart: written side by side, and with the bits that they have so."""

from functools import partial

import numpy as np
import pytest

from jsdiv_numba import (
    entropy_logit,
    jensenshannon,
    js_divergence,
    js_divergence_logit,
    js_divergence_logit_grad,
    js_divergence_many_logit,
    kl_divergence,
    kl_divergence_logit,
)
from jsdiv_numba._core import transposition
from jsdiv_numba._core.transposition import column_axis, in_rows, size_in_rows
from tests import strategies

DTYPES = np.float32, np.float64
SIZES = 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 40
LAYOUTS = {
    "columns": lambda x: x.reshape(200, 300).T,
    "columns apart": lambda x: np.tile(x.reshape(200, 300), 2)[:, 1:301].T,
    "backwards": lambda x: x.reshape(200, 300)[::-1].T,
    "the second of three axes": lambda x: x.reshape(10, 60, 100).transpose(0, 2, 1),
    "the first of three axes": lambda x: x.reshape(60, 10, 100).transpose(1, 2, 0),
    "the second of four axes": lambda x: x.reshape(5, 20, 60, 10).transpose(0, 3, 2, 1),
    "many small ones": lambda x: x.reshape(3000, 5, 4).transpose(0, 2, 1),
    "every other row": lambda x: x.reshape(200, 300)[::2].T,
}
CALLS = {
    "distances": partial(jensenshannon, keepdims=True),
    "logits": js_divergence_logit,
    "logits, Kullback-Leibler": kl_divergence_logit,
    "entropies of logits": lambda a, _, **options: entropy_logit(a, **options),
    "many logits": lambda *both, **options: js_divergence_many_logit(both, **options),
    "derivatives": js_divergence_logit_grad,
    "terms": lambda *both, **options: js_divergence_logit(*both, reduce=False, **options),
}


@pytest.fixture(autouse=True)
def small_arrays(monkeypatch):
    monkeypatch.setattr(transposition, "LEAST", 2)


def written(array):
    """Return an array in rows, and whether nothing was written beyond what it asked room for."""
    size = size_in_rows(array)
    memory = np.full(size + 64, 7.0, array.dtype)
    result = in_rows(array, column_axis(array), memory[:size])
    return result, (memory[size:] == 7).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_of_numbers_across_two_places(dtype):
    misaligned = strategies.LAYOUTS["misaligned"]
    a, b = np.random.default_rng(1).random((2, 40, 300)).astype(dtype)
    given = misaligned(a.T), misaligned(b.T)
    many = js_divergence_many_logit(misaligned(np.stack([a, b, a], axis=-1)), axis=1, over=-1)
    pairs = [
        (js_divergence_logit(*given, axis=0), js_divergence_logit(a, b)),
        (many, js_divergence_many_logit(np.stack([a, b, a]))),
        *zip(js_divergence_logit_grad(*given, axis=0), js_divergence_logit_grad(a, b), strict=True),
    ]
    for found, expected in pairs:
        same = found if found.shape == expected.shape else found.T
        np.testing.assert_allclose(same, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_small_size(dtype):
    rng = np.random.default_rng(0)
    for rows in SIZES:
        for columns in SIZES[1:]:
            if rows > 1:
                array = rng.random((rows, columns)).astype(dtype).T
                result, is_inside = written(array)
                np.testing.assert_array_equal(result, array, strict=True)
                assert result.strides[1] == result.itemsize
                assert is_inside


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout(layout, dtype):
    array = LAYOUTS[layout](np.random.default_rng(0).random(60_000).astype(dtype))
    result, is_inside = written(array)
    np.testing.assert_array_equal(result, array, strict=True)
    assert result.strides[-1] == result.itemsize
    assert is_inside


def test_rows_and_what_has_none_stay_as_they_are():
    square = np.ones((100, 100))
    for array in (square, square[:, ::2], square[::2, ::2].T, square[0], np.ones((100, 1)).T):
        assert column_axis(array) is None
    assert column_axis(np.broadcast_to(square[:, :1].T, (100, 100)).T) is None


def all_of(results):
    return results if isinstance(results, tuple) else (results,)


def in_order(array):
    """Return an array with the last axis but one in the last's place, also in memory."""
    return np.ascontiguousarray(np.moveaxis(array, -2, -1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("shape", [(50, 80), (80, 50), (2000, 3), (5, 400), (7, 30, 11)])
def test_an_axis_that_memory_does_not_follow_has_the_bits_of_one_that_it_does(call, shape, dtype):
    rng = np.random.default_rng(0)
    P, Q = (rng.random(shape).astype(dtype) for _ in range(2))
    A, B = map(in_order, (P, Q))
    results = all_of(CALLS[call](P, Q, axis=-2))
    for result, expected in zip(results, all_of(CALLS[call](A, B, axis=-1)), strict=True):
        np.testing.assert_array_equal(in_order(result), expected, strict=True)


@pytest.mark.parametrize("function", [js_divergence, kl_divergence, jensenshannon])
@pytest.mark.parametrize("dtype", [*DTYPES, np.float16, np.int32])
def test_memory_in_two_orders(function, dtype):
    rng = np.random.default_rng(0)
    P, Q = ((1 + rng.random((300, 170)) * 50).astype(dtype) for _ in range(2))
    expected = function(in_order(P), in_order(Q), axis=1, keepdims=False)
    for p, q in ((P, np.asfortranarray(Q)), (np.asfortranarray(P), Q)):
        for result in (
            function(p, q, axis=0, keepdims=False),
            function(p.T, q.T, axis=1, keepdims=False),
        ):
            np.testing.assert_array_equal(result, expected, strict=True)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("shape", [(1000, 700), (40_000, 20), (9, 90_000), (30, 300, 90)])
def test_many_blocks(shape, workers):
    rng = np.random.default_rng(0)
    P, Q = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    result = js_divergence_logit(P, Q, axis=-2, workers=workers)
    expected = js_divergence_logit(in_order(P), in_order(Q), axis=-1)
    np.testing.assert_array_equal(in_order(result), expected, strict=True)


def test_blocks_have_whole_lines_unless_rows_are_too_long():
    assert transposition.whole_lines(1000, 512) == 992
    assert transposition.whole_lines(3, 100_000) == 20
    assert transposition.whole_lines(1, 10**8) == 1


def test_invalid_values_are_named_by_their_place():
    P, Q = np.ones((300, 200)), np.asfortranarray(np.ones((300, 200)))
    P[211, 17] = -1
    with pytest.raises(ValueError, match=r"P\[211, 17\] is -1.0"):
        js_divergence(P, Q, axis=0)
