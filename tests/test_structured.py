"""Rows whose errors do not average out: few distinct numbers, in lengths around every boundary."""

import numpy as np
import pytest
from mpmath import sqrt

from jsdiv_numba import (
    cdist,
    entropy,
    jensenshannon,
    js_divergence,
    js_divergence_grad,
    kl_divergence,
)
from tests import cases, oracle

CASES = 12
PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
ERROR = {np.float64: 1e-14, np.float32: 1e-6}
PAIR_ERROR = {np.float64: 1e-11, np.float32: 1e-4}


def check(p, q, dtype):
    """Hold every sum over two rows to its bound, those along rows to two thirds of it."""
    bound = ERROR[dtype] * 2 / 3
    columns = [np.stack([row, row], axis=1) for row in (p, q)]
    exact = oracle.js_divergence(p, q)
    assert oracle.relative_error(js_divergence(p, q, keepdims=False), exact) < bound, (p, q)
    for computed in (
        js_divergence_grad(p, q, keepdims=False)[0],
        js_divergence(*columns, axis=0)[0, 0],
    ):
        assert oracle.relative_error(computed, exact) < ERROR[dtype], (p, q)
    for weight in (1e-3, 0.7):
        skewed = oracle.total(oracle.skewed_terms, p, q, weight=weight)
        computed = js_divergence(p, q, weight=weight, keepdims=False)
        assert oracle.relative_error(computed, skewed) < bound, (p, q, weight)
    exact = sqrt(oracle.js_divergence_normalised(p, q))
    assert 2 * oracle.relative_error(jensenshannon(p, q), exact) < bound, (p, q)
    assert 2 * oracle.relative_error(cdist([p], [q])[0, 0], exact) < PAIR_ERROR[dtype], (p, q)
    scale = oracle.total(lambda row: list(map(abs, oracle.entropy_terms(row))), p)
    error = abs(float(entropy(p, keepdims=False)) - oracle.total(oracle.entropy_terms, p))
    assert error <= bound * scale, p
    if q.all():
        exact = oracle.total(oracle.kl_terms, p, q)
        error = abs(float(kl_divergence(p, q, keepdims=False)) - exact)
        assert error <= bound * (abs(exact) + 2 * oracle.gap(p, q)), (p, q)


@PRECISIONS
@pytest.mark.parametrize("kind", cases.STRUCTURED)
def test_rows(kind, dtype):
    rng = np.random.default_rng(1)
    for _ in range(CASES):
        check(*cases.STRUCTURED[kind](rng, dtype), dtype)


WORST = {
    "64 terms a lane": (np.float32, 10_000, [0.0008198280120268464], [0.00032428521080873907]),
    "a ratio beyond 3": (np.float32, 97, [0.0012766314], [0.00038081207]),
    "beside derivatives": (np.float32, 1_000, [0.00074959034], [3.303802e-06]),
    "near-equal": (np.float32, 1_024, [0.00033998108], [0.0003399311]),
    "a ratio near 2": (np.float32, 97, [0.0083886525], [0.0036420655]),
    "halves": (np.float32, 1_024, [1.0, 0.25], [0.5, 0.75]),
}
"""Precision, length, and the numbers of both rows, in turn: errors were above the bound."""


@pytest.mark.parametrize(("dtype", "length", "p", "q"), WORST.values(), ids=WORST)
def test_what_was_worst(dtype, length, p, q):
    check(*(np.resize(np.array(row, dtype), length) for row in (p, q)), dtype)


def check_long(length):
    """Hold long rows of two numbers to what each pair of their columns has, in two thirds."""
    p, q = np.ones(length), np.tile([2.0, 1.0], length // 2)
    exact = sqrt(oracle.js_divergence_normalised([1, 1], [2, 1]))
    assert 2 * oracle.relative_error(jensenshannon(p, q), exact) < 1e-14 * 2 / 3
    exact = oracle.js_divergence([1, 1], [2, 1]) * (length // 2)
    assert oracle.relative_error(js_divergence(p, q, keepdims=False), exact) < 1e-14 * 2 / 3


def check_long_pair(length):
    p, q = np.ones(length), np.tile([2.0, 1.0], length // 2)
    exact = sqrt(oracle.js_divergence_normalised([1, 1], [2, 1]))
    assert 2 * oracle.relative_error(cdist([p], [q])[0, 0], exact) < 1e-11


def test_blocks_that_round_alike():
    check_long(1_000_000)
    check_long_pair(1_000_000)


@pytest.mark.slow
def test_more_blocks_that_round_alike():
    check_long(4_000_000)
    check_long_pair(4_000_000)


@pytest.mark.slow
def test_as_many_elements_as_the_contract_names():
    """Of a gigabyte and a half."""
    check_long(100_000_000)


def test_uniform_rows_of_every_length():
    """Of their entropy each term is the same."""
    for length in cases.STRUCTURED_LENGTHS:
        row = np.full(length, 1 / length, np.float32)
        exact = oracle.total(oracle.entropy_terms, row)
        error = oracle.relative_error(entropy(row, keepdims=False), exact) if length > 1 else 0
        assert error < 2e-6 / 3, length
