"""Graphs, schedulers and throughput of Dask arrays: ``python -m benchmarks.cluster``.

Asserts that graphs of ten thousand tiles are made within two seconds, and works out what
ten million rows cost from the throughput that it measures.
"""

import argparse
import logging
import os
import pickle
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dask
import dask.array as da
import numpy as np
import psutil

import jsdiv_numba
import jsdiv_numba.dask as lazy
from benchmarks import inputs
from benchmarks.timing import Contender, median_seconds, progress

LONGEST_BUILD = 2.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rows: int
    """Rows, in a hundred chunks: ten thousand tiles."""

    side: int
    """Rows on each side of a tile whose time is taken."""

    length: int
    many: int
    """Tiles whose time on the cluster is taken."""


FULL = Sizes(rows=9_000, side=4096, length=64, many=24)
QUICK = Sizes(rows=900, side=64, length=16, many=4)
CHUNKS = 100
REPEATS = 5
EXAMPLE_ROWS = 10_000_000
CORES = 64


def tiled(sizes: Sizes, function: str) -> da.Array:
    """Return the pairs of rows in a hundred chunks; nothing is computed."""
    side = sizes.rows // CHUNKS
    with dask.config.set({"array.chunk-size": f"{2 * side * side * 4}B"}):
        X = da.ones((sizes.rows, 8), chunks=(side, 8), dtype="f4")
        return lazy.cdist(X, X) if function == "cdist" else lazy.pdist(X)


def graph_line(sizes: Sizes, function: str) -> str:
    """Time the making of a graph, its single tasks included, and weigh it."""
    times = []
    for _ in range(5):
        start = time.process_time()
        graph = dict(tiled(sizes, function).__dask_graph__())
        times.append(time.process_time() - start)
    seconds = statistics.median(times)
    assert seconds < LONGEST_BUILD, f"{function}: {seconds:.2f} s"
    chunks = tiled(sizes, function).npartitions
    largest = max(len(pickle.dumps(task)) for task in graph.values())
    return (
        f"| graph of `{function}`, {chunks:,} chunks | {len(graph):,} tasks of at most "
        f"{largest:,} bytes, made in {seconds:.2f} s of CPU time |"
    )


