"""Rows of two files that belong together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.io.matching import matches
from jsdiv_numba.batch.io.sources import open_array, rearranged

FILES = ("f.csv", "g.csv")


def match(first, second, how=None):
    sizes = len(first), len(second)
    return matches((first, second), sizes, FILES, how)


@given(st.permutations(list("abcdef")), st.permutations(list("abcdef")))
def test_labels_meet_their_like(first, second):
    found = match(first, second)
    if first == second:
        assert found is None
        return
    assert [first[i] for i in found.first] == first
    assert [second[j] for j in found.second] == first


def test_what_one_side_has_alone_is_told():
    with pytest.warns(TableWarning) as warned:
        found = match(["a", "b", "c"], ["d", "c", "a", "e"])
    assert [found.first.tolist(), found.second.tolist()] == [[0, 2], [2, 1]]
    assert [str(w.message) for w in warned] == [
        "f.csv: 1 row left out, not in g.csv: 'b'",
        "g.csv: 2 rows left out, not in f.csv: 'd', 'e'",
    ]


def test_by_position_where_it_is_said_or_a_file_has_no_labels():
    assert match(["a", "b"], ["b", "a"], "position") is None
    assert matches((None, ["b", "a"]), (2, 2), FILES, None) is None


@pytest.mark.parametrize(
    ("labels", "how", "message"),
    [
        ((["a", "b"], ["a"]), "position", "g.csv: number of rows is 1, but f.csv has 2; "),
        (([], None), "label", "g.csv: --match label: its rows have no labels"),
        (
            (["a", "b"], ["c"]),
            None,
            (
                "g.csv: no row has a label of f.csv, whose first are 'a', 'b'; its own "
                "are 'c'; --match position"
            ),
        ),
        (
            (["a", "b"], ["a", "b", "a"]),
            None,
            (
                "g.csv: rows 0 and 2 are both called 'a'; rows are compared by their "
                "labels; --match position"
            ),
        ),
    ],
)
def test_errors(labels, how, message):
    sizes = tuple(len(names or ()) for names in labels)
    with pytest.raises(FileError) as error:
        matches(labels, sizes, FILES, how)
    assert str(error.value).startswith(message)


@given(st.lists(st.integers(0, 19), min_size=1, max_size=30))
def test_rows_in_another_order(order):
    matrix = np.arange(60.0).reshape(20, 3)
    source = rearranged(open_array(matrix, "X"), np.array(order))
    np.testing.assert_array_equal(source.rows(0, len(order)), matrix[order])
    np.testing.assert_array_equal(source.rows(1, len(order)), matrix[order[1:]])
    assert source.labels(0, 1).to_pylist() == [f"row {order[0]}"]
    assert source.shape == (len(order), 3)
