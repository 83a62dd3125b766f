"""Columns and rows that are the sum of the others."""

import numpy as np
import pyarrow as pa
import pytest

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.io.totals import Totals, is_total

RNG = np.random.default_rng(0)
COUNTS = RNG.integers(1, 9, (7, 4)).astype(float)
NAMES = ["a", "b", "c", "d"]


def watch(values, names, labels=None, transposed=False, step=3):
    totals = Totals("f", names, transposed=transposed)
    for start in range(0, len(values), step):
        block = values[start : start + step]
        texts = None if labels is None else pa.array(labels[start : start + step])
        totals.see(block, texts)
    return totals


def with_total(values, place=4):
    return np.insert(values, place, values.sum(axis=1), axis=1)


@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("scale", [1, 1e-9, 0.1])
def test_a_column_that_is_the_sum_is_found_wherever_it_stands(place, scale):
    values = with_total(COUNTS * scale, place)
    names = [*NAMES[:place], "n", *NAMES[place:]]
    with pytest.warns(TableWarning, match="column 'n' is the sum of the others, and is a category"):
        watch(values, names).judge(columns=True, rows=True)
    names[place] = "Total"
    with pytest.raises(FileError, match="column 'Total' is the sum of the others; --exclude"):
        watch(values, names).judge(columns=True, rows=True)
    watch(values, names).judge(columns=False, rows=True)


def test_ordinary_tables_have_none():
    watch(COUNTS, NAMES, [f"r{i}" for i in range(7)]).judge(columns=True, rows=True)
    watch(np.eye(5), [*NAMES, "e"]).judge(columns=True, rows=True)
    watch(RNG.dirichlet(np.ones(5), 50), None).judge(columns=True, rows=True)


@pytest.mark.parametrize("place", [0, 7])
def test_a_row_that_is_the_sum_is_found_at_either_end(place):
    values = np.insert(COUNTS, place, COUNTS.sum(axis=0), axis=0)
    labels = [f"r{i}" for i in range(8)]
    with pytest.warns(
        TableWarning, match=r"the (first|last) row, 'r[07]', is the sum of the others"
    ):
        watch(values, NAMES, labels).judge(columns=True, rows=True)
    labels[place] = "Gesamt"
    with pytest.warns(
        TableWarning, match="row 'Gesamt' is the sum of the others, and is a distrib"
    ):
        watch(values, NAMES, labels).judge(columns=True, rows=True)
    with pytest.raises(FileError, match="row 'Gesamt' is the sum of the others; --exclude-rows"):
        watch(values, NAMES, labels, transposed=True).judge(columns=True, rows=True)


def test_a_name_alone_is_a_warning():
    with pytest.warns(TableWarning, match="column 'sum' is called as if it were the sum"):
        watch(COUNTS, ["a", "b", "c", "sum"]).judge(columns=True, rows=True)


def test_values_that_are_none_are_no_sums():
    values = with_total(COUNTS)
    values[3, 1] = np.nan
    values[4, 1] = np.inf
    watch(values, None).judge(columns=True, rows=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(
            (name, True)
            for name in [
                "Total",
                "TOTALS",
                "grand total",
                "Row_Sum",
                "Summe",
                "合计",
                "total reads",
            ]
        ),
        *((name, False) for name in ["totality", "some", "Total War", "summer", "n", ""]),
    ],
)
def test_names_of_totals(name, expected):
    assert is_total(name) == expected
