"""The command ``jsdiv drift``."""

from pathlib import Path
from typing import Any

import click

from jsdiv_numba._drift.conditions import Condition, condition
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.cli_options import (
    Number,
    base_option,
    speech_options,
    text_options,
    with_options,
)

_TABLE = ("header", "sep", "decimal", "comment", "encoding", "format", "columns", "exclude")


def _conditions(
    _context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> list[Condition]:
    try:
        return [condition(text) for text in value]
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


class WithMerge(click.Command):
    """A command of two files that is another one where the first word is ``merge``."""

    def make_context(
        self, info_name: str | None, args: list[str], *more: Any, **extra: Any
    ) -> click.Context:
        """Return the context of one of both."""
        if args[:1] == [merge.name]:
            return merge.make_context(f"{info_name} {merge.name}", args[1:], *more, **extra)
        return super().make_context(info_name, args, *more, **extra)


@click.command(
    short_help="Add up profiles.",
    epilog="""\b
Example:
  jsdiv drift merge january.json february.json -o winter.json""",
)
@click.argument("profiles", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Write the profile to a .json file.",
)
def merge(profiles: tuple[str, ...], output: Path) -> int:
    """Add up PROFILES that --save-profile has written, of tables with the same columns.

    Where their bins differ, those edges are kept that can be told of all of them, so that all
    counts are exact.
    """
    from jsdiv_numba.batch import drift as job

    return job.merge(profiles, output)


@click.command(
    cls=WithMerge,
    short_help="Compare two samples of a table, column by column.",
    epilog="""\b
Examples:
  jsdiv drift january.parquet june.parquet
  jsdiv drift reference.csv current.csv --report drift.html -o drift.json
  jsdiv drift reference.parquet current.parquet --fail-on "q<0.01,divergence>0.02"
  jsdiv drift 2023.parquet 2024.parquet --by "month(date)" --against previous
  jsdiv drift reference.parquet --save-profile reference.json
  jsdiv drift reference.json current.parquet
  jsdiv drift merge january.json february.json -o winter.json""",
)
@click.argument("reference", type=click.Path())
@click.argument("current", type=click.Path(), required=False)
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
    "--save-profile",
    type=click.Path(path_type=Path),
    help="Write counts that stand in for REFERENCE later to a .json file: no rows, but names of "
    "categories. Without CURRENT, nothing is compared.",
)
@click.option(
    "--hash-categories", is_flag=True, help="Keep hashes of the names of categories in a profile."
)
@click.option(
    "--hash-key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What is in this file is the key of the hashes, of a profile that is written or read.",
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
    type=Number(0, 1, min_open=True, max_open=True),
    default=0.01,
    show_default=True,
    help="A column has drifted if q is at most this,",
)
@click.option(
    "--floor",
    type=Number(0, 1, max_open=True),
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
@click.option("--resume", is_flag=True, help="Go on with an unfinished run, if there is one.")
@with_options(*text_options, *speech_options)
def drift(
    *,
    reference: str,
    current: str | None,
    output: Path | None,
    report: Path | None,
    save_profile: Path | None,
    hash_categories: bool,
    hash_key: Path | None,
    resume: bool,
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
    not fit in memory: they are read twice, in pieces. REFERENCE and CURRENT may also be
    .json files that --save-profile has written.

    A run of more than some seconds that writes a file can be stopped, and goes on with --resume.
    """
    from jsdiv_numba.batch import drift as job

    if current is None:
        if save_profile is None:
            raise click.UsageError("Missing argument 'CURRENT'.")
        if output or report or fail_on or more["by"]:
            raise click.UsageError("Without CURRENT there is nothing but --save-profile.")
    if hash_categories and save_profile is None:
        raise click.UsageError("--hash-categories is about --save-profile.")
    if save_profile is not None and hash_key is not None and not hash_categories:
        raise click.UsageError("--hash-key goes with --hash-categories.")
    given = {name: more.pop(name) for name in _TABLE}
    try:
        table = TableOptions(**given)
    except ValueError as error:
        raise click.UsageError(f"--{str(error).replace('_', '-')}.") from error
    wanted = job.Wanted(
        *(output, report, save_profile, fail_on, top, quiet, log_json), resume=resume
    )
    hashes = job.Hashes(hash_categories, hash_key)
    return job.drift(reference, current, table, wanted, hashes, **more)
