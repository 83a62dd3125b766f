"""Tests of tests.limits: no test has a limit of its own."""

import ast
from pathlib import Path

import pytest

FILES = sorted(Path(__file__).parent.rglob("*.py"))
WAITING = {"communicate", "get", "join", "result", "wait"}
A_MOMENT = 1
"""Seconds for which something is seen not to happen."""


def limits(source):
    """Yield the numbers that calls which wait are given, if they are written there."""
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        given = [keyword.value for keyword in call.keywords if keyword.arg == "timeout"]
        if isinstance(call.func, ast.Attribute) and call.func.attr in WAITING:
            given += call.args[:1]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                yield value.value


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_hangs_is_told_by_the_one_limit(file):
    numbers = [number for number in limits(file.read_text(encoding="utf-8")) if number > A_MOMENT]
    assert not numbers, f"{file.name} waits {numbers} s; wait tests.limits.HANGING"


def test_what_is_found():
    source = "run(timeout=60); thread.join(5); queue.get(timeout=2.5); x.join(['a']); y.get('a', 3)"
    assert sorted(limits(source)) == [2.5, 5, 60]
    assert not list(limits("process.wait(HANGING); run(timeout=HANGING); wait()"))
