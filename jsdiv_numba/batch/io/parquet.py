"""Parquet and Feather files, and folders of Parquet files, as rows."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.columnar import BLOCK_BYTES, SAMPLE, Columns
from jsdiv_numba.batch.io.folders import files_below
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.rows import Stream

SUFFIX = ".parquet"
_TEXT = {"string", "large_string"}
_PIECE = 1 << 18
"""Bytes of a column that are read ahead."""


def files_of(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder and of those in it, in the order of their names."""
    return [path for path in files_below(folder) if path.suffix.lower() == SUFFIX]


def stream_parquet(path: Path, source: str, options: TableOptions) -> Stream:
    """Read a Parquet file, or the files of a folder one after the other, block by block.

    Leading columns of text label the rows, as does an index that pandas stored, and a
    partition of a folder, ``year=2001``. A column of lists of numbers holds whole rows.

    `path`: the file or folder; the files' columns have to be the same. Raises `FileError`
    now or while the blocks are read.
    """
    files = open_files(path, source)
    with _readable(files.names[0]), files.paths[0].open("rb") as opened:
        sample = _with(_first_rows(opened), files.partitions[0])
    columns = Columns(source, files.schema, sample)
    notes = [f"{len(files.paths):,} files"] if path.is_dir() else []
    with _readable(source):
        return columns.stream(files.batches, options, notes)


@dataclass(frozen=True)
class ParquetFiles:
    """A Parquet file, or those of a folder, which have the same columns."""

    paths: list[Path]
    names: list[str]
    """What errors call them."""

    partitions: list[dict[str, str]]
    schema: Any

    @property
    def rows(self) -> int:
        """How many rows they have."""
        return sum(map(_number, self.paths, self.names))

    def batches(
        self,
        columns: Sequence[str] | None = None,
        *,
        encoded: bool = False,
        block: int = BLOCK_BYTES,
        start: int = 0,
    ) -> Generator[Any, None, None]:
        """Yield record batches or tables of `block` bytes, of some columns or of all.

        `encoded`: whether text comes as a dictionary. `start`: the first row.
        """
        for file, name, parts in zip(self.paths, self.names, self.partitions, strict=True):
            if start and start >= (rows := _number(file, name)):
                start -= rows
                continue
            known = parts if columns is None else {k: v for k, v in parts.items() if k in columns}
            stored = None if columns is None else [c for c in columns if c not in parts]
            yield from _batches(
                *(file, name, known, len(self.schema), stored),
                encoded=encoded,
                block=block,
                start=start,
            )
            start = 0


def _number(path: Path, name: str) -> int:
    from pyarrow import parquet

    with _readable(name), path.open("rb") as file:
        return int(parquet.ParquetFile(file).metadata.num_rows)


def open_files(path: Path, source: str) -> ParquetFiles:
    """Return a Parquet file, or the files of a folder.

    Raises `FileError` if one of them has other columns than the first.
    """
    paths = files_of(path) if path.is_dir() else [path]
    partitions = [_partitions(file, path) if path.is_dir() else {} for file in paths]
    names = [str(file) if path.is_dir() else source for file in paths]
    schema = _schema(paths[0], names[0], partitions[0])
    for file, name, parts in zip(paths[1:], names[1:], partitions[1:], strict=True):
        _require_same(_schema(file, name, parts), schema, name, names[0])
    return ParquetFiles(paths, names, partitions, schema)


def stream_feather(path: Path, source: str, options: TableOptions) -> Stream:
    """Read a Feather file as `stream_parquet` reads a Parquet file; the arguments are the same."""
    with _readable(source, "Feather"), path.open("rb") as file:
        reader = _feather(file)
        schema = reader.schema
        sample = (
            _checked(reader, 0).slice(0, SAMPLE)
            if reader.num_record_batches
            else schema.empty_table()
        )

    def batches() -> Generator[Any, None, None]:
        yield from feather_batches(path, source)

    with _readable(source, "Feather"):
        return Columns(source, schema, sample).stream(batches, options)


def feather_schema(path: Path, source: str) -> Any:
    """Return names and types of a Feather file's columns."""
    with _readable(source, "Feather"), path.open("rb") as file:
        return _feather(file).schema


def feather_rows(path: Path, source: str) -> int:
    """Return how many rows a Feather file has; it is gone through for that."""
    return sum(batch.num_rows for batch in feather_batches(path, source))


def feather_batches(path: Path, source: str) -> Generator[Any, None, None]:
    """Yield the record batches of a Feather file."""
    with _readable(source, "Feather"), path.open("rb") as file:
        reader = _feather(file)
        for k in range(reader.num_record_batches):
            yield _checked(reader, k)


def _feather(file: Any) -> Any:
    import pyarrow as pa

    return pa.ipc.open_file(file)


def _checked(reader: Any, number: int) -> Any:
    """Return a batch of a Feather file, of which Arrow believes every offset if it is not asked."""
    batch = reader.get_batch(number)
    batch.validate(full=True)
    return batch


