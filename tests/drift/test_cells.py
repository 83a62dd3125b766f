"""Cells of numbers, whose counts add up exactly wherever they were counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jsdiv_numba._drift.binning import OFTEN
from jsdiv_numba._drift.cells import (
    CELLS,
    Cells,
    binning_of_cells,
    common_edges,
    edges_of,
    keys_of,
    recounted,
    without_empty,
)
from jsdiv_numba._drift.values import Values

RNG = np.random.default_rng(0)
SAMPLES = {
    "normal": RNG.normal(size=3000),
    "far from 0": RNG.normal(1e9, 1e-3, 3000),
    "half zeros": np.where(RNG.random(3000) < 0.5, 0.0, RNG.exponential(1, 3000)),
    "prices": np.round(RNG.lognormal(3, 1, 3000), 1),
    "infinite": np.concatenate([np.full(300, np.inf), np.full(300, -np.inf), RNG.normal(size=300)]),
    "subnormal": RNG.integers(-9, 9, 3000) * 5e-324,
    "whole": RNG.integers(0, 10**6, 3000),
    "few": RNG.integers(1, 13, 3000),
    "ends": np.repeat([-(2**63), 2**63 - 1, 0], 50),
    "one": np.array([7.5]),
    "none": np.array([]),
}


def values(data):
    return Values("float" if data.dtype.kind == "f" else "integer", data)


def cells(data):
    kind = values(data).kind
    return Cells(edges_of(values(data)), kind)


def counts(edges, data):
    """Count by the definition: from an edge on, and below the next."""
    ends = [(data < edge).sum() for edge in edges]
    return np.diff([0, *ends, len(data)])


@given(arrays(np.float64, 20, elements=st.floats(allow_nan=False, allow_subnormal=True)))
def test_keys_are_in_the_order_of_values(data):
    order = np.argsort(data, kind="stable")
    keys = keys_of(data)[order]
    assert ((keys[:-1] < keys[1:]) == (data[order][:-1] < data[order][1:])).all()
    assert (keys[:-1] <= keys[1:]).all()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_cell_has_few_values_or_one(name):
    data = SAMPLES[name]
    found = cells(data)
    codes = found.codes(values(data))
    assert np.bincount(codes, minlength=found.size).tolist() == counts(found.edges, data).tolist()
    most = max(OFTEN, len(data) // CELLS)
    single = found.single
    for code in np.unique(codes):
        inside = data[codes == code]
        assert len(inside) <= most or (single[code] and len(np.unique(inside)) == 1)
    # A cell that is said to be of one value is of no other.
    starts = found.starts.data
    for code in np.flatnonzero(single):
        assert (data[codes == code] == starts[code]).all()


@pytest.mark.parametrize("first", SAMPLES)
def test_merged_counts_are_exact(first):
    x = SAMPLES[first]
    for y in SAMPLES.values():
        if x.dtype != y.dtype:
            continue
        both = [cells(x), cells(y)]
        found = [(c.edges, counts(c.edges, data)) for c, data in zip(both, (x, y), strict=True)]
        edges = common_edges(found)
        total = sum(recounted(own, table, edges) for own, table in found)
        assert total.tolist() == counts(edges, np.concatenate([x, y])).tolist()
        edges, total = without_empty(edges, total)
        assert total.tolist() == counts(edges, np.concatenate([x, y])).tolist()


def test_merging_loses_little():
    """Two halves of one distribution have common cells nearly as fine as their own."""
    x, y = RNG.normal(size=(2, 20_000))
    found = [(cells(data).edges, counts(cells(data).edges, data)) for data in (x, y)]
    edges = common_edges(found)
    total = sum(recounted(own, table, edges) for own, table in found)
    assert total.max() < 40_000 / 100


@pytest.mark.parametrize("name", ["normal", "far from 0", "half zeros", "prices", "whole"])
def test_bins_of_cells_have_about_equal_shares(name):
    data = SAMPLES[name]
    found = cells(data)
    totals = counts(found.edges, data)
    binning = binning_of_cells(found, totals, 10)
    shares = np.bincount(binning.codes(values(data)), minlength=binning.size)
    # The cells of one bin are those whose values are in it.
    again = np.zeros(binning.size, np.int64)
    np.add.at(again, binning.codes(found.starts), totals)
    assert again.tolist() == shares[: binning.size].tolist()
    assert len(set(binning.labels)) == binning.size
    alone = binning.bins[1::2][binning.bins[1::2] != binning.bins[2::2]]
    others = np.setdiff1d(np.flatnonzero(shares), alone)
    assert abs(shares[others] - shares[others].mean()).max() <= 2 * len(data) / CELLS + OFTEN


def test_few_values_are_categories():
    data = SAMPLES["few"]
    binning = binning_of_cells(cells(data), counts(cells(data).edges, data), 20)
    assert binning.how == "12 values"
    assert [binning.labels[k] for k in binning.named] == [str(k) for k in range(1, 13)]


def test_of_nothing_there_is_one_bin():
    empty = cells(SAMPLES["none"])
    assert binning_of_cells(empty, np.zeros(1, np.int64), 20).labels == ("all",)
