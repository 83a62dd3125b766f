"""Worst relative errors against exact answers: ``python -m benchmarks.accuracy``.

Draws random pairs of rows of every kind in ``tests/cases.py``, in both precisions, and
compares each answer with the exact one, by as many digits as it takes to know the error.
Prints a Markdown table and, for every bound of the accuracy contract that was exceeded, the
rows that exceed it; the exit code is then 1.

A processor's numbers are others than another's. ``--processor haswell`` measures as one with
AVX2 has them, ``--output`` keeps what was found, and ``--merge`` makes one table of several.
"""

import argparse
import csv
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import numpy as np

import jsdiv_numba
from tests import cases, oracle, processors

DIGITS = (40, 150, 1_000)
"""One after the other, until an error is known: few rows need more than the first, and few, sparse
or from logits, more than the second."""


@dataclass(frozen=True)
class Path:
    """One way to a result: what is drawn for it, and how it is judged."""

    name: str
    kinds: dict[str, Callable[[np.random.Generator, type], cases.Pair]]
    errors: Callable[[Any, Any], Iterable[float]]
    bounds: dict[type, float]

    def drawn(self, kind: str, dtype: type, seed: int, case: int) -> cases.Pair:
        """Draw a case, whatever others are."""
        return self.kinds[kind](np.random.default_rng([seed, case]), dtype)

    def errors_of(self, pair: cases.Pair) -> list[float]:
        """Return a case's errors."""
        for digits in DIGITS:
            try:
                with oracle.in_balls(digits):
                    return list(self.errors(*pair))
            except oracle.TooFewDigitsError:
                continue
        raise oracle.TooFewDigitsError(f"{self.name}: {DIGITS[-1]} digits do not tell its error")


@dataclass
class Worst:
    """The largest error on one path of one kind of rows, and the case that has it."""

    path: Path
    kind: str
    dtype: type
    error: float = 0.0
    case: int = 0
    seed: int = 0

    @property
    def bound(self) -> float:
        return self.path.bounds[self.dtype]

    @property
    def exceeded(self) -> bool:
        return not self.error <= self.bound

    @property
    def pair(self) -> cases.Pair:
        return self.path.drawn(self.kind, self.dtype, self.seed, self.case)

    def note(self, error: float, case: int) -> None:
        # Not `error > self.error`: NaN is the worst error, and stays.
        if not (error <= self.error or np.isnan(self.error)):
            self.error, self.case = error, case


def row_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    computed = jsdiv_numba.js_divergence(p, q, keepdims=False)
    return [oracle.relative_error(computed, oracle.js_divergence(p, q))]


def beside_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    computed, _, _ = jsdiv_numba.js_divergence_grad(p, q, keepdims=False)
    return [oracle.relative_error(computed, oracle.js_divergence(p, q))]


def column_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    """Return the error of columns that lie side by side."""
    P, Q = (np.stack([row, row], axis=1) for row in (p, q))
    computed = jsdiv_numba.js_divergence(P, Q, axis=0)[0, 0]
    return [oracle.relative_error(computed, oracle.js_divergence(p, q))]


def term_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    computed = jsdiv_numba.js_divergence(p, q, reduce=False)
    return list(map(oracle.relative_error, computed, oracle.js_terms(p, q)))


WEIGHTS = (1e-9, 0.1, 0.7)
"""Of the second row."""


def skewed_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    errors = []
    for weight in WEIGHTS:
        computed = jsdiv_numba.js_divergence(p, q, weight=weight, keepdims=False)
        exact = oracle.total(oracle.skewed_terms, p, q, weight=weight)
        errors.append(oracle.relative_error(computed, exact))
    return errors


def skewed_term_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    errors = []
    for weight in WEIGHTS:
        computed = jsdiv_numba.js_divergence(p, q, weight=weight, reduce=False)
        exact = oracle.skewed_terms(p, q, weight)
        errors += map(oracle.relative_error, computed, exact)
    return errors


def many_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    """Return the error of three distributions, of which the third is between the others."""
    rows = np.stack([p, q, p / 2 + q / 2])
    shares = oracle.shares((1, 2, 3))
    exact = sum((oracle.term_of_many(column, shares) for column in rows.T), oracle.number(0))
    computed = jsdiv_numba.js_divergence_many(rows, weights=(1, 2, 3), keepdims=False)
    return [oracle.relative_error(computed, exact)]


def logit_errors(a: np.ndarray, b: np.ndarray) -> list[float]:
    computed = jsdiv_numba.js_divergence_logit(a, b, keepdims=False)
    return [oracle.relative_error(computed, oracle.js_divergence_logit(a, b))]


