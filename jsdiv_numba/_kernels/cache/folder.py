"""Compiled kernels on disk: one file each, under a key of all that their code depends on.

Nothing here is ever an error: a kernel that cannot be read is compiled, one that cannot be written
is compiled again by the next process.
"""

import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ..linking import Object
from ..target import target
from .file import SUFFIX, UNFINISHED, content_of, file_name, parsed, replace
from .identity import digest, settings, versions

FOLDER_NAME = re.compile(r"[0-9a-f]{16}")

KEPT_VERSIONS, KEPT_DAYS = 3, 30
"""So many folders of other versions stay, if they were used within so many days: environments with
different versions do not take turns in deleting each other's kernels."""

DAY = 24 * 60 * 60
HOUR = 60 * 60

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def is_on() -> bool:
    """Whether kernels are to be kept."""
    setting = os.environ.get("JSDIV_NUMBA_CACHE", "1").strip().lower()
    return setting not in {"0", "false", "no", "off"}


def root() -> Path | None:
    """Return the folder of all that is cached, or None where the user has no place for caches."""
    named = os.environ.get("JSDIV_NUMBA_CACHE_DIR")
    if named:
        return Path(named).absolute()
    try:
        return _users_caches() / "jsdiv_numba"
    except RuntimeError:
        return None  # whose home is not known


def _users_caches() -> Path:
    """Return where the user's caches are, by the platform's convention."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    named = os.environ.get("XDG_CACHE_HOME", "")
    return Path(named) if Path(named).is_absolute() else Path.home() / ".cache"


def folders() -> tuple[Path, Path, Path] | None:
    """Return the folder of all, that of this version, and in it that of this processor."""
    top = root()
    if top is None:
        return None
    version = top / digest(versions())
    return top, version, version / digest(processor())


@cache
def processor() -> dict[str, Any]:
    """Return what kernels are compiled for, and the settings by which Numba does so."""
    return {**target()._asdict(), "settings": settings()}


def read(name: str, dtype: str) -> Object | None:
    """Return a kernel, if it is there and as it was written."""
    places = folders() if is_on() else None
    if places is None:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        if distrusted(places) is None:
            made = parsed(_content(places[-1] / file_name(name, dtype)), key(name, dtype))
            _mark_as_used(places[1])
            return made if made.can_be_linked() else None
    return None


def write(name: str, dtype: str, made: Object) -> None:
    """Keep a kernel for later processes."""
    places = folders() if is_on() else None
    # What needs Numba's library cannot be linked by a process that has not imported Numba.
    if places is None or any(symbol.startswith(("NRT_", "numba")) for symbol in made.symbols):
        return
    with suppress(OSError):
        described = {"kernel": [name, dtype], **versions(), **processor()}
        mode = _make_folders(places)
        content = content_of(made, key(name, dtype), described)
        replace(places[-1] / file_name(name, dtype), content, mode)


def key(name: str, dtype: str) -> str:
    """Return the digest of all that a kernel's code depends on."""
    return digest([versions(), processor(), name, dtype], length=64)


def distrusted(places: tuple[Path, ...]) -> Path | None:
    """Return the first folder that others than this user and the system's may change, if any.

    Code is run from it. The first may be a link, whose owner is not asked for.
    """
    for path, status_of in zip(places, (Path.stat, Path.lstat, Path.lstat), strict=True):
        status = status_of(path)
        if not (stat.S_ISDIR(status.st_mode) and _is_owned(status)):
            return path
    return None


def _is_owned(status: os.stat_result) -> bool:
    if sys.platform == "win32":
        return True  # a user's folders are the user's there
    return status.st_uid in {os.geteuid(), 0} and not status.st_mode & OTHERS_MAY_WRITE


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if not (stat.S_ISREG(status.st_mode) and _is_owned(status)):
            raise PermissionError(path)
        return file.read()


def _mark_as_used(version: Path) -> None:
    with suppress(OSError):  # another user's, or read-only
        if time.time() - version.stat().st_mtime > DAY:
            os.utime(version)


def _make_folders(places: tuple[Path, Path, Path]) -> int:
    """Make the folders that are missing, and return the permissions of their files.

    A folder that was there before says who may read what is put into it.
    """
    top, version, _ = places
    top.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        top.mkdir(mode=0o700)
    mode = stat.S_IMODE(top.stat().st_mode) & ~OTHERS_MAY_WRITE
    is_new = not version.exists()
    for each in places[1:]:
        with suppress(FileExistsError):
            each.mkdir(mode=mode)
    untrusted = distrusted(places)
    if untrusted is not None:
        raise PermissionError(untrusted)
    if is_new:
        _remove_old_versions(top, version)
    _remove_unfinished(places[-1])
    return mode & 0o666


def _remove_unfinished(place: Path) -> None:
    """Remove what writers left that were killed; those that are at work are younger."""
    for path in place.glob(f"{UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > HOUR:
                path.unlink()


def versions_in(top: Path) -> list[Path]:
    """Return the folders of all versions."""
    with suppress(OSError):
        return [path for path in top.iterdir() if FOLDER_NAME.fullmatch(path.name)]
    return []


def _remove_old_versions(top: Path, current: Path) -> None:
    with suppress(OSError):
        others = [path for path in versions_in(top) if path != current]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        oldest = time.time() - KEPT_DAYS * DAY
        for i, path in enumerate(others):
            if i >= KEPT_VERSIONS or path.stat().st_mtime < oldest:
                remove(path)


def remove(version: Path) -> int:
    """Remove the kernels of one version, and nothing else; return how many there were."""
    removed = 0
    for path in _files_in(version):
        with suppress(OSError):
            path.unlink()
            removed += path.suffix == SUFFIX
    for each in (*versions_in(version), version):
        with suppress(OSError):
            each.rmdir()
    return removed


def kernels_in(version: Path) -> list[Path]:
    """Return the files that are kernels of one version, for any processor."""
    return [path for path in _files_in(version) if path.suffix == SUFFIX]


def _files_in(version: Path) -> Iterator[Path]:
    for each in versions_in(version):
        with suppress(OSError):
            for path in sorted(each.iterdir()):
                if path.suffix == SUFFIX or path.name.startswith(UNFINISHED):
                    yield path
