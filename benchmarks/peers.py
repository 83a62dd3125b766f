"""This library and its peers: one call of each, and what it claims to return.

Every call takes two matrices. A peer that is not installed is left out.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.spatial import distance

import jsdiv_numba
from benchmarks.roofline import AVX2, instruction_set

OURS = "jsdiv_numba"
JAX, JAX_QUOTIENTS = "JAX", "JAX, quotients"
"""Both jitted: hypercoil's formula, and one with half of its operations."""

UP_TO_AVX2 = {"serial", "haswell", "alder", "sierra"}
"""What NumKong and SimSIMD call the kernels that use no instructions beyond AVX2."""

Call = Callable[[Any, Any], Any]


def _as_it_is(matrix: np.ndarray) -> Any:
    return matrix


@dataclass(frozen=True)
class Peer:
    """A function of two matrices, on one thread."""

    name: str
    call: Call
    normalises: bool
    """Whether the rows are divided by their sums."""

    root: bool
    """Whether it returns the distance, the square root of the divergence."""

    prepare: Callable[[np.ndarray], Any] = _as_it_is
    """Brings an input into the peer's own kind of array, which is not timed."""


def _confined(module: Any) -> Any:
    """Have NumKong or SimSIMD do without what the processor has beyond the set measured."""
    if instruction_set() == AVX2:
        for kernels, there in module.get_capabilities().items():
            if there and kernels not in UP_TO_AVX2:
                module.disable_capability(kernels)
    return module


def _our_rows() -> Peer:
    def call(P: Any, Q: Any) -> Any:
        return jsdiv_numba.js_divergence(P, Q, keepdims=False, workers=1)

    return Peer(OURS, call, normalises=False, root=False)


def _our_pairs() -> Peer:
    def call(XA: Any, XB: Any) -> Any:
        return jsdiv_numba.cdist(XA, XB, workers=1)

    return Peer(OURS, call, normalises=True, root=True)


def _our_logits() -> Peer:
    def call(P: Any, Q: Any) -> Any:
        return jsdiv_numba.js_divergence_logit(P, Q, keepdims=False, workers=1)

    return Peer(OURS, call, normalises=True, root=False)


def _numkong_rows() -> Peer:
    import numkong

    return Peer("NumKong", _confined(numkong).jsd, normalises=False, root=True)


def _numkong_pairs() -> Peer:
    import numkong

    _confined(numkong)

    def call(XA: Any, XB: Any) -> Any:
        return numkong.cdist(XA, XB, "jensenshannon")

    return Peer("NumKong", call, normalises=False, root=True)


def _simsimd_rows() -> Peer:
    import simsimd

    return Peer("SimSIMD", _confined(simsimd).jensenshannon, normalises=False, root=True)


def _simsimd_pairs() -> Peer:
    import simsimd

    _confined(simsimd)

    def call(XA: Any, XB: Any) -> Any:
        return simsimd.cdist(XA, XB, "jensenshannon")

    return Peer("SimSIMD", call, normalises=False, root=True)


def _scipy_rows() -> Peer:
    def call(P: Any, Q: Any) -> Any:
        # Where its sum comes out below 0, SciPy warns of the square root.
        with np.errstate(invalid="ignore"):
            return distance.jensenshannon(P, Q, axis=1)

    return Peer("SciPy", call, normalises=True, root=True)


def _scipy_pairs() -> Peer:
    def call(XA: Any, XB: Any) -> Any:
        return distance.cdist(XA, XB, "jensenshannon")

    return Peer("SciPy", call, normalises=True, root=True)


def _fastjsd_pairs() -> Peer:
    import fastjsd

    def call(XA: Any, XB: Any) -> Any:
        return fastjsd.jsd_matrix(XA, XB, base=np.e, threads=1)

    return Peer("fastjsd", call, normalises=True, root=True)


