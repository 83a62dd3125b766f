"""The search for neighbours as a scikit-learn estimator, which does without scikit-learn, too."""

from typing import Any

from .._core import sparse
from .._core.estimator import base_class
from .._core.pair_metric import Metric, metric_of
from .._core.validation import EQUAL
from . import search as searching
from .sparse import SparsePopulation, SparseSearch
from .validation import (
    as_graph,
    flat,
    in_rows,
    population_of,
    sparse_population_of,
    wanted_mode,
    wanted_number,
    wanted_radius,
)

__all__ = ["JensenShannonNeighbors"]


_Base: Any = base_class()


class JensenShannonNeighbors(_Base):
    """Exact nearest neighbours in Jensen-Shannon distance, among rows that are kept.

    `fit` prepares the rows once, with their roots and entropies, for any number of
    calls. With scikit-learn it is an estimator and a transformer that stands in the
    place of its `NearestNeighbors` and `KNeighborsTransformer`.

    Parameters
    ----------
    n_neighbors : int, default 5
        How many neighbours.
    mode : {"distance", "connectivity"}, default "distance"
        What the graph of `transform` holds. With "distance" each row has one
        neighbour more, since those that were fitted are their own, as in
        scikit-learn's `KNeighborsTransformer`.
    radius : float, default 0.1
        The largest distance for `radius_neighbors`.
    metric : {"jensenshannon", "js_divergence", "kl_divergence"}, default "jensenshannon"
        The distance, the divergence: its square, or the Kullback-Leibler divergence
        of each fitted row from each of those whose neighbours are wanted.
    base : float, optional
        Base of the logarithm; None is e.
    weight : float, default 0.5
        That of the fitted rows; see `jsdiv_numba.kneighbors`.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of
        `set_workers`. Results are bitwise identical for any number.

    Attributes
    ----------
    n_samples_fit_ : int
        Number of rows that were fitted.
    n_features_in_ : int
        Number of their columns.
    feature_names_in_ : ndarray of str
        The columns' names, with scikit-learn and if they are all text.

    See Also
    --------
    kneighbors, radius_neighbors : for a single call.

    Notes
    -----
    Results are those of the functions of the same names, in float64. Without
    scikit-learn the class does the same, but for what scikit-learn's base classes
    add, `get_params` and `set_output` among it. With it, a NaN is an error. The
    rows themselves are not copied: what they hold must not be changed later.

    Examples
    --------
    >>> from jsdiv_numba.neighbors import JensenShannonNeighbors
    >>> counts = [[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]]
    >>> search = JensenShannonNeighbors(n_neighbors=1).fit(counts)
    >>> distances, indices = search.kneighbors([[1, 1, 7]])
    >>> indices
    array([[2]])
    >>> search.fit_transform(counts).toarray().round(3)
    array([[0.   , 0.042, 0.   , 0.   ],
           [0.042, 0.   , 0.   , 0.   ],
           [0.   , 0.   , 0.   , 0.03 ],
           [0.   , 0.   , 0.03 , 0.   ]])
    """

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        mode: str = "distance",
        radius: float = 0.1,
        metric: str = "jensenshannon",
        base: float | None = None,
        weight: float = EQUAL,
        workers: int | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.mode = mode
        self.radius = radius
        self.metric = metric
        self.base = base
        self.weight = weight
        self.workers = workers

    def fit(self, X: Any, y: Any = None) -> Any:
        """Prepare the rows among which to search, one distribution a row; return the object."""
        rows, metric = self._validated(X, reset=True), self._metric
        population: searching.Population | SparsePopulation
        if sparse.is_sparse(rows):
            population = sparse_population_of("X", sparse.as_compressed("X", rows), metric)
        else:
            population = population_of("X", rows, metric)
        population.keep(self.workers)
        self.n_samples_fit_ = len(population.matrix)
        self._population = population
        self._n_features_out = self.n_samples_fit_
        return self

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Return the k nearest of the fitted rows, as `jsdiv_numba.kneighbors` does.

        Without `X`, the queries are the fitted rows, of which none is its own neighbour. Without
        `n_neighbors`, it is what the object was made with.
        """
        found = self._nearest(X, n_neighbors)
        return found if return_distance else found[1]

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "distance"
    ) -> Any:
        """Return the k nearest as a sparse matrix, as `jsdiv_numba.kneighbors_graph` does."""
        wanted_mode(mode)
        return as_graph(flat(*self._nearest(X, n_neighbors)), self.n_samples_fit_, mode)

    def radius_neighbors(
        self,
        X: Any = None,
        radius: float | None = None,
        return_distance: bool = True,
        sort_results: bool = True,
    ) -> Any:
        """Return all fitted rows within a radius, as `jsdiv_numba.radius_neighbors` does.

        `X` is as for `kneighbors`. Without `radius`, it is what the object was made with.
        Neighbours are in order always; `sort_results` is accepted for scikit-learn's sake.
        """
        return in_rows(self._within(X, radius), return_distance)

    def radius_neighbors_graph(
        self,
        X: Any = None,
        radius: float | None = None,
        mode: str = "distance",
        sort_results: bool = True,
    ) -> Any:
        """Return a radius's rows as a sparse matrix, as `jsdiv_numba.radius_neighbors_graph`."""
        wanted_mode(mode)
        return as_graph(self._within(X, radius), self.n_samples_fit_, mode)

    def transform(self, X: Any) -> Any:
        """Return the graph of the nearest fitted rows, for ``metric="precomputed"``.

        Fitted rows in `X` are their own nearest neighbours: with distances, the graph has one
        neighbour more than `n_neighbors`.
        """
        wanted_mode(self.mode)
        search, one_more = self._search(X), self.mode == "distance"
        number = wanted_number(self.n_neighbors, self.n_samples_fit_, one_more)
        return as_graph(flat(*search.nearest(number + one_more)), self.n_samples_fit_, self.mode)

    def _search(self, X: Any) -> searching.Search | SparseSearch:
        population, queries = self._fitted(), None
        if X is not None:
            queries = self._validated(X, reset=False)
        settings: dict[str, Any] = {"workers": self.workers, "progress": None}
        is_sparse = isinstance(population, SparsePopulation)
        if not is_sparse and not sparse.is_sparse(queries):
            given = None if queries is None else ("X", queries)
            return searching.Search(population, given, **settings)
        if not is_sparse:
            rows = sparse.as_compressed("X", population.matrix)
            population = sparse_population_of("X", rows, population.metric)
        compressed = None if queries is None else sparse.as_compressed("X", queries)
        return SparseSearch(population, compressed, **settings)

    @property
    def _metric(self) -> Metric:
        return metric_of(self.metric, self.base, self.weight)

    def _fitted(self) -> Any:
        """Return the rows among which to search, or raise where there are none."""
        if not hasattr(self, "_population"):
            self._validated([[1.0]], reset=False)
        return self._population.measured_by(self._metric)

    def _nearest(self, X: Any, n_neighbors: int | None) -> Any:
        search = self._search(X)
        wanted = self.n_neighbors if n_neighbors is None else n_neighbors
        return search.nearest(wanted_number(wanted, self.n_samples_fit_, X is None))

    def _within(self, X: Any, radius: float | None) -> searching.Neighbors:
        return self._search(X).within(wanted_radius(self.radius if radius is None else radius))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64"]
        return tags
