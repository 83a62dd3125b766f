"""The work of ``jsdiv drift``: two files in, a table, a report and an exit code out."""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jsdiv_numba import drift as comparison
from jsdiv_numba._drift.conditions import Condition
from jsdiv_numba._drift.profile import SUFFIX, Profile
from jsdiv_numba._drift.results import records
from jsdiv_numba._drift.shown import DriftResult, DriftSeries
from jsdiv_numba._drift.states import Forgetful, kept_by
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import counted, printable
from jsdiv_numba.batch.io.file_errors import reading
from jsdiv_numba.batch.io.formats import STDIN, place_of, stdin_as_file
from jsdiv_numba.batch.io.options import TableOptions, UnknownColumnError, chosen
from jsdiv_numba.batch.io.sources import Fingerprint, file_fingerprint, folder_fingerprint
from jsdiv_numba.batch.io.tables import FileTable, open_table
from jsdiv_numba.batch.io.write import check_destination, replacing, suffix_of, write_arrow
from jsdiv_numba.batch.run.journal import Conditions, versions
from jsdiv_numba.batch.run.progress import chosen as chosen_progress
from jsdiv_numba.batch.run.stages import Stages
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
    profile: Path | None = None  # of the reference
    fail_on: Sequence[Condition] = ()
    top: int = 20  # how many columns are printed
    quiet: bool = False  # nothing on the way
    log_json: bool = False  # JSON lines on stderr
    resume: bool = False  # whether to go on with an unfinished run

    @property
    def file(self) -> Path | None:
        """The file of the results, if they do not go to stdout."""
        return None if self.output == STDOUT else self.output

    def check(self, sources: Sequence[str]) -> None:
        """Raise `FileError` if a file cannot be written, or is one of `sources`, which are read."""
        if self.file:
            check_destination(self.file, OUTPUT_SUFFIXES, sources)
        if self.report:
            check_destination(self.report, (".html",), sources)
        if self.profile:
            check_destination(self.profile, (SUFFIX,), sources)
        if self.file and self.profile and self.file.resolve() == self.profile.resolve():
            raise FileError(f"{self.profile}: --output and --save-profile: name two files")

    @property
    def written(self) -> list[Path]:
        """All files that are written."""
        return [file for file in (self.file, self.report, self.profile) if file is not None]


@dataclass(frozen=True)
class Hashes:
    """How names of categories are kept in a profile."""

    hashed: bool = False
    key: Path | None = None  # a file

    @property
    def files(self) -> list[str]:
        """The file of the key, if there is one."""
        return [] if self.key is None else [str(self.key)]

    @property
    def arguments(self) -> dict[str, Any]:
        """What `jsdiv_numba.drift.profile` is told."""
        return {"hash_categories": self.hashed, "hash_key": self.read()}

    def read(self) -> bytes | None:
        """Return the key, if there is one."""
        if self.key is None:
            return None
        with reading(str(self.key)):
            key = self.key.read_bytes()
        if not key.strip():
            raise FileError(f"{self.key}: empty, but it is to be the key of hashes")
        # An editor may end it by a line's end that another does not.
        return key.strip()


def drift(
    reference: str,
    current: str | None,
    table: TableOptions,
    wanted: Wanted,
    hashes: Hashes,
    **arguments: Any,
) -> int:
    """Do what ``jsdiv drift`` does, and return its exit code.

    `table`: how the files are read, and which columns; `arguments`: those of
    `jsdiv_numba.drift.compare`.
    """
    sources = [reference] if current is None else [reference, current]
    with contextlib.ExitStack() as stack:
        progress = chosen_progress(quiet=wanted.quiet, as_json=wanted.log_json)
        said = stack.enter_context(Announcements(progress))
        if STDIN in sources:
            stack.enter_context(stdin_as_file())
        wanted.check([*sources, *hashes.files])
        keeper: Any = stack.enter_context(_keeper(sources, table, wanted, hashes, arguments))
        sides = [open_side(source, table, hashes) for source in sources]
        for side, source in zip(sides, sources, strict=True):
            said.say(event="read", file=source, line=_note(side, source))
        arguments |= _columns(table, sides, sources[-1])
        rows = stack.enter_context(contextlib.closing(_Rows(said, sides, wanted, keeper)))
        if wanted.profile:
            with kept_by(keeper.of("profile")):
                _save_profile(sides[0], reference, wanted.profile, hashes, arguments, rows)
        if current is None:
            rows.close()
            return _end(wanted, None)
        with kept_by(keeper.of("compare")):
            found = compared_sides(sides, current, rows.advance, **arguments)
        rows.close()
        write(found, wanted)
    return _end(wanted, found)


def _end(wanted: Wanted, found: DriftResult | DriftSeries | None) -> int:
    """Print what was found and written, and return the exit code."""
    console = consoles.standard_console(stderr=wanted.output == STDOUT)
    if isinstance(found, DriftResult):
        print_drift(console, found, wanted.top)
    elif found is not None:
        print_series(console, found, wanted.top)
    consoles.print_written(console, wanted.written)
    if found is None:
        return 0
    if wanted.output == STDOUT:
        sys.stdout.write(f"{found.to_json()}\n")
    lines = failures(found, wanted.fail_on)
    for line in lines:
        sys.stderr.write(f"jsdiv: {printable(line)}\n")
    return FAILS if lines else 0


def open_side(source: str, table: TableOptions, hashes: Hashes) -> FileTable | Profile:
    """Return a file as a table, or the profile that a .json file is."""
    if table.format is None and source.lower().endswith(SUFFIX):
        key = hashes.read()
        with reading(source):
            text = Path(source).read_bytes()
        try:
            return Profile.from_json(text, hash_key=key)
        except ValueError as error:
            raise FileError(f"{source}: {error}") from error
    return open_table(source, table)