def slope_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    """Return the errors of the derivatives; one that is infinite is so exactly."""
    _, in_p, in_q = jsdiv_numba.js_divergence_grad(p, q)
    exact = [*oracle.js_slopes(p, q), *oracle.js_slopes(q, p)]
    return errors_of_slopes([*in_p, *in_q], exact)


def errors_of_slopes(computed: Iterable[Any], exact: Iterable[Any]) -> list[float]:
    return [
        oracle.relative_error(one, slope)
        if abs(slope) != math.inf
        else 0.0
        if one == slope
        else np.inf
        for one, slope in zip(computed, exact, strict=True)
    ]


def skewed_slope_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    errors = []
    for weight in WEIGHTS:
        _, in_p, in_q = jsdiv_numba.js_divergence_grad(p, q, weight=weight)
        of_q = oracle.skewed_slopes(q, p, 1 - oracle.number(weight))
        exact = [*oracle.skewed_slopes(p, q, weight), *of_q]
        errors += errors_of_slopes([*in_p, *in_q], exact)
    return errors


def logit_slope_errors(a: np.ndarray, b: np.ndarray) -> list[float]:
    _, in_a, in_b = jsdiv_numba.js_divergence_logit_grad(a, b)
    return [
        oracle.error_of_largest(in_a, oracle.js_gradient_logit(a, b)),
        oracle.error_of_largest(in_b, oracle.js_gradient_logit(b, a)),
    ]


def of_parts(computed: Any, exact: Any, constant: int) -> list[float]:
    """Return the errors of logarithms and a constant, of which one may take the other away."""
    scales = (abs(slope - constant) + 1 for slope in exact)
    return [error_of(*each)[0] for each in zip(computed, exact, scales, strict=True)]


def kl_slope_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    """Return the errors of the derivatives where p and q are positive."""
    _, in_p, in_q = jsdiv_numba.kl_divergence_grad(p, q)
    both = (p > 0) & (q > 0)
    exact_p, exact_q = oracle.kl_slopes(p[both], q[both])
    highest = float(np.finfo(p.dtype).max)
    ratios = zip(in_q[both], exact_q, strict=True)
    return [
        *of_parts(in_p[both], exact_p, 1),
        *(oracle.relative_error(one, ratio) for one, ratio in ratios if -ratio < highest),
    ]


def entropy_slope_errors(p: np.ndarray, _: np.ndarray) -> list[float]:
    _, in_p = jsdiv_numba.entropy_grad(p)
    return of_parts(in_p[p > 0], oracle.entropy_slopes(p[p > 0]), -1)


def kl_logit_slope_errors(a: np.ndarray, b: np.ndarray) -> list[float]:
    """Return the errors; where the divergence is infinite, those in b alone."""
    _, *computed = jsdiv_numba.kl_divergence_logit_grad(a, b)
    return [
        oracle.error_of_largest(one, exact)
        for one, exact in zip(computed, oracle.kl_gradient_logit(a, b), strict=True)
        if exact is not None
    ]


def entropy_logit_slope_errors(a: np.ndarray, _: np.ndarray) -> list[float]:
    _, in_a = jsdiv_numba.entropy_logit_grad(a)
    return [oracle.error_of_largest(in_a, oracle.entropy_gradient_logit(a))]


def squared_error(distance: Any, p: np.ndarray, q: np.ndarray) -> list[float]:
    """Return the relative error of the square, which has twice that of the distance."""
    if not (p.any() and q.any()):
        return []  # such rows cannot be normalised
    if oracle.are_proportional(p, q):
        # Nothing is relative to 0; what is left is to be of the order of a squared rounding.
        return [0.0 if distance**2 < np.finfo(distance.dtype).eps ** 2 else math.inf]
    exact = oracle.js_divergence_normalised(p, q)
    if (
        abs(oracle.number(float(distance)) ** 2 - exact)
        <= np.finfo(distance.dtype).smallest_subnormal
    ):
        return [0.0]
    return [2 * oracle.relative_error(distance, oracle.sqrt(exact))]


def distance_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    return squared_error(jsdiv_numba.jensenshannon(p, q), p, q)


def pair_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    return squared_error(jsdiv_numba.cdist([p], [q])[0, 0], p, q)


def error_of(computed: Any, exact: Any, scale: Any) -> list[float]:
    """Return an error as part of a scale; none where the exact answer is infinite."""
    if exact == math.inf:
        return [] if np.isposinf(computed) else [float("inf")]
    return [oracle.error_of(computed, exact, scale)]


