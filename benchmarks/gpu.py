"""Rows, logits and pairs on a GPU: answers first, then throughput and the peers installed.

``python -m benchmarks.gpu`` needs CUDA, Numba and, for peers, CuPy or PyTorch. With
``--check`` it stops after the answers, which Numba's simulator can give too.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from mpmath import mpf

from jsdiv_numba import cuda as ours
from tests import oracle

BOUNDS = {np.float32: 1e-6, np.float64: 1e-14}
LOGIT_BOUNDS = {np.float32: 1e-4, np.float64: 1e-10}
LOGIT_SLOPE_BOUNDS = {np.float32: 1e-4, np.float64: 1e-12}
PAIR_BOUNDS = {np.float32: 1e-4, np.float64: 1e-11}
REPEATS = 7


def worst_error(values: Any, exact: list[mpf]) -> float:
    """Return the largest relative error."""
    pairs = zip(np.ravel(values), exact, strict=True)
    return max(oracle.relative_error(value, one) for value, one in pairs)


def answers(dtype: type, length: int, rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """Return, for each function, its worst error on a few rows and the bound on it."""
    P, Q = rng.dirichlet(np.full(length, 0.3), (2, 3)).astype(dtype)
    A, B = rng.standard_normal((2, 3, length)).astype(dtype)
    rows = ours.js_divergence(P, Q, keepdims=False).copy_to_host()
    logits = ours.js_divergence_logit(A, B, keepdims=False).copy_to_host()
    pairs = ours.cdist(P, Q, "js_divergence").copy_to_host()
    slopes = ours.js_divergence_grad(P, Q)[1].copy_to_host()
    distances = ours.jensenshannon(P, Q, axis=1).copy_to_host().astype(float) ** 2
    logit_slopes = ours.js_divergence_logit_grad(A, B)[1].copy_to_host()
    exact_slopes = [slope for p, q in zip(P, Q, strict=True) for slope in oracle.js_slopes(p, q)]
    slope_errors = [
        oracle.error_of_largest(one, oracle.js_gradient_logit(a, b))
        for one, a, b in zip(logit_slopes, A, B, strict=True)
    ]
    exact_distances = [oracle.js_divergence_normalised(p, q) for p, q in zip(P, Q, strict=True)]
    exact_rows = [oracle.js_divergence(p, q) for p, q in zip(P, Q, strict=True)]
    exact_logits = [oracle.js_divergence_logit(a, b) for a, b in zip(A, B, strict=True)]
    exact_pairs = [oracle.js_divergence_normalised(p, q) for p in P for q in Q]
    return [
        ("rows", worst_error(rows, exact_rows), BOUNDS[dtype]),
        ("gradients", worst_error(slopes, exact_slopes), BOUNDS[dtype]),
        ("distances", worst_error(distances, exact_distances), 3 * BOUNDS[dtype]),
        ("gradients of logits", max(slope_errors), LOGIT_SLOPE_BOUNDS[dtype]),
        ("logits", worst_error(logits, exact_logits), LOGIT_BOUNDS[dtype]),
        ("pairs", worst_error(pairs, exact_pairs), PAIR_BOUNDS[dtype]),
    ]


def all_right(length: int) -> bool:
    """Print every error, and return whether all are within their bounds."""
    rng, right = np.random.default_rng(0), True
    for dtype in (np.float32, np.float64):
        for name, error, bound in answers(dtype, length, rng):
            right &= error < bound
            print(f"{name}, {dtype.__name__}: error {error:.1e}, bound {bound:.0e}")
    return right


def seconds(call: Callable[[], object]) -> float:
    """Return the median time on the device."""
    from numba import cuda

    call()
    times = []
    for _ in range(REPEATS):
        start, stop = cuda.event(), cuda.event()
        start.record()
        call()
        stop.record()
        stop.synchronize()
        times.append(cuda.event_elapsed_time(start, stop) / 1e3)
    return statistics.median(times)


def copy_bandwidth() -> float:
    """Return the bytes that a copy on the device reads and writes each second."""
    from numba import cuda

    source, result = (cuda.device_array(1 << 28, np.float32) for _ in range(2))
    return 2 * source.nbytes / seconds(lambda: result.copy_to_device(source))


def multiply_add_rate(dtype: type) -> float:
    """Return the multiply-adds that the device does each second."""
    from numba import cuda

    Float, turns, blocks, threads = dtype, 4096, 4096, 256

    @cuda.jit
    def multiply_add(result, factor):
        a, b, c, d = Float(1), Float(2), Float(3), Float(4)
        for _ in range(turns):
            a, b, c, d = a * factor + b, b * factor + c, c * factor + d, d * factor + a
        result[cuda.grid(1)] = a + b + c + d

    result = cuda.device_array(blocks * threads, dtype)
    spent = seconds(lambda: multiply_add[blocks, threads](result, Float(0.5)))
    return 4 * turns * blocks * threads / spent


def cupy_rows(cupy: Any) -> Callable[[Any, Any], object]:
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
    from numba import cuda

    number = few.shape[0]
    whole = cuda.device_array((rows // number * number, few.shape[1]), few.dtype)
    for start in range(0, whole.shape[0], number):
        whole[start : start + number].copy_to_device(few)
    return whole


def measure(dtype: type, rows: int, length: int, pair_rows: int) -> None:
    """Print throughputs and shares of the ceilings."""
    from numba import cuda

    rng, itemsize = np.random.default_rng(0), dtype(0).itemsize
    copy, rate = copy_bandwidth(), multiply_add_rate(dtype)
    print(f"{dtype.__name__}: copy {copy / 1e12:.2f} TB/s, {rate / 1e12:.2f} T multiply-adds/s")
    few = rng.random((2, 1000, length)).astype(dtype)
    P, Q = (repeated(cuda.to_device(x), rows) for x in few)
    small = cuda.to_device(few[0][:pair_rows] / few[0][:pair_rows].sum(axis=1, keepdims=True))
    pairs = small.shape[0] ** 2 * length
    read, written_too = 2 * itemsize, 4 * itemsize
    workloads: list[tuple[str, Callable[[], object], int, int]] = [
        ("rows", lambda: ours.js_divergence(P, Q), P.size, read),
        ("distances", lambda: ours.jensenshannon(P, Q, axis=1), P.size, read),
        ("logits", lambda: ours.js_divergence_logit(P, Q), P.size, read),
        ("gradients", lambda: ours.js_divergence_grad(P, Q), P.size, written_too),
        ("gradients of logits", lambda: ours.js_divergence_logit_grad(P, Q), P.size, written_too),
        ("one long row", lambda: ours.js_divergence(P, Q, axis=None), P.size, read),
        (
            "one long row of logits",
            lambda: ours.js_divergence_logit(P, Q, axis=(0, 1)),
            P.size,
            read,
        ),
        ("pairs", lambda: ours.cdist(small, small), pairs, 0),
    ]
    for package, make in (("cupy", cupy_rows), ("torch", torch_rows)):
        try:
            module = __import__(package)
        except ImportError:
            print(f"{package} is not installed and left out")
            continue
        if package == "cupy":
            p, q = cupy_arrays = module.asarray(P), module.asarray(Q)
            fused = make(module)
            on_rows = partial(fused, p, q, axis=-1)
            workloads.append(("rows, CuPy", on_rows, P.size, read))
            s = module.asarray(small)
            broadcast = chunked(cupy_rows(module), s)
            workloads.append(("pairs, CuPy", broadcast, pairs, 0))
            del cupy_arrays
        else:
            p, q = (module.as_tensor(x, device="cuda") for x in (P, Q))
            compiled = make(module)
            workloads.append(("rows, torch.compile", partial(compiled, p, q), P.size, read))
    for name, call, elements, traffic in workloads:
        throughput = elements / seconds(call)
        share = throughput * traffic / copy
        of_peak = throughput / rate
        print(
            f"{name}, {dtype.__name__}: {throughput / 1e9:.1f} G elements/s, "
            f"{share:.2f} of the copy, one element in {1 / of_peak:.0f} multiply-adds"
        )


def chunked(kernel: Callable[..., object], rows: Any) -> Callable[[], object]:
    """Return a broadcast of all pairs, 16 rows at a time."""

    def call() -> None:
        for start in range(0, rows.shape[0], 16):
            kernel(rows[start : start + 16, None], rows[None], axis=-1)

    return call


def main(arguments: list[str] | None = None) -> int:
    """Check, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="stop after the answers")
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--pair-rows", type=int, default=1_000)
    chosen = parser.parse_args(arguments)
    if not all_right(chosen.length):
        print("an answer is wrong; nothing is measured", file=sys.stderr)
        return 1
    if not chosen.check:
        for dtype in (np.float32, np.float64):
            measure(dtype, chosen.rows, chosen.length, chosen.pair_rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
