"""Counts: whole numbers, checked, as rows of integers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core import alignment, validation
from .._core.validation import Axis

IntArray = np.ndarray[Any, np.dtype[np.intp]]
BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

NAN_POLICIES = "propagate", "omit", "raise"

MOST = 2**53
"""Observations of a sample: as many as float64 counts without a gap."""


class Counts(NamedTuple):
    """Whole numbers, and where there are none."""

    values: IntArray
    """0 where one is missing."""

    missing: BoolArray | None
    """None if none is."""


class Samples(NamedTuple):
    """Pairs of samples, a row each."""

    x: IntArray
    y: IntArray
    missing: BoolArray
    """Which pairs have no answer."""

    shape: tuple[int, ...]
    """The shape of the results."""

    def rows_of(self, k: int) -> tuple[IntArray, IntArray]:
        """Return both samples of a pair."""
        return self.x[k], self.y[k]


def check_nan_policy(policy: str) -> None:
    """Raise if a policy is none of SciPy's."""
    if policy not in NAN_POLICIES:
        listed = ", ".join(map(repr, NAN_POLICIES))
        raise ValueError(f"nan_policy is {policy!r}; it must be one of {listed}")


def as_counts(name: str, values: Any, policy: str) -> Counts:
    """Return an input as whole numbers."""
    check_nan_policy(policy)
    array = validation.as_real(name, dense(values))
    wrong = first_wrong(array)
    if wrong is not None:
        where = tuple(int(i) for i in np.unravel_index(wrong, array.shape))
        raise no_count(name, where, array[where])
    if array.dtype.kind in "iub":
        # Results keep them, and what was passed may be changed.
        return Counts(np.array(array, np.intp), None)
    missing = np.isnan(array)
    if not missing.any():
        return Counts(array.astype(np.intp), None)
    if policy == "raise":
        where = _place(missing)
        raise ValueError(f"{validation.entry(name, where)} is nan, and nan_policy is 'raise'")
    return Counts(np.where(missing, 0, array).astype(np.intp), missing)


def dense(values: Any) -> Any:
    """Return a sparse matrix of SciPy's as an array, and all else as it is."""
    return values.toarray() if is_sparse(values) else values


def is_sparse(values: Any) -> bool:
    """Whether an input is a sparse matrix or array of SciPy's."""
    return hasattr(values, "tocsr") and hasattr(values, "toarray")


def first_wrong(array: Any) -> int | None:
    """Return the flat index of the first entry that is neither a count nor NaN."""
    if array.dtype.kind in "iub":
        wrong = (array < 0) | (array > MOST)
    else:
        # float16 holds no number as large as `MOST`.
        with np.errstate(all="ignore"):
            wrong = ~((array >= 0) & (array <= MOST) & (array % 1 == 0)) & ~np.isnan(array)
    return int(wrong.argmax()) if wrong.any() else None


def no_count(name: str, where: tuple[int, ...], value: Any) -> ValueError:
    """Return the error of an entry that is no count."""
    rule = "counts must be whole numbers, not negative"
    if MOST < value < np.inf:
        rule = "counts must be at most 2^53"
    return ValueError(f"{validation.entry(name, where)} is {value}; {rule}")


def _place(mask: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(mask.argmax()), mask.shape))


def sizes_of(name: str, rows: IntArray) -> Any:
    """Return how many observations each row has, as float64."""
    sizes = rows.sum(axis=-1, dtype=np.float64)
    if sizes.size and sizes.max() > MOST:
        where = tuple(int(i) for i in np.unravel_index(int(sizes.argmax()), sizes.shape))
        raise ValueError(
            f"{validation.entry(name, where)} has {sizes.max():.4g} observations, more than 2^53"
        )
    return sizes


def paired(
    names: Sequence[str], given: Sequence[Any], axis: Axis, keepdims: bool, policy: str
) -> Samples:
    """Return two inputs, of shapes that broadcast, as pairs of rows along axes."""
    first, second = (
        as_counts(name, value, policy) for name, value in zip(names, given, strict=True)
    )
    arrays = [first.values, second.values]
    shape = validation.broadcast_shape(arrays, names)
    axes = validation.normalise_axes(axis, len(shape))
    alignment.check_labels(names, given, [a - len(shape) for a in axes])
    x, y = (_as_rows(array, shape, axes) for array in arrays)
    missing = np.zeros(len(x), bool)
    masks = [m for m in (first.missing, second.missing) if m is not None]
    for mask in masks:
        of_rows = _as_rows(mask, shape, axes)
        if policy == "omit":
            x, y = np.where(of_rows, 0, x), np.where(of_rows, 0, y)
        else:
            missing |= of_rows.any(axis=1)
    return Samples(x, y, missing, validation.reduced_shape(shape, axes, keepdims))


def _as_rows(array: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    rows = validation.rows_along(array, shape, axes)
    number = int(np.prod(rows.shape[:-1], dtype=np.int64))
    return np.ascontiguousarray(rows.reshape(number, rows.shape[-1]))
