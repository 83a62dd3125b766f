"""Kernels that came with the package: built ahead of time for a level of the processors.

A wheel may have them. In a checkout whose sources were changed they are not found, since the
digest of the sources is in their folder's name.
"""

import sysconfig
from contextlib import suppress
from functools import cache
from pathlib import Path

from ..linking import Object
from ..target import LEVELS, Target, host_level
from .file import content_of, file_name, parsed, replace
from .identity import FORMAT, digest, settings, sources

FOLDER = Path(__file__).parents[1] / "built"

WHOLE = "whole"
"""A file that is written when all kernels of a folder are there."""

HEAD = object.__basicsize__
"""Bytes at the start of any Python object, after which kernels find what NumPy put there."""

SYSTEM = sysconfig.get_platform()
"""Says how functions are called and what object files look like."""


def folder_in(top: Path, level: str) -> Path:
    """Return where the kernels of a level are."""
    return top / digest([FORMAT, sources(), HEAD, SYSTEM]) / level


@cache
def level() -> str | None:
    """Return the best level that there are kernels for and that this machine has."""
    if not FOLDER.is_dir() or settings():
        return None
    best = host_level()
    names = list(LEVELS)
    usable = names[names.index(best) :] if best else []
    return next((name for name in usable if (folder_in(FOLDER, name) / WHOLE).exists()), None)


def target(triple: str) -> Target | None:
    """Return the processor that they are built for, if there are any."""
    found = level()
    return None if found is None else Target(triple, found, "")


def read(name: str, dtype: str) -> Object | None:
    """Return a kernel, if it is there and as it was written."""
    found = level()
    if found is None:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        path = folder_in(FOLDER, found) / file_name(name, dtype)
        made = parsed(path.read_bytes(), key(found, name, dtype))
        return made if made.can_be_linked() else None
    return None


def write(top: Path, of_level: str, name: str, dtype: str, made: Object) -> None:
    """Put a kernel into a folder for packages."""
    place = folder_in(top, of_level)
    place.mkdir(parents=True, exist_ok=True)
    content = content_of(made, key(of_level, name, dtype), {"kernel": [name, dtype]})
    replace(place / file_name(name, dtype), content, 0o644)


def key(of_level: str, name: str, dtype: str) -> str:
    """Return the digest of what such a kernel's code depends on."""
    return digest([FORMAT, sources(), HEAD, SYSTEM, of_level, name, dtype], length=64)
