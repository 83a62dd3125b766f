"""Each peer's answers against mpmath, as relative errors of the divergence."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from benchmarks.inputs import judged
from benchmarks.peers import Peer
from benchmarks.timing import progress
from tests import cases, oracle

Draw = Callable[[Generator, type], cases.Pair]
Errors = dict[str, float]


def divergence(peer: Peer, p: np.ndarray, q: np.ndarray) -> Any:
    """Return a peer's answer for two rows, squared if that is the distance."""
    answer = peer.call(peer.prepare(p[np.newaxis]), peer.prepare(q[np.newaxis]))
    value = np.asarray(answer).ravel()[0]
    return np.float64(value) ** 2 if peer.root else value


def worst_errors(
    competitors: Sequence[Peer],
    kinds: dict[str, Draw],
    dtype: type,
    count: int,
    exact: Callable[[Peer], Callable[[Any, Any], Any]],
) -> dict[str, Errors]:
    """Return, by peer and kind of rows, the worst error; NaN is worse than any."""
    worst = {peer.name: dict.fromkeys(kinds, 0.0) for peer in competitors}
    for kind, draw in kinds.items():
        progress(f"answers in {dtype.__name__}: {kind}")
        for p, q in judged(draw, dtype, count):
            for peer in competitors:
                error = oracle.relative_error(divergence(peer, p, q), exact(peer)(p, q))
                worst[peer.name][kind] = float(np.maximum(worst[peer.name][kind], error))
    return worst


def of_probabilities(peer: Peer) -> Callable[[Any, Any], Any]:
    """Return the oracle of what the peer claims to compute."""
    return oracle.js_divergence_normalised if peer.normalises else oracle.js_divergence


def of_logits(peer: Peer) -> Callable[[Any, Any], Any]:
    return oracle.js_divergence_logit


def written(error: float) -> str:
    return "NaN" if np.isnan(error) else f"{error:.0e}"
