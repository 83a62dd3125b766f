"""Exact nearest neighbours, against brute force and an approximate index.

``python -m benchmarks.neighbors``. Each line's roofline is one product of the roots of all
pairs, at the peak rate of multiply-adds on one thread.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist as scipy_cdist

from benchmarks import inputs, memory, roofline
from benchmarks.tables import Goal, Line, duration, heading, percent, rate, ratios
from benchmarks.timing import (
    Contender,
    Timing,
    median_seconds,
    progress,
    seconds_per_call,
    throughputs,
)
from jsdiv_numba import cdist, kneighbors
from jsdiv_numba._kernels.pairwise import blocking

NUMBER = 10
"""Neighbours that are wanted."""

OURS, BRUTE, SCIPY, APPROXIMATE, PEAK = "ours", "cdist", "SciPy", "pynndescent", "peak"

PRODUCT = "matrix product of the search / peak rate"

PRUNED = {BRUTE: Goal(4), SCIPY: Goal(200), APPROXIMATE: Goal(1)}
NOT_PRUNED = {BRUTE: Goal(0.87), SCIPY: Goal(), APPROXIMATE: Goal()}
MEMORY_GOAL = Goal(1, smaller_is_better=True)
MOST_MEMORY = 2e9


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rows: int
    fewer: int
    many: tuple[int, int]
    """Rows, and queries, whose memory is measured."""

    repeats: int
    turns: int
    square: int
    """Rows and columns of the matrices that NumPy multiplies."""


FULL = Sizes(20_000, 5_000, (1_000_000, 10_000), 3, 10_000_000, 4_096)
QUICK = Sizes(400, 200, (2_000, 50), 1, 1_000, 64)


def digits(rng: np.random.Generator, number: int) -> np.ndarray:
    """Return handwritten digits, repeated with noise."""
    from sklearn.datasets import load_digits

    data = load_digits().data
    data = data[rng.integers(len(data), size=number)]
    return np.maximum(data + rng.standard_normal(data.shape) * (data > 0), 0.0)


def topics(rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.dirichlet(np.full(100, 0.1), number)


def sparse(rng: np.random.Generator, number: int) -> np.ndarray:
    rows = rng.dirichlet(np.full(4096, 0.01), number)
    rows[rows < 1e-6] = 0
    return rows


def uniform(rng: np.random.Generator, number: int) -> np.ndarray:
    return inputs.rows(rng, number, 64, np.float64)


def almost_equal(rng: np.random.Generator, number: int, separation: float = 1e-6) -> np.ndarray:
    factors = 1 + separation * rng.standard_normal((number, 64))
    return inputs.rows(rng, 1, 64, np.float64) * factors


def indistinct(rng: np.random.Generator, number: int) -> np.ndarray:
    """Return rows that differ in some last digits, which no bound tells apart."""
    return almost_equal(rng, number, 1e-15)


KINDS: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], dict[str, Goal]]] = {
    "digits": (digits, PRUNED),
    "topics": (topics, PRUNED),
    "sparse": (sparse, PRUNED),
    "uniform": (uniform, NOT_PRUNED),
    "almost equal": (almost_equal, NOT_PRUNED),
    "indistinct": (indistinct, NOT_PRUNED),
}

APPROXIMATED = ("digits", "topics")
FEWER = ("sparse", "almost equal", "indistinct")
"""Of which there are `Sizes.fewer`."""


def brute_force(function: Callable[..., Any], some: np.ndarray, X: np.ndarray) -> Any:
    distances = function(some, X, "jensenshannon")
    return np.argpartition(distances, NUMBER, axis=1)[:, : NUMBER + 1]


def approximate(X: np.ndarray) -> Any:
    import pynndescent

    index = pynndescent.NNDescent(
        X.astype(np.float32), metric="jensen_shannon", n_neighbors=NUMBER + 1, n_jobs=1
    )
    return index.query(X.astype(np.float32), k=NUMBER + 1)


def one_thread(*arguments: Any) -> Any:
    return cdist(*arguments, workers=1)


def lines_of(kind: str, sizes: Sizes, rng: np.random.Generator) -> list[Line]:
    """Time one kind of rows; the slower contenders are given some of them against all."""
    progress(kind)
    draw, goals = KINDS[kind]
    X = draw(rng, sizes.fewer if kind in FEWER else sizes.rows)
    number, repeats = len(X), sizes.repeats
    some, few = X[: max(1, number // 20)], X[: max(1, number // 1000)]
    peak, operations = roofline.peak_work(np.float32, False, sizes.turns)
    timed = [
        Contender(OURS, lambda: kneighbors(X, n_neighbors=NUMBER, workers=1), repeats=repeats),
        Contender(BRUTE, lambda: brute_force(one_thread, some, X), repeats=repeats),
        Contender(SCIPY, lambda: brute_force(scipy_cdist, few, X), repeats=1),
        Contender(PEAK, peak, repeats=repeats),
    ]
    seconds = median_seconds(timed)
    if kind in APPROXIMATED:
        approximate(X[:200])
        seconds[APPROXIMATE] = seconds_per_call(Contender(APPROXIMATE, lambda: approximate(X)))
    whole = {BRUTE: number / len(some), SCIPY: number / len(few), APPROXIMATE: 1.0}
    product = float(number) ** 2 * X.shape[1] / (operations / seconds[PEAK])
    share = f"{percent(product / seconds[OURS])} of one product at peak"
    shape = f"{number:,} × {X.shape[1]:,} {kind}"
    return [
        Line(
            f"{shape} / {other}",
            whole[other] * seconds[other] / seconds[OURS],
            goals[other],
            duration(seconds[OURS]),
            duration(whole[other] * seconds[other]),
            share,
        )
        for other in (BRUTE, SCIPY, APPROXIMATE)
        if other in seconds
    ]


def blas(sizes: Sizes, rng: np.random.Generator) -> str:
    """Return what NumPy multiplies matrices with, and how near the peak that comes."""
    try:
        from threadpoolctl import threadpool_info, threadpool_limits
    except ModuleNotFoundError:
        return ""
    # Of two: a matrix times its own transpose takes half of the work.
    left, right = rng.random((2, sizes.square, sizes.square), np.float32)
    peak, operations = roofline.peak_work(np.float32, False, sizes.turns)
    product = Contender("product", lambda: left @ right, float(sizes.square) ** 3)
    with threadpool_limits(1):
        rates = throughputs([product, Contender(PEAK, peak, operations)])
    names = " ".join(
        f"{library['internal_api']} {library['version']} ({library.get('architecture', '?')})"
        for library in threadpool_info()
        if library["user_api"] == "blas" and "numpy" in library["filepath"]
    )
    return (
        f"Peak: multiply-adds of float32 in registers, {rate(rates[PEAK])}. NumPy's product of two "
        f"matrices of {sizes.square:,} × {sizes.square:,}, which is not used here, does "
        f"{percent(rates['product'] / rates[PEAK])} of that, by {names or 'its BLAS'}"
    )


@cache
def _multiply() -> Any:
    """Compile the product of matrices that a search does, for a call from here."""
    from jsdiv_numba._kernels.codegen.dispatch import callable_from_python
    from jsdiv_numba._kernels.pairwise.matmul import multiply_panels

    @callable_from_python
    def multiply(a: Any, b: Any, panels: int, tile: Any) -> None:
        multiply_panels(a, b, 0, panels, tile, 0, False)

    return multiply


def product_line(turns: int, timing: Timing) -> Line:
    """Measure the product of matrices of a search among rows of 64, in the caches."""
    blocks, rows, depth = blocking.sizes(), 256, 2 * 64 + 1
    a = np.ones((rows // blocks.panel, depth, blocks.panel), np.float32)
    b = np.ones((blocks.square // blocks.width, depth, blocks.width), np.float32)
    tile = np.empty((rows, blocks.square), np.float32)
    multiply, work = _multiply(), float(rows * blocks.square * depth)
    peak, operations = roofline.peak_work(np.float32, False, turns)
    product = Contender(OURS, lambda: multiply(a, b, len(b), tile), work, calls=10)
    speed = throughputs([product, Contender(PEAK, peak, operations)], timing)
    return Line(PRODUCT, speed[OURS] / speed[PEAK], Goal(), rate(speed[OURS]), rate(speed[PEAK]))


def memory_line(sizes: Sizes) -> list[Line]:
    """Measure the peak of a process that searches many rows."""
    progress("memory")
    rows, queries = sizes.many
    command = [sys.executable, "-m", "benchmarks.neighbors", "--peak", str(rows), str(queries)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    if not done.stdout.strip():
        return []
    peak = float(done.stdout)
    what = f"peak memory of a process, {rows:,} × 64 rows, {queries:,} queries / 2 GB"
    return [Line(what, peak / MOST_MEMORY, MEMORY_GOAL, f"{peak / 1e6:.0f} MB", "2000 MB")]


def print_peak(rows: int, queries: int) -> None:
    """Search, and print how much memory the process held at most, where that is known."""
    rng = np.random.default_rng()
    X = rng.standard_exponential((rows, 64))
    kneighbors(X[:queries], X, n_neighbors=NUMBER)
    if memory.STATUS.exists():
        print(memory.status("VmHWM"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--peak", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.peak:
        print_peak(*options.peak)
        return
    sizes, rng = QUICK if options.quick else FULL, np.random.default_rng()
    lines = [line for kind in KINDS for line in lines_of(kind, sizes, rng)]
    lines += memory_line(sizes)
    note = (
        f"The {NUMBER} nearest rows of each among the others, one thread. `cdist` and SciPy's, "
        "each with `argpartition`, take a twentieth and a thousandth of the rows against all, "
        "and their times are scaled; pynndescent builds its index and queries it once, after "
        "compiling, and is approximate. digits: 1,797 of them repeated with noise; topics: "
        "Dirichlet 0.1; sparse: Dirichlet 0.01, three quarters of it 0; uniform: Dirichlet 1; "
        "almost equal and indistinct: one row, entries changed by about 1e-6 and 1e-15 of them"
    )
    command = " ".join(["python -m benchmarks.neighbors", *(["--quick"] if options.quick else [])])
    print(heading(command, roofline.instruction_set(), note, blas(sizes, rng)))
    print(f"\n{ratios(lines)}")


if __name__ == "__main__":
    main()