def kl_errors(p: np.ndarray, q: np.ndarray) -> list[float]:
    """Return the error as part of KL + 2·|Σp - Σq|."""
    exact = oracle.total(oracle.kl_terms, p, q)
    computed = jsdiv_numba.kl_divergence(p, q, keepdims=False)
    return error_of(computed, exact, abs(exact) + 2 * oracle.gap(p, q))


def kl_logit_errors(a: np.ndarray, b: np.ndarray) -> list[float]:
    exact = sum(oracle.kl_terms_logit(a, b), oracle.number(0))
    return error_of(jsdiv_numba.kl_divergence_logit(a, b, keepdims=False), exact, abs(exact))


def entropy_errors(p: np.ndarray, _: np.ndarray) -> list[float]:
    """Return the error as part of the terms' magnitudes."""
    exact = oracle.total(oracle.entropy_terms, p)
    scale = oracle.total(lambda row: list(map(abs, oracle.entropy_terms(row))), p)
    return error_of(jsdiv_numba.entropy(p, keepdims=False), exact, scale)


def entropy_logit_errors(a: np.ndarray, _: np.ndarray) -> list[float]:
    exact = sum(oracle.entropy_terms_logit(a), oracle.number(0))
    return error_of(jsdiv_numba.entropy_logit(a, keepdims=False), exact, exact)


FULL = {np.float64: 1e-14, np.float32: 1e-6}
FROM_LOGITS = {np.float64: 1e-10, np.float32: 1e-4}
PROBABILITIES = {**cases.ROWS, **cases.STRUCTURED}
# Where every element has a scale of its own, no number of digits is enough for the sums.
NORMALISED = {
    kind: PROBABILITIES[kind]
    for kind in ("ordinary", "sparse", "near_equal", "disjoint", "scaled", *cases.STRUCTURED)
}
PATHS = (
    Path("divergence", PROBABILITIES, row_errors, FULL),
    Path("divergence beside its derivatives", cases.STRUCTURED, beside_errors, FULL),
    Path("divergence of columns", cases.STRUCTURED, column_errors, FULL),
    Path("each term", cases.ROWS, term_errors, FULL),
    Path("skewed divergence", PROBABILITIES, skewed_errors, FULL),
    Path("skewed, each term", cases.ROWS, skewed_term_errors, FULL),
    Path("`js_divergence_many`, three", cases.ROWS, many_errors, FULL),
    Path("from logits", cases.LOGITS, logit_errors, FROM_LOGITS),
    Path("`kl_divergence`", PROBABILITIES, kl_errors, FULL),
    Path("`kl_divergence_logit`", cases.LOGITS, kl_logit_errors, FROM_LOGITS),
    Path("`entropy`", PROBABILITIES, entropy_errors, FULL),
    Path("`entropy_logit`", cases.LOGITS, entropy_logit_errors, FROM_LOGITS),
    Path("derivative", cases.ROWS, slope_errors, FULL),
    Path("skewed, derivative", cases.ROWS, skewed_slope_errors, FULL),
    Path(
        "derivative in logits, of the largest",
        cases.LOGITS,
        logit_slope_errors,
        {np.float64: 1e-12, np.float32: 1e-4},
    ),
    Path("derivative of `kl_divergence`", cases.ROWS, kl_slope_errors, FULL),
    Path("derivative of `entropy`", cases.ROWS, entropy_slope_errors, FULL),
    Path(
        "derivative of `kl_divergence_logit`, of the largest",
        cases.LOGITS,
        kl_logit_slope_errors,
        {np.float64: 1e-12, np.float32: 1e-5},
    ),
    Path(
        "derivative of `entropy_logit`, of the largest",
        cases.LOGITS,
        entropy_logit_slope_errors,
        {np.float64: 1e-12, np.float32: 1e-5},
    ),
    Path("`jensenshannon`, squared", NORMALISED, distance_errors, FULL),
    Path("`cdist`, squared", NORMALISED, pair_errors, {np.float64: 1e-11, np.float32: 1e-4}),
)


def worst_of(path: Path, kind: str, dtype: type, count: int, seed: int) -> Worst:
    """Draw `count` cases of one kind and return the worst."""
    worst = Worst(path, kind, dtype, seed=seed)
    for case in range(count):
        for error in path.errors_of(path.drawn(kind, dtype, seed, case)):
            worst.note(error, case)
    return worst


