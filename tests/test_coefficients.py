"""The kernels' constants are those that ``python -m tests.coefficients`` makes."""

from typing import get_type_hints

import numpy as np
import pytest
from mpmath import mp, mpf

from jsdiv_numba._kernels import precision
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
    assert set(POLYNOMIALS) == {(kind, name) for kind in DIGITS for name in names}


@pytest.mark.parametrize("kind", DIGITS)
def test_the_parts_of_ln_2(kind):
    """Together they are ln 2, as often as an exponent may take it; the first has bits to spare."""
    form = getattr(precision, kind)
    high, low = form.ln2_parts
    largest_exponent = 2 ** (np.finfo(form.Float).iexp - 1)
    error = abs(mpf(float(high)) + mpf(float(low)) - mp.log(2))
    assert error * largest_exponent < float(np.finfo(form.Float).eps)
    assert int(high.view(form.Int)) % 2 ** (form.mantissa // 2) == 0
