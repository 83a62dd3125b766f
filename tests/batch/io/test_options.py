"""What a user says of a table."""

import re

import pytest

from jsdiv_numba.batch.io.options import DEFAULT, TableOptions, UnknownColumnError, chosen

NAMES = ["id", "a", "b", "c", "2000", "x-y"]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (["a"], [1]),
        ([2], [1]),
        (["2"], [1]),
        (["2000"], [4]),
        (["a:c"], [1, 2, 3]),
        (["2-4"], [1, 2, 3]),
        (["2:4"], [1, 2, 3]),
        (["b:"], [2, 3, 4, 5]),
        ([":b"], [0, 1, 2]),
        (["x-y"], [5]),
        (["b:x-y"], [2, 3, 4, 5]),
        (["c", "a", "a:b"], [3, 1, 2]),
    ],
)
def test_columns_by_name_number_and_range(items, expected):
    assert chosen(items, NAMES, len(NAMES)) == expected


def test_a_name_that_comes_twice_is_both():
    assert chosen(["a"], ["a", "b", "a"], 3) == [0, 2]


@pytest.mark.parametrize("item", ["z", "0", 0, 7, "7", "c:a", "a:z", "", "-", ":"])
def test_what_is_no_column(item):
    with pytest.raises(UnknownColumnError, match=r"no column .*; its columns: 'id', 'a', 'b', "):
        chosen([item], NAMES, len(NAMES))


def test_without_headings_there_are_numbers():
    assert chosen(["2-3", 1], None, 3) == [1, 2, 0]
    with pytest.raises(UnknownColumnError, match=r"no column 'a'; it has 3, counted from 1"):
        chosen(["a"], None, 3)


def test_a_name_with_a_comma_is_quoted():
    assert TableOptions(columns='"a,b",c').columns == ("a,b", "c")
    assert TableOptions(columns=["a,b", 3]).columns == ("a,b", 3)


def test_words_for_separators():
    words = ["tab", "\\t", "space", "\\s+", "semicolon", "|"]
    assert [TableOptions(sep=word).sep for word in words] == ["\t", "\t", " ", " ", ";", "|"]


def test_what_is_given():
    assert DEFAULT.given == {}
    options = TableOptions(header=True, exclude="a", format="CSV")
    assert options.given == {"header": True, "exclude": ("a",), "format": ".csv"}
    assert TableOptions(**options.arguments) == options


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sep": "ab"}, "sep is 'ab'; it must be one character, 'tab' or 'space'"),
        ({"sep": '"'}, "sep is '\"'; it must be one character, 'tab' or 'space'"),
        ({"decimal": ";"}, "decimal is ';'; it must be '.' or ','"),
        ({"decimal": ",", "sep": ","}, "sep and decimal are both ','"),
        ({"comment": " "}, "comment is ' '; it must be what begins a line"),
        ({"missing": "0"}, "missing is '0'; it must be one of 'error', 'nan', 'zero'"),
        ({"encoding": "x"}, "encoding is 'x'; Python knows no such encoding"),
        ({"columns": []}, "columns is []; it must be names or numbers"),
        ({"columns": [1.5]}, "columns is [1.5]; it must be names or numbers"),
        ({"long": "a,b"}, "long is 'a,b'; it must be three columns: SAMPLE,CATEGORY,COUNT"),
        ({"long": "a,b,c", "exclude": "d"}, "long and exclude cannot be used together"),
        ({"long": "a,b,c", "transpose": True}, "long and transpose cannot be used together"),
    ],
)
def test_what_is_wrong_is_named(wrong, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TableOptions(**wrong)
