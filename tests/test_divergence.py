"""The divergences: axes, shapes, dtypes, bases and where the result goes."""

import math
from itertools import product

import numpy as np
import pytest

from jsdiv_numba import (
    js_divergence,
    js_divergence_grad,
    js_divergence_logit,
    js_divergence_many,
    kl_divergence,
)
from tests import oracle
from tests.strategies import LAYOUTS

RNG = np.random.default_rng(0)
P, Q = RNG.dirichlet(np.full(5, 0.5), (2, 4, 3))
P[P < 0.05] = 0
BOTH = pytest.mark.parametrize(
    "divergence", [js_divergence, js_divergence_logit], ids=["probabilities", "logits"]
)
AXES = [0, 1, -1, -3, (0, 1), (2, 0), [-1, 1], (0, 1, 2), (), range(2), np.int8(1), np.array(1)]


def by_hand(divergence, rows, others):
    """Return the exact divergence of each pair of rows."""
    exact = oracle.js_divergence if divergence is js_divergence else oracle.js_divergence_logit
    return np.array([float(exact(p, q)) for p, q in zip(rows, others, strict=True)])


def reduced_axes(axis, ndim):
    return sorted(a % ndim for a in np.atleast_1d(np.array(axis, int)))


@BOTH
@pytest.mark.parametrize("axis", AXES, ids=str)
def test_axis(divergence, axis):
    axes = reduced_axes(axis, P.ndim)
    kept = [i for i in range(P.ndim) if i not in axes]
    length = math.prod(P.shape[i] for i in axes)
    rows, others = (x.transpose(*kept, *axes).reshape(-1, length) for x in (P, Q))
    expected = by_hand(divergence, rows, others).reshape([P.shape[i] for i in kept])
    without = divergence(P, Q, axis=axis, keepdims=False)
    np.testing.assert_allclose(without, expected, rtol=1e-10, atol=1e-17, strict=bool(kept))
    np.testing.assert_array_equal(divergence(P, Q, axis=axis), np.expand_dims(without, axes))


@BOTH
def test_all_axes_are_one_sum(divergence):
    """Of probabilities one row; of logits one softmax along the last axis for each row."""
    expected = by_hand(divergence, P.reshape(-1, 5), Q.reshape(-1, 5)).sum()
    total = divergence(P, Q, axis=None)
    np.testing.assert_allclose(total, np.full((1, 1, 1), expected), rtol=1e-10, strict=True)
    assert divergence(P, Q, axis=None, keepdims=False) == total[0, 0, 0]


@BOTH
@pytest.mark.parametrize("axis", [*AXES, None], ids=str)
def test_terms_add_up(divergence, axis):
    terms = divergence(P, Q, axis=axis, reduce=False)
    assert terms.shape == P.shape
    axes = None if axis is None else tuple(reduced_axes(axis, P.ndim))
    total = divergence(P, Q, axis=axis)
    rounding = 1e-13 if divergence is js_divergence else 1e-10
    added_up = terms.sum(axis=axes, keepdims=True)
    np.testing.assert_allclose(added_up, total, rtol=rounding, atol=1e-17)


@BOTH
@pytest.mark.parametrize(
    ("first", "second", "axis"),
    [
        ((5,), (4, 3, 5), -1),
        ((4, 3, 5), (5,), 0),
        ((4, 1, 5), (1, 3, 1), -1),
        ((4, 1, 5), (1, 3, 1), (0, 1)),
        ((4, 1, 5), (3, 1), None),
        ((), (4, 5), -1),
        ((1, 1), (), 0),
        ((0, 5), (1, 5), -1),
        ((0, 5), (5,), 0),
        ((3, 0), (3, 1), -1),
        ((2, 0, 3), (3,), (0, 2)),
    ],
    ids=str,
)
def test_arguments_broadcast(divergence, first, second, axis):
    p, q = RNG.random(first), RNG.random(second)
    full = np.broadcast_arrays(p, q)
    for options in ({}, {"keepdims": False}, {"reduce": False}):
        expected = divergence(*(x.copy() for x in full), axis=axis, **options)
        result = divergence(p, q, axis=axis, **options)
        np.testing.assert_allclose(result, expected, rtol=1e-14, atol=0, strict=True)
        assert np.isfinite(result).all()


@BOTH
def test_empty_rows_are_equal_and_empty_batches_empty(divergence):
    assert divergence([], [], keepdims=False) == 0
    np.testing.assert_array_equal(divergence(np.ones((2, 0)), np.ones((2, 0))), np.zeros((2, 1)))
    assert divergence(np.ones((0, 3)), np.ones((0, 3))).shape == (0, 1)
    assert divergence(np.ones((0, 3)), np.ones((0, 3)), axis=None) == 0
    assert divergence([], [], reduce=False).shape == (0,)


