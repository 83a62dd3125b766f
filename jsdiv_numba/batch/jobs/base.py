"""What all jobs over files share: their arguments, checked, and their inputs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from jsdiv_numba._core.alignment import check_labels
from jsdiv_numba._core.metric import METRICS, SYMMETRIC
from jsdiv_numba._core.pair_metric import metric_of
from jsdiv_numba._core.threads import get_workers
from jsdiv_numba._core.validation import EQUAL, not_negative
from jsdiv_numba.batch.io.columns import require_same_columns
from jsdiv_numba.batch.io.inputs import Input, as_input
from jsdiv_numba.batch.io.options import DEFAULT, TableOptions
from jsdiv_numba.batch.io.rows import Reading
from jsdiv_numba.batch.io.sources import Source
from jsdiv_numba.batch.io.write import (
    check_destination,
)
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.run.engine import Summary, carry_out
from jsdiv_numba.batch.run.executor import Executor, Threads
from jsdiv_numba.batch.run.progress import Progress, Silent
from jsdiv_numba.batch.run.sinks import NpySink, Sink, ZarrGroupSink, ZarrSink
from jsdiv_numba.batch.run.tiling import (
    MOST_MEMORY,
    share,
)

ON_BAD = ("error", "nan")
ARRAYS = (".npy", ".zarr")
OPTIONAL = "Y"
"""The input without which rows are compared with those of the first."""
EDGE_BYTES = 100
"""What a pair that is kept takes, all in all."""


class RunOptions:
    """The arguments that all jobs share, checked.

    `weight` is None where values are of rows, one by one: then metrics are symmetric.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        metric: str,
        base: float | None,
        tile: int | None,
        memory: int,
        on_bad: str,
        workers: int | None,
        executor: Executor | None,
        table: TableOptions = DEFAULT,
        weight: float | None = None,
    ) -> None:
        metrics = SYMMETRIC if weight is None else METRICS
        if metric not in metrics:
            raise ValueError(f"metric is {metric!r}; it must be one of {listed(metrics)}")
        weight = metric_of(metric, base, EQUAL if weight is None else weight).weight
        if on_bad not in ON_BAD:
            raise ValueError(f"on_bad is {on_bad!r}; it must be one of {listed(ON_BAD)}")
        if tile is not None:
            _require_positive("tile", tile, Integral, "a whole number of rows")
        _require_positive("memory", memory, Real, "a number of bytes, such as 500_000_000")
        if memory > MOST_MEMORY:
            raise ValueError(
                f"memory is {memory!r}; no machine has more than {MOST_MEMORY:,} bytes"
            )
        self.output, self.quantity, self.tile = Path(out), Quantity(metric, base, weight), tile
        self.on_bad, self.lenient, self.table = on_bad, on_bad == "nan", table
        self.bad_is_nan = self.lenient or table.missing == "nan"
        require_methods("executor", executor, Executor, ("workers", "results"))
        if executor is not None and workers is not None:
            raise ValueError(
                f"workers is {workers!r}, but an executor has its own; pass one of both"
            )
        self.executor = Threads(get_workers(workers)) if executor is None else executor
        self.memory, self.budget = memory, share(memory, self.executor.workers)

    def require_symmetric(self, test: bool) -> None:
        """Raise if values are to be tested that differ either way: tests are of equal weights."""
        if test and not self.quantity.is_symmetric:
            other = "weight" if self.quantity.metric in SYMMETRIC else "metric='kl_divergence'"
            raise ValueError(f"test and {other} cannot be used together")

    def inputs(self, progress: Progress | None, **given: Any) -> tuple[Input, ...]:
        """Return what was given, by the names of the arguments; `OPTIONAL` may be None."""

        def tell(reading: Reading) -> None:
            if progress is not None:
                progress.say("read", file=reading.source, line=str(reading))

        require_methods("progress", progress, Progress, ("start", "advance", "say", "stop"))
        for name, value in given.items():
            if value is None and name != OPTIONAL:
                raise TypeError(f"{name} is None; pass the name of a file, or an array")
        there = {name: value for name, value in given.items() if value is not None}
        check_labels(list(there), list(there.values()))
        if not any(isinstance(value, str | os.PathLike) for value in there.values()):
            self._require_nothing_of_files()
        return tuple(as_input(value, name, self.table, tell) for name, value in there.items())

    def _require_nothing_of_files(self) -> None:
        """Raise if something is said of how files are read; NaN of arrays may be missing, too."""
        for name, value in self.table.given.items():
            if (name, value) != ("missing", "nan"):
                raise ValueError(
                    f"{name} is {value!r}, but no file is read; pass arrays as they are to be "
                    "compared"
                )

    def check(self, files: Sequence[Input], suffixes: Sequence[str]) -> None:
        """Raise `FileError` if the output could not be written."""
        read = [str(file.read) for file in files if file.read is not None]
        # The folder of the unfinished run, which is made next, is the probe.
        check_destination(self.output, suffixes, read, probe=False)

    def carry_out(self, job: Any, resume: bool, progress: Progress | None) -> Summary:
        """Do a job."""
        return carry_out(job, resume=resume, executor=self.executor, progress=progress or Silent())


