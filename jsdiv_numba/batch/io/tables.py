"""Files as tables of columns of any kind, in batches: what `jsdiv_numba.drift` compares."""

import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from jsdiv_numba._drift.arrow import values_of_arrow
from jsdiv_numba._drift.tables import Batch, ColumnsChanged, Table
from jsdiv_numba._drift.values import Values, empty
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import counted, shown
from jsdiv_numba.batch.io import columnar, parquet
from jsdiv_numba.batch.io.dialect import Dialect, Record, dialect_of, readable, require_text
from jsdiv_numba.batch.io.file_errors import reading
from jsdiv_numba.batch.io.formats import memory_bytes, place_of
from jsdiv_numba.batch.io.numerals import is_missing, is_number, missing_marks
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.text import TEXT_SUFFIXES

_SHOWN = 40
_BLOCK = 1 << 24
_PIECE = 1 << 22
"""Bytes of a Parquet file that are looked at together: each column of them is copied."""

_RECORDS = 1 << 14
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?Z?", re.ASCII)
_WORDS = {"none", "missing"}
"""What marks a missing number, but is a word where there are no numbers."""

_TRUTH = {"true": True, "false": False}
_NEXT = {"integer": "float", "float": "text", "time": "text", "boolean": "text"}
"""What a column is taken for once a value is not what its first rows are."""


def open_table(source: str, options: TableOptions) -> "FileTable":
    """Return a file as a table: text, Parquet or Feather, or a folder of Parquet files.

    `source`: the file, as the user named it. Raises `FileError` now or while it is read.
    """
    with reading(source):
        place = place_of(source, options)
        if place.kind in TEXT_SUFFIXES:
            dialect = _dialect(place.path, source, place.kind, options)
            return TextTable(source, dialect, memory_bytes(place))
        if place.kind == ".parquet":
            return ParquetTable(source, parquet.open_files(place.path, source))
        if place.kind == ".feather":
            return FeatherTable(source, place.path, parquet.feather_schema(place.path, source))
    raise FileError(
        f"{source}: an array, whose columns have neither names nor kinds; save the table as "
        ".parquet or .csv"
    )


class FileTable(Table):
    """A file, and what it was taken for."""

    source: str

    @property
    @abstractmethod
    def rows(self) -> int:
        """How many rows it has; of text, about."""

    @property
    def note(self) -> str:
        """A line that says how the file was read."""
        return f"{self.source}: {counted(len(self.columns), 'column')}"


def _require_different(names: Sequence[str], source: str) -> None:
    name, number = Counter(names).most_common(1)[0] if names else ("", 0)
    if number > 1:
        raise FileError(
            f"{source}: {number} columns are called {shown(name, _SHOWN)!r}; give each its own name"
        )


@dataclass(frozen=True)
class ParquetTable(FileTable):
    """A Parquet file, or those of a folder."""

    source: str
    files: parquet.ParquetFiles

    def __post_init__(self) -> None:
        _require_different(self.files.schema.names, self.source)

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns, without an index that pandas stored and that has no name."""
        return _without_index(self.files.schema, self.source)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.files.rows

    def batches(self, columns: Sequence[str], start: int = 0) -> Generator[Batch, None, None]:
        """Yield the values of some columns from some row on."""
        with reading(self.source):
            for batch in self.files.batches(columns, encoded=True, block=_PIECE, start=start):
                yield {name: values_of_arrow(batch.column(name)) for name in columns}

    @property
    def note(self) -> str:
        """A line that says how the file was read."""
        number = len(self.files.paths)
        return f"{super().note}{f' in {number:,} files' if number > 1 else ''}"


@dataclass(frozen=True)
class FeatherTable(FileTable):
    """A Feather file."""

    source: str
    path: Path
    schema: Any

    def __post_init__(self) -> None:
        _require_different(self.schema.names, self.source)

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns, without an index that pandas stored and that has no name."""
        return _without_index(self.schema, self.source)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return parquet.feather_rows(self.path, self.source)

    def batches(self, columns: Sequence[str], start: int = 0) -> Generator[Batch, None, None]:
        """Yield the values of some columns from some row on."""
        with reading(self.source):
            for batch in parquet.feather_batches(self.path, self.source):
                rest = batch.slice(start)
                start = max(0, start - batch.num_rows)
                if rest.num_rows:
                    yield {name: values_of_arrow(rest.column(name)) for name in columns}


