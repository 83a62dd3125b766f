"""Sums of columns: their bits depend on a column's entries alone, not on how its rows are read."""

import numpy as np
import pytest

from jsdiv_numba._kernels.load import built
from jsdiv_numba._kernels.rows.columns import BLOCK, SUMS, WIDTH
from tests import oracle

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
MEASURES = pytest.mark.parametrize("name", ["js_sum", "kl_sum", "entropy_sum", "js_sum_skewed"])
ROUNDING = {"float32": 1e-6, "float64": 1e-14}
BLOCKS = [n + more for n in (BLOCK, 2 * BLOCK, 64, 8 * BLOCK) for more in (-1, 0, 1)]
LENGTHS = [0, 1, 3, 4, 5, *BLOCKS, 1000, SUMS * BLOCK, SUMS * BLOCK + 1, 2 * SUMS * BLOCK + 37]
"""Around what is one block, and what is two sums, four, eight."""

NUMBERS = [0, 2, 3, 5, 8, 10, 16, 31, 100, WIDTH // 2, WIDTH + 1]
MOST = 150_000


def entries(name, dtype, shape):
    """Return both matrices, or one, with zeros where they may be, and what weights there are."""
    rng = np.random.default_rng(shape)
    P, Q = rng.random((2, *shape), dtype=dtype)
    P[rng.random(shape) < 0.1] = 0
    Q += dtype.type(2**-7)
    if name == "entropy_sum":
        return (P,), ()
    share = rng.random(shape[1], dtype=dtype)
    return (P, Q), (share, 1 - share) if name == "js_sum_skewed" else ()


def apart(matrix):
    """Return a matrix with something between its rows."""
    wider = np.full((len(matrix), matrix.shape[1] + 3), np.nan, matrix.dtype)
    wider[:, 1:-2] = matrix
    return wider[:, 1:-2]


@DTYPES
@MEASURES
@pytest.mark.parametrize("number", NUMBERS)
def test_neither_memory_nor_other_columns_change_a_bit(name, dtype, number):
    dtype = np.dtype(dtype)
    ufunc = built(f"{name}_columns", (dtype.name,))
    for length in LENGTHS:
        if length * number > MOST:
            continue
        arrays, weights = entries(name, dtype, (length, number))
        sums = ufunc(*arrays, *weights)
        np.testing.assert_array_equal(ufunc(*map(apart, arrays), *weights), sums)
        part = slice(number // 3, number // 3 + max(2, number // 2))
        of_part = (np.ascontiguousarray(matrix[:, part]) for matrix in arrays)
        np.testing.assert_array_equal(
            ufunc(*of_part, *(weight[part] for weight in weights)), sums[part]
        )


def scale(name, arrays):
    """Return what a sum of columns is accurate to, relative to."""
    wide = [matrix.astype(float) for matrix in arrays]
    if name == "entropy_sum":
        (P,) = wide
        return np.abs(P * np.log(np.where(P > 0, P, 1))).sum(axis=0)
    return np.abs(wide[0] - wide[1]).sum(axis=0)


@DTYPES
@MEASURES
def test_columns_are_as_accurate_as_rows(name, dtype):
    dtype = np.dtype(dtype)
    of_rows, of_columns = (built(name + kind, (dtype.name,)) for kind in ("", "_columns"))
    for number in (1, 3, 10, 31):
        for length in LENGTHS:
            arrays, weights = entries(name, dtype, (length, number))
            sums = of_columns(*arrays, *weights)
            expected = of_rows(*(np.ascontiguousarray(matrix.T) for matrix in arrays), *weights)
            bound = ROUNDING[dtype.name] * scale(name, arrays)
            if name.startswith("js"):
                bound = ROUNDING[dtype.name] * expected
            assert (np.abs(sums - expected) <= bound).all(), (length, number)


@DTYPES
@pytest.mark.parametrize("length", [7, 2 * BLOCK + 1, SUMS * BLOCK + BLOCK + 3])
def test_columns_against_more_digits(length, dtype):
    (P, Q), weights = entries("js_sum_skewed", np.dtype(dtype), (length, 3))
    plain, skewed, kl = (
        built(f"{name}_columns", (dtype,)) for name in ("js_sum", "js_sum_skewed", "kl_sum")
    )
    results = zip(plain(P, Q), skewed(P, Q, *weights), kl(P, Q), strict=True)
    for j, (of_js, of_skewed, of_kl) in enumerate(results):
        p, q = P[:, j], Q[:, j]
        error = oracle.relative_error(of_js, oracle.js_divergence(p, q))
        assert error < ROUNDING[dtype]
        share, other = (float(weight[j]) for weight in weights)
        exact = oracle.total(oracle.skewed_terms, p, q, weight=other)
        tolerance = ROUNDING[dtype] + 10 * abs(share + other - 1)
        assert oracle.relative_error(of_skewed, exact) < tolerance
        exact = oracle.total(oracle.kl_terms, p, q)
        assert abs(float(of_kl) - exact) <= ROUNDING[dtype] * (abs(exact) + 2 * oracle.gap(p, q))


SPECIAL = {"negative": -1e-3, "NaN": np.nan, "infinite": np.inf, "huge": 0.9, "tiny": 1e-3}


@DTYPES
@MEASURES
@pytest.mark.parametrize("kind", SPECIAL)
def test_one_entry_anywhere_concerns_its_column_alone(name, dtype, kind):
    """As in rows: there is NaN for an invalid one, and huge and subnormal ones are scaled."""
    dtype = np.dtype(dtype)
    limits = np.finfo(dtype)
    factor = {"huge": limits.max, "tiny": limits.tiny}.get(kind, 1)
    value = dtype.type(SPECIAL[kind]) * dtype.type(factor)
    of_rows, of_columns = (built(name + what, (dtype.name,)) for what in ("", "_columns"))
    for length, number in ((2 * BLOCK + 3, 3), (100, 10), (SUMS * BLOCK + 70, 2)):
        arrays, weights = entries(name, dtype, (length, number))
        plain = of_columns(*arrays, *weights)
        for i in {0, 3, length // 2, length - 3, length - 1}:
            for matrix in arrays:
                kept, matrix[i, 1] = matrix[i, 1], value
                with np.errstate(over="ignore"):
                    sums = of_columns(*arrays, *weights)
                own = tuple(weight[1] for weight in weights)
                columns = (np.ascontiguousarray(each[:, 1]) for each in arrays)
                with np.errstate(over="ignore"):
                    expected = of_rows(*columns, *own)
                matrix[i, 1] = kept
                others = np.arange(number) != 1
                np.testing.assert_array_equal(sums[others], plain[others])
                np.testing.assert_allclose(sums[1], expected, rtol=20 * ROUNDING[dtype.name])
