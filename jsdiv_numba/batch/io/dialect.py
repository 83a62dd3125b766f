"""How a text file is laid out: what separates values, where rows begin, how numbers look."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import counted, shown
from jsdiv_numba.batch.io.headings import is_header, is_text, usual_width
from jsdiv_numba.batch.io.numerals import (
    AmbiguousError,
    Numerals,
    is_missing,
    is_number,
    numerals_of,
)
from jsdiv_numba.batch.io.options import TableOptions

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
_FIRST = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
_MARK = "#"
# So many lines are looked at, but no more of a file than this; a line has to fit in it.
_LINES, _LEAST_LINES, _SAMPLE, _MOST = 1000, 5, 1 << 21, 1 << 28
_SHOWN = 40
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Record(NamedTuple):
    """The cells of a line, or of several if there are line breaks in quotes."""

    line: int
    end: int
    cells: list[str]


@dataclass(frozen=True)
class Dialect:
    """How a text file is laid out."""

    path: Path  # the file
    source: str  # the file as the user named it
    encoding: str  # its encoding
    separator: str  # what stands between values; a blank is any number of them
    comment: str | None  # what begins lines that are skipped
    numerals: Numerals  # how numbers are written
    skip: int  # how many lines stand before the rows
    header: tuple[str, ...] | None  # the names of the columns
    width: int  # the number of columns
    sample: tuple[Record, ...]  # the first rows
    preamble: int = 0  # how many lines stand before the header
    kind: str = ""  # the extension, without that of compression

    def records(self) -> Generator[Record, None, None]:
        """Yield what is below the header."""
        lines = _Lines(self.path, self.source, self.encoding, self.comment, self.skip)
        with lines:
            yield from split(lines, self.separator, self.source)

    def open(self) -> BinaryIO:
        """Return the file's bytes, decompressed."""
        return open_bytes(self.path)

    def column(self, j: int) -> str:
        """Return what errors call a column."""
        named = self.header is not None and self.header[j]
        return f"column {self.header[j]!r}" if self.header and named else f"column {j + 1}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say of it that its extension does not."""
        found = []
        if self.separator != _FIRST.get(self.kind):
            found.append(f"separated by {SEPARATORS.get(self.separator, repr(self.separator))}")
        if str(self.numerals):
            found.append(str(self.numerals))
        if self.encoding not in ("utf-8", "utf-8-sig"):
            found.append(self.encoding)
        if self.preamble:
            found.append(f"{counted(self.preamble, 'line')} above it skipped")
        return tuple(found)


def open_bytes(path: Path) -> BinaryIO:
    """Open a file to read, and what is compressed as if it were not."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


@contextmanager
def readable(source: str) -> Iterator[None]:
    """Turn what is wrong with a compressed file into a `FileError`."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{source}: damaged or cut short ({error})") from error


class _Lines:
    """The lines of a text file, without those that are comments, and which one it has come to."""

    def __init__(
        self, path: Path, source: str, encoding: str, comment: str | None, skip: int = 0
    ) -> None:
        self.source, self.comment, self.line = source, comment, 0
        binary = open_bytes(path)
        self.file = io.TextIOWrapper(binary, encoding, errors="surrogateescape", newline="")
        self.quoted = False
        for _ in range(skip):
            self._next()

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def __iter__(self) -> Iterator[str]:
        return self

    def _next(self) -> str:
        try:
            with readable(self.source):
                text = self.file.readline(_MOST)
        except UnicodeError as error:
            raise FileError(f"{self.source}, line {self.line + 1}: {error}") from error
        self.line += 1
        if "\0" in text:
            raise FileError(
                f"{self.source}, line {self.line}: a character 0, which no text has; of UTF-16 and "
                "UTF-32 say the --encoding"
            )
        return text

    def __next__(self) -> str:
        while text := self._next():
            if self.comment and not self.quoted and text.startswith(self.comment):
                continue
            self.quoted ^= text.count('"') % 2 == 1
            return text
        raise StopIteration


class _Numbered(Protocol):
    """Lines, and the number of the last one that was given."""

    line: int

    def __iter__(self) -> Iterator[str]: ...

    def __next__(self) -> str: ...


def split(lines: _Numbered, separator: str, source: str) -> Iterator[Record]:
    """Yield the records of lines, but not those without any cell."""
    blanks = separator == " "
    feed = (line.replace("\t", " ").strip(" ") for line in lines) if blanks else lines
    reader = csv.reader(feed, delimiter=separator, skipinitialspace=blanks, strict=True)
    read = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            before = reader.line_num - read - 1
            first, what = _told(str(error), before)
            raise FileError(f"{source}, line {lines.line - first}: {what}") from error
        first, read = lines.line - (reader.line_num - read) + 1, reader.line_num
        if any(cell.strip() for cell in cells):
            yield Record(first, lines.line, cells)


