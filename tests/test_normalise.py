"""`normalise=`: each distribution divided by its sum, as SciPy does it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_array

from jsdiv_numba import entropy, js_divergence_many, kl_divergence
from tests import oracle

RNG = np.random.default_rng(5)
COUNTS = RNG.integers(0, 50, (4, 5, 6)).astype(float)
MORE = RNG.integers(1, 50, (4, 5, 6)).astype(float)
AXES = pytest.mark.parametrize("axis", [0, 1, 2, -1])


@AXES
def test_entropy_is_that_of_scipy(axis):
    ours = entropy(COUNTS, axis=axis, keepdims=False, normalise=True)
    np.testing.assert_allclose(ours, stats.entropy(COUNTS, axis=axis), rtol=1e-13)


@AXES
def test_the_divergence_is_that_of_scipy(axis):
    ours = kl_divergence(COUNTS, MORE, axis=axis, keepdims=False, normalise=True)
    np.testing.assert_allclose(ours, stats.entropy(COUNTS, MORE, axis=axis), rtol=1e-12)


def test_what_broadcasts_is_divided_by_its_sum_in_full():
    one = kl_divergence([1.0, 2.0, 3.0], [2.0], normalise=True)
    np.testing.assert_array_equal(one, kl_divergence([1.0, 2.0, 3.0], [2.0] * 3, normalise=True))


@pytest.mark.parametrize(("over", "axis"), [(0, -1), (1, 0), (2, 1), (0, (1, 2)), (1, None)])
def test_many_distributions(over, axis):
    along = tuple(i for i in range(3) if i != over) if axis is None else axis
    shares = COUNTS / COUNTS.sum(axis=along, keepdims=True)
    ours = js_divergence_many(COUNTS, axis=axis, over=over, normalise=True)
    np.testing.assert_allclose(ours, js_divergence_many(shares, axis=axis, over=over), rtol=1e-12)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=9).filter(any))
def test_entropy_against_the_oracle(counts):
    shares = [oracle.mpf(count) / sum(counts) for count in counts]
    exact = -sum(p * oracle.log(p) for p in shares if p)
    assert abs(entropy(counts, keepdims=False, normalise=True) - exact) <= 1e-14 * max(1, exact)


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_no_sum_overflows(scale):
    ours = entropy(np.array([3.0, 1.0]) * scale, keepdims=False, normalise=True)
    np.testing.assert_allclose(ours, stats.entropy([3, 1]), rtol=1e-14)


def test_a_sum_of_0_gives_nan():
    assert np.isnan(entropy([[0.0, 0.0], [1.0, 1.0]], normalise=True)).ravel().tolist() == [
        True,
        False,
    ]
    assert np.isnan(kl_divergence([1.0, 1.0], [0.0, 0.0], normalise=True)).all()


def test_dtypes_stay():
    assert entropy(np.float32([1, 3]), normalise=True).dtype == np.float32
    assert kl_divergence(np.float32([1, 3]), np.float32([1, 2]), normalise=True).dtype == np.float32
    assert js_divergence_many(np.ones((3, 2), np.float32), normalise=True).dtype == np.float32
    # Both inputs decide it, as without `normalise`.
    narrow, counts = np.float16([1, 3]), np.uint16([1, 2])
    assert kl_divergence(narrow, counts).dtype == np.float32
    assert kl_divergence(narrow, counts, normalise=True).dtype == np.float32


def test_no_setting_for_floating_point_errors_matters():
    with np.errstate(all="raise"):
        assert entropy([1e-323, 1e300], normalise=True) == 0
        assert js_divergence_many(np.float32([[1e-45, 1e30], [0, 3]]), normalise=True) == 0


@pytest.mark.parametrize("function", [entropy, js_divergence_many])
def test_wrong_entries_are_named_as_they_were_passed(function):
    with pytest.raises(ValueError, match=r"\[1, 0\] is -3; prob"):
        function([[1, 2], [-3, 1]], normalise=True)


@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize(("shape", "axis"), [((3, 0), -1), ((0,), 0), ((2, 0, 4), (0, 1))])
def test_the_sum_of_no_categories_is_0_too(shape, axis, keepdims):
    empty, options = np.zeros(shape), {"axis": axis, "keepdims": keepdims}
    for measure, inputs in ((entropy, [empty]), (kl_divergence, [empty, empty])):
        ours = measure(*inputs, **options, normalise=True)
        np.testing.assert_array_equal(ours, np.full_like(measure(*inputs, **options), np.nan))
        terms = measure(*inputs, **options, reduce=False, normalise=True)
        assert terms.shape == shape


def test_many_without_categories_are_nan_too():
    for leave_one_out in (False, True):
        options = {"normalise": True, "leave_one_out": leave_one_out}
        assert np.isnan(js_divergence_many(np.zeros((2, 0)), **options)).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_sparse_rows_without_categories_are_as_dense_ones(axis):
    empty = np.zeros((3, 0) if axis else (0, 3))
    for measure, number in ((entropy, 1), (kl_divergence, 2)):
        options = {"axis": axis, "normalise": True}
        ours = measure(*[csr_array(empty)] * number, **options)
        np.testing.assert_array_equal(ours, measure(*[empty] * number, **options))
