"""Rows, logits and pairs on a GPU: answers first, then throughput and the peers installed.

``python -m benchmarks.gpu`` needs CUDA, Numba and, for peers, CuPy or PyTorch. With
``--check`` it stops after the answers, which Numba's simulator can give too. It ends after
``--seconds``, or one measurement later: what there is no time for is repeated less
often, or left out, and said to be. Where the time goes, as far as it can be counted:

- answers, by mpmath on the host: 3 s; compiling 32 kernels of ours: about 1½ minutes;
- ours: 7 repeats of some milliseconds each, and of at most 0.2 s for pairs;
- CuPy: two kernels to compile, and its pairs, some seconds a call, as often as 10 s allow;
- PyTorch: two functions to compile, up to a minute each, which nothing can cut short. This
  comes last, and in float32 only if enough is left for float64.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from mpmath import mpf
from numba import cuda

from jsdiv_numba import cuda as ours
from jsdiv_numba._cuda import target
from tests import oracle

BOUNDS = {np.float32: 1e-6, np.float64: 1e-14}
LOGIT_BOUNDS = {np.float32: 1e-4, np.float64: 1e-10}
LOGIT_SLOPE_BOUNDS = {np.float32: 1e-4, np.float64: 1e-12}
PAIR_BOUNDS = {np.float32: 1e-4, np.float64: 1e-11}
WEIGHT = 0.125
"""Of the second side, where one is given."""

REPEATS = 7
SECONDS = 420.0
"""What all may take, with a minute to spare of the eight."""

LONGEST = 10.0
"""Seconds that repeats of one measurement may take."""

COMPILING = {np.float32: 60.0 + 150.0, np.float64: 60.0}
"""Seconds that have to be left for PyTorch, and for what comes after it."""

AIMS = {
    "rows": ("share of the copy", 0.85, 0.85),
    "rows, CuPy": ("times as fast", 3.0, 3.0),
    "rows, torch.compile": ("times as fast", 2.0, 2.0),
    "pairs": ("T elements/s", 1.5, 0.4),
    "pairs, CuPy": ("times as fast", 20.0, 20.0),
}
"""What is hoped for on an H200, in float32 and in float64."""


def worst_error(values: Any, exact: list[mpf]) -> float:
    """Return the largest relative error."""
    pairs = zip(np.ravel(values), exact, strict=True)
    return max(oracle.relative_error(value, one) for value, one in pairs)


Answer = tuple[str, float, float]
"""A function, its worst error on a few rows and the bound on it."""


def answers(dtype: type, length: int, rng: np.random.Generator) -> list[Answer]:
    """Return the answer of each function."""
    P, Q = rng.dirichlet(np.full(length, 0.3), (2, 3)).astype(dtype)
    A, B = rng.standard_normal((2, 3, length)).astype(dtype)
    return [
        *answers_of_rows(P, Q, dtype),
        *answers_of_logits(A, B, dtype),
        *answers_of_pairs(P, Q, dtype),
    ]


def answers_of_rows(P: Any, Q: Any, dtype: type) -> list[Answer]:
    """Return those of functions of rows of probabilities."""
    rows, slopes, _ = ours.js_divergence_grad(P, Q, keepdims=False)
    skewed, skewed_slopes, _ = ours.js_divergence_grad(P, Q, weight=WEIGHT, keepdims=False)
    distances = ours.jensenshannon(P, Q, axis=1).copy_to_host().astype(float) ** 2
    pairs = list(zip(P, Q, strict=True))
    exact = {
        "rows": (rows, [oracle.js_divergence(p, q) for p, q in pairs]),
        "gradients": (slopes, [one for p, q in pairs for one in oracle.js_slopes(p, q)]),
        "weighted rows": (skewed, [sum(oracle.skewed_terms(p, q, WEIGHT)) for p, q in pairs]),
        "weighted gradients": (
            skewed_slopes,
            [one for p, q in pairs for one in oracle.skewed_slopes(p, q, WEIGHT)],
        ),
    }
    exact_distances = [oracle.js_divergence_normalised(p, q) for p, q in pairs]
    return [
        *(
            (name, worst_error(computed.copy_to_host(), values), BOUNDS[dtype])
            for name, (computed, values) in exact.items()
        ),
        ("distances", worst_error(distances, exact_distances), 3 * BOUNDS[dtype]),
    ]


def answers_of_logits(A: Any, B: Any, dtype: type) -> list[Answer]:
    """Return those of functions of rows of logits, and their derivatives."""
    found: list[Answer] = []
    for name, weight in (("logits", 0.5), ("weighted logits", WEIGHT)):
        results = ours.js_divergence_logit_grad(A, B, weight=weight, keepdims=False)
        value, slopes, _ = (result.copy_to_host() for result in results)
        pairs = list(zip(A, B, strict=True))
        exact = [sum(oracle.skewed_terms_logit(a, b, weight)) for a, b in pairs]
        errors = [
            oracle.error_of_largest(one, oracle.skewed_gradient_logit(a, b, weight))
            for one, (a, b) in zip(slopes, pairs, strict=True)
        ]
        found.append((name, worst_error(value, exact), LOGIT_BOUNDS[dtype]))
        found.append((f"gradients of {name}", max(errors), LOGIT_SLOPE_BOUNDS[dtype]))
    return found


def answers_of_pairs(P: Any, Q: Any, dtype: type) -> list[Answer]:
    """Return those of all pairs."""
    measures = {
        "pairs": ({"metric": "js_divergence"}, oracle.js_divergence_normalised),
        "weighted pairs": (
            {"metric": "js_divergence", "weight": WEIGHT},
            partial(oracle.skewed_divergence_normalised, weight=WEIGHT),
        ),
        "pairs, Kullback-Leibler": ({"metric": "kl_divergence"}, oracle.kl_divergence_normalised),
    }
    return [
        (
            name,
            worst_error(
                ours.cdist(P, Q, **options).copy_to_host(), [exact(p, q) for p in P for q in Q]
            ),
            PAIR_BOUNDS[dtype],
        )
        for name, (options, exact) in measures.items()
    ]


def all_right(length: int) -> bool:
    """Print every error, and return whether all are within their bounds."""
    rng, right = np.random.default_rng(0), True
    for dtype in (np.float32, np.float64):
        for name, error, bound in answers(dtype, length, rng):
            right &= error < bound
            print(f"{name}, {dtype.__name__}: error {error:.1e}, bound {bound:.0e}")
    return right


PEERS = {"rows, CuPy", "pairs, CuPy", "rows, torch.compile"}
"""What may fail without keeping the rest from being measured."""


class Budget:
    """The time that is left."""

    def __init__(self, seconds: float) -> None:
        self.end = time.perf_counter() + seconds

    @property
    def left(self) -> float:
        return self.end - time.perf_counter()


def seconds(call: Callable[[], object], budget: Budget) -> tuple[float, int]:
    """Return the median time on the device, and of how many repeats."""
    start, stop = cuda.event(), cuda.event()
    call()
    cuda.synchronize()
    times: list[float] = []
    limit = time.perf_counter() + min(LONGEST, budget.left)
    while not times or (len(times) < REPEATS and time.perf_counter() < limit):
        start.record()
        call()
        stop.record()
        stop.synchronize()
        times.append(start.elapsed_time(stop) / 1e3)
    return statistics.median(times), len(times)


def memory() -> float:
    """Return the bytes that are free on the device."""
    return target.free_bytes()


class Sizes(NamedTuple):
    """How much of everything is measured."""

    rows: int
    length: int
    pair_rows: int
    copied: int = 1 << 28
    turns: int = 4096
    blocks: int = 4096

    def fitting(self, itemsize: int) -> "Sizes":
        """Return sizes of which inputs and derivatives fit on the device."""
        free = 0.8 * memory()
        rows = min(self.rows, int(free // (4 * self.length * itemsize)))
        return self._replace(rows=max(rows, 1), copied=min(self.copied, int(free // 8)))


def copy_bandwidth(sizes: Sizes, budget: Budget) -> float:
    """Return the bytes that a copy on the device reads and writes each second."""
    source, result = (cuda.device_array(sizes.copied, np.float32) for _ in range(2))
    spent, _ = seconds(lambda: result.copy_to_device(source), budget)
    return 2 * source.nbytes / spent


def multiply_add_rate(dtype: type, sizes: Sizes, budget: Budget) -> float:
    """Return the multiply-adds that the device does each second."""
    Float, turns, blocks, threads = dtype, sizes.turns, sizes.blocks, target.THREADS

    @cuda.jit
    def multiply_add(result, factor):
        a, b, c, d = Float(1), Float(2), Float(3), Float(4)
        for _ in range(turns):
            a, b, c, d = a * factor + b, b * factor + c, c * factor + d, d * factor + a
        result[cuda.grid(1)] = a + b + c + d

    result = cuda.device_array(blocks * threads, dtype)
    spent, _ = seconds(lambda: multiply_add[blocks, threads](result, Float(0.5)), budget)
    return 4 * turns * blocks * threads / spent


def cupy_rows(cupy: Any) -> Callable[..., object]:
    """Return the best that CuPy fuses: one reduction kernel."""
    return cupy.ReductionKernel(
        "T p, T q",
        "T result",
        "(p > 0 ? p * log(2 * p / (p + q)) : 0) + (q > 0 ? q * log(2 * q / (p + q)) : 0)",
        "a + b",
        "result = a / 2",
        "0",
        "js",
    )


def torch_rows(torch: Any) -> Callable[[Any, Any], object]:
    """Return what `torch.compile` makes of the formula."""

    def formula(p: Any, q: Any) -> Any:
        m = (p + q) / 2
        return 0.5 * (torch.xlogy(p, p / m) + torch.xlogy(q, q / m)).sum(-1)

    return torch.compile(formula)


def repeated(few: Any, rows: int) -> Any:
    """Return so many rows, the given ones again and again."""
    number = min(few.shape[0], rows)
    whole = cuda.device_array((rows // number * number, few.shape[1]), few.dtype)
    for start in range(0, whole.shape[0], number):
        whole[start : start + number].copy_to_device(few[:number])
    return whole


def package_of(name: str) -> Any:
    """Return a peer's package, or None if it is not installed, or for the CPU alone."""
    try:
        package = __import__(name)
    except ImportError:
        print(f"{name} is not installed and left out")
        return None
    if not package.cuda.is_available():
        print(f"{name} finds no device and is left out")
        return None
    return package


