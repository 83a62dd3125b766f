"""Exact nearest neighbours under scikit-learn's names: the nearest rows, all within a radius."""

from typing import TYPE_CHECKING, Any

from ._core import alignment, pairwise
from ._core.pair_metric import Metric, metric_of
from ._core.progress import Progress, told
from ._core.sparse import Compressed, any_sparse, as_compressed
from ._core.validation import EQUAL, FloatArray
from ._neighbors import search as searching
from ._neighbors.search import Neighbors
from ._neighbors.sparse import SparsePopulation, SparseSearch
from ._neighbors.validation import (
    as_graph,
    flat,
    in_rows,
    population_of,
    sparse_population_of,
    wanted_mode,
    wanted_number,
    wanted_radius,
)

if TYPE_CHECKING:
    from ._neighbors.estimator import JensenShannonNeighbors

__all__ = [
    "JensenShannonNeighbors",
    "kneighbors",
    "kneighbors_graph",
    "radius_neighbors",
    "radius_neighbors_graph",
]


def __getattr__(name: str) -> Any:
    # Its base class is scikit-learn's, which takes a while to load.
    if name != "JensenShannonNeighbors":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._neighbors import estimator

    value = globals()[name] = estimator.JensenShannonNeighbors
    return value


def kneighbors(
    X: Any,
    Y: Any = None,
    n_neighbors: int = 5,
    *,
    metric: str = "jensenshannon",
    base: float | None = None,
    weight: float = EQUAL,
    workers: int | None = None,
    return_distance: bool = True,
    progress: Progress | bool | None = None,
) -> Any:
    r"""Nearest rows of one matrix to each row of another, in Jensen-Shannon distance.

    .. math::

        D_{ij} = \sqrt{\mathrm{JS}\Big(\frac{x_i}{\sum x_i} \,\Big\|\, \frac{y_j}{\sum y_j}\Big)}

    They are the same as `cdist` in float64 and a sort by distance, then by index,
    would find, down to the last bit of the distances, at some per cent of the cost.

    Parameters
    ----------
    X : array_like or sparse array, shape (m, n)
        The rows whose neighbours are wanted: one distribution a row, finite and
        not negative, of any positive sum.
    Y : array_like or sparse array, shape (k, n), optional
        The rows among which to look. None is `X` itself, of which no row then is
        its own neighbour.
    n_neighbors : int, default 5
        How many.
    metric : {"jensenshannon", "js_divergence", "kl_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square. Both have the same neighbours,
        but for ties that the root's rounding makes. Or the Kullback-Leibler divergence
        of rows of `Y` from those of `X`, Σ x log(x/y), which may be infinite.
    base : float, optional
        Base of the logarithm; None is e.
    weight : float, default 0.5
        That of the rows of `Y`; those of `X` have the rest. The divergence then is
        skewed, as `js_divergence` says, and other than ½ not symmetric: to be near is
        not mutual.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of
        `set_workers`. Results are bitwise identical for any number.
    return_distance : bool, default True
        Whether the distances are returned, too.
    progress : callable or bool, optional
        True shows a bar, in a notebook or, by rich, on a terminal. A function is
        called as ``progress(done, total)``, in pairs of rows, when a block of them
        is done, from whichever thread did it. What it raises stops the search.

    Returns
    -------
    distances : ndarray of float64, shape (m, n_neighbors)
        From the nearest on, in the square root of nats (of the base's unit), or
        divergences in nats. Not returned if `return_distance` is False.
    indices : ndarray of int, shape (m, n_neighbors)
        Of the rows in `Y`; of those as near, the first stands first.

    Raises
    ------
    ValueError
        If an entry is negative or infinite, the matrices have different numbers
        of columns or none, there are fewer than `n_neighbors` other rows, or
        `metric`, `base`, `weight` or `workers` is wrong.
    TypeError
        If an input is not real, or `n_neighbors` not an integer.

    See Also
    --------
    radius_neighbors : all within a radius.
    kneighbors_graph : the same as a sparse matrix.
    JensenShannonNeighbors : the same, for many calls or within scikit-learn.

    Notes
    -----
    One product of float32 matrices bounds the divergence of every pair from below,
    a second one within some per cent; only pairs that may be among the nearest are
    computed, however near or far rows are. See :doc:`/mathematics` for the bounds,
    and why none is missed.

    Memory is that of the result and of blocks: at most some 700 MB for any number
    of rows. A row of zeros, or one with a NaN, is at distance NaN of all, which
    is farther than any other.

    Examples
    --------
    >>> from jsdiv_numba import kneighbors
    >>> counts = [[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]]
    >>> distances, indices = kneighbors(counts, n_neighbors=2)
    >>> indices
    array([[1, 3],
           [0, 3],
           [3, 1],
           [2, 1]])
    >>> distances.round(3)
    array([[0.042, 0.745],
           [0.042, 0.734],
           [0.03 , 0.744],
           [0.03 , 0.734]])
    """
    found, _ = _nearest(X, Y, n_neighbors, metric_of(metric, base, weight), workers, progress)
    return found if return_distance else found[1]


