"""Tiles computed on a Dask cluster: one that is there, or processes of this machine."""

import contextlib
import logging
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.sources import ArrayInMemory
from jsdiv_numba.batch.run.journal import versions

T = TypeVar("T")
R = TypeVar("R")

_LOCAL = re.compile(r"local:([1-9]\d{0,3})")
# Looked at before Dask does, whose client hangs for a minute where it cannot read an address.
_ADDRESS = re.compile(r"(tcp|tls|wss?|ucx)://([^\s:/]+|\[[^\s/]+\]):\d{1,5}/?")


@contextlib.contextmanager
def connected(scheduler: str) -> Iterator["Cluster"]:
    """Connect to a cluster, or make one, for a ``with`` block.

    Parameters
    ----------
    scheduler : str
        The address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``, whose workers see
        the files under the same paths; or ``local:N`` for N processes of this machine.

    Yields
    ------
    Cluster
        An executor for `pairwise` and `rows`.

    Raises
    ------
    FileError
        If Dask is not installed, no scheduler answers, or a worker has other versions.
    """
    local = _LOCAL.fullmatch(scheduler)
    if not local and not _ADDRESS.fullmatch(scheduler):
        raise FileError(
            f"--scheduler {scheduler}: neither an address, such as tcp://10.0.0.1:8786, nor "
            "local:N for N processes"
        )
    try:
        import distributed
    except ModuleNotFoundError:
        raise FileError(
            f'--scheduler {scheduler}: needs Dask: pip install "jsdiv_numba[dask]"'
        ) from None
    with contextlib.ExitStack() as open_until_done:
        address: Any = scheduler
        open_until_done.enter_context(_silent())
        if local:
            with _ignoring_ctrl_c():
                cluster = distributed.LocalCluster(
                    n_workers=int(local[1]),
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=":0",
                    silence_logs=logging.CRITICAL,
                )
            address = open_until_done.enter_context(cluster)
        try:
            client = _client(address)
        except OSError as error:
            raise FileError(f"--scheduler {scheduler}: no scheduler answers there") from error
        # What Dask says of an address depends on what it has for its scheme.
        except (ValueError, TypeError, RuntimeError, ImportError, OverflowError) as error:
            raise FileError(f"--scheduler {scheduler}: cannot be connected to: {error}") from error
        open_until_done.enter_context(client)
        _require_same_versions(client, scheduler)
        yield Cluster(client, scheduler, sharing=int(local[1]) if local else None)


def _client(address: Any) -> Any:
    import distributed

    class Client(distributed.Client):  # type: ignore[misc]
        """A client that a ``with`` block closes; one that failed would try to for a minute."""

        def __del__(self) -> None:
            """Leave what never was connected."""

    return Client(address, set_as_default=False)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Have Dask log nothing: what becomes of it is an error of one line."""
    handlers = logging.getLogger("distributed").handlers
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)


@contextlib.contextmanager
def _ignoring_ctrl_c() -> Iterator[None]:
    """Have threads that begin now, and all processes that they start, never hear of Ctrl-C.

    A terminal tells every process of it; this one stops the others. It hears of it afterwards.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Whoever starts the first process starts this one too, and hears of Ctrl-C from then on.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Cluster:
    """The workers of a Dask cluster, which read the files and send back the values.

    Parameters
    ----------
    client : distributed.Client
        A connection to its scheduler.
    name : str
        What errors call it.
    sharing : int, optional
        How many tiles share the memory that a run may use; by default the most threads that
        one worker has, and each worker may use that much.
    """

    def __init__(self, client: Any, name: str = "Dask", sharing: int | None = None) -> None:
        self.client, self.name, self.sharing = client, name, sharing

    @property
    def workers(self) -> int:
        """How many tiles are computed at the same time, which share the memory."""
        return self.sharing or max(self.client.nthreads().values(), default=1)

    def results(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Yield ``function(task)`` of every task as soon as it is there.

        A thread has one task at work and one in waiting. What a worker takes with it when
        it dies is computed again. A matrix in memory is sent to each worker once.
        """
        from distributed import as_completed

        remaining = iter(tasks)
        completed = as_completed(loop=self.client.loop)
        sent: dict[int, Any] = {}
        pending: set[Any] = set()

        def submit() -> None:
            room = 2 * max(1, sum(self.client.nthreads().values())) - len(pending)
            for task in islice(remaining, max(0, room)):
                future = self._submit(function, task, sent)
                pending.add(future)
                completed.add(future)

        try:
            with self._told_of_losses():
                submit()
            while pending:
                with self._told_of_losses():
                    future = next(completed)
                    result = future.result()
                    pending.remove(future)
                    future.release()
                    del future
                    submit()
                yield result
        finally:
            with contextlib.suppress(Exception):
                self.client.cancel(list(pending))

    def _submit(self, function: Callable[[Any], Any], task: Any, sent: dict[int, Any]) -> Any:
        matrices = {name: value for name, value in _parts(task) if isinstance(value, ArrayInMemory)}
        for matrix in matrices.values():
            if id(matrix) not in sent:
                sent[id(matrix)] = self.client.scatter(matrix, broadcast=True, hash=False)
        there = {name: sent[id(matrix)] for name, matrix in matrices.items()}
        light = replace(task, **dict.fromkeys(matrices)) if matrices else task
        return self.client.submit(_completed, function, light, pure=False, **there)

    @contextlib.contextmanager
    def _told_of_losses(self) -> Iterator[None]:
        from concurrent.futures import CancelledError

        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker

        try:
            yield
        except KilledWorker as error:
            raise FileError(
                f"{self.name}: workers died again and again at the same tile; "
                "does it fit in their memory?"
            ) from error
        except (CancelledError, OSError) as error:
            # A task may raise one of the system's errors too; the client may not know of its loss.
            lost = isinstance(error, CancelledError | CommClosedError)
            if not lost and self.client.status == "running":
                raise
            raise FileError(
                f"{self.name}: the connection to the scheduler is lost; "
                "--resume goes on from the last finished tile"
            ) from error


def _parts(task: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(task):
        yield from ((field.name, getattr(task, field.name)) for field in fields(task))


def _completed(function: Callable[[T], R], task: Any, **parts: Any) -> R:
    """Call the function on a task that is given back the matrices that were sent ahead."""
    return function(replace(task, **parts) if parts else task)


def _require_same_versions(client: Any, scheduler: str) -> None:
    own = versions()
    try:
        of_workers = client.run(versions)
    except ModuleNotFoundError as error:
        raise FileError(f"--scheduler {scheduler}: its workers have no {error.name}") from error
    for worker, theirs in of_workers.items():
        for package in own:
            if theirs.get(package) != own[package]:
                raise FileError(
                    f"--scheduler {scheduler}: {worker} has {package} {theirs.get(package)}, "
                    f"but this process {own[package]}"
                )