def _note(side: FileTable | Profile, source: str) -> str:
    if isinstance(side, Profile):
        return f"{source}: a profile of {side.rows:,} rows, {counted(len(side.columns), 'column')}"
    return side.note


def _keeper(
    sources: Sequence[str],
    table: TableOptions,
    wanted: Wanted,
    hashes: Hashes,
    arguments: Mapping[str, Any],
) -> Any:
    """Return what keeps a state of the run, if a file is written beside which it can lie."""
    if not wanted.written:
        if wanted.resume:
            raise FileError("--resume goes on with a run that writes a file: name it as before")
        return contextlib.nullcontext(_NOTHING)

    def conditions() -> Conditions:
        names = ("by", "bins", "seed")
        asked = {
            **{name: arguments[name] for name in names},
            **{name: value for name, value in asdict(table).items() if value is not None},
            "save_profile": wanted.profile is not None,
            "hash_categories": hashes.hashed,
        }
        inputs = {
            f"{role} {source}": _fingerprint(source, table)
            for role, source in zip(("reference", "current"), sources, strict=False)
        }
        return Conditions(inputs, json.loads(json.dumps(asked, default=str)), versions())

    return Stages(wanted.written[0], conditions, resume=wanted.resume)


class _Nothing(Forgetful):
    read = 0

    def of(self, _task: str) -> "_Nothing":
        return self


_NOTHING = _Nothing()


def _fingerprint(source: str, table: TableOptions) -> Fingerprint:
    if source.lower().endswith(SUFFIX) and table.format is None:
        return file_fingerprint(Path(source), source)
    place = place_of(source, table)
    if place.path.is_dir():
        with reading(source):
            return folder_fingerprint(place.path)
    found = file_fingerprint(place.path, source)
    # What was read from a pipe lies in a file of this moment.
    return found if source != STDIN else {**found, "modified": 0}


def _save_profile(
    side: FileTable | Profile,
    source: str,
    path: Path,
    hashes: Hashes,
    arguments: Mapping[str, Any],
    rows: "_Rows",
) -> None:
    if isinstance(side, Profile):
        raise FileError(f"{source}: is a profile already; copy it, or name the table")
    chosen_columns: dict[str, Any] = {
        key: [name for name in arguments[key] if name in side.columns]
        for key in ("columns", "exclude")
        if arguments.get(key) is not None
    }
    made = comparison.profile(
        side, seed=arguments["seed"], advance=rows.advance, **chosen_columns, **hashes.arguments
    )
    with replacing(path) as file:
        file.write(made.to_json().encode())


def compared_sides(
    sides: Sequence[FileTable | Profile],
    current: str,
    advance: Callable[[int], None],
    **arguments: Any,
) -> DriftResult | DriftSeries:
    """Compare two files; `arguments`: those of `jsdiv_numba.drift.compare`."""
    try:
        return comparison.compare(*sides, advance=advance, **arguments)
    except FileError:
        raise
    except ValueError as error:
        raise FileError(f"{current}: {error}") from error


def merge(sources: Sequence[str], output: Path) -> int:
    """Do what ``jsdiv drift merge`` does, and return its exit code."""
    check_destination(output, (SUFFIX,), sources)
    profiles = []
    for source in sources:
        side = open_side(source, TableOptions(), Hashes())
        if not isinstance(side, Profile):
            raise FileError(f"{source}: no profile, which is a .json file")
        profiles.append(side)
    merged = profiles[0]
    for source, profile in zip(sources[1:], profiles[1:], strict=True):
        try:
            merged = merged.merge(profile)
        except ValueError as error:
            raise FileError(f"{source}: cannot be merged with {sources[0]}: {error}") from error
    with replacing(output) as file:
        file.write(merged.to_json().encode())
    consoles.print_written(consoles.standard_console(), [output])
    return 0


class _Rows:
    """Progress that begins with the first rows: what is wrong before that is told alone."""

    def __init__(
        self,
        said: Announcements,
        sides: Sequence[FileTable | Profile],
        wanted: Wanted,
        keeper: "Stages | _Nothing",
    ) -> None:
        self.progress, self.begun = Announcing(said), False
        self.keeper, self.waiting = keeper, 0
        # For a profile the reference is read by itself, and then to be compared.
        once_more = [sides[0]] if wanted.profile and len(sides) > 1 else []
        self.files = [side for side in (*sides, *once_more) if not isinstance(side, Profile)]

    def advance(self, rows: int) -> None:
        """So many more are read, each of them twice in all."""
        if not self.begun:
            self.waiting += rows
            # What an earlier run has read takes no time.
            rows = self.waiting - self.keeper.read
            if rows <= 0:
                return
            total = 2 * sum(file.rows for file in self.files)
            self.progress.start(max(total, 1), self.keeper.read, "rows")
            self.begun = True
        self.progress.advance(rows)

    def close(self) -> None:
        """End."""
        if self.begun:
            self.progress.stop()
        self.begun = False


def _columns(
    table: TableOptions, sides: Sequence[FileTable | Profile], source: str
) -> dict[str, Any]:
    """Return which columns are asked for, and which are not, by name."""
    names = list(dict.fromkeys(name for side in sides for name in side.columns))
    found: dict[str, Any] = {}
    for option in ("columns", "exclude"):
        given = getattr(table, option)
        if given is None:
            continue
        try:
            found[option] = [names[j] for j in chosen(given, names, len(names))]
        except UnknownColumnError as error:
            raise FileError(f"{source}: --{option}: {error}") from error
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
