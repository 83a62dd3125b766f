"""The list of rows that are no distributions, beside the output."""

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.rows import Fault
from jsdiv_numba.batch.io.write import arrow_table, keep_access, write_arrow, writing

_TEXTS, _VALUE = ("file", "row", "column", "reason"), "value"
_HEADER = (",".join(f'"{name}"' for name in (*_TEXTS, _VALUE)) + "\n").encode()


def report_path(output: Path) -> Path:
    """Return where the bad rows of an output are listed."""
    return output.with_name(f"{output.name}.bad.csv")


def check_report(output: Path) -> None:
    """Raise `FileError` if what is where the report would be is no report of ours."""
    path = report_path(output)
    if not _is_free(path) and not _is_ours(path):
        raise FileError(
            f"{path}: no list of bad rows that jsdiv made; move it, or write to another file"
        )


def write_report(output: Path, bad: Sequence[Fault], draft: Path) -> Path | None:
    """Write the report, or remove that of an earlier run if there is nothing to report.

    Returns the report, if there is one. Raises `FileError` if something else is in its place, or it
    cannot be written.
    """
    report = report_path(output)
    if not bad:
        if _is_ours(report):
            report.unlink()
        return None
    check_report(output)
    bad = sorted(bad, key=lambda fault: (fault.source, fault.row))
    columns = (
        [fault.source for fault in bad],
        [str(fault.row) for fault in bad],
        [fault.column or "" for fault in bad],
        [fault.reason for fault in bad],
    )
    values = np.array([np.nan if f.value is None else f.value for f in bad])
    texts = dict(zip(_TEXTS, columns, strict=True))
    with writing(report):
        with draft.open("wb") as file:
            write_arrow(file, ".csv", arrow_table(values, labels=texts, headings=[_VALUE]))
            file.flush()
            os.fsync(file.fileno())
        keep_access(draft, report)
        draft.replace(report)
    return report


def _is_free(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    return False


def _is_ours(path: Path) -> bool:
    """Return whether a file begins as our reports do, and is no link."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode):
            with path.open("rb") as file:
                return file.read(len(_HEADER)) == _HEADER
    return False
