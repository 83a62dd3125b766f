"""What ``jsdiv drift`` prints."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jsdiv_numba._drift import text
from jsdiv_numba._drift.results import Findings, SeriesOfFindings
from jsdiv_numba.batch.format import shown

_NAME_LIMIT, _NOTE_LIMIT = 40, 72


def print_drift(console: Console, result: Findings, top: int) -> None:
    """Print a summary, and a line for each column up to `top`, those that drifted first."""
    console.print(Text(result.summary, style="bold"))
    console.print(Text(text.sizes(result)))
    if not top:
        return
    table = _table("Column", "", f"Estimate ({result.unit})", "Interval", "q", "Missing", "")
    columns = result.ranked[:top]
    for column in columns:
        name, verdict, estimate, interval, q, missing, remark = text.cells(column)
        table.add_row(
            Text(shown(name, _NAME_LIMIT), style="bold" if verdict else ""),
            Text(verdict, style="bold red" if verdict == "drift" else "bold yellow"),
            *map(Text, (estimate, interval, q, missing)),
            Text(shown(remark, _NOTE_LIMIT)) if remark else Text(""),
        )
    console.print()
    console.print(table)
    if len(result) > len(columns):
        console.print(f"{len(result) - len(columns):,} more: -n {len(result)} shows all")
    for note in text.footnotes(columns):
        console.print(Text(note))


def print_series(console: Console, series: SeriesOfFindings, top: int) -> None:
    """Print a line for each group, with the columns that drifted in it."""
    head, *_ = text.series_lines(series)
    console.print(Text(head, style="bold"))
    if not top:
        return
    table = _table(series.by, "Rows", "Drifted", "Columns")
    for group, result in zip(series.groups, series.results, strict=True):
        names = [column.column for column in result.drifted]
        listed = ", ".join(names[:top]) + (f" and {len(names) - top} more" * (len(names) > top))
        style = "bold red" if names else ""
        table.add_row(
            Text(shown(group, _NAME_LIMIT)),
            f"{result.rows_current:,}",
            Text(f"{len(names)} of {len(result)}", style=style),
            Text(listed),
        )
    console.print()
    console.print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        right = heading in ("q", "Rows", "Drifted") or heading.startswith("Estimate")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    return table