@BOTH
@pytest.mark.parametrize("axis", [-1, 0, None, ()])
def test_scalars_are_rows_of_one(divergence, axis):
    expected = float(by_hand(divergence, [[1]], [[2]])[0])
    for options in product([True, False], repeat=2):
        keepdims, reduce = options
        result = divergence(1, 2.0, axis=axis, keepdims=keepdims, reduce=reduce)
        assert type(result) is np.float64
        assert result == pytest.approx(expected, rel=1e-15)


@BOTH
def test_a_result_without_dimensions_is_a_scalar(divergence):
    assert type(divergence(P[0, 0], Q[0, 0], keepdims=False)) is np.float64
    narrow = divergence(P.astype(np.float32), Q.astype(np.float32), axis=None, keepdims=False)
    assert type(narrow) is np.float32
    assert type(divergence(P[0, 0], Q[0, 0])) is np.ndarray


@BOTH
def test_key_is_ignored(divergence):
    np.testing.assert_array_equal(divergence(P, Q, key=object()), divergence(P, Q))


@BOTH
@pytest.mark.parametrize("base", [2, 10.0, np.float32(3), np.int8(7), np.e, 1 + 1e-9, 10**400])
@pytest.mark.parametrize("reduce", [True, False])
@pytest.mark.parametrize("axis", [-1, (0, 2), None], ids=str)
def test_base(divergence, base, reduce, axis):
    nats = divergence(P, Q, axis=axis, reduce=reduce)
    result = divergence(P, Q, axis=axis, reduce=reduce, base=base)
    np.testing.assert_allclose(result, nats / math.log(base), rtol=1e-15, strict=True)


def test_bits():
    assert js_divergence([1, 0], [0, 1], base=2, keepdims=False) == pytest.approx(1, rel=1e-15)


COUNTS = np.array([[0, 1, 1], [1, 1, 0]])
NARROW = ["float16", "float32"]


@BOTH
@pytest.mark.parametrize("code", "?bBhHiIlLqQefd")
@pytest.mark.parametrize("swapped", [False, True])
def test_dtypes(divergence, code, swapped):
    dtype = np.dtype(code)
    counts = COUNTS.astype(dtype.newbyteorder() if swapped else dtype)
    expected = np.float32 if dtype.name in NARROW else np.float64
    for reduce in (True, False):
        result = divergence(*counts, reduce=reduce)
        reference = divergence(*COUNTS.astype(expected), reduce=reduce)
        np.testing.assert_array_equal(result, reference, strict=True)


@BOTH
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("f4", "f8", "f8"),
        ("f2", "f4", "f4"),
        ("f2", "f8", "f8"),
        ("f4", "i2", "f4"),
        ("f4", "i8", "f8"),
        ("f4", "?", "f4"),
        ("i8", "?", "f8"),
        ("u8", "i8", "f8"),
    ],
)
def test_mixed_dtypes(divergence, first, second, expected):
    p, q = COUNTS[0].astype(first), COUNTS[1].astype(second)
    for result in (divergence(p, q), divergence(q, p)):
        np.testing.assert_array_equal(result, divergence(*COUNTS.astype(expected)), strict=True)


@BOTH
@pytest.mark.parametrize("first", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("second", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("axis", [-1, 0, (0, 2)], ids=str)
def test_layout_changes_nothing(divergence, first, second, axis):
    """Beyond rounding, since rows and columns are added up in different orders."""
    p, q = first(P), second(Q)
    expected = divergence(P, Q, axis=axis)
    np.testing.assert_allclose(divergence(p, q, axis=axis), expected, rtol=1e-14, atol=0)
    terms = divergence(P, Q, axis=axis, reduce=False)
    np.testing.assert_array_equal(divergence(p, q, axis=axis, reduce=False), terms)


@BOTH
def test_memory_maps_are_read(divergence, tmp_path):
    np.save(tmp_path / "p.npy", P)
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    result = divergence(mapped, Q)
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, divergence(P, Q))


class Wrapped:
    """What offers its values as an array, as data frames do."""

    def __array__(self, dtype=None, copy=None):
        return P.astype(dtype)


SEQUENCES = {
    "lists": P.tolist(),
    "tuples": tuple(tuple(map(tuple, rows)) for rows in P),
    "list of arrays": list(P),
    "buffer": memoryview(P),
    "subclass": P.view(type("Subclass", (np.ndarray,), {})),
    "masked array without masked entries": np.ma.array(P),
    "__array__": Wrapped(),
}


@BOTH
@pytest.mark.parametrize("values", SEQUENCES.values(), ids=SEQUENCES)
def test_whatever_numpy_takes_for_an_array(divergence, values):
    for result in (divergence(values, Q), divergence(Q, values)):
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, divergence(P, Q))


