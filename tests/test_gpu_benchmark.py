"""`benchmarks.gpu`: it has to find a wrong answer. What it measures needs a device."""

import numpy as np
import pytest

pytest.importorskip("numba.cuda")
from benchmarks import gpu
from jsdiv_numba._cuda import target

pytestmark = [
    pytest.mark.skipif(
        target.why_unavailable() is not None,
        reason="no CUDA device, and NUMBA_ENABLE_CUDASIM is not 1",
    ),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


def test_right_answers_pass(capsys):
    assert gpu.main(["--check", "--length", "5"]) == 0
    assert "rows, float32: error " in capsys.readouterr().out


def test_a_wrong_answer_is_found_and_nothing_measured(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "answers", lambda *_: [("rows", np.nan, 1e-6)])
    assert gpu.main([]) == 1
    assert "nothing is measured" in capsys.readouterr().err
