"""Find functions of Python's standard library that are all but copies of each other.

Draws `docs/_static/duplicates.png`: how far the nearest other function is, for every function. A
function is a row of counts: how often each name, operator and constant is in it.
"""

import argparse
import ast
import sysconfig
import time
import tokenize
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy import sparse

from jsdiv_numba import kneighbors

LEFT_OUT = {"test", "tests", "idlelib", "idle_test", "site-packages", "dist-packages", "lib2to3"}
FEWEST_TOKENS = 60
COPIED = 0.1
"""Functions that are nearer than this are all but copies."""

DROPPED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}


class Functions(NamedTuple):
    """The functions of some modules, and how often each token is in them."""

    names: list[str]
    counts: sparse.csr_array


def functions_in(path: Path) -> Iterator[tuple[str, Counter[str]]]:
    """Yield the functions of a file that are long enough, without their docstrings."""
    text = path.read_text(encoding="utf-8", errors="replace")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[bool(ast.get_docstring(node)) :]
            if body:
                source = "\n".join(ast.unparse(statement) for statement in body)
                tokens = tokenize.generate_tokens(StringIO(source).readline)
                counts = Counter(each.string for each in tokens if each.type not in DROPPED)
                if counts.total() >= FEWEST_TOKENS:
                    yield node.name, counts


def read_library() -> Functions:
    """Read the functions of the standard library."""
    library = Path(sysconfig.get_path("stdlib"))
    names, found = [], []
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if not LEFT_OUT.intersection(parts) and "encodings" not in parts:
            module = ".".join(parts).removesuffix(".__init__")
            for name, counts in functions_in(path):
                names.append(f"{module}.{name}")
                found.append(counts)
    column = {token: j for j, token in enumerate(sorted(set().union(*found)))}
    entries = [(i, column[t], n) for i, counts in enumerate(found) for t, n in counts.items()]
    i, j, count = np.array(entries).T
    shape = len(found), len(column)
    return Functions(names, sparse.csr_array((count.astype(float), (i, j)), shape=shape))


def draw(distance: np.ndarray) -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(7, 3.6), layout="constrained", dpi=120)
    axes = figure.subplots()
    edges = np.linspace(0, np.sqrt(np.log(2)), 42)
    _, _, bars = axes.hist(distance, edges, color="#2a6fbb")
    copied = distance <= COPIED
    for bar, edge in zip(bars, edges, strict=False):
        if edge < COPIED:
            bar.set_color("#c2185b")
    axes.annotate(
        f"{copied.sum()} functions are\nall but copies of another",
        (0.06, copied.sum() / 3),
        (0.04, 0.55),
        textcoords="axes fraction",
        color="#c2185b",
        arrowprops={"arrowstyle": "-", "color": "#c2185b"},
    )
    axes.set_xlabel("Jensen-Shannon distance from the nearest other function")
    axes.set_ylabel("functions")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def nearest(functions: Functions) -> tuple[np.ndarray, np.ndarray]:
    """Return how far the nearest other function of each is, and which it is."""
    distance, index = kneighbors(functions.counts, n_neighbors=1)
    return distance[:, 0], index[:, 0]


def main() -> None:
    """Read, search and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", type=Path, default="duplicates.png")
    options = parser.parse_args()
    functions = read_library()
    start = time.perf_counter()
    distance, index = nearest(functions)
    seconds = time.perf_counter() - start
    draw(distance).savefig(options.plot)
    print(f"{len(distance):,} functions, searched in {seconds:.1f} s")
    copies, equal = (distance <= COPIED).sum(), (distance == 0).sum()
    print(f"{copies} are nearer than {COPIED} to another, {equal} are equal to it")
    pairs = sorted({(distance[k], *sorted((k, index[k]))) for k in np.argsort(distance)})
    for apart, i, j in pairs:
        names = functions.names[i], functions.names[j]
        if apart <= COPIED and len({name.split(".")[0] for name in names}) == 2:
            print(f"{apart:.3f}  {names[0]}, {names[1]}")


if __name__ == "__main__":
    main()
