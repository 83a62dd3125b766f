"""From what a caller passes to arrays on the device, and back: kinds, streams, views."""

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _arrays
from . import dlpack, target
from .elements import convert

GRID = 1 << 16
"""Blocks of a kernel of which each thread takes one element after another."""


class Given(NamedTuple):
    """An input or an output on the device."""

    array: Any
    """A view of it, as an array of `target`."""

    like: Any
    """What was passed, if it was on the device."""

    stream: Any
    """The stream on which it is ready."""


def require_device() -> None:
    """Raise if there is no device."""
    reason = target.why_unavailable()
    if reason is not None:
        raise RuntimeError(
            f"no CUDA device: {reason}; "
            "the functions of the same names in jsdiv_numba run on the CPU"
        )


def on_device(name: str, values: Any) -> Given | None:
    """Return an array that is on the device, without a copy, or None if it is not there."""
    if target.is_device_array(values):
        given = Given(values, values, getattr(values, "stream", 0))
    elif (interface := _interface(name, values)) is not None:
        given = Given(target.of_interface(interface, values), values, _stream(interface, values))
    elif dlpack.is_on_device(values):
        interface, owner = dlpack.interface_of(name, values)
        given = Given(target.of_interface(interface, owner), values, 0)
    else:
        return None
    _check_dtype(name, given.array.dtype)
    return given


def _interface(name: str, values: Any) -> dict[str, Any] | None:
    try:
        interface = getattr(values, "__cuda_array_interface__", None)
    except (RuntimeError, TypeError) as error:
        raise TypeError(f"{name} is a {type(values).__name__} without an array: {error}") from None
    if interface is not None and interface.get("mask") is not None:
        raise TypeError(f"{name} has a mask; pass only the rows without one")
    return interface


def _stream(interface: dict[str, Any], values: Any) -> Any:
    """Return the stream on which the other package works."""
    if _package(values) == "torch":
        current = sys.modules["torch"].cuda.current_stream(values.device)
        return target.stream_of(current.cuda_stream)
    return target.stream_of(interface.get("stream"))


def _package(values: Any) -> str:
    return type(values).__module__.split(".")[0]


