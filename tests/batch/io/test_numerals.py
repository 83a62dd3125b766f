"""How numbers are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdiv_numba.batch.io.numerals import AmbiguousError, Numerals, numerals_of


@given(st.floats(allow_nan=False))
def test_what_python_writes_is_read_back(value):
    assert Numerals().number(repr(value)) == value
    assert Numerals(",").number(repr(value).replace(".", ",")) == value


@given(st.integers(0, 10**12), st.sampled_from([",", " ", "'", "\N{NARROW NO-BREAK SPACE}"]))
def test_grouped_thousands_are_read_back(value, mark):
    assert Numerals(grouped=True).number(f"{value:,}".replace(",", mark)) == value


@given(st.decimals(0, 10**6, places=2))
def test_grouped_thousands_with_decimals_are_read_back(value):
    assert Numerals(grouped=True).number(f"{value:,}") == float(value)
    german = f"{value:,}".translate(str.maketrans(",.", ".,"))
    assert Numerals(",", grouped=True).number(german) == float(value)


@pytest.mark.parametrize("cell", ["", "1O", "1_0", "٣", "0x1", "1,5", "1 2", "--1", "1e", "1\x0c"])
def test_what_is_no_plain_number(cell):
    assert Numerals().number(cell) is None


@pytest.mark.parametrize("cell", ["1.5", "1.5,2", "1,2,3", "1.23,4"])
def test_what_is_no_number_with_decimal_commas(cell):
    assert Numerals(",", grouped=True).number(cell) is None


@pytest.mark.parametrize(
    ("cells", "semicolons", "expected"),
    [
        (["1", "2.5", "1e-3"], False, Numerals()),
        (["1,5", "2"], True, Numerals(",")),
        (["0,125", "2,250"], True, Numerals(",")),
        (["1.234,5", "2"], True, Numerals(",", grouped=True)),
        (["1,5", "2.125"], True, Numerals(",", grouped=True)),
        (["1,234.5", "2"], False, Numerals(grouped=True)),
        (["1,234,567", "2,345"], False, Numerals(grouped=True)),
        (["1,234", "0.5"], False, Numerals(grouped=True)),
        (["1.234.567", "2"], True, Numerals(",", grouped=True)),
        (["1 234", "2"], True, Numerals(grouped=True)),
        (["12 %", "88%"], False, Numerals(percent=True)),
        (["12,5 %", "87,5%"], True, Numerals(",", percent=True)),
        (["1.234", "1500"], True, Numerals()),
        (["0.234", "1.250"], True, Numerals()),
        (["1.234", "2.345"], False, Numerals()),
        (["1", "nan", "-inf", "Infinity"], True, Numerals()),
    ],
)
def test_how_numbers_are_written_is_told_from_them(cells, semicolons, expected):
    assert numerals_of(cells, None, comma_free=semicolons) == expected


@pytest.mark.parametrize(
    ("cells", "semicolons"),
    [(["1,234"], True), (["1,234", "2"], False), (["1.234", "2.345", "7"], True)],
)
def test_what_may_be_either_is_an_error(cells, semicolons):
    with pytest.raises(AmbiguousError):
        numerals_of(cells, None, comma_free=semicolons)
    for decimal in ".,":
        assert numerals_of(cells, decimal, comma_free=semicolons).decimal == decimal
