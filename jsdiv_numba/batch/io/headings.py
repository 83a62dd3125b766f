"""Whether the first line of a text file names its columns; where that is not certain, an error."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.format import shown
from jsdiv_numba.batch.io.numerals import is_missing, is_number

Record = Sequence[str]

_SHOWN = 40
_YEARS = range(1000, 3000)
_FEWEST = 3
"""So many whole numbers at equal steps are no accident."""

# What stands above a column of labels; a word below it would hardly be one of these.
_HEADING_WORDS = re.compile(
    r"""\#?\s*(?:
        .*\b(?:id|ids|identifier|name|names|code|label|labels|nr|number)
        |(?-i:\w*[a-z](?:Id|ID))
        |index|key|row|rows|item|unit|record
        |sample|samples|subject|patient|participant|user|person|animal|donor|cell|cells|barcode
        |document|doc|file|text|author|title|topic|corpus|language|word|term
        |country|nation|state|province|region|county|district|city|town|zip|zipcode|postcode|fips
        |site|plot|station|location|place|area|zone|habitat|well
        |year|month|week|day|date|time|hour|period|quarter|season
        |group|class|category|type|kind|condition|treatment|cluster|species|genus|family|taxon
        |otu|asv|feature|gene|probe|variable|run|experiment|replicate|model|team|school|hospital
        |product|customer|store|company|industry|sector|party|candidate
    )s?\s*""",
    re.IGNORECASE | re.VERBOSE,
)


_CODE = re.compile(r"\d+[eE]\d+", re.ASCII)


def is_heading_word(cell: str) -> bool:
    """Return whether a word is what stands above labels.

    Examples
    --------
    >>> [is_heading_word(word) for word in ("State", "sample_id", "#OTU ID", "Ohio")]
    [True, True, True, False]
    """
    return _HEADING_WORDS.fullmatch(cell.strip().replace("_", " ")) is not None


def is_text(cells: Sequence[str], *, half: bool = True) -> bool:
    """Return whether at least half of the cells of a column that are not missing are words.

    Without `half`, it has to be more.
    """
    there = [cell for cell in cells if not is_missing(cell)]
    words = sum(not is_number(cell) for cell in there)
    if words:
        # Among words, 1E2 is one as well: the name of a well.
        words += sum(map(_is_code, there))
    return bool(there) and 2 * words >= len(there) + (not half)


def usual_width(records: Sequence[Record]) -> int:
    """Return the most frequent number of cells."""
    return Counter(map(len, records)).most_common(1)[0][0]


def is_header(first: Record, below: Sequence[Record], *, place: str) -> bool:
    """Return whether the first record names the columns.

    Raises `FileError` if it may be a header or a row.

    Examples
    --------
    >>> is_header(["State", "2000", "2001"], [["Ohio", "5", "3"]], place="")
    True
    >>> is_header(["Ohio", "5", "3"], [["Iowa", "1", "2"]], place="")
    False
    """
    text, cells = _value_cells(first, below)
    numbers = [cell for cell in cells if is_number(cell)]
    words = [cell for cell in cells if not is_number(cell) and not is_missing(cell)]
    if not first[0].strip() and below and any(record[0].strip() for record in below if record):
        return bool(numbers or words)
    if not cells:
        return bool(below)
    if not numbers:
        return bool(words)
    rows = [_value_cells(record, below)[1] for record in below]
    names = _look_like_names(numbers, rows) or _are_codes(numbers, rows)
    heading = text and is_heading_word(first[0])
    if words:
        if 2 * len(words) >= len(cells) or names:
            return True
        _refuse(place, f"{shown(words[0], _SHOWN)!r} is no number, but others are")
    if names and heading:
        return True
    if names or (heading and below and len(set(numbers)) == len(numbers) and _whole(numbers)):
        listed = ", ".join([*([first[0]] if text else []), *numbers[:3]])
        _refuse(place, f"{shown(listed, _SHOWN)!r} may be a header or a row")
    return False


def _refuse(place: str, finding: str) -> None:
    raise FileError(
        f"{place}: {finding}; say --header yes if the line names the columns, --header no if it "
        "is a row"
    )


def _value_cells(first: Record, below: Sequence[Record]) -> tuple[bool, list[str]]:
    """Return whether the first column is text, and the cells of a record that are no labels."""
    if not below:
        return not is_number(first[0]), list(first[1:] or first)
    sample = below[:50]
    text = [is_text([record[j] for record in sample if j < len(record)]) for j in range(len(first))]
    # One word before numbers is a label, or stands above labels, whatever is below it.
    text[0] |= not is_number(first[0]) and all(map(is_number, first[1:]))
    return text[0], [cell for cell, label in zip(first, text, strict=True) if not label]


def _are_codes(numbers: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether numbers are the names of wells, as 1E2, which those of the rows are not."""
    others = (cell for record in below for cell in record)
    return bool(below) and all(map(_is_code, numbers)) and not any(map(_is_code, others))


def _is_code(cell: str) -> bool:
    return _CODE.fullmatch(cell.strip()) is not None


def _whole(cells: Sequence[str]) -> bool:
    return all(cell.strip().isascii() and cell.strip().isdigit() for cell in cells)


def _look_like_names(numbers: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Return whether whole numbers name columns: years, equal steps, or over values of shares."""
    if not below or not _whole(numbers):
        return False
    values = [int(cell) for cell in numbers]
    steps = {b - a for a, b in pairwise(values)}
    if len(values) < 2 or min(steps) <= 0:
        return False
    even, years = len(steps) == 1, all(value in _YEARS for value in values)
    cells = [cell for record in below[:50] for cell in record if is_number(cell)]
    if any(mark in cell for cell in cells for mark in ".,%"):
        return (even and len(values) >= _FEWEST) or years
    cells = [cell for cell in cells if _whole([cell])]
    if years and (even or not any(int(cell) in _YEARS for cell in cells)):
        return True
    # Rows that count on, or that hold the same numbers in another order, are rows as the first.
    rows = [list(map(int, record)) for record in below if _whole(record)]
    alike = any(sorted(row) == values for row in rows)
    counted = values == list(range(values[0], values[0] + len(values))) and values[0] in (0, 1)
    ascending = all(row == sorted(row) for row in rows)
    return counted and len(values) > _FEWEST and not (alike or ascending)
