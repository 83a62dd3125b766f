"""Measures of sparse rows: the entries that any of them has, side by side in dense rows.

A category that all have a 0 in adds nothing: it may be left out, and zeros may stand for it. Rows
are filled up to a power of two, which they decide themselves: no bit depends on the others.
"""

from collections.abc import Callable, Mapping
from operator import index
from typing import Any

import numpy as np

from . import validation
from .sparse import Compressed, IntArray, as_compressed, is_sparse, of_dtype
from .validation import FloatArray

BLOCK_ELEMENTS = 1 << 20
"""Elements of dense rows at a time, 8 MB for each input."""


def by_rows(
    measure: Callable[..., Any],
    inputs: Mapping[str, Any],
    axis: Any,
    keepdims: bool,
    reduce: bool,
    out: FloatArray | None,
    weight: Any = validation.EQUAL,
) -> Any:
    """Return a measure of each row of inputs of which any is sparse; axis 0 has columns for rows.

    `measure` takes dense rows, and a `weight` of each if that is not ½.
    """
    check_reduced(reduce)
    along = checked_axis(axis)
    rows = [_as_rows(name, values, along) for name, values in inputs.items()]
    number = _number_of_rows(inputs, rows, along)
    dtype = validation.result_dtype(*map(of_dtype, inputs.values()))
    values, kept = np.empty(number), (number, 1) if along else (1, number)
    shape = kept if keepdims else (number,)
    weights = _weights(weight, shape)
    lengths = sum(_numbers_of_entries(each) for each in rows) + np.zeros(number, np.intp)
    classes = np.ceil(np.log2(np.maximum(lengths, 1))).astype(int)
    for power in np.unique(classes):
        chosen = np.flatnonzero(classes == power)
        for part in np.array_split(chosen, -(-(chosen.size << power) // BLOCK_ELEMENTS)):
            own = {} if weights is None else {"weight": weights[part]}
            values[part] = measure(*side_by_side(rows, part, 1 << power), **own)
    if not number:
        # What the measure refuses, it refuses of no rows too.
        measure(*np.zeros((len(rows), 0, 1)))
    result = validation.result_array(out, shape, dtype)
    validation.convert_into(result, values.reshape(shape))
    return result


def side_by_side(rows: list[Compressed], chosen: IntArray, length: int) -> list[FloatArray]:
    """Return chosen rows of all matrices as dense ones: the columns that any has, then zeros."""
    width = max(rows[0].width, 1)
    found = [_entries(each, chosen if len(each) > 1 else np.zeros_like(chosen)) for each in rows]
    keys = [row * width + each.columns[at] for each, (row, at) in zip(rows, found, strict=True)]
    union = np.unique(np.concatenate(keys))
    row = union // width
    place = np.arange(union.size) - np.searchsorted(union, row * width)
    dense = []
    for each, key, (_, at) in zip(rows, keys, found, strict=True):
        where, values = np.searchsorted(union, key), np.zeros((chosen.size, length))
        values[row[where], place[where]] = each.given[at]
        dense.append(values)
    return dense


def columns_of(rows: list[Compressed]) -> IntArray:
    """Return the columns that matrices of one row have entries in."""
    return np.unique(np.concatenate([each.columns for each in rows])).astype(np.intp)


def as_one_row(name: str, values: Any) -> Compressed:
    """Return a distribution, sparse or dense, as a matrix of one row."""
    shape = np.shape(values)
    if len(shape) == 1:
        values = values.reshape(1, -1) if is_sparse(values) else np.asarray(values)[None]
    elif len(shape) != 2 or shape[0] != 1:
        raise ValueError(
            f"{name} has shape {shape}; it must be 1-d or have one row, one distribution"
        )
    return as_compressed(name, values)


def _entries(rows: Compressed, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """Return where the entries of chosen rows are, and the number of each one's row among these."""
    starts = rows.starts[chosen]
    counts = rows.starts[chosen + 1] - starts
    row = np.repeat(np.arange(chosen.size), counts)
    before = np.cumsum(counts) - counts
    return row, np.arange(row.size) + (starts - before)[row]


def _numbers_of_entries(rows: Compressed) -> IntArray:
    return np.diff(rows.starts)


def check_reduced(reduce: bool) -> None:
    """Raise if the terms of sparse rows are wanted."""
    if not reduce:
        raise ValueError("reduce is False; of sparse rows there are only sums: pass dense rows")


def checked_axis(axis: Any) -> int:
    """Return 1 for sums of rows and 0 for those of columns, or raise."""
    try:
        checked = 2 if isinstance(axis, bool) else index(axis)
    except TypeError:
        checked = 2
    if not -2 <= checked < 2:
        raise ValueError(f"axis is {axis!r}; of sparse rows it must be 1 or -1, of columns 0 or -2")
    return checked % 2


def _as_rows(name: str, values: Any, along: int) -> Compressed:
    if not is_sparse(values):
        values = validation.as_real(name, values)
        values = np.atleast_2d(values) if along else values
    elif values.ndim == 1:
        values = values.reshape(1, -1)
    return as_compressed(name, values if along else values.T)


def _number_of_rows(inputs: Mapping[str, Any], rows: list[Compressed], along: int) -> int:
    number = max((len(each) for each in rows if len(each) != 1), default=1)
    if len({each.width for each in rows}) > 1 or any(len(each) not in (1, number) for each in rows):
        shapes = " and ".join(f"{name} of shape {np.shape(inputs[name])}" for name in inputs)
        kind = "rows, or one, and columns" if along else "columns, or one, and rows"
        raise ValueError(f"{shapes} do not have equal numbers of {kind}")
    return number


def _weights(weight: Any, shape: tuple[int, ...]) -> FloatArray | None:
    """Return one weight for each row; None if all are ½."""
    if weight is validation.EQUAL:
        return None
    checked = validation.as_weight(weight)
    return validation.broadcast_weight(checked, shape, "the result's").ravel()
