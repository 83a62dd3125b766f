"""Rows as samples: what of their divergence is more than chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba._core.sparse import is_sparse
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

    for rows in (first, second):
        require_counts(rows)
    if first is not second:
        return _tested(*crossed(first.values, second.values, quantity, workers))
    tested = _tested(*within(first.values, quantity, workers))
    corrected, pvalue, qvalue = (squareform(column) for column in tested.columns)
    for column, of_equals in ((corrected, 0.0), (pvalue, 1.0), (qvalue, 1.0)):
        np.fill_diagonal(column, of_equals)
    return Tested(corrected, pvalue, qvalue)


def tested_rows(
    first: LabelledRows, second: LabelledRows, quantity: Quantity, workers: int | None
) -> Tested:
    """Test each row of a file against that of the same index in another."""
    for rows in (first, second):
        require_counts(rows)
    return _tested(*paired(first.values, second.values, quantity, workers))


def crossed(a: Any, b: Any, quantity: Quantity, workers: int | None = 1) -> tuple[Floats, Floats]:
    """Return the corrected values and the p-values of each row of a and each of b, as matrices."""
    from jsdiv_numba.stats import cdist_test

    return _found(cdist_test(a, b, base=quantity.base, workers=workers), quantity)


def within(rows: Any, quantity: Quantity, workers: int | None = 1) -> tuple[Floats, Floats]:
    """Return the same of each pair of rows, i < j, as vectors."""
    from jsdiv_numba.stats import pdist_test

    return _found(pdist_test(rows, base=quantity.base, workers=workers), quantity)


def paired(p: Any, q: Any, quantity: Quantity, workers: int | None = 1) -> tuple[Floats, Floats]:
    """Return the same of rows of the same index, as vectors."""
    from jsdiv_numba.stats import js_test

    return _found(js_test(p, q, base=quantity.base, workers=workers), quantity)


def verdict_on(rows: LabelledRows, pair: tuple[int, int], quantity: Quantity) -> Verdict:
    """Test two rows of a file."""
    from jsdiv_numba.stats import js_test

    require_counts(rows, pair)
    values = rows.values[list(pair)]
    x, y = values.toarray() if is_sparse(values) else values
    result = js_test(x, y, base=quantity.base)
    return Verdict(
        sizes=(int(x.sum(dtype=np.float64)), int(y.sum(dtype=np.float64))),
        corrected=float(_corrected(result.estimate, quantity)),
        pvalue=float(result.pvalue),
        by_chance=(float(result.null_mean), float(result.null_std)),
    )


def require_counts(rows: LabelledRows, only: tuple[int, ...] | None = None) -> None:
    """Raise `FileError` if a value is no whole number; `only` says of which rows."""
    chosen = range(len(rows)) if only is None else only
    wrong = fraction(rows.values[list(chosen)], rows.source, rows.columns)
    if wrong is not None:
        raise FileError(str(wrong._replace(row=chosen[wrong.row])))


def fraction(
    values: Any, source: str, columns: Sequence[str] | None, start: int = 0
) -> Fault | None:
    """Return the first value that is no whole number; rows are those of a file from `start` on."""
    entries = values.data if is_sparse(values) else values
    fractions = np.isfinite(entries) & (entries % 1 != 0)
    if not fractions.any():
        return None
    k = int(fractions.argmax())
    if is_sparse(values):
        i, j = int(np.searchsorted(values.indptr, k, "right")) - 1, int(values.indices[k])
    else:
        i, j = divmod(k, values.shape[1])
    column = str(j) if columns is None else repr(columns[j])
    value = float(entries.flat[k])
    reason = f"{value} is no count; --test compares counts: whole numbers, not shares of them"
    return Fault(source, start + i, column, value, reason)


def _found(result: Any, quantity: Quantity) -> tuple[Floats, Floats]:
    return _corrected(result.estimate, quantity), np.asarray(result.pvalue)


def _tested(corrected: Floats, pvalue: Floats) -> Tested:
    return Tested(corrected, pvalue, _qvalues(pvalue))


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
