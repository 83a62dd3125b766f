"""Rows that are mostly zeros, against the peers: ``python -m benchmarks.sparse``.

The roofline is that of accumulations at random: one addition to a place that a list of columns
says, for each column that two rows share.
"""

import argparse
import ctypes
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from scipy.spatial import distance

from benchmarks import memory, roofline
from benchmarks.neighbors import NUMBER
from benchmarks.tables import Goal, Line, duration, heading, ratios, significant, table
from benchmarks.timing import Contender, progress
from jsdiv_numba import cdist, kneighbors, pdist

Rows = Any
"""A matrix of SciPy's in compressed rows."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    pairs: int
    """Rows of the matrices that are compared with themselves."""

    columns: int
    dense: int
    search: tuple[int, int]
    """Rows and columns of the matrix that is searched."""

    repeats: int
    peers: int
    """Rows that slow peers compare with each other."""


FULL = Sizes(2_000, 100_000, 1_000, (10_000, 100_000), 3, 16)
QUICK = Sizes(40, 400, 40, (60, 400), 1, 4)


def cpu_seconds(contenders: Sequence[Contender]) -> dict[str, float]:
    """Return the median of the processor's time that a call of each takes, all in turn.

    Each computes on one thread, and searches take minutes: that of the clock has what others
    do meanwhile in it.
    """
    samples: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for contender in contenders:
        contender.call()
    for turn in range(max(contender.repeats for contender in contenders)):
        for contender in contenders:
            if turn < contender.repeats:
                samples[contender.name].append(_timed(contender.call)[1])
    return {name: statistics.median(times) for name, times in samples.items()}


def uniform(rng: np.random.Generator, number: int, width: int, filled: float = 0.01) -> Rows:
    draw = {"density": filled, "format": "csr", "rng": rng}
    found = sparse.random_array((number, width), **draw)
    found.sort_indices()
    return found


def words(rng: np.random.Generator, number: int, width: int, mean: float = 400) -> Rows:
    """Return bags of words: half of them by Zipf's law, half by that of one of 40 topics."""
    shares = 1 / np.arange(1, width + 1) ** 1.07
    cumulative = np.cumsum(shares / shares.sum())
    topics = [rng.permutation(width) for _ in range(40)]
    lengths = rng.lognormal(np.log(mean) - 0.32, 0.8, number).astype(int).clip(20)
    rows = np.arange(number).repeat(lengths)
    drawn = np.searchsorted(cumulative, rng.random(len(rows))).clip(max=width - 1)
    topical = rng.random(len(rows)) < 0.5
    for k, permutation in enumerate(topics):
        own = topical & (rows % len(topics) == k)
        drawn[own] = permutation[drawn[own]]
    found = sparse.csr_array((np.ones(len(rows)), (rows, drawn)), shape=(number, width))
    found.sum_duplicates()
    return sparse.csr_array(
        (found.data, found.indices.astype(np.intc), found.indptr.astype(np.intc)), found.shape
    )


def cells(rng: np.random.Generator, number: int, width: int) -> Rows:
    """Return counts of single cells of 12 types, of which some 14 % of the genes are seen."""
    mean = rng.gamma(0.25, 1, width)
    profiles = mean * rng.gamma(2, 0.5, (12, width))
    profiles /= profiles.sum(axis=1, keepdims=True)
    depths = 0.22 * width * rng.lognormal(0, 0.4, number)
    blocks = [
        sparse.csr_array(rng.poisson(profiles[i % 12] * depths[i])[np.newaxis].astype(float))
        for i in range(number)
    ]
    return sparse.csr_array(sparse.vstack(blocks))


def shared_entries(X: Rows) -> float:
    """Return how many columns two rows share on average."""
    there = np.bincount(X.indices, minlength=X.shape[1]).astype(float)
    return float((there**2).sum()) / X.shape[0] ** 2


