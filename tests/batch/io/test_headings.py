"""Whether the first line of a text file names its columns."""

import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.headings import is_header, is_heading_word, is_text, usual_width

HEADERS = {
    "words": (["k", "a", "b"], [["x", "1", "2"]]),
    "words alone": (["a", "b"], [["1", "2"]]),
    "an empty name": (["", "0", "1"], [["x", "5", "3"]]),
    "a name that marks a missing value": (["k", "NA", "US"], [["x", "5", "3"]]),
    "years below a heading": (["State", "2000", "2001"], [["Ohio", "5", "3"]]),
    "years above counts like years": (["State", "2000", "2010"], [["Ohio", "1500", "1990"]]),
    "numbers above shares": (["name", "1", "2", "3"], [["x", "0.5", "0.25", "0.25"]]),
    "years and a word": (["k", "2000", "2001", "total"], [["x", "5", "3", "8"]]),
    "mostly words": (["k", "a", "7", "b"], [["x", "5", "3", "8"]]),
    "wells": (["well", "1E2", "1E3"], [["x", "5", "3"]]),
}
ROWS = {
    "numbers": (["1", "2"], [["3", "4"]]),
    "a label": (["x", "1", "2"], [["y", "3", "4"]]),
    "what is missing": (["x", "-", "2", "."], [["y", "3", "4", "5"]]),
    "only what is missing": (["x", "?", "?"], [["y", "3", "4"]]),
    "shares": (["0.2", "0.8"], [["0.5", "0.5"]]),
    "the same numbers in another order": (["1", "2", "3", "4"], [["4", "3", "2", "1"]]),
    "a table that counts on": (["0", "1", "2", "3"], [["4", "5", "6", "7"]]),
    "one category each": (["1", "0", "0"], [["0", "1", "0"]]),
    "one line": (["x", "1", "2"], []),
    "a label like a number": (["F1", "1", "2"], [["1E2", "3", "4"]]),
}
EITHER = {
    "years without a heading": (["Staat", "2000", "2001"], [["Ohio", "5", "3"]]),
    "years alone": (["2000", "2001"], [["5", "3"]]),
    "numbers from 0": (["0", "1", "2", "3"], [["5", "3", "9", "1"]]),
    "numbers above shares": (["0", "1", "2"], [["0.5", "0.25", "0.25"]]),
    "different numbers below a heading": (["id", "17", "4"], [["x", "5", "3"]]),
    "a word among numbers": (["x", "1", "2O", "3"], [["y", "1", "2", "3"]]),
    "wells without a heading": (["k", "1E2", "1E3"], [["x", "5", "3"]]),
}


@pytest.mark.parametrize(("first", "below"), HEADERS.values(), ids=HEADERS)
def test_headers(first, below):
    assert is_header(first, below, place="f, line 1")


@pytest.mark.parametrize(("first", "below"), ROWS.values(), ids=ROWS)
def test_rows(first, below):
    assert not is_header(first, below, place="f, line 1")


@pytest.mark.parametrize(("first", "below"), EITHER.values(), ids=EITHER)
def test_what_may_be_either_is_an_error(first, below):
    with pytest.raises(FileError, match=r"^f, line 1: .*; say --header yes if the line names"):
        is_header(first, below, place="f, line 1")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *((word, True) for word in ["ID", "sample_id", "#OTU ID", "sampleId", "State", "Years"]),
        *((word, False) for word in ["Ohio", "acid", "Madrid", "x", "", "idea"]),
    ],
)
def test_words_that_stand_above_labels(word, expected):
    assert is_heading_word(word) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["x", "y"], True),
        (["1", "2"], False),
        (["x", "1"], True),
        (["x", "1", "2"], False),
        (["F1", "1E2", "1E3"], True),
        (["1E2", "1E3"], False),
        (["NA", "x"], True),
        (["NA", ""], False),
        (["1,5", "12 %"], False),
    ],
)
def test_columns_of_text(cells, expected):
    assert is_text(cells) == expected


def test_the_usual_width_is_the_most_frequent():
    assert usual_width([["a"], ["a", "b"], ["c", "d"]]) == 2
