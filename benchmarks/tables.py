"""What the scripts print: Markdown tables, with the machine above them."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    "jsdiv_numba numba llvmlite numpy scipy numkong simsimd scikit-learn jax torch mpmath".split()
)


@dataclass(frozen=True)
class Goal:
    """What a ratio should be: at least or, of times, at most."""

    bound: float | None = None
    beyond: float | None = None
    smaller_is_better: bool = False

    def met(self, ratio: float) -> str:
        if self._reached(ratio, self.beyond):
            return "beyond"
        if self.bound is None:
            return ""
        return "yes" if self._reached(ratio, self.bound) else "**no**"

    def _reached(self, ratio: float, bound: float | None) -> bool:
        if bound is None:
            return False
        return ratio <= bound if self.smaller_is_better else ratio >= bound

    def written(self, bound: float | None) -> str:
        if bound is None:
            return ""
        return f"{'≤' if self.smaller_is_better else '≥'} {bound:g}"


@dataclass(frozen=True)
class Line:
    """One ratio beside its goal, and the two numbers that it is the ratio of."""

    what: str
    ratio: float
    goal: Goal
    ours: str
    other: str
    roofline: str = ""

    def cells(self) -> tuple[str, ...]:
        goal, ratio = self.goal, self.ratio
        bounds = goal.written(goal.bound), goal.written(goal.beyond)
        measured = goal.met(ratio), self.ours, self.other, self.roofline
        return self.what, significant(ratio), *bounds, *measured


HEADINGS = "ratio|measured|at least|beyond|met|ours|other|share of roofline".split("|")


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def ratios(lines: Iterable[Line]) -> str:
    return table(HEADINGS, (line.cells() for line in lines))


def significant(number: float) -> str:
    """Write two decimals of small numbers and none of large ones."""
    return f"{number:.2f}" if number < 10 else f"{number:,.0f}"


def rate(per_second: float) -> str:
    """Write elements in a second."""
    for factor, unit in ((1e9, "G/s"), (1e6, "M/s")):
        if per_second >= factor:
            break
    return f"{per_second / factor:.3g} {unit}"


def duration(seconds: float) -> str:
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor:
            break
    return f"{seconds / factor:.3g} {unit}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def processor() -> str:
    """Return the name of the processor, as well as the system knows it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def heading(command: str, instructions: str, *notes: str) -> str:
    """Return the lines above the tables: machine, versions and command."""
    system = f"{platform.system()} {platform.machine()}"
    lines = [
        f"- Command: `{command}`",
        f"- Machine: {processor()}, {os.cpu_count()} CPUs, {instructions}, {system}",
        f"- Versions: {versions()}",
        *(f"- {note}" for note in notes if note),
    ]
    return "\n".join(lines)
