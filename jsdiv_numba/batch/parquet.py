"""Parquet files as rows."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.labelled import LabelledRows, default_labels


def read_parquet(path: Path, source: str) -> LabelledRows:
    """Read a Parquet file as rows.

    A first column that is not numeric labels the rows; so does an index that pandas
    stored, which is never taken for data.
    """
    import pyarrow as pa
    from pyarrow import parquet

    with path.open("rb") as file:
        try:
            table = parquet.ParquetFile(file).read()
        except pa.ArrowException as error:
            first_line = str(error).partition("\n")[0]
            raise FileError(f"{source}: not a readable Parquet file ({first_line})") from error
    if not table.num_rows:
        raise FileError(f"{source}: the file has no rows")
    index, columns = _split_index(table)
    label_name, labels = "row", default_labels(table.num_rows)
    if columns and not _is_numeric(columns[0][1].type):
        name, column = columns.pop(0)
        label_name, labels = name, _texts(column)
    elif len(index) == 1:
        label_name, labels = "", _texts(index[0])
    _require_numbers(columns, source)
    names = tuple(name for name, _ in columns)
    return LabelledRows(source, _matrix([c for _, c in columns]), labels, label_name, names)


def _split_index(table: Any) -> tuple[list[Any], list[tuple[str, Any]]]:
    """Return the columns in which pandas stored an index, and the others by name."""
    stored = (table.schema.pandas_metadata or {}).get("index_columns", [])
    pairs = list(zip(table.column_names, table.columns, strict=True))
    return (
        [column for name, column in pairs if name in stored],
        [(name, column) for name, column in pairs if name not in stored],
    )


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def _texts(column: Any) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in column.to_pylist())


def _require_numbers(columns: list[tuple[str, Any]], source: str) -> None:
    if not columns:
        raise FileError(f"{source}: no numeric column")
    for name, column in columns:
        if not _is_numeric(column.type):
            raise FileError(
                f"{source}, row 0, column {name!r}: {str(column[0])!r} is not a number; "
                f"only the first column may be text (the rows' labels)"
            )


def _matrix(columns: list[Any]) -> NDArray[np.floating[Any]]:
    import pyarrow as pa

    single = all(column.type in (pa.float16(), pa.float32()) for column in columns)
    values = np.empty((len(columns[0]), len(columns)), np.float32 if single else np.float64)
    for j, column in enumerate(columns):
        values[:, j] = column.cast(pa.float64(), safe=False).to_numpy()
    return values
