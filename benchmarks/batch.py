"""Files larger than memory, against memory and the disk: ``python -m benchmarks.batch``.

Needs 11 GB in the folder for temporary files (``TMPDIR``), all of which it removes. What is
said of memory is measured on Linux only.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, memory, roofline
from benchmarks.tables import Goal, Line, heading, percent, rate, ratios
from benchmarks.timing import Contender, Threads, median_seconds, progress
from jsdiv_numba import batch, cdist, jensenshannon

MEMORY_GOAL = Goal(1, smaller_is_better=True)
PAIRS_GOAL, ROWS_GOAL = Goal(0.85), Goal(0.7)
BUDGET = 500e6
PIECE = 1 << 20
"""Bytes that are read or written at a time."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    side: int
    """Rows of each of two files whose pairs are compared by a process of its own."""

    length: int
    compared: int
    """Rows whose pairs are compared in memory."""

    rows: dict[type, int]
    """Rows of each of two files that are compared row by row."""

    repeats: int


FULL = Sizes(45_000, 1_024, 4_096, {np.float32: 500_000, np.float64: 250_000}, 7)
QUICK = Sizes(300, 64, 200, {np.float32: 2_000, np.float64: 1_000}, 1)


def save(path: Path, blocks: Iterator[np.ndarray], shape: tuple[int, int]) -> None:
    """Write an ``.npy`` file, and wait until the disk has it: later, that would be in the way."""
    with path.open("wb") as file:
        first = next(blocks)
        header = {"descr": first.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in [first, *blocks]:
            file.write(block.data)
        file.flush()
        os.fsync(file.fileno())


def drawn(rng: np.random.Generator, number: int, length: int, dtype: type) -> Iterator[np.ndarray]:
    """Yield so many rows in blocks."""
    for start in range(0, number, 10_000):
        yield inputs.rows(rng, min(10_000, number - start), length, dtype)


class Watch:
    """A process of the command: its time, its CPU time, and the memory that it has at its most."""

    KEYS = ("VmHWM", "RssAnon", "RssFile")

    def __init__(self, *arguments: Any) -> None:
        command = [sys.executable, "-m", "jsdiv_numba", *map(str, arguments)]
        self.most = dict.fromkeys(self.KEYS, 0)
        start, children = time.perf_counter(), os.times()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while process.poll() is None:
            self._look(Path(f"/proc/{process.pid}/status"))
            time.sleep(0.05)
        self.seconds, ended = time.perf_counter() - start, os.times()
        before, after = (t.children_user + t.children_system for t in (children, ended))
        self.cpu_seconds = after - before
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)

    def _look(self, status: Path) -> None:
        # There is nothing to be read of a process that has just ended.
        with contextlib.suppress(OSError, LookupError):
            for key in self.KEYS:
                self.most[key] = max(self.most[key], memory.status(key, status))


