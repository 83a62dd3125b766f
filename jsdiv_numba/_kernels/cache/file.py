"""A kernel in a file: a digest, a line of JSON that says what it is, and its object code."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..linking import Object

SUFFIX, UNFINISHED = ".kernel", ".unfinished-"


def file_name(name: str, dtype: str) -> str:
    """Return what the file of a kernel is called."""
    return f"{name}-{dtype}{SUFFIX}"


def content_of(made: Object, key: str, described: dict[str, Any]) -> bytes:
    """Return the content of a kernel's file: a digest of all that follows, and that."""
    header = {"key": key, "entry": made.entry, "symbols": made.symbols, **described}
    content = json.dumps(header).encode() + b"\n" + made.code
    return _digest(content) + b"\n" + content


def parsed(content: bytes, key: str) -> Object:
    """Return the kernel of a file; raise ValueError or KeyError where it is not as expected."""
    digest, _, content = content.partition(b"\n")
    if digest != _digest(content):
        raise ValueError("not what was written")
    line, _, code = content.partition(b"\n")
    header = json.loads(line)
    if header["key"] != key:
        raise ValueError("of something else")
    return Object(header["entry"], tuple(header["symbols"]), code)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file such that others find the whole of it or nothing."""
    import tempfile

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
