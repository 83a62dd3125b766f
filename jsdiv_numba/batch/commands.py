"""The work of each subcommand, from the files it reads to those it writes."""

import contextlib
import functools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from jsdiv_numba._core.metric import SYMMETRIC
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.explain import explain as explain_rows
from jsdiv_numba.batch.in_memory import Pairwise, compare_pairs, compare_rows
from jsdiv_numba.batch.io.file_errors import reading
from jsdiv_numba.batch.io.formats import STDIN, Place, memory_bytes, place_of, stdin_as_file
from jsdiv_numba.batch.io.matching import matched_rows
from jsdiv_numba.batch.io.options import DEFAULT, TableOptions
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.io.write import (
    OUTPUT_SUFFIXES,
    PICTURE_SUFFIXES,
    TABLE_SUFFIXES,
    check_destination,
    check_headings,
    write_table,
)
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.run.engine import Summary
from jsdiv_numba.batch.run.executor import Executor
from jsdiv_numba.batch.run.progress import chosen
from jsdiv_numba.batch.run.tiling import MEMORY
from jsdiv_numba.batch.samples import (
    HEADINGS,
    Tested,
    tested_pairs,
    tested_rows,
    verdict_on,
)
from jsdiv_numba.batch.show import console as report
from jsdiv_numba.batch.show.announcements import Announcements, Announcing


@dataclass(frozen=True)
class TileOptions:
    """The options that ask for work in tiles, as the command has them."""

    memory: int | None = None  # bytes to use at most
    tile: int | None = None  # rows of a tile
    on_bad: str = "error"  # what to do with a row that is no distribution. {"error", "nan"}
    resume: bool = False  # whether to go on with an unfinished run
    max_distance: float | None = None  # the bound on the pairs that are kept
    reduce: str | None = None  # whether one value a row is kept. {"mean", "min", "max"}
    scheduler: str | None = None  # the Dask cluster that computes the tiles

    @property
    def given(self) -> list[str]:
        """What was asked for, as the user writes it."""
        changed = [f.name for f in fields(self) if getattr(self, f.name) != f.default]
        return [f"--{name.replace('_', '-')}" for name in changed]


@dataclass(frozen=True)
class Verbosity:
    """How much the command says."""

    quiet: bool = False  # nothing on the way
    log_json: bool = False  # JSON lines on stderr
    values_on_stdout: bool = False  # whether stdout is for the values, and all else goes to stderr

    @property
    def silent(self) -> bool:
        """Whether nothing for human eyes is wanted on stderr."""
        return self.quiet or self.log_json


_TALKATIVE = Verbosity()
_IN_MEMORY = TileOptions()
_STDOUT = Path("-")
_TESTED_BYTES = 100
"""What a pair that is tested takes in memory, without its labels."""


def _on_streams(job: Callable[..., None]) -> Callable[..., None]:
    """Let a job read stdin and write stdout as if they were files, and announce what it reads."""

    @functools.wraps(job)
    def with_streams(
        *files: Any, output: Path | None = None, verbosity: Verbosity = _TALKATIVE, **more: Any
    ) -> None:
        progress = chosen(quiet=verbosity.quiet, as_json=verbosity.log_json)
        with contextlib.ExitStack() as stack:
            said = stack.enter_context(Announcements(progress))
            if STDIN in files:
                stack.enter_context(stdin_as_file())
            if output != _STDOUT:
                job(*files, output=output, verbosity=verbosity, said=said, **more)
                return
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="jsdiv-"))
            output = Path(folder, "values.csv")
            verbosity = replace(verbosity, values_on_stdout=True)
            _require_no_resume(more.get("tiles", _IN_MEMORY))
            job(*files, output=output, verbosity=verbosity, said=said, **more)
            with output.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()

    return with_streams


def _require_no_resume(tiles: TileOptions) -> None:
    if tiles.resume:
        raise FileError("-: --resume: what is written to stdout is not kept; name a file with -o")


