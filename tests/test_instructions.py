"""What kernels are compiled to for processors that need not be there: hot loops are vectors."""

import fcntl
import json
import os

import pytest

from benchmarks import instructions
from benchmarks.instructions import HOT, PROCESSORS

CASES = [
    (cpu, loop, dtype)
    for cpu in PROCESSORS
    for loop, (_, shapes) in HOT.items()
    for dtype in shapes
]
ITEMSIZE = {"float32": 4, "float64": 8}


@pytest.fixture(scope="module")
def loops(tmp_path_factory):
    """What is compiled once, by one of pytest-xdist's workers, while the others wait for it."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with (shared / "instructions.json").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        report = file.read()
        if not report:
            report = json.dumps({cpu: instructions.counts_elsewhere(cpu) for cpu in PROCESSORS})
            file.write(report)
    return json.loads(report)


@pytest.mark.parametrize(("cpu", "loop", "dtype"), CASES)
def test_hot_loops_are_vectors(loops, cpu, loop, dtype):
    found = loops[cpu][loop][dtype]
    assert found is not None, "no loop has the shape that benchmarks/instructions.py says"
    assert found["lanes"] == PROCESSORS[cpu].bytes // ITEMSIZE[dtype]
    assert found["one by one"] == 0
    assert found["calls"] == 0


def test_the_table_has_what_was_counted(loops, monkeypatch, capsys):
    monkeypatch.setattr(instructions, "counts_elsewhere", loops.get)
    instructions.main([])
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(CASES) // len(PROCESSORS)
    assert "not found" not in "".join(table)
