"""The files of a folder, in whatever folders of it they lie."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from jsdiv_numba.batch.errors import FileError


def files_below(folder: Path) -> list[Path]:
    """Return the files of a folder and of those in it, by way of links too, in order.

    Raises `FileError` if a folder cannot be read, whose files would be missing, or has itself in
    it. (`pathlib.Path.rglob` leaves out both, and what links lead to.)
    """
    return sorted(_below(folder, ()))


def _below(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    try:
        status = folder.stat()
        here = status.st_dev, status.st_ino
        if here in above:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        with os.scandir(folder) as entries:
            found = [(folder / entry.name, entry.is_dir()) for entry in entries]
    except OSError as error:
        raise FileError(f"{folder}: {error.strerror}") from error
    for path, is_folder in found:
        if is_folder:
            yield from _below(path, (*above, here))
        else:
            yield path
