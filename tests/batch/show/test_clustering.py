"""The order of a clustering, and its tree."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import dendrogram, linkage
from scipy.spatial.distance import pdist, squareform

from jsdiv_numba.batch.show.clustering import cluster


def matrix(n, seed=0):
    return squareform(pdist(np.random.default_rng(seed).random((n, 3))))


@pytest.mark.parametrize("n", [2, 3, 20])
def test_tree_is_the_dendrogram_of_scipy(n):
    distances = matrix(n)
    links = linkage(squareform(distances), "average", optimal_ordering=True)
    expected = dendrogram(links, no_plot=True)
    tree = cluster(distances)
    assert tree.order.tolist() == expected["leaves"]
    # SciPy's leaves stand at 5, 15, 25, ...; its brackets come in another order.
    brackets = np.hstack([tree.positions * 10 + 5, tree.heights])
    others = np.hstack([expected["icoord"], expected["dcoord"]])
    np.testing.assert_allclose(sorted(brackets.tolist()), sorted(others.tolist()), rtol=1e-12)


def test_one_leaf_has_no_bracket():
    tree = cluster(np.zeros((1, 1)))
    assert (tree.order.tolist(), tree.positions.shape, tree.heights.shape) == ([0], (0, 4), (0, 4))


def test_clusters_are_contiguous():
    groups = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    order = cluster(np.where(groups[:, None] == groups, 0.1, 0.9) * (1 - np.eye(8))).order
    assert np.count_nonzero(np.diff(groups[order])) == 2


def test_many_leaves_in_a_long_chain():
    places = 1.1 ** np.arange(3000) * 1e-9
    tree = cluster(np.abs(places[:, None] - places))
    assert sorted(tree.order.tolist()) == list(range(3000))
    assert np.isfinite(tree.heights).all()