def _scikit_learn_pairs() -> Peer:
    from sklearn.metrics import pairwise_distances

    def call(XA: Any, XB: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return pairwise_distances(
                XA, XB, metric=distance.jensenshannon, ensure_all_finite="allow-nan"
            )

    return Peer("scikit-learn", call, normalises=True, root=True)


def _hypercoil_formula(array_module: Any) -> Call:
    """Return hypercoil's `js_divergence`, with its epsilon and its exponentials of logarithms."""
    exp, log, where = array_module.exp, array_module.log, array_module.where

    def kl_terms(P: Any, M: Any) -> Any:
        eps = array_module.finfo(P.dtype).eps
        log_p, log_m = log(P + eps), log(M + eps)
        p = exp(log_p)
        return where(p == 0, 0.0, log_p - log_m) * p

    def js_divergence(P: Any, Q: Any) -> Any:
        M = 0.5 * (P + Q)
        return ((kl_terms(P, M) + kl_terms(Q, M)) / 2).sum(-1)

    return js_divergence


def _quotient_formula(array_module: Any) -> Call:
    """Return the same with the logarithms of quotients, at half of hypercoil's operations."""
    log = array_module.log

    def kl_divergence(P: Any, M: Any) -> Any:
        eps = array_module.finfo(P.dtype).eps
        return ((P + eps) * log((P + eps) / (M + eps))).sum(-1)

    def js_divergence(P: Any, Q: Any) -> Any:
        M = 0.5 * (P + Q)
        return (kl_divergence(P, M) + kl_divergence(Q, M)) / 2

    return js_divergence


@contextmanager
def _on_one_cpu() -> Iterator[None]:
    """Threads that are started here stay on one CPU; the caller itself comes back."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@cache
def _jax() -> Any:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    if instruction_set() == AVX2:
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_max_isa=AVX2")
    # No option of JAX 0.10 holds a computation to one thread.
    with _on_one_cpu():
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.block_until_ready(jax.jit(jax.numpy.sum)(jax.numpy.ones(1_000_000)))
    return jax


def _jax_function(jax: Any, formula: Callable[[Any], Call], of_logits: bool) -> Call:
    js_divergence = formula(jax.numpy)

    def from_logits(P: Any, Q: Any) -> Any:
        return js_divergence(jax.nn.softmax(P, axis=-1), jax.nn.softmax(Q, axis=-1))

    return from_logits if of_logits else js_divergence


def _jax_peer(name: str, formula: Callable[[Any], Call], of_logits: bool) -> Peer:
    jax = _jax()
    jitted = jax.jit(_jax_function(jax, formula, of_logits))

    def call(P: Any, Q: Any) -> Any:
        with _on_one_cpu():
            return jitted(P, Q).block_until_ready()

    return Peer(name, call, normalises=of_logits, root=False, prepare=jax.numpy.asarray)


def _jax_gradients(of_logits: bool) -> Peer:
    """Return JAX's value and derivatives of the mean of the rows, as of hypercoil's loss."""
    jax = _jax()
    function = _jax_function(jax, _hypercoil_formula, of_logits)

    def loss(P: Any, Q: Any) -> Any:
        return function(P, Q).mean()

    jitted = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))

    def call(P: Any, Q: Any) -> Any:
        with _on_one_cpu():
            return jax.block_until_ready(jitted(P, Q))

    return Peer("JAX", call, normalises=of_logits, root=False, prepare=jax.numpy.asarray)


def _torch_peer(of_logits: bool) -> Peer:
    if instruction_set() == AVX2:
        os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx2")
    import torch

    torch.set_num_threads(1)
    js_divergence = _hypercoil_formula(torch)

    def from_logits(P: Any, Q: Any) -> Any:
        return js_divergence(torch.softmax(P, -1), torch.softmax(Q, -1))

    call = from_logits if of_logits else js_divergence
    return Peer("PyTorch", call, normalises=of_logits, root=False, prepare=torch.from_numpy)


Loaders = dict[str, Callable[[], Peer]]

ROWS: Loaders = {
    OURS: _our_rows,
    "NumKong": _numkong_rows,
    "SimSIMD": _simsimd_rows,
    "SciPy": _scipy_rows,
    JAX: lambda: _jax_peer(JAX, _hypercoil_formula, False),
    JAX_QUOTIENTS: lambda: _jax_peer(JAX_QUOTIENTS, _quotient_formula, False),
    "PyTorch": lambda: _torch_peer(False),
}
LOGITS: Loaders = {
    OURS: _our_logits,
    JAX: lambda: _jax_peer(JAX, _hypercoil_formula, True),
    JAX_QUOTIENTS: lambda: _jax_peer(JAX_QUOTIENTS, _quotient_formula, True),
    "PyTorch": lambda: _torch_peer(True),
}
PAIRS: Loaders = {
    OURS: _our_pairs,
    "NumKong": _numkong_pairs,
    "SimSIMD": _simsimd_pairs,
    "SciPy": _scipy_pairs,
    "fastjsd": _fastjsd_pairs,
    "scikit-learn": _scikit_learn_pairs,
}


GRADIENTS: Loaders = {"JAX": lambda: _jax_gradients(False)}
LOGIT_GRADIENTS: Loaders = {"JAX": lambda: _jax_gradients(True)}


def installed(loaders: Loaders) -> list[Peer]:
    """Return those that can be imported."""
    found = []
    for load in loaders.values():
        try:
            found.append(load())
        except ImportError:
            continue
    return found


def note_on_missing(*loaders: Loaders) -> str:
    """Return a sentence on the peers that are left out, or nothing."""
    names = dict.fromkeys(name for each in loaders for name in each)
    found = {peer.name for each in loaders for peer in installed(each)}
    missing = [name for name in names if name not in found]
    return f"Not installed and left out: {', '.join(missing)}." if missing else ""
