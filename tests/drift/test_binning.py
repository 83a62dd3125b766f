"""Bins: every value in exactly one, edges by rank, an outlier of no weight."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jsdiv_numba._drift.arrays import values_of_array
from jsdiv_numba._drift.binning import FEW_VALUES, binning_of
from jsdiv_numba.divergence import js_divergence

floats = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 2.5, math.inf, -math.inf, math.nan, 5e-324]),
    st.floats(),
)
columns = st.one_of(
    st.lists(floats, min_size=1, max_size=300),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=300),
    st.lists(st.integers(0, 4), min_size=1, max_size=300),
)


@given(columns, columns, st.integers(2, 30))
def test_every_value_is_in_the_one_bin_whose_edges_it_is_between(sample, others, number):
    values = values_of_array(np.array(sample))
    binning = binning_of(values, number)
    assert len(set(binning.labels)) == binning.size
    more = values_of_array(np.array(others))
    if more.kind != values.kind:
        return
    for x, code in zip(more.data, binning.codes(more), strict=True):
        if np.isnan(x):
            assert code == binning.size
            continue
        low, high = binning.lower[code], binning.upper[code]
        if math.isnan(low):
            assert not np.isin(x, binning.cuts)
        else:
            value = float(x)
            assert low <= value < high or low == value == high or value == high == math.inf


@given(st.lists(st.floats(allow_nan=False), min_size=50, max_size=400), st.integers(2, 20))
def test_no_bin_of_several_values_has_more_than_two_shares(sample, number):
    """A value that has a whole share is alone, and one that has less may double a bin."""
    values = values_of_array(np.array(sample))
    binning = binning_of(values, number)
    counts = np.bincount(binning.codes(values), minlength=binning.size)
    several = binning.lower != binning.upper
    share = len(sample) / min(number, len(sample) // 5)
    assert (counts[:-1][several[: len(counts) - 1]] <= 2 * share + 1).all()


def test_a_value_that_would_fill_a_bin_is_one():
    x = np.r_[np.zeros(400), np.random.default_rng(0).exponential(1, 600)]
    binning = binning_of(values_of_array(x), 20)
    code = binning.codes(values_of_array([0.0]))[0]
    assert binning.labels[code] == "0"
    assert np.bincount(binning.codes(values_of_array(x)))[code] == 400
    assert binning.codes(values_of_array([-1.0, 5e-324])).tolist() == [code - 1, code + 1]


@pytest.mark.parametrize("number", [FEW_VALUES, FEW_VALUES + 1])
def test_few_whole_numbers_are_categories(number):
    x = np.arange(number * 10) % number
    binning = binning_of(values_of_array(x), 20)
    assert bool(binning.named) is (number <= FEW_VALUES)
    if binning.named:
        assert binning.labels[:2] == ("0", "1")
        assert binning.labels[binning.codes(values_of_array([number + 5]))[0]] == "other values"


def test_whole_numbers_are_named_by_the_values_that_a_bin_has():
    binning = binning_of(values_of_array(np.arange(1000)), 4)
    assert binning.labels == ("below 250", "250 to 499", "500 to 749", "750 and more")


@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=20),
    st.lists(st.integers(0, 30), min_size=2, max_size=20),
    st.integers(0, 19),
)
def test_one_value_more_raises_the_divergence_by_at_most_its_share(reference, current, place):
    """By convexity: with n values and one more, by log 2 over n + 1."""
    size = min(len(reference), len(current))
    p, q = np.array(reference[:size], float), np.array(current[:size], float)
    if not q.any():
        return
    more = q.copy()
    more[place % size] += 1
    before, after = (js_divergence(p / p.sum(), x / x.sum(), keepdims=False) for x in (q, more))
    assert after - before <= math.log(2) / more.sum() + 1e-15
