"""The kernels as ufuncs: the body of each, as `object_code.of_ufunc` takes them.

A kernel takes its inputs, and then what it writes to; what is one number it returns.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .catalog import SHORT
from .codegen.intrinsics import contiguous, contiguous_rows, minimum, njit_inline
from .codegen.precision import Precision
from .formulas.js import scalar_formulas
from .formulas.kl import kl_formulas
from .formulas.skewed import skewed_formulas
from .formulas.slopes import gradient_formulas, unconditional
from .logits.js import logit_kernels
from .logits.js_gradients import logit_gradient_kernels
from .logits.kl import kl_logit_kernels
from .logits.kl_gradients import kl_logit_gradient_kernels
from .logits.many import logit_mixture_kernels
from .rows.columns import column_kernels, repeated, rows_together
from .rows.gradients import sum_with_gradient
from .rows.loops import each_row, each_weighted_row, rows_of_one, rows_of_two, weighted_rows
from .rows.many import mixture_kernels
from .rows.normalised import normalised_kernels
from .rows.short import short_normalised_sums, short_sums
from .rows.strides import of_any_strides
from .rows.sums import BLOCK, added_up, row_kernels

Body = Callable[..., None]


def _weights(first: int, itemsize: int) -> tuple[Any, Any]:
    """Return what a loop needs of the weights of p and of q, two inputs of the ufunc.

    Both inputs, how many elements apart their entries are, and that number, or -1
    where it is not the same for both or neither 0 nor 1; and the weights of an element.
    """
    second = first + 1

    @njit_inline
    def weights_of(arrays, strides):
        p_step, q_step = strides[first] // itemsize, strides[second] // itemsize
        common = p_step if p_step == q_step and 0 <= p_step <= 1 else -1
        return (arrays[first], arrays[second]), (p_step, q_step), common

    @njit_inline
    def weights_at(inputs, steps, i):
        (p_weights, q_weights), (p_step, q_step) = inputs, steps
        return p_weights[i * p_step], q_weights[i * q_step]

    return weights_of, weights_at


def _no_weights(_first: int, _itemsize: int) -> tuple[Any, Any]:
    """Return what stands in the place of a ufunc's weights where it has none."""

    @njit_inline
    def weights_of(_arrays, _strides):
        return (), (0, 0), 0

    @njit_inline
    def weights_at(_inputs, _steps, _i):
        return ()

    return weights_of, weights_at


def _loop(inputs: int, kernel: Any, itemsize: int, weighted: bool = False) -> Callable[..., None]:
    """Return the inner loop of a ufunc, as NumPy's C interface has it.

    The kernel takes two elements, for which that of one input may stand, and their weights.
    """
    second, last = inputs - 1, inputs + 2 * weighted
    weights_of, weights_at = (_weights if weighted else _no_weights)(inputs, itemsize)

    def loop(arrays, shape, strides, _data):
        p, q, result = arrays[0], arrays[second], arrays[last]
        # NumPy hands over aligned elements alone: strides are multiples of their size.
        step_p, step_q = strides[0] // itemsize, strides[second] // itemsize
        step = strides[last] // itemsize
        beside, steps, common_step = weights_of(arrays, strides)
        simple, fixed = step_p == 1 and step == 1, common_step == 0
        if simple and fixed and step_q == 1:
            weights = weights_at(beside, (0, 0), 0)
            for i in range(shape[0]):
                result[i] = kernel(p[i], q[i], *weights)
        elif simple and fixed and step_q == 0:
            for_all, weights = q[0], weights_at(beside, (0, 0), 0)
            for i in range(shape[0]):
                result[i] = kernel(p[i], for_all, *weights)
        elif simple and common_step == 1 and step_q == 1:
            for i in range(shape[0]):
                result[i] = kernel(p[i], q[i], *weights_at(beside, (1, 1), i))
        else:
            for i in range(shape[0]):
                weights = weights_at(beside, steps, i)
                result[i * step] = kernel(p[i * step_p], q[i * step_q], *weights)

    return loop


