"""Results as plain text."""

import math
from collections.abc import Sequence

from .results import ColumnDrift, Findings, SeriesOfFindings

MOST_LINES = 30
UNDERSAMPLED = "?: there are too few values for the interval"
HEADINGS = "column", "", "estimate", "interval", "q", "missing", "note"


def lines(result: Findings) -> list[str]:
    """Return a summary, and a line for each column, those that drifted first."""
    shown = result.ranked[:MOST_LINES]
    table = aligned([HEADINGS, *map(cells, shown)])
    more = len(result) - len(shown)
    return [
        result.summary,
        sizes(result),
        "",
        *table,
        *([f"... and {more} more"] if more else []),
        *footnotes(shown),
    ]


def sizes(result: Findings) -> str:
    """Return how many rows were compared, and what is flagged."""
    return (
        f"{result.rows_reference:,} rows of {result.reference} against {result.rows_current:,} of "
        f"{result.current}; drift: q <= {result.level:g} and estimate > {result.floor:g} "
        f"{result.unit}"
    )


def footnotes(columns: Sequence[ColumnDrift]) -> list[str]:
    """Return what the marks in lines of columns mean, if there are any."""
    marked = any(interval(column).endswith("?") for column in columns)
    return [UNDERSAMPLED] if marked else []


def series_lines(series: SeriesOfFindings) -> list[str]:
    """Return a line for each group."""
    head = f"{len(series.drifted)} of {len(series)} groups by {series.by} drifted"
    rows = [
        (group, f"{result.rows_current:,} rows", f"{len(result.drifted)} drifted",
         ", ".join(column.column for column in result.drifted[:5]))
        for group, result in zip(series.groups, series.results, strict=True)
    ]  # fmt: skip
    return [head, "", *aligned(rows)]


def cells(column: ColumnDrift) -> tuple[str, ...]:
    """Return what a table shows of a column."""
    verdict = "drift" if column.drift else "absent" if column.absent else ""
    return (
        column.column,
        verdict,
        figure(column.estimate),
        interval(column),
        probability(column.q),
        missing(column),
        remark(column),
    )


def interval(column: ColumnDrift) -> str:
    """Return a confidence interval; a question mark where it is not to be trusted."""
    if math.isnan(column.low):
        return ""
    return f"{figure(column.low)} to {figure(column.high)}{'?' if column.undersampled else ''}"


def missing(column: ColumnDrift) -> str:
    """Return the shares of missing values, where there are any."""
    before, after = column.missing_reference, column.missing_current
    if not (before or after) or (math.isnan(before) and math.isnan(after)):
        return ""
    text = f"{percent(before)} to {percent(after)}"
    return f"{text}, q {probability(column.missing_q)}" if column.missing_drift else text


def remark(column: ColumnDrift) -> str:
    """Return what else there is to know of a column, or which bin makes the most of it."""
    if column.note or not column.values_drift:
        return column.note
    return most(column, 1)


def most(column: ColumnDrift, number: int) -> str:
    """Return the bins that add most to the divergence, and their shares."""
    before, after = column.bins.shares
    return "; ".join(
        f"{column.bins.labels[k]}: {percent(before[k])} to {percent(after[k])}"
        for k in column.bins.largest(number)
    )


def figure(value: float) -> str:
    """Return a divergence.

    Examples
    --------
    >>> figure(0.12345), figure(0.00001), figure(-0.0), figure(float("nan"))
    ('0.1235', '0.0000', '0.0000', '')
    """
    return "" if math.isnan(value) else f"{value + 0.0:.4f}".replace("-0.0000", "0.0000")


def probability(value: float) -> str:
    """Return a p-value.

    Examples
    --------
    >>> probability(0.25), probability(0.0004), probability(1e-30), probability(float("nan"))
    ('0.25', '4e-04', '1e-30', '')
    """
    if math.isnan(value):
        return ""
    if value < 1e-300:
        return "<1e-300"
    return f"{value:.2g}" if value >= 1e-3 else f"{value:.0e}"


def percent(share: float) -> str:
    """Return a share.

    Examples
    --------
    >>> percent(0.12345), percent(0.0), percent(0.00001), percent(float("nan"))
    ('12.3%', '0%', '<0.1%', '-')
    """
    if math.isnan(share):
        return "-"
    if 0 < share < 5e-4:
        return "<0.1%"
    return f"{share:.1%}" if 0 < share < 1 else f"{share:.0%}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of text in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
