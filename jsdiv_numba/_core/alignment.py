"""Labels of inputs' axes, as tables have them: arrays are compared by position, and forget them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Columns", "check_labels", "columns_of", "joined"]

WITHOUT_LABELS = {np.ndarray, list, tuple}
"""Of most inputs it is known at once."""


def check_labels(names: Sequence[str], values: Sequence[Any], axes: Iterable[int] = (-1,)) -> None:
    """Raise if two inputs have the same labels in another order.

    The axes are counted from the last.
    """
    if sum(type(value) not in WITHOUT_LABELS for value in values) < 2:
        return
    labelled = [
        (name, labels)
        for name, value in zip(names, values, strict=True)
        if (labels := _labels(value))
    ]
    for axis in {*axes, -1}:
        along = [(name, labels[axis]) for name, labels in labelled if len(labels) >= -axis]
        in_tables = axis == -1 and all(len(labels) > 1 for _, labels in labelled)
        for pair in pairwise(along):
            _check_pair(*pair, "column" if in_tables else "label")


class Columns(NamedTuple):
    """The labels of a table's last axis, which stand for the table in `check_labels`."""

    column_names: list[Any] | None


def columns_of(value: Any) -> Columns:
    """Return those of any input."""
    labels = [] if type(value) in WITHOUT_LABELS else _labels(value)
    return Columns(list(labels[-1]) if len(labels) and labels[-1] is not None else None)


def joined(names: tuple[str, str], values: tuple[Any, Any]) -> tuple[Any, Any, list[Any] | None]:
    """Return two distributions over the same categories, and these: a join of what has labels.

    Labels are a mapping's keys, and the index of a Series that is no mere count. What one
    side does not have is 0 there. The order is that of the first, then of what is new.
    Without labels, the values come back as they are, and None.
    """
    pairs = [_labelled(value) for value in values]
    if pairs[0] is None and pairs[1] is None:
        return *values, None
    for name, value, pair in zip(names, values, pairs, strict=True):
        if pair is not None:
            continue
        if isinstance(values[0], Mapping) or isinstance(values[1], Mapping):
            raise TypeError(
                f"{name} is a {type(value).__name__} without labels, and the other a mapping; pass "
                "two mappings, or the values of both in one order"
            )
        labels = next(pair[0] for pair in pairs if pair is not None)
        return *values, labels
    (labels, first), (others, second) = (pair for pair in pairs if pair is not None)
    if labels == others:
        return first, second, labels
    places: dict[Any, int] = {}
    for name, own in zip(names, (labels, others), strict=True):
        double = next((label for label, count in Counter(own).items() if count > 1), None)
        if double is not None:
            raise ValueError(f"{name} has the label {double!r} twice; add its values up first")
        for label in own:
            places.setdefault(label, len(places))
    return (*(
        _placed(array, own, places) for array, own in ((first, labels), (second, others))
    ), list(places))  # fmt: skip


def _placed(values: Any, labels: list[Any], places: dict[Any, int]) -> Any:
    array = np.asarray(values)
    whole = np.zeros(len(places), array.dtype)
    whole[[places[label] for label in labels]] = array
    return whole


def _labelled(value: Any) -> tuple[list[Any], Any] | None:
    """Return labels and values of one distribution; None of what has no labels."""
    if isinstance(value, Mapping):
        return list(value), list(value.values())
    if hasattr(value, "iloc") and getattr(value, "ndim", 0) == 1:
        labels = value.index.tolist()
        return None if labels == list(range(len(labels))) else (labels, value)
    return None


def _labels(value: Any) -> Sequence[Any]:
    """Return the labels along each axis, None where there are none; nothing of what has none."""
    if hasattr(value, "iloc"):
        axes: Sequence[Any] = value.axes  # pandas
        return axes
    if hasattr(value, "dims") and hasattr(value, "indexes"):
        return [value.indexes.get(dimension) for dimension in value.dims]  # xarray
    names = getattr(value, "column_names", None) or getattr(value, "columns", None)
    return [None, names] if isinstance(names, list) else []  # Arrow and Polars


def _check_pair(first: tuple[str, Any], second: tuple[str, Any], noun: str) -> None:
    (name, labels), (other, others) = first, second
    if labels is None or others is None or len(labels) != len(others):
        return
    pairs = zip(labels, others, strict=True)
    differ = next((pair for pair in enumerate(pairs) if pair[1][0] != pair[1][1]), None)
    if differ is None or Counter(labels) != Counter(others):
        return
    i, (label, instead) = differ
    raise ValueError(
        f"{name} and {other} have the same {noun}s in another order: {noun} {i} is {label!r} in "
        f"{name} and {instead!r} in {other}; bring them into one order"
    )
