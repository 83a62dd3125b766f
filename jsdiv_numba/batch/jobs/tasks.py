"""One tile, from its rows to its values: all that a thread or another machine has to be told."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError, RowError
from jsdiv_numba.batch.io.rows import Fault, faults, undefined, without
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.run.executor import stop_here_if_asked
from jsdiv_numba.batch.run.task import Result
from jsdiv_numba.batch.run.tiling import Tile

Floats = NDArray[np.floating[Any]]
Values = Any
"""Rows as a file gives them: an array, or a sparse one."""
Kept = tuple[NDArray[Any], NDArray[np.int64] | None, list[Fault]]
"""Values, the pairs that they are of, and the rows of the second file that are no distributions."""

_COMBINE: dict[str, tuple[np.ufunc, float]] = {
    "mean": (np.add, 0.0),
    "min": (np.fmin, np.nan),
    "max": (np.fmax, np.nan),
}
REDUCTIONS = tuple(_COMBINE)
_STEP_BYTES = 1 << 21


class Rows(Protocol):
    """The rows of a file, read when they are asked for; see `jsdiv_numba.batch.io.sources`."""

    @property
    def source(self) -> str:
        """The file, as the user named it."""

    @property
    def width(self) -> int:
        """The number of columns."""

    @property
    def row_values(self) -> int:
        """How many values a row takes in memory."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """What `rows` gives: float32 or float64."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The headings of the columns."""

    def rows(self, start: int, stop: int) -> Values:
        """Return rows start .. stop, shape (stop - start, width)."""

    def blocks(self, start: int, stop: int, step: int) -> Iterator[Values]:
        """Yield rows start .. stop, `step` at a time; a block may overwrite the one before."""


@dataclass(frozen=True)
class ReadTask:
    """What all tasks share: two files, a tile, and what to do with a bad row."""

    tile: Tile
    first: Rows
    second: Rows
    quantity: Quantity
    bad_is_nan: bool

    def _load(self, file: Rows, start: int, stop: int) -> tuple[Values, list[Fault]]:
        """Return rows that are distributions, or all NaN, and what was wrong with these."""
        return self._checked(file.rows(start, stop), file, start)

    def _checked(self, values: Values, file: Rows, start: int) -> tuple[Values, list[Fault]]:
        found = faults(values, file.source, start, file.columns)
        if not found:
            return values, found
        if not self.bad_is_nan:
            raise RowError(str(found[0]))
        return without(values, [fault.row - start for fault in found]), found

    def _cdist(self, a: Values, b: Values) -> Floats:
        from jsdiv_numba.distance import cdist

        quantity = self.quantity
        settings: dict[str, Any] = {"base": quantity.base, "weight": quantity.weight}
        values: Floats = cdist(a, b, quantity.metric, workers=1, **settings)
        return values


@dataclass(frozen=True)
class MatrixTask(ReadTask):
    """Every pair of a tile, the values in a matrix.

    With `symmetric`, both files are the same, and a tile on the diagonal is
    computed above it and mirrored, unless values are not the same either way.
    """

    symmetric: bool = False

    def compute(self) -> Result:
        """Return the matrix, and the bad rows of each file once among all tiles."""
        tile = self.tile
        a, wrong = self._load(self.first, tile.i_start, tile.i_stop)
        if self.symmetric and tile.on_diagonal:
            return Result(tile, self._square(a), faults=tuple(wrong))
        b, also_wrong = self._load(self.second, tile.j_start, tile.j_stop)
        report: list[Fault] = []
        if not self.symmetric:
            report += wrong if tile.j_start == 0 else []
            report += also_wrong if tile.i_start == 0 else []
        return Result(tile, self._cdist(a, b), faults=tuple(report))

    def _square(self, rows: Values) -> Floats:
        from jsdiv_numba.distance import pdist

        if not self.quantity.is_symmetric:
            return self._cdist(rows, rows)
        size, missing = rows.shape[0], undefined(rows)
        square = np.empty((size, size), rows.dtype)
        condensed = pdist(rows, self.quantity.metric, base=self.quantity.base, workers=1)
        start = 0
        for i in range(size):
            stop = start + size - 1 - i
            square[i, i] = np.nan if missing[i] else 0
            square[i, i + 1 :] = square[i + 1 :, i] = condensed[start:stop]
            start = stop
        return square


@dataclass(frozen=True)
class BlocksTask(ReadTask, ABC):
    """A band of rows with all rows of the second file, a few of these at a time."""

    step: int = 1  # how many rows of the second file are compared at a time
    symmetric: bool = False  # whether both files are the same

    def compute(self) -> Result:
        """Return what is kept of the band."""
        tile = self.tile
        a, wrong = self._load(self.first, tile.i_start, tile.i_stop)
        values, pairs, also_wrong = self._kept(a)
        report = wrong + (also_wrong if tile.i_start == 0 and not self.symmetric else [])
        return Result(tile, values, pairs, tuple(report))

    @abstractmethod
    def _kept(self, a: Values) -> Kept:
        """Return what is kept of the band, whose rows are given."""

    def _blocks(self, start: int) -> Iterator[tuple[int, Values, list[Fault]]]:
        for j in range(start, self.tile.j_stop, self.step):
            stop_here_if_asked()
            block, wrong = self._load(self.second, j, min(j + self.step, self.tile.j_stop))
            yield j, block, wrong

    def _require_room(self, pairs: int, most: int | None, bound: float) -> None:
        if most is not None and pairs > most:
            raise FileError(
                f"{self.first.source}, rows {self.tile.i_start} to {self.tile.i_stop - 1}: more "
                f"than {most:,} pairs are within {bound:g}; lower it, give more memory, or a "
                "smaller tile"
            )


