"""The pairs that are closest and farthest, without sorting all of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pair = tuple[int, int]


def closest(
    matrix: NDArray[np.floating[Any]], count: int, *, upper: bool, own: bool = True
) -> list[Pair]:
    """Return the indices of the smallest entries, smallest first, ties by index; no NaN is one.

    `matrix`, shape (n, m): distances or divergences. `count`: how many pairs, at least 1;
    fewer come back where there are fewer. `upper`: whether only those above the diagonal
    are looked at. `own`: whether those on it are.

    Examples
    --------
    >>> matrix = np.array([[0.0, 0.3, 0.1], [0.3, 0.0, 0.3], [0.1, 0.3, 0.0]])
    >>> closest(matrix, 2, upper=True)
    [(0, 2), (0, 1)]
    """
    return _smallest(matrix, count, upper, own, sign=1)


def farthest(
    matrix: NDArray[np.floating[Any]], count: int, *, upper: bool, own: bool = True
) -> list[Pair]:
    """Return the indices of the largest entries, largest first, ties by index.

    Parameters and result are those of `closest`.

    Examples
    --------
    >>> matrix = np.array([[0.0, 0.3, 0.1], [0.3, 0.0, 0.3], [0.1, 0.3, 0.0]])
    >>> farthest(matrix, 2, upper=True)
    [(0, 1), (1, 2)]
    """
    return _smallest(matrix, count, upper, own, sign=-1)


def _smallest(
    matrix: NDArray[np.floating[Any]], count: int, upper: bool, own: bool, sign: int
) -> list[Pair]:
    # Row by row, so that a matrix that only just fits in memory is never copied.
    candidates: list[Pair] = []
    for i, row in enumerate(matrix):
        start = i + 1 if upper else 0
        values = sign * row[start:]
        if not own and not upper:
            values[i] = np.nan
        found = _smallest_indices(values, count)
        candidates.extend((i, start + int(j)) for j in found)
    values = np.array([sign * matrix[pair] for pair in candidates])
    return [candidates[k] for k in _smallest_indices(values, count)]


def _smallest_indices(values: NDArray[np.floating[Any]], count: int) -> NDArray[np.intp]:
    there = ~np.isnan(values)
    if not there.all():
        # A value that is missing is neither small nor large.
        places = np.flatnonzero(there)
        return places[_smallest_indices(values[places], count)]
    if count >= values.size:
        return np.argsort(values, kind="stable")
    # argpartition alone may return any of the values that tie with the last one.
    bound = values[np.argpartition(values, count - 1)[count - 1]]
    below = np.flatnonzero(values < bound)
    ties = np.flatnonzero(values == bound)[: count - below.size]
    return np.concatenate([below[np.argsort(values[below], kind="stable")], ties])