@_on_streams
def pairwise(
    file: str,
    file2: str | None,
    quantity: Quantity,
    *,
    output: Path | None,
    plot: Path | None,
    workers: int | None,
    top: int,
    plot_size: float | None = None,
    test: bool = False,
    tiles: TileOptions = _IN_MEMORY,
    verbosity: Verbosity,
    said: Announcements,
    table: TableOptions = DEFAULT,
) -> None:
    """Do what ``jsdiv pairwise`` does; the arguments are the command's."""
    _require_one("--reduce", tiles.reduce, tiles)
    _require_symmetric(quantity, {"--plot": plot, "--test": test})
    sources = [file] if file2 is None else [file, file2]
    if plot:
        check_destination(plot, PICTURE_SUFFIXES, sources)
    _require_all_pairs(test, tiles)
    reason = _reason_for_tiles(sources, output, tiles, table)
    given = sources, quantity, output, workers, tiles, verbosity, said, test
    if reason is not None:
        if plot:
            raise FileError(f"{plot}: a picture shows what is compared in memory, without {reason}")
        _pairwise_in_tiles(*given, table)
        return
    if output:
        check_destination(output, TABLE_SUFFIXES if test else OUTPUT_SUFFIXES, sources)
    first = _read(file, table, said)
    second = first if file2 is None else _read(file2, table, said)
    if plot:
        _require_whole(plot, first, second)
    elif output and _bytes_of(first, second, test) > MEMORY:
        _pairwise_in_tiles(*given, table)
        return
    if output and not test:
        check_headings(output, [first.label_name, *second.labels])
    with report.progress(f"{len(first):,} × {len(second):,} rows", quiet=verbosity.silent):
        result = compare_pairs(first, second, quantity, workers)
        tested = tested_pairs(first, second, quantity, workers) if test else None
        result = replace(result, tested=tested)
    if output:
        _write_pairs(output, result)
    if plot:
        from jsdiv_numba.batch.show.heatmap import write_picture

        write_picture(plot, result, plot_size)
    said.release()
    console = report.standard_console(stderr=verbosity.values_on_stdout)
    report.print_pairs(console, result, top)
    report.print_written(console, [_named(output, verbosity), plot])


def _pairwise_in_tiles(
    sources: Sequence[str],
    quantity: Quantity,
    output: Path | None,
    workers: int | None,
    tiles: TileOptions,
    verbosity: Verbosity,
    said: Announcements,
    test: bool,
    table: TableOptions,
) -> None:
    from jsdiv_numba import batch

    assert output is not None  # without it, nothing asks for tiles
    arguments: dict[str, Any] = {"max_distance": tiles.max_distance, "reduce": tiles.reduce}
    arguments |= {"weight": quantity.weight, "test": test, **table.arguments}
    _in_tiles(
        batch.pairwise, sources, quantity, output, workers, tiles, verbosity, said, **arguments
    )


@_on_streams
def rows(
    p: str,
    q: str,
    quantity: Quantity,
    *,
    output: Path | None,
    top: int,
    workers: int | None = None,
    tiles: TileOptions = _IN_MEMORY,
    verbosity: Verbosity,
    said: Announcements,
    table: TableOptions = DEFAULT,
    match: str | None = None,
    test: bool = False,
) -> None:
    """Do what ``jsdiv rows`` does; the arguments are the command's."""
    reason = _reason_for_tiles([p, q], output, tiles, table)
    if output and reason is not None:
        from jsdiv_numba import batch

        arguments = {"match": match, "test": test, **table.arguments}
        _in_tiles(
            batch.rows, [p, q], quantity, output, workers, tiles, verbosity, said, **arguments
        )
        return
    if output:
        check_destination(output, TABLE_SUFFIXES if test else OUTPUT_SUFFIXES, [p, q])
    first, second = matched_rows(_read(p, table, said), _read(q, table, said), match)
    result = compare_rows(first, second, quantity, workers)
    if test:
        result = replace(result, tested=tested_rows(first, second, quantity, workers))
    if output:
        labels = {"p": result.first.labels, "q": result.second.labels}
        if test:
            # "p" and "q" are what the test finds.
            labels = {"label_p": result.first.labels, "label_q": result.second.labels}
        values, headings = _with_test(result.values, result.tested, quantity)
        write_table(output, values, labels=labels, headings=headings)
    said.release()
    console = report.standard_console(stderr=verbosity.values_on_stdout)
    report.print_rows(console, result, top)
    report.print_written(console, [_named(output, verbosity)])


