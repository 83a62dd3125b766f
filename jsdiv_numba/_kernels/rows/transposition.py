"""Matrices whose columns are contiguous, as ones whose rows are: squares in vector registers."""

from typing import Any

from ..codegen.intrinsics import (
    maximum,
    minimum,
    njit_inline,
    njit_no_refcount,
    prefetch,
    row_place,
)
from ..codegen.lanes import address
from ..codegen.precision import FLOAT32, Precision
from ..codegen.squares import transpose as transpose_square
from ..target import registers, target

NARROW = 4
"""Of at most so many columns, squares of as many are enough."""


def side_of(precision: Precision) -> int:
    """Return how many numbers fit into a vector register."""
    floats = registers(target()).floats
    return floats if precision is FLOAT32 else floats // 2


def transpose_matrices(precision: Precision) -> Any:
    """Return the routine `transpose_matrices`."""
    side = side_of(precision)
    transpose_whole = transpose_square(side, whole=True)
    transpose_part, transpose_narrow = (transpose_square(n, whole=False) for n in (side, NARROW))

    @njit_inline
    def transpose_by(side, transpose, source, result):
        """Write squares; the last ones begin earlier, where there is as much as that."""
        rows, columns = source.shape
        step, result_step = source.strides[0], result.strides[0]
        for i in range(0, rows, side):
            row = minimum(i, maximum(rows - side, 0))
            for j in range(0, columns, side):
                column = minimum(j, maximum(columns - side, 0))
                place = address(row_place(source, row), column)
                target = address(row_place(result, column), row)
                for k in range(side):
                    prefetch(row_place(source, i + side + k), column)
                transpose(place, step, rows - row, columns - column, target, result_step)

    @njit_no_refcount
    def transpose_matrix(source, result):
        rows, columns = source.shape
        if columns <= NARROW:
            transpose_by(NARROW, transpose_narrow, source, result)
        elif columns < side or rows < side:
            transpose_by(side, transpose_part, source, result)
        else:
            transpose_by(side, transpose_whole, source, result)

    def transpose_matrices(sources, results):
        """Write the transpose of each matrix; the rows of both are contiguous.

        Squares are written whole: the rows of results end at a multiple of their side, and
        after the last there is room for a square's.
        """
        for i in range(sources.shape[0]):
            transpose_matrix(sources[i], results[i])

    return transpose_matrices
