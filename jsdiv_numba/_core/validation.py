"""The one place for dtypes, broadcasting, axes, checks and their errors."""

import contextlib
import math
import reprlib
import sys
from collections.abc import Callable, Mapping, Sequence
from operator import index
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.exceptions import AxisError

Axis = int | Sequence[int] | np.ndarray[Any, np.dtype[np.integer]] | None
"""One axis, several, or all of them."""

FloatArray = np.ndarray[Any, np.dtype[Any]]
"""An array of float32 or float64."""


def as_real(name: str, values: object) -> FloatArray:
    """Return `values` as an array of real numbers, without a copy where it is one."""
    return known_to_numpy(as_numbers(name, values))


def known_to_numpy(array: FloatArray) -> FloatArray:
    """Return an array, or float32 of bfloat16, whose dtype is another library's."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array


def as_numbers(name: str, values: object) -> FloatArray:
    """Return the same, which may be of bfloat16: blocks of it are converted later."""
    array = values if type(values) is np.ndarray else _as_array(name, values)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        if array.dtype.name == "bfloat16":
            return array
        if array.dtype.kind == "O" and not array.ndim and not isinstance(values, np.ndarray):
            raise TypeError(f"{name} is a {type(values).__name__}; pass an array of real numbers")
        raise TypeError(
            f"{name} has dtype {array.dtype}; pass real numbers of at most 64 bits, "
            f"{_advice(name, array)}"
        )
    return array


def _advice(name: str, array: FloatArray) -> str:
    """Return what to do about an array of a dtype that is none of ours."""
    if array.dtype.kind == "O" and array.size and isinstance(array.flat[0], Mapping):
        return "such as `pandas.DataFrame(...).fillna(0)` makes of dictionaries"
    advice = _ADVICE.get(array.dtype.kind, "for example `.astype(float)`")
    is_text = array.dtype.kind in "US"
    if is_text or (array.dtype.kind == "O" and array.ndim):
        for where, value in np.ndenumerate(array.astype(object, copy=False)):
            if not _becomes_float(value):
                return f"{advice}: {entry(name, where)} is {reprlib.repr(value)}"
    return _ADVICE["f"] if is_text else advice


def _becomes_float(value: Any) -> bool:
    """Return whether a value of no number's dtype can be made a float."""
    try:
        float(value)
    except (OverflowError, TypeError, ValueError):
        return False
    return True


def as_operands(
    names: Sequence[str], values: Sequence[object]
) -> tuple[tuple[FloatArray, ...], np.dtype[Any]]:
    """Return inputs that are compared as arrays of real numbers, and the dtype of the result."""
    arrays = tuple(map(as_numbers, names, values))
    others = tuple(a for a, value in zip(arrays, values, strict=True) if not is_number(value))
    if not 0 < len(others) < len(arrays):
        return arrays, result_dtype(*arrays)
    beside = tuple(
        number_beside(name, array, others) if is_number(value) else array
        for name, array, value in zip(names, arrays, values, strict=True)
    )
    return beside, result_dtype(*others)


def is_number(value: object) -> bool:
    """Return whether a value is a number of Python's: beside an array it decides no dtype."""
    return type(value) in {bool, int, float}


def number_beside(name: str, number: object, others: Sequence[FloatArray]) -> FloatArray:
    """Return a number of Python's as an array of the dtype that results of the others have."""
    array, dtype = as_real(name, number), result_dtype(*others)
    with np.errstate(over="ignore"):
        converted = array.astype(dtype)
    if np.isinf(converted) and np.isfinite(array):
        raise ValueError(
            f"{name} is {number}, which {dtype}, the dtype of what it is compared with, does not "
            "hold; pass an array of float64"
        )
    return converted


def _as_array(name: str, values: object) -> FloatArray:
    if type(values) in {list, tuple}:
        return _made(name, values)
    if values is None:
        raise TypeError(f"{name} is None; pass an array of real numbers")
    for marker, advice in _FOREIGN.items():
        if _has(values, marker):
            raise TypeError(f"{name} is a {type(values).__name__}; {advice}")
    if isinstance(values, Mapping):
        raise TypeError(
            f"{name} is a {type(values).__name__}; contributions takes mappings, elsewhere pass "
            "their values in one order, such as [counts[key] for key in keys]"
        )
    if hasattr(values, "requires_grad"):
        return _of_tensor(name, values)
    values = unmasked(name, values)
    return _made(name, values)


def unmasked(name: str, values: Any) -> Any:
    """Return values as they are, and a masked array without masked entries as an array."""
    # NumPy imports this when it is asked for, which takes as long as to load a kernel; another
    # thread may be in the middle of it.
    masked: Any = sys.modules.get("numpy.ma")
    kind: Any = getattr(masked, "MaskedArray", ())
    if not isinstance(values, kind):
        return values
    if masked.is_masked(values):
        raise TypeError(
            f"{name} is a masked array with masked entries, which have no divergence; "
            "pass `.filled(0)`, or only the unmasked rows"
        )
    return values.data


