"""Pairs of rows of which some share few columns: each in the way that is faster, bits as ever."""

import numpy as np
import pytest

from jsdiv_numba import cdist, pdist
from jsdiv_numba._core import pairwise, split
from jsdiv_numba._core.sparse import counts_of
from tests import oracle

COLUMNS = 100


def rows_of(number, seed):
    """Return rows of which from a fifth to all is filled."""
    rng = np.random.default_rng(seed)
    filled = rng.uniform(0.2, 1.1, (number, 1))
    rows = rng.gamma(1.0, size=(number, COLUMNS)) * (rng.random((number, COLUMNS)) < filled)
    rows[:, 0] += 0.1
    return rows


X, Y = rows_of(150, 1), rows_of(140, 2)
X[7] = X[90]


def test_rows_are_split_where_some_share_and_others_do_not(monkeypatch):
    made = []

    class Spy(split.Split):
        def write(self, result):
            ways = [way for _, way in self._blocks(False)]
            made.append({way is self.by_shared_columns for way in ways})
            super().write(result)

    monkeypatch.setattr(pairwise, "Split", Spy)
    cdist(X, Y)
    assert made == [{True, False}]


def test_a_value_is_the_same_whatever_else_is_compared():
    together = cdist(X, Y)
    assert np.array_equal(together, cdist(Y, X).T)
    assert np.array_equal(together, cdist(X, Y, workers=2))
    for i in range(0, len(X), 29):
        assert np.array_equal(together[i], cdist(X[i : i + 1], Y)[0])
        assert np.array_equal(together[i, :3], cdist(X[i : i + 1], Y[:3])[0])


def test_pairs_of_one_matrix_are_those_of_it_with_itself():
    square, i, j = cdist(X, X), *np.triu_indices(len(X), 1)
    assert np.array_equal(square, square.T)
    assert not np.diag(square).any()
    assert square[7, 90] == 0
    assert np.array_equal(pdist(X), square[i, j])


def test_values_up_to_one_are_those_of_all():
    together = cdist(X, Y)
    found, (i, j) = cdist(X, Y, max_distance=0.5), np.nonzero(together <= 0.5)
    assert 0 < len(i) < together.size
    assert np.array_equal(found.indices, j)
    assert np.array_equal(np.repeat(np.arange(len(X)), np.diff(found.indptr)), i)
    assert np.array_equal(found.data, together[i, j])


def test_they_are_right():
    found = cdist(X, Y)
    for i, j in [(0, 0), (3, 100), (149, 139)]:
        exact = oracle.sqrt(oracle.js_divergence_normalised(X[i], Y[j]))
        assert float(abs(found[i, j] - exact) / exact) < 1e-13


@pytest.mark.parametrize("dtype", [">f8", np.float32])
def test_a_result_of_any_dtype_is_written_to(dtype):
    out = np.empty((len(X), len(Y)), dtype)
    cdist(X, Y, out=out)
    assert np.array_equal(out, cdist(X, Y).astype(dtype))


def test_rows_that_are_wrong_are_named_by_their_own_numbers():
    wrong = X.copy()
    wrong[11, 5] = -1
    with pytest.raises(ValueError, match=r"XA\[11, 5\] is -1"):
        cdist(wrong, Y)
    wrong[11, 5] = np.nan
    found = cdist(wrong, Y)
    assert np.isnan(found[11]).all()
    assert np.array_equal(np.delete(found, 11, axis=0), np.delete(cdist(X, Y), 11, axis=0))


@pytest.mark.parametrize("length", [15, 16, 32, 33, 1000])
def test_levels_rise_with_what_is_filled_and_decide_of_full_rows(length):
    filled = np.tril(np.ones((length, length)))
    counts, levels = counts_of(filled, 1)
    assert counts.tolist() == list(range(1, length + 1))
    if length < 16:
        assert np.isinf(levels).all()
        return
    assert (np.diff(levels) >= 0).all()
    # Full rows are compared over all columns, rows that are half full by those they share.
    assert levels[-1] > 0 > levels[length // 2 - 1]


def test_the_share_of_pairs():
    assert split.share_of_pairs(np.array([-1.0, 0, 1]), np.array([0.0, 1])) == 0.5
    assert split.share_of_pairs(np.array([]), np.array([0.0])) == 0
