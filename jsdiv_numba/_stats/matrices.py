"""Matrices of counts, each row of one with each of another; sparse ones made dense in blocks."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from . import counts
from .counts import BoolArray, IntArray, is_sparse, sizes_of
from .null import Null, Pairs
from .testing import Outcome, Settings, outcome_of

BLOCK_ELEMENTS = 1 << 22
"""Counts of a block of rows of a sparse matrix: 32 MB."""


class Matrix(NamedTuple):
    """Counts, one sample a row."""

    name: str
    values: Any
    """An array of integers, or a sparse matrix."""
    missing: BoolArray
    """Which rows have no answer."""

    def rows(self, start: int, stop: int) -> IntArray:
        """Return some rows."""
        part = self.values[start:stop]
        found: IntArray = part.toarray().astype(np.intp) if is_sparse(part) else part
        return found

    def blocks(self) -> Iterator[slice]:
        """Yield ranges of rows that are compared at a time."""
        number, columns = self.values.shape
        step = max(1, BLOCK_ELEMENTS // max(columns, 1)) if is_sparse(self.values) else number
        for start in range(0, number, max(step, 1)):
            yield slice(start, min(start + step, number))


def as_matrix(name: str, values: Any) -> Matrix:
    """Return an input as a matrix of counts."""
    if is_sparse(values):
        matrix = values.tocsr()
        if not matrix.has_canonical_format:
            # It may be the caller's own.
            matrix = matrix.copy()
            matrix.sum_duplicates()
        _check_sparse(name, matrix)
        missing = np.zeros(matrix.shape[0], bool)
        lost = np.isnan(matrix.data)
        if lost.any():
            rows = np.repeat(np.arange(len(missing)), np.diff(matrix.indptr))
            missing[rows[lost]] = True
            matrix = matrix.copy()
            matrix.data[lost] = 0
        return Matrix(name, matrix, missing)
    found = counts.as_counts(name, values, "propagate")
    shape = found.values.shape
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}; it must be 2-d, one row a sample")
    missing = np.zeros(len(found.values), bool)
    if found.missing is not None:
        missing |= found.missing.any(axis=1)
    return Matrix(name, np.ascontiguousarray(found.values), missing)


def _check_sparse(name: str, matrix: Any) -> None:
    """Check what a sparse matrix holds; an error says the row and the column."""
    wrong = counts.first_wrong(matrix.data)
    if wrong is not None:
        row = int(np.searchsorted(matrix.indptr, wrong, side="right")) - 1
        where = row, int(matrix.indices[wrong])
        raise counts.no_count(name, where, matrix.data[wrong])


class Crossed(NamedTuple):
    """Pairs of rows of two matrices, by their indices."""

    first: Matrix
    second: Matrix
    i: IntArray
    j: IntArray

    def rows_of(self, k: int) -> tuple[IntArray, IntArray]:
        """Return the two rows of a pair."""
        i, j = int(self.i[k]), int(self.j[k])
        return self.first.rows(i, i + 1)[0], self.second.rows(j, j + 1)[0]

    @property
    def missing(self) -> BoolArray:
        """Which pairs have no answer."""
        lost: BoolArray = self.first.missing[self.i] | self.second.missing[self.j]
        return lost


def outcome_of_crossed(crossed: Crossed, settings: Settings) -> Outcome:
    """Test each pair, one block of rows against one block of the others at a time."""
    number = len(crossed.i)
    columns = np.full((8, number), np.nan)
    for rows_a in crossed.first.blocks():
        a = crossed.first.rows(rows_a.start, rows_a.stop)
        size_a = sizes_of(crossed.first.name, a)
        for rows_b in crossed.second.blocks():
            within = _within(crossed.i, rows_a) & _within(crossed.j, rows_b)
            if not within.any():
                continue
            same = crossed.first is crossed.second and rows_a == rows_b
            b = a if same else crossed.second.rows(rows_b.start, rows_b.stop)
            size_b = size_a if same else sizes_of(crossed.second.name, b)
            i, j = crossed.i[within] - rows_a.start, crossed.j[within] - rows_b.start
            found = outcome_of(Pairs(a, b, size_a, size_b, i, j), settings)
            columns[:, within] = [*found.null, found.pvalue, found.estimate]
    return Outcome(Null(*columns[:6]), columns[6], columns[7])


def _within(index: IntArray, rows: slice) -> BoolArray:
    inside: BoolArray = (index >= rows.start) & (index < rows.stop)
    return inside
