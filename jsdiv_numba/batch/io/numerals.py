"""How the cells of a text file are read as numbers, and which of them say that nothing is there."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

_MORE_MARKS = ("-", "--", ".", "..", "...", "?", "*", "NONE", "None", "none", "Null", "missing")
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WORDS = re.compile(r"[+-]?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)
# Blanks, of every width that is put between digits, and the apostrophe of the Swiss.
_GROUPERS = (
    " \N{NO-BREAK SPACE}\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}'\N{RIGHT SINGLE QUOTATION MARK}"
)
_GROUPED = re.compile(rf"[+-]?\d{{1,3}}(?:[{_GROUPERS}]\d{{3}})+(?:[.,]\d+)?", re.ASCII)
_BY_COMMA = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII)
_BY_POINT = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?", re.ASCII)
_EITHER = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)


@cache
def missing_marks() -> frozenset[str]:
    """Return what is read as a missing value: what Arrow does, and what people write."""
    from pyarrow.csv import ConvertOptions

    return frozenset((*ConvertOptions().null_values, *_MORE_MARKS))


def is_missing(cell: str) -> bool:
    """Return whether a cell says that nothing is there."""
    return cell.strip(" ") in missing_marks()


@dataclass(frozen=True)
class Numerals:
    """How numbers are written.

    Examples
    --------
    >>> Numerals(",", grouped=True).number("1.234,5")
    1234.5
    >>> Numerals().number("1_000") is None
    True
    """

    decimal: str = "."  # the decimal mark. {".", ","}
    grouped: bool = False  # whether thousands may be grouped, by the other mark or by blanks
    percent: bool = False  # whether numbers are followed by ``%``

    @property
    def plain(self) -> bool:
        """Whether a reader of numbers as programs write them will do."""
        return not (self.grouped or self.percent)

    def number(self, cell: str) -> float | None:
        """Return the number that a cell is, or None."""
        text = cell.strip(" \t")
        if self.percent and text.endswith("%"):
            share = self._number(text[:-1].rstrip())
            return None if share is None else share / 100
        return self._number(text)

    def _number(self, text: str) -> float | None:
        if self.decimal == "." and _PLAIN.fullmatch(text):
            return float(text)
        if self.grouped:
            by_other = _BY_COMMA if self.decimal == "." else _BY_POINT
            if by_other.fullmatch(text):
                text = text.replace("," if self.decimal == "." else ".", "")
            elif _GROUPED.fullmatch(text):
                text = text.translate(dict.fromkeys(map(ord, _GROUPERS)))
        if self.decimal == ",":
            if "." in text:
                return None
            text = text.replace(",", ".")
        return float(text) if _PLAIN.fullmatch(text) or _WORDS.fullmatch(text) else None

    def __str__(self) -> str:
        parts = ["decimal commas"] if self.decimal == "," else []
        parts += ["grouped thousands"] if self.grouped else []
        parts += ["percentages"] if self.percent else []
        return ", ".join(parts)


ANY_NUMERALS = (Numerals(grouped=True, percent=True), Numerals(",", grouped=True, percent=True))


def is_number(cell: str) -> bool:
    """Return whether a cell is a number, however it is written.

    Examples
    --------
    >>> [is_number(cell) for cell in ("1e-3", "0,5", "1.234,5", "12 %", "1 000", "1O")]
    [True, True, True, True, True, False]
    """
    return any(style.number(cell) is not None for style in ANY_NUMERALS)


class AmbiguousError(ValueError):
    """Numbers that can be read in two ways; the argument is one of them."""


def numerals_of(cells: Iterable[str], decimal: str | None, *, comma_free: bool) -> Numerals:
    """Return how the numbers among some cells are written.

    `comma_free` says whether values are separated by semicolons, as they are where commas
    are decimal marks. Raises `AmbiguousError` if 1,234 may be 1.234 or 1234.

    Examples
    --------
    >>> numerals_of(["1,5", "1.234,0"], None, comma_free=True)
    Numerals(decimal=',', grouped=True, percent=False)
    >>> numerals_of(["1,234", "2,345"], None, comma_free=True)
    Traceback (most recent call last):
        ...
    jsdiv_numba.batch.io.numerals.AmbiguousError: 1,234
    """
    plain, odd, percent = True, [], False
    whole_thousands, pointed, all_either = False, None, True
    for cell in cells:
        text = cell.strip(" \t")
        if text.endswith("%"):
            percent, text = True, text[:-1].rstrip()
        if _PLAIN.fullmatch(text):
            if "." in text or "e" in text or "E" in text:
                either = _EITHER.fullmatch(text) is not None
                all_either, pointed = all_either and either, pointed or text
            elif len(text.lstrip("+-")) > 3:
                whole_thousands = True
        elif not _WORDS.fullmatch(text) and is_number(text):
            plain = False
            odd.append(text)
    if decimal is not None:
        return Numerals(decimal, grouped=True, percent=percent)
    if plain:
        if comma_free and pointed and all_either and not whole_thousands:
            raise AmbiguousError(pointed)
        return Numerals(percent=percent)
    return Numerals(*_of_odd(odd, pointed), percent=percent)


def _of_odd(odd: list[str], pointed: str | None) -> tuple[str, bool]:
    """Return the decimal mark, and whether thousands are grouped."""
    commas = [text for text in odd if _WITH_COMMA.fullmatch(text)]
    by_comma = [text for text in odd if _BY_COMMA.fullmatch(text) and not _EITHER.fullmatch(text)]
    by_point = [text for text in odd if _BY_POINT.fullmatch(text)]
    by_blank = [text for text in odd if _GROUPED.fullmatch(text)]
    decimal_commas = [text for text in commas if not _BY_COMMA.fullmatch(text) or text[:2] == "0,"]
    decimal_commas += [text for text in by_point if "," in text]
    decimal_commas += [text for text in by_blank if "," in text]
    if decimal_commas:
        return ",", bool(by_point or by_blank or pointed)
    if by_comma or any("." in text for text in by_blank):
        return ".", True
    if commas and pointed and not _EITHER.fullmatch(pointed):
        return ".", True
    if commas:
        raise AmbiguousError(commas[0])
    if any(text.count(".") > 1 for text in by_point):
        return ",", True
    return ".", True
