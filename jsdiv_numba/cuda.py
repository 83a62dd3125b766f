"""The same functions on arrays that are on an NVIDIA GPU.

They take what has ``__cuda_array_interface__`` or DLPack (arrays of Numba, CuPy, PyTorch, JAX)
without a copy, work on its stream, and return an array on that stream: of CuPy's or PyTorch's kind
if the first on the device is, else of Numba's. A NumPy array is moved to the device. The result
stays there, unless ``out=`` is a NumPy array.

The mathematics and the bounds on errors are those of the CPU. float32 is computed without float64.
What differs: negative and infinite probabilities, and logits of +inf, give NaN
in their row rather than an error, since to raise one would mean to wait for
the device. ``check=True`` waits, and raises what the CPU's functions raise. ``workers`` is accepted
and means nothing here.

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
from ._core.metric import takes_root
from ._core.validation import Axis

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
    key: object = None,
    base: float | None = None,
    out: Any = None,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """Jensen-Shannon divergence of probabilities, on the device.

    The formula is that of `jsdiv_numba.js_divergence`.

    Parameters
    ----------
    P, Q : array_like
        Probabilities, of shapes that broadcast, on the device or not.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of the broadcast shape; None is all.
    keepdims : bool, default True
        Whether the reduced axes stay, with length 1.
    reduce : bool, default True
        If False, return each element's term of the sum, in the broadcast shape.
    key : object, optional
        Ignored; hypercoil passes a random key.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    out : array, optional
        Array for the result: on the device, contiguous and of the result's dtype,
        or of NumPy's, to which the result is copied.
    workers : int, optional
        Ignored.
    check : bool, default False
        Whether to wait for the device and raise for an invalid element.

    Returns
    -------
    array
        Divergences, of dtype float32 if that holds both inputs' dtypes, else float64.

    Raises
    ------
    RuntimeError
        If there is no device.
    MemoryError
        If the result, or an input that is moved, does not fit on the device.
    ValueError
        If shapes do not broadcast, or `axis`, `base` or the shape of `out` is
        wrong; with `check`, if a probability is negative or infinite.
    TypeError
        If an input is not real, or `out` cannot hold the result's dtype.

    See Also
    --------
    jsdiv_numba.js_divergence : the same on the CPU.

    Notes
    -----
    A row with a negative, infinite or NaN entry gives NaN.

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
    key: object = None,
    base: float | None = None,
    out: Any = None,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """Jensen-Shannon divergence of the softmaxes of logits, on the device.

    The formula is that of `jsdiv_numba.js_divergence_logit`.

    Parameters
    ----------
    P, Q : array_like
        Logits, of shapes that broadcast, on the device or not; -inf is a probability of 0.
    axis : int, sequence of int or None, default -1
        The axis or axes of one softmax; None is the last, with all its rows'
        divergences added up.
    keepdims : bool, default True
        Whether the reduced axes stay, with length 1.
    reduce : bool, default True
        If False, return each element's term of the sum, in the broadcast shape.
    key : object, optional
        Ignored; hypercoil passes a random key.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    out : array, optional
        As for `js_divergence`.
    workers : int, optional
        Ignored.
    check : bool, default False
        Whether to wait for the device and raise for a logit of +inf.

    Returns
    -------
    array
        Divergences, of dtype float32 if that holds both inputs' dtypes, else float64.

    Raises
    ------
    RuntimeError, MemoryError, ValueError, TypeError
        As `js_divergence`.

    See Also
    --------
    jsdiv_numba.js_divergence_logit : the same on the CPU.

    Notes
    -----
    A row with a logit of +inf or NaN, or with none above -inf, gives NaN.

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
    """Term of the Jensen-Shannon divergence of each two elements, on the device, in nats.

    The formula is that of `jsdiv_numba.js_term`.

    Parameters
    ----------
    p, q : array_like
        Probabilities, of shapes that broadcast, on the device or not.
    out : array, optional
        As for `js_divergence`.

    Returns
    -------
    array
        Terms, in the broadcast shape; NaN where an element is negative, infinite or NaN.

    Raises
    ------
    RuntimeError, MemoryError, ValueError, TypeError
        As `js_divergence`.

    See Also
    --------
    jsdiv_numba.js_term : the same on the CPU.

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
    """Jensen-Shannon distance of distributions, on the device.

    The formula is that of `jsdiv_numba.jensenshannon`.

    Parameters
    ----------
    p, q : array_like
        Weights, of shapes that broadcast, on the device or not.
    base : float, optional
        Base of the logarithm in the divergence; None is e.
    axis : int, sequence of int or None, default 0
        The categories' axis or axes, of the broadcast shape; None is all.
    keepdims : bool, default False
        Whether the reduced axes stay, with length 1.
    workers : int, optional
        Ignored.
    check : bool, default False
        Whether to wait for the device and raise for an invalid element.

    Returns
    -------
    array
        Distances, of dtype float32 if that holds both inputs' dtypes, else float64.

    Raises
    ------
    RuntimeError, MemoryError, ValueError, TypeError
        As `js_divergence`.

    See Also
    --------
    jsdiv_numba.jensenshannon : the same on the CPU.

    Notes
    -----
    A row of zeros gives NaN, and so does one with a negative, infinite or NaN entry.

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
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    workers: int | None = None,
    check: bool = False,
) -> tuple[Any, Any, Any]:
    """Jensen-Shannon divergence of probabilities, and its derivatives, on the device.

    The formula is that of `jsdiv_numba.js_divergence_grad`.

    Parameters
    ----------
    P, Q : array_like
        Probabilities, of shapes that broadcast, on the device or not.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of the broadcast shape; None is all.
    keepdims : bool, default True
        Whether the reduced axes stay, with length 1.
    reduce : bool, default True
        If False, the value is each element's term of the sum, in the broadcast shape.
    key : object, optional
        Ignored; hypercoil passes a random key.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    cotangent : array_like, optional
        The derivative in the value of what is to be differentiated, of a shape
        that broadcasts to the value's; None is 1 everywhere.
    workers : int, optional
        Ignored.
    check : bool, default False
        Whether to wait for the device and raise for an invalid element.

    Returns
    -------
    value : array
        What `js_divergence` returns with these arguments.
    grad_P, grad_Q : array
        The derivatives of ``sum(cotangent * value)`` in `P` and in `Q`, in their shapes.

    Raises
    ------
    RuntimeError, MemoryError, ValueError, TypeError
        As `js_divergence`.

    See Also
    --------
    jsdiv_numba.js_divergence_grad : the same on the CPU, with what holds at the edges.

    Notes
    -----
    The derivatives in an invalid entry are NaN, those in its neighbours are not.

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
    return gradients.of_probabilities(call, cotangent, keepdims, reduce)