def measure(count: int, seed: int, only: str = "") -> Iterator[Worst]:
    """Yield the worst case of every path, kind and precision."""
    for path in (path for path in PATHS if only in path.name):
        for kind in path.kinds:
            for dtype in path.bounds:
                print(f"{path.name}: {kind}, {dtype.__name__}", file=sys.stderr, flush=True)
                yield worst_of(path, kind, dtype, count, seed)


FIELDS = ("result", "rows", "dtype", "seed", "case", "error", "processor")


def line_of(worst: Worst, processor: str) -> tuple[Any, ...]:
    """Return what is kept of a worst case, in the order of the fields."""
    error = f"{worst.error:.2e}"
    dtype = worst.dtype.__name__
    return worst.path.name, worst.kind, dtype, worst.seed, worst.case, error, processor


def kept(found: Iterable[tuple[str, Worst]], file: File) -> Iterator[tuple[str, Worst]]:
    """Yield processors and worst cases, each once it is in a file."""
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(FIELDS)
        for processor, worst in found:
            writer.writerow(line_of(worst, processor))
            lines.flush()
            yield processor, worst


def read(files: Iterable[File]) -> Iterator[tuple[str, Worst]]:
    """Yield what was kept."""
    paths = {path.name: path for path in PATHS}
    for file in files:
        with file.open(newline="") as lines:
            for line in csv.DictReader(lines):
                path, dtype = paths[line["result"]], getattr(np, line["dtype"])
                error, case, seed = float(line["error"]), int(line["case"]), int(line["seed"])
                yield line["processor"], Worst(path, line["rows"], dtype, error, case, seed)


def table(found: dict[str, list[Worst]]) -> str:
    """Return the results as a Markdown table with a line for each path and kind."""
    names = [dtype.__name__ for dtype in (np.float64, np.float32)]
    titles = [f"{name}, {processor}" for name in names for processor in (*found, "bound")]
    heading = ["result", "rows", *(title.replace(", bound", " bound") for title in titles)]
    lines = [f"| {' | '.join(heading)} |", "|---" * len(heading) + "|"]
    cells = {
        (processor, w.path.name, w.kind, w.dtype.__name__): f"{w.error:.1e}"
        for processor, results in found.items()
        for w in results
    }
    paths = {w.path.name: w.path for results in found.values() for w in results}
    for path, kind in dict.fromkeys((name, kind) for _, name, kind, _ in cells):
        columns = [path, kind.replace("_", " ")]
        for dtype in (np.float64, np.float32):
            own = [cells.get((each, path, kind, dtype.__name__), "–") for each in found]
            columns += [*own, f"{paths[path].bounds[dtype]:.0e}"]
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines)


def report(worst: Worst) -> str:
    """Return what it takes to see an exceeded bound again."""
    P, Q = (
        f"np.array({row.tolist()}, np.{row.dtype})".replace("inf", "np.inf") for row in worst.pair
    )
    return (
        f"{worst.path.name}: {worst.kind}, {worst.dtype.__name__}: "
        f"{worst.error:.2e} exceeds {worst.bound:.0e}\nP = {P}\nQ = {Q}"
    )


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--cases", type=int, default=10_000, help="pairs of rows of each kind (10,000)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the random generator (0)")
    parser.add_argument("--only", default="", help="results whose name has this in it")
    parser.add_argument("--processor", choices=processors.PROCESSORS, help="to measure as")
    parser.add_argument("--output", type=File, help="keep the worst cases here, as CSV")
    parser.add_argument(
        "--merge", type=File, nargs="+", default=[], help="measure nothing; read these"
    )
    return parser.parse_args(arguments)


def as_processor(processor: str, arguments: Sequence[str]) -> int:
    """Measure in a process that computes as another processor does."""
    command = [sys.executable, "-m", "benchmarks.accuracy", *arguments]
    environment = {**os.environ, **processors.environment(processor)}
    return subprocess.run(command, check=False, env=environment).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if a bound was exceeded."""
    options = options_of(arguments)
    own = os.environ.get("NUMBA_CPU_NAME") or "this processor"
    if options.processor and options.processor != own:
        return as_processor(options.processor, sys.argv[1:] if arguments is None else arguments)
    measured = ((own, worst) for worst in measure(options.cases, options.seed, options.only))
    each = read(options.merge) if options.merge else measured
    found: dict[str, list[Worst]] = {}
    for processor, worst in kept(each, options.output) if options.output else each:
        found.setdefault(processor, []).append(worst)
    print(table(found))
    exceeded = [worst for results in found.values() for worst in results if worst.exceeded]
    for worst in exceeded:
        print(f"\n{report(worst)}")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
