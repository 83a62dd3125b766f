"""Moments of the divergence by chance, and tails of small tables, against all tables there are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdiv_numba._core.threads import available_cpus
from jsdiv_numba._kernels.counts import columns, lanes, nodes, series
from jsdiv_numba._kernels.counts import pairs as kernel
from jsdiv_numba._stats import null
from tests import counts_oracle as oracle

SMALL = [
    ([3, 2, 4], 4),
    ([5, 5], 5),
    ([1, 1, 1, 2, 3], 4),
    ([8, 7, 9, 6], 8),
    ([20, 6, 4], 10),
    ([4, 4, 4, 4, 4], 10),
    ([2, 2, 2, 2, 2], 3),
    ([8, 3], 1),
    ([6], 2),
]


def filled(totals, size):
    """Return two samples with these margins: the first has the first categories."""
    first = []
    for t in totals:
        first.append(min(t, size - sum(first)))
    return np.array(first), np.array(totals) - first


def pairs_of(a, b):
    a, b = (np.ascontiguousarray(np.atleast_2d(rows), np.intp) for rows in (a, b))
    index = np.arange(len(a))
    sizes = (rows.sum(axis=1).astype(float) for rows in (a, b))
    return null.Pairs(a, b, *sizes, index, index)


def known(a, b, workers=1):
    return null.null_of(pairs_of(a, b), workers)


def test_the_kernel_is_given_the_room_that_it_needs():
    assert null.COLUMNS == columns.COLUMNS
    assert kernel.SECOND_ORDER + 1 == null.RESULTS == len(null.Null._fields)
    assert null.NODES == (lanes.VALUES + 1, nodes.NODES * lanes.LANES)
    assert null.LANES == (lanes.VECTORS, lanes.ROWS * lanes.LANES)
    assert null.BUCKETS == kernel.BUCKETS + 1
    assert null.VECTORS == (series.VECTORS, series.VECTOR_LENGTH)
    assert (null.POWERS, null.CLASSES) == (2 * series.SIZE, series.CLASSES)


def errors(found, exact):
    return [float(abs(x - y) / abs(y)) for x, y in zip(found, exact, strict=True) if y]


@pytest.mark.parametrize(("totals", "size"), SMALL)
def test_mean_and_variance_are_those_over_all_tables(totals, size):
    found = known(*filled(totals, size))
    mean, variance, _ = oracle.moments_of_tables(totals, size)
    assert errors(found.mean, [mean]) < [1e-10]
    if variance > 1e-30:
        assert errors(found.variance, [variance]) < [1e-10]
    else:
        assert found.variance == 0


@given(
    totals=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    share=st.floats(0, 1),
)
def test_so_they_are_for_any_small_table(totals, share):
    size = 1 + int(share * (sum(totals) - 2))
    if sum(totals) < 2:
        return
    a, b = filled(totals, size)
    found = known(a, b)
    mean, variance, _ = oracle.moments_of_tables(totals, size)
    assert abs(found.mean[0] - mean) <= 1e-10 * mean
    assert abs(found.variance[0] - variance) <= 1e-10 * variance + 1e-20 * mean**2
    defined = oracle.moments(totals, min(size, sum(totals) - size), max(size, sum(totals) - size))
    assert abs(found.third[0] - defined[2]) <= 1e-10 * abs(defined[2]) + 1e-20 * mean**3


@pytest.mark.parametrize(
    ("totals", "n1"),
    [
        ([300, 4000, 2, 2, 50, 648], 2500),
        ([300, 4000, 2, 2, 50, 646], 40),
        ([1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987], 1291),
        ([170, 180, 500, 700], 600),
        ([161, 162, 200, 9_000, 477], 5_000),
        ([100_000, 150_000, 3, 49_997], 150_000),
        ([70_000, 2_000, 30], 70_000),
        # On either side of where a sum over all c gives way, of the series' sizes, and unbalanced.
        ([57, 58, 59, 95, 96, 97, 98, 320, 321, 330, 1500, 1501], 2216),
        ([2000, 3000, 900, 2900, 20, 5], 500),
        ([792, 8, 890, 8], 101),
        ([10_000, 3, 3], 96),
        # Every 13th count, and every one of some beside every third of others.
        ([32_000, 31_000, 20_000, 17_990], 1000),
        ([5, 40, 80, 90, 100, 200, 300, 310], 600),
        # A few observations beside many, nearly all in one category: chance moves what is rare.
        ([10**9, 3, 3], 3),
        ([10**12, 40, 3], 10),
        ([10**12, 10**6, 3], 10),
        ([10**13, 5, 5, 5], 7),
        ([10**15, 1, 1], 2),
        ([10**15, 100, 100], 2),
        ([2 * 10**15, 3, 1], 10),
    ],
)
def test_moments_of_large_counts(totals, n1):
    found = known(*filled(totals, n1))
    n2 = sum(totals) - n1
    exact = oracle.moments(totals, min(n1, n2), max(n1, n2))
    assert max(errors([found.mean[0], found.variance[0], found.third[0]], exact)) < 1e-10


@pytest.mark.parametrize(
    "totals", [[8, 7, 9, 6], [12, 12, 12], [4, 4, 4, 4, 4], [6, 5, 3, 2, 2, 1]]
)
def test_the_skewness_is_near_that_over_all_tables(totals):
    size = sum(totals) // 2
    found = known(*filled(totals, size))
    _, variance, third = oracle.moments_of_tables(totals, size)
    scale = float(variance) ** 1.5
    assert abs(found.third[0] - float(third)) / scale < 0.2


def test_all_in_one_category_leaves_chance_no_choice():
    found = known([[5, 0], [0, 3]], [[7, 0], [0, 1]])
    assert found.divergence.tolist() == found.mean.tolist() == found.variance.tolist() == [0, 0]


def test_no_category_twice_leaves_chance_no_choice():
    found = known(*filled([1] * 9, 4))
    assert found.variance == 0
    np.testing.assert_allclose(found.mean, np.log(2), rtol=1e-15)


def samples(rows=40, columns=30, varying=True):
    rng = np.random.default_rng(5)
    weights = 1 / np.arange(1, columns + 1)
    sizes = rng.integers(20, 400, rows) if varying else np.full(rows, 100)
    return rng.multinomial(sizes, weights / weights.sum())


@pytest.mark.parametrize("varying", [True, False])
def test_what_is_remembered_of_other_pairs_changes_no_bit(varying):
    counts = samples(varying=varying)
    together = known(counts[:-1], counts[1:])
    for k in range(len(counts) - 1):
        alone = known(counts[k], counts[k + 1])
        assert [column[0] for column in alone] == [column[k] for column in together]


def test_neither_the_order_of_samples_nor_of_workers_changes_a_bit(monkeypatch):
    monkeypatch.setattr(null, "BLOCK_PAIRS", 3)
    counts = samples()
    once = known(counts[:-1], counts[1:])
    assert [c.tolist() for c in once] == [c.tolist() for c in known(counts[1:], counts[:-1])]
    again = known(counts[:-1], counts[1:], workers=max(2, available_cpus()))
    assert [c.tolist() for c in once] == [c.tolist() for c in again]


def test_totals_without_a_place_in_memory_are_taken_one_by_one(monkeypatch):
    counts = samples()
    once = known(counts[:-1], counts[1:])
    monkeypatch.setattr(null, "MOST_TOTALS", 4)
    again = known(counts[:-1], counts[1:])
    for column, other in zip(once, again, strict=True):
        np.testing.assert_allclose(column, other, rtol=1e-12)


def test_pairs_of_the_same_sizes_come_together():
    counts = samples()
    counts[::2] = samples(varying=False)[::2]
    pairs = pairs_of(counts, counts)
    i, j = np.triu_indices(len(counts), 1)
    pairs = pairs._replace(i=i, j=j)
    order = null._by_sizes(pairs)
    assert sorted(order) == list(range(len(i)))
    alone = null.null_of(null.fewest(pairs, slice(100, 101)), 1)
    assert [c[0] for c in alone] == [c[100] for c in null.null_of(pairs, 1)]


def test_a_sample_without_observations_has_no_answer():
    found = known([[0, 0], [1, 2]], [[1, 2], [2, 1]])
    assert all(np.isnan(column[0]) and np.isfinite(column[1]) for column in found)


@given(
    first=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    second=st.lists(st.integers(0, 4), min_size=5, max_size=5),
)
def test_tails_are_those_over_all_tables(first, second):
    second = second[: len(first)]
    if not (sum(first) and sum(second)):
        return
    pairs = pairs_of(first, second)
    observed = null.null_of(pairs, 1).divergence
    totals = [x + y for x, y in zip(first, second, strict=True)]
    exact = oracle.tail_of_tables(totals, sum(first), oracle.divergence(first, second))
    assert abs(null.exact_tails(pairs, observed, 1)[0] - float(exact)) < 1e-12
    swapped = null.exact_tails(pairs_of(second, first), observed, 1)
    assert swapped == null.exact_tails(pairs, observed, 1)
    assert len(oracle.tables(totals, sum(first))) <= np.exp(null.log_tables(pairs, 1e9)[0]) * 1.0001