def _made(name: str, values: object) -> FloatArray:
    """Return an array of what NumPy makes one of."""
    try:
        return _converted(values)
    except OverflowError:
        raise ValueError(f"{name} is an integer beyond the largest float64") from None
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} is not an array: {error}") from None


def _converted(values: Any) -> FloatArray:
    array = np.asarray(values)
    if array.dtype.kind == "O" and isinstance(values, int):
        # One that no integer of NumPy's holds.
        return np.asarray(float(values))
    if array.dtype.kind == "O" and hasattr(values, "iloc"):
        # Numbers of pandas' own dtypes, whose missing ones are NaN then.
        with contextlib.suppress(TypeError, ValueError):
            return np.asarray(values.to_numpy(dtype=float, na_value=np.nan))
    return array


def _of_tensor(name: str, tensor: Any) -> FloatArray:
    """Return a tensor of PyTorch's as an array; NumPy has no bfloat16."""
    if tensor.requires_grad:
        raise TypeError(
            f"{name} is a tensor that requires gradients; use the function of "
            "jsdiv_numba.torch, or pass `.detach()` of it"
        )
    return np.asarray(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)


def _has(values: object, marker: str) -> bool:
    found = getattr(values, marker, None)
    # xarray's objects all have this method, which returns None where they hold NumPy arrays.
    return found is not None and (marker != "__dask_graph__" or found() is not None)


_FOREIGN = {
    "__dask_graph__": (
        "use the function of the same name in `jsdiv_numba.dask`, or `.compute()` it first"
    ),
    "__cuda_array_interface__": "it is on a GPU; use the same function of jsdiv_numba.cuda",
    "toarray": "make it dense with `.toarray()`",
}

_ADVICE = {
    "c": "such as `.real` or `abs()` of it",
    "f": "such as `.astype(float)`",
    "O": "such as `.astype(float)`, once every entry is a number",
    "U": "not text",
    "S": "not text",
}


def result_dtype(*arrays: FloatArray) -> np.dtype[Any]:
    """Return float32 where it holds every array (float16 too), else float64 (integers too)."""
    if arrays[0].dtype is _FLOAT64:
        return _FLOAT64
    common = np.result_type(*(_FLOAT32 if a.dtype.kind == "V" else a.dtype for a in arrays))
    return _FLOAT32 if common.kind == "f" and common.itemsize <= 4 else _FLOAT64


def pairs_dtype(dtype: npt.DTypeLike | None, *arrays: FloatArray) -> np.dtype[Any]:
    """Return the dtype to compute in: `dtype`, or the one that the arrays ask for."""
    if dtype is None:
        return result_dtype(*arrays)
    rule = "it must be float32 or float64"
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype is {dtype!r}; {rule}") from None
    for kind in FLOATS:
        if wanted == kind:
            return kind
    raise ValueError(f"dtype is {wanted}; {rule}")


FLOATS = _FLOAT64, _FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)
"""What is computed in."""

SMALL = 1 << 12
"""So many elements take less time than all that surrounds a call."""

PLAIN = 1 << 15
"""So many are computed at once where nothing has to be prepared: a block has more, and to find that
out takes a third of their time."""


def are_plain(arrays: tuple[Any, ...], axis: object) -> bool:
    """Whether one array or two are small and need no preparation: rows of floats, one by one.

    The second is of the first one's dtype, and of its shape or one row.
    """
    first, second = arrays[0], arrays[-1]
    if type(first) is not np.ndarray or type(second) is not np.ndarray:
        return False
    dtype, shape, others = first.dtype, first.shape, second.shape
    last = len(shape) - 1
    return (
        (dtype is _FLOAT64 or dtype is _FLOAT32)
        and second.dtype is dtype
        and (others == shape or others == shape[-1:])
        and 0 < first.size <= PLAIN
        and type(axis) is int
        and last >= 0
        and axis in (-1, last)
        and (last == 0 or (first.flags.c_contiguous and second.flags.c_contiguous))
    )


def are_plain_columns(arrays: tuple[Any, ...], axis: object) -> bool:
    """Whether one array or two are as small and plain, but in columns: along the last axis but one.

    Both are of one shape, and there are several columns of several elements.
    """
    first, second = arrays[0], arrays[-1]
    if type(first) is not np.ndarray or type(second) is not np.ndarray:
        return False
    dtype, shape = first.dtype, first.shape
    number = len(shape)
    return (
        (dtype is _FLOAT64 or dtype is _FLOAT32)
        and second.dtype is dtype
        and second.shape == shape
        and 0 < first.size <= PLAIN
        and type(axis) is int
        and number > 1
        and axis in (-2, number - 2)
        and min(shape[-2:]) > 1
        and first.flags.c_contiguous
        and second.flags.c_contiguous
    )