class Peak:
    """The most memory that this process, which is the scheduler's, has within a block."""

    def __enter__(self) -> "Peak":
        self.process, self.done = psutil.Process(), threading.Event()
        self.before = self.most = self.process.memory_info().rss
        self.watcher = threading.Thread(target=self._watch)
        self.watcher.start()
        return self

    def _watch(self) -> None:
        while not self.done.wait(0.02):
            self.most = max(self.most, self.process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.watcher.join()


def scheduler_line(client: Any, sizes: Sizes) -> str:
    """Run ten thousand tiles, and see what the scheduler needs for them."""
    from distributed import wait

    progress("ten thousand tiles")
    client.compute(tiled(sizes, "cdist")[:1, :1]).result()
    with Peak() as peak:
        start = time.perf_counter()
        result = client.persist(tiled(sizes, "cdist"))
        wait(result)
        seconds = time.perf_counter() - start
    tiles = result.npartitions
    return (
        f"| scheduler and client with {tiles:,} tiles | {(peak.most - peak.before) / 1e6:.0f} MB; "
        f"{1e3 * seconds / tiles:.1f} ms a tile, all in all |"
    )


def throughput(client: Any, sizes: Sizes) -> tuple[list[str], float]:
    """Return lines on large tiles, here and on the cluster, and elements a second of CPU time."""
    from distributed import wait

    progress("large tiles")
    side, length, many = sizes.side, sizes.length, sizes.many
    rows, others = (inputs.rows(np.random.default_rng(), side, length, np.float32) for _ in "XY")
    work = float(side) ** 2 * length
    X = da.random.default_rng(1).random((many * side, length), chunks=(side, length), dtype="f4")
    Y = da.random.default_rng(2).random((side, length), chunks=-1, dtype="f4")
    X, Y = client.persist([X, Y])
    wait([X, Y])
    # The first tile of a worker would be compiled for.
    client.run(compare_few)
    # Each tile is reduced where it is: the cluster need not hold them all.
    nearest = lazy.cdist(X, Y).min(axis=1)
    spent: list[float] = []

    def alone_here() -> None:
        start = time.process_time()
        jsdiv_numba.cdist(rows, others, workers=1)
        spent.append(time.process_time() - start)

    here = Contender("here", alone_here, repeats=REPEATS)
    there = Contender("there", lambda: client.compute(nearest).result(), repeats=REPEATS)
    before, all_before = client.run(time.process_time), time.process_time()
    seconds = median_seconds([here, there])
    after = client.run(time.process_time)
    tiles = many * (REPEATS + 1)
    its_cpu = sum(after[worker] - before[worker] for worker in before) / tiles
    rest = time.process_time() - all_before - sum(spent)
    alone, both = work / seconds["here"], many * work / seconds["there"]
    workers = len(client.nthreads())
    share = both / alone / workers
    return [
        line(
            f"`cdist`, float32, one thread, {side:,} × {side:,} rows of {sizes.length}",
            f"{alone / 1e9:.1f} G elements/s",
        ),
        line(
            f"the same in {sizes.many} tiles by {workers} worker processes, then rows' minima",
            f"{both / 1e9:.1f} G elements/s, {100 * share:.0f} % of {workers} times that",
        ),
        line(
            "CPU time of a tile: in this process alone; in a worker; of scheduler and client",
            f"{1e3 * statistics.median(spent):.0f} ms; {1e3 * its_cpu:.0f} ms; "
            f"{1e3 * rest / tiles:.0f} ms",
        ),
    ], work / its_cpu


def compare_few() -> None:
    """Compile what tiles need."""
    few = np.ones((2, 2), np.float32)
    jsdiv_numba.cdist(few, few, workers=1)


def line(what: str, figures: str) -> str:
    return f"| {what} | {figures} |"


def example(sizes: Sizes, speed: float) -> str:
    """Work out ten million rows from the elements in a second of a worker's CPU time."""
    number, length, side = EXAMPLE_ROWS, sizes.length, sizes.side
    elements = number**2 / 2 * length
    hours = elements / speed / 3600
    tiles, seconds = number**2 / 2 / side**2, side**2 * length / speed
    read = 2 * side * length * 4
    return f"""
- Input: {number:,} × {length} × 4 bytes = {number * length * 4 / 1e9:.2f} GB.
- Work: {number:,}² / 2 × {length} = {elements:.2g} elements of pairs.
- Time: at {speed / 1e9:.1f} G elements in a second of CPU time, {hours:.0f} core-hours, or
  {hours / CORES:.1f} hours of {CORES} cores.
- Tiles: {number:,}² / (2 × {side:,}²) = {tiles:.2g}, of {seconds:.2f} s each:
  {CORES} cores finish {CORES / seconds:.0f} a second.
- Memory: a tile of {side:,}² × 4 bytes = {side**2 * 4 / 1e6:.0f} MB and its rows, a core.
- Network: two blocks of rows a tile, {read / 1e6:.1f} MB, or {read / seconds / 1e6:.0f} MB/s
  a core and {CORES * read / seconds / 1e9:.2f} GB/s in all, less what a worker has already.
- Output: all distances would be {number**2 / 2 * 4 / 1e12:.0f} TB; ten pairs a row, each of two
  indices and a distance, are {number * 10 * 20 / 1e9:.0f} GB.
- Cost: {hours:.0f} core-hours; at 0.04 dollars each, a price that is assumed and not measured,
  {hours * 0.04:.0f} dollars."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and the example."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    sizes = QUICK if parser.parse_args(arguments).quick else FULL
    from distributed import Client, LocalCluster

    lines = ["| measured | |", "|---|---|"]
    lines += [graph_line(sizes, function) for function in ("cdist", "pdist")]
    options: dict[str, Any] = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    workers = min(2, os.cpu_count() or 1)
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, **options) as cluster,
        Client(cluster) as client,
    ):
        lines.append(scheduler_line(client, sizes))
        found, speed = throughput(client, sizes)
    print("\n".join([*lines, *found]))
    print(example(sizes, speed))


if __name__ == "__main__":
    main()
