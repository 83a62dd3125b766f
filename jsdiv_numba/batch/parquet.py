"""Parquet files as rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.labelled import LabelledRows, Stream, default_labels

_BLOCK_BYTES = 1 << 25


class _Layout(NamedTuple):
    """Which columns hold values, and which the labels."""

    label: str | None
    label_name: str
    columns: tuple[str, ...]
    dtype: np.dtype[Any]


def read_parquet(path: Path, source: str) -> LabelledRows:
    """Read a Parquet file as rows.

    A first column that is not numeric labels the rows; so does an index that pandas
    stored, which is never taken for data.
    """
    from pyarrow import parquet

    with path.open("rb") as file, _readable(source):
        table = parquet.ParquetFile(file).read()
    if not table.num_rows:
        raise FileError(f"{source}: the file has no rows")
    layout = _layout(table.schema, source, table)
    labels = default_labels(table.num_rows)
    if layout.label is not None:
        labels = tuple(_texts(table[layout.label]).to_pylist())
    values = _matrix(table, layout)
    return LabelledRows(source, values, labels, layout.label_name, layout.columns)


def stream_parquet(paths: Sequence[Path], source: str) -> Stream:
    """Read Parquet files, one after the other, as `read_parquet` does, block by block.

    Parameters
    ----------
    paths : sequence of Path
        The files, whose columns have to be the same.
    source : str
        The file or folder as the user named it.

    Returns
    -------
    Stream

    Raises
    ------
    FileError
        Now or while the blocks are read.
    """
    from pyarrow import parquet

    with paths[0].open("rb") as file, _readable(source):
        opened = parquet.ParquetFile(file)
        first = next(opened.iter_batches(batch_size=1), None)
        layout = _layout(opened.schema_arrow, source, first)
    blocks = _blocks(paths, source, layout)
    labelled = layout.label is not None
    width = len(layout.columns)
    return Stream(width, layout.dtype, layout.columns, layout.label_name, labelled, blocks)


def _blocks(
    paths: Sequence[Path], source: str, layout: _Layout
) -> Iterator[tuple[NDArray[np.floating[Any]], Any]]:
    from pyarrow import parquet

    size = max(1, _BLOCK_BYTES // (8 * len(layout.columns)))
    for path in paths:
        name = source if len(paths) == 1 else str(path)
        with path.open("rb") as file, _readable(name):
            opened = parquet.ParquetFile(file)
            if _layout(opened.schema_arrow, name)[:3] != layout[:3]:
                raise FileError(f"{name}: its columns are not those of {paths[0]}")
            # Threads of Arrow's would read ahead more than memory is given.
            for batch in opened.iter_batches(batch_size=size, use_threads=False):
                labels = None if layout.label is None else _texts(batch[layout.label])
                yield _matrix(batch, layout), labels


@contextmanager
def _readable(source: str) -> Iterator[None]:
    """Turn what Arrow says of a file into a `FileError`."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowException as error:
        first_line = str(error).partition("\n")[0]
        raise FileError(f"{source}: not a readable Parquet file ({first_line})") from error


def _layout(schema: Any, source: str, first: Any = None) -> _Layout:
    """Return which columns are which; `first` has the first row, for what is wrong with it."""
    stored = (schema.pandas_metadata or {}).get("index_columns", [])
    index = [field for field in schema if field.name in stored]
    columns = [field for field in schema if field.name not in stored]
    label, label_name = None, "row"
    if columns and not _is_numeric(columns[0].type):
        label = label_name = columns.pop(0).name
    elif len(index) == 1:
        label, label_name = index[0].name, ""
    _require_numbers(columns, source, first)
    single = all(str(field.type) in {"halffloat", "float"} for field in columns)
    names = tuple(field.name for field in columns)
    return _Layout(label, label_name, names, np.dtype(np.float32 if single else np.float64))


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def _texts(column: Any) -> Any:
    """Return a column's values as an Arrow array of strings, without missing ones."""
    import pyarrow as pa

    return pa.array(["" if v is None else str(v) for v in column.to_pylist()], pa.string())


def _require_numbers(columns: Sequence[Any], source: str, first: Any) -> None:
    if not columns:
        raise FileError(f"{source}: no numeric column")
    for field in columns:
        if not _is_numeric(field.type):
            value = None if first is None or not first.num_rows else first[field.name][0]
            raise FileError(
                f"{source}, row 0, column {field.name!r}: {str(value)!r} is not a number; "
                f"only the first column may be text (the rows' labels)"
            )


def _matrix(table: Any, layout: _Layout) -> NDArray[np.floating[Any]]:
    import pyarrow as pa

    values = np.empty((table.num_rows, len(layout.columns)), layout.dtype)
    for j, name in enumerate(layout.columns):
        column = table[name].cast(pa.float64(), safe=False)
        values[:, j] = column.to_numpy(zero_copy_only=False)
    return values
