"""The command ``jsdiv``: its arguments, its examples, and its exit codes."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsdiv_numba import __version__
from jsdiv_numba._core.threads import get_workers
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import printable
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.quantity import Quantity

_EXTRA = {"click", "matplotlib", "pyarrow", "rich", "zarr"}
_INSTALL = 'the command needs more packages: pip install "jsdiv_numba[cli]"'

try:
    import click

    from jsdiv_numba.cli_cache import cache, notice_of_compiling
    from jsdiv_numba.cli_drift import drift
    from jsdiv_numba.cli_options import (
        Number,
        base_option,
        metric_of_pairs_option,
        metric_option,
        output_option,
        quantity_of,
        quiet_option,
        speech_options,
        taking_tables,
        test_option,
        tile_options,
        top_option,
        weight_option,
        with_options,
        workers_option,
    )
except ModuleNotFoundError:
    sys.stderr.write(f"jsdiv: {_INSTALL}\n")
    raise SystemExit(2) from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``jsdiv``.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``jsdiv``; by default, what the process was started with.

    Returns
    -------
    int
        0, or 2 after an error, which one line on stderr tells, or 3 where a condition of
        ``--fail-on`` holds, or 130 after Ctrl-C, or 141 if nobody reads what is printed any more.
    """
    _prepare_streams()
    try:
        with notice_of_compiling(sys.stderr):
            code = jsdiv.main(args=arguments, prog_name="jsdiv", standalone_mode=False)
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
    return code or 0


_NOBODY_READS = 141
"""What a shell says of a process that SIGPIPE has ended."""

_NO_THREADS = "the system starts no more threads; give fewer --workers, or raise its limit"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def _prepare_streams() -> None:
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
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


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  jsdiv pairwise letters.csv --plot letters.png
  jsdiv pairwise topics.npy -o distances.npy
  jsdiv rows before.csv after.csv --base 2
  jsdiv explain letters.csv Danish Polish
  jsdiv drift january.parquet june.parquet --report drift.html
  jsdiv pairwise --help""",
)
@click.version_option(__version__, prog_name="jsdiv")
@click.pass_context
def jsdiv(context: click.Context) -> None:
    """Jensen-Shannon distances between the rows of files.

    A file is .npy, .npz (FILE.npz:NAME for one of several arrays), .mtx, .h5ad, .csv,
    .tsv, .txt (text also .gz), .parquet or .feather; a folder of Parquet files or a Zarr array
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
@output_option
@base_option
@metric_of_pairs_option
@weight_option
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw a heat map ordered by clustering, with dendrogram, to a .png, .svg or .pdf file.",
)
@click.option(
    "--plot-size",
    type=Number(min=1, max=100),
    metavar="INCHES",
    help="How long the sides of the heat map are: room for more labels.",
)
@click.option(
    "--max-distance",
    type=Number(min=0),
    metavar="NUMBER",
    help="Write only the pairs up to this value, to a .parquet file of indices.",
)
@click.option(
    "--reduce",
    type=click.Choice(("mean", "min", "max")),
    help="Write one value a row: of its values to all (other) rows.",
)
@test_option
@workers_option
@with_options(*tile_options, *speech_options)
@top_option
@taking_tables
def pairwise(
    *,
    table: TableOptions,
    file: str,
    file2: str | None,
    output: Path | None,
    base: float | None,
    metric: str,
    weight: float,
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
        quantity_of(metric, base, weight),
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
@output_option
@base_option
@metric_option
@test_option
@workers_option
@click.option(
    "--match",
    type=click.Choice(("label", "position")),
    help="Compare rows of the same label, or in the same place. By default by label where both "
    "files have labels.",
)
@with_options(*tile_options, *speech_options)
@top_option
@taking_tables
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
@base_option
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
@test_option
@quiet_option
@taking_tables
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
  jsdiv neighbors counts.csv -k 3 --test -o near.csv
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
    type=Number(min=0),
    metavar="NUMBER",
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
@base_option
@metric_of_pairs_option
@weight_option
@test_option
@workers_option
@with_options(*tile_options, *speech_options)
@taking_tables
def neighbors(
    *,
    table: TableOptions,
    file: str,
    file2: str | None,
    number: int | None,
    output: Path,
    base: float | None,
    metric: str,
    weight: float,
    test: bool,
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
        quantity_of(metric, base, weight),
        number=number,
        output=output,
        workers=workers,
        tiles=commands.TileOptions(**tiles),
        verbosity=commands.Verbosity(quiet, log_json),
        table=table,
        test=test,
    )


jsdiv.add_command(drift)
jsdiv.add_command(cache)
