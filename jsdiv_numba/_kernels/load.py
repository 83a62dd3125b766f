"""Kernels, each compiled or loaded when it is first asked for.

Threads that ask at once wait for one of them. Nothing here imports Numba but to compile.
"""

import threading
from collections.abc import Callable
from functools import cache

import numpy as np

from . import cache as cache_on_disk
from . import machine
from .catalog import ROUTINES, UFUNCS
from .machine import Object

# Numba's compiler is not reentrant in all that it does.
_lock = threading.RLock()


@cache
def built(name: str, dtypes: tuple[str, ...]) -> np.ufunc:
    """Return the ufunc `name`, for these dtypes alone.

    A public function asks for the one dtype that it needs, which halves the
    time to its first result.
    """
    with _lock:
        return _built(name, dtypes)


@cache
def _built(name: str, dtypes: tuple[str, ...]) -> np.ufunc:
    loops = {dtype: _address(name, dtype) for dtype in dtypes}
    return machine.make_ufunc(name, UFUNCS[name], loops)


@cache
def routine(name: str, dtype: str) -> Callable[..., bool]:
    """Return the kernel `name` that is no ufunc, for a dtype."""
    with _lock:
        return _routine(name, dtype)


@cache
def _routine(name: str, dtype: str) -> Callable[..., bool]:
    return machine.make_routine(name, ROUTINES[name].of(dtype), _address(name, dtype))


@cache
def _address(name: str, dtype: str) -> int:
    return object_of(name, dtype).load()


def object_of(name: str, dtype: str) -> Object:
    """Return a kernel's object code: from the cache, or compiled and put there."""
    found = cache_on_disk.read(name, dtype)
    if found is not None:
        return found
    # What the caller has NumPy raise is not for the compiler: constants may underflow.
    with np.errstate(all="ignore"):
        from .compilation import compiled

        made = compiled(name, dtype)
    cache_on_disk.write(name, dtype, made)
    return made
