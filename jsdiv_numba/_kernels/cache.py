"""Compiled kernels on disk: one file each, under a key of all that their code depends on.

A file is a line of JSON and the object code. Nothing here is ever an error: a kernel that cannot be
read is compiled, one that cannot be written is compiled again by the next process.
"""

import hashlib
import importlib.util
import json
import os
import re
import stat
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .machine import Object
from .target import target

FORMAT = 1
SUFFIX, UNFINISHED = ".kernel", ".unfinished-"
FOLDER_NAME = re.compile(r"[0-9a-f]{16}")

UNRELATED = ("CACHE_DIR", "CUDA_", "ENABLE_CUDASIM", "NUM_THREADS", "THREADING_LAYER", "WARNINGS")
"""How those of Numba's settings begin that change no code of ours."""

KEPT_VERSIONS, KEPT_DAYS = 3, 30
"""So many folders of other versions stay, if they were used within so many days: environments with
different versions do not take turns in deleting each other's kernels."""

DAY = 24 * 60 * 60

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def root() -> Path | None:
    """Return the folder of all that is cached, or None where nothing is to be."""
    if os.environ.get("JSDIV_NUMBA_CACHE", "1").strip().lower() in {"0", "false", "no", "off"}:
        return None
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
    return Path(named) if os.path.isabs(named) else Path.home() / ".cache"


def folder() -> Path | None:
    """Return the folder of this version's kernels for this processor, which need not exist."""
    top = root()
    return top and top / _digest(_versions()) / _digest(_processor())


def read(name: str, dtype: str) -> Object | None:
    """Return a kernel, if it is there and as it was written."""
    top, place = root(), folder()
    if top is None or place is None:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        if all(map(_is_trusted, (top, place.parent, place))):
            made = _parsed(_content(place / _file_name(name, dtype)), key(name, dtype))
            _mark_as_used(place.parent)
            return made if made.can_be_linked() else None
    return None


def write(name: str, dtype: str, made: Object) -> None:
    """Keep a kernel for later processes."""
    top, place = root(), folder()
    if top is None or place is None:
        return
    with suppress(OSError):
        mode = _make_folders(top, place)
        header = {
            "key": key(name, dtype),
            "entry": made.entry,
            "symbols": made.symbols,
            "sha256": hashlib.sha256(made.code).hexdigest(),
            "kernel": [name, dtype],
            "processor": _processor(),
            "versions": _versions(),
        }
        content = json.dumps(header).encode() + b"\n" + made.code
        _replace(place / _file_name(name, dtype), content, mode)


def key(name: str, dtype: str) -> str:
    """Return the digest of all that a kernel's code depends on."""
    return _digest([_versions(), _processor(), name, dtype], length=64)


def _file_name(name: str, dtype: str) -> str:
    return f"{name}-{dtype}{SUFFIX}"


def _digest(value: Any, length: int = 16) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


@cache
def _versions() -> dict[str, str]:
    import llvmlite

    return {
        "format": str(FORMAT),
        "sources": sources(),
        "numba": _numba_version(),
        "llvmlite": llvmlite.__version__,
        "numpy": np.__version__,
        "python": sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag or sys.version,
    }


@cache
def sources() -> str:
    """Return the digest of every source file that kernels are made of."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("**/*.py")):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _numba_version() -> str:
    """Return Numba's version, which is not imported for that."""
    spec = importlib.util.find_spec("numba")
    if spec is None or spec.origin is None:
        return "none"
    text = Path(spec.origin).with_name("_version.py").read_text(encoding="utf-8")
    found = re.search(r'"version": "([^"]+)"', text)
    return found[1] if found else hashlib.sha256(text.encode()).hexdigest()


@cache
def _processor() -> dict[str, Any]:
    """Return what the kernels are compiled for, and the settings by which Numba does so."""
    settings = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("NUMBA_") and not name.removeprefix("NUMBA_").startswith(UNRELATED)
    }
    with suppress(OSError):
        settings["file"] = Path(".numba_config.yaml").read_text(encoding="utf-8")
    return {**target()._asdict(), "settings": settings}


def _is_trusted(path: Path) -> bool:
    """Whether nobody but this user, or the system's, may change a folder: code is run from it."""
    status = path.lstat() if path != root() else path.stat()
    return stat.S_ISDIR(status.st_mode) and _is_owned(status)


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


def _parsed(content: bytes, expected: str) -> Object:
    line, _, code = content.partition(b"\n")
    header = json.loads(line)
    if header["key"] != expected or header["sha256"] != hashlib.sha256(code).hexdigest():
        raise ValueError("not what was written")
    return Object(header["entry"], tuple(header["symbols"]), code)


def _mark_as_used(version: Path) -> None:
    with suppress(OSError):  # another user's, or read-only
        if time.time() - version.stat().st_mtime > DAY:
            os.utime(version)


def _make_folders(top: Path, place: Path) -> int:
    """Make the folders that are missing, and return the permissions of their files.

    A folder that was there before says who may read what is put into it.
    """
    top.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        top.mkdir(mode=0o700)
    mode = stat.S_IMODE(top.stat().st_mode) & ~OTHERS_MAY_WRITE
    is_new = not place.parent.exists()
    for each in (place.parent, place):
        with suppress(FileExistsError):
            each.mkdir(mode=mode)
    if not all(map(_is_trusted, (top, place.parent, place))):
        raise PermissionError(top)
    if is_new:
        _remove_old_versions(top, place.parent)
    return mode & 0o666


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file such that others find the whole of it or nothing."""
    descriptor, unfinished = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(unfinished).chmod(mode)
        Path(unfinished).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(unfinished).unlink()
        raise


def _version_folders(top: Path) -> list[Path]:
    return [path for path in top.iterdir() if FOLDER_NAME.fullmatch(path.name)]


def _remove_old_versions(top: Path, current: Path) -> None:
    with suppress(OSError):
        others = [path for path in _version_folders(top) if path != current]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        oldest = time.time() - KEPT_DAYS * DAY
        for i, path in enumerate(others):
            if i >= KEPT_VERSIONS or path.stat().st_mtime < oldest:
                remove(path)


def remove(version: Path) -> int:
    """Remove the kernels of one version, and nothing else; return how many there were."""
    removed = 0
    for path in kernels_in(version):
        with suppress(OSError):
            path.unlink()
            removed += path.name.endswith(SUFFIX)
    for each in (*_folders_in(version), version):
        with suppress(OSError):
            each.rmdir()
    return removed


def _folders_in(version: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in version.iterdir() if FOLDER_NAME.fullmatch(path.name)]
    return []


def kernels_in(version: Path) -> Iterator[Path]:
    """Yield the files that are kernels of one version, or were to be."""
    for each in _folders_in(version):
        with suppress(OSError):
            for path in sorted(each.iterdir()):
                if path.name.endswith(SUFFIX) or path.name.startswith(UNFINISHED):
                    yield path
