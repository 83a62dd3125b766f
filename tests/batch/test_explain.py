"""Two rows of a file: how they are named, and what makes their divergence."""

import math
import time

import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.explain import explain, find_row
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.distance import cdist

VALUES = np.random.default_rng(0).integers(0, 50, (4, 6)).astype(float)
DIVERGENCE = Quantity("js_divergence")


def rows(labels, values=VALUES, columns=None):
    return LabelledRows("f.csv", values, tuple(labels), "k", columns)


@pytest.mark.parametrize(("name", "index"), [("a", 0), ("1", 1), ("3", 2), ("00", 0), ("2", 2)])
def test_a_label_comes_before_an_index(name, index):
    assert find_row(rows(["a", "b", "3", "d"]), name) == index


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Danisch", "f.csv: no row is called 'Danisch'; near it: 'Danish', 'Spanish'"),
        ("danish", "f.csv: no row is called 'danish'; near it: 'Danish', 'Spanish'"),
        ("x", "f.csv: no row is called 'x'; its first rows: 'Danish', 'Polish', 'Polish'"),
        ("-1", "f.csv: no row is called '-1'; its first rows: 'Danish', 'Polish', 'Polish'"),
        ("²", "f.csv: no row is called '²'; its first rows: 'Danish', 'Polish', 'Polish'"),
        ("4", "f.csv: no row 4; its rows count from 0 to 3"),
        ("Polish", "f.csv: rows 1 and 2 are both called 'Polish'; name a row by its index"),
        ("\x1b" + "y" * 60, "f.csv: no row is called '�" + "y" * 23 + "…" + "y" * 23 + "'; its .*"),
    ],
)
def test_a_row_that_is_not_there(name, message):
    with pytest.raises(FileError, match=f"^{message}"):
        find_row(rows(["Danish", "Polish", "Polish", "Spanish"]), name)


def test_a_file_of_many_rows_is_not_searched_for_minutes():
    many = rows([f"label {i:07}" for i in range(1_000_000)], np.ones((1_000_000, 1)))
    start = time.process_time()
    with pytest.raises(FileError, match="near it: 'label"):
        find_row(many, "lable 0000012")
    assert time.process_time() - start < 60


@pytest.mark.parametrize("base", [None, 2.0])
def test_parts_are_of_the_rows_divided_by_their_sums(base):
    file = rows("abcd", columns=tuple("uvwxyz"))
    result = explain(file, "b", "2", Quantity("js_divergence", base), 6)
    assert result.labels == ("b", "c")
    total = cdist(VALUES[1:2], VALUES[2:3], "js_divergence", base=base)[0, 0]
    assert result.parts.total == pytest.approx(total, rel=1e-14)
    assert math.fsum(result.parts.values) == result.parts.total
    p, q = (VALUES[i] / VALUES[i].sum() for i in (1, 2))
    order = result.parts.indices
    np.testing.assert_allclose(result.proportions, [p[order], q[order]], rtol=1e-15)
    assert [part.label for part in result.named] == ["uvwxyz"[i] for i in order]
    for part, (x, y) in zip(result.named, result.proportions.T, strict=True):
        assert result.more_in(part) == ("b" if x > y else "c")


def test_columns_that_add_nothing_are_not_named():
    values = np.array([[1.0, 2.0, 5.0], [2.0, 4.0, 9.0]])
    result = explain(rows("ab", values * [[1], [0.5]]), "a", "b", DIVERGENCE, 3)
    assert [part.label for part in result.named] == ["column 1", "column 2", "column 0"]
    same = explain(rows("ab", values), "a", "a", DIVERGENCE, 3)
    assert (same.named, same.others, same.parts.total) == ([], 3, 0)


def test_rows_of_the_largest_floats_have_proportions():
    values = np.full((2, 3), np.finfo(np.float64).max)
    values[1, 0] = 0
    result = explain(rows("ab", values), "a", "b", DIVERGENCE, 3)
    np.testing.assert_allclose(sorted(result.proportions[0]), [1 / 3] * 3)
    np.testing.assert_allclose(sorted(result.proportions[1]), [0, 1 / 2, 1 / 2])
