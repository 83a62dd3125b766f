"""CSV and TSV files as rows, with every error at its line."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.labelled import (
    ZERO_ROW,
    LabelledRows,
    Stream,
    are_distributions,
    default_labels,
    fault,
)
from jsdiv_numba.batch.labels import shown

# A line has to fit in a block: 16 MiB are about a million columns.
_BLOCK = 1 << 24
_SHOWN = 40


@dataclass(frozen=True)
class _Layout:
    """What the first lines of a file say of the rest."""

    path: Path
    source: str
    delimiter: str
    header: tuple[str, ...] | None
    header_end: int
    width: int
    labelled: bool

    @property
    def label_name(self) -> str:
        if not self.labelled:
            return "row"
        return "label" if self.header is None else self.header[0]

    @property
    def names(self) -> tuple[str, ...] | None:
        return None if self.header is None else self.header[self.labelled :]

    def column(self, j: int) -> str:
        return f"column {j + 1}" if self.header is None else f"column {self.header[j]!r}"


def read_csv(path: Path, source: str) -> LabelledRows:
    """Read a file of values separated by commas; see `read_text`."""
    return read_text(path, source, ",")


def read_tsv(path: Path, source: str) -> LabelledRows:
    """Read a file of values separated by tabs; see `read_text`."""
    return read_text(path, source, "\t")


def read_text(path: Path, source: str, delimiter: str) -> LabelledRows:
    """Read a file of delimited text as rows.

    The first line is a header unless all its values are numbers, the first of them
    aside, which may be a label. The first column holds labels if its first value is
    no number, or if the header leaves its name empty, as pandas does.

    Parameters
    ----------
    path : Path
        The file, in UTF-8.
    source : str
        The file as the user named it.
    delimiter : str
        What separates the values.

    Returns
    -------
    LabelledRows
        Its values are float64.

    Raises
    ------
    FileError
        Naming file, line (from 1), column and value.
    """
    import pyarrow as pa

    layout = _layout(path, source, delimiter)
    try:
        columns = _opened(layout).read_all().columns
    except pa.ArrowException as error:
        raise _described(error, layout) from error
    values = _matrix(columns[layout.labelled :])
    if not are_distributions(values):
        _raise_first_fault(layout)
    labels = tuple(columns[0].to_pylist()) if layout.labelled else default_labels(len(values))
    return LabelledRows(source, values, labels, layout.label_name, layout.names)


def stream_text(path: Path, source: str, delimiter: str, *, lenient: bool) -> Stream:
    """Read a file as `read_text` does, block by block.

    Parameters
    ----------
    path, source, delimiter
        As in `read_text`.
    lenient : bool
        Whether rows of numbers may be no distributions; a missing value is then NaN.

    Returns
    -------
    Stream

    Raises
    ------
    FileError
        Now or while the blocks are read.
    """
    layout = _layout(path, source, delimiter)
    labelled = layout.labelled
    width = layout.width - labelled
    label_name = layout.label_name
    blocks = _blocks(layout, lenient)
    return Stream(width, np.dtype(np.float64), layout.names, label_name, labelled, blocks)


def _blocks(layout: _Layout, lenient: bool) -> Iterator[tuple[NDArray[np.float64], Any]]:
    import pyarrow as pa

    count = 0
    try:
        for batch in _opened(layout):
            values = _matrix(batch.columns[layout.labelled :])
            if not lenient and not are_distributions(values):
                _raise_first_fault(layout, count)
            yield values, batch.column(0) if layout.labelled else None
            count += len(values)
    except pa.ArrowException as error:
        raise _described(error, layout, count) from error


def _described(error: Exception, layout: _Layout, count: int = 0) -> FileError:
    """Raise what is wrong with the file's lines, or return what Arrow says of it."""
    _raise_first_fault(layout, count)
    first_line = str(error).partition("\n")[0]
    return FileError(f"{layout.source}: {first_line}")


