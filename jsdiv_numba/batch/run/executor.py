"""Who computes the tiles: threads of this process, or whatever else can call a function."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_at_work = threading.local()

_MOST_WORKERS = 1 << 20
"""More threads than any system starts."""


class StoppedError(Exception):
    """What ends a task that is no longer wanted."""


def stop_here_if_asked() -> None:
    """Raise `StoppedError` if the run is being stopped; a task that takes long calls it often."""
    stopping: threading.Event | None = getattr(_at_work, "stopping", None)
    if stopping is not None and stopping.is_set():
        raise StoppedError


class Executor(Protocol):
    """What computes tiles.

    A task holds everything that its tile needs, so it may be pickled and sent
    elsewhere, as long as the files have the same paths there.
    """

    @property
    def workers(self) -> int:
        """How many tiles are computed at the same time, which share the memory."""

    def results(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Yield ``function(task)`` of every task, in any order.

        Tasks are taken when there is room for them, so that neither they nor their
        results pile up. The first exception ends the work and is raised.
        """


class Threads:
    """Threads of this process, a tile each, while the caller stores what is done.

    Parameters
    ----------
    workers : int
        How many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def results(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Yield ``function(task)`` of every task as soon as it is there, the earliest first."""
        remaining = iter(tasks)
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="jsdiv_tile")
        pending: list[Future[Any]] = []
        stopping = threading.Event()

        def work(task: T) -> R:
            _at_work.stopping = stopping
            return function(task)

        def submit(count: int) -> None:
            pending.extend(pool.submit(work, task) for task in islice(remaining, count))

        try:
            submit(min(self.workers, _MOST_WORKERS) + 1)
            while pending:
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                future = next(future for future in pending if future in done)
                pending.remove(future)
                submit(1)
                yield future.result()
                del future, done
        finally:
            stopping.set()
            pool.shutdown(cancel_futures=True)
