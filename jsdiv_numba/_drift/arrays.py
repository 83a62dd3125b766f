"""NumPy's arrays, lists and Python's objects as values of one kind."""

import datetime
import decimal
import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .values import BOOLEANS, Array, Values, empty

_NESTED = (list, tuple, dict, set, frozenset, np.ndarray)
_MISSING = {"NAType", "NaTType", "NoneType"}
_MOST = 2**63


def values_of_array(column: Any) -> Values:
    """Return a one-dimensional array, or what NumPy makes one of, as values."""
    array = column if isinstance(column, np.ndarray) else _as_array(column)
    if isinstance(array, np.ma.MaskedArray):
        return _masked(array)
    made = _BY_KIND.get(array.dtype.kind)
    return empty(len(array), "other") if made is None else made(array)


def _as_array(column: Any) -> Array:
    try:
        array = np.asarray(column)
    except (TypeError, ValueError):
        array = None
    # Text among numbers would make all of them text, and lists as long as another a matrix.
    if array is None or array.ndim != 1 or array.dtype.kind in "US":
        objects = np.empty(len(column), object)
        objects[:] = list(column)
        return objects
    return array


def _masked(array: Any) -> Values:
    mask = np.ma.getmaskarray(array)
    if not mask.any():
        return values_of_array(np.asarray(array))
    objects = np.asarray(array).astype(object)
    objects[mask] = None
    return values_of_array(objects)


def _booleans(array: Array) -> Values:
    return Values("boolean", array.astype(np.intp), None, BOOLEANS)


def _floats(array: Array) -> Values:
    return Values("float", array.astype(np.float64, copy=False))


def _objects(array: Array) -> Values:
    return values_of_objects(array.tolist())


def _integers(array: Array) -> Values:
    if array.dtype == np.uint64 and array.size and array.max() >= _MOST:
        return Values("float", array.astype(np.float64))
    return Values("integer", array.astype(np.int64, copy=False))


def _times(array: Array) -> Values:
    present = ~np.isnat(array)
    if array.dtype.kind == "m":
        seconds = array.astype("m8[us]").astype(np.float64) / 1e6
        return Values("float", np.where(present, seconds, np.nan))
    data = np.where(present, array.astype("M8[us]").astype(np.int64), 0)
    return Values("time", data, present)


_BY_KIND: dict[str, Callable[[Array], Values]] = {
    "b": _booleans,
    "f": _floats,
    **dict.fromkeys("iu", _integers),
    **dict.fromkeys("Mm", _times),
    **dict.fromkeys("USTO", _objects),
}
"""By the kind of NumPy's dtype."""


def values_of_objects(objects: Iterable[Any]) -> Values:
    """Return Python's objects as values: of several types as text, of nested ones as others."""
    found = list(objects)
    missing = np.array([is_missing(value) for value in found], bool)
    there = [value for value, gone in zip(found, missing, strict=True) if not gone]
    kind = _kind_of(there)
    if kind in ("empty", "other"):
        return empty(len(found), kind)
    if kind == "text":
        return _texts(there, missing)
    if kind == "boolean":
        codes = np.full(len(found), -1, np.intp)
        codes[~missing] = there
        return Values("boolean", codes, None, BOOLEANS)
    data = np.full(len(found), np.nan) if kind == "float" else np.zeros(len(found), np.int64)
    data[~missing] = [_NUMBER[kind](value) for value in there]
    zoned = kind == "time" and all(map(_is_zoned, there))
    return Values(kind, data, None if kind == "float" else ~missing, zoned=zoned)


def is_missing(value: Any) -> bool:
    """Return whether a value says that there is none: None, NaN, and what pandas has for them."""
    if value is None or type(value).__name__ in _MISSING:
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    if isinstance(value, decimal.Decimal):
        return value.is_nan()
    return isinstance(value, float | np.floating) and math.isnan(value)


def _kind_of(there: list[Any]) -> str:
    kinds = {_kind(value) for value in set(map(type, there))}
    if "other" in kinds or len(kinds) < 2:
        kind = "other" if "other" in kinds else next(iter(kinds), "empty")
    elif kinds <= {"integer", "float"}:
        kind = "float"
    elif kinds <= {"boolean", "integer", "float"}:
        kind = "float" if "float" in kinds else "integer"
    else:
        kind = "text"
    if kind == "integer" and any(not -_MOST <= int(value) < _MOST for value in there):
        kind = "float"
    return kind


def _kind(of: type) -> str:
    rules: tuple[tuple[Any, str], ...] = (
        (str, "text"),
        (bytes, "text"),
        (bool | np.bool_, "boolean"),
        # For NumPy it is an integer.
        (datetime.timedelta | np.timedelta64, "float"),
        (numbers.Integral, "integer"),
        (numbers.Real | decimal.Decimal, "float"),
        (datetime.date | np.datetime64, "time"),
        (datetime.time, "clock"),
        (_NESTED, "other"),
    )
    return next((kind for types, kind in rules if issubclass(of, types)), "text")


def _seconds(value: Any) -> float:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, np.timedelta64):
        return float(value.astype("m8[us]").astype(np.int64)) / 1e6
    try:
        return float(value)
    except OverflowError:
        # Integers have no end.
        return math.inf if value > 0 else -math.inf


def _is_zoned(value: Any) -> bool:
    return isinstance(value, datetime.datetime) and value.utcoffset() is not None


def _microseconds(value: Any) -> int:
    offset = value.utcoffset() if _is_zoned(value) else None
    if offset is not None:
        # In UTC it may be of the year 0 or 10000, which Python does not know.
        value = value.replace(tzinfo=None)
    moment = int(np.datetime64(value, "us").astype(np.int64))
    return moment - offset // datetime.timedelta(microseconds=1) if offset else moment


def _of_day(value: datetime.time) -> int:
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return seconds * 1_000_000 + value.microsecond


_NUMBER: dict[str, Any] = {
    "float": _seconds,
    "integer": int,
    "time": _microseconds,
    "clock": _of_day,
}


def _texts(there: list[Any], missing: Array) -> Values:
    index: dict[str, int] = {}
    codes = np.full(len(missing), -1, np.intp)
    codes[~missing] = [index.setdefault(text_of(value), len(index)) for value in there]
    return Values("text", codes, None, list(index))


def text_of(value: Any) -> str:
    """Return an object as text; numbers as they are written where all are numbers."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and value.is_integer():
        return f"{value:.15g}"
    return str(value)
