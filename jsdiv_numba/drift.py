"""Two samples of a table, column by column: what differs, by how much, and how sure that is."""

import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

from ._core import validation
from ._core.threads import check_workers
from ._drift.comparing import Pair, Settings, compared
from ._drift.counting import Counted, Reading, in_bins, made_plans, tallied
from ._drift.frames import table_of_frame
from ._drift.grouping import Grouping
from ._drift.hashing import Hashing
from ._drift.profile import SUFFIX, Profile, counted_with_profiles, profile_of
from ._drift.results import ColumnBins, ColumnDrift
from ._drift.shown import DriftResult, DriftSeries
from ._drift.tables import Table, table_of_arrays
from ._stats.estimators import check_estimator
from ._stats.intervals import check_level

__all__ = [
    "ColumnBins",
    "ColumnDrift",
    "DriftResult",
    "DriftSeries",
    "Profile",
    "compare",
    "profile",
]

AGAINST = "reference", "previous"
_UNITS = {None: "nats", 2.0: "bits", 10.0: "hartleys"}


def compare(
    reference: Any,
    current: Any,
    *,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    by: str | None = None,
    against: str = "reference",
    bins: int = 20,
    categories: int = 1000,
    level: float = 0.01,
    floor: float = 0.01,
    estimator: str = "null",
    confidence_level: float = 0.95,
    base: float | None = None,
    seed: int = 0,
    workers: int | None = None,
    hash_key: bytes | None = None,
    advance: Callable[[int], None] | None = None,
) -> DriftResult | DriftSeries:
    """Compare two samples of a table, column by column.

    Each column becomes counts: of quantile bins of both samples together, of values that come
    often, of categories, or of periods. Of these come the Jensen-Shannon divergence, what of it
    is more than chance, a p-value (`jsdiv_numba.stats.js_test`), and the same after Benjamini
    and Hochberg, over all columns. How many values are missing is tested apart.

    Parameters
    ----------
    reference, current : data frame, mapping of arrays, path or Profile
        A frame of pandas, Polars, PyArrow, DuckDB or any other that narwhals knows (extra
        ``drift``); a mapping of names to 1-d arrays or lists; the name of a CSV or Parquet file,
        or of a folder of Parquet files (extra ``cli``), which need not fit in memory; a `Profile`,
        or the name of the .json file of one.
    columns : sequence of str, optional
        What is compared; by default every column of either.
    exclude : sequence of str
        What is not.
    by : str, optional
        A column of `current` whose values group its rows, or a period of a column of dates:
        ``"month(date)"``, also year, quarter, week, day, hour, minute, second. Each group is then
        compared.
    against : {"reference", "previous"}
        What each group is compared with: the reference, or the group before, the first of all
        with the reference.
    bins : int, default 20
        How many quantile bins there are at most, besides values that would fill one alone.
    categories : int, default 1000
        How many of the commonest categories are told apart; the others are one.
    level, floor : float, default 0.01
        A column is flagged if its q is at most `level` and its estimate above `floor`.
    estimator : str, default "null"
        How the estimate is corrected, as in `jsdiv_numba.stats.js_test`.
    confidence_level : float, default 0.95
        Of the intervals.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    seed : int, default 0
        Of the sample of rows that edges of bins are quantiles of. Up to 50,000 rows, all are
        taken.
    workers : int, optional
        Number of threads of the tests.
    hash_key : bytes, optional
        The key of a profile's hashes, where it is given by its name.
    advance : callable, optional
        Is told how many more rows have been read; each row is read twice.

    Returns
    -------
    DriftResult
        A sequence of columns, with names; `DriftSeries`, a sequence of results, where there
        is `by`.

    Raises
    ------
    ValueError
        If an argument is wrong, no column is left, or a file cannot be read.
    TypeError
        If an input is no table.
    ImportError
        If an extra is missing that the input needs.

    See Also
    --------
    jsdiv_numba.stats.js_test : the test.

    Notes
    -----
    A column never raises. What is different in kind is compared as text; nested values are
    not compared; a column that is empty, or missing from one table, is a line that says so.
    Moments with a time zone are compared in UTC, others as they are written.

    Where an edge of a bin is does not depend on which sample a row is of: so under the
    hypothesis that the samples do not differ, p-values are what they say. An observation more,
    however far out, raises the divergence by at most log(2) / n.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba.drift import compare
    >>> rng = np.random.default_rng(0)
    >>> before = {"age": rng.normal(40, 10, 1000), "city": rng.choice(["Oslo", "Rome"], 1000)}
    >>> after = {"age": rng.normal(45, 10, 500), "city": rng.choice(["Oslo", "Rome"], 500)}
    >>> result = compare(before, after)
    >>> print(result.summary)
    1 of 2 columns drifted: age
    >>> age = result["age"]
    >>> f"{age.estimate:.3f} nats ({age.low:.3f} to {age.high:.3f})"
    '0.024 nats (0.014 to 0.039)'
    """
    tables = _table("reference", reference, hash_key), _table("current", current, hash_key)
    names = _chosen(tables, columns, exclude)
    settings = _settings(categories, level, floor, estimator, confidence_level, base, workers)
    if against not in AGAINST:
        raise ValueError(f"against is {against!r}; it must be 'reference' or 'previous'")
    bins, seed = _count("bins", bins, 2), _count("seed", seed, 0)
    if by is not None and isinstance(tables[1], Profile):
        raise ValueError(f"by is {by!r}, but current is a profile, which has no rows to group")
    grouping = None if by is None else Grouping(by, tables[1].columns, "current")
    if grouping is not None:
        names = [name for name in names if name != grouping.column]
    if not names:
        raise ValueError("no column is left to compare")
    told = advance or _nobody
    reading = Reading(tuple(map(_rows, tables)), names, grouping, seed, told)
    if any(isinstance(table, Profile) for table in tables):
        counted = counted_with_profiles(reading, tables, bins)
    else:
        counted = tallied(reading, made_plans(reading, in_bins(bins)))
    return _result(counted, settings, by, against)


