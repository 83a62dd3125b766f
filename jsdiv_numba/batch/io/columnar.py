"""Arrow's tables as rows: what the formats that know their columns' types share."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import shown
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.roles import Field, Roles, require_categories, roles
from jsdiv_numba.batch.io.rows import Block, Reading, Stream
from jsdiv_numba.batch.io.table import BETWEEN_LABELS, RowFilter, joined, stream_of

BLOCK_BYTES = 1 << 25
SAMPLE = 1000
_SHOWN = 40


@dataclass(frozen=True)
class Columns:
    """The columns of Arrow's tables, as far as their schema and the first rows show them."""

    source: str  # the file, as the user named it
    schema: Any  # their names and types
    first: Any  # the first rows

    def stream(
        self,
        batches: Callable[[], Generator[Any, None, None]],
        options: TableOptions,
        notes: Sequence[str] = (),
    ) -> Stream:
        """Return all rows.

        Raises `FileError` if no column holds numbers, or what does may be a label.
        """
        fields = self._fields()
        found = roles(fields, options, self.source, named=True)
        names = tuple(field.name for field in fields)
        lists = [j for j in found.values if _is_list(self.schema.field(j).type)]
        label_names = [_unmarked(fields[j]) for j in found.labels]
        if lists:
            return self._stream_of_lists(lists, found, batches, options, notes, label_names)
        self._require_numbers(found.values, names)
        dtype = _float_type(self.schema.field(j).type for j in found.values)

        def blocks(rows: RowFilter) -> Iterator[Block]:
            start = 0
            with closing(batches()) as tables:
                for batch in tables:
                    values = _matrix(batch, found.values, dtype)
                    yield self._block(batch, values, found, options, rows, start)
                    start += batch.num_rows

        return stream_of(
            blocks, self.source, names, found, options, dtype, notes, totals=True,
            label_names=label_names,
        )  # fmt: skip

    def _fields(self) -> list[Field]:
        marked = pandas_index(self.schema, self.source)
        return [self._field(j, field, field.name in marked) for j, field in enumerate(self.schema)]

    def _field(self, j: int, field: Any, marked: bool) -> Field:
        from pyarrow import types

        kind = _value_type(field.type)
        if _is_list(kind):
            return Field(field.name, "number", marked)
        if not _is_numeric(kind):
            return Field(field.name, "other" if types.is_nested(kind) else "text", marked)
        values = self.first.column(j).to_pylist()
        whole = bool(values) and types.is_integer(kind) and None not in values
        fractions = types.is_floating(kind) and any(v is not None and v % 1 for v in values)
        return Field(field.name, "number", marked, tuple(values) if whole else None, fractions)

    def _require_numbers(self, columns: Sequence[int], names: Sequence[str]) -> None:
        if not columns:
            raise FileError(f"{self.source}: no numeric column")
        for j in columns:
            if not _is_numeric(_value_type(self.schema.field(j).type)):
                value = self.first.column(j)[0] if self.first.num_rows else None
                raise FileError(
                    f"{self.source}, row 0, column {names[j]!r}: {shown(str(value), _SHOWN)!r} is "
                    f"not a number; --label-column {names[j]!r} takes the column for labels, "
                    f"--exclude {names[j]!r} leaves it out"
                )

    def _block(
        self,
        batch: Any,
        values: Any,
        found: Roles,
        options: TableOptions,
        rows: RowFilter,
        start: int,
    ) -> Block:
        labels = joined([texts(batch.column(j), self.source) for j in found.labels], options)
        kept = rows.kept(start, len(values), labels)
        if kept is not None:
            import pyarrow as pa

            values = values[kept]
            labels = None if labels is None else labels.filter(pa.array(kept))
        if options.missing == "zero":
            values = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
        return values, labels

    def _stream_of_lists(
        self,
        lists: Sequence[int],
        found: Roles,
        batches: Callable[[], Generator[Any, None, None]],
        options: TableOptions,
        notes: Sequence[str],
        label_names: Sequence[str],
    ) -> Stream:
        """Return the rows of a table that has each of them in one cell, as a list."""
        names = [field.name for field in self.schema]
        if len(lists) > 1:
            listed = ", ".join(repr(names[j]) for j in lists)
            raise FileError(
                f"{self.source}: {listed} hold lists of numbers; say --columns with one"
            )
        (column,) = lists
        others = [j for j in found.values if j != column]
        if others and found.chosen:
            listed = ", ".join(repr(names[j]) for j in others)
            raise FileError(
                f"{self.source}: {names[column]!r} holds lists, which are whole rows, and {listed} "
                "does not"
            )
        width = self._list_width(column)
        if self.first.num_rows:
            require_categories(self.source, width, f"in lists in column {names[column]!r}")
        dtype = _float_type([self.schema.field(column).type.value_type])
        reading = Reading(
            self.source,
            header=True,
            labels=tuple(f"column {name!r}" for name in label_names),
            columns=(width, "1", str(width)),
            notes=(f"lists in column {names[column]!r}", *notes, *_left_out(others, names)),
        )
        if options.transpose:
            raise FileError(f"{self.source}: --transpose: lists are rows, and cannot be columns")
        rows = RowFilter(options.exclude_rows, self.source, labelled=bool(found.labels))

        def blocks() -> Iterator[Block]:
            start = 0
            with closing(batches()) as tables:
                for batch in tables:
                    values = self._lists(batch.column(column), names[column], start, width, dtype)
                    yield self._block(batch, values, found, options, rows, start)
                    start += batch.num_rows
            rows.require_seen()

        label_name = BETWEEN_LABELS.join(label_names) if found.labels else "row"
        return Stream(width, dtype, None, label_name, bool(found.labels), blocks(), reading)

    def _list_width(self, column: int) -> int:
        cells = [cell for cell in self.first.column(column).to_pylist() if cell is not None]
        return len(cells[0]) if cells else 0

    def _lists(
        self, column: Any, name: str, start: int, width: int, dtype: np.dtype[Any]
    ) -> NDArray[np.floating[Any]]:
        import pyarrow as pa
        from pyarrow import compute

        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        lengths = np.asarray(compute.fill_null(compute.list_value_length(column), -1))
        for i in np.flatnonzero(lengths != width)[:1].tolist():
            found = "the list is missing" if lengths[i] < 0 else f"a list of {lengths[i]} values"
            raise FileError(
                f"{self.source}, row {start + i}, column {name!r}: {found}, but the first row has "
                f"{width}"
            )
        values = column.flatten().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return np.asarray(values.astype(dtype).reshape(len(column), width))


