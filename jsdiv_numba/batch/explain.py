"""What makes the divergence of two rows of a file, which are found by label or by index."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba._core.sparse import is_sparse
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import shown
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.contribution import Contribution, Contributions, contributions

_LABEL_LIMIT = 48
# Looking for labels like a given one takes a second for about so many.
_MOST_COMPARED = 20_000


@dataclass(frozen=True, eq=False)
class Explanation:
    """Two rows of a file, and the columns that make their divergence."""

    rows: LabelledRows  # the file
    pair: tuple[int, int]  # the indices of the two rows
    quantity: Quantity  # the divergence, in its unit
    parts: Contributions  # what each column adds, of the two rows divided by their sums

    @property
    def labels(self) -> tuple[str, str]:
        """What the two rows are called."""
        first, second = self.pair
        return self.rows.labels[first], self.rows.labels[second]

    @property
    def named(self) -> list[Contribution]:
        """The largest parts, without those that add nothing."""
        return [part for part in self.parts if part.value]

    @property
    def others(self) -> int:
        """The number of columns that are not among the largest parts."""
        return int(self.rows.values.shape[1]) - len(self.named)

    @property
    def proportions(self) -> NDArray[np.floating[Any]]:
        """What each row has of the columns of the parts, over the row's sum, shape (2, k)."""
        values = self.rows.values[list(self.pair)]
        values = values.toarray() if is_sparse(values) else values
        # A row of the largest floats has no sum.
        values = values / values.max(axis=1, keepdims=True)
        return np.asarray(values[:, self.parts.indices] / values.sum(axis=1, keepdims=True))

    def more_in(self, part: Contribution) -> str:
        """Return the label of the row that has more of a column."""
        return self.labels[part.side == "Q"]


def explain(
    rows: LabelledRows, first: str, second: str, quantity: Quantity, top: int
) -> Explanation:
    """Find the columns that make the divergence of two rows.

    Raises `FileError` if there is no such row, or more than one.
    """
    i, j = find_row(rows, first), find_row(rows, second)
    parts = contributions(
        _one(rows, i),
        _one(rows, j),
        top=top,
        labels=rows.columns or [f"column {k}" for k in range(rows.values.shape[1])],
        base=quantity.base,
        normalise=True,
    )
    return Explanation(rows, (i, j), quantity, parts)


def _one(rows: LabelledRows, i: int) -> Any:
    return rows.values[[i] if is_sparse(rows.values) else i]


def find_row(rows: LabelledRows, name: str) -> int:
    """Return the index of the row with a label, or else with an index, that reads `name`.

    `name`: a label, or a whole number; rows count from 0. Raises `FileError` if there is no
    such row, or more than one.
    """
    found = [i for i, label in enumerate(rows.labels) if label == name]
    if len(found) > 1:
        raise FileError(
            f"{rows.source}: rows {found[0]} and {found[1]} are both called "
            f"{shown(name, _LABEL_LIMIT)!r}; name a row by its index"
        )
    if found:
        return found[0]
    if not (name.isascii() and name.isdecimal()):
        raise FileError(
            f"{rows.source}: no row is called {shown(name, _LABEL_LIMIT)!r}; "
            f"{_alternatives(rows, name)}"
        )
    if int(name) >= len(rows):
        raise FileError(f"{rows.source}: no row {name}; its rows count from 0 to {len(rows) - 1}")
    return int(name)


def _alternatives(rows: LabelledRows, name: str) -> str:
    by_folded = {label.casefold(): label for label in rows.labels[:_MOST_COMPARED]}
    near = [by_folded[folded] for folded in get_close_matches(name.casefold(), by_folded)]
    listed = ", ".join(repr(shown(label, _LABEL_LIMIT)) for label in near or rows.labels[:3])
    return f"near it: {listed}" if near else f"its first rows: {listed}"
