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

KERNEL_TOOLS = {"_kernels.compile", "_kernels.precision"}
DEVICE_TOOLS = {"_cuda.places", "_cuda.sums", "_cuda.target", "_kernels.precision"}
FILE_TYPES = {"batch.errors", "batch.labelled"}
TABLES = {*FILE_TYPES, "batch.options", "batch.roles", "batch.table"}

MAY_IMPORT: dict[str, set[str]] = {
    # What compiles.
    "_kernels": set(),
    "_kernels.compile": {"_kernels.pipeline"},
    "_kernels.blocking": {"_kernels", "_kernels.bundle", "_kernels.target"},
    "_kernels.build": {
        *("_kernels", "_kernels.bundle", "_kernels.cache", "_kernels.catalog", "_kernels.load"),
    },
    "_kernels.bundle": {
        *("_kernels.file", "_kernels.identity", "_kernels.machine", "_kernels.target"),
    },
    "_kernels.cache": {
        *("_kernels.file", "_kernels.identity", "_kernels.machine", "_kernels.target"),
    },
    "_kernels.file": {"_kernels.machine"},
    "_kernels.identity": set(),
    "_kernels.catalog": set(),
    "_kernels.compilation": {
        "_kernels.catalog",
        "_kernels.machine",
        "_kernels.object_code",
        "_kernels.precision",
        "_kernels.routines",
        "_kernels.ufuncs",
    },
    "_kernels.load": {
        "_kernels",
        "_kernels.bundle",
        "_kernels.cache",
        "_kernels.catalog",
        "_kernels.compilation",
        "_kernels.machine",
    },
    "_kernels.machine": {"_kernels.catalog"},
    "_kernels.memory": set(),
    "_kernels.object_code": {
        "_kernels.catalog",
        "_kernels.machine",
        "_kernels.memory",
        "_kernels.pipeline",
    },
    "_kernels.pipeline": set(),
    "_kernels.routines": {
        "_kernels.bounds",
        "_kernels.neighbors",
        "_kernels.pairs",
        "_kernels.precision",
    },
    "_kernels.target": set(),
    "_kernels.lanes": {*KERNEL_TOOLS, "_kernels.target"},
    "_kernels.precision": set(),
    "_kernels.scalar": KERNEL_TOOLS,
    "_kernels.relative": {*KERNEL_TOOLS, "_kernels.scalar"},
    "_kernels.skewed": {*KERNEL_TOOLS, "_kernels.relative", "_kernels.scalar"},
    "_kernels.summands": {
        *KERNEL_TOOLS,
        "_kernels.relative",
        "_kernels.scalar",
        "_kernels.skewed",
    },
    "_kernels.rows": {*KERNEL_TOOLS, "_kernels.lanes", "_kernels.scalar", "_kernels.summands"},
    "_kernels.mixtures": {
        *KERNEL_TOOLS,
        "_kernels.relative",
        "_kernels.rows",
        "_kernels.scalar",
        "_kernels.skewed",
    },
    "_kernels.columns": {*KERNEL_TOOLS, "_kernels.rows", "_kernels.scalar", "_kernels.summands"},
    "_kernels.softmax": {*KERNEL_TOOLS, "_kernels.rows", "_kernels.scalar", "_kernels.target"},
    "_kernels.logits": {
        *KERNEL_TOOLS,
        "_kernels.rows",
        "_kernels.scalar",
        "_kernels.softmax",
    },
    "_kernels.gradients": {*KERNEL_TOOLS, "_kernels.scalar"},
    "_kernels.row_gradients": {
        *KERNEL_TOOLS,
        "_kernels.gradients",
        "_kernels.rows",
        "_kernels.scalar",
    },
    "_kernels.strides": {"_kernels.compile"},
    "_kernels.logit_gradients": {
        *KERNEL_TOOLS,
        "_kernels.logits",
        "_kernels.rows",
        "_kernels.scalar",
        "_kernels.softmax",
    },
    "_kernels.relative_logits": {
        *KERNEL_TOOLS,
        "_kernels.logits",
        "_kernels.relative",
        "_kernels.rows",
        "_kernels.softmax",
    },
    "_kernels.relative_logit_gradients": {
        *KERNEL_TOOLS,
        "_kernels.logit_gradients",
        "_kernels.rows",
        "_kernels.scalar",
        "_kernels.softmax",
    },
    "_kernels.normalised": {*KERNEL_TOOLS, "_kernels.lanes", "_kernels.rows", "_kernels.scalar"},
    "_kernels.pairs": {
        *KERNEL_TOOLS,
        "_kernels.normalised",
        "_kernels.rows",
        "_kernels.scalar",
        "_kernels.target",
    },
    "_kernels.products": {"_kernels.blocking", "_kernels.compile"},
    "_kernels.bounds": {
        *KERNEL_TOOLS,
        "_kernels.pairs",
        "_kernels.products",
        "_kernels.scalar",
    },
    "_kernels.neighbors": {
        *KERNEL_TOOLS,
        "_kernels.blocking",
        "_kernels.bounds",
        "_kernels.pairs",
        "_kernels.products",
    },
    "_kernels.rowwise": {"_kernels.compile"},
    "_kernels.ufuncs": {
        *KERNEL_TOOLS,
        "_kernels.columns",
        "_kernels.gradients",
        "_kernels.logit_gradients",
        "_kernels.logits",
        "_kernels.mixtures",
        "_kernels.normalised",
        "_kernels.relative",
        "_kernels.relative_logit_gradients",
        "_kernels.relative_logits",
        "_kernels.row_gradients",
        "_kernels.rows",
        "_kernels.rowwise",
        "_kernels.scalar",
        "_kernels.strides",
        "_kernels.skewed",
    },
    # What stands between an array and a kernel.
    "_arrays": set(),
    "_alignment": set(),
    "_silence": set(),
    "_threads": set(),
    "_blocks": {"_arrays", "_silence", "_threads"},
    "ufuncs": {"_kernels.load"},
    "_measures": {
        *("_alignment", "_arrays", "_blocks", "_kernels.load", "_silence", "_threads"),
    },
    "_gradients": {"_arrays", "_blocks", "_measures"},
    "_mixtures": {"_alignment", "_arrays", "_blocks", "_gradients", "_measures", "_threads"},
    "_pairs": {"_arrays", "_blocks", "_kernels.catalog", "_kernels.load", "_threads"},
    "_neighbors": {"_arrays", "_kernels.blocking", "_kernels.load", "_pairs", "_threads"},
    # The public functions.
    "divergence": {"_arrays", "_measures", "_mixtures"},
    "entropies": {"_arrays", "_measures"},
    "gradient": {"_arrays", "_gradients", "_measures", "_mixtures", "entropies"},
    "distance": {"_alignment", "_arrays", "_measures", "_pairs", "_threads"},
    "contribution": {"_alignment", "_arrays", "_measures"},
    "_queries": {"_arrays", "_neighbors", "distance"},
    "estimator": {"_arrays", "_neighbors", "_pairs", "_queries"},
    "neighbors": {"_alignment", "_arrays", "_neighbors", "_pairs", "_queries", "estimator"},
    "_parts": {"_arrays", "_neighbors", "_pairs", "_queries"},
    "_reductions": {"_arrays"},
    "scalarise": {"_arrays", "_reductions"},
    "loss": {"_arrays", "_mixtures", "divergence", "entropies", "gradient", "scalarise"},
    "_arguments": set(),
    "scheme": {"_arguments", "loss"},
    "jax": {"_arrays", "divergence", "entropies", "gradient"},
    "torch": {"_arrays", "divergence", "entropies", "gradient"},
    "__init__": {
        "_threads",
        "distance",
        "divergence",
        "entropies",
        "gradient",
        "contribution",
        "loss",
        "neighbors",
        "scalarise",
        "scheme",
        "ufuncs",
    },
    # The same on a device.
    "_cuda": set(),
    "_cuda.target": KERNEL_TOOLS,
    "_cuda.dlpack": set(),
    "_cuda.sums": {"_cuda.target", "_kernels.precision", "_kernels.scalar"},
    "_cuda.places": {"_cuda.target", "_kernels.precision"},
    "_cuda.rows": {*DEVICE_TOOLS, "_kernels.normalised", "_kernels.scalar"},
    "_cuda.elements": {"_cuda.places", "_cuda.target", "_kernels.precision", "_kernels.scalar"},
    "_cuda.derivatives": {
        *DEVICE_TOOLS,
        "_cuda.rows",
        "_kernels.gradients",
        "_kernels.scalar",
    },
    "_cuda.logits": {*DEVICE_TOOLS, "_kernels.scalar"},
    "_cuda.logit_gradients": {*DEVICE_TOOLS, "_cuda.logits", "_kernels.scalar"},
    "_cuda.pairs": {*DEVICE_TOOLS, "_cuda.rows", "_kernels.normalised", "_kernels.scalar"},
    "_cuda.arrays": {"_arrays", "_cuda", "_cuda.dlpack", "_cuda.elements", "_cuda.target"},
    "_cuda.launch": {
        "_arrays",
        "_cuda.arrays",
        "_cuda.elements",
        "_cuda.logits",
        "_cuda.rows",
        "_cuda.target",
        "_kernels.precision",
    },
    "_cuda.gradients": {
        "_arrays",
        "_cuda.arrays",
        "_cuda.derivatives",
        "_cuda.launch",
        "_cuda.logit_gradients",
        "_cuda.logits",
        "_cuda.rows",
        "_cuda.target",
    },
    "_cuda.comparison": {
        "_arrays",
        "_cuda.arrays",
        "_cuda.launch",
        "_cuda.pairs",
        "_cuda.target",
        "_kernels.precision",
    },
    "cuda": {"_arrays", "_cuda.arrays", "_cuda.comparison", "_cuda.gradients", "_cuda.launch"},
    "_dask": set(),
    "_dask.chunks": {"_arrays", "_dask", "_pairs"},
    "_dask.blocks": {"_arrays", "_dask", "_measures", "divergence"},
    "_dask.rows": {
        *("_arrays", "_blocks", "_dask", "_dask.blocks", "_dask.chunks"),
        *("_measures", "_threads", "divergence"),
    },
    "_dask.pairs": {
        *("_arrays", "_dask", "_dask.blocks", "_dask.chunks", "_threads", "distance"),
    },
    "_dask.neighbors": {
        *("_arrays", "_dask", "_dask.blocks", "_dask.chunks", "_parts", "_queries", "_threads"),
    },
    "dask": {
        *("_arrays", "_dask", "_dask.chunks", "_dask.neighbors", "_dask.pairs", "_dask.rows"),
        *("_parts", "distance", "divergence"),
    },
    # The command.
    "batch": {"batch.large", "batch.nearest"},
    "batch.errors": {"batch.labels"},
    "batch.labels": set(),
    "batch.quantity": set(),
    "batch.clustering": set(),
    "batch.extremes": set(),
    "batch.labelled": {"batch.errors"},
    "batch.options": set(),
    "batch.numerals": set(),
    "batch.headings": {"batch.errors", "batch.labels", "batch.numerals"},
    "batch.dialect": {
        "batch.errors",
        "batch.headings",
        "batch.labels",
        "batch.numerals",
        "batch.options",
    },
    "batch.roles": {"batch.errors", "batch.headings", "batch.labels", "batch.options"},
    "batch.totals": {"batch.errors", "batch.labels"},
    "batch.table": {
        *FILE_TYPES,
        "batch.labels",
        "batch.options",
        "batch.roles",
        "batch.totals",
    },
    "batch.arrays": TABLES,
    "batch.columnar": {*TABLES, "batch.labels"},
    "batch.parquet": {*FILE_TYPES, "batch.columnar", "batch.options"},
    "batch.text": {
        *TABLES,
        "batch.dialect",
        "batch.headings",
        "batch.labels",
        "batch.numerals",
    },
    "batch.matrix_market": set(),
    "batch.sparse": {
        "batch.matrix_market",
        *FILE_TYPES,
        "batch.arrays",
        "batch.dialect",
        "batch.options",
    },
    "batch.long": TABLES,
    "batch.formats": {
        *FILE_TYPES,
        "batch.arrays",
        "batch.long",
        "batch.reading",
        "batch.options",
        "batch.parquet",
        "batch.sources",
        "batch.sparse",
        "batch.text",
    },
    "batch.reading": {"batch.errors"},
    "batch.readers": {
        *("batch.formats", "batch.labelled", "batch.options", "batch.reading", "batch.roles"),
    },
    "batch.matching": {*FILE_TYPES, "batch.labels", "batch.sources"},
    "batch.announcements": {*FILE_TYPES, "batch.labels", "batch.progress"},
    "batch.writers": {"batch.errors"},
    "batch.explanation": {
        *FILE_TYPES,
        "batch.labels",
        "batch.quantity",
        "contribution",
    },
    "batch.fonts": {"batch.errors"},
    "batch.canvas": {"batch.fonts", "batch.writers"},
    "batch.bars": {"batch.canvas", "batch.explanation", "batch.labels"},
    "batch.tiles": set(),
    "batch.runner": set(),
    "batch.leases": set(),
    "batch.sources": {"batch.arrays", "batch.errors", "batch.leases", "batch.reading"},
    "batch.tasks": {*FILE_TYPES, "batch.quantity", "batch.runner", "batch.tiles", "distance"},
    "batch.search": {"_parts", "batch.labelled", "batch.tasks"},
    "batch.records": set(),
    "batch.partial": {"batch.errors", "batch.writers"},
    "batch.journal": {
        "__init__",
        "batch.errors",
        "batch.partial",
        "batch.records",
        "batch.writers",
    },
    "batch.bad_rows": {*FILE_TYPES, "batch.writers"},
    "batch.sinks": {"batch.errors", "batch.partial", "batch.tasks", "batch.tiles", "batch.writers"},
    "batch.progress": set(),
    "batch.inputs": {
        *FILE_TYPES,
        "batch.arrays",
        "batch.formats",
        "batch.long",
        "batch.options",
        "batch.partial",
        "batch.reading",
        "batch.roles",
        "batch.sources",
        "batch.sparse",
    },
    "batch.engine": {
        *FILE_TYPES,
        "batch.bad_rows",
        "batch.journal",
        "batch.partial",
        "batch.progress",
        "batch.runner",
        "batch.sinks",
        "batch.tasks",
        "batch.tiles",
        "batch.writers",
    },
    "batch.large": {
        "_alignment",
        "_arrays",
        "_threads",
        "batch.comparison",
        "batch.engine",
        "batch.errors",
        "batch.inputs",
        "batch.labelled",
        "batch.matching",
        "batch.options",
        "batch.progress",
        "batch.quantity",
        "batch.runner",
        "batch.sinks",
        "batch.sources",
        "batch.tasks",
        "batch.tiles",
        "batch.writers",
    },
    "batch.comparison": {*FILE_TYPES, "batch.quantity", "distance"},
    "batch.nearest": {
        "_parts",
        "batch.engine",
        "batch.errors",
        "batch.large",
        "batch.options",
        "batch.progress",
        "batch.runner",
        "batch.search",
        "batch.sinks",
        "batch.sources",
        "batch.tasks",
        "batch.tiles",
        "batch.writers",
    },
    "batch.report": {
        "batch.comparison",
        "batch.explanation",
        "batch.engine",
        "batch.extremes",
        "batch.labels",
        "batch.quantity",
        "batch.labelled",
    },
    "batch.picture": {
        "batch.canvas",
        "batch.clustering",
        "batch.comparison",
        "batch.labels",
        "batch.quantity",
        "batch.labelled",
        "batch.writers",
    },
    "batch.cluster": {"batch.errors", "batch.journal", "batch.sources"},
    "batch.jobs": {
        "batch.announcements",
        "batch.bars",
        "batch.cluster",
        "batch.comparison",
        "batch.explanation",
        "batch.engine",
        "batch.errors",
        "batch.formats",
        "batch.labelled",
        "batch.large",
        "batch.matching",
        "batch.nearest",
        "batch.options",
        "batch.picture",
        "batch.progress",
        "batch.quantity",
        "batch.readers",
        "batch.reading",
        "batch.report",
        "batch.runner",
        "batch.tiles",
        "batch.writers",
    },
    "cache": {
        *("_kernels", "_kernels.build", "_kernels.bundle", "_kernels.cache", "_kernels.catalog"),
        *("_kernels.identity", "_kernels.target", "_threads"),
    },
    "cli_cache": {"__init__", "cache"},
    "cli": {
        "__init__",
        "_threads",
        "batch.errors",
        "batch.jobs",
        "batch.labels",
        "batch.options",
        "batch.quantity",
        "batch.tiles",
        "cli_cache",
    },
    "__main__": {"cli"},
}
"""What each module may import of the package, at its top or late."""

