"""What the kernels are compiled to, for devices that need not be there."""

import fcntl
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None
    or importlib.util.find_spec("cuda.bindings") is None,
    reason="the packages of the extra `cuda` are not installed",
)

ROOT = Path(__file__).parents[2]
REGISTERS = {"float32": 128, "float64": 168}
"""The first leave room for two blocks of 256 threads on a multiprocessor, the second for one."""


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """What is compiled once, by one of pytest-xdist's workers, while the others wait for it."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with (shared / "device_code.json").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        report = file.read()
        if not report:
            report = compiled()
            file.write(report)
    return json.loads(report)


def compiled():
    """Compile for both precisions at once."""
    variables = {**os.environ, "NUMBA_ENABLE_CUDASIM": "0"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.device_code"]
    running = [
        subprocess.Popen(
            [*command, dtype], cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True
        )
        for dtype in REGISTERS
    ]
    reports = [process.communicate()[0] for process in running]
    assert all(process.returncode == 0 for process in running)
    return json.dumps({key: one for report in reports for key, one in json.loads(report).items()})


def test_every_kernel_is_compiled_for_every_capability(kernels):
    assert len(kernels) == 2 * (35 * 4 + 15 * 2)


def test_float32_is_computed_without_float64(kernels):
    float32 = {name: kernel for name, kernel in kernels.items() if "float32" in name}
    assert {name: one["float64"] for name, one in float32.items() if one["float64"]} == {}
    float64 = [one for name, one in kernels.items() if name.startswith("whole_rows, float64")]
    assert len(float64) == 4
    assert all(one["float64"] for one in float64)


def test_operations_are_those_that_are_written(kernels):
    fused = {name: one["fused"] for name, one in kernels.items() if "fused" in one}
    assert len(fused) == 2 * 2
    assert fused == dict.fromkeys(fused, 0)


def test_memory_is_read_in_the_widest_accesses(kernels):
    for name in ("whole_rows", "staged_logits", "whole_gradients", "terms"):
        assert kernels[f"{name}, float32, 9.0"]["wide"] >= 2
        assert kernels[f"{name}, float64, 9.0"]["wide"] >= 4


def test_nothing_is_spilled_and_nothing_called(kernels):
    assert {name: one["spilled"] for name, one in kernels.items() if one["spilled"]} == {}
    called = {name for name, one in kernels.items() if one["calls"]}
    assert called == set()


@pytest.mark.parametrize("dtype", REGISTERS)
def test_registers_leave_room(kernels, dtype):
    crowded = {
        name: one["registers"]
        for name, one in kernels.items()
        if dtype in name and one["registers"] > REGISTERS[dtype]
    }
    assert crowded == {}
