"""Divergences and entropies of JAX arrays, for its automatic differentiation, ``jit``, ``vmap``.

Each function is as that of its name in :mod:`jsdiv_numba`, called back from JAX on the CPU. What
differs:

- A result is float64 if JAX has it enabled and an input is of it, else float32.
- Under ``jit``, all but the arrays are constants.
- An error that depends on the entries is raised by JAX as one of its own, with the message in it.
- The VJP is that of the function's ``_grad``, `jsdiv_numba.js_divergence_grad` and so on, which
  says what it is at zeros and where the divergence is infinite. There is no JVP, and it cannot
  be differentiated again: that is an error.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ._core.threads import host
from ._core.validation import (
    EQUAL,
    Axis,
    as_numbers,
    as_weight,
    broadcast_shape,
    broadcast_weight,
    normalise_axes,
    reduced_shape,
    weighed,
)
from .divergence import js_divergence as _js_divergence
from .divergence import js_divergence_logit as _js_divergence_logit
from .divergence import kl_divergence as _kl_divergence
from .divergence import kl_divergence_logit as _kl_divergence_logit
from .entropies import entropy as _entropy
from .entropies import entropy_logit as _entropy_logit
from .gradient import (
    entropy_grad,
    entropy_logit_grad,
    js_divergence_grad,
    js_divergence_logit_grad,
    kl_divergence_grad,
    kl_divergence_logit_grad,
)

__all__ = [
    "entropy",
    "entropy_logit",
    "js_divergence",
    "js_divergence_logit",
    "kl_divergence",
    "kl_divergence_logit",
]

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
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> jax.Array:
    """As `jsdiv_numba.js_divergence`, on JAX arrays.

    The weight is a constant: nothing is differentiated with respect to it, nor may it be traced.

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
    functions = _js_divergence, js_divergence_grad
    settings: dict[str, Any] = {"keepdims": keepdims, "reduce": reduce, "base": base}
    settings |= {"workers": workers, "weight": _constant(weight)}
    return _differentiable(functions, axis, settings, P=P, Q=Q)