def pynndescent_seconds(X: Rows, number: int) -> float:
    """Return the time of one pair by pynndescent's metric of sparse rows."""
    from pynndescent.sparse import sparse_jensen_shannon_divergence as metric

    rows = [
        (X.indices[a:b], X.data[a:b].astype(np.float32))
        for a, b in zip(X.indptr[:number], X.indptr[1 : number + 1], strict=True)
    ]
    metric(*rows[0], *rows[1])

    def call() -> None:
        for p in rows:
            for q in rows:
                metric(*p, *q)

    return cpu_seconds([Contender("", call, repeats=3)])[""] / number**2


def accumulations(X: Rows, repeats: int) -> float:
    """Return the time of one accumulation at random, through a list of places."""
    from numba import njit

    @njit(nogil=True)  # type: ignore[untyped-decorator]
    def scatter(places: np.ndarray, values: np.ndarray, target: np.ndarray) -> None:
        for k in range(len(places)):
            target[places[k]] += values[k]

    columns = X.tocsc()
    target = np.zeros(X.shape[0])
    call = Contender("", lambda: scatter(columns.indices, columns.data, target), repeats=repeats)
    return cpu_seconds([call])[""] / max(1, X.nnz)


def lines_of_pairs(kind: str, X: Rows, sizes: Sizes, goals: tuple[Goal, Goal, Goal]) -> list[Line]:
    progress(kind)
    number, width = X.shape
    some = X[: sizes.peers].toarray()
    few = X[: max(2, number // 10)]
    floor = accumulations(X, sizes.repeats)
    timed = [
        Contender("ours", lambda: cdist(X, X, workers=1), repeats=sizes.repeats),
        Contender("SciPy", lambda: distance.cdist(some, some, "jensenshannon"), repeats=3),
    ]
    dense = np.maximum(few.toarray(), 1e-300)
    timed.append(Contender("dense", lambda: cdist(dense, dense, workers=1), repeats=3))
    seconds = cpu_seconds(timed)
    pair = {
        "ours": seconds["ours"] / number**2,
        "SciPy, densified": seconds["SciPy"] / len(some) ** 2,
        "our dense rows": seconds["dense"] / len(dense) ** 2,
        "pynndescent": pynndescent_seconds(X, sizes.peers),
    }
    entry = pair["ours"] / shared_entries(X)
    what = f"{number:,} × {width:,} {kind}, {X.nnz / number:.0f} entries a row"
    shown = f"{significant(floor / entry * 100)} % of random accumulations"
    ours = duration(pair["ours"])
    return [
        Line(f"{what}: ns a shared entry", entry * 1e9, goals[0], ours, "", shown),
        *(
            Line(f"{what} / {other}", pair[other] / pair["ours"], goal, ours, duration(pair[other]))
            for other, goal in (
                ("pynndescent", goals[1]),
                ("SciPy, densified", goals[2]),
                ("our dense rows", Goal()),
            )
        ),
    ]


DENSE = (
    ("full", 100, 1.0),
    ("full", 1024, 1.0),
    *(("uniform", 200, filled) for filled in (0.8, 0.6, 0.5, 0.4, 0.3, 0.23)),
    ("uniform", 50, 0.23),
    ("uniform", 200, 0.12),
    ("uniform", 1_000, 0.05),
    ("counts", 2_000, 0.05),
)
"""Dense arrays: how they are filled, of how many columns, and which share of them."""


def dense_rows(kind: str, rng: np.random.Generator, number: int, width: int, filled: float) -> Any:
    rows = rng.standard_exponential((number, width))
    if kind == "counts":
        rows = np.ceil(5 * rows)
    if filled < 1:
        rows *= rng.random(rows.shape) < filled
    rows[:, 0] += 1
    return rows


def lines_of_dense(sizes: Sizes, rng: np.random.Generator) -> list[Line]:
    """Time arrays that are not sparse but mostly zero, against fastjsd and SciPy."""
    import fastjsd

    lines = []
    for kind, width, filled in DENSE:
        progress(f"dense, {width} columns, {filled:.0%} filled")
        X = dense_rows(kind, rng, sizes.dense, width, filled)
        few = X[: sizes.dense // 5]
        seconds = cpu_seconds(
            [
                Contender("ours", partial(pdist, X, workers=1), repeats=sizes.repeats),
                Contender(
                    "fastjsd",
                    partial(fastjsd.jsd_pdist, X, base=np.e, threads=1),
                    repeats=sizes.repeats,
                ),
                Contender(
                    "SciPy",
                    partial(distance.pdist, few, "jensenshannon"),
                    repeats=min(3, sizes.repeats),
                ),
            ]
        )
        whole = (len(X) / len(few)) ** 2
        times = seconds["fastjsd"], seconds["SciPy"] * whole
        what = f"`pdist`, {len(X):,} × {width:,}, {kind}, {filled:.0%} filled"
        goals = Goal(2) if filled < 1 else Goal(), Goal()
        for other, took, goal in zip(("fastjsd", "SciPy"), times, goals, strict=True):
            cells = duration(seconds["ours"]), duration(took)
            lines.append(Line(f"{what} / {other}", took / seconds["ours"], goal, *cells))
    return lines


FILLED = (0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 1.0)
"""Which share of sparse rows is filled."""

LENGTHS = (32, 100, 1_000, 20_000)


def fillings(sizes: Sizes, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Compare times of sparse rows with those of the same rows as dense arrays, at any filling."""
    return [
        (f"{number:,} × {length:,}", kind, *(significant(ratio) for ratio in found))
        for length in LENGTHS
        for number in [
            max(sizes.dense // 10, min(sizes.dense * 3 // 2, sizes.dense * 400 // length))
        ]
        for kind, found in _ratios_of(rng, number, length, sizes).items()
    ]


def _ratios_of(
    rng: np.random.Generator, number: int, length: int, sizes: Sizes
) -> dict[str, list[float]]:
    """Return how many times as long sparse rows take, by what is done and at each filling."""
    ratios: dict[str, list[float]] = {}
    for filled in FILLED:
        progress(f"{number} × {length}, {filled:.0%} filled")
        X = dense_rows("uniform", rng, number, length, filled)
        mixed = X.copy()
        mixed[::16] = rng.random(mixed[::16].shape)
        small = X.astype(np.float32)
        for kind, rows, call in (
            ("`cdist`, float64", X, lambda A, B: cdist(A, A, workers=1)),
            ("`cdist`, float32", small, lambda A, B: cdist(A, A, workers=1)),
            ("one side dense", X, lambda A, B: cdist(A, B, workers=1)),
            ("1 in 16 is full", mixed, lambda A, B: cdist(A, A, workers=1)),
            ("`pdist`", X, lambda A, B: pdist(A, workers=1)),
            ("3 nearest", X, lambda A, B: kneighbors(A, n_neighbors=3, workers=1)),
        ):
            given = sparse.csr_array(rows)
            timed = [
                Contender("sparse", partial(call, given, rows), repeats=sizes.repeats),
                Contender("dense", partial(call, rows, rows), repeats=sizes.repeats),
            ]
            seconds = cpu_seconds(timed)
            ratios.setdefault(kind, []).append(seconds["sparse"] / seconds["dense"])
    return ratios


def search(sizes: Sizes, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Search the nearest rows exactly, and by pynndescent's index of sparse rows."""
    import pynndescent

    progress("search")
    X = words(rng, *sizes.search)
    kneighbors(X[:50], n_neighbors=NUMBER, workers=1)
    (_, exact), ours = _timed(lambda: kneighbors(X, n_neighbors=NUMBER, workers=1))
    options = {"metric": "jensen_shannon", "n_jobs": 1, "random_state": 0}
    pynndescent.NNDescent(X[:50].astype(np.float32), **options).query(X[:5].astype(np.float32))
    single = X.astype(np.float32)

    def approximate() -> Any:
        index = pynndescent.NNDescent(single, n_neighbors=NUMBER + 1, **options)
        return index.query(single, k=NUMBER + 1)[0]

    found, theirs = _timed(approximate)
    others = [row[row != i][:NUMBER] for i, row in enumerate(found)]
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(others, exact, strict=True)])
    what = f"{X.shape[0]:,} × {X.shape[1]:,} words, the {NUMBER} nearest of each"
    return [
        (what, "this library", duration(ours), "1", "100 %"),
        (what, "pynndescent", duration(theirs), significant(theirs / ours), f"{recall:.1%}"),
    ]


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def memory_line(sizes: Sizes, rng: np.random.Generator) -> list[Line]:
    """Measure what `max_distance` takes beyond its input, where the system tells."""
    if not memory.CLEAR.exists():
        return []
    X = words(rng, *sizes.search)
    given = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    cdist(X[:100], X[:100], max_distance=0.3, workers=1)
    # What the tables before have freed goes back to the system, lest the call reuse it unseen.
    ctypes.CDLL(None).malloc_trim(0)
    memory.CLEAR.write_text(memory.RESET_PEAK)
    before = memory.status("VmRSS")
    cdist(X, X[:2000], max_distance=0.3, workers=1)
    beyond = memory.status("VmHWM") - before
    what = f"memory beyond {X.nnz:,} entries, pairs up to a distance / these"
    goal = Goal(3, smaller_is_better=True)
    return [Line(what, beyond / given, goal, f"{beyond / 1e6:.0f} MB", f"{given / 1e6:.0f} MB")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--part", choices=PARTS, help="one table alone")
    options = parser.parse_args(arguments)
    sizes, rng = QUICK if options.quick else FULL, np.random.default_rng()
    chosen = [options.part] if options.part else list(PARTS)
    found = {part: PARTS[part](sizes, rng) for part in chosen}
    note = (
        "The processor's time of one thread, the median of 3. words: half by Zipf's law, half by "
        "that of one of 40 topics; cells: 12 types; "
        "SciPy's rows are dense, of a few of the rows; pynndescent's metric takes each pair by "
        "itself, its index is built and queried once, after compiling; our dense rows have no zeros"
    )
    more = [*(["--quick"] if options.quick else []), *(["--part", *chosen] if options.part else [])]
    print(
        heading(" ".join(["python -m benchmarks.sparse", *more]), roofline.instruction_set(), note)
    )
    for part in chosen:
        print()
        headings = HEADINGS.get(part)
        print(table(headings, found[part]) if headings else ratios(found[part]))


def pairs(sizes: Sizes, rng: np.random.Generator) -> list[Line]:
    no_goal = Goal(), Goal(), Goal()
    most = Goal(10, smaller_is_better=True)
    few = replace(sizes, pairs=sizes.pairs // 8)
    return [
        *lines_of_pairs(
            "words", words(rng, sizes.pairs, sizes.columns), sizes, (most, Goal(50), Goal(500))
        ),
        *lines_of_pairs(
            "cells", cells(rng, few.pairs, sizes.columns // 5), few, (most, Goal(), Goal())
        ),
        *lines_of_pairs("uniform", uniform(rng, sizes.pairs, sizes.columns), sizes, no_goal),
        *memory_line(sizes, rng),
    ]


PARTS: dict[str, Callable[[Sizes, np.random.Generator], Any]] = {
    "pairs": pairs,
    "dense": lines_of_dense,
    "fillings": fillings,
    "search": search,
}

HEADINGS = {
    "fillings": ("rows", "sparse / dense", *(f"{filled:.0%}" for filled in FILLED)),
    "search": ("rows", "by", "time", "times as long", "recall"),
}
"""Of the tables that are not of ratios with goals."""


if __name__ == "__main__":
    main()
