"""The one module that names the package which compiles for CUDA: `numba.cuda`, of `numba-cuda`.

A successor takes its place by offering what is defined here. Under
``NUMBA_ENABLE_CUDASIM=1`` it is Numba's simulator, which runs kernels as Python: what that lacks
is made up for here, so that no kernel knows of it.
"""

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numba import config, cuda, from_dtype

from .._kernels.codegen import intrinsics as compiler
from .._kernels.codegen.dispatch import callable_from_python
from .._kernels.codegen.precision import Precision
from . import intrinsics

SIMULATED = bool(config.ENABLE_CUDASIM)

WARP = 8 if SIMULATED else 32
THREADS = 16 if SIMULATED else 256
"""Threads of a block. The simulator starts a thread of the system for each."""

ALIGNMENT = None if SIMULATED else 16
"""Of shared memory, in bytes, from which four elements are read at once."""

jit = cuda.jit
"""A kernel."""


def _four(row: Any, i: Any) -> Any:
    return row[i], row[i + 1], row[i + 2], row[i + 3]


def _set_four(row: Any, i: Any, values: Any) -> None:
    for n, value in enumerate(values):
        row[i + n] = value


def _row_of(array: Any, i: Any, j: Any, k: Any) -> Any:
    return array[i, j, k]


def _mul_rn(x: Any, y: Any) -> Any:
    return x * y


def _least(x: Any, y: Any) -> Any:
    return x if x < y else y


def _most(x: Any, y: Any) -> Any:
    return x if x > y else y


# Of two floats. Where the first is NaN it is passed over; Numba's own functions see to more.
least = _least if SIMULATED else compiler.minimum
most = _most if SIMULATED else compiler.maximum
mul_rn = _mul_rn if SIMULATED else compiler.mul_rn
four = _four if SIMULATED else intrinsics.four
row_of = _row_of if SIMULATED else intrinsics.row_in_global_memory
set_four = _set_four if SIMULATED else intrinsics.set_four


def device(function: Any) -> Any:
    """Compile a function that kernels call."""
    if SIMULATED and "cuda" not in function.__code__.co_names:
        return function  # the simulator takes long to call one of its own
    return cuda.jit(function, device=True)


def formula(precision: Precision, compiled: Any) -> Any:
    """Return a formula of `_kernels` such that kernels may call it.

    On a device, Numba compiles its Python function again. The simulator calls it
    from Python, which needs another wrapper than our other kernels have, and would
    forget that a number is a float32.
    """
    if not SIMULATED:
        return compiled
    call_compiled = callable_from_python(compiled.py_func)

    def floats(numbers: Any) -> Any:
        if isinstance(numbers, tuple):
            return tuple(map(floats, numbers))
        return precision.Float(numbers)

    def call(*numbers: Any) -> Any:
        return floats(call_compiled(*floats(numbers)))

    return call


def type_of(precision: Precision) -> Any:
    """Return the compiler's type of the floats, which alone sized shared memory may have."""
    return from_dtype(np.dtype(precision.Float))


def from_lane(precision: Precision) -> Any:
    """Return the function that exchanges values within a warp: ``from_lane(value, offset)``.

    It gives the value of the thread whose number differs by the bits of the
    offset. All threads of the block have to call it.
    """
    if not SIMULATED:
        every_lane = 0xFFFFFFFF

        @device
        def by_shuffle(value: Any, offset: Any) -> Any:
            return cuda.shfl_xor_sync(every_lane, value, offset)

        return by_shuffle
    Float = precision.Float

    @device
    def by_shared_memory(value: Any, offset: Any) -> Any:
        values = cuda.shared.array(THREADS, Float)
        cuda.syncthreads()
        values[cuda.threadIdx.x] = value
        cuda.syncthreads()
        return values[cuda.threadIdx.x ^ offset]

    return by_shared_memory


def why_unavailable() -> str | None:
    """Return why no device can be used, or None if one can."""
    if cuda.is_available():
        return None
    error = cuda.cuda_error()
    return "none was found" if error is None else " ".join(str(error).split())


def is_device_array(values: Any) -> bool:
    """Whether it is an array of `numba.cuda` itself."""
    found: bool = cuda.cudadrv.devicearray.is_cuda_ndarray(values)
    return found


