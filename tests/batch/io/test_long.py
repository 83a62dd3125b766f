"""Long tables."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.read import read_rows

LONG = TableOptions(long="sample,word,count")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(text, options=LONG):
    Path("f.csv").write_text(text, encoding="utf-8")
    return read_rows("f.csv", options)


def test_counts_come_to_their_places_and_add_up():
    rows = read("sample,word,count\na,x,1\nb,y,2\na,x,3\nb,x,0\na,z,0.5\n")
    assert (rows.labels, rows.label_name) == (("a", "b"), "sample")
    assert rows.columns == ("x", "y", "z")
    assert rows.values.toarray().tolist() == [[4.0, 0.0, 0.5], [0.0, 2.0, 0.0]]
    assert str(rows.reading) == (
        "f.csv: a header; rows labelled by column 'sample'; 3 categories from 'x' to 'z'; "
        "long, categories in column 'word', counts in column 'count'"
    )


def test_columns_stand_anywhere_and_keys_may_be_numbers():
    text = "n,year,note,zip\n1,2001,-,7\n2,2002,-,7\n3,2001,-,8\n"
    rows = read(text, TableOptions(long=["zip", "year", "n"]))
    assert (rows.labels, rows.columns) == (("7", "8"), ("2001", "2002"))
    assert rows.values.toarray().tolist() == [[1.0, 2.0], [3.0, 0.0]]


def test_columns_by_number_of_a_file_without_a_header():
    rows = read("a,x,1\nb,y,2\n", TableOptions(long="1,2,3"))
    assert (rows.labels, rows.columns) == (("a", "b"), ("x", "y"))


def test_that_names_are_missing_is_said():
    text = "sample,word,count\na,x,1\n,y,2\n,x,3\n"
    with pytest.warns(
        TableWarning, match=r"^f.csv: column 'sample' is empty in some lines"
    ) as all_:
        rows = read(text)
    assert len(all_) == 1
    assert (rows.labels, rows.columns) == (("a", ""), ("x", "y"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.integers(1, 99)), min_size=1
    )
)
def test_the_sum_of_each_pair_is_that_of_its_lines(lines):
    text = "\n".join(
        ["sample,word,count", *(f"{a},{b},{c}" for a, b, c in [*lines, ("d", "w", 1)])]
    )
    rows = read(text)
    sums = Counter({("d", "w"): 1})
    for a, b, c in lines:
        sums[a, b] += c
    expected = [[sums[a, b] for b in rows.columns] for a in rows.labels]
    np.testing.assert_array_equal(rows.values.toarray(), expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sample,word,count\na,x,1\na,y,-2\n",
            (
                "f.csv, line 3, column 'count': negative value -2; "
                "a distribution has no negative values"
            ),
        ),
        (
            "sample,word,n\na,x,1\na,y,2\n",
            "f.csv: --columns: no column 'count'; its columns: 'sample', 'word', 'n'",
        ),
        (
            "sample,word,count\na,x,1\nb,x,2\n",
            "f.csv: only 1 numeric column, 'x', but a distribution needs two categories or more",
        ),
        (
            "sample,word,count\na,x,1\nb,y,0\n",
            "f.csv, row 1: every value is 0; a row needs a positive sum to be a distribution",
        ),
        (
            "sample,word,count\na,x,many\nb,y,0\nb,y,1\n",
            (
                "f.csv, line 2, column 'count': 'many' is not a number; --label-column 'count' "
                "takes the column for labels, --exclude 'count' leaves it out"
            ),
        ),
    ],
)
def test_errors(text, message):
    with pytest.raises(FileError) as error:
        read(text)
    assert str(error.value) == message
