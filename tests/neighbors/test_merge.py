"""Neighbours found in parts: the same as in one piece, whatever the parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdiv_numba import kneighbors, radius_neighbors
from jsdiv_numba._neighbors import merge
from jsdiv_numba._neighbors.merge import NEIGHBOR, Part, Parted

METRICS = ("jensenshannon", "js_divergence")


def few_values(number, seed):
    """Rows among which many are equal, some are zero and some have a NaN."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 3, (number, 3)).astype(float)
    rows[rng.random(number) < 0.1] = np.nan
    return rows


@st.composite
def searches(draw):
    X = few_values(draw(st.integers(1, 12)), draw(st.integers(0, 99)))
    Y = few_values(draw(st.integers(1, 12)), draw(st.integers(0, 99)))
    if draw(st.booleans()):
        X = Y = few_values(draw(st.integers(2, 16)), draw(st.integers(0, 99)))
    most = len(Y) - (X is Y)
    cuts = [draw(st.sets(st.integers(0, len(rows)))) for rows in (X, Y)]
    return X, Y, cuts, draw(st.integers(1, most)), draw(st.sampled_from(METRICS))


def parts(X, Y, cuts):
    """Yield, for some rows of X at a time, all parts of Y."""
    edges = [[0, *sorted(cut), len(rows)] for cut, rows in zip(cuts, (X, Y), strict=True)]
    for i, i_stop in zip(edges[0], edges[0][1:], strict=False):
        pairs = zip(edges[1], edges[1][1:], strict=False)
        yield [Part(X[i:i_stop], Y[j:j_stop], i, j) for j, j_stop in pairs]


@settings(deadline=None, max_examples=150)
@given(searches())
def test_parts_together_have_the_nearest_of_all(search):
    X, Y, cuts, number, metric = search
    parted = Parted(metric, 2.0, 1, among_itself=X is Y)
    found = np.concatenate(
        [
            merge.nearest_of_all([parted.nearest(part, number) for part in row], number)
            for row in parts(X, Y, cuts)
        ]
    )
    values, indices = kneighbors(X, None if X is Y else Y, number, metric=metric, base=2.0)
    np.testing.assert_array_equal(found[NEIGHBOR], indices)
    assert found[metric].tobytes() == values.tobytes()


@settings(deadline=None, max_examples=100)
@given(searches())
def test_limits_leave_out_nothing_that_is_wanted(search):
    X, Y, cuts, number, metric = search
    parted = Parted(metric, None, 1, among_itself=X is Y)
    values, indices = kneighbors(X, None if X is Y else Y, number, metric=metric)
    for row in parts(X, Y, cuts):
        found = np.empty((len(row[0].X), 0), parted.dtype)
        for part in row:
            limits = found[metric][:, -1] if found.shape[1] == number else None
            new = parted.nearest(part, number, limits)
            found = merge.nearest_of_all([found, new], number)
        own = row[0].own
        np.testing.assert_array_equal(found[NEIGHBOR], indices[own])
        assert found[metric].tobytes() == values[own].tobytes()


@settings(deadline=None, max_examples=100)
@given(searches(), st.sampled_from([0.0, 0.3, 1.0]))
def test_parts_together_have_all_within_a_radius(search, radius):
    X, Y, cuts, _, metric = search
    parted = Parted(metric, None, 1, among_itself=X is Y)
    rows, found = merge.within_of_all(
        [parted.within(part, radius) for row in parts(X, Y, cuts) for part in row]
    )
    values, indices = radius_neighbors(X, None if X is Y else Y, radius, metric=metric)
    np.testing.assert_array_equal(rows, np.repeat(np.arange(len(X)), list(map(len, indices))))
    np.testing.assert_array_equal(found[NEIGHBOR], np.concatenate(indices))
    assert found[metric].tobytes() == np.concatenate(values).tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.int32, ">f8"])
def test_the_dtype_of_rows_is_what_kneighbors_takes(dtype):
    X = np.random.default_rng(0).integers(1, 50, (9, 5)).astype(dtype)
    parted = Parted("jensenshannon", None, 1, among_itself=True)
    found = [parted.nearest(Part(X, X[j : j + 4], 0, j), 3) for j in (0, 4, 8)]
    nearest = merge.nearest_of_all(found, 3)
    np.testing.assert_array_equal(nearest["jensenshannon"], kneighbors(X, n_neighbors=3)[0])
