"""What calls take beyond their inputs and results: blocks, whatever the layout of memory."""

import tracemalloc

import ml_dtypes
import numpy as np
import pytest

from jsdiv_numba import (
    contributions,
    entropy,
    jensenshannon,
    js_divergence,
    js_divergence_grad,
    js_divergence_logit,
    js_divergence_many,
    kl_divergence,
)

SHAPE = (64, 250, 800)
AXES = [(0, 2), (2, 0), (0, 1), (1, 2), 0, 1, (0, 1, 2)]
REDUCED = [js_divergence, kl_divergence, jensenshannon, js_divergence_logit]


def beyond(call, *arrays, **options):
    """Return a result, and the bytes that were held at most beside it and what was there."""
    small = (array[:2, :2, :2] if array.ndim == 3 else array[:2] for array in arrays)
    call(*small, **options)  # which loads or compiles the kernels
    tracemalloc.start()
    result = call(*arrays, **options)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return result, peak - left


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    return tuple(rng.random(SHAPE) for _ in range(2))


def in_rows(array, axis):
    """Return the axes that stay, and those that are reduced as one last axis that is contiguous."""
    axes = range(array.ndim) if axis is None else np.atleast_1d(axis)
    kept = [i for i in range(array.ndim) if i not in axes]
    moved = array.transpose(*kept, *sorted(axes))
    return np.ascontiguousarray(moved).reshape(*(array.shape[i] for i in kept), -1)


@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("function", REDUCED)
def test_any_axes_are_reduced_in_blocks(pair, function, axis):
    result, most = beyond(function, *pair, axis=axis, keepdims=False)
    assert most < pair[0].nbytes / 3
    expected = function(*(in_rows(array, axis) for array in pair), axis=-1, keepdims=False)
    np.testing.assert_allclose(result, expected, rtol=1e-12)


@pytest.mark.parametrize(("axis", "which"), [((0, 2), np.s_[:]), ((0, 1), np.s_[:, :, :2])])
def test_what_is_gathered_has_the_bits_of_contiguous_rows(pair, axis, which):
    pair = tuple(array.transpose(2, 1, 0)[which] for array in pair)
    result, most = beyond(js_divergence, *pair, axis=axis, keepdims=False)
    assert most < pair[0].nbytes / 3 + 2**24
    expected = js_divergence(*(in_rows(array, axis) for array in pair), keepdims=False)
    np.testing.assert_array_equal(result, expected)


def test_one_long_row_is_gathered_in_pieces(pair):
    P, Q = (array.transpose(2, 0, 1) for array in pair)
    result, most = beyond(js_divergence, P, Q, axis=None, keepdims=False)
    assert most < P.nbytes / 2
    expected = js_divergence(P.ravel(), Q.ravel(), keepdims=False)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broadcast_input_is_gathered_too(pair, workers):
    P, Q = pair[0], pair[1][:1, :, :1]
    result, most = beyond(js_divergence, P, Q, axis=(0, 2), keepdims=False, workers=workers)
    assert most < P.nbytes / 3
    expected = js_divergence(
        in_rows(P, (0, 2)), in_rows(np.broadcast_to(Q, SHAPE), (0, 2)), keepdims=False
    )
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("axis", [*AXES, -1], ids=str)
def test_bfloat16_is_converted_in_blocks(pair, axis):
    halves = tuple(array.astype(ml_dtypes.bfloat16) for array in pair)
    result, most = beyond(js_divergence, *halves, axis=axis)
    assert most < halves[0].nbytes
    expected = js_divergence(*(array.astype(np.float32) for array in halves), axis=axis)
    np.testing.assert_array_equal(result, expected, strict=True)


@pytest.mark.parametrize("bad", [-1, np.inf])
def test_what_is_wrong_with_bfloat16_is_said(bad):
    P = np.ones((2, 3), ml_dtypes.bfloat16)
    P[1, 2] = bad
    with pytest.raises(ValueError, match=r"P\[1, 2\] is"):
        js_divergence(P, np.ones(3))


def test_derivatives_of_bfloat16_are_those_of_float32(pair):
    halves = tuple(array[:2, :3, :4].astype(ml_dtypes.bfloat16) for array in pair)
    expected = js_divergence_grad(*(array.astype(np.float32) for array in halves), axis=(0, 2))
    for result, other in zip(js_divergence_grad(*halves, axis=(0, 2)), expected, strict=True):
        np.testing.assert_array_equal(result, other, strict=True)


def test_one_input_of_bfloat16_decides_no_dtype_beside_float64(pair):
    P = pair[0][0].astype(ml_dtypes.bfloat16)
    assert js_divergence(P, P).dtype == np.float32
    assert js_divergence(P, pair[1][0].astype(np.float32)).dtype == np.float32
    assert js_divergence(P, pair[1][0]).dtype == np.float64
    assert entropy(P).dtype == np.float32


def test_derivatives_are_written_in_blocks(pair):
    results, most = beyond(js_divergence_grad, *pair, axis=(0, 2), keepdims=False)
    assert most < pair[0].nbytes / 2
    expected = js_divergence_grad(*(in_rows(array, (0, 2)) for array in pair), keepdims=False)
    np.testing.assert_array_equal(results[0], expected[0])
    for result, other in zip(results[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(in_rows(result, (0, 2)), other)


@pytest.mark.parametrize("axis", [(0, 2), 0, (0, 1)], ids=str)
def test_terms_of_whole_rows_are_written_in_blocks(pair, axis):
    result, most = beyond(js_divergence_logit, *pair, axis=axis, reduce=False)
    assert most < result.nbytes / 3
    expected = js_divergence_logit(*(in_rows(array, axis) for array in pair), reduce=False)
    np.testing.assert_array_equal(in_rows(result, axis), expected)


@pytest.mark.parametrize("reduce", [True, False])
def test_many_distributions_are_gathered_in_blocks(pair, reduce):
    P = pair[0].reshape(32, 2, 250, 800)[:, :, :, :]
    P = P.reshape(4, 8, 500, 800)
    tracemalloc.start()
    result = js_divergence_many(P, axis=(1, 3), keepdims=False, reduce=reduce)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - left < P.nbytes / 3
    rows = P.transpose(0, 2, 1, 3).reshape(4, 500, -1)
    expected = js_divergence_many(rows, keepdims=False, reduce=reduce)
    if not reduce:
        result = result.transpose(1, 0, 2).reshape(500, -1)
    np.testing.assert_array_equal(result, expected)


CATEGORIES = 500_000


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("kind", ["random", "constant"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_largest_contributions_take_less_than_twice_their_inputs(dtype, kind, normalise):
    if kind == "random":
        P, Q = np.random.default_rng(0).random((2, CATEGORIES)).astype(dtype)
    else:
        P, Q = (
            np.full(CATEGORIES, 0.1, dtype),
            np.tile(np.array([0.2, 0.3], dtype), CATEGORIES // 2),
        )
    parts, most = beyond(contributions, P, Q, top=10, normalise=normalise)
    # In float32, an index has twice the bytes of a value.
    assert most < (P.nbytes + Q.nbytes) * (2 if dtype is np.float64 else 3)
    assert parts.others == CATEGORIES - 10
    if not normalise:
        assert parts.total == js_divergence(P, Q, keepdims=False)


def test_all_contributions_take_little_beside_them():
    P, Q = np.random.default_rng(0).random((2, CATEGORIES))
    parts, most = beyond(contributions, P, Q)
    assert len(parts) == P.size
    assert most < 2 * (P.nbytes + Q.nbytes)
