"""What a search for neighbours is asked and how it answers: arguments checked, results shaped."""

from operator import index
from typing import Any

import numpy as np

from .._core import validation
from .._core.pair_metric import Metric
from .._core.sparse import Compressed
from .._core.validation import FloatArray
from . import search
from .search import Neighbors
from .sparse import SparsePopulation

MODES = ("distance", "connectivity")


def population_of(name: str, matrix: FloatArray, metric: Metric) -> search.Population:
    """Return a matrix as rows among which to search."""
    check_columns(name, matrix.shape)
    return search.Population(name, matrix, metric)


def sparse_population_of(name: str, matrix: Compressed, metric: Metric) -> SparsePopulation:
    """Return a sparse matrix as rows among which to search."""
    check_columns(name, matrix.shape)
    return SparsePopulation(name, matrix, metric)


def check_columns(name: str, shape: tuple[int, ...]) -> None:
    """Raise if rows of a matrix have no columns."""
    if not shape[1]:
        raise ValueError(f"{name} has shape {shape}; a distribution needs a column")


def wanted_number(n_neighbors: Any, rows: int, among_itself: bool) -> int:
    """Return a number of neighbours that there are."""
    try:
        number = index(n_neighbors)
    except TypeError:
        raise TypeError(f"n_neighbors is {n_neighbors!r}; it must be an integer") from None
    most = max(rows - among_itself, 0)
    if not 1 <= number <= most:
        others = "other rows" if among_itself else "rows"
        raise ValueError(
            f"n_neighbors is {number}; it must be from 1 to {most}, the number of {others}"
        )
    return number


def wanted_radius(radius: Any) -> float:
    """Return a radius as a float that is not negative."""
    return validation.not_negative("radius", radius)


def wanted_mode(mode: str) -> None:
    """Raise if a graph has no such entries."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(map(repr, MODES))}")


def in_rows(found: Neighbors, return_distance: bool) -> Any:
    """Return the neighbours of each query as an array of their own."""
    indices = _objects(np.split(found.indices, found.starts[1:-1]), len(found.starts) - 1)
    if not return_distance:
        return indices
    return _objects(np.split(found.values, found.starts[1:-1]), len(indices)), indices


def as_graph(found: Neighbors, columns: int, mode: str) -> Any:
    """Return neighbours as a sparse matrix."""
    from scipy.sparse import csr_array

    values = found.values if mode == "distance" else np.ones(len(found.values))
    shape = len(found.starts) - 1, columns
    return csr_array((values, found.indices, found.starts), shape=shape)


def flat(values: FloatArray, indices: np.ndarray[Any, np.dtype[np.intp]]) -> Neighbors:
    """Return as many neighbours of each query one after another."""
    starts = np.arange(len(values) + 1) * values.shape[1]
    return Neighbors(starts, indices.ravel(), values.ravel())


def _objects(arrays: list[FloatArray], number: int) -> FloatArray:
    result = np.empty(number, object)
    for i, array in enumerate(arrays[:number]):
        result[i] = array
    return result