def profile(
    table: Any,
    *,
    columns: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    hash_categories: bool = False,
    hash_key: bytes | None = None,
    seed: int = 0,
    advance: Callable[[int], None] | None = None,
) -> Profile:
    """Count what a table holds, for `compare` to take in its place.

    Parameters
    ----------
    table : data frame, mapping of arrays, or path
        As in `compare`.
    columns, exclude : sequence of str
        Which columns are counted, and which are not.
    hash_categories : bool
        Whether names of categories are kept as hashes.
    hash_key : bytes, optional
        The key of the hashes. Without one, whoever guesses a name can see if it is there.
    seed : int, default 0
        Of the sample of rows by which numbers are divided into cells.
    advance : callable, optional
        Is told how many more rows have been read; each row is read twice.

    Returns
    -------
    Profile
        With `save`, `load` and `merge`.

    Raises
    ------
    ValueError, TypeError, ImportError
        As `compare` does.

    See Also
    --------
    compare : takes it in the place of a table.

    Notes
    -----
    Bins are made of some hundreds of cells, so results are close to those of the rows
    themselves, but not the same.

    Examples
    --------
    >>> import numpy as np
    >>> from jsdiv_numba import drift
    >>> rng = np.random.default_rng(0)
    >>> january, february = (drift.profile({"age": rng.normal(40, 10, 500)}) for _ in range(2))
    >>> reference = january.merge(february)
    >>> reference
    Profile of 1,000 rows, 1 column
    >>> print(drift.compare(reference, {"age": rng.normal(50, 10, 300)}).summary)
    1 of 1 column drifted: age
    """
    if hash_key is not None and not (hash_categories and isinstance(hash_key, bytes) and hash_key):
        raise ValueError("hash_key is bytes, and goes with hash_categories")
    given = _table("table", table)
    if isinstance(given, Profile):
        raise TypeError("table is a profile already")
    names = _chosen((given,), columns, exclude)
    reading = Reading((given,), names, None, _count("seed", seed, 0), advance or _nobody)
    return profile_of(reading, Hashing(hash_key or b"") if hash_categories else None)


