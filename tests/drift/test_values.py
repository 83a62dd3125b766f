"""Values of a column: kinds, what is missing, and one kind as another."""

import datetime
import decimal

import numpy as np
import pytest

from jsdiv_numba._drift.arrays import values_of_array
from jsdiv_numba._drift.values import common_kind, converted, empty, joined

NAT = np.datetime64("NaT")
DAY = datetime.date(2024, 2, 29)
NOON = datetime.datetime(2024, 2, 29, 12)
IN_OSLO = NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1)))


def texts(values):
    """Return values as text, None for those that are missing."""
    text = converted(values, "text")
    return [None if code < 0 else text.categories[code] for code in text.data]


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        ([1, 2, None], "integer", ["1", "2", None]),
        ([1, 2.5, None], "float", ["1", "2.5", None]),
        ([1.0, np.nan, np.inf], "float", ["1", None, "inf"]),
        (np.array([1, 2], np.float32), "float", ["1", "2"]),
        ([True, None, False], "boolean", ["True", None, "False"]),
        ([True, 2], "integer", ["1", "2"]),
        (["a", "", None], "text", ["a", "", None]),
        ([b"a", b"\xff"], "text", ["a", "\\xff"]),
        ([1, "a", None, 2.0], "text", ["1", "a", None, "2"]),
        ([decimal.Decimal("0.5"), decimal.Decimal("NaN")], "float", ["0.5", None]),
        ([DAY, None], "time", ["2024-02-29", None]),
        ([NOON], "time", ["2024-02-29T12:00:00"]),
        ([IN_OSLO], "time", ["2024-02-29T11:00:00"]),
        (np.array(["2024-02-29", NAT], "M8[D]"), "time", ["2024-02-29", None]),
        ([datetime.time(1, 2, 3)], "clock", ["01:02:03"]),
        ([datetime.timedelta(minutes=1)], "float", ["60"]),
        (np.array([1500, "NaT"], "m8[ms]"), "float", ["1.5", None]),
        ([10**30, 1], "float", ["1e+30", "1"]),
        (np.ma.array([1, 2], mask=[False, True]), "integer", ["1", None]),
        ([None, float("nan")], "empty", [None, None]),
        ([[1], [2]], "other", [None, None]),
        ([{"a": 1}, None], "other", [None, None]),
        (np.array([1j]), "other", [None]),
        ([], "float", []),
    ],
)
def test_a_column_has_one_kind_and_keeps_what_is_missing(column, kind, expected):
    values = values_of_array(column)
    assert values.kind == kind
    assert texts(values) == expected
    assert values.missing.tolist() == [text is None for text in expected]


def test_whole_numbers_beyond_64_bits_are_floats():
    values = values_of_array(np.array([2**64 - 1, 1], np.uint64))
    assert (values.kind, values.data.tolist()) == ("float", [2.0**64, 1.0])


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((), "empty"),
        (("empty", "time"), "time"),
        (("boolean", "integer"), "integer"),
        (("boolean", "float", "integer"), "float"),
        (("time", "integer"), "text"),
        (("boolean", "text"), "text"),
        (("other", "float"), "other"),
    ],
)
def test_kinds_have_one_in_common(kinds, expected):
    assert common_kind(kinds) == expected


def test_parts_join_as_one_kind_whatever_each_is():
    parts = [values_of_array([1, None]), empty(1), values_of_array(["b", "1"])]
    values = joined(parts, "text")
    assert texts(values) == ["1", None, None, "b", "1"]
    assert len(values.categories) == len(set(values.categories))
    numbers = joined([values_of_array([1, None]), values_of_array([2.5])], "float")
    assert numbers.missing.tolist() == [False, True, False]


@pytest.mark.parametrize("kind", ["integer", "float", "text", "time", "clock", "boolean", "other"])
def test_nothing_joins_to_nothing(kind):
    assert joined([], kind).size == 0
    assert converted(empty(3), kind).missing.all()
