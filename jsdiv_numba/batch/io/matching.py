"""Rows of two files that belong together: by their labels, as in a join, or by their place."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.format import counted, shown
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.io.sources import Source, rearranged

MATCHES = ("label", "position")
_SHOWN, _NAMED = 40, 5


class Matches(NamedTuple):
    """Which rows of two files belong together, in the order of the first."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]  # their indices


def matches(
    labels: tuple[Sequence[str] | None, Sequence[str] | None],
    sizes: tuple[int, int],
    sources: tuple[str, str],
    match: str | None,
) -> Matches | None:
    """Return which rows belong together, or None if those in the same place do.

    `labels`: the rows' labels; None where a file has none. `match`: how; by default by
    label where both files have labels. Raises `FileError` if there are different numbers of
    rows to be compared by their place, or, by their labels, if one comes twice or none is
    in both files.

    Examples
    --------
    >>> matches((["a", "b", "c"], ["c", "a", "b"]), (3, 3), ("f.csv", "g.csv"), None)
    Matches(first=array([0, 1, 2]), second=array([1, 2, 0]))
    """
    by_label = match == "label" or (match is None and None not in labels)
    if not by_label:
        _require_as_many(sizes, sources)
        return None
    for names, source in zip(labels, sources, strict=True):
        if names is None:
            raise FileError(f"{source}: --match label: its rows have no labels")
        _require_once(names, source)
    first, second = (names or () for names in labels)
    if list(first) == list(second):
        return None
    places = {label: j for j, label in enumerate(second)}
    both = [(i, places[label]) for i, label in enumerate(first) if label in places]
    if not both:
        raise FileError(
            f"{sources[1]}: no row has a label of {sources[0]}, whose first are {_few(first)}; its "
            f"own are {_few(second)}; --match position compares rows in the same place"
        )
    _tell_of_the_others(first, second, sources)
    found = np.array(both, np.int64).T
    return Matches(found[0], found[1])


def _require_as_many(sizes: tuple[int, int], sources: tuple[str, str]) -> None:
    number, other = sizes
    if number != other:
        raise FileError(
            f"{sources[1]}: number of rows is {other}, but {sources[0]} has {number}; "
            '"jsdiv pairwise" compares every row with every row'
        )


def _require_once(labels: Sequence[str], source: str) -> None:
    places: dict[str, int] = {}
    for i, label in enumerate(labels):
        if label in places:
            raise FileError(
                f"{source}: rows {places[label]} and {i} are both called "
                f"{shown(label, _SHOWN)!r}; rows are compared by their labels; "
                "--match position compares those in the same place"
            )
        places[label] = i


def _tell_of_the_others(
    first: Sequence[str], second: Sequence[str], sources: tuple[str, str]
) -> None:
    for here, there, (source, other) in (
        (first, second, sources),
        (second, first, sources[::-1]),
    ):
        known = set(there)
        alone = [label for label in here if label not in known]
        if alone:
            message = (
                f"{source}: {counted(len(alone), 'row')} left out, not in {other}: {_few(alone)}"
            )
            warnings.warn(message, TableWarning, stacklevel=2)


def _few(labels: Sequence[str]) -> str:
    listed = ", ".join(repr(shown(label, _SHOWN)) for label in labels[:_NAMED])
    return f"{listed}, …" if len(labels) > _NAMED else listed


def matched_rows(
    first: LabelledRows, second: LabelledRows, match: str | None
) -> tuple[LabelledRows, LabelledRows]:
    """Return the rows of two files that belong together, in the order of the first."""
    labels = tuple(rows.labels if rows.labelled else None for rows in (first, second))
    sizes, sources = (len(first), len(second)), (first.source, second.source)
    found = matches(labels, sizes, sources, match)  # type: ignore[arg-type]
    if found is None:
        return first, second
    return _taken(first, found.first), _taken(second, found.second)


def _taken(rows: LabelledRows, order: NDArray[np.int64]) -> LabelledRows:
    labels = tuple(rows.labels[i] for i in order.tolist())
    return replace(rows, values=rows.values[order], labels=labels)


def matched(first: Source, second: Source, match: str | None) -> tuple[Source, Source]:
    """Return the rows of two files that belong together; their labels have to fit in memory."""
    if match == "position":
        labels: tuple[Any, Any] = (None, None)
    else:
        labels = tuple(  # type: ignore[assignment]
            rows.labels(0, rows.shape[0]).to_pylist() if rows.labelled else None
            for rows in (first, second)
        )
    sizes = first.shape[0], second.shape[0]
    found = matches(labels, sizes, (first.source, second.source), match)
    if found is None:
        return first, second
    return rearranged(first, found.first), rearranged(second, found.second)
