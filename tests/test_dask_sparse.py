"""Dask arrays of sparse blocks: the bits and errors of the functions of sparse arrays."""

import dask
import dask.array as da
import numpy as np
import pytest
from scipy import sparse

import jsdiv_numba
import jsdiv_numba.dask as lazy
from tests.test_dask import same_bits as same


@pytest.fixture(autouse=True)
def _one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def csr_blocks(X, chunks=(7, 30), kind=sparse.csr_array):
    return da.from_array(X, chunks=chunks).map_blocks(kind)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_blocks_of_sparse_rows(kind, dtype):
    rng = np.random.default_rng(0)
    rows = (rng.poisson(2, (40, 30)) * (rng.random((40, 30)) < 0.3)).astype(dtype)
    rows[:, 0] += 1
    X, whole = csr_blocks(rows, kind=kind), sparse.csr_array(rows)
    Y, others = csr_blocks(rows[5:22], (4, 30), kind), whole[5:22]
    split = csr_blocks(rows, (9, 8), kind)
    for a in (X, split):
        same(lazy.cdist(a, Y), jsdiv_numba.cdist(whole, others))
        same(lazy.cdist(Y, rows), jsdiv_numba.cdist(others, rows))
        same(
            lazy.pdist(a, "js_divergence", base=2),
            jsdiv_numba.pdist(whole, "js_divergence", base=2),
        )
        for X2, Y2 in (((a, None), (whole, None)), ((a, Y), (whole, others))):
            for found, expected in zip(
                lazy.kneighbors(*X2, 3), jsdiv_numba.kneighbors(*Y2, 3), strict=True
            ):
                same(found, expected)
            found = lazy.radius_neighbors(*X2, 0.5, return_distance=False)
            expected = jsdiv_numba.radius_neighbors(*Y2, 0.5, return_distance=False)
            for one, other in zip(found.compute(), expected, strict=True):
                np.testing.assert_array_equal(one, other)
        same(lazy.js_divergence(a, whole[::-1]), jsdiv_numba.js_divergence(whole, whole[::-1]))
        same(lazy.js_divergence(a, rows[3]), jsdiv_numba.js_divergence(whole, rows[3]))
        same(
            lazy.jensenshannon(a, a[::-1], 2, axis=1),
            jsdiv_numba.jensenshannon(whole, whole[::-1], 2, axis=1),
        )
        same(lazy.jensenshannon(a, a[::-1]), jsdiv_numba.jensenshannon(whole, whole[::-1]))


def test_an_invalid_entry_of_a_sparse_block_is_named_by_its_place_in_the_array():
    rows = np.eye(12, 30)
    rows[9, 4] = -2
    X = csr_blocks(rows)
    message = r"\[9, 4\] is -2\.0; probabilities must be finite and not negative$"
    for call in (
        lambda: lazy.cdist(X, np.ones((2, 30))),
        lambda: lazy.pdist(X),
        lambda: lazy.kneighbors(X, n_neighbors=2)[1],
        lambda: lazy.js_divergence(X, X),
    ):
        with pytest.raises(ValueError, match=message):
            call().compute()


def test_what_sparse_blocks_do_not_have_is_an_error_at_once():
    X = csr_blocks(np.ones((12, 30)))
    with pytest.raises(ValueError, match="reduce is False; of sparse rows there are only sums"):
        lazy.js_divergence(X, X, reduce=False)
    with pytest.raises(ValueError, match=r"axis is \(0, 1\); of sparse rows it must be 1 or -1"):
        lazy.js_divergence(X, X, axis=None)
    with pytest.raises(TypeError, match="P is "):
        lazy.js_divergence_logit(X, X)
