"""The work of ``jsdiv drift``: two files in, a table, a report and an exit code out."""

import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsdiv_numba import drift as comparison
from jsdiv_numba._drift.conditions import Condition
from jsdiv_numba._drift.results import records
from jsdiv_numba._drift.shown import DriftResult, DriftSeries
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import printable
from jsdiv_numba.batch.io.formats import STDIN, stdin_as_file
from jsdiv_numba.batch.io.options import TableOptions, UnknownColumnError, chosen
from jsdiv_numba.batch.io.tables import FileTable, open_table
from jsdiv_numba.batch.io.write import check_destination, replacing, suffix_of, write_arrow
from jsdiv_numba.batch.run.progress import chosen as chosen_progress
from jsdiv_numba.batch.show import console as consoles
from jsdiv_numba.batch.show.announcements import Announcements, Announcing
from jsdiv_numba.batch.show.drift import print_drift, print_series

OUTPUT_SUFFIXES = (".json", ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
FAILS = 3
"""The exit code where a condition holds."""


STDOUT = Path("-")


@dataclass(frozen=True)
class Wanted:
    """What is to come out, as the command has it."""

    output: Path | None = None  # the results
    report: Path | None = None  # the page
    fail_on: Sequence[Condition] = ()
    top: int = 20  # how many columns are printed
    quiet: bool = False  # nothing on the way
    log_json: bool = False  # JSON lines on stderr

    @property
    def file(self) -> Path | None:
        """The file of the results, if they do not go to stdout."""
        return None if self.output == STDOUT else self.output

    def check(self, sources: Sequence[str]) -> None:
        """Raise `FileError` if a file cannot be written."""
        if self.file:
            check_destination(self.file, OUTPUT_SUFFIXES, sources)
        if self.report:
            check_destination(self.report, (".html",), sources)


def drift(
    reference: str, current: str, table: TableOptions, wanted: Wanted, **arguments: Any
) -> int:
    """Do what ``jsdiv drift`` does, and return its exit code.

    `table`: how the files are read, and which columns; `arguments`: those of
    `jsdiv_numba.drift.compare`.
    """
    with contextlib.ExitStack() as stack:
        progress = chosen_progress(quiet=wanted.quiet, as_json=wanted.log_json)
        said = stack.enter_context(Announcements(progress))
        if STDIN in (reference, current):
            stack.enter_context(stdin_as_file())
        wanted.check((reference, current))
        found = compared_files(reference, current, table, said, **arguments)
    write(found, wanted)
    console = consoles.standard_console(stderr=wanted.output == STDOUT)
    if isinstance(found, DriftResult):
        print_drift(console, found, wanted.top)
    else:
        print_series(console, found, wanted.top)
    consoles.print_written(console, [wanted.file, wanted.report])
    if wanted.output == STDOUT:
        sys.stdout.write(f"{found.to_json()}\n")
    lines = failures(found, wanted.fail_on)
    for line in lines:
        sys.stderr.write(f"jsdiv: {printable(line)}\n")
    return FAILS if lines else 0


def compared_files(
    reference: str,
    current: str,
    table: TableOptions,
    said: Announcements,
    **arguments: Any,
) -> DriftResult | DriftSeries:
    """Compare two files, and say how far that is.

    `table`: how they are read, and which columns; `arguments`: those of
    `jsdiv_numba.drift.compare`.
    """
    first, second = open_table(reference, table), open_table(current, table)
    for file in (first, second):
        said.say(event="read", file=file.source, line=file.note)
    arguments |= _columns(table, first, second)
    try:
        with contextlib.closing(_Rows(said, first, second)) as rows:
            return comparison.compare(first, second, advance=rows.advance, **arguments)
    except FileError:
        raise
    except ValueError as error:
        raise FileError(f"{current}: {error}") from error


class _Rows:
    """Progress that begins with the first rows: what is wrong before that is told alone."""

    def __init__(self, said: Announcements, *files: FileTable) -> None:
        self.progress, self.files, self.begun = Announcing(said), files, False

    def advance(self, rows: int) -> None:
        """So many more are read, each of them twice in all."""
        if not self.begun:
            total = 2 * sum(file.rows for file in self.files)
            self.progress.start(max(total, 1), 0, "rows")
            self.begun = True
        self.progress.advance(rows)

    def close(self) -> None:
        """End."""
        if self.begun:
            self.progress.stop()


def _columns(table: TableOptions, first: FileTable, second: FileTable) -> dict[str, Any]:
    """Return which columns are asked for, and which are not, by name."""
    names = list(dict.fromkeys([*first.columns, *second.columns]))
    found: dict[str, Any] = {}
    for option in ("columns", "exclude"):
        given = getattr(table, option)
        if given is None:
            continue
        try:
            found[option] = [names[j] for j in chosen(given, names, len(names))]
        except UnknownColumnError as error:
            raise FileError(f"{second.source}: --{option}: {error}") from error
    return found


def write(found: DriftResult | DriftSeries, wanted: Wanted) -> None:
    """Write what is asked for."""
    if wanted.file:
        suffix = suffix_of(wanted.file)
        with replacing(wanted.file) as file:
            if suffix == ".json":
                file.write(json.dumps(found.to_dict(), ensure_ascii=False, indent=1).encode())
            else:
                write_arrow(file, suffix, _arrow_table(found))
    if wanted.report:
        with replacing(wanted.report) as file:
            file.write(found.to_html().encode("utf-8", "replace"))


def _arrow_table(found: DriftResult | DriftSeries) -> Any:
    import pyarrow as pa

    if isinstance(found, DriftResult):
        return pa.table(records(found))
    tables = [
        pa.table({"group": [group] * len(result), **records(result)})
        for group, result in zip(found.groups, found.results, strict=True)
    ]
    return pa.concat_tables(tables)


def failures(found: DriftResult | DriftSeries, conditions: Sequence[Condition]) -> list[str]:
    """Return a line for each condition that holds, with the columns of which it does."""
    if isinstance(found, DriftResult):
        results = [("", found)]
    else:
        results = list(zip(found.groups, found.results, strict=True))
    lines = []
    for group, result in results:
        for condition in conditions:
            names = [column.column for column in condition.failing(result)]
            if names:
                place = f"{group}: " if group else ""
                lines.append(f"fails: {place}{condition.text}: {', '.join(names)}")
    return lines
