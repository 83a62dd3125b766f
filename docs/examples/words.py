"""Find, by the words in it, which module of Python's standard library each is most like.

Draws `docs/_static/words.png`: for the modules of the largest packages, in their order, the nearest
of all modules. A module is a row of 20,000 columns, of which fewer than one in 100 is not 0.
"""

import argparse
import sysconfig
import tokenize
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy import sparse

from jsdiv_numba import kneighbors

LEFT_OUT = {"test", "tests", "idlelib", "idle_test", "site-packages", "dist-packages", "lib2to3"}
FEWEST_WORDS = 100
PACKAGES = 12


class Words(NamedTuple):
    """How often each word is in each module."""

    modules: list[str]
    counts: sparse.csr_array


def package_of(module: str) -> str:
    """Return the package of a module, or its own name."""
    return module.partition(".")[0]


def words_in(path: Path) -> Counter[str]:
    """Count the names that a file uses, without comments and strings."""
    with tokenize.open(path) as file:
        tokens = tokenize.generate_tokens(file.readline)
        return Counter(each.string for each in tokens if each.type == tokenize.NAME)


def read_library() -> Words:
    """Read the modules of the standard library that have some words."""
    library = Path(sysconfig.get_path("stdlib"))
    found: dict[str, Counter[str]] = {}
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library).with_suffix("").parts
        if not LEFT_OUT.intersection(parts) and "encodings" not in parts:
            name = ".".join(parts).removesuffix(".__init__")
            found[name] = words_in(path)
    found = {name: words for name, words in found.items() if words.total() >= FEWEST_WORDS}
    column = {word: j for j, word in enumerate(sorted(set().union(*found.values())))}
    entries = [
        (i, column[word], count)
        for i, words in enumerate(found.values())
        for word, count in words.items()
    ]
    i, j, count = np.array(entries).T
    shape = len(found), len(column)
    return Words(list(found), sparse.csr_array((count.astype(float), (i, j)), shape=shape))


def nearest(words: Words) -> np.ndarray:
    """Return which module each is most like."""
    _, index = kneighbors(words.counts, n_neighbors=1)
    return index[:, 0]


def largest_packages(words: Words) -> list[str]:
    """Return the packages with the most modules, by name."""
    sizes = Counter(map(package_of, words.modules))
    return sorted(name for name, _ in sizes.most_common(PACKAGES))


def draw(words: Words, index: np.ndarray) -> Figure:
    """Return the picture."""
    packages = largest_packages(words)
    of = [package_of(name) for name in words.modules]
    inside = [i for i, package in enumerate(of) if package in packages]
    place = {i: k for k, i in enumerate(inside)}
    figure = Figure(figsize=(7, 6.4), layout="constrained", dpi=120)
    axes = figure.subplots()
    for package in packages:
        own = [place[i] for i in inside if of[i] == package]
        square = own[0] - 0.5, own[-1] + 0.5
        axes.fill_between(square, *square, color="#2a6fbb", alpha=0.15, linewidth=0)
    elsewhere = -0.06 * len(inside)
    for i in inside:
        other = place.get(int(index[i]), elsewhere)
        home = of[i] == of[index[i]]
        axes.plot(place[i], other, "o", markersize=3, color="#2a6fbb" if home else "#c2185b")
    middles = [np.mean([place[i] for i in inside if of[i] == package]) for package in packages]
    axes.set_xticks(middles, packages, rotation=60, ha="right")
    axes.set_yticks([elsewhere, *middles], ["elsewhere", *packages])
    axes.set_xlabel("module, by package")
    axes.set_ylabel("the module whose words are nearest")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
    return figure


def main() -> None:
    """Read, search and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", type=Path, default="words.png")
    options = parser.parse_args()
    words = read_library()
    index = nearest(words)
    draw(words, index).savefig(options.plot)
    rows, columns = words.counts.shape
    full = words.counts.nnz / rows / columns
    print(f"{rows} modules, {columns:,} words; {full:.2%} of the counts are not 0")
    for package in largest_packages(words):
        own = [i for i, name in enumerate(words.modules) if package_of(name) == package]
        home = sum(package_of(words.modules[index[i]]) == package for i in own)
        print(f"{package:16} {home} of {len(own)} have their nearest in the package")
    for name in ("random", "statistics", "csv", "bisect", "json.decoder", "queue", "pathlib"):
        if name in words.modules:
            print(f"{name:16} is most like {words.modules[index[words.modules.index(name)]]}")


if __name__ == "__main__":
    main()
