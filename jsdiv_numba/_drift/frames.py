"""Data frames of pandas, Polars, PyArrow, DuckDB and others, through narwhals."""

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from .arrays import values_of_objects
from .tables import ROWS, Batch, Table, TableInMemory
from .values import Values

INSTALL = 'pip install "jsdiv_numba[drift]"'


def table_of_frame(name: str, frame: Any) -> Table:
    """Return a data frame, or a lazy one, as a table."""
    try:
        import narwhals as nw
    except ImportError as error:
        raise ImportError(f"{name} is a {_type(frame)}, which needs narwhals: {INSTALL}") from error

    try:
        wrapped = nw.from_native(frame)
    except TypeError as error:
        raise TypeError(
            f"{name} is a {_type(frame)}; pass a data frame, a mapping of arrays, or a file's name"
        ) from error
    except ValueError as error:
        raise ValueError(f"{name}: {_in_one_line(error)}") from error
    if isinstance(wrapped, nw.LazyFrame):
        if wrapped.implementation.is_duckdb():
            return _relation(name, wrapped.to_native())
        wrapped = wrapped.collect()
    return TableInMemory(_columns(name, wrapped))


def _columns(name: str, frame: Any) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for series in frame.iter_columns():
        # Pandas has names that are numbers.
        heading = str(series.name)
        if heading in found:
            raise ValueError(f"{name} has two columns {heading!r}")
        found[heading] = _values(series)
    return found


@dataclass(frozen=True)
class Relation(Table):
    """A relation of DuckDB's, which is computed twice, and never in memory whole."""

    relation: Any

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        return tuple(self.relation.columns)

    def batches(self, columns: Sequence[str], start: int = 0) -> Generator[Batch, None, None]:
        """Yield the values of some columns from some row on."""
        from .arrow import values_of_arrow

        found, there = self.relation, list(self.columns)
        # For DuckDB names are equal that differ in case alone: such columns have but their place.
        if len({name.casefold() for name in there}) == len(there):
            quoted = ['"{}"'.format(name.replace('"', '""')) for name in columns]
            found, there = found.project(", ".join(quoted)), list(columns)
        with _reader(found) as batches:
            for batch in batches:
                rest = batch.slice(start)
                start = max(0, start - batch.num_rows)
                if rest.num_rows:
                    yield {
                        name: values_of_arrow(rest.column(there.index(name))) for name in columns
                    }


def _relation(name: str, relation: Any) -> Relation:
    number = Counter(relation.columns)
    twice = [heading for heading, times in number.items() if times > 1]
    if twice:
        raise ValueError(f"{name} has two columns {twice[0]!r}")
    return Relation(relation)


def _reader(relation: Any) -> Any:
    """Return a reader of batches; DuckDB 1.4 gave it another name."""
    reader = getattr(relation, "to_arrow_reader", None) or relation.fetch_record_batch
    return reader(ROWS)


def _type(frame: Any) -> str:
    return f"{type(frame).__module__.partition('.')[0]} {type(frame).__name__}"


def _in_one_line(error: Exception) -> str:
    return " ".join(line.removeprefix("- ") for line in str(error).strip().splitlines())


def _values(series: Any) -> Values:
    import pyarrow as pa

    from .arrow import values_of_arrow

    try:
        column = series.to_arrow()
    # What pandas calls an object may be anything, and Polars has types that Arrow lacks.
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return values_of_objects(series.to_list())
    return values_of_arrow(column)
