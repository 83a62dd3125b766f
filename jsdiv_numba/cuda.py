"""The same functions on arrays that are on an NVIDIA GPU.

Each is as the function of its name in :mod:`jsdiv_numba`, with its formula and its bounds on
errors; float32 is computed without float64. What differs:

- Arrays: what has ``__cuda_array_interface__`` or DLPack (arrays of Numba, CuPy, PyTorch, JAX) is
  taken without a copy, the work is done on its stream, and the result is on that stream: an array
  of CuPy's or PyTorch's kind if the first on the device is, else of Numba's. A NumPy array is
  moved to the device. A result is float32 if that holds the inputs' dtypes, else float64.
- ``weight``: one on the device stays there, and gives NaN where it is not between 0 and 1.
- ``out``: an array on the device, contiguous and of the result's dtype, or one of NumPy's, to
  which the result is copied.
- Invalid entries: a negative or infinite probability, a logit of +inf, a row of logits with none
  above -inf give NaN in their row rather than an error, since to raise one would mean to wait for
  the device. ``check=True`` waits, and raises what the CPU's functions raise.
- ``workers`` is accepted and means nothing here.
- Errors: a RuntimeError if there is no device, a MemoryError if the result, or an input that is
  moved, does not fit on it.

Importing this module needs no device and loads no compiler. It needs the extra ``cuda`` (CUDA 13)
or ``cuda-cu12``.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from ._core import validation
from ._core.pair_metric import metric_of
from ._core.validation import EQUAL, Axis

__all__ = [
    "cdist",
    "jensenshannon",
    "js_divergence",
    "js_divergence_grad",
    "js_divergence_logit",
    "js_divergence_logit_grad",
    "js_term",
    "pdist",
]


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _on_device(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Have a function work on its arrays' device.

    It ignores what the caller has NumPy raise: kernels are compiled when used.
    """

    @wraps(function)
    def on_device(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        from ._cuda import arrays

        given = (*args, *kwargs.values())
        with np.errstate(all="ignore"), arrays.work_on_device_of(given):
            return function(*args, **kwargs)

    return on_device


@_on_device
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
    out: Any = None,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """As `jsdiv_numba.js_divergence`, on the device.

    Examples
    --------
    >>> from numba import cuda  # doctest: +SKIP
    >>> from jsdiv_numba.cuda import js_divergence  # doctest: +SKIP
    >>> P = cuda.to_device([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])  # doctest: +SKIP
    >>> Q = cuda.to_device([[0.0, 0.0, 1.0], [0.3, 0.3, 0.4]])  # doctest: +SKIP
    >>> js_divergence(P, Q, base=2, keepdims=False).copy_to_host().round(6)  # doctest: +SKIP
    array([1.      , 0.011278])
    """
    from ._cuda import evaluate

    call = evaluate.prepare(("P", "Q"), P, Q, axis, base, 0.0 if check else None)
    call = evaluate.weighted(call, weight, keepdims, reduce, by_row=False, checked=check)
    if not reduce:
        return evaluate.result_of(
            call, out, call.shape, lambda result: evaluate.write_terms(call, result)
        )
    shape = validation.reduced_shape(call.shape, call.axes, keepdims)
    return evaluate.result_of(call, out, shape, lambda result: evaluate.write_totals(call, result))


@_on_device
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
    out: Any = None,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """As `jsdiv_numba.js_divergence_logit`, on the device.

    Examples
    --------
    >>> from numba import cuda  # doctest: +SKIP
    >>> from jsdiv_numba.cuda import js_divergence_logit  # doctest: +SKIP
    >>> A = cuda.to_device([0.0, 0.0, float("-inf")])  # doctest: +SKIP
    >>> B = cuda.to_device([0.0, 1.0, 2.0])  # doctest: +SKIP
    >>> js_divergence_logit(A, B).copy_to_host().round(6)  # doctest: +SKIP
    array([0.331347])
    """
    from ._cuda import evaluate

    lowest = -math.inf if check else None
    logits_axis = -1 if axis is None else axis
    call = evaluate.prepare(("P", "Q"), P, Q, logits_axis, base, lowest)
    kept = keepdims or axis is None
    call = evaluate.weighted(call, weight, kept, reduce, by_row=True, checked=check)
    if not reduce:
        return evaluate.result_of(
            call, out, call.shape, lambda result: evaluate.write_logit_terms(call, result)
        )
    if axis is not None:
        shape = validation.reduced_shape(call.shape, call.axes, keepdims)
        return evaluate.result_of(
            call, out, shape, lambda result: evaluate.write_logit_totals(call, result)
        )
    shape = (1,) * len(call.shape) if keepdims else ()
    return evaluate.result_of(
        call, out, shape, lambda result: evaluate.write_logit_sum(call, result)
    )


@_on_device
def js_term(p: Any, q: Any, *, out: Any = None) -> Any:
    """As `jsdiv_numba.js_term`, on the device: NaN where an element is invalid.

    Examples
    --------
    >>> from jsdiv_numba.cuda import js_term  # doctest: +SKIP
    >>> js_term([0.5, 0.5], [0.0, 0.25]).copy_to_host().round(6)  # doctest: +SKIP
    array([0.173287, 0.021237])
    """
    from ._cuda import evaluate

    call = evaluate.prepare(("p", "q"), p, q, None, None, None)
    return evaluate.result_of(
        call, out, call.shape, lambda result: evaluate.write_terms(call, result)
    )


@_on_device
def jensenshannon(
    p: Any,
    q: Any,
    base: float | None = None,
    *,
    axis: Axis = 0,
    keepdims: bool = False,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """As `jsdiv_numba.jensenshannon`, on the device: a row of zeros gives NaN.

    Examples
    --------
    >>> from jsdiv_numba.cuda import jensenshannon  # doctest: +SKIP
    >>> p, q = [[1.0, 2, 3], [5, 6, 7]], [[9.0, 1, 1], [10, 12, 14]]  # doctest: +SKIP
    >>> jensenshannon(p, q, axis=1).copy_to_host().round(6)  # doctest: +SKIP
    array([0.481871, 0.      ])
    """
    from ._cuda import evaluate

    call = evaluate.prepare(("p", "q"), p, q, axis, base, 0.0 if check else None)
    shape = validation.reduced_shape(call.shape, call.axes, keepdims)
    return evaluate.result_of(
        call, None, shape, lambda result: evaluate.write_distances(call, result), math.nan
    )


@_on_device
def js_divergence_grad(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    workers: int | None = None,
    check: bool = False,
) -> tuple[Any, Any, Any]:
    """As `jsdiv_numba.js_divergence_grad`, on the device.

    The derivatives with respect to an invalid entry are NaN, those with respect to its neighbours
    are not.

    Examples
    --------
    >>> from jsdiv_numba.cuda import js_divergence_grad  # doctest: +SKIP
    >>> P, Q = [0.2, 0.3, 0.5], [0.6, 0.4, 0.0]  # doctest: +SKIP
    >>> value, in_P, in_Q = js_divergence_grad(P, Q)  # doctest: +SKIP
    >>> in_P.copy_to_host().round(6)  # doctest: +SKIP
    array([-0.346574, -0.077075,  0.346574])
    """
    from ._cuda import evaluate, gradients

    call = evaluate.prepare(("P", "Q"), P, Q, axis, base, 0.0 if check else None)
    call = evaluate.weighted(call, weight, keepdims, reduce, by_row=False, checked=check)
    return gradients.of_probabilities(call, cotangent, keepdims, reduce)


@_on_device
def js_divergence_logit_grad(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    workers: int | None = None,
    check: bool = False,
) -> tuple[Any, Any, Any]:
    """As `jsdiv_numba.js_divergence_logit_grad`, on the device.

    Examples
    --------
    >>> from jsdiv_numba.cuda import js_divergence_logit_grad  # doctest: +SKIP
    >>> A, B = [0.0, 0.0, float("-inf")], [0.0, 1.0, 2.0]  # doctest: +SKIP
    >>> value, in_A, in_B = js_divergence_logit_grad(A, B)  # doctest: +SKIP
    >>> in_B.copy_to_host().round(6)  # doctest: +SKIP
    array([-0.064751, -0.082138,  0.146889])
    """
    from ._cuda import evaluate, gradients

    lowest = -math.inf if check else None
    logits_axis = -1 if axis is None else axis
    call = evaluate.prepare(("P", "Q"), P, Q, logits_axis, base, lowest)
    kept = keepdims or axis is None
    call = evaluate.weighted(call, weight, kept, reduce, by_row=True, checked=check)
    if axis is None and reduce:
        return gradients.of_all_logits(call, cotangent, keepdims)
    return gradients.of_logits(call, cotangent, keepdims, reduce)


@_on_device
def cdist(
    XA: Any,
    XB: Any,
    metric: str = "jensenshannon",
    *,
    out: Any = None,
    base: float | None = None,
    weight: float = EQUAL,
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """As `jsdiv_numba.cdist`, on the device.

    To a NumPy array as `out`, a memory map among them, the result is written in tiles, while the
    next tile is computed: it may be larger than the device's memory.

    Examples
    --------
    >>> from jsdiv_numba.cuda import cdist  # doctest: +SKIP
    >>> A, B = [[1.0, 0], [1, 1]], [[1.0, 0], [0, 2], [3, 3]]  # doctest: +SKIP
    >>> cdist(A, B, base=2).copy_to_host().round(6)  # doctest: +SKIP
    array([[0.      , 1.      , 0.557923],
           [0.557923, 0.557923, 0.      ]])
    """
    from ._cuda import pairwise

    return pairwise.of_two(XA, XB, metric_of(metric, base, weight), out, dtype, check)


@_on_device
def pdist(
    X: Any,
    metric: str = "jensenshannon",
    *,
    out: Any = None,
    base: float | None = None,
    weight: float = EQUAL,
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """As `jsdiv_numba.pdist`, on the device; `out` is as for `cdist`.

    Examples
    --------
    >>> from jsdiv_numba.cuda import pdist  # doctest: +SKIP
    >>> X = [[1.0, 0], [0, 2], [3, 3]]  # doctest: +SKIP
    >>> pdist(X, base=2).copy_to_host().round(6)  # doctest: +SKIP
    array([1.      , 0.557923, 0.557923])
    """
    from ._cuda import pairwise

    return pairwise.within_one(X, metric_of(metric, base, weight), out, dtype, check)
