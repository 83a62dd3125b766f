"""From rows of any strides to kernels that take adjacent elements."""

from typing import Any

from ..codegen.intrinsics import any_layout, contiguous, empty, njit_refcounted


@njit_refcounted
def _place_for(row):
    """Return a row itself if its elements are adjacent, else as long a new one."""
    if row.strides[0] == row.itemsize:
        return any_layout(row)
    return any_layout(empty(row.size, row.dtype))


@njit_refcounted
def _put(written, row):
    if row.strides[0] != row.itemsize:
        for i in range(row.size):
            row[i] = written[i]


def of_any_strides(sum_with_gradient: Any) -> Any:
    """Compile the body of a generalised ufunc of two rows and a number for each element.

    It returns the rows' divergence, and writes the derivatives of the first number times
    that: the number is one for all of a row.
    """

    @njit_refcounted
    def body(p, q, cotangents, in_p, in_q):
        if p.size == 0:
            return p.dtype.type(0)
        place_p, place_q = _place_for(in_p), _place_for(in_q)
        value = sum_with_gradient(contiguous(p), contiguous(q), cotangents[0], place_p, place_q)
        _put(place_p, in_p)
        _put(place_q, in_q)
        return value

    return body