@_on_device
def js_divergence_logit_grad(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    cotangent: Any = None,
    workers: int | None = None,
    check: bool = False,
) -> tuple[Any, Any, Any]:
    """Jensen-Shannon divergence of the softmaxes of logits, and its derivatives, on the device.

    The formula is that of `jsdiv_numba.js_divergence_logit_grad`.

    Parameters
    ----------
    P, Q : array_like
        Logits, of shapes that broadcast, on the device or not; -inf is a probability of 0.
    axis : int, sequence of int or None, default -1
        The axis or axes of one softmax; None is the last, with all its rows'
        divergences added up.
    keepdims : bool, default True
        Whether the reduced axes stay, with length 1.
    reduce : bool, default True
        If False, the value is each element's term of the sum, in the broadcast shape.
    key : object, optional
        Ignored; hypercoil passes a random key.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    cotangent : array_like, optional
        The derivative in the value of what is to be differentiated, of a shape
        that broadcasts to the value's; None is 1 everywhere.
    workers : int, optional
        Ignored.
    check : bool, default False
        Whether to wait for the device and raise for a logit of +inf.

    Returns
    -------
    value : array
        What `js_divergence_logit` returns with these arguments.
    grad_P, grad_Q : array
        The derivatives of ``sum(cotangent * value)`` in `P` and in `Q`, in their shapes.

    Raises
    ------
    RuntimeError, MemoryError, ValueError, TypeError
        As `js_divergence`.

    See Also
    --------
    jsdiv_numba.js_divergence_logit_grad : the same on the CPU.

    Notes
    -----
    All derivatives are finite; that of a logit -inf is 0. A row with a logit of +inf or NaN,
    or with none above -inf, gives NaN.

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
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """Jensen-Shannon distance between each row of one matrix and each of another, on the device.

    The formula is that of `jsdiv_numba.cdist`.

    Parameters
    ----------
    XA : array_like, shape (m, n)
        One distribution a row, on the device or not.
    XB : array_like, shape (k, n)
        The same.
    metric : {"jensenshannon", "js_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square.
    out : array, shape (m, k), optional
        As for `js_divergence`. To a NumPy array, a memory map among them, the
        result is written in tiles, while the next tile is computed: it may be larger
        than the device's memory.
    base : float, optional
        Base of the logarithm; None is e.
    dtype : {float32, float64}, optional
        Precision of the computation and of the result. By default float32 if
        that holds both inputs' dtypes, else float64.
    workers : int, optional
        Ignored.
    check : bool, default False
        Whether to wait for the device and raise for an invalid element.

    Returns
    -------
    array, shape (m, k)
        Distances, in the square root of nats (of the base's unit), or divergences.

    Raises
    ------
    RuntimeError, MemoryError, ValueError, TypeError
        As `js_divergence`.

    See Also
    --------
    pdist : the pairs within one matrix.
    jsdiv_numba.cdist : the same on the CPU.

    Examples
    --------
    >>> from jsdiv_numba.cuda import cdist  # doctest: +SKIP
    >>> A, B = [[1.0, 0], [1, 1]], [[1.0, 0], [0, 2], [3, 3]]  # doctest: +SKIP
    >>> cdist(A, B, base=2).copy_to_host().round(6)  # doctest: +SKIP
    array([[0.      , 1.      , 0.557923],
           [0.557923, 0.557923, 0.      ]])
    """
    from ._cuda import pairwise

    root = takes_root(metric)
    return pairwise.of_two(XA, XB, root, out, base, dtype, check)


@_on_device
def pdist(
    X: Any,
    metric: str = "jensenshannon",
    *,
    out: Any = None,
    base: float | None = None,
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
    check: bool = False,
) -> Any:
    """Jensen-Shannon distance between the rows of one matrix, each pair once, on the device.

    The formula is that of `jsdiv_numba.pdist`.

    Parameters
    ----------
    X : array_like, shape (m, n)
        One distribution a row, on the device or not.
    metric : {"jensenshannon", "js_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square.
    out : array, shape (m·(m-1)/2,), optional
        As for `cdist`.
    base : float, optional
        Base of the logarithm; None is e.
    dtype : {float32, float64}, optional
        Precision of the computation and of the result, as for `cdist`.
    workers : int, optional
        Ignored.
    check : bool, default False
        Whether to wait for the device and raise for an invalid element.

    Returns
    -------
    array, shape (m·(m-1)/2,)
        Distances or divergences, in the order (0, 1), (0, 2), ..., (1, 2), ...

    Raises
    ------
    RuntimeError, MemoryError, ValueError, TypeError
        As `js_divergence`.

    See Also
    --------
    cdist : the pairs of two matrices.
    jsdiv_numba.pdist : the same on the CPU.

    Examples
    --------
    >>> from jsdiv_numba.cuda import pdist  # doctest: +SKIP
    >>> X = [[1.0, 0], [0, 2], [3, 3]]  # doctest: +SKIP
    >>> pdist(X, base=2).copy_to_host().round(6)  # doctest: +SKIP
    array([1.      , 0.557923, 0.557923])
    """
    from ._cuda import pairwise

    return pairwise.within_one(X, takes_root(metric), out, base, dtype, check)