HEAVY_AT_TOP: dict[str, set[str]] = {
    "_cuda.target": {"numba"},
    "dask": {"dask"},
    "_dask.chunks": {"dask"},
    "_dask.neighbors": {"dask"},
    "_dask.pairs": {"dask"},
    "_dask.rows": {"dask"},
    "_kernels.compile": {"llvmlite", "numba"},
    "_kernels.lanes": {"llvmlite", "numba"},
    "_kernels.memory": {"llvmlite", "numba"},
    "_kernels.object_code": {"llvmlite", "numba"},
    "_kernels.pipeline": {"numba"},
    "_kernels.products": {"llvmlite", "numba"},
    "batch.bars": {"matplotlib"},
    "batch.canvas": {"matplotlib"},
    "batch.fonts": {"matplotlib"},
    "batch.picture": {"matplotlib"},
    "batch.report": {"rich"},
    "cli": {"click"},
    "cli_cache": {"click"},
    "jax": {"jax"},
    "torch": {"torch"},
}
"""Packages heavier than NumPy that a module loads as soon as it is imported."""

HEAVY_WHEN_USED: dict[str, set[str]] = {
    "_kernels.identity": {"llvmlite"},
    "_kernels.machine": {"llvmlite"},
    "_kernels.target": {"llvmlite"},
    "batch.arrays": {"pyarrow"},
    "batch.cluster": {"distributed"},
    "batch.clustering": {"scipy"},
    "batch.columnar": {"pyarrow"},
    "batch.inputs": {"pyarrow"},
    "batch.large": {"pyarrow"},
    "batch.long": {"pyarrow"},
    "batch.nearest": {"pyarrow"},
    "batch.numerals": {"pyarrow"},
    "batch.parquet": {"pyarrow"},
    "batch.progress": {"rich"},
    "batch.sinks": {"pyarrow", "zarr"},
    "batch.sources": {"pyarrow", "zarr"},
    "batch.matrix_market": {"scipy"},
    "batch.sparse": {"scipy"},
    "batch.table": {"pyarrow"},
    "batch.text": {"pyarrow"},
    "batch.totals": {"pyarrow"},
    "batch.writers": {"pyarrow"},
    "_queries": {"scipy"},
    "estimator": {"sklearn"},
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


def test_every_module_stands_in_the_table():
    assert set(MODULES) == set(MAY_IMPORT)


def test_the_tables_name_modules_that_exist():
    named = {*HEAVY_AT_TOP, *HEAVY_WHEN_USED}.union(*MAY_IMPORT.values())
    assert named <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_what_it_may(name):
    assert _own_imports(name) <= MAY_IMPORT[name]


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_are_imported_where_the_tables_say(name):
    assert _heavy_imports(name, late=False) == HEAVY_AT_TOP.get(name, set())
    assert _heavy_imports(name, late=True) == HEAVY_WHEN_USED.get(name, set())


def test_imports_point_one_way():
    TopologicalSorter(MAY_IMPORT).prepare()


def test_kernels_know_nothing_of_the_rest_of_the_package():
    kernels = {name for name in MODULES if name.split(".")[0] == "_kernels"}
    assert len(kernels) > 1
    assert set().union(*map(_own_imports, kernels)) <= kernels


def test_nothing_but_main_imports_the_command():
    assert {name for name in MODULES if "cli" in _own_imports(name)} == {"__main__"}


@pytest.mark.parametrize(
    ("importer", "statement", "expected"),
    [
        ("loss", "from ._arrays import Axis", ["jsdiv_numba._arrays"]),
        ("loss", "from . import _arrays", ["jsdiv_numba._arrays"]),
        ("loss", "from . import __version__", ["jsdiv_numba"]),
        ("batch.labelled", "from ..distance import cdist", ["jsdiv_numba.distance"]),
        ("batch", "from .labelled import fault", ["jsdiv_numba.batch.labelled"]),
        ("cli", "from jsdiv_numba.batch import jobs", ["jsdiv_numba.batch.jobs"]),
        ("cli", "import jsdiv_numba.loss, numpy.linalg", ["jsdiv_numba.loss", "numpy.linalg"]),
    ],
)
def test_statements_are_read_as_python_reads_them(importer, statement, expected):
    (node,) = ast.parse(statement).body
    assert list(_targets(node, importer)) == expected
