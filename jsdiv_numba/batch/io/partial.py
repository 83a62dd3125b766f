"""The folder of an unfinished run: locked while one is at work, emptied only of what we made."""

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.durable import sync_folder
from jsdiv_numba.batch.io.write import suffix_of, writing

JOURNAL, NEW_JOURNAL, REPORT = "journal.jsonl", "journal.tmp", "bad.csv"
_LOCK = "jsdiv.lock"
_SUFFIX = ".partial"
_COPIES = re.compile(r"(first|second)\.(npy|tmp|starts|(labels|columns)\.arrow)")
_STAGES = re.compile(r"[a-z-]+\.[01]\.npz")
BANDS = "bands"
_INSIDE = re.compile(r"zarr\.json|\d+(\.\w+)*|.+\.partial")
"""Files in folders of ours: Zarr's, its temporary ones, and bands of tables."""


def stage_name(stage: str, slot: int) -> str:
    """Return what the file of a stage is called, of which there are two in turn."""
    return f"{stage}.{slot}.npz"


class PartialFolder:
    """The folder ``OUT.partial``.

    It is ours if our lock is in it. Nothing else is touched: no folder of another's, no
    link, and in ours no file of a name that we do not give.

    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.path = output.with_name(output.name + _SUFFIX)
        self._lock: BinaryIO | None = None

    @property
    def part(self) -> Path:
        """Where the output is until it is whole."""
        return self.path / f"output{suffix_of(self.output)}"

    @property
    def copies(self) -> list[Path]:
        """Copies of inputs that are whole."""
        return [path for path in self.path.glob("*.npy") if _COPIES.fullmatch(path.name)]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder, which is made if there is none.

        Raises `FileError` if another process holds it, it is not ours, or it cannot be
        written.
        """
        with writing(self.output):
            self._lock = self._locked()
        try:
            yield
        finally:
            # Not if it was moved or deleted meanwhile, or cannot be read.
            with contextlib.suppress(FileError, OSError):
                if os.listdir(self.path) == [_LOCK]:
                    self.remove()
            self._lock.close()

    def _locked(self) -> BinaryIO:
        path = self.path / _LOCK
        while True:
            self._make()
            try:
                self._require_ours()
                lock = path.open("ab")
            except FileNotFoundError:
                # The run that held it before has finished, and removed the folder.
                continue
            with contextlib.ExitStack() as unless_held:
                unless_held.enter_context(lock)
                if not _try_lock(lock):
                    raise FileError(
                        f"{self.output}: another run is writing it; "
                        f"wait for it, or write to another file"
                    )
                if _is_at(lock, path):
                    unless_held.pop_all()
                    return lock

    def _make(self) -> None:
        with contextlib.suppress(FileExistsError):
            self.path.mkdir()
            with contextlib.suppress(FileNotFoundError):
                # Who may not read the output that is replaced may not read the new one either.
                readers = stat.S_IMODE(self.output.stat().st_mode) & 0o077
                # Some file systems have no modes.
                with contextlib.suppress(PermissionError):
                    self.path.chmod(0o700 | readers | (readers & 0o044) >> 2)

    def _require_ours(self) -> None:
        cure = "move it, or write to another file"
        mode = self.path.lstat().st_mode
        if not stat.S_ISDIR(mode):
            what = "a link" if stat.S_ISLNK(mode) else "a file"
            raise FileError(f"{self.path}: {what}, not a folder that jsdiv made; {cure}")
        names = os.listdir(self.path)
        if names and _LOCK not in names:
            raise FileError(f"{self.path}: a folder that jsdiv did not make; {cure}")
        for path in map(self.path.joinpath, names):
            if path.is_symlink() and (path.name == _LOCK or self._is_known(path)):
                raise FileError(f"{path}: a link, which jsdiv did not make; {cure}")

    def _is_known(self, path: Path) -> bool:
        own = path.name in {JOURNAL, NEW_JOURNAL, REPORT, BANDS, self.part.name}
        return own or any(names.fullmatch(path.name) for names in (_COPIES, _STAGES))

    def require_held(self) -> None:
        """Raise `FileError` if the folder is no longer the one that was locked."""
        if self._lock is None or not _is_at(self._lock, self.path / _LOCK):
            raise FileError(f"{self.path}: was moved or deleted during the run; start it again")

    def store(self, name: str, content: bytes) -> None:
        """Write a file of ours, and see to it that it is on the disk."""
        self.require_held()
        with (self.path / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(self.path)

    def clear(self) -> None:
        """Remove what an earlier run has left, the journal before what it speaks of."""
        self.require_held()
        with writing(self.output):
            (self.path / JOURNAL).unlink(missing_ok=True)
            self._remove_parts()

    def remove(self) -> None:
        """Remove what is ours, the journal after what it speaks of; the folder if that is all."""
        self.require_held()
        with writing(self.output):
            self._remove_parts()
            (self.path / JOURNAL).unlink(missing_ok=True)
            # The lock last: it keeps others out of a folder that is half gone.
            (self.path / _LOCK).unlink()
            with contextlib.suppress(OSError):
                self.path.rmdir()

    def _remove_parts(self) -> None:
        for path in sorted(filter(self._is_known, self.path.iterdir())):
            if path.is_dir() and not path.is_symlink():
                _remove_tree(path)
            elif path.name != JOURNAL:
                path.unlink()


def _remove_tree(folder: Path) -> None:
    """Remove a folder of ours, but for files that others have put there."""
    for inside, _, names in os.walk(folder, topdown=False):
        for name in filter(_INSIDE.fullmatch, names):
            os.unlink(os.path.join(inside, name))
        with contextlib.suppress(OSError):
            os.rmdir(inside)


def _is_at(lock: BinaryIO, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    return False


def _try_lock(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
