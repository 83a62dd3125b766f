"""Graphs of the functions along axes."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
from dask.layers import ArraySliceDep

from .. import divergence
from .._core import blocks as core_blocks
from .._core import validation
from .._core.evaluate import columns_axis
from .._core.sparse import any_sparse
from .._core.sparse_rows import check_reduced, checked_axis
from .._core.threads import check_workers
from .._core.validation import EQUAL, Axis, FloatArray
from . import blocks, chunks


class Call(NamedTuple):
    """A call along axes, its arguments checked."""

    function: Callable[..., Any]
    arrays: tuple[da.Array, da.Array]
    names: tuple[str, str]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    base: float | None
    workers: int
    dtype: np.dtype[Any]
    options: Mapping[str, Any] = MappingProxyType({})
    """Of the NumPy function's, besides."""
    weights: FloatArray | None = None
    """One for each result, with as many axes as the inputs."""

    @classmethod
    def check(
        cls,
        function: Callable[..., Any],
        given: tuple[Any, Any],
        names: tuple[str, str],
        axis: Axis,
        base: float | None,
        workers: int | None,
    ) -> "Call":
        """Return the call, or raise what the NumPy function raises."""
        workers = 1 if workers is None else check_workers(workers)
        sparse = function is not divergence.js_divergence_logit
        P = chunks.as_dask(names[0], given[0], beside=given[1], sparse=sparse)
        Q = chunks.as_dask(names[1], given[1], beside=given[0], sparse=sparse)
        shape = chunks.broadcast_shape(P, Q, names)
        axes = validation.normalise_axes(axis, len(shape))
        dtype = validation.result_dtype(*map(chunks.numbers, (P, Q)))
        validation.log_base(base)
        if any_sparse(P._meta, Q._meta):
            checked_axis(axes[0] if len(axes) == 1 else axes)
        return cls(function, (P, Q), names, shape, axes, base, workers, dtype)

    def weighted(self, weight: Any, keepdims: bool, reduce: bool) -> "Call":
        """Return the call with a weight, or with one for each result, which are in memory."""
        if weight is EQUAL:
            return self
        if isinstance(weight, da.Array):
            raise TypeError(
                "weight is a Dask array; weights are in memory here: pass weight.compute()"
            )
        checked = validation.as_weight(weight)
        if not checked.ndim:
            return self._replace(options={"weight": float(checked)})
        by_row = self.function is divergence.js_divergence_logit
        weighed = validation.weighed(self.shape, self.axes, keepdims, reduce, by_row)
        if np.isnan(sum(weighed.shape)):
            raise ValueError(
                f"weight has shape {checked.shape}, and how many results there are is unknown: "
                "pass one number, or arrays whose chunks have known sizes"
            )
        weights = validation.broadcast_weight(checked, *weighed)
        if reduce and not keepdims:
            weights = np.expand_dims(weights, self.axes)
        return self._replace(weights=weights)

    @property
    def sparse(self) -> bool:
        """Whether blocks of any input are sparse."""
        return any_sparse(*(array._meta for array in self.arrays))

    @property
    def columns(self) -> int | None:
        """The axis, counted from the last, along which columns lie side by side, if they do."""
        return _columns(tuple(array.shape for array in self.arrays), self.shape, self.axes)

    @property
    def length(self) -> float:
        """How many elements one sum has."""
        return math.prod(self.shape[axis] for axis in self.axes)

    @property
    def piece(self) -> int:
        """How many elements of a sum are added up at once."""
        return core_blocks.ROW_PIECE if self.columns is None else core_blocks.COLUMN_PIECE

    def is_long(self) -> bool:
        """Return whether sums are split among chunks, and too long to put those together."""
        if self.sparse or np.isnan(sum(self.shape)) or self.length <= self.piece:
            return False
        if self.weights is not None:
            return False
        of_both = (chunks.own_axes(array, self.shape, self.axes) for array in self.arrays)
        pairs = zip(self.arrays, of_both, strict=True)
        return any(array.numblocks[axis] > 1 for array, axes in pairs for axis in axes)

    def terms(self, whole: tuple[int, ...]) -> da.Array:
        """Return each element's term; the axes `whole` must not be split."""
        check_reduced(not self.sparse)
        arrays = self.aligned(whole)
        return self.by_block(blocks.terms, arrays, axes=self.axes, dtype=self.dtype)

    def totals(self) -> da.Array:
        """Return the sums, axes kept, of blocks that hold all elements of theirs."""
        arrays = self.aligned(self.axes)
        ones = dict.fromkeys(self.axes, 1)
        if self.function is not divergence.js_divergence or self.sparse:
            return self.by_block(blocks.of_rows, arrays, ones, axes=self.axes, dtype=self.dtype)
        layout = {"axes": self.axes, "columns": self.columns}
        return self.by_block(blocks.sums, arrays, ones, dtype=self.dtype, **layout)

    def sums_of_pieces(self) -> da.Array:
        """Return the sums, axes kept, added up as the NumPy function does, from pieces."""
        order, first = self.flat_order()
        flat = blocks.Flat(self.shape, self.axes, order)
        merged = tuple(self.merged(array, order, first) for array in self.arrays)
        P, Q = da.unify_chunks(*chunks.with_indices(merged))[1]
        pieces = tuple(-(-size // self.piece) for size in P.chunks[first])
        pieces = *pieces[:-1], P.chunks[first][-1] // self.piece + 1
        parts = self.by_block(
            blocks.sums_of_pieces,
            (P, Q),
            {first: pieces},
            dtype=np.dtype(np.float64),
            axis=first - P.ndim,
            piece=self.piece,
            columns=self.columns,
            length=P.shape[first],
            flat=flat,
        )
        total = da.map_blocks(
            blocks.add_up,
            parts.rechunk({first: -1}),
            axis=first,
            base=self.base,
            result=self.dtype,
            drop_axis=first,
            meta=np.empty((0,) * (parts.ndim - 1), self.dtype),
            token="add-up",
        )
        return da.expand_dims(total, self.axes)

    def flat_order(self) -> tuple[list[int], int]:
        """Return an order of axes in which those of a sum stand together, and where they start."""
        kept = [i for i in range(len(self.shape)) if i not in self.axes]
        side_by_side = self.columns is not None
        after = [i for i in kept if i > max(self.axes)] if side_by_side else []
        before = [i for i in kept if i not in after]
        return [*before, *self.axes, *after], len(before)

    def merged(self, array: da.Array, order: list[int], first: int) -> da.Array:
        """Return an array with the axes of a sum as one, in chunks of whole pieces."""
        whole = da.broadcast_to(array, self.shape).transpose(order)
        before, after = whole.shape[:first], whole.shape[first + len(self.axes) :]
        merged = whole.reshape(*before, self.length, *after)
        sizes = merged.chunks[first]
        if any(size % self.piece for size in sizes[:-1]):
            size = max(1, round(max(sizes) / self.piece)) * self.piece
            merged = merged.rechunk({first: size})
        return merged

    def aligned(self, whole: tuple[int, ...]) -> tuple[da.Array, ...]:
        """Return the inputs in chunks that fit, none split along the axes `whole`."""
        chunks.check_alignment(self.arrays, self.names)
        arrays = tuple(
            chunks.whole(name, array, chunks.own_axes(array, self.shape, whole))
            for name, array in zip(self.names, self.arrays, strict=True)
        )
        return tuple(da.unify_chunks(*chunks.with_indices(arrays))[1])

    def by_block(
        self,
        block: Callable[..., Any],
        arrays: tuple[da.Array, ...],
        sizes: Mapping[int, Any] = MappingProxyType({}),
        *,
        dtype: np.dtype[Any],
        **options: Any,
    ) -> da.Array:
        """Call a function on blocks that lie over each other; `sizes` are those of its results."""
        ndim = max(array.ndim for array in arrays)
        of_blocks = chunks.broadcast_chunks(arrays)
        where = ArraySliceDep(of_blocks)
        shapes = tuple(array.shape for array in self.arrays)
        fixed = {"base": self.base, "workers": self.workers, **self.options}
        block_call = blocks.BlockCall(self.function, self.names, shapes, fixed)
        beside: list[Any] = []
        if self.weights is not None:
            each = zip(self.weights.shape, of_blocks, strict=True)
            parts = tuple((1,) if size == 1 else own for size, own in each)
            beside = [da.from_array(self.weights, parts), tuple(range(ndim))]
            block, options = blocks.weighted, {**options, "block": block}
        return da.blockwise(
            block,
            tuple(range(ndim)),
            *chunks.with_indices(arrays),
            *beside,
            where,
            tuple(range(ndim)),
            call=block_call,
            adjust_chunks=dict(sizes),
            align_arrays=False,
            dtype=dtype,
            meta=np.empty((0,) * ndim, dtype),
            token=self.function.__name__,
            **options,
        )

    def squeezed(self, sums: da.Array, keepdims: bool) -> da.Array:
        """Return sums without the axes that have length 1, unless they are kept."""
        if keepdims or not sums.ndim:
            return sums
        return da.map_blocks(
            np.squeeze,
            sums,
            axis=self.axes,
            drop_axis=self.axes,
            meta=np.empty((0,) * (sums.ndim - len(self.axes)), sums.dtype),
        )


def _columns(
    shapes: tuple[tuple[int, ...], ...], shape: tuple[int, ...], axes: tuple[int, ...]
) -> int | None:
    """Return the axis that memory follows instead of the rows, were the arrays in C order."""
    small, *of_arrays = ([_small(size) for size in each] for each in (shape, *shapes))
    rows = tuple(validation.rows_along(np.empty(own), tuple(small), axes) for own in of_arrays)
    axis = columns_axis(rows)
    if axis is None:
        return None
    kept = [i for i in range(len(shape)) if i not in axes]
    return kept[axis] - len(shape)


def _small(size: float) -> int:
    """Return 2 for a size above 1, and for one that is unknown."""
    return int(size) if size in (0, 1) else 2


def sum_of_all(rows: da.Array, keepdims: bool) -> da.Array:
    """Add up everything in one task, in NumPy's order."""
    every = tuple(range(rows.ndim))
    ones = ((1,),) * rows.ndim if keepdims else ()
    return da.map_blocks(
        blocks.sum_of_all,
        rows.rechunk(dict.fromkeys(every, -1)),
        keepdims=keepdims,
        chunks=ones,
        drop_axis=None if keepdims else every,
        meta=np.empty((0,) * len(ones), rows.dtype),
        token="sum",
    )