def _left_out(columns: Sequence[int], names: Sequence[str]) -> list[str]:
    listed = ", ".join(repr(shown(names[j], _SHOWN)) for j in columns)
    return [f"left out: {listed}"] if columns else []


def pandas_index(schema: Any, source: str) -> list[str]:
    """Return the names of the columns that pandas stored as an index.

    Raises `FileError` if what pandas stored is damaged.
    """
    try:
        stored = (schema.pandas_metadata or {}).get("index_columns", [])
        return [name for name in stored if isinstance(name, str)]
    except (ValueError, TypeError, AttributeError) as error:
        raise FileError(
            f"{source}: its metadata of pandas is damaged; write the file again"
        ) from error


def _unmarked(field: Field) -> str:
    """Return a heading; what pandas calls an index without a name has none."""
    return "" if field.marked and field.name.startswith("__index_level_") else field.name


def _value_type(kind: Any) -> Any:
    from pyarrow import types

    return kind.value_type if types.is_dictionary(kind) else kind


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return any(test(kind) for test in tests) and _is_numeric(kind.value_type)


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def _float_type(kinds: Iterable[Any]) -> np.dtype[Any]:
    single = all(str(_value_type(kind)) in {"halffloat", "float"} for kind in kinds)
    return np.dtype(np.float32 if single else np.float64)


def texts(column: Any, source: str) -> Any:
    """Return a column's values as an Arrow array of strings, without missing ones."""
    import pyarrow as pa

    try:
        values = column.to_pylist()
    except UnicodeDecodeError as error:
        raise FileError(f"{source}: damaged: text that is not UTF-8") from error
    return pa.array(["" if v is None else str(v) for v in values], pa.string())


def _matrix(table: Any, columns: Sequence[int], dtype: np.dtype[Any]) -> NDArray[np.floating[Any]]:
    import pyarrow as pa
    from pyarrow import types

    values = np.empty((table.num_rows, len(columns)), dtype)
    for k, j in enumerate(columns):
        column = table.column(j)
        if types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        values[:, k] = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return values