def _fast_path(formulas: Any, weights_at: Any) -> Any:
    """Return what differentiates a block of adjacent elements, if all of them are plain."""
    plain_gradient, all_plain = formulas.plain_gradient, formulas.all_plain

    @njit_inline
    def block(inputs, beside, outputs, start, stop, cotangent_step, weights_step):
        """Write the derivatives of adjacent elements; return whether they are right."""
        (p, q, cotangents), (in_p, in_q) = inputs, outputs
        cotangent, weights = cotangents[0], weights_at(beside, (0, 0), 0)
        plain = all_plain
        for i in range(start, stop):
            if cotangent_step:
                cotangent = cotangents[i]
            if weights_step:
                weights = weights_at(beside, (1, 1), i)
            x, y, plain = plain_gradient(p[i], q[i], cotangent, plain, *weights)
            in_p[i], in_q[i] = x, y
        return not plain < 0

    @njit_inline
    def fast_path(inputs, beside, outputs, start, stop, step, weights_step):
        """Return whether the block is done; steps are constants in each of the calls."""
        if step == 0 and weights_step == 0:
            return block(inputs, beside, outputs, start, stop, False, False)
        if step == 1 and weights_step == 0:
            return block(inputs, beside, outputs, start, stop, True, False)
        if step == 0 and weights_step == 1:
            return block(inputs, beside, outputs, start, stop, False, True)
        if step == 1 and weights_step == 1:
            return block(inputs, beside, outputs, start, stop, True, True)
        return False

    return fast_path


def _gradient_loop(formulas: Any, itemsize: int, weighted: bool = False) -> Callable[..., None]:
    """Return the inner loop of a ufunc of p, q and a cotangent with two derivatives."""
    gradient = formulas.gradient
    weights_of, weights_at = (_weights if weighted else _no_weights)(3, itemsize)
    fast_path = _fast_path(formulas, weights_at)
    first_out = 3 + 2 * weighted
    second_out = first_out + 1

    def loop(arrays, shape, strides, _data):
        inputs = p, q, cotangents = arrays[0], arrays[1], arrays[2]
        outputs = in_p, in_q = arrays[first_out], arrays[second_out]
        step_p, step_q = strides[0] // itemsize, strides[1] // itemsize
        step = strides[2] // itemsize
        step_in_p = strides[first_out] // itemsize
        step_in_q = strides[second_out] // itemsize
        beside, steps, common_step = weights_of(arrays, strides)
        adjacent = step_p == 1 and step_q == 1 and step_in_p == 1 and step_in_q == 1
        for start in range(0, shape[0], BLOCK):
            stop, done = minimum(start + BLOCK, shape[0]), False
            if adjacent:
                done = fast_path(inputs, beside, outputs, start, stop, step, common_step)
            if not done:
                for i in range(start, stop):
                    weights = weights_at(beside, steps, i)
                    x, y = gradient(p[i * step_p], q[i * step_q], cotangents[i * step], *weights)
                    in_p[i * step_in_p], in_q[i * step_in_q] = x, y

    return loop


def _elementwise(inputs: int, formula_of: Callable[[Precision], Any], **options: bool) -> Any:
    """Return what makes the inner loop of a ufunc with one result."""

    def body_of(precision: Precision) -> Body:
        return _loop(inputs, formula_of(precision), precision.Float(0).itemsize, **options)

    return body_of


def _elementwise_gradient(formulas_of: Callable[[Precision], Any], **options: bool) -> Any:
    """Return what makes the inner loop of a ufunc of p, q and a cotangent."""

    def body_of(precision: Precision) -> Body:
        return _gradient_loop(formulas_of(precision), precision.Float(0).itemsize, **options)

    return body_of


def _generalised(kernels_of: Any, name: str, adapt: Callable[[Any], Body] | None = None) -> Any:
    """Return what makes the body of a generalised ufunc, for most the kernel as it stands."""

    def body_of(precision: Precision) -> Body:
        kernel: Body = getattr(kernels_of(precision), name)
        return adapt(kernel) if adapt else kernel

    return body_of


def _of_one(kernel: Any) -> Body:
    def body(p, results):
        kernel(p, p, results)

    return body


def _unweighted(kernel: Any) -> Body:
    def body(p, q, results):
        kernel(p, q, results)

    return body


def _weights_last(kernel: Any) -> Body:
    def body(p, q, p_weight, q_weight, terms):
        kernel(p, q, terms, p_weight, q_weight)

    return body


def _weights_of_columns_last(kernel: Any) -> Body:
    def body(p, q, p_weights, q_weights, sums):
        times = rows_together(p, q)
        weights = repeated(contiguous(p_weights), times), repeated(contiguous(q_weights), times)
        kernel(p, q, sums, *weights)

    return body


def _weights_last_of_gradients(kernel: Any) -> Body:
    def body(p, q, cotangents, p_weight, q_weight, in_p, in_q):
        kernel(p, q, cotangents, in_p, in_q, p_weight, q_weight)

    return body


def _js_sum(precision: Precision) -> Body:
    return rows_of_two(each_row(row_kernels(precision).of_contiguous.row_sum))


def _kl_sum(precision: Precision) -> Body:
    return rows_of_two(each_row(row_kernels(precision).of_contiguous.kl_sum))


def _entropy_sum(precision: Precision) -> Body:
    return rows_of_one(each_row(row_kernels(precision).of_contiguous.entropy_sum))


def _js_sum_skewed(precision: Precision) -> Body:
    return weighted_rows(each_weighted_row(row_kernels(precision).of_contiguous.skewed_sum))


