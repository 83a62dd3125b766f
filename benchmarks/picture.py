"""Throughput against worst error: ``python -m benchmarks.picture rows.json pairs.json out.png``.

Reads what ``python -m benchmarks.rows --json rows.json`` and the same of ``benchmarks.pairs``
have written, and prints the Markdown that shows the picture.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.peers import JAX, JAX_QUOTIENTS, OURS

Point = dict[str, Any]

COLOURS = {
    OURS: "#c2185b",
    "NumKong": "#2a6fbb",
    "SimSIMD": "#4aa3a2",
    "SciPy": "#6b6b6b",
    "scikit-learn": "#d98a2b",
    JAX: "#7a5fb0",
    JAX_QUOTIENTS: "#b39ddb",
    "PyTorch": "#8a6d3b",
}
MARKERS = {"float32": "o", "float64": "s"}
TITLES = {"rows": "Row by row", "pairs": "All pairs of rows"}
NO_DIGIT = 1.0
"""Worse than this no error is drawn: NaN and a wrong magnitude are as useless."""

CAPTION = (
    "Elements a second on one thread against the worst relative error of the divergence, on "
    "ordinary rows (hollow) and with zeros and near-equal rows among them (filled)"
)


def drawn(error: float) -> float:
    return min(NO_DIGIT, float(np.nan_to_num(error, nan=NO_DIGIT, posinf=NO_DIGIT)))


def worst(point: Point) -> float:
    return max(drawn(error) for error in point["errors"].values())


def draw_point(axes: Axes, point: Point) -> None:
    """Draw the way from ordinary rows to all rows that a peer's worst error takes."""
    colour, marker = COLOURS[point["peer"]], MARKERS[point["dtype"]]
    ours = point["peer"] == OURS
    size, speed = (13 if ours else 8), point["speed"]
    style = {"marker": marker, "color": colour, "markersize": size, "linestyle": "none"}
    ordinary, all_rows = drawn(point["errors"]["ordinary"]), worst(point)
    axes.plot([ordinary, all_rows], [speed, speed], color=colour, linewidth=1.2, alpha=0.5)
    axes.plot(ordinary, speed, **style, fillstyle="none")
    axes.plot(all_rows, speed, **style, zorder=3)


def label_ours(axes: Axes, point: Point) -> None:
    axes.annotate(
        OURS,
        (worst(point), point["speed"]),
        xytext=(0, 11),
        textcoords="offset points",
        ha="center",
        color=COLOURS[OURS],
        fontsize=12,
        fontweight="bold",
    )


def label_peers(axes: Axes, points: Sequence[Point]) -> None:
    """Write the peers' names beside their points, those of equal speed one above the other."""
    bottom, top = np.log10(axes.get_ylim())
    height, lowest = (top - bottom) / 28, bottom
    for point in sorted(points, key=lambda point: point["speed"]):
        level = max(lowest, float(np.log10(point["speed"])))
        lowest = level + height
        axes.annotate(
            point["peer"],
            (worst(point), 10**level),
            xytext=(-9, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            color=COLOURS[point["peer"]],
            fontsize=9,
        )


def draw_panel(axes: Axes, path: str, points: Sequence[Point]) -> None:
    """Draw one panel, the good corner at its upper right."""
    speeds = [point["speed"] for point in points]
    axes.set(xscale="log", yscale="log", xlim=(1e4, 1e-18))
    axes.set_ylim(min(speeds) / 3, max(speeds) * 4)
    axes.set_xticks([10.0**-power for power in range(0, 17, 4)])
    axes.set_title(TITLES[path], loc="left", fontweight="bold")
    axes.set_xlabel("worst relative error: more accurate →")
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.annotate("fast and right ↗", (0.98, 0.97), xycoords="axes fraction", ha="right", va="top")
    axes.axvspan(1e4, NO_DIGIT, color="0.93", zorder=0)
    axes.annotate(
        "no digit right",
        (100, 0.02),
        xycoords=("data", "axes fraction"),
        ha="center",
        color="0.4",
        fontsize=9,
    )
    for point in points:
        draw_point(axes, point)
        if point["peer"] == OURS:
            label_ours(axes, point)
    label_peers(axes, [point for point in points if point["peer"] != OURS])


def draw(points: Sequence[Point]) -> Figure:
    """Return the picture: a panel for rows and one for pairs."""
    paths = [path for path in TITLES if any(point["path"] == path for point in points)]
    figure = Figure(figsize=(6.4 * len(paths), 5.6), layout="constrained", dpi=150)
    panels = figure.subplots(1, len(paths), squeeze=False)[0]
    for axes, path in zip(panels, paths, strict=True):
        draw_panel(axes, path, [point for point in points if point["path"] == path])
    panels[0].set_ylabel("elements a second, one thread: faster →")
    keys = [
        Line2D([], [], marker=marker, color="0.3", linestyle="none", label=dtype)
        for dtype, marker in MARKERS.items()
    ]
    for label, fill in (("ordinary rows", "none"), ("with zeros, near-equal rows", "full")):
        keys.append(
            Line2D([], [], marker="D", color="0.3", linestyle="none", fillstyle=fill, label=label)
        )
    figure.legend(handles=keys, loc="outside lower center", ncols=4, frameon=False)
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the picture and print the Markdown that shows it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("json", nargs="+", type=Path, help="what the other scripts have written")
    parser.add_argument("picture", type=Path, help="PNG, SVG or PDF to write")
    options = parser.parse_args(arguments)
    points = [point for path in options.json for point in json.loads(path.read_text())]
    draw(points).savefig(options.picture)
    print(f"![{CAPTION}]({options.picture.parent.name}/{options.picture.name})\n\n{CAPTION}.")


if __name__ == "__main__":
    main()
