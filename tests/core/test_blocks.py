"""Blocks and pieces, made so small that ordinary arrays have many of them."""

import math

import numpy as np
import pytest

from jsdiv_numba import js_divergence, js_divergence_logit, kl_divergence
from tests.strategies import LAYOUTS

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.ones(7), (2, 5, 6))
DIVERGENCES = [js_divergence, js_divergence_logit, kl_divergence]
EACH = pytest.mark.parametrize("divergence", DIVERGENCES, ids=["probabilities", "logits", "kl"])
AXES = pytest.mark.parametrize("axis", [-1, 0, 1, (0, 1), (0, 2), (), None], ids=str)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr("jsdiv_numba._core.blocks.BLOCK_ELEMENTS", 16)
    monkeypatch.setattr("jsdiv_numba._core.blocks.ROW_PIECE", 4)
    monkeypatch.setattr("jsdiv_numba._core.blocks.COLUMN_PIECE", 2)


EXPECTED = {
    (divergence, axis, reduce): divergence(P, Q, axis=axis, reduce=reduce)
    for divergence in DIVERGENCES
    for axis in [-1, 0, 1, (0, 1), (0, 2), (), None]
    for reduce in (True, False)
}
"""Computed in one block."""


def inside_a_larger_block(shape):
    """Return an array whose neighbours in memory may be overwritten without a crash."""
    size = math.prod(shape)
    return np.full(3 * size, np.nan)[size : 2 * size].reshape(shape)


@EACH
@AXES
@pytest.mark.parametrize("reduce", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.usefixtures("small_blocks")
def test_blocks_make_no_difference(divergence, axis, reduce, layout):
    expected = EXPECTED[divergence, axis, reduce]
    out = inside_a_larger_block(expected.shape)
    for workers in (1, 3):
        divergence(layout(P), layout(Q), axis=axis, reduce=reduce, out=out, workers=workers)
        np.testing.assert_allclose(out, expected, rtol=1e-13, atol=0)


@EACH
@AXES
@pytest.mark.parametrize("reduce", [True, False])
@pytest.mark.usefixtures("small_blocks")
def test_nothing_beside_the_result_is_written(divergence, axis, reduce):
    for stride in (2, -2):
        expected = EXPECTED[divergence, axis, reduce]
        whole = np.full((*expected.shape[:-1], 2 * expected.shape[-1]), np.nan)
        divergence(P, Q, axis=axis, reduce=reduce, out=whole[..., ::stride])
        np.testing.assert_allclose(whole[..., ::stride], expected, rtol=1e-13, atol=0)
        assert np.isnan(whole).sum() == expected.size


@AXES
@pytest.mark.parametrize("reduce", [True, False])
@pytest.mark.usefixtures("small_blocks")
def test_an_error_in_any_block_is_found(axis, reduce):
    for place in np.ndindex(2, 3, 7):
        invalid = P.copy()
        invalid[place] = -1
        with pytest.raises(ValueError, match="probabilities must be finite") as caught:
            js_divergence(invalid, Q, axis=axis, reduce=reduce)
        assert str(caught.value).startswith(f"P{list(place)} is -1.0; ")


@EACH
@pytest.mark.parametrize("shape", [(0, 7), (5, 0), (0, 0, 3), (100, 0, 7)], ids=str)
@AXES
@pytest.mark.usefixtures("small_blocks")
def test_empty_arrays(divergence, shape, axis):
    if axis in (1, (0, 2), (0, 1)) and len(shape) < 3:
        shape = (1, *shape)
    result = divergence(np.ones(shape), np.ones(shape), axis=axis)
    np.testing.assert_array_equal(result, 0)
