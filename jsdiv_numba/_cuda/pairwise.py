"""All pairs of rows: checked arguments, and tiles of pairs that are copied to the host in turn."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core import validation
from .._core.pair_metric import Metric
from .._kernels.codegen.precision import FLOAT32, FLOAT64, Precision
from .._kernels.records import Side as GivenSide
from . import arrays, evaluate, target
from .kernels.pairs import (
    COLUMNS,
    KNOWN,
    SQUARE,
    Matrix,
    Output,
    Side,
    Tile,
    Wanted,
    pair_kernel,
    prepare_kernel,
)
from .target import THREADS

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

TILE_BYTES = 1 << 26
"""Results that one tile has at most, or one square of pairs; of a condensed matrix, whole rows."""

HIGHEST = 65_535 * SQUARE
"""Rows of a launch: a grid has no more blocks along its second axis."""


class Comparison(NamedTuple):
    """The pairs of rows of two matrices, or of one with itself."""

    a: Matrix
    b: Matrix
    above: bool
    metric: Metric
    dtype: np.dtype[Any]
    gathered: arrays.Gathered

    @property
    def spread(self) -> int:
        """The power of two that brings the entries of a normalised row near 1."""
        return max(int(self.a.given.shape[1]), 1).bit_length() - 1

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows the matrices have."""
        return int(self.a.given.shape[0]), int(self.b.given.shape[0])

    @property
    def whole(self) -> Tile:
        """All pairs."""
        height, width = self.shape
        return Tile(0, height, 0, width)

    @property
    def precision(self) -> Precision:
        """What the kernels are compiled for."""
        return _precision_of(self.dtype)

    @property
    def wanted(self) -> Wanted:
        """What is wanted of each pair's divergence."""
        Float = self.precision.Float
        unit = Float(np.log(2.0) * 2.0 ** -(self.spread + self.precision.device_log2))
        metric = self.metric
        return Wanted(unit, Float(metric.most), Float(metric.log_base), metric.root)

    @property
    def weights(self) -> tuple[Any, ...]:
        """What terms take beside two entries."""
        if self.metric.measure != "skewed":
            return ()
        Float, weighing = self.precision.Float, self.metric.weighing
        return Float(weighing.p.weight), Float(weighing.q.weight)

    def launch(self, tile: Tile, result: Any, stream: Any) -> None:
        """Write the pairs of a tile."""
        width, length = tile.right - tile.left, int(self.a.padded.shape[1])
        offset = self.start(tile.first) if self.above else tile.first * width + tile.left
        squares = pair_kernel(self.precision, self.metric.measure)
        both = [rows._replace(padded=evaluate.flat(rows.padded)) for rows in (self.a, self.b)]
        given = self.weights, self.wanted, Output(self.above, offset, result)
        for start in range(tile.first, tile.last, HIGHEST):
            part = tile._replace(first=start, last=min(start + HIGHEST, tile.last))
            grid = -(-width // SQUARE), -(-(part.last - start) // SQUARE)
            squares[grid, THREADS, stream](*both, length, part, *given)

    def start(self, row: int) -> int:
        """Return how many pairs there are before a row's in the condensed order."""
        _, width = self.shape
        return row * (width - 1) - row * (row - 1) // 2

    def size(self, tile: Tile) -> int:
        """Return how many pairs a tile has."""
        if self.above:
            return self.start(tile.last) - self.start(tile.first)
        return (tile.last - tile.first) * (tile.right - tile.left)

    def tiles(self) -> Iterator[Tile]:
        """Yield one tile after another."""
        height, width = self.shape
        pairs = TILE_BYTES // self.dtype.itemsize
        columns = width if self.above else min(width, max(pairs // SQUARE // SQUARE, 1) * SQUARE)
        rows = max(pairs // columns // SQUARE, 1) * SQUARE
        for first in range(0, height, rows):
            for left in range(0, width, columns):
                yield Tile(first, min(first + rows, height), left, min(left + columns, width))


def _precision_of(dtype: np.dtype[Any]) -> Precision:
    return FLOAT32 if dtype == np.float32 else FLOAT64


def matrix(
    array: Any, side: GivenSide, metric: Metric, dtype: np.dtype[Any], gathered: arrays.Gathered
) -> Matrix:
    """Prepare the rows of a matrix, for one of the two sides of pairs."""
    precision = _precision_of(dtype)
    Float, (number, length) = precision.Float, (int(n) for n in array.shape)
    columns = -(-max(length, 1) // COLUMNS) * COLUMNS if metric.measure != "kl" else 0
    padded = gathered.empty((number, columns), dtype, "a copy of the rows, normalised,")
    known = gathered.empty((number, KNOWN), dtype)
    spread = Float(2.0 ** (max(length, 1).bit_length() - 1))
    of_side = Side(Float(2.0 * side.weight), Float(side.offset * 2.0**precision.device_log2))
    prepare_kernel(precision)[number, THREADS, gathered.stream](
        array, evaluate.is_aligned(array), spread, of_side, padded, known
    )
    return Matrix(array, padded, known)


def to_host(comparison: Comparison, out: Any) -> None:
    """Write all pairs to an array of the host, by two streams and two pinned buffers in turn."""
    tiles = list(comparison.tiles())
    largest = max(map(comparison.size, tiles))
    streams = [target.cuda.stream() for _ in range(2)]
    for stream in streams:
        target.wait_for(stream, comparison.gathered.stream)
    device = [comparison.gathered.empty((largest,), comparison.dtype) for _ in streams]
    pinned = [target.pinned(largest, comparison.dtype) for _ in streams]
    for turn, tile in enumerate(tiles):
        own, size = turn % 2, comparison.size(tile)
        comparison.launch(tile, device[own], streams[own])
        if size:
            device[own][:size].copy_to_host(pinned[own][:size], stream=streams[own])
        if turn:
            _store(comparison, tiles[turn - 1], pinned[1 - own], streams[1 - own], out)
    last = (len(tiles) - 1) % 2
    _store(comparison, tiles[-1], pinned[last], streams[last], out)


def _store(comparison: Comparison, tile: Tile, values: Any, stream: Any, out: Any) -> None:
    """Wait for a tile's results and put them where they belong."""
    stream.synchronize()
    found = values[: comparison.size(tile)]
    with np.errstate(all="ignore"):
        if comparison.above:
            out[comparison.start(tile.first) : comparison.start(tile.last)] = found
        else:
            rows, columns = tile.last - tile.first, tile.right - tile.left
            out[tile.first : tile.last, tile.left : tile.right] = found.reshape(rows, columns)


def of_two(XA: Any, XB: Any, metric: Metric, out: Any, dtype: Any, check: bool) -> Any:
    """Return the distances between each row of one matrix and each of another."""
    names = ("XA", "XB")
    gathered = arrays.gather(names, (XA, XB))
    a, b = gathered.arrays
    for name, array in zip(names, (a, b), strict=True):
        _require_matrix(name, array)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"XA of shape {tuple(a.shape)} and XB of shape {tuple(b.shape)} "
            "have different numbers of columns"
        )
    kind = _precision(dtype, a, b)
    if check:
        evaluate.check("XA", a, 0.0, gathered)
        evaluate.check("XB", b, 0.0, gathered)
    shape = int(a.shape[0]), int(b.shape[0])

    def compare() -> Comparison:
        of_a, of_b = (
            matrix(array, side, metric, kind, gathered)
            for array, side in zip((a, b), metric.sides, strict=True)
        )
        return Comparison(of_a, of_b, False, metric, kind, gathered)

    return _written(compare, shape, kind, gathered, out)


def within_one(X: Any, metric: Metric, out: Any, dtype: Any, check: bool) -> Any:
    """Return the distances between the rows of one matrix, each pair once."""
    gathered = arrays.gather(("X",), (X,))
    (x,) = gathered.arrays
    _require_matrix("X", x)
    kind, number = _precision(dtype, x), int(x.shape[0])
    if check:
        evaluate.check("X", x, 0.0, gathered)

    def compare() -> Comparison:
        p_side, q_side = metric.sides
        of_p = of_q = matrix(x, p_side, metric, kind, gathered)
        if q_side != p_side:
            of_q = matrix(x, q_side, metric, kind, gathered)
        return Comparison(of_p, of_q, True, metric, kind, gathered)

    return _written(compare, (number * (number - 1) // 2,), kind, gathered, out)


def _require_matrix(name: str, array: Any) -> None:
    if len(array.shape) != 2:
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}; it must be 2-d, one row a distribution"
        )


def _precision(dtype: npt.DTypeLike | None, *given: Any) -> np.dtype[Any]:
    if dtype is None:
        return validation.result_dtype(*(np.empty(0, array.dtype) for array in given))
    if np.dtype(dtype) not in FLOATS:
        raise ValueError(f"dtype is {np.dtype(dtype)}; it must be float32 or float64")
    return np.dtype(dtype)


def _written(
    compare: Callable[[], Comparison],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    gathered: arrays.Gathered,
    out: Any,
) -> Any:
    if isinstance(out, np.ndarray):
        validation.result_array(out, shape, dtype)
        if out.size:
            to_host(compare(), out)
        return out

    def write(result: Any) -> None:
        if math.prod(shape):
            comparison = compare()
            comparison.launch(comparison.whole, evaluate.flat(result), gathered.stream)

    return arrays.written(out, shape, dtype, gathered, write)
