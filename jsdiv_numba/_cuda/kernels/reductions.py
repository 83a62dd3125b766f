"""Sums, largest and smallest numbers over the threads that share a row.

`lanes` adjacent threads do: a power of two up to a warp, or the block. Sums are
kept as a float and its low-order part, so that float32 needs no float64. Every
thread of a group gets the same bits, whatever their number in the block. What
the warps of a block tell each other goes through `shared`, of shape (2, WARPS):
numba-cuda cannot link two functions that have shared arrays of their own.
"""

from functools import cache
from types import SimpleNamespace

import numpy as np

from ..._kernels.codegen.precision import Precision
from ..._kernels.formulas.js import two_sum as host_two_sum
from .. import target
from ..target import THREADS, WARP, cuda, device, least, most

WARPS = THREADS // WARP


@cache
def group_functions(precision: Precision) -> SimpleNamespace:
    """Return the functions for one precision. All threads of a block have to call them."""
    two_sum = target.formula(precision, host_two_sum)
    from_lane = target.from_lane(precision)
    sum_of_group = _sum_of_group(two_sum, from_lane)
    # The largest number passes over NaN.
    top_of_group = _of_group(from_lane, most)
    ends_of_group = _ends_of_group(top_of_group)
    return SimpleNamespace(
        two_sum=two_sum,
        sum_of_group=sum_of_group,
        # With its rounding errors.
        plain_sum_of_group=_of_group(from_lane, _plus),
        top_of_group=top_of_group,
        ends_of_group=ends_of_group,
        sum_of_pieces=_sum_of_pieces(precision, two_sum, sum_of_group),
        ends_of_pieces=_ends_of_pieces(precision, ends_of_group),
    )


def _sum_of_group(two_sum, from_lane):
    @device
    def with_lane(total, lo, offset, lanes):
        if offset < lanes and offset < WARP:
            other, other_lo = from_lane(total, offset), from_lane(lo, offset)
            total, error = two_sum(total, other)
            lo = (lo + other_lo) + error
        return total, lo

    @device
    def sum_of_group(total, lo, lanes, shared):
        """Return the sum of all numbers of a group, as a float and its low-order part."""
        total, lo = with_lane(total, lo, 1, lanes)
        total, lo = with_lane(total, lo, 2, lanes)
        total, lo = with_lane(total, lo, 4, lanes)
        total, lo = with_lane(total, lo, 8, lanes)
        total, lo = with_lane(total, lo, 16, lanes)
        if lanes > WARP:
            cuda.syncthreads()
            shared[0, cuda.threadIdx.x // WARP] = total
            shared[1, cuda.threadIdx.x // WARP] = lo
            cuda.syncthreads()
            total, lo = shared[0, 0], shared[1, 0]
            for warp in range(1, lanes // WARP):
                total, error = two_sum(total, shared[0, warp])
                lo = (lo + shared[1, warp]) + error
        return total, lo

    return sum_of_group


@device
def _plus(x, y):
    return x + y


def _of_group(from_lane, combine):
    """Compile what combines the numbers of a group: all with all, in an order of its own."""

    @device
    def with_lane(own, offset, lanes):
        return combine(from_lane(own, offset), own) if offset < lanes and offset < WARP else own

    @device
    def of_group(own, lanes, shared):
        own = with_lane(own, 1, lanes)
        own = with_lane(own, 2, lanes)
        own = with_lane(own, 4, lanes)
        own = with_lane(own, 8, lanes)
        own = with_lane(own, 16, lanes)
        if lanes > WARP:
            cuda.syncthreads()
            shared[0, cuda.threadIdx.x // WARP] = own
            cuda.syncthreads()
            own = shared[0, 0]
            for warp in range(1, lanes // WARP):
                own = combine(shared[0, warp], own)
        return own

    return of_group


def _ends_of_group(top_of_group):
    @device
    def ends_of_group(low, top, lanes, shared):
        """Return the smallest of one and the largest of another number of a group.

        NaN is passed over.
        """
        low = -top_of_group(-low, lanes, shared)
        return low, top_of_group(top, lanes, shared)

    return ends_of_group


def _sum_of_pieces(precision, two_sum, sum_of_group):
    zero = precision.Float(0)

    @device
    def sum_of_pieces(parts, row, column, shared):
        """Return the sum of a number that each piece of a row has in two columns, by a block."""
        total, lo = zero, zero
        for n in range(cuda.threadIdx.x, parts.shape[1], THREADS):
            total, error = two_sum(total, parts[row, n, column])
            lo += parts[row, n, column + 1] + error
        return sum_of_group(total, lo, THREADS, shared)

    return sum_of_pieces


def _ends_of_pieces(precision, ends_of_group):
    infinity = precision.Float(np.inf)

    @device
    def ends_of_pieces(parts, row, low_column, top_column, shared):
        """Return the smallest number in one column and the largest in another, by a block."""
        low, top = infinity, -infinity
        for n in range(cuda.threadIdx.x, parts.shape[1], THREADS):
            low = least(parts[row, n, low_column], low)
            top = most(parts[row, n, top_column], top)
        return ends_of_group(low, top, THREADS, shared)

    return ends_of_pieces
