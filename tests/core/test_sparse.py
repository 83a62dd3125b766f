"""Pairs of sparse rows: what dense ones have, and what only sparse ones can have."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import log, mpf
from scipy import sparse

from jsdiv_numba import cdist, kneighbors, pdist, radius_neighbors
from tests import cases, oracle

METRICS = pytest.mark.parametrize("metric", ["jensenshannon", "js_divergence"])
FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]
PAIR_ERROR = 1e-11


def rng():
    return np.random.default_rng(20)


def rows_of(number, length, filled=0.2):
    """Rows of which some are equal, in proportion, nearly equal, or empty."""
    rows = rng().gamma(1.0, size=(number, length)) * (rng().random((number, length)) < filled)
    rows[2::5] = rows[:1] * 4
    rows[3::5] = rows[1:2] * (1 + 1e-6 * rng().standard_normal((len(rows[3::5]), length)))
    rows[4::15] = 0
    return rows


def message_of(error, function, *arguments, **options):
    with pytest.raises(error) as caught:
        function(*arguments, **options)
    assert caught.type is error
    return str(caught.value)


def scattered(p, q, generator):
    """Two rows as they are, among so many columns of zeros."""
    columns = np.sort(generator.choice(10_000, p.size, replace=False))
    places = np.repeat([0, 1], p.size), np.tile(columns, 2)
    return sparse.csr_array((np.concatenate([p, q]), places), shape=(2, 10_000))


@st.composite
def matrices(draw):
    """Rows of few different numbers, so that many are equal, in proportion or empty."""
    shape = draw(st.tuples(st.integers(0, 9), st.integers(0, 40)))
    density = draw(st.floats(0, 1))
    generator = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    values = generator.choice([1.0, 2.0, 1e-9, 1e300, 5e-324], size=shape)
    return values * (generator.random(shape) < density)


class TestAccuracy:
    @pytest.mark.parametrize("kind", cases.ROWS)
    def test_holds_on_every_kind_of_row(self, kind):
        generator = np.random.default_rng(3)
        for _ in range(60):
            p, q = cases.ROWS[kind](generator, np.float64)
            if p.any() and q.any():
                exact = oracle.js_divergence_normalised(p, q)
                computed = pdist(scattered(p, q, generator), "js_divergence")[0]
                assert oracle.relative_error(computed, exact) <= PAIR_ERROR, (p, q)

    @pytest.mark.parametrize("separation", 10.0 ** np.arange(-9, 0))
    def test_holds_at_every_separation(self, separation):
        generator = np.random.default_rng(4)
        p = generator.random(300)
        q = p * (1 + separation * generator.standard_normal(300).clip(-3, 3))
        q[generator.random(300) < separation] = 0
        exact = oracle.js_divergence_normalised(p, np.abs(q))
        computed = pdist(scattered(p, np.abs(q), generator), "js_divergence")[0]
        assert oracle.relative_error(computed, exact) <= PAIR_ERROR

    @pytest.mark.parametrize("shared", [1, 10, 1_000, 90_000, 99_000, 100_000])
    def test_does_not_wear_off_where_all_terms_round_alike(self, shared):
        number = 100_000
        columns = np.concatenate([np.arange(number), number - shared + np.arange(number)])
        starts = [0, number, 2 * number]
        rows = sparse.csr_array((np.full(2 * number, 3.0), columns, starts))
        computed = pdist(rows, "js_divergence")[0]
        exact = log(mpf(2)) * (number - shared) / number
        assert oracle.relative_error(computed, exact) <= PAIR_ERROR

    def test_is_exact_where_rows_share_nothing_or_all(self):
        rows = sparse.csr_array([[1, 2, 0, 0], [0, 0, 3, 4], [1, 2, 0, 0], [3, 6, 0, 0]])
        values = cdist(rows, rows, "js_divergence")
        assert values[0, 1] == np.log(2)
        assert values[0, 2] == values[0, 3] == 0
        assert not values.diagonal().any()


class TestParity:
    @METRICS
    @given(X=matrices(), Y=matrices())
    def test_with_dense_rows(self, metric, X, Y):
        width = min(X.shape[1], Y.shape[1])
        X, Y = X[:, :width], Y[:, :width]
        expected = cdist(X, Y, metric)
        for A, B in (
            (sparse.csr_array(X), sparse.csr_array(Y)),
            (sparse.csr_matrix(X), Y),
            (X, sparse.csc_array(Y)),
        ):
            np.testing.assert_allclose(cdist(A, B, metric), expected, rtol=1e-11, atol=1e-300)

    @METRICS
    @pytest.mark.parametrize("base", [None, 2])
    def test_of_the_condensed_form(self, metric, base):
        X = sparse.csr_array(rows_of(70, 40))
        square = cdist(X, X, metric, base=base)
        expected = square[np.triu_indices(70, 1)]
        assert pdist(X, metric, base=base).tobytes() == expected.tobytes()
        assert square.tobytes() == square.T.tobytes()

    def test_of_more_rows_than_one_block_has(self):
        X = rows_of(2500, 30)
        expected = cdist(X[:40], X, "js_divergence")
        C = sparse.csr_array(X)
        np.testing.assert_allclose(cdist(C[:40], C, "js_divergence"), expected, rtol=1e-11)
        np.testing.assert_allclose(pdist(C)[:2499], cdist(X[:1], X[1:])[0], rtol=1e-11)

    def test_of_empty_rows(self):
        X = sparse.csr_array((3, 5))
        assert np.isnan(cdist(X, X)).all()
        assert np.isnan(pdist(X)).all()
        assert cdist(X[:0], X).shape == (0, 3)
        assert cdist(X[:, :0], X[:, :0]).shape == (3, 3)
        assert pdist(X[:1]).shape == (0,)


class TestBits:
    @pytest.mark.parametrize("workers", [1, 2, 5])
    def test_do_not_depend_on_workers(self, workers):
        X = sparse.csr_array(rows_of(2100, 50))
        assert pdist(X, workers=workers).tobytes() == pdist(X).tobytes()
        square = cdist(X[:300], X, workers=workers)
        assert square.tobytes() == cdist(X[:300], X, workers=1).tobytes()

    def test_do_not_depend_on_what_stands_beside(self):
        X = sparse.csr_array(rows_of(1500, 60))
        whole = cdist(X, X)
        some = [0, 2, 3, 7, 1400, 1499]
        assert cdist(X[some], X[some]).tobytes() == whole[np.ix_(some, some)].tobytes()

    def test_of_close_rows_are_those_of_dense_ones(self):
        p = rows_of(1, 3000, 0.5)[0]
        q = p * (1 + 1e-5 * rng().standard_normal(p.size))
        of_sparse = cdist(sparse.csr_array(p[None]), sparse.csr_array(q[None]))
        assert of_sparse.tobytes() == cdist(p[None], q[None]).tobytes()


class TestInput:
    @pytest.mark.parametrize("kind", FORMATS)
    @pytest.mark.parametrize("container", ["array", "matrix"])
    def test_may_have_any_format(self, kind, container):
        X = rows_of(8, 12)
        given = getattr(sparse, f"{kind}_{container}")(X)
        expected = cdist(sparse.csr_array(X), sparse.csr_array(X))
        assert cdist(given, given).tobytes() == expected.tobytes()

    @pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32])
    def test_may_have_any_real_dtype(self, dtype):
        X = (100 * rows_of(8, 12)).clip(0, 100).astype(dtype)
        expected = cdist(sparse.csr_array(X.astype(float)), X.astype(float))
        # SciPy's have no float16, but may stand beside it.
        other = X.astype(np.float32) if dtype == np.float16 else X
        computed = cdist(X if dtype == np.float16 else sparse.csr_array(X), sparse.csr_array(other))
        kind = np.float32 if np.dtype(dtype).kind == "f" else np.float64
        assert computed.dtype == kind
        np.testing.assert_array_equal(computed, expected.astype(kind))

    def test_may_be_in_any_order_and_have_places_twice(self):
        columns, data = [3, 0, 3, 1, 2, 2], np.array([1, 5, 2, 0, 100, 100], np.int8)
        given = sparse.csr_array((data, columns, [0, 4, 6]), shape=(2, 4))
        before = given.data.copy(), given.indices.copy(), given.indptr.copy()
        expected = cdist([[5, 0, 0, 3]], [[5, 0, 0, 3], [0, 0, 200, 0]])
        np.testing.assert_allclose(cdist(given[:1], given), expected, rtol=1e-14)
        assert pdist(given)[0] == expected[0, 1]
        for array, kept in zip((given.data, given.indices, given.indptr), before, strict=True):
            assert array.tobytes() == kept.tobytes()

    def test_may_have_wide_indices_and_read_only_memory(self):
        X = sparse.csr_array(rows_of(30, 20))
        expected = cdist(X, X)
        for name in "data", "indices", "indptr":
            array = getattr(X, name).astype(float if name == "data" else np.int64)
            array.flags.writeable = False
            setattr(X, name, array)
        assert cdist(X, X).tobytes() == expected.tobytes()

    def test_is_never_made_dense(self):
        width = 2**31 - 1
        X = sparse.csr_array(([1.0, 2.0, 3.0], [5, width - 1, 5], [0, 2, 3]), shape=(2, width))
        tracemalloc.start()
        value = pdist(X, "js_divergence")[0]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        expected = cdist([[1.0, 2.0]], [[3.0, 0.0]], "js_divergence")[0, 0]
        assert np.isclose(value, expected, rtol=1e-14)
        assert peak < 1 << 22


class TestResult:
    def test_may_go_to_an_array(self):
        X = sparse.csr_array(rows_of(90, 30))
        square, pairs = cdist(X, X), pdist(X)
        for dtype in (np.float64, np.float32, ">f8"):
            out = np.zeros((180, 270), dtype)[::2, ::3]
            assert cdist(X, X, out=out) is out
            np.testing.assert_array_equal(out, square.astype(dtype))
            vector = np.zeros(len(pairs) * 2, dtype)[::2]
            assert pdist(X, out=vector) is vector
            np.testing.assert_array_equal(vector, pairs.astype(dtype))

    @METRICS
    @pytest.mark.parametrize("as_given", [np.asarray, sparse.csr_array])
    def test_within_a_distance_is_sparse(self, metric, as_given):
        X = rows_of(1300, 20)
        most = float(np.nanquantile(cdist(X[:50], X, metric), 0.02))
        found = cdist(as_given(X[:50]), as_given(X), metric, max_distance=most)
        assert isinstance(found, sparse.csr_array)
        assert found.has_canonical_format
        values = cdist(as_given(X[:50]), as_given(X), metric)
        i, j = np.nonzero(values <= most)
        np.testing.assert_array_equal(np.repeat(np.arange(50), np.diff(found.indptr)), i)
        np.testing.assert_array_equal(found.indices, j)
        np.testing.assert_array_equal(found.data, values[i, j])
        assert (found.data == 0).sum() >= 50 - np.isnan(values).all(axis=1).sum()

    def test_within_a_distance_has_the_dtype_of_others(self):
        X = sparse.csr_array(rows_of(5, 9)).astype(np.float32)
        assert cdist(X, X, max_distance=1).dtype == np.float32
        assert cdist(X, X, max_distance=1, dtype=np.float64).dtype == np.float64


class TestErrors:
    @pytest.mark.parametrize("value", [-1.0, np.inf, np.nan])
    def test_name_row_column_and_value(self, value):
        X = rows_of(9, 7, 0.9)
        X[6, 4], X[8, 0] = value, -2
        expected = f"XB[6, 4] is {value}; probabilities must be finite and not negative"
        assert message_of(ValueError, cdist, X[:2], sparse.csr_array(X)) == expected
        assert message_of(ValueError, cdist, X[:2], sparse.coo_array(X)) == expected

    @pytest.mark.parametrize("column", [4, -1, 10**9])
    def test_name_indices_out_of_range(self, column):
        X = sparse.csr_array(np.eye(4))
        X.indices[2] = column
        expected = f"X is damaged: row 2 has an entry in column {column}, of 4 columns"
        assert message_of(ValueError, pdist, X) == expected
        expected = f"X is damaged: column 2 has an entry in row {column}, of 4 rows"
        assert message_of(ValueError, pdist, X.T) == expected

    @pytest.mark.parametrize("starts", [[0, 2, 1, 3, 4], [0, 1, 2, 3, 9], [1, 1, 2, 3, 4]])
    def test_name_places_that_are_none(self, starts):
        X = sparse.csr_array(np.eye(4))
        X.indptr = np.array(starts, np.int32)
        expected = "X is damaged: its indptr are not places in its 4 data"
        assert message_of(ValueError, pdist, X) == expected

    def test_are_those_of_dense_rows(self):
        X = sparse.csr_array(np.eye(3))
        assert "different numbers of columns" in message_of(ValueError, cdist, X, X[:, :2])
        assert "XA has dtype complex128" in message_of(TypeError, cdist, X * 1j, X)
        assert "metric is 'l2'" in message_of(ValueError, pdist, X, "l2")
        assert "workers is 0" in message_of(ValueError, pdist, X, workers=0)
        assert "out has shape (2,)" in message_of(ValueError, pdist, X, out=np.empty(2))
        assert "dtype is int64" in message_of(ValueError, cdist, X, X, dtype=int)
        assert "XA has shape (3,)" in message_of(ValueError, cdist, sparse.coo_array(np.ones(3)), X)

    @pytest.mark.parametrize("most", [-1, np.nan, "1"])
    def test_name_a_distance_that_is_none(self, most):
        expected = f"max_distance is {most!r}; it must be a number that is not negative"
        assert message_of(ValueError, cdist, np.eye(2), np.eye(2), max_distance=most) == expected
        assert "out cannot be given" in message_of(
            ValueError, cdist, np.eye(2), np.eye(2), out=np.eye(2), max_distance=1
        )


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble, np.array])
def test_a_distance_is_of_any_real_dtype(kind):
    with np.errstate(all="raise"):
        assert cdist(np.eye(2), np.eye(2), max_distance=kind(0.5)).nnz == 2
        assert len(radius_neighbors(np.eye(2), radius=kind(1))[0][0]) == 1


def test_no_distance_is_beyond_an_integer_that_no_float_holds():
    assert cdist(np.eye(2), np.eye(2), max_distance=10**400).nnz == 4
    assert len(radius_neighbors(np.eye(2), radius=10**400, return_distance=False)[0]) == 1


def rows_filled(number, length, least, most):
    """Rows of different fillings, some in proportion, close, empty or out of scale."""
    rows = rng().gamma(1.0, size=(number, length))
    rows *= rng().random((number, length)) < rng().uniform(least, most, (number, 1))
    rows[7] = rows[8] * (1 + 1e-7 * rng().standard_normal(length))
    rows[5], rows[6], rows[9] = rows[3], 0, rows[10] * 2.5
    rows[11] *= 1e300
    return rows


SHARES = pytest.mark.parametrize(
    ("length", "least", "most"),
    [(60, 0.1, 0.3), (60, 0.1, 0.9), (400, 0.3, 0.7), (33, 0, 0.5), (16, 0.1, 0.3), (9, 0.1, 0.3)],
)


class TestDenseRows:
    @SHARES
    def test_have_the_same_bits_whatever_they_are_compared_with(self, length, least, most):
        X = rows_filled(500, length, least, most)
        whole = cdist(X, X, "js_divergence")
        np.testing.assert_array_equal(whole, whole.T)
        pairs = pdist(X, "js_divergence")
        np.testing.assert_array_equal(pairs, whole[np.triu_indices(500, 1)])
        for some in ([0, 1], [3, 5, 7, 8], [9, 10, 11], list(range(0, 500, 7))):
            few = cdist(X[some], X[some], "js_divergence")
            np.testing.assert_array_equal(few, whole[np.ix_(some, some)])
        np.testing.assert_array_equal(cdist(X[:1], X, "js_divergence"), whole[:1])
        np.testing.assert_array_equal(cdist(X[::-1][:, ::1], X, "js_divergence"), whole[::-1])
        assert not whole[3, 5]

    @SHARES
    def test_are_as_near_to_their_neighbors_as_to_all(self, length, least, most):
        X = rows_filled(400, length, least, most)[12:]
        whole = cdist(X, X)
        for number in (3, 300):
            distances, indices = kneighbors(X, n_neighbors=number)
            np.testing.assert_array_equal(distances, np.take_along_axis(whole, indices, 1))

    @pytest.mark.parametrize("filled", [0.05, 0.2, 0.45])
    def test_have_the_bits_of_sparse_ones(self, filled):
        X = rng().random((300, 64)) * (rng().permuted(np.arange(64) % 1000 < 64 * filled))
        X = rng().permuted(X, axis=1)
        np.testing.assert_array_equal(cdist(X, X), cdist(sparse.csr_array(X), X))

    def test_are_accurate_at_every_filling(self):
        generator = np.random.default_rng(6)
        for filled in np.linspace(0.05, 1, 20):
            p, q = generator.gamma(0.5, size=(2, 50)) * (generator.random((2, 50)) < filled)
            p[0] = q[1] = 1
            exact = oracle.js_divergence_normalised(p, q)
            rows = np.stack([p, q] * 200)
            for value in (pdist(rows[:2], "js_divergence")[0], pdist(rows, "js_divergence")[0]):
                assert oracle.relative_error(value, exact) <= PAIR_ERROR

    @pytest.mark.parametrize("number", [3, 400])
    def test_may_have_a_nan_or_raise(self, number):
        X = rows_filled(max(number, 12), 40, 0.1, 0.3)[:number]
        X[1, 3] = np.nan
        undefined = np.isnan(cdist(X, X))
        assert undefined[1].all()
        assert undefined.sum() < undefined.size
        X[2, 4] = -1
        expected = "X[2, 4] is -1.0; probabilities must be finite and not negative"
        assert message_of(ValueError, pdist, X) == expected

    def test_may_have_any_strides(self):
        X = rows_filled(600, 80, 0.1, 0.3)
        expected = pdist(np.ascontiguousarray(X[::2, ::2]))
        np.testing.assert_array_equal(pdist(X[::2, ::2]), expected)
        np.testing.assert_array_equal(pdist(np.asfortranarray(X[::2, ::2])), expected)
        np.testing.assert_array_equal(pdist(X[::2, ::2].astype(">f8")), expected)
