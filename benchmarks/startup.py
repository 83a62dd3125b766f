"""Whole processes, to their first result: ``python -m benchmarks.startup``.

Each program runs in turn with SciPy's first result, in processes of their own, and the median of
the ratios of a turn's two CPU times is printed: from the interpreter's start, as the system counts.
Warm, the kernels are on disk. Cold, the cache is off; the kernels of another revision of this
repository, in a folder that ``--before`` names, are compiled beside them.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables import Goal, Line, heading, ratios, table
from benchmarks.timing import progress

ROOT = Path(__file__).parents[1]
LETTERS = ROOT / "docs" / "examples" / "letters.csv"

TURNS, COLD_TURNS = 7, 1

ROWS = "np.array([[0.1, 0.2, 0.7]] * 3, {0!r}), np.array([[0.3, 0.3, 0.4]] * 3, {0!r})"
OURS = "import numpy as np, jsdiv_numba as j; "
SCIPY = (
    "from scipy.spatial.distance import jensenshannon; "
    "jensenshannon([0.1, 0.2, 0.7], [0.3, 0.3, 0.4])"
)
SCIPY_COMMAND = f"""
import csv
import numpy as np
from scipy.spatial.distance import pdist, squareform
with open({str(LETTERS)!r}, newline="", encoding="utf-8") as file:
    header, *lines = csv.reader(file)
values = np.array([[float(x) for x in line[1:]] for line in lines])
distances = squareform(pdist(values, "jensenshannon"))
for line, row in zip(lines, distances):
    print(line[0], *(f"{{x:.4f}}" for x in row))
"""

SIMPLE, LARGE = Goal(0.6, 0.45, smaller_is_better=True), Goal(0.8, 0.5, smaller_is_better=True)
COMMAND = Goal(1.3, 1.0, smaller_is_better=True)


@dataclass(frozen=True)
class Program:
    """What is run, and how long it may take beside SciPy's first result."""

    source: str
    goal: Goal
    dtypes: tuple[str, ...] = ("float64", "float32")

    def of(self, dtype: str) -> str:
        return self.source.format(rows=ROWS.format(dtype), dtype=dtype)


PROGRAMS = {
    "js_divergence": Program("j.js_divergence({rows})", SIMPLE),
    "jensenshannon": Program("j.jensenshannon({rows}, axis=1)", SIMPLE),
    "cdist": Program("j.cdist({rows})", SIMPLE),
    "js_divergence_logit": Program("j.js_divergence_logit({rows})", SIMPLE),
    "kneighbors": Program("j.kneighbors(np.eye(200, 7) + 0.1)", LARGE, ("float64",)),
    "js_divergence_grad": Program("j.js_divergence_grad({rows})", LARGE),
    "js_divergence_many": Program("j.js_divergence_many(np.full((3, 3), 0.5, {dtype!r}))", LARGE),
    "JSDivergenceLogitLoss.value_and_grad": Program(
        "j.JSDivergenceLogitLoss().value_and_grad({rows})", LARGE
    ),
}


def programs() -> dict[str, tuple[str, Goal]]:
    """Return the programs by what the tables call them."""
    return {
        f"{name}, {dtype}": (
            OURS + each.source.format(rows=ROWS.format(dtype), dtype=dtype),
            each.goal,
        )
        for name, each in PROGRAMS.items()
        for dtype in each.dtypes
    }


def seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Run a process to its end and return the CPU time that it took, its children's included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        cwd=Path(environment["JSDIV_NUMBA_CACHE_DIR"]),  # Python looks for packages here first
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=600,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)


def paired(
    ours: Sequence[str],
    other: Sequence[str],
    environments: tuple[Mapping[str, str], Mapping[str, str]],
    turns: int,
) -> tuple[float, float, float]:
    """Return the median of the ratios, and of the times of both."""
    times = []
    for _ in range(turns + 1):
        times.append((seconds(ours, environments[0]), seconds(other, environments[1])))
    counted = times[1:]  # The first run reads files that the disk's cache may lack.
    return (
        statistics.median(a / b for a, b in counted),
        *(statistics.median(each) for each in zip(*counted, strict=True)),
    )


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def warm_lines(environment: Mapping[str, str]) -> list[Line]:
    lines = []
    both = environment, environment
    for name, (program, goal) in programs().items():
        progress(f"warm: {name}")
        lines.append(
            _line(f"{name} / SciPy", goal, *paired(python(program), python(SCIPY), both, TURNS))
        )
    progress("warm: jsdiv pairwise")
    command = [sys.executable, "-m", "jsdiv_numba", "pairwise", str(LETTERS)]
    timed = paired(command, python(SCIPY_COMMAND), both, TURNS)
    lines.append(_line("`jsdiv pairwise letters.csv` / csv and SciPy", COMMAND, *timed))
    return lines


def _line(what: str, goal: Goal, ratio: float, ours: float, other: float) -> Line:
    return Line(what, ratio, goal, f"{ours:.3f} s", f"{other:.3f} s")


def cold_table(environment: Mapping[str, str], before: Path | None) -> str:
    """Return the times that compiling takes, and those of another revision."""
    off = {**environment, "JSDIV_NUMBA_CACHE": "0"}
    older = {**off, "PYTHONPATH": str(before)}
    lines = []
    for name, (program, _) in programs().items():
        progress(f"cold: {name}")
        if before is None:
            ours = statistics.median(seconds(python(program), off) for _ in range(COLD_TURNS))
            lines.append([name, f"{ours:.2f}"])
        else:
            command = python(program)
            ratio, ours, other = paired(command, command, (off, older), COLD_TURNS)
            lines.append([name, f"{ours:.2f}", f"{other:.2f}", f"{ratio:.2f}"])
    compared = ["before, s", "ratio"] if before is not None else []
    return table(["first result, cold", "CPU time, s", *compared], lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--before", type=Path, help="a checkout to compile the same with")
    parser.add_argument("--only", choices=("warm", "cold"), help="one of the two tables")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "JSDIV_NUMBA_CACHE_DIR": folder,
            "PYTHONPATH": str(ROOT),
        }
        environment.pop("JSDIV_NUMBA_CACHE", None)
        # What is installed is there as bytecode.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        tables = []
        if options.only != "cold":
            tables.append(ratios(warm_lines(environment)))
        if options.only != "warm":
            tables.append(cold_table(environment, options.before))
    from jsdiv_numba.cache import info

    print(heading("python -m benchmarks.startup", info().processor), end="\n\n")
    print(*tables, sep="\n\n")


if __name__ == "__main__":
    main()
