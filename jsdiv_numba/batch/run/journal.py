"""What a run has done so far, so that another can go on: in a folder beside its output."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from jsdiv_numba import __version__
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.durable import sync_folder
from jsdiv_numba.batch.io.partial import JOURNAL, NEW_JOURNAL, PartialFolder
from jsdiv_numba.batch.io.write import keep_access, writing
from jsdiv_numba.batch.run.records import DamagedError, Records

_LEAST_INTERVAL = 0.1


class Conditions(NamedTuple):
    """What has to be the same when a run goes on."""

    inputs: Mapping[str, Mapping[str, Any]]  # each file's fingerprint, by its name
    arguments: Mapping[str, Any]  # what was asked for
    versions: Mapping[str, str]  # of what computes


def versions() -> dict[str, str]:
    """Return the versions on which the bits of a result may depend."""
    return {"jsdiv_numba": __version__, "numba": version("numba")}


class Journal:
    """What is finished of an output, in the folder of the unfinished run.

    The journal is a file of JSON lines, each with a digest: first the conditions, then how
    the work is cut, a line for each finished tile, last a line that says that the output is
    whole. A line is written once what it speaks of is on the disk.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = PartialFolder(output)
        self.done: dict[int, list[Any]] = {}
        self.conditions: Conditions | None = None
        self.plan: list[int] | None = None
        self.whole: list[int] | None = None
        self._pending: list[dict[str, Any]] = []
        self._next_sync = time.monotonic() + _LEAST_INTERVAL
        self._file: FileIO | None = None
        self._records = Records()
        self._size = 0

    @contextmanager
    def held(self) -> Iterator["Journal"]:
        """Hold the folder, which is made if there is none.

        Raises `FileError` if another process holds it, it is not ours, or it cannot be
        written.
        """
        with self.folder.held():
            try:
                yield self
            finally:
                self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def read(self) -> None:
        """Read what an earlier run has left, if anything.

        Raises `FileError` if the journal is damaged.
        """
        path = self.folder.path / JOURNAL
        with writing(self.output):
            content = path.read_bytes() if path.exists() else None
        if content is None:
            return
        # What follows the last end of line was being written when the run was stopped; but
        # the first line was there before the file had its name.
        lines = content.split(b"\n")[:-1]
        try:
            first, *records = self._records.read(lines or [b""])
        except DamagedError as error:
            raise FileError(f"{path}, line {error.line}: damaged; {self._cure}") from error
        self._size = sum(len(line) + 1 for line in lines)
        self.conditions = Conditions(**first)
        for record in records:
            self._take_in(**record)

    def _take_in(
        self,
        *,
        plan: list[int] | None = None,
        tile: int | None = None,
        faults: list[Any] | None = None,
        whole: list[int] | None = None,
    ) -> None:
        self.plan, self.whole = plan or self.plan, whole
        if tile is not None:
            self.done[tile] = faults or []

    @property
    def _cure(self) -> str:
        return f"delete {self.folder.path} to begin anew"

    def goes_on_under(self, conditions: Conditions) -> bool:
        """Return whether there is something to go on with, that was made under these conditions.

        Raises `FileError` if tiles are finished, but under other conditions; it says which.
        """
        if self.conditions is None:
            return False
        changes = [
            f"{name} was {_shown(before.get(key))} and is {_shown(after.get(key))}"
            for before, after, prefix in self._compared(conditions)
            for key in dict.fromkeys([*before, *after])
            if before.get(key) != after.get(key)
            for name in [f"{prefix}{key}"]
        ]
        if changes and self.done:
            raise FileError(f"{self.output}: cannot resume: {'; '.join(changes)}; {self._cure}")
        return not changes

    def _compared(
        self, now: Conditions
    ) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], str]]:
        before = self.conditions or now
        yield before.versions, now.versions, "the version of "
        yield before.arguments, now.arguments, ""
        names = dict.fromkeys([*before.inputs, *now.inputs])
        for name in names:
            yield before.inputs.get(name, {}), now.inputs.get(name, {}), f"{name}'s "

    def begin(self, conditions: Conditions) -> None:
        """Begin anew, without anything that an earlier run has left."""
        self.folder.clear()
        self.conditions, self.plan, self.whole, self.done = conditions, None, None, {}
        self._records = Records()
        path = self.folder.path / JOURNAL
        with writing(self.output):
            # Under another name until the first line is safe: no journal lacks it.
            temporary = self.folder.path / NEW_JOURNAL
            self._file, self._size = temporary.open("wb", buffering=0), 0
            self.write([conditions._asdict()])
            temporary.replace(path)
            sync_folder(self.folder.path)
            sync_folder(self.folder.path.parent)

    def go_on(self) -> None:
        """Go on after the last whole line."""
        with writing(self.output):
            self._file = (self.folder.path / JOURNAL).open("ab", buffering=0)
            self._file.truncate(self._size)

    def settle(self, plan: list[int]) -> None:
        """Write down how the work is cut, which another run has to keep to."""
        if self.plan is None:
            self.plan = plan
            self.write([{"plan": plan}])

    def note(self, tile: int, faults: list[Any]) -> None:
        """Remember a finished tile; it is written by `write`, once its values are safe."""
        self.done[tile] = faults
        self._pending.append({"tile": tile, "faults": faults})

    @property
    def due(self) -> bool:
        """Whether what is finished should be made safe by now."""
        return bool(self._pending) and time.monotonic() > self._next_sync

    def synced(self, begun: float) -> None:
        """Put off the next time: a slow disk has as long between two of them as one took."""
        now = time.monotonic()
        self._next_sync = now + max(_LEAST_INTERVAL, now - begun)

    def taken(self) -> list[dict[str, Any]]:
        """Return what was noted since the last time, for `write`."""
        records, self._pending = self._pending, []
        return records

    def write(self, records: list[dict[str, Any]]) -> None:
        """Write and sync what was noted; the values of those tiles have to be synced before."""
        if self._file is None or not records:
            return
        lines = memoryview(b"".join(self._records.line(record) + b"\n" for record in records))
        with writing(self.output):
            try:
                written = 0
                while written < len(lines):
                    written += self._file.write(lines[written:])
                os.fsync(self._file.fileno())
            except OSError:
                # Nothing may follow what is perhaps half a line.
                with contextlib.suppress(OSError):
                    self._file.truncate(self._size)
                self._close()
                raise
        self._size += len(lines)

    def abandon(self, *, for_good: bool) -> bool:
        """Remove the folder if there is nothing in it to go on from; return whether there is.

        `for_good` says whether what stopped the run would stop it again, so that copies are
        of no use.
        """
        kept = bool(self.done or (self.folder.copies and self.plan and not for_good))
        if not kept:
            self._close()
            self.folder.remove()
        return kept

    def discard(self) -> None:
        """Remove the folder: what was to be written is."""
        self._close()
        # The journal first: without it, what is left of the folder is of no run.
        self.folder.clear()
        self.folder.remove()

    def finish(self) -> None:
        """Write down that the output is whole, but for its name.

        Raises `FileError` if it is gone.
        """
        part = self.folder.part
        self.folder.require_held()
        mark = _mark(part)
        if mark is None:
            raise FileError(f"{part}: was deleted during the run; {self._cure}")
        self.whole = mark
        self.write([{"whole": mark}])

    def place(self) -> None:
        """Give the output its name, if it has not got it, and remove the folder.

        Raises `FileError` if the output is neither here nor there.
        """
        part = self.folder.part
        self.folder.require_held()
        with writing(self.output):
            if _mark(part) == self.whole:
                if part.is_file():
                    keep_access(part, self.output)
                os.replace(part, self.output)
                sync_folder(self.output.parent)
            elif part.exists() or _mark(self.output) != self.whole:
                what = "was changed after it was finished" if part.exists() else "is missing"
                raise FileError(f"{part}: {what}; {self._cure}")
            self._close()
        self.folder.remove()


def _mark(path: Path) -> list[int] | None:
    """Return by what to know an output again, or None if there is none."""
    try:
        status = (path / "zarr.json" if path.is_dir() else path).stat()
    except FileNotFoundError:
        return None
    return [status.st_size, status.st_mtime_ns]


def _shown(value: object) -> str:
    return "absent" if value is None else str(value)
