"""What is done with a damaged file, and what has to come of it."""

import contextlib
import io
import shutil
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

import jsdiv_numba
from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError, FileWarning
from jsdiv_numba.batch.io.inputs import as_input
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.cli import main
from tests.fuzz.seeds import COUNTS, FOLDER


class FaultError(AssertionError):
    """What came of a file, but must not."""


_PACKAGE = Path(jsdiv_numba.__file__).parent
_MISTAKES = AttributeError, LookupError, NameError, TypeError, AssertionError, ArithmeticError

Target = Callable[[Path, Path], bool]
"""Takes a file and an empty folder; returns whether the file was read."""


def _read(rows: Callable[[], np.ndarray], path: Path) -> np.ndarray | None:
    """Return rows, or None after an error of the package's own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", FileWarning)
            return rows()
    except FileError as error:
        message = str(error)
        if not message.startswith(str(path)) or not message.isprintable():
            raise FaultError(f"an error that is not one line on the file: {message!r}") from error
        _require_not_ours(error)
        return None


def _require_not_ours(error: FileError) -> None:
    """Raise if the cause is a mistake of this package, and not what another says of a file."""
    cause = error.__cause__
    if isinstance(cause, _MISTAKES):
        place = traceback.extract_tb(cause.__traceback__)[-1]
        if Path(place.filename).is_relative_to(_PACKAGE):
            raise FaultError(f"{cause!r} in {place.name}: {error}") from cause


def _dense(rows: Any) -> np.ndarray:
    """Return rows as an array; of sparse ones, whose shape may be any, the columns with entries."""
    return rows[:, np.unique(rows.indices)].toarray() if sparse.issparse(rows) else rows


def in_memory_and_in_tiles(path: Path, folder: Path) -> bool:
    """Read a file both ways, which have to agree."""

    def whole() -> np.ndarray:
        rows = read_rows(str(path))
        if len(rows.labels) != rows.values.shape[0]:
            raise FaultError(f"{len(rows.labels)} labels of {rows.values.shape[0]} rows")
        return _dense(rows.values)

    def copied() -> np.ndarray:
        source = as_input(str(path), "X").open(folder, "first", lenient=False)
        return _dense(source.rows(0, source.shape[0]))

    # In tiles, rows are looked at when they are compared.
    values, copy = _read(whole, path), _read(copied, path)
    if values is None:
        return False
    if not (np.isfinite(values).all() and (values >= 0).all() and values.any(axis=1).all()):
        raise FaultError(f"rows that are no distributions: {values!r}")
    if copy is None or not np.array_equal(copy, values):
        raise FaultError(f"{copy!r} in tiles, and {values!r} in memory")
    return True


def command(path: Path, folder: Path) -> bool:
    """Have the command compare the rows of a file, in memory and in tiles."""
    codes = set()
    for name, more in (("whole.npy", []), ("tiles.csv", ["--tile", "2"])):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["pairwise", str(path), "-o", str(folder / name), "-q", *more])
        codes.add(code)
        left = {entry.name for entry in folder.iterdir()} - {"whole.npy"}
        lines = err.getvalue().splitlines()
        if code == 0:
            wrong = lines or not (folder / name).exists() or left - {name}
        else:
            one = len(lines) == 1 and lines[0].startswith("jsdiv: ") and lines[0].isprintable()
            wrong = code != 2 or not one or out.getvalue() or left
        if wrong:
            raise FaultError(f"{more}: code {code}, {err.getvalue()!r}, {left} left")
    if len(codes) > 1:
        raise FaultError("in memory and in tiles, one of them an error")
    return codes == {0}


class StoppedError(Exception):
    """What stops a run."""


class _StopAfter:
    workers = 1

    def __init__(self, count: int) -> None:
        self.count = count

    def results(self, function, tasks):
        for number, task in enumerate(tasks):
            if number == self.count:
                raise StoppedError
            yield function(task)


def stopped_run(folder: Path) -> Path:
    """Make a run that has finished two of three tiles; return its journal."""
    with contextlib.suppress(StoppedError):
        batch.pairwise(COUNTS, out=folder / "d.npy", tile=2, executor=_StopAfter(2))
    return folder / "d.npy.partial" / "journal.jsonl"


def journal(path: Path, folder: Path) -> bool:
    """Go on with a run whose journal is damaged: right, or not at all."""
    expected = folder / "expected.npy"
    batch.pairwise(COUNTS, out=expected, tile=2)
    damaged = stopped_run(folder)
    shutil.copy(path, damaged)
    try:
        batch.pairwise(COUNTS, out=folder / "d.npy", tile=2, resume=True)
    except FileError as error:
        message = str(error)
        cure = f"delete {damaged.parent} to begin anew" in message
        if not cure or not message.startswith(str(damaged)) or (folder / "d.npy").exists():
            raise FaultError(f"not refused as it should be: {message!r}") from error
        return False
    if (folder / "d.npy").read_bytes() != expected.read_bytes():
        raise FaultError("a wrong file")
    return True


def seed_files() -> list[tuple[Path, Path]]:
    """Return each file to damage, and the file or folder that is read."""
    found = []
    for top in sorted(FOLDER.iterdir()):
        files = sorted(p for p in top.rglob("*") if p.is_file()) if top.is_dir() else [top]
        found += [(file, top) for file in files]
    return found
