"""What a user says of a table: all that is not to be guessed."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict

Names = str | int | Sequence[str | int]
"""One column or several: names, numbers counted from 1, or ranges of either."""

NO_LABELS = "none"
MISSING = ("error", "nan", "zero")
LONG = 3
"""The columns of a long table: sample, category, count."""


class TableArguments(TypedDict, total=False):
    """The fields of `TableOptions`, as keyword arguments."""

    header: bool | None
    label_column: Names | None
    columns: Names | None
    exclude: Names | None
    exclude_rows: Names | None
    transpose: bool
    sep: str | None
    decimal: str | None
    comment: str | None
    encoding: str | None
    missing: str
    long: str | Sequence[str | int] | None
    format: str | None


@dataclass(frozen=True)
class TableOptions:
    r"""What is known of a table before it is read; None leaves it to the file.

    A column is named by its heading, or by its number among all columns of the file,
    counted from 1. Several are a sequence, or one string with commas between them, in
    which ``A:D``, ``2:5`` and ``2-5`` are ranges.

    Parameters
    ----------
    header : bool, optional
        Whether the first line of a text file names the columns.
    label_column : str, int or sequence, optional
        The columns that label the rows, joined by `` / ``; ``"none"`` is no column.
    columns : str, int or sequence, optional
        The columns that are categories; no others are.
    exclude : str, int or sequence, optional
        Columns to leave out.
    exclude_rows : str, int or sequence, optional
        Rows to leave out, by label, or by number, counted from 0.
    transpose : bool, default False
        Whether the columns of the file are the distributions and its rows the categories.
    sep : str, optional
        What separates the values of a text file: one character; a blank is any number of them.
    decimal : {".", ","}, optional
        The decimal mark of a text file; the other one may then group thousands.
    comment : str, optional
        What begins the lines of a text file to be skipped.
    encoding : str, optional
        The encoding of a text file, by its name in Python; None is UTF-8.
    missing : {"error", "nan", "zero"}, default "error"
        What a missing value is.
    long : sequence of three columns, optional
        The columns of sample, category and count of a table with a line for each count.
    format : str, optional
        The format of the file, as an extension; None is that of its name.

    Raises
    ------
    ValueError
        If one of them is wrong.

    Examples
    --------
    >>> TableOptions(label_column="country,year").label_column
    ('country', 'year')
    >>> TableOptions(sep="tab").sep
    '\t'
    """

    header: bool | None = None
    label_column: Names | None = None
    columns: Names | None = None
    exclude: Names | None = None
    exclude_rows: Names | None = None
    transpose: bool = False
    sep: str | None = None
    decimal: str | None = None
    comment: str | None = None
    encoding: str | None = None
    missing: str = "error"
    long: str | Sequence[str | int] | None = None
    format: str | None = None

    def __post_init__(self) -> None:
        for name in ("label_column", "columns", "exclude", "exclude_rows", "long"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else _listed(name, given))
        if self.transpose not in (True, False):
            raise ValueError(f"transpose is {self.transpose!r}; it must be True or False")
        self._check_text()
        if self.missing not in MISSING:
            listed = ", ".join(map(repr, MISSING))
            raise ValueError(f"missing is {self.missing!r}; it must be one of {listed}")
        if self.long is not None:
            self._check_long()
        if self.format is not None:
            object.__setattr__(self, "format", f".{self.format.lower().lstrip('.')}")

    def _check_text(self) -> None:
        if self.header not in (None, True, False):
            raise ValueError(f"header is {self.header!r}; it must be True, False or None")
        object.__setattr__(self, "sep", _separator(self.sep))
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"decimal is {self.decimal!r}; it must be '.' or ','")
        if self.decimal is not None and self.decimal == self.sep:
            raise ValueError(f"sep and decimal are both {self.sep!r}")
        if self.comment is not None and not self.comment.strip():
            raise ValueError(f"comment is {self.comment!r}; it must be what begins a line")
        if self.encoding is not None:
            _require_encoding(self.encoding)

    def _check_long(self) -> None:
        given = tuple(_as_listed(self.long))
        if len(given) != LONG:
            raise ValueError(
                f"long is {','.join(map(str, given))!r}; it must be three columns: "
                "SAMPLE,CATEGORY,COUNT"
            )
        for name in ("label_column", "columns", "exclude", "exclude_rows", "transpose"):
            if getattr(self, name):
                raise ValueError(f"long and {name} cannot be used together")

    @property
    def given(self) -> dict[str, Any]:
        """What was said, by name, fit for JSON."""
        return {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != f.default
        }

    @property
    def arguments(self) -> TableArguments:
        """What was said, as keyword arguments."""
        return TableArguments(**self.given)  # type: ignore[no-any-return,typeddict-item]

    @property
    def rows_are_distributions(self) -> bool:
        """Whether a row of the file is a distribution: not a category, nor one count."""
        return not (self.transpose or self.long)

    @property
    def concern_values(self) -> bool:
        """Whether an array, which has neither names nor text, has to be made another."""
        return set(self.given) - {"format", "sep", "decimal", "comment", "encoding"} != set()


def _as_listed(given: Any) -> Iterable[Any]:
    return given if isinstance(given, tuple) else (given,)


def _listed(name: str, given: Names) -> tuple[str | int, ...]:
    """Return columns as a tuple: of a string, what stands between its commas."""
    if isinstance(given, str):
        found: list[str | int] = list(*csv.reader([given], skipinitialspace=True))
    else:
        found = list(given) if isinstance(given, Iterable) else [given]
    wrong = [item for item in found if isinstance(item, bool) or not isinstance(item, str | int)]
    if wrong or not found:
        raise ValueError(f"{name} is {given!r}; it must be names or numbers")
    return tuple(found)


def _separator(given: str | None) -> str | None:
    """Return a separator as one character; words stand for those that a shell eats."""
    words = {
        "\\t": "\t",
        "tab": "\t",
        "space": " ",
        "\\s": " ",
        "\\s+": " ",
        "comma": ",",
        "semicolon": ";",
    }
    sep = words.get(given, given) if given is not None else None
    if sep is not None and (len(sep) != 1 or sep in '"\r\n'):
        raise ValueError(f"sep is {given!r}; it must be one character, 'tab' or 'space'")
    return sep


def _require_encoding(name: str) -> None:
    try:
        "".encode(name)
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"encoding is {name!r}; Python knows no such encoding") from error


DEFAULT = TableOptions()
TABLE_ARGUMENTS = tuple(f.name for f in fields(TableOptions))
"""The names of its fields."""


class UnknownColumnError(ValueError):
    """A column that the table does not have."""


def chosen(items: Sequence[str | int], names: Sequence[str] | None, count: int) -> list[int]:
    """Return the indices that names, numbers and ranges stand for, in their order.

    `names`: the headings of the columns; None where there are none. Indices count from 0,
    each stands once.

    Examples
    --------
    >>> chosen(["b:d", 1], ["a", "b", "c", "d", "e"], 5)
    [1, 2, 3, 0]
    """
    places: dict[str, list[int]] = {}
    for j, name in enumerate(names or ()):
        places.setdefault(name, []).append(j)
    found: dict[int, None] = {}
    for item in items:
        found.update(dict.fromkeys(_of(item, places, count)))
    return list(found)


def _of(item: str | int, places: dict[str, list[int]], count: int) -> Sequence[int]:
    if isinstance(item, str) and item in places:
        return places[item]
    one = _one(item, places, count)
    if one is not None:
        return [one]
    for mark in (":", "-") if isinstance(item, str) else ():
        for k, character in enumerate(str(item)):
            if character != mark:
                continue
            ends = str(item)[:k].strip(), str(item)[k + 1 :].strip()
            first = _one(ends[0], places, count) if ends[0] else 0
            last = _one(ends[1], places, count) if ends[1] else count - 1
            if any(ends) and first is not None and last is not None and first <= last:
                return range(first, last + 1)
    known = f"its columns: {_few(list(places))}" if places else f"it has {count:,}, counted from 1"
    raise UnknownColumnError(f"no column {item!r}; {known}")


def _one(item: str | int, places: dict[str, list[int]], count: int) -> int | None:
    if isinstance(item, str) and item in places:
        return places[item][0]
    text = str(item)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else 0
    return number - 1 if 0 < number <= count else None


def _few(names: Sequence[str], most: int = 5) -> str:
    listed = ", ".join(repr(name) for name in names[:most])
    return f"{listed}, …" if len(names) > most else listed