@_on_streams
def neighbors(
    file: str,
    file2: str | None,
    quantity: Quantity,
    *,
    number: int | None,
    output: Path,
    workers: int | None,
    tiles: TileOptions = _IN_MEMORY,
    verbosity: Verbosity,
    said: Announcements,
    table: TableOptions = DEFAULT,
    test: bool = False,
) -> None:
    """Do what ``jsdiv neighbors`` does; the arguments are the command's."""
    from jsdiv_numba import batch

    _require_one("--number", number, tiles)
    _require_symmetric(quantity, {"--test": test})
    sources = [file] if file2 is None else [file, file2]
    arguments: dict[str, Any] = {"n_neighbors": number, "max_distance": tiles.max_distance}
    arguments |= {"weight": quantity.weight, "test": test, **table.arguments}
    _in_tiles(
        batch.neighbors,
        sources,
        quantity,
        output,
        workers,
        tiles,
        verbosity,
        said,
        **arguments,
    )


@_on_streams
def explain(
    file: str,
    row_a: str,
    row_b: str,
    quantity: Quantity,
    *,
    plot: Path | None,
    top: int,
    verbosity: Verbosity,
    said: Announcements,
    table: TableOptions = DEFAULT,
    test: bool = False,
    output: None = None,
) -> None:
    """Do what ``jsdiv explain`` does; the arguments are the command's."""
    del output  # which every command has, and this one does not write
    if plot:
        check_destination(plot, PICTURE_SUFFIXES, [file])
    explanation = explain_rows(_read(file, table, said), row_a, row_b, quantity, top)
    verdict = verdict_on(explanation.rows, explanation.pair, quantity) if test else None
    if plot:
        from jsdiv_numba.batch.show.bars import write_bars

        write_bars(plot, explanation)
    said.release()
    console = report.standard_console(stderr=verbosity.values_on_stdout)
    report.print_explanation(console, explanation)
    if verdict is not None:
        report.print_verdict(console, verdict, quantity)
    report.print_written(console, [plot])


def _require_all_pairs(test: bool, tiles: TileOptions) -> None:
    if test and tiles.reduce is not None:
        raise FileError("--test and --reduce: all pairs are tested; one of them, not both")
    if test and tiles.max_distance is not None:
        raise FileError(
            '--test and --max-distance: all pairs are tested; "jsdiv neighbors" takes both'
        )


def _bytes_of(first: LabelledRows, second: LabelledRows, test: bool) -> int:
    """Return what the values of all pairs take, and with a test all that is known of them."""
    pairs = len(first) * len(second)
    return pairs * (_TESTED_BYTES if test else first.values.dtype.itemsize)


def _with_test(
    values: np.ndarray, tested: Tested | None, quantity: Quantity
) -> tuple[np.ndarray, list[str]]:
    """Return columns of values with those of a test, and what they are called."""
    if tested is None:
        return values, [quantity.metric]
    return np.stack([values, *tested.columns], axis=-1), [quantity.metric, *HEADINGS]


def _write_pairs(output: Path, result: Pairwise) -> None:
    """Write a matrix or, with a test, a line for each pair in the order of the rows."""
    first, second = result.first, result.second
    if result.tested is None:
        labels = {first.label_name: first.labels}
        write_table(output, result.matrix, labels=labels, headings=second.labels)
        return
    shape = result.matrix.shape
    i, j = np.triu_indices(shape[0], 1) if result.symmetric else np.indices(shape).reshape(2, -1)
    values, headings = _with_test(result.matrix, result.tested, result.quantity)
    of_pairs = {
        "label_i": [first.labels[k] for k in i],
        "label_j": [second.labels[k] for k in j],
    }
    write_table(output, values[i, j], labels=of_pairs, headings=headings)


