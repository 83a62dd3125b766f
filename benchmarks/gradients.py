"""Values with derivatives, against the values alone and JAX: ``python -m benchmarks.gradients``."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import jsdiv_numba
from benchmarks import inputs, peers, roofline
from benchmarks.tables import Goal, Line, heading, rate, ratios
from benchmarks.timing import REPEATS, Contender, progress, throughputs

JAX_REPEATS = 5
VALUE, GIVEN, NEW, WRITTEN = "value", "arrays given", "new arrays", "new arrays, written"
LOSS = "`loss.value_and_grad`, the mean of the rows"


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rows: int
    length: int


FULL, QUICK = Sizes(20_000, 1_024), Sizes(50, 96)

TIME_GOAL = Goal(2.5, smaller_is_better=True)
JAX_GOAL = Goal(5)
NO_GOAL = Goal()


@dataclass(frozen=True)
class Function:
    """A divergence, the same with derivatives, and what it is measured on."""

    name: str
    value: Callable[..., Any]
    gradient: Callable[..., Any]
    loss: jsdiv_numba.Loss
    loaders: peers.Loaders
    draw: Callable[[np.random.Generator, Sizes, type], np.ndarray]


FUNCTIONS = (
    Function(
        "probabilities",
        jsdiv_numba.js_divergence,
        jsdiv_numba.js_divergence_grad,
        jsdiv_numba.JSDivergenceLoss(),
        peers.GRADIENTS,
        lambda rng, sizes, dtype: inputs.rows(rng, sizes.rows, sizes.length, dtype),
    ),
    Function(
        "logits",
        jsdiv_numba.js_divergence_logit,
        jsdiv_numba.js_divergence_logit_grad,
        jsdiv_numba.JSDivergenceLogitLoss(),
        peers.LOGIT_GRADIENTS,
        lambda rng, sizes, dtype: inputs.logits(rng, sizes.rows, sizes.length).astype(dtype),
    ),
)


def measure(function: Function, dtype: type, sizes: Sizes, rng: np.random.Generator) -> list[Line]:
    what = f"{np.dtype(dtype).name} {function.name}"
    progress(what)
    P, Q = (function.draw(rng, sizes, dtype) for _ in range(2))
    work, out = float(P.size), (None, np.empty_like(P), np.empty_like(P))
    competitors = peers.installed(function.loaders) if dtype is np.float32 else []

    def written() -> None:
        for _ in range(2):
            np.empty_like(P).fill(0)

    contenders = [
        Contender(VALUE, lambda: function.value(P, Q, workers=1), work),
        Contender(GIVEN, lambda: function.gradient(P, Q, workers=1, out=out), work),
        Contender(NEW, lambda: function.gradient(P, Q, workers=1), work),
        Contender(LOSS, lambda: function.loss.value_and_grad(P, Q, workers=1), work),
        Contender(WRITTEN, written, work),
        *(_contender(peer, P, Q) for peer in competitors),
    ]
    speed = throughputs(contenders)
    lines = [
        Line(
            f"time of {what} with derivatives, {how} / the value alone",
            speed[VALUE] / speed[how],
            goal,
            rate(speed[how]),
            rate(speed[VALUE]),
            f"two new arrays are filled at {rate(speed[WRITTEN])}" if how == NEW else "",
        )
        for how, goal in ((GIVEN, TIME_GOAL), (NEW, TIME_GOAL), (LOSS, NO_GOAL))
    ]
    against_peers = [
        Line(
            f"{what} with derivatives, {how} / {peer.name}, jitted `value_and_grad`",
            speed[how] / speed[peer.name],
            goal,
            rate(speed[how]),
            rate(speed[peer.name]),
        )
        for peer in competitors
        for how, goal in ((NEW, JAX_GOAL), (LOSS, NO_GOAL))
    ]
    return [*lines, *against_peers]


def _contender(peer: peers.Peer, P: np.ndarray, Q: np.ndarray) -> Contender:
    p, q = peer.prepare(P), peer.prepare(Q)
    return Contender(peer.name, lambda: peer.call(p, q), float(P.size), repeats=JAX_REPEATS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    options = parser.parse_args(arguments)
    sizes, rng = QUICK if options.quick else FULL, np.random.default_rng()
    lines = [
        line
        for function in FUNCTIONS
        for dtype in (np.float32, np.float64)
        for line in measure(function, dtype, sizes, rng)
    ]
    size = (
        f"{sizes.rows:,} × {sizes.length:,} elements; one thread each. Median of {REPEATS}, of "
        f"{JAX_REPEATS} for JAX"
    )
    missing = peers.note_on_missing(peers.GRADIENTS)
    command = " ".join(["python -m benchmarks.gradients", *(["--quick"] if options.quick else [])])
    print(heading(command, roofline.instruction_set(), size, missing))
    print(f"\n{ratios(lines)}")


if __name__ == "__main__":
    main()