def radius_neighbors(
    X: Any,
    Y: Any = None,
    radius: float = 0.1,
    *,
    metric: str = "jensenshannon",
    base: float | None = None,
    weight: float = EQUAL,
    workers: int | None = None,
    return_distance: bool = True,
    progress: Progress | bool | None = None,
) -> Any:
    r"""All rows of one matrix within a Jensen-Shannon distance of each row of another.

    .. math::

        \sqrt{\mathrm{JS}\Big(\frac{x_i}{\sum x_i} \,\Big\|\, \frac{y_j}{\sum y_j}\Big)} \le r

    They are the same as `cdist` in float64 would find, at some per cent of the cost.

    Parameters
    ----------
    radius : float, default 0.1
        The largest distance, itself included, in the unit of the distances.
    X, Y, metric, base, weight, workers, return_distance, progress
        As for `kneighbors`.

    Returns
    -------
    distances : ndarray of ndarray of float64, shape (m,)
        Of each row's neighbours, from the nearest on. Not returned if
        `return_distance` is False.
    indices : ndarray of ndarray of int, shape (m,)
        Of the rows in `Y`; of those as near, the first stands first.

    Raises
    ------
    ValueError, TypeError
        As for `kneighbors`, and if `radius` is wrong.

    See Also
    --------
    kneighbors : a number of nearest rows.
    radius_neighbors_graph : the same as a sparse matrix.

    Notes
    -----
    As for `kneighbors`, beside which the result's size is not known before. Rows
    at distance NaN are nobody's neighbours.

    Examples
    --------
    >>> from jsdiv_numba import radius_neighbors
    >>> counts = [[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]]
    >>> distances, indices = radius_neighbors(counts[:2], counts, radius=0.05)
    >>> [row.tolist() for row in indices]
    [[0, 1], [1, 0]]
    >>> [row.round(3).tolist() for row in distances]
    [[0.0, 0.042], [0.0, 0.042]]
    """
    found, _ = _within(X, Y, radius, metric_of(metric, base, weight), workers, progress)
    return in_rows(found, return_distance)


def kneighbors_graph(
    X: Any,
    Y: Any = None,
    n_neighbors: int = 5,
    *,
    mode: str = "distance",
    metric: str = "jensenshannon",
    base: float | None = None,
    weight: float = EQUAL,
    workers: int | None = None,
    progress: Progress | bool | None = None,
) -> Any:
    """Sparse matrix of the distances to the nearest rows.

    Parameters
    ----------
    X, Y, n_neighbors, metric, base, weight, workers, progress
        As for `kneighbors`.
    mode : {"distance", "connectivity"}, default "distance"
        Whether the entries are distances, or 1.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (m, k)
        Row i has `n_neighbors` entries, in the order of `kneighbors`. Distances
        of 0 are entries, too.

    Raises
    ------
    ValueError, TypeError
        As for `kneighbors`, and if `mode` is wrong.

    See Also
    --------
    radius_neighbors_graph : of all rows within a radius.

    Examples
    --------
    >>> from jsdiv_numba import kneighbors_graph
    >>> graph = kneighbors_graph([[4, 1, 0], [3, 1, 0], [0, 1, 5]], n_neighbors=1)
    >>> graph.toarray().round(3)
    array([[0.   , 0.042, 0.   ],
           [0.042, 0.   , 0.   ],
           [0.   , 0.744, 0.   ]])
    """
    wanted_mode(mode)
    found, number = _nearest(X, Y, n_neighbors, metric_of(metric, base, weight), workers, progress)
    return as_graph(flat(*found), number, mode)


