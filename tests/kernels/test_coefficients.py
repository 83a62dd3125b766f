"""The kernels' constants are those that ``python -m tests.coefficients`` makes."""

from typing import get_type_hints

import pytest
from mpmath import mp

from jsdiv_numba._kernels.codegen import precision
from tests.coefficients import POLYNOMIALS, coefficients

DIGITS = {"FLOAT32": 9, "FLOAT64": 17}


@pytest.mark.parametrize(("kind", "name"), POLYNOMIALS)
def test_polynomials(kind, name):
    made = coefficients(kind, name)
    held = getattr(getattr(precision, kind), name)
    assert held == tuple(float(mp.nstr(c, DIGITS[kind])) for c in made)


def test_no_polynomial_is_forgotten():
    hints = get_type_hints(precision.Precision)
    names = [name for name, hint in hints.items() if hint == tuple[float, ...]]
    assert set(POLYNOMIALS) == {
        (kind, name) for kind in DIGITS for name in names if getattr(getattr(precision, kind), name)
    }
