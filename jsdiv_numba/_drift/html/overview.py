"""All columns in one table, each with its estimate and interval as a picture."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from ..results import ColumnDrift, Findings
from ..text import figure, interval, missing, most, probability
from .words import coordinate, name_of


def overview(result: Findings, linked: Mapping[str, str]) -> str:
    """Return the table; `linked` has the columns that are shown below, and where."""
    ranked = result.ranked
    ends = [c.high for c in ranked if not math.isnan(c.high)]
    scale = max([*ends, 2 * result.floor, 1e-9])
    rows = "\n".join(_row(column, linked, scale, result) for column in ranked)
    return (
        '<h2 id="columns">All columns</h2>\n'
        '<div class="scroll" role="region" aria-label="All columns" tabindex="0">\n'
        '<table class="overview">\n'
        "<caption>The dashed line is the floor: what is to its left is too small to matter."
        "</caption>\n"
        '<thead><tr><th scope="col">Column</th><th scope="col">Estimate and interval, '
        f"{escape(result.unit)}"
        '</th><th scope="col" class="number">q</th><th scope="col" class="wide">Missing</th>'
        '<th scope="col" class="wide">What makes it</th></tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )


def _row(column: ColumnDrift, linked: Mapping[str, str], scale: float, result: Findings) -> str:
    name = name_of(column.column)
    if column.column in linked:
        name = f'<a href="#{linked[column.column]}">{name}</a>'
    badge = ""
    if column.drift:
        badge = ' <span class="badge">drift</span>'
    elif column.absent:
        badge = ' <span class="badge absent">absent</span>'
    remarks = [column.note]
    if column.missing_drift:
        remarks.append(f"missing {missing(column)}")
    text = "; ".join(filter(None, remarks))
    note = f'<span class="note">{escape(text)}</span>' if text else ""
    what = most(column, 1) if column.values_drift else ""
    css = ' class="drift"' if column.drift else ""
    return (
        f'<tr{css}><th scope="row">{name}{badge}{note}</th>'
        f'<td class="difference">{_difference(column, scale, result.floor)}</td>'
        f'<td class="number">{escape(probability(column.q))}</td>'
        f'<td class="wide">{escape(missing(column))}</td>'
        f'<td class="wide">{escape(what)}</td></tr>'
    )


def _difference(column: ColumnDrift, scale: float, floor: float) -> str:
    if math.isnan(column.estimate):
        return '<span class="quiet">not compared</span>'

    def place(value: float) -> str:
        return coordinate(2 + 96 * min(max(value / scale, 0.0), 1.0))

    bound = place(floor)
    picture = (
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<line class="axis" x1="2" x2="98" y1="9.5" y2="9.5"/>'
        f'<line class="floor" x1="{bound}" x2="{bound}" y1="0" y2="10"/>'
        f'<line class="whisker" x1="{place(column.low)}" x2="{place(column.high)}" y1="5" y2="5"/>'
        f'<rect class="dot" x="{coordinate(float(place(column.estimate)) - 1)}" y="1" width="2" '
        'height="8"/></svg>'
    )
    ends = interval(column).replace(" to ", "\N{EN DASH}")
    return f"{picture}<span>{figure(column.estimate)}</span><span>{ends}</span>"


def heat_map(results: Sequence[tuple[str, Findings]], linked: Mapping[str, str], by: str) -> str:
    """Return a table of estimates: a line for each column, a cell for each group."""
    names = [column.column for column in results[0][1]]
    names.sort(key=lambda name: -max(_size(result[name]) for _, result in results))
    scale = max([_size(result[name]) for _, result in results for name in names] + [1e-9])
    heads = "".join(f'<th scope="col">{name_of(group)}</th>' for group, _ in results)
    rows = []
    for name in names:
        title = name_of(name)
        if name in linked:
            title = f'<a href="#{linked[name]}">{title}</a>'
        cells = "".join(_cell(result[name], scale) for _, result in results)
        rows.append(f'<tr><th scope="row">{title}</th>{cells}</tr>')
    body = "\n".join(rows)
    return (
        f'<h2 id="columns">Columns by {escape(by)}</h2>\n'
        f'<div class="scroll" role="region" aria-label="Columns by {escape(by)}" tabindex="0">\n'
        f'<table class="heat">\n<caption>Estimates in {escape(results[0][1].unit)}; bold and with '
        "a mark (●) where the column drifted.</caption>\n"
        f'<thead><tr><th scope="col">Column</th>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
        "</table>\n</div>"
    )


def _size(column: ColumnDrift) -> float:
    sizes = (column.estimate, column.missing_estimate)
    return max([size for size in sizes if not math.isnan(size)] + [0.0])


def _cell(column: ColumnDrift, scale: float) -> str:
    if math.isnan(column.estimate) and math.isnan(column.missing_estimate):
        return "<td>-</td>"
    shade = 0.3 * math.sqrt(_size(column) / scale) if column.drift else 0.0
    style = f' style="background:rgb(var(--heat)/{coordinate(shade)})"' if shade else ""
    mark = ' class="drift"' if column.drift else ""
    said = '● <span class="hidden">drift</span>' if column.drift else ""
    return f"<td{mark}{style}>{said}{figure(_size(column))[:-1]}</td>"
