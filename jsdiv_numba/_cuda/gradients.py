"""From checked arguments to the divergences and their derivatives."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._core import validation
from . import arrays, evaluate, target
from .evaluate import Call, Rows, Weights, flat, shares_of, sum_over
from .kernels.logit_gradients import logit_gradient_kernels, logit_term_gradient_kernels
from .kernels.logits import logit_kernels
from .kernels.row_gradients import derivative_kernels
from .kernels.rows import row_kernels
from .target import THREADS


class Beside(NamedTuple):
    """Views by rows of what there is beside the inputs."""

    weights: Weights
    cotangents: Any
    in_p: Any
    in_q: Any
    terms: Any = None

    @property
    def derivatives(self) -> tuple[Any, Any]:
        """Those in both inputs."""
        return self.in_p, self.in_q


Write = Callable[[Call, Rows, Beside, Any], None]
"""What writes the value and the derivatives of views by rows, of which the value may be one."""


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

    def write(call: Call, rows: Rows, beside: Beside, result: Any) -> None:
        totals = call.empty((call.number,))
        _write_logit_rows(call, rows, beside, totals)
        sum_over(call, totals, (0,), result)

    return _evaluate(call, cotangent, shape, write)


def _evaluate(
    call: Call, cotangent: Any, shape: tuple[int, ...], write: Write, by_element: bool = False
) -> tuple[Any, ...]:
    cotangents = _cotangents(call, cotangent, shape, by_element)
    like = call.gathered.like
    whole = [arrays.new_like(like, call.shape, call.dtype, call.stream) for _ in range(2)]

    def write_all(result: Any) -> None:
        outputs = [*(given.array for given in whole), *([result] if by_element else [])]

        def write_views(rows: Rows, weights: Weights, *others: Any) -> None:
            write(call, rows, Beside(weights, *others), result)

        call.by_rows(write_views, outputs, (cotangents,))

    value = evaluate.result_of(call, None, shape, write_all)
    in_each = [
        _of_shape(given, tuple(array.shape), call)
        for given, array in zip(whole, call.inputs, strict=True)
    ]
    return value, *in_each


def _cotangents(call: Call, cotangent: Any, shape: tuple[int, ...], by_element: bool) -> Any:
    """Return the derivatives with respect to the value, with the broadcast shape's axes.

    `shape` is that of the value; those of its axes that are reduced may be gone.
    """
    if cotangent is None:
        cotangents = call.gathered.filled((), 1, call.dtype)
    else:
        found = arrays.gather(("cotangent",), (cotangent,), call.stream)
        call.gathered.others.extend(found.others)
        (cotangents,) = found.arrays
    try:
        fits = np.broadcast_shapes(cotangents.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        given = tuple(cotangents.shape)
        raise ValueError(f"cotangent of shape {given} does not broadcast to the value's {shape}")
    return evaluate.laid_beside(call, cotangents, shape, by_element)


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


def _write_rows(call: Call, rows: Rows, beside: Beside, result: Any) -> None:
    kernels = derivative_kernels(call.precision, call.skewed)
    shares, views = shares_of([*rows, *beside.derivatives]), (*rows, beside.weights)
    given = *views, beside.cotangents, shares.shift, shares.aligned
    if shares.pieces == 1:
        whole = kernels.whole_gradients[shares.blocks, THREADS, call.stream]
        whole(*given, call.divisor, *beside.derivatives, flat(result))
        return

    def cut(sweep: int, state: Any, parts: Any) -> None:
        if sweep > 0:
            evaluate.cut_rows(call, shares, views, sweep, state, parts)
            return
        kernel = kernels.pieces_of_gradients[shares.grid, THREADS, call.stream]
        kernel(*given, shares.piece, call.divisor, *beside.derivatives, parts)

    kernel = row_kernels(call.precision, call.skewed).rows_of_pieces
    evaluate.in_pieces(call, shares, 2, cut, evaluate.put_together(call, kernel, result))


def _write_terms(call: Call, rows: Rows, beside: Beside, _result: Any) -> None:
    shares = shares_of([*rows, *beside.derivatives, beside.terms])
    kernels = derivative_kernels(call.precision, call.skewed)
    kernel = kernels.term_gradients[shares.grid, THREADS, call.stream]
    given = *rows, beside.weights, beside.cotangents, shares.shift, shares.aligned, shares.piece
    kernel(*given, call.divisor, *beside.derivatives, beside.terms)


def _write_logit_rows(call: Call, rows: Rows, beside: Beside, result: Any) -> None:
    if call.skewed:
        evaluate.write_logit_totals_of(call, rows, beside.weights, result)
        _write_term_derivatives(call, rows, beside)
        return
    kernels = logit_gradient_kernels(call.precision)
    shares = shares_of([*rows, *beside.derivatives])
    if shares.pieces == 1:
        staging = evaluate.staged(shares, call.number, call.length, call.dtype.itemsize)
        shares = staging.shares
        kernel = kernels.staged_gradients if staging.bytes else kernels.whole_gradients
        whole = kernel[shares.blocks, staging.threads, call.stream, staging.bytes]
        given = *rows, beside.cotangents, shares.shift, shares.aligned, staging.room
        whole(*given, call.divisor, *beside.derivatives, flat(result))
        return
    sweep = logit_kernels(call.precision, False).pieces_of_logits
    no_terms = target.strided(result, tuple(rows[0].shape), (0, 0, 0, 0))
    settings = call, shares, sweep, (*rows, ()), no_terms, result
    state = evaluate.sweep_logits(*settings, sweeps=(0,))

    def cut(turn: int, state: Any, parts: Any) -> None:
        kernel = kernels.pieces_of_gradients[shares.grid, THREADS, call.stream]
        given = *rows, beside.cotangents, shares.shift, shares.aligned, shares.piece, turn
        kernel(*given, call.divisor, state, parts, *beside.derivatives)

    together = evaluate.put_together(call, kernels.gradients_of_pieces, result)
    evaluate.in_pieces(call, shares, 5, cut, together, state)
    evaluate.sweep_logits(*settings, sweeps=(2, 3), state=state)


def _write_logit_terms(call: Call, rows: Rows, beside: Beside, _result: Any) -> None:
    evaluate.write_logit_terms_of(call, rows, beside.weights, beside.terms)
    _write_term_derivatives(call, rows, beside)


def _write_term_derivatives(call: Call, rows: Rows, beside: Beside) -> None:
    """Write the derivatives of the sum of all terms of logits times their cotangents."""
    kernels = logit_term_gradient_kernels(call.precision, call.skewed)
    shares = shares_of([*rows, *beside.derivatives])
    views = *rows, beside.weights, beside.cotangents
    if shares.pieces == 1:
        whole = kernels.term_gradients[shares.blocks, THREADS, call.stream]
        whole(*views, shares.shift, shares.aligned, call.divisor, *beside.derivatives)
        return
    state, totals = _softmaxes(call, shares, rows, beside.weights)

    def cut(sweep: int, state: Any, parts: Any) -> None:
        kernel = kernels.pieces_of_term_gradients[shares.grid, THREADS, call.stream]
        given = *views, shares.shift, shares.piece, sweep, call.divisor
        kernel(*given, state, parts, *beside.derivatives)

    together = evaluate.put_together(call, kernels.term_gradients_of_pieces, totals)
    evaluate.in_pieces(call, shares, 5, cut, together, state)


def _softmaxes(
    call: Call, shares: evaluate.Shares, rows: Rows, weights: Weights
) -> tuple[Any, Any]:
    """Return what is known of rows of logits after one sweep, and room for a number of each."""
    totals = call.empty((call.number,))
    no_terms = target.strided(totals, tuple(rows[0].shape), (0, 0, 0, 0))
    kernel = logit_kernels(call.precision, call.skewed).pieces_of_logits
    given = call, shares, kernel, (*rows, weights), no_terms, totals
    return evaluate.sweep_logits(*given, sweeps=(0,)), totals
