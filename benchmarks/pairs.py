"""All pairs of rows, against the peers and the peak vector rate: ``python -m benchmarks.pairs``."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import distance as scipy_distance

import jsdiv_numba
from benchmarks import assembly, errors, inputs, instructions, memory, peers, roofline
from benchmarks.peers import OURS, Peer
from benchmarks.rows import DTYPES, errors_table, points
from benchmarks.tables import Goal, Line, duration, heading, percent, rate, ratios, significant
from benchmarks.timing import (
    REPEATS,
    Contender,
    Threads,
    calls_for,
    median_seconds,
    progress,
    throughputs,
)
from jsdiv_numba._kernels.compilation import assembly_of
from tests import cases

SLOW_REPEATS = 3
"""Samples of SciPy and scikit-learn, whose calls take a second and more."""

SLOW = ("SciPy", "scikit-learn")
PARTS = 64


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rows: dict[type, int]
    """Rows of the first matrix that this library compares with all of the second."""

    second: int
    length: int
    given: dict[str, int]
    """Rows of the first matrix that a slower peer compares with all of the second."""

    near: int
    """Rows of the matrices with near-duplicates."""

    dimensions: tuple[int, ...]
    numbers: tuple[int, ...]
    small_seconds: float
    peak_turns: int
    judged: int


FULL = Sizes(
    rows={np.float32: 2048, np.float64: 1024},
    second=2048,
    length=1024,
    given={"NumKong": 256, "SimSIMD": 256, "fastjsd": 256, "SciPy": 32, "scikit-learn": 4},
    near=1024,
    dimensions=(10, 100, 10_000),
    numbers=(10, 1000),
    small_seconds=0.02,
    peak_turns=10_000_000,
    judged=100,
)
QUICK = Sizes(
    rows={np.float32: 64, np.float64: 32},
    second=64,
    length=96,
    given={"NumKong": 16, "SimSIMD": 16, "fastjsd": 16, "SciPy": 4, "scikit-learn": 2},
    near=100,
    dimensions=(10, 100),
    numbers=(10, 30),
    small_seconds=0.0005,
    peak_turns=10_000,
    judged=2,
)
LARGEST = 10**8
"""Elements of pairs in the grid that SciPy is given: of more, the first rows."""

GOALS = {
    roofline.AVX512: {
        (np.float32, "SimSIMD"): Goal(2),
        (np.float32, "NumKong"): Goal(3.5),
        (np.float32, "SciPy"): Goal(90),
        (np.float64, "NumKong"): Goal(4),
        (np.float64, "SciPy"): Goal(20),
    },
    roofline.AVX2: {
        (np.float32, "SciPy"): Goal(58),
        (np.float64, "NumKong"): Goal(5),
        (np.float64, "SciPy"): Goal(12),
    },
}
"""By instruction set, as those of rows."""

ROOFLINE_GOAL = Goal(None, 0.7)
PDIST_GOAL = Goal(0.6, 0.5, smaller_is_better=True)
THREADS_GOAL = Goal(0.93, 1)
NEAR_DUPLICATES_GOAL = Goal(1.1, smaller_is_better=True)
MEMORY_GOAL = Goal(1, smaller_is_better=True)
NEVER_SLOWER = Goal(1)

KINDS: dict[str, errors.Draw] = {
    "ordinary": cases.ordinary,
    "with zeros": cases.sparse,
    "near-equal": inputs.near_equal({np.float32: 1e-4, np.float64: 1e-9}),
}

PDIST, TWO_THREADS = "pdist", "two threads"
PEAK, PEAK_PARTS, PEAK_BY_TWO, FMA = "peak", "peak in parts", "peak by two", "multiply-adds"


def contender(peer: Peer, dtype: type, XA: np.ndarray, XB: np.ndarray, sizes: Sizes) -> Contender:
    number = sizes.rows[dtype] if peer.name == OURS else sizes.given[peer.name]
    some = XA[:number]
    repeats = SLOW_REPEATS if peer.name in SLOW else REPEATS
    work = float(len(some) * XB.size)
    return Contender(peer.name, lambda: peer.call(some, XB), work, repeats=repeats)


def references(dtype: type, turns: int) -> list[Contender]:
    """Return what the machine's arithmetic can do, on one thread and on two."""
    threads = Threads(2)
    mixed, operations = roofline.peak_work(dtype, True, turns)
    fused, fused_operations = roofline.peak_work(dtype, False, turns)
    part, of_part = roofline.peak_work(dtype, True, turns // PARTS)

    def in_parts() -> None:
        for _ in range(PARTS):
            part()

    return [
        Contender(PEAK, mixed, operations),
        Contender(FMA, fused, fused_operations),
        Contender(PEAK_PARTS, in_parts, of_part * PARTS),
        Contender(PEAK_BY_TWO, lambda: threads.run(lambda _: part(), PARTS), of_part * PARTS),
    ]


def peak_note(name: str, speed: dict[str, float], loop: assembly.Loop | None) -> str:
    return (
        f"{name}: peak rate {rate(speed[PEAK])} of multiply-adds and integer operations by turns, "
        f"{rate(speed[FMA])} of multiply-adds alone. The hot loop: {loop or 'not read'}."
    )


def against_peers(dtype: type, speed: dict[str, float], share: str = "") -> list[Line]:
    """Return `cdist` against each peer that was timed."""
    name, ours = np.dtype(dtype).name, speed[OURS]
    goals = GOALS.get(roofline.instruction_set(), {})
    return [
        Line(
            f"`cdist`, {name} / {peer}",
            ours / speed[peer],
            goals.get((dtype, peer), Goal()),
            rate(ours),
            rate(speed[peer]),
            share,
        )
        for peer in peers.PAIRS
        if peer in speed and peer != OURS
    ]


def peer_lines(dtype: type, speed: dict[str, float], loop: assembly.Loop | None) -> list[Line]:
    """Return `cdist` against each peer and against the peak rate."""
    name, ours = np.dtype(dtype).name, speed[OURS]
    if not loop:
        return against_peers(dtype, speed)
    peak = max(speed[PEAK], speed[FMA])
    share = ours * loop.per_vector / peak
    operations = f"{loop.per_vector:g} operations an element"
    what, peak_elements = f"`cdist`, {name} / peak rate", rate(peak / loop.per_vector)
    return [
        *against_peers(dtype, speed, f"{percent(share)} of peak rate"),
        Line(what, share, ROOFLINE_GOAL, rate(ours), peak_elements, operations),
    ]


def float32_lines(speed: dict[str, float], pairs: tuple[int, int]) -> list[Line]:
    """Return `pdist` against `cdist`, and two threads against one."""
    of_cdist, of_pdist = pairs[0] / speed[OURS], pairs[1] / speed[PDIST]
    gain, reference = speed[TWO_THREADS] / speed[OURS], speed[PEAK_BY_TWO] / speed[PEAK_PARTS]
    return [
        Line(
            "time of `pdist` / `cdist` of as many rows, float32",
            of_pdist / of_cdist,
            PDIST_GOAL,
            duration(of_pdist),
            duration(of_cdist),
        ),
        Line(
            "gain by a second thread / that of register arithmetic, float32",
            gain / reference,
            THREADS_GOAL,
            f"× {significant(gain)}",
            f"× {significant(reference)}",
            f"{percent(gain / reference)} of what the CPUs give",
        ),
    ]


def measure_precision(
    dtype: type, sizes: Sizes, rng: np.random.Generator
) -> tuple[list[Line], dict[str, float], str]:
    """Return the main lines for one precision, each contender's speed, and a note."""
    name = np.dtype(dtype).name
    progress(f"pairs, {name}")
    XA = inputs.rows(rng, sizes.rows[dtype], sizes.length, dtype)
    XB = inputs.rows(rng, sizes.second, sizes.length, dtype)
    elements = XA.shape[0] * XB.size, len(XA) * (len(XA) - 1) // 2 * XA.shape[1]
    timed = [contender(peer, dtype, XA, XB, sizes) for peer in peers.installed(peers.PAIRS)]
    timed += references(dtype, sizes.peak_turns)
    if dtype is np.float32:

        def by_two() -> Any:
            return jsdiv_numba.cdist(XA, XB, workers=2)

        timed += [
            Contender(TWO_THREADS, by_two, float(elements[0])),
            Contender(PDIST, lambda: jsdiv_numba.pdist(XA, workers=1), float(elements[1])),
        ]
    speed = throughputs(timed)
    loop = assembly.hot_loop(assembly_of("pairs", name), instructions.shape_of("pairs", name))
    lines = peer_lines(dtype, speed, loop)
    if dtype is np.float32:
        lines += float32_lines(speed, elements)
    return lines, speed, peak_note(name, speed, loop)


def some_near_duplicates(dtype: type, sizes: Sizes, rng: np.random.Generator) -> Line:
    """Time matrices in which 1 % of all pairs are near-duplicates."""
    name, number = np.dtype(dtype).name, sizes.near
    progress(f"near-duplicates among others, {name}")
    apart = [inputs.rows(rng, number, sizes.length, dtype) for _ in range(2)]
    clustered = inputs.clusters(rng, number, sizes.length, number // 100, dtype)
    close = [clustered, inputs.near_duplicates(rng, clustered)]
    calls = {
        "apart": lambda: jsdiv_numba.cdist(*apart, workers=1),
        "close": lambda: jsdiv_numba.cdist(*close, workers=1),
    }
    seconds = median_seconds([Contender(key, call) for key, call in calls.items()])
    return Line(
        f"time with 1 % of pairs near-duplicates / with none, {name}",
        seconds["close"] / seconds["apart"],
        NEAR_DUPLICATES_GOAL,
        duration(seconds["close"]),
        duration(seconds["apart"]),
    )


def only_near_duplicates(dtype: type, sizes: Sizes, rng: np.random.Generator) -> Line:
    """Time a matrix of which all rows are near-duplicates of each other."""
    name = np.dtype(dtype).name
    progress(f"near-duplicates only, {name}")
    X = inputs.clusters(rng, sizes.near, sizes.length, sizes.near, dtype)
    ours, theirs = X[: sizes.near // 4], X[: sizes.given["SciPy"]]

    def scipy() -> Any:
        # Where the sum comes out below 0, SciPy warns of the square root.
        with np.errstate(invalid="ignore"):
            return scipy_distance.cdist(theirs, X, "jensenshannon")

    contenders = [
        Contender(OURS, lambda: jsdiv_numba.cdist(ours, X, workers=1), float(len(ours) * X.size)),
        Contender("SciPy", scipy, float(len(theirs) * X.size), repeats=SLOW_REPEATS),
    ]
    speed = throughputs(contenders)
    return Line(
        f"near-duplicates only, {name} / SciPy",
        speed[OURS] / speed["SciPy"],
        NEVER_SLOWER,
        rate(speed[OURS]),
        rate(speed["SciPy"]),
    )


def grid_line(function: str, X: np.ndarray, sizes: Sizes) -> Line:
    """Time `cdist` or `pdist` of one shape against SciPy's, on the same rows."""
    number, length = X.shape
    pairs = LARGEST // length
    if function == "cdist":
        used = min(number, pairs // number)
        given: tuple[np.ndarray, ...] = (X[:used], X.copy())
    else:
        used = min(number, int((2 * pairs) ** 0.5))
        given = (X[:used],)
    own, theirs = getattr(jsdiv_numba, function), getattr(scipy_distance, function)

    def scipy() -> Any:
        return theirs(*given, "jensenshannon")

    calls = calls_for(scipy, sizes.small_seconds)
    seconds = median_seconds(
        [
            Contender(OURS, lambda: own(*given, workers=1), calls=calls),
            Contender("SciPy", scipy, calls=calls, repeats=SLOW_REPEATS if calls == 1 else REPEATS),
        ]
    )
    of_them = f", {used} of them against all" if function == "cdist" else f", {used} of them"
    return Line(
        f"`{function}`, {X.dtype}, {number:,} rows of {length:,}{of_them if used < number else ''}",
        seconds["SciPy"] / seconds[OURS],
        NEVER_SLOWER,
        duration(seconds[OURS]),
        duration(seconds["SciPy"]),
    )


def grid(dtype: type, sizes: Sizes, rng: np.random.Generator) -> list[Line]:
    """Return the lines for all shapes against SciPy."""
    lines = []
    for length in sizes.dimensions:
        for number in sizes.numbers:
            progress(f"{number} rows of {length}, {np.dtype(dtype).name}")
            X = inputs.rows(rng, number, length, dtype)
            lines += [grid_line(function, X, sizes) for function in ("cdist", "pdist")]
    return lines


def memory_lines(dtype: type, sizes: Sizes) -> list[Line]:
    """Return what `cdist` and `pdist` need beside input and output, of what they may."""
    lines = []
    for function in ("cdist", "pdist"):
        progress(f"memory of {function}")
        shape = function, np.dtype(dtype).name, sizes.second, sizes.length
        beyond, allowed = memory.beyond(*shape), memory.allowed(*shape)
        if beyond is not None:
            what = f"peak memory of `{function}`, {shape[1]} / one copy of the rows + 16 MB"
            sizes_in_mb = (f"{amount / 1e6:.1f} MB" for amount in (beyond, allowed))
            lines.append(Line(what, beyond / allowed, MEMORY_GOAL, *sizes_in_mb))
    return lines


def judge(sizes: Sizes) -> dict[str, dict[str, errors.Errors]]:
    return {
        np.dtype(dtype).name: errors.worst_errors(
            peers.installed(peers.PAIRS), KINDS, dtype, sizes.judged, errors.of_probabilities
        )
        for dtype in DTYPES
    }


def size_note(sizes: Sizes) -> str:
    """Say how many rows each is given."""
    second = f"{sizes.second:,} others"
    given = {"float32": sizes.rows[np.float32], "float64": sizes.rows[np.float64]}
    ours = " and ".join(f"{number:,} ({name})" for name, number in given.items())
    theirs = ", ".join(f"{peer} {number}" for peer, number in sizes.given.items())
    return (
        f"Rows of {sizes.length:,} elements, drawn uniformly from the simplex. To keep the run "
        f"short, not all compare as many with {second}: jsdiv_numba {ours}, {theirs}. Speeds are "
        f"elements of pairs a second. Median of {REPEATS}, but of {SLOW_REPEATS} where SciPy or "
        "scikit-learn takes long; one thread unless it says otherwise"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--json", type=Path, help="also write what the picture shows here")
    options = parser.parse_args(arguments)
    sizes, rng = QUICK if options.quick else FULL, np.random.default_rng()
    lines, speeds, notes = [], {}, []
    for dtype in DTYPES:
        found, speeds[np.dtype(dtype).name], note = measure_precision(dtype, sizes, rng)
        lines += found
        notes.append(note)
    for measure in (some_near_duplicates, only_near_duplicates):
        lines += [measure(dtype, sizes, rng) for dtype in DTYPES]
    lines += [line for dtype in DTYPES for line in memory_lines(dtype, sizes)]
    shapes = [line for dtype in DTYPES for line in grid(dtype, sizes, rng)]
    worst = judge(sizes)
    command = " ".join(["python -m benchmarks.pairs", *(["--quick"] if options.quick else [])])
    missing = peers.note_on_missing(peers.PAIRS)
    print(heading(command, roofline.instruction_set(), size_note(sizes), *notes, missing))
    print(f"\n{ratios(lines)}\n\nSciPy's time over ours:\n\n{ratios(shapes)}")
    print(f"\n{errors_table(worst, list(KINDS))}")
    if options.json:
        options.json.write_text(json.dumps(points("pairs", speeds, worst), indent=1) + "\n")


if __name__ == "__main__":
    main()
