"""The command ``jsdiv drift``."""

from pathlib import Path
from typing import Any

import click

from jsdiv_numba._drift.conditions import Condition, condition
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.cli_options import base_option, speech_options, text_options, with_options

_TABLE = ("header", "sep", "decimal", "comment", "encoding", "format", "columns", "exclude")


def _conditions(
    _context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> list[Condition]:
    try:
        return [condition(text) for text in value]
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


@click.command(
    short_help="Compare two samples of a table, column by column.",
    epilog="""\b
Examples:
  jsdiv drift january.parquet june.parquet
  jsdiv drift reference.csv current.csv --report drift.html -o drift.json
  jsdiv drift reference.parquet current.parquet --fail-on "q<0.01,divergence>0.02"
  jsdiv drift 2023.parquet 2024.parquet --by "month(date)" --against previous""",
)
@click.argument("reference", type=click.Path())
@click.argument("current", type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the results to a .json file, with bins and counts, or to a .csv, .tsv or .parquet "
    "file with a row for each column; as JSON to stdout (-).",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="Write a page to read, offline and in print, to an .html file.",
)
@click.option(
    "--fail-on",
    metavar="CONDITION",
    multiple=True,
    callback=_conditions,
    help="End with code 3 if this holds of a column, for example 'q<0.01,divergence>0.02' (both), "
    "or drift. Any of several.",
)
@click.option(
    "--by",
    metavar="COLUMN",
    help="Compare each group of CURRENT: the rows of each value of a column, or 'month(date)'.",
)
@click.option(
    "--against",
    type=click.Choice(("reference", "previous")),
    default="reference",
    show_default=True,
    help="What each group is compared with: REFERENCE, or the group before.",
)
@click.option("--columns", metavar="COLUMNS", help="The columns to compare.")
@click.option("--exclude", metavar="COLUMNS", help="Columns to leave out.")
@click.option(
    "--bins",
    type=click.IntRange(min=2),
    metavar="N",
    default=20,
    show_default=True,
    help="Quantile bins of numbers, besides values that would fill one alone.",
)
@click.option(
    "--categories",
    type=click.IntRange(min=1),
    metavar="N",
    default=1000,
    show_default=True,
    help="How many of the commonest categories to tell apart; the others are one.",
)
@click.option(
    "--level",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="A column has drifted if q is at most this,",
)
@click.option(
    "--floor",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.01,
    show_default=True,
    help="and the estimate above this.",
)
@base_option
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of the sample of rows.",
)
@click.option(
    "-n",
    "--top",
    type=click.IntRange(min=0),
    metavar="N",
    default=20,
    show_default=True,
    help="How many columns to print.",
)
@with_options(*text_options, *speech_options)
def drift(
    *,
    reference: str,
    current: str,
    output: Path | None,
    report: Path | None,
    fail_on: list[Condition],
    top: int,
    quiet: bool,
    log_json: bool,
    **more: Any,
) -> int:
    """Compare two samples of a table, REFERENCE and CURRENT, column by column.

    Prints for each column the Jensen-Shannon divergence less what chance makes of it, with
    its interval, q (the p-value after Benjamini and Hochberg), and how many values are missing.
    Columns of numbers are compared by quantile bins, others by category or by period.

    Files are .parquet, folders of them, .feather, .csv, .tsv or .txt (text also .gz), and need
    not fit in memory: they are read twice, in pieces.
    """
    from jsdiv_numba.batch import drift as job

    given = {name: more.pop(name) for name in _TABLE}
    try:
        table = TableOptions(**given)
    except ValueError as error:
        raise click.UsageError(f"--{str(error).replace('_', '-')}.") from error
    wanted = job.Wanted(output, report, fail_on, top, quiet, log_json)
    return job.drift(reference, current, table, wanted, **more)