@dataclass(frozen=True)
class BandTask(BlocksTask):
    """Every pair of a band, those up to a value, or one value a row."""

    max_distance: float | None = None
    """Keep only the pairs up to this value; of one file each pair once, i < j."""
    reduce: str | None = None
    """Keep one value a row; of one file, that of the other rows. {"mean", "min", "max"}."""
    most_pairs: int | None = None  # how many pairs are kept at most

    def _kept(self, a: Values) -> Kept:
        if self.max_distance is not None:
            return self._within(a, self.max_distance)
        if self.reduce is not None:
            return self._reduced(a, self.reduce)
        return self._whole(a)

    def _whole(self, a: Values) -> Kept:
        found: list[Fault] = []
        values = np.empty(self.tile.shape, np.result_type(a.dtype, self.second.dtype))
        for j, b, wrong in self._blocks(0):
            values[:, j : j + b.shape[0]] = self._cdist(a, b)
            found += wrong
        return values, None, found

    def _within(self, a: Values, bound: float) -> Kept:
        start = self.tile.i_start
        found: list[Fault] = []
        values, pairs = [], []
        once = self.symmetric and self.quantity.is_symmetric
        for j, b, wrong in self._blocks(start if once else 0):
            matrix = self._cdist(a, b)
            rows, columns = np.nonzero(matrix <= bound)
            if self.symmetric:
                i, k = rows + start, columns + j
                others = i < k if once else i != k
                rows, columns = rows[others], columns[others]
            values.append(matrix[rows, columns])
            pairs.append(np.stack([rows + start, columns + j], axis=1))
            found += wrong
            self._require_room(sum(map(len, values)), self.most_pairs, bound)
        joined = np.concatenate(pairs)
        order = np.lexsort((joined[:, 1], joined[:, 0]))
        return np.concatenate(values)[order], joined[order], found

    def _reduced(self, a: Values, reduce: str) -> Kept:
        combine, initial = _COMBINE[reduce]
        found: list[Fault] = []
        kind = np.result_type(a.dtype, self.second.dtype)
        total = np.full(a.shape[0], initial)
        count = np.zeros(a.shape[0], np.int64)
        for j, b, wrong in self._blocks(0):
            matrix = self._cdist(a, b).astype(np.float64, copy=False)
            other = ~undefined(b)[np.newaxis].repeat(a.shape[0], axis=0)
            if self.symmetric:
                i = np.arange(max(self.tile.i_start, j), min(self.tile.i_stop, j + b.shape[0]))
                other[i - self.tile.i_start, i - j] = False
            part = combine.reduce(matrix, axis=1, where=other, initial=initial)
            total = combine(total, part)
            count += other.sum(axis=1)
            found += wrong
        if reduce == "mean":
            with np.errstate(invalid="ignore"):
                total /= count
        total[undefined(a)] = np.nan
        return total.astype(kind), None, found


@dataclass(frozen=True)
class RowTask(ReadTask):
    """The rows of a tile, each with the row of the same index in the other file."""

    def compute(self) -> Result:
        """Return a value for each row."""
        start, stop = self.tile.i_start, self.tile.i_stop
        kind = np.result_type(self.first.dtype, self.second.dtype)
        values = np.empty(stop - start, kind)
        found: list[Fault] = []
        step = max(1, _STEP_BYTES // (self.first.row_values * kind.itemsize))
        first, second = (file.blocks(start, stop, step) for file in (self.first, self.second))
        for i, p, q in zip(range(start, stop, step), first, second, strict=True):
            found += self._part(p, q, i, values[i - start : i - start + p.shape[0]])
        return Result(self.tile, values, faults=tuple(found))

    def _part(self, p: Values, q: Values, start: int, values: Floats) -> list[Fault]:
        found: list[Fault] = []
        try:
            self._distances(p, q, values)
            good = not np.isnan(values).any()
        except ValueError:
            good = False
        if not good:
            # Only now: to look at every value beforehand takes as long as to compare the rows.
            p, found = self._checked(p, self.first, start)
            q, also_wrong = self._checked(q, self.second, start)
            found += also_wrong
            self._distances(p, q, values)
        return found

    def _distances(self, p: Values, q: Values, values: Floats) -> None:
        from jsdiv_numba.distance import jensenshannon

        values[...] = jensenshannon(p, q, self.quantity.base, axis=1, workers=1)
        if not self.quantity.is_distance:
            # Squaring costs two roundings; dividing the rows by their sums first would cost
            # the accuracy of rows that are nearly equal.
            np.multiply(values, values, out=values)
