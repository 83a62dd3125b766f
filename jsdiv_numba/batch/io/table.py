"""From the columns of a table to rows with labels: what all formats with columns share."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.format import shown
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.roles import Roles, require_categories
from jsdiv_numba.batch.io.rows import ROW, Block, Reading, Stream
from jsdiv_numba.batch.io.totals import Totals

BETWEEN_LABELS = " / "
BETWEEN_KEYS = "\N{INFORMATION SEPARATOR ONE}"
"""What stands between sample and category of a long table until they are taken apart."""

_SHOWN = 40
_RANGE = re.compile(r"(\d+)[:-](\d+)", re.ASCII)
_DEFAULT_LABEL = re.compile(r"(?:row )?(\d+)", re.ASCII)


class RowFilter:
    """The rows that are left out, and which of them have been seen.

    `items` are labels or indices. `labelled` says whether the rows have labels; text is a label
    then, and an index otherwise.
    """

    def __init__(self, items: Any, source: str, *, labelled: bool) -> None:
        self.source, self.items = source, list(items or ())
        self.labels: set[str] = set()
        self.numbers: list[range] = []
        for item in self.items:
            self._take(item, labelled)
        self.seen: set[str | range] = set()

    def _take(self, item: str | int, labelled: bool) -> None:
        if isinstance(item, str) and labelled:
            self.labels.add(item)
            return
        one, several = _DEFAULT_LABEL.fullmatch(str(item)), _RANGE.fullmatch(str(item))
        if one:
            self.numbers.append(range(int(one[1]), int(one[1]) + 1))
        elif several:
            self.numbers.append(range(int(several[1]), int(several[2]) + 1))
        else:
            raise FileError(f"{self.source}: --exclude-rows: {item!r}, but the rows have no labels")

    def kept(self, start: int, count: int, labels: Any) -> NDArray[np.bool] | None:
        """Return which of some rows are kept; None is all."""
        if not self.items:
            return None
        names = [] if labels is None else labels.to_pylist()
        return np.array([self.keeps(start + i, names[i : i + 1]) for i in range(count)], bool)

    def keeps(self, number: int, labels: Sequence[str]) -> bool:
        """Return whether a row is kept."""
        if not self.items:
            return True
        label = BETWEEN_LABELS.join(labels)
        if labels and label in self.labels:
            self.seen.add(label)
            return False
        for numbers in self.numbers:
            if number in numbers:
                self.seen.add(numbers)
                return False
        return True

    def require_seen(self) -> None:
        """Raise `FileError` if a row to be left out was not there."""
        wanted: list[str | range] = [*sorted(self.labels), *self.numbers]
        for item in wanted:
            if item not in self.seen:
                called = repr(item) if isinstance(item, str) else str(item.start)
                raise FileError(f"{self.source}: --exclude-rows: no row {called}")


def joined(columns: Sequence[Any], options: TableOptions) -> Any:
    """Return columns of text as one, or None where there are none."""
    from pyarrow import compute

    if len(columns) < 2:
        return columns[0] if columns else None
    between = BETWEEN_KEYS if options.long else BETWEEN_LABELS
    return compute.binary_join_element_wise(*columns, between)


def stream_of(
    blocks: Callable[[RowFilter], Iterator[Block]],
    source: str,
    names: Sequence[str] | None,
    found: Roles,
    options: TableOptions,
    dtype: np.dtype[Any],
    notes: Sequence[str],
    *,
    totals: bool,
    label_names: Sequence[str] | None = None,
) -> Stream:
    """Return a table's rows as a stream, which warns of what may be meant in another way.

    `totals` says whether to look for columns and rows that are the sum of the others.
    `label_names`: the headings of the labels; by default those of their columns. Raises
    `FileError` if there is only one category.
    """
    values = None if names is None else tuple(names[j] for j in found.values)
    count = len(found.values)
    first, last = (_called(found.values[k], names) if count else "" for k in (0, -1))
    if label_names is None:
        label_names = [names[j] if names is not None else "label" for j in found.labels]
    left_out = [_called(j, names) for j in found.ignored]
    reading = Reading(
        source,
        header=names is not None,
        labels=tuple(
            f"column {shown(name, _SHOWN)!r}" if names is not None and name else f"column {j + 1}"
            for j, name in zip(found.labels, label_names, strict=True)
        ),
        columns=(count, first, last),
        notes=(*notes, *([f"left out: {_listed(left_out)}"] if left_out else [])),
        transposed=options.transpose,
    )
    if options.rows_are_distributions:
        require_categories(source, count, first, f" ({_clauses(reading)})")
    rows = RowFilter(options.exclude_rows, source, labelled=bool(found.labels))
    for message in found.warnings:
        warnings.warn(message, TableWarning, stacklevel=2)

    def watched() -> Iterator[Block]:
        watch = Totals(source, values, transposed=options.transpose)
        seen, first_row = 0, ""
        for block, labels in blocks(rows):
            if totals:
                watch.see(block, labels)
            if not seen and block.shape[0]:
                first_row = f"row {0 if labels is None else labels[0].as_py()!r}"
            seen += block.shape[0]
            yield block, labels
        rows.require_seen()
        if seen and options.transpose:
            require_categories(source, seen, first_row, "", transposed=True)
        if totals and not options.long:
            watch.judge(columns=not found.chosen, rows=options.exclude_rows is None)

    label_name = BETWEEN_LABELS.join(label_names) if found.labels else ROW
    labelled, blocks_of = bool(found.labels), watched()
    return Stream(count, dtype, values, label_name, labelled, blocks_of, reading, options.transpose)


def _clauses(reading: Reading) -> str:
    return str(reading).partition(": ")[2]


def _called(j: int, names: Sequence[str] | None) -> str:
    name = names[j] if names is not None else ""
    return repr(shown(name, _SHOWN)) if name else f"column {j + 1}"


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
