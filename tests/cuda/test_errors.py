"""The page of errors, of arrays on a device: in Numba's simulator, or on one."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from jsdiv_numba import cuda
from tests.errors_page import matches, rows

pytest.importorskip("numba.cuda")
from jsdiv_numba._cuda import target

ROOT = Path(__file__).parents[2]
(WITHOUT_DEVICE, *ON_DEVICE, WITHOUT_MEMORY) = rows("Arrays on a device")
on_a_device = pytest.mark.skipif(
    target.why_unavailable() is not None,
    reason="no CUDA device, and NUMBA_ENABLE_CUDASIM is not 1",
)


def error_of(wrong):
    P = np.array([[0.5, 0.5], [0.2, 0.8]])
    names = {"cuda": cuda, "np": np, "numba": numba, "P": P}
    with pytest.raises((MemoryError, TypeError, ValueError)) as raised, np.errstate(all="ignore"):
        eval(wrong, {**names, "D": target.cuda.to_device(P)})
    return f"{type(raised.value).__name__}: {raised.value}"


@on_a_device
@pytest.mark.parametrize(("wrong", "error"), ON_DEVICE)
@pytest.mark.filterwarnings("ignore:.*under-utilization")
def test_a_call_raises_what_the_page_says(wrong, error):
    assert matches(error_of(wrong), error)


@on_a_device
def test_a_call_for_which_memory_is_short_raises_what_the_page_says(monkeypatch):
    wrong, error = WITHOUT_MEMORY
    monkeypatch.setattr(target, "free_bytes", lambda: 16.0)
    assert matches(error_of(wrong), error)


def test_a_call_without_a_device_raises_what_the_page_says():
    wrong, error = WITHOUT_DEVICE
    program = f"""
import numpy as np
from jsdiv_numba import cuda
P = np.array([[0.5, 0.5], [0.2, 0.8]])
try:
    {wrong}
except RuntimeError as error:
    print(f"RuntimeError: {{error}}")
"""
    variables = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, check=True, capture_output=True, text=True
    )
    assert matches(done.stdout.strip(), error)
