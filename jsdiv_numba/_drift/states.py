"""What two passes have found so far, as arrays and JSON: so that another run can go on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

import numpy as np

from .grouping import Grouping
from .sampling import RowSample
from .tables import Table
from .tally import BinTally, CategoryTally, CellTally, PeriodTally, Summary
from .values import Array, Values, joined


class Place(NamedTuple):
    """A row, of one of several tables."""

    side: int
    row: int

    def after(self, rows: int) -> "Place":
        """Return the place so many rows on."""
        return self._replace(row=self.row + rows)


class State(NamedTuple):
    """What has been found."""

    facts: dict[str, Any]
    """Fit for JSON."""

    arrays: dict[str, Array]


class Keeper(Protocol):
    """Keeps states of several stages."""

    def taken_up(self, stage: str) -> State | None:
        """Return what an earlier run has kept of a stage, if anything."""

    def keep(self, stage: str, state: Callable[[], State], *, last: bool = False) -> None:
        """Keep a state, if it is the last of the stage or some time has passed."""


class Forgetful:
    """Keeps nothing."""

    def taken_up(self, stage: str) -> State | None:
        """Return None."""

    def keep(self, stage: str, state: Callable[[], State], *, last: bool = False) -> None:
        """Do nothing."""


_KEEPER: ContextVar[Keeper] = ContextVar("jsdiv_keeper", default=Forgetful())  # noqa: B039  # has no state


@contextmanager
def kept_by(keeper: Keeper) -> Iterator[None]:
    """Have a keeper keep what is found in a ``with`` block."""
    token = _KEEPER.set(keeper)
    try:
        yield
    finally:
        _KEEPER.reset(token)


def the_keeper() -> Keeper:
    """Return the keeper of the ``with`` block that this is in."""
    return _KEEPER.get()


def where(place: Place, read: int) -> dict[str, Any]:
    """Return facts: the next row to be read, and how many have been."""
    return {"place": list(place), "read": read}


def sample_state(
    facts: dict[str, Any],
    sample: RowSample,
    kinds: Sequence[Mapping[str, set[str]]],
    grouping: Grouping | None,
    tables: Sequence[Table],
) -> State:
    """Return the state of the first pass."""
    facts = {
        **facts,
        "highest": int(sample.highest),
        "kinds": [{name: sorted(found) for name, found in side.items()} for side in kinds],
        "groups": [list(grouping.keys), grouping.kind] if grouping else None,
        "tables": [dict(table.taken_for) for table in tables],
        "kept": [],
    }
    arrays = {}
    for k, (numbers, columns) in enumerate(_alike(sample.kept)):
        arrays[f"{k}"] = numbers
        told = []
        for j, (name, values) in enumerate(columns.items()):
            arrays[f"{k}.{j}"] = values.data
            if values.present is not None:
                arrays[f"{k}.{j}.present"] = values.present
            told.append([name, values.kind, list(values.categories)])
        facts["kept"].append(told)
    return State(facts, arrays)


def _alike(
    kept: Sequence[tuple[Array, dict[str, Values]]],
) -> list[tuple[Array, dict[str, Values]]]:
    """Return parts of a sample, those with the same columns of the same kinds made one."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[Array, dict[str, Values]]]] = {}
    for numbers, columns in kept:
        key = tuple((name, values.kind) for name, values in columns.items())
        groups.setdefault(key, []).append((numbers, columns))
    return [
        (
            np.concatenate([numbers for numbers, _ in parts]),
            {name: joined([columns[name] for _, columns in parts], kind) for name, kind in key},
        )
        for key, parts in groups.items()
    ]


def take_up_sample(
    state: State,
    sample: RowSample,
    kinds: Sequence[Mapping[str, set[str]]],
    grouping: Grouping | None,
    tables: Sequence[Table],
) -> None:
    """Go on from a state of the first pass."""
    facts = state.facts
    sample.highest = np.uint64(facts["highest"])
    for k, columns in enumerate(facts["kept"]):
        values = {
            name: Values(
                kind, state.arrays[f"{k}.{j}"], state.arrays.get(f"{k}.{j}.present"), categories
            )
            for j, (name, kind, categories) in enumerate(columns)
        }
        numbers = state.arrays[f"{k}"]
        sample.kept.append((numbers, values))
        sample.count += len(numbers)
    for side, found in zip(kinds, facts["kinds"], strict=True):
        for name, names in found.items():
            side[name].update(names)
    if grouping is not None:
        keys, grouping.kind = facts["groups"]
        grouping.keys = dict.fromkeys(keys, 0)
    for table, taken_for in zip(tables, facts["tables"], strict=True):
        table.take_for(taken_for)


def tallies_state(facts: dict[str, Any], rows: Array, tallies: Mapping[str, Summary]) -> State:
    """Return the state of the second pass."""
    facts = {**facts, "columns": []}
    arrays = {"rows": rows}
    for k, tally in enumerate(tallies.values()):
        arrays[f"{k}.missing"] = tally.missing
        arrays[f"{k}.counts"] = tally.counts
        told: dict[str, Any] = {}
        if isinstance(tally, CategoryTally):
            arrays[f"{k}.rest"] = tally.rest
            told = {"names": list(tally.index), "folded": tally.folded}
        elif isinstance(tally, PeriodTally):
            arrays[f"{k}.numbers"] = np.array(sorted(tally.numbers), np.int64)
            told = {"period": tally.period}
        facts["columns"].append(told)
    return State(facts, arrays)


def take_up_tallies(state: State, rows: Array, tallies: Mapping[str, Summary]) -> None:
    """Go on from a state of the second pass."""
    rows[:] = state.arrays["rows"]
    for k, (tally, told) in enumerate(zip(tallies.values(), state.facts["columns"], strict=True)):
        tally.missing[:] = state.arrays[f"{k}.missing"]
        counts = state.arrays[f"{k}.counts"]
        if isinstance(tally, CategoryTally):
            tally.counts, tally.rest = counts, state.arrays[f"{k}.rest"]
            tally.index = {name: place for place, name in enumerate(told["names"])}
            tally.folded = told["folded"]
        elif isinstance(tally, PeriodTally):
            tally.period = told["period"]
            numbers = state.arrays[f"{k}.numbers"].tolist()
            tally.numbers = dict(zip(numbers, counts.T, strict=True))
        elif isinstance(tally, BinTally | CellTally):
            tally.counts[:] = counts
