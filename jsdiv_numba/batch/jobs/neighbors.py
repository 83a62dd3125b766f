"""The neighbours of the rows of files that need not fit in memory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import index
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from jsdiv_numba._core.validation import EQUAL
from jsdiv_numba._neighbors.merge import NEIGHBOR, Parted
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.options import TableArguments, TableOptions
from jsdiv_numba.batch.io.sources import Source
from jsdiv_numba.batch.io.write import OUTPUT_SUFFIXES, TABLE_SUFFIXES, check_headings
from jsdiv_numba.batch.jobs.base import (
    ARRAYS,
    EDGE_BYTES,
    FileJob,
    RunOptions,
    array_sink,
    check_bound,
)
from jsdiv_numba.batch.jobs.neighbor_tasks import NearestTask, SearchTask, WithinTask, edges_of
from jsdiv_numba.batch.jobs.tested import (
    TestedNearestTask,
    TestedWithinTask,
    tested_arguments,
    tested_sink,
)
from jsdiv_numba.batch.run.engine import Plan, Summary
from jsdiv_numba.batch.run.executor import Executor
from jsdiv_numba.batch.run.progress import Progress
from jsdiv_numba.batch.run.sinks import Sink, TableSink
from jsdiv_numba.batch.run.task import Result
from jsdiv_numba.batch.run.tiling import MEMORY, Grid, Tile, search_height, search_step, share
from jsdiv_numba.batch.samples import HEADINGS

NUMBER = 5
"""How many neighbours are looked for where nothing is said."""


def neighbors(
    X: Any,
    Y: Any = None,
    *,
    out: str | os.PathLike[str],
    n_neighbors: int | None = None,
    max_distance: float | None = None,
    metric: str = "jensenshannon",
    base: float | None = None,
    weight: float = EQUAL,
    tile: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    resume: bool = False,
    memory: int = MEMORY,
    on_bad: str = "error",
    test: bool = False,
    executor: Executor | None = None,
    **table: Unpack[TableArguments],
) -> Summary:
    r"""Find the nearest rows of each row of a file, or all within a distance.

    .. math::

        D_{ij} = \sqrt{\mathrm{JS}\Big(\frac{x_i}{\sum x_i} \,\Big\|\, \frac{y_j}{\sum y_j}\Big)}

    Neither the files nor the result have to fit in memory. The neighbours are exact.

    Parameters
    ----------
    X : str, path or array_like, shape (n, d)
        The rows whose neighbours are wanted, one distribution a row; files as in
        `pairwise`.
    Y : str, path or array_like, shape (m, d), optional
        The rows among which to look. None is `X` itself, of which no row then is
        its own neighbour.
    out : str or path
        A ``.parquet``, ``.csv`` or ``.tsv`` file (both also ``.gz``): a line for each row
        and neighbour, with their labels and the distance. Or, not with `max_distance`, a
        ``.npy`` file of records of shape (n, n_neighbors), their fields ``neighbor``, an
        index, and the metric's name, or a Zarr group of two such arrays.
    n_neighbors : int, optional
        How many; 5 if `max_distance` is not given either.
    max_distance : float, optional
        Find all rows up to this value instead.
    tile : int, optional
        Rows of `X` in a tile; by default what `memory` allows, up to some thousand.
    on_bad : {"error", "nan"}, default "error"
        What to do with a row that is no distribution: stop, or list it in the file
        ``OUT.bad.csv``. It has no neighbours and is none: where there are not enough
        others, the index is -1, the label is empty, and the value is NaN.
    test : bool, default False
        Whether rows are counts, and the columns ``corrected``, ``p`` and ``q`` follow the value, as
        in `pairwise`: q is for as many pairs as are listed. Who is nearest was chosen by chance
        too: so neighbours that differ no more than by chance are not thereby the same.
    metric, base, weight, workers, progress, resume, memory, executor, **table
        As for `pairwise`.

    Returns
    -------
    Summary
        As in `pairwise`.

    Raises
    ------
    FileError
        As in `pairwise`, and if there are fewer than `n_neighbors` other rows.
    ValueError
        If an argument is wrong.

    See Also
    --------
    jsdiv_numba.kneighbors, jsdiv_numba.radius_neighbors : the same in memory.

    Notes
    -----
    A tile is a block of rows of `X`. Those of `Y` are read a block at a time, and what
    `kneighbors` finds in each is merged by distance, then by index. Neighbours, their
    order and each bit of their distances are those of `kneighbors` on the whole files.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from jsdiv_numba import batch
    >>> folder = tempfile.TemporaryDirectory()
    >>> out = os.path.join(folder.name, "nearest.npy")
    >>> counts = [[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]]
    >>> summary = batch.neighbors(counts, out=out, n_neighbors=2)
    >>> found = np.load(summary.output)
    >>> found["neighbor"].tolist()
    [[1, 3], [0, 3], [3, 1], [2, 1]]
    >>> found["jensenshannon"][0].round(3)
    array([0.042, 0.745])
    >>> folder.cleanup()
    """
    if n_neighbors is not None and max_distance is not None:
        raise ValueError("n_neighbors and max_distance cannot be used together")
    check_bound(max_distance)
    number = None
    if max_distance is None:
        number = NUMBER if n_neighbors is None else _integer("n_neighbors", n_neighbors)
        if number < 1:
            raise ValueError(f"n_neighbors is {n_neighbors!r}; it must be at least 1")
    options = TableOptions(**table)
    settings = tile, memory, on_bad, workers, executor, options, weight
    run_options = RunOptions(out, metric, base, *settings)
    run_options.require_symmetric(test)
    files = run_options.inputs(progress, X=X, Y=Y)
    run_options.check(files, TABLE_SUFFIXES if test or number is None else OUTPUT_SUFFIXES)
    job = NeighborJob(files, run_options, number, max_distance, test)
    return run_options.carry_out(job, resume, progress)


def _integer(name: str, value: Any) -> int:
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; it must be an integer") from None


@dataclass(frozen=True)
class NeighborJob(FileJob):
    """The neighbours of each row."""

    number: int | None  # how many; None is all within the bound
    max_distance: float | None  # the bound on their distance
    test: bool = False  # whether what is more than chance is written too

    def arguments(self) -> Mapping[str, Any]:
        """Return what the values depend on."""
        wanted = {"n_neighbors": self.number, "max_distance": self.max_distance}
        return self._arguments("neighbors", **wanted, **tested_arguments(self.test))

    def plan(self, folder: Path, sizes: list[int] | None) -> Plan:
        """Cut the rows into bands."""
        first, second = self._open(folder)
        self._require_enough(first, second)
        height, step = sizes or self._sizes(first, second)
        grid = Grid(first.shape[0], second.shape[0], height, second.shape[0])

        def amount(tile: Tile) -> int:
            return tile.shape[0] * tile.shape[1]

        task = partial(self._task, first=first, second=second, step=step)
        return Plan(grid, [height, step], task, self._sink(first, second, grid), amount, "pairs")

    def _require_enough(self, first: Source, second: Source) -> None:
        others = second.shape[0] - (first is second)
        if self.number is not None and self.number > others:
            raise FileError(
                f"{second.source}: {self.number} neighbours of a row are wanted, but there are "
                f"only {others}"
            )

    def _sizes(self, first: Source, second: Source) -> list[int]:
        run_options, rows, others = self.run_options, first.shape[0], second.shape[0]
        workers = run_options.executor.workers
        budget = share(run_options.memory, workers, others=0)
        step = search_step(first.row_values, second.dtype.itemsize, 0.75 * budget)
        if run_options.tile is not None:
            return [min(run_options.tile, rows), min(step, others)]
        height = search_height(first.row_values, others, self.number or 0, 0.25 * budget)
        # Several for each worker, so that none waits long for the last ones.
        fair = max(_FEWEST, -(-rows // (_TILES * workers)))
        return [min(height, fair, rows), min(step, others)]

    def _task(self, tile: Tile, *, first: Source, second: Source, step: int) -> SearchTask:
        run_options = self.run_options
        common = (
            tile,
            first,
            second,
            run_options.quantity,
            run_options.bad_is_nan,
            step,
            first is second,
        )
        if self.number is not None:
            nearest = TestedNearestTask if self.test else NearestTask
            return nearest(*common, number=self.number)
        within = TestedWithinTask if self.test else WithinTask
        most = max(tile.shape[0], int(run_options.budget / EDGE_BYTES))
        return within(*common, max_distance=self.max_distance or 0.0, most_pairs=most)

    def _sink(self, first: Source, second: Source, grid: Grid) -> Any:
        if self.number is not None and self.output.suffix.lower() in ARRAYS:
            quantity = self.run_options.quantity
            return partial(
                array_sink,
                shape=(grid.rows, self.number),
                dtype=Parted(quantity.metric, quantity.base, 1, first is second).dtype,
                chunks=(grid.height, self.number),
                mirrored=False,
            )
        headings = [first.label_name, NEIGHBOR, self.run_options.quantity.metric]
        if self.test:
            check_headings(self.output, [*headings, *HEADINGS])
            return tested_sink(first, second, grid, headings, self.run_options.memory)
        check_headings(self.output, headings)
        table = partial(_table, first, second, headings)

        def sink(part: Path, _fresh: bool) -> Sink:
            return TableSink(part, grid, table)

        return sink


_TILES, _FEWEST = 4, 512


def _table(first: Source, second: Source, headings: list[str], result: Result) -> Any:
    import pyarrow as pa

    rows, neighbours, values = edges_of(result, headings[-1])
    labels = first.labels(result.tile.i_start, result.tile.i_stop)
    there = neighbours >= 0
    names = second.labels_of(neighbours[there])
    # Where there is no neighbour, its label is missing.
    places = pa.array(np.cumsum(there) - 1, mask=~there)
    columns = labels.take(pa.array(rows - result.tile.i_start)), names.take(places)
    return pa.Table.from_arrays([*columns, pa.array(values)], names=headings)
