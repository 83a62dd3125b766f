"""The house's plan, held against the imports that the modules really make."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = "jsdiv_numba"
ROOT = Path(__file__).parents[1] / PACKAGE

FLOORS = (
    # All that Numba compiles, and what finds it.
    "_core.lazy _core.metric _kernels",
    "__init__ _kernels.linking",
    "_kernels.cache _kernels.codegen",
    "_kernels.formulas",
    "_kernels.rows",
    "_kernels.logits _kernels.pairwise _kernels.counts",
    "_kernels.ufuncs _kernels.routines _kernels.jitted",
    "_kernels.compilation",
    "_kernels.load",
    "_kernels.build",
    # From arguments to kernels, and the public functions.
    "_core",
    "divergence entropies gradient distance contribution ufuncs jitted _losses _neighbors cache",
    "scalarise centroid neighbors kernel_approximation _stats",
    "loss stats",
    "scheme jax _drift _dask _cuda.intrinsics",
    "dask _cuda.target",
    "_cuda.kernels",
    "_cuda",
    "cuda",
    "_torch",
    "torch",
    # Files.
    "batch.discovery batch.format",
    "batch.errors batch.quantity",
    "batch.io",
    "batch.samples",
    "batch.explain batch.in_memory batch.run drift",
    "batch.jobs batch.show",
    "batch",
    # The command.
    "batch.commands batch.drift cli_cache cli_options",
    "cli_drift",
    "cli",
    "__main__",
)
"""From the ground up: a room's modules import each other, in no circle, and those of floors below.

A name is a module, or all in a package that has no line of its own.
"""

ENTRANCES = {
    "_core": {"catalog", "load", "records", "target"},
    "jitted": {"jitted"},
    "ufuncs": {"load"},
    "_neighbors": {"load", "pairwise.blocking", "records"},
    "_stats": {"load", "records"},
    "cache": {"build", "cache.bundle", "cache.folder", "cache.identity", "catalog", "target"},
    "_cuda": {
        "codegen.dispatch",
        "codegen.intrinsics",
        "codegen.precision",
        "formulas.js",
        "formulas.kl",
        "formulas.skewed",
        "formulas.slopes",
        "records",
        "rows.normalised",
        "rows.pair_summands",
        "rows.summands",
    },
}
"""What those outside import of `_kernels`: all but a device's kernels do without Numba."""

HEAVY_AT_TOP: dict[str, set[str]] = {
    "_cuda.target": {"numba"},
    "dask": {"dask"},
    "_dask.chunks": {"dask"},
    "_dask.neighbors": {"dask"},
    "_dask.pairwise": {"dask"},
    "_dask.rows": {"dask"},
    "_cuda.intrinsics": {"llvmlite", "numba"},
    "_kernels.codegen.dispatch": {"numba"},
    "_kernels.codegen.intrinsics": {"llvmlite", "numba"},
    "_kernels.codegen.lanes": {"llvmlite", "numba"},
    "_kernels.codegen.squares": {"llvmlite", "numba"},
    "_kernels.codegen.memory": {"llvmlite", "numba"},
    "_kernels.codegen.object_code": {"llvmlite", "numba"},
    "_kernels.codegen.pipeline": {"numba"},
    "_kernels.jitted": {"numba"},
    "_kernels.pairwise.matmul": {"llvmlite", "numba"},
    "batch.show.bars": {"matplotlib"},
    "batch.show.figure": {"matplotlib"},
    "batch.show.fonts": {"matplotlib"},
    "batch.show.heatmap": {"matplotlib"},
    "batch.show.console": {"rich"},
    "batch.show.drift": {"rich"},
    "cli": {"click"},
    "cli_cache": {"click"},
    "cli_drift": {"click"},
    "cli_options": {"click"},
    "_stats.estimators": {"scipy"},
    "_stats.intervals": {"scipy"},
    "_stats.null": {"scipy"},
    "_stats.pvalues": {"scipy"},
    "jax": {"jax"},
    "torch": {"torch"},
    "_torch.modules": {"torch"},
    "_torch.operators": {"torch"},
}
"""Packages heavier than NumPy that a module loads as soon as it is imported."""

HEAVY_WHEN_USED: dict[str, set[str]] = {
    "_core.progress": {"IPython", "rich"},
    "_drift.arrow": {"pyarrow"},
    "_drift.comparing": {"scipy"},
    "_drift.frames": {"narwhals", "pyarrow"},
    "_drift.to_frame": {"narwhals"},
    "batch.drift": {"pyarrow"},
    "batch.io.tables": {"pyarrow"},
    "_kernels.cache.identity": {"llvmlite"},
    "_kernels.linking": {"llvmlite"},
    "_kernels.target": {"llvmlite"},
    "batch.io.npy": {"pyarrow"},
    "batch.run.dask_executor": {"distributed"},
    "batch.show.clustering": {"scipy"},
    "batch.io.columnar": {"pyarrow"},
    "batch.io.inputs": {"pyarrow"},
    "batch.jobs.pairs": {"pyarrow"},
    "batch.jobs.tested": {"pyarrow"},
    "batch.io.long": {"pyarrow"},
    "batch.jobs.neighbors": {"pyarrow"},
    "batch.io.numerals": {"pyarrow"},
    "batch.io.parquet": {"pyarrow"},
    "batch.run.progress": {"rich"},
    "batch.run.ranked": {"pyarrow"},
    "batch.run.sinks": {"pyarrow", "zarr"},
    "batch.io.sources": {"pyarrow", "scipy", "zarr"},
    "batch.io.anndata": {"h5py"},
    "batch.io.compressed": {"scipy"},
    "batch.io.rows": {"scipy"},
    "batch.io.sparse": {"pyarrow", "scipy"},
    "batch.samples": {"scipy"},
    "batch.io.table": {"pyarrow"},
    "batch.io.text": {"pyarrow"},
    "batch.io.totals": {"pyarrow"},
    "batch.io.write": {"pyarrow"},
    "_core.pair_blocks": {"scipy"},
    "_core.sparse": {"scipy"},
    "_neighbors.validation": {"scipy"},
    "_core.estimator": {"sklearn"},
    "kernel_approximation": {"scipy"},
    "_stats.groups": {"scipy"},
    "_stats.methods": {"scipy"},
}
"""Those that only a function of the module imports."""


