"""Which columns label the rows, and which are categories."""

import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.roles import Field, require_categories, roles


def number(name, *whole, fractions=False):
    return Field(name, "number", whole=tuple(whole) or None, fractions=fractions)


def text(name, **more):
    return Field(name, "text", **more)


A, B = number("a", 5, 5, 7), number("b", 1, 2, 2)


def found(fields, named=True, **options):
    roles_of = roles(fields, TableOptions(**options), "f", named=named)
    return [list(roles_of.labels), list(roles_of.values), list(roles_of.ignored)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([A, B], [[], [0, 1], []]),
        ([text("k"), A, B], [[0], [1, 2], []]),
        ([text("k"), text("l"), A, B], [[0, 1], [2, 3], []]),
        ([text("k"), number("year", 1, 1, 2), A, B], [[0, 1], [2, 3], []]),
        ([number("id", 3, 1, 2), A, B], [[0], [1, 2], []]),
        ([number("sampleId", 3, 1, 2), A, B], [[0], [1, 2], []]),
        ([number("n", 0, 1, 2), text("k"), A, B], [[1], [2, 3], [0]]),
        ([A, B, number("i", 0, 1, 2, fractions=False)], [[], [0, 1, 2], []]),
        ([A, B, Field("i", "number", marked=True, whole=(0, 1))], [[2], [0, 1], []]),
        ([text("k"), A, B, Field("i", "number", marked=True, whole=(0, 1))], [[0], [1, 2], [3]]),
        (
            [A, B, Field("i", "text", marked=True), Field("j", "text", marked=True)],
            [[2, 3], [0, 1], []],
        ),
        ([text("k"), A, B, Field("", "empty")], [[0], [1, 2], []]),
    ],
)
def test_what_is_told_from_the_columns(fields, expected):
    assert found(fields) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"label_column": "none"}, [[], [0, 1, 2], []]),
        ({"label_column": "a"}, [[1], [0, 2], []]),
        ({"label_column": ["b", "k"]}, [[2, 0], [1], []]),
        ({"columns": "b"}, [[0], [2], [1]]),
        ({"columns": "b,a"}, [[0], [2, 1], []]),
        ({"exclude": "a"}, [[0], [2], [1]]),
        ({"exclude": "k"}, [[], [1, 2], [0]]),
        ({"exclude": "k", "columns": "1-2"}, [[], [1], [0, 2]]),
    ],
)
def test_what_is_said_of_them(options, expected):
    assert found([text("k"), A, B], **options) == expected


@pytest.mark.parametrize(
    ("first", "named"),
    [
        (number("n", 0, 1, 2), True),
        (number("", 1, 2, 3), False),
        (number("n", 100, 250, 999), True),
        (number("gene", 4, 1), True),
    ],
)
def test_what_may_be_either_is_refused(first, named):
    with pytest.raises(FileError, match=r"may label the rows or be a category; say --label-column"):
        found([first, A, B], named=named)
    assert found([first, A, B], named=named, label_column="none")[1] == [0, 1, 2]


def test_columns_that_count_on_from_the_first_are_alike():
    assert found([number(f"x{j}", 5, 3 + j, 9) for j in (1, 2, 3)]) == [[], [0, 1, 2], []]


@pytest.mark.parametrize("count", [0, 1])
def test_a_distribution_has_two_categories(count):
    with pytest.raises(FileError, match=r"^f: (no numeric column|only 1 numeric column, 'a'), but"):
        require_categories("f", count, "'a'")
    require_categories("f", 2, "'a'")
