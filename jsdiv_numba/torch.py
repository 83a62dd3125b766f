"""Divergences and entropies of PyTorch tensors, for its automatic differentiation.

Each function is as that of its name in :mod:`jsdiv_numba`, whose values, derivatives, arguments
and errors it has, on tensors that stay where they are: on the CPU, whose memory they share with
NumPy. All else is a TypeError. What differs:

- A result is float32 if that holds the inputs' dtypes (float16 and bfloat16 too), else float64.
- The VJP is that of the function's ``_grad``, `jsdiv_numba.js_divergence_grad` and so on, which
  says what it is at zeros and where the divergence is infinite. It cannot be differentiated
  again, and ``torch.func.vmap`` does not see into it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ._core.validation import EQUAL, Axis, FloatArray
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


def js_divergence(
    P: torch.Tensor,
    Q: torch.Tensor,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> torch.Tensor:
    """As `jsdiv_numba.js_divergence`, on tensors.

    The weight is a constant: nothing is differentiated with respect to it.

    Examples
    --------
    >>> import torch
    >>> from jsdiv_numba.torch import js_divergence
    >>> P = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]], requires_grad=True)
    >>> loss = js_divergence(P, torch.tensor([0.6, 0.2, 0.2])).mean()
    >>> loss.backward()
    >>> P.grad
    tensor([[-0.1733,  0.0456,  0.0892],
            [-0.3132, -0.1014,  0.1175]])
    """
    functions = _js_divergence, js_divergence_grad
    settings: dict[str, Any] = {"keepdims": keepdims, "reduce": reduce, "base": base}
    settings |= {"workers": workers, "weight": _constant(weight)}
    return _differentiable(functions, axis, settings, P=P, Q=Q)


def js_divergence_logit(
    P: torch.Tensor,
    Q: torch.Tensor,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> torch.Tensor:
    """As `jsdiv_numba.js_divergence_logit`, on tensors: its gradient is finite everywhere.

    The weight is a constant: nothing is differentiated with respect to it.

    Examples
    --------
    >>> import torch
    >>> from jsdiv_numba.torch import js_divergence_logit
    >>> A = torch.tensor([1.0, 0.0], requires_grad=True)
    >>> js_divergence_logit(A, torch.zeros(2)).backward()
    >>> A.grad
    tensor([ 0.0520, -0.0520])
    """
    functions = _js_divergence_logit, js_divergence_logit_grad
    settings: dict[str, Any] = {"keepdims": keepdims, "reduce": reduce, "base": base}
    settings |= {"workers": workers, "weight": _constant(weight)}
    return _differentiable(functions, axis, settings, P=P, Q=Q)


def kl_divergence(
    P: torch.Tensor,
    Q: torch.Tensor,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> torch.Tensor:
    """As `jsdiv_numba.kl_divergence`, on tensors.

    Examples
    --------
    >>> import torch
    >>> from jsdiv_numba.torch import kl_divergence
    >>> Q = torch.tensor([0.25, 0.25, 0.5], requires_grad=True)
    >>> kl_divergence(torch.tensor([0.5, 0.25, 0.25]), Q).backward()
    >>> Q.grad
    tensor([-2.0000, -1.0000, -0.5000])
    """
    functions = _kl_divergence, kl_divergence_grad
    settings = {"keepdims": keepdims, "reduce": reduce, "base": base, "workers": workers}
    return _differentiable(functions, axis, settings, P=P, Q=Q)


def kl_divergence_logit(
    P: torch.Tensor,
    Q: torch.Tensor,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> torch.Tensor:
    """As `jsdiv_numba.kl_divergence_logit`, on tensors.

    Examples
    --------
    >>> import torch
    >>> from jsdiv_numba.torch import kl_divergence_logit
    >>> B = torch.zeros(2, requires_grad=True)
    >>> kl_divergence_logit(torch.tensor([1.0, 0.0]), B).backward()
    >>> B.grad
    tensor([-0.2311,  0.2311])
    """
    functions = _kl_divergence_logit, kl_divergence_logit_grad
    settings = {"keepdims": keepdims, "reduce": reduce, "base": base, "workers": workers}
    return _differentiable(functions, axis, settings, P=P, Q=Q)


def entropy(
    X: torch.Tensor,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> torch.Tensor:
    """As `jsdiv_numba.entropy`, on a tensor: its gradient is infinite at zeros.

    Examples
    --------
    >>> import torch
    >>> from jsdiv_numba.torch import entropy
    >>> X = torch.tensor([0.25, 0.25, 0.5], requires_grad=True)
    >>> entropy(X).backward()
    >>> X.grad
    tensor([ 0.3863,  0.3863, -0.3069])
    """
    functions = _entropy, entropy_grad
    settings = {"keepdims": keepdims, "reduce": reduce, "base": base, "workers": workers}
    return _differentiable(functions, axis, settings, X=X)


def entropy_logit(
    X: torch.Tensor,
    *,
    temperature: float = 1.0,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> torch.Tensor:
    """As `jsdiv_numba.entropy_logit`, on a tensor: its gradient is finite everywhere.

    Examples
    --------
    >>> import torch
    >>> from jsdiv_numba.torch import entropy_logit
    >>> A = torch.tensor([0.0, 1.0], requires_grad=True)
    >>> entropy_logit(A).backward()
    >>> A.grad
    tensor([ 0.1966, -0.1966])
    """
    functions = _entropy_logit, entropy_logit_grad
    settings = {"keepdims": keepdims, "reduce": reduce, "base": base, "workers": workers}
    return _differentiable(functions, axis, {"temperature": temperature, **settings}, X=X)


class _Differentiable(torch.autograd.Function):
    """A function of arrays, with the function that has its derivatives."""

    @staticmethod
    def forward(
        function: Callable[..., Any],
        _derivative: Callable[..., Any],
        settings: dict[str, Any],
        *inputs: torch.Tensor,
    ) -> torch.Tensor:
        value = function(*map(_as_array, inputs), **settings)
        return torch.from_numpy(np.asarray(value))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], _output: torch.Tensor) -> None:
        _, ctx.derivative, ctx.settings, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[Any, ...]:
        gradients = _Gradients.apply(ctx.derivative, ctx.settings, cotangent, *ctx.saved_tensors)
        return None, None, None, *gradients


class _Gradients(torch.autograd.Function):
    """Its derivatives: a function of their own, which ``torch.func`` can look into."""

    @staticmethod
    def forward(
        derivative: Callable[..., Any],
        settings: dict[str, Any],
        cotangent: torch.Tensor,
        *inputs: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        arrays = map(_as_array, inputs)
        _, *gradients = derivative(*arrays, cotangent=_as_array(cotangent), **settings)
        tensors = (torch.from_numpy(np.asarray(gradient)) for gradient in gradients)
        return tuple(tensor.to(x.dtype) for tensor, x in zip(tensors, inputs, strict=True))

    @staticmethod
    def setup_context(_ctx: Any, _inputs: tuple[Any, ...], _output: Any) -> None:
        pass

    @staticmethod
    def backward(_ctx: Any, *_cotangents: torch.Tensor) -> Any:
        raise RuntimeError("the functions of jsdiv_numba.torch can be differentiated only once")


def _differentiable(
    functions: tuple[Callable[..., Any], Callable[..., Any]],
    axis: Axis,
    settings: dict[str, Any],
    **inputs: torch.Tensor,
) -> torch.Tensor:
    for name, tensor in inputs.items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(
                f"{name} is a {type(tensor).__name__}; pass a torch.Tensor, or use the function "
                "of the same name in jsdiv_numba"
            )
        if tensor.device.type != "cpu":
            raise TypeError(
                f"{name} is on the device {tensor.device}; this computes on the CPU: pass "
                f"{name}.cpu()"
            )
    keywords = {"axis": axis, **settings}
    result: torch.Tensor = _Differentiable.apply(*functions, keywords, *inputs.values())
    return result


def _constant(weight: Any) -> Any:
    if not isinstance(weight, torch.Tensor):
        return weight
    if weight.requires_grad:
        raise TypeError(
            "weight requires a gradient; it is a constant here, without a derivative: pass "
            "weight.detach()"
        )
    return _as_array(weight.cpu())


def _as_array(tensor: torch.Tensor) -> FloatArray:
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    array: FloatArray = tensor.detach().numpy()
    return array
