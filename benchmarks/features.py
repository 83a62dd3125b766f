"""Neighbours by an index of features, re-ranked: ``python -m benchmarks.features``.

How many of the 10 nearest rows an approximate index of `JensenShannonSampler`'s features finds
among its candidates, and how many are left when the exact divergence has ordered these.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from benchmarks import roofline
from benchmarks.neighbors import NUMBER, digits
from benchmarks.sparse import words
from benchmarks.tables import duration, heading, table
from benchmarks.timing import progress
from jsdiv_numba import js_divergence, kneighbors
from jsdiv_numba.kernel_approximation import JensenShannonSampler

STEPS = 2
CANDIDATES = (10, 20, 30, 50)
FULL, QUICK = 20_000, 300
BLOCK = 1_000
"""Rows whose candidates are re-ranked at a time."""

HEADINGS = (
    *("rows", "candidates", "recall of the index", "re-ranked"),
    *("index", "re-ranking", "exact search"),
)


def topics(rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.dirichlet(np.full(50, 0.1), number)


def fewer_words(rng: np.random.Generator, number: int) -> Any:
    """Return sparse rows, a tenth as many: the index takes each pair by itself."""
    return words(rng, number // 10, 20_000)


KINDS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "digits": digits,
    "topics": topics,
    "words": fewer_words,
}


def nearest_by_index(features: Any, number: int) -> np.ndarray:
    """Return the nearest rows by Euclidean distance, a row itself first among them, about."""
    import pynndescent

    if sparse.issparse(features):
        features = sparse.csr_matrix(features, dtype=np.float32)
    index = pynndescent.NNDescent(features, n_neighbors=number, random_state=0, n_jobs=1)
    return np.asarray(index.neighbor_graph[0])


def reranked(rows: Any, candidates: np.ndarray) -> np.ndarray:
    """Return the candidates of each row from the nearest on, without the row itself."""
    ordered = []
    for start in range(0, len(candidates), BLOCK):
        some = candidates[start : start + BLOCK]
        own = np.arange(start, start + len(some))[:, None]
        # Each with its candidates, as two matrices of so many rows: those may be sparse.
        P, Q = rows[np.broadcast_to(own, some.shape).ravel()], rows[some.ravel()]
        divergences = js_divergence(P, Q, axis=-1, keepdims=False, workers=1).reshape(some.shape)
        # An index that finds too few says -1.
        divergences[(some == own) | (some < 0)] = np.inf
        order = np.argsort(divergences, axis=1, kind="stable")
        ordered.append(np.take_along_axis(some, order, axis=1))
    return np.concatenate(ordered)[:, :-1]


def recall(found: np.ndarray, exact: np.ndarray) -> float:
    """Return the share of the exact neighbours that are found."""
    return float((found[:, :, None] == exact[:, None]).any(axis=1).mean())


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def lines_of(kind: str, number: int, rng: np.random.Generator) -> Iterable[tuple[str, ...]]:
    rows = normalize(KINDS[kind](rng, number), norm="l1")
    features = JensenShannonSampler(sample_steps=STEPS).fit_transform(rows.astype(np.float32))
    (_, exact), slow = timed(lambda: kneighbors(rows, n_neighbors=NUMBER, workers=1))
    for candidates in CANDIDATES:
        progress(f"{kind}, {candidates} candidates")
        found, seconds = timed(partial(nearest_by_index, features, candidates + 1))
        others = np.array([row[row != i][:NUMBER] for i, row in enumerate(found[:, : NUMBER + 1])])
        ordered, more = timed(partial(reranked, rows, found))
        yield (
            f"{rows.shape[0]:,} × {rows.shape[1]:,} {kind}",
            str(candidates),
            f"{100 * recall(others, exact):.2f} %",
            f"{100 * recall(ordered[:, :NUMBER], exact):.2f} %",
            *map(duration, (seconds, more, slow)),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    options = parser.parse_args(arguments)
    number, rng = QUICK if options.quick else FULL, np.random.default_rng(0)
    for warm in (rng.random((number, 8), np.float32), fewer_words(rng, number)):
        nearest_by_index(warm, NUMBER)  # which compiles it
    lines = [line for kind in KINDS for line in lines_of(kind, number, rng)]
    note = (
        f"The {NUMBER} nearest of each row among the others, by pynndescent's index of "
        f"{2 * STEPS + 1} features an entry in float32, then in the order of their divergences; "
        "one thread. digits: 1,797 of them repeated with noise; topics: Dirichlet 0.1; words: "
        "sparse, half of each row by Zipf's law, half by that of one of 40 topics"
    )
    command = " ".join(["python -m benchmarks.features", *(["--quick"] if options.quick else [])])
    print(heading(command, roofline.instruction_set(), note))
    print(f"\n{table(HEADINGS, lines)}")


if __name__ == "__main__":
    main()
