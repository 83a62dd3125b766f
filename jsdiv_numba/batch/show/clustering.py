"""Hierarchical clustering: an order in which similar rows are neighbours, and its tree."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Optimal leaf ordering takes cubic time: half a second for this many rows.
_MOST_ORDERED = 1000


@dataclass(frozen=True, eq=False)
class Clustering:
    """An order of n leaves and the tree above them."""

    order: NDArray[np.intp]  # the leaves from one end to the other. Shape (n,)
    positions: NDArray[np.float64]
    heights: NDArray[np.float64]
    """The four corners of each merger's bracket: along the leaves, which stand at 0, 1, ... in
    the order, and above them, in the unit of the distances. Shape (n - 1, 4)."""


def cluster(matrix: NDArray[np.floating[Any]]) -> Clustering:
    """Cluster by average linkage, and turn the branches so that neighbours are close.

    `matrix`, shape (n, n): distances or divergences; symmetric.

    Examples
    --------
    >>> matrix = np.array([[0.0, 0.9, 0.1], [0.9, 0.0, 0.8], [0.1, 0.8, 0.0]])
    >>> cluster(matrix).order
    array([1, 2, 0])
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    n = len(matrix)
    if n == 1:
        return Clustering(np.zeros(1, np.intp), np.empty((0, 4)), np.empty((0, 4)))
    condensed = matrix[np.triu_indices(n, 1)]
    links = linkage(condensed, "average", optimal_ordering=n <= _MOST_ORDERED)
    order = leaves_list(links).astype(np.intp)
    return Clustering(order, *_brackets(links, order))


def _brackets(
    links: NDArray[np.float64], order: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # SciPy's own dendrogram recurses, too deep for a long chain of mergers.
    n = len(order)
    position, height = np.empty(2 * n - 1), np.zeros(2 * n - 1)
    position[order] = np.arange(n)
    positions, heights = np.empty((n - 1, 4)), np.empty((n - 1, 4))
    for k, (left, right, level, _) in enumerate(links):
        a, b = int(left), int(right)
        positions[k] = position[a], position[a], position[b], position[b]
        heights[k] = height[a], level, level, height[b]
        position[n + k], height[n + k] = (position[a] + position[b]) / 2, level
    return positions, heights
