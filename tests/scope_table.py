"""The table of docs/scope.md: what each function can be given, and where else it is.

``python -m tests.scope_table`` writes it, from the code alone: names, signatures, and whether
sparse rows are taken when they are passed.
"""

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

import jsdiv_numba
from jsdiv_numba import (
    centroid,
    cli,
    contribution,
    distance,
    divergence,
    entropies,
    jitted,
    neighbors,
    stats,
)
from jsdiv_numba._core.metric import METRICS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "scope.md"
BEGIN, END = "<!-- begin: tests.scope_table -->", "<!-- end: tests.scope_table -->"

MODULES = divergence, entropies, distance, neighbors, contribution, centroid, stats

ROWS = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
COMMANDS = {
    "cdist": ("pairwise", "metric"),
    "pdist": ("pairwise", "metric"),
    "cdist_test": ("pairwise", "test"),
    "pdist_test": ("pairwise", "test"),
    "kneighbors": ("neighbors", "number"),
    "radius_neighbors": ("neighbors", "max_distance"),
    "contributions": ("explain", "top"),
    "js_test": ("rows", "test"),
}
"""What does the same in the command: a subcommand, and an option or argument that it has for it."""


class Row(NamedTuple):
    """A function, which may have relatives."""

    name: str
    function: Callable[..., Any]
    module: str

    @property
    def path(self) -> str:
        """Where it is documented."""
        return f"{self.module}.{self.name}"


def rows() -> list[Row]:
    """Return the functions, in the order of their modules."""
    found = []
    for module in MODULES:
        place = module.__name__ if module is stats else "jsdiv_numba"
        for name in sorted(module.__all__):
            function = getattr(module, name)
            if inspect.isfunction(function) and not name.endswith("_logit"):
                found.append(Row(name, function, place))
    return found


def names_in(module: str) -> list[str]:
    """Return the public names of a module that needs a package or a device, without importing."""
    tree = ast.parse((ROOT / "jsdiv_numba" / f"{module}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no __all__")


def link(path: str) -> str:
    """Return a cell that leads to where a function is documented."""
    return f"{{func}}`✓ <{path}>`"


def _relative(suffix: str) -> Callable[[Row], str | None]:
    def cell(row: Row) -> str | None:
        name = f"{row.name}{suffix}"
        return link(f"jsdiv_numba.{name}") if name in jsdiv_numba.__all__ else None

    return cell


def _weights(row: Row) -> str | None:
    parameters = inspect.signature(row.function).parameters
    return link(row.path) if {"weight", "weights"} & set(parameters) else None


def _many(row: Row) -> str | None:
    if "over" in inspect.signature(row.function).parameters:
        return link(row.path)
    return _relative("_many")(row)


def _pairs(row: Row) -> str | None:
    if row.name in METRICS:
        return link("jsdiv_numba.cdist")
    tests = {"js_test": "cdist_test"}
    if row.name in tests:
        return link(f"{row.module}.{tests[row.name]}")
    of_pairs = row.name.startswith(("cdist", "pdist")) or "neighbors" in row.name
    return link(row.path) if of_pairs else None


def _sparse(row: Row) -> str | None:
    """Whether the function takes sparse rows: it is called with them."""
    some = sparse.csr_array(ROWS)
    parameters = list(inspect.signature(row.function).parameters.values())
    wanted = [p for p in parameters if p.default is p.empty or p.name == "y"]
    given = [some] * len(wanted)
    if row.name == "contributions":
        given = [some[[0]], some[[1]]]
    options: dict[str, Any] = {"n_neighbors": 1} if row.name.startswith("kneighbors") else {}
    if row.name == "jensenshannon":
        options["axis"] = 1
    try:
        row.function(*given, **options)
    except (TypeError, ValueError):
        return None
    return link(row.path)


def _in_numba(row: Row) -> str | None:
    return "{doc}`✓ <api/jitted>`" if row.name in jitted.__all__ else None


def _in(module: str) -> Callable[[Row], str | None]:
    def cell(row: Row) -> str | None:
        return link(f"jsdiv_numba.{module}.{row.name}") if row.name in names_in(module) else None

    return cell


def _command(row: Row) -> str | None:
    command, option = COMMANDS.get(row.name, ("pairwise", "metric"))
    given = next(p for p in cli.jsdiv.commands[command].params if p.name == option)
    if row.name in COMMANDS or row.name in getattr(given.type, "choices", ()):
        return f"[{command}](guide/command.md)"
    return None


COLUMNS: dict[str, Callable[[Row], str | None]] = {
    "probabilities": lambda row: link(row.path),
    "logits": _relative("_logit"),
    "weights": _weights,
    "many": _many,
    "pairs": _pairs,
    "sparse": _sparse,
    "gradient": _relative("_grad"),
    "Numba": _in_numba,
    "Dask": _in("dask"),
    "CUDA": _in("cuda"),
    "PyTorch": _in("torch"),
    "JAX": _in("jax"),
    "command": _command,
}


def table() -> str:
    """Return the table."""
    lines = [["", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    for row in rows():
        cells = [cell(row) or "–" for cell in COLUMNS.values()]
        lines.append([f"`{row.name}`", *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page() -> str:
    """Return the page with the table as it is to be."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