def _schema(path: Path, source: str, parts: dict[str, str]) -> Any:
    import pyarrow as pa
    from pyarrow import parquet

    with _readable(source), path.open("rb") as file:
        schema = parquet.ParquetFile(file).schema_arrow
    for k, name in enumerate(parts):
        schema = schema.insert(k, pa.field(name, pa.string()))
    return schema


def _first_rows(file: Any) -> Any:
    from pyarrow import parquet

    opened = parquet.ParquetFile(file)
    first = next(opened.iter_batches(batch_size=SAMPLE), None)
    return opened.schema_arrow.empty_table() if first is None else first


def _batches(
    path: Path,
    source: str,
    parts: dict[str, str],
    width: int,
    columns: Sequence[str] | None = None,
    *,
    encoded: bool = False,
    block: int = BLOCK_BYTES,
    start: int = 0,
) -> Iterator[Any]:
    from pyarrow import parquet

    with _readable(source), path.open("rb") as file:
        opened = parquet.ParquetFile(file)
        if encoded:
            text = [field.name for field in opened.schema_arrow if str(field.type) in _TEXT]
            # By default (PyArrow 26) whole row groups are read ahead, and kept.
            opened = parquet.ParquetFile(
                file, read_dictionary=text, buffer_size=_PIECE, pre_buffer=False
            )
        rows = max(1, opened.metadata.num_rows)
        # A cell may hold a whole row; the footer says what rows take, decoded or not much less.
        size = sum(
            opened.metadata.row_group(k).total_byte_size for k in range(opened.num_row_groups)
        )
        row_bytes = max(8 * width, size // rows)
        # Threads of Arrow's would read ahead more than memory is given.
        groups, start = _groups_from(opened.metadata, start)
        for batch in opened.iter_batches(
            batch_size=max(1, block // row_bytes),
            row_groups=groups,
            columns=columns,
            use_threads=False,
        ):
            if start < batch.num_rows:
                yield _with(batch.slice(start), parts)
            start = max(0, start - batch.num_rows)


def _groups_from(metadata: Any, start: int) -> tuple[list[int], int]:
    """Return the row groups from the one of a row on, and which of their rows it is."""
    for group in range(metadata.num_row_groups):
        rows = int(metadata.row_group(group).num_rows)
        if start < rows:
            return list(range(group, metadata.num_row_groups)), start
        start -= rows
    return [], 0


def _with(batch: Any, parts: dict[str, str]) -> Any:
    """Return a batch with the values that the names of its folders give, as columns in front."""
    import pyarrow as pa

    if not parts:
        return batch
    texts = [pa.array([value] * batch.num_rows, pa.string()) for value in parts.values()]
    return pa.Table.from_arrays([*texts, *batch.columns], names=[*parts, *batch.schema.names])


def _partitions(file: Path, folder: Path) -> dict[str, str]:
    """Return what the folders of a file say, as in ``year=2001``."""
    from urllib.parse import unquote

    parents = file.relative_to(folder).parent.parts
    pairs = (name.split("=", 1) for name in parents if "=" in name)
    return {
        key: "" if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for key, value in pairs
    }


def _require_same(schema: Any, expected: Any, name: str, other: str) -> None:
    if schema.names != expected.names:
        raise FileError(f"{name}: its columns are not those of {other}")
    for field, wanted in zip(schema, expected, strict=True):
        if _kind(field.type) != _kind(wanted.type):
            raise FileError(
                f"{name}: column {field.name!r} is {field.type}, but {wanted.type} in {other}; "
                "write all files with the same types"
            )


def _kind(kind: Any) -> str:
    """Return a type, but of all whole numbers one, and one of all text: they read the same."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _kind(kind.value_type)
    if (
        types.is_integer(kind)
        or types.is_boolean(kind)
        or types.is_float64(kind)
        or types.is_decimal(kind)
    ):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        return "text"
    return str(kind)


@contextmanager
def _readable(source: str, what: str = "Parquet") -> Iterator[None]:
    """Turn what Arrow says of a file into a `FileError`."""
    import pyarrow as pa

    try:
        yield
    # Of a damaged file, Arrow raises what Python has for a file that is not there.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        first_line = str(error).partition("\n")[0]
        raise FileError(f"{source}: not a readable {what} file ({first_line})") from error


def dense_bytes(path: Path) -> int:
    """Return about how much memory the values of a Parquet file take, by its first row."""
    from pyarrow import parquet

    with _readable(str(path)), path.open("rb") as file:
        opened = parquet.ParquetFile(file)
        number = int(opened.metadata.num_rows)
        first = next(opened.iter_batches(batch_size=1, use_threads=False), None)
    # By the first row and not by what the footer says of each column: where that is damaged,
    # Arrow ends the process (`RowGroupMetaData.column`, as of PyArrow 26).
    columns = [] if first is None else first.columns
    return 8 * number * sum(_count(column[0].as_py()) for column in columns)


def _count(value: Any) -> int:
    return len(value) if isinstance(value, list) else 1


def feather_bytes(path: Path) -> int:
    """Return how much memory the values of a Feather file take; it is gone through for that."""
    with _readable(str(path), "Feather"), path.open("rb") as file:
        reader = _feather(file)
        return int(sum(_checked(reader, k).nbytes for k in range(reader.num_record_batches)))