def number_of_device(array: Any) -> int:
    """Return which device an array of `numba.cuda` itself is on."""
    return 0 if SIMULATED else int(array.gpu_data.context.device.id)


@contextmanager
def on_device(number: int | None) -> Iterator[None]:
    """Work on a device; None is the current one."""
    if SIMULATED or number is None or cuda.current_context().device.id == number:
        yield
        return
    with cuda.gpus[number]:
        yield


def empty(shape: tuple[int, ...], dtype: np.dtype[Any], stream: Any) -> Any:
    """Return a new array on the device; MemoryError says that there is no room for it."""
    with _out_of_memory():
        return cuda.device_array(shape, dtype, stream=stream)


def pinned(number: int, dtype: np.dtype[Any]) -> Any:
    """Return a new array on the host that is copied to while the device computes."""
    with _out_of_memory():
        return cuda.pinned_array(number, dtype)


@contextmanager
def _out_of_memory() -> Iterator[None]:
    try:
        yield
    except cuda.cudadrv.driver.CudaAPIError as error:
        out_of_memory = 2
        if int(error.code) == out_of_memory:
            raise MemoryError from error
        raise


def address_of(array: Any) -> int:
    """Return where an array begins in memory."""
    if SIMULATED:
        return int(array._ary.ctypes.data)
    return int(array.__cuda_array_interface__["data"][0])


def strided(array: Any, shape: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """View an array's memory in another shape, with any strides."""
    if SIMULATED:
        return type(array)(np.lib.stride_tricks.as_strided(array._ary, shape, strides))
    kind = cuda.cudadrv.devicearray.DeviceNDArray
    return kind(shape, strides, array.dtype, gpu_data=array.gpu_data, stream=array.stream)


def of_interface(interface: dict[str, Any], owner: Any) -> Any:
    """Return a view of memory that `__cuda_array_interface__` describes."""
    if not SIMULATED:
        return cuda.from_cuda_array_interface(
            {**interface, "stream": None}, owner=owner, sync=False
        )
    shape, dtype = interface["shape"], np.dtype(interface["typestr"])
    strides = interface.get("strides") or _contiguous_strides(shape, dtype.itemsize)
    one = ctypes.c_char * max(dtype.itemsize, 1)
    memory = np.frombuffer(one.from_address(interface["data"][0]), dtype)
    kind = cuda.cudadrv.devicearray.FakeCUDAArray
    return kind(np.lib.stride_tricks.as_strided(memory, shape, strides))


LEGACY = 1
"""What the driver calls the default stream that all threads share. Numba's may be another."""


def stream_of(pointer: int | None) -> Any:
    """Return the stream at an address of the driver's. 0 is the one that all threads share."""
    if pointer is None or SIMULATED:
        return 0
    return cuda.external_stream(pointer or LEGACY)


def is_same(stream: Any, other: Any) -> bool:
    """Whether two streams are one."""
    if stream is other or SIMULATED or not (stream and other):
        return stream is other
    return bool(stream.__cuda_stream__()[1] == other.__cuda_stream__()[1])


def wait_for(stream: Any, earlier: Any) -> None:
    """Let what follows on a stream wait for what is on another now."""
    if SIMULATED:
        return
    event = cuda.event(timing=False)
    event.record(earlier)
    event.wait(stream)


def synchronise(stream: Any) -> None:
    """Wait for a stream; to wait for Numba's default one is not needed after a copy."""
    if not stream or SIMULATED:
        return
    event = cuda.event(timing=False)
    event.record(stream)
    event.synchronize()


def free_bytes() -> float:
    """Return the free memory of the current device, as far as that can be known."""
    try:
        return float(cuda.current_context().get_memory_info().free)
    except NotImplementedError:  # of a package that has taken over Numba's memory
        return math.inf


def free_what_is_unused() -> None:
    """Give back the memory of arrays that are gone, which Numba does when it pleases."""
    if not SIMULATED:
        cuda.current_context().memory_manager.deallocations.clear()


def _contiguous_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    return tuple(itemsize * math.prod(shape[i + 1 :]) for i in range(len(shape)))
