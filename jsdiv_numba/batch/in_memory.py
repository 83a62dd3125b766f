"""Rows against rows: every pair, or the i-th against the i-th."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.columns import require_same_columns
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.samples import Tested


@dataclass(frozen=True, eq=False)
class Pairwise:
    """The rows of a file against each other, or against those of a second file."""

    first: LabelledRows
    second: LabelledRows
    """What the rows and the columns of `matrix` are; one object if there is one file."""
    quantity: Quantity  # what `matrix` holds, in which unit
    matrix: NDArray[np.floating[Any]]  # a value for each pair. Shape (n, m)
    tested: Tested | None = None  # the same of a test, where there is one

    @property
    def of_one_file(self) -> bool:
        """Whether one file was compared with itself."""
        return self.first is self.second

    @property
    def symmetric(self) -> bool:
        """Whether each pair is there twice."""
        return self.of_one_file and self.quantity.is_symmetric

    @property
    def pair_count(self) -> int:
        """The number of values that are not repeated, and none of a row with itself."""
        n, m = len(self.first), len(self.second)
        if self.of_one_file:
            return n * (n - 1) // (2 if self.symmetric else 1)
        return n * m


@dataclass(frozen=True, eq=False)
class RowByRow:
    """Each row of a file against the row of the same index in another."""

    first: LabelledRows
    second: LabelledRows  # the two files, with as many rows
    quantity: Quantity  # what `values` holds, in which unit
    values: NDArray[np.floating[Any]]  # a value for each row. Shape (n,)
    tested: Tested | None = None  # the same of a test, where there is one


def compare_pairs(
    first: LabelledRows,
    second: LabelledRows,
    quantity: Quantity,
    workers: int | None = None,
) -> Pairwise:
    """Compare each row of `first` with each row of `second`, which may be the same object.

    `workers`: threads to use; by default the CPUs that this process may use. Raises
    `FileError` if the columns differ.
    """
    require_same_columns(first, second)
    return Pairwise(first, second, quantity, _matrix(first, second, quantity, workers))


def compare_rows(
    first: LabelledRows,
    second: LabelledRows,
    quantity: Quantity,
    workers: int | None = None,
) -> RowByRow:
    """Compare each row of `first` with the row of the same index in `second`.

    `workers`: threads to use; by default the CPUs that this process may use. Raises
    `FileError` if the columns or the numbers of rows differ.
    """
    from jsdiv_numba.distance import jensenshannon

    require_same_columns(first, second)
    if len(first) != len(second):
        raise FileError(
            f"{second.source}: number of rows is {len(second)}, but {first.source} has "
            f'{len(first)}; "jsdiv pairwise" compares every row with every row'
        )
    distance = np.asarray(
        jensenshannon(first.values, second.values, quantity.base, axis=1, workers=workers)
    )
    # Squaring costs two roundings; dividing the rows by their sums first would cost the
    # accuracy of rows that are nearly equal.
    values = distance if quantity.is_distance else distance * distance
    return RowByRow(first, second, quantity, values)


def within(rows: LabelledRows, quantity: Quantity) -> NDArray[np.floating[Any]]:
    """Return the matrix of the rows of one file against each other, shape (n, n)."""
    return _matrix(rows, rows, quantity, workers=None)


def _matrix(
    first: LabelledRows, second: LabelledRows, quantity: Quantity, workers: int | None
) -> NDArray[np.floating[Any]]:
    from jsdiv_numba.distance import cdist

    settings: dict[str, Any] = {"base": quantity.base, "weight": quantity.weight}
    matrix = cdist(first.values, second.values, quantity.metric, workers=workers, **settings)
    return np.asarray(matrix)
