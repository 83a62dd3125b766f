"""Operands of other dtypes than a ufunc takes."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from .._kernels.load import routine
from .validation import SMALL, FloatArray

Dtypes = tuple[np.dtype[Any], ...]


@cache
def dtypes_of(ufunc: Any) -> Dtypes:
    """Return the dtypes of the inputs of a ufunc, or of what has its types."""
    inputs, _ = ufunc.types[0].split("->")
    return tuple(map(np.dtype, inputs))


def are_converted(operands: Sequence[Any], dtypes: Dtypes) -> bool:
    """Whether any operand is an array of another dtype."""
    return any(
        isinstance(operand, np.ndarray) and operand.dtype != dtype
        for operand, dtype in zip(operands, dtypes, strict=False)
    )


def written(array: FloatArray, memory: FloatArray) -> FloatArray:
    """Write an array to memory of its size, in its own order; return it as it stands there."""
    flags = array.flags
    # An axis of length 1 may have any stride.
    by_columns = not flags.c_contiguous and (flags.fnc or array.strides[0] == array.itemsize)
    result = memory.reshape(array.shape, order="F" if by_columns else "C")
    rows, result_rows = (array.T, result.T) if by_columns else (array, result)
    if flags.forc:
        rows, result_rows = rows.reshape(1, -1), memory[np.newaxis]
    is_narrow = array.dtype == np.float16 and memory.dtype == np.float32 and array.size > SMALL
    # Kernels read no number that lies across two places of one.
    if is_narrow and flags.aligned and rows.ndim == 2 and rows.strides[1] == rows.itemsize:
        # NumPy 2.4 converts one number at a time.
        routine("widen_float16", "float32")(rows.view(np.int16), result_rows)
    else:
        np.copyto(result, array, casting="unsafe")
    return result
