"""Rows that are equal, zeros or one-hot, against ordinary ones: ``python -m benchmarks.kinds``."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

import jsdiv_numba
from benchmarks import roofline
from benchmarks.tables import heading, significant, table
from benchmarks.timing import LEAST_OF_CPU, REPEATS, Contender, progress, throughputs

FULL, QUICK = (2_000, 1_024), (20, 30)
DTYPES = (np.float32, np.float64)

Pair = tuple[np.ndarray, np.ndarray]


def _entropy(p: np.ndarray, _q: np.ndarray, **options: Any) -> np.ndarray:
    return jsdiv_numba.entropy(p, **options)


OF_PROBABILITIES: dict[str, Callable[..., Any]] = {
    "`js_divergence`": jsdiv_numba.js_divergence,
    "`js_divergence`, `axis=0`": partial(jsdiv_numba.js_divergence, axis=0),
    "`js_divergence_grad`": jsdiv_numba.js_divergence_grad,
    "`jensenshannon`": partial(jsdiv_numba.jensenshannon, axis=-1),
    "`kl_divergence`": jsdiv_numba.kl_divergence,
    "`kl_divergence`, `axis=0`": partial(jsdiv_numba.kl_divergence, axis=0),
    "`entropy`": _entropy,
}
OF_LOGITS: dict[str, Callable[..., Any]] = {
    "`js_divergence_logit`": jsdiv_numba.js_divergence_logit,
    "`js_divergence_logit_grad`": jsdiv_numba.js_divergence_logit_grad,
    "`kl_divergence_logit`": jsdiv_numba.kl_divergence_logit,
}


def kinds(shape: tuple[int, int], rng: np.random.Generator) -> Iterator[tuple[str, Pair]]:
    """Yield pairs of matrices of probabilities, ordinary ones first."""
    rows, length = shape

    def ordinary() -> np.ndarray:
        return rng.dirichlet(np.ones(length), rows)

    def one_hot() -> np.ndarray:
        return np.eye(length)[rng.integers(length, size=rows)]

    p = ordinary()
    yield "ordinary", (p, ordinary())
    yield "equal", (p, p.copy())
    yield "near-equal", (p, p * (1 + 1e-4 * rng.standard_normal(shape)))
    yield "zeros", (np.zeros(shape), np.zeros(shape))
    yield "one-hot", (one_hot(), one_hot())
    yield "half of each 0", tuple(np.where(rng.random(shape) < 0.5, 0, x) for x in (p, ordinary()))


def ratios(shape: tuple[int, int], dtype: type, rng: np.random.Generator) -> dict[str, list[str]]:
    """Return how many times as long as ordinary rows each function takes those of each kind."""
    pairs = {name: [x.astype(dtype) for x in pair] for name, pair in kinds(shape, rng)}
    with np.errstate(divide="ignore"):
        logits = {name: [np.log(x) for x in pair] for name, pair in pairs.items()}
    found = {}
    for functions, operands in (OF_PROBABILITIES, pairs), (OF_LOGITS, logits):
        for name, function in functions.items():
            progress(f"{name}, {np.dtype(dtype).name}")
            timed = [
                Contender(kind, partial(function, *arrays, workers=1))
                for kind, arrays in operands.items()
            ]
            speed = throughputs(timed, LEAST_OF_CPU)
            first = speed.pop("ordinary")
            found[name] = [significant(first / each) for each in speed.values()]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    options = parser.parse_args(arguments)
    shape, rng = QUICK if options.quick else FULL, np.random.default_rng()
    names = [name for name, _ in kinds(QUICK, rng)][1:]
    lines = [
        (function, np.dtype(dtype).name, *cells)
        for dtype in DTYPES
        for function, cells in ratios(shape, dtype, rng).items()
    ]
    command = " ".join(["python -m benchmarks.kinds", *(["--quick"] if options.quick else [])])
    size = f"{shape[0]:,} × {shape[1]:,} elements, one thread. Least CPU time of {REPEATS}"
    print(heading(command, roofline.instruction_set(), size))
    print(f"\n{table(('times as long as ordinary rows', 'dtype', *names), lines)}")


if __name__ == "__main__":
    main()
