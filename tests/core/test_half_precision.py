"""Half precision: every number, in every layout, and blocks of them on threads."""

import ml_dtypes
import numpy as np
import pytest

from jsdiv_numba import (
    js_divergence,
    js_divergence_grad,
    js_divergence_logit,
    js_divergence_logit_grad,
    js_divergence_many,
)
from jsdiv_numba._core.half_precision import BLOCK_ELEMENTS, Room

EVERY = np.arange(1 << 16, dtype=np.uint16)
"""The bits of every float16, and of every bfloat16."""

LAYOUTS = {
    "C": lambda bits: bits.reshape(256, 256),
    "Fortran": lambda bits: bits.reshape(256, 256).T,
    "rows apart": lambda bits: np.tile(bits.reshape(256, 256), 2)[:, :250],
    "columns apart": lambda bits: np.tile(bits.reshape(256, 256), 2)[:, :250].T,
    "every other": lambda bits: bits.reshape(256, 256)[:, ::2],
    "backwards": lambda bits: bits[::-1],
    "three axes": lambda bits: bits.reshape(64, 32, 32).transpose(1, 0, 2),
    "broadcast": lambda bits: np.broadcast_to(bits[:8192], (2, 8192)),
    "small": lambda bits: bits[5:9],
    "empty": lambda bits: bits.reshape(256, 256)[:, :0],
    "one": lambda bits: bits[7:8].reshape(()),
}
KINDS = np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)


def bits_of(array):
    return np.ascontiguousarray(array).view(np.uint32)


@pytest.mark.parametrize("dtype", KINDS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_number_has_numpy_s_bits(layout, dtype):
    halves = LAYOUTS[layout](EVERY.view(dtype))
    with np.errstate(invalid="ignore"):
        expected = halves.astype(np.float32)
    room = Room()
    for _ in range(2):  # in memory that is new, and in what the last ones left
        (result,) = room.in_single([halves])
        assert result.dtype == np.float32
        assert result.shape == halves.shape
        np.testing.assert_array_equal(bits_of(result), bits_of(expected))


def test_what_is_no_half_stays_as_it_is():
    given = np.ones(3), np.ones(3, np.float32), np.ones(3, np.int16)
    assert all(map(np.may_share_memory, Room().in_single(given), given))


def inputs(dtype, *shape):
    rng = np.random.default_rng(0)
    return tuple(rng.random(shape).astype(dtype) for _ in range(2))


CALLS = {
    "rows": (js_divergence, {}),
    "columns": (js_divergence, {"axis": 0}),
    "terms": (js_divergence, {"reduce": False}),
    "weight": (js_divergence, {"weight": 0.25}),
    "gradient": (js_divergence_grad, {}),
    "logits": (js_divergence_logit, {}),
    "gradient in logits": (js_divergence_logit_grad, {}),
}


@pytest.mark.parametrize("dtype", KINDS, ids=str)
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("call", CALLS)
def test_results_have_the_bits_of_float32(call, dtype, workers):
    function, options = CALLS[call]
    halves = inputs(dtype, 2 * BLOCK_ELEMENTS // 600, 1200)
    singles = [array.astype(np.float32) for array in halves]
    result = function(*halves, workers=workers, **options)
    expected = function(*singles, workers=workers, **options)
    np.testing.assert_equal(result, expected)
    assert np.asarray(result[0]).dtype == np.float32


def test_one_input_of_float16_beside_float64():
    P, Q = inputs(np.float16, 10, 1000)
    expected = js_divergence(P.astype(float), Q.astype(float))
    np.testing.assert_array_equal(js_divergence(P, Q.astype(float)), expected, strict=True)


def test_many_distributions_of_float16():
    stack = np.stack(inputs(np.float16, 10, 1000))
    expected = js_divergence_many(stack.astype(np.float32))
    np.testing.assert_array_equal(js_divergence_many(stack), expected, strict=True)


@pytest.mark.parametrize("bad", [-1, np.inf])
def test_what_is_wrong_is_said(bad):
    P, Q = inputs(np.float16, 10, 1000)
    P[1, 2] = bad
    with pytest.raises(ValueError, match=r"P\[1, 2\] is"):
        js_divergence(P, Q)
