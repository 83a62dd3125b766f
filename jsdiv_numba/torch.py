"""Divergences and entropies of PyTorch tensors, for its automatic differentiation.

Each function is as that of its name in :mod:`jsdiv_numba`, whose values, derivatives, arguments
and errors it has, on tensors that stay where they are: on the CPU, whose memory they share with
NumPy, or on a CUDA device, where `jsdiv_numba.cuda` computes what it has. All else is a TypeError.
What differs:

- A result is float32 if that holds the inputs' dtypes (float16 and bfloat16 too), else float64.
- The VJP is that of the function's ``_grad``, `jsdiv_numba.js_divergence_grad` and so on, which
  says what it is at zeros and where the divergence is infinite. There is no JVP, and it cannot be
  differentiated again: that is a RuntimeError.
- ``torch.func.vmap`` makes one call of a batch, and ``torch.compile`` keeps each call in its graph,
  that of a ``vmap`` too; what PyTorch 2.13 does not compile is ``torch.func.grad`` of them.
"""

from operator import index
from typing import Any

import torch

from ._core.validation import EQUAL, Axis
from ._torch.modules import RowLoss
from ._torch.operators import OptionalTensor, Settings, differentiable, is_there

NUMBERS = (float, int, list, tuple)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

__all__ = [
    "JSDivergenceLogitLoss",
    "JSDivergenceLoss",
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
    settings = axis, keepdims, reduce, base, workers
    return _differentiable("js_divergence", *settings, weight=_constant(weight), P=P, Q=Q)


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
    settings = axis, keepdims, reduce, base, workers
    return _differentiable("js_divergence_logit", *settings, weight=_constant(weight), P=P, Q=Q)


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
    settings = axis, keepdims, reduce, base, workers
    return _differentiable("kl_divergence", *settings, P=P, Q=Q)


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
    settings = axis, keepdims, reduce, base, workers
    return _differentiable("kl_divergence_logit", *settings, P=P, Q=Q)


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
    settings = axis, keepdims, reduce, base, workers
    return _differentiable("entropy", *settings, X=X)


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
    settings = axis, keepdims, reduce, base, workers
    return _differentiable("entropy_logit", *settings, temperature=temperature, X=X)


class JSDivergenceLoss(RowLoss):
    """Jensen-Shannon divergence of predictions and targets, as a module.

    Parameters
    ----------
    reduction : {"mean", "none", "batchmean", "sum"}, default "mean"
        The mean of the rows' divergences, one for each row, their sum over the size of the first
        dimension, as of `torch.nn.KLDivLoss`, or their sum.
    axis : int, default -1
        The categories' dimension.
    weight : float or Tensor, default 0.5
        That of the target, as `jsdiv_numba.js_divergence` has it. A constant.
    log_input, log_target : bool, default False
        Whether inputs or targets are logarithms of probabilities, as of `torch.nn.KLDivLoss`.
    base : float, optional
        Base of the logarithm; None is e.
    workers : int, optional
        Number of threads.

    Notes
    -----
    Other than `torch.nn.KLDivLoss`, inputs are probabilities unless `log_input` says so, and the
    mean is over rows, not over elements. Logarithms are those of distributions whose sum is 1.

    Examples
    --------
    >>> import torch
    >>> from jsdiv_numba.torch import JSDivergenceLoss
    >>> loss = JSDivergenceLoss()
    >>> P = torch.tensor([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
    >>> loss(P, torch.tensor([0.6, 0.2, 0.2]))
    tensor(0.1472)
    >>> JSDivergenceLoss(log_input=True, reduction="sum")(P.log(), P)
    tensor(0.)
    """

    def __init__(
        self,
        reduction: str = "mean",
        *,
        axis: int = -1,
        weight: Any = EQUAL,
        log_input: bool = False,
        log_target: bool = False,
        base: float | None = None,
        workers: int | None = None,
    ) -> None:
        super().__init__(reduction, axis, weight, base, workers)
        self.log_input, self.log_target = log_input, log_target

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        if not (self.log_input or self.log_target):
            rows = js_divergence(input, target, **self.settings)
        else:
            logits = input if self.log_input else input.log()
            others = target if self.log_target else target.log()
            rows = js_divergence_logit(logits, others, **self.settings)
        return self.reduced(rows, len(input))

    def extra_repr(self) -> str:
        """Return what `repr` has between the brackets."""
        logs = [name for name in ("log_input", "log_target") if getattr(self, name)]
        return ", ".join([super().extra_repr(), *(f"{name}=True" for name in logs)])


class JSDivergenceLogitLoss(RowLoss):
    """Jensen-Shannon divergence of the softmaxes of logits, as a module.

    `reduction`, `axis`, `weight`, `base` and `workers` are as of `JSDivergenceLoss`. Its gradient
    is finite everywhere.

    Examples
    --------
    >>> import torch
    >>> from jsdiv_numba.torch import JSDivergenceLogitLoss
    >>> loss = JSDivergenceLogitLoss("batchmean", weight=0.1)
    >>> loss
    JSDivergenceLogitLoss(reduction='batchmean', axis=-1, weight=0.1)
    >>> student = torch.zeros(2, 3, requires_grad=True)
    >>> loss(student, torch.tensor([2.0, 0.0, -1.0])).backward()
    >>> student.grad.round(decimals=4)
    tensor([[-0.0222,  0.0094,  0.0129],
            [-0.0222,  0.0094,  0.0129]])
    """

    def __init__(
        self,
        reduction: str = "mean",
        *,
        axis: int = -1,
        weight: Any = EQUAL,
        base: float | None = None,
        workers: int | None = None,
    ) -> None:
        super().__init__(reduction, axis, weight, base, workers)

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss."""
        return self.reduced(js_divergence_logit(input, target, **self.settings), len(input))


def _differentiable(
    name: str,
    axis: Axis,
    keepdims: bool,
    reduce: bool,
    base: float | None,
    workers: int | None,
    *,
    weight: OptionalTensor = None,
    temperature: float | None = None,
    **inputs: torch.Tensor,
) -> torch.Tensor:
    _check_tensors(inputs)
    axes = None if axis is None else [axis] if isinstance(axis, int) else list(map(index, axis))
    first, tensor = next(iter(inputs.items()))
    if weight is not None and weight.device != tensor.device:
        weight = weight.cpu()
    settings = Settings(weight, axes, keepdims, reduce, base, workers, temperature)
    if not is_there(name, tensor, settings):
        raise TypeError(
            f"{first} is on the device {tensor.device}, where {name} with these arguments is not "
            f"there: pass {first}.cpu()"
        )
    return differentiable(name, list(inputs.values()), settings)


def _check_tensors(inputs: dict[str, Any]) -> None:
    for name, tensor in inputs.items():
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(
                f"{name} is a {type(tensor).__name__}; pass a torch.Tensor, or use the function "
                "of the same name in jsdiv_numba"
            )
        if tensor.layout is not torch.strided:
            raise TypeError(f"{name} is sparse, of {tensor.layout}; pass {name}.to_dense()")
        if tensor.is_floating_point() and tensor.dtype not in FLOATS:
            raise TypeError(f"{name} has dtype {tensor.dtype}; pass {name}.float()")
        if tensor.device.type not in ("cpu", "cuda"):
            raise TypeError(
                f"{name} is on the device {tensor.device}; this computes on the CPU and on CUDA "
                f"devices: pass {name}.cpu()"
            )
    devices = {name: tensor.device for name, tensor in inputs.items()}
    if len(set(devices.values())) > 1:
        places = " and ".join(f"{name} on {device}" for name, device in devices.items())
        raise TypeError(f"{places}: move them to one device")


def _constant(weight: Any) -> OptionalTensor:
    """Return a weight as a tensor, or None for equal ones."""
    if weight is EQUAL:
        return None
    if not isinstance(weight, torch.Tensor):
        if not (isinstance(weight, NUMBERS) or hasattr(weight, "__array__")):
            kind = type(weight).__name__
            raise TypeError(f"weight is a {kind}; pass a number, or a tensor of one for each row")
        wide = torch.float64 if isinstance(weight, float | list | tuple) else None
        return torch.as_tensor(weight, dtype=wide)
    if weight.requires_grad:
        raise TypeError(
            "weight requires a gradient; it is a constant here, without a derivative: pass "
            "weight.detach()"
        )
    return weight
