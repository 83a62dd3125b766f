"""The kernels as NumPy ufuncs."""

from collections.abc import Callable
from typing import Any

from numba import guvectorize, types, vectorize
from numba.extending import overload

from .columns import column_kernels
from .compile import always_inline
from .logits import logit_kernels
from .normalised import normalised_kernels
from .precision import FLOAT32, FLOAT64, Precision
from .rows import row_kernels
from .scalar import scalar_formulas

_PRECISIONS = {"float32": FLOAT32, "float64": FLOAT64}
_OPTIONS = {"nopython": True, "fastmath": False}


def compile_ufunc(name: str, dtypes: tuple[str, ...]) -> Any:
    """Compile the ufunc of this name for these dtypes."""
    make, kernel_of = _UFUNCS[name]
    kernels = {dtype: kernel_of(_PRECISIONS[dtype]) for dtype in dtypes}
    return make(name, _choosing(kernels), [getattr(types, dtype) for dtype in dtypes])


def _choosing(kernels: dict[str, Any]) -> Any:
    """Return one function for all dtypes, since a ufunc has one body."""
    if len(kernels) == 1:
        return next(iter(kernels.values()))

    def chosen(p, q):
        raise NotImplementedError("replaced when it is compiled")

    @overload(chosen, jit_options={"fastmath": False, "forceinline": True})
    def choose(p, q):
        kernel = kernels[str(getattr(p, "dtype", p))]

        def of_this_dtype(p, q):
            return kernel(p, q)

        return of_this_dtype

    return chosen


def _elementwise(name: str, kernel: Any, floats: list[Any]) -> Any:
    def body(p, q):
        always_inline()
        return kernel(p, q)

    body.__name__ = name
    return vectorize([kind(kind, kind) for kind in floats], **_OPTIONS)(body).ufunc


def _to_scalar(name: str, kernel: Any, floats: list[Any]) -> Any:
    def body(p, q, result):
        result[0] = kernel(p, q)

    body.__name__ = name
    arguments = [(kind[:], kind[:], kind[:]) for kind in floats]
    return guvectorize(arguments, "(n),(n)->()", **_OPTIONS)(body).ufunc


def _to_row(name: str, kernel: Any, floats: list[Any]) -> Any:
    def body(p, q, result):
        kernel(p, q, result)

    body.__name__ = name
    arguments = [(kind[:], kind[:], kind[:]) for kind in floats]
    return guvectorize(arguments, "(n),(n)->(n)", **_OPTIONS)(body).ufunc


def _to_columns(name: str, kernel: Any, floats: list[Any]) -> Any:
    def body(p, q, result):
        kernel(p, q, result)

    body.__name__ = name
    arguments = [(kind[:, :], kind[:, :], kind[:]) for kind in floats]
    return guvectorize(arguments, "(n,m),(n,m)->(m)", **_OPTIONS)(body).ufunc


_Maker = Callable[[str, Any, list[Any]], Any]
_UFUNCS: dict[str, tuple[_Maker, Callable[[Precision], Any]]] = {
    "js_term": (_elementwise, lambda precision: scalar_formulas(precision).js_term),
    "js_sum": (_to_scalar, lambda precision: row_kernels(precision).row_sum),
    "js_sum_columns": (
        _to_columns,
        lambda precision: column_kernels(precision).column_sums,
    ),
    "js_sum_normalised": (
        _to_scalar,
        lambda precision: normalised_kernels(precision).row_sum,
    ),
    "js_sum_logit": (_to_scalar, lambda precision: logit_kernels(precision).logit_sum),
    "js_term_logit": (_to_row, lambda precision: logit_kernels(precision).logit_terms),
}
