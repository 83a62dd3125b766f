"""From checked arguments to the divergences and their derivatives."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import validation
from . import arrays, evaluate, target
from .evaluate import Call, flat, shares_of, sum_over
from .kernels.logit_gradients import logit_gradient_kernels
from .kernels.logits import logit_kernels
from .kernels.row_gradients import derivative_kernels
from .kernels.rows import row_kernels
from .target import THREADS

Write = Callable[[Call, Any, Any], None]
"""What writes a value and derivatives: it gets views by rows of the inputs, the weights and the
derivatives, and the value, of which there may be a view too."""


def of_probabilities(call: Call, cotangent: Any, keepdims: bool, reduce: bool) -> tuple[Any, ...]:
    """Return the value and the derivatives with respect to both inputs, in their shapes."""
    if reduce:
        shape = validation.reduced_shape(call.shape, call.axes, keepdims)
        return _evaluate(call, cotangent, shape, _write_rows)
    elementwise = call._replace(axes=evaluate.last(call.shape))
    return _evaluate(elementwise, cotangent, call.shape, _write_terms, by_element=True)


def of_logits(call: Call, cotangent: Any, keepdims: bool, reduce: bool) -> tuple[Any, ...]:
    """Return the value and the derivatives with respect to both inputs, in their shapes."""
    if reduce:
        shape = validation.reduced_shape(call.shape, call.axes, keepdims)
        return _evaluate(call, cotangent, shape, _write_logit_rows)
    return _evaluate(call, cotangent, call.shape, _write_logit_terms, by_element=True)


def of_all_logits(call: Call, cotangent: Any, keepdims: bool) -> tuple[Any, ...]:
    """Return the sum of all rows' divergences, and its derivatives."""
    shape = (1,) * len(call.shape) if keepdims else ()

    def write(call: Call, views: Any, result: Any) -> None:
        rows = call.empty((call.number,))
        _write_logit_rows(call, views, rows)
        sum_over(call, rows, (0,), result)

    return _evaluate(call, cotangent, shape, write)


def _evaluate(
    call: Call, cotangent: Any, shape: tuple[int, ...], write: Write, by_element: bool = False
) -> tuple[Any, ...]:
    weights = _weights(call, cotangent, shape, by_element)
    like = call.gathered.like
    whole = [arrays.new_like(like, call.shape, call.dtype, call.stream) for _ in range(2)]

    def write_all(result: Any) -> None:
        outputs = [*(given.array for given in whole), *([result] if by_element else [])]

        def write_views(*views: Any) -> None:
            write(call, views, result)

        inputs = [*call.inputs, weights]
        arrays.by_rows(write_views, inputs, outputs, call.shape, call.axes, call.gathered)

    value = evaluate.result_of(call, None, shape, write_all)
    in_each = [
        _of_shape(given, tuple(array.shape), call)
        for given, array in zip(whole, call.inputs, strict=True)
    ]
    return value, *in_each


def _weights(call: Call, cotangent: Any, shape: tuple[int, ...], by_element: bool) -> Any:
    """Return the derivatives with respect to the value, with the broadcast shape's axes.

    `shape` is that of the value; those of its axes that are reduced may be gone.
    """
    if cotangent is None:
        weights = call.gathered.filled((), 1, call.dtype)
    else:
        found = arrays.gather(("cotangent",), (cotangent,), call.stream)
        call.gathered.others.extend(found.others)
        (weights,) = found.arrays
    try:
        fits = np.broadcast_shapes(weights.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"cotangent of shape {tuple(weights.shape)} does not broadcast to the value's {shape}"
        )
    strides = arrays.broadcast_strides(weights, shape)
    if not by_element:
        kept = iter(strides if len(shape) < len(call.shape) else _kept(strides, call))
        strides = tuple(0 if i in call.axes else next(kept, 0) for i in range(len(call.shape)))
    return target.strided(weights, call.shape, strides)


def _kept(strides: tuple[int, ...], call: Call) -> list[int]:
    return [stride for i, stride in enumerate(strides) if i not in call.axes]


def _of_shape(given: arrays.Given, shape: tuple[int, ...], call: Call) -> Any:
    """Return an array of the broadcast shape added up to that of an input."""
    if shape == call.shape:
        return given.like
    added = arrays.new_like(call.gathered.like, shape, call.dtype, call.stream)
    padded = (1,) * (len(call.shape) - len(shape)) + shape
    axes = tuple(i for i, (n, m) in enumerate(zip(call.shape, padded, strict=True)) if n != m)
    if math.prod(call.shape):
        sum_over(call, given.array, axes, added.array)
    else:
        arrays.fill_elements(added.array, 0, call.stream)
    return added.like