def broadcast_shape(arrays: Sequence[FloatArray], names: Sequence[str]) -> tuple[int, ...]:
    """Return the common shape of one array or more."""
    shapes = [array.shape for array in arrays]
    shape: tuple[int, ...] = shapes[0]
    if shapes.count(shape) == len(shapes):
        return shape
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        each = [f"{name} of shape {own}" for name, own in zip(names, shapes, strict=True)]
        raise ValueError(f"{' and '.join(each)} do not broadcast") from None


def normalise_axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return the reduced axes as sorted non-negative integers."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    axes = axis_numbers(axis)
    # NumPy lets a 0-d array be reduced over axis 0 or -1.
    lowest, highest = -max(ndim, 1), max(ndim, 1) - 1
    for a in axes:
        if not lowest <= a <= highest:
            raise AxisError(a, ndim)
    normalised = {a % ndim for a in axes} if ndim else set()
    if ndim and len(normalised) < len(axes):
        raise ValueError(f"axis {axis} names a dimension twice")
    return tuple(sorted(normalised))


def axis_numbers(axis: Any) -> list[int]:
    """Return one axis or several, as they were given, as Python's integers."""
    several = isinstance(axis, Sequence) or (isinstance(axis, np.ndarray) and axis.ndim == 1)
    several = several and not isinstance(axis, str | bytes)
    return [_axis_number(a) for a in (axis if several else (axis,))]


def _axis_number(axis: Any) -> int:
    # True is meant for another argument.
    if not isinstance(axis, bool):
        with contextlib.suppress(TypeError):
            return index(axis)
    raise TypeError(f"axis is {axis!r}; it must be an integer, a sequence of integers or None")


def log_base(base: object) -> float | None:
    """Return ln(base), or None where the result stays in nats."""
    if base is None:
        return None
    number = real_number(base)
    if number is None or not 1 < number < math.inf:
        raise ValueError(f"base is {base!r}; it must be a finite number above 1, or None for nats")
    if isinstance(number, np.longdouble):
        # It may be greater than every float64, or nearer to 1.
        return float(np.log(number))
    return math.log(number)


def real_number(value: object) -> Any:
    """Return a number of Python's or NumPy's, 0-d arrays among them; None for what is none."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    return value if isinstance(value, int | float | np.integer | np.floating) else None


def not_negative(name: str, value: object) -> float:
    """Return a number that is not negative as a float: what is beyond all of them is infinite."""
    number = real_number(value)
    if number is None or not number >= 0:
        raise ValueError(f"{name} is {value!r}; it must be a number that is not negative")
    try:
        return float(number)
    except OverflowError:
        return math.inf


def nearest_float(number: Any, dtype: np.dtype[Any]) -> Any:
    """Return the float of a dtype next to a positive number, neither 0 nor infinite."""
    limits = np.finfo(dtype)
    least, most = float(limits.smallest_subnormal), float(limits.max)
    return dtype.type(min(max(number, least), most))


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    """Return the shape that is left when `axes` are reduced."""
    if keepdims:
        return tuple([1 if i in axes else n for i, n in enumerate(shape)])
    return tuple([n for i, n in enumerate(shape) if i not in axes])


def scores_shape(
    inputs: dict[str, object], axis: Axis, keepdims: bool, reduce: bool
) -> tuple[int, ...]:
    """Return the shape of the divergences of named inputs or, without `reduce`, of their terms."""
    arrays = [as_numbers(name, values) for name, values in inputs.items()]
    shape = broadcast_shape(arrays, list(inputs))
    axes = normalise_axes(axis, len(shape))
    return reduced_shape(shape, axes, keepdims) if reduce else shape


def kept_then_reduced(array: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """View an array with the reduced axes moved to the end."""
    kept = [i for i in range(array.ndim) if i not in axes]
    return array.transpose(*kept, *axes)


def rows_along(array: FloatArray, shape: tuple[int, ...], axes: tuple[int, ...]) -> FloatArray:
    """View an array, broadcast to `shape`, with the reduced axes as one last axis.

    Several axes are copied where their strides do not allow a view.
    """
    if array.shape != shape:
        array = np.broadcast_to(array, shape)
    if axes == (len(shape) - 1,):
        return array
    return kept_then_reduced(array, axes).reshape(rows_shape(shape, axes))


def rows_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that `rows_along` gives."""
    kept = reduced_shape(shape, axes, keepdims=False)
    return *kept, math.prod(shape[i] for i in axes)


