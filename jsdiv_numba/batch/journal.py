"""What a run has done so far, so that another can go on: in a folder beside its output."""

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from jsdiv_numba import __version__
from jsdiv_numba.batch.errors import FileError

_LEAST_INTERVAL = 0.1
_SUFFIX = ".partial"
_ORDER = {"journal.jsonl": 0, "whole": 2}


class Conditions(NamedTuple):
    """What has to be the same when a run goes on.

    Parameters
    ----------
    inputs : mapping of str to mapping
        Each file's fingerprint, by its name.
    arguments : mapping of str to object
        What was asked for.
    versions : mapping of str to str
        Of what computes.
    """

    inputs: Mapping[str, Mapping[str, Any]]
    arguments: Mapping[str, Any]
    versions: Mapping[str, str]


def versions() -> dict[str, str]:
    """Return the versions on which the bits of a result may depend."""
    return {"jsdiv_numba": __version__, "numba": version("numba")}


class Journal:
    """The folder of an unfinished run, locked while this object is open.

    Parameters
    ----------
    output : Path
        What will be written.

    Notes
    -----
    The journal is a file of JSON lines: first the conditions, then a line for each
    finished tile, last a line that says that the output is whole. A line is written
    once what it speaks of is on the disk. The lock is the operating system's, and ends
    with the process that holds it.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(output.name + _SUFFIX)
        self.done: dict[int, list[Any]] = {}
        self.conditions: Conditions | None = None
        self.plan: list[int] | None = None
        self._pending: list[str] = []
        self._next_sync = time.monotonic() + _LEAST_INTERVAL
        self._file: BinaryIO | None = None

    @property
    def part(self) -> Path:
        """Where the output is until it is whole."""
        return self.folder / f"output{self.output.suffix}"

    @contextmanager
    def held(self) -> Iterator["Journal"]:
        """Hold the lock of the folder, which is made if there is none.

        Raises
        ------
        FileError
            If another process holds it, or the folder cannot be written.
        """
        with self._as_file_error():
            lock = self._locked()
        try:
            yield self
        finally:
            if self._file is not None:
                self._file.close()
                self._file = None
            lock.close()

    def _locked(self) -> BinaryIO:
        path = self.folder / "lock"
        while True:
            self.folder.mkdir(exist_ok=True)
            lock = path.open("ab")
            if not _try_lock(lock):
                lock.close()
                raise FileError(
                    f"{self.output}: another run is writing it; "
                    f"wait for it, or write to another file"
                )
            # The run that held it before may have finished and removed the folder.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                    return lock
            lock.close()

    def read(self) -> None:
        """Read what an earlier run has left, if anything.

        Raises
        ------
        FileError
            If the journal is damaged.
        """
        path = self.folder / "journal.jsonl"
        with self._as_file_error():
            lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
        # What follows the last end of line was being written when the run was stopped.
        whole = lines[:-1]
        try:
            records = [json.loads(line) for line in whole]
        except ValueError as error:
            raise FileError(f"{path}: damaged; delete {self.folder} to begin anew") from error
        if records:
            self.conditions = Conditions(**records[0])
            tiles = [record for record in records[1:] if "tile" in record]
            self.done = {record["tile"]: record["faults"] for record in tiles}
            self.plan = next((record["plan"] for record in records[1:] if "plan" in record), None)
        self._whole_bytes = sum(len(line) + 1 for line in whole)

    def require_same(self, conditions: Conditions) -> None:
        """Raise `FileError` if the earlier run was made under other conditions, saying which.

        Parameters
        ----------
        conditions : Conditions
            Those of now.

        Raises
        ------
        FileError
        """
        if self.conditions is None:
            return
        changes = [
            f"{name} was {_shown(before.get(key))} and is {_shown(after.get(key))}"
            for before, after, prefix in self._compared(conditions)
            for key in dict.fromkeys([*before, *after])
            if before.get(key) != after.get(key)
            for name in [f"{prefix}{key}"]
        ]
        if changes:
            raise FileError(
                f"{self.output}: cannot resume: {'; '.join(changes)}; "
                f"delete {self.folder} to begin anew"
            )

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
        """Begin anew, or go on after the last whole line.

        Parameters
        ----------
        conditions : Conditions
            Those of this run, written first if it is new.
        """
        path = self.folder / "journal.jsonl"
        with self._as_file_error():
            self._file = path.open("ab")
            if self.conditions is None:
                self._file.truncate(0)
                self.conditions = conditions
                self.write([json.dumps(conditions._asdict())])
                sync_folder(self.folder)
                sync_folder(self.folder.parent)
            else:
                self._file.truncate(self._whole_bytes)

    def clear(self) -> None:
        """Forget what an earlier run has left; the lock stays."""
        with self._as_file_error():
            # The journal before what it speaks of, and last that there is nothing left to do.
            for entry in sorted(self.folder.iterdir(), key=lambda path: _ORDER.get(path.name, 1)):
                if entry.is_dir():
                    shutil.rmtree(entry)
                elif entry.name != "lock":
                    entry.unlink()
        self.conditions, self.plan, self.done = None, None, {}

    def settle(self, plan: list[int]) -> None:
        """Write down how the work is cut, which another run has to keep to.

        Parameters
        ----------
        plan : list of int
            The sizes of a tile.
        """
        if self.plan is None:
            self.plan = plan
            self.write([json.dumps({"plan": plan})])

    def note(self, tile: int, faults: list[Any]) -> None:
        """Remember a finished tile; it is written by `write`, once its values are safe.

        Parameters
        ----------
        tile : int
            Its index.
        faults : list
            What is to be known of its bad rows.
        """
        self.done[tile] = faults
        self._pending.append(json.dumps({"tile": tile, "faults": faults}))

    @property
    def due(self) -> bool:
        """Whether what is finished should be made safe by now."""
        return bool(self._pending) and time.monotonic() > self._next_sync

    def synced(self, begun: float) -> None:
        """Put off the next time: a slow disk has as long between two of them as one took.

        Parameters
        ----------
        begun : float
            When making safe began, by the monotonic clock.
        """
        now = time.monotonic()
        self._next_sync = now + max(_LEAST_INTERVAL, now - begun)

    def taken(self) -> list[str]:
        """Return what was noted since the last time, for `write`."""
        lines, self._pending = self._pending, []
        return lines

    def write(self, lines: list[str]) -> None:
        """Write and sync what was noted; the values of those tiles have to be synced before.

        Parameters
        ----------
        lines : list of str
            What `taken` returned.
        """
        if self._file is None or not lines:
            return
        with self._as_file_error():
            self._file.write("".join(f"{line}\n" for line in lines).encode())
            self._file.flush()
            os.fsync(self._file.fileno())

    def abandon(self) -> None:
        """Remove the folder if there is nothing in it to go on from."""
        copies = [path for path in self.folder.glob("*.npy") if path != self.part]
        # What stopped the run before the work was cut would stop it again.
        if not self.done and not (copies and self.plan):
            self._remove()

    @property
    def finished(self) -> Path:
        """A file that is there once the output is whole, but for its name."""
        return self.folder / "whole"

    def place(self) -> None:
        """Give the output its name and remove the folder."""
        with self._as_file_error():
            if not self.finished.exists():
                self.finished.touch()
                sync_folder(self.folder)
            if self.part.exists():
                os.replace(self.part, self.output)
                sync_folder(self.output.parent)
            self._remove()

    def _remove(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        # The lock last: it keeps others out of a folder that is half gone.
        self.clear()
        (self.folder / "lock").unlink()
        self.folder.rmdir()

    @contextmanager
    def _as_file_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise FileError(f"{self.output}: cannot be written: {reason}") from error


def _shown(value: object) -> str:
    return "absent" if value is None else str(value)


def sync_folder(path: Path) -> None:
    """Make the names in a folder safe, where the system can.

    Parameters
    ----------
    path : Path
        The folder.
    """
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
