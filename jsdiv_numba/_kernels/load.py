"""Kernels, each found or compiled when it is first asked for.

Threads that ask at once wait for one of them. Numba is imported to compile, and for nothing else.
"""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np

from .catalog import ROUTINES, UFUNCS
from .linking import Object, make_routine, make_ufunc

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
    return make_ufunc(name, UFUNCS[name], {dtype: _address(name, dtype) for dtype in dtypes})


@cache
def routine(name: str, dtype: str) -> Callable[..., int]:
    """Return the kernel `name` that is no ufunc, for a dtype."""
    with _lock:
        return _routine(name, dtype)


@cache
def _routine(name: str, dtype: str) -> Callable[..., int]:
    return make_routine(name, ROUTINES[name].of(dtype), _address(name, dtype))


_loaded: set[tuple[str, str]] = set()


def is_at_hand(name: str, dtype: str) -> bool:
    """Return whether a kernel can be had without compiling it."""
    return (name, dtype) in _loaded or _found(name, dtype) is not None


def _found(name: str, dtype: str) -> Object | None:
    from .cache import bundle
    from .cache import folder as on_disk

    return bundle.read(name, dtype) or on_disk.read(name, dtype)


@cache
def _address(name: str, dtype: str) -> int:
    found = _found(name, dtype)
    if found is None:
        from .cache import folder as on_disk

        found = compiled(name, dtype)
        on_disk.write(name, dtype, found)
    _loaded.add((name, dtype))
    return found.load()


def compiled(name: str, dtype: str) -> Object:
    """Compile a kernel; the log of the package says so before and after."""
    import logging

    log = logging.getLogger("jsdiv_numba")
    log.info("compiling %s for %s", name, dtype)
    # What the caller has NumPy raise is not for the compiler: constants may underflow.
    with np.errstate(all="ignore"), _nothing_collected():
        from .compilation import compiled

        made = compiled(name, dtype)
    log.info("compiled %s for %s", name, dtype)
    return made


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Have Python free what is in no cycle: to look for the others takes 5 % of compiling."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
