"""Results as users have them: with a text, a table for notebooks, a data frame and a page."""

from typing import Any

from .html import notebook
from .html.page import page
from .results import FIELDS, Findings, SeriesOfFindings, records
from .text import lines, series_lines
from .to_frame import frame_of


class DriftResult(Findings):
    """What differs between two samples of a table; `jsdiv_numba.drift.compare` makes it.

    It is a sequence of its columns in the table's order, and `result["name"]` is one of them.

    Parameters
    ----------
    columns : tuple of ColumnDrift
        All of them.
    rows_reference, rows_current : int
        How many rows both samples have.
    level, floor : float
        A column is flagged if q is at most `level` and the estimate above `floor`.
    unit : str
        The unit of divergences.
    confidence_level : float
        Of the intervals.
    reference, current : str
        What both samples are called.
    """

    def to_frame(self, backend: str | None = None) -> Any:
        """Return a data frame with a row for each column.

        Parameters
        ----------
        backend : str, optional
            ``"pandas"``, ``"polars"``, ``"pyarrow"`` or another that narwhals knows; by
            default the first of them that is installed.
        """
        return frame_of(records(self), backend)

    def to_html(self) -> str:
        """Return a report: a whole page, which needs nothing else."""
        return page([("", self)])

    def _repr_html_(self) -> str:
        return notebook.table(self)

    def __repr__(self) -> str:
        return "\n".join(lines(self))


class DriftSeries(SeriesOfFindings):
    """Comparisons of several periods or groups, in their order.

    Parameters
    ----------
    by : str
        What rows are grouped by.
    groups : tuple of str
        The names of the groups.
    results : tuple of DriftResult
        What differs in each.
    """

    def to_frame(self, backend: str | None = None) -> Any:
        """Return a data frame with a row for each group and column, as `DriftResult.to_frame`."""
        table: dict[str, list[Any]] = {"group": [], **{field: [] for field in FIELDS}}
        for group, result in zip(self.groups, self.results, strict=True):
            table["group"] += [group] * len(result)
            for field, values in records(result).items():
                table[field] += values
        return frame_of(table, backend)

    def to_html(self) -> str:
        """Return a report: a whole page, which needs nothing else."""
        return page(list(zip(self.groups, self.results, strict=True)), self.by)

    def _repr_html_(self) -> str:
        return notebook.series_table(self)

    def __repr__(self) -> str:
        return "\n".join(series_lines(self))
