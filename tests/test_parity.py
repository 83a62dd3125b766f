"""Every path gives the same answer."""

import re

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import jsdiv_numba
from jsdiv_numba import (
    LossScheme,
    cdist,
    contributions,
    jensenshannon,
    js_divergence,
    js_divergence_logit,
    js_sum,
    js_sum_logit,
    js_term,
    kl_divergence,
    kl_divergence_logit,
    mean_scalarise,
)

RNG = np.random.default_rng(0)
SHAPE = (6, 5, 33)
P, Q = RNG.dirichlet(np.full(SHAPE[-1], 0.3), (2, *SHAPE[:-1]))
P, Q = (np.where(x < 0.005, 0, x) for x in (P, Q))
P, Q = (x / x.sum(axis=-1, keepdims=True) for x in (P, Q))
Q[0] = P[0]
Q[1] = P[1] * (1 + 1e-6 * RNG.standard_normal(P[1].shape))
A, B = 3 * RNG.standard_normal((2, *SHAPE))
A[P == 0] = -np.inf
ROUNDING = {np.float64: 1e-13, np.float32: 3e-6}
PRECISIONS = pytest.mark.parametrize("dtype", ROUNDING)


PROBABILITIES = {
    "the elements' ufunc, summed": lambda p, q: js_term(p, q).sum(axis=-1),
    "the rows' ufunc": js_sum,
    "the rows' ufunc, along an axis": lambda p, q: js_sum(
        np.moveaxis(p, -1, 0), np.moveaxis(q, -1, 0), axis=0
    ),
    "terms, summed": lambda p, q: js_divergence(p, q, reduce=False).sum(axis=-1),
    "first axis": lambda p, q: js_divergence(
        np.moveaxis(p, -1, 0).copy(), np.moveaxis(q, -1, 0).copy(), axis=0, keepdims=False
    ),
    "middle axis": lambda p, q: js_divergence(
        np.moveaxis(p, -1, 1).copy(), np.moveaxis(q, -1, 1).copy(), axis=1, keepdims=False
    ),
    "middle axis of a view": lambda p, q: js_divergence(
        np.moveaxis(p, -1, 1), np.moveaxis(q, -1, 1), axis=1, keepdims=False
    ),
    "two axes": lambda p, q: js_divergence(
        p.reshape(6, 5, 3, 11), q.reshape(6, 5, 3, 11), axis=(2, 3), keepdims=False
    ),
    "two axes apart": lambda p, q: js_divergence(
        np.moveaxis(p.reshape(6, 5, 3, 11), 2, 0),
        np.moveaxis(q.reshape(6, 5, 3, 11), 2, 0),
        axis=(-1, 0),
        keepdims=False,
    ),
    "Fortran order": lambda p, q: js_divergence(
        np.asfortranarray(p), np.asfortranarray(q), keepdims=False
    ),
    "rows reversed": lambda p, q: js_divergence(p[..., ::-1], q[..., ::-1], keepdims=False),
    "one of them byte-swapped": lambda p, q: js_divergence(
        p.astype(p.dtype.newbyteorder()), q, keepdims=False
    ),
    "row by row": lambda p, q: np.array(
        [
            [js_divergence(*rows, keepdims=False) for rows in zip(*both, strict=True)]
            for both in zip(p, q, strict=True)
        ]
    ),
    "bits": lambda p, q: js_divergence(p, q, base=2, keepdims=False) * np.log(2),
    "a row, broadcast, on both sides": lambda p, q: js_divergence(
        np.stack([p, q]), q, keepdims=False
    ).sum(axis=0),
}


@PRECISIONS
@pytest.mark.parametrize("path", PROBABILITIES.values(), ids=PROBABILITIES)
def test_probabilities(path, dtype):
    p, q = P.astype(dtype), Q.astype(dtype)
    expected = js_divergence(p, q, keepdims=False)
    np.testing.assert_allclose(path(p, q), expected, rtol=ROUNDING[dtype], atol=0)


