"""Neighbours over files, and what ten million rows take: ``python -m benchmarks.search``.

Compares `jsdiv_numba.batch.neighbors` of files with `kneighbors` of the same in memory.
"""

import argparse
import ctypes
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.cluster import CORES, EXAMPLE_ROWS, line
from benchmarks.memory import CLEAR, RESET_PEAK, status
from benchmarks.timing import Contender, median_seconds, progress
from jsdiv_numba import batch, kneighbors
from jsdiv_numba._core.threads import available_cpus

CONCENTRATION, NUMBER, REPEATS = 0.1, 10, 3


@dataclass(frozen=True)
class Sizes:
    """How much is searched."""

    rows: int
    queries: int
    length: int
    memory: int
    """Bytes that the search of files may take."""


FULL = Sizes(rows=200_000, queries=20_000, length=64, memory=500_000_000)
QUICK = Sizes(rows=2_000, queries=200, length=64, memory=20_000_000)


def write_topics(path: Path, sizes: Sizes) -> None:
    """Write mixtures of topics, which are distributions of a few categories each."""
    weights = np.full(sizes.length, CONCENTRATION)
    np.save(path, np.random.default_rng().dirichlet(weights, sizes.rows).astype(np.float32))


def measured(sizes: Sizes, folder: Path) -> tuple[list[str], float]:
    """Return the lines of the table, and the elements that a core compares in a second."""
    progress("neighbours over files")
    everything, some, out = (folder / name for name in ("x.npy", "some.npy", "found.npy"))
    write_topics(everything, sizes)
    rows = np.load(everything)
    np.save(some, rows[: sizes.queries])

    def of_files() -> None:
        batch.neighbors(some, everything, out=out, n_neighbors=NUMBER, memory=sizes.memory)

    def in_memory() -> None:
        kneighbors(rows[: sizes.queries], rows, NUMBER)

    contenders = [Contender(call.__name__, call, repeats=REPEATS) for call in (of_files, in_memory)]
    seconds = median_seconds(contenders)
    found, expected = np.load(out), kneighbors(rows[:200], rows, NUMBER)
    assert (found["neighbor"][:200] == expected[1]).all()
    assert (found["jensenshannon"][:200] == expected[0]).all()
    workers = available_cpus()
    speed = float(sizes.queries) * sizes.rows * sizes.length / seconds["of_files"] / workers
    shape = f"{sizes.queries:,} rows among {sizes.rows:,} of {sizes.length}"
    rate = f"{speed / 1e9:.0f} G elements/s a core, {workers} of them"
    lines = [
        line(f"`batch.neighbors`, float32, {NUMBER} nearest, {shape}", rate),
        line("its speed, of that in memory", f"{seconds['in_memory'] / seconds['of_files']:.2f}"),
    ]
    if CLEAR.exists():
        # What the runs before have freed goes back to the system, lest this one reuse it unseen.
        ctypes.CDLL(None).malloc_trim(0)
        CLEAR.write_text(RESET_PEAK)
        before = status("VmRSS")
        of_files()
        peak = (status("VmHWM") - before) / 1e6
        lines.append(line(f"memory at its peak, of {sizes.memory / 1e6:.0f} MB", f"{peak:.0f} MB"))
    return lines, speed


def example(sizes: Sizes, speed: float) -> str:
    """Work out ten million rows from the elements a second of one core."""
    number, length = EXAMPLE_ROWS, sizes.length
    elements = float(number) ** 2 * length
    hours = elements / speed / 3600
    tiles, others = -(-number // 1024), number * length * 4
    seconds = elements / tiles / speed
    return f"""
- Work: {number:,}² × {length} = {elements:.2g} elements, few of which are computed exactly.
- Time: {hours:.0f} core-hours, or {hours / CORES:.1f} hours of {CORES} cores.
- Tiles: {tiles:,} of 1,024 rows, of {seconds:.0f} s each.
- Reading: the whole file for each tile, {others / 1e9:.2f} GB, or {others / seconds / 1e6:.0f} MB/s
  a core: from the page cache, or from a disk that each machine has.
- Output: {number:,} × {NUMBER} × 16 bytes = {number * NUMBER * 16 / 1e9:.1f} GB.
- Cost: {hours * 0.04:.0f} dollars at 0.04 dollars a core-hour, a price that is assumed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and the example."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    sizes = QUICK if parser.parse_args(arguments).quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        lines, speed = measured(sizes, Path(os.path.realpath(folder)))
    print("\n".join(["| measured | |", "|---|---|", *lines]))
    print(example(sizes, speed))


if __name__ == "__main__":
    main()
