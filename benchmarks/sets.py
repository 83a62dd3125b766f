"""A column for each set of instructions that is at hand: ``python -m benchmarks.sets``.

Each has a process of its own, which kernels are compiled for it in; they take turns. Of a
contender's times in a turn the least counts, and of time what was computed in it: this may run
beside other work. Peers that look at the processor themselves are told to do without what the set
lacks. ``--measure`` prints one process's part as JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import inputs, neighbors, pairs, peers, roofline, rows
from benchmarks.peers import OURS
from benchmarks.tables import Line, heading, significant, table
from benchmarks.timing import LEAST_OF_CPU, REPEATS, progress, throughputs
from tests import processors

OTHER = {roofline.AVX512: {roofline.AVX2: "haswell"}}
"""What processors of a set can also be taken for, by LLVM's names."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured, in each of so many turns."""

    turns: int
    rows: rows.Sizes
    logits: rows.Sizes
    """More of them: a few thousand rows JAX 0.10 computes several times as slowly."""

    pairs: pairs.Sizes


FULL = Sizes(
    turns=2,
    rows=rows.Sizes(4_000, 1_024, judged=0, peak_turns=200_000),
    logits=rows.Sizes(20_000, 1_024, judged=0, peak_turns=0),
    pairs=pairs.Sizes(
        rows={np.float32: 512, np.float64: 256},
        second=1024,
        length=1024,
        given={"NumKong": 64, "SciPy": 8},
        near=0,
        dimensions=(),
        numbers=(),
        small_seconds=0,
        peak_turns=0,
        judged=0,
    ),
)
QUICK = Sizes(1, rows.QUICK, rows.QUICK, pairs.QUICK)

SHOWN = (
    "`cdist`, float32 / SciPy",
    "`cdist`, float64 / SciPy",
    "`cdist`, float64 / NumKong",
    "float32 rows / SciPy",
    "float64 rows / SciPy",
    "float32 rows / SimSIMD",
    "float64 rows / SimSIMD",
    f"float64 rows / {rows.BANDWIDTH}",
    "float32, `axis=0` / `axis=-1`",
    "float64, `axis=0` / `axis=-1`",
    f"float32 logits / {peers.JAX_QUOTIENTS}",
    neighbors.PRODUCT,
)
"""What the table has of all that the scripts for rows, pairs and neighbours measure."""


def some(loaders: peers.Loaders, *names: str) -> peers.Loaders:
    return {name: loaders[name] for name in (OURS, *names) if name in loaders}


def pair_lines(dtype: type, sizes: pairs.Sizes, rng: np.random.Generator) -> list[Line]:
    """Time all pairs of rows."""
    XA = inputs.rows(rng, sizes.rows[dtype], sizes.length, dtype)
    XB = inputs.rows(rng, sizes.second, sizes.length, dtype)
    compared = peers.installed(some(peers.PAIRS, "NumKong", "SciPy"))
    timed = [pairs.contender(peer, dtype, XA, XB, sizes) for peer in compared]
    return pairs.against_peers(dtype, throughputs(timed, LEAST_OF_CPU))


def measured(sizes: Sizes) -> dict[str, Any]:
    """Return this process's set, and its ratios with their goals."""
    rng = np.random.default_rng()
    lines: list[Line] = []
    for dtype in rows.DTYPES:
        lines += pair_lines(dtype, sizes.pairs, rng)
        compared = some(peers.ROWS, "SimSIMD", "SciPy")
        lines += rows.measure_probabilities(dtype, sizes.rows, rng, compared, LEAST_OF_CPU)[0]
    compared = some(peers.LOGITS, peers.JAX_QUOTIENTS)
    lines += rows.measure_logits(sizes.logits, rng, compared, LEAST_OF_CPU)
    lines.append(neighbors.product_line(sizes.rows.peak_turns, LEAST_OF_CPU))
    found = {line.what: (line.ratio, line.goal.bound) for line in lines if line.what in SHOWN}
    return {"set": roofline.instruction_set(), "ratios": found}


def measured_elsewhere(environment: dict[str, str], options: Sequence[str]) -> dict[str, Any]:
    """Do so in another process."""
    command = [sys.executable, "-m", "benchmarks.sets", "--measure", *options]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def cell(found: list[tuple[float, float | None]]) -> str:
    """Write the median of all turns, and the goal."""
    if not found:
        return ""
    ratio, goal = statistics.median(ratio for ratio, _ in found), found[0][1]
    if goal is None:
        return significant(ratio)
    met = "" if ratio >= goal else ", **no**"
    return f"{significant(ratio)} (≥ {goal:g}{met})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or one set's ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--measure", action="store_true", help="print this process's as JSON")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else FULL
    if options.measure:
        json.dump(measured(sizes), sys.stdout)
        return
    own = roofline.instruction_set()
    environments: dict[str, dict[str, str]] = {own: {}}
    environments |= {name: processors.environment(cpu) for name, cpu in OTHER.get(own, {}).items()}
    given = ["--quick"] if options.quick else []
    turns = []
    for turn in range(sizes.turns):
        for name, environment in environments.items():
            progress(f"turn {turn + 1}, {name}")
            turns.append(measured_elsewhere(environment, given))
    cells = [
        (
            what,
            *(
                cell([t["ratios"][what] for t in turns if t["set"] == name and what in t["ratios"]])
                for name in environments
            ),
        )
        for what in SHOWN
    ]
    size = (
        f"{sizes.rows.rows:,} × {sizes.rows.length:,} elements, {sizes.logits.rows:,} rows of "
        f"logits. Median of {sizes.turns} turns, of "
        f"the least CPU time of {REPEATS} in each"
    )
    missing = peers.note_on_missing(peers.ROWS, peers.PAIRS)
    print(table(("ratio of speeds (at least)", *environments), cells))
    command = " ".join(["python -m benchmarks.sets", *given])
    print("\n" + heading(command, " and ".join(environments), size, missing))


if __name__ == "__main__":
    main()
