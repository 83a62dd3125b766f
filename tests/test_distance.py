"""SciPy's names: rows and all pairs of rows, normalised."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from mpmath import mpf, workdps
from scipy import sparse
from scipy.spatial import distance
from scipy.spatial.distance import squareform

from jsdiv_numba import cdist, jensenshannon, pdist
from jsdiv_numba._core import pairwise
from jsdiv_numba._kernels.codegen.precision import FLOAT32, FLOAT64
from tests import cases, oracle
from tests.strategies import LAYOUTS

PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
METRICS = pytest.mark.parametrize("metric", ["jensenshannon", "js_divergence"])
METRIC_NAMES = "'jensenshannon', 'js_divergence', 'kl_divergence'"
PAIR_ERROR = {np.float64: 1e-11, np.float32: 1e-4}
ROW_ERROR = {np.float64: 1e-14, np.float32: 1e-6}


def rng():
    return np.random.default_rng(6)


def rows_of(number, length, dtype=np.float64):
    """Rows of which some have zeros, some are equal and some nearly so."""
    rows = rng().random((number, length))
    rows[1::3, 1::2] = 0
    rows[2::4] = rows[1:2]
    rows[3::4] = rows[:1] * (1 + 1e-3 * rng().standard_normal((len(rows[3::4]), length)))
    return rows.astype(dtype)


def by_rows(A, B):
    return jensenshannon(A[:, None, :], B[None], axis=-1)


def above_diagonal(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def message_of(error, function, *arguments, **options):
    with pytest.raises(error) as caught:
        function(*arguments, **options)
    assert caught.type is error
    return str(caught.value)


class TestValues:
    @pytest.mark.parametrize("base", [None, 2, 10.0, np.float64(3)])
    def test_are_scipys(self, base):
        X, Y = rng().dirichlet(np.full(30, 0.5), (2, 6))
        Y *= 7
        expected = np.array([[distance.jensenshannon(x, y, base) for y in Y] for x in X])
        np.testing.assert_allclose(cdist(X, Y, base=base), expected, rtol=1e-10)
        np.testing.assert_allclose(cdist(X, Y, "js_divergence", base=base), expected**2, rtol=1e-10)
        np.testing.assert_allclose(
            jensenshannon(X, Y, base, axis=1), expected.diagonal(), rtol=1e-12
        )

    @pytest.mark.parametrize("base", [None, 2])
    @METRICS
    def test_in_the_order_of_the_condensed_form(self, metric, base):
        X = rows_of(7, 5)
        square = cdist(X, X, metric, base=base)
        pairs = pdist(X, metric, base=base)
        assert pairs.tolist() == [square[i, j] for i in range(7) for j in range(i + 1, 7)]
        assert squareform(pairs).tobytes() == square.tobytes()

    def test_are_distances_unless_asked_for_divergences(self):
        X = rows_of(5, 6)
        assert cdist(X, X).tobytes() == cdist(X, X, "jensenshannon").tobytes()
        assert pdist(X).tobytes() == pdist(X, "jensenshannon").tobytes()

    @PRECISIONS
    def test_of_the_distance_are_roots(self, dtype):
        X = rows_of(9, 33, dtype)
        rounding = 3 * np.finfo(dtype).eps
        np.testing.assert_allclose(cdist(X, X) ** 2, cdist(X, X, "js_divergence"), rtol=rounding)

    @pytest.mark.parametrize("length", [1, 7, 16, 33, 10_000])
    @pytest.mark.parametrize("number", [0, 1, 3, 4, 5])
    @PRECISIONS
    def test_of_every_size(self, number, length, dtype):
        B = rows_of(5, length, dtype)
        A = B[:number]
        rounding = PAIR_ERROR[dtype]
        np.testing.assert_allclose(cdist(A, B), by_rows(A, B), rtol=rounding, strict=True)
        np.testing.assert_allclose(cdist(B, A), by_rows(B, A), rtol=rounding, strict=True)
        np.testing.assert_array_equal(pdist(A), above_diagonal(cdist(A, A)), strict=True)

    def test_without_categories_are_nan(self):
        nothing = np.ones((3, 0))
        np.testing.assert_array_equal(cdist(nothing, nothing[:2]), np.full((3, 2), np.nan))
        np.testing.assert_array_equal(pdist(nothing), np.full(3, np.nan))
        np.testing.assert_array_equal(jensenshannon(nothing, nothing, axis=1), np.full(3, np.nan))

    @pytest.mark.parametrize(
        ("axis", "shape"), [(0, (4, 5)), (1, (3, 5)), (-1, (3, 4)), ((0, 2), (4,)), (None, ())]
    )
    def test_along_axes(self, axis, shape):
        P, Q = rng().random((2, 3, 4, 5))
        result = jensenshannon(P, Q, axis=axis)
        assert result.shape == shape
        np.testing.assert_allclose(result, distance.jensenshannon(P, Q, axis=axis), rtol=1e-12)
        kept = jensenshannon(P, Q, axis=axis, keepdims=True)
        assert kept.ndim == 3
        np.testing.assert_array_equal(np.squeeze(kept), result)


class TestDtypes:
    @pytest.mark.parametrize(
        ("first", "second", "kind"),
        [
            ("f2", "f2", "f4"),
            ("f2", "f4", "f4"),
            ("f4", "f4", "f4"),
            (">f4", "<f4", "f4"),
            ("f4", "f8", "f8"),
            (">f8", "f2", "f8"),
            ("f4", "i2", "f4"),
            ("f4", "i8", "f8"),
            ("u1", "u8", "f8"),
            ("?", "?", "f8"),
        ],
    )
    def test_of_results(self, first, second, kind):
        A, B = rng().integers(0, 2, (2, 4, 6))
        A[:, 0] = B[:, 0] = 1
        A, B = A.astype(first), B.astype(second)
        wide = A.astype(kind), B.astype(kind)
        np.testing.assert_array_equal(cdist(A, B), cdist(*wide), strict=True)
        np.testing.assert_array_equal(pdist(B), pdist(B, dtype=pdist(B).dtype), strict=True)
        rows = jensenshannon(A, B, axis=1)
        np.testing.assert_array_equal(rows, jensenshannon(*wide, axis=1), strict=True)
        assert cdist(A, B).dtype == rows.dtype == np.dtype(kind)

    @pytest.mark.parametrize("given", ["f2", "f4", "f8", "i8"])
    @pytest.mark.parametrize("dtype", [np.float32, "float64", float])
    def test_asked_for(self, given, dtype):
        X = rng().integers(1, 9, (5, 6)).astype(given)
        np.testing.assert_array_equal(cdist(X, X, dtype=dtype), cdist(*[X.astype(dtype)] * 2))
        np.testing.assert_array_equal(pdist(X, dtype=dtype), pdist(X.astype(dtype)), strict=True)

    def test_narrower_than_the_scale_of_the_rows(self):
        X = rows_of(6, 9) * np.array([1e300, 1e-300, 1e-320, 1e39, 1.7e308, 1])[:, None]
        with_nan = np.vstack([X, np.where(np.arange(9) == 3, np.nan, X[:1])])
        with np.errstate(all="raise"):
            narrow = pdist(X, dtype=np.float32)
            np.testing.assert_array_equal(cdist(X, with_nan, dtype=np.float32)[:, 6], np.nan)
        np.testing.assert_allclose(narrow, pdist(X), rtol=1e-3, atol=1e-4)
        assert narrow.dtype == np.float32

    @pytest.mark.parametrize("of", [np.asarray, sparse.csr_array])
    @pytest.mark.parametrize("length", [3, 3000])
    def test_out_narrower_than_the_values(self, of, length):
        X = np.tile(np.maximum(np.eye(3, length), 1e-300), (40, 1))
        n = len(X)
        whole, condensed = np.empty((n, n), np.float16), np.empty(n * (n - 1) // 2, np.float16)
        with np.errstate(all="raise"):
            cdist(of(X), of(X), "kl_divergence", out=whole)
            pdist(of(X), "kl_divergence", out=condensed)
        expected = cdist(X, X, "kl_divergence").astype(np.float16)
        np.testing.assert_array_equal(whole, expected)
        np.testing.assert_array_equal(condensed, expected[np.triu_indices(n, 1)])

    @pytest.mark.parametrize("value", [-1e-300, -np.inf, np.inf])
    def test_narrower_than_a_fault(self, value):
        X = rows_of(3, 4)
        X[1, 2] = value
        message = message_of(ValueError, pdist, X, dtype=np.float32)
        assert message == f"X[1, 2] is {value}; {RULE}"


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int32])
def test_layouts(layout, dtype):
    A, B = (100 * rows_of(6, 33)).astype(dtype), (90 * rows_of(7, 33)).astype(dtype)
    for left, right in ((layout(A), B), (A, layout(B)), (layout(A), layout(B))):
        np.testing.assert_array_equal(cdist(left, right), cdist(A, B), strict=True)
    np.testing.assert_array_equal(pdist(layout(B)), pdist(B), strict=True)
    rows = jensenshannon(layout(A), layout(B[:6]), axis=1)
    np.testing.assert_array_equal(rows, jensenshannon(A, B[:6], axis=1), strict=True)


def test_layouts_of_other_kinds():
    X = rows_of(5, 6)
    expected = cdist(X, X)
    for same in (X.tolist(), np.ma.array(X), np.repeat(X, 2, axis=0)[::2], X.T.copy().T):
        np.testing.assert_array_equal(cdist(same, same), expected, strict=True)
    one = np.broadcast_to(X[0], (3, 6))
    assert not cdist(one, one).any()


class TestSameBits:
    @PRECISIONS
    @METRICS
    def test_from_either_side(self, dtype, metric):
        A, B = rows_of(21, 97, dtype), 3 * rows_of(18, 97, dtype)[::-1]
        assert cdist(A, B, metric).tobytes() == cdist(B, A, metric).T.tobytes()
        there, back = jensenshannon(A[:18], B, axis=1), jensenshannon(B, A[:18], axis=1)
        assert there.tobytes() == back.tobytes()

    @PRECISIONS
    def test_among_one_matrix_or_two(self, dtype):
        X = rows_of(30, 50, dtype)
        square = cdist(X, X.copy())
        assert squareform(pdist(X)).tobytes() == square.tobytes() == cdist(X, X).tobytes()

    @PRECISIONS
    def test_in_any_order_and_any_subset(self, dtype):
        X = rows_of(23, 70, dtype)
        square = cdist(X, X)
        order = rng().permutation(23)
        assert cdist(X[order], X).tobytes() == square[order].tobytes()
        assert squareform(pdist(X[order])).tobytes() == square[np.ix_(order, order)].tobytes()
        for part in (slice(0, 1), slice(5, 16), slice(1, 23, 3)):
            assert cdist(X, X[part]).tobytes() == square[:, part].tobytes()
            assert cdist(X[part], X).tobytes() == square[part].tobytes()

    @pytest.mark.parametrize("elements", [1, 1 << 9, 1 << 11, 1 << 13, 1 << 15])
    @pytest.mark.parametrize("prepared", [1, 100, 1 << 18])
    @pytest.mark.parametrize("workers", [1, 3])
    def test_in_blocks_of_any_size(self, elements, prepared, workers, monkeypatch):
        X = rows_of(45, 20)
        square = {number: cdist(X[:number], X) for number in range(46)}
        monkeypatch.setattr(pairwise, "BLOCK_ELEMENTS", elements)
        monkeypatch.setattr(pairwise, "PREPARED_ELEMENTS", prepared)
        for number, expected in square.items():
            A = X[:number].copy()  # as a matrix of its own
            assert cdist(A, X, workers=workers).tobytes() == expected.tobytes()
            condensed = above_diagonal(expected[:, :number])
            assert pdist(A, workers=workers).tobytes() == condensed.tobytes()

    def test_where_the_last_row_has_no_block_of_its_own(self):
        X = rows_of(12, 2000)
        assert pdist(X).tobytes() == above_diagonal(cdist(X, X)).tobytes()


class TestEqualRows:
    @PRECISIONS
    @METRICS
    @pytest.mark.parametrize("length", [1, 7, 16, 33, 2049, 10_000])
    def test_are_exactly_at_0(self, dtype, metric, length):
        X = rng().random((6, length)).astype(dtype)
        for values in (cdist(X, X, metric).diagonal(), pdist(np.repeat(X[:1], 5, 0), metric)):
            assert values.tobytes() == bytes(values.nbytes)
        rows = jensenshannon(X, X, axis=1)
        assert rows.tobytes() == bytes(rows.nbytes)

    @PRECISIONS
    def test_scaled_by_powers_of_two_are_exactly_at_0(self, dtype):
        X = rng().random((6, 50)).astype(dtype)
        scaled = np.ldexp(X, np.array([-100, -3, 0, 1, 40, 100])[:, None]).astype(dtype)
        assert not cdist(X, scaled).diagonal().any()
        assert not jensenshannon(X, scaled, axis=1).any()

    def test_and_negative_zeros(self):
        X = np.array([[1, 0.0, 2], [1, -0.0, 2]])
        assert pdist(X).tobytes() == bytes(8)
        assert jensenshannon(*X).tobytes() == bytes(8)


class TestNaN:
    @pytest.mark.parametrize("fault", [0.0, np.nan])
    @pytest.mark.parametrize("copies", [1, 30])
    @PRECISIONS
    def test_is_the_answer_for_zero_rows_and_nan_rows_alone(
        self, fault, copies, dtype, monkeypatch
    ):
        monkeypatch.setattr(pairwise, "BLOCK_ELEMENTS", 1 << 13)
        X = np.tile(rows_of(6, 9, dtype), (copies, 1))
        bad = X.copy()
        if fault == 0:
            bad[4] = fault
        else:
            bad[4, 3] = fault
        expected = cdist(X, X)
        expected[4] = np.nan
        assert_same(cdist(bad, X), expected)
        assert_same(cdist(X, bad), expected.T)
        expected[:, 4] = np.nan
        assert_same(pdist(bad), above_diagonal(expected))
        expected = jensenshannon(X, X[::-1], axis=1)
        expected[4] = np.nan
        assert_same(jensenshannon(bad, X[::-1], axis=1), expected)

    def test_is_the_answer_for_two_zero_rows(self):
        zeros = np.zeros((2, 3))
        assert np.isnan(cdist(zeros, zeros)).all()
        assert np.isnan(pdist(zeros)).all()
        assert np.isnan(jensenshannon(*zeros))


def assert_same(result, expected):
    np.testing.assert_array_equal(result, expected, strict=True)


RULE = "probabilities must be finite and not negative"


class TestErrors:
    @pytest.mark.parametrize("value", [-0.5, -5e-324, np.inf, -np.inf])
    @pytest.mark.parametrize("elements", [1, 1 << 24])
    def test_name_array_index_and_value(self, value, elements, monkeypatch):
        monkeypatch.setattr(pairwise, "BLOCK_ELEMENTS", elements)
        good, bad = np.ones((9, 4)), np.ones((8, 4))
        bad[5:, 2] = value
        found = f"[5, 2] is {value}; {RULE}"
        assert message_of(ValueError, cdist, bad, good) == f"XA{found}"
        assert message_of(ValueError, cdist, good, bad) == f"XB{found}"
        assert message_of(ValueError, cdist, bad, -good) == f"XA{found}"
        assert message_of(ValueError, pdist, bad) == f"X{found}"
        assert message_of(ValueError, jensenshannon, bad, good[:8], axis=1) == f"p{found}"
        assert message_of(ValueError, jensenshannon, good[:8], bad) == f"q{found}"

    @pytest.mark.parametrize("value", [-1, np.inf])
    def test_are_not_hidden_by_nan_or_zeros(self, value):
        rows = np.array([[np.nan, 1, 1], [0, 0, 0], [np.nan, value, np.nan]])
        found = f"[2, 1] is {float(value)}; {RULE}"
        assert message_of(ValueError, pdist, rows) == f"X{found}"
        assert message_of(ValueError, cdist, np.zeros((1, 3)), rows) == f"XB{found}"
        assert message_of(ValueError, jensenshannon, 0 * rows[:1], rows, axis=1) == f"q{found}"

    def test_are_found_where_there_is_no_pair(self):
        found = f"[0, 0] is -1.0; {RULE}"
        assert message_of(ValueError, pdist, [[-1.0, 2]]) == f"X{found}"
        assert message_of(ValueError, cdist, np.ones((0, 2)), [[-1.0, 2]]) == f"XB{found}"

    @pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
    def test_of_shape(self, shape):
        rule = f"has shape {shape}; it must be 2-d, one row a distribution"
        good, bad = np.ones((2, 3)), np.ones(shape)
        assert message_of(ValueError, cdist, bad, good) == f"XA {rule}"
        assert message_of(ValueError, cdist, good, bad) == f"XB {rule}"
        assert message_of(ValueError, pdist, bad) == f"X {rule}"

    def test_of_columns(self):
        assert message_of(ValueError, cdist, np.ones((2, 3)), np.ones((2, 4))) == (
            "XA of shape (2, 3) and XB of shape (2, 4) have different numbers of columns"
        )
        assert message_of(ValueError, jensenshannon, np.ones((2, 3)), np.ones(4), axis=1) == (
            "p of shape (2, 3) and q of shape (4,) do not broadcast"
        )

    @pytest.mark.parametrize("metric", ["euclidean", "", "jensen-shannon", None, jensenshannon])
    def test_of_metric(self, metric):
        rule = f"metric is {metric!r}; it must be one of {METRIC_NAMES}"
        assert message_of(ValueError, cdist, [[1]], [[1]], metric) == rule
        assert message_of(ValueError, pdist, [[1]], metric) == rule

    @pytest.mark.parametrize("dtype", [np.int32, np.float16, np.longdouble, complex, object])
    def test_of_dtype(self, dtype):
        rule = f"dtype is {np.dtype(dtype)}; it must be float32 or float64"
        assert message_of(ValueError, cdist, [[1]], [[1]], dtype=dtype) == rule
        assert message_of(ValueError, pdist, [[1]], dtype=dtype) == rule

    def test_of_what_is_no_dtype(self):
        rule = "dtype is 'float23'; it must be float32 or float64"
        assert message_of(TypeError, cdist, [[1]], [[1]], dtype="float23") == rule

    @pytest.mark.parametrize("base", [1, 0, -2, np.inf, np.nan, "2", True])
    def test_of_base(self, base):
        rule = f"base is {base!r}; it must be a finite number above 1, or None for nats"
        assert message_of(ValueError, cdist, [[1]], [[1]], base=base) == rule
        assert message_of(ValueError, pdist, [[1]], base=base) == rule
        assert message_of(ValueError, jensenshannon, [1], [1], base) == rule

    @pytest.mark.parametrize("values", [[["a"]], [[1j]], [[None]], np.longdouble([[1]])])
    def test_of_kind(self, values):
        start = f"has dtype {np.asarray(values).dtype}; pass real numbers"
        assert message_of(TypeError, cdist, values, [[1]]).startswith(f"XA {start}")
        assert message_of(TypeError, cdist, [[1]], values).startswith(f"XB {start}")
        assert message_of(TypeError, pdist, values).startswith(f"X {start}")
        assert message_of(TypeError, jensenshannon, values, [[1]]).startswith(f"p {start}")

    @pytest.mark.parametrize(
        ("out", "error", "message"),
        [
            (np.empty((3, 2)), ValueError, "out has shape (3, 2); the result has shape (2, 3)"),
            (np.empty(6), ValueError, "out has shape (6,); the result has shape (2, 3)"),
            (np.empty((2, 3), int), TypeError, "out has dtype int64; the result is float64"),
            (
                np.empty((2, 3), complex),
                TypeError,
                "out has dtype complex128; the result is float64",
            ),
            ([[0.0] * 3] * 2, TypeError, "out is a list; it must be a NumPy array"),
            (np.broadcast_to(0.0, (2, 3)), ValueError, "out is read-only"),
        ],
    )
    def test_of_out(self, out, error, message):
        assert message_of(error, cdist, np.ones((2, 4)), np.ones((3, 4)), out=out) == message

    def test_of_condensed_out(self):
        message = message_of(ValueError, pdist, np.ones((4, 2)), out=np.empty((4, 4)))
        assert message == "out has shape (4, 4); the result has shape (6,)"


def outs(shape, directory):
    """Yield arrays of every kind that a result may be written to."""
    double = tuple(2 * n for n in shape)
    yield np.full(shape, np.nan)
    yield np.full(shape, np.nan, order="F")
    yield np.full(double, np.nan)[tuple(slice(None, None, 2) for _ in shape)]
    yield np.full(shape, np.nan)[tuple(slice(None, None, -1) for _ in shape)]
    yield np.full(shape, np.nan, ">f8")
    yield np.full(shape, np.nan, np.longdouble)
    yield np.lib.format.open_memmap(directory / f"{len(shape)}.npy", "w+", float, shape)


class TestOut:
    @pytest.mark.parametrize("elements", [1, 1 << 24])
    def test_is_written_and_returned(self, elements, tmp_path, monkeypatch):
        monkeypatch.setattr(pairwise, "BLOCK_ELEMENTS", elements)
        A, B = rows_of(21, 33), rows_of(26, 33)
        for out in outs((21, 26), tmp_path):
            assert cdist(A, B, out=out) is out
            np.testing.assert_array_equal(out, cdist(A, B))
        for out in outs((26 * 25 // 2,), tmp_path):
            assert pdist(B, out=out) is out
            np.testing.assert_array_equal(out, pdist(B))

    def test_of_a_file_is_in_the_file(self, tmp_path):
        X = rows_of(9, 5)
        out = np.lib.format.open_memmap(tmp_path / "square.npy", "w+", float, (9, 9))
        cdist(X, X, out=out).flush()
        np.testing.assert_array_equal(np.load(tmp_path / "square.npy"), cdist(X, X))

    @pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
    @PRECISIONS
    def test_of_another_precision_is_rounded_to_it(self, dtype, kind):
        X = rows_of(6, 7, dtype)
        assert_same(cdist(X, X, out=np.empty((6, 6), kind)), cdist(X, X).astype(kind))
        assert_same(pdist(X, out=np.empty(15, kind)), pdist(X).astype(kind))

    def test_may_share_memory_with_the_rows(self):
        near = rows_of(1, 100) * (1 + 1e-3 * rng().standard_normal((100, 100)))
        square = cdist(near, near)
        X = near.copy()
        assert_same(cdist(X, X, out=X), square)
        X = near.copy()
        assert_same(cdist(near, X, out=X[::-1]), square)
        X = near.copy()
        assert_same(pdist(X, out=X.reshape(-1)[:4950]), above_diagonal(square))


def relative_error(value, exact, *, root):
    """Relative error of the divergence, beyond what a subnormal divergence costs."""
    limits = np.finfo(value.dtype)
    divergence = mpf(float(value)) ** (2 if root else 1)
    difference = abs(divergence - exact)
    if difference <= 2 * mpf(float(limits.smallest_subnormal)):
        return 0.0
    return float(difference / exact) if exact else float("inf")


def near_duplicates(generator, dtype):
    """Down to the smallest separation that the contract names for pairs."""
    P = generator.dirichlet(np.full(33, 10.0 ** generator.uniform(-1, 1))).astype(dtype)
    smallest = {np.float64: -9, np.float32: -4}[dtype]
    separation = 10.0 ** generator.uniform(smallest, -1)
    noise = separation * generator.standard_normal(33)
    return P, np.abs(P.astype(float) * (1 + noise)).astype(dtype)


def scaled_apart(generator, dtype):
    """Each row at a scale of its own."""
    exponents = generator.uniform(-cases.SCALE[dtype], cases.SCALE[dtype], 2)
    P, Q = near_duplicates(generator, dtype)
    return tuple(
        (row * dtype(10.0**exponent)).astype(dtype)
        for row, exponent in zip((P, Q), exponents, strict=True)
    )


def supports_of_other_sizes(generator, dtype):
    """One row has a single category, or a few; the other has all of them."""
    P, Q = generator.dirichlet(np.full(97, 0.5), 2)
    P[generator.integers(1, 5) :] = 0
    return P.astype(dtype), (Q + P * (generator.random() < 0.5) * 100).astype(dtype)


KINDS = {
    **cases.ROWS,
    "near_duplicates": near_duplicates,
    "scaled_apart": scaled_apart,
    "supports_of_other_sizes": supports_of_other_sizes,
}


DIGITS = {"mixed_scales": 700}
"""Where the smallest entries are nothing beside the largest, and the divergence is theirs."""


@PRECISIONS
@pytest.mark.parametrize("kind", KINDS)
def test_accuracy(kind, dtype):
    generator = rng()
    for _ in range(60):
        P, Q = KINDS[kind](generator, dtype)
        if not (P.any() and Q.any()):
            continue
        with workdps(DIGITS.get(kind, 100)):
            exact = oracle.js_divergence_normalised(P, Q)
            row = jensenshannon(P, Q)
            assert relative_error(row, exact, root=True) < ROW_ERROR[dtype], (P, Q)
            pair = cdist(P[None], Q[None], "js_divergence")[0, 0]
            assert relative_error(pair, exact, root=False) < PAIR_ERROR[dtype], (P, Q)


def perturbed(X, generator, dtype):
    """Rows whose divergence is about where pairs are no longer computed again."""
    near = {np.float64: FLOAT64, np.float32: FLOAT32}[dtype].pair_near[0]
    sizes = np.sqrt(8 * near * generator.uniform(0.8, 3, (len(X), 1)))
    return np.abs(X * np.exp(sizes * generator.standard_normal(X.shape)))


def with_one_large(X, generator):
    return X + generator.random((len(X), 1)) * (np.arange(X.shape[1]) == 0)


AT_THRESHOLD = {
    "ordinary": lambda g, d: g.dirichlet(np.full(d, 1.0), 100),
    "sparse": lambda g, d: g.dirichlet(np.full(d, 0.05), 100),
    "flat": lambda _, d: np.full((100, d), 1 / d),
    "flat but one": lambda g, d: with_one_large(np.full((100, d), 1 / d), g),
    "ordinary but one": lambda g, d: with_one_large(g.dirichlet(np.full(d, 1.0), 100), g),
}


@PRECISIONS
@pytest.mark.parametrize("length", [2, 7, 33, 300, 5000])
@pytest.mark.parametrize("kind", AT_THRESHOLD)
def test_accuracy_about_the_threshold(kind, length, dtype):
    """Against rows in float64, which are held to mpmath above."""
    generator = rng()
    X = AT_THRESHOLD[kind](generator, length)
    Y = perturbed(X, generator, dtype).astype(dtype)
    X = X.astype(dtype)
    exact = jensenshannon(X.astype(float), Y.astype(float), axis=1) ** 2
    pairs = cdist(X, Y, "js_divergence").diagonal()
    subnormal = 2 * float(np.finfo(dtype).smallest_subnormal)
    np.testing.assert_allclose(pairs, exact, rtol=PAIR_ERROR[dtype], atol=subnormal)


MEGABYTE = 1 << 20


@PRECISIONS
@pytest.mark.parametrize("workers", [1, 4])
def test_memory_beyond_input_and_output_is_one_copy_of_the_rows(dtype, workers):
    A, B = rng().random((8, 5_003)).astype(dtype), rng().random((2_001, 5_003)).astype(dtype)
    copy = A.nbytes + B.nbytes
    cdist(A[:1], B[:1])
    tracemalloc.start()
    result = cdist(A, B, workers=workers)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - result.nbytes < copy + 16 * MEGABYTE


@PRECISIONS
def test_memory_of_many_short_rows(dtype, tmp_path: Path):
    X = rng().random((1_500, 8)).astype(dtype)
    pdist(X[:2])
    square = np.lib.format.open_memmap(tmp_path / "square.npy", "w+", dtype, (1_500, 1_500))
    condensed = np.empty(1_500 * 1_499 // 2, dtype)
    tracemalloc.start()
    cdist(X, X, out=square, workers=4)
    pdist(X, out=condensed, workers=4)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * X.nbytes + 16 * MEGABYTE
