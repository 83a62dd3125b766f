"""Moments by period: the finest of which there are not too many."""

from dataclasses import dataclass

import numpy as np

from .binning import Binning, value_binning
from .values import Array, Values

PERIODS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
MOST_PERIODS = 40
"""So many categories at most: the months of three years, the hours of a day and a half."""

MOMENTS = ("second", "minute", "hour", "day", "month", "year")
"""Periods of which each is made of the one before."""

_NUMPY = {"year": "Y", "month": "M", "day": "D", "hour": "h", "minute": "m", "second": "s"}
_THURSDAY = 3
"""1970 began with one, and weeks begin on Monday, as in ISO 8601."""


def period_of(microseconds: Array, period: str) -> Array:
    """Return the number of each moment's period, counted from the one of 1970-01-01."""
    moments = microseconds.astype("M8[us]")
    if period == "quarter":
        return moments.astype("M8[M]").astype(np.int64) // 3
    if period == "week":
        return (moments.astype("M8[D]").astype(np.int64) + _THURSDAY) // 7
    numbers: Array = moments.astype(f"M8[{_NUMPY[period]}]").astype(np.int64)
    return numbers


def start_of(numbers: Array, period: str) -> Array:
    """Return when periods of `MOMENTS` begin, in microseconds."""
    starts: Array = numbers.astype(f"M8[{_NUMPY[period]}]").astype("M8[us]").astype(np.int64)
    return starts


def moment_text(number: int, period: str) -> str:
    """Return a period of `MOMENTS` in ISO 8601."""
    return str(np.array(number, f"M8[{_NUMPY[period]}]"))


def moment_of(text: str, period: str) -> int | None:
    """Return the number of a period that is written so, if any is."""
    try:
        number = int(np.array(text, f"M8[{_NUMPY[period]}]").astype(np.int64))
    except ValueError:
        return None
    return number if moment_text(number, period) == text else None


def period_label(number: int, period: str) -> str:
    """Return what a period is called.

    Examples
    --------
    >>> period_label(0, "week"), period_label(-1, "quarter"), period_label(24, "hour")
    ('week of 1969-12-29', '1969 Q4', '1970-01-02 00h')
    """
    if period == "quarter":
        return f"{1970 + number // 4} Q{number % 4 + 1}"
    if period == "week":
        return f"week of {np.datetime64(7 * number - _THURSDAY, 'D')}"
    moment = np.array(number, f"M8[{_NUMPY[period]}]")
    text = str(moment).replace("T", " ")
    return f"{text}h" if period == "hour" else text


@dataclass(frozen=True)
class PeriodBinning(Binning):
    """Where moments go: each period of the sample is a category, and all others are one."""

    period: str = "day"

    def codes(self, values: Values) -> Array:
        """Return the category of each moment, and one more than there are for what is missing."""
        numbers = period_of(values.data, self.period)
        return super().codes(values._replace(data=numbers))


def binning_of_moments(sample: Values) -> PeriodBinning:
    """Return the finest periods that are not too many, by a sample of both tables together."""
    data = sample.data[~sample.missing]
    period, numbers = PERIODS[0], np.unique(period_of(data, PERIODS[0]))
    for finer in PERIODS[1:]:
        found = np.unique(period_of(data, finer))
        if len(found) > MOST_PERIODS:
            break
        # A finer one that tells no more apart is not worth its longer names.
        if len(found) > len(numbers):
            period, numbers = finer, found
    names = [period_label(int(number), period) for number in numbers]
    plain = value_binning(numbers, f"{len(numbers)} {period}s", names, "other times")
    return PeriodBinning(plain.how, plain.cuts, plain.bins, plain.labels, plain.named, period)


_HOUR = 3_600_000_000


def binning_of_clock() -> Binning:
    """Return the hours of the day."""
    cuts = np.arange(1, 24, dtype=np.int64) * _HOUR
    bins = np.repeat(np.arange(24), 2)[1:]
    return Binning("hours of the day", cuts, bins, tuple(f"{hour:02}h" for hour in range(24)))
