"""The functions on device arrays: on a device, or in Numba's simulator (``tox -e cudasim``)."""

import doctest

import numpy as np
import pytest

import jsdiv_numba
from jsdiv_numba import cuda as device_functions
from tests import cases, oracle

pytest.importorskip("numba.cuda")
from jsdiv_numba._cuda import comparison, launch, target

pytestmark = [
    pytest.mark.skipif(
        target.why_unavailable() is not None,
        reason="no CUDA device, and NUMBA_ENABLE_CUDASIM is not 1",
    ),
    # The simulator computes with NumPy's scalars, which warn of what becomes NaN.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*under-utilization"),
]
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
ROW_ERROR = {np.float64: 1e-14, np.float32: 1e-6}
LOGIT_ERROR = {np.float64: 1e-10, np.float32: 1e-4}
PAIR_ERROR = {np.float64: 1e-11, np.float32: 1e-4}
RNG = np.random.default_rng(0)


def on_host(result):
    return result.copy_to_host()


def batch(kinds, rng, dtype, count, length):
    """Draw pairs of rows of each kind, filled up with `fill` to one length."""
    fill = -np.inf if kinds is cases.LOGITS else 0
    pairs = [draw(rng, dtype) for draw in kinds.values() for _ in range(count)]
    padded = np.full((2, len(pairs), length), fill, dtype)
    for i, pair in enumerate(pairs):
        for side in range(2):
            padded[side, i, : pair[side].size] = pair[side]
    return padded


@PRECISIONS
def test_rows_are_as_accurate_as_on_the_cpu(dtype):
    P, Q = batch(cases.ROWS, np.random.default_rng(1), dtype, 2, 98)
    computed = on_host(device_functions.js_divergence(P, Q, keepdims=False))
    assert computed.dtype == dtype
    for p, q, value in zip(P, Q, computed, strict=True):
        error = oracle.relative_error(value, oracle.js_divergence(p, q))
        assert error < ROW_ERROR[dtype], (p, q)


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
def test_logits_are_as_accurate_as_on_the_cpu(dtype):
    A, B = batch(cases.LOGITS, np.random.default_rng(3), dtype, 2, 99)
    computed = on_host(device_functions.js_divergence_logit(A, B, keepdims=False))
    for a, b, value in zip(A, B, computed, strict=True):
        error = oracle.relative_error(value, oracle.js_divergence_logit(a, b))
        assert error < LOGIT_ERROR[dtype], (a, b)


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


@PRECISIONS
def test_distances_are_as_accurate_as_on_the_cpu(dtype):
    rng = np.random.default_rng(4)
    P = rng.dirichlet(np.ones(40), 6).astype(dtype)
    Q = rng.dirichlet(np.ones(40), 6).astype(dtype)
    Q[0], Q[1] = P[0] * dtype(2), P[1] * (1 + 1e-3 * rng.standard_normal(40))
    P[2], Q[2] = P[2] * dtype(1e30), Q[2] * dtype(1e-30)
    P[3] = 0
    computed = on_host(device_functions.jensenshannon(P, Q, axis=1))
    assert np.isnan(computed[3])
    for i in (0, 1, 2, 4, 5):
        exact = oracle.js_divergence_normalised(P[i], Q[i])
        squared = np.float64(computed[i]) ** 2
        assert abs(squared - float(exact)) <= 3 * ROW_ERROR[dtype] * float(exact)


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
    monkeypatch.setattr(comparison, "BAND_BYTES", 1)
    written = np.memmap(tmp_path / "pairs", np.float64, "w+", shape=expected.shape)
    assert device_functions.pdist(X, base=2, out=written) is written
    np.testing.assert_allclose(written, expected, rtol=1e-11)
    square = np.empty((17, 3), np.float32)
    device_functions.cdist(X, X[:3], out=square)
    np.testing.assert_allclose(square, jsdiv_numba.cdist(X, X[:3]), rtol=1e-6)


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


class Foreign:
    """An array of another package, as far as `__cuda_array_interface__` tells."""

    def __init__(self, array):
        self.array = array
        self.__cuda_array_interface__ = array.__array_interface__ | {"version": 3}


