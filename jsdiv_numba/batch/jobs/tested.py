"""``test=True``: beside each value, what of it is more than chance.

A tile gives a line for each of its pairs, with the p-value. Only at the end are all of them known:
q, the last column, is filled in then.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.discovery import write_qvalues
from jsdiv_numba.batch.errors import RowError
from jsdiv_numba.batch.io.rows import Fault
from jsdiv_numba.batch.io.sources import Source
from jsdiv_numba.batch.jobs.neighbor_tasks import NOBODY, NearestTask, WithinTask, edges_of
from jsdiv_numba.batch.jobs.tasks import (
    BlocksTask,
    Floats,
    Kept,
    ReadTask,
    Rows,
    RowTask,
    Values,
)
from jsdiv_numba.batch.run.ranked import RankedSink, Ranking
from jsdiv_numba.batch.run.sinks import Sink
from jsdiv_numba.batch.run.task import Result
from jsdiv_numba.batch.run.tiling import Grid
from jsdiv_numba.batch.samples import HEADINGS, crossed, fraction, paired, within

PAIR_BYTES = 300
"""What a pair takes until it is written, with both labels."""

_STEP_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class TestedTask(ReadTask):
    """What the tasks share: rows have to be counts."""

    __test__ = False  # for pytest, to which the name is that of tests

    def _checked(self, values: Values, file: Rows, start: int) -> tuple[Values, list[Fault]]:
        values, found = super()._checked(values, file, start)
        wrong = fraction(values, file.source, file.columns, start)
        if wrong is not None:
            raise RowError(str(wrong))
        return values, found


@dataclass(frozen=True)
class TestedBandTask(TestedTask, BlocksTask):
    """Every pair of a band; of one file each pair once, i < j."""

    def _kept(self, a: Values) -> Kept:
        start = self.tile.i_start if self.symmetric else 0
        lines = np.full((a.shape[0], self.tile.j_stop - start, 3), np.nan)
        found: list[Fault] = []
        if self.symmetric:
            i, j = np.triu_indices(a.shape[0], 1)
            own = self._cdist(a, a)[i, j]
            lines[i, j] = np.stack([own, *within(a, self.quantity)], axis=-1)
        for j_start, b, wrong in self._blocks(self.tile.i_stop if self.symmetric else 0):
            columns = slice(j_start - start, j_start - start + b.shape[0])
            part = [self._cdist(a, b), *crossed(a, b, self.quantity)]
            lines[:, columns] = np.stack(part, axis=-1)
            found += wrong
        rows, columns = np.indices(lines.shape[:2])
        wanted = columns > rows if self.symmetric else np.ones(lines.shape[:2], bool)
        pairs = np.stack([rows[wanted] + self.tile.i_start, columns[wanted] + start], axis=-1)
        return lines[wanted], pairs, found


@dataclass(frozen=True)
class TestedRowTask(TestedTask, RowTask):
    """The rows of a tile, each with the row of the same index in the other file."""

    def compute(self) -> Result:
        """Return a line for each row."""
        start, stop = self.tile.i_start, self.tile.i_stop
        step = max(1, _STEP_ELEMENTS // self.first.row_values)
        lines: list[Floats] = []
        found: list[Fault] = []
        for i in range(start, stop, step):
            p, wrong = self._load(self.first, i, min(i + step, stop))
            q, also_wrong = self._load(self.second, i, min(i + step, stop))
            values = np.empty(p.shape[0], np.result_type(p.dtype, q.dtype))
            self._distances(p, q, values)
            lines.append(np.stack([values, *paired(p, q, self.quantity)], axis=-1))
            found += wrong + also_wrong
        index = np.arange(start, stop)
        return Result(self.tile, np.concatenate(lines), np.stack([index, index], -1), tuple(found))


@dataclass(frozen=True)
class _TestedSearch(TestedTask, BlocksTask):
    """Neighbours that were found, tested: the rows of the second file are read once more."""

    def compute(self) -> Result:
        """Return a line for each row and neighbour."""
        result = super().compute()
        rows, neighbours, values = edges_of(result, self.quantity.metric)
        a, _ = self._load(self.first, self.tile.i_start, self.tile.i_stop)
        lines = np.full((len(rows), 3), np.nan)
        lines[:, 0] = values
        for j, b, _ in self._blocks(0):
            near = np.flatnonzero((neighbours >= j) & (neighbours < j + b.shape[0]))
            for some in _parts(near, self.first.row_values):
                p, q = a[rows[some] - self.tile.i_start], b[neighbours[some] - j]
                lines[some, 1:] = np.stack(paired(p, q, self.quantity), axis=-1)
        return result._replace(values=lines, pairs=np.stack([rows, neighbours], axis=-1))


def _parts(index: NDArray[np.int64], width: int) -> Iterator[NDArray[np.int64]]:
    step = max(1, _STEP_ELEMENTS // width)
    for start in range(0, len(index), step):
        yield index[start : start + step]


@dataclass(frozen=True)
class TestedNearestTask(_TestedSearch, NearestTask):
    """The nearest rows of each row of a band."""


@dataclass(frozen=True)
class TestedWithinTask(_TestedSearch, WithinTask):
    """All rows within a distance of each row of a band."""


def tested_arguments(test: bool) -> dict[str, bool]:
    """Return what the journal of a run says of it."""
    return {"test": True} if test else {}


def tested_sink(
    first: Source, second: Source, grid: Grid, headings: Sequence[str], memory: int
) -> Callable[[Path, bool], Sink]:
    """Return where lines go: `headings` are those of both labels and of the value."""
    *shown, last = HEADINGS
    # Nothing is computed meanwhile, but Arrow's tables are there.
    ranking = Ranking(shown[-1], last, write_qvalues, memory // 2)
    table = partial(_table, first, second, [*headings, *shown])

    def sink(part: Path, _fresh: bool) -> Sink:
        return RankedSink(part, grid, table, ranking)

    return sink


def _table(first: Source, second: Source, headings: list[str], result: Result) -> Any:
    import pyarrow as pa

    pairs = np.empty((0, 2), np.int64) if result.pairs is None else result.pairs
    i, j = (np.ascontiguousarray(column) for column in pairs.T)
    there = j != NOBODY
    names = second.labels_of(j[there])
    # Where there is no neighbour, its label is missing.
    places = pa.array(np.cumsum(there) - 1, mask=~there)
    columns = [first.labels_of(i), names.take(places)]
    columns += [pa.array(np.ascontiguousarray(column)) for column in result.values.T]
    return pa.Table.from_arrays(columns, names=headings)