def js_divergence_logit(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> jax.Array:
    """As `jsdiv_numba.js_divergence_logit`, on JAX arrays: its gradient is finite everywhere.

    The weight is a constant: nothing is differentiated with respect to it, nor may it be traced.

    Examples
    --------
    >>> import jax
    >>> from jsdiv_numba.jax import js_divergence_logit
    >>> A, B = jax.numpy.array([[[1.0, 0.0], [0.0, 3.0]], [[0.0, 0.0], [0.0, 3.0]]], "float32")
    >>> jax.vmap(js_divergence_logit)(A, B).round(4)
    Array([[0.0285],
           [0.    ]], dtype=float32)
    """
    functions = _js_divergence_logit, js_divergence_logit_grad
    settings: dict[str, Any] = {"keepdims": keepdims, "reduce": reduce, "base": base}
    settings |= {"workers": workers, "weight": _constant(weight)}
    if axis is None and reduce:
        settings["keepdims"] = True
        rows = _differentiable(functions, -1, settings, P=P, Q=Q)
        return jnp.sum(rows, keepdims=keepdims)
    return _differentiable(functions, -1 if axis is None else axis, settings, P=P, Q=Q)


def kl_divergence(
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
    """As `jsdiv_numba.kl_divergence`, on JAX arrays.

    Examples
    --------
    >>> import jax
    >>> from jsdiv_numba.jax import kl_divergence
    >>> P, Q = jax.numpy.array([[0.5, 0.0, 0.5], [0.25, 0.25, 0.5]], "float32")
    >>> jax.grad(lambda Q: kl_divergence(P, Q).sum())(Q) + 0.0
    Array([-2.,  0., -1.], dtype=float32)
    """
    functions = _kl_divergence, kl_divergence_grad
    settings = {"keepdims": keepdims, "reduce": reduce, "base": base, "workers": workers}
    return _differentiable(functions, axis, settings, P=P, Q=Q)


def kl_divergence_logit(
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
    """As `jsdiv_numba.kl_divergence_logit`, on JAX arrays.

    Examples
    --------
    >>> import jax
    >>> from jsdiv_numba.jax import kl_divergence_logit
    >>> A, B = jax.numpy.array([[1.0, 0.0], [0.0, 0.0]], "float32")
    >>> jax.grad(lambda B: kl_divergence_logit(A, B).sum())(B).round(4)
    Array([-0.2311,  0.2311], dtype=float32)
    """
    functions = _kl_divergence_logit, kl_divergence_logit_grad
    settings = {"keepdims": keepdims, "reduce": reduce, "base": base, "workers": workers}
    return _differentiable(functions, axis, settings, P=P, Q=Q)


def entropy(
    X: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> jax.Array:
    """As `jsdiv_numba.entropy`, on a JAX array: its gradient is infinite at zeros.

    Examples
    --------
    >>> import jax
    >>> from jsdiv_numba.jax import entropy
    >>> X = jax.numpy.array([0.25, 0.25, 0.5], "float32")
    >>> jax.grad(lambda X: entropy(X).sum())(X).round(4)
    Array([ 0.3863,  0.3863, -0.3069], dtype=float32)
    """
    functions = _entropy, entropy_grad
    settings = {"keepdims": keepdims, "reduce": reduce, "base": base, "workers": workers}
    return _differentiable(functions, axis, settings, X=X)


def entropy_logit(
    X: Any,
    *,
    temperature: float = 1.0,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> jax.Array:
    """As `jsdiv_numba.entropy_logit`, on a JAX array: its gradient is finite everywhere.

    Examples
    --------
    >>> import jax
    >>> from jsdiv_numba.jax import entropy_logit
    >>> A = jax.numpy.array([0.0, 1.0], "float32")
    >>> [f"{slope:.4f}" for slope in jax.grad(lambda A: entropy_logit(A).sum())(A)]
    ['0.1966', '-0.1966']
    """
    functions = _entropy_logit, entropy_logit_grad
    settings = {"keepdims": keepdims, "reduce": reduce, "base": base, "workers": workers}
    return _differentiable(functions, axis, {"temperature": temperature, **settings}, X=X)


def _differentiable(
    functions: Functions, axis: Axis, settings: dict[str, Any], **inputs: Any
) -> jax.Array:
    host.start()
    arrays = [jnp.asarray(x) for x in inputs.values()]
    for name, array in zip(inputs, arrays, strict=True):
        as_numbers(name, np.empty(0, array.dtype))  # refuses complex numbers
    shape = broadcast_shape(arrays, list(inputs))
    ndim, axes = len(shape), normalise_axes(axis, len(shape))
    if settings.get("weight", EQUAL) is not EQUAL:
        by_row = functions[0] is _js_divergence_logit
        asked = weighed(shape, axes, settings["keepdims"], settings["reduce"], by_row)
        broadcast_weight(np.array(settings["weight"]), *asked)
    wide = jnp.result_type(*arrays, jnp.float32)
    arrays = [x.astype(wide).reshape((1,) * (ndim - x.ndim) + x.shape) for x in arrays]
    # Counted from the end, axes stay the same where vmap puts another in front.
    keywords = {"axis": tuple(a - ndim for a in axes), **settings}
    return _called(functions, tuple(keywords.items()), *arrays)


def _constant(weight: Any) -> Any:
    """Return a weight, or several, checked and in a form that can be compared and hashed."""
    if isinstance(weight, jax.core.Tracer):
        raise TypeError(
            "weight is traced by JAX; it is a constant here, without a derivative: let the "
            "function that is transformed close over it, or name it in jit's static_argnames"
        )
    return weight if weight is EQUAL else _nested(as_weight(weight).tolist())


def _nested(values: Any) -> Any:
    return tuple(map(_nested, values)) if isinstance(values, list) else values


def _refuse(_functions: Functions, _settings: Settings, *_: Any) -> Any:
    raise TypeError(
        "the functions of jsdiv_numba.jax can be differentiated only once, and in reverse mode, as "
        "by jax.grad, jax.vjp and jax.jacrev"
    )


# JAX comes to these only if what they return is to be differentiated once more.
_differentiable_once = functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))


@_differentiable_once
def _value(functions: Functions, settings: Settings, *inputs: jax.Array) -> jax.Array:
    keywords = dict(settings)
    shape = broadcast_shape(inputs, [""] * len(inputs))
    if keywords["reduce"]:
        axes = normalise_axes(keywords["axis"], len(shape))
        shape = reduced_shape(shape, axes, keywords["keepdims"])
    result = jax.ShapeDtypeStruct(shape, inputs[0].dtype)

    def value(*inputs: jax.Array) -> Any:
        arrays = map(np.asarray, inputs)
        return np.asarray(host.run(functools.partial(functions[0], *arrays, **keywords)))

    called: jax.Array = jax.pure_callback(value, result, *inputs, vmap_method="broadcast_all")
    return called


@_differentiable_once
def _gradients(
    functions: Functions, settings: Settings, cotangent: jax.Array, *inputs: jax.Array
) -> tuple[jax.Array, ...]:
    results = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in inputs)

    def gradients(cotangent: jax.Array, *inputs: jax.Array) -> Any:
        arrays, keywords = map(np.asarray, inputs), dict(settings)
        keywords["cotangent"] = np.asarray(cotangent)
        _, *grads = host.run(functools.partial(functions[1], *arrays, **keywords))
        return tuple(map(np.asarray, grads))

    grads: tuple[jax.Array, ...] = jax.pure_callback(
        gradients, results, cotangent, *inputs, vmap_method="broadcast_all"
    )
    return grads


_value.defjvp(_refuse)
_gradients.defjvp(_refuse)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _called(functions: Functions, settings: Settings, *inputs: jax.Array) -> jax.Array:
    called: jax.Array = _value(functions, settings, *inputs)
    return called


def _forward(
    functions: Functions, settings: Settings, *inputs: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    return _value(functions, settings, *inputs), inputs


def _backward(
    functions: Functions,
    settings: Settings,
    inputs: tuple[jax.Array, ...],
    cotangent: jax.Array,
) -> tuple[jax.Array, ...]:
    grads: tuple[jax.Array, ...] = _gradients(functions, settings, cotangent, *inputs)
    return grads


_called.defvjp(_forward, _backward)
