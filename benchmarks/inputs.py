"""The rows that are measured, drawn fresh, and those that the peers' answers are judged on."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.random import Generator

from tests import cases

SEPARATION = 1e-3
"""Of the near-duplicates that are timed: their divergence is about 1e-7."""

SHORTEST = 7
"""Elements of a row that answers are judged on: shorter ones are often equal, or all zeros."""


def rows(rng: Generator, number: int, length: int, dtype: type) -> np.ndarray:
    """Return rows drawn uniformly from the simplex."""
    weights = rng.standard_exponential((number, length))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(dtype)


def near_duplicates(rng: Generator, originals: np.ndarray) -> np.ndarray:
    """Return rows with every entry changed by about a thousandth."""
    return _perturbed(rng, originals, SEPARATION)


def clusters(rng: Generator, number: int, length: int, size: int, dtype: type) -> np.ndarray:
    """Return rows of which each is a near-duplicate of ``size - 1`` others."""
    centres = rows(rng, -(-number // size), length, dtype)
    return near_duplicates(rng, centres[rng.permutation(number) % len(centres)])


def logits(rng: Generator, number: int, length: int) -> np.ndarray:
    return 3 * rng.standard_normal((number, length), np.float32)


def _perturbed(rng: Generator, row: np.ndarray, separation: float) -> np.ndarray:
    factors = 1 + separation * rng.standard_normal(row.shape)
    return np.abs(row.astype(np.float64) * factors).astype(row.dtype)


def near_equal(smallest: dict[type, float]) -> Callable[[Generator, type], cases.Pair]:
    """Return a function that draws separations from 1 down to the smallest of a precision."""

    def draw(rng: Generator, dtype: type) -> cases.Pair:
        p, _ = cases.ordinary(rng, dtype)
        return p, _perturbed(rng, p, 10.0 ** rng.uniform(np.log10(smallest[dtype]), 0))

    return draw


def judged(
    draw: Callable[[Generator, type], cases.Pair], dtype: type, count: int, seed: int = 0
) -> Iterator[cases.Pair]:
    """Yield `count` pairs of rows that can be normalised and differ."""
    rng = np.random.default_rng(seed)
    while count:
        p, q = draw(rng, dtype)
        if p.size >= SHORTEST and p.any() and q.any() and (p != q).any():
            count -= 1
            yield p, q
