"""The divergence of two rows from the columns that both have, as sums of integers.

For rows of sum 1 it is

    JS(p, q) = ln 2 - ½ Σ u(p, q),   u(p, q) = (p + q) log (p + q) - p log p - q log q >= 0,

where u is 0 unless p and q are both positive (R. Connor, F. A. Cardillo, R. Moss and F. Rabitti,
Evaluation of Jensen-Shannon distance over sparse data, SISAP 2013). With weights other than ½ rows
are multiplied by twice their weights before, and the entropy of these takes the place of ln 2.

Each u is rounded to an integer of units that leave room for the largest sum, so that sums are
exact: they have the same bits in whatever order the terms come, in lanes or not, of sparse rows or
of dense ones. What rounding costs is below 2^-61 a column.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..codegen.intrinsics import (
    empty,
    entry,
    item,
    load_noalias,
    maximum,
    nearest_integer,
    njit_inline,
    njit_no_refcount,
    njit_refcounted,
    noinline,
    set_item,
    store_noalias,
)
from ..codegen.precision import FLOAT64
from ..formulas.js import scalar_formulas
from ..records import Filled
from ..target import registers, target

SPREAD = 9
"""Rows are normalised to a sum of 2^9. The terms' sum is at most twice that in bits, and in units
of 2^-52 bits, which logarithms are in, 2^62."""

SCALE = 2.0**SPREAD

UNIT = np.log(2.0) * 2.0 ** -(SPREAD + 53)
"""What the divergence lacks of its most for each unit of the sum."""

NEAR = 4e-3
"""A divergence below this, in nats, has cancelled, and is computed again."""

FEWEST_COLUMNS = 16
"""Rows of fewer are compared over all columns."""

FILLED, FILLED_NARROW, LESS, LEAST = 0.74, 0.79, 0.04, 0.2
"""And those of which more is not 0, in the geometric mean of two: there that is faster. It is so
much of twice `FEWEST_COLUMNS`, with vectors of 64 bytes and with shorter ones, so much less each
time they double, and less by the last at most."""

STEP = 1.125
"""By which counts differ that are told from each other there."""

GROUP = 8
"""Terms are computed in groups of so many: lanes without a remainder."""


@cache
def shared_terms() -> SimpleNamespace:
    """Compile the term of a column that two rows share, and what is made of a sum of them."""
    log2_in_ulps = scalar_formulas(FLOAT64).log2_in_ulps

    @njit_inline
    def times_log(p):
        return p * log2_in_ulps(p)

    @njit_inline
    def shared_term(p, p_log, q, q_log):
        """Return u in units; exactly 0 where p or q is 0."""
        return nearest_integer(times_log(p + q) - (p_log + q_log))

    @njit_inline
    def divergence_of(total, most):
        return most - UNIT * np.float64(maximum(total, 0))

    return SimpleNamespace(
        times_log=times_log, shared_term=shared_term, divergence_of=divergence_of
    )


@njit_inline
def in_groups(count):
    """Return how many terms are computed for so many."""
    return (count + GROUP - 1) // GROUP * GROUP


@cache
def dense_sums() -> SimpleNamespace:
    """Compile the same sums over the columns of dense rows, padded and scaled by a power of two."""
    return SimpleNamespace(write_filled=_write_filled(), shared_divergence=_shared_divergence())


def _write_filled():
    times_log = shared_terms().times_log

    @njit_no_refcount
    def write_filled(rows, i, scale, filled):
        """Write what is not 0 of a row, normalised to 2^SPREAD; return how much that is."""
        noinline()
        count = 0
        for k in range(rows.shape[1]):
            p = entry(rows, i, k)
            set_item(filled.columns, count, np.intp(k))
            set_item(filled.entries, count, p * scale)
            count += p != 0.0
        for k in range(count, in_groups(count)):
            set_item(filled.entries, k, 0.0)
            set_item(filled.others, k, 0.0)
        for k in range(in_groups(count)):
            set_item(filled.logs, k, times_log(item(filled.entries, k)))
        return count

    return write_filled


def _shared_divergence():
    terms = shared_terms()
    times_log, shared_term = terms.times_log, terms.shared_term
    divergence_of = terms.divergence_of

    @njit_no_refcount
    def write_terms(filled, count, scale):
        # A loop that adds up LLVM interleaves: few terms would be computed one by one.
        for k in range(in_groups(count)):
            p, p_log = load_noalias(filled.entries, k), load_noalias(filled.logs, k)
            q = load_noalias(filled.others, k) * scale
            store_noalias(filled.terms, k, shared_term(p, p_log, q, times_log(q)))

    @njit_no_refcount
    def shared_divergence(filled, count, rows, j, scale, most):
        """Return the divergence of a row that `write_filled` has written and row j of others."""
        noinline()
        # A gather of LLVM's takes longer.
        for k in range(count):
            set_item(filled.others, k, entry(rows, j, item(filled.columns, k)))
        write_terms(filled, count, scale)
        total = np.int64(0)
        for k in range(count):
            total += item(filled.terms, k)
        return divergence_of(total, most)

    return shared_divergence


@njit_no_refcount
def count_of(row):
    """Return how many entries are not 0."""
    count = 0
    for i in range(row.size):
        count += item(row, i) != 0
    return count


@njit_refcounted
def room_for_filled(length):
    """Return room for a row."""
    return Filled(
        empty(length, np.intp),
        empty(length, np.float64),
        empty(length, np.float64),
        empty(length, np.float64),
        empty(length, np.int64),
    )


@cache
def level_kernel() -> Any:
    """Compile how full a row of so many entries is, in steps from where either way takes as long.

    Two rows are compared by the columns that both have if their levels' sum is at most 0: the two
    rows alone decide, and rows of few levels are in few groups.
    """
    most = FILLED if registers(target()).floats == 16 else FILLED_NARROW
    least = most - LEAST

    @njit_no_refcount
    def level_of(count, length):
        if length < FEWEST_COLUMNS:
            return np.inf
        filled, columns = most, 2 * FEWEST_COLUMNS
        while columns < length and filled > least:
            columns, filled = columns * 2, filled - LESS
        share = maximum(np.float64(count), 1.0) / (filled * np.float64(length))
        level, bound = 0.0, np.sqrt(STEP)
        while share > bound:
            level, bound = level + 1.0, bound * STEP
        while share * bound < 1.0:
            level, bound = level - 1.0, bound * STEP
        return level

    return level_of
