"""The meaning of hypercoil's arguments, against its formulas restated in NumPy."""

from itertools import product

import numpy as np
import pytest

from jsdiv_numba import js_divergence, js_divergence_logit
from tests import hypercoil_reference as hypercoil

RNG = np.random.default_rng(0)
SHAPE = (4, 3, 5)
P, Q = RNG.dirichlet(np.ones(SHAPE[-1]), (2, *SHAPE[:-1]))
A, B = 2 * RNG.standard_normal((2, *SHAPE))
BOTH = pytest.mark.parametrize(
    ("divergence", "reference", "inputs"),
    [
        (js_divergence, hypercoil.js_divergence, (P, Q)),
        (js_divergence_logit, hypercoil.js_divergence_logit, (A, B)),
    ],
    ids=["probabilities", "logits"],
)
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
OPTIONS = [
    {"axis": axis, "keepdims": keepdims, "reduce": reduce}
    for axis, (keepdims, reduce) in product(
        [-1, 0, 1, -2, (0, 1), (0, 2), (-1, -2), (0, 1, 2), None],
        [(True, True), (False, True), (True, False), (False, False)],
    )
]


def assert_close(result, expected, dtype, summands):
    """Equal to hypercoil's own accuracy: its eps is added in each of the summands."""
    tolerance = 8 * np.finfo(dtype).eps
    expected = np.asarray(expected)
    assert (np.shape(result), result.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance * summands)


@BOTH
@PRECISIONS
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_axis_keepdims_and_reduce(divergence, reference, inputs, dtype, options):
    p, q = (x.astype(dtype) for x in inputs)
    summands = p.size if options["reduce"] else 1
    assert_close(divergence(p, q, **options), reference(p, q, **options), dtype, summands)


@BOTH
def test_defaults(divergence, reference, inputs):
    assert_close(divergence(*inputs), reference(*inputs), np.float64, SHAPE[-1])
    assert divergence(*inputs).shape == (4, 3, 1)


@BOTH
def test_key_is_accepted(divergence, reference, inputs):
    key = np.array([0, 1], np.uint32)
    assert_close(divergence(*inputs, key=key), reference(*inputs, key=key), np.float64, SHAPE[-1])


@BOTH
@pytest.mark.parametrize("second", [(5,), (3, 1), (1, 1, 5), (2, 1, 3, 5)], ids=str)
@pytest.mark.parametrize("options", [{}, {"axis": 1}, {"reduce": False}, {"axis": None}], ids=str)
def test_broadcasting(divergence, reference, inputs, second, options):
    """The softmax, too, is of the broadcast shape."""
    p, q = inputs[0], RNG.random(second)
    expected = reference(*np.broadcast_arrays(p, q), **options)
    assert_close(divergence(p, q, **options), expected, np.float64, p.size * 2)


@BOTH
def test_what_is_not_normalised_stays_so(divergence, reference, inputs):
    scaled = [3 * x for x in inputs]
    assert_close(divergence(*scaled), reference(*scaled), np.float64, 3 * SHAPE[-1])


@PRECISIONS
def test_zeros_are_within_its_eps(dtype):
    p, q = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5]], dtype)
    expected = hypercoil.js_divergence(p, q)
    eps = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(js_divergence(p, q), expected, rtol=0, atol=-8 * eps * np.log(eps))
