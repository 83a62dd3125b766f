"""Rows against rows."""

import numpy as np
import pytest

from jsdiv_numba._core.metric import SYMMETRIC
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.in_memory import compare_pairs, compare_rows, within
from jsdiv_numba.batch.io.rows import LabelledRows, default_labels
from jsdiv_numba.batch.quantity import Quantity

DISTANCE = Quantity("jensenshannon")


def rows(values, source="f", columns=None):
    values = np.asarray(values, float)
    return LabelledRows(source, values, default_labels(len(values)), "row", columns)


def counts(n, m=6, seed=0):
    return rows(np.random.default_rng(seed).integers(0, 9, (n, m)) + np.eye(n, m))


def divergence(p, q, base=None):
    p, q = p / p.sum(), q / q.sum()
    m = (p + q) / 2
    terms = [
        x * np.log(x / y) for x, y in [*zip(p, m, strict=True), *zip(q, m, strict=True)] if x > 0
    ]
    return sum(terms) / 2 / np.log(base or np.e)


@pytest.mark.parametrize("metric", SYMMETRIC)
@pytest.mark.parametrize("base", [None, 2.0])
def test_pairs_of_one_file(metric, base):
    first = counts(5)
    result = compare_pairs(first, first, Quantity(metric, base), workers=1)
    power = 0.5 if metric == "jensenshannon" else 1.0
    expected = [[divergence(p, q, base) ** power for q in first.values] for p in first.values]
    off_diagonal = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(
        result.matrix[off_diagonal], np.array(expected)[off_diagonal], rtol=1e-10
    )
    assert np.diag(result.matrix).tolist() == [0.0] * 5
    np.testing.assert_array_equal(result.matrix, result.matrix.T)
    assert (result.symmetric, result.pair_count) == (True, 10)


def test_pairs_of_two_files():
    first, second = counts(3), counts(4, seed=1)
    result = compare_pairs(first, second, DISTANCE)
    expected = [[divergence(p, q) ** 0.5 for q in second.values] for p in first.values]
    np.testing.assert_allclose(result.matrix, expected, rtol=1e-10)
    assert (result.symmetric, result.pair_count) == (False, 12)


@pytest.mark.parametrize("metric", SYMMETRIC)
@pytest.mark.parametrize("base", [None, 2.0])
def test_rows_are_the_diagonal_of_pairs(metric, base):
    quantity = Quantity(metric, base)
    first, second = counts(5), counts(5, seed=1)
    pairs = compare_pairs(first, second, quantity).matrix
    result = compare_rows(first, second, quantity)
    np.testing.assert_allclose(result.values, np.diag(pairs), rtol=1e-10)


def test_within_is_pairs_of_one_file():
    first = counts(4)
    np.testing.assert_array_equal(
        within(first, DISTANCE), compare_pairs(first, first, DISTANCE).matrix
    )


@pytest.mark.parametrize("compare", [compare_pairs, compare_rows])
def test_columns_have_to_agree(compare):
    first = rows([[1, 2]], "a.csv", ("x", "y"))
    with pytest.raises(FileError) as error:
        compare(first, rows([[1, 2, 3]], "b.csv", ("x", "y", "z")), DISTANCE)
    assert str(error.value) == "b.csv: number of numeric columns is 3, but a.csv has 2"
    with pytest.raises(FileError) as error:
        compare(first, rows([[1, 2]], "b.csv", ("x", "z")), DISTANCE)
    assert str(error.value) == (
        "b.csv: numeric column 2 is 'z', but 'y' in a.csv; "
        "both files need the same columns in the same order"
    )


def test_columns_without_names_agree_with_any():
    first = rows([[1, 2]], "a.csv", ("x", "y"))
    assert compare_pairs(first, rows([[1, 2]], "b.npy"), DISTANCE).matrix.tolist() == [[0.0]]


def test_numbers_of_rows_have_to_agree():
    with pytest.raises(FileError) as error:
        compare_rows(rows([[1], [2]], "a.csv"), rows([[1]], "b.csv"), DISTANCE)
    assert str(error.value) == (
        'b.csv: number of rows is 1, but a.csv has 2; "jsdiv pairwise" compares every row with '
        "every row"
    )
