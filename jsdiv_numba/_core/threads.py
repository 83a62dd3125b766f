"""The one place for worker threads.

Kernels release the GIL and each result is computed by one of them alone, so
threads share blocks of work freely and the bits of the result do not depend on
their number. The pool is made when it is first needed, and dropped in a forked
child, whose threads do not exist.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar, copy_context
from itertools import islice
from operator import index
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

ENVIRONMENT_VARIABLE = "JSDIV_NUMBA_WORKERS"

T = TypeVar("T")

_default: ContextVar[int | None] = ContextVar("workers", default=None)
_inside_worker = threading.local()


def available_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_workers(workers: Any, name: str = "workers") -> int:
    """Return `workers` as a positive integer; a negative one counts from the CPUs, as in SciPy."""
    try:
        number = index(workers)
    except TypeError:
        raise ValueError(f"{name} is {workers!r}; it must be an integer or None") from None
    if number < 0:
        number += available_cpus() + 1
    if number <= 0:
        raise ValueError(
            f"{name} is {workers!r}; it must be positive, or from -1 (every CPU) down to "
            f"-{available_cpus()} (one CPU)"
        )
    return number


def get_workers(workers: int | None = None) -> int:
    """Return the number of threads to use for an argument `workers`."""
    if workers is not None:
        return check_workers(workers)
    default = _default.get()
    if default is not None:
        return default
    from_environment = os.environ.get(ENVIRONMENT_VARIABLE)
    if from_environment is None:
        return available_cpus()
    try:
        return check_workers(int(from_environment), ENVIRONMENT_VARIABLE)
    except ValueError:
        raise ValueError(
            f"the environment variable {ENVIRONMENT_VARIABLE} is {from_environment!r}; "
            "it must be an integer other than 0"
        ) from None


@contextlib.contextmanager
def set_workers(workers: int | None) -> Iterator[None]:
    """Set the default number of worker threads within a ``with`` block.

    Parameters
    ----------
    workers : int or None
        Number of threads; -1 is every CPU that this process may use. None is what
        there is without such a block.

    Raises
    ------
    ValueError
        If `workers` is not an integer or None, or is 0.

    Notes
    -----
    Nests, and holds for the thread or task that entered it, as
    `scipy.fft.set_workers` does. An explicit ``workers=`` wins over it, and it
    wins over the environment variable ``JSDIV_NUMBA_WORKERS``. The number never
    changes a bit of any result.

    Examples
    --------
    >>> import jsdiv_numba
    >>> with jsdiv_numba.set_workers(1):
    ...     jsdiv_numba.js_divergence([0.5, 0.5], [0.5, 0.5])
    array([0.])
    """
    token = _default.set(None if workers is None else check_workers(workers))
    try:
        yield
    finally:
        _default.reset(token)


def run_blocks(function: Callable[[T], object], blocks: Sequence[T], workers: int | None) -> None:
    """Call `function` on every block, spread over threads.

    An exception, Ctrl-C included, stops the work: blocks that have begun are
    finished, no other is begun, and it is raised.
    """
    __tracebackhide__ = True
    if len(blocks) == 1 and workers is None:
        function(blocks[0])
        return
    threads = min(get_workers(workers), len(blocks))
    if threads > 1 and not getattr(_inside_worker, "yes", False):
        _run_in_pool(function, blocks, threads)
        return
    for block in blocks:
        function(block)


def _run_in_pool(function: Callable[[T], object], blocks: Sequence[T], workers: int) -> None:
    remaining = iter(blocks)
    helpers_at_work = 0
    failures: list[BaseException] = []
    roster = threading.Condition()

    def work() -> None:
        _inside_worker.yes = True
        try:
            while not failures:
                with roster:
                    block = list(islice(remaining, 1))
                if not block:
                    return
                function(block[0])
        except BaseException as error:
            failures.append(error)
        finally:
            _inside_worker.yes = False

    def help_out() -> None:
        nonlocal helpers_at_work
        with roster:
            helpers_at_work += 1
        work()
        with roster:
            helpers_at_work -= 1
            roster.notify()

    try:
        # No thread starts while the interpreter exits; this one then does the work alone.
        with contextlib.suppress(RuntimeError):
            for _ in range(workers - 1):
                _shared_pool.submit(workers - 1, help_out)
        work()
    finally:
        with roster:
            # A helper that only begins now, behind other calls' work, finds nothing to do.
            remaining = iter(())
            roster.wait_for(lambda: helpers_at_work == 0)
    if failures:
        raise failures[0]


class _SharedPool:
    """A pool of threads, made on first use and replaced when a call wants a larger one."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew: in a forked child neither the threads nor the lock's owner exist."""
        self._lock = threading.Lock()
        self._size = 0
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, size: int, work: Callable[[], None]) -> None:
        with self._lock:
            if self._executor is None or self._size < size:
                from concurrent.futures import ThreadPoolExecutor

                self._size = size
                self._executor = ThreadPoolExecutor(size, thread_name_prefix="jsdiv_numba")
            self._executor.submit(work)


class _Host:
    """A thread that computes what others ask for, in the floating-point mode it was started in.

    Some, as those that JAX calls back from, take subnormal numbers as 0. A thread has the mode of
    the one that starts it: a pool made there would take them so for good.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew, as a pool does."""
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Start the thread if there is none."""
        with self._lock:
            if self._executor is None:
                from concurrent.futures import ThreadPoolExecutor

                executor = ThreadPoolExecutor(1, thread_name_prefix="jsdiv_numba_host")
                # No thread starts while the interpreter exits.
                with contextlib.suppress(RuntimeError):
                    executor.submit(int)
                    self._executor = executor

    def run(self, function: Callable[[], T]) -> T:
        """Return what a function does, called in the thread if it was started, and else here."""
        if self._executor is None:
            return function()
        try:
            future = self._executor.submit(copy_context().run, function)
        except RuntimeError:
            return function()
        return future.result()


_shared_pool = _SharedPool()
host = _Host()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_shared_pool.forget)
    os.register_at_fork(after_in_child=host.forget)
