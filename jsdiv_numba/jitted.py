"""The measures as functions that your own Numba code calls.

``js_divergence(p, q)``, ``jensenshannon(p, q)``, ``kl_divergence(p, q)``, ``entropy(p)``
    Of 1-d arrays of float32 or of float64, of any strides: a number of that dtype, in nats. They
    are those of the same names in :mod:`jsdiv_numba`, to the last bit. Nothing is normalised but
    by `jensenshannon`, which is a distance: the square root.
``js_term(p, q)``
    Of two numbers of one of these dtypes: the term ½·[p·log(2p/(p+q)) + q·log(2q/(p+q))].

They are called in ``@njit`` functions, serial or with ``prange``, in ``@guvectorize`` and
``@vectorize`` kernels, with or without the GIL, and from Python. Libraries whose metric may be a
function that Numba has compiled take them as they are, such as PyNNDescent and UMAP; HDBSCAN
calls them from Python, that of the package of this name with rows of float64 alone.

Like the ufuncs they check no entries: one that is negative, infinite or NaN gives NaN. Rows of
different lengths raise ValueError, arrays of another dtype or number of dimensions Numba's
TypingError.

They become part of the code that calls them, which takes Numba some seconds more to compile.
It can be cached by Numba (``cache=True``), for as long as this library stays the same: Numba does
not notice a new version, after which the files ``*.nbi`` in ``__pycache__`` are to be deleted.

Examples
--------
>>> import numpy as np
>>> from numba import njit
>>> from jsdiv_numba.jitted import js_divergence
>>> @njit
... def farthest(X, y):
...     best, where = -1.0, 0
...     for i in range(X.shape[0]):
...         d = js_divergence(X[i], y)
...         if d > best:
...             best, where = d, i
...     return where
>>> farthest(np.array([[0.5, 0.5], [0.9, 0.1], [0.4, 0.6]]), np.array([0.5, 0.5]))
1
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    js_divergence: Callable[..., Any]
    jensenshannon: Callable[..., Any]
    kl_divergence: Callable[..., Any]
    entropy: Callable[..., Any]
    js_term: Callable[..., Any]

__all__ = ["entropy", "jensenshannon", "js_divergence", "js_term", "kl_divergence"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ._kernels.jitted import function_of

    value = globals()[name] = function_of(name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
