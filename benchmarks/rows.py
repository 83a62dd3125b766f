"""Row by row, against the peers and the memory's bandwidth: ``python -m benchmarks.rows``."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import jsdiv_numba
from benchmarks import assembly, errors, inputs, instructions, peers, roofline
from benchmarks.peers import OURS, Peer
from benchmarks.tables import Goal, Line, heading, percent, rate, ratios, table
from benchmarks.timing import (
    LEAST_OF_CPU,
    MEDIAN,
    REPEATS,
    Contender,
    Threads,
    Timing,
    progress,
    throughputs,
)
from jsdiv_numba._kernels.compilation import assembly_of
from tests import cases

DTYPES = (np.float32, np.float64)
PARTS = 16
"""Of the reference kernel's work, for two threads to share."""

SLOW, SLOW_REPEATS = ("SciPy", peers.JAX, "PyTorch"), 5
"""Those that make temporary arrays as large as the input, and how often they are timed."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rows: int
    length: int
    judged: int
    peak_turns: int


FULL = Sizes(20_000, 1_024, judged=100, peak_turns=5_000_000)
QUICK = Sizes(400, 96, judged=2, peak_turns=10_000)

BANDWIDTH = "`sum(P*Q)`"
GOALS = {
    roofline.AVX512: {
        (np.float32, "NumKong"): Goal(1.0, 1.4),
        (np.float32, "SimSIMD"): Goal(1),
        (np.float32, "SciPy"): Goal(60),
        (np.float64, "NumKong"): Goal(1.4, 2),
        (np.float64, "SciPy"): Goal(30),
        (np.float64, BANDWIDTH): Goal(0.65),
    },
    roofline.AVX2: {
        (np.float32, "SciPy"): Goal(54),
        (np.float64, "SimSIMD"): Goal(1),
        (np.float64, "SciPy"): Goal(40),
    },
}
"""By instruction set. Where peers choose instructions by the processor, not as Numba is told, those
of AVX2 are against what the processor has."""

THREADS_GOALS = {np.float32: Goal(0.8, 0.95), np.float64: Goal(0.55, 0.9)}
COLUMNS_GOAL = Goal(0.95, 1)
LOGITS_GOAL = {peers.JAX: Goal(10), peers.JAX_QUOTIENTS: Goal(4)}
LOGIT_THREADS_GOAL = Goal(1.9)

KINDS: dict[str, errors.Draw] = {
    "ordinary": cases.ordinary,
    "with zeros": cases.sparse,
    "near-equal": inputs.near_equal(cases.EPSILON),
}
LOGIT_KINDS: dict[str, errors.Draw] = {
    "ordinary": cases.ordinary_logits,
    "with zeros": cases.logits_with_zeros,
    "near-equal": cases.near_equal_logits,
}

COLUMNS, TWO_THREADS, HALVES, PEAK = "axis=0", "two threads", "float16", "peak"
READ, READ_BY_TWO = "read", "read by two"


def contenders(
    competitors: Sequence[Peer], P: np.ndarray, Q: np.ndarray, turns: int
) -> list[Contender]:
    """Return all that is timed on probabilities, all of it in turn."""
    dtype, work, threads = P.dtype.type, float(P.size), Threads(2)
    peak, operations = roofline.peak_work(dtype, True, turns)

    def ours(axis: int, workers: int) -> Any:
        return jsdiv_numba.js_divergence(P, Q, axis=axis, workers=workers)

    read, part = roofline.read(P, Q, 1), roofline.read(P, Q, PARTS)
    return [
        *(contender(peer, P, Q) for peer in competitors),
        Contender(COLUMNS, lambda: ours(0, 1), work),
        Contender(TWO_THREADS, lambda: ours(-1, 2), work),
        Contender(READ, lambda: read(0), work),
        Contender(READ_BY_TWO, lambda: threads.run(part, PARTS), work),
        Contender(PEAK, peak, operations),
    ]


def contender(peer: Peer, P: np.ndarray, Q: np.ndarray) -> Contender:
    p, q = peer.prepare(P), peer.prepare(Q)
    repeats = SLOW_REPEATS if peer.name in SLOW else REPEATS
    return Contender(peer.name, lambda: peer.call(p, q), float(P.size), repeats=repeats)


def lines_of(dtype: type, speed: dict[str, float], loop: assembly.Loop | None) -> list[Line]:
    """Return the lines of the table for one precision."""
    name, ours = np.dtype(dtype).name, speed[OURS]
    goals = GOALS.get(roofline.instruction_set(), {})
    shares = [f"{percent(ours / speed[READ])} of bandwidth"]
    if loop:
        shares.append(f"{percent(ours * loop.per_vector / speed[PEAK])} of peak rate")
    against_peers = [
        Line(
            f"{name} rows / {peer}",
            ours / speed[peer],
            goals.get((dtype, peer), Goal()),
            rate(ours),
            rate(speed[peer]),
            ", ".join(shares),
        )
        for peer in peers.ROWS
        if peer in speed and peer != OURS
    ]
    columns, threads = speed[COLUMNS], speed[TWO_THREADS]
    share = threads / speed[READ_BY_TWO]
    return [
        *against_peers,
        Line(
            f"{name} rows / {BANDWIDTH}",
            ours / speed[READ],
            goals.get((dtype, BANDWIDTH), Goal()),
            rate(ours),
            rate(speed[READ]),
        ),
        Line(
            f"{name}, `axis=0` / `axis=-1`",
            columns / ours,
            COLUMNS_GOAL,
            rate(columns),
            rate(ours),
            f"{percent(columns / speed[READ])} of bandwidth",
        ),
        Line(
            f"{name}, two threads / `sum(P*Q)` on two",
            share,
            THREADS_GOALS[dtype],
            rate(threads),
            rate(speed[READ_BY_TWO]),
            f"{percent(share)} of bandwidth",
        ),
    ]


def measure_probabilities(
    dtype: type,
    sizes: Sizes,
    rng: np.random.Generator,
    loaders: peers.Loaders,
    timing: Timing = MEDIAN,
) -> tuple[list[Line], dict[str, float], str]:
    """Return the table's lines, each contender's speed, and a note on the hot loop."""
    name = np.dtype(dtype).name
    progress(f"rows, {name}")
    P, Q = (inputs.rows(rng, sizes.rows, sizes.length, dtype) for _ in range(2))
    speed = throughputs(contenders(peers.installed(loaders), P, Q, sizes.peak_turns), timing)
    loop = assembly.hot_loop(assembly_of("js_sum", name), instructions.shape_of("js_sum", name))
    bandwidths = [2 * P.itemsize * speed[key] / 1e9 for key in (READ, READ_BY_TWO)]
    note = (
        f"{name}: `sum(P*Q)` reads {bandwidths[0]:.1f} GB/s on one thread, {bandwidths[1]:.1f} on "
        f"two; peak rate {rate(speed[PEAK])}. The hot loop: {loop or 'not read'}."
    )
    return lines_of(dtype, speed, loop), speed, note


def measure_logits(
    sizes: Sizes, rng: np.random.Generator, loaders: peers.Loaders, timing: Timing = MEDIAN
) -> list[Line]:
    """Return the table's lines for logits."""
    progress("logits, float32")
    A, B = (inputs.logits(rng, sizes.rows, sizes.length) for _ in range(2))
    read, work = roofline.read(A, B, 1), float(A.size)

    def by_two() -> Any:
        return jsdiv_numba.js_divergence_logit(A, B, axis=-1, workers=2)

    halves = A.astype(np.float16), B.astype(np.float16)

    def of_halves() -> Any:
        return jsdiv_numba.js_divergence_logit(*halves, axis=-1, workers=1)

    timed = [contender(peer, A, B) for peer in peers.installed(loaders)]
    timed += [Contender(HALVES, of_halves, work)]
    timed += [Contender(TWO_THREADS, by_two, work), Contender(READ, lambda: read(0), work)]
    speed = throughputs(timed, timing)
    ours, threads = speed[OURS], speed[TWO_THREADS]
    share = f"{percent(ours / speed[READ])} of bandwidth"
    against_peers = [
        Line(
            f"float32 logits / {peer}",
            ours / speed[peer],
            LOGITS_GOAL.get(peer, Goal()),
            rate(ours),
            rate(speed[peer]),
            share,
        )
        for peer in peers.LOGITS
        if peer in speed and peer != OURS
    ]
    gain = threads / ours
    line = "float32 logits, two threads / one"
    halved = speed[HALVES]
    return [
        *against_peers,
        Line("float16 logits / float32", halved / ours, Goal(), rate(halved), rate(ours)),
        Line(line, gain, LOGIT_THREADS_GOAL, rate(threads), rate(ours)),
    ]


