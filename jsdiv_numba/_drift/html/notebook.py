"""Results as tables in notebooks, which bring their own style."""

from html import escape

from ..results import Findings, SeriesOfFindings
from ..text import HEADINGS, MOST_LINES, cells, footnotes, series_lines, sizes


def table(result: Findings) -> str:
    """Return a summary, and a line for each column, those that drifted first."""
    heads = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    rows = "".join(_row(cells(column)) for column in result.ranked[:MOST_LINES])
    more = len(result) - MOST_LINES
    below = [f"... and {more} more"] * (more > 0) + footnotes(result.ranked[:MOST_LINES])
    rest = "".join(f"<p>{escape(line)}</p>" for line in below)
    return (
        f"<p><strong>{escape(result.summary)}</strong><br>{escape(sizes(result))}</p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{rest}"
    )


def series_table(series: SeriesOfFindings) -> str:
    """Return a line for each group."""
    head, *_ = series_lines(series)
    heads = "".join(
        f"<th>{name}</th>" for name in (escape(series.by), "rows", "drifted", "columns")
    )
    rows = "".join(
        _row(
            (
                group,
                f"{result.rows_current:,}",
                str(len(result.drifted)),
                ", ".join(column.column for column in result.drifted[:5]),
            )
        )
        for group, result in zip(series.groups, series.results, strict=True)
    )
    return (
        f"<p><strong>{escape(head)}</strong></p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(texts: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in texts) + "</tr>"
