"""The two arithmetics of the oracle give the same answers."""

import mpmath
import numpy as np
import pytest
from mpmath import mp

from benchmarks import accuracy
from tests import oracle


@pytest.mark.parametrize("path", accuracy.PATHS, ids=lambda path: path.name)
def test_balls_know_what_mpmath_computes(path):
    for kind in path.kinds:
        for dtype in path.bounds:
            pair = path.drawn(kind, dtype, 3, 1)
            with mp.workdps(200):
                expected = path.errors(*pair)
            np.testing.assert_allclose(path.errors_of(pair), expected, rtol=1e-6, atol=1e-18)


def test_an_error_that_the_digits_do_not_tell_is_refused():
    p, q = np.array([1.0, 1e-300]), np.array([1.0, 2e-300])
    computed = np.float64(1)
    with oracle.in_balls(40):
        exact = oracle.log(oracle.number(1.0) + oracle.number(p[1]))
        with pytest.raises(oracle.TooFewDigitsError):
            oracle.relative_error(computed, exact)
    with oracle.in_balls(1_000):
        exact = oracle.log(oracle.number(1.0) + oracle.number(q[1]))
        assert oracle.relative_error(computed, exact) > 1e299
    assert isinstance(oracle.number(1.0), mpmath.mpf)
