"""The options that subcommands of ``jsdiv`` share."""

import functools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from jsdiv_numba._core.metric import METRICS, SYMMETRIC
from jsdiv_numba.batch.io.options import TABLE_ARGUMENTS, TableOptions
from jsdiv_numba.batch.quantity import EQUAL, Quantity
from jsdiv_numba.batch.run.tiling import MOST_MEMORY

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class Number(click.FloatRange):
    """A finite number of a range; of NaN, click finds that no bound excludes it."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


_LEAST_MEMORY = 10**6
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def _bytes(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?B)?", value.strip().upper())
    count = float(size[1]) * _UNITS.get(size[2] or "", 0) if size else 0.0
    if not count:
        raise click.BadParameter(f"{value!r} is no size such as 500MB or 2GiB.")
    if count > MOST_MEMORY:
        raise click.BadParameter(f"{value!r} is more than any machine has.")
    if count < _LEAST_MEMORY:
        raise click.BadParameter(f"{value!r} is less than 1MB, in which no tiles fit.")
    return int(count)


output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the values to a .npy, .zarr, .csv, .tsv (both also .gz) or .parquet file, or as "
    "CSV to stdout (-); tables with labels.",
)
base_option = click.option(
    "--base",
    type=Number(min=1, min_open=True),
    metavar="NUMBER",
    help="Base of the logarithms: 2 for bits. By default e, for nats.",
)
metric_option = click.option(
    "--metric",
    type=click.Choice(SYMMETRIC),
    default=SYMMETRIC[0],
    show_default=True,
    help="The distance, which is a metric, or the divergence, which is its square.",
)
metric_of_pairs_option = click.option(
    "--metric",
    type=click.Choice(METRICS),
    default=METRICS[0],
    show_default=True,
    help="The distance, which is a metric, the divergence, which is its square, or the "
    "Kullback-Leibler divergence of the second row from the first, which may be inf.",
)
weight_option = click.option(
    "--weight",
    type=Number(min=0, max=1),
    metavar="NUMBER",
    default=EQUAL,
    show_default=True,
    help="Weight of the second row of each pair; the first has the rest. Other than 0.5, two rows "
    "have different values either way.",
)


def quantity_of(metric: str, base: float | None, weight: float) -> Quantity:
    """Return what the options ask for, or refuse what does not go together."""
    if metric not in SYMMETRIC and weight != EQUAL:
        raise click.UsageError(f"--weight and --metric {metric}: one of them, not both.")
    return Quantity(metric, base, weight)


workers_option = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads to use. By default the CPUs that the process may use.",
)
tile_options = (
    click.option(
        "--memory",
        callback=_bytes,
        metavar="SIZE",
        help="Compare in tiles that fit in this much, for example 500MB.",
    ),
    click.option(
        "--tile", type=click.IntRange(min=1), metavar="N", help="Rows of a tile, whatever it takes."
    ),
    click.option(
        "--on-bad",
        type=click.Choice(("error", "nan")),
        default="error",
        show_default=True,
        help="Stop at a row that is no distribution, or write NaN and list it in a report.",
    ),
    click.option("--resume", is_flag=True, help="Go on with an unfinished run, if there is one."),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Compute tiles on a Dask cluster, tcp://HOST:PORT, or by N processes, local:N.",
    ),
)
test_option = click.option(
    "--test",
    is_flag=True,
    help="Rows are counts: say what is more than chance. Adds the value without what chance adds, "
    "p-values, and these for all pairs at once (q, by Benjamini and Hochberg).",
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Show no progress, nor what the files were taken for."
)
speech_options = (
    quiet_option,
    click.option("--log-json", is_flag=True, help="Show progress as lines of JSON on stderr."),
)


def _header(_context: click.Context, _parameter: click.Parameter, value: str) -> bool | None:
    return {"yes": True, "no": False}.get(value)


text_options = (
    click.option(
        "--header",
        type=click.Choice(("auto", "yes", "no")),
        default="auto",
        show_default=True,
        callback=_header,
        help="Whether the first line of text names the columns.",
    ),
    click.option(
        "--sep", metavar="CHARACTER", help="What separates values of text; or tab, space."
    ),
    click.option(
        "--decimal", type=click.Choice((".", ",")), help="The decimal mark of numbers in text."
    ),
    click.option("--comment", metavar="TEXT", help="What begins lines of text to skip."),
    click.option("--encoding", metavar="NAME", help="The encoding of text. By default UTF-8."),
    click.option(
        "--format", metavar="NAME", help="The format of the files, as an extension; stdin needs it."
    ),
)
"""How text is read."""

_header_option, *_other_text_options, _format_option = text_options
_table_options = (
    _header_option,
    click.option(
        "--label-column",
        metavar="COLUMNS",
        help="The columns that label the rows, or none.",
    ),
    click.option("--columns", metavar="COLUMNS", help="The columns that are categories."),
    click.option("--exclude", metavar="COLUMNS", help="Columns to leave out."),
    click.option(
        "--exclude-rows", metavar="ROWS", help="Rows to leave out, by label, or by index from 0."
    ),
    click.option(
        "--transpose", is_flag=True, help="Categories are in rows: compare the file's columns."
    ),
    click.option(
        "--long",
        metavar="SAMPLE,CATEGORY,COUNT",
        help="Each line is one count; those of one sample and category add up.",
    ),
    *_other_text_options,
    click.option(
        "--missing",
        type=click.Choice(("error", "nan", "zero")),
        default="error",
        show_default=True,
        help="What a missing value is.",
    ),
    _format_option,
)


def taking_tables(command: Command) -> Command:
    """Add the options of tables to a command, which gets them in one argument, `table`."""

    @functools.wraps(command)
    def with_table(**arguments: Any) -> Any:
        given = {name: arguments.pop(name) for name in TABLE_ARGUMENTS}
        try:
            table = TableOptions(**given)
        except ValueError as error:
            raise click.UsageError(f"--{str(error).replace('_', '-')}.") from error
        return command(table=table, **arguments)

    return with_options(*_table_options)(with_table)


def with_options(*options: Decorator) -> Decorator:
    """Add options to a command, in their order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


top_option = click.option(
    "-n",
    "--top",
    type=click.IntRange(min=0),
    metavar="N",
    default=5,
    show_default=True,
    help="How many of the closest and of the farthest to print.",
)
