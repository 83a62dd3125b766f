"""The script behind the table of worst errors: it has to find an error where there is one."""

import numpy as np
import pytest

from benchmarks import accuracy
from tests import cases


def _path(errors: list[float], bound: float) -> accuracy.Path:
    remaining = iter(errors)
    return accuracy.Path(
        "a path",
        {"ordinary": cases.ordinary},
        lambda p, q: [next(remaining)],
        {np.float64: bound, np.float32: bound},
    )


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([1e-16, 3e-16, 2e-16], 3e-16),
        ([1e-16, np.nan, 2e-16], np.nan),
        ([0.0, 0.0, np.inf], np.inf),
    ],
)
def test_the_worst_error_is_kept_and_nan_is_the_worst(errors, expected):
    worst = accuracy.worst_of(_path(errors, 1e-15), "ordinary", np.float64, count=3, seed=0)
    np.testing.assert_equal(worst.error, expected)
    assert worst.exceeded is (not expected <= 1e-15)


def test_all_is_well_within_the_bounds(capsys):
    assert accuracy.main(["--cases", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("| divergence | ordinary | ")
    assert len(lines) == 2 + sum(len(path.kinds) for path in accuracy.PATHS)


def test_an_exceeded_bound_is_reported_with_its_rows(monkeypatch, capsys):
    monkeypatch.setattr(accuracy, "PATHS", (_path([1e-16, 1e-8], 1e-15),))
    assert accuracy.main(["--cases", "1"]) == 1
    report = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert report[0] == "a path: ordinary, float32: 1.00e-08 exceeds 1e-15"
    p, q = cases.ordinary(np.random.default_rng(0), np.float32)
    for line, name, row in zip(report[1:], "PQ", (p, q), strict=True):
        shown = eval(line.removeprefix(f"{name} = "), {"np": np})
        np.testing.assert_array_equal(shown, row, strict=True)


def test_infinite_logits_are_reported_as_python_writes_them():
    pair = np.array([0.0, -np.inf]), np.array([1.0, 2.0])
    report = accuracy.report(accuracy.Worst(_path([], 1e-15), "logits", np.float64, 1.0, pair))
    assert "P = np.array([0.0, -np.inf], np.float64)" in report.splitlines()
