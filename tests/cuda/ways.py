"""The ways in which rows are shared out to threads, rows of every kind for them, and bounds."""

import numpy as np
import pytest

from jsdiv_numba._cuda import evaluate, target
from tests import cases

NEEDS_DEVICE = [
    pytest.mark.skipif(
        target.why_unavailable() is not None,
        reason="no CUDA device, and NUMBA_ENABLE_CUDASIM is not 1",
    ),
    # The simulator computes with NumPy's scalars, which warn of what becomes NaN.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.*under-utilization"),
]
"""Marks of tests that run on a device, or in Numba's simulator."""

PRECISIONS = pytest.mark.parametrize("dtype", [np.float64, np.float32])
ROW_ERROR = {np.float64: 1e-14, np.float32: 1e-6}
LOGIT_ERROR = {np.float64: 1e-10, np.float32: 1e-4}
LOGIT_SLOPE_ERROR = {np.float64: 1e-12, np.float32: 1e-4}
PAIR_ERROR = {np.float64: 1e-11, np.float32: 1e-4}


def on_host(result):
    return result.copy_to_host()


def batch(kinds, rng, dtype, count, length):
    """Draw pairs of rows of each kind, filled up with `fill` to one length."""
    fill = -np.inf if kinds is cases.LOGITS else 0
    pairs = [draw(rng, dtype) for draw in kinds.values() for _ in range(count)]
    padded = np.full((2, len(pairs), length), fill, dtype)
    for i, pair in enumerate(pairs):
        for side in range(2):
            padded[side, i, : pair[side].size] = pair[side]
    return padded


def one_lane(_):
    return 1


def a_block(_):
    return target.THREADS


def three(*_):
    return 3


WAYS = {
    "kept in shared memory": {},
    "read again": {"SHARED_BYTES": 0},
    "a block for a row": {"lanes_of": a_block},
    "a thread for a row": {"lanes_of": one_lane},
    "in pieces": {"pieces_of": three},
    "in pieces, a block for each": {"pieces_of": three, "lanes_of": a_block},
}


def share_out(monkeypatch, way):
    """Have rows shared out in one of the ways."""
    for name, value in WAYS[way].items():
        monkeypatch.setattr(evaluate, name, value)
    return way
