"""Features: their proven error, what they are of zeros and of sparse rows, and scikit-learn."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist as euclidean
from sklearn.utils.estimator_checks import parametrize_with_checks

from jsdiv_numba import cdist, js_divergence
from jsdiv_numba._core.feature_map import MAPS
from jsdiv_numba.kernel_approximation import JensenShannonSampler
from tests.feature_map import DECIMALS, derived, proven_error


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@parametrize_with_checks([JensenShannonSampler()])
def test_scikit_learn_finds_nothing_to_object_to(estimator, check):
    check(estimator)


@pytest.mark.parametrize("steps", MAPS)
def test_the_error_is_proven(steps):
    proven = proven_error(MAPS[steps])
    assert 0.9999 * MAPS[steps].error < proven <= MAPS[steps].error


def test_a_proof_finds_what_is_wrong():
    mapped = MAPS[2]
    worse = mapped._replace(weights=(mapped.weights[0], mapped.weights[1] + 1e-4))
    assert proven_error(worse) > 1.01 * mapped.error


@pytest.mark.parametrize("steps", MAPS)
def test_the_coefficients_are_the_derived_ones(steps):
    for kept, best in zip(MAPS[steps][:2], derived(steps), strict=True):
        assert kept == tuple(round(float(x), DECIMALS) for x in best)


def rows_of_all_kinds(rng, dtype=np.float64):
    """Return rows with zeros, near-equal ones, of extreme entries, and one of zeros."""
    rows = rng.dirichlet(np.full(40, 0.2), 30)
    rows[rng.random(rows.shape) < 0.5] = 0
    near = rows[:5] * (1 + 1e-3 * rng.random((5, 40)))
    rows = np.vstack([rows, near, np.zeros((1, 40)), rows[:3] * 1e-30, rows[:3] * 1e9])
    return rows.astype(dtype)


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, 1e-15), (np.float32, 5e-7)])
@pytest.mark.parametrize("steps", MAPS)
def test_half_a_squared_distance_is_the_divergence(rng, steps, dtype, rounding):
    rows = rows_of_all_kinds(rng, dtype)
    sampler = JensenShannonSampler(sample_steps=steps).fit(rows)
    found = sampler.transform(rows)
    assert found.dtype == dtype
    assert found.shape == (len(rows), 40 * (2 * steps + 1))
    halves = euclidean(found, found, "sqeuclidean") / 2
    wide = rows.astype(np.float64)
    exact = js_divergence(wide[:, None], wide[None], axis=-1, keepdims=False)
    sums = wide.sum(axis=1)
    slack = rounding * 40 * (sums[:, None] + sums)
    assert (np.abs(halves - exact) <= sampler.relative_error_ * exact + slack).all()
    disjoint = exact >= 0.9999 * np.log(2) / 2 * (sums[:, None] + sums)
    np.testing.assert_allclose(halves[disjoint], exact[disjoint], rtol=1e-4)


def test_of_distributions_it_is_what_cdist_returns(rng):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer

    counts = rng.integers(0, 9, (20, 30))
    found = make_pipeline(Normalizer(norm="l1"), JensenShannonSampler()).fit_transform(counts)
    distances = euclidean(found, found) / np.sqrt(2)
    np.testing.assert_allclose(distances, cdist(counts, counts), rtol=2.5e-4, atol=1e-7)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array])
def test_sparse_rows_have_the_same_features(rng, kind):
    rows = rows_of_all_kinds(rng)
    sampler = JensenShannonSampler().fit(kind(rows))
    found = sampler.transform(kind(rows))
    assert found.format == "csr"
    assert isinstance(found, sparse.spmatrix) == issubclass(kind, sparse.spmatrix)
    assert found.nnz == 7 * np.count_nonzero(rows)
    np.testing.assert_array_equal(found.toarray(), sampler.transform(rows))


def test_what_is_given_is_left_as_it_is():
    rows = sparse.csr_array(([1.0, 2.0, 0.0, 3.0], [1, 1, 0, 0], [0, 3, 4]), shape=(2, 2))
    found = JensenShannonSampler().fit_transform(rows)
    np.testing.assert_array_equal(
        found.toarray(), JensenShannonSampler().fit_transform(np.array([[0.0, 3.0], [3.0, 0.0]]))
    )
    assert rows.data.tolist() == [1.0, 2.0, 0.0, 3.0]
    assert rows.indices.tolist() == [1, 1, 0, 0]


def test_names_are_as_scikit_learns():
    from sklearn.kernel_approximation import AdditiveChi2Sampler

    rows = np.eye(3) + 1
    names = JensenShannonSampler(sample_steps=2).fit(rows).get_feature_names_out(["a", "b", "c"])
    theirs = AdditiveChi2Sampler(sample_steps=3).fit(rows).get_feature_names_out(["a", "b", "c"])
    expected = [name.replace("additivechi2", "jensenshannon") for name in theirs]
    assert names.tolist() == expected


@pytest.mark.parametrize("steps", [0, 4, "2", None, 2.5])
def test_a_number_of_steps_that_there_is_not(steps):
    with pytest.raises(ValueError, match=r"^sample_steps is .*; it must be 1, 2 or 3$"):
        JensenShannonSampler(sample_steps=steps).fit([[1.0, 2.0]])


def test_it_does_the_same_without_scikit_learn():
    program = """
import sys
sys.modules["sklearn"] = None
from scipy.sparse import csr_array
from jsdiv_numba.kernel_approximation import JensenShannonSampler
sampler = JensenShannonSampler(sample_steps=1)
def told(function, *arguments):
    try:
        function(*arguments)
    except (AttributeError, ValueError) as error:
        print(error)
told(sampler.transform, [[1.0]])
told(sampler.get_feature_names_out)
print(sampler.fit_transform([[0.5, 0.0]]).tolist(), sampler.get_feature_names_out().tolist())
told(sampler.transform, [[1.0]])
told(sampler.get_feature_names_out, ["a"])
told(sampler.transform, [[1.0, -2.0]])
told(sampler.transform, csr_array([[0.0, float("nan")]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    sampler = JensenShannonSampler(sample_steps=1).fit([[0.5, 0.0]])
    found = sampler.transform([[0.5, 0.0]]).tolist()
    assert done.stdout.splitlines() == [
        "this JensenShannonSampler has no rows yet: call `fit` first",
        "this JensenShannonSampler has no rows yet: call `fit` first",
        f"{found} {sampler.get_feature_names_out().tolist()}",
        "X has 1 features, but JensenShannonSampler is expecting 2 features as input",
        "input_features should have length equal to number of features (2), got 1",
        "X[0, 1] is -2.0; probabilities must be finite and not negative",
        "X[0, 1] is nan; probabilities must be finite and not negative",
    ]
