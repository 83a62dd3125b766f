"""What a task computes along axes: the NumPy function, on a block."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .. import divergence
from .._core import validation
from .._core.evaluate import finisher
from .._core.sparse import any_sparse, as_compressed, is_sparse
from .._core.validation import FloatArray

Where = tuple[slice, ...]
"""The place of a block in its array."""


class BlockCall(NamedTuple):
    """What every task of a call is given."""

    function: Callable[..., Any]
    names: tuple[str, str]
    shapes: tuple[tuple[int, ...], ...]
    fixed: dict[str, Any]
    """Arguments that are the same for all blocks."""

    def __call__(
        self, P: FloatArray, Q: FloatArray, axes: tuple[int, ...], **options: Any
    ) -> FloatArray:
        """Call the NumPy function."""
        axis = axes[0] if any_sparse(P, Q) else axes
        return np.asarray(self.function(P, Q, axis=axis, **self.fixed, **options))

    def check(self, naming: validation.Naming, P: FloatArray, Q: FloatArray) -> None:
        """Raise if a block has an invalid entry, which its place in the array names."""
        logits = self.function is divergence.js_divergence_logit
        check = validation.check_logits if logits else validation.check_probabilities
        for name, block in zip(self.names, (P, Q), strict=True):
            if is_sparse(block):
                as_compressed(name, block, naming)
            else:
                check(naming, **{name: np.asarray(block)})


class Flat(NamedTuple):
    """How an array whose sums' axes were made one came from the given ones."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    order: list[int]


def weighted(
    P: FloatArray,
    Q: FloatArray,
    weight: FloatArray,
    where: Where,
    *,
    block: Callable[..., FloatArray],
    call: BlockCall,
    **options: Any,
) -> FloatArray:
    """Do what is done to a block, with the weights of its results."""
    return block(P, Q, where, call=call._replace(fixed={**call.fixed, "weight": weight}), **options)


def terms(
    P: FloatArray, Q: FloatArray, where: Where, *, call: BlockCall, axes: tuple[int, ...]
) -> FloatArray:
    """Return a block's terms."""
    return _located(call, P, Q, where, lambda: call(P, Q, axes, reduce=False))


def of_rows(
    P: FloatArray, Q: FloatArray, where: Where, *, call: BlockCall, axes: tuple[int, ...]
) -> FloatArray:
    """Return the results of a block's rows, axes kept."""
    return _located(call, P, Q, where, lambda: call(P, Q, axes, keepdims=True))


def sums(
    P: FloatArray,
    Q: FloatArray,
    where: Where,
    *,
    call: BlockCall,
    axes: tuple[int, ...],
    columns: int | None,
) -> FloatArray:
    """Return the sums of a block, axes kept."""
    return _located(call, P, Q, where, lambda: _laid_out_sums(call, P, Q, axes, columns))


def _located(
    call: BlockCall, P: FloatArray, Q: FloatArray, where: Where, compute: Callable[[], FloatArray]
) -> FloatArray:
    """Compute a block, and raise for an invalid entry with its place in the whole array."""
    try:
        return compute()
    except ValueError:
        call.check(partial(_entry_of_block, where, call), P, Q)
        raise


def _entry_of_block(where: Where, call: BlockCall, name: str, place: tuple[int, ...]) -> str:
    """Return what an error calls an entry of a block."""
    shape = call.shapes[call.names.index(name)]
    own = where[len(where) - len(shape) :]
    starts = [0 if size == 1 else part.start for size, part in zip(shape, own, strict=True)]
    return entry_from(starts, name, place)


def entry_from(starts: Sequence[float], name: str, place: tuple[int, ...]) -> str:
    """Return what an error calls an entry of a block that starts there, or at NaN: unknown."""
    if any(math.isnan(start) for start in starts):
        return f"{validation.entry(name, place)} of one of its blocks"
    moved = tuple(int(start) + i for start, i in zip(starts, place, strict=True))
    return validation.entry(name, moved)


def check_rows(name: str, first: float, block: FloatArray) -> None:
    """Raise if rows have an invalid entry, which its place in the whole matrix names."""
    naming = partial(entry_from, (first, 0))
    if is_sparse(block):
        as_compressed(name, block, naming)
        return
    validation.check_probabilities(naming, **{name: np.asarray(block)})