def radius_neighbors_graph(
    X: Any,
    Y: Any = None,
    radius: float = 0.1,
    *,
    mode: str = "distance",
    metric: str = "jensenshannon",
    base: float | None = None,
    weight: float = EQUAL,
    workers: int | None = None,
    progress: Progress | bool | None = None,
) -> Any:
    """Sparse matrix of the distances to all rows within a radius.

    Parameters
    ----------
    X, Y, radius, metric, base, weight, workers, progress
        As for `radius_neighbors`.
    mode : {"distance", "connectivity"}, default "distance"
        Whether the entries are distances, or 1.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (m, k)
        Each row in the order of `radius_neighbors`. Distances of 0 are entries, too.

    Raises
    ------
    ValueError, TypeError
        As for `radius_neighbors`, and if `mode` is wrong.

    See Also
    --------
    kneighbors_graph : of a number of nearest rows.

    Examples
    --------
    >>> from jsdiv_numba import radius_neighbors_graph
    >>> graph = radius_neighbors_graph([[4, 1, 0], [3, 1, 0], [0, 1, 5]], radius=0.1)
    >>> graph.nnz
    2
    """
    wanted_mode(mode)
    found, number = _within(X, Y, radius, metric_of(metric, base, weight), workers, progress)
    return as_graph(found, number, mode)


Population = searching.Population | SparsePopulation
Queries = tuple[str, FloatArray] | Compressed | None


def _sets(X: Any, Y: Any, metric: Metric) -> tuple[Population, Queries]:
    """Return the rows among which to search, and those whose neighbours are wanted."""
    if any_sparse(X, Y):
        return _sparse_sets(X, Y, metric)
    given, X = (X, Y), pairwise.as_rows("X", X)
    if Y is None:
        return population_of("X", X, metric), None
    Y = pairwise.as_rows("Y", Y)
    pairwise.check_columns(X.shape, Y.shape, ("X", "Y"))
    alignment.check_labels(("X", "Y"), given)
    return population_of("Y", Y, metric), ("X", X)


def _sparse_sets(X: Any, Y: Any, metric: Metric) -> tuple[SparsePopulation, Compressed | None]:
    queries = as_compressed("X", X)
    if Y is None:
        return sparse_population_of("X", queries, metric), None
    others = as_compressed("Y", Y)
    pairwise.check_columns(queries.shape, others.shape, ("X", "Y"))
    return sparse_population_of("Y", others, metric), queries


def _nearest(
    X: Any,
    Y: Any,
    n_neighbors: int,
    metric: Metric,
    workers: int | None,
    progress: Progress | bool | None,
) -> tuple[tuple[FloatArray, Any], int]:
    """Return the nearest rows, and of how many."""
    __tracebackhide__ = True
    population, queries = _sets(X, Y, metric)
    number = wanted_number(n_neighbors, len(population.matrix), queries is None)
    with told(progress, "Neighbours") as tell:
        found = _search(population, queries, workers, tell).nearest(number)
    return found, len(population.matrix)


def _within(
    X: Any,
    Y: Any,
    radius: float,
    metric: Metric,
    workers: int | None,
    progress: Progress | bool | None,
) -> tuple[Neighbors, int]:
    """Return the rows within a radius, and of how many."""
    __tracebackhide__ = True
    population, queries = _sets(X, Y, metric)
    most = wanted_radius(radius)
    with told(progress, "Neighbours") as tell:
        found = _search(population, queries, workers, tell).within(most)
    return found, len(population.matrix)


def _search(
    population: Population, queries: Any, workers: int | None, progress: Progress | None
) -> searching.Search | SparseSearch:
    kind: Any = SparseSearch if isinstance(population, SparsePopulation) else searching.Search
    search: searching.Search | SparseSearch = kind(
        population, queries, workers=workers, progress=progress
    )
    return search
