"""A profile as JSON, and JSON as a profile: what is in the file, and what is wrong with one."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .cells import Cells
from .hashing import Hashing
from .periods import MOMENTS, binning_of_clock, moment_of, moment_text
from .summaries import IDENTIFIERS, UNNAMED, ColumnSummary
from .tally import BinTally, CategoryTally, CellTally, PeriodTally
from .values import BOOLEANS, KINDS

FORMAT, VERSION = "jsdiv drift profile", 1


class ProfileError(ValueError):
    """What is no profile."""


def column_dict(name: str, summary: ColumnSummary) -> dict[str, Any]:
    """Return what a file has of one column."""
    kind, tally = summary
    told = {"column": name, "kind": kind, "missing": int(tally.missing[0])}
    if isinstance(tally, CellTally):
        edges = [_number(edge) for edge in tally.cells.edges.tolist()]
        return {**told, "edges": edges, "counts": tally.counts[0].tolist()}
    if isinstance(tally, PeriodTally):
        numbers = zip(sorted(tally.numbers), tally.counts[0].tolist(), strict=True)
        periods = {moment_text(number, tally.period): count for number, count in numbers}
        return {**told, "period": tally.period, "periods": periods}
    if isinstance(tally, BinTally):
        return {**told, "counts": tally.counts[0].tolist()}
    if kind in ("empty", "other"):
        return told
    counts = tally.counts[0, : len(tally.index)].tolist()
    # The commonest first, and by name where they are as common.
    found = sorted(zip(tally.index, counts, strict=True), key=lambda pair: (-pair[1], pair[0]))
    named = {category: count for category, count in found if count}
    return {**told, "categories": named, "other": int(tally.rest[0])}


def _number(edge: float) -> float | str:
    return str(edge) if isinstance(edge, float) and math.isinf(edge) else edge


def hash_dict(hashing: Hashing) -> dict[str, Any]:
    """Return what a file says of how names are hashed."""
    return {"by": "BLAKE2b, 128 bits", "key": hashing.key != b"", "check": hashing.check}


def read_header(data: Any) -> tuple[int, str | None, bool]:
    """Return the number of rows, the check of the hash if there is one, and if it has a key."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ProfileError(f'no profile: its "format" is not {FORMAT!r}')
    version = data.get("version")
    if version != VERSION:
        raise ProfileError(f'"version" is {version!r}; this release reads version {VERSION}')
    rows = _count(data, "rows", "")
    hashed = data.get("hash")
    if hashed is None:
        return rows, None, False
    if not isinstance(hashed, dict) or not isinstance(hashed.get("check"), str):
        raise ProfileError('"hash" has no "check"')
    return rows, hashed["check"], bool(hashed.get("key"))


def read_columns(data: Mapping[str, Any], rows: int) -> dict[str, ColumnSummary]:
    """Return the columns of a file."""
    found: dict[str, ColumnSummary] = {}
    columns = data.get("columns")
    if not isinstance(columns, list):
        raise ProfileError('"columns" is no list')
    for k, told in enumerate(columns):
        place = f"columns[{k}]: "
        if not isinstance(told, dict) or not isinstance(told.get("column"), str):
            raise ProfileError(f'{place}"column" is no name')
        name = told["column"]
        if name in found:
            raise ProfileError(f"{place}a second column {name!r}")
        found[name] = _column(told, place)
        tally = found[name].tally
        rest = tally.rest[0] if isinstance(tally, CategoryTally) else 0
        number = int(tally.counts.sum() + tally.missing[0] + rest)
        if number != rows:
            raise ProfileError(f"{place}counts of {number:,} values, but there are {rows:,} rows")
    return found


def _column(told: Mapping[str, Any], place: str) -> ColumnSummary:
    kind = told.get("kind")
    if kind not in KINDS:
        raise ProfileError(f'{place}"kind" is {kind!r}; it must be one of {", ".join(KINDS)}')
    if kind in ("integer", "float"):
        tally: Any = _cells(told, kind, place)
    elif kind == "time":
        tally = _periods(told, place)
    elif kind == "clock":
        tally = BinTally(binning_of_clock(), 1)
        tally.counts[0] = _counts(told.get("counts"), "counts", place, 24)
    else:
        tally = _categories(told, kind, place)
    tally.missing[0] = _count(told, "missing", place)
    return ColumnSummary(kind, tally)


def _cells(told: Mapping[str, Any], kind: str, place: str) -> CellTally:
    given = told.get("edges")
    try:
        if not isinstance(given, list) or any(isinstance(edge, bool) for edge in given):
            raise TypeError
        if kind == "integer" and not all(isinstance(edge, int) for edge in given):
            raise TypeError
        edges = np.array([float(e) if kind == "float" else e for e in given],
                         np.float64 if kind == "float" else np.int64)  # fmt: skip
    except (TypeError, ValueError, OverflowError):
        raise ProfileError(f'{place}"edges" is no list of {kind}s') from None
    if not (edges[:-1] < edges[1:]).all() or np.isnan(edges).any():
        raise ProfileError(f'{place}"edges" are not in order, each once')
    tally = CellTally(Cells(edges, kind), 1)
    tally.counts[0] = _counts(told.get("counts"), "counts", place, len(edges) + 1)
    return tally


def _periods(told: Mapping[str, Any], place: str) -> PeriodTally:
    tally = PeriodTally(1)
    period = told.get("period")
    if period not in MOMENTS:
        raise ProfileError(f'{place}"period" is {period!r}; it must be one of {", ".join(MOMENTS)}')
    tally.period = period
    found = _mapping(told, "periods", place)
    counts = _counts(list(found.values()), "periods", place, len(found))
    for text, count in zip(found, counts, strict=True):
        number = moment_of(text, tally.period)
        if number is None:
            raise ProfileError(f'{place}"periods" has {text!r}, which is no {tally.period}')
        tally.numbers[number] = np.array([count])
    return tally


def _categories(told: Mapping[str, Any], kind: str, place: str) -> CategoryTally:
    tally = CategoryTally((), 1)
    if kind in ("empty", "other"):
        return tally
    found = _mapping(told, "categories", place)
    if kind == "boolean" and not found.keys() <= {*BOOLEANS}:
        raise ProfileError(f'{place}"categories" are not False and True')
    counts = _counts(list(found.values()), "categories", place, len(found))
    tally.most = max(tally.most, len(found))
    tally.add_counts(list(found), counts[np.newaxis])
    tally.rest[0] = _count(told, "other", place)
    if tally.rest[0]:
        tally.folded = UNNAMED if found else IDENTIFIERS
    return tally


def _mapping(told: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    found = told.get(key)
    if not isinstance(found, dict):
        raise ProfileError(f"{place}{key!r} is no object of counts")
    return found


def _count(told: Mapping[str, Any], key: str, place: str) -> int:
    value: Any = told.get(key)
    if not _is_count(value):
        raise ProfileError(f'{place}"{key}" is {value!r}; it must be a whole number from 0 on')
    return int(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _counts(given: Any, key: str, place: str, number: int) -> Any:
    if not isinstance(given, list) or not all(map(_is_count, given)) or len(given) != number:
        raise ProfileError(f'{place}"{key}" is no list of {number:,} counts from 0 on')
    return np.array(given, np.int64)