@dataclass(frozen=True)
class FileJob:
    """What the jobs over files share."""

    files: tuple[Input, ...]  # one or two files
    run_options: RunOptions  # arguments

    @property
    def output(self) -> Path:
        """The file or folder to be written."""
        return self.run_options.output

    @property
    def lists_bad_rows(self) -> bool:
        """Whether rows that are no distributions are listed."""
        return self.run_options.bad_is_nan

    def inputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the files' fingerprints."""
        return {file.source: file.fingerprint() for file in self.files}

    def _arguments(self, command: str, **more: Any) -> dict[str, Any]:
        quantity = self.run_options.quantity
        return {
            "command": command,
            "files": [file.source for file in self.files],
            "metric": quantity.metric,
            "base": quantity.base,
            "weight": quantity.weight,
            "tile": self.run_options.tile,
            "on_bad": self.run_options.on_bad,
            "table": self.run_options.table.given,
            **more,
        }

    def _open(self, folder: Path) -> tuple[Source, Source]:
        """Return both sources: the same one twice where there is one file."""
        opened = [
            file.open(folder, role, lenient=self.run_options.lenient)
            for file, role in zip(self.files, ("first", "second"), strict=False)
        ]
        first, second = opened[0], opened[-1]
        require_same_columns(first, second)
        return first, second


def array_sink(
    part: Path,
    fresh: bool,
    *,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    chunks: tuple[int, ...],
    mirrored: bool,
) -> Sink:
    """Return where an array goes, by the extension of its file; records into arrays of a group."""
    if part.suffix.lower() == ".zarr":
        if dtype.names:
            return ZarrGroupSink(part, shape, dtype, chunks=chunks, fresh=fresh)
        return ZarrSink(part, shape, dtype, chunks=chunks, mirrored=mirrored, fresh=fresh)
    return NpySink(part, shape, dtype, mirrored=mirrored, fresh=fresh)


def check_bound(max_distance: float | None) -> None:
    """Raise if a bound excludes all values, or is none."""
    if max_distance is not None:
        not_negative("max_distance", max_distance)


def _require_positive(name: str, value: Any, kind: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, kind) or not value >= 1:
        raise ValueError(f"{name} is {value!r}; it must be positive: {what}")


def require_methods(name: str, value: Any, protocol: type, wanted: Sequence[str]) -> None:
    """Raise if an argument has not what its protocol has."""
    if value is not None and not all(hasattr(value, attribute) for attribute in wanted):
        raise TypeError(
            f"{name} is {value!r}; it must be an object with what jsdiv_numba.batch."
            f"{protocol.__name__} has: {', '.join(wanted)}"
        )


def listed(names: Sequence[str]) -> str:
    """Write names one after another, as a message has them."""
    return ", ".join(map(repr, names))
