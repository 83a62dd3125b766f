"""Arrow's arrays as values of one kind."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import text_of, values_of_objects
from .values import BOOLEANS, Array, Values, empty

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def values_of_arrow(column: Any) -> Values:
    """Return an array, or a chunked one, of PyArrow's as values."""
    import pyarrow as pa
    from pyarrow import compute, types

    if types.is_run_end_encoded(column.type):
        column = compute.run_end_decode(column)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    while isinstance(column, pa.ExtensionArray):
        column = column.storage
    kind = column.type
    tests: tuple[tuple[Callable[[Any], bool], Callable[[Any], Values]], ...] = (
        (types.is_null, lambda column: empty(len(column))),
        (types.is_dictionary, _encoded),
        (types.is_boolean, _booleans),
        (types.is_integer, _integers),
        (types.is_floating, _floats),
        (types.is_decimal, _floats),
        (types.is_temporal, _times),
        (_is_text, _texts),
    )
    made = next((made for test, made in tests if test(kind)), None)
    return empty(len(column), "other") if made is None else made(column)


def _booleans(column: Any) -> Values:
    import pyarrow as pa

    codes = column.cast(pa.int8()).fill_null(-1).to_numpy(zero_copy_only=False)
    return Values("boolean", codes.astype(np.intp), None, BOOLEANS)


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    tests = (
        *(types.is_string, types.is_large_string, types.is_string_view),
        *(types.is_binary, types.is_large_binary, types.is_fixed_size_binary),
        types.is_binary_view,
    )
    return any(test(kind) for test in tests)


def _floats(column: Any) -> Values:
    import pyarrow as pa

    return Values("float", column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _integers(column: Any) -> Values:
    import pyarrow as pa

    present = _present(column)
    try:
        data = column.fill_null(0).cast(pa.int64())
    except pa.ArrowInvalid:
        return _floats(column)
    return Values("integer", data.to_numpy(zero_copy_only=False), present)


def _present(column: Any) -> Array | None:
    if not column.null_count:
        return None
    present: Array = column.is_valid().to_numpy(zero_copy_only=False)
    return present


def _times(column: Any) -> Values:
    import pyarrow as pa
    from pyarrow import types

    kind, present = column.type, _present(column)
    if types.is_interval(kind):
        return empty(len(column), "other")
    if types.is_duration(kind):
        seconds = _floats(column.cast(pa.int64())).data * _SECONDS[kind.unit]
        return Values("float", seconds)
    of_day = types.is_time(kind)
    wanted = pa.time64("us") if of_day else pa.timestamp("us", getattr(kind, "tz", None))
    data = column.cast(wanted, safe=False).cast(pa.int64()).fill_null(0)
    numbers = data.to_numpy(zero_copy_only=False)
    if of_day:
        return Values("clock", numbers, present)
    return Values("time", numbers, present, zoned=wanted.tz is not None)


def _texts(column: Any) -> Values:
    import pyarrow as pa
    from pyarrow import types

    if types.is_string_view(column.type) or types.is_binary_view(column.type):
        column = column.cast(
            pa.large_string() if types.is_string_view(column.type) else pa.large_binary()
        )
    return _encoded(column.dictionary_encode())


def _encoded(column: Any) -> Values:
    """Return a dictionary-encoded array: text, or numbers that are called categories."""
    import pyarrow as pa
    from pyarrow import types

    kind = column.type.value_type
    if types.is_nested(kind):
        return empty(len(column), "other")
    codes = column.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    try:
        names = column.dictionary.to_pylist()
    except UnicodeDecodeError:
        return values_of_objects(
            column.dictionary.cast(pa.binary()).take(column.indices).to_pylist()
        )
    except (OverflowError, ValueError):
        # Moments beyond Python's.
        names = column.dictionary.cast(pa.string()).to_pylist()
    # A category may itself say that nothing is there.
    there = np.array([name is not None for name in names], bool)
    if not there.all():
        codes = np.where((codes >= 0) & np.append(there, False)[codes], codes, -1)
    return Values("text", codes, None, ["" if name is None else text_of(name) for name in names])
