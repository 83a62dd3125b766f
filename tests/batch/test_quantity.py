"""Names, units and greatest values of what is computed."""

import numpy as np
import pytest

from jsdiv_numba._core.metric import METRICS, SYMMETRIC
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.distance import cdist


@pytest.mark.parametrize(
    ("metric", "base", "name", "unit"),
    [
        ("jensenshannon", None, "Jensen–Shannon distance", "√nats"),
        ("jensenshannon", 2.0, "Jensen–Shannon distance", "√bits"),
        ("jensenshannon", 10.0, "Jensen–Shannon distance", "√hartleys"),
        ("jensenshannon", 3.5, "Jensen–Shannon distance", "√(base-3.5 units)"),
        ("js_divergence", None, "Jensen–Shannon divergence", "nats"),
        ("js_divergence", 2.0, "Jensen–Shannon divergence", "bits"),
        ("js_divergence", 3.0, "Jensen–Shannon divergence", "base-3 units"),
    ],
)
def test_names_and_units(metric, base, name, unit):
    quantity = Quantity(metric, base)
    assert (quantity.name, quantity.unit) == (name, unit)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("base", [None, 2.0, 3.5, 10.0])
def test_the_maximum_is_that_of_disjoint_rows(metric, base):
    computed = cdist([[1.0, 0.0]], [[0.0, 1.0]], metric, base=base)
    np.testing.assert_allclose(Quantity(metric, base).maximum, computed[0, 0], rtol=1e-12)


@pytest.mark.parametrize("metric", SYMMETRIC)
@pytest.mark.parametrize("weight", [0.0, 0.2, 0.75, 1.0])
def test_of_a_weight_is_said_and_has_another_maximum(metric, weight):
    computed = cdist([[1.0, 0.0]], [[0.0, 1.0]], metric, weight=weight)
    quantity = Quantity(metric, weight=weight)
    np.testing.assert_allclose(quantity.maximum, computed[0, 0], rtol=1e-12)
    assert quantity.name.endswith(f" of weight {weight:g}")
    assert not quantity.is_symmetric
