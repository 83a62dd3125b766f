"""The functions as PyTorch sees them: its compiler, its derivatives, ``vmap``.

An operator is what a compiler's graph has: a computation, and the shape of its result for tensors
without data. Around it is what can be differentiated, and what becomes of a batch.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Optional, TypeAlias

import numpy as np
import torch

from .. import divergence, entropies, gradient
from .._core import validation
from .._core.validation import FloatArray

SUMS_ROWS = "js_divergence_logit"
"""Without an axis, this takes the softmax of each row, and adds up their divergences."""

_NUMPY = {
    torch.float16: np.float16,
    torch.bfloat16: np.float32,
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.bool: np.bool_,
    torch.uint8: np.uint8,
    torch.int8: np.int8,
    torch.int16: np.int16,
    torch.int32: np.int32,
    torch.int64: np.int64,
}

# Sphinx's stand-in for PyTorch, with which the docs are built, knows no `|`.
OptionalTensor: TypeAlias = Optional[torch.Tensor]  # noqa: UP045


class Settings(NamedTuple):
    """The arguments that both operators share, in their order."""

    weight: OptionalTensor
    axis: Sequence[int] | None
    keepdims: bool
    reduce: bool
    base: float | None
    workers: int | None
    temperature: float | None

    @property
    def keywords(self) -> dict[str, Any]:
        """What the functions of arrays are called with."""
        given = self._asdict()
        for name in ("weight", "temperature"):
            if given[name] is None:
                del given[name]
        if self.weight is not None:
            given["weight"] = _native(self.weight)
        if self.axis is not None:
            given["axis"] = tuple(self.axis)
        return given

    def of_batch(self, name: str, ndim: int) -> "Settings":
        """Return the same for inputs that have a dimension more in front of so many."""
        if self.axis is not None:
            axes = validation.normalise_axes(tuple(self.axis), ndim)
            return self._replace(axis=[axis - ndim for axis in axes])
        if name == SUMS_ROWS:
            return self._replace(axis=[-1], keepdims=self.reduce or self.keepdims)
        return self._replace(axis=list(range(-ndim, 0)))


SETTINGS = len(Settings._fields)

ONCE = (
    "the functions of jsdiv_numba.torch can be differentiated only once, and in reverse mode, as "
    "by backward(), torch.func.grad, vjp and jacrev"
)


@torch.library.custom_op("jsdiv_numba::value", mutates_args=())
def value(
    name: str,
    inputs: Sequence[torch.Tensor],
    weight: OptionalTensor,
    axis: Sequence[int] | None,
    keepdims: bool,
    reduce: bool,
    base: float | None,
    workers: int | None,
    temperature: float | None,
) -> torch.Tensor:
    """Return what the function of this name has of tensors."""
    settings = Settings(weight, axis, keepdims, reduce, base, workers, temperature)
    return _as_tensor(_called(name, inputs, settings))


@torch.library.custom_op("jsdiv_numba::gradients", mutates_args=())
def gradients(
    name: str,
    cotangent: torch.Tensor,
    inputs: Sequence[torch.Tensor],
    weight: OptionalTensor,
    axis: Sequence[int] | None,
    keepdims: bool,
    reduce: bool,
    base: float | None,
    workers: int | None,
    temperature: float | None,
) -> list[torch.Tensor]:
    """Return its derivatives, times a cotangent."""
    settings = Settings(weight, axis, keepdims, reduce, base, workers, temperature)
    _, *found = _called(f"{name}_grad", inputs, settings, cotangent=_native(cotangent))
    return [_as_tensor(one).to(x.dtype) for one, x in zip(found, inputs, strict=True)]


def _called(name: str, inputs: Sequence[torch.Tensor], settings: Settings, **more: Any) -> Any:
    """Call the function of a name where the tensors are."""
    arrays = [_native(x) for x in inputs]
    if _is_on_cpu(inputs[0]):
        return _function(name)(*arrays, **settings.keywords, **more)
    from .. import cuda

    return getattr(cuda, name)(*arrays, **settings.keywords, **more)


def _function(name: str) -> Callable[..., Any]:
    module = next(m for m in (divergence, entropies, gradient) if name in m.__all__)
    function: Callable[..., Any] = getattr(module, name)
    return function


def _native(tensor: torch.Tensor) -> Any:
    """Return what computes of a tensor's memory take: NumPy's array of it, or itself."""
    return as_array(tensor) if _is_on_cpu(tensor) else tensor.detach()


def _is_on_cpu(tensor: torch.Tensor) -> bool:
    return bool(tensor.device.type == "cpu")


def as_array(tensor: torch.Tensor) -> FloatArray:
    """Return a tensor's memory as an array; of bfloat16 a copy."""
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    array: FloatArray = tensor.detach().numpy()
    return array


