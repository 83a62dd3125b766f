"""The kinds of rows that the accuracy contract names, drawn at random.

The accuracy tests draw a few hundred of each kind, and
``python -m benchmarks.accuracy`` ten thousand.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

LENGTHS = (1, 2, 7, 33, 97)
EPSILON = {np.float32: 1e-6, np.float64: 1e-12}
SCALE = {np.float32: 30, np.float64: 300}

Pair = tuple[np.ndarray, np.ndarray]


def _length(rng: Generator) -> int:
    return int(rng.choice(LENGTHS))


def _simplex(rng: Generator, n: int, concentration: float = 1.0) -> np.ndarray:
    return rng.dirichlet(np.full(n, concentration))


def ordinary(rng: Generator, dtype: type) -> Pair:
    n = _length(rng)
    return _simplex(rng, n).astype(dtype), _simplex(rng, n).astype(dtype)


def sparse(rng: Generator, dtype: type) -> Pair:
    """Most of the mass in few categories, many exact zeros."""
    n = _length(rng)
    p, q = _simplex(rng, n, 0.05), _simplex(rng, n, 0.05)
    p[rng.random(n) < 0.4] = 0
    q[rng.random(n) < 0.4] = 0
    return p.astype(dtype), q.astype(dtype)


def near_equal(rng: Generator, dtype: type) -> Pair:
    """Separations from 1 down to the smallest that the contract names."""
    n = _length(rng)
    p = _simplex(rng, n).astype(dtype)
    separation = 10.0 ** rng.uniform(np.log10(EPSILON[dtype]), 0)
    q = np.abs(p.astype(np.float64) * (1 + separation * rng.standard_normal(n))).astype(dtype)
    return p, q


def disjoint(rng: Generator, dtype: type) -> Pair:
    n = _length(rng) + 1
    mask = rng.random(n) < 0.5
    p, q = _simplex(rng, n), _simplex(rng, n)
    return np.where(mask, p, 0).astype(dtype), np.where(mask, 0, q).astype(dtype)


def one_element(rng: Generator, dtype: type) -> Pair:
    """One category, of any ratio: no averaging hides an error."""
    p = rng.random(1)
    return p.astype(dtype), (p * 10.0 ** rng.uniform(-12, 0)).astype(dtype)


def scaled(rng: Generator, dtype: type) -> Pair:
    """Both rows multiplied by one power of ten, from 1e-300 to 1e300 (1e±30 in float32)."""
    p, q = near_equal(rng, dtype) if rng.random() < 0.5 else sparse(rng, dtype)
    scale = 10.0 ** rng.uniform(-SCALE[dtype], SCALE[dtype])
    return (p * dtype(scale)).astype(dtype), (q * dtype(scale)).astype(dtype)


def mixed_scales(rng: Generator, dtype: type) -> Pair:
    """Every element with a scale of its own, subnormal numbers among them."""
    n = _length(rng)
    top = np.log10(float(np.finfo(dtype).max)) - 3
    bottom = np.log10(float(np.finfo(dtype).smallest_subnormal))
    scales = 10.0 ** rng.uniform(bottom, rng.choice([bottom + 8, 0, top]), n)
    p = (rng.random(n) * scales).astype(dtype)
    return p, np.where(rng.random(n) < 0.3, p, rng.random(n) * scales).astype(dtype)


def subnormal(rng: Generator, dtype: type) -> Pair:
    n = _length(rng)
    tiny = float(np.finfo(dtype).tiny)
    return (rng.random(n) * tiny).astype(dtype), (rng.random(n) * tiny).astype(dtype)


ROWS: dict[str, Callable[[Generator, type], Pair]] = {
    function.__name__: function
    for function in (
        ordinary,
        sparse,
        near_equal,
        disjoint,
        one_element,
        scaled,
        mixed_scales,
        subnormal,
    )
}

LOGIT_EPSILON = {np.float32: 1e-3, np.float64: 1e-9}


def ordinary_logits(rng: Generator, dtype: type) -> Pair:
    n = _length(rng) + 1
    spread = 10.0 ** rng.uniform(-1, 1.5)
    return tuple((spread * rng.standard_normal(n)).astype(dtype) for _ in range(2))


def logits_with_zeros(rng: Generator, dtype: type) -> Pair:
    a, b = ordinary_logits(rng, dtype)
    for row in (a, b):
        mask = rng.random(row.size) < 0.4
        mask[rng.integers(row.size)] = False
        row[mask] = -np.inf
    return a, b


def near_equal_logits(rng: Generator, dtype: type) -> Pair:
    a, _ = ordinary_logits(rng, dtype)
    separation = 10.0 ** rng.uniform(np.log10(LOGIT_EPSILON[dtype]), 0)
    b = (a + separation * rng.standard_normal(a.size)).astype(dtype)
    if rng.random() < 0.3:
        gone = rng.integers(a.size)
        a[gone] = b[gone] = -np.inf if a.size > 1 else 0
    return a, b


def shifted_logits(rng: Generator, dtype: type) -> Pair:
    """A constant up to ±1e4 added to one row or to both."""
    a, b = near_equal_logits(rng, dtype) if rng.random() < 0.7 else ordinary_logits(rng, dtype)
    shift = dtype(rng.uniform(-1e4, 1e4))
    a = a + shift
    if rng.random() < 0.7:
        b = b + shift
    return a, b


LOGITS: dict[str, Callable[[Generator, type], Pair]] = {
    function.__name__: function
    for function in (ordinary_logits, logits_with_zeros, near_equal_logits, shifted_logits)
}

STRUCTURED_LENGTHS = (
    *(n + i for n in (16, 32, 64, 128, 256, 512, 1024, 2048) for i in (-1, 0, 1)),
    *(1, 7, 97, 1_000, 1_017, 4_096, 5_000, 10_000),
)
"""Around every number of lanes, of sums and of a block's elements, and others."""


