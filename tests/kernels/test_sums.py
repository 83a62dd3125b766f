"""Sums over rows that leave the fast path or return to it: zeros, equal rows, not finite ones."""

import numpy as np
import pytest

from jsdiv_numba import ufuncs

VALUES = {
    np.float32: [0.0, 1.0, 0.3, 2.0**-80, 2.0**-140, 2.0**110, -0.0, -1.0, np.inf, np.nan],
    np.float64: [0.0, 1.0, 0.3, 2.0**-920, 2.0**-1070, 2.0**970, -0.0, -1.0, np.inf, np.nan],
}
ODDS = [8, 4, 4, 1, 1, 1, 0.5, 0.25, 0.25, 0.25]
ERROR = {np.float32: 1e-6, np.float64: 1e-14}
ROWS, LENGTH = 1500, 70


def rows_of_few_values(rng, dtype):
    """Return as many pairs of rows; each pair has up to three values, and is equal at times."""
    odds = np.array(ODDS) / np.sum(ODDS)
    rows = np.empty((2, ROWS, LENGTH), dtype)
    for k in range(ROWS):
        values = rng.choice(VALUES[dtype], rng.integers(1, 4), p=odds)
        rows[:, k] = rng.choice(values, (2, LENGTH))
        if rng.random() < 0.3:
            rows[1, k] = rows[0, k]
    return rows


def columns_of(ufunc, operands):
    return ufunc(*(np.ascontiguousarray(rows.T) for rows in operands))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["js", "kl", "entropy"])
def test_rows_of_few_values(name, dtype):
    rng = np.random.default_rng(7)
    operands = rows_of_few_values(rng, dtype)[: 1 if name == "entropy" else 2]
    with np.errstate(all="ignore"):
        terms = getattr(ufuncs, f"{name}_term")(*operands.astype(np.float64))
        exact, scale = terms.sum(axis=-1), abs(terms).sum(axis=-1)
        along_rows = getattr(ufuncs, f"{name}_sum")(*operands)
        along_columns = columns_of(ufuncs.built(f"{name}_sum_columns", (dtype.__name__,)), operands)
    assert np.isnan(exact).sum() > 100
    assert (exact == 0).sum() > 100
    assert name != "kl" or np.isinf(exact).sum() > 100
    bound = 2 * ERROR[dtype] * scale + LENGTH * np.finfo(dtype).smallest_subnormal
    for computed in (along_rows, along_columns):
        with np.errstate(invalid="ignore"):
            wrong = ~(abs(computed - exact) <= bound)
        same = (computed == exact) | (np.isnan(computed) & np.isnan(exact))
        assert not (wrong & ~same).any(), operands[:, np.flatnonzero(wrong & ~same)[0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_rows_are_alike_with_any_weights(dtype):
    rows, _ = rows_of_few_values(np.random.default_rng(8), dtype)
    is_valid = (np.isfinite(rows) & (rows >= 0)).all(axis=-1)
    for weight in (0.5, 0.3, 1e-30):
        weights = dtype(1 - weight), dtype(weight)
        with np.errstate(all="ignore"):
            skewed = ufuncs.built("js_sum_skewed", (dtype.__name__,))(rows, rows, *weights)
            many = ufuncs.built("js_sum_many", (dtype.__name__,))(
                np.stack([rows, rows, rows], axis=1), np.array([1 - weight, weight, 0])
            )
        for computed in (skewed, many):
            np.testing.assert_array_equal(computed, np.where(is_valid, 0, np.nan))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["js", "kl"])
def test_entries_that_cancel_are_invalid_all_the_same(name, dtype):
    rows = np.ones((3, LENGTH), dtype)
    operands = rows, -rows
    with np.errstate(all="ignore"):
        along_columns = columns_of(ufuncs.built(f"{name}_sum_columns", (dtype.__name__,)), operands)
        for computed in (getattr(ufuncs, f"{name}_sum")(*operands), along_columns):
            np.testing.assert_array_equal(computed, np.nan)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [1, 70, 1500])
def test_a_sum_that_overflows_does_not_hide_an_infinite_divergence(length, dtype):
    rows = np.full((3, length), np.finfo(dtype).max, dtype)
    operands = rows, np.zeros_like(rows)
    with np.errstate(all="ignore"):
        along_columns = columns_of(ufuncs.built("kl_sum_columns", (dtype.__name__,)), operands)
        for computed in (ufuncs.kl_sum(*operands), along_columns):
            np.testing.assert_array_equal(computed, np.inf)
