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
    by_columns = not array.flags.c_contiguous and array.strides[0] == array.itemsize
    result = memory.reshape(array.shape, order="F" if by_columns else "C")
    rows, result_rows = (_in_rows(each, array.flags.forc, by_columns) for each in (array, result))
    is_narrow = array.dtype == np.float16 and memory.dtype == np.float32 and array.size > SMALL
    if is_narrow and rows.ndim == 2 and rows.strides[1] == rows.itemsize:
        # NumPy 2.4 converts one number at a time.
        routine("widen_float16", "float32")(rows.view(np.int16), result_rows)
    else:
        np.copyto(result, array, casting="unsafe")
    return result


def _in_rows(array: FloatArray, is_whole: bool, by_columns: bool) -> FloatArray:
    """View an array as it follows memory, as one row if that has no gaps."""
    return array.ravel(order="K")[None] if is_whole else array.T if by_columns else array