@pytest.mark.parametrize("axis", [-1, 0, (0, 2), None], ids=str)
def test_float32_is_float64_rounded(axis):
    narrow = js_divergence(P.astype(np.float32), Q.astype(np.float32), axis=axis)
    wide = js_divergence(P.astype(np.float32).astype(float), Q.astype(np.float32), axis=axis)
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, wide, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize("divergence", [js_divergence, js_divergence_logit])
def test_float16_is_computed_in_float32(divergence):
    half = P.astype(np.float16), Q.astype(np.float16)
    expected = divergence(*(x.astype(np.float32) for x in half))
    np.testing.assert_array_equal(divergence(*half), expected, strict=True)


LOGITS = {
    "the rows' ufunc": js_sum_logit,
    "the rows' ufunc, along an axis": lambda a, b: js_sum_logit(
        np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0), axis=0
    ),
    "terms, summed": lambda a, b: js_divergence_logit(a, b, reduce=False).sum(axis=-1),
    "first axis": lambda a, b: js_divergence_logit(
        np.moveaxis(a, -1, 0).copy(), np.moveaxis(b, -1, 0).copy(), axis=0, keepdims=False
    ),
    "two axes": lambda a, b: js_divergence_logit(
        a.reshape(6, 5, 3, 11), b.reshape(6, 5, 3, 11), axis=(2, 3), keepdims=False
    ),
    "their softmax": lambda a, b: js_divergence(
        softmax(a, axis=-1), softmax(b, axis=-1), keepdims=False
    ),
    "their logarithms of probabilities": lambda a, b: js_divergence_logit(
        log_softmax(a, axis=-1), log_softmax(b, axis=-1), keepdims=False
    ),
    "shifted": lambda a, b: js_divergence_logit(a + 8, b - 16, keepdims=False),
    "rows reversed": lambda a, b: js_divergence_logit(a[..., ::-1], b[..., ::-1], keepdims=False),
    "bits": lambda a, b: js_divergence_logit(a, b, base=2, keepdims=False) * np.log(2),
}


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, 1e-10), (np.float32, 1e-4)])
@pytest.mark.parametrize("path", LOGITS.values(), ids=LOGITS)
def test_logits(path, dtype, rounding):
    a, b = A.astype(dtype), B.astype(dtype)
    expected = js_divergence_logit(a, b, keepdims=False)
    np.testing.assert_allclose(path(a, b), expected, rtol=rounding, atol=0)


@PRECISIONS
def test_probabilities_and_their_logarithms(dtype):
    p, q = (x[2:].astype(dtype) for x in (P, Q))
    with np.errstate(divide="ignore"):
        logs = np.log(p), np.log(q)
    expected = js_divergence(p, q, keepdims=False)
    rounding = {np.float64: 1e-10, np.float32: 1e-4}[dtype]
    result = js_divergence_logit(*logs, keepdims=False)
    np.testing.assert_allclose(result, expected, rtol=rounding, atol=0)


def test_the_distance_is_the_root_of_the_divergence():
    divergence = js_divergence(P, Q, keepdims=False)
    distance = jensenshannon(P, Q, axis=-1)
    np.testing.assert_allclose(distance[2:], np.sqrt(divergence[2:]), rtol=1e-14)
    pairs = cdist(P[2], Q[2], "jensenshannon")
    np.testing.assert_allclose(np.diagonal(pairs), distance[2], rtol=1e-11)


FAMILY = {
    "js_divergence": ("JSDivergenceLoss", (P, Q)),
    "js_divergence_logit": ("JSDivergenceLogitLoss", (A, B)),
    "kl_divergence": ("KLDivergenceLoss", (P, P[::-1] / 2 + 0.5 / SHAPE[-1])),
    "kl_divergence_logit": ("KLDivergenceLogitLoss", (A, B)),
    "entropy": ("EntropyLoss", (P,)),
    "entropy_logit": ("EntropyLogitLoss", (A,)),
}
_UFUNC_OF = {name: re.sub("_divergence|(?<=entropy)", "_sum", name) for name in FAMILY}
FUNCTIONS = pytest.mark.parametrize(
    ("name", "loss", "arrays"), [(k, *v) for k, v in FAMILY.items()]
)


