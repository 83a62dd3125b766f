"""The command ``jsdiv``: its arguments, its examples, and its exit codes."""

import contextlib
import errno
import functools
import io
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jsdiv_numba import __version__
from jsdiv_numba._core.metric import METRICS
from jsdiv_numba._core.threads import get_workers
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import printable
from jsdiv_numba.batch.io.options import TABLE_ARGUMENTS, TableOptions
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.run.tiling import MOST_MEMORY

_EXTRA = {"click", "matplotlib", "pyarrow", "rich", "zarr"}
_INSTALL = 'the command needs more packages: pip install "jsdiv_numba[cli]"'

try:
    import click

    from jsdiv_numba.cli_cache import cache, notice_of_compiling
except ModuleNotFoundError:
    sys.stderr.write(f"jsdiv: {_INSTALL}\n")
    raise SystemExit(2) from None

_Command = Callable[..., Any]
_Decorator = Callable[[_Command], _Command]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``jsdiv``.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``jsdiv``; by default, what the process was started with.

    Returns
    -------
    int
        0, or 2 after an error, which one line on stderr tells, or 130 after Ctrl-C, or 141
        if nobody reads what is printed any more.
    """
    _prepare_streams()
    try:
        with notice_of_compiling(sys.stderr):
            jsdiv.main(args=arguments, prog_name="jsdiv", standalone_mode=False)
        sys.stdout.flush()
    except click.Abort:
        return 130
    # What click and rich raise in place of it ends a process without a word.
    except (BrokenPipeError, SystemExit):
        _leave_stdout()
        return _NOBODY_READS
    except (click.UsageError, ImportError, MemoryError, OSError, RuntimeError, FileError) as error:
        line = _line(error)
        if line is None:
            raise
        with contextlib.suppress(OSError):
            click.echo(f"jsdiv: {printable(' '.join(line.splitlines()))}", err=True)
        return 2
    return 0


_NOBODY_READS = 141
"""What a shell says of a process that SIGPIPE has ended."""

_NO_THREADS = "the system starts no more threads; give fewer --workers, or raise its limit"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # A process that is started without one.
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _leave_stdout() -> None:
    """Have nothing more written to stdout, not what waits for the end of the process either."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.__stdout__.fileno() if sys.__stdout__ else nothing)
        os.close(nothing)


def _line(error: Exception) -> str | None:
    """Return what is said of an error, or None if it is a mistake of ours."""
    line: str | None = str(error)
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "jsdiv"
        line = f"{error.format_message()} See '{command} --help'."
    elif isinstance(error, MemoryError):
        line = line or "there is not enough memory; compare in tiles, with --memory"
    elif isinstance(error, ImportError):
        line = _INSTALL if (error.name or "").partition(".")[0] in _EXTRA else None
    elif isinstance(error, OSError):
        line = _of_the_system(error)
    elif isinstance(error, RuntimeError):
        line = _NO_THREADS if "can't start new thread" in str(error) else None
    return line


def _of_the_system(error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}"
    if error.errno in _FULL:
        # Whatever else is written is a file that has a name.
        _leave_stdout()
        return f"standard output: cannot be written: {reason}"
    return reason


def _finite(
    _context: click.Context, _parameter: click.Parameter, value: float | None
) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number.")
    return value


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


