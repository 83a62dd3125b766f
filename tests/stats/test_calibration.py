"""How often tests reject where there is nothing to find: a part of `benchmarks.calibration`."""

import numpy as np
import pytest
from scipy import stats

from benchmarks import calibration
from benchmarks.calibration import Setting
from jsdiv_numba.stats import js_test

DRAWS = 3000


@pytest.mark.parametrize(
    "setting",
    [
        Setting("uniform", 20, 40, 2000),
        Setting("uniform", 100, 50, 50),
        Setting("Zipf", 5, 30, 300),
        Setting("Zipf", 100, 200, 5000),
    ],
    ids=str,
)
def test_errors_are_as_often_as_they_should_be(setting):
    """Within a fifth of 5 %, and beyond that as far as one simulation in 10^9 goes."""
    null = calibration.of_null(setting, DRAWS, np.random.default_rng(0))
    reached = int((null.pvalues <= 0.05).sum())
    assert stats.binom.ppf(5e-10, DRAWS, 0.04) <= reached <= stats.binom.isf(5e-10, DRAWS, 0.06)
    assert abs(null.bias) < 6.1


def test_chi_squared_would_be_wrong():
    """The same count, of a test that is wrong, is outside of these limits."""
    setting = Setting("uniform", 20, 40, 2000)
    p = calibration.distribution(setting.kind, setting.categories)
    ((x, y),) = calibration.drawn(setting, p, DRAWS, np.random.default_rng(0))
    reached = int((calibration.g_test(x, y) <= 0.05).sum())
    assert reached > stats.binom.isf(5e-10, DRAWS, 0.06)


def test_the_g_test_is_scipys():
    x, y = [30, 10, 5, 2], [28, 13, 4, 3]
    expected = stats.chi2_contingency([x, y], lambda_="log-likelihood", correction=False).pvalue
    found = calibration.g_test(np.array([x]), np.array([y]))
    np.testing.assert_allclose(found, expected)


def test_distributions_are_as_far_apart_as_asked():
    p = calibration.distribution("Zipf", 50)
    for divergence in (0.005, 0.2):
        q = calibration.at_distance(p, divergence)
        found = js_test(np.rint(1e9 * p), np.rint(1e9 * q)).statistic
        np.testing.assert_allclose(found, divergence, rtol=1e-5)


def test_the_script_prints_its_tables(capsys, tmp_path):
    picture = tmp_path / "calibration.png"
    assert calibration.main(["--draws", "40", "--picture", str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line for line in lines if line.startswith(("| uniform", "| Zipf"))]
    assert len(rows) == len(calibration.GRID) + len(calibration.COVERED) + len(calibration.POWER)
    assert picture.stat().st_size > 10_000
