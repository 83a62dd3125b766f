"""Results as a data frame."""

from importlib.util import find_spec
from typing import Any

BACKENDS = "pandas", "polars", "pyarrow"


def frame_of(table: dict[str, list[Any]], backend: str | None) -> Any:
    """Return a data frame of a package that is installed."""
    try:
        import narwhals as nw
    except ImportError as error:
        raise ImportError(
            'to_frame needs narwhals: pip install "jsdiv_numba[drift]"; to_dict needs nothing'
        ) from error

    chosen: Any = backend or next(filter(find_spec, BACKENDS), None)
    if chosen is None:
        raise ImportError("to_frame needs one of pandas, polars and pyarrow; to_dict needs nothing")
    return nw.from_dict(table, backend=chosen).to_native()
