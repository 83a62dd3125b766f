"""Moments by period."""

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdiv_numba._drift.arrays import values_of_array
from jsdiv_numba._drift.periods import (
    MOST_PERIODS,
    PERIODS,
    binning_of_clock,
    binning_of_moments,
    period_label,
    period_of,
)

EPOCH = datetime.datetime(1970, 1, 1)
DATES = st.datetimes(datetime.datetime(1601, 1, 1), datetime.datetime(2500, 1, 1))


@given(st.lists(DATES, min_size=2, max_size=20))
def test_periods_are_those_of_the_calendar(moments):
    data = np.array(moments, "M8[us]").astype(np.int64)
    expected = {
        "year": lambda t: (t.year,),
        "quarter": lambda t: (t.year, (t.month - 1) // 3),
        "month": lambda t: (t.year, t.month),
        "week": lambda t: t.isocalendar()[:2],
        "day": lambda t: t.date(),
        "hour": lambda t: (t.date(), t.hour),
        "minute": lambda t: (t.date(), t.hour, t.minute),
        "second": lambda t: t.replace(microsecond=0),
    }
    for period in PERIODS:
        numbers = period_of(data, period)
        same = numbers[:, None] == numbers
        keys = [expected[period](moment) for moment in moments]
        assert same.tolist() == [[a == b for b in keys] for a in keys]
        labels = [period_label(int(n), period) for n in numbers]
        assert [[a == b for b in labels] for a in labels] == same.tolist()


@pytest.mark.parametrize(
    ("count", "step", "how"),
    [
        (60, datetime.timedelta(days=30), "20 quarters"),
        (24, datetime.timedelta(days=31), "24 months"),
        (100, datetime.timedelta(hours=1), "5 days"),
        (40, datetime.timedelta(hours=1), "40 hours"),
        (1000, datetime.timedelta(days=366), "501 years"),
        (5, datetime.timedelta(0), "1 years"),
    ],
)
def test_periods_are_the_finest_that_are_not_too_many(count, step, how):
    moments = [EPOCH + min(k, 500) * step for k in range(count)]
    binning = binning_of_moments(values_of_array(moments))
    number = len(binning.cuts)
    assert binning.size == number + 1
    assert number <= MOST_PERIODS or binning.period == "year"
    assert binning.how == how
    codes = binning.codes(values_of_array([*moments, datetime.datetime(1600, 1, 1), None]))
    assert set(codes[:count]) == set(range(number))
    assert codes[count:].tolist() == [number, number + 1]


def test_hours_of_the_day():
    times = [datetime.time(0), datetime.time(0, 59, 59, 999_999), datetime.time(1), None]
    codes = binning_of_clock().codes(values_of_array([*times, datetime.time(23, 59)]))
    assert codes.tolist() == [0, 0, 1, 24, 23]