class Workload(NamedTuple):
    """What is timed: a call, the elements it goes through, and the bytes for each of them."""

    name: str
    call: Callable[[], object]
    elements: int
    traffic: int
    needed: float = 0.0
    """Seconds without which it is not begun."""


def workloads(dtype: type, sizes: Sizes, cupy: Any, torch: Any) -> list[Workload]:
    """Return what is measured, the most important first."""
    rng, itemsize = np.random.default_rng(0), dtype(0).itemsize
    few = rng.random((2, min(1000, sizes.rows), sizes.length)).astype(dtype)
    numbas = [repeated(cuda.to_device(x), sizes.rows) for x in few]
    normal = rng.dirichlet(np.ones(sizes.length), sizes.pair_rows).astype(dtype)
    small = cuda.to_device(normal)
    # Results are of the inputs' kind, and CuPy's memory is there when it is asked for.
    P, Q, X = (cupy.asarray(x) if cupy else x for x in (*numbas, small))
    elements, pairs = numbas[0].size, small.shape[0] ** 2 * sizes.length
    read, written = 2 * itemsize, 4 * itemsize
    found = [
        Workload("rows", lambda: ours.js_divergence(P, Q), elements, read),
        Workload("pairs", lambda: ours.cdist(X, X), pairs, 0),
        Workload("gradients", lambda: ours.js_divergence_grad(P, Q), elements, written),
        Workload("logits", lambda: ours.js_divergence_logit(P, Q), elements, read),
        Workload("logit gradients", lambda: ours.js_divergence_logit_grad(P, Q), elements, written),
        Workload("weighted rows", lambda: ours.js_divergence(P, Q, weight=WEIGHT), elements, read),
        Workload(
            "weighted logits",
            lambda: ours.js_divergence_logit(P, Q, weight=WEIGHT),
            elements,
            read,
        ),
        Workload("weighted pairs", lambda: ours.cdist(X, X, weight=WEIGHT), pairs, 0),
        Workload("pairs, Kullback-Leibler", lambda: ours.cdist(X, X, "kl_divergence"), pairs, 0),
        Workload("distances", lambda: ours.jensenshannon(P, Q, axis=1), elements, read),
        Workload("one long row", lambda: ours.js_divergence(P, Q, axis=None), elements, read),
        Workload(
            "one long row of logits",
            lambda: ours.js_divergence_logit(P, Q, axis=(0, 1)),
            elements,
            read,
        ),
    ]
    if cupy:
        fused = cupy_rows(cupy)
        found.append(Workload("rows, CuPy", partial(fused, P, Q, axis=-1), elements, read))
        found.append(Workload("pairs, CuPy", chunked(fused, X), pairs, 0))
    if torch:
        p, q = (torch.as_tensor(x, device="cuda") for x in numbas)
        call = partial(torch_rows(torch), p, q)
        found.append(Workload("rows, torch.compile", call, elements, read, COMPILING[dtype]))
    return found


