"""Row i of one file against row i of another."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from jsdiv_numba.batch.io.matching import MATCHES, matched
from jsdiv_numba.batch.io.options import TableArguments, TableOptions
from jsdiv_numba.batch.io.sources import Source
from jsdiv_numba.batch.io.write import (
    OUTPUT_SUFFIXES,
    TABLE_SUFFIXES,
    arrow_table,
)
from jsdiv_numba.batch.jobs.base import ARRAYS, FileJob, RunOptions, array_sink, listed
from jsdiv_numba.batch.jobs.tasks import RowTask
from jsdiv_numba.batch.jobs.tested import TestedRowTask, tested_arguments, tested_sink
from jsdiv_numba.batch.run.engine import Plan, Summary
from jsdiv_numba.batch.run.executor import Executor
from jsdiv_numba.batch.run.progress import Progress
from jsdiv_numba.batch.run.sinks import TableSink
from jsdiv_numba.batch.run.task import Result
from jsdiv_numba.batch.run.tiling import (
    MEMORY,
    Grid,
    Tile,
    row_height,
)

_ROW_BYTES = 400
"""What a row of the result takes, with its labels."""


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
    test: bool = False,
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
    tile : int, optional
        Rows of a tile; by default what takes a fraction of a second.
    match : {"label", "position"}, optional
        Whether rows of the same label are compared, in the order of `P`, or rows in the
        same place; by default by label where both files have labels. Rows whose label the
        other file does not have are left out, with a warning.
    test : bool, default False
        As for `pairwise`: a table with the columns ``label_p``, ``label_q``, the metric's name,
        ``corrected``, ``p`` and ``q``.
    metric, base, workers, progress, resume, memory, on_bad, executor, **table
        As for `pairwise`.

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
        raise ValueError(f"match is {match!r}; it must be one of {listed(MATCHES)} or None")
    options = TableOptions(**table)
    run_options = RunOptions(out, metric, base, tile, memory, on_bad, workers, executor, options)
    files = run_options.inputs(progress, P=P, Q=Q)
    run_options.check(files, TABLE_SUFFIXES if test else OUTPUT_SUFFIXES)
    return run_options.carry_out(RowJob(files, run_options, match, test), resume, progress)


@dataclass(frozen=True)
class RowJob(FileJob):
    """Each row with the one of the same label, or of the same index."""

    match: str | None = None  # which of them. {"label", "position"}
    test: bool = False  # whether what is more than chance is written too

    def arguments(self) -> Mapping[str, Any]:
        """Return what the values depend on."""
        return self._arguments("rows", match=self.match, **tested_arguments(self.test))

    def plan(self, folder: Path, sizes: list[int] | None) -> Plan:
        """Cut the rows into bands."""
        first, second = matched(*self._open(folder), self.match)
        number, run_options = first.shape[0], self.run_options
        kind = np.result_type(first.dtype, second.dtype)
        height = run_options.tile or min(
            row_height(first.row_values), int(run_options.budget / _ROW_BYTES)
        )
        (height,) = sizes or [max(1, min(height, number))]
        grid = Grid(number, 1, height, 1)

        kind_of_task = TestedRowTask if self.test else RowTask

        def task(tile: Tile) -> RowTask:
            return kind_of_task(tile, first, second, run_options.quantity, run_options.bad_is_nan)

        def amount(tile: Tile) -> int:
            return tile.shape[0]

        return Plan(grid, [height], task, self._sink(first, second, grid, kind), amount, "rows")

    def _sink(self, first: Source, second: Source, grid: Grid, kind: np.dtype[Any]) -> Any:
        if self.test:
            headings = "label_p", "label_q", self.run_options.quantity.metric
            return tested_sink(first, second, grid, headings, self.run_options.memory)
        if self.output.suffix.lower() in ARRAYS:
            shape, chunks = (grid.rows,), (grid.height,)
            return partial(array_sink, shape=shape, dtype=kind, chunks=chunks, mirrored=False)

        def table(result: Result) -> Any:
            start, stop = result.tile.i_start, result.tile.i_stop
            labels = {"p": first.labels(start, stop), "q": second.labels(start, stop)}
            return arrow_table(result.values, labels, [self.run_options.quantity.metric])

        return lambda part, _fresh: TableSink(part, grid, table)
