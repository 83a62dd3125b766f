"""Sums, largest and smallest numbers over the threads that share a row.

`lanes` adjacent threads do: a power of two up to a warp, or the block. Sums are
kept as a float and what it lacks, so that float32 needs no float64. Every
thread of a group gets the same bits, whatever their number in the block. What
the warps of a block tell each other goes through `shared`, of shape (2, WARPS):
numba-cuda cannot link two functions that have shared arrays of their own.
"""

from functools import cache
from types import SimpleNamespace

from .._kernels.precision import Precision
from .._kernels.scalar import exact_sum
from . import target
from .target import THREADS, WARP, cuda, device

WARPS = THREADS // WARP


@cache
def group_functions(precision: Precision) -> SimpleNamespace:
    """Return the functions for one precision. All threads of a block have to call them."""
    two_sum = target.formula(precision, exact_sum)
    from_lane = target.from_lane(precision)
    return SimpleNamespace(
        two_sum=two_sum,
        sum_of_group=_sum_of_group(two_sum, from_lane),
        ends_of_group=_ends_of_group(from_lane),
    )


def _sum_of_group(two_sum, from_lane):
    @device
    def sum_of_group(total, rest, lanes, shared):
        """Return the sum of all numbers of a group, as a float and what it lacks."""
        offset = 1
        while offset < lanes and offset < WARP:
            other, other_rest = from_lane(total, offset), from_lane(rest, offset)
            total, error = two_sum(total, other)
            rest = (rest + other_rest) + error
            offset *= 2
        if lanes > WARP:
            cuda.syncthreads()
            shared[0, cuda.threadIdx.x // WARP] = total
            shared[1, cuda.threadIdx.x // WARP] = rest
            cuda.syncthreads()
            total, rest = shared[0, 0], shared[1, 0]
            for warp in range(1, WARPS):
                total, error = two_sum(total, shared[0, warp])
                rest = (rest + shared[1, warp]) + error
        return total, rest

    return sum_of_group


def _ends_of_group(from_lane):
    @device
    def ends_of_group(low, top, lanes, shared):
        """Return the smallest and the largest number of a group. NaN is passed over."""
        offset = 1
        while offset < lanes and offset < WARP:
            other_low, other_top = from_lane(low, offset), from_lane(top, offset)
            low = min(low, other_low)
            top = max(top, other_top)
            offset *= 2
        if lanes > WARP:
            cuda.syncthreads()
            shared[0, cuda.threadIdx.x // WARP] = low
            shared[1, cuda.threadIdx.x // WARP] = top
            cuda.syncthreads()
            for warp in range(WARPS):
                low, top = min(low, shared[0, warp]), max(top, shared[1, warp])
        return low, top

    return ends_of_group