def chunked(kernel: Callable[..., object], rows: Any) -> Callable[[], object]:
    """Return a broadcast of all pairs, 16 rows at a time."""

    def call() -> None:
        for start in range(0, rows.shape[0], 16):
            kernel(rows[start : start + 16, None], rows[None], axis=-1)

    return call


def measure(dtype: type, sizes: Sizes, budget: Budget) -> None:
    """Print throughputs, shares of the two ceilings, and whether the aims are met."""
    sizes, name = sizes.fitting(dtype(0).itemsize), dtype.__name__
    copy, rate = copy_bandwidth(sizes, budget), multiply_add_rate(dtype, sizes, budget)
    print(f"{name}: copy {copy / 1e12:.2f} TB/s, {rate / 1e12:.2f} T multiply-adds/s")
    print(f"{sizes.rows:,} rows of {sizes.length:,}, pairs of {sizes.pair_rows:,}")
    throughput: dict[str, float] = {}
    for one in workloads(dtype, sizes, package_of("cupy"), package_of("torch")):
        if budget.left < max(one.needed, 1.0):
            print(f"{one.name}, {name}: left out, for want of time")
            continue
        try:
            spent, repeats = seconds(one.call, budget)
        except Exception as error:
            if one.name not in PEERS:
                raise
            print(f"{one.name}, {name}: left out, {type(error).__name__}: {error}")
            continue
        throughput[one.name] = one.elements / spent
        share = throughput[one.name] * one.traffic / copy
        print(
            f"{one.name}, {name}: {throughput[one.name] / 1e9:.1f} G elements/s, "
            f"{share:.2f} of the copy, one element in {rate / throughput[one.name]:.0f} "
            f"multiply-adds, median of {repeats}",
            flush=True,
        )
    for line in aims(throughput, copy, dtype):
        print(line)


