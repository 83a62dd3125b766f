"""One column: both histograms side by side, with the bins that make the difference marked."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from ..results import ColumnBins, ColumnDrift, Findings
from ..text import figure, interval, percent, probability
from .words import coordinate, label_of, name_of

MOST_BINS, MOST_CATEGORIES, MOST_NEW = 45, 12, 8
MARKED = 0.8
"""Bins are marked, from the largest contribution on, until they make so much of the whole."""

MOST_MARKED = 6


def card(column: ColumnDrift, anchor: str, result: Findings, group: str = "") -> str:
    """Return a column's part of the page."""
    parts = [f'<section class="card" aria-labelledby="{anchor}">']
    title = name_of(column.column) + (f" in {name_of(group)}" if group else "")
    parts.append(f'<h3 id="{anchor}">{title}</h3>')
    parts.append(f"<p>{_finding(column, result)}</p>")
    if column.values_drift:
        parts.append(_table(column, result))
    if column.missing_drift:
        parts.append(_missing(column, result))
    parts += [_only("New", column.new), _only("Vanished", column.vanished), "</section>"]
    return "\n".join(filter(None, parts))


def _finding(column: ColumnDrift, result: Findings) -> str:
    found = []
    if not math.isnan(column.estimate):
        found.append(
            f"<b>{figure(column.estimate)} {escape(result.unit)}</b> ({interval(column)}), "
            f"q {escape(probability(column.q))}"
        )
    if column.missing_drift:
        shares = f"{percent(column.missing_reference)} to {percent(column.missing_current)}"
        found.append(f"<b>missing {shares}</b>, q {escape(probability(column.missing_q))}")
    found.append(f"{escape(column.how)}")
    found.append(f"{column.n_reference:,} and {column.n_current:,} values")
    if column.note:
        found.append(escape(column.note))
    return "; ".join(found)


def marked(bins: ColumnBins) -> set[int]:
    """Return the bins that make most of the divergence."""
    total, so_far, found = float(bins.contributions.sum()), 0.0, set()
    for k in bins.largest(MOST_MARKED):
        found.add(k)
        so_far += float(bins.contributions[k])
        if so_far >= MARKED * total:
            break
    return found


def shown(bins: ColumnBins, *, ordered: bool) -> tuple[list[int], list[int]]:
    """Return the bins that have a line of their own, in their order, and those that share one."""
    everything = list(range(len(bins)))
    if len(bins) <= (MOST_BINS if ordered else MOST_CATEGORIES):
        return everything, []
    chosen = sorted(bins.largest(MOST_BINS if ordered else MOST_CATEGORIES))
    kept = set(chosen)
    return chosen, [k for k in everything if k not in kept]


def _table(column: ColumnDrift, result: Findings) -> str:
    bins = column.bins
    before, after = bins.shares
    chosen, others = shown(bins, ordered=column.kind not in ("text", "boolean"))
    strong = marked(bins)
    last = len(bins) - 1 if bins.rest else -1
    lines = [
        Line(bins.labels[k], float(before[k]), float(after[k]), k in strong, drawn=k != last)
        for k in chosen
    ]
    if others:
        sums = float(before[others].sum()), float(after[others].sum())
        lines.append(Line(f"{len(others):,} others", *sums, False, drawn=False))
    return _histograms(f"Shares of the values of {column.column}", lines, result)


def _missing(column: ColumnDrift, result: Findings) -> str:
    before, after = column.missing_reference, column.missing_current
    lines = [Line("missing", before, after, True), Line("there", 1 - before, 1 - after, False)]
    return _histograms(f"Missing values of {column.column}", lines, result)


class Line(NamedTuple):
    """A bin, and its share of both samples."""

    label: str
    before: float
    after: float
    marked: bool
    drawn: bool = True
    """Not where many bins together would leave nothing to be seen of the others."""


def _histograms(caption: str, lines: Sequence[Line], result: Findings) -> str:
    drawn = [max(line.before, line.after) for line in lines if line.drawn]
    longest = max([*drawn, 1e-9])
    body = "\n".join(_row(line, longest) for line in lines)
    heads = "".join(
        f'<th scope="col" class="number">{escape(name)}</th>'
        for name in (result.reference, result.current)
    )
    return (
        f'<table>\n<caption class="hidden">{escape(caption)}</caption>\n'
        '<thead><tr><th scope="col">Bin</th><th scope="col"><span class="hidden">Bars</span></th>'
        f'{heads}<th scope="col"><span class="hidden">Marked</span></th></tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _row(line: Line, longest: float) -> str:
    css = ' class="marked"' if line.marked else ""
    more = line.after > line.before
    said = (
        f'<span aria-hidden="true">{"▲" if more else "▼"}</span>'
        f'<span class="hidden">{"more" if more else "less"}</span>'
        if line.marked
        else ""
    )
    return (
        f'<tr{css}><th scope="row">{label_of(_short(line.label))}</th>'
        f'<td class="bars">{_bars(line, longest) if line.drawn else ""}</td>'
        f'<td class="number">{percent(line.before)}</td>'
        f'<td class="number">{percent(line.after)}</td><td class="sign">{said}</td></tr>'
    )


def _bars(line: Line, longest: float) -> str:
    widths = [coordinate(100 * share / longest) for share in (line.before, line.after)]
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="before" width="{widths[0]}" height="4.5"/>'
        f'<rect class="after" y="5.5" width="{widths[1]}" height="4.5"/></svg>'
    )


def _only(word: str, names: tuple[str, ...]) -> str:
    if not names:
        return ""
    listed = ", ".join(label_of(_short(name)) for name in names[:MOST_NEW])
    more = f" and {len(names) - MOST_NEW:,} more" if len(names) > MOST_NEW else ""
    return f"<p>{word}: {listed}{more}</p>"


def _short(label: str, most: int = 60) -> str:
    return label if len(label) <= most else f"{label[: most - 12]}…{label[-11:]}"