def write_alone(path: Path, size: int) -> float:
    """Return the seconds that it takes to write so many bytes, and nothing else."""
    piece = np.random.default_rng().bytes(PIECE)
    start = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for _ in range(max(1, size // PIECE)):
            file.write(piece)
        os.fsync(file.fileno())
    seconds = time.perf_counter() - start
    path.unlink()
    return seconds


def pair_lines(sizes: Sizes, rng: np.random.Generator, folder: Path) -> tuple[list[Line], str]:
    """Compare all pairs of two files by the command, and some in memory before and after."""
    progress("pairs")
    side, length, few = sizes.side, sizes.length, sizes.compared
    x, y, tiny, out = (folder / name for name in ("x.npy", "y.npy", "tiny.npy", "d.npy"))
    for path, number in (x, side), (y, side), (tiny, 8):
        save(path, drawn(rng, number, length, np.float32), (number, length))
    rows = [np.load(path, mmap_mode="r")[:few].copy() for path in (x, y)]
    options = ["-q", "--memory", "500MB", "-o", out]
    cdist(*(block[:8] for block in rows))
    before = Watch("pairwise", tiny, tiny, *options)
    in_memory = [timed_in_memory(rows) for _ in range(3)]
    run = Watch("pairwise", x, y, *options)
    in_memory += [timed_in_memory(rows) for _ in range(3)]
    size = out.stat().st_size
    out.unlink()
    disk = write_alone(out, size // 8) * 8
    as_many = (side / len(rows[0])) ** 2
    alone, cpu = (as_many * statistics.median(times) for times in zip(*in_memory, strict=True))
    what = f"{side:,} × {side:,} rows of {length:,}, float32, {megabytes(size)} of output"
    # Starting and compiling do not count: `cdist` was compiled before it was timed.
    seconds = run.seconds - before.seconds
    line = Line(
        f"`jsdiv pairwise`, {what} / `cdist` in memory, {few:,} × {few:,}",
        alone / seconds,
        PAIRS_GOAL,
        rate(side**2 * length / seconds),
        rate(side**2 * length / alone),
        f"the disk would take {percent(disk / seconds)} of the time",
    )
    shown = {key: megabytes(value) for key, value in run.most.items()}
    note = (
        f"`jsdiv pairwise --memory 500MB` is a process of its own, which took {run.seconds:.0f} s "
        f"from its start to its end, {run.cpu_seconds:.0f} s of CPU time, and at most "
        f"{shown['VmHWM']} of memory: {shown['RssAnon']} of its own and {shown['RssFile']} of "
        f"files, which are its libraries; with 8 rows, {before.seconds:.1f} s, which is taken off "
        f"its time, and {megabytes(before.most['VmHWM'])}. `cdist` was timed three times before "
        "it and three times after it; as many elements would take it "
        f"{cpu:.0f} s of CPU time"
    )
    return [line, *peak_line(run.most["VmHWM"] - before.most["VmHWM"])], note


def timed_in_memory(rows: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return time and CPU time of one call."""
    start, cpu = time.perf_counter(), time.process_time()
    cdist(*rows)
    return time.perf_counter() - start, time.process_time() - cpu


def peak_line(beyond: int) -> list[Line]:
    if not memory.STATUS.exists():
        return []
    what = "its peak of resident memory over that of a comparison of 8 rows / 500 MB"
    return [Line(what, beyond / BUDGET, MEMORY_GOAL, megabytes(beyond), megabytes(BUDGET))]


def megabytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"


def speed(per_second: float) -> str:
    """Write bytes in a second."""
    return f"{per_second / 1e9:.3g} GB/s"


def reading(paths: Sequence[Path], workers: int) -> None:
    """Read files of the same size side by side, each thread a part of all, into a small buffer."""
    size = paths[0].stat().st_size // workers

    def read(part: int) -> None:
        buffer = memoryview(bytearray(PIECE))
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(path.open("rb", buffering=0)) for path in paths]
            for file in files:
                file.seek(part * size)
            for _ in range(0, size, PIECE):
                for file in files:
                    file.readinto(buffer)

    Threads(workers).run(read, workers)


def computing(block: Sequence[np.ndarray], parts: int, workers: int) -> None:
    """Compare the same few rows, which are in the cache, so many times."""
    Threads(workers).run(lambda _: jensenshannon(*block, axis=1, workers=1), parts)


def evict(paths: Sequence[Path]) -> None:
    """Have the system forget what it has read."""
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


OURS, READ, SUM, COMPUTE = "ours", "readinto", "sum(P*Q)", "compute"
THREADS = {1: "one thread", 2: "two threads"}


def row_lines(dtype: type, sizes: Sizes, rng: np.random.Generator, folder: Path) -> list[Line]:
    """Compare two files row by row, from the page cache and, of one precision, from the disk."""
    name, number, length = np.dtype(dtype).name, sizes.rows[dtype], sizes.length
    progress(f"rows, {name}")
    paths, out = [folder / f"{name}-{side}.npy" for side in "pq"], folder / "rows.npy"
    for path in paths:
        save(path, drawn(rng, number, length, dtype), (number, length))

    def ours(workers: int) -> None:
        batch.rows(*paths, out=out, workers=workers)

    lines = cached_lines(name, sizes, paths, ours)
    if dtype is np.float32 and hasattr(os, "posix_fadvise"):
        lines.append(disk_line(name, paths, ours))
    for path in (*paths, out):
        path.unlink()
    return lines


def cached_lines(
    name: str, sizes: Sizes, paths: Sequence[Path], ours: Callable[[int], None]
) -> list[Line]:
    """Compare files that are in the page cache: as called, by every CPU, and thread for thread."""
    seconds = {workers: cached_seconds(sizes, paths, ours, workers) for workers in (1, 2)}
    total = sum(path.stat().st_size for path in paths)
    lines = []
    for workers, readers in ((2, 1), (1, 1), (2, 2)):
        mine, read = seconds[workers], seconds[readers][READ]
        speeds = {key: speed(total / taken) for key, taken in mine.items()}
        line = Line(
            f"`rows`, {name}, {THREADS[workers]} / {THREADS[readers]} reading from the page cache",
            read / mine[OURS],
            ROWS_GOAL,
            speeds[OURS],
            speed(total / read),
            f"computing alone: {speeds[COMPUTE]}; `sum(P*Q)`, mapped: {speeds[SUM]}",
        )
        lines.append(line)
    return lines


def cached_seconds(
    sizes: Sizes, paths: Sequence[Path], ours: Callable[[int], None], workers: int
) -> dict[str, float]:
    """Time reading, computing and both, by so many threads."""
    # These are closed at the end: what is mapped cannot be evicted.
    mapped = [np.load(path, mmap_mode="r") for path in paths]
    few = max(1, PIECE // (mapped[0].shape[1] * mapped[0].itemsize))
    block, parts = [rows[:few].copy() for rows in mapped], -(-len(mapped[0]) // few)
    calls: dict[str, Callable[[], Any]] = {
        OURS: partial(ours, workers),
        READ: partial(reading, paths, workers),
        SUM: partial(Threads(workers).run, roofline.read(*mapped, 16), 16),
        COMPUTE: partial(computing, block, parts, workers),
    }
    timed = [Contender(key, call, repeats=sizes.repeats) for key, call in calls.items()]
    return median_seconds(timed)


def disk_line(name: str, paths: Sequence[Path], ours: Callable[[int], None]) -> Line:
    """Compare files that are not in the page cache, after a warm-up of whatever lies below it."""

    def evicted(call: Callable[[], Any]) -> Callable[[], None]:
        def evict_and_call() -> None:
            evict(paths)
            call()

        return evict_and_call

    calls = {OURS: evicted(partial(ours, 2)), READ: evicted(partial(reading, paths, 2))}
    seconds = median_seconds([Contender(key, call, repeats=1) for key, call in calls.items()])
    total = sum(path.stat().st_size for path in paths)
    mine, read = (speed(total / seconds[key]) for key in (OURS, READ))
    what = f"`rows`, {name}, two threads / reading from the disk"
    return Line(what, seconds[READ] / seconds[OURS], ROWS_GOAL, mine, read)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    options = parser.parse_args(arguments)
    sizes, rng = QUICK if options.quick else FULL, np.random.default_rng()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [line for dtype in sizes.rows for line in row_lines(dtype, sizes, rng, folder)]
        found, note = pair_lines(sizes, rng, folder)
    shape = " and ".join(
        f"2 × {number:,} × {sizes.length:,} {np.dtype(dtype).name}"
        for dtype, number in sizes.rows.items()
    )
    rows = (
        f"`rows` of {shape} in `.npy` files, to a file that is synced. Median of "
        f"{sizes.repeats}, from the disk once, after a warm-up; files are read 1 MB at a time, by "
        "`readinto`"
    )
    command = " ".join(["python -m benchmarks.batch", *(["--quick"] if options.quick else [])])
    print(heading(command, roofline.instruction_set(), note, rows))
    print(f"\n{ratios([*found, *lines])}")


if __name__ == "__main__":
    main()