def _without_index(schema: Any, source: str) -> tuple[str, ...]:
    marked = set(columnar.pandas_index(schema, source))
    return tuple(
        name for name in schema.names if not (name in marked and name.startswith("__index_level_"))
    )


def _dialect(path: Path, source: str, kind: str, options: TableOptions) -> Dialect:
    dialect = dialect_of(path, source, kind, options, needs_rows=False)
    first = dialect.sample[0].cells if dialect.sample else []
    if dialect.header is None and options.header is None and not any(map(is_number, first)):
        # Among words alone nothing tells a header from a row; a table has one as a rule.
        said = replace(options, header=True)
        dialect = dialect_of(path, source, kind, said, needs_rows=False)
    return dialect


class _OtherKind(FileError):  # noqa: N818  # it is no error, and nobody sees it
    """A value is not what the first rows of its column are."""


class TextTable(FileTable):
    """Delimited text; what a column holds is told from its first rows, until one says otherwise."""

    def __init__(self, source: str, dialect: Dialect, size: int) -> None:
        self.source, self.dialect, self.size = source, dialect, size
        self.names = _names(dialect)
        _require_different(self.names, source)
        cells = [r.cells for r in dialect.sample if len(r.cells) == dialect.width]
        columns = list(zip(*cells, strict=True)) or [()] * dialect.width
        self.kinds = {
            name: _kind(column, dialect) for name, column in zip(self.names, columns, strict=True)
        }

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns; of one without, its number."""
        return self.names

    @property
    def taken_for(self) -> Mapping[str, str]:
        """What columns were taken for, by what has been read of them."""
        return self.kinds

    def take_for(self, kinds: Mapping[str, str]) -> None:
        """Take columns for what an earlier run took them for."""
        self.kinds = dict(kinds)

    @property
    def rows(self) -> int:
        """About how many rows it has, by the length of the first ones."""
        lengths = [sum(map(len, r.cells)) + len(r.cells) for r in self.dialect.sample]
        return int(self.size * len(lengths) / max(sum(lengths), 1))

    @property
    def note(self) -> str:
        """A line that says how the file was read."""
        header = "a header" if self.dialect.header is not None else "no header"
        kinds = Counter("text" if kind == "text" else "other" for kind in self.kinds.values())
        of_text = f", {kinds['text']:,} of text" if kinds["text"] else ""
        columns = counted(len(self.names), "column")
        return f"{self.source}: {'; '.join([header, columns + of_text, *self.dialect.notes])}"

    def batches(self, columns: Sequence[str], start: int = 0) -> Generator[Batch, None, None]:
        """Yield the values of some columns from some row on."""
        try:
            yield from self._read(columns, start)
        except _OtherKind:
            raise ColumnsChanged from None

    def _read(self, columns: Sequence[str], number: int) -> Iterator[Batch]:
        import pyarrow as pa

        dialect = self.dialect
        with readable(self.source), reading(self.source):
            if dialect.numerals.plain and dialect.separator != " " and not dialect.comment:
                try:
                    for batch in self._by_arrow(columns, number):
                        yield batch
                        number += next(iter(batch.values())).size if batch else 0
                    return
                except pa.ArrowInvalid as error:
                    # What is wrong with a row is told by line.
                    self._demote_as_arrow_says(str(error))
            yield from self._by_line(columns, number)

    def _by_arrow(self, columns: Sequence[str], skip: int) -> Iterator[Batch]:
        import pyarrow as pa
        from pyarrow import csv

        dialect = self.dialect
        kinds = {
            "integer": pa.int64(),
            "float": pa.float64(),
            "boolean": pa.bool_(),
            "time": pa.timestamp("us"),
            "text": pa.string(),
        }
        places = {str(self.names.index(name)): name for name in columns}
        plain = dialect.encoding in ("utf-8", "utf-8-sig")
        with dialect.open() as file:
            batches = csv.open_csv(
                file,
                read_options=csv.ReadOptions(
                    column_names=[str(j) for j in range(dialect.width)],
                    skip_rows=dialect.skip,
                    skip_rows_after_names=skip,
                    block_size=_BLOCK,
                    encoding="utf8" if plain else dialect.encoding,
                ),
                parse_options=csv.ParseOptions(
                    delimiter=dialect.separator, newlines_in_values=True
                ),
                convert_options=csv.ConvertOptions(
                    column_types={j: kinds[self.kinds[name]] for j, name in places.items()},
                    include_columns=list(places),
                    null_values=sorted(missing_marks()),
                    true_values=["true", "True", "TRUE"],
                    false_values=["false", "False", "FALSE"],
                    timestamp_parsers=[csv.ISO8601],
                    decimal_point=dialect.numerals.decimal,
                ),
            )
            for batch in batches:
                yield {name: self._values(batch.column(j), name) for j, name in places.items()}

    def _values(self, column: Any, name: str) -> Values:
        values = values_of_arrow(column)
        if self.kinds[name] == "text":
            values = _without_marks(values)
        return empty(values.size) if values.missing.all() else values

    def _demote_as_arrow_says(self, message: str) -> None:
        """Take a column for what its values are, if that is what Arrow says."""
        found = re.search(r"[Cc]olumn #(\d+).*conversion error", message, re.DOTALL)
        if found is not None:
            self._demote(self.names[int(found[1])])

    def _demote(self, name: str) -> None:
        self.kinds[name] = _NEXT[self.kinds[name]]
        raise _OtherKind(name)

    def _by_line(self, columns: Sequence[str], skip: int) -> Iterator[Batch]:
        """Yield what is after the first `skip` rows; raise for the first row that is wrong."""
        places = {self.names.index(name): name for name in columns}
        with closing(self.dialect.records()) as records:
            rest = islice(records, skip, None)
            while block := list(islice(rest, _RECORDS)):
                for record in block:
                    self._require_shape(record)
                yield {
                    name: self._parsed([record.cells[j] for record in block], name)
                    for j, name in places.items()
                }

    def _require_shape(self, record: Record) -> None:
        cells, width = record.cells, self.dialect.width
        require_text("".join(cells), self.source, record.line, self.dialect.encoding)
        if len(cells) != width:
            raise FileError(
                f"{self.source}, line {record.line}: number of values is {len(cells)}, but the "
                f"first line has {width}"
            )

    def _parsed(self, cells: Sequence[str], name: str) -> Values:
        import pyarrow as pa

        kind = self.kinds[name]
        if kind == "text":
            return self._values(pa.array(cells, pa.string()), name)
        found: list[Any] = []
        for cell in cells:
            value = None if is_missing(cell) else _parsed(cell, kind, self.dialect)
            if value is None and not is_missing(cell):
                self._demote(name)
            found.append(value)
        array = pa.array(found, pa.string()) if kind == "time" else pa.array(found)
        if kind == "time":
            try:
                array = array.cast(pa.timestamp("us"))
            except pa.ArrowInvalid:
                self._demote(name)
        return self._values(array, name)


def _names(dialect: Dialect) -> tuple[str, ...]:
    header = dialect.header or ("",) * dialect.width
    return tuple(name.strip() or f"column {j + 1}" for j, name in enumerate(header))


def _kind(cells: Sequence[str], dialect: Dialect) -> str:
    """Return what a column is taken for by its first cells."""
    there = [cell for cell in cells if not is_missing(cell)]
    if not there and any(cell.strip().lower() in _WORDS for cell in cells):
        return "text"
    if all(_WHOLE.fullmatch(cell.strip()) for cell in there):
        return "integer"
    if any(re.fullmatch(r"[+-]?0\d+", cell.strip()) for cell in there):
        return "text"
    for kind in ("float", "time", "boolean"):
        if all(_parsed(cell, kind, dialect) is not None for cell in there):
            return kind
    return "text"


def _parsed(cell: str, kind: str, dialect: Dialect) -> Any:
    """Return a cell as a value of a kind, or None."""
    text = cell.strip(" \t")
    if kind == "integer":
        return int(text) if _WHOLE.fullmatch(text) else None
    if kind == "float":
        return dialect.numerals.number(text)
    if kind == "time":
        return text.removesuffix("Z") if _MOMENT.fullmatch(text) else None
    return _TRUTH.get(text.lower())


def _without_marks(values: Values) -> Values:
    """Return text with what marks a missing value as missing: the empty one, NA, null."""
    from pyarrow.csv import ConvertOptions

    marks = set(ConvertOptions().null_values) - {"-1.#IND", "1.#IND", "-1.#QNAN", "1.#QNAN"}
    gone = [k for k, name in enumerate(values.categories) if name in marks]
    if not gone:
        return values
    data = values.data.copy()
    for k in gone:
        data[values.data == k] = -1
    return values._replace(data=data)
