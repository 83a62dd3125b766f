"""Whatever is raised where a file is read, as a line that names the file."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jsdiv_numba.batch.errors import FileError


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Turn what is raised in a ``with`` block, in which a file is read, into a `FileError`.

    What is said of a damaged file is up to NumPy, Arrow, Zarr and the standard library, and
    they do not say all that it may be; so it may be anything. What is raised first stays its cause.
    """
    try:
        yield
    except (FileError, ImportError):
        raise
    except MemoryError as error:
        raise FileError(f"{source}: does not fit in memory{_reason(error)}") from error
    except UnicodeError as error:
        raise FileError(f"{source}: a name or a text is not UTF-8{_reason(error)}") from error
    except OSError as error:
        raise FileError(f"{source}: {error.strerror or _first_line(error)}") from error
    except Exception as error:
        raise FileError(f"{source}: damaged, or not what its name says{_reason(error)}") from error


def _reason(error: Exception) -> str:
    line = _first_line(error)
    return f" ({line})" if line else ""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def require_file(path: Path, source: str) -> None:
    """Raise `FileError` for what is no file, and may never end, or be read only once.

    `path`: what is to be read; it is there.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        what = "a pipe" if stat.S_ISFIFO(mode) else "a socket or a device"
        raise FileError(
            f"{source}: {what}, which cannot be read more than once; save it to a file, or give it "
            "to stdin and name -"
        )