def _require_one(option: str, value: object, tiles: TileOptions) -> None:
    """Raise if an option is given that does not go with ``--max-distance``, and so is that."""
    if value is not None and tiles.max_distance is not None:
        raise FileError(f"{option} and --max-distance: one of them, not both")


def _require_symmetric(quantity: Quantity, options: Mapping[str, object]) -> None:
    """Raise if an option is given that is for a distance, or a divergence, of equal weights."""
    for option, value in options.items():
        if value and not quantity.is_symmetric:
            given = "--weight" if quantity.metric in SYMMETRIC else "--metric kl_divergence"
            raise FileError(
                f"{option} and {given}: one of them, not both: two rows have different values "
                "either way"
            )


def _read(file: str, table: TableOptions, said: Announcements) -> LabelledRows:
    """Read a file into memory, and have it said what it was taken for."""
    rows = read_rows(file, table)
    said.read(rows.reading)
    return rows


def _require_whole(plot: Path, *files: LabelledRows) -> None:
    if any(not rows.complete for rows in files):
        raise FileError(
            f"{plot}: rows with missing values have no place in a picture; say --missing zero, or "
            "leave them out"
        )


def _places(sources: Sequence[str], table: TableOptions) -> Iterator[Place]:
    for source in sources:
        with reading(source):
            place = place_of(source, table)
        yield place


def _reason_for_tiles(
    sources: Sequence[str], output: Path | None, tiles: TileOptions, table: TableOptions
) -> str | None:
    """Return what asks for work in tiles: an option, the kind of output, or sheer size."""
    places = list(_places(sources, table))
    if output is None:
        for reason in tiles.given:
            raise FileError(f"{reason}: needs a file for the values; name one with -o")
        return None
    zarr = [str(output)] if output.suffix.lower() == ".zarr" else []
    size = 0
    for place in places:
        with reading(place.source):
            size += memory_bytes(place)
    large = [f"{size:,} bytes of input"] if size > MEMORY // 2 else []
    return next(iter([*tiles.given, *zarr, *large]), None)


def _in_tiles(
    compare: Callable[..., Summary],
    sources: Sequence[str],
    quantity: Quantity,
    output: Path,
    workers: int | None,
    tiles: TileOptions,
    verbosity: Verbosity,
    said: Announcements,
    **more: Any,
) -> None:
    try:
        with _executor(tiles.scheduler, workers) as executor:
            summary = compare(
                *sources,
                out=output,
                metric=quantity.metric,
                base=quantity.base,
                tile=tiles.tile,
                workers=workers,
                progress=Announcing(said),
                resume=tiles.resume,
                memory=tiles.memory or MEMORY,
                on_bad=tiles.on_bad,
                executor=executor,
                **more,
            )
    except KeyboardInterrupt:
        report.print_stopped(output)
        raise
    console = report.standard_console(stderr=verbosity.values_on_stdout)
    report.print_summary(console, summary)
    report.print_written(console, [_named(summary.output, verbosity), summary.report])


def _named(output: Path | None, verbosity: Verbosity) -> Path | None:
    """Return the file that is told of; that of the values is not if they go to stdout."""
    return None if verbosity.values_on_stdout else output


def _executor(
    scheduler: str | None, workers: int | None
) -> contextlib.AbstractContextManager[Executor | None]:
    """Return the cluster, connected within a ``with`` block, or None where there is none."""
    if scheduler is None:
        return contextlib.nullcontext()
    if workers is not None:
        raise FileError("--workers: with --scheduler, the cluster has its own workers")
    from jsdiv_numba.batch.run.dask_executor import connected

    return connected(scheduler)
