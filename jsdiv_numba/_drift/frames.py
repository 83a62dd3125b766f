"""Data frames of pandas, Polars, PyArrow, DuckDB and others, through narwhals."""

from typing import Any

from .arrays import values_of_objects
from .tables import TableInMemory
from .values import Values

INSTALL = 'pip install "jsdiv_numba[drift]"'


def table_of_frame(name: str, frame: Any) -> TableInMemory:
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
        raise ValueError(f"{name}: {_first_line(error)}") from error
    if isinstance(wrapped, nw.LazyFrame):
        wrapped = wrapped.collect()
    found: dict[str, Values] = {}
    for series in wrapped.iter_columns():
        # Pandas has names that are numbers.
        heading = str(series.name)
        if heading in found:
            raise ValueError(f"{name} has two columns {heading!r}")
        found[heading] = _values(series)
    return TableInMemory(found)


def _type(frame: Any) -> str:
    return f"{type(frame).__module__.partition('.')[0]} {type(frame).__name__}"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _values(series: Any) -> Values:
    import pyarrow as pa

    from .arrow import values_of_arrow

    try:
        column = series.to_arrow()
    # What pandas calls an object may be anything, and Polars has types that Arrow lacks.
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return values_of_objects(series.to_list())
    return values_of_arrow(column)
