"""Comparisons of files that need not fit in memory: what ``jsdiv_numba.batch`` offers."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from jsdiv_numba._core.alignment import check_labels
from jsdiv_numba._core.threads import get_workers
from jsdiv_numba._core.validation import log_base
from jsdiv_numba.batch.in_memory import require_same_columns
from jsdiv_numba.batch.io.inputs import Input, as_input
from jsdiv_numba.batch.io.matching import MATCHES, matched
from jsdiv_numba.batch.io.options import DEFAULT, TableArguments, TableOptions
from jsdiv_numba.batch.io.rows import Reading
from jsdiv_numba.batch.io.sources import Source
from jsdiv_numba.batch.io.write import (
    OUTPUT_SUFFIXES,
    arrow_table,
    check_destination,
    check_headings,
)
from jsdiv_numba.batch.jobs.tasks import REDUCTIONS, BandTask, MatrixTask, Result, RowTask
from jsdiv_numba.batch.quantity import METRICS, Quantity
from jsdiv_numba.batch.run.engine import Plan, Summary, carry_out
from jsdiv_numba.batch.run.executor import Executor, Threads
from jsdiv_numba.batch.run.progress import Progress, Silent
from jsdiv_numba.batch.run.sinks import NpySink, Sink, TableSink, ZarrGroupSink, ZarrSink
from jsdiv_numba.batch.run.tiling import (
    LEAST_BAND,
    MEMORY,
    MOST_MEMORY,
    PAIR_WORK,
    Grid,
    Tile,
    band_height,
    row_height,
    share,
    square_side,
    thin_side,
)

ON_BAD = ("error", "nan")
ARRAYS = (".npy", ".zarr")
EDGE_BYTES = 100
"""What a pair that is kept takes, all in all."""

_LABELLED_BYTES = 400
# A value as Arrow holds it, and as text of 20 characters in two buffers.
_TABLE_COPIES = 8


def pairwise(
    X: Any,
    Y: Any = None,
    *,
    out: str | os.PathLike[str],
    metric: str = "jensenshannon",
    base: float | None = None,
    tile: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    memory: int = MEMORY,
    max_distance: float | None = None,
    reduce: str | None = None,
    on_bad: str = "error",
    executor: Executor | None = None,
    **table: Unpack[TableArguments],
) -> Summary:
    r"""Compare every row of a file with every other, or with every row of a second file.

    .. math::

        D_{ij} = \sqrt{\mathrm{JS}\Big(\frac{x_i}{\sum x_i} \,\Big\|\, \frac{y_j}{\sum y_j}\Big)}

    Neither the files nor the result have to fit in memory.

    Parameters
    ----------
    X : str, path or array_like, shape (n, d)
        One distribution a row: a ``.npy``, ``.npz`` (``FILE.npz:NAME``, or of
        `scipy.sparse`), ``.mtx``, ``.csv``, ``.tsv``, ``.tab``, ``.txt`` (all of text
        also ``.gz``), ``.parquet`` or ``.feather`` file, a folder of Parquet files or of
        a Zarr array, or a matrix.
    Y : str, path or array_like, shape (m, d), optional
        The same; None compares the rows of `X` with each other.
    out : str or path
        A ``.npy``, ``.zarr``, ``.parquet``, ``.csv`` or ``.tsv`` file (both also
        ``.gz``) for the matrix, of shape (n, m).
    metric : {"jensenshannon", "js_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square.
    base : float, optional
        Base of the logarithm; None is e.
    tile : int, optional
        Rows and columns of a tile; by default what `memory` allows. A tile is what
        is lost at most when a run is stopped.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of `set_workers`.
        It changes no bit of the result.
    progress : Progress, optional
        What is told how far the work is; None keeps silent.
    resume : bool, default False
        Whether to go on with an unfinished run of the same arguments, if there is one.
    memory : int, default 500,000,000
        Bytes to be used at most, over what the process used before.
    max_distance : float, optional
        Keep only the pairs of at most this value, as a table of their indices
        ``i`` and ``j``, sorted, in a ``.parquet`` file, with ``label_i`` and ``label_j``
        where a file has labels; of one file each pair once, i < j.
    reduce : {"mean", "min", "max"}, optional
        Keep one value for each row of `X`; of one file, that of the other rows.
    on_bad : {"error", "nan"}, default "error"
        What to do with a row that is no distribution: stop, or let its values be NaN
        and list it in the file ``OUT.bad.csv``. Reductions leave it out.
    executor : Executor, optional
        Who computes the tiles; by default threads.
    **table
        What is known of the files, and not to be guessed: `header`, `label_column`,
        `columns`, `exclude`, `exclude_rows`, `transpose`, `sep`, `decimal`, `comment`,
        `encoding`, `missing`, `long` and `format`, as
        `jsdiv_numba.batch.io.options.TableOptions` has them.

    Returns
    -------
    Summary
        The output, the number of tiles and of those of an earlier run, the number of bad
        rows and the file that lists them.

    Raises
    ------
    FileError
        If a file cannot be read or written, a row is no distribution, another run is
        writing `out`, or the unfinished run has other inputs, arguments or versions.
        A `ValueError` whose message is one line.
    ValueError
        If `metric`, `base`, `tile`, `workers`, `memory`, `reduce`, `on_bad` or what is
        known of the files is wrong.

    See Also
    --------
    jsdiv_numba.cdist : the same in memory.

    Notes
    -----
    Until it is whole, the output and a journal lie in the folder ``OUT.partial``.
    Files other than ``.npy`` and Zarr are first copied there, as one ``.npy`` file. Values are
    those of `jsdiv_numba.cdist`, to the last bit; means are added up in float64.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from jsdiv_numba import batch
    >>> folder = tempfile.TemporaryDirectory()
    >>> file, out = os.path.join(folder.name, "x.npy"), os.path.join(folder.name, "d.npy")
    >>> np.save(file, [[1, 0], [0, 2], [3, 3]])
    >>> summary = batch.pairwise(file, out=out, base=2)
    >>> np.load(summary.output).round(6)
    array([[0.      , 1.      , 0.557923],
           [1.      , 0.      , 0.557923],
           [0.557923, 0.557923, 0.      ]])
    >>> folder.cleanup()
    """
    if reduce is not None and reduce not in REDUCTIONS:
        raise ValueError(f"reduce is {reduce!r}; it must be one of {_listed(REDUCTIONS)} or None")
    if reduce is not None and max_distance is not None:
        raise ValueError("reduce and max_distance cannot be used together")
    options = TableOptions(**table)
    frame = Frame(out, metric, base, tile, memory, on_bad, workers, executor, options)
    suffixes = OUTPUT_SUFFIXES if max_distance is None else (".parquet",)
    files = frame.inputs(progress, X=X, Y=Y)
    frame.check(files, suffixes)
    job = PairJob(files, frame, max_distance, reduce)
    return frame.carry_out(job, resume, progress)


def rows(
    P: Any,
    Q: Any,
    *,
    out: str | os.PathLike[str],
    metric: str = "jensenshannon",
    base: float | None = None,
    tile: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    memory: int = MEMORY,
    on_bad: str = "error",
    executor: Executor | None = None,
    match: str | None = None,
    **table: Unpack[TableArguments],
) -> Summary:
    r"""Compare each row of a file with the row of the same index in another.

    .. math::

        d_i = \sqrt{\mathrm{JS}\Big(\frac{p_i}{\sum p_i} \,\Big\|\, \frac{q_i}{\sum q_i}\Big)}

    Neither file has to fit in memory.

    Parameters
    ----------
    P, Q : str, path or array_like, shape (n, d)
        One distribution a row; files as in `pairwise`.
    out : str or path
        A ``.npy``, ``.zarr``, ``.parquet``, ``.csv`` or ``.tsv`` file for the n values.
    metric : {"jensenshannon", "js_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square.
    base : float, optional
        Base of the logarithm; None is e.
    tile : int, optional
        Rows of a tile; by default what takes a fraction of a second.
    workers, progress, resume, memory, on_bad, executor
        As in `pairwise`.
    match : {"label", "position"}, optional
        Whether rows of the same label are compared, in the order of `P`, or rows in the
        same place; by default by label where both files have labels. Rows whose label the
        other file does not have are left out, with a warning.
    **table
        As in `pairwise`.

    Returns
    -------
    Summary
        As in `pairwise`.

    Raises
    ------
    FileError
        As in `pairwise`; if the files have different numbers of rows, compared by their
        place; or if a label comes twice, compared by their labels.
    ValueError
        If an argument is wrong.

    See Also
    --------
    jsdiv_numba.jensenshannon : the same in memory.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from jsdiv_numba import batch
    >>> folder = tempfile.TemporaryDirectory()
    >>> out = os.path.join(folder.name, "d.npy")
    >>> summary = batch.rows([[1, 0], [1, 1]], [[0, 2], [3, 3]], out=out, base=2)
    >>> np.load(summary.output)
    array([1., 0.])
    >>> folder.cleanup()
    """
    if match not in (None, *MATCHES):
        raise ValueError(f"match is {match!r}; it must be one of {_listed(MATCHES)} or None")
    options = TableOptions(**table)
    frame = Frame(out, metric, base, tile, memory, on_bad, workers, executor, options)
    files = frame.inputs(progress, P=P, Q=Q)
    frame.check(files, OUTPUT_SUFFIXES)
    return frame.carry_out(RowJob(files, frame, match), resume, progress)


class Frame:
    """The arguments that all jobs share, checked."""

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
    ) -> None:
        if metric not in METRICS:
            raise ValueError(f"metric is {metric!r}; it must be one of {_listed(METRICS)}")
        log_base(base)
        if on_bad not in ON_BAD:
            raise ValueError(f"on_bad is {on_bad!r}; it must be one of {_listed(ON_BAD)}")
        for name, number in (("tile", tile), ("memory", memory)):
            if number is not None and number < 1:
                raise ValueError(f"{name} is {number!r}; it must be positive")
        if memory > MOST_MEMORY:
            raise ValueError(
                f"memory is {memory!r}; no machine has more than {MOST_MEMORY:,} bytes"
            )
        self.output, self.quantity, self.tile = Path(out), Quantity(metric, base), tile
        self.on_bad, self.lenient, self.table = on_bad, on_bad == "nan", table
        self.bad_is_nan = self.lenient or table.missing == "nan"
        self.executor = Threads(get_workers(workers)) if executor is None else executor
        self.memory, self.budget = memory, share(memory, self.executor.workers)

    def inputs(self, progress: Progress | None, **given: Any) -> tuple[Input, ...]:
        """Return what was given, by the names of the arguments; None stands for nothing."""

        def tell(reading: Reading) -> None:
            if progress is not None:
                progress.say("read", file=reading.source, line=str(reading))

        there = {name: value for name, value in given.items() if value is not None}
        check_labels(list(there), list(there.values()))
        return tuple(as_input(value, name, self.table, tell) for name, value in there.items())

    def check(self, files: Sequence[Input], suffixes: Sequence[str]) -> None:
        """Raise `FileError` if the output could not be written."""
        read = [str(file.path) for file in files if file.kind != "array"]
        # The folder of the unfinished run, which is made next, is the probe.
        check_destination(self.output, suffixes, read, probe=False)

    def carry_out(self, job: Any, resume: bool, progress: Progress | None) -> Summary:
        """Do a job."""
        return carry_out(job, resume=resume, executor=self.executor, progress=progress or Silent())


@dataclass(frozen=True)
class FileJob:
    """What the jobs over files share.

    Parameters
    ----------
    files : tuple of Input
        One or two files.
    frame : Frame
        Arguments.
    """

    files: tuple[Input, ...]
    frame: Frame

    @property
    def output(self) -> Path:
        """The file or folder to be written."""
        return self.frame.output

    @property
    def lists_bad_rows(self) -> bool:
        """Whether rows that are no distributions are listed."""
        return self.frame.bad_is_nan

    def inputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the files' fingerprints."""
        return {file.source: file.fingerprint() for file in self.files}

    def _arguments(self, command: str, **more: Any) -> dict[str, Any]:
        quantity = self.frame.quantity
        return {
            "command": command,
            "files": [file.source for file in self.files],
            "metric": quantity.metric,
            "base": quantity.base,
            "tile": self.frame.tile,
            "on_bad": self.frame.on_bad,
            "table": self.frame.table.given,
            **more,
        }

    def _open(self, folder: Path) -> tuple[Source, Source]:
        """Return both sources: the same one twice where there is one file."""
        opened = [
            file.open(folder, role, lenient=self.frame.lenient)
            for file, role in zip(self.files, ("first", "second"), strict=False)
        ]
        first, second = opened[0], opened[-1]
        require_same_columns(first, second)
        return first, second


@dataclass(frozen=True)
class PairJob(FileJob):
    """Every pair of rows.

    Parameters
    ----------
    max_distance : float or None
        The bound on what is kept.
    reduce : str or None
        Whether one value a row is kept.
    """

    max_distance: float | None
    reduce: str | None

    def arguments(self) -> Mapping[str, Any]:
        """Return what the values depend on."""
        return self._arguments("pairwise", max_distance=self.max_distance, reduce=self.reduce)

    def plan(self, folder: Path, sizes: list[int] | None) -> Plan:
        """Cut a matrix into tiles, all else into bands."""
        first, second = self._open(folder)
        kept_whole = self.max_distance is None and self.reduce is None
        if kept_whole and self.output.suffix.lower() in ARRAYS:
            return self._tiles(first, second, sizes)
        return self._bands(first, second, sizes)

    def _tiles(self, first: Source, second: Source, sizes: list[int] | None) -> Plan:
        frame, kind = self.frame, np.result_type(first.dtype, second.dtype)
        symmetric, shape = first is second, (first.shape[0], second.shape[0])
        side = frame.tile or square_side(first.width, kind.itemsize, frame.budget)
        height, width = sizes or [min(side, n) for n in shape]
        grid = Grid(*shape, height, width, upper=symmetric)

        def task(tile: Tile) -> MatrixTask:
            return MatrixTask(
                tile, first, second, frame.quantity, frame.bad_is_nan, symmetric=symmetric
            )

        def amount(tile: Tile) -> int:
            once = tile.on_diagonal or not symmetric
            return tile.shape[0] * tile.shape[1] * (1 if once else 2)

        sink = partial(
            array_sink, shape=shape, dtype=kind, chunks=(height, width), mirrored=symmetric
        )
        return Plan(grid, [height, width], task, sink, amount, "pairs")

    def _bands(self, first: Source, second: Source, sizes: list[int] | None) -> Plan:
        frame, kind = self.frame, np.result_type(first.dtype, second.dtype)
        number, columns = first.shape[0], second.shape[0]
        height, step = sizes or self._band_sizes(first, columns, kind)
        grid = Grid(number, columns, height, columns)

        def task(tile: Tile) -> BandTask:
            return BandTask(
                tile,
                first,
                second,
                frame.quantity,
                frame.bad_is_nan,
                step=step,
                symmetric=first is second,
                max_distance=self.max_distance,
                reduce=self.reduce,
                most_pairs=max(height, self._most_pairs),
            )

        def amount(tile: Tile) -> int:
            return tile.shape[0] * tile.shape[1]

        sink = self._band_sink(first, second, grid, kind)
        return Plan(grid, [height, step], task, sink, amount, "pairs")

    @property
    def _most_pairs(self) -> int:
        return int(self.frame.budget / EDGE_BYTES)

    def _band_sizes(self, first: Source, columns: int, kind: np.dtype[Any]) -> list[int]:
        budget, width = self.frame.budget, first.width
        if self.max_distance is None and self.reduce is None:
            row_bytes = kind.itemsize * (_TABLE_COPIES * columns + 3 * width)
            height = self.frame.tile or band_height(row_bytes, budget / 2)
            step = thin_side(height, width, kind.itemsize, budget / 4)
        else:
            most = square_side(width, 8, budget / 2)
            if self.max_distance is not None:
                # A fifth of the pairs may be close, or some thousands of each row.
                most = min(most, max(LEAST_BAND, self._most_pairs * 5 // columns))
            height = max(row_height(columns * width, PAIR_WORK), LEAST_BAND)
            height = self.frame.tile or min(height, most)
            step = thin_side(height, width, 16, budget / 2)
        return [min(height, first.shape[0]), min(step, columns)]

    def _band_sink(self, first: Source, second: Source, grid: Grid, kind: np.dtype[Any]) -> Any:
        if self.reduce is not None and self.output.suffix.lower() in ARRAYS:
            shape, chunks = (grid.rows,), (grid.height,)
            return partial(array_sink, shape=shape, dtype=kind, chunks=chunks, mirrored=False)
        table: Callable[[Result], Any]
        if self.reduce is not None:
            table = partial(_band_table, first, [f"{self.reduce} {self.frame.quantity.metric}"])
        elif self.max_distance is None:
            headings = second.labels(0, grid.columns).to_pylist()
            check_headings(self.output, [first.label_name, *headings])
            table = partial(_band_table, first, headings)
        else:
            table = partial(_edge_table, first, second, self.frame.quantity.metric)
        return lambda part, _fresh: TableSink(part, grid, table)


@dataclass(frozen=True)
class RowJob(FileJob):
    """Each row with the one of the same label, or of the same index.

    Parameters
    ----------
    match : {"label", "position"} or None
        Which of them.
    """

    match: str | None = None

    def arguments(self) -> Mapping[str, Any]:
        """Return what the values depend on."""
        return self._arguments("rows", match=self.match)

    def plan(self, folder: Path, sizes: list[int] | None) -> Plan:
        """Cut the rows into bands."""
        first, second = matched(*self._open(folder), self.match)
        number, frame = first.shape[0], self.frame
        kind = np.result_type(first.dtype, second.dtype)
        height = frame.tile or min(row_height(first.width), int(frame.budget / _LABELLED_BYTES))
        (height,) = sizes or [max(1, min(height, number))]
        grid = Grid(number, 1, height, 1)

        def task(tile: Tile) -> RowTask:
            return RowTask(tile, first, second, frame.quantity, frame.bad_is_nan)

        def amount(tile: Tile) -> int:
            return tile.shape[0]

        return Plan(grid, [height], task, self._sink(first, second, grid, kind), amount, "rows")

    def _sink(self, first: Source, second: Source, grid: Grid, kind: np.dtype[Any]) -> Any:
        if self.output.suffix.lower() in ARRAYS:
            shape, chunks = (grid.rows,), (grid.height,)
            return partial(array_sink, shape=shape, dtype=kind, chunks=chunks, mirrored=False)

        def table(result: Result) -> Any:
            start, stop = result.tile.i_start, result.tile.i_stop
            labels = {"p": first.labels(start, stop), "q": second.labels(start, stop)}
            return arrow_table(result.values, labels, [self.frame.quantity.metric])

        return lambda part, _fresh: TableSink(part, grid, table)


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


def _band_table(first: Source, headings: Sequence[str], result: Result) -> Any:
    labels = {first.label_name: first.labels(result.tile.i_start, result.tile.i_stop)}
    return arrow_table(result.values, labels, headings)


def _edge_table(first: Source, second: Source, metric: str, result: Result) -> Any:
    """Return indices, the labels where there are any, and values."""
    import pyarrow as pa

    pairs = np.empty((0, 2), np.int64) if result.pairs is None else result.pairs
    i, j = (np.ascontiguousarray(column) for column in pairs.T)
    columns = {"i": i, "j": j}
    if first.labelled or second.labelled:
        columns |= {"label_i": first.labels_of(i), "label_j": second.labels_of(j)}
    return pa.table({**columns, metric: result.values})


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
