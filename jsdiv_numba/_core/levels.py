"""How full rows are, in steps from where it takes as long to compare them over all columns."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from .._kernels.records import IntArray
from .._kernels.target import registers, target
from .pair_metric import Metric
from .validation import FloatArray

FILLED, FILLED_NARROW, LESS, LEAST = 0.74, 0.79, 0.04, 0.2
"""These, `STEP` and `FEWEST_COLUMNS` are as in `jsdiv_numba._kernels.pairwise.shared`, which is
imported late."""

STEP = 1.125
FEWEST_COLUMNS = 16

SINGLE, FEWEST_OF_SINGLE = 0.18, 64
"""In float32 so much is filled, as only what is compared over all columns gains from it. Rows of
fewer columns, if not of the very few above, are always compared so."""

FILLED_OF_RATIOS = 0.07
"""What has the logarithm of a ratio is added up term by term either way: by the columns that a row
has one after another, and in lanes over all."""


class Rule(NamedTuple):
    """What decides how two sparse rows are compared: which share of them is filled."""

    filled: float
    length: int
    largest: float
    """A row whose largest entry is beyond this, or its reciprocal, is compared by the columns that
    it has: over all it would be scaled first."""

    @property
    def all_columns(self) -> bool:
        """Whether all rows are compared over all columns."""
        return self.filled == 0

    def all_share(self, most: int, most_of_others: int) -> bool:
        """Whether it is clear that rows of at most so many entries share columns."""
        return most * most_of_others * STEP <= (self.filled * self.length) ** 2

    def levels_of(self, counts: IntArray) -> FloatArray:
        """Return the levels of rows of which so many entries are not 0.

        Two rows are compared by the columns that both have if their levels' sum is at most 0.
        There is none below what any row shares columns with.
        """
        if self.all_columns:
            return np.full(len(counts), np.inf)
        if np.isinf(self.filled):
            return np.full(len(counts), -np.inf)
        least = _least_counts(self.filled, self.length)
        levels: FloatArray = np.searchsorted(least, counts, "right") - float(len(least) // 2)
        return levels

    @property
    def lowest(self) -> float:
        """The least level of rows that are in range."""
        return float(self.levels_of(np.zeros(1, np.intp))[0])


@lru_cache(64)
def rule_of(metric: Metric, dtype: np.dtype[Any], length: int) -> Rule:
    """Return the rule for rows of so many columns; for dense rows of float64 it is the same."""
    if metric.measure == "kl":
        return Rule(FILLED_OF_RATIOS, length, 2.0**400)
    if length < FEWEST_COLUMNS:
        return Rule(np.inf, length, np.inf)
    if dtype == np.float32:
        return Rule(SINGLE if length >= FEWEST_OF_SINGLE else 0.0, length, 2.0**100)
    filled = FILLED if registers(target()).floats == 16 else FILLED_NARROW
    least, columns = filled - LEAST, 2 * FEWEST_COLUMNS
    while columns < length and filled > least:
        columns, filled = columns * 2, filled - LESS
    return Rule(filled, length, 2.0**400)


@lru_cache(64)
def _least_counts(filled: float, length: int) -> IntArray:
    """Return the least counts of all levels above the lowest, in order: as many below 0 as above.

    The highest is that of a full row.
    """
    whole = filled * length
    below, above, bound = [], [], STEP**0.5
    while length / whole > bound:
        # From one before where it should be, as products are rounded.
        count = max(int(whole / bound) - 1, 0)
        while max(count, 1) / whole * bound < 1.0:
            count += 1
        below.append(count)
        count = max(int(whole * bound) - 1, 0)
        while not max(count, 1) / whole > bound:
            count += 1
        above.append(count)
        bound *= STEP
    return np.array([*below[::-1], *above])