def _layout(path: Path, source: str, delimiter: str) -> _Layout:
    records = _records(path, source, delimiter)
    line, end, first = next(records, (0, 0, []))
    if not first:
        raise FileError(f"{source}: the file is empty")
    header, header_end = None, 0
    if _is_header(first):
        header, header_end = tuple(first), end
        line, _, first = next(records, (0, 0, []))
        if not first:
            raise FileError(f"{source}: the header has no rows below it")
    labelled = not _is_value(first[0]) or (header is not None and not header[0])
    if not any(_is_value(cell) for cell in first[labelled:]):
        found = shown(delimiter.join(first), _SHOWN)
        raise FileError(
            f"{source}, line {line}: no numeric column in {found!r} "
            f"(.csv separates values by commas, .tsv by tabs)"
        )
    return _Layout(
        path=path,
        source=source,
        delimiter=delimiter,
        header=header,
        header_end=header_end,
        width=len(header or first),
        labelled=labelled,
    )


def _records(path: Path, source: str, delimiter: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the first line, the last line, and the cells of each record."""
    with _open_text(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        end = 0
        while True:
            line = end + 1
            try:
                cells = next(reader)
                "".join(cells).encode()
            except StopIteration:
                return
            except UnicodeEncodeError as error:
                raise FileError(f"{source}, line {line}: not UTF-8; save it as UTF-8") from error
            except csv.Error as error:
                raise FileError(f"{source}, line {line}: {error}") from error
            end = reader.line_num
            if cells:
                yield line, end, cells


def _open_text(path: Path) -> TextIO:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    return opened(path, "rt", newline="", encoding="utf-8-sig", errors="surrogateescape")


def _is_header(first: Sequence[str]) -> bool:
    values = first[1:] or first
    return not first[0] or not all(_is_value(cell) for cell in values)


def _is_value(cell: str) -> bool:
    return _number(cell) is not None or _is_missing(cell)


def _number(cell: str) -> float | None:
    """Return what Arrow reads `cell` as: unlike Python, plain ASCII without underscores."""
    if not cell.isascii() or "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _is_missing(cell: str) -> bool:
    return cell in _missing_marks()


@cache
def _missing_marks() -> frozenset[str]:
    """Return what Arrow reads as a missing value."""
    from pyarrow.csv import ConvertOptions

    return frozenset(ConvertOptions().null_values)


def _opened(layout: _Layout) -> Any:
    """Return Arrow's reader of what is below the header; the columns are called 0, 1, ..."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(j) for j in range(layout.width)]
    types = dict.fromkeys(names, pa.float64())
    if layout.labelled:
        types["0"] = pa.string()
    return arrow_csv.open_csv(
        layout.path,
        read_options=arrow_csv.ReadOptions(
            column_names=names, skip_rows=layout.header_end, block_size=_BLOCK
        ),
        parse_options=arrow_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(column_types=types),
    )


def _matrix(columns: Sequence[Any]) -> NDArray[np.float64]:
    values = np.empty((len(columns[0]), len(columns)))
    for j, column in enumerate(columns):
        values[:, j] = column.to_numpy(zero_copy_only=False)
    return values


def _raise_first_fault(layout: _Layout, skip: int = 0) -> None:
    """Go through the file again, slowly, and raise for the first thing that is wrong.

    The first `skip` rows are known to be right.
    """
    records = _records(layout.path, layout.source, layout.delimiter)
    below = (record for record in records if record[1] > layout.header_end)
    for line, _, cells in islice(below, skip, None):
        place = f"{layout.source}, line {line}"
        if len(cells) != layout.width:
            raise FileError(
                f"{place}: number of values is {len(cells)}, but the first line has {layout.width}"
            )
        for j in range(layout.labelled, layout.width):
            wrong = _cell_fault(cells[j])
            if wrong:
                raise FileError(f"{place}, {layout.column(j)}: {wrong}")
        if not any(float(cell) for cell in cells[layout.labelled :]):
            raise FileError(f"{place}: {ZERO_ROW}")


def _cell_fault(cell: str) -> str | None:
    written = shown(cell.strip(" "), _SHOWN)
    if not written:
        return "the value is missing; fill it in or leave the row out"
    number = _number(cell)
    if number is not None:
        return fault(number, written)
    if _is_missing(cell):
        return f"{written} marks a missing value; fill it in or leave the row out"
    return f"{written!r} is not a number; only the first column may be text (the rows' labels)"
