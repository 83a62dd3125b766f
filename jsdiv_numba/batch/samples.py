"""Rows as samples: what of their divergence is more than chance."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.rows import Fault, LabelledRows
from jsdiv_numba.batch.quantity import Quantity

Floats = NDArray[np.floating[Any]]

HEADINGS = "corrected", "p", "q"


@dataclass(frozen=True, eq=False)
class Tested:
    """What a test finds of each pair, in the shape of the values that are tested."""

    corrected: Floats  # without what chance adds; not below 0
    pvalue: Floats
    qvalue: Floats  # p-values by Benjamini and Hochberg, for as many pairs as there are

    @property
    def columns(self) -> tuple[Floats, Floats, Floats]:
        """What stands under the headings."""
        return self.corrected, self.pvalue, self.qvalue


@dataclass(frozen=True)
class Verdict:
    """The test of one pair, for a sentence."""

    sizes: tuple[int, int]  # how many observations both samples have
    corrected: float
    pvalue: float
    by_chance: tuple[float, float]  # mean and standard deviation of the divergence


def tested_pairs(
    first: LabelledRows, second: LabelledRows, quantity: Quantity, workers: int | None
) -> Tested:
    """Test each row of a file against each of another, or of one against the others."""
    from scipy.spatial.distance import squareform

    from jsdiv_numba.stats import cdist_test, pdist_test

    for rows in (first, second):
        require_counts(rows)
    if first is not second:
        result = cdist_test(first.values, second.values, base=quantity.base, workers=workers)
        return _tested(result, quantity)
    tested = _tested(pdist_test(first.values, base=quantity.base, workers=workers), quantity)
    corrected, pvalue, qvalue = (squareform(column) for column in tested.columns)
    for column, of_equals in ((corrected, 0.0), (pvalue, 1.0), (qvalue, 1.0)):
        np.fill_diagonal(column, of_equals)
    return Tested(corrected, pvalue, qvalue)


def tested_rows(
    first: LabelledRows, second: LabelledRows, quantity: Quantity, workers: int | None
) -> Tested:
    """Test each row of a file against that of the same index in another."""
    from jsdiv_numba.stats import js_test

    for rows in (first, second):
        require_counts(rows)
    result = js_test(first.values, second.values, base=quantity.base, workers=workers)
    return _tested(result, quantity)


def verdict_on(rows: LabelledRows, pair: tuple[int, int], quantity: Quantity) -> Verdict:
    """Test two rows of a file."""
    from jsdiv_numba.stats import js_test

    require_counts(rows, pair)
    x, y = rows.values[list(pair)]
    result = js_test(x, y, base=quantity.base)
    return Verdict(
        sizes=(int(x.sum(dtype=np.float64)), int(y.sum(dtype=np.float64))),
        corrected=float(_corrected(result.estimate, quantity)),
        pvalue=float(result.pvalue),
        by_chance=(float(result.null_mean), float(result.null_std)),
    )


def require_counts(rows: LabelledRows, only: tuple[int, ...] | None = None) -> None:
    """Raise `FileError` if a value is no whole number; `only` says of which rows."""
    chosen = list(range(len(rows)) if only is None else only)
    values = rows.values[chosen]
    fractions = np.isfinite(values) & (values % 1 != 0)
    if fractions.any():
        i, j = np.unravel_index(int(fractions.argmax()), values.shape)
        column = str(j) if rows.columns is None else repr(rows.columns[j])
        value = float(values[i, j])
        reason = f"{value} is no count; --test compares counts: whole numbers, not shares of them"
        raise FileError(str(Fault(rows.source, chosen[i], column, value, reason)))


def _tested(result: Any, quantity: Quantity) -> Tested:
    pvalue = np.asarray(result.pvalue)
    return Tested(_corrected(result.estimate, quantity), pvalue, _qvalues(pvalue))


def _corrected(estimate: Any, quantity: Quantity) -> Any:
    """Return an estimate as a distance, or a divergence, neither below 0."""
    positive = np.maximum(estimate, 0.0)
    return np.sqrt(positive) if quantity.is_distance else positive


def _qvalues(pvalue: Floats) -> Floats:
    from scipy.stats import false_discovery_control

    qvalue = np.full(pvalue.shape, np.nan)
    known = ~np.isnan(pvalue)
    if known.any():
        qvalue[known] = false_discovery_control(pvalue[known])
    return qvalue
