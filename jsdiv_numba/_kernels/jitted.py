"""Kernels as functions of Numba's, for code that users compile."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numba import njit
from numba.core import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from .codegen.intrinsics import contiguous, njit_inline, njit_no_refcount, njit_refcounted
from .codegen.precision import FLOAT32, FLOAT64, Precision
from .formulas.js import scalar_formulas
from .rows.normalised import normalised_kernels
from .rows.sums import row_kernels

PRECISIONS = {types.float32: FLOAT32, types.float64: FLOAT64}


def function_of(name: str) -> Any:
    """Return the function of this name."""
    return _MAKERS[name](name)


def _linked(check: Callable[..., Any], kernels_of: Callable[..., Any], number: int) -> Any:
    """Return an intrinsic that calls a kernel of the precision of its arguments.

    `kernels_of` gives two: of contiguous rows, as their types say, or of numbers; and of rows of
    any stride. A kernel's target is not that of users' code, where Numba finds it by no type. But
    what it is compiled to can be linked, and optimised with what calls it.
    """

    def typed(given: tuple[Any, ...]) -> Any:
        kind = check(given)
        is_strided = any(isinstance(each, types.Array) and each.layout != "C" for each in given)
        called = kernels_of(PRECISIONS[kind])[is_strided]
        rows = tuple(_of_any_layout(each) for each in given)

        def emit(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            called.compile(rows)
            compiled = called.overloads[rows]
            context.active_code_library.add_linking_library(compiled.library)
            described = compiled.fndesc
            callee = context.declare_function(builder.module, described)
            _, result = context.call_conv.call_function(
                builder, callee, described.restype, described.argtypes, args
            )
            return result

        return kind(*given), emit

    def of_two(_typingctx: Any, p: Any, q: Any) -> Any:
        return typed((p, q))

    def of_one(_typingctx: Any, p: Any) -> Any:
        return typed((p,))

    return intrinsic(of_two if number == 2 else of_one)


@cache
def _sums(precision: Precision, name: str) -> tuple[Any, Any]:
    """Return a measure's kernels of two rows, by its name in `row_kernels`."""
    kernels = row_kernels(precision)
    adjacent, strided = getattr(kernels.of_contiguous, name), getattr(kernels, name)

    # Part of a user's loop, it loads its constants once for all rows.
    @njit_inline
    def of_adjacent(p, q):
        return adjacent(p, q)

    # What takes weights, too, is given a tuple of none.
    @njit_refcounted
    def of_strided(p, q):
        return strided(p, q)

    return of_adjacent, of_strided


@cache
def _normalised_sums(precision: Precision) -> tuple[Any, Any]:
    kernels = normalised_kernels(precision)
    row_scale, pair_sum = kernels.row_scale, kernels.pair_sum

    @njit_no_refcount
    def of_adjacent(p, q):
        return pair_sum(p, q, row_scale(p), row_scale(q))

    @njit_refcounted
    def of_strided(p, q):
        return of_adjacent(contiguous(p), contiguous(q))

    return of_adjacent, of_strided


def _terms(precision: Precision) -> tuple[Any, Any]:
    term = scalar_formulas(precision).js_term
    return term, term


def _of_any_layout(kind: Any) -> Any:
    is_array = isinstance(kind, types.Array)
    return kind.copy(layout="A", readonly=False) if is_array else kind


def _checks_rows(name: str) -> Callable[..., Any]:
    def check(given: tuple[Any, ...]) -> Any:
        kinds = {each.dtype for each in given if isinstance(each, types.Array) and each.ndim == 1}
        are_rows = all(isinstance(each, types.Array) and each.ndim == 1 for each in given)
        if not are_rows or len(kinds) != 1 or not kinds <= PRECISIONS.keys():
            raise TypingError(
                f"{name} takes 1-d arrays of one dtype, float32 or float64, not "
                f"{' and '.join(map(str, given))}: convert by .astype, pass one row at a time"
            )
        return kinds.pop()

    return check


def _checks_numbers(name: str) -> Callable[..., Any]:
    def check(given: tuple[Any, ...]) -> Any:
        if len(set(given)) != 1 or given[0] not in PRECISIONS:
            raise TypingError(
                f"{name} takes numbers of one dtype, float32 or float64, not "
                f"{' and '.join(map(str, given))}: convert by np.float64(…)"
            )
        return given[0]

    return check


def _js_divergence(name: str) -> Any:
    js_sum = _linked(_checks_rows(name), partial(_sums, name="row_sum"), 2)

    @njit(nogil=True, forceinline=True)
    def js_divergence(p, q):
        if p.size != q.size:
            raise ValueError("p and q have different lengths", p.size, q.size)
        return js_sum(p, q)

    return js_divergence


def _kl_divergence(name: str) -> Any:
    kl_sum = _linked(_checks_rows(name), partial(_sums, name="kl_sum"), 2)

    @njit(nogil=True, forceinline=True)
    def kl_divergence(p, q):
        if p.size != q.size:
            raise ValueError("p and q have different lengths", p.size, q.size)
        return kl_sum(p, q)

    return kl_divergence


def _jensenshannon(name: str) -> Any:
    js_sum = _linked(_checks_rows(name), _normalised_sums, 2)

    @njit(nogil=True)
    def jensenshannon(p, q):
        if p.size != q.size:
            raise ValueError("p and q have different lengths", p.size, q.size)
        return np.sqrt(js_sum(p, q))

    return jensenshannon


def _entropy(name: str) -> Any:
    entropy_sum = _linked(_checks_rows(name), partial(_sums, name="entropy_sum"), 2)

    @njit(nogil=True, forceinline=True)
    def entropy(p):
        return entropy_sum(p, p)

    return entropy


def _js_term(name: str) -> Any:
    term = _linked(_checks_numbers(name), _terms, 2)

    @njit(nogil=True, error_model="numpy", forceinline=True)
    def js_term(p, q):
        return term(p, q)

    return js_term


_MAKERS = {
    "js_divergence": _js_divergence,
    "kl_divergence": _kl_divergence,
    "jensenshannon": _jensenshannon,
    "entropy": _entropy,
    "js_term": _js_term,
}
