"""The divergences of JAX arrays, for its automatic differentiation, ``jit`` and ``vmap``.

The values and the derivatives are those of :mod:`jsdiv_numba`, called back from JAX on the CPU.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ._arrays import Axis, broadcast_shape, normalise_axes, reduced_shape
from .divergence import js_divergence as _js_divergence
from .divergence import js_divergence_logit as _js_divergence_logit
from .gradient import js_divergence_grad, js_divergence_logit_grad

__all__ = ["js_divergence", "js_divergence_logit"]

Functions: TypeAlias = tuple[Callable[..., Any], Callable[..., Any]]
"""A function of arrays, and the function that has its derivatives."""

Settings: TypeAlias = tuple[tuple[str, Any], ...]
"""Its keywords, in a form that can be compared and hashed."""


def js_divergence(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> jax.Array:
    """Jensen-Shannon divergence of probabilities in JAX arrays.

    Parameters
    ----------
    P, Q : array_like
        Probabilities, of shapes that broadcast.
    axis, keepdims, reduce, key, base, workers
        As of `jsdiv_numba.js_divergence`. Under ``jit`` they are constants.

    Returns
    -------
    jax.Array
        Divergences: float64 if JAX has it enabled and an input is of it, else float32.

    Raises
    ------
    ValueError
        As `jsdiv_numba.js_divergence` does. What depends on the entries is raised by JAX as an
        error of its own, with the message in it.

    Notes
    -----
    The derivative is that of `jsdiv_numba.js_divergence_grad`, whose notes say what it is at zeros.
    It is a reverse-mode derivative, and cannot be differentiated again: JAX raises an error.

    Examples
    --------
    >>> import jax
    >>> from jsdiv_numba.jax import js_divergence
    >>> P = jax.numpy.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]], "float32")
    >>> Q = jax.numpy.array([0.6, 0.2, 0.2], "float32")
    >>> loss = jax.jit(lambda P: js_divergence(P, Q).mean())
    >>> jax.grad(loss)(P).round(4)
    Array([[-0.1733,  0.0456,  0.0892],
           [-0.3132, -0.1014,  0.1175]], dtype=float32)
    """
    settings = {"base": base, "workers": workers}
    return _differentiable(
        (_js_divergence, js_divergence_grad), P, Q, axis, keepdims, reduce, settings
    )


def js_divergence_logit(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> jax.Array:
    """Jensen-Shannon divergence of the softmaxes of logits in JAX arrays.

    Parameters
    ----------
    P, Q : array_like
        Logits, of shapes that broadcast.
    axis, keepdims, reduce, key, base, workers
        As of `jsdiv_numba.js_divergence_logit`. Under ``jit`` they are constants.

    Returns
    -------
    jax.Array
        Divergences: float64 if JAX has it enabled and an input is of it, else float32.

    Raises
    ------
    ValueError
        As `jsdiv_numba.js_divergence_logit` does. What depends on the entries is raised by JAX as
        an error of its own, with the message in it.

    Notes
    -----
    The derivative is that of `jsdiv_numba.js_divergence_logit_grad`, finite everywhere. It is a
    reverse-mode derivative, and cannot be differentiated again: JAX raises an error.

    Examples
    --------
    >>> import jax
    >>> from jsdiv_numba.jax import js_divergence_logit
    >>> A, B = jax.numpy.array([[[1.0, 0.0], [0.0, 3.0]], [[0.0, 0.0], [0.0, 3.0]]], "float32")
    >>> jax.vmap(js_divergence_logit)(A, B).round(4)
    Array([[0.0285],
           [0.    ]], dtype=float32)
    """
    settings = {"base": base, "workers": workers}
    functions = _js_divergence_logit, js_divergence_logit_grad
    if axis is None and reduce:
        rows = _differentiable(functions, P, Q, -1, True, True, settings)
        return jnp.sum(rows, keepdims=keepdims)
    axis = -1 if axis is None else axis
    return _differentiable(functions, P, Q, axis, keepdims, reduce, settings)


def _differentiable(
    functions: Functions,
    P: Any,
    Q: Any,
    axis: Axis,
    keepdims: bool,
    reduce: bool,
    settings: dict[str, Any],
) -> jax.Array:
    P, Q = jnp.asarray(P), jnp.asarray(Q)
    ndim = len(broadcast_shape((P, Q), ("P", "Q")))
    # Counted from the end, axes stay the same where vmap puts another in front.
    axes = tuple(a - ndim for a in normalise_axes(axis, ndim))
    wide = jnp.result_type(P, Q, jnp.float32)
    P, Q = (x.astype(wide).reshape((1,) * (ndim - x.ndim) + x.shape) for x in (P, Q))
    keywords = {"axis": axes, "keepdims": keepdims, "reduce": reduce, **settings}
    return _called(functions, tuple(keywords.items()), P, Q)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _called(functions: Functions, settings: Settings, P: jax.Array, Q: jax.Array) -> jax.Array:
    keywords = dict(settings)
    shape = broadcast_shape((P, Q), ("P", "Q"))
    if keywords["reduce"]:
        axes = normalise_axes(keywords["axis"], len(shape))
        shape = reduced_shape(shape, axes, keywords["keepdims"])
    result = jax.ShapeDtypeStruct(shape, P.dtype)

    def value(P: jax.Array, Q: jax.Array) -> Any:
        return np.asarray(functions[0](np.asarray(P), np.asarray(Q), **keywords))

    called: jax.Array = jax.pure_callback(value, result, P, Q, vmap_method="broadcast_all")
    return called


def _forward(
    functions: Functions, settings: Settings, P: jax.Array, Q: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _called(functions, settings, P, Q), (P, Q)


def _backward(
    functions: Functions,
    settings: Settings,
    inputs: tuple[jax.Array, jax.Array],
    cotangent: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    results = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in inputs)

    def gradients(P: jax.Array, Q: jax.Array, cotangent: jax.Array) -> Any:
        arrays = np.asarray(P), np.asarray(Q)
        _, *grads = functions[1](*arrays, cotangent=np.asarray(cotangent), **dict(settings))
        return tuple(map(np.asarray, grads))

    pulled_back: tuple[jax.Array, jax.Array] = jax.pure_callback(
        gradients, results, *inputs, cotangent, vmap_method="broadcast_all"
    )
    return pulled_back


_called.defvjp(_forward, _backward)
