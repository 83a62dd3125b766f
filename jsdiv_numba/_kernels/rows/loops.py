"""Loops over rows around a kernel that is part of them: constants are loaded once for all rows."""

from typing import Any

from ..codegen.intrinsics import any_layout, contiguous_rows, njit_no_refcount, noinline


def each_row(of_row: Any) -> Any:
    """Return what writes a kernel's number for each pair of contiguous rows."""

    @njit_no_refcount
    def of_adjacent(P, Q, results):
        noinline()
        for i in range(results.size):
            results[i] = of_row(any_layout(P[i]), any_layout(Q[i]))

    return of_adjacent


def each_weighted_row(of_row: Any) -> Any:
    """Return what writes a kernel's number for each pair of contiguous rows and their weights."""

    @njit_no_refcount
    def of_adjacent(P, Q, results, p_weights, q_weights):
        noinline()
        for i in range(results.size):
            p, q = any_layout(P[i]), any_layout(Q[i])
            results[i] = of_row(p, q, p_weights[i], q_weights[i])

    return of_adjacent


def rows_of_one(of_adjacent: Any) -> Any:
    """Return a body of a ufunc: what does so for rows of any strides, each of which is both."""

    def body(P, results):
        if P.strides[1] == P.itemsize:
            of_adjacent(P, P, results)
            return
        for i in range(results.size):
            row = contiguous_rows(P[i : i + 1])
            of_adjacent(row, row, results[i : i + 1])

    return body


def rows_of_two(of_adjacent: Any) -> Any:
    """Return a body of a ufunc: what does so for two sets of rows of any strides."""

    def body(P, Q, results):
        if P.strides[1] == P.itemsize and Q.strides[1] == Q.itemsize:
            of_adjacent(P, Q, results)
            return
        for i in range(results.size):
            p, q = contiguous_rows(P[i : i + 1]), contiguous_rows(Q[i : i + 1])
            of_adjacent(p, q, results[i : i + 1])

    return body


def weighted_rows(of_adjacent: Any) -> Any:
    """Return a body of a ufunc: what does so for two sets of rows, and a weight of each."""

    def body(P, Q, p_weights, q_weights, results):
        if P.strides[1] == P.itemsize and Q.strides[1] == Q.itemsize:
            of_adjacent(P, Q, results, p_weights, q_weights)
            return
        for i in range(results.size):
            one = slice(i, i + 1)
            p, q = contiguous_rows(P[one]), contiguous_rows(Q[one])
            of_adjacent(p, q, results[one], p_weights[one], q_weights[one])

    return body
