"""Calls on short rows, a few, which are all overhead, or many: ``python -m benchmarks.small``."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import distance as scipy_distance

import jsdiv_numba
from benchmarks import inputs, peers, roofline
from benchmarks.rows import DTYPES, contender
from benchmarks.tables import Goal, Line, duration, heading, ratios, table
from benchmarks.timing import (
    LEAST_OF_CPU,
    Contender,
    calls_for,
    median_seconds,
    progress,
    throughputs,
)
from jsdiv_numba import scalarise

Call = Callable[[], Any]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    seconds: float
    """Of one sample: so short that hardly any is interrupted."""

    repeats: int
    many: int
    """Rows."""


FULL = Sizes(seconds=1e-3, repeats=201, many=20_000)
QUICK = Sizes(seconds=1e-4, repeats=7, many=100)

LENGTH, ROWS, FEW, QUERIES, NEIGHBORS = 10, 100, 10, 30, 5

VECTORS_GOAL = Goal(0.35, 0.25, smaller_is_better=True)
ROWS_GOAL = Goal(0.2, smaller_is_better=True)
NO_GOAL = Goal()
PAIRS_GOAL = Goal(0.4, smaller_is_better=True)
LOSS_GOAL = Goal(0.6, smaller_is_better=True)
NEIGHBORS_GOAL = Goal(1, smaller_is_better=True)

MANY_PEERS = peers.OURS, "NumKong", "SimSIMD", peers.JAX_QUOTIENTS
"""What is compared where rows are many."""

SCALARISATIONS = {
    "mean": scalarise.mean_scalarise,
    "sum": scalarise.sum_scalarise,
    "maximum": scalarise.max_scalarise,
    "mean of squares": scalarise.meansq_scalarise,
}


@dataclass(frozen=True)
class Comparison:
    """Calls of this library that compute what another one does."""

    what: str
    """What is given, in words."""

    goal: Goal
    other: str
    reference: Call
    calls: dict[str, Call]

    def lines(self, sizes: Sizes) -> list[Line]:
        """Time all in turn."""
        progress(self.what)
        everything = {self.other: self.reference, **self.calls}
        # What interrupts one estimate makes it too low.
        number = {
            name: max(calls_for(call, sizes.seconds) for _ in range(5))
            for name, call in everything.items()
        }
        contenders = [
            Contender(name, call, calls=number[name], repeats=sizes.repeats)
            for name, call in everything.items()
        ]
        seconds = median_seconds(contenders)
        other = seconds[self.other]
        return [
            Line(
                f"time of {name} of {self.what} / {self.other}",
                seconds[name] / other,
                self.goal,
                duration(seconds[name]),
                duration(other),
            )
            for name in self.calls
        ]


def vectors(dtype: type, rng: np.random.Generator) -> Comparison:
    p, q = inputs.rows(rng, 2, LENGTH, dtype)
    return Comparison(
        f"two {LENGTH}-vectors, {p.dtype}",
        VECTORS_GOAL,
        "SciPy's `jensenshannon`",
        lambda: scipy_distance.jensenshannon(p, q),
        {
            "`js_divergence`": lambda: jsdiv_numba.js_divergence(p, q),
            "`jensenshannon`": lambda: jsdiv_numba.jensenshannon(p, q),
        },
    )


def rows(dtype: type, rng: np.random.Generator) -> Comparison:
    P, Q = (inputs.rows(rng, ROWS, LENGTH, dtype) for _ in range(2))
    return Comparison(
        f"{ROWS} rows of {LENGTH}, {P.dtype}",
        ROWS_GOAL,
        "SciPy's `jensenshannon`",
        lambda: scipy_distance.jensenshannon(P, Q, axis=1),
        {
            "`js_divergence`": lambda: jsdiv_numba.js_divergence(P, Q),
            "`jensenshannon`": lambda: jsdiv_numba.jensenshannon(P, Q, axis=1),
        },
    )


def columns(dtype: type, rng: np.random.Generator) -> Comparison:
    P, Q = (inputs.rows(rng, FEW, LENGTH, dtype) for _ in range(2))
    return Comparison(
        f"{FEW} columns of {LENGTH}, {P.dtype}",
        NO_GOAL,
        "SciPy's `jensenshannon`",
        lambda: scipy_distance.jensenshannon(P, Q),
        {"`jensenshannon`": lambda: jsdiv_numba.jensenshannon(P, Q)},
    )


def lists(rng: np.random.Generator) -> Comparison:
    p, q = inputs.rows(rng, 2, LENGTH, np.float64).tolist()
    return Comparison(
        f"two lists of {LENGTH}",
        NO_GOAL,
        "SciPy's `jensenshannon`",
        lambda: scipy_distance.jensenshannon(p, q),
        {"`jensenshannon`": lambda: jsdiv_numba.jensenshannon(p, q)},
    )


def pairs(dtype: type, rng: np.random.Generator) -> Comparison:
    A, B = (inputs.rows(rng, FEW, LENGTH, dtype) for _ in range(2))
    return Comparison(
        f"{FEW} × {FEW} rows of {LENGTH}, {A.dtype}",
        PAIRS_GOAL,
        "SciPy's",
        lambda: scipy_distance.cdist(A, B, "jensenshannon"),
        {"`cdist`": lambda: jsdiv_numba.cdist(A, B)},
    )


def losses(dtype: type, rng: np.random.Generator) -> Comparison:
    P, Q = (inputs.rows(rng, ROWS, LENGTH, dtype) for _ in range(2))

    def formula() -> Any:
        """Return the mean, as one writes it who knows that nothing is 0."""
        M = 0.5 * (P + Q)
        return (0.5 * (P * np.log(P / M) + Q * np.log(Q / M)).sum(axis=-1)).mean()

    def of(loss: jsdiv_numba.Loss) -> Call:
        return lambda: loss(P, Q)

    given = {
        f"`JSDivergenceLoss` ({name})": jsdiv_numba.JSDivergenceLoss(scalarisation=make())
        for name, make in SCALARISATIONS.items()
    }
    given["`KLDivergenceLoss` (mean)"] = jsdiv_numba.KLDivergenceLoss()
    np.testing.assert_allclose(next(iter(given.values()))(P, Q), formula(), rtol=1e-4)
    return Comparison(
        f"{ROWS} rows of {LENGTH}, {P.dtype}",
        LOSS_GOAL,
        "the mean of NumPy's formula",
        formula,
        {name: of(loss) for name, loss in given.items()},
    )


def neighbors(dtype: type, rng: np.random.Generator) -> Comparison:
    X = inputs.rows(rng, QUERIES, LENGTH, dtype)

    def by_sorting() -> Any:
        distances = jsdiv_numba.cdist(X, X, dtype=np.float64)
        np.fill_diagonal(distances, np.inf)
        order = distances.argsort(axis=1)[:, :NEIGHBORS]
        return np.take_along_axis(distances, order, 1), order

    def own() -> Any:
        return jsdiv_numba.kneighbors(X, n_neighbors=NEIGHBORS)

    for mine, sorted_ones in zip(own(), by_sorting(), strict=True):
        np.testing.assert_array_equal(mine, sorted_ones)
    return Comparison(
        f"{QUERIES} rows of {LENGTH}, {X.dtype}",
        NEIGHBORS_GOAL,
        "`cdist` and `argsort`",
        by_sorting,
        {"`kneighbors`": own},
    )


def many_rows(sizes: Sizes, rng: np.random.Generator) -> str:
    """Return a table of what a row takes where there are many."""
    shape = sizes.many, LENGTH
    pairs_of: dict[str, tuple[peers.Loaders, list[Any]]] = {
        f"probabilities, {np.dtype(dtype).name}": (
            peers.ROWS,
            [inputs.rows(rng, *shape, dtype) for _ in range(2)],
        )
        for dtype in DTYPES
    }
    pairs_of["logits, float32"] = peers.LOGITS, [inputs.logits(rng, *shape) for _ in range(2)]
    return table(
        ("time of a row", *MANY_PEERS),
        ((what, *_times_of_a_row(*given)) for what, given in pairs_of.items()),
    )


def _times_of_a_row(loaders: peers.Loaders, given: list[Any]) -> list[str]:
    compared = {name: loaders[name] for name in MANY_PEERS if name in loaders}
    timed = [contender(peer, *given) for peer in peers.installed(compared)]
    rate = throughputs(timed, LEAST_OF_CPU)
    return [f"{1e9 * LENGTH / rate[name]:.1f} ns" if name in rate else "" for name in MANY_PEERS]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few samples, to try it out")
    options = parser.parse_args(arguments)
    sizes, rng = QUICK if options.quick else FULL, np.random.default_rng()
    of_arrays = (vectors, rows, columns, pairs, losses, neighbors)
    compared = [measure(dtype, rng) for measure in of_arrays for dtype in DTYPES]
    lines = [line for each in (*compared, lists(rng)) for line in each.lines(sizes)]
    command = " ".join(["python -m benchmarks.small", *(["--quick"] if options.quick else [])])
    samples = f"Median of {sizes.repeats} samples of {duration(sizes.seconds)} each"
    print(heading(command, roofline.instruction_set(), samples))
    print(f"\n{ratios(lines)}\n\n{many_rows(sizes, rng)}")


if __name__ == "__main__":
    main()
