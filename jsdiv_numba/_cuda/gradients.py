"""From checked arguments to the divergences of probabilities and their derivatives."""

import math
from typing import Any

import numpy as np

from .. import _arrays
from . import arrays, target
from .arrays import blocks_for
from .elements import element_kernels
from .launch import Call, sum_over
from .target import THREADS


def weights_of(call: Call, cotangent: Any, shape: tuple[int, ...]) -> Any:
    """Return the derivatives in the value, with the broadcast shape's axes.

    `shape` is that of the value; those of its axes that are reduced may be gone.
    """
    cotangent = np.ones((), call.dtype) if cotangent is None else cotangent
    given, _, _ = arrays.gather(("cotangent",), (cotangent,))
    weights = given[0].array
    try:
        fits = np.broadcast_shapes(weights.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"cotangent of shape {tuple(weights.shape)} does not broadcast to the value's {shape}"
        )
    strides = arrays.broadcast_strides(weights, shape)
    if len(shape) < len(call.shape):
        kept = iter(strides)
        strides = tuple(0 if i in call.axes else next(kept) for i in range(len(call.shape)))
    return target.strided(weights, call.shape, _zero_where_reduced(strides, shape, call))


def _zero_where_reduced(
    strides: tuple[int, ...], shape: tuple[int, ...], call: Call
) -> tuple[int, ...]:
    if shape == call.shape:
        return strides
    return tuple(0 if i in call.axes else stride for i, stride in enumerate(strides))


def gradients(call: Call, weights: Any) -> tuple[Any, Any]:
    """Return the derivatives in both inputs, in their shapes."""
    kernel = element_kernels(call.precision).gradient
    whole = [arrays.new_like(call.like, call.shape, call.dtype, call.stream) for _ in range(2)]
    size = math.prod(call.shape)

    def launch(p: Any, q: Any, w: Any, in_p: Any, in_q: Any) -> None:
        kernel[blocks_for(size), THREADS, call.stream](p, q, w, call.divisor, in_p, in_q)

    if size:
        inputs, axes = [*call.inputs, weights], tuple(range(len(call.shape)))[-1:]
        outputs = [given.array for given in whole]
        arrays.by_rows(launch, inputs, outputs, call.shape, axes, call.stream)
    in_P, in_Q = (
        _of_shape(given, tuple(array.shape), call)
        for given, array in zip(whole, call.inputs, strict=True)
    )
    return in_P, in_Q


def _of_shape(given: arrays.Given, shape: tuple[int, ...], call: Call) -> Any:
    """Return an array of the broadcast shape added up to that of an input."""
    if shape == call.shape:
        return given.like
    added = arrays.new_like(call.like, shape, call.dtype, call.stream)
    padded = (1,) * (len(call.shape) - len(shape)) + shape
    axes = tuple(i for i, (n, m) in enumerate(zip(call.shape, padded, strict=True)) if n != m)
    if math.prod(shape):
        if math.prod(call.shape):
            sum_over(given.array, axes, added.array, call.precision, call.stream)
        else:
            added.array.copy_to_device(np.zeros(shape, call.dtype), stream=call.stream)
    return added.like


def value_shape(call: Call, keepdims: bool, reduce: bool) -> tuple[int, ...]:
    """Return the shape of the value."""
    return _arrays.reduced_shape(call.shape, call.axes, keepdims) if reduce else call.shape