_output = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write the values to a .npy, .zarr, .csv, .tsv (both also .gz) or .parquet file, or as "
    "CSV to stdout (-); tables with labels.",
)
_base = click.option(
    "--base",
    type=click.FloatRange(min=1, min_open=True),
    metavar="NUMBER",
    callback=_finite,
    help="Base of the logarithms: 2 for bits. By default e, for nats.",
)
_metric = click.option(
    "--metric",
    type=click.Choice(METRICS),
    default=METRICS[0],
    show_default=True,
    help="The distance, which is a metric, or the divergence, which is its square.",
)
_workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads to use. By default the CPUs that the process may use.",
)
_tile_options = (
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
_test = click.option(
    "--test",
    is_flag=True,
    help="Rows are counts: say what is more than chance. Adds the value without what chance adds, "
    "p-values, and these for all pairs at once (q, by Benjamini and Hochberg).",
)
_quiet = click.option(
    "-q", "--quiet", is_flag=True, help="Show no progress, nor what the files were taken for."
)
_speech_options = (
    _quiet,
    click.option("--log-json", is_flag=True, help="Show progress as lines of JSON on stderr."),
)


def _header(_context: click.Context, _parameter: click.Parameter, value: str) -> bool | None:
    return {"yes": True, "no": False}.get(value)


_table_options = (
    click.option(
        "--header",
        type=click.Choice(("auto", "yes", "no")),
        default="auto",
        show_default=True,
        callback=_header,
        help="Whether the first line of text names the columns.",
    ),
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
    click.option(
        "--sep", metavar="CHARACTER", help="What separates values of text; or tab, space."
    ),
    click.option(
        "--decimal", type=click.Choice((".", ",")), help="The decimal mark of numbers in text."
    ),
    click.option("--comment", metavar="TEXT", help="What begins lines of text to skip."),
    click.option("--encoding", metavar="NAME", help="The encoding of text. By default UTF-8."),
    click.option(
        "--missing",
        type=click.Choice(("error", "nan", "zero")),
        default="error",
        show_default=True,
        help="What a missing value is.",
    ),
    click.option(
        "--format", metavar="NAME", help="The format of the files, as an extension; stdin needs it."
    ),
)


def _taking_tables(command: _Command) -> _Command:
    """Add the options of tables to a command, which gets them in one argument, `table`."""

    @functools.wraps(command)
    def with_table(**arguments: Any) -> Any:
        given = {name: arguments.pop(name) for name in TABLE_ARGUMENTS}
        try:
            table = TableOptions(**given)
        except ValueError as error:
            raise click.UsageError(f"--{str(error).replace('_', '-')}.") from error
        return command(table=table, **arguments)

    return _options(*_table_options)(with_table)


def _options(*options: _Decorator) -> _Decorator:
    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_top = click.option(
    "-n",
    "--top",
    type=click.IntRange(min=0),
    metavar="N",
    default=5,
    show_default=True,
    help="How many of the closest and of the farthest to print.",
)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  jsdiv pairwise letters.csv --plot letters.png
  jsdiv pairwise topics.npy -o distances.npy
  jsdiv rows before.csv after.csv --base 2
  jsdiv explain letters.csv Danish Polish
  jsdiv pairwise --help""",
)
@click.version_option(__version__, prog_name="jsdiv")
@click.pass_context
def jsdiv(context: click.Context) -> None:
    """Jensen-Shannon distances between the rows of files.

    A file is .npy, .npz (FILE.npz:NAME for one of several arrays), .mtx, .csv, .tsv,
    .txt (text also .gz), .parquet or .feather; a folder of Parquet files or a Zarr array
    will do as well, and - is stdin. Each row is a distribution up to its sum: counts
    will do.

    What a file was taken for stands in a line on stderr. Which line is a header, which
    columns label the rows and which are categories: each can be said, with COLUMNS being
    names, numbers from 1, or ranges (A:D, 2-5), with commas between them.
    """
    try:
        get_workers()
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@jsdiv.command(
    short_help="Compare every row of a file with every other.",
    epilog="""\b
Examples:
  jsdiv pairwise letters.csv
  jsdiv pairwise letters.csv --plot letters.png -o letters-distances.csv
  jsdiv pairwise counts.csv --test -o differences.csv
  jsdiv pairwise queries.npy corpus.npy -o distances.npy --base 2 --top 10
  jsdiv pairwise models.npz:topics --metric js_divergence
  jsdiv pairwise large.npy -o distances.npy --memory 2GB --resume
  jsdiv pairwise large.npy -o close.parquet --max-distance 0.1""",
)
@click.argument("file", type=click.Path())
@click.argument("file2", type=click.Path(), required=False)
@_output
@_base
@_metric
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw a heat map ordered by clustering, with dendrogram, to a .png, .svg or .pdf file.",
)
@click.option(
    "--plot-size",
    type=click.FloatRange(min=1, max=100),
    metavar="INCHES",
    help="How long the sides of the heat map are: room for more labels.",
)
@click.option(
    "--max-distance",
    type=click.FloatRange(min=0),
    metavar="NUMBER",
    callback=_finite,
    help="Write only the pairs up to this value, to a .parquet file of indices.",
)
@click.option(
    "--reduce",
    type=click.Choice(("mean", "min", "max")),
    help="Write one value a row: of its values to all (other) rows.",
)
@_test
@_workers
@_options(*_tile_options, *_speech_options)
@_top
@_taking_tables
def pairwise(
    *,
    table: TableOptions,
    file: str,
    file2: str | None,
    output: Path | None,
    base: float | None,
    metric: str,
    plot: Path | None,
    plot_size: float | None,
    workers: int | None,
    test: bool,
    top: int,
    quiet: bool,
    log_json: bool,
    **tiles: Any,
) -> None:
    """Compare every row of FILE with every other, or with every row of FILE2.

    Prints the closest and the farthest pairs. Rows are divided by their sums, for the
    distance and for the divergence alike.

    What does not fit in memory is compared in tiles and written to OUTPUT. A run that
    was stopped goes on with --resume.
    """
    from jsdiv_numba.batch import commands

    commands.pairwise(
        file,
        file2,
        Quantity(metric, base),
        output=output,
        plot=plot,
        plot_size=plot_size,
        workers=workers,
        test=test,
        top=top,
        tiles=commands.TileOptions(**tiles),
        verbosity=commands.Verbosity(quiet, log_json),
        table=table,
    )


@jsdiv.command(
    short_help="Compare the rows of two files one by one.",
    epilog="""\b
Examples:
  jsdiv rows before.csv after.csv
  jsdiv rows model-a.npy model-b.npy --metric js_divergence -o drift.npy""",
)
@click.argument("p", type=click.Path())
@click.argument("q", type=click.Path())
@_output
@_base
@_metric
@_test
@_workers
@click.option(
    "--match",
    type=click.Choice(("label", "position")),
    help="Compare rows of the same label, or in the same place. By default by label where both "
    "files have labels.",
)
@_options(*_tile_options, *_speech_options)
@_top
@_taking_tables
def rows(
    *,
    table: TableOptions,
    match: str | None,
    p: str,
    q: str,
    output: Path | None,
    base: float | None,
    metric: str,
    workers: int | None,
    test: bool,
    top: int,
    quiet: bool,
    log_json: bool,
    **tiles: Any,
) -> None:
    """Compare each row of P with the row of Q of the same label, or in the same place.

    Prints the closest and the farthest rows. Rows are divided by their sums, for the
    distance and for the divergence alike.
    """
    from jsdiv_numba.batch import commands

    commands.rows(
        p,
        q,
        Quantity(metric, base),
        output=output,
        workers=workers,
        test=test,
        top=top,
        tiles=commands.TileOptions(**tiles),
        verbosity=commands.Verbosity(quiet, log_json),
        table=table,
        match=match,
    )


@jsdiv.command(
    short_help="Say which columns make two rows differ.",
    epilog="""\b
Examples:
  jsdiv explain letters.csv Danish Polish
  jsdiv explain letters.csv Danish Polish --plot letters.png --top 20
  jsdiv explain counts.csv before after --test
  jsdiv explain topics.npy 0 17 --base 2""",
)
@click.argument("file", type=click.Path())
@click.argument("row_a")
@click.argument("row_b")
@_base
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw a bar for each column that is printed, to a .png, .svg or .pdf file.",
)
@click.option(
    "-n",
    "--top",
    type=click.IntRange(min=0),
    metavar="N",
    default=10,
    show_default=True,
    help="How many of the columns to print.",
)
@_test
@_quiet
@_taking_tables
def explain(
    *,
    table: TableOptions,
    file: str,
    row_a: str,
    row_b: str,
    base: float | None,
    plot: Path | None,
    test: bool,
    top: int,
    quiet: bool,
) -> None:
    """Say which columns of FILE make the divergence of ROW_A and ROW_B.

    A row is named by its label, or by its index, counted from 0. Prints the columns that
    add most to the divergence, what each row has of them, and which of the two has more;
    what the columns add sums up to the divergence. Rows are divided by their sums.
    """
    from jsdiv_numba.batch import commands

    commands.explain(
        file,
        row_a,
        row_b,
        Quantity("js_divergence", base),
        plot=plot,
        test=test,
        top=top,
        verbosity=commands.Verbosity(quiet),
        table=table,
    )


@jsdiv.command(
    short_help="Find the nearest rows of each row of a file.",
    epilog="""\b
Examples:
  jsdiv neighbors letters.csv -k 3 -o neighbors.csv
  jsdiv neighbors queries.npy corpus.npy -k 10 -o out.parquet
  jsdiv neighbors large.npy -k 10 -o out.npy --memory 2GB --resume
  jsdiv neighbors large.npy --max-distance 0.01 -o duplicates.parquet""",
)
@click.argument("file", type=click.Path())
@click.argument("file2", type=click.Path(), required=False)
@click.option(
    "-k",
    "--number",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many neighbours of each row. By default 5.",
)
@click.option(
    "--max-distance",
    type=click.FloatRange(min=0),
    metavar="NUMBER",
    callback=_finite,
    help="Find all rows up to this value instead.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Write a line for each row and neighbour to a .parquet, .csv or .tsv file; or, not with "
    "--max-distance, indices and values to a .npy file of records or a .zarr group.",
)
@_base
@_metric
@_workers
@_options(*_tile_options, *_speech_options)
@_taking_tables
def neighbors(
    *,
    table: TableOptions,
    file: str,
    file2: str | None,
    number: int | None,
    output: Path,
    base: float | None,
    metric: str,
    workers: int | None,
    quiet: bool,
    log_json: bool,
    **tiles: Any,
) -> None:
    """Find the nearest rows of each row of FILE among the others, or in FILE2.

    They are exact, from the nearest on; of rows as near, the first comes first.

    The files need not fit in memory. A run that was stopped goes on with --resume.
    """
    from jsdiv_numba.batch import commands

    commands.neighbors(
        file,
        file2,
        Quantity(metric, base),
        number=number,
        output=output,
        workers=workers,
        tiles=commands.TileOptions(**tiles),
        verbosity=commands.Verbosity(quiet, log_json),
        table=table,
    )


jsdiv.add_command(cache)
