"""The kernels as NumPy ufuncs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numba import cfunc, types
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import overload
from numba.np.ufunc.ufuncbuilder import GUFuncBuilder, _internal, parse_identity

from .columns import column_kernels
from .compile import contiguous, formula, minimum, prefer_wide_vectors
from .gil import releasing_loop
from .gradients import gradient_formulas, unconditional
from .logit_gradients import logit_gradient_kernels
from .logits import logit_kernels
from .mixtures import mixture_kernels
from .normalised import normalised_kernels
from .precision import FLOAT32, FLOAT64, Precision
from .relative import relative_formulas
from .relative_logit_gradients import relative_logit_gradient_kernels
from .relative_logits import relative_logit_kernels
from .row_gradients import sum_with_gradient
from .rows import BLOCK, added_up, row_kernels
from .scalar import scalar_formulas
from .skewed import skewed_formulas
from .strides import sum_with_gradient_body

_PRECISIONS = {"float32": FLOAT32, "float64": FLOAT64}
_OPTIONS = {"nopython": True, "fastmath": False}


def compile_ufunc(name: str, dtypes: tuple[str, ...]) -> Any:
    """Compile the ufunc of this name for these dtypes."""
    make, inputs, kernel_of = _UFUNCS[name]
    return make(name, inputs, {dtype: kernel_of(_PRECISIONS[dtype]) for dtype in dtypes})


def _elementwise(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    return _from_loops(name, kernels, partial(_loop, inputs), inputs, 1)


def _elementwise_weighted(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    return _from_loops(name, kernels, partial(_loop, inputs, weighted=True), inputs + 2, 1)


def _elementwise_gradient(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    return _from_loops(name, kernels, _gradient_loop, inputs + 1, inputs)


def _elementwise_weighted_gradient(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    return _from_loops(name, kernels, partial(_gradient_loop, weighted=True), inputs + 3, inputs)


def _from_loops(
    name: str, kernels: dict[str, Any], loop_of: Callable[..., Any], inputs: int, outputs: int
) -> Any:
    """Make an elementwise ufunc.

    As `numba.vectorize` does, but with a loop of our own: numba 0.68 takes the
    output for contiguous wherever the inputs are, and writes out of place.
    """
    loops = []
    sizes = types.CPointer(types.intp)
    for dtype, kernel in kernels.items():
        arrays = types.CPointer(types.CPointer(getattr(types, dtype)))
        compiled = cfunc(types.void(arrays, sizes, sizes, types.voidptr))
        loops.append(compiled(loop_of(kernel, np.dtype(dtype).itemsize)))
    numbers = [[np.dtype(dtype).num] * (inputs + outputs) for dtype in kernels]
    addresses, data = [loop.address for loop in loops], [None] * len(loops)
    identity = parse_identity(None)
    return _internal.fromfunc(
        name, None, addresses, numbers, inputs, outputs, data, loops, identity
    )


def _weights(first: int, itemsize: int) -> tuple[Any, Any]:
    """Return what a loop needs of the weights of p and of q, two inputs of the ufunc.

    Both inputs, how many elements apart their entries are, and that number, or -1
    where it is not the same for both or neither 0 nor 1; and the weights of an element.
    """
    second = first + 1

    @formula
    def weights_of(arrays, strides):
        p_step, q_step = strides[first] // itemsize, strides[second] // itemsize
        common = p_step if p_step == q_step and 0 <= p_step <= 1 else -1
        return (arrays[first], arrays[second]), (p_step, q_step), common

    @formula
    def weights_at(inputs, steps, i):
        (p_weights, q_weights), (p_step, q_step) = inputs, steps
        return p_weights[i * p_step], q_weights[i * q_step]

    return weights_of, weights_at


def _no_weights(first: int, itemsize: int) -> tuple[Any, Any]:
    """Return the same where there are none."""

    @formula
    def weights_of(arrays, strides):
        return (), (0, 0), 0

    @formula
    def weights_at(inputs, steps, i):
        return ()

    return weights_of, weights_at


def _loop(inputs: int, kernel: Any, itemsize: int, weighted: bool = False) -> Callable[..., None]:
    """Return the inner loop of a ufunc, as NumPy's C interface has it.

    The kernel takes two elements, for which that of one input may stand, and their weights.
    """
    second, last = inputs - 1, inputs + 2 * weighted
    weights_of, weights_at = (_weights if weighted else _no_weights)(inputs, itemsize)

    def loop(arrays, shape, strides, data):
        prefer_wide_vectors()
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


def _gradient_loop(formulas: Any, itemsize: int, weighted: bool = False) -> Callable[..., None]:
    """Return the inner loop of a ufunc of p, q and a cotangent with two derivatives."""
    plain_gradient, gradient = formulas.plain_gradient, formulas.gradient
    all_plain = formulas.all_plain
    weights_of, weights_at = (_weights if weighted else _no_weights)(3, itemsize)
    first_out = 3 + 2 * weighted
    second_out = first_out + 1

    @formula
    def plain_block(inputs, beside, outputs, start, stop, cotangent_step, weights_step):
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

    def loop(arrays, shape, strides, data):
        prefer_wide_vectors()
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
            if adjacent and step == 0 and common_step == 0:
                done = plain_block(inputs, beside, outputs, start, stop, False, False)
            elif adjacent and step == 1 and common_step == 0:
                done = plain_block(inputs, beside, outputs, start, stop, True, False)
            elif adjacent and step == 0 and common_step == 1:
                done = plain_block(inputs, beside, outputs, start, stop, False, True)
            elif adjacent and step == 1 and common_step == 1:
                done = plain_block(inputs, beside, outputs, start, stop, True, True)
            if not done:
                for i in range(start, stop):
                    weights = weights_at(beside, steps, i)
                    x, y = gradient(p[i * step_p], q[i * step_q], cotangents[i * step], *weights)
                    in_p[i * step_in_p], in_q[i * step_in_q] = x, y

    return loop


def _choosing(kernels: dict[str, Any]) -> Any:
    """Return one function for all dtypes, since a generalised ufunc has one body."""
    if len(kernels) == 1:
        return next(iter(kernels.values()))

    def chosen(p, q):
        raise NotImplementedError("replaced when it is compiled")

    @overload(chosen, jit_options={"fastmath": False, "forceinline": True})
    def choose(p, q):
        kernel = kernels[str(p.dtype)]

        def of_this_dtype(p, q):
            return kernel(p, q)

        return of_this_dtype

    return chosen


def _to_scalar(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    kernel = _choosing(kernels)

    def of_two(p, q, result):
        result[0] = kernel(p, q)

    def of_one(p, result):
        result[0] = kernel(p, p)

    arguments = [(kind[:],) * (inputs + 1) for kind in _kinds(kernels)]
    return _generalised(name, (of_one, of_two)[inputs - 1], arguments, _of(inputs, "(n)", "()"))


def _to_weighted_scalar(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()

    def body(p, q, p_weight, q_weight, result):
        result[0] = kernel(p, q, p_weight, q_weight)

    arguments = [(kind[:], kind[:], kind, kind, kind[:]) for kind in _kinds(kernels)]
    return _generalised(name, body, arguments, "(n),(n),(),()->()")


def _to_row(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    arguments = [(kind[:],) * (inputs + 1) for kind in _kinds(kernels)]
    return _generalised(name, _writing(inputs, kernels), arguments, _of(inputs, "(n)", "(n)"))


def _to_columns(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    arguments = [((kind[:, :],) * inputs) + (kind[:],) for kind in _kinds(kernels)]
    return _generalised(name, _writing(inputs, kernels), arguments, _of(inputs, "(n,m)", "(m)"))


def _to_parts(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()

    def body(p, q, result, left):
        result[0], left[0] = kernel(p, q)

    return _in_parts(name, body, kernels, lambda kind: kind[:], "(n),(n)->(),()")


def _to_column_parts(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()

    def body(p, q, result, left):
        kernel(p, q, result, left)

    return _in_parts(name, body, kernels, lambda kind: kind[:, :], "(n,m),(n,m)->(m),(m)")


def _in_parts(
    name: str,
    body: Callable[..., None],
    kernels: dict[str, Any],
    rows: Callable[[Any], Any],
    signature: str,
) -> Any:
    """Make a generalised ufunc of a sum and what its rounding left, in float64 for any dtype."""
    sums = types.float64[:]
    arguments = [(rows(kind), rows(kind), sums, sums) for kind in _kinds(kernels)]
    return _generalised(name, body, arguments, signature)


def _to_weighted_columns(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()

    def body(p, q, p_weights, q_weights, result):
        kernel(p, q, result, contiguous(p_weights), contiguous(q_weights))

    arguments = [(*[kind[:, :]] * 2, *[kind[:]] * 3) for kind in _kinds(kernels)]
    return _generalised(name, body, arguments, "(n,m),(n,m),(m),(m)->(m)")


def _of_many_to_scalar(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()

    def body(rows, weights, result):
        result[0] = kernel(rows, weights)

    arguments = [(kind[:, :], types.float64[:], kind[:]) for kind in _kinds(kernels)]
    return _generalised(name, body, arguments, "(k,n),(k)->()")


def _of_many_to_row(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()

    def body(rows, weights, result):
        kernel(rows, weights, result)

    arguments = [(kind[:, :], types.float64[:], kind[:]) for kind in _kinds(kernels)]
    return _generalised(name, body, arguments, "(k,n),(k)->(n)")


def _of_many_to_gradient(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()

    def body(rows, weights, cotangents, result):
        kernel(rows, weights, cotangents, result)

    arguments = [(kind[:, :], types.float64[:], kind[:], kind[:, :]) for kind in _kinds(kernels)]
    return _generalised(name, body, arguments, "(k,n),(k),(n)->(k,n)")


def _to_gradients(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()

    def body(p, q, cotangents, in_p, in_q):
        kernel(p, q, cotangents, in_p, in_q)

    arguments = [(kind[:],) * 5 for kind in _kinds(kernels)]
    return _generalised(name, body, arguments, "(n),(n),(n)->(n),(n)")


def _to_sum_with_gradient(name: str, inputs: int, kernels: dict[str, Any]) -> Any:
    (kernel,) = kernels.values()
    strided = sum_with_gradient_body(kernel)

    def body(p, q, cotangents, value, in_p, in_q):
        strided(p, q, cotangents, value, in_p, in_q)

    arguments = [(kind[:],) * 6 for kind in _kinds(kernels)]
    return _generalised(name, body, arguments, "(n),(n),(n)->(),(n),(n)")


def _writing(inputs: int, kernels: dict[str, Any]) -> Callable[..., None]:
    """Return the body of a generalised ufunc, of one dtype, whose kernel writes its result."""
    (kernel,) = kernels.values()

    def of_two(p, q, result):
        kernel(p, q, result)

    def of_one(p, result):
        kernel(p, p, result)

    return (of_one, of_two)[inputs - 1]


def _of(inputs: int, core: str, result: str) -> str:
    return f"{','.join([core] * inputs)}->{result}"


@global_compiler_lock
def _generalised(name: str, body: Callable[..., None], arguments: list[Any], signature: str) -> Any:
    """Make a generalised ufunc, as `numba.guvectorize` does, but one that releases the GIL."""
    body.__name__ = name
    builder = GUFuncBuilder(body, signature, targetoptions=_OPTIONS)
    compiled = [builder.add(kinds) for kinds in arguments]
    built = [builder.build(each) for each in compiled]
    release, library = releasing_loop()
    numbers, addresses, environments = zip(*built, strict=True)
    return _internal.fromfunc(
        name,
        None,
        [release] * len(built),
        list(numbers),
        len(builder.sin),
        len(builder.sout),
        [int(address) for address in addresses],
        [library, *compiled, *environments],
        builder.identity,
        signature,
        (),
    )


def _kinds(kernels: dict[str, Any]) -> list[Any]:
    return [getattr(types, dtype) for dtype in kernels]


_Maker = Callable[[str, int, dict[str, Any]], Any]
_UFUNCS: dict[str, tuple[_Maker, int, Callable[[Precision], Any]]] = {
    "js_term": (_elementwise, 2, lambda precision: scalar_formulas(precision).js_term),
    "js_gradient": (
        _elementwise_gradient,
        2,
        gradient_formulas,
    ),
    "js_sum": (_to_scalar, 2, lambda precision: row_kernels(precision).row_sum),
    "js_sum_columns": (
        _to_columns,
        2,
        lambda precision: column_kernels(precision).column_sums,
    ),
    "js_term_skewed": (
        _elementwise_weighted,
        2,
        lambda precision: skewed_formulas(precision).skewed_term,
    ),
    "js_sum_skewed": (
        _to_weighted_scalar,
        2,
        lambda precision: row_kernels(precision).skewed_sum,
    ),
    "js_sum_skewed_columns": (
        _to_weighted_columns,
        2,
        lambda precision: column_kernels(precision).skewed_sums,
    ),
    "js_gradient_skewed": (
        _elementwise_weighted_gradient,
        2,
        lambda precision: unconditional(precision, skewed_formulas(precision).skewed_gradient),
    ),
    "js_sum_many": (
        _of_many_to_scalar,
        1,
        lambda precision: mixture_kernels(precision).total,
    ),
    "js_term_many": (
        _of_many_to_row,
        1,
        lambda precision: mixture_kernels(precision).terms,
    ),
    "js_gradient_many": (
        _of_many_to_gradient,
        1,
        lambda precision: mixture_kernels(precision).gradient,
    ),
    "js_sum_normalised": (
        _to_scalar,
        2,
        lambda precision: normalised_kernels(precision).row_sum,
    ),
    "js_signed_term_normalised": (
        _to_row,
        2,
        lambda precision: normalised_kernels(precision).signed_terms,
    ),
    "js_sum_logit": (_to_scalar, 2, lambda precision: logit_kernels(precision).logit_sum),
    "js_term_logit": (_to_row, 2, lambda precision: logit_kernels(precision).logit_terms),
    "js_sum_with_gradient": (_to_sum_with_gradient, 2, sum_with_gradient),
    "js_sum_with_gradient_logit": (
        _to_sum_with_gradient,
        2,
        lambda precision: logit_gradient_kernels(precision).sum_with_gradient,
    ),
    "js_gradient_logit": (
        _to_gradients,
        2,
        lambda precision: logit_gradient_kernels(precision).of_terms,
    ),
    "kl_term": (_elementwise, 2, lambda precision: relative_formulas(precision).kl_term),
    "kl_gradient": (
        _elementwise_gradient,
        2,
        lambda precision: unconditional(precision, relative_formulas(precision).kl_gradient),
    ),
    "kl_gradient_logit": (
        _to_gradients,
        2,
        lambda precision: relative_logit_gradient_kernels(precision).kl_gradient,
    ),
    "kl_parts": (_to_parts, 2, lambda precision: row_kernels(precision).kl_parts),
    "kl_parts_columns": (
        _to_column_parts,
        2,
        lambda precision: column_kernels(precision).kl_parts,
    ),
    "parts_added_up": (_to_scalar, 2, lambda precision: added_up),
    "kl_sum": (_to_scalar, 2, lambda precision: row_kernels(precision).kl_sum),
    "kl_sum_columns": (_to_columns, 2, lambda precision: column_kernels(precision).kl_sums),
    "kl_sum_logit": (_to_scalar, 2, lambda precision: relative_logit_kernels(precision).kl_sum),
    "kl_term_logit": (_to_row, 2, lambda precision: relative_logit_kernels(precision).kl_terms),
    "entropy_term": (_elementwise, 1, lambda precision: relative_formulas(precision).entropy_term),
    # The second input is the cotangent.
    "entropy_gradient": (
        _elementwise,
        2,
        lambda precision: relative_formulas(precision).entropy_gradient,
    ),
    "entropy_gradient_logit": (
        _to_row,
        2,
        lambda precision: relative_logit_gradient_kernels(precision).entropy_gradient,
    ),
    "entropy_sum": (_to_scalar, 1, lambda precision: row_kernels(precision).entropy_sum),
    "entropy_sum_columns": (
        _to_columns,
        1,
        lambda precision: column_kernels(precision).entropy_sums,
    ),
    "entropy_sum_logit": (
        _to_scalar,
        1,
        lambda precision: relative_logit_kernels(precision).entropy_sum,
    ),
    "entropy_term_logit": (
        _to_row,
        1,
        lambda precision: relative_logit_kernels(precision).entropy_terms,
    ),
}