def _as_tensor(result: Any) -> torch.Tensor:
    if isinstance(result, torch.Tensor):
        return result.contiguous()
    return torch.from_numpy(np.asarray(result)).contiguous()


@value.register_fake
def _value_without_data(_name: str, inputs: Sequence[torch.Tensor], *given: Any) -> torch.Tensor:
    settings = Settings(*given)
    shape = torch.broadcast_shapes(*(x.shape for x in inputs))
    if settings.reduce:
        given_axes = None if settings.axis is None else tuple(settings.axis)
        axes = validation.normalise_axes(given_axes, len(shape))
        shape = validation.reduced_shape(tuple(shape), axes, settings.keepdims)
    empty: list[Any] = [np.empty(0, _NUMPY.get(x.dtype, np.float64)) for x in inputs]
    wide = validation.result_dtype(*empty) == np.float64
    return inputs[0].new_empty(shape, dtype=torch.float64 if wide else torch.float32)


@gradients.register_fake
def _gradients_without_data(
    _name: str, _cotangent: torch.Tensor, inputs: Sequence[torch.Tensor], *_given: Any
) -> list[torch.Tensor]:
    return [x.new_empty(x.shape) for x in inputs]


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    del output
    ctx.name, tensors, *ctx.given = inputs
    ctx.save_for_backward(*tensors)


def _differentiate(ctx: Any, cotangent: torch.Tensor) -> tuple[Any, ...]:
    inputs = list(ctx.saved_tensors)
    found = gradients(ctx.name, cotangent, inputs, *ctx.given)
    own = [one if x.is_floating_point() else None for one, x in zip(found, inputs, strict=True)]
    return None, own, *(None for _ in ctx.given)


value.register_autograd(_differentiate, setup_context=_keep)


def differentiable(name: str, inputs: Sequence[torch.Tensor], settings: Settings) -> torch.Tensor:
    """Return the value of a function, which PyTorch can differentiate."""
    # PyTorch 2.13 compiles no Function with a `vmap`, and its `torch.func.grad` cannot look into an
    # operator's derivatives: https://docs.pytorch.org/docs/stable/notes/extending.func.html.
    result: torch.Tensor = (
        value(name, list(inputs), *settings)
        if torch.compiler.is_compiling()
        else Differentiable.apply(name, *settings, *inputs)
    )
    return result


class Differentiable(torch.autograd.Function):
    """The function of a name, with the settings, of tensors."""

    @staticmethod
    def forward(name: str, *given: Any) -> torch.Tensor:
        """Return the value."""
        result: torch.Tensor = value(name, list(given[SETTINGS:]), *given[:SETTINGS])
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what the derivatives are of."""
        del output
        ctx.name, ctx.given = inputs[0], inputs[1 : 1 + SETTINGS]
        ctx.save_for_backward(*inputs[1 + SETTINGS :])

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> tuple[Any, ...]:
        """Return the derivatives in the tensors."""
        found = Gradients.apply(ctx.name, *ctx.given, cotangent, *ctx.saved_tensors)
        return None, *(None for _ in ctx.given), *found

    @staticmethod
    def jvp(_ctx: Any, *_tangents: Any) -> Any:
        """Refuse."""
        raise RuntimeError(ONCE)

    @staticmethod
    def vmap(info: Any, in_dims: Any, name: str, *given: Any) -> Any:
        """Return the values of a batch, by one call."""
        del info
        settings, inputs = _apart(in_dims[1], given)
        batch = _Batch.of(inputs, in_dims[1 + SETTINGS :])
        result = Differentiable.apply(name, *settings.of_batch(name, batch.ndim), *batch.inputs)
        return batch.values(name, settings, result), 0


class Gradients(torch.autograd.Function):
    """Its derivatives: a function of their own, which cannot be differentiated."""

    @staticmethod
    def forward(name: str, *given: Any) -> tuple[torch.Tensor, ...]:
        """Return the derivatives."""
        cotangent, *inputs = given[SETTINGS:]
        return tuple(gradients(name, cotangent, inputs, *given[:SETTINGS]))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep nothing."""

    @staticmethod
    def backward(_ctx: Any, *_cotangents: torch.Tensor) -> Any:
        """Refuse."""
        raise RuntimeError(ONCE)

    @staticmethod
    def jvp(_ctx: Any, *_tangents: Any) -> Any:
        """Refuse."""
        raise RuntimeError(ONCE)

    @staticmethod
    def vmap(info: Any, in_dims: Any, name: str, *given: Any) -> Any:
        """Return the derivatives of a batch; what is the same for all of it has each its own."""
        settings, (cotangent, *inputs) = _apart(in_dims[1], given)
        dim, *dims = in_dims[1 + SETTINGS :]
        batch, size = _Batch.of(inputs, dims), info.batch_size
        whole = batch.expanded(size)
        cotangent = batch.cotangent(name, settings, cotangent, dim, size)
        found = Gradients.apply(name, *settings.of_batch(name, batch.ndim), cotangent, *whole)
        return tuple(batch.derivatives(found, size)), (0,) * len(whole)


