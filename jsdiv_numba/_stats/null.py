"""What chance alone makes of the divergence of pairs of rows: moments, and tables one by one."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln

from .._core.threads import run_blocks
from .._core.validation import FloatArray
from .._kernels.load import routine
from .._kernels.records import CategoryRoom, TableRoom
from .counts import BoolArray, IntArray

COLUMNS, RESULTS = 15, 6
NODES, LANES, BUCKETS = (3, 4128), (11, 176), 81
POWERS, VECTORS, CLASSES = 20, (8, 384), 2
"""As in `jsdiv_numba._kernels.counts`, which is imported late."""

LINE = 8
"""Float64 of a cache line."""

MOST_TOTALS = 1 << 16
"""Totals of categories below this are looked up where samples of the same sizes come again."""

BLOCK_PAIRS = 1 << 12
"""Pairs that one thread takes at a time."""

MOST_TABLES = 1e5
"""So many tables take about as long as a thousand pairs by their moments."""

MOST_OBSERVATIONS = 1000
"""Of a table that is enumerated: the number of ways to fill it has to be a float64."""


class Pairs(NamedTuple):
    """Pairs of rows of two matrices of counts."""

    a: IntArray
    b: IntArray
    size_a: FloatArray
    size_b: FloatArray
    i: IntArray
    """Which row of `a`, for each pair."""
    j: IntArray

    @property
    def sizes(self) -> tuple[FloatArray, FloatArray]:
        """How many observations both samples of each pair have."""
        return self.size_a[self.i], self.size_b[self.j]


class Null(NamedTuple):
    """What is known of each pair; all in nats."""

    divergence: FloatArray
    mean: FloatArray
    """By chance, given the totals of the categories: exact, as the variance is."""
    variance: FloatArray
    third: FloatArray
    delta_variance: FloatArray
    """The variance of the divergence by the delta method."""
    second_order: FloatArray
    """The bias to second order in the counts."""


Report = Callable[[int], None]
"""Called with how many pairs more are done, by any thread."""


def null_of(
    pairs: Pairs,
    workers: int | None,
    report: Report | None = None,
    later: BoolArray | None = None,
) -> Null:
    """Return what is known of each pair, and report those that are not to be reported later."""
    order = _by_sizes(pairs)
    if order is not None:
        after = None if later is None else later[order]
        sorted_result = null_of(fewest(pairs, order), workers, report, after)
        result = np.empty((len(order), RESULTS))
        result[order] = np.stack(sorted_result, axis=1)
        return Null(*result.T.copy())
    columns, highest = pairs.a.shape[1], int(_highest(pairs.a) + _highest(pairs.b))
    kernel = routine("count_pairs", "float64")
    result = np.empty((len(pairs.i), RESULTS))
    room = min(highest, MOST_TOTALS) + 1

    def compute(block: slice) -> None:
        where = pairs.i[block], pairs.j[block], _category_room(columns, room)
        kernel(*pairs[:4], *where, result[block])
        if report is not None:
            number = block.stop - block.start
            report(number if later is None else number - int(later[block].sum()))

    run_blocks(compute, _blocks(len(result), BLOCK_PAIRS), workers)
    return Null(*result.T.copy())


def _category_room(columns: int, totals: int) -> CategoryRoom:
    return CategoryRoom(
        totals=np.empty(columns, np.intp),
        numbers=np.empty(columns, np.intp),
        counts=np.zeros(totals, np.intp),
        memo=np.empty((totals, COLUMNS)),
        marks=np.zeros(totals, np.intp),
        waiting=np.empty((CLASSES + 1, columns + 1), np.intp),
        ends=np.empty(BUCKETS, np.intp),
        order=np.empty(columns, np.intp),
        found=np.empty((columns, COLUMNS)),
        nodes=_aligned_zeros(NODES),
        lanes=_aligned_zeros(LANES),
        powers=np.empty(POWERS),
        vectors=_aligned_zeros(VECTORS),
    )


def _aligned_zeros(shape: tuple[int, int]) -> FloatArray:
    """Return zeros that begin where a cache line does: vectors of them then lie in one each."""
    size = shape[0] * shape[1]
    room = np.zeros(size + LINE)
    start = -(room.ctypes.data // room.itemsize) % LINE
    return room[start : start + size].reshape(shape)


def _by_sizes(pairs: Pairs) -> IntArray | None:
    """Return an order in which samples of the same sizes come together; None if they do."""
    least, most = np.minimum(*pairs.sizes), np.maximum(*pairs.sizes)
    changes = (np.diff(least) != 0) | (np.diff(most) != 0)
    order: IntArray = np.lexsort((most, least))
    together = np.diff(least[order]) + np.diff(most[order]) != 0
    return order if 2 * together.sum() < changes.sum() else None


def exact_tails(
    pairs: Pairs, observed: FloatArray, workers: int | None, report: Report | None = None
) -> FloatArray:
    """Return the probability of at least the observed divergences, by all tables there are."""
    kernel = routine("table_tails", "float64")
    sizes = np.minimum(*pairs.sizes)
    columns, first = pairs.a.shape[1], int(sizes.max(initial=0))
    totals = min(int(_highest(pairs.a) + _highest(pairs.b)), MOST_OBSERVATIONS)
    height = int(sum(n.max(initial=0) for n in pairs.sizes)) + 2 * columns + 2
    result = np.empty(len(pairs.i))

    def compute(block: slice) -> None:
        room = TableRoom(
            totals=np.empty((columns + 1, 2), np.intp),
            paths=np.empty((columns + 1, first + 1)),
            places=np.empty((height, 4)),
            terms=np.empty((columns, totals + 1)),
            least=np.empty((columns + 1, first + 1)),
            most=np.empty((columns + 1, first + 1)),
        )
        where = pairs.i[block], pairs.j[block]
        kernel(*pairs[:4], *where, observed[block], room, result[block])
        if report is not None:
            report(block.stop - block.start)

    run_blocks(compute, _blocks(len(result), 64), workers)
    return result


def log_tables(pairs: Pairs, most: float) -> FloatArray:
    """Return the logarithm of a bound on the number of tables with the margins of each pair.

    It is infinite where there are surely more than `most`, or a table is too long to be listed.
    """
    result = np.full(len(pairs.i), np.inf)
    # A category of a sample has two counts at least; the last one's follows from the others.
    used_a, used_b = ((rows > 0).sum(axis=1) for rows in (pairs.a, pairs.b))
    used = np.maximum(used_a[pairs.i], used_b[pairs.j])
    short = (used - 1) * np.log(2.0) <= np.log(most)
    few = np.flatnonzero(short & (np.add(*pairs.sizes) <= MOST_OBSERVATIONS))
    step = max(1, (1 << 22) // max(pairs.a.shape[1], 1))
    for start in range(0, len(few), step):
        part = few[start : start + step]
        ways = np.log1p(pairs.a[pairs.i[part]] + pairs.b[pairs.j[part]])
        result[part] = ways.sum(axis=1) - ways.max(axis=1, initial=0.0)
    return result


def fewest(pairs: Pairs, rows: Any) -> Pairs:
    """Return some of the pairs."""
    return pairs._replace(i=pairs.i[rows], j=pairs.j[rows])


def log_arrangements(sizes: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Return log C(n1 + n2, n1): no p-value by chance is below one over that."""
    n1, n2 = sizes
    logs: FloatArray = gammaln(n1 + n2 + 1) - gammaln(n1 + 1) - gammaln(n2 + 1)
    return logs


def _highest(rows: IntArray) -> int:
    return int(rows.max(initial=0))


def _blocks(number: int, step: int) -> list[slice]:
    return [slice(i, min(i + step, number)) for i in range(0, number, step)]
