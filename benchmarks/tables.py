"""What the scripts print: Markdown tables, with the machine above them."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jsdiv_numba

PACKAGES = (
    *("numba", "llvmlite", "numpy", "scipy", "mpmath"),
    *("numkong", "simsimd", "fastjsd", "scikit-learn", "pynndescent", "jax", "torch"),
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


HEADINGS = (
    *("ratio", "measured", "at least", "beyond", "met"),
    *("ours", "other", "share of roofline"),
)


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [headings, ["---"] * len(headings), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def ratios(lines: Iterable[Line]) -> str:
    return table(HEADINGS, (line.cells() for line in lines))


def significant(number: float) -> str:
    """Write two decimals of small numbers and none of large ones."""
    return f"{number:,.{2 if number < 10 else 1 if number < 100 else 0}f}"


def rate(per_second: float) -> str:
    """Write elements in a second."""
    return _in_units(per_second, {"G/s": 1e9, "M/s": 1e6})


def duration(seconds: float) -> str:
    return _in_units(seconds, {"s": 1.0, "ms": 1e-3, "µs": 1e-6})


def _in_units(amount: float, units: dict[str, float]) -> str:
    """Write in the largest unit of which there is one, or in the smallest."""
    largest = (unit for unit, size in units.items() if amount >= size)
    unit = next(largest, list(units)[-1])
    return f"{amount / units[unit]:.3g} {unit}"


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
    found = [f"Python {platform.python_version()}", f"jsdiv_numba {jsdiv_numba.__version__}"]
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