def _structured_length(rng: Generator) -> int:
    return int(rng.choice(STRUCTURED_LENGTHS))


def _few(rng: Generator, dtype: type, number: int) -> Pair:
    """Few positive numbers and others, of any ratio or nearly the same."""
    p = rng.random(number) + 1e-3
    if rng.random() < 0.5:
        separation = 10.0 ** rng.uniform(np.log10(1e3 * EPSILON[dtype]), 0)
        q = np.abs(p * (1 + separation * rng.standard_normal(number)))
    else:
        q = p * 10.0 ** rng.uniform(-3, 3, number)
    return p, q


def _arranged(rng: Generator, dtype: type, number: int, index: np.ndarray) -> Pair:
    """Return rows of these few numbers, which stand where the indices say."""
    p, q = (row[index] for row in _few(rng, dtype, number))
    return tuple((row / row.sum()).astype(dtype) for row in (p, q))


def constant(rng: Generator, dtype: type) -> Pair:
    """Rows of one number each, which need not be the same."""
    n = _structured_length(rng)
    return tuple(np.full(n, x[0] / n, dtype) for x in _few(rng, dtype, 1))


def two_valued(rng: Generator, dtype: type) -> Pair:
    return _arranged(rng, dtype, 2, rng.integers(0, 2, _structured_length(rng)))


def periodic(rng: Generator, dtype: type) -> Pair:
    """A few numbers in turn, so that each of a vector's lanes may have one alone."""
    number = int(rng.choice([2, 3, 4, 8, 16]))
    return _arranged(rng, dtype, number, np.arange(_structured_length(rng)) % number)


def blocks(rng: Generator, dtype: type) -> Pair:
    """Runs of equal numbers: all of a block's may be."""
    number = int(rng.integers(2, 6))
    n = _structured_length(rng)
    return _arranged(rng, dtype, number, np.sort(rng.integers(0, number, n)))


def ascending(rng: Generator, dtype: type) -> Pair:
    """Both sorted, the other one in either direction."""
    p, q = (np.sort(row) for row in blocks(rng, dtype))
    return p, q[::-1].copy() if rng.random() < 0.5 else q


def ramps(rng: Generator, dtype: type) -> Pair:
    n = int(rng.choice([n for n in STRUCTURED_LENGTHS if n <= 129]))
    p, q = (np.arange(1, n + 1) + rng.random() for _ in range(2))
    return (p / p.sum()).astype(dtype), (q / q.sum())[:: rng.choice([-1, 1])].astype(dtype)


def one_outlier(rng: Generator, dtype: type) -> Pair:
    """All but one equal, and that one many times as large."""
    index = np.zeros(_structured_length(rng), int)
    index[rng.integers(index.size)] = 1
    p, q = _few(rng, dtype, 2)
    p[1] *= 10.0 ** rng.uniform(0, 6)
    return tuple((row[index] / row[index].sum()).astype(dtype) for row in (p, q))


def counts(rng: Generator, dtype: type) -> Pair:
    """Small whole numbers, most of them 0 or 1, as they were counted."""
    n = _structured_length(rng)
    p, q = (rng.poisson(rng.choice([0.3, 2]), n).astype(dtype) for _ in range(2))
    p[0] = q[-1] = 1
    return p, q


def binary_fractions(rng: Generator, dtype: type) -> Pair:
    """Powers of two, whose sums are exact."""
    n = _structured_length(rng)
    return tuple((2.0 ** -rng.integers(0, 5, n)).astype(dtype) for _ in range(2))


STRUCTURED: dict[str, Callable[[Generator, type], Pair]] = {
    function.__name__: function
    for function in (
        constant,
        two_valued,
        periodic,
        blocks,
        ascending,
        ramps,
        one_outlier,
        counts,
        binary_fractions,
    )
}
"""Rows whose errors do not average out, most of few distinct pairs."""