def errors_table(worst: dict[str, dict[str, errors.Errors]], kinds: Sequence[str]) -> str:
    """Return the worst errors, by kind of input, peer and kind of rows."""
    lines = (
        (what, peer, *(errors.written(by_kind[kind]) for kind in kinds))
        for what, by_peer in worst.items()
        for peer, by_kind in by_peer.items()
    )
    return table(("worst relative error", "peer", *kinds), lines)


def judge(sizes: Sizes) -> dict[str, dict[str, errors.Errors]]:
    worst = {
        np.dtype(dtype).name: errors.worst_errors(
            peers.installed(peers.ROWS), KINDS, dtype, sizes.judged, errors.of_probabilities
        )
        for dtype in DTYPES
    }
    worst["logits, float32"] = errors.worst_errors(
        peers.installed(peers.LOGITS), LOGIT_KINDS, np.float32, sizes.judged, errors.of_logits
    )
    return worst


def points(
    path: str, speeds: dict[str, dict[str, float]], worst: dict[str, dict[str, errors.Errors]]
) -> list[dict[str, Any]]:
    """Return what the picture shows: a point for each peer and precision."""
    return [
        {"path": path, "dtype": dtype, "peer": peer, "speed": speeds[dtype][peer], "errors": found}
        for dtype in speeds
        for peer, found in worst[dtype].items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    parser.add_argument("--json", type=Path, help="also write what the picture shows here")
    parser.add_argument("--cpu", action="store_true", help="beside other work: the least CPU time")
    options = parser.parse_args(arguments)
    sizes, rng = QUICK if options.quick else FULL, np.random.default_rng()
    timing = LEAST_OF_CPU if options.cpu else MEDIAN
    lines, speeds, notes = [], {}, []
    for dtype in DTYPES:
        found, speeds[np.dtype(dtype).name], note = measure_probabilities(
            dtype, sizes, rng, peers.ROWS, timing
        )
        lines += found
        notes.append(note)
    lines += measure_logits(sizes, rng, peers.LOGITS, timing)
    if options.cpu:
        lines = [line for line in lines if TWO_THREADS not in line.what]
    worst = judge(sizes)
    typical = "Least CPU time" if options.cpu else "Median"
    size = (
        f"{sizes.rows:,} × {sizes.length:,} elements, drawn uniformly from the simplex. {typical} "
        f"of {REPEATS}, {SLOW_REPEATS} for {', '.join(SLOW)}; one thread unless it says otherwise"
    )
    missing = peers.note_on_missing(peers.ROWS, peers.LOGITS)
    given = [f"--{name}" for name in ("quick", "cpu") if getattr(options, name)]
    command = " ".join(["python -m benchmarks.rows", *given])
    print(heading(command, roofline.instruction_set(), size, *notes, missing))
    print(f"\n{ratios(lines)}\n\n{errors_table(worst, list(KINDS))}")
    if options.json:
        options.json.write_text(json.dumps(points("rows", speeds, worst), indent=1) + "\n")


if __name__ == "__main__":
    main()