class _Batch(NamedTuple):
    """Inputs of a batch, which all have its dimension in front."""

    inputs: list[torch.Tensor]
    shapes: list[torch.Size]
    """What one of the batch has."""

    ndim: int

    @classmethod
    def of(cls, inputs: Sequence[torch.Tensor], dims: Sequence[int | None]) -> "_Batch":
        """Move the batch to the front; what has none is the same for all of it."""
        moved = [
            x.unsqueeze(0) if dim is None else x.movedim(dim, 0)
            for x, dim in zip(inputs, dims, strict=True)
        ]
        ndim = max(x.dim() for x in moved) - 1
        aligned = [x.reshape(x.shape[0], *(1,) * (ndim + 1 - x.dim()), *x.shape[1:]) for x in moved]
        return cls(aligned, [x.shape[1:] for x in moved], ndim)

    def values(self, name: str, settings: Settings, result: torch.Tensor) -> torch.Tensor:
        """Return each one's value, given that of all as `Settings.of_batch` asks for it."""
        if not (settings.axis is None and name == SUMS_ROWS and settings.reduce):
            return result
        total = result.flatten(1).sum(1)
        return total.reshape(-1, *(1,) * self.ndim) if settings.keepdims else total

    def expanded(self, size: int) -> list[torch.Tensor]:
        """Return the inputs, of which each of the batch has its own."""
        return [x.expand(size, *x.shape[1:]) for x in self.inputs]

    def cotangent(
        self, name: str, settings: Settings, given: torch.Tensor, dim: int | None, size: int
    ) -> torch.Tensor:
        """Return the cotangent of the value that `Settings.of_batch` asks for."""
        if dim is None:
            given = given.unsqueeze(0).expand(size, *given.shape)
        else:
            given = given.movedim(dim, 0)
        if settings.axis is None and name == SUMS_ROWS and settings.reduce:
            return given.reshape(size, *(1,) * self.ndim)
        return given

    def derivatives(self, found: Sequence[torch.Tensor], size: int) -> list[torch.Tensor]:
        """Return the derivatives in each one's inputs, in their shapes."""
        pairs = zip(found, self.shapes, strict=True)
        return [one.reshape(size, *own) for one, own in pairs]


def _apart(weight_dim: int | None, given: Sequence[Any]) -> tuple[Settings, list[torch.Tensor]]:
    """Return the settings, which are the same for all of a batch, and the tensors."""
    if weight_dim is not None:
        raise RuntimeError(
            "weight differs within the batch of torch.func.vmap; it is a constant here: pass one "
            "for each row to a call for all rows"
        )
    return Settings(*given[:SETTINGS]), list(given[SETTINGS:])


# What compiled functions call: a `vmap` that is compiled finds the operators themselves.
@value.register_vmap
def _values_of_batch(
    _info: Any, in_dims: Any, name: str, inputs: Sequence[torch.Tensor], *given: Any
) -> tuple[torch.Tensor, int]:
    settings, _ = _apart(in_dims[2], given)
    batch = _Batch.of(inputs, in_dims[1])
    result = value(name, batch.inputs, *settings.of_batch(name, batch.ndim))
    return batch.values(name, settings, result), 0


@gradients.register_vmap
def _gradients_of_batch(
    info: Any,
    in_dims: Any,
    name: str,
    cotangent: torch.Tensor,
    inputs: Sequence[torch.Tensor],
    *given: Any,
) -> tuple[list[torch.Tensor], list[int]]:
    settings, _ = _apart(in_dims[3], given)
    batch, size = _Batch.of(inputs, in_dims[2]), info.batch_size
    cotangent = batch.cotangent(name, settings, cotangent, in_dims[1], size)
    whole = batch.expanded(size)
    found = gradients(name, cotangent, whole, *settings.of_batch(name, batch.ndim))
    return batch.derivatives(found, size), [0] * len(whole)


def is_there(name: str, tensor: torch.Tensor, settings: Settings) -> bool:
    """Whether a function of this name with these settings is there on a tensor's device."""
    if _is_on_cpu(tensor):
        return True
    from .. import cuda

    return name in cuda.__all__ and settings.temperature is None
