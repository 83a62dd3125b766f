"""A bar for each column that makes a divergence, on the side of the row that has more of it."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jsdiv_numba.batch.explain import Explanation
from jsdiv_numba.batch.format import counted, in_a_row, shown
from jsdiv_numba.batch.show.figure import INK, PALE_INK, bare_axes, save, write_heading

_LABEL_LIMIT, _NAME_LIMIT = 28, 32
_COLOURS = {"P": colormaps["magma"](0.35), "Q": colormaps["magma"](0.72)}
# Lengths are in inches.
_WIDTH, _BAR, _HEADING, _SHARE = 6.5, 0.3, 0.3, 0.65
_FEWEST_BARS = 2


def write_bars(path: Path, explanation: Explanation) -> None:
    """Draw an explanation and write the picture, whole or not at all.

    `path`: a ``.png``, ``.svg`` or ``.pdf`` file. Raises `FileError` if the file cannot be
    written.
    """
    columns = [str(part.label) for part in explanation.named]
    texts = [*explanation.labels, *columns, explanation.rows.source]
    save(path, lambda: draw_bars(explanation), texts)


def draw_bars(explanation: Explanation) -> Figure:
    """Draw the largest parts of a divergence as bars, the largest on top.

    A bar points to the left where the first row has more of the column, to the right
    where the second has; its length is what the column adds, and its share of the
    whole stands at its end.

    The figure belongs to no window and to no global state.
    """
    height = _BAR * max(len(explanation.named), _FEWEST_BARS)
    figure = Figure(figsize=(_WIDTH, height + _HEADING))
    axes = bare_axes(figure, 0, 0, _WIDTH, height)
    _draw_parts(axes, explanation)
    _name_sides(axes, explanation)
    first, second = (shown(label, _NAME_LIMIT) for label in explanation.labels)
    title = in_a_row(first, "against", second)
    write_heading(figure, height + 2 * _HEADING, title, _summary(explanation))
    return figure


def _draw_parts(axes: Axes, explanation: Explanation) -> None:
    parts = explanation.named
    signed = [-part.value if part.side == "P" else part.value for part in parts]
    colours = [_COLOURS[part.side] for part in parts]
    bars = axes.barh(np.arange(len(parts)), signed, height=0.72, color=colours)
    axes.bar_label(bars, [f"{part.share:.1%}" for part in parts], padding=4, color=INK, size=10)
    labels = [shown(str(part.label), _LABEL_LIMIT) for part in parts]
    # A dollar sign in a label is no formula.
    axes.set_yticks(range(len(parts)), labels, parse_math=False, size=11)
    axes.set_ylim(max(len(parts), _FEWEST_BARS) - 0.5, -0.5)
    axes.axvline(0, color=PALE_INK, linewidth=0.8)
    # Room for the shares at the ends, and the middle where it is.
    room = _WIDTH / (_WIDTH - 2 * _SHARE)
    furthest = room * max(map(abs, signed), default=1.0)
    axes.set_xlim(-furthest, furthest)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.set_xlabel(
        f"part of the divergence ({explanation.quantity.unit})", color=INK, size=11, labelpad=8
    )
    axes.grid(axis="x", color="#e5e5e5", linewidth=0.6)
    axes.set_axisbelow(True)


def _name_sides(axes: Axes, explanation: Explanation) -> None:
    first, second = (shown(label, _LABEL_LIMIT) for label in explanation.labels)
    left = axes.text(0.48, 1.0, in_a_row("◂ more in", first), ha="right", color=_COLOURS["P"])
    right = axes.text(0.52, 1.0, in_a_row("more in", second, "▸"), ha="left", color=_COLOURS["Q"])
    for text in (left, right):
        text.set(transform=axes.transAxes, va="bottom", size=11, weight="bold", parse_math=False)


def _summary(explanation: Explanation) -> str:
    parts, quantity = explanation.parts, explanation.quantity
    source = shown(Path(explanation.rows.source).name, _NAME_LIMIT)
    if not parts.total:
        return f"The rows of {source} are equal once divided by their sums"
    named, columns = len(explanation.named), len(explanation.named) + explanation.others
    return (
        f"{named:,} of {counted(columns, 'column')} of {source} make {parts.shares.sum():.1%} "
        f"of a {quantity.name} of {parts.total:.4g} {quantity.unit}"
    )
