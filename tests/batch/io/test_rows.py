"""The rule that each row is a distribution."""

import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.rows import (
    LabelledRows,
    are_distributions,
    default_labels,
    fault,
    require_distributions,
)


def rows(values, columns=None):
    values = np.array(values, float)
    return LabelledRows("f", values, default_labels(len(values)), "row", columns)


@pytest.mark.parametrize("value", [0.0, -0.0, 5e-324, 1.0, 1.7e308])
def test_values_of_a_distribution(value):
    assert fault(value, str(value)) is None
    assert are_distributions(np.array([[value, 1.0]]))


@pytest.mark.parametrize("value", [-5e-324, -1.0, np.nan, np.inf, -np.inf])
def test_other_values(value):
    assert str(value) in fault(value, str(value))
    assert not are_distributions(np.array([[1.0, 1.0], [value, 1.0]]))


def test_a_zero_row_is_no_distribution():
    assert not are_distributions(np.array([[1.0, 1.0], [0.0, 0.0]]))


@pytest.mark.parametrize(
    ("values", "columns", "message"),
    [
        (
            [[1, 1], [1, -1], [0, 0]],
            None,
            "f, row 1, column 1: negative value -1.0; a distribution has no negative values",
        ),
        (
            [[1, 1], [np.nan, -1], [0, 0]],
            ("a", "b"),
            (
                "f, row 1, column 'a': nan is not a number; fill it in, leave the row out, or say "
                "--missing zero"
            ),
        ),
        (
            [[1, 1], [0, 0], [1, -1]],
            None,
            "f, row 1: every value is 0; a row needs a positive sum to be a distribution",
        ),
    ],
)
def test_the_first_fault_is_named(values, columns, message):
    with pytest.raises(FileError) as error:
        require_distributions(rows(values, columns))
    assert str(error.value) == message


def test_distributions_pass():
    require_distributions(rows([[0, 1], [1e-300, 1e300]]))
