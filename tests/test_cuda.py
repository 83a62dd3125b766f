"""The functions on device arrays: on a device, or in Numba's simulator (``tox -e cudasim``)."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import jsdiv_numba
from jsdiv_numba import cuda as device_functions
from jsdiv_numba._core.pair_metric import metric_of
from jsdiv_numba._kernels.codegen.precision import FLOAT32
from tests import cases, oracle

pytest.importorskip("numba.cuda")
from jsdiv_numba._cuda import arrays, evaluate, pairwise, target
from tests.cuda.ways import (
    LOGIT_ERROR,
    LOGIT_SLOPE_ERROR,
    NEEDS_DEVICE,
    PAIR_ERROR,
    PRECISIONS,
    ROW_ERROR,
    WAYS,
    batch,
    on_host,
    share_out,
)

pytestmark = NEEDS_DEVICE
RNG = np.random.default_rng(0)
ROOT = Path(__file__).parents[1]


@PRECISIONS
def test_terms_are_as_accurate_as_on_the_cpu(dtype):
    P, Q = batch(cases.ROWS, np.random.default_rng(2), dtype, 2, 98)
    expected = jsdiv_numba.js_divergence(P, Q, reduce=False)
    for computed in (
        device_functions.js_divergence(P, Q, reduce=False),
        device_functions.js_term(P, Q),
    ):
        np.testing.assert_allclose(on_host(computed), expected, rtol=ROW_ERROR[dtype], atol=0)


@PRECISIONS
def test_terms_of_logits(dtype):
    A = RNG.standard_normal((3, 7)).astype(dtype)
    B = (A + [[1], [1e-3], [0.1]] * RNG.standard_normal((3, 7))).astype(dtype)
    expected = jsdiv_numba.js_divergence_logit(A, B, reduce=False)
    computed = on_host(device_functions.js_divergence_logit(A, B, reduce=False))
    errors = np.abs(computed - expected).sum(axis=1) / expected.sum(axis=1)
    assert errors.max() < LOGIT_ERROR[dtype]
    total = device_functions.js_divergence_logit(A, B, axis=None, keepdims=False)
    np.testing.assert_allclose(on_host(total), expected.sum(), rtol=LOGIT_ERROR[dtype])


def weights_of_all_sizes(dtype):
    rng = np.random.default_rng(4)
    P = rng.dirichlet(np.ones(40), 6).astype(dtype)
    Q = rng.dirichlet(np.ones(40), 6).astype(dtype)
    Q[0], Q[1] = P[0] * dtype(2), P[1] * (1 + 1e-3 * rng.standard_normal(40))
    P[2], Q[2] = P[2] * dtype(1e30), Q[2] * dtype(1e-30)
    P[4, :30] = 0
    P[3] = 0
    return P, Q


@pytest.mark.parametrize(
    ("metric", "dtype"), [("jensenshannon", np.float64), ("js_divergence", np.float32)]
)
def test_pairs(metric, dtype):
    rng = np.random.default_rng(5)
    A, B = rng.dirichlet(np.full(4, 0.1), (2, 17)).astype(dtype)
    B = B[:3]
    B[0], B[1], B[2] = A[0], A[1] * (1 + 1e-3 * rng.standard_normal(4)), 0
    expected = jsdiv_numba.cdist(A, B, metric)
    computed = on_host(device_functions.cdist(A, B, metric))
    np.testing.assert_allclose(computed, expected, rtol=PAIR_ERROR[dtype])
    assert computed[0, 0] == 0
    assert np.isnan(computed[:, 2]).all()


def test_pairs_within_one_matrix_stream_to_the_host(monkeypatch, tmp_path):
    X = RNG.dirichlet(np.full(4, 0.1), 17)
    expected = jsdiv_numba.pdist(X, base=2)
    np.testing.assert_allclose(on_host(device_functions.pdist(X, base=2)), expected, rtol=1e-11)
    monkeypatch.setattr(pairwise, "TILE_BYTES", 1)
    written = np.memmap(tmp_path / "pairs", np.float64, "w+", shape=expected.shape)
    assert device_functions.pdist(X, base=2, out=written) is written
    np.testing.assert_allclose(written, expected, rtol=1e-11)
    square = np.empty((3, 17), np.float32)
    device_functions.cdist(X[:3], X, out=square)
    np.testing.assert_allclose(square, jsdiv_numba.cdist(X[:3], X), rtol=1e-6)
    tall, wide = (device_array_of(n) for n in ((40, 4), (70, 4)))
    metric = metric_of("js_divergence", None)
    given = pairwise.Comparison(tall, wide, False, metric, np.dtype(np.float64), 0)
    tiles = list(given.tiles())
    assert len(tiles) == -(-40 // pairwise.SQUARE) * -(-70 // pairwise.SQUARE)
    assert sum(map(given.size, tiles)) == 40 * 70


def device_array_of(shape):
    return pairwise.Matrix(target.cuda.device_array(shape), None, None)


P, Q = RNG.dirichlet(np.ones(12), (2, 4, 3))
VIEWS = {
    "last axis": (P, Q, -1),
    "first axis": (P, Q, 0),
    "middle axis": (P, Q, 1),
    "two axes": (P, Q, (1, 2)),
    "two axes apart": (P, Q, (0, 2)),
    "all axes": (P, Q, None),
    "transposed": (P.transpose(2, 0, 1), Q.transpose(2, 0, 1), 0),
    "one row, broadcast": (P, Q[0, 0], -1),
    "an outer product": (P[:, None], Q[None, :, :1], -1),
    "of four axes, all apart": (
        P.reshape(4, 3, 2, 6)[:, ::2, ::2, ::2],
        Q.reshape(4, 3, 2, 6)[:, ::2, ::2, ::2],
        -1,
    ),
    "one number": (P[0, 0, 0], Q[0, 0, 0], -1),
    "integers": ((P * 20).astype(int), (Q * 20).astype(int), -1),
    "of two precisions": (P.astype(np.float32), Q, -1),
    "half precision": (P.astype(np.float16), Q.astype(np.float16), -1),
    "no rows": (P[:0], Q[:0], -1),
    "rows of no elements": (P[..., :0], Q[..., :0], -1),
}


@pytest.mark.parametrize(("p", "q", "axis"), VIEWS.values(), ids=VIEWS)
def test_any_axes_and_strides(p, q, axis):
    on_device = [target.cuda.to_device(np.array(x, order="C")) for x in (p, q)]
    on_device = [x if x.size else np.asarray(y) for x, y in zip(on_device, (p, q), strict=True)]
    for keepdims in (True, False):
        expected = jsdiv_numba.js_divergence(p, q, axis=axis, keepdims=keepdims, base=2)
        computed = device_functions.js_divergence(*on_device, axis=axis, keepdims=keepdims, base=2)
        assert computed.dtype == expected.dtype
        assert tuple(computed.shape) == np.shape(expected)
        np.testing.assert_allclose(on_host(computed), expected, rtol=1e-6)


@PRECISIONS
@pytest.mark.parametrize("number", [0.25, 1])
def test_a_number_of_pythons_decides_no_dtype(dtype, number):
    p = P.astype(dtype)
    computed = device_functions.js_divergence(target.cuda.to_device(p), number)
    expected = jsdiv_numba.js_divergence(p, number)
    assert computed.dtype == expected.dtype == dtype
    np.testing.assert_allclose(on_host(computed), expected, rtol=1e-6)


class Foreign:
    """An array of another package, as far as `__cuda_array_interface__` tells."""

    def __init__(self, array):
        self.array = array
        self.__cuda_array_interface__ = array.__array_interface__ | {"version": 3}


simulated = pytest.mark.skipif(not target.SIMULATED, reason="memory of the host is no device's")


def recorded(monkeypatch):
    """Have the waiting of streams written down."""
    waits = []
    monkeypatch.setattr(target, "wait_for", lambda stream, other: waits.append((stream, other)))
    return waits


def test_streams_wait_for_each_other_before_and_after(monkeypatch):
    own, second, third, fourth = (target.cuda.stream() for _ in range(4))
    p, q = target.cuda.to_device(P, stream=own), target.cuda.to_device(Q, stream=second)
    p.stream, q.stream = own, second
    waits = recorded(monkeypatch)
    device_functions.js_divergence(p, q)
    assert waits == [(own, second), (second, own)]
    waits.clear()
    out = target.cuda.device_array((4, 3, 1), stream=third)
    out.stream = third
    assert device_functions.js_divergence(p, q, out=out) is out
    assert waits == [(own, second), (own, third), (second, own), (third, own)]
    waits.clear()
    weight = target.cuda.to_device(np.ones(1), stream=fourth)
    weight.stream = fourth
    device_functions.js_divergence_grad(p, p, cotangent=weight)
    assert waits == [(own, fourth), (fourth, own)]
    waits.clear()
    device_functions.cdist(p[0], q[0])
    assert len(waits) == 2


def test_a_result_may_be_written_over_an_input():
    p, q = P.copy(), Q[::-1].copy()
    expected = jsdiv_numba.js_divergence_logit(p, q, reduce=False)
    there = target.cuda.to_device(p)
    given = device_functions.js_divergence_logit(there, q, reduce=False, out=there)
    assert given is there
    np.testing.assert_allclose(on_host(there), expected, rtol=1e-10)
    whole = target.cuda.to_device(P)
    first, second = whole[:2], whole[1:3]
    assert arrays.overlap(first, second)
    assert not arrays.overlap(whole[:2], whole[2:])
    assert not arrays.overlap(whole, whole[:0])


def test_arrays_of_two_devices_are_refused():
    class OnDevice:
        def __init__(self, number):
            self.number = number

        def __dlpack_device__(self):
            return (2, self.number)

        def __dlpack__(self, *, stream):
            raise BufferError("no more")

    with pytest.raises(ValueError, match="arrays are on devices 0 and 3; move them to one"):
        device_functions.js_divergence(OnDevice(0), OnDevice(3))
    with pytest.raises(TypeError, match="P is a OnDevice without an array: no more"):
        device_functions.js_divergence(OnDevice(0), OnDevice(0))


@simulated
@pytest.mark.parametrize("axis", [0, 1])
def test_memory_of_others_is_read_in_place_whatever_its_strides(axis):
    p, q = np.asfortranarray(P[0]), Q[0][:, ::-1]
    expected = jsdiv_numba.js_divergence(p, q, axis=axis)
    computed = device_functions.js_divergence(Foreign(p), Foreign(q), axis=axis)
    np.testing.assert_allclose(on_host(computed), expected, rtol=1e-14)
    out = np.empty(expected.shape)
    wrapped = Foreign(out)
    assert device_functions.js_divergence(p, q, axis=axis, out=wrapped) is wrapped
    np.testing.assert_allclose(out, expected, rtol=1e-14)


@simulated
def test_memory_is_read_by_dlpack(monkeypatch):
    class OnDevice:
        def __init__(self, array):
            self.array = array

        def __dlpack_device__(self):
            return (2, 0)

        def __dlpack__(self, *, stream):
            assert stream == 1
            return self.array.__dlpack__()

    p, q = P[0][:, ::2], Q[0][:, ::2]
    computed = device_functions.js_divergence(OnDevice(p), OnDevice(q))
    np.testing.assert_allclose(on_host(computed), jsdiv_numba.js_divergence(p, q), rtol=1e-14)


def test_a_result_goes_where_it_is_asked_for():
    expected = jsdiv_numba.js_divergence(P, Q)
    host = np.empty(expected.shape, np.float32)
    assert device_functions.js_divergence(P, Q, out=host) is host
    np.testing.assert_allclose(host, expected, rtol=1e-6)
    there = target.cuda.device_array(expected.shape, np.float64)
    assert device_functions.js_divergence(P, Q, out=there) is there
    np.testing.assert_allclose(on_host(there), expected, rtol=1e-14)


def test_the_bits_do_not_depend_on_the_neighbours_or_the_order_of_the_sides():
    p, q = RNG.dirichlet(np.ones(70), (2, 5))
    together = on_host(device_functions.js_divergence(p, q))
    np.testing.assert_array_equal(together, on_host(device_functions.js_divergence(q, p)))
    alone = [on_host(device_functions.js_divergence(p[i : i + 1], q[i : i + 1])) for i in range(5)]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    few = p[:, :4] ** 4
    pairs = on_host(device_functions.cdist(few, few))
    np.testing.assert_array_equal(pairs, pairs.T)


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """One of the ways in which rows are shared out to threads."""
    return share_out(monkeypatch, request.param)


@PRECISIONS
@pytest.mark.usefixtures("way")
def test_rows_are_accurate_whatever_the_way(dtype):
    P, Q = batch(cases.ROWS, np.random.default_rng(6), dtype, 1, 98)
    value, in_P, in_Q = map(on_host, device_functions.js_divergence_grad(P, Q, keepdims=False))
    _, P_expected, Q_expected = jsdiv_numba.js_divergence_grad(P, Q)
    np.testing.assert_array_equal(
        value, on_host(device_functions.js_divergence(P, Q, keepdims=False))
    )
    for p, q, one in zip(P, Q, value, strict=True):
        assert oracle.relative_error(one, oracle.js_divergence(p, q)) < ROW_ERROR[dtype]
    bounds = {"rtol": ROW_ERROR[dtype], "atol": 0}
    np.testing.assert_allclose(in_P, P_expected, **bounds)
    np.testing.assert_allclose(in_Q, Q_expected, **bounds)


@PRECISIONS
@pytest.mark.usefixtures("way")
def test_normalised_rows_are_accurate_whatever_the_way(dtype):
    P, Q = weights_of_all_sizes(dtype)
    computed = on_host(device_functions.jensenshannon(P, Q, axis=1))
    assert np.isnan(computed[3])
    for i in (0, 1, 2, 4, 5):
        exact = float(oracle.js_divergence_normalised(P[i], Q[i]))
        assert abs(np.float64(computed[i]) ** 2 - exact) <= 3 * ROW_ERROR[dtype] * exact


@PRECISIONS
@pytest.mark.usefixtures("way")
def test_logits_are_accurate_whatever_the_way(dtype):
    A, B = batch(cases.LOGITS, np.random.default_rng(7), dtype, 1, 99)
    weights = np.linspace(-1, 2, len(A)).astype(dtype)[:, None]
    value, in_A, in_B = map(
        on_host, device_functions.js_divergence_logit_grad(A, B, cotangent=weights)
    )
    np.testing.assert_array_equal(value, on_host(device_functions.js_divergence_logit(A, B)))
    terms = on_host(device_functions.js_divergence_logit(A, B, reduce=False)).sum(axis=1)
    for i, (a, b) in enumerate(zip(A, B, strict=True)):
        exact = oracle.js_divergence_logit(a, b)
        assert oracle.relative_error(value[i, 0], exact) < LOGIT_ERROR[dtype]
        assert oracle.relative_error(terms[i], exact) < LOGIT_ERROR[dtype]
        weight = np.repeat(weights[i], a.size)
        for one, pair in ((in_A[i], (a, b)), (in_B[i], (b, a))):
            error = oracle.error_of_largest(one, oracle.js_gradient_logit(*pair, weight))
            assert error < LOGIT_SLOPE_ERROR[dtype]


def of_every_kind(p, q):
    """Return results of kernels with barriers."""
    few = p[:, :4]
    return [
        device_functions.jensenshannon(p, q, axis=1),
        *device_functions.js_divergence_grad(p, q),
        *device_functions.js_divergence_logit_grad(p, q),
        *device_functions.js_divergence_logit_grad(p, q, reduce=False),
        device_functions.cdist(few, few[::-1]),
    ]


@simulated
@pytest.mark.parametrize("way", ["kept in shared memory", *list(WAYS)[-2:]], indirect=True)
@pytest.mark.usefixtures("way")
def test_no_barrier_is_missing(monkeypatch):
    """Threads take turns: one that is ahead of a barrier, or behind it, would be seen."""
    from tests.simulator import Block

    p = np.random.default_rng(11).dirichlet(np.ones(50), 2)
    q = p[::-1] * [[1.0], [1 + 1e-7]]
    forwards = of_every_kind(p, q)
    monkeypatch.setattr(Block, "step", -1)
    for one, other in zip(forwards, of_every_kind(p, q), strict=True):
        np.testing.assert_array_equal(on_host(one), on_host(other))


@PRECISIONS
@pytest.mark.parametrize("way", ["a thread for a row", *list(WAYS)[-2:]], indirect=True)
@pytest.mark.usefixtures("way")
def test_gradients_of_each_term_of_logits(dtype):
    A, B = batch(cases.LOGITS, np.random.default_rng(8), dtype, 1, 99)
    weights = np.random.default_rng(9).standard_normal(A.shape).astype(dtype)
    terms, in_A, in_B = map(
        on_host,
        device_functions.js_divergence_logit_grad(A, B, reduce=False, cotangent=weights),
    )
    np.testing.assert_array_equal(
        terms, on_host(device_functions.js_divergence_logit(A, B, reduce=False))
    )
    for i, (a, b) in enumerate(zip(A, B, strict=True)):
        for one, pair in ((in_A[i], (a, b)), (in_B[i], (b, a))):
            error = oracle.error_of_largest(one, oracle.js_gradient_logit(*pair, weights[i]))
            assert error < LOGIT_SLOPE_ERROR[dtype]


def test_gradients_of_all_logits_together():
    A, B = RNG.standard_normal((3, 7)), RNG.standard_normal(7)
    for keepdims in (True, False):
        options = {"axis": None, "keepdims": keepdims, "base": 2, "cotangent": 3.0}
        expected = jsdiv_numba.js_divergence_logit_grad(A, B, **options)
        computed = device_functions.js_divergence_logit_grad(A, B, **options)
        for one, other in zip(map(on_host, computed), expected, strict=True):
            assert one.shape == np.shape(other)
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("axis", [0, 1])
def test_long_rows_are_cut_into_pieces(axis):
    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(1100), 2).astype(np.float32)
    q = (p * (1 + 0.1 * rng.standard_normal(p.shape))).astype(np.float32)
    P, Q = (p, q) if axis == 1 else (np.ascontiguousarray(p.T), np.ascontiguousarray(q.T))
    view = [np.moveaxis(P, axis, 1)[None, None]] * 2
    strides = [target.strided(target.cuda.to_device(P), one.shape, one.strides) for one in view]
    assert evaluate.shares_of(strides).pieces > 1
    computed = on_host(device_functions.js_divergence(P, Q, axis=axis, keepdims=False))
    for i, value in enumerate(computed):
        assert oracle.relative_error(value, oracle.js_divergence(p[i], q[i])) < 1e-6
    distances = on_host(device_functions.jensenshannon(P, Q, axis=axis))
    np.testing.assert_allclose(distances, jsdiv_numba.jensenshannon(P, Q, axis=axis), rtol=1e-6)


def test_rows_are_shared_by_more_threads_the_longer_they_are():
    def lanes(number, length):
        shape = (1, 1, number, length)
        return evaluate.lanes_of([np.broadcast_to(np.zeros(length), shape)])

    assert lanes(10**6, 4) == 1
    assert lanes(10**6, 1000) == target.WARP
    assert lanes(10, 10**6) == lanes(10**6, 10**5) == target.THREADS
    columns = np.zeros((1, 1, 1000, 50)).transpose(0, 1, 3, 2)
    assert evaluate.lanes_of([columns] * 2) == 1
    one_row = np.broadcast_to(np.zeros((1, 1, 1, 1000)), columns.shape)
    assert evaluate.lanes_of([columns, one_row]) == 1
    assert evaluate.lanes_of([one_row, one_row]) > 1
    one_column = np.broadcast_to(np.zeros((1, 1, 1, 1)), columns.shape)
    assert evaluate.lanes_of([columns, one_column]) == 1
    assert evaluate.pieces_of(10**6, 1000, 32) == 1
    assert evaluate.pieces_of(1, 10**8, 256) == (1 << 18) // 256


def test_rows_are_kept_in_shared_memory_as_long_as_they_fit():
    shift = target.WARP.bit_length() - 1
    shares = evaluate.Shares(shift, 1, 1, 1000, aligned=True)
    of_warp = target.WARP * evaluate.BYTES_OF_A_LANE // 8
    by_warp = evaluate.staged(shares, 8, of_warp, 4)
    assert by_warp.shares.shift == shift
    assert by_warp.bytes == 8 * of_warp * (by_warp.threads // target.WARP) <= evaluate.SHARED_BYTES
    by_more = evaluate.staged(shares, 8, of_warp + 1, 4)
    assert 1 << by_more.shares.shift == by_more.threads == 2 * target.WARP
    assert by_more.shares.blocks == 8
    longest = evaluate.staged(shares, 8, evaluate.SHARED_BYTES // 8, 4)
    assert (longest.threads, longest.bytes) == (target.THREADS, evaluate.SHARED_BYTES)
    assert evaluate.staged(shares, 8, evaluate.SHARED_BYTES // 8 + 1, 4).bytes == 0


def test_memory_that_is_not_aligned_is_read_element_by_element():
    x = target.cuda.to_device(np.zeros((3, 8)))
    assert evaluate.is_aligned(x)
    assert evaluate.is_aligned(x[:, :7])
    assert not evaluate.is_aligned(x[:, 1:])
    assert not evaluate.is_aligned(target.cuda.to_device(np.zeros((3, 7))))
    p, q = RNG.dirichlet(np.ones(9), (2, 3))
    whole = on_host(device_functions.js_divergence(p[:, :8].copy(), q[:, :8].copy()))
    shifted = [target.cuda.to_device(np.roll(one, 1, axis=1))[:, 1:] for one in (p, q)]
    np.testing.assert_array_equal(on_host(device_functions.js_divergence(*shifted)), whole)


@PRECISIONS
def test_invalid_values_give_nan_in_their_row_alone_unless_they_are_checked(dtype):
    p, q = P[0].astype(dtype), Q[0].astype(dtype)
    p[1, 2] = -0.5
    computed = on_host(device_functions.js_divergence(p, q, keepdims=False))
    np.testing.assert_array_equal(np.isnan(computed), [False, True, False])
    computed = on_host(device_functions.jensenshannon(p, q, axis=1))
    np.testing.assert_array_equal(np.isnan(computed), [False, True, False])
    for function in (
        device_functions.js_divergence,
        device_functions.js_divergence_grad,
    ):
        with pytest.raises(ValueError, match=r"P\[1, 2\] is -0.5; probabilities must be finite"):
            function(p, q, check=True)
    q[0, 0], p[1, 2] = np.inf, 0.5
    computed = on_host(device_functions.js_divergence_logit(p, q, keepdims=False))
    np.testing.assert_array_equal(np.isnan(computed), [True, False, False])
    with pytest.raises(ValueError, match=r"P\[0, 0\] is inf; logits"):
        device_functions.js_divergence_logit(q, p, check=True)
    with pytest.raises(ValueError, match=r"XB\[0, 0\] is inf"):
        device_functions.cdist(p, q, check=True)
    with pytest.raises(ValueError, match=r"X\[0, 0\] is inf"):
        device_functions.pdist(q, check=True)
    assert device_functions.js_divergence(P, Q, check=True).shape == (4, 3, 1)


@pytest.mark.parametrize(
    ("shape", "keepdims", "reduce", "dtype"),
    [
        ((4, 3, 12), True, True, np.float64),
        ((3, 12), False, True, np.float32),
        ((1, 12), True, False, np.float64),
    ],
)
def test_gradients(shape, keepdims, reduce, dtype):
    p = P.astype(dtype)
    q = np.broadcast_to(np.linspace(0, 1, 12), shape).astype(dtype).copy()
    options = {"keepdims": keepdims, "reduce": reduce, "axis": 1, "base": 2}
    expected = jsdiv_numba.js_divergence_grad(p, q, **options)
    weight = np.linspace(-1, 1, expected[0].size).reshape(expected[0].shape).astype(dtype)
    expected = jsdiv_numba.js_divergence_grad(p, q, **options, cotangent=weight)
    computed = device_functions.js_divergence_grad(p, q, **options, cotangent=weight)
    for one, other in zip(computed, expected, strict=True):
        np.testing.assert_allclose(
            on_host(one), other, rtol=10 * ROW_ERROR[dtype], atol=10 * ROW_ERROR[dtype]
        )


WRONG = {
    "axis": (lambda f: f.js_divergence(P, Q, axis=3), ValueError, "axis 3 is out of bounds"),
    "base": (lambda f: f.js_divergence(P, Q, base=1), ValueError, "base is 1"),
    "out's shape on the host": (
        lambda f: f.js_divergence(P, Q, out=np.empty(3)),
        ValueError,
        r"out has shape \(3,\); the result has",
    ),
    "metric": (lambda f: f.cdist(P[0], Q[0], "cosine"), ValueError, "metric is 'cosine'"),
    "columns": (lambda f: f.cdist(P[0], Q[0, :, :5]), ValueError, "different numbers of columns"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call(device_functions)


def test_what_does_not_fit_on_the_device_is_said(monkeypatch):
    monkeypatch.setattr(target, "free_bytes", lambda: 1000.0)
    message = r"P of 1,152 bytes does not fit in the 1,000 bytes that are free on the device; pass"
    with pytest.raises(MemoryError, match=message):
        device_functions.js_divergence(P, Q)
    small = target.cuda.to_device(P[0])
    with pytest.raises(MemoryError, match=r"the result of 1,152 bytes does not fit"):
        device_functions.js_term(small, np.ones((4, 1, 1), np.float16))


def test_what_the_device_refuses_is_said(monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(target, "empty", refuse)
    for call, what in (
        (lambda: device_functions.js_divergence(P, Q), r"P of 1,152 bytes"),
        (lambda: device_functions.js_divergence(SMALL, SMALL), r"the result of 8 bytes"),
        (lambda: device_functions.cdist(SMALL, SMALL, out=np.empty((1, 1))), "a copy of the rows"),
        (lambda: device_functions.js_divergence(SMALL, SMALL, check=True), "working memory"),
    ):
        with pytest.raises(MemoryError, match=f"{what}.* does not fit in what is free"):
            call()


SMALL = target.cuda.to_device(np.ones((1, 3))) if target.why_unavailable() is None else None


@simulated
def test_an_array_of_another_package_that_is_not_what_it_should_be_is_refused():
    masked = Foreign(P)
    masked.__cuda_array_interface__["mask"] = masked
    with pytest.raises(TypeError, match="P has a mask"):
        device_functions.js_divergence(masked, Q)
    bare = Foreign(P)
    bare.__cuda_array_interface__ = {"shape": (2,), "version": 3}
    with pytest.raises(TypeError, match="P is described without data and typestr"):
        device_functions.js_divergence(bare, Q)
    fixed = Foreign(np.empty((4, 3, 1)))
    fixed.__cuda_array_interface__["data"] = (fixed.__cuda_array_interface__["data"][0], True)
    with pytest.raises(ValueError, match="out is read-only"):
        device_functions.js_divergence(P, Q, out=fixed)
    backwards = Foreign(np.where(P.max() > P, P, -1.0)[..., ::-1])
    place = ", ".join(map(str, np.argwhere(backwards.array == -1)[0]))
    with pytest.raises(ValueError, match=rf"P\[{place}\] is -1.0; probabilities must"):
        device_functions.js_divergence(backwards, Q, check=True)


@pytest.mark.parametrize("axes", [(0,), (0, 1), (2,), (0, 2)])
@pytest.mark.parametrize("number", [1, 3])
def test_sums(axes, number, monkeypatch):
    monkeypatch.setattr(evaluate, "pieces_of", lambda *_: number)
    result = target.cuda.device_array(tuple(n for i, n in enumerate(P.shape) if i not in axes))
    call = evaluate.prepare(("P", "Q"), P, P, axes, None, None)
    evaluate.sum_over(call, call.inputs[0], axes, result)
    np.testing.assert_allclose(on_host(result), P.sum(axis=axes), rtol=1e-15)
    infinite = target.cuda.to_device(np.full((1, 40), np.inf))
    evaluate.sum_over(call, infinite, (1,), total := target.cuda.device_array(1))
    assert on_host(total)[0] == np.inf


def test_the_examples_are_true():
    parser = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for name in device_functions.__all__:
        for test in parser.find(getattr(device_functions, name), name):
            for example in test.examples:
                example.options.clear()
            result = runner.run(test)
            assert result.attempted > 1
            assert result.failed == 0


GUIDE = (ROOT / "docs" / "guide" / "gpu.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_guides_examples_run(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for package in ("cupy", "torch"):
        if f"import {package}" in example:
            pytest.importorskip(package)
            if target.SIMULATED:
                pytest.skip(f"{package} needs a CUDA device, not the simulator")
    exec(example, {})


def test_the_guide_has_an_example_for_each_package():
    for package in ("cupy", "torch", "numba", "numpy"):
        assert any(f"import {package}" in one or f"from {package}" in one for one in EXAMPLES)


@pytest.mark.parametrize("name", device_functions.__all__)
def test_the_callers_floating_point_settings_do_not_matter(name, monkeypatch):
    """Kernels are compiled, and constants made, when they are first used."""
    settings = []
    monkeypatch.setattr(target, "why_unavailable", lambda: settings.append(np.geterr()))
    inputs = [P[0]] if name == "pdist" else [P[0], Q[0]]
    with np.errstate(all="raise"):
        getattr(device_functions, name)(*inputs)
    assert settings
    assert all(set(one.values()) == {"ignore"} for one in settings)


def test_the_terms_error_where_instructions_are_as_inaccurate_as_they_may_be():
    """A device's reciprocal and logarithm, each off by what is documented, either way."""
    Float, tiny = np.float32, np.finfo(np.float32).tiny
    rng = np.random.default_rng(10)
    p = rng.random(20_000).astype(Float) + Float(1e-3)
    ratios = 1 - np.concatenate([rng.random(10_000), 10.0 ** rng.uniform(-6, 0, 10_000)])
    q = (p * ratios).astype(Float)
    exact = term_in_float64(p, q)
    for reciprocal_up in (0, 1):
        for log_up in (-1, 1):
            s, d, m = p + q, abs(p - q), np.minimum(p, q)
            inverse = (1 / s.astype(float)).astype(Float)
            inverse = np.nextafter(inverse, Float([0, np.inf][reciprocal_up]))
            z, x = d * inverse, m * inverse
            w, log2 = z * z, np.log2(np.maximum(x, tiny).astype(float))
            log2 = (log2 + log_up * 2.0**-22 * np.maximum(1, abs(log2))).astype(Float)
            near = d * z * horner(w, FLOAT32.near_term)
            half_ln2 = np.full_like(x, np.log(2) / 2)
            far = s * fused(x * log2, half_ln2, horner(x, FLOAT32.far_term))
            term = np.where(w >= 0.5, far, near).astype(float)
            assert np.max(abs(term / exact - 1)) < 9e-7