def result_array(
    out: object, shape: tuple[int, ...], dtype: np.dtype[Any], name: str = "out"
) -> FloatArray:
    """Return the array to write to: `out`, if it fits, or a new one."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name} is a {type(out).__name__}; it must be a NumPy array")
    if out.shape != shape:
        raise ValueError(f"{name} has shape {out.shape}; the result has shape {shape}")
    if out.dtype.kind != "f":
        raise TypeError(f"{name} has dtype {out.dtype}; the result is {dtype}")
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only")
    return out


def convert_into(result: FloatArray, values: Any) -> None:
    """Write values to an array of another precision, which need not hold them all."""
    with np.errstate(all="ignore"):
        result[...] = values


def entry(name: str, where: tuple[int, ...]) -> str:
    """Return what an error calls an entry of an array."""
    return f"{name}[{', '.join(map(str, where))}]" if where else name


def divided_by_sums(
    array: FloatArray,
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    dtype: np.dtype[Any],
    reduce: bool,
) -> FloatArray:
    """Return an array over its sums along the axes, as they are once it has a broadcast shape.

    A sum of 0 gives NaN; none overflows. Where there is nothing to add up, and what is returned is
    to be `reduce`d, a NaN stands for the categories.
    """
    if reduce and not math.prod(shape[axis] for axis in axes):
        return np.full(reduced_shape(shape, axes, keepdims=True), np.nan, dtype)
    whole = np.broadcast_to(array, shape).astype(np.float64)
    with np.errstate(all="ignore"):
        if whole.size:
            whole /= whole.max(axis=axes, keepdims=True)
        whole /= whole.sum(axis=axes, keepdims=True)
        return whole.astype(dtype, copy=False)


Naming = Callable[[str, tuple[int, ...]], str]
"""As `entry`: where an array is part of another, an error gives the place in that one."""


def check_probabilities(naming: Naming = entry, /, **arrays: FloatArray) -> None:
    """Raise if any array has a negative or infinite entry."""
    __tracebackhide__ = True
    for name, array in arrays.items():
        invalid = (array < 0) | np.isinf(array)
        rule = "probabilities must be finite and not negative"
        _raise_first(naming, name, array, invalid, rule)


def check_logits(naming: Naming = entry, /, **arrays: FloatArray) -> None:
    """Raise if any array has an entry +inf."""
    for name, array in arrays.items():
        invalid = np.isposinf(array)
        rule = "logits may be -inf, a probability of 0, but not +inf"
        _raise_first(naming, name, array, invalid, rule)


def check_weights(**arrays: FloatArray) -> None:
    """Raise if any array has a negative or infinite entry, or a NaN."""
    for name, array in arrays.items():
        invalid = ~((array >= 0) & (array < np.inf))
        _raise_first(entry, name, array, invalid, "weights must be finite and not negative")


EQUAL = 0.5
"""The weight of the second of two distributions that count alike."""


def as_weight(weight: object) -> FloatArray:
    """Return a weight, or several, between 0 and 1, as float64."""
    array = as_real("weight", weight)
    outside = ~((array >= 0) & (array <= 1))
    _raise_first(entry, "weight", array, outside, "a weight must be between 0 and 1")
    return array.astype(np.float64, copy=False)


class Weighed(NamedTuple):
    """What has weights: its shape, and whose that is in an error."""

    shape: tuple[int, ...]
    whose: str


def weighed(
    shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool, reduce: bool, by_row: bool
) -> Weighed:
    """Return what has weights: results, terms, or the rows of terms that depend on these."""
    if reduce:
        return Weighed(reduced_shape(shape, axes, keepdims), "the result's")
    if by_row:
        return Weighed(reduced_shape(shape, axes, True), "the rows'")
    return Weighed(shape, "the result's")


def broadcast_weight(weight: FloatArray, shape: tuple[int, ...], whose: str) -> FloatArray:
    """Return a weight in the shape of what it is for, or raise."""
    try:
        return np.broadcast_to(weight, shape)
    except ValueError:
        raise ValueError(
            f"weight of shape {weight.shape} does not broadcast to {whose} shape {shape}"
        ) from None


def as_weights(weight: object) -> tuple[FloatArray, FloatArray]:
    """Return what the second input's weight leaves to the first, and that weight."""
    checked = as_weight(weight)
    return np.asarray(1 - checked), checked


def _raise_first(naming: Naming, name: str, array: FloatArray, invalid: Any, rule: str) -> None:
    if invalid.any():
        where = np.unravel_index(int(invalid.argmax()), array.shape)
        place = naming(name, tuple(int(i) for i in where))
        raise ValueError(f"{place} is {array[where]}; {rule}")