simulated = pytest.mark.skipif(not target.SIMULATED, reason="memory of the host is no device's")


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


@PRECISIONS
@pytest.mark.parametrize("way", ["a block for a row", "rows in pieces", "columns in pieces"])
def test_long_rows(way, dtype, monkeypatch):
    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(3000), 2).astype(dtype)
    q = (p * (1 + 0.1 * rng.standard_normal(p.shape))).astype(dtype)
    monkeypatch.setattr(launch, "ENOUGH", {"a block for a row": 1}.get(way, 1 << 18))
    axis = 1
    if way == "columns in pieces":
        p, q, axis = np.ascontiguousarray(p.T), np.ascontiguousarray(q.T), 0
    monkeypatch.setattr(launch, "LONG", 100 if axis == 1 else 1 << 30)
    computed = on_host(device_functions.js_divergence(p, q, axis=axis, keepdims=False))
    for i, value in enumerate(computed):
        pair = np.take(p, i, 1 - axis), np.take(q, i, 1 - axis)
        assert oracle.relative_error(value, oracle.js_divergence(*pair)) < ROW_ERROR[dtype]


def test_rows_are_shared_by_more_threads_the_longer_they_are():
    def lanes(number, length):
        shape = (1, 1, number, length)
        return launch.lanes_of([np.broadcast_to(np.zeros(length), shape)])

    assert lanes(10**6, 4) == 1
    assert lanes(10**6, 1000) == target.WARP
    assert lanes(10, 10**6) == lanes(10**6, 10**5) == target.THREADS
    assert launch.lanes_of([np.zeros((1, 1, 1000, 50)).transpose(0, 1, 3, 2)] * 2) == 1
    assert launch.pieces_of(10**6, 1000, 32) == 1
    assert launch.pieces_of(1, 10**8, 256) == (1 << 18) // 256


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
    "shapes": (lambda f: f.js_divergence(P, Q[..., :5]), ValueError, "do not broadcast"),
    "axis": (lambda f: f.js_divergence(P, Q, axis=3), ValueError, "axis 3 is out of range"),
    "base": (lambda f: f.js_divergence(P, Q, base=1), ValueError, "base is 1"),
    "complex": (lambda f: f.js_divergence(P * 1j, Q), TypeError, "P has dtype complex128"),
    "out's kind": (
        lambda f: f.js_divergence(P, Q, out=[1.0]),
        TypeError,
        "out is a list; it must be a NumPy array or an array on the device",
    ),
    "out's shape": (
        lambda f: f.js_divergence(P, Q, out=target.cuda.device_array(3)),
        ValueError,
        r"out has shape \(3,\); the result has shape \(4, 3, 1\)",
    ),
    "out's dtype": (
        lambda f: f.js_divergence(P, Q, out=target.cuda.device_array((4, 3, 1), np.float32)),
        TypeError,
        "out has dtype float32; the result is float64",
    ),
    "out's shape on the host": (
        lambda f: f.js_divergence(P, Q, out=np.empty(3)),
        ValueError,
        r"out has shape \(3,\); the result has",
    ),
    "metric": (lambda f: f.cdist(P[0], Q[0], "cosine"), ValueError, "metric is 'cosine'"),
    "columns": (lambda f: f.cdist(P[0], Q[0, :, :5]), ValueError, "different numbers of columns"),
    "not a matrix": (lambda f: f.pdist(P), ValueError, r"X has shape \(4, 3, 12\); it must be 2-d"),
    "dtype": (lambda f: f.pdist(P[0], dtype=int), ValueError, "it must be float32 or float64"),
    "cotangent": (
        lambda f: f.js_divergence_grad(P, Q, cotangent=np.ones(5)),
        ValueError,
        r"cotangent of shape \(5,\) does not broadcast to the value's \(4, 3, 1\)",
    ),
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


@simulated
def test_a_masked_array_of_another_package_is_refused():
    masked = Foreign(P)
    masked.__cuda_array_interface__["mask"] = masked
    with pytest.raises(TypeError, match="P has a mask"):
        device_functions.js_divergence(masked, Q)


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
