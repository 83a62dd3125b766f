"""Dtypes that kernels do not take: every number of half precision, and blocks in every layout."""

import ml_dtypes
import numpy as np
import pytest

from jsdiv_numba import (
    entropy,
    js_divergence,
    js_divergence_grad,
    js_divergence_logit,
    js_divergence_logit_grad,
    js_divergence_many,
    kl_divergence,
)
from jsdiv_numba._core.rooms import BLOCK_ELEMENTS, Room
from jsdiv_numba._kernels.load import built
from tests import strategies

EVERY = np.arange(1 << 16, dtype=np.uint16)
"""The bits of every float16, and of every bfloat16."""

LAYOUTS = {
    "C": lambda bits: bits.reshape(256, 256),
    "Fortran": lambda bits: bits.reshape(256, 256).T,
    "Fortran, one of an axis": lambda bits: np.asfortranarray(bits.reshape(64, 1, 32, 32)),
    "Fortran, one first": lambda bits: bits.reshape(64, 1024).T[np.newaxis],
    "one last": lambda bits: bits.reshape(64, 1024, 1).transpose(2, 1, 0),
    "rows apart": lambda bits: np.tile(bits.reshape(256, 256), 2)[:, :250],
    "columns apart": lambda bits: np.tile(bits.reshape(256, 256), 2)[:, :250].T,
    "every other": lambda bits: bits.reshape(256, 256)[:, ::2],
    "backwards": lambda bits: bits[::-1],
    "three axes": lambda bits: bits.reshape(64, 32, 32).transpose(1, 0, 2),
    "three axes apart": lambda bits: np.tile(bits.reshape(64, 32, 32), 2)[..., :30],
    "between two places": lambda bits: strategies.LAYOUTS["misaligned"](bits.reshape(256, 256)),
    "broadcast": lambda bits: np.broadcast_to(bits[:8192], (2, 8192)),
    "small": lambda bits: bits[5:9],
    "empty": lambda bits: bits.reshape(256, 256)[:, :0],
    "one": lambda bits: bits[7:8].reshape(()),
}
HALVES = np.dtype(np.float16), np.dtype(">f2"), np.dtype(ml_dtypes.bfloat16)
OTHERS = tuple(map(np.dtype, ["i1", "u2", "i4", "i8", "u8", "?", ">i8", ">f4", ">f8"]))


def bits_of(array):
    return np.ascontiguousarray(array).view(np.uint32)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_number_has_numpy_s_bits(layout, dtype):
    halves = LAYOUTS[layout](EVERY.view(dtype))
    with np.errstate(invalid="ignore"):
        expected = halves.astype(np.float32)
    room = Room()
    for _ in range(2):  # in memory that is new, and in what the last ones left
        (result,) = room.taken(built("entropy_term", ("float32",)), [halves])
        assert result.dtype == np.float32
        assert result.shape == halves.shape
        np.testing.assert_array_equal(bits_of(result), bits_of(expected))


def test_memory_serves_another_dtype_and_size():
    room = Room()
    for size, dtype in [(3, "f4"), (9, "f8"), (5, "f4"), (7, "f4")]:
        ufunc = built("entropy_term", (np.dtype(dtype).name,))
        (result,) = room.taken(ufunc, [np.arange(size)])
        np.testing.assert_array_equal(result, np.arange(size, dtype=dtype), strict=True)


def test_what_a_kernel_takes_stays_as_it_is():
    given = np.ones(3), np.ones(3)
    results = Room().taken(built("js_term", ("float64",)), given)
    assert all(result is array for result, array in zip(results, given, strict=True))


def inputs(dtype, *shape):
    rng = np.random.default_rng(0)
    return tuple((rng.random(shape) * 20).astype(dtype) for _ in range(2))


CALLS = {
    "rows": (js_divergence, {}),
    "columns": (js_divergence, {"axis": 0}),
    "terms": (js_divergence, {"reduce": False}),
    "weight": (js_divergence, {"weight": 0.25}),
    "gradient": (js_divergence_grad, {}),
    "gradient of columns": (js_divergence_grad, {"axis": 0}),
    "logits": (js_divergence_logit, {}),
    "gradient in logits": (js_divergence_logit_grad, {}),
    "relative": (kl_divergence, {}),
}


@pytest.mark.parametrize("dtype", HALVES + OTHERS, ids=str)
@pytest.mark.parametrize("call", CALLS)
def test_results_have_the_bits_of_what_is_converted_before(call, dtype):
    function, options = CALLS[call]
    given = inputs(dtype, 3 * BLOCK_ELEMENTS // 2400, 1200)
    narrow = dtype.kind in "fV" and dtype.itemsize <= 4
    whole = [array.astype(np.float32 if narrow else float) for array in given]
    expected = function(*whole, workers=1, **options)
    for workers in (1, 2):
        np.testing.assert_equal(function(*given, workers=workers, **options), expected)


@pytest.mark.parametrize("function", [js_divergence, js_divergence_grad, kl_divergence])
def test_long_rows_are_converted_in_pieces(function):
    given = inputs(np.int32, 2, (1 << 20) + 1000)
    whole = [array.astype(float) for array in given]
    np.testing.assert_equal(function(*given), function(*whole))


def test_one_row_of_counts():
    counts = np.arange(10_000)
    np.testing.assert_array_equal(entropy(counts), entropy(counts.astype(float)), strict=True)


@pytest.mark.parametrize("narrow", [np.float16, np.float32, np.int8])
def test_one_input_beside_float64(narrow):
    P, Q = inputs(narrow, 300, 1000)
    expected = js_divergence(P.astype(float), Q.astype(float))
    np.testing.assert_array_equal(js_divergence(P, Q.astype(float)), expected, strict=True)


def test_many_distributions():
    for dtype, wide in [(np.float16, np.float32), (np.int64, float)]:
        stack = np.stack(inputs(dtype, 10, 1000) + inputs(dtype, 10, 1000))
        expected = js_divergence_many(stack.astype(wide))
        np.testing.assert_array_equal(js_divergence_many(stack), expected, strict=True)


@pytest.mark.parametrize("dtype", [np.float16, np.int32])
def test_what_is_wrong_is_said(dtype):
    P, Q = inputs(dtype, 10, 1000)
    P[1, 2] = -1
    with pytest.raises(ValueError, match=r"P\[1, 2\] is"):
        js_divergence(P, Q)
