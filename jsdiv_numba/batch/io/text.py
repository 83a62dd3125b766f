"""Delimited text as rows, with every error at its line."""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import shown
from jsdiv_numba.batch.io.dialect import (
    SEPARATORS,
    Dialect,
    Record,
    dialect_of,
    readable,
    require_text,
)
from jsdiv_numba.batch.io.headings import is_text
from jsdiv_numba.batch.io.numerals import is_missing, is_number, missing_marks
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.roles import Field, Roles, roles
from jsdiv_numba.batch.io.rows import ZERO_ROW, Block, Stream, are_distributions, are_finite, fault
from jsdiv_numba.batch.io.table import RowFilter, joined, stream_of

TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
# A line has to fit in a block: 16 MiB are about a million columns.
_BLOCK = 1 << 24
_CELLS = 1 << 18
_SHOWN = 40
_PADDED = re.compile(r"0\d+", re.ASCII)


def stream_text(
    path: Path, source: str, kind: str, options: TableOptions, *, lenient: bool
) -> Stream:
    """Read a file of delimited text, block by block.

    `options`: what is said of it; the rest is told from its first lines. `lenient` says
    whether rows of numbers may be no distributions; a missing value is then NaN. Its values
    are float64. Raises `FileError` now or while the blocks are read, naming file, line
    (from 1), column and value.
    """
    dialect = dialect_of(path, source, kind, options)
    fields = _fields(dialect)
    found = roles(fields, options, source, named=dialect.header is not None)
    if not found.values:
        first = dialect.sample[0]
        written = shown(dialect.separator.join(first.cells), _SHOWN)
        separated = SEPARATORS.get(dialect.separator, repr(dialect.separator))
        raise FileError(
            f"{source}, line {first.line}: no numeric column in {written!r} "
            f"(separated by {separated})"
        )

    def blocks(rows: RowFilter) -> Iterator[Block]:
        return _Reader(dialect, found, options, rows, lenient).blocks()

    names = None if dialect.header is None else dialect.header
    kind_of_values = np.dtype(np.float64)
    return stream_of(
        blocks, source, names, found, options, kind_of_values, dialect.notes, totals=True
    )


def _fields(dialect: Dialect) -> list[Field]:
    columns = list(
        zip(*(r.cells for r in dialect.sample if len(r.cells) == dialect.width), strict=True)
    )
    header = dialect.header
    names = header or [""] * dialect.width
    if not columns:
        return [Field(name, "number") for name in names]
    last = max((j for j, name in enumerate(names) if name.strip()), default=-1)
    found = []
    marked = header is not None
    for j, (name, cells) in enumerate(zip(names, columns, strict=True)):
        empty = not any(cell.strip() for cell in cells)
        marked = marked and not name.strip() and not empty
        if (j > last or not name.strip()) and empty:
            found.append(Field(name, "empty"))
        elif is_text(cells, half=not j) or (not j and _are_codes(cells)):
            found.append(Field(name, "text", marked))
        else:
            found.append(_number_field(name, cells, marked, dialect))
    return found


def _are_codes(cells: Sequence[str]) -> bool:
    """Return whether whole numbers are written as no count is: with a zero in front."""
    return any(_PADDED.fullmatch(cell) for cell in cells) and all(
        cell.strip().isdigit() for cell in cells if not is_missing(cell)
    )


def _number_field(name: str, cells: Sequence[str], marked: bool, dialect: Dialect) -> Field:
    values = [dialect.numerals.number(cell) for cell in cells]
    numbers = [value for value in values if value is not None and np.isfinite(value)]
    whole = len(numbers) == len(cells) and all(v.is_integer() for v in numbers)
    whole = whole and not any("e" in cell.lower() for cell in cells)
    fractions = any(not value.is_integer() for value in numbers)
    return Field(name, "number", marked, tuple(map(int, numbers)) if whole else None, fractions)


