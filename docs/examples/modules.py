"""Find the module that a test of Python's standard library tests, by the words of both files.

Draws `docs/_static/modules.png`: for which share of the tests it is among the nearest modules, by
Jensen-Shannon distance, by cosine, and by that of weighted counts. Rows are sparse.
"""

import argparse
import re
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neighbors import NearestNeighbors

from jsdiv_numba import kneighbors

LIBRARY = Path(sysconfig.get_path("stdlib"))
LEAST = 300
"""Words of a file that is looked at."""

NEAREST = 30
COLOURS = {"Jensen-Shannon": "#0b5cad", "cosine, tf-idf": "#d1731f", "cosine": "0.45"}


def read_words(folder: Path = LIBRARY) -> tuple[list[str], csr_array]:
    """Return the names of modules and of tests, and how often each has each word."""
    place: dict[str, int] = {}
    counts: dict[str, Counter[str]] = {}
    for path in sorted([*folder.glob("*.py"), *folder.glob("test/test_*.py")]):
        text = path.read_text(encoding="utf-8", errors="replace")
        found = re.findall(r"[^\W\d]{2,}", text)
        if len(found) >= LEAST:
            counts[path.relative_to(folder).with_suffix("").as_posix()] = Counter(found)
    for count in counts.values():
        for word in count:
            place.setdefault(word, len(place))
    starts = np.cumsum([0, *map(len, counts.values())])
    columns = [place[word] for count in counts.values() for word in count]
    values = [float(number) for count in counts.values() for number in count.values()]
    return list(counts), csr_array((values, columns, starts), shape=(len(counts), len(place)))


def split(names: list[str]) -> tuple[list[int], list[int], list[int]]:
    """Return where modules are, where tests of one of them, and which module each tests."""
    modules = [i for i, name in enumerate(names) if not name.startswith("test/")]
    place = {names[i].lstrip("_"): k for k, i in enumerate(modules)}
    tests = [i for i, name in enumerate(names) if name.removeprefix("test/test_") in place]
    tests = [i for i in tests if names[i].startswith("test/")]
    return modules, tests, [place[names[i].removeprefix("test/test_")] for i in tests]


def found_shares(
    words: csr_array, modules: list[int], tests: list[int], tested: list[int]
) -> dict[str, np.ndarray]:
    """Return, for each distance, the share of tests whose module is among the k nearest."""
    X, Y = words[tests], words[modules]
    ranked = {"Jensen-Shannon": kneighbors(X, Y, NEAREST, return_distance=False)}
    weighted = TfidfTransformer().fit(words)
    others = {"cosine, tf-idf": weighted.transform, "cosine": lambda counts: counts}
    for name, weigh in others.items():
        search = NearestNeighbors(n_neighbors=NEAREST, metric="cosine").fit(weigh(Y))
        ranked[name] = search.kneighbors(weigh(X), return_distance=False)
    hits = {name: order == np.array(tested)[:, None] for name, order in ranked.items()}
    return {name: hit.cumsum(axis=1).mean(axis=0) for name, hit in hits.items()}


def draw(shares: dict[str, np.ndarray]) -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    nearest = np.arange(1, NEAREST + 1)
    for name, share in shares.items():
        axes.plot(nearest, 100 * share, color=COLOURS[name], label=name, lw=2)
    axes.set(xlabel="modules that are looked at, from the nearest on", xlim=(1, NEAREST))
    axes.set(ylabel="tests whose module is among them, in %", ylim=(0, 100))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.6))
    return figure


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, help="draw the picture to this file")
    options = parser.parse_args()
    names, words = read_words()
    modules, tests, tested = split(names)
    if not tests:
        raise SystemExit(
            f"{LIBRARY} has no tests of the library: on Debian, install libpython3-testsuite"
        )
    shares = found_shares(words, modules, tests, tested)
    print(f"{words.shape[0]} files, {words.shape[1]:,} words; {len(tests)} tests of a module")
    for name, share in shares.items():
        print(f"{name}: the nearest module is the tested one of {share[0]:.0%} of the tests")
    if options.plot:
        draw(shares).savefig(options.plot, dpi=120)


if __name__ == "__main__":
    main()
