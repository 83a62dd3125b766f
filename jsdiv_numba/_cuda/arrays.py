"""From what a caller passes to arrays on the device, and back: kinds, streams, views."""

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np

from .._core import validation
from . import dlpack, target
from .kernels.elements import convert, fill

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

    read_only: bool = False


class Gathered(NamedTuple):
    """Inputs on the device."""

    arrays: list[Any]
    like: Any
    """What the result is to be like; None is an array of `target`."""

    stream: Any
    """Where all is to be done."""

    others: list[Any]
    """The streams of inputs that have another. What comes on these has to wait in the end."""

    def empty(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], what: str = "working memory"
    ) -> Any:
        """Return a new array on the device, out of the memory of the package that has the result.

        Its stream is ours, so that what it gives away again is not written to before we are done.
        """
        return new_like(self.like, shape, dtype, self.stream, what).array

    def filled(self, shape: tuple[int, ...], value: float, dtype: np.dtype[Any]) -> Any:
        """Return a new array on the device with a number everywhere."""
        made = self.empty(shape, dtype)
        fill_elements(made, value, self.stream)
        return made


def work_on_device_of(values: Iterable[Any]) -> AbstractContextManager[None]:
    """Make the device current on which those of the values are that are on one."""
    numbers = {number for value in values if (number := _device_of(value)) is not None}
    if len(numbers) > 1:
        found = " and ".join(map(str, sorted(numbers)))
        raise ValueError(f"arrays are on devices {found}; move them to one")
    return target.on_device(min(numbers, default=None))


def _device_of(values: Any) -> int | None:
    if target.is_device_array(values):
        return target.number_of_device(values)
    return dlpack.device_of(values)


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
        view = _view(name, interface, values)
        given = Given(view, values, _stream(interface, values), interface["data"][1])
    elif dlpack.device_of(values) is not None:
        interface, owner = dlpack.interface_of(name, values)
        view = _view(name, interface, owner)
        given = Given(view, values, target.stream_of(target.LEGACY), interface["data"][1])
    else:
        return None
    _check_dtype(name, given.array.dtype)
    return given


def _interface(name: str, values: Any) -> dict[str, Any] | None:
    try:
        interface = getattr(values, "__cuda_array_interface__", None)
    except (KeyError, RuntimeError, TypeError) as error:  # KeyError: of a dtype
        raise TypeError(f"{name} is a {type(values).__name__} without an array: {error}") from None
    if interface is not None and interface.get("mask") is not None:
        raise TypeError(f"{name} has a mask; pass only the rows without one")
    return interface


def _view(name: str, interface: dict[str, Any], owner: Any) -> Any:
    missing = {"shape", "typestr", "data", "version"} - interface.keys()
    if missing:
        raise TypeError(f"{name} is described without {' and '.join(sorted(missing))}")
    return target.of_interface(interface, owner)


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


def gather(names: Sequence[str], values: Sequence[Any], stream: Any = None) -> Gathered:
    """Return inputs on the device, what the result is to be like, and the streams.

    Those that are on the host are moved. Result and stream, unless that is given, are those
    of the first that is on the device; the stream waits for the others'.
    """
    require_device()
    there = [on_device(name, value) for name, value in zip(names, values, strict=True)]
    first = next((given for given in there if given is not None), Given(None, None, 0))
    stream = first.stream if stream is None else stream
    others = different_streams(stream, [given.stream for given in there if given is not None])
    for other in others:
        target.wait_for(stream, other)
    beside = [np.empty(0, given.array.dtype) for given in there if given is not None]
    gathered = [
        _moved(name, value, stream, beside) if given is None else given.array
        for name, value, given in zip(names, values, there, strict=True)
    ]
    return Gathered(gathered, first.like, stream, others)


def different_streams(stream: Any, others: Iterable[Any]) -> list[Any]:
    """Return, once each, those of some streams that are not a given one."""
    found: list[Any] = []
    for other in others:
        if not any(target.is_same(other, one) for one in (stream, *found)):
            found.append(other)
    return found


SMALL = 1 << 16
"""An array on the host of so many bytes is copied there, rather than waited for."""