def _laid_out_sums(
    call: BlockCall, P: Any, Q: Any, axes: tuple[int, ...], columns: int | None
) -> FloatArray:
    """Return sums, axes kept, from the kernel that the NumPy function takes for all of the array.

    That one depends on how arrays lie in memory. So a block is given the layout of the
    whole: its rows, or its columns side by side, of which there have to be two.
    """
    P, Q = (validation.as_real(*named) for named in zip(call.names, (P, Q), strict=True))
    ndim = max(P.ndim, Q.ndim)
    if columns is None:
        kept = [i for i in range(ndim) if i not in axes]
        order = [*kept, *axes]
        P, Q = (_c_order(_with_ndim(array, ndim).transpose(order)) for array in (P, Q))
        weight = call.fixed.get("weight")
        if isinstance(weight, np.ndarray):
            call = call._replace(fixed={**call.fixed, "weight": weight.transpose(order)})
        moved = call(P, Q, tuple(range(len(kept), ndim)), keepdims=True)
        return moved.transpose(np.argsort(order))
    P, Q = _c_order(P), _c_order(Q)
    if P.shape[columns] != 1:
        return call(P, Q, axes, keepdims=True)
    both = call(P.repeat(2, columns), Q.repeat(2, columns), axes, keepdims=True)
    return both.take([0], columns)


def _with_ndim(array: FloatArray, ndim: int) -> FloatArray:
    return array.reshape((1,) * (ndim - array.ndim) + array.shape)


def _c_order(array: FloatArray) -> FloatArray:
    return array if array.flags.c_contiguous else array.copy(order="C")


def sums_of_pieces(
    P: FloatArray,
    Q: FloatArray,
    where: Where,
    *,
    call: BlockCall,
    axis: int,
    piece: int,
    columns: int | None,
    length: int,
    flat: Flat,
) -> FloatArray:
    """Return the sums of whole pieces along `axis`, and in the last block of what is left."""
    axis += P.ndim
    in_nats = call._replace(fixed=call.fixed | {"base": None})
    whole = P.shape[axis] // piece * piece
    parts = []
    try:
        if whole:
            split = (*P.shape[:axis], whole // piece, piece, *P.shape[axis + 1 :])
            p, q = (_until(array, whole, axis).reshape(split) for array in (P, Q))
            of_each = _laid_out_sums(in_nats, p, q, (axis + 1,), columns)
            parts.append(of_each.squeeze(axis + 1))
        if where[axis].stop == length:
            p, q = (_after(array, whole, axis) for array in (P, Q))
            parts.append(_laid_out_sums(in_nats, p, q, (axis,), columns))
    except ValueError:
        call.check(partial(_entry_of_flat, where, flat, call), P, Q)
        raise
    return np.concatenate(parts, axis, dtype=np.float64)


def _until(array: FloatArray, stop: int, axis: int) -> FloatArray:
    return array[(slice(None),) * axis + (slice(stop),)]


def _after(array: FloatArray, start: int, axis: int) -> FloatArray:
    return array[(slice(None),) * axis + (slice(start, None),)]


def _entry_of_flat(
    where: Where, flat: Flat, call: BlockCall, name: str, place: tuple[int, ...]
) -> str:
    """Return what an error calls an entry of an array whose sums' axes were made one."""
    moved = [part.start + i for part, i in zip(where, place, strict=True)]
    first = flat.order.index(flat.axes[0])
    along = np.unravel_index(moved[first], [flat.shape[axis] for axis in flat.axes])
    indices = [*moved[:first], *along, *moved[first + 1 :]]
    in_order = [int(index) for _, index in sorted(zip(flat.order, indices, strict=True))]
    own = call.shapes[call.names.index(name)]
    broadcast = in_order[len(in_order) - len(own) :]
    indices_of_own = (0 if n == 1 else i for n, i in zip(own, broadcast, strict=True))
    return validation.entry(name, tuple(indices_of_own))


def add_up(
    parts: FloatArray, *, axis: int, base: float | None, result: np.dtype[Any]
) -> FloatArray:
    """Add up the sums of pieces as the NumPy function does: in pairs, because they are adjacent."""
    adjacent = np.ascontiguousarray(np.moveaxis(parts, axis, -1))
    total = np.asarray(adjacent.sum(axis=-1), result)
    finish = finisher(validation.log_base(base), root=False)
    if finish is not None:
        finish(total)
    return total


def sum_of_all(rows: FloatArray, *, keepdims: bool) -> Any:
    return np.asarray(rows.sum()).reshape((1,) * rows.ndim if keepdims else ())
