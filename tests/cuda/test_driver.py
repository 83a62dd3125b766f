"""What is asked of CUDA's driver, and in which order. No kernel runs: `driver.c` is the driver."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

COMPILER = shutil.which("cc")
pytestmark = pytest.mark.skipif(
    COMPILER is None or sys.platform != "linux" or find_spec("numba_cuda") is None,
    reason="needs Linux, a C compiler and the packages of the extra `cuda`",
)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """What the driver wrote, in sections."""
    folder = tmp_path_factory.mktemp("driver")
    library = folder / "libcuda.so.1"
    source = ROOT / "tests" / "driver.c"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-w", "-o", library, source, "-ldl"], check=True)
    variables = {
        **os.environ,
        "LD_LIBRARY_PATH": str(folder),
        "NUMBA_ENABLE_CUDASIM": "0",
        "DEVICE_MEMORY": "4000000",
    }
    variables.pop("CUDA_VISIBLE_DEVICES", None)
    command = [sys.executable, "-W", "ignore", "-m", "tests.device_calls"]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    sections = re.split(r"^# ", done.stderr, flags=re.MULTILINE)[1:]
    return {head: body.splitlines() for head, _, body in (one.partition("\n") for one in sections)}


@pytest.fixture
def streams(log):
    """The first and the second stream."""
    return next(iter(log)).split()[1:]


def of(log, name):
    return next(lines for head, lines in log.items() if head.startswith(name))


def test_nothing_is_asked_that_a_driver_would_refuse(log):
    assert [line for lines in log.values() for line in lines if line.startswith("wrong")] == []


def launches(lines):
    return [line for line in lines if line.startswith("launch")]


def test_what_is_on_other_streams_is_waited_for_and_has_to_wait(log, streams):
    first, second = streams
    lines = of(log, "streams")
    assert [lines[0], lines[2]] == [f"{first} waits for {second}", f"{second} waits for {first}"]
    assert "whole_rows" in lines[1]
    assert lines[1].endswith(f"on {first} of device 0")
    lines = [line for line in of(log, "out") if not line.startswith("to device")]
    assert [lines[0], lines[2]] == [f"{first} waits for {second}", f"{second} waits for {first}"]


def test_streams_of_other_packages_are_used(log):
    lines = of(log, "foreign")
    assert [lines[0], lines[2]] == ["7 waits for 1", "1 waits for 7"]
    assert lines[1].endswith("on 7 of device 0")


def test_a_result_on_the_host_is_there_when_the_call_returns(log, streams):
    first, _ = streams
    assert of(log, "host")[-2:] == [f"to host 48 on {first}", f"host waits for {first}"]


def test_the_host_waits_for_what_is_large_and_moved(log):
    lines = of(log, "moved")
    assert lines[0].startswith("to device 576 on ")
    assert lines[1].startswith("launch")
    moved = lines.index("to device 160000 on 7")
    assert lines[moved + 1] == "host waits for 7"
    assert lines[moved + 2].startswith("launch")


def test_pairs_are_copied_and_waited_for(log, streams):
    lines = of(log, "pairs")
    own = launches(lines)[-1].split()[3]
    assert own not in streams
    assert f"{own} waits for {streams[0]}" in lines
    assert lines[-2:] == [f"to host 288 on {own}", f"host waits for {own}"]


def test_nothing_is_launched_for_nothing(log):
    assert launches(of(log, "nothing")) == []


def test_the_device_of_the_arrays_is_used(log):
    assert all(line.endswith("of device 1") for line in launches(of(log, "second device")))
    assert "error: arrays are on devices 0 and 1; move them to one" in log


def test_what_does_not_fit_is_said(log):
    (error,) = (head for head in log if head.startswith("error: the result"))
    assert re.search(r"3,200,000 bytes does not fit in the [\d,]+ bytes that are free", error)
