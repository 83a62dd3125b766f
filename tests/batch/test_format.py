"""Labels as they are shown."""

import pytest

from jsdiv_numba.batch.format import counted, shown


@pytest.mark.parametrize(
    ("label", "limit", "expected"),
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "ab…ef"),
        ("abcdefg", 6, "abc…fg"),
        ("abcdef", 3, "a…f"),
        ("", 5, ""),
        ("naïve 東京", 8, "naïve 東京"),
        ("two\nlines\tand \x1b[31mred", 30, "two�lines�and �[31mred"),
    ],
)
def test_shown(label, limit, expected):
    assert shown(label, limit) == expected
    assert len(shown(label, limit)) <= limit


@pytest.mark.parametrize(
    ("count", "expected"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12345, "12,345 rows")]
)
def test_counted(count, expected):
    assert counted(count, "row") == expected
