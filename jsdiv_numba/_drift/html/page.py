"""The report: one page that needs nothing else, neither a script nor a network."""

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files

from ..results import ColumnDrift, Findings
from ..text import sizes
from .cards import card
from .overview import heat_map, overview
from .words import anchor, counted_columns, name_of

MOST_CARDS = 100
"""So many columns have their bins shown."""


@cache
def _style() -> str:
    return files(__package__).joinpath("style.css").read_text(encoding="utf-8")


def page(results: Sequence[tuple[str, Findings]], by: str = "") -> str:
    """Return a page of one result, or of the results of several groups."""
    if by:
        title, body = f"Drift by {by}", _of_groups(results, by)
    else:
        ((_, result),) = results
        title, body = "Drift report", _of_one(result)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_style()}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#columns">Skip to the table</a>\n'
        f"{body}\n</body>\n</html>\n"
    )


def _of_one(result: Findings) -> str:
    drifted = result.drifted
    shown = [*drifted[:MOST_CARDS]]
    linked = {column.column: anchor(k) for k, column in enumerate(shown)}
    parts = [
        "<header>",
        "<h1>Drift report</h1>",
        f'<p class="verdict">{_verdict(result)}</p>',
        _names(shown, linked),
        _absent(result),
        f'<p class="sure">{_how_sure(result)}</p>',
        f'<p class="facts">{escape(sizes(result))}</p>',
        "</header>\n<main>",
        overview(result, linked),
    ]
    if shown:
        parts += ["<h2>What differs</h2>", _legend(result.reference, result.current)]
        parts += ['<div class="cards">', *(card(c, linked[c.column], result) for c in shown)]
        parts += ["</div>"]
        if len(drifted) > len(shown):
            parts.append(f"<p>{len(drifted) - len(shown):,} more are in the table alone.</p>")
    return "\n".join([*parts, "</main>", _footer(result)])


def _of_groups(results: Sequence[tuple[str, Findings]], by: str) -> str:
    found = [(group, result) for group, result in results if result.drifted]
    worst: dict[str, tuple[float, str, Findings, ColumnDrift]] = {}
    for group, result in found:
        for column in result.drifted:
            size = max(column.estimate, column.missing_estimate or 0.0)
            if column.column not in worst or size > worst[column.column][0]:
                worst[column.column] = (size, group, result, column)
    ranked = sorted(worst.values(), key=lambda entry: -entry[0])[:MOST_CARDS]
    linked = {entry[3].column: anchor(k) for k, entry in enumerate(ranked)}
    css = "alarm" if found else "calm"
    verdict = f'<span class="{css}">{len(found)} of {len(results)}</span> groups drifted'
    first = results[0][1]
    parts = [
        "<header>",
        f"<h1>Drift by {escape(by)}</h1>",
        f'<p class="verdict">{verdict}</p>',
        _names([entry[3] for entry in ranked], linked),
        f'<p class="sure">{_how_sure(first)}</p>',
        "</header>\n<main>",
        heat_map(results, linked, by),
    ]
    if ranked:
        parts += ["<h2>What differs, where it does most</h2>"]
        parts += ['<div class="cards">']
        parts += [card(c, linked[c.column], result, group) for _, group, result, c in ranked]
        parts += ["</div>"]
    return "\n".join([*parts, "</main>", _footer(first)])


def _verdict(result: Findings) -> str:
    number, total = len(result.drifted), len(result)
    if not number:
        return f'<span class="calm">None</span> of {counted_columns(total)} drifted'
    return f'<span class="alarm">{number}</span> of {counted_columns(total)} drifted'


def _names(columns: Sequence[ColumnDrift], linked: dict[str, str]) -> str:
    items = (
        f'<li><a href="#{linked[c.column]}">{name_of(c.column)}</a></li>' for c in columns[:12]
    )
    more = f"<li>and {len(columns) - 12} more</li>" if len(columns) > 12 else ""
    return f'<ul class="names">{"".join(items)}{more}</ul>' if columns else ""


def _absent(result: Findings) -> str:
    if not result.absent:
        return ""
    names = ", ".join(f"{name_of(c.column)} ({escape(c.note)})" for c in result.absent[:12])
    more = f" and {len(result.absent) - 12} more" if len(result.absent) > 12 else ""
    return f'<p><span class="badge absent">columns differ</span> {names}{more}</p>'


def _how_sure(result: Findings) -> str:
    return (
        f"A column is flagged if chance alone would hardly do it (q at most {result.level:g}: of "
        f"all that is flagged, {100 * result.level:g}% is expected to be a false alarm) and if it "
        f"matters (more than {result.floor:g} {escape(result.unit)} of divergence, after what "
        "chance makes is subtracted)."
    )


def _legend(before: str, after: str) -> str:
    def item(css: str, name: str) -> str:
        square = f'<rect class="{css}" width="10" height="10"/>'
        picture = f'<svg viewBox="0 0 10 10" aria-hidden="true">{square}</svg>'
        return f"<li>{picture}{escape(name)}</li>"

    marked = "<li><b>Bold</b>: the bins that make most of the difference</li>"
    return f'<ul class="legend">{item("before", before)}{item("after", after)}{marked}</ul>'


def _footer(result: Findings) -> str:
    return (
        "<footer><p>Estimate: Jensen-Shannon divergence in "
        f"{escape(result.unit)}, less its mean by chance; the interval is its "
        f"{result.confidence_level:.0%} confidence interval, and has a question mark where there "
        "are too few values for it. q: p-value of the test that both samples come from one "
        "distribution, after Benjamini and Hochberg over all columns. Missing values are tested "
        "apart. Made by jsdiv_numba.</p></footer>"
    )
