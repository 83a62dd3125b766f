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

KERNEL_TOOLS = {"_kernels.codegen.intrinsics", "_kernels.codegen.precision"}
DEVICE_TOOLS = {
    "_cuda.kernels.indexing",
    "_cuda.kernels.reductions",
    "_cuda.target",
    "_kernels.codegen.precision",
}
FILE_TYPES = {"batch.errors", "batch.io.rows"}
TABLES = {*FILE_TYPES, "batch.io.options", "batch.io.roles", "batch.io.table"}

MAY_IMPORT: dict[str, set[str]] = {
    # Rooms.
    **{
        room: set()
        for room in (
            *("_core", "_neighbors", "_losses", "_kernels", "_kernels.cache", "_kernels.codegen"),
            *("_kernels.formulas", "_kernels.rows", "_kernels.logits", "_kernels.pairwise"),
            *("_cuda", "_cuda.kernels", "_dask"),
            *("batch.io", "batch.run", "batch.jobs", "batch.show"),
        )
    },
    # What compiles.
    "_kernels.codegen.intrinsics": {"_kernels.codegen.pipeline"},
    "_kernels.pairwise.blocking": {"_kernels", "_kernels.cache.bundle", "_kernels.target"},
    "_kernels.build": {
        *(
            "_kernels",
            "_kernels.cache.bundle",
            "_kernels.cache.folder",
            "_kernels.catalog",
            "_kernels.load",
        ),
    },
    "_kernels.cache.bundle": {
        *("_kernels.cache.file", "_kernels.cache.identity", "_kernels.linking", "_kernels.target"),
    },
    "_kernels.cache.folder": {
        *("_kernels.cache.file", "_kernels.cache.identity", "_kernels.linking", "_kernels.target"),
    },
    "_kernels.cache.file": {"_kernels.linking"},
    "_kernels.cache.identity": set(),
    "_kernels.catalog": set(),
    "_kernels.compilation": {
        "_kernels.catalog",
        "_kernels.linking",
        "_kernels.codegen.object_code",
        "_kernels.codegen.precision",
        "_kernels.routines",
        "_kernels.ufuncs",
    },
    "_kernels.load": {
        "_kernels",
        "_kernels.cache.bundle",
        "_kernels.cache.folder",
        "_kernels.catalog",
        "_kernels.compilation",
        "_kernels.linking",
    },
    "_kernels.linking": {"_kernels.catalog"},
    "_kernels.codegen.memory": set(),
    "_kernels.codegen.object_code": {
        "_kernels.catalog",
        "_kernels.linking",
        "_kernels.codegen.memory",
        "_kernels.codegen.pipeline",
    },
    "_kernels.codegen.pipeline": set(),
    "_kernels.routines": {
        "_kernels.pairwise.bounds",
        "_kernels.pairwise.search",
        "_kernels.pairwise.pairs",
        "_kernels.codegen.precision",
    },
    "_kernels.target": set(),
    "_kernels.codegen.lanes": {*KERNEL_TOOLS, "_kernels.target"},
    "_kernels.codegen.precision": set(),
    "_kernels.formulas.js": KERNEL_TOOLS,
    "_kernels.formulas.kl": {*KERNEL_TOOLS, "_kernels.formulas.js"},
    "_kernels.formulas.skewed": {*KERNEL_TOOLS, "_kernels.formulas.kl", "_kernels.formulas.js"},
    "_kernels.rows.summands": {
        *KERNEL_TOOLS,
        "_kernels.formulas.kl",
        "_kernels.formulas.js",
        "_kernels.formulas.skewed",
    },
    "_kernels.rows.sums": {
        *KERNEL_TOOLS,
        "_kernels.codegen.lanes",
        "_kernels.formulas.js",
        "_kernels.rows.summands",
    },
    "_kernels.rows.many": {
        *KERNEL_TOOLS,
        "_kernels.formulas.kl",
        "_kernels.rows.sums",
        "_kernels.formulas.js",
        "_kernels.formulas.skewed",
    },
    "_kernels.rows.columns": {
        *KERNEL_TOOLS,
        "_kernels.rows.sums",
        "_kernels.formulas.js",
        "_kernels.rows.summands",
    },
    "_kernels.logits.softmax": {
        *KERNEL_TOOLS,
        "_kernels.rows.sums",
        "_kernels.formulas.js",
        "_kernels.target",
    },
    "_kernels.logits.js": {
        *KERNEL_TOOLS,
        "_kernels.rows.sums",
        "_kernels.formulas.js",
        "_kernels.logits.softmax",
    },
    "_kernels.formulas.slopes": {*KERNEL_TOOLS, "_kernels.formulas.js"},
    "_kernels.rows.gradients": {
        *KERNEL_TOOLS,
        "_kernels.formulas.slopes",
        "_kernels.rows.sums",
        "_kernels.formulas.js",
    },
    "_kernels.rows.strides": {"_kernels.codegen.intrinsics"},
    "_kernels.logits.js_gradients": {
        *KERNEL_TOOLS,
        "_kernels.logits.js",
        "_kernels.rows.sums",
        "_kernels.formulas.js",
        "_kernels.logits.softmax",
    },
    "_kernels.logits.kl": {
        *KERNEL_TOOLS,
        "_kernels.logits.js",
        "_kernels.formulas.kl",
        "_kernels.rows.sums",
        "_kernels.logits.softmax",
    },
    "_kernels.logits.kl_gradients": {
        *KERNEL_TOOLS,
        "_kernels.logits.js_gradients",
        "_kernels.rows.sums",
        "_kernels.formulas.js",
        "_kernels.logits.softmax",
    },
    "_kernels.rows.normalised": {
        *KERNEL_TOOLS,
        "_kernels.codegen.lanes",
        "_kernels.rows.sums",
        "_kernels.formulas.js",
    },
    "_kernels.pairwise.pairs": {
        *KERNEL_TOOLS,
        "_kernels.rows.normalised",
        "_kernels.rows.sums",
        "_kernels.formulas.js",
        "_kernels.target",
    },
    "_kernels.pairwise.matmul": {"_kernels.pairwise.blocking", "_kernels.codegen.intrinsics"},
    "_kernels.pairwise.bounds": {
        *KERNEL_TOOLS,
        "_kernels.pairwise.pairs",
        "_kernels.pairwise.matmul",
        "_kernels.formulas.js",
    },
    "_kernels.pairwise.search": {
        *KERNEL_TOOLS,
        "_kernels.pairwise.blocking",
        "_kernels.pairwise.bounds",
        "_kernels.pairwise.pairs",
        "_kernels.pairwise.matmul",
    },
    "_kernels.rows.loops": {"_kernels.codegen.intrinsics"},
    "_kernels.ufuncs": {
        *KERNEL_TOOLS,
        "_kernels.rows.columns",
        "_kernels.formulas.slopes",
        "_kernels.logits.js_gradients",
        "_kernels.logits.js",
        "_kernels.rows.many",
        "_kernels.rows.normalised",
        "_kernels.formulas.kl",
        "_kernels.logits.kl_gradients",
        "_kernels.logits.kl",
        "_kernels.rows.gradients",
        "_kernels.rows.sums",
        "_kernels.rows.loops",
        "_kernels.formulas.js",
        "_kernels.rows.strides",
        "_kernels.formulas.skewed",
    },
    # What stands between an array and a kernel.
    "_core.validation": set(),
    "_core.alignment": set(),
    "_core.errstate": set(),
    "_core.threads": set(),
    "_core.blocks": {"_core.validation", "_core.errstate", "_core.threads"},
    "ufuncs": {"_kernels.load"},
    "_core.evaluate": {
        *(
            "_core.alignment",
            "_core.validation",
            "_core.blocks",
            "_kernels.load",
            "_core.errstate",
            "_core.threads",
        ),
    },
    "_core.gradients": {"_core.validation", "_core.blocks", "_core.evaluate"},
    "_core.many": {
        "_core.alignment",
        "_core.validation",
        "_core.blocks",
        "_core.gradients",
        "_core.evaluate",
        "_core.threads",
    },
    "_core.pairwise": {
        "_core.validation",
        "_core.blocks",
        "_kernels.catalog",
        "_kernels.load",
        "_core.threads",
    },
    "_neighbors.search": {
        "_core.validation",
        "_kernels.pairwise.blocking",
        "_kernels.load",
        "_core.pairwise",
        "_core.threads",
    },
    # The public functions.
    "divergence": {"_core.validation", "_core.evaluate", "_core.many"},
    "entropies": {"_core.validation", "_core.evaluate"},
    "gradient": {
        "_core.validation",
        "_core.gradients",
        "_core.evaluate",
        "_core.many",
        "entropies",
    },
    "distance": {
        "_core.alignment",
        "_core.validation",
        "_core.evaluate",
        "_core.pairwise",
        "_core.threads",
    },
    "contribution": {"_core.alignment", "_core.validation", "_core.evaluate"},
    "_neighbors.validation": {"_core.validation", "_neighbors.search", "distance"},
    "_neighbors.estimator": {
        "_core.validation",
        "_neighbors.search",
        "_core.pairwise",
        "_neighbors.validation",
    },
    "neighbors": {
        "_core.alignment",
        "_core.validation",
        "_neighbors.search",
        "_core.pairwise",
        "_neighbors.validation",
        "_neighbors.estimator",
    },
    "_neighbors.merge": {
        "_core.validation",
        "_neighbors.search",
        "_core.pairwise",
        "_neighbors.validation",
    },
    "_losses.reductions": {"_core.validation"},
    "scalarise": {"_core.validation", "_losses.reductions"},
    "loss": {"_core.validation", "_core.many", "divergence", "entropies", "gradient", "scalarise"},
    "_losses.pytree": set(),
    "scheme": {"_losses.pytree", "loss"},
    "jax": {"_core.validation", "divergence", "entropies", "gradient"},
    "torch": {"_core.validation", "divergence", "entropies", "gradient"},
    "__init__": {
        "_core.threads",
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
    "_cuda.target": KERNEL_TOOLS,
    "_cuda.dlpack": set(),
    "_cuda.kernels.reductions": {
        "_cuda.target",
        "_kernels.codegen.precision",
        "_kernels.formulas.js",
    },
    "_cuda.kernels.indexing": {"_cuda.target", "_kernels.codegen.precision"},
    "_cuda.kernels.rows": {*DEVICE_TOOLS, "_kernels.rows.normalised", "_kernels.formulas.js"},
    "_cuda.kernels.elements": {
        "_cuda.kernels.indexing",
        "_cuda.target",
        "_kernels.codegen.precision",
        "_kernels.formulas.js",
    },
    "_cuda.kernels.row_gradients": {
        *DEVICE_TOOLS,
        "_cuda.kernels.rows",
        "_kernels.formulas.slopes",
        "_kernels.formulas.js",
    },
    "_cuda.kernels.logits": {*DEVICE_TOOLS, "_kernels.formulas.js"},
    "_cuda.kernels.logit_gradients": {
        *DEVICE_TOOLS,
        "_cuda.kernels.logits",
        "_kernels.formulas.js",
    },
    "_cuda.kernels.pairs": {
        *DEVICE_TOOLS,
        "_cuda.kernels.rows",
        "_kernels.rows.normalised",
        "_kernels.formulas.js",
    },
    "_cuda.arrays": {
        "_core.validation",
        "_cuda",
        "_cuda.dlpack",
        "_cuda.kernels.elements",
        "_cuda.target",
    },
    "_cuda.evaluate": {
        "_core.validation",
        "_cuda.arrays",
        "_cuda.kernels.elements",
        "_cuda.kernels.logits",
        "_cuda.kernels.rows",
        "_cuda.target",
        "_kernels.codegen.precision",
    },
    "_cuda.gradients": {
        "_core.validation",
        "_cuda.arrays",
        "_cuda.kernels.row_gradients",
        "_cuda.evaluate",
        "_cuda.kernels.logit_gradients",
        "_cuda.kernels.logits",
        "_cuda.kernels.rows",
        "_cuda.target",
    },
    "_cuda.pairwise": {
        "_core.validation",
        "_cuda.arrays",
        "_cuda.evaluate",
        "_cuda.kernels.pairs",
        "_cuda.target",
        "_kernels.codegen.precision",
    },
    "cuda": {
        "_core.validation",
        "_cuda.arrays",
        "_cuda.pairwise",
        "_cuda.gradients",
        "_cuda.evaluate",
    },
    "_dask.chunks": {"_core.validation", "_dask", "_core.pairwise"},
    "_dask.blocks": {"_core.validation", "_dask", "_core.evaluate", "divergence"},
    "_dask.rows": {
        *("_core.validation", "_core.blocks", "_dask", "_dask.blocks", "_dask.chunks"),
        *("_core.evaluate", "_core.threads", "divergence"),
    },
    "_dask.pairwise": {
        *("_core.validation", "_dask", "_dask.blocks", "_dask.chunks", "_core.threads", "distance"),
    },
    "_dask.neighbors": {
        *(
            "_core.validation",
            "_dask",
            "_dask.blocks",
            "_dask.chunks",
            "_neighbors.merge",
            "_neighbors.validation",
            "_core.threads",
        ),
    },
    "dask": {
        *(
            "_core.validation",
            "_dask",
            "_dask.chunks",
            "_dask.neighbors",
            "_dask.pairwise",
            "_dask.rows",
        ),
        *("_neighbors.merge", "distance", "divergence"),
    },
    # The command.
    "batch": {"batch.jobs.pairs", "batch.jobs.neighbors"},
    "batch.errors": {"batch.format"},
    "batch.format": set(),
    "batch.quantity": set(),
    "batch.show.clustering": set(),
    "batch.show.extremes": set(),
    "batch.io.rows": {"batch.errors"},
    "batch.io.options": set(),
    "batch.io.numerals": set(),
    "batch.io.headings": {"batch.errors", "batch.format", "batch.io.numerals"},
    "batch.io.dialect": {
        "batch.errors",
        "batch.io.headings",
        "batch.format",
        "batch.io.numerals",
        "batch.io.options",
    },
    "batch.io.roles": {"batch.errors", "batch.io.headings", "batch.format", "batch.io.options"},
    "batch.io.totals": {"batch.errors", "batch.format"},
    "batch.io.table": {
        *FILE_TYPES,
        "batch.format",
        "batch.io.options",
        "batch.io.roles",
        "batch.io.totals",
    },
    "batch.io.npy": TABLES,
    "batch.io.columnar": {*TABLES, "batch.format"},
    "batch.io.parquet": {*FILE_TYPES, "batch.io.columnar", "batch.io.options"},
    "batch.io.text": {
        *TABLES,
        "batch.io.dialect",
        "batch.io.headings",
        "batch.format",
        "batch.io.numerals",
    },
    "batch.io.matrix_market": set(),
    "batch.io.sparse": {
        "batch.io.matrix_market",
        *FILE_TYPES,
        "batch.io.npy",
        "batch.io.dialect",
        "batch.io.options",
    },
    "batch.io.long": TABLES,
    "batch.io.formats": {
        *FILE_TYPES,
        "batch.io.npy",
        "batch.io.long",
        "batch.io.file_errors",
        "batch.io.options",
        "batch.io.parquet",
        "batch.io.sources",
        "batch.io.sparse",
        "batch.io.text",
    },
    "batch.io.file_errors": {"batch.errors"},
    "batch.io.read": {
        *(
            "batch.io.formats",
            "batch.io.rows",
            "batch.io.options",
            "batch.io.file_errors",
            "batch.io.roles",
        ),
    },
    "batch.io.matching": {*FILE_TYPES, "batch.format", "batch.io.sources"},
    "batch.show.announcements": {*FILE_TYPES, "batch.format", "batch.run.progress"},
    "batch.io.write": {"batch.errors"},
    "batch.explain": {
        *FILE_TYPES,
        "batch.format",
        "batch.quantity",
        "contribution",
    },
    "batch.show.fonts": {"batch.errors"},
    "batch.show.figure": {"batch.show.fonts", "batch.io.write"},
    "batch.show.bars": {"batch.show.figure", "batch.explain", "batch.format"},
    "batch.run.tiling": set(),
    "batch.run.executor": set(),
    "batch.io.leases": set(),
    "batch.io.sources": {"batch.io.npy", "batch.errors", "batch.io.leases", "batch.io.file_errors"},
    "batch.jobs.tasks": {
        *FILE_TYPES,
        "batch.quantity",
        "batch.run.executor",
        "batch.run.tiling",
        "distance",
    },
    "batch.jobs.neighbor_tasks": {"_neighbors.merge", "batch.io.rows", "batch.jobs.tasks"},
    "batch.run.records": set(),
    "batch.io.partial": {"batch.errors", "batch.io.write"},
    "batch.run.journal": {
        "__init__",
        "batch.errors",
        "batch.io.partial",
        "batch.run.records",
        "batch.io.write",
    },
    "batch.run.bad_rows": {*FILE_TYPES, "batch.io.write"},
    "batch.run.sinks": {
        "batch.errors",
        "batch.io.partial",
        "batch.jobs.tasks",
        "batch.run.tiling",
        "batch.io.write",
    },
    "batch.run.progress": set(),
    "batch.io.inputs": {
        *FILE_TYPES,
        "batch.io.npy",
        "batch.io.formats",
        "batch.io.long",
        "batch.io.options",
        "batch.io.partial",
        "batch.io.file_errors",
        "batch.io.roles",
        "batch.io.sources",
        "batch.io.sparse",
    },
    "batch.run.engine": {
        *FILE_TYPES,
        "batch.run.bad_rows",
        "batch.run.journal",
        "batch.io.partial",
        "batch.run.progress",
        "batch.run.executor",
        "batch.run.sinks",
        "batch.jobs.tasks",
        "batch.run.tiling",
        "batch.io.write",
    },
    "batch.jobs.pairs": {
        "_core.alignment",
        "_core.validation",
        "_core.threads",
        "batch.in_memory",
        "batch.run.engine",
        "batch.errors",
        "batch.io.inputs",
        "batch.io.rows",
        "batch.io.matching",
        "batch.io.options",
        "batch.run.progress",
        "batch.quantity",
        "batch.run.executor",
        "batch.run.sinks",
        "batch.io.sources",
        "batch.jobs.tasks",
        "batch.run.tiling",
        "batch.io.write",
    },
    "batch.in_memory": {*FILE_TYPES, "batch.quantity", "distance"},
    "batch.jobs.neighbors": {
        "_neighbors.merge",
        "batch.run.engine",
        "batch.errors",
        "batch.jobs.pairs",
        "batch.io.options",
        "batch.run.progress",
        "batch.run.executor",
        "batch.jobs.neighbor_tasks",
        "batch.run.sinks",
        "batch.io.sources",
        "batch.jobs.tasks",
        "batch.run.tiling",
        "batch.io.write",
    },
    "batch.show.console": {
        "batch.in_memory",
        "batch.explain",
        "batch.run.engine",
        "batch.show.extremes",
        "batch.format",
        "batch.quantity",
        "batch.io.rows",
    },
    "batch.show.heatmap": {
        "batch.show.figure",
        "batch.show.clustering",
        "batch.in_memory",
        "batch.format",
        "batch.quantity",
        "batch.io.rows",
        "batch.io.write",
    },
    "batch.run.dask_executor": {"batch.errors", "batch.run.journal", "batch.io.sources"},
    "batch.commands": {
        "batch.show.announcements",
        "batch.show.bars",
        "batch.run.dask_executor",
        "batch.in_memory",
        "batch.explain",
        "batch.run.engine",
        "batch.errors",
        "batch.io.formats",
        "batch.io.rows",
        "batch.jobs.pairs",
        "batch.io.matching",
        "batch.jobs.neighbors",
        "batch.io.options",
        "batch.show.heatmap",
        "batch.run.progress",
        "batch.quantity",
        "batch.io.read",
        "batch.io.file_errors",
        "batch.show.console",
        "batch.run.executor",
        "batch.run.tiling",
        "batch.io.write",
    },
    "cache": {
        *(
            "_kernels",
            "_kernels.build",
            "_kernels.cache.bundle",
            "_kernels.cache.folder",
            "_kernels.catalog",
        ),
        *("_kernels.cache.identity", "_kernels.target", "_core.threads"),
    },
    "cli_cache": {"__init__", "cache"},
    "cli": {
        "__init__",
        "_core.threads",
        "batch.errors",
        "batch.commands",
        "batch.format",
        "batch.io.options",
        "batch.quantity",
        "batch.run.tiling",
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
    "_dask.pairwise": {"dask"},
    "_dask.rows": {"dask"},
    "_kernels.codegen.intrinsics": {"llvmlite", "numba"},
    "_kernels.codegen.lanes": {"llvmlite", "numba"},
    "_kernels.codegen.memory": {"llvmlite", "numba"},
    "_kernels.codegen.object_code": {"llvmlite", "numba"},
    "_kernels.codegen.pipeline": {"numba"},
    "_kernels.pairwise.matmul": {"llvmlite", "numba"},
    "batch.show.bars": {"matplotlib"},
    "batch.show.figure": {"matplotlib"},
    "batch.show.fonts": {"matplotlib"},
    "batch.show.heatmap": {"matplotlib"},
    "batch.show.console": {"rich"},
    "cli": {"click"},
    "cli_cache": {"click"},
    "jax": {"jax"},
    "torch": {"torch"},
}
"""Packages heavier than NumPy that a module loads as soon as it is imported."""

HEAVY_WHEN_USED: dict[str, set[str]] = {
    "_kernels.cache.identity": {"llvmlite"},
    "_kernels.linking": {"llvmlite"},
    "_kernels.target": {"llvmlite"},
    "batch.io.npy": {"pyarrow"},
    "batch.run.dask_executor": {"distributed"},
    "batch.show.clustering": {"scipy"},
    "batch.io.columnar": {"pyarrow"},
    "batch.io.inputs": {"pyarrow"},
    "batch.jobs.pairs": {"pyarrow"},
    "batch.io.long": {"pyarrow"},
    "batch.jobs.neighbors": {"pyarrow"},
    "batch.io.numerals": {"pyarrow"},
    "batch.io.parquet": {"pyarrow"},
    "batch.run.progress": {"rich"},
    "batch.run.sinks": {"pyarrow", "zarr"},
    "batch.io.sources": {"pyarrow", "zarr"},
    "batch.io.matrix_market": {"scipy"},
    "batch.io.sparse": {"scipy"},
    "batch.io.table": {"pyarrow"},
    "batch.io.text": {"pyarrow"},
    "batch.io.totals": {"pyarrow"},
    "batch.io.write": {"pyarrow"},
    "_neighbors.validation": {"scipy"},
    "_neighbors.estimator": {"sklearn"},
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