@BOTH
def test_a_broadcast_row_is_not_copied(divergence):
    row = np.broadcast_to(0.25, (1000, 4))
    np.testing.assert_array_equal(divergence(row, row[0]), np.zeros((1000, 1)))


OUTS = {
    "contiguous": np.empty,
    "every second element": lambda shape: np.empty((*shape[:-1], 2 * shape[-1]))[..., ::2],
    "reversed": lambda shape: np.empty(5 * math.prod(shape))[
        3 * math.prod(shape) - 1 : 2 * math.prod(shape) - 1 : -1
    ].reshape(shape),
    "Fortran order": lambda shape: np.empty(shape, order="F"),
    "byte-swapped": lambda shape: np.empty(shape, ">f8"),
    "float16": lambda shape: np.empty(shape, np.float16),
    "longdouble": lambda shape: np.empty(shape, np.longdouble),
    "subclass": lambda shape: np.empty(shape).view(type("Subclass", (np.ndarray,), {})),
}


@BOTH
@pytest.mark.parametrize("axis", [-1, 1, (0, 2), None], ids=str)
@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("make", OUTS.values(), ids=OUTS)
def test_out(divergence, axis, keepdims, make):
    p, q = (np.stack([x, x[::-1]])[..., np.newaxis, :] for x in (P, Q))
    for more in ({}, {"reduce": False}, {"base": 2}):
        options = {"axis": axis, "keepdims": keepdims, **more}
        expected = np.asarray(divergence(p, q, **options))
        out = make(expected.shape) if expected.ndim else np.empty(())
        assert divergence(p, q, out=out, **options) is out
        precision = 2 * max(np.finfo(out.dtype).eps, np.finfo(np.float64).eps)
        np.testing.assert_allclose(out.astype(float), expected, rtol=precision, atol=1e-7)


@BOTH
def test_out_may_be_a_memory_map(divergence, tmp_path):
    out = np.memmap(tmp_path / "result", np.float64, "w+", shape=(4, 3, 1))
    divergence(P, Q, out=out)
    out.flush()
    written = np.fromfile(tmp_path / "result").reshape(4, 3, 1)
    np.testing.assert_array_equal(written, divergence(P, Q))


OVERLAPS = {
    "the first input": lambda block: (block[:60], block[60:120], block),
    "the second input": lambda block: (block[:60], block[60:120], block[60:]),
    "both, shifted": lambda block: (block[:60], block[7:67], block[3:]),
    "between": lambda block: (block[:120:2], block[1:120:2], block),
    "reversed": lambda block: (block[:60], block[60:120], block[119::-1]),
    "every second": lambda block: (block[:60], block[60:120], block[::2]),
    "of another dtype": lambda block: (block[:60], block[60:120], block.view(np.float32)),
}


@BOTH
@pytest.mark.parametrize("axis", [-1, 0, (0, 1), None, ()], ids=str)
@pytest.mark.parametrize("views", OVERLAPS.values(), ids=OVERLAPS)
def test_out_may_overlap_the_inputs(divergence, axis, views):
    for reduce in (True, False):
        block = np.random.default_rng(1).random(240)
        p, q, out = views(block)
        p, q = p.reshape(4, 3, 5), q.reshape(4, 3, 5)
        expected = divergence(p, q, axis=axis, reduce=reduce)
        out = out[: expected.size].reshape(expected.shape)
        divergence(p, q, axis=axis, reduce=reduce, out=out)
        np.testing.assert_array_equal(out, expected.astype(out.dtype))


@BOTH
def test_inputs_are_not_changed(divergence):
    p, q = P.copy(), Q.copy()
    divergence(p, q)
    divergence(p, q, axis=(0, 1), reduce=False)
    np.testing.assert_array_equal(p, P)
    np.testing.assert_array_equal(q, Q)


def test_a_narrow_out_need_not_hold_nats():
    p, q = np.full((2, 3), 1e5), np.zeros((2, 3))
    for call in (
        lambda out: js_divergence(p, q, base=1e9, keepdims=False, out=out),
        lambda out: js_divergence_many([p, q, q], base=1e9, keepdims=False, out=out),
    ):
        out = np.empty(2, np.float16)
        np.testing.assert_array_equal(call(out), call(None).astype(np.float16))
        assert np.isfinite(out).all()


