"""Lines that betray damage."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdiv_numba.batch.run.records import DamagedError, Records

RECORDS = [{"a": [1, "é\udcff"]}, {"b": 0.1, "c": None}, {"b": float("inf")}, {"b": 0.1, "c": None}]


def lines_of(records):
    chain = Records()
    return [chain.line(record) for record in records]


LINES = lines_of(RECORDS)


def test_what_is_written_is_read_and_every_line_is_json():
    assert Records().read(LINES) == RECORDS
    for line, record in zip(LINES, RECORDS, strict=True):
        assert json.loads(line).items() >= record.items()


def test_reading_goes_on_with_what_is_written_after():
    chain = Records()
    chain.read(LINES[:2])
    assert [chain.line(record) for record in RECORDS[2:]] == LINES[2:]


@given(st.integers(0, len(LINES) - 1), st.data())
def test_a_changed_byte_shows(number, data):
    line = bytearray(LINES[number])
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedError, match=rf"^line {number + 1} is damaged$"):
        Records().read([*LINES[:number], bytes(line), *LINES[number + 1 :]])


@pytest.mark.parametrize(
    ("lines", "damaged"),
    [
        ([*LINES[:1], *LINES[2:]], 2),
        ([LINES[0], LINES[0]], 2),
        ([LINES[0], LINES[1], LINES[3]], 3),
        ([LINES[1]], 1),
        ([b"{}"], 1),
        ([b"[]"], 1),
        ([b"7"], 1),
        ([b""], 1),
        ([*LINES, b""], 5),
        ([*LINES, LINES[3][:-5]], 5),
    ],
)
def test_what_is_missing_moved_repeated_or_foreign_shows(lines, damaged):
    with pytest.raises(DamagedError) as error:
        Records().read(lines)
    assert error.value.line == damaged


@pytest.mark.parametrize(
    "number",
    [np.int64(2), np.float32(2), np.float64(2), np.longdouble(2), np.array(2), np.array(2.0)],
    ids=repr,
)
def test_numbers_of_numpys_are_those_of_python(number):
    assert Records().read([Records().line({"base": number})]) == [{"base": 2}]
    assert Records().line({"base": np.bool_(True)}) == Records().line({"base": True})


def test_what_is_no_number_is_an_error():
    with pytest.raises(AttributeError):
        Records().line({"base": object()})
