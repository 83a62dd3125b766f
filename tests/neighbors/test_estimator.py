"""The estimator: scikit-learn's own checks of it, and what it does without scikit-learn."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from jsdiv_numba import kneighbors
from jsdiv_numba.neighbors import JensenShannonNeighbors


@parametrize_with_checks([JensenShannonNeighbors(workers=1)])
def test_scikit_learn_finds_nothing_to_object_to(estimator, check):
    check(estimator)


def test_names_of_columns_are_those_of_scikit_learn():
    search = JensenShannonNeighbors(2).fit(np.eye(3) + 1)
    assert search.get_feature_names_out().tolist() == [
        f"jensenshannonneighbors{i}" for i in range(3)
    ]
    assert search.get_params()["n_neighbors"] == 2


def test_it_does_the_same_without_scikit_learn():
    program = """
import sys
sys.modules["sklearn"] = None
from jsdiv_numba.neighbors import JensenShannonNeighbors
search = JensenShannonNeighbors(1)
try:
    search.kneighbors([[1, 1, 7]])
except AttributeError as error:
    print(error)
rows = [[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]]
print(search.fit_transform(rows).toarray().tolist(), search.n_features_in_)
try:
    search.kneighbors([[1, 1]])
except ValueError as error:
    print(error)
class Table:
    def __init__(self, *columns):
        self.columns = list(columns)
    def __array__(self, dtype=None, copy=None):
        import numpy
        return numpy.ones((2, 2))
try:
    JensenShannonNeighbors(1).fit(Table("a", "b")).kneighbors(Table("b", "a"))
except ValueError as error:
    print(error)
print(search)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    unfitted, graph, mismatch, order, shown = done.stdout.splitlines()
    assert unfitted == "this JensenShannonNeighbors has no rows yet: call `fit` first"
    rows = [[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]]
    expected = JensenShannonNeighbors(1).fit_transform(rows)
    assert graph == f"{expected.toarray().tolist()} 3"
    assert mismatch.startswith("X has 2 features, but JensenShannonNeighbors is expecting 3")
    assert order.startswith("the fitted X and X have the same columns in another order: column 0")
    assert shown == repr(JensenShannonNeighbors(1)) == "JensenShannonNeighbors(n_neighbors=1)"


def test_a_nan_is_refused_as_scikit_learn_does():
    with pytest.raises(ValueError, match="NaN"):
        JensenShannonNeighbors().fit([[1.0, np.nan], [1.0, 2.0]])


def test_the_rows_of_a_data_set_of_scikit_learn():
    from sklearn.datasets import load_digits

    digits = load_digits().data
    distances, indices = kneighbors(digits, n_neighbors=10)
    found = JensenShannonNeighbors(10).fit(digits).kneighbors()
    np.testing.assert_array_equal(found[0], distances)
    np.testing.assert_array_equal(found[1], indices)


@pytest.mark.parametrize(
    ("number", "mode", "message"),
    [
        (20, "distance", "n_neighbors is 20; it must be from 1 to 19, the number of other rows"),
        (
            1000,
            "distance",
            "n_neighbors is 1000; it must be from 1 to 19, the number of other rows",
        ),
        (0, "distance", "n_neighbors is 0; it must be from 1 to 19, the number of other rows"),
        (21, "connectivity", "n_neighbors is 21; it must be from 1 to 20, the number of rows"),
        (5, "both", "mode is 'both'; it must be one of 'distance', 'connectivity'"),
    ],
)
def test_errors_of_the_transformer_say_what_was_passed(number, mode, message):
    rows = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    search = JensenShannonNeighbors(number, mode=mode)
    with pytest.raises(ValueError, match="it must be") as caught:
        search.fit_transform(rows)
    assert str(caught.value) == message
    with pytest.raises(TypeError, match=r"^n_neighbors is 'a'; it must be an integer$"):
        JensenShannonNeighbors("a").fit_transform(rows)


def test_the_most_neighbours_that_there_are():
    rows = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    assert JensenShannonNeighbors(19).fit_transform(rows).nnz == 400
    assert JensenShannonNeighbors(20, mode="connectivity").fit_transform(rows).nnz == 400
