"""SciPy's own tests of this metric pass with our functions, but for what differs on purpose."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SINGLE = {
    "TestCdist.test_cdist_dtype_equivalence",
    "TestPdist.test_pdist_dtype_equivalence",
    "TestPdist.test_pdist_jensenshannon_iris_float32",
    "TestPdist.test_pdist_jensenshannon_random_float32",
}
"""float32 rows give float32 distances: SciPy computes in float64 whatever it is given.

How much they differ depends on the processor's vectors; some may pass."""

NEGATIVE = {
    "TestCdist.test_cdist_calling_conventions",
    "TestPdist.test_pdist_calling_conventions",
}
"""Negative weights are an error: SciPy answers NaN. (These compare the precisions, too.)"""

OUT = {"TestCdist.test_cdist_out", "TestPdist.test_pdist_out"}
"""`out` may have any strides: SciPy refuses all but adjacent elements."""

WEIGHTS = {"test_Xdist_non_negative_weights", "test_immutable_input"}
"""About the argument `w`, which this metric does not have: SciPy skips them."""


@pytest.fixture(scope="module")
def outcomes():
    if importlib.util.find_spec("scipy.spatial.tests") is None:
        pytest.skip("SciPy was installed without its tests")
    done = subprocess.run(
        [sys.executable, "-m", "tests.scipy_suite"],
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def not_passed(outcomes, names=None):
    return {
        name: outcome
        for name, outcome in outcomes.items()
        if outcome != "passed" and (names is None or name in names)
    }


def test_all_others_pass(outcomes):
    unchanged = outcomes["unchanged"]
    assert unchanged["test_jensenshannon"] == "passed"
    assert len(unchanged) > 15
    assert not_passed(unchanged).keys() <= SINGLE | NEGATIVE | OUT | WEIGHTS, unchanged


def test_precision_is_all_that_differs(outcomes):
    assert not_passed(outcomes["unchanged"], SINGLE).keys() <= SINGLE
    assert not not_passed(outcomes["in double precision"], SINGLE)


def test_negative_weights_are_all_that_differs(outcomes):
    differing = not_passed(outcomes["in double precision"], NEGATIVE)
    assert differing.keys() == NEGATIVE & outcomes["unchanged"].keys()
    assert all("DID NOT RAISE" in outcome for outcome in differing.values())
    assert not not_passed(outcomes["not negative"], NEGATIVE)


def test_strides_of_out_are_allowed(outcomes):
    differing = not_passed(outcomes["unchanged"], OUT)
    assert differing.keys() == OUT & outcomes["unchanged"].keys()
    assert all("DID NOT RAISE" in outcome for outcome in differing.values())


def test_scipy_skips_what_is_not_for_this_metric(outcomes):
    differing = not_passed(outcomes["unchanged"], WEIGHTS)
    assert all(outcome.startswith("Skipped: not applicable") for outcome in differing.values())