def _write_rows(call: Call, views: Any, result: Any) -> None:
    p, q, weights, in_p, in_q = views
    kernels, shares = derivative_kernels(call.precision), shares_of([p, q, in_p, in_q])
    if shares.pieces == 1:
        whole = kernels.whole_gradients[shares.blocks, THREADS, call.stream]
        whole(p, q, weights, shares.shift, shares.aligned, call.divisor, in_p, in_q, flat(result))
        return

    def cut(sweep: int, state: Any, parts: Any) -> None:
        if sweep > 0:
            evaluate.cut_rows(call, shares, (p, q), sweep, state, parts)
            return
        kernel = kernels.pieces_of_gradients[shares.grid, THREADS, call.stream]
        kernel(
            p, q, weights, shares.shift, shares.aligned, shares.piece, call.divisor, in_p, in_q,
            parts,
        )  # fmt: skip

    kernel = row_kernels(call.precision).rows_of_pieces
    evaluate.in_pieces(call, shares, 2, cut, evaluate.put_together(call, kernel, result))


def _write_terms(call: Call, views: Any, _result: Any) -> None:
    p, q, weights, in_p, in_q, terms = views
    shares = shares_of([p, q, in_p, in_q, terms])
    kernel = derivative_kernels(call.precision).term_gradients[shares.grid, THREADS, call.stream]
    kernel(
        p, q, weights, shares.shift, shares.aligned, shares.piece, call.divisor, in_p, in_q, terms
    )


def _write_logit_rows(call: Call, views: Any, result: Any) -> None:
    a, b, weights, in_a, in_b = views
    kernels, shares = logit_gradient_kernels(call.precision), shares_of([a, b, in_a, in_b])
    if shares.pieces == 1:
        staging = evaluate.staged(shares, call.number, call.length, call.dtype.itemsize)
        shares = staging.shares
        kernel = kernels.staged_gradients if staging.bytes else kernels.whole_gradients
        whole = kernel[shares.blocks, staging.threads, call.stream, staging.bytes]
        whole(
            a, b, weights, shares.shift, shares.aligned, staging.room, call.divisor, in_a, in_b,
            flat(result),
        )  # fmt: skip
        return
    sweep = logit_kernels(call.precision).pieces_of_logits
    no_terms = target.strided(result, tuple(a.shape), (0, 0, 0, 0))
    given = call, shares, sweep, (a, b), no_terms, result
    state = evaluate.sweep_logits(*given, sweeps=(0,))

    def cut(turn: int, state: Any, parts: Any) -> None:
        kernel = kernels.pieces_of_gradients[shares.grid, THREADS, call.stream]
        kernel(
            a, b, weights, shares.shift, shares.aligned, shares.piece, turn, call.divisor, state,
            parts, in_a, in_b,
        )  # fmt: skip

    together = evaluate.put_together(call, kernels.gradients_of_pieces, result)
    evaluate.in_pieces(call, shares, 5, cut, together, state)
    evaluate.sweep_logits(*given, sweeps=(2, 3), state=state)


def _write_logit_terms(call: Call, views: Any, _result: Any) -> None:
    a, b, weights, in_a, in_b, terms = views
    evaluate.write_logit_terms_of(call, a, b, terms)
    kernels, shares = logit_gradient_kernels(call.precision), shares_of([a, b, in_a, in_b])
    if shares.pieces == 1:
        whole = kernels.term_gradients[shares.blocks, THREADS, call.stream]
        whole(a, b, weights, shares.shift, shares.aligned, call.divisor, in_a, in_b)
        return
    state, rows = _softmaxes(call, shares, (a, b))

    def cut(sweep: int, state: Any, parts: Any) -> None:
        kernel = kernels.pieces_of_term_gradients[shares.grid, THREADS, call.stream]
        kernel(
            a, b, weights, shares.shift, shares.piece, sweep, call.divisor, state, parts, in_a,
            in_b,
        )  # fmt: skip

    together = evaluate.put_together(call, kernels.term_gradients_of_pieces, rows)
    evaluate.in_pieces(call, shares, 5, cut, together, state)


def _softmaxes(call: Call, shares: evaluate.Shares, views: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return what is known of rows of logits after one sweep, and room for a number of each."""
    rows = call.empty((call.number,))
    no_terms = target.strided(rows, tuple(views[0].shape), (0, 0, 0, 0))
    kernel = logit_kernels(call.precision).pieces_of_logits
    state = evaluate.sweep_logits(call, shares, kernel, views, no_terms, rows, sweeps=(0,))
    return state, rows