class Import(NamedTuple):
    """One module that another imports."""

    target: str
    late: bool


def _modules() -> dict[str, Path]:
    """Return the package's files by the name that the tables use."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        inner = parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts
        found[".".join(inner)] = path
    return found


MODULES = _modules()
FLOOR_OF = {room: i for i, rooms in enumerate(FLOORS) for room in rooms.split()}


def _imports(name: str) -> list[Import]:
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    late_nodes = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for inner in ast.walk(node)
    }
    return [
        Import(target, node in late_nodes)
        for node in ast.walk(tree)
        for target in _targets(node, name)
    ]


def _targets(node: ast.AST, importer: str) -> Iterator[str]:
    """Yield the absolute names that an import statement may load, the module it names first."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, importer)
        names = [f"{base}.{alias.name}" for alias in node.names]
        submodules = [n for n in names if n.removeprefix(f"{PACKAGE}.") in MODULES]
        yield from submodules
        if len(submodules) < len(names):
            yield base


def _absolute(node: ast.ImportFrom, importer: str) -> str:
    if not node.level:
        return str(node.module)
    is_package = MODULES[importer].name == "__init__.py"
    inside = [] if importer == "__init__" else importer.split(".")
    levels_up = node.level - is_package
    folder = [PACKAGE, *inside][: len(inside) + 1 - levels_up]
    return ".".join([*folder, *([node.module] if node.module else [])])


def _own(target: str) -> str | None:
    """Return the tables' name of a module of the package, or None for another's."""
    if target == PACKAGE:
        return "__init__"
    return target.removeprefix(f"{PACKAGE}.") if target.startswith(f"{PACKAGE}.") else None


def _own_imports(name: str) -> set[str]:
    return {own for target, _ in _imports(name) if (own := _own(target)) is not None}


def _heavy_imports(name: str, *, late: bool) -> set[str]:
    light = {*sys.stdlib_module_names, PACKAGE, "numpy"}
    return {i.target.split(".")[0] for i in _imports(name) if i.late is late} - light


def _room(name: str) -> str:
    """Return the longest name of a room that a module is in."""
    parts = name.split(".")
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next(each for each in names if each in FLOOR_OF)


def test_every_module_is_on_a_floor_and_every_room_is_there():
    rooms = {_room(name) for name in MODULES}
    assert rooms == set(FLOOR_OF)


def test_the_tables_name_modules_that_exist():
    kernels = {f"_kernels.{name}" for names in ENTRANCES.values() for name in names}
    assert {*HEAVY_AT_TOP, *HEAVY_WHEN_USED, *kernels} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_nothing_from_above_or_beside(name):
    room = _room(name)
    others = {own for own in _own_imports(name) if _room(own) != room}
    assert {own for own in others if FLOOR_OF[_room(own)] >= FLOOR_OF[room]} == set()


def test_no_imports_go_in_a_circle():
    TopologicalSorter({name: _own_imports(name) - {name} for name in MODULES}).prepare()


def test_kernels_are_entered_where_the_table_says():
    found: dict[str, set[str]] = {}
    for name in MODULES:
        inside = {own for own in _own_imports(name) if own.startswith("_kernels.")}
        if inside and not name.startswith("_kernels"):
            room = name.split(".")[0]
            kernels = {own.removeprefix("_kernels.") for own in inside}
            found[room] = found.get(room, set()) | kernels
    assert found == ENTRANCES


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_are_imported_where_the_tables_say(name):
    assert _heavy_imports(name, late=False) == HEAVY_AT_TOP.get(name, set())
    assert _heavy_imports(name, late=True) == HEAVY_WHEN_USED.get(name, set())


def test_nothing_but_main_imports_the_command():
    assert {name for name in MODULES if "cli" in _own_imports(name)} == {"__main__"}


@pytest.mark.parametrize(
    ("importer", "statement", "expected"),
    [
        ("loss", "from ._core.many import Axis", ["jsdiv_numba._core.many"]),
        ("loss", "from ._core import many", ["jsdiv_numba._core.many"]),
        ("loss", "from . import __version__", ["jsdiv_numba"]),
        ("batch.io.rows", "from ...distance import cdist", ["jsdiv_numba.distance"]),
        ("batch.io", "from .rows import fault", ["jsdiv_numba.batch.io.rows"]),
        ("cli", "from jsdiv_numba.batch import commands", ["jsdiv_numba.batch.commands"]),
        ("cli", "import jsdiv_numba.loss, numpy.linalg", ["jsdiv_numba.loss", "numpy.linalg"]),
    ],
)
def test_statements_are_read_as_python_reads_them(importer, statement, expected):
    (node,) = ast.parse(statement).body
    assert list(_targets(node, importer)) == expected