def _check_dtype(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or not dtype.isnative:
        raise TypeError(
            f"{name} has dtype {dtype}; pass real numbers of at most 64 bits in native byte order"
        )


def gather(
    names: Sequence[str], values: Sequence[Any], stream: Any = None
) -> tuple[list[Given], Any, Any]:
    """Return inputs on the device, what the result is to be like, and the stream.

    Those that are on the host are moved. Result and stream, unless that is given, are those
    of the first that is on the device; the stream waits for the others'.
    """
    require_device()
    there = [on_device(name, value) for name, value in zip(names, values, strict=True)]
    first = next((given for given in there if given is not None), Given(None, None, 0))
    if stream is not None:
        first = first._replace(stream=stream)
    arrays = []
    for name, value, given in zip(names, values, there, strict=True):
        if given is None:
            host = _arrays.as_real(name, value)
            require_room(host.nbytes, f"{name} of {host.nbytes:,} bytes")
            native = np.ascontiguousarray(host, host.dtype.newbyteorder("="))
            moved = target.cuda.to_device(native.reshape(host.shape), stream=first.stream)
            arrays.append(Given(moved, None, first.stream))
        else:
            if given.stream is not first.stream and given.stream != first.stream:
                target.wait_for(first.stream, given.stream)
            arrays.append(given)
    return arrays, first.like, first.stream


def require_room(size: int, what: str) -> None:
    """Raise if so many bytes are not free on the device."""
    if size > target.free_bytes():
        target.free_what_is_unused()
    free = target.free_bytes()
    if size > free:
        raise _too_large(what, f"the {int(free):,} bytes that are free on the device")


def _too_large(what: str, where: str) -> MemoryError:
    return MemoryError(
        f"{what} does not fit in {where}; "
        "pass fewer rows at a time, or to cdist and pdist an `out=` on the host"
    )


def new_like(like: Any, shape: tuple[int, ...], dtype: np.dtype[Any], stream: Any) -> Given:
    """Return a new array of the kind of another, or one of Numba's."""
    what = f"the result of {math.prod(shape) * dtype.itemsize:,} bytes"
    package = _package(like)
    if package in {"cupy", "torch"}:
        try:
            made = _made_by(package, like, shape, dtype)
        except (MemoryError, RuntimeError) as error:
            # These keep memory that is free, so that one has to try.
            if "OutOfMemory" not in type(error).__name__:
                raise
            raise _too_large(what, f"the memory that {package} has") from error
        return Given(target.of_interface(made.__cuda_array_interface__, made), made, stream)
    require_room(math.prod(shape) * dtype.itemsize, what)
    made = target.empty(shape, dtype, stream)
    return Given(made, made, stream)


def _made_by(package: str, like: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    module = sys.modules[package]
    if package == "cupy":
        return module.empty(shape, dtype)
    return module.empty(shape, dtype=getattr(module, dtype.name), device=like.device)


def written(
    out: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    like: Any,
    stream: Any,
    write: Callable[[Any], None],
) -> Any:
    """Have a result written on the device; return it, or `out` with a copy of it."""
    if isinstance(out, np.ndarray):
        _arrays.result_array(out, shape, dtype)
        result = new_like(None, shape, dtype, stream).array
        write(result)
        values = result.copy_to_host(stream=stream)
        synchronise(stream)
        with np.errstate(all="ignore"):
            out[...] = values
        return out
    given = new_like(like, shape, dtype, stream) if out is None else _given_out(out, shape, dtype)
    write(given.array)
    return given.like


def synchronise(stream: Any) -> None:
    """Wait for a stream; to wait for the default one is not needed after a copy."""
    if stream:
        stream.synchronize()


def _given_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Given:
    given = on_device("out", out)
    if given is None:
        raise TypeError(
            f"out is a {type(out).__name__}; it must be a NumPy array or an array on the device"
        )
    if tuple(given.array.shape) != shape:
        raise ValueError(f"out has shape {tuple(given.array.shape)}; the result has shape {shape}")
    if given.array.dtype != dtype:
        raise TypeError(f"out has dtype {given.array.dtype}; the result is {dtype}")
    if not given.array.is_c_contiguous():
        raise ValueError("out is not contiguous; an array on the device has to be, as new ones are")
    return given


Layout = tuple[tuple[int, ...], list[tuple[int, ...]]]
"""A shape, and each array's strides."""


def merged(shape: tuple[int, ...], strides: list[tuple[int, ...]]) -> Layout:
    """Join neighbouring axes wherever all arrays allow it."""
    lengths: list[int] = []
    kept: list[list[int]] = [[] for _ in strides]
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        if lengths and all(
            own[-1] == given[axis] * length for own, given in zip(kept, strides, strict=True)
        ):
            lengths[-1] *= length
            for own, given in zip(kept, strides, strict=True):
                own[-1] = given[axis]
        else:
            lengths.append(length)
            for own, given in zip(kept, strides, strict=True):
                own.append(given[axis])
    return tuple(lengths), [tuple(own) for own in kept]


def broadcast_strides(array: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of an array as one of a shape that it broadcasts to."""
    missing = len(shape) - len(array.shape)
    own = zip(array.shape, array.strides, strict=True)
    return (0,) * missing + tuple(0 if length == 1 else stride for length, stride in own)


def by_rows(
    launch: Callable[..., None],
    inputs: list[Any],
    outputs: list[Any],
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    stream: Any,
) -> None:
    """Call a function with views of arrays, broadcast to `shape`, with four axes.

    The last of these stands for all that are reduced. Where the arrays' strides do
    not allow such views, it gets views of copies, and what it writes is copied back.
    """
    order = (*(i for i in range(len(shape)) if i not in axes), *axes)
    outer, moved = len(shape) - len(axes), tuple(shape[i] for i in order)
    given = [
        target.strided(array, moved, _ordered(broadcast_strides(array, shape), order))
        for array in (*inputs, *outputs)
    ]
    views = _four_axes(given, outer)
    if views is not None:
        launch(*views)
        return
    copies = [target.empty(moved, array.dtype, stream) for array in given]
    for array, copy in zip(given[: len(inputs)], copies, strict=False):
        copy_elements(array, copy, stream)
    launch(*(_four_axes(copies, outer) or ()))
    for array, copy in zip(given[len(inputs) :], copies[len(inputs) :], strict=True):
        copy_elements(copy, array, stream)


def _four_axes(given: list[Any], outer: int) -> list[Any] | None:
    """View arrays of one shape with three axes for the `outer` first and one for the others."""
    shape, strides = tuple(given[0].shape), [tuple(array.strides) for array in given]
    rows, row_strides = merged(shape[:outer], [own[:outer] for own in strides])
    length, steps = merged(shape[outer:], [own[outer:] for own in strides])
    if len(rows) > 3 or len(length) > 1:
        return None
    before = 3 - len(rows)
    four = (1,) * before + rows + (length or (1,))
    return [
        target.strided(array, four, (0,) * before + own + (step or (0,)))
        for array, own, step in zip(given, row_strides, steps, strict=True)
    ]


def _ordered(values: tuple[int, ...], order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(values[i] for i in order)


def copy_elements(source: Any, result: Any, stream: Any) -> None:
    """Copy an array to one of its shape, whatever the strides and the dtypes."""
    shape, (own, other) = merged(tuple(result.shape), [source.strides, result.strides])
    if math.prod(result.shape) == 0:
        return
    if len(shape) > 4:
        for i in range(result.shape[0]):
            copy_elements(source[i], result[i], stream)
        return
    before = 4 - len(shape)
    four = (1,) * before + shape
    views = [
        target.strided(array, four, (0,) * before + strides)
        for array, strides in ((source, own), (result, other))
    ]
    convert[blocks_for(math.prod(four)), target.THREADS, stream](*views)


def blocks_for(elements: int) -> int:
    """Return the number of blocks for a kernel over elements."""
    return min(max(1, -(-elements // target.THREADS)), GRID)