@FUNCTIONS
@PRECISIONS
def test_every_path_of_the_family(name, loss, arrays, dtype):
    """Elements, axes, the ufunc, the loss and the value beside the derivatives."""
    function, rounding = getattr(jsdiv_numba, name), 1e-10 if dtype is np.float64 else 1e-4
    arrays = tuple(x.astype(dtype) for x in arrays)
    expected = function(*arrays, keepdims=False)
    first = tuple(np.moveaxis(x, -1, 0).copy() for x in arrays)
    split = tuple(x.reshape(*SHAPE[:2], 3, 11) for x in arrays)
    ufunc = getattr(jsdiv_numba, _UFUNC_OF[name])
    whole_loss = getattr(jsdiv_numba, loss)(scalarisation=mean_scalarise())
    paths = {
        "terms": function(*arrays, reduce=False).sum(axis=-1),
        "first axis": function(*first, axis=0, keepdims=False),
        "two axes": function(*split, axis=(2, 3), keepdims=False),
        "reversed": function(*(x[..., ::-1] for x in arrays), keepdims=False),
        "bits": function(*arrays, base=2, keepdims=False) * np.log(2),
        "ufunc": ufunc(*arrays),
    }
    for path, result in paths.items():
        np.testing.assert_allclose(
            result, expected, rtol=rounding, atol=rounding / 10, err_msg=path
        )
    value, *slopes = getattr(jsdiv_numba, f"{name}_grad")(*arrays, cotangent=1 / expected.size)
    np.testing.assert_allclose(value[..., 0], expected, rtol=rounding)
    total, in_loss = whole_loss.value_and_grad(*arrays)
    assert whole_loss(*arrays) == expected.mean(dtype=float).astype(dtype)
    np.testing.assert_allclose(total, whole_loss(*arrays), rtol=rounding)
    (of_scheme, _), in_scheme = LossScheme([whole_loss]).value_and_grad(*arrays)
    assert of_scheme == total
    in_loss = in_loss if isinstance(in_loss, tuple) else (in_loss,)
    in_scheme = in_scheme if isinstance(in_scheme, tuple) else (in_scheme,)
    for one, other, third in zip(slopes, in_loss, in_scheme, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(other, third)


@PRECISIONS
def test_kl_of_probabilities_and_of_their_logarithms(dtype):
    p, q = (x.astype(dtype) for x in FAMILY["kl_divergence"][1])
    with np.errstate(divide="ignore"):
        logs = np.log(p), np.log(q)
    rounding = {np.float64: 1e-10, np.float32: 1e-4}[dtype]
    expected = kl_divergence(p, q)
    np.testing.assert_allclose(kl_divergence_logit(*logs), expected, rtol=rounding)


@PRECISIONS
def test_contributions_are_the_terms(dtype):
    p, q = P[2, 3].astype(dtype), Q[2, 3].astype(dtype)
    parts, terms = contributions(p, q), js_divergence(p, q, reduce=False)
    np.testing.assert_allclose(parts.values, terms[parts.indices], rtol=ROUNDING[dtype])
    assert parts.total == js_divergence(p, q, keepdims=False)


@PRECISIONS
def test_the_ufuncs_of_logits_raise_no_floating_point_error(dtype):
    """But for the underflow of an entropy that is itself subnormal."""
    """But for the underflow of an entropy that is itself subnormal."""
    a, b = A[0].astype(dtype), (300 * B[0]).astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        for first, second in ((a, b), (b, a), (a, a)):
            js_sum_logit(first, second)
            jsdiv_numba.kl_sum_logit(first, second)
            jsdiv_numba.entropy_sum_logit(first)
