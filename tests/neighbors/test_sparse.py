"""Neighbours among sparse rows: those of dense ones, to the last bit where those are the same."""

import pickle

import numpy as np
import pytest
from scipy import sparse

from jsdiv_numba import (
    cdist,
    kneighbors,
    kneighbors_graph,
    radius_neighbors,
    radius_neighbors_graph,
)
from jsdiv_numba._neighbors import search as searching
from jsdiv_numba._neighbors.sparse import AsDense, SparseSearch
from jsdiv_numba.neighbors import JensenShannonNeighbors


def rng():
    return np.random.default_rng(8)


def rows_of(number, length=40, filled=0.2):
    """Rows of which some are equal, and one is empty."""
    rows = rng().gamma(1.0, size=(number, length)) * (rng().random((number, length)) < filled)
    rows[5:9] = rows[4]
    rows[-1] = 0
    return rows


@pytest.mark.parametrize("metric", ["jensenshannon", "js_divergence"])
@pytest.mark.parametrize("number", [1, 5, 299])
def test_nearest_are_those_of_dense_rows(number, metric):
    X = rows_of(300)
    expected = kneighbors(X, n_neighbors=number, metric=metric)
    found = kneighbors(sparse.csr_array(X), n_neighbors=number, metric=metric)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_nearest_of_more_rows_than_a_block_has():
    X = rows_of(2600, 20)
    found = kneighbors(sparse.csr_array(X[:30]), sparse.csr_matrix(X), 7, base=2)
    expected = kneighbors(X[:30], X, 7, base=2)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(found[0], expected[0])


def test_one_side_may_be_dense():
    X = rows_of(80)
    expected = kneighbors(X[:9], X, 3)
    for some, others in ((sparse.coo_array(X[:9]), X), (X[:9], sparse.csc_array(X))):
        np.testing.assert_array_equal(kneighbors(some, others, 3)[1], expected[1])


@pytest.mark.parametrize("workers", [1, 3])
def test_within_a_radius_are_those_of_dense_rows(workers):
    X = rows_of(400)
    C = sparse.csr_array(X)
    expected = radius_neighbors(X, radius=0.55)
    found = radius_neighbors(C, radius=0.55, workers=workers)
    for one, other in zip(found, expected, strict=True):
        assert [each.tolist() for each in one] == [each.tolist() for each in other]
    for function, options in ((radius_neighbors_graph, {"radius": 0.5}), (kneighbors_graph, {})):
        graphs = function(C, C[:50], **options), function(X, X[:50], **options)
        for name in "data", "indices", "indptr":
            np.testing.assert_array_equal(*(getattr(graph, name) for graph in graphs))


def test_values_are_those_of_cdist_at_every_filling():
    X = sparse.csr_array(rows_of(200, 60, 0.7)[:-1])
    values, indices = kneighbors(X, n_neighbors=4)
    np.testing.assert_array_equal(values, np.take_along_axis(cdist(X, X), indices, 1))


MEASURES = pytest.mark.parametrize(
    "measure", [{}, {"metric": "js_divergence", "weight": 0.2}, {"metric": "kl_divergence"}]
)
FASTER = pytest.mark.parametrize("dense_is_faster", [True, False])


def rows_at_every_filling():
    X = rows_of(160, 48, 1)
    X[20:] *= rng().random((140, 48)) < rng().uniform(0.05, 1.3, (140, 1))
    X[30:34] = X[4]
    X[50:60] = 0
    X[51, 3] = X[53, 7] = X[57, 3] = 1
    return X


@MEASURES
@FASTER
def test_nearest_are_those_of_dense_rows_at_every_filling(measure, dense_is_faster, monkeypatch):
    monkeypatch.setattr(SparseSearch, "_dense_is_faster", dense_is_faster)
    X = rows_at_every_filling()
    C = sparse.csr_array(X)
    for number in 1, 4, 9, 130:
        found, expected = (kneighbors(rows, n_neighbors=number, **measure) for rows in (C, X))
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
    found, expected = kneighbors(C[:90], C, 3, **measure), kneighbors(X[:90], X, 3, **measure)
    np.testing.assert_array_equal(found[1], expected[1])
    found, expected = (radius_neighbors(rows, radius=0.4, **measure) for rows in (C, X))
    for one, other in zip(found, expected, strict=True):
        assert [each.tolist() for each in one] == [each.tolist() for each in other]


def test_rows_out_of_scale_are_at_the_distances_of_cdist():
    X = rows_at_every_filling()
    X[30:40] *= 1e300
    C = sparse.csr_array(X)
    values, indices = kneighbors(C, n_neighbors=3)
    whole = cdist(C, C)
    np.testing.assert_array_equal(values, np.take_along_axis(whole, indices, 1))


def test_full_rows_are_searched_as_dense_ones_and_never_made_so_as_a_whole(monkeypatch):
    made = []
    take = AsDense.__getitem__

    def counted(self, some):
        made.append(take(self, some))
        return made[-1]

    monkeypatch.setattr(AsDense, "__getitem__", counted)
    monkeypatch.setattr(searching, "CHUNK_BYTES", 1 << 15)
    X = rows_of(1200, 40, 1)
    found, expected = kneighbors(sparse.csr_array(X)), kneighbors(X)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert 0 < max(map(len, made)) < len(X) / 2


def test_progress_ends_with_all_pairs():
    seen = []
    X = sparse.csr_array(rows_of(1500, 20))
    kneighbors(X, progress=lambda done, total: seen.append((done, total)), workers=1)
    assert seen[-1] == (1500 * 1500, 1500 * 1500)
    assert seen == sorted(seen)


def test_errors_are_those_of_dense_rows():
    X = sparse.csr_array(rows_of(20))
    with pytest.raises(ValueError, match="n_neighbors is 20; it must be from 1 to 19"):
        kneighbors(X, n_neighbors=20)
    with pytest.raises(ValueError, match="have different numbers of columns"):
        kneighbors(X, X[:, :3])
    with pytest.raises(ValueError, match=r"Y has shape \(20, 0\); a distribution needs a column"):
        kneighbors(X[:, :0], X[:, :0])
    X.data[0] = -1
    with pytest.raises(ValueError, match=r"X\[0, \d+\] is -1.0"):
        kneighbors(X)


@pytest.mark.parametrize("filled", [0.2, 1])
def test_the_estimator_keeps_sparse_rows(filled):
    X = rows_of(120, 40, filled)[:-1]
    dense, of_sparse = JensenShannonNeighbors().fit(X), JensenShannonNeighbors()
    of_sparse.fit(sparse.csr_matrix(X))
    for given in (None, X[:7], sparse.csr_array(X[:7])):
        for search in (dense, of_sparse, pickle.loads(pickle.dumps(of_sparse))):
            found = search.kneighbors(given)
            expected = dense.kneighbors(given if given is None else X[:7])
            np.testing.assert_array_equal(found[1], expected[1])
            np.testing.assert_array_equal(found[0], expected[0])
    assert of_sparse.transform(sparse.csr_array(X)).shape == (119, 119)
