"""The compiled NumPy ufuncs, each built when it is first asked for.

``js_term(p, q)``
    Elementwise: ½·[p·log(2p/(p+q)) + q·log(2q/(p+q))], in nats.
``js_sum(P, Q)``, signature ``(n),(n)->()``
    The divergence of probabilities along the last axis, in nats.
``js_sum_logit(A, B)``, signature ``(n),(n)->()``
    The divergence of the softmaxes of logits along the last axis, in nats.
``kl_term(p, q)``, ``kl_sum(P, Q)``, ``kl_sum_logit(A, B)``
    The same for the Kullback-Leibler divergence, whose term is p·log(p/q).
``entropy_term(p)``, ``entropy_sum(P)``, ``entropy_sum_logit(A)``
    The same for the entropy, whose term is -p·log(p); of one input, signature ``(n)->()``.

They are ordinary ufuncs of float32 and float64: ``out=``, ``axis=``, ``keepdims=``,
broadcasting and type promotion are NumPy's. Being ufuncs, they raise nothing:
a negative, infinite or NaN probability gives NaN. They run on one thread;
`jsdiv_numba.js_divergence` checks its input and uses all of them.

Examples
--------
>>> import numpy as np
>>> from jsdiv_numba.ufuncs import js_sum, js_term
>>> P = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
>>> Q = np.array([0.5, 0.25, 0.25])
>>> js_term(P, Q).shape
(2, 3)
>>> np.allclose(js_sum(P, Q), js_term(P, Q).sum(axis=1))
True
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    js_term: np.ufunc
    js_sum: np.ufunc
    js_sum_logit: np.ufunc
    kl_term: np.ufunc
    kl_sum: np.ufunc
    kl_sum_logit: np.ufunc
    entropy_term: np.ufunc
    entropy_sum: np.ufunc
    entropy_sum_logit: np.ufunc

__all__ = [
    "entropy_sum",
    "entropy_sum_logit",
    "entropy_term",
    "js_sum",
    "js_sum_logit",
    "js_term",
    "kl_sum",
    "kl_sum_logit",
    "kl_term",
]

# Numba's compiler is not reentrant in all that it does.
_compiler = threading.RLock()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = built(name, ("float32", "float64"))
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


@contextmanager
def _compiling() -> Iterator[None]:
    """Compile alone, and deaf to what the caller has NumPy raise: constants may underflow."""
    with _compiler, np.errstate(all="ignore"):
        yield


@cache
def built(name: str, dtypes: tuple[str, ...]) -> np.ufunc:
    """Return the ufunc `name`, compiled for these dtypes alone.

    A public function asks for the one dtype that it needs, which halves the
    time to its first result. Threads that ask at once wait for one compilation.
    """
    with _compiling():
        return _built(name, dtypes)


@cache
def _built(name: str, dtypes: tuple[str, ...]) -> np.ufunc:
    from ._kernels.ufuncs import compile_ufunc

    ufunc: np.ufunc = compile_ufunc(name, dtypes)
    return ufunc


@cache
def pair_kernel(dtype: str) -> Any:
    """Return the kernel for pairs of rows, compiled for this dtype."""
    with _compiling():
        from ._kernels import pairs
        from ._kernels.precision import FLOAT32, FLOAT64

        return pairs.pair_kernel({"f": FLOAT32, "d": FLOAT64}[dtype])


@cache
def neighbor_kernels() -> Any:
    """Return the kernels that search for neighbours, compiled."""
    with _compiling():
        from ._kernels import neighbors

        return neighbors.neighbor_kernels()


@cache
def harmonics_kernel() -> Any:
    """Return what describes rows for the second bound, compiled."""
    with _compiling():
        from ._kernels import neighbors

        return neighbors.harmonics_kernel()
