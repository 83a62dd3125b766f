"""Labels of inputs' axes, as tables have them: arrays are compared by position, and forget them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["check_labels"]


def check_labels(names: Sequence[str], values: Sequence[Any], axes: Iterable[int] = (-1,)) -> None:
    """Raise if two inputs have the same labels in another order.

    The axes are counted from the last.
    """
    if sum(type(value) is not np.ndarray for value in values) < 2:
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
