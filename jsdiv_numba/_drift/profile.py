"""A table's profile: counts that stand in for its rows when another table is compared."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cells import Cells, edges_of
from .counting import (
    ColumnPlan,
    Counted,
    Kinds,
    Reading,
    commonest,
    in_bins,
    kinds_of,
    made_plans,
    tallied,
)
from .hashing import Hashing
from .periods import binning_of_clock
from .profile_json import (
    FORMAT,
    VERSION,
    ProfileError,
    column_dict,
    hash_dict,
    read_columns,
    read_header,
)
from .sampling import RowSample
from .summaries import (
    ColumnSummary,
    add_summary,
    comparable_kind,
    condensed,
    plan_for,
    rehashed,
    settled,
    unhashed,
)
from .tables import Table
from .tally import CategoryTally
from .values import common_kind

SUFFIX = ".json"


@dataclass(frozen=True, eq=False)
class Profile:
    """Counts of every column of a table, which `compare` takes in the table's place.

    `jsdiv_numba.drift.profile` makes it. It holds no rows: of numbers, how many values are in
    some hundreds of cells between round numbers; of moments, of periods; of categories, their
    names or hashes of these.

    Parameters
    ----------
    rows : int
        How many rows the table has.
    summaries : mapping of str to ColumnSummary
        What is known of each column.
    hashing : Hashing, optional
        How names are hashed.
    """

    rows: int
    summaries: Mapping[str, ColumnSummary]
    hashing: Hashing | None = None

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        return tuple(self.summaries)

    def __repr__(self) -> str:
        number = len(self.summaries)
        return f"Profile of {self.rows:,} rows, {number:,} column{'' if number == 1 else 's'}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as Python's numbers, text and lists; the guide says what is what."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "rows": self.rows,
            "hash": hash_dict(self.hashing) if self.hashing else None,
            "columns": [column_dict(name, summary) for name, summary in self.summaries.items()],
        }

    def to_json(self) -> str:
        """Return `to_dict` as JSON, a line for each column."""
        whole = self.to_dict()
        # Not in UTF-8, which has no halves of characters, as names may.
        lines = ",\n".join(map(json.dumps, whole.pop("columns")))
        return f'{json.dumps(whole)[:-1]}, "columns": [\n{lines}\n]}}\n'

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a JSON file."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, hash_key: bytes | None = None) -> "Profile":
        """Read a JSON file.

        Parameters
        ----------
        path : str or path
            The file.
        hash_key : bytes, optional
            The key of its hashes, if they have one. Profiles can be merged without it.

        Raises
        ------
        ValueError
            If it is no profile, or its hashes are of another key.
        OSError
            If it cannot be read.
        """
        try:
            return cls.from_json(Path(path).read_bytes(), hash_key=hash_key)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    @classmethod
    def from_json(cls, text: str | bytes, *, hash_key: bytes | None = None) -> "Profile":
        """Return the profile of which `to_json` has made something; as `load`."""
        try:
            data = json.loads(text)
        # RecursionError: brackets without end.
        except (ValueError, RecursionError) as error:
            raise ProfileError(f"no profile: no JSON ({error})") from error
        return cls.from_dict(data, hash_key=hash_key)

    @classmethod
    def from_dict(cls, data: Any, *, hash_key: bytes | None = None) -> "Profile":
        """Return the profile of which `to_dict` has made something; as `load`."""
        rows, check, keyed = read_header(data)
        hashing = None
        if check is not None:
            hashing = Hashing(hash_key or (None if keyed else b""), check)
            if hashing.key is not None and Hashing(hashing.key).check != check:
                raise ProfileError("names are hashed with another key")
        return cls(rows, read_columns(data, rows), hashing)

    def merge(self, *others: "Profile") -> "Profile":
        """Return the profile of all rows together.

        Where edges differ, those are kept that all have, or where one has no values: so that
        every count is exact.

        Raises
        ------
        ValueError
            If columns or hashes differ.
        """
        profiles = (self, *others)
        for other in others:
            _require_mergeable(self, other)
        return Profile(
            sum(profile.rows for profile in profiles),
            {name: _merged(name, profiles) for name in self.summaries},
            self.hashing,
        )


def _require_mergeable(first: Profile, other: Profile) -> None:
    for one, two, which in ((first, other, "first"), (other, first, "other")):
        lacks = [name for name in one.summaries if name not in two.summaries]
        if lacks:
            raise ValueError(f"only the {which} profile has column {lacks[0]!r}")
    if _check(first) != _check(other):
        raise ValueError("names of categories are not hashed alike")
    for name, summary in first.summaries.items():
        pair = summary.kind, other.summaries[name].kind
        if comparable_kind((), pair) == "other" and "other" not in pair:
            raise ValueError(f"column {name!r} is {pair[0]} in one profile, {pair[1]} in the other")


def _check(profile: Profile) -> str | None:
    return None if profile.hashing is None else profile.hashing.check


def _merged(name: str, profiles: Sequence[Profile]) -> ColumnSummary:
    found = [profile.summaries[name] for profile in profiles]
    kind = comparable_kind((), [summary.kind for summary in found])
    tally = plan_for(kind, found).tally(1)
    for profile, summary in zip(profiles, found, strict=True):
        add_summary(tally, kind, summary, 0, _lacking(profile, summary, kind, profile.hashing))
    return condensed(ColumnSummary(kind, tally))


def _lacking(
    profile: Profile, summary: ColumnSummary, kind: str, hashing: Hashing | None
) -> Hashing | None:
    """Return how names have yet to be hashed, if they have."""
    hashed = profile.hashing is not None and summary.kind == "text"
    return None if hashed or kind != "text" else hashing


def profile_of(reading: Reading, hashing: Hashing | None) -> Profile:
    """Return the profile of a table."""
    counted = tallied(reading, made_plans(reading, _in_cells))
    found = {}
    for name, tally in counted.tallies.items():
        kind = counted.plans[name].kind
        found[name] = condensed(ColumnSummary(kind, tally))
        if hashing is not None and kind == "text":
            rehashed(tally, hashing)
    return Profile(int(counted.rows[0]), found, hashing)


def _in_cells(name: str, kinds: Kinds, sample: RowSample) -> ColumnPlan:
    found = kinds_of(name, kinds)
    kind = common_kind(k for k in found if k is not None)
    values = sample.values(name, kind)
    if kind in ("integer", "float"):
        return ColumnPlan(kind, found, cells=Cells(edges_of(values), kind))
    if kind == "clock":
        return ColumnPlan(kind, found, binning_of_clock())
    return ColumnPlan(kind, found, sampled=commonest(values))


def counted_with_profiles(
    reading: Reading, sides: tuple[Table | Profile, Table | Profile], bins: int
) -> Counted:
    """Count the tables that are there, and put profiles in the place of those that are not.

    Parameters
    ----------
    reading : Reading
        Of tables, those without rows where there is a profile.
    sides : pair of Table or Profile
        Reference and current.
    bins : int
        How many quantile bins there are at most.
    """
    profiles = {k: side for k, side in enumerate(sides) if isinstance(side, Profile)}
    hashing = _common_hashing([*profiles.values()])

    def planned(name: str, kinds: Kinds, sample: RowSample) -> ColumnPlan:
        found = kinds_of(name, kinds)
        there = {
            k: side.summaries[name]
            for k, side in profiles.items()
            if name in side.columns and side.summaries[name].kind != "empty"
        }
        if not there:
            return in_bins(bins)(name, kinds, sample)
        # Of times, a profile does not say whether they had a zone.
        found = [kind and common_kind([kind]) for kind in found]
        for k, summary in there.items():
            found[k] = summary.kind
        summarised = [summary.kind for summary in there.values()]
        kind = comparable_kind((kind for kind in found if kind), summarised)
        return plan_for(kind, [*there.values()], found)

    counted = tallied(reading, made_plans(reading, planned))
    known: dict[str, dict[str, str]] = {}
    for name, tally in counted.tallies.items():
        kind = counted.plans[name].kind
        if hashing is not None and kind == "text" and isinstance(tally, CategoryTally):
            known[name] = rehashed(tally, hashing)
        for k, side in profiles.items():
            if name in side.columns:
                summary = side.summaries[name]
                add_summary(tally, kind, summary, k, _lacking(side, summary, kind, hashing))
        if name in known:
            unhashed(tally, known[name])
    for k, side in profiles.items():
        counted.rows[k] += side.rows
    return settled(counted, bins)


def _common_hashing(profiles: Sequence[Profile]) -> Hashing | None:
    found = [profile.hashing for profile in profiles if profile.hashing is not None]
    if len({hashing.check for hashing in found}) > 1:
        raise ValueError("reference and current have names that are not hashed alike")
    return next((hashing for hashing in found if hashing.key is not None), next(iter(found), None))
