"""What ``import jsdiv_numba`` loads, and the names it offers."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import jsdiv_numba
import jsdiv_numba.batch

ROOT = Path(__file__).parents[1]
PUBLIC = [name for name in jsdiv_numba.__all__ if name != "__version__"]
FUNCTIONS = [name for name in PUBLIC if inspect.isfunction(getattr(jsdiv_numba, name))]
CLASSES = [name for name in PUBLIC if inspect.isclass(getattr(jsdiv_numba, name))]
UFUNCS = [name for name in PUBLIC if isinstance(getattr(jsdiv_numba, name), np.ufunc)]


def _packages_loaded_by(statements: str) -> set[str]:
    """Run statements in a fresh interpreter; return the third-party packages they loaded."""
    program = f"""
import sys
before = set(sys.modules)
{statements}
loaded = {{name.split(".")[0] for name in set(sys.modules) - before}}
print(*sorted(loaded - sys.stdlib_module_names))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_the_package_imports_nothing_heavier_than_numpy():
    assert _packages_loaded_by("import jsdiv_numba") <= {"jsdiv_numba", "numpy"}


def test_names_are_found_without_the_compiler():
    names = [name for name in PUBLIC if name not in UFUNCS]
    loaded = _packages_loaded_by(f"from jsdiv_numba import {', '.join(names)}")
    assert loaded <= {"jsdiv_numba", "numpy"}


def test_a_result_needs_no_package_of_the_command():
    statements = "import jsdiv_numba; jsdiv_numba.js_divergence([1.0, 0.0], [0.0, 1.0])"
    loaded = _packages_loaded_by(statements)
    assert "jsdiv_numba" in loaded
    assert not loaded & {"click", "matplotlib", "pyarrow", "rich"}


def test_all_is_sorted_and_has_no_duplicates():
    assert jsdiv_numba.__all__ == sorted(set(jsdiv_numba.__all__))


@pytest.mark.parametrize("name", jsdiv_numba.__all__)
def test_every_name_resolves_and_is_listed(name):
    assert getattr(jsdiv_numba, name) is getattr(jsdiv_numba, name)
    assert name in dir(jsdiv_numba)


def test_every_name_is_a_function_a_class_or_a_ufunc():
    assert sorted([*FUNCTIONS, *CLASSES, *UFUNCS]) == PUBLIC


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'jsdiv_numba' has no attribute 'jsd'"):
        attrgetter("jsd")(jsdiv_numba)


@pytest.mark.parametrize("package", [jsdiv_numba, jsdiv_numba.batch])
def test_type_checkers_are_told_of_the_same_names(package):
    stub = Path(package.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    nodes = [node for node in ast.parse(stub).body if isinstance(node, ast.ImportFrom)]
    told = [alias.asname for node in nodes if node.module for alias in node.names]
    assert sorted(told) == [name for name in package.__all__ if name != "__version__"]
    assert all(hasattr(package, name) for name in told)


def test_modules_are_there_once_the_package_is():
    program = """
import jsdiv_numba
print(jsdiv_numba.stats.js_test([3, 1], [1, 3]).pvalue > 0.1, jsdiv_numba.drift.compare.__name__)
print(*(name for name in dir(jsdiv_numba) if not name.startswith("__")))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    first, listed = done.stdout.splitlines()
    assert first == "True compare"
    modules = {"batch", "drift", "neighbors", "scheme", "stats"}
    assert modules <= set(listed.split()) - set(jsdiv_numba.__all__)
    assert not {"Any", "attach", "sys"} & set(listed.split())


def _sections(documented: Callable[..., object]) -> set[str]:
    lines = inspect.getdoc(documented).splitlines()
    rules = [i for i, line in enumerate(lines) if line and set(line) == {"-"}]
    return {lines[i - 1] for i in rules}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_documents_its_parameters_and_result_with_an_example(name):
    missing = {"Parameters", "Examples"} - _sections(getattr(jsdiv_numba, name))
    assert not missing


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"set_workers"}))
def test_a_function_documents_its_result(name):
    assert "Returns" in _sections(getattr(jsdiv_numba, name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_documents_every_parameter(name):
    function = getattr(jsdiv_numba, name)
    documented = inspect.getdoc(function).partition("Parameters\n----------\n")[2]
    headings = [line for line in documented.splitlines() if line and not line.startswith(" ")]
    described = {part for line in headings for part in line.split(" : ")[0].split(", ")}
    assert set(inspect.signature(function).parameters) <= described


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_documents_its_parameters_with_an_example(name):
    assert {"Parameters", "Examples"} <= _sections(getattr(jsdiv_numba, name))


@pytest.mark.parametrize("name", UFUNCS)
def test_a_ufunc_is_described_by_its_module(name):
    assert f"``{name}(" in jsdiv_numba.ufuncs.__doc__
