"""Where the values of pairs of rows go, if the rows are computed in another order than theirs."""

from typing import Any

from ..codegen.intrinsics import item, maximum, minimum, njit_no_refcount


def place_values() -> Any:
    """Return the routine `place_values`."""

    @njit_no_refcount
    def place_row(values, r, first, p, columns, result):
        for k in range(first, columns.size):
            result[p, item(columns, k)] = values[r, k]

    @njit_no_refcount
    def place_condensed(values, r, first, p, columns, number, result):
        for k in range(first, columns.size):
            q = item(columns, k)
            low, high = minimum(p, q), maximum(p, q)
            result[0, low * (2 * number - low - 3) // 2 - 1 + high] = values[r, k]

    def place_values(values, rows, columns, condensed, ahead, number, result):
        """Write a block's values to the places of its rows and columns.

        In a condensed result of so many rows, only those after the diagonal; the block's first
        column is so far ahead of it.
        """
        for r in range(rows.size):
            if condensed:
                first = maximum(r + 1 - ahead, 0)
                place_condensed(values, r, first, rows[r], columns, number, result)
            else:
                place_row(values, r, 0, rows[r], columns, result)

    return place_values
