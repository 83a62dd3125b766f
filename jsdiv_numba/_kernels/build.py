"""All kernels ahead of time, by one process a CPU."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple

from .cache import bundle
from .cache import folder as on_disk
from .catalog import KERNELS
from .load import compiled

Progress = Callable[[int, int], object]
"""Called with the number of kernels that are done, and of all."""

PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from jsdiv_numba._kernels.build import work
work(sys.stdin, sys.stdout, *sys.argv[2:])
"""
"""The new process imports what this one does, from where this one does."""


class BuildError(RuntimeError):
    """A kernel could not be built."""


class Bundle(NamedTuple):
    """Kernels for packages: for which level of processors, and where."""

    level: str
    folder: Path


def build(workers: int, progress: Progress | None, into: Bundle | None = None) -> int:
    """Compile what is not yet there; return how many kernels that were."""
    every = [(name, dtype) for name, kernel in KERNELS.items() for dtype in kernel.dtypes]
    missing = [each for each in every if into is not None or on_disk.read(*each) is None]
    done = len(every) - len(missing)
    waiting: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    for each in missing:
        waiting.put(each)
    finished: queue.SimpleQueue[BuildError | None] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_drive, args=(waiting, finished, into), daemon=True)
        for _ in range(min(workers, len(missing)))
    ]
    for thread in threads:
        thread.start()
    for _ in missing:
        fault = finished.get()
        if fault is not None:
            raise fault
        done += 1
        if progress is not None:
            progress(done, len(every))
    if into is not None:
        (bundle.folder_in(into.folder, into.level) / bundle.WHOLE).touch()
    return len(missing)


def _taken(waiting: "queue.SimpleQueue[tuple[str, str]]") -> Iterator[tuple[str, str]]:
    """Yield what waits, until nothing does."""
    with suppress(queue.Empty):
        while True:
            yield waiting.get_nowait()


def _drive(
    waiting: "queue.SimpleQueue[tuple[str, str]]",
    finished: "queue.SimpleQueue[BuildError | None]",
    into: Bundle | None,
) -> None:
    """Hand one kernel after another to a process."""
    try:
        with _worker(into) as (tasks, answers, faults):
            for name, dtype in _taken(waiting):
                print(name, dtype, file=tasks, flush=True)
                if not answers.readline():
                    raise BuildError(f"{name} for {dtype}: {faults.read()}")
                finished.put(None)
    except BuildError as error:
        finished.put(error)
    except OSError as error:
        finished.put(BuildError(f"a process that builds kernels: {error}"))


@contextmanager
def _worker(into: Bundle | None) -> Iterator[tuple[IO[str], IO[str], IO[str]]]:
    """Start a process; yield what it reads, what it answers and what it complains of."""
    environment = dict(os.environ)
    if into is not None:
        environment |= {"NUMBA_CPU_NAME": into.level, "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-c", PROGRAM, json.dumps(sys.path)]
    command += [into.level, str(into.folder)] if into is not None else []
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        yield process.stdin, process.stdout, process.stderr


def work(tasks: IO[str], answers: IO[str], *into: str) -> None:
    """Build the kernels whose names come in, one a line, and answer each with a line."""
    for line in tasks:
        name, dtype = line.split()
        made = compiled(name, dtype)
        if into:
            level, folder = into
            bundle.write(Path(folder), level, name, dtype, made)
        else:
            on_disk.write(name, dtype, made)
        print(name, dtype, file=answers, flush=True)
