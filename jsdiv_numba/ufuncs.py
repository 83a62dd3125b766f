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

They are ordinary ufuncs of float32 and float64: ``out=``, ``where=`` of the terms, ``axis=`` and
``keepdims=`` of the sums, broadcasting and type promotion are NumPy's. Being ufuncs, they raise
nothing: a negative, infinite or NaN probability gives NaN. They run on one thread;
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

from typing import TYPE_CHECKING, Any

import numpy as np

from ._kernels.load import built

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


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = built(name, ("float32", "float64"))
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