def test_half_the_logarithms_where_instructions_are_as_inaccurate_as_they_may_be():
    Float, tiny = np.float32, np.finfo(np.float32).tiny
    rng = np.random.default_rng(12)
    p = rng.random(20_000).astype(Float)
    q = (p * 10.0 ** rng.uniform(-6, 0, p.size)).astype(Float)
    for x, y in ((p, q), (q, p)):
        exact = np.log(2 * x.astype(float) / (x.astype(float) + y)) / 2
        inverse = np.nextafter((1 / (x + y).astype(float)).astype(Float), Float(np.inf))
        log2 = np.log2(np.maximum(x * inverse, tiny).astype(float))
        for up in (-1, 1):
            inexact = (log2 + up * 2.0**-22 * np.maximum(1, abs(log2))).astype(Float)
            half_ln2 = np.full_like(x, np.log(2) / 2)
            error = abs(fused(inexact, half_ln2, half_ln2) - exact)
            assert np.max(error / np.maximum(1, abs(exact))) < 5e-7


@pytest.mark.parametrize("concentration", [0.02, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("length", [2, 64, 1000])
def test_pairs_where_the_logarithm_is_as_inaccurate_as_it_may_be(concentration, length):
    rng = np.random.default_rng(13)
    p, q = rng.dirichlet(np.full(length, concentration), (2, 200)).astype(np.float32).astype(float)
    p, q = p / p.sum(axis=1, keepdims=True), q / q.sum(axis=1, keepdims=True)
    spread = 2.0 ** (length.bit_length() - 1)
    exact = jsdiv_numba.js_divergence(p, q, keepdims=False)
    largest = np.maximum(p.max(axis=1), q.max(axis=1))
    fast = exact >= FLOAT32.pair_near[0] + FLOAT32.pair_near[1] * largest
    for up in (-1, 1):
        parts = [entropy_sum(x * spread, up) for x in (p, q)]
        mixed = entropy_sum((p + q) * spread, -up)
        value = (sum(parts) / 2 + spread - mixed / 2) * np.log(2) / spread
        assert np.all(abs(value - exact)[fast] < 3e-5 * exact[fast])


def entropy_sum(x, up):
    log2 = np.log2(np.maximum(x, np.finfo(np.float32).tiny))
    return (x * (log2 + up * 2.0**-22 * np.maximum(1, abs(log2)))).sum(axis=1)


def fused(x, y, z):
    return (x.astype(float) * y.astype(float) + z.astype(float)).astype(np.float32)


def horner(x, coefficients):
    value = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = fused(value, x, np.full_like(x, coefficient))
    return value


def term_in_float64(p, q):
    return jsdiv_numba.js_term(p.astype(float), q.astype(float))


@pytest.mark.gpu
@pytest.mark.parametrize("package", ["cupy", "torch"])
@PRECISIONS
def test_arrays_of_other_packages_stay_of_their_kind(package, dtype):
    if target.SIMULATED:
        pytest.skip("needs a CUDA device, not the simulator")
    module = pytest.importorskip(package)
    make = module.asarray if package == "cupy" else lambda x: module.as_tensor(x).cuda()
    p, q = make(P.astype(dtype)), make(Q.astype(dtype))
    computed = device_functions.js_divergence(p, q)
    assert type(computed) is type(p)
    values = computed.get() if package == "cupy" else computed.cpu().numpy()
    expected = jsdiv_numba.js_divergence(P.astype(dtype), Q.astype(dtype))
    np.testing.assert_allclose(values, expected, rtol=ROW_ERROR[dtype])


@pytest.mark.gpu
def test_a_stream_is_respected():
    if target.SIMULATED:
        pytest.skip("needs a CUDA device, not the simulator")
    stream = target.cuda.stream()
    p, q = (target.cuda.to_device(x, stream=stream) for x in (P, Q))
    computed = device_functions.js_divergence(p, q)
    assert computed.stream is stream
    stream.synchronize()
    np.testing.assert_allclose(on_host(computed), jsdiv_numba.js_divergence(P, Q), rtol=1e-14)