def _rows(table: Table | Profile) -> Table:
    return (
        table_of_arrays("", dict.fromkeys(table.columns, ()))
        if isinstance(table, Profile)
        else table
    )


def _table(name: str, given: Any, hash_key: bytes | None = None) -> Table | Profile:
    """Return a data frame, a mapping of arrays or a file as a table; a profile as it is."""
    if isinstance(given, Table | Profile):
        return given
    if isinstance(given, str | os.PathLike):
        if os.fspath(given).lower().endswith(SUFFIX):
            return Profile.load(given, hash_key=hash_key)
        from .batch.io.options import TableOptions
        from .batch.io.tables import open_table

        return open_table(os.fspath(given), TableOptions())
    if isinstance(given, Mapping):
        return table_of_arrays(name, given)
    return table_of_frame(name, given)


def _nobody(_rows: int) -> None:
    pass


def _chosen(
    tables: Sequence[Table | Profile], columns: Sequence[str] | None, exclude: Sequence[str]
) -> list[str]:
    """Return which columns are compared: in the reference's order, and then the current one's."""
    there = list(dict.fromkeys(name for table in tables for name in table.columns))
    wanted = there if columns is None else columns
    for argument, given in (("columns", wanted), ("exclude", exclude)):
        if isinstance(given, str):
            raise TypeError(f"{argument} is {given!r}; it must be a sequence of names")
        for name in given:
            if name not in there:
                raise ValueError(
                    f"{argument} has {name!r}, which is no column of "
                    f"{'either' if len(tables) > 1 else 'the'} table; there are: "
                    f"{', '.join(map(repr, there[:5]))}{', …' if len(there) > 5 else ''}"
                )
    return [name for name in wanted if name not in set(exclude)]


def _settings(
    categories: int,
    level: float,
    floor: float,
    estimator: str,
    confidence_level: float,
    base: float | None,
    workers: int | None,
) -> Settings:
    categories = _count("categories", categories, 1)
    if not 0 < level < 1:
        raise ValueError(f"level is {level!r}; it must be between 0 and 1")
    if not 0 <= floor < 1:
        raise ValueError(f"floor is {floor!r}; it must be at least 0 and below 1")
    check_estimator(estimator)
    if estimator == "grassberger":
        raise ValueError("estimator is 'grassberger', which needs samples of one size; take 'null'")
    check_level(confidence_level)
    validation.log_base(base)
    if workers is not None:
        check_workers(workers)
    return Settings(categories, level, floor, estimator, confidence_level, base, workers)


def _count(name: str, value: Any, least: int) -> int:
    """Return an argument that is a whole number, of Python's or NumPy's, as Python's."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise ValueError(f"{name} is {value!r}; it must be a whole number, at least {least}")
    return int(value)


def _result(
    counted: Counted, settings: Settings, by: str | None, against: str
) -> DriftResult | DriftSeries:
    number = len(counted.groups)
    pairs = [Pair(k if against == "previous" else 0, k + 1) for k in range(number)]
    base = settings.base
    unit = _UNITS.get(base, f"base-{base:g} units" if base else "")
    labels = ("reference", *(group or "current" for group in counted.groups))
    results = [
        DriftResult(
            columns=tuple(columns),
            rows_reference=int(counted.rows[pair.reference]),
            rows_current=int(counted.rows[pair.current]),
            level=settings.level,
            floor=settings.floor,
            unit=unit,
            confidence_level=settings.confidence_level,
            reference=labels[pair.reference],
            current=labels[pair.current],
        )
        for pair, columns in zip(pairs, compared(counted, pairs, settings), strict=True)
    ]
    return results[0] if by is None else DriftSeries(by, counted.groups, tuple(results))
