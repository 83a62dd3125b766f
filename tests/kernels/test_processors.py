"""Tests of tests.processors: programs do run as another processor has them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processors import PROCESSORS, environment, main, missing

ROOT = Path(__file__).parents[2]
CODE = """
import json, sys
import numpy as np
from numba import njit
from numpy._core._multiarray_umath import __cpu_features__ as numpy_has
from jsdiv_numba._kernels.codegen.lanes import number_of_lanes
from jsdiv_numba._kernels.codegen.precision import FLOAT32
from jsdiv_numba._kernels.target import has_multiply_add

@njit("float32(float32[::1], float32[::1])", fastmath=True)
def product(x, y):
    total = np.float32(0)
    for i in range(x.size):
        total += x[i] * y[i]
    return total

(assembly,) = product.inspect_asm().values()
print(json.dumps({
    "lanes": number_of_lanes(FLOAT32),
    "vectors": [name for name in ("xmm", "ymm", "zmm") if name in assembly],
    "FMA": ["vfmadd" in assembly, has_multiply_add()],
    "NumPy": any(numpy_has[name] for name in sys.argv[1].split()),
}))
"""
TO_BE_RUN = [processor for processor in PROCESSORS if not missing(processor)]


@pytest.mark.parametrize("processor", TO_BE_RUN)
def test_programs_run_as_on_another_processor(processor):
    variables = environment(processor)
    command = [sys.executable, "-W", "error", "-c", CODE, variables["NPY_DISABLE_CPU_FEATURES"]]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    seen = json.loads(done.stdout)
    assert seen == {
        "lanes": 32 if processor == "skylake-avx512" else 16,
        "vectors": ["xmm"] if processor == "x86-64-v2" else ["xmm", "ymm"],
        "FMA": [processor != "x86-64-v2"] * 2,
        "NumPy": False,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "stdout", "stderr"),
    [
        ([], 2, "", "the first argument must be one of haswell, x86-64-v2, skylake-avx512\n"),
        (["z80"], 2, "", "the first argument must be one of haswell, x86-64-v2, skylake-avx512\n"),
        (["haswell"], 0, "skipped: this processor lacks avx2, fma, which haswell has\n", ""),
    ],
)
def test_what_cannot_be_run(monkeypatch, capsys, arguments, code, stdout, stderr):
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert main(arguments) == code
    assert capsys.readouterr() == (stdout, stderr)
