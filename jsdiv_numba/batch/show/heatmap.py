"""A heat map in the order of a hierarchical clustering, with its dendrograms."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from jsdiv_numba.batch.format import counted, shown
from jsdiv_numba.batch.in_memory import Pairwise, within
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.show.clustering import Clustering, cluster
from jsdiv_numba.batch.show.figure import INK, PALE_INK, bare_axes, save, write_heading

_LABEL_LIMIT, _TITLE_LIMIT = 28, 40
_COLOURS = "magma"
# Lengths are in inches.
_LONGEST_SIDE, _SMALLEST_CELL, _LARGEST_CELL = 6.5, 0.15, 0.8
_FEW = 60
"""So many rows are drawn larger, for their labels."""

_SMALLEST_FONT = 6.0
# So far apart labels in it have to be: those below the columns are aslant.
_ROW_SPACING, _COLUMN_SPACING = 0.09, 0.125
_TREE, _GAP, _BAR_WIDTH, _BAR_HEIGHT = 1.1, 0.06, 0.18, 2.6


@dataclass(frozen=True, eq=False)
class _Side:
    """One side of the matrix: its rows, or its columns."""

    rows: LabelledRows
    tree: Clustering
    size: float | None = None

    def step(self, spacing: float) -> int:
        """Return how far apart rows stand whose labels fit."""
        return max(1, ceil(spacing / self.cell))

    def labels(self, places: range) -> list[str]:
        order = self.tree.order
        return [shown(self.rows.labels[order[i]], _LABEL_LIMIT) for i in places]

    @property
    def cell(self) -> float:
        number = len(self.rows)
        if self.size is not None:
            return self.size / number
        cell = _LONGEST_SIDE / number
        return min(max(cell, _SMALLEST_CELL), _LARGEST_CELL) if number <= _FEW else cell

    @property
    def length(self) -> float:
        return self.cell * len(self.rows)

    @property
    def font_size(self) -> float:
        return min(max(0.6 * 72 * self.cell, _SMALLEST_FONT), 12.0)


def write_picture(path: Path, result: Pairwise, size: float | None = None) -> None:
    """Draw a matrix and write the picture, whole or not at all.

    `path`: a ``.png``, ``.svg`` or ``.pdf`` file. Raises `FileError` if the file cannot be
    written.
    """
    texts = [*result.first.labels, *result.second.labels, result.first.source, result.second.source]
    save(path, lambda: draw(result, size), texts)


def draw(result: Pairwise, size: float | None = None) -> Figure:
    """Draw a matrix as a heat map, its rows and its columns in the order of a clustering.

    The clustering is by average linkage with optimal leaf ordering. Rows of two files
    are clustered each by the distances within their own file. Where not all labels
    fit, every second is written, or every third, and so on.

    The figure belongs to no window and to no global state.
    """
    rows, columns = _sides(result, size)
    width, height = columns.length, rows.length
    figure = Figure(figsize=(_TREE + width, height + _TREE))
    heat_map = bare_axes(figure, _TREE, 0, width, height)
    image = _draw_matrix(heat_map, result, rows, columns)
    _draw_tree(bare_axes(figure, 0, 0, _TREE - _GAP, height), rows, on_top=False)
    top = height
    if not result.symmetric:
        _draw_tree(bare_axes(figure, _TREE, height + _GAP, width, _TREE), columns, on_top=True)
        top += _GAP + _TREE
    _draw_title(figure, top + 0.2, result)
    left = _right_edge(heat_map) + 0.3
    bar = bare_axes(figure, left, height - _BAR_HEIGHT, _BAR_WIDTH, _BAR_HEIGHT)
    _draw_colour_bar(bar, image, result.quantity)
    return figure


def _sides(result: Pairwise, size: float | None) -> tuple[_Side, _Side]:
    if result.symmetric:
        side = _Side(result.first, cluster(result.matrix), size)
        return side, side
    first, second = (
        _Side(rows, cluster(within(rows, result.quantity)), size)
        for rows in (result.first, result.second)
    )
    return first, second


def _draw_matrix(axes: Axes, result: Pairwise, rows: _Side, columns: _Side) -> ScalarMappable:
    matrix = result.matrix[np.ix_(rows.tree.order, columns.tree.order)]
    # Rows that are all equal would leave the colours no range.
    greatest = float(matrix.max()) or result.quantity.maximum
    image = axes.imshow(matrix, cmap=_COLOURS, vmin=0.0, vmax=greatest, aspect="auto")
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    _name(axes.yaxis, rows, _ROW_SPACING)
    _name(axes.xaxis, columns, _COLUMN_SPACING, rotation=45, ha="right", rotation_mode="anchor")
    if rows.step(_ROW_SPACING) == columns.step(_COLUMN_SPACING) == 1:
        axes.grid(which="minor", color="white", linewidth=0.6)
        axes.tick_params(which="minor", length=0)
    return image


def _name(axis: Axis, side: _Side, spacing: float, **style: Any) -> None:
    count, step = len(side.rows), side.step(spacing)
    places = range(0, count, step)
    # A dollar sign in a label is no formula.
    axis.set_ticks(places, side.labels(places), parse_math=False, size=side.font_size, **style)
    if step == 1:
        axis.set_ticks(np.arange(count - 1) + 0.5, minor=True)
    else:
        named = f"{counted(count, 'row')}, one in {step} of them named"
        axis.set_label_text(named, color=INK, size=12)


def _draw_tree(axes: Axes, side: _Side, *, on_top: bool) -> None:
    tree = side.tree
    corners = np.stack([tree.positions, tree.heights], axis=-1)
    along, above = (-0.5, len(tree.order) - 0.5), (0.0, float(tree.heights.max(initial=0.0)) or 1.0)
    if on_top:
        axes.set(xlim=along, ylim=above)
    else:
        corners = corners[..., ::-1]
        axes.set(xlim=above[::-1], ylim=along[::-1])
    # Where leaves are dense, the small brackets are thin, and the large ones stand out.
    spans = np.abs(tree.positions[:, 2] - tree.positions[:, 0])
    widths = np.clip(18.0 * side.cell * spans, 0.1, 1.2)
    brackets = LineCollection(list(corners), colors=PALE_INK, linewidths=widths, clip_on=False)
    axes.add_collection(brackets)
    axes.set_axis_off()


def _draw_title(figure: Figure, bottom: float, result: Pairwise) -> None:
    sides = [result.first] if result.symmetric else [result.first, result.second]
    rows = " against ".join(
        f"{counted(len(side), 'row')} of {shown(Path(side.source).name, _TITLE_LIMIT)}"
        for side in sides
    )
    subtitle = f"{rows}, ordered by average-linkage clustering"
    write_heading(figure, bottom, result.quantity.name, subtitle)


def _right_edge(axes: Axes) -> float:
    """Return where the labels on the right end, in inches."""
    box = axes.get_tightbbox() or axes.bbox
    return float(box.x1 / axes.figure.dpi)


def _draw_colour_bar(axes: Axes, image: ScalarMappable, quantity: Quantity) -> None:
    bar = axes.figure.colorbar(image, cax=axes)
    bar.outline.set_visible(False)
    bar.set_label(f"{quantity.name} ({quantity.unit})", color=INK, size=11, labelpad=8)
    axes.tick_params(length=0, colors=INK, labelsize=10)