def _added_up(_: Precision) -> Body:
    return added_up


def _skewed_gradient(precision: Precision) -> Any:
    return unconditional(precision, skewed_formulas(precision).skewed_gradient)


def _kl_gradient(precision: Precision) -> Any:
    return unconditional(precision, kl_formulas(precision).kl_gradient)


def _js_sum_with_gradient(precision: Precision) -> Body:
    return of_any_strides(sum_with_gradient(precision))


def _of_short_rows(kernel: Any) -> Body:
    def body(P, Q, results):
        if P.shape[1] > SHORT:
            results[:] = np.nan
        else:
            kernel(contiguous_rows(P), contiguous_rows(Q), results)

    return body


_BODIES: dict[str, Callable[[Precision], Body]] = {
    "js_term": _elementwise(2, lambda precision: scalar_formulas(precision).js_term),
    "js_gradient": _elementwise_gradient(gradient_formulas),
    "js_sum": _js_sum,
    "js_sum_short": lambda precision: _of_short_rows(short_sums(precision)),
    "js_sum_normalised_short": lambda precision: _of_short_rows(short_normalised_sums(precision)),
    "js_sum_columns": _generalised(column_kernels, "column_sums", _unweighted),
    "js_sum_normalised": _generalised(normalised_kernels, "row_sums", rows_of_two),
    "js_signed_term_normalised": _generalised(normalised_kernels, "signed_terms"),
    "js_sum_logit": _generalised(logit_kernels, "logit_sums"),
    "js_term_logit": _generalised(logit_kernels, "logit_terms", _unweighted),
    "js_sum_with_gradient": _js_sum_with_gradient,
    "js_sum_with_gradient_logit": _generalised(
        logit_gradient_kernels, "sum_with_gradient", of_any_strides
    ),
    "js_gradient_logit": _generalised(logit_gradient_kernels, "of_terms"),
    "js_term_skewed": _elementwise(
        2, lambda precision: skewed_formulas(precision).skewed_term, weighted=True
    ),
    "js_gradient_skewed": _elementwise_gradient(_skewed_gradient, weighted=True),
    "js_sum_skewed": _js_sum_skewed,
    "js_sum_skewed_columns": _generalised(column_kernels, "skewed_sums", _weights_of_columns_last),
    "js_sum_logit_skewed": _generalised(logit_kernels, "skewed_sum"),
    "js_term_logit_skewed": _generalised(logit_kernels, "skewed_terms", _weights_last),
    "js_gradient_logit_skewed": _generalised(
        logit_gradient_kernels, "of_skewed_terms", _weights_last_of_gradients
    ),
    "js_sum_many": _generalised(mixture_kernels, "total"),
    "js_term_many": _generalised(mixture_kernels, "terms"),
    "js_added_many": _generalised(mixture_kernels, "added"),
    "js_gradient_many": _generalised(mixture_kernels, "gradient"),
    "js_sum_many_logit": _generalised(logit_mixture_kernels, "total"),
    "js_term_many_logit": _generalised(logit_mixture_kernels, "terms"),
    "js_gradient_many_logit": _generalised(logit_mixture_kernels, "gradient"),
    "kl_term": _elementwise(2, lambda precision: kl_formulas(precision).kl_term),
    "kl_gradient": _elementwise_gradient(_kl_gradient),
    "kl_gradient_logit": _generalised(kl_logit_gradient_kernels, "kl_gradient"),
    "kl_sum": _kl_sum,
    "kl_sum_columns": _generalised(column_kernels, "kl_sums", _unweighted),
    "kl_parts": _generalised(row_kernels, "kl_parts"),
    "kl_parts_columns": _generalised(column_kernels, "kl_parts"),
    "parts_added_up": _added_up,
    "kl_sum_logit": _generalised(kl_logit_kernels, "kl_sum"),
    "kl_term_logit": _generalised(kl_logit_kernels, "kl_terms"),
    "entropy_term": _elementwise(1, lambda precision: kl_formulas(precision).entropy_term),
    "entropy_gradient": _elementwise(2, lambda precision: kl_formulas(precision).entropy_gradient),
    "entropy_gradient_logit": _generalised(kl_logit_gradient_kernels, "entropy_gradient"),
    "entropy_sum": _entropy_sum,
    "entropy_sum_columns": _generalised(column_kernels, "entropy_sums", _of_one),
    "entropy_sum_logit": _generalised(kl_logit_kernels, "entropy_sum"),
    "entropy_term_logit": _generalised(kl_logit_kernels, "entropy_terms"),
}


def body_of(name: str, precision: Precision) -> Body:
    """Return the body of the ufunc of this name, of one dtype."""
    return _BODIES[name](precision)