def _told(error: str, before: int) -> tuple[int, str]:
    """Return how many lines before the last a fault of a record is, and what it is.

    `before`: how many lines the record has before the last.
    """
    if error == "unexpected end of data":
        return before, "a quote that is opened here is not closed"
    if not error.startswith("field larger"):
        return 0, error
    most = f"{csv.field_size_limit():,} characters"
    if before:
        return before, f"a quote that is opened here is not closed in {most}"
    return 0, f"a value of more than {most}; save the table as .parquet"


def dialect_of(
    path: Path, source: str, kind: str, options: TableOptions, *, needs_rows: bool = True
) -> Dialect:
    """Return how a text file is laid out, by what is said of it and by its first lines.

    `needs_rows`: whether a header alone is no table. Raises `FileError` if the file is empty, not
    in its encoding, or can be read in two ways.
    """
    return _Sniffer(path, source, kind, options, needs_rows=needs_rows).dialect()


class _Sniffer:
    """The steps from the first lines of a file to its layout."""

    def __init__(
        self, path: Path, source: str, kind: str, options: TableOptions, *, needs_rows: bool
    ) -> None:
        self.path, self.source, self.kind, self.options = path, source, kind, options
        self.needs_rows = needs_rows
        self.encoding = options.encoding or self._encoding()
        self.lines = self._first_lines()
        self.skip, self.separator = 0, options.sep
        self.remark = ""
        self.cut: FileError | None = None

    def dialect(self) -> Dialect:
        self._skip_preamble()
        self.preamble = sum(bool(line.strip()) for line in self.lines[: self.skip])
        separator = self.separator or self._separator()
        records = self._records(separator)
        if not records:
            raise FileError(f"{self.source}: the file is empty")
        header, below = self._header(records, separator)
        width = self._width(header, records, below)
        return Dialect(
            path=self.path,
            source=self.source,
            encoding=self.encoding,
            separator=separator,
            comment=self.options.comment,
            numerals=self._numerals(below, separator),
            skip=self.skip,
            header=None if header is None else (*header, *[""] * (width - len(header))),
            width=width,
            sample=tuple(below),
            preamble=self.preamble,
            kind=self.kind,
        )

    def _encoding(self) -> str:
        with readable(self.source), open_bytes(self.path) as file:
            begin = file.read(4)
        marks = (name for mark, name in _BYTE_ORDER_MARKS.items() if begin.startswith(mark))
        return next(marks, "utf-8")

    def _first_lines(self) -> list[str]:
        found, size = [], 0
        with _Lines(self.path, self.source, self.encoding, None) as lines:
            for line in lines:
                require_text(line, self.source, lines.line, self.encoding)
                found.append(line)
                size += len(line)
                if len(found) >= _LINES or (size > _SAMPLE and len(found) >= _LEAST_LINES):
                    self.whole = False
                    return found
        self.whole = True
        return found

    def _skip_preamble(self) -> None:
        """Skip what stands before the table: the separator that Excel writes, and comments."""
        comment = self.options.comment
        for line in self.lines:
            text = line.strip("\r\n \ufeff")
            if text.lower().startswith("sep=") and len(text) == len("sep=") + 1:
                self.separator = self.separator or text[-1]
            elif text.startswith(comment or _MARK):
                self.remark = "" if comment else text
            elif text:
                break
            self.skip += 1

    def _records(self, separator: str) -> list[Record]:
        lines = _Sample(self.lines, self.skip, self.options.comment)
        records: list[Record] = []
        self.cut = None
        try:
            records.extend(split(lines, separator, self.source))
        except FileError as error:
            # A quote that the sample cuts in two.
            if self.whole:
                raise
            self.cut = error
        return records if self.whole or len(records) < 2 else records[:-1]

    def _separator(self) -> str:
        first = _FIRST.get(self.kind, "\t")
        candidates = [first, *(separator for separator in SEPARATORS if separator != first)]
        scores = {separator: self._score(separator) for separator in candidates}
        # Tabs, and commas with a blank behind, would do for blanks as well: they come last.
        return max(candidates, key=lambda separator: scores[separator])

    def _score(self, separator: str) -> tuple[float, bool]:
        """Return how much of the sample is a table of numbers, and whether it has two columns."""
        try:
            records = [record.cells for record in self._records(separator)]
        except FileError:
            return 0.0, False
        if not records:
            return 0.0, False
        width = usual_width(records[1:] or records)
        if width < 2:
            return 0.0, False
        regular = [cells for cells in records if len(cells) == width]
        below = regular[1:] if len(regular) > 1 else regular
        cells = [cell for cells in below[:100] for cell in cells]
        numbers = sum(is_number(cell) or is_missing(cell) for cell in cells)
        # The labels, one in each row, may be anything.
        share = min(1.0, numbers / (len(cells) - len(below[:100])))
        return share * len(regular) / len(records), width > 2

    def _header(
        self, records: Sequence[Record], separator: str
    ) -> tuple[list[str] | None, list[Record]]:
        """Return the header, and the rows below it."""
        first, *below = records
        width = usual_width([record.cells for record in below or records])
        remark = self._remark(separator)
        said = self.options.header
        place = f"{self.source}, line {first.line}"
        cells = first.cells
        is_short = len(cells) == width - 1 and self._is_short(cells, below, width)
        if said is None:
            rows = [record.cells for record in below if len(record.cells) == width]
            quoted = self._only_header_is_quoted(cells, below)
            said = is_short or quoted or is_header(cells, rows, place=place)
            if len(remark) == width and not said:
                self.preamble -= 1
                return remark, list(records)
        if not said:
            return None, list(records)
        if not below and self.needs_rows:
            raise self.cut or FileError(f"{self.source}: the header has no rows below it")
        if len(cells) < width - 1:
            begin = cells[0].split()[0] if cells[0].split() else cells[0]
            raise FileError(
                f"{place}: number of values is {len(cells)}, but the lines below have {width}; if "
                f"it is no part of the table, say --comment {begin!r}"
            )
        self.skip = first.end
        return ["", *cells] if is_short else list(cells), below

    def _remark(self, separator: str) -> list[str]:
        """Return the cells of the comment just above the table, which may be its header."""
        cells = next(csv.reader([self.remark], delimiter=separator)) if self.remark else []
        return [cells[0].lstrip(_MARK).strip(), *cells[1:]] if cells else []

    def _is_short(self, cells: Sequence[str], below: Sequence[Record], width: int) -> bool:
        """Return whether a header leaves out the column of labels, as R writes it."""
        rows = [record.cells for record in below if len(record.cells) == width]
        if all(not row[-1].strip() for row in rows):
            return False
        numbers = sum(map(is_number, cells))
        labels = is_text([row[0] for row in rows]) or len({row[0] for row in rows}) == len(rows)
        return labels and (not numbers or (numbers == len(cells) and is_text([r[0] for r in rows])))

    def _only_header_is_quoted(self, cells: Sequence[str], below: Sequence[Record]) -> bool:
        """Return whether numbers are quoted in the first line and not in the next."""
        lines = [line for line in self.lines[self.skip :] if line.strip()]
        numbers = [cell for cell in cells if is_number(cell)]
        if not numbers or not below or len(lines) < 2:
            return False
        others = [cell for cell in below[0].cells if is_number(cell)]
        quoted = all(f'"{cell}"' in lines[0] for cell in numbers)
        return quoted and bool(others) and not any(f'"{cell}"' in lines[1] for cell in others)

    def _width(
        self, header: list[str] | None, records: Sequence[Record], below: Sequence[Record]
    ) -> int:
        width = usual_width([record.cells for record in below or records])
        if header is None or len(header) == width:
            return len(records[0].cells) if header is None else width
        # Separators at the end of the header alone, or of the rows alone.
        if all(not cell.strip() for cell in header[width:]) and len(header) > width:
            del header[width:]
            return width
        behind = (record.cells[len(header) :] for record in below)
        if len(header) < width and not any("".join(cells).strip() for cells in behind):
            return width
        return len(header)

    def _numerals(self, below: Sequence[Record], separator: str) -> Numerals:
        columns = zip(*(r.cells for r in below if len(r.cells) == len(below[0].cells)), strict=True)
        cells = [cell for column in columns if not is_text(column) for cell in column]
        try:
            return numerals_of(cells, self.options.decimal, comma_free=separator == ";")
        except AmbiguousError as error:
            written = str(error)
            point, plain = written.replace(",", "."), written.replace(",", "").replace(".", "")
            raise FileError(
                f"{self.source}: {written!r} may be {point} or {plain}; say --decimal , or "
                "--decimal ."
            ) from error


class _Sample:
    """The first lines of a file once more, and which one it has come to."""

    def __init__(self, lines: Sequence[str], skip: int, comment: str | None) -> None:
        self.lines, self.comment, self.line = lines, comment, skip

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while self.line < len(self.lines):
            text = self.lines[self.line]
            self.line += 1
            if not (self.comment and text.startswith(self.comment)):
                return text
        raise StopIteration


def require_text(text: str, source: str, line: int, encoding: str) -> None:
    """Raise `FileError` if a line, read with surrogates for bad bytes, is in another encoding."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        name = "UTF-8" if encoding.startswith("utf-8") else shown(encoding, _SHOWN)
        raise FileError(
            f"{source}, line {line}: not {name}; save it as UTF-8, or say its --encoding"
        ) from error