def _moved(name: str, values: Any, stream: Any, beside: Sequence[Any] = ()) -> Any:
    """Return an array of the host on the device, such that the caller may write to his own."""
    if beside and validation.is_number(values):
        values = validation.number_beside(name, values, beside)
    host = validation.as_real(name, values)
    native = np.array(host, host.dtype.newbyteorder("="), order="C", copy=_if_needed(host))
    moved = empty(native.shape, native.dtype, stream, name)
    moved.copy_to_device(native, stream=stream)
    if native.nbytes > SMALL:
        target.synchronise(stream)
    return moved


def _if_needed(host: Any) -> bool | None:
    return True if host.nbytes <= SMALL else None


def fill_elements(array: Any, value: float, stream: Any) -> None:
    """Write a number everywhere in a contiguous array."""
    number = math.prod(array.shape)
    if number:
        flat = target.strided(array, (number,), (array.dtype.itemsize,))
        fill[blocks_for(number), target.THREADS, stream](array.dtype.type(value), flat)


def empty(shape: tuple[int, ...], dtype: np.dtype[Any], stream: Any, what: str) -> Any:
    """Return a new array of Numba's on the device."""
    size = math.prod(shape) * dtype.itemsize
    what = f"{what} of {size:,} bytes"
    require_room(size, what)
    try:
        return target.empty(shape, dtype, stream)
    except MemoryError:
        raise _too_large(what, "what is free on the device") from None


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


def new_like(
    like: Any, shape: tuple[int, ...], dtype: np.dtype[Any], stream: Any, what: str = "the result"
) -> Given:
    """Return a new array of the kind of another, or one of Numba's."""
    package = _package(like)
    if package not in {"cupy", "torch"}:
        made = empty(shape, dtype, stream, what)
        return Given(made, made, stream)
    try:
        made = _made_by(package, like, shape, dtype)
    except (MemoryError, RuntimeError) as error:
        # These keep memory that is free, so that one has to try.
        if "OutOfMemory" not in type(error).__name__:
            raise
        size = math.prod(shape) * dtype.itemsize
        raise _too_large(f"{what} of {size:,} bytes", f"the memory that {package} has") from error
    return Given(target.of_interface(made.__cuda_array_interface__, made), made, stream)


def _made_by(package: str, like: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    module = sys.modules[package]
    if package == "cupy":
        return module.empty(shape, dtype)
    return module.empty(shape, dtype=getattr(module, dtype.name), device=like.device)


def written(
    out: Any,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    gathered: Gathered,
    write: Callable[[Any], None],
) -> Any:
    """Have a result written on the device; return it, or `out` with a copy of it."""
    stream = gathered.stream
    if isinstance(out, np.ndarray):
        validation.result_array(out, shape, dtype)
        result = gathered.empty(shape, dtype, "the result")
        write(result)
        values = result.copy_to_host(stream=stream)
        target.synchronise(stream)
        with np.errstate(all="ignore"):
            out[...] = values
        return out
    if out is None:
        given = new_like(gathered.like, shape, dtype, stream)
        write(given.array)
    else:
        given = _given_out(out, shape, dtype)
        gathered.others.extend(different_streams(stream, [given.stream]))
        _write_to(given, gathered, write)
    let_others_wait(gathered)
    return given.like


def let_others_wait(gathered: Gathered) -> None:
    """Let what follows on the streams of inputs and of `out` wait for what reads or writes them."""
    for other in gathered.others:
        target.wait_for(other, gathered.stream)


def _write_to(given: Given, gathered: Gathered, write: Callable[[Any], None]) -> None:
    stream = gathered.stream
    if not target.is_same(stream, given.stream):
        target.wait_for(stream, given.stream)
    if not any(overlap(given.array, array) for array in gathered.arrays):
        write(given.array)
        return
    apart = gathered.empty(tuple(given.array.shape), given.array.dtype)
    write(apart)
    copy_elements(apart, given.array, stream)


def overlap(array: Any, other: Any) -> bool:
    """Whether two arrays may have memory in common."""
    (start, stop), (other_start, other_stop) = _extent(array), _extent(other)
    return start < other_stop and other_start < stop


def _extent(array: Any) -> tuple[int, int]:
    start = target.address_of(array)
    if math.prod(array.shape) == 0:
        return start, start
    reach = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)]
    low, high = (sum(pick(0, distance) for distance in reach) for pick in (min, max))
    return start + low, start + high + array.dtype.itemsize


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
    if given.read_only:
        raise ValueError("out is read-only")
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
    gathered: Gathered,
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
    copies, stream = [gathered.empty(moved, array.dtype) for array in given], gathered.stream
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
