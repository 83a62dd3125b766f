"""`benchmarks.gpu`: it has to find a wrong answer, and to end. What it measures needs a device."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba.cuda")
from jsdiv_numba._cuda import target
from tests.cuda.ways import NEEDS_DEVICE

pytestmark = NEEDS_DEVICE


@pytest.fixture
def gpu():
    from benchmarks import gpu

    return gpu


def test_right_answers_pass(gpu, capsys):
    assert gpu.main(["--check", "--length", "5"]) == 0
    assert "rows, float32: error " in capsys.readouterr().out


def test_a_wrong_answer_is_found_and_nothing_measured(gpu, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "answers", lambda *_: [("rows", np.nan, 1e-6)])
    assert gpu.main([]) == 1
    assert "nothing is measured" in capsys.readouterr().err


@pytest.fixture
def peers(monkeypatch):
    """Packages that do nothing, but as CuPy and PyTorch would."""
    calls = []

    def call(*arguments, **options):
        calls.append(arguments)

    there = SimpleNamespace(is_available=lambda: True)
    cupy = SimpleNamespace(asarray=lambda x: x, ReductionKernel=lambda *_: call, cuda=there)
    torch = SimpleNamespace(as_tensor=lambda x, device: x, compile=lambda _: call, cuda=there)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return calls


@pytest.mark.skipif(not target.SIMULATED, reason="on a device, it is the benchmark that runs")
def test_everything_is_measured(gpu, peers, monkeypatch, capsys):
    monkeypatch.setattr(target.cuda.event, "elapsed_time", lambda *_: 2.0)
    monkeypatch.setattr(gpu, "all_right", lambda _: True)
    monkeypatch.setattr(gpu, "chunked", lambda kernel, rows: lambda: kernel(rows, rows, axis=-1))
    monkeypatch.setattr(gpu, "REPEATS", 1)
    monkeypatch.setattr(gpu, "memory", lambda: 1e9)
    assert gpu.main(["--quick"]) == 0
    printed = capsys.readouterr().out
    for dtype in ("float32", "float64"):
        for name in ("rows", "pairs", "logit gradients", "one long row of logits", "rows, CuPy"):
            assert f"\n{name}, {dtype}: 0.0 G elements/s" in printed
        for name in gpu.AIMS:
            assert f"aim, {name}, {dtype}: " in printed
    assert "rows, torch.compile, float64: 0.0 G" in printed
    assert "1.00 times as fast, 3.0 hoped for: not met" in printed
    assert "median of 1" in printed
    assert len(peers) == 2 * (2 + 2 + 2)


def test_a_peer_that_is_not_there_or_fails_is_left_out(gpu, peers, monkeypatch, capsys):
    def fail():
        raise RuntimeError("no compiler")

    broken = gpu.Workload("rows, torch.compile", fail, 1, 1)
    monkeypatch.setattr(gpu, "workloads", lambda *_: [broken])
    monkeypatch.setattr(gpu, "copy_bandwidth", lambda *_: 1.0)
    monkeypatch.setattr(gpu, "multiply_add_rate", lambda *_: 1.0)
    monkeypatch.setattr(gpu, "memory", lambda: 1e9)
    monkeypatch.setitem(sys.modules, "cupy", None)
    sys.modules["torch"].cuda.is_available = lambda: False
    gpu.measure(np.float32, gpu.Sizes(4, 5, 3), gpu.Budget(60.0))
    printed = capsys.readouterr().out
    assert "cupy is not installed and left out" in printed
    assert "torch finds no device and is left out" in printed
    assert "rows, torch.compile, float32: left out, RuntimeError: no compiler" in printed
    monkeypatch.setattr(gpu, "workloads", lambda *_: [broken._replace(name="rows")])
    with pytest.raises(RuntimeError, match="no compiler"):
        gpu.measure(np.float32, gpu.Sizes(4, 5, 3), gpu.Budget(60.0))


@pytest.mark.skipif(not target.SIMULATED, reason="on a device, it is the benchmark that runs")
def test_what_there_is_no_time_for_is_left_out(gpu, monkeypatch, capsys):
    monkeypatch.setattr(gpu, "all_right", lambda _: True)
    monkeypatch.setattr(gpu, "copy_bandwidth", lambda *_: 1.0)
    monkeypatch.setattr(gpu, "multiply_add_rate", lambda *_: 1.0)
    monkeypatch.setattr(gpu, "package_of", lambda _: None)
    monkeypatch.setattr(gpu, "memory", lambda: 1e9)
    assert gpu.main(["--quick", "--seconds", "0"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("left out, for want of time") == 2 * 12
    assert "G elements/s" not in printed


def test_repeats_end_with_the_time(gpu, monkeypatch):
    calls = []
    _, repeats = gpu.seconds(lambda: calls.append(0), gpu.Budget(-1.0))
    assert (repeats, len(calls)) == (1, 2)
    _, repeats = gpu.seconds(lambda: calls.append(0), gpu.Budget(60.0))
    assert repeats == gpu.REPEATS


def test_sizes_are_those_that_fit(gpu, monkeypatch):
    monkeypatch.setattr(gpu, "memory", lambda: 4.0 * 8 * 10 * 100 / 0.8)
    sizes = gpu.Sizes(1000, 10, 5).fitting(8)
    assert (sizes.rows, sizes.copied) == (100, 4000)


def test_pairs_are_broadcast_in_chunks(gpu):
    rows, found = np.ones((40, 3)), []
    gpu.chunked(lambda p, q, axis: found.append(np.broadcast_shapes(p.shape, q.shape)), rows)()
    assert found == [(16, 40, 3), (16, 40, 3), (8, 40, 3)]
