"""Pairs of sparse rows at every filling: whichever way is faster, with the bits of dense rows."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from jsdiv_numba import cdist, pdist
from jsdiv_numba._core import dense_blocks, sparse_pairs, split
from tests import oracle

FILLED = pytest.mark.parametrize(
    ("length", "least", "most"),
    [(16, 0, 1.2), (33, 0.6, 1.2), (100, 0.3, 0.9), (100, 1.1, 1.1), (300, 0, 1.3)],
)
MEASURES = pytest.mark.parametrize(
    ("metric", "weight"), [("js_divergence", 0.5), ("js_divergence", 0.2), ("kl_divergence", 0.5)]
)


def rows_of(length, least, most, number=150):
    """Rows of different fillings; some in proportion, close, or empty, a few full."""
    rng = np.random.default_rng(5)
    rows = rng.gamma(1.0, size=(number, length)) + 1e-9
    rows *= rng.random((number, length)) < rng.uniform(least, most, (number, 1))
    rows[:, 0] += 0.1
    rows[70:73] = rng.gamma(1.0, size=(3, length))
    rows[3], rows[71], rows[9] = 4 * rows[40], 2 * rows[70], 0
    rows[5] = rows[6] * (1 + 1e-7 * rng.standard_normal(length))
    return rows


@pytest.fixture
def small_blocks(monkeypatch):
    """Let few rows fill several panels."""
    monkeypatch.setattr(sparse_pairs, "SMALL", 0)
    monkeypatch.setattr(sparse_pairs, "BAND", 64)
    monkeypatch.setattr(dense_blocks, "PANEL_BYTES", 1 << 12)


@FILLED
@MEASURES
@pytest.mark.parametrize("in_small_blocks", [False, True])
def test_they_have_the_bits_of_dense_ones(
    length, least, most, metric, weight, in_small_blocks, request
):
    if in_small_blocks:
        request.getfixturevalue("small_blocks")
    X = rows_of(length, least, most)
    S, wanted = sparse.csr_array(X), {"metric": metric, "weight": weight}
    expected = cdist(X, X, **wanted)
    np.testing.assert_array_equal(cdist(S, S, **wanted), expected)
    np.testing.assert_array_equal(cdist(S[:70], X, **wanted, workers=2), expected[:70])
    np.testing.assert_array_equal(cdist(X, S[::-1], **wanted), expected[:, ::-1])
    np.testing.assert_array_equal(pdist(S, **wanted), expected[np.triu_indices(len(X), 1)])
    limit = float(np.quantile(expected[np.isfinite(expected)], 0.3))
    near, (i, j) = cdist(S, S, **wanted, max_distance=limit), np.nonzero(expected <= limit)
    np.testing.assert_array_equal(near.indices, j)
    np.testing.assert_array_equal(near.data, expected[i, j])


@pytest.mark.parametrize("length", [40, 100])
def test_in_float32_they_depend_on_the_two_rows_alone(length, small_blocks):
    X = rows_of(length, 0, 1.2).astype(np.float32)
    S, exact = sparse.csr_array(X), cdist(X.astype(float), X.astype(float))
    whole = cdist(S, S)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, exact, rtol=1e-5)
    np.testing.assert_array_equal(whole, whole.T)
    assert whole[3, 40] == whole[70, 71] == 0 == np.nanmax(whole.diagonal())
    np.testing.assert_array_equal(pdist(S), whole[np.triu_indices(len(X), 1)])
    for some in ([0, 1], [9, 70, 71, 3, 40], np.arange(0, 150, 7)):
        np.testing.assert_array_equal(cdist(S[some], S), whole[some])
        np.testing.assert_array_equal(cdist(S[some], X[some], workers=3), whole[some][:, some])
    assert cdist(S, S, dtype=np.float64).dtype == np.float64
    near = cdist(S, S, max_distance=0.3)
    np.testing.assert_array_equal(near.data, whole[whole <= 0.3])


def test_rows_of_float64_are_compared_in_float32_if_asked_for():
    X = rows_of(80, 0.5, 1.1)
    found = cdist(sparse.csr_array(X * 2.0**90), sparse.csr_array(X), dtype=np.float32)
    assert found[3, 40] == 0
    # Rows that are close are no longer if rounded to float32.
    found[5, 6] = found[6, 5] = cdist(X[5:6], X[6:7])[0, 0]
    np.testing.assert_allclose(found, cdist(X, X), rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 2.0**200, 2.0**-200])
def test_divergences_of_ratios_are_computed_in_float64_whatever_is_asked_for(scale):
    X = rows_of(7, 0.9, 1.1)[:5] + 0.1
    expected = cdist(X, X, "kl_divergence")
    S = sparse.csr_array(X * scale)
    for found in (
        cdist(S, S, "kl_divergence", dtype=np.float32),
        cdist(S, X * scale, "kl_divergence", dtype=np.float32, max_distance=99).toarray(),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_out_of_scale_are_compared_as_ever(dtype):
    X = rows_of(100, 0.2, 1.2)
    largest = np.finfo(dtype).max
    X[20:30] *= largest / 1e6 / X[20:30].sum(axis=1, keepdims=True)
    X[30:40] *= np.finfo(dtype).tiny / X[30:40].max()
    S = sparse.csr_array(X.astype(dtype))
    whole = cdist(S, S)
    np.testing.assert_array_equal(whole, whole.T)
    np.testing.assert_array_equal(cdist(S[25:35], S[30:60]), whole[25:35, 30:60])
    X = X.astype(dtype).astype(float)
    for i, j in ((0, 22), (21, 25), (33, 1), (35, 70), (24, 71)):
        exact = oracle.sqrt(oracle.js_divergence_normalised(X[i], X[j]))
        assert float(abs(whole[i, j] - exact) / exact) < (1e-11 if dtype == np.float64 else 1e-4)


def test_explicit_zeros_and_wide_places_do_not_count():
    X = rows_of(100, 0.02, 0.1)
    S = sparse.csr_array(X)
    places = np.tile(np.arange(100), len(X)), np.arange(len(X) + 1, dtype=np.int64) * 100
    full = sparse.csr_array((X.ravel(), *places), X.shape)
    assert full.nnz == X.size
    np.testing.assert_array_equal(cdist(full, full), cdist(S, S))


def test_both_ways_are_taken_where_fillings_differ(monkeypatch, small_blocks):
    seen = []
    run = split.Split._ways

    def ways(self, above):
        found = run(self, above)
        seen.extend(way is self.by_shared_columns for way in found.values())
        return found

    monkeypatch.setattr(split.Split, "_ways", ways)
    X = sparse.csr_array(rows_of(100, 0.3, 1.2))
    cdist(X, X)
    assert set(seen) == {True, False}


def test_full_rows_among_sparse_ones_leave_these_sparse(monkeypatch, small_blocks):
    made = []
    as_dense = dense_blocks.as_dense
    monkeypatch.setattr(
        dense_blocks, "as_dense", lambda *given: made.append(as_dense(*given)) or made[-1]
    )
    X = rows_of(400, 0.02, 0.05)
    cdist(sparse.csr_array(X), sparse.csr_array(X))
    assert {len(rows) for rows in made} == {3}


def test_full_rows_are_never_dense_as_a_whole(monkeypatch):
    monkeypatch.setattr(dense_blocks, "PANEL_BYTES", 1 << 20)
    rng = np.random.default_rng(2)
    X = sparse.csr_array(rng.random((400, 2_000)) * (rng.random((400, 2_000)) < 0.9))
    given = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    result = np.empty((40, 400))
    few = X[:40]
    tracemalloc.start()
    cdist(few, X, out=result, workers=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < given / 2


@pytest.mark.parametrize("weight", [0.5, 0.3])
def test_progress_ends_with_all_pairs(weight, small_blocks):
    X, seen = sparse.csr_array(rows_of(60, 0.2, 1.2)), []
    number = X.shape[0]

    def tell(done, total):
        seen.append((done, total))

    pdist(X, weight=weight, metric="js_divergence", progress=tell, workers=1)
    assert seen[-1] == (number * (number - 1) // 2,) * 2
    cdist(X, X, weight=weight, metric="js_divergence", progress=tell, workers=1)
    assert seen[-1] == (number**2, number**2)
