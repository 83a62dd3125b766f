"""`jsdiv_numba.cuda` where there is no device, and no package for one."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import jsdiv_numba
from jsdiv_numba import cuda

ROOT = Path(__file__).parents[2]


def run(program, **environment):
    command = [sys.executable, "-W", "ignore", "-c", program]
    variables = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0", **environment}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_importing_it_loads_no_compiler():
    program = "import sys, jsdiv_numba.cuda; print('numba' in sys.modules)"
    assert run(program).strip() == "False"


def test_a_call_without_a_device_says_so():
    program = """
from jsdiv_numba import cuda
try:
    cuda.js_divergence([0.5, 0.5], [1.0, 0.0])
except RuntimeError as error:
    print(error)
"""
    printed = run(program, CUDA_VISIBLE_DEVICES="-1")
    assert printed.startswith("no CUDA device: ")
    assert printed.endswith("functions of the same names in jsdiv_numba run on the CPU\n")


def test_it_is_found_although_numba_cuda_has_a_finder_of_its_own(monkeypatch):
    class NumbaCudaFinder:
        def find_spec(self, name, path, target=None):
            assert "numba.cuda" not in name, "an endless recursion"

    NumbaCudaFinder.__module__ = "_numba_cuda_redirector"
    monkeypatch.setattr(sys, "meta_path", [NumbaCudaFinder(), *sys.meta_path])
    program_modules = {name: sys.modules[name] for name in list(sys.modules)}
    for name in ("jsdiv_numba", "jsdiv_numba.cuda"):
        monkeypatch.delitem(sys.modules, name)
    assert importlib.import_module("jsdiv_numba.cuda").__all__ == cuda.__all__
    sys.modules.update(program_modules)


@pytest.mark.parametrize("name", cuda.__all__)
def test_every_function_has_a_namesake_on_the_cpu(name):
    assert hasattr(jsdiv_numba, name)
    documented = getattr(cuda, name).__doc__
    assert documented.startswith(f"As `jsdiv_numba.{name}`, on the device")
    assert "Examples" in documented


def test_arrays_on_a_device_are_refused_on_the_cpu_with_advice():
    on_device = SimpleNamespace(__cuda_array_interface__={})
    with pytest.raises(TypeError, match=r"P is a SimpleNamespace; .*jsdiv_numba\.cuda"):
        jsdiv_numba.js_divergence(on_device, np.ones(2))