@dataclass(frozen=True)
class _Reader:
    """The rows below the header, by Arrow as far as it goes, and line by line from there on."""

    dialect: Dialect
    roles: Roles
    options: TableOptions
    rows: RowFilter
    lenient: bool

    def blocks(self) -> Iterator[Block]:
        import pyarrow as pa

        count = 0
        if (
            self.dialect.numerals.plain
            and self.dialect.separator != " "
            and not self.options.comment
        ):
            try:
                with readable(self.dialect.source):
                    for number, block in self._by_arrow():
                        yield block
                        count += number
                    return
            # What Arrow does not read may be no fault; and if it is one, it has no line.
            except (pa.ArrowException, _NotPlain):
                pass
        with readable(self.dialect.source):
            yield from self._by_line(count)

    def _by_arrow(self) -> Iterator[tuple[int, Block]]:
        """Yield blocks with the number of records in each."""
        with self.dialect.open() as file:
            yield from self._batches(self._opened(file))

    def _batches(self, batches: Any) -> Iterator[tuple[int, Block]]:
        first = 0
        for batch in batches:
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            labels = [columns[str(j)] for j in self.roles.labels]
            values = _matrix([columns[str(j)] for j in self.roles.values])
            number, blank = len(values), _blank(values, labels)
            self._require_blanks(columns)
            if blank.any():
                # Separators without anything between them, which spreadsheets leave at the end.
                raise _NotPlain
            names = joined(labels, self.options)
            kept = self.rows.kept(first, number, names)
            if kept is not None:
                values, names = values[kept], None if names is None else names.filter(_mask(kept))
            if not self._are_right(values):
                raise _NotPlain
            if self.options.missing == "zero":
                np.nan_to_num(values, copy=False, nan=0.0)
            first += number
            yield number, (values, names)

    def _require_blanks(self, columns: dict[str, Any]) -> None:
        from pyarrow import compute

        for j in self._empty:
            if compute.any(compute.not_equal(columns[str(j)], "")).as_py():
                raise _NotPlain

    @property
    def _empty(self) -> list[int]:
        """The columns without heading and values."""
        used = {*self.roles.labels, *self.roles.values, *self.roles.ignored}
        return [j for j in range(self.dialect.width) if j not in used]

    def _are_right(self, values: NDArray[np.float64]) -> bool:
        if self.lenient:
            return True
        missing = self.options.missing != "error"
        whole = self.options.rows_are_distributions
        if not whole or self.options.missing == "zero":
            right = are_finite(values, nan=missing)
            return right and not (whole and (np.nan_to_num(values) == 0).all(axis=1).any())
        return are_distributions(values, nan=missing)

    def _opened(self, file: Any) -> Any:
        """Return Arrow's reader of what is below the header; the columns are called 0, 1, ..."""
        import pyarrow as pa
        from pyarrow import csv as arrow_csv

        dialect = self.dialect
        names = [str(j) for j in range(dialect.width)]
        text = {str(j): pa.string() for j in (*self.roles.labels, *self._empty)}
        numbers = {str(j): pa.float64() for j in self.roles.values}
        plain = dialect.encoding in ("utf-8", "utf-8-sig")
        return arrow_csv.open_csv(
            file,
            read_options=arrow_csv.ReadOptions(
                column_names=names,
                skip_rows=dialect.skip,
                block_size=_BLOCK,
                encoding="utf8" if plain else dialect.encoding,
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.separator, newlines_in_values=True
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={**text, **numbers},
                include_columns=[*text, *numbers],
                null_values=sorted(missing_marks()),
                decimal_point=dialect.numerals.decimal,
            ),
        )

    def _by_line(self, skip: int) -> Iterator[Block]:
        """Yield the rows after the first `skip`, and raise for the first thing that is wrong."""
        values: list[list[float]] = []
        labels: list[list[str]] = []
        most = max(1, _CELLS // len(self.roles.values))
        labelled = bool(self.roles.labels)
        # Closed at once: whatever is wrong with a line, the file is not left open.
        with closing(self.dialect.records()) as records:
            for number, record in enumerate(islice(records, skip, None), skip):
                self._require_shape(record)
                names = [record.cells[j] for j in self.roles.labels]
                if not self.rows.keeps(number, names):
                    continue
                values.append(self._values(record))
                labels.append(names)
                if len(values) == most:
                    yield np.array(values), self._joined(labels) if labelled else None
                    values, labels = [], []
        if values:
            yield np.array(values), self._joined(labels) if labelled else None

    def _joined(self, labels: Sequence[Sequence[str]]) -> Any:
        import pyarrow as pa

        columns = [pa.array(column, pa.string()) for column in zip(*labels, strict=True)]
        return joined(columns, self.options)

    def _require_shape(self, record: Record) -> None:
        cells, width = record.cells, self.dialect.width
        place = f"{self.dialect.source}, line {record.line}"
        require_text("".join(cells), self.dialect.source, record.line, self.dialect.encoding)
        if len(cells) != width:
            hint = (
                f"; if it is a comment, say --comment {cells[0][:1]}"
                if cells[0][:1] in "#%!"
                else ""
            )
            raise FileError(
                f"{place}: number of values is {len(cells)}, but the first line has {width}{hint}"
            )
        for j in self._empty:
            if cells[j].strip():
                written = shown(cells[j], _SHOWN)
                raise FileError(
                    f"{place}, column {j + 1}: {written!r} is in a column without a name"
                )

    def _values(self, record: Record) -> list[float]:
        values = self._plain_values(record)
        if values is None:
            values = [self._value(record, j) for j in self.roles.values]
        if self.dialect.numerals.percent:
            self._require_percentages(record, values)
        if self.options.rows_are_distributions and not (self.lenient or any(values)):
            raise FileError(f"{self.dialect.source}, line {record.line}: {ZERO_ROW}")
        return values

    def _plain_values(self, record: Record) -> list[float] | None:
        """Return numbers that are written as Python has them, and right; None of others."""
        cells = [record.cells[j] for j in self.roles.values]
        if self.dialect.numerals.decimal == ",":
            if any("." in cell for cell in cells):
                return None
            cells = [cell.replace(",", ".") for cell in cells]
        text = "".join(cells)
        if not (text.isascii() and text.isprintable()) or "_" in text:
            return None
        try:
            values = list(map(float, cells))
        except ValueError:
            return None
        return values if all(0 <= value < math.inf for value in values) else None

    def _value(self, record: Record, j: int) -> float:
        cell, missing = record.cells[j], self.options.missing
        value = self.dialect.numerals.number(cell)
        if value is None or math.isnan(value):
            if missing != "error" and is_missing(cell):
                value = 0.0 if missing == "zero" else math.nan
            elif value is None and self.lenient and is_missing(cell):
                value = math.nan
        right = value is not None and 0 <= value < math.inf
        wrong = None if right else self._cell_fault(value, record, j)
        if wrong:
            place = f"{self.dialect.source}, line {record.line}, {self.dialect.column(j)}"
            raise FileError(f"{place}: {wrong}")
        return math.nan if value is None else value

    def _require_percentages(self, record: Record, values: Sequence[float]) -> None:
        """Raise if some of the numbers of a row are percentages, and others are not."""
        for j, value in zip(self.roles.values, values, strict=True):
            cell = record.cells[j].strip()
            if value and not math.isnan(value) and not cell.endswith("%"):
                raise FileError(
                    f"{self.dialect.source}, line {record.line}, {self.dialect.column(j)}: "
                    f"{shown(cell, _SHOWN)!r} is no percentage, but others in the file are"
                )

    def _cell_fault(self, value: float | None, record: Record, j: int) -> str | None:
        cell = record.cells[j]
        written = shown(cell.strip(" "), _SHOWN)
        if value is not None:
            if self.lenient or (math.isnan(value) and self.options.missing == "nan"):
                return None
            return fault(value, written)
        cure = "fill it in, leave the row out, or say --missing zero"
        if not written:
            return f"the value is missing; {cure}"
        if is_missing(cell):
            return f"{written} marks a missing value; {cure}"
        if is_number(cell):
            return (
                f"{written!r} is not written as the numbers above it; --decimal says how they are"
            )
        return f"{written!r} is not a number{self._cure(record, j)}"

    def _cure(self, record: Record, j: int) -> str:
        is_first = self.dialect.header is None and record.line == self.dialect.preamble + 1
        header = " --header yes if the line names the columns," if is_first else ""
        named = self.dialect.header is not None and self.dialect.header[j]
        name = repr(self.dialect.header[j]) if self.dialect.header and named else str(j + 1)
        return (
            f";{header} --label-column {name} takes the column for labels, "
            f"--exclude {name} leaves it out"
        )


class _NotPlain(Exception):  # noqa: N818  # it is no error, and nobody sees it
    """Something that has to be looked at line by line."""


def _mask(kept: NDArray[np.bool]) -> Any:
    import pyarrow as pa

    return pa.array(kept)


def _matrix(columns: Sequence[Any]) -> NDArray[np.float64]:
    import pyarrow as pa

    values = np.empty((len(columns[0]), len(columns)))
    for j, column in enumerate(columns):
        # `to_numpy` (pyarrow 26) imports pandas where that is installed: a quarter of a second.
        is_plain = column.type == pa.float64() and not column.null_count
        values[:, j] = np.from_dlpack(column) if is_plain else column.to_numpy(zero_copy_only=False)
    return values


def _blank(values: NDArray[np.float64], labels: Sequence[Any]) -> NDArray[np.bool]:
    """Return which rows have nothing in them at all."""
    from pyarrow import compute

    blank: NDArray[np.bool] = np.asarray(np.isnan(values).all(axis=1))
    for column in labels:
        if blank.any():
            blank = blank & np.asarray(compute.equal(compute.utf8_trim_whitespace(column), ""))
    return blank
