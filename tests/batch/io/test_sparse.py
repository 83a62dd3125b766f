"""Sparse matrices."""

import numpy as np
import pytest
from scipy import sparse

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.batch.io.sparse import is_sparse

DENSE = np.round(np.random.default_rng(1).random((6, 4)), 2)
KINDS = ["csr", "csc", "coo", "bsr", "dia"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_scipy_saves(tmp_path, kind):
    path = tmp_path / "s.npz"
    sparse.save_npz(path, getattr(sparse, f"{kind}_array")(DENSE))
    assert is_sparse(path)
    np.testing.assert_array_equal(read_rows(str(path)).values.toarray(), DENSE)


def test_a_member_of_such_a_file_is_an_array(tmp_path):
    path = tmp_path / "s.npz"
    sparse.save_npz(path, sparse.csr_array(DENSE))
    with pytest.raises(FileError, match=r"shape \(24,\); rows need a 2-D array"):
        read_rows(f"{path}:data")


@pytest.mark.parametrize("index", [4, -1, 10**9])
def test_indices_out_of_range_are_an_error(tmp_path, index):
    matrix = sparse.csr_array(DENSE)
    members = {"indices": matrix.indices.copy(), "indptr": matrix.indptr, "data": matrix.data}
    members["indices"][5] = index
    np.savez(tmp_path / "s.npz", format=np.array(b"csr"), shape=np.array([6, 4]), **members)
    with pytest.raises(FileError, match=r"s\.npz: damaged, or not a sparse matrix"):
        read_rows(str(tmp_path / "s.npz"))