def test_minus_zero_is_a_zero_probability():
    result = js_divergence([-0.0, 1], [0.0, 1], reduce=False)
    np.testing.assert_array_equal(result, [0, 0])
    np.testing.assert_array_equal(np.signbit(result), False)


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_makes_its_own_row_nan(divergence, dtype):
    for bits in (np.nan, -np.nan):
        p, q = P.astype(dtype), Q.astype(dtype)
        p[1, 2, 0] = q[3, 0, 4] = bits
        result = divergence(p, q, keepdims=False)
        np.testing.assert_array_equal(np.argwhere(np.isnan(result)), [[1, 2], [3, 0]])
        assert np.isnan(divergence(p, q, axis=None)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [2, 16, 100, 1100])
def test_a_nan_beside_a_small_number_is_not_lost_in_a_large_sum(dtype, length):
    """It is added up with the small terms, which do not matter to sums above 1."""
    p, q = np.random.default_rng(length).random((2, 5, length)).astype(dtype) * 20
    p[:, 0], q[1:, 0] = np.nan, [0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).tiny, 1e30]
    for x, y in ((p, q), (q, p)):
        results = {
            "js": js_divergence(x, y),
            "columns": js_divergence(x.T, y.T, axis=0),
            "weight": js_divergence(x, y, weight=0.3),
            "gradient": js_divergence_grad(x, y)[0],
            "many": js_divergence_many([x, y, y]),
            "added": js_divergence_many([x, y, y], leave_one_out=True),
            "KL": kl_divergence(x, y),
        }
        for name, result in results.items():
            assert np.isnan(result).all(), name


def signalling_nan(dtype):
    nan = np.array([np.inf, 1], dtype)
    nan.view(f"u{nan.itemsize}")[0] += 1
    return nan


@BOTH
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_signalling_nan_gives_no_warning(divergence, dtype):
    for other in ([1, 1], np.ones(2, dtype)):
        assert np.isnan(divergence(signalling_nan(dtype), other)).all()
        assert np.isnan(divergence(signalling_nan(dtype), other, reduce=False)).any()


def test_terms_of_a_row_with_nan_are_nan_where_it_is():
    terms = js_divergence([0.5, np.nan, 0], [0.5, 0.5, 0], reduce=False)
    np.testing.assert_array_equal(np.isnan(terms), [False, True, False])


def test_logits_that_are_all_minus_infinity_have_no_softmax():
    result = js_divergence_logit([[-np.inf, -np.inf], [0, -np.inf]], [[0, 1], [0, -np.inf]])
    np.testing.assert_array_equal(result, [[np.nan], [0]])


def test_a_constant_in_all_logits_changes_nothing():
    expected = js_divergence_logit(P, Q)
    for shift in (1e4, -1e4):
        result = js_divergence_logit(P + shift, Q)
        np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-12)


HUGE = {np.float64: 2e302, np.float32: 2e32}


@pytest.mark.parametrize("dtype", HUGE)
def test_a_result_beyond_the_range_is_inf_without_a_warning(dtype):
    length = 6 * (1 << 20)
    for n in (length, length + 5):
        row = np.broadcast_to(dtype(HUGE[dtype]), n)
        np.testing.assert_array_equal(js_divergence(row, dtype(0)), dtype([np.inf]), strict=True)
        assert js_divergence(row, dtype(0), base=2) == np.inf


@pytest.mark.parametrize("n", [100, (1 << 20) + 1])
def test_a_result_beyond_the_range_of_out_is_inf_without_a_warning(n):
    out = np.empty(1, np.float16)
    js_divergence(np.full(n, 1e9), 0, out=out)
    assert out == np.inf
    overlapping = np.full(n, 6e4, np.float16)
    js_divergence(overlapping, np.full(n, 6e9), out=overlapping[:1])
    assert overlapping[0] == np.inf


@pytest.mark.parametrize("kind", ["raise", "warn"])
@BOTH
def test_the_users_error_state_is_neither_heard_nor_changed(divergence, kind):
    p, q = np.array([[0, 1e-320, 1, 1e300], [1e-310, 0, 1e-5, 1e-5]])
    with np.errstate(all=kind):
        before = np.geterr()
        for options in ({}, {"axis": None}, {"reduce": False}, {"base": 2}):
            result = divergence(p, q, **options)
            divergence(p, p, **options)
            divergence(p, q, out=np.empty(result.shape, np.float16), **options)
        assert np.geterr() == before
