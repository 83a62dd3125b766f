"""The closest and the farthest pairs, against a full sort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from jsdiv_numba.batch.show.extremes import closest, farthest

# Few different values, so that most entries tie.
MATRICES = array_shapes(min_dims=2, max_dims=2, max_side=7).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0]))
)


def by_sorting(matrix, count, *, upper, sign):
    pairs = [
        (i, j)
        for i in range(matrix.shape[0])
        for j in range(i + 1 if upper else 0, matrix.shape[1])
    ]
    return sorted(pairs, key=lambda pair: (sign * matrix[pair], pair))[:count]


@settings(deadline=None)
@given(MATRICES, st.integers(1, 60), st.booleans())
def test_ties_are_broken_by_index(matrix, count, upper):
    expected = by_sorting(matrix, count, upper=upper, sign=1)
    assert closest(matrix, count, upper=upper) == expected
    expected = by_sorting(matrix, count, upper=upper, sign=-1)
    assert farthest(matrix, count, upper=upper) == expected


@pytest.mark.parametrize("upper", [True, False])
def test_different_values(upper):
    matrix = np.random.default_rng(0).random((40, 40))
    assert closest(matrix, 9, upper=upper) == by_sorting(matrix, 9, upper=upper, sign=1)
    assert farthest(matrix, 9, upper=upper) == by_sorting(matrix, 9, upper=upper, sign=-1)


def test_a_single_row_has_no_pair():
    assert closest(np.zeros((1, 1)), 5, upper=True) == []