def aims(throughput: dict[str, float], copy: float, dtype: type) -> list[str]:
    """Say of each aim what came out."""
    lines = []
    for name, (unit, *hoped) in AIMS.items():
        own = throughput.get(name.split(",")[0])
        if name not in throughput or own is None:
            continue
        values = {
            "share of the copy": own * 2 * dtype(0).itemsize / copy,
            "T elements/s": own / 1e12,
            "times as fast": own / throughput[name],
        }
        aim, value = hoped[dtype is np.float64], values[unit]
        said = "met" if value >= aim else "not met"
        lines.append(f"aim, {name}, {dtype.__name__}: {value:.2f} {unit}, {aim} hoped for: {said}")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """Check, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="stop after the answers")
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pair-rows", type=int, default=8_192)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="after which it ends")
    parser.add_argument("--quick", action="store_true", help="least sizes, to see that it runs")
    chosen = parser.parse_args(arguments)
    budget = Budget(chosen.seconds)
    sizes = Sizes(chosen.rows, chosen.length, chosen.pair_rows)
    if chosen.quick:
        sizes = Sizes(rows=4, length=5, pair_rows=3, copied=16, turns=1, blocks=1)
    if not all_right(sizes.length):
        print("an answer is wrong; nothing is measured", file=sys.stderr)
        return 1
    if not chosen.check:
        for dtype in (np.float32, np.float64):
            measure(dtype, sizes, budget)
        print(f"{chosen.seconds - budget.left:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
