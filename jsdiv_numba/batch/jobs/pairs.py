"""Every pair of rows of one file, or of two."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from jsdiv_numba._core.validation import EQUAL
from jsdiv_numba.batch.io.options import TableArguments, TableOptions
from jsdiv_numba.batch.io.sources import Source
from jsdiv_numba.batch.io.write import (
    OUTPUT_SUFFIXES,
    TABLE_SUFFIXES,
    arrow_table,
    check_headings,
)
from jsdiv_numba.batch.jobs.base import (
    ARRAYS,
    EDGE_BYTES,
    FileJob,
    RunOptions,
    array_sink,
    check_bound,
    listed,
)
from jsdiv_numba.batch.jobs.tasks import REDUCTIONS, BandTask, MatrixTask
from jsdiv_numba.batch.jobs.tested import (
    PAIR_BYTES,
    TestedBandTask,
    tested_arguments,
    tested_sink,
)
from jsdiv_numba.batch.run.engine import Plan, Summary
from jsdiv_numba.batch.run.executor import Executor
from jsdiv_numba.batch.run.progress import Progress
from jsdiv_numba.batch.run.sinks import TableSink
from jsdiv_numba.batch.run.task import Result
from jsdiv_numba.batch.run.tiling import (
    LEAST_BAND,
    MEMORY,
    PAIR_WORK,
    Grid,
    Tile,
    band_height,
    row_height,
    square_side,
    thin_side,
)

# A value as Arrow holds it, and as text of 20 characters in two buffers.
_TABLE_COPIES = 8


def pairwise(
    X: Any,
    Y: Any = None,
    *,
    out: str | os.PathLike[str],
    metric: str = "jensenshannon",
    base: float | None = None,
    weight: float = EQUAL,
    tile: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    memory: int = MEMORY,
    max_distance: float | None = None,
    reduce: str | None = None,
    on_bad: str = "error",
    test: bool = False,
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
        `scipy.sparse`), ``.mtx``, ``.h5ad`` (``FILE.h5ad:layers/NAME``), ``.csv``,
        ``.tsv``, ``.tab``, ``.txt`` (all of text also ``.gz``), ``.parquet`` or
        ``.feather`` file, a folder of Parquet files or of a Zarr array, or a matrix,
        dense or sparse.
    Y : str, path or array_like, shape (m, d), optional
        The same; None compares the rows of `X` with each other.
    out : str or path
        A ``.npy``, ``.zarr``, ``.parquet``, ``.csv`` or ``.tsv`` file (both also
        ``.gz``) for the matrix, of shape (n, m).
    metric : {"jensenshannon", "js_divergence", "kl_divergence"}, default "jensenshannon"
        The distance, the divergence: its square, or the Kullback-Leibler divergence of
        rows of `Y` from those of `X`.
    base : float, optional
        Base of the logarithm; None is e.
    weight : float, default 0.5
        That of the rows of `Y`; see `jsdiv_numba.cdist`.
    tile : int, optional
        Rows and columns of a tile; by default what `memory` allows. A tile is what
        is lost at most when a run is stopped.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of `set_workers`.
        Results are bitwise identical for any number.
    progress : Progress, optional
        What is told how far the work is; None keeps silent.
    resume : bool, default False
        Whether to go on with an unfinished run of the same arguments, if there is one.
    memory : int, default 500,000,000
        Bytes to be used at most, over what the process used before.
    max_distance : float, optional
        Keep only the pairs of at most this value, as a table of their indices
        ``i`` and ``j``, sorted, in a ``.parquet`` file, with ``label_i`` and ``label_j``
        where a file has labels; of one file each pair once, i < j, or both ways
        where the values are not symmetric.
    reduce : {"mean", "min", "max"}, optional
        Keep one value for each row of `X`; of one file, that of the other rows.
    on_bad : {"error", "nan"}, default "error"
        What to do with a row that is no distribution: stop, or let its values be NaN
        and list it in the file ``OUT.bad.csv``. Reductions leave it out.
    test : bool, default False
        Whether rows are counts, and what of their divergence is more than chance is written beside
        it: a table with a line for each pair, of one file i < j, and the columns ``label_i``,
        ``label_j``, the metric's name, ``corrected``, ``p`` and ``q`` (p for as many pairs as
        there are, by Benjamini and Hochberg). Not with `max_distance` or `reduce`.
    executor : Executor, optional
        Who computes the tiles, with its own `workers`; by default threads.
    **table
        What is known of the files, and not to be guessed: `header`, `label_column`,
        `columns`, `exclude`, `exclude_rows`, `transpose`, `sep`, `decimal`, `comment`,
        `encoding`, `missing`, `long` and `format`, as
        `jsdiv_numba.batch.TableOptions` has them. Arrays are taken as they are.

    Returns
    -------
    Summary
        The output, the number of tiles and of those of an earlier run, the number of bad
        rows and the file that lists them.

    Raises
    ------
    FileError
        If a file cannot be read or written, a row is no distribution (with `test`, no counts),
        another run is writing `out`, or the unfinished run has other inputs, arguments or versions.
        A `ValueError` whose message is one line.
    ValueError
        If `metric`, `base`, `weight`, `tile`, `workers`, `memory`, `reduce`, `on_bad` or what is
        known of the files is wrong.

    See Also
    --------
    jsdiv_numba.cdist : the same in memory.

    Notes
    -----
    Until it is whole, the output and a journal lie in the folder ``OUT.partial``.
    Files other than ``.npy`` and Zarr are first copied there, as one ``.npy`` file: of
    sparse matrices and long tables the entries. Values are those of
    `jsdiv_numba.cdist`, to the last bit; means are added up in float64.

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
        raise ValueError(f"reduce is {reduce!r}; it must be one of {listed(REDUCTIONS)} or None")
    if reduce is not None and max_distance is not None:
        raise ValueError("reduce and max_distance cannot be used together")
    for name, value in (("reduce", reduce), ("max_distance", max_distance)):
        if test and value is not None:
            raise ValueError(f"test and {name} cannot be used together: all pairs are tested")
    check_bound(max_distance)
    options = TableOptions(**table)
    settings = tile, memory, on_bad, workers, executor, options, weight
    run_options = RunOptions(out, metric, base, *settings)
    run_options.require_symmetric(test)
    suffixes = OUTPUT_SUFFIXES if max_distance is None else (".parquet",)
    suffixes = TABLE_SUFFIXES if test else suffixes
    files = run_options.inputs(progress, X=X, Y=Y)
    run_options.check(files, suffixes)
    job = PairJob(files, run_options, max_distance, reduce, test)
    return run_options.carry_out(job, resume, progress)


@dataclass(frozen=True)
class PairJob(FileJob):
    """Every pair of rows."""

    max_distance: float | None  # the bound on what is kept
    reduce: str | None  # whether one value a row is kept
    test: bool = False  # whether what is more than chance is written too

    def arguments(self) -> Mapping[str, Any]:
        """Return what the values depend on."""
        kept = {"max_distance": self.max_distance, "reduce": self.reduce}
        return self._arguments("pairwise", **kept, **tested_arguments(self.test))

    def plan(self, folder: Path, sizes: list[int] | None) -> Plan:
        """Cut a matrix into tiles, all else into bands."""
        first, second = self._open(folder)
        if self.test:
            return self._lines(first, second, sizes)
        kept_whole = self.max_distance is None and self.reduce is None
        if kept_whole and self.output.suffix.lower() in ARRAYS:
            return self._tiles(first, second, sizes)
        return self._bands(first, second, sizes)

    def _tiles(self, first: Source, second: Source, sizes: list[int] | None) -> Plan:
        run_options, kind = self.run_options, np.result_type(first.dtype, second.dtype)
        shape, same = (first.shape[0], second.shape[0]), first is second
        symmetric = same and run_options.quantity.is_symmetric
        side = run_options.tile or square_side(first.row_values, kind.itemsize, run_options.budget)
        height, width = sizes or [min(side, n) for n in shape]
        grid = Grid(*shape, height, width, upper=symmetric)

        def task(tile: Tile) -> MatrixTask:
            return MatrixTask(
                tile,
                first,
                second,
                run_options.quantity,
                run_options.bad_is_nan,
                symmetric=same,
            )

        def amount(tile: Tile) -> int:
            once = tile.on_diagonal or not symmetric
            return tile.shape[0] * tile.shape[1] * (1 if once else 2)

        sink = partial(
            array_sink, shape=shape, dtype=kind, chunks=(height, width), mirrored=symmetric
        )
        return Plan(grid, [height, width], task, sink, amount, "pairs")

    def _bands(self, first: Source, second: Source, sizes: list[int] | None) -> Plan:
        run_options, kind = self.run_options, np.result_type(first.dtype, second.dtype)
        number, columns = first.shape[0], second.shape[0]
        height, step = sizes or self._band_sizes(first, columns, kind)
        grid = Grid(number, columns, height, columns)

        def task(tile: Tile) -> BandTask:
            return BandTask(
                tile,
                first,
                second,
                run_options.quantity,
                run_options.bad_is_nan,
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

    def _lines(self, first: Source, second: Source, sizes: list[int] | None) -> Plan:
        """Cut into bands that give a line for each pair."""
        run_options, symmetric = self.run_options, first is second
        number, columns = first.shape[0], second.shape[0]
        if sizes is None:
            height = run_options.tile or band_height(PAIR_BYTES * columns, run_options.budget / 2)
            height = min(height, number)
            step = thin_side(height, 2 * first.row_values, 8, run_options.budget / 4)
            sizes = [height, min(step, columns)]
        grid = Grid(number, columns, sizes[0], columns)

        def task(tile: Tile) -> TestedBandTask:
            return TestedBandTask(
                tile,
                first,
                second,
                run_options.quantity,
                run_options.bad_is_nan,
                step=sizes[1],
                symmetric=symmetric,
            )

        def amount(tile: Tile) -> int:
            height, _ = tile.shape
            before = (tile.i_start + tile.i_stop + 1) / 2 if symmetric else 0
            return int(height * (columns - before))

        headings = "label_i", "label_j", run_options.quantity.metric
        sink = tested_sink(first, second, grid, headings, run_options.memory)
        return Plan(grid, sizes, task, sink, amount, "pairs")

    @property
    def _most_pairs(self) -> int:
        return int(self.run_options.budget / EDGE_BYTES)

    def _band_sizes(self, first: Source, columns: int, kind: np.dtype[Any]) -> list[int]:
        budget, width = self.run_options.budget, first.row_values
        if self.max_distance is None and self.reduce is None:
            row_bytes = kind.itemsize * (_TABLE_COPIES * columns + 3 * width)
            height = self.run_options.tile or band_height(row_bytes, budget / 2)
            step = thin_side(height, width, kind.itemsize, budget / 4)
        else:
            most = square_side(width, 8, budget / 2)
            if self.max_distance is not None:
                # A fifth of the pairs may be close, or some thousands of each row.
                most = min(most, max(LEAST_BAND, self._most_pairs * 5 // columns))
            height = max(row_height(columns * width, PAIR_WORK), LEAST_BAND)
            height = self.run_options.tile or min(height, most)
            step = thin_side(height, width, 16, budget / 2)
        return [min(height, first.shape[0]), min(step, columns)]

    def _band_sink(self, first: Source, second: Source, grid: Grid, kind: np.dtype[Any]) -> Any:
        if self.reduce is not None and self.output.suffix.lower() in ARRAYS:
            shape, chunks = (grid.rows,), (grid.height,)
            return partial(array_sink, shape=shape, dtype=kind, chunks=chunks, mirrored=False)
        table: Callable[[Result], Any]
        if self.reduce is not None:
            table = partial(
                _band_table, first, [f"{self.reduce} {self.run_options.quantity.metric}"]
            )
        elif self.max_distance is None:
            headings = second.labels(0, grid.columns).to_pylist()
            check_headings(self.output, [first.label_name, *headings])
            table = partial(_band_table, first, headings)
        else:
            table = partial(_edge_table, first, second, self.run_options.quantity.metric)
        return lambda part, _fresh: TableSink(part, grid, table)


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
