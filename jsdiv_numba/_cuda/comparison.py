"""All pairs of rows: checked arguments, and bands of rows that are copied to the host in turn."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _arrays
from .._kernels.precision import FLOAT32, FLOAT64
from . import arrays, launch, target
from .pairs import COLUMNS, KNOWN, SQUARE, pair_kernels
from .target import THREADS

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))

BAND_BYTES = 1 << 26
"""Results that one band has at most, as long as it has one square of pairs in height."""

HIGHEST = 65_535 * SQUARE
"""Rows of a launch: a grid has no more blocks along its second axis."""


class Matrix(NamedTuple):
    """A matrix and what the kernels know of it: `pairs.prepare`."""

    given: Any
    padded: Any
    known: Any


class Comparison(NamedTuple):
    """The pairs of rows of two matrices, or of one with itself."""

    a: Matrix
    b: Matrix
    above: bool
    root: bool
    divisor: float
    dtype: np.dtype[Any]
    stream: Any

    @property
    def spread(self) -> int:
        """The power of two that brings the entries of a normalised row near 1."""
        return max(int(self.a.given.shape[1]), 1).bit_length() - 1

    def launch(self, first: int, last: int, result: Any, stream: Any) -> None:
        """Write the pairs of some rows of the first matrix."""
        precision = FLOAT32 if self.dtype == np.float32 else FLOAT64
        Float, width = precision.Float, int(self.b.given.shape[0])
        unit = Float(np.log(2.0) * 2.0 ** -(self.spread + precision.mantissa))
        squares = pair_kernels(precision).squares
        for start in range(first, last, HIGHEST):
            stop = min(start + HIGHEST, last)
            grid = -(-width // SQUARE), -(-(stop - start) // SQUARE)
            squares[grid, THREADS, stream](
                *self.a, *self.b, start, stop, self.above, self.root, unit, Float(self.divisor),
                self.start(first), result,
            )  # fmt: skip

    def start(self, row: int) -> int:
        """Return how many pairs there are before a row's."""
        width = int(self.b.given.shape[0])
        return row * (width - 1) - row * (row - 1) // 2 if self.above else row * width

    def bands(self) -> Iterator[tuple[int, int]]:
        """Yield the rows of one band after another."""
        height, width = int(self.a.given.shape[0]), int(self.b.given.shape[0])
        rows = max(BAND_BYTES // max(width * self.dtype.itemsize, 1) // SQUARE, 1) * SQUARE
        for first in range(0, height, rows):
            yield first, min(first + rows, height)


def matrix(array: Any, dtype: np.dtype[Any], stream: Any) -> Matrix:
    """Prepare the rows of a matrix."""
    precision = FLOAT32 if dtype == np.float32 else FLOAT64
    number, length = (int(n) for n in array.shape)
    columns = -(-max(length, 1) // COLUMNS) * COLUMNS
    size = number * (columns + KNOWN) * dtype.itemsize
    arrays.require_room(size, f"a copy of the rows, normalised, of {size:,} bytes,")
    padded = target.empty((number, columns), dtype, stream)
    known = target.empty((number, KNOWN), dtype, stream)
    spread = precision.Float(2.0 ** (max(length, 1).bit_length() - 1))
    pair_kernels(precision).prepare[number, THREADS, stream](
        array, launch.is_aligned(array), spread, padded, known
    )
    return Matrix(array, padded, known)


def to_host(comparison: Comparison, out: Any) -> None:
    """Write all pairs to an array of the host, by two streams and two pinned buffers in turn."""
    bands = list(comparison.bands())
    sizes = [comparison.start(last) - comparison.start(first) for first, last in bands]
    streams = [target.cuda.stream() for _ in range(2)]
    for stream in streams:
        target.wait_for(stream, comparison.stream)
    device = [target.empty((max(sizes),), comparison.dtype, stream) for stream in streams]
    pinned = [target.cuda.pinned_array(max(sizes), comparison.dtype) for _ in streams]
    for turn, (first, last) in enumerate(bands):
        own = turn % 2
        comparison.launch(first, last, device[own], streams[own])
        if sizes[turn]:
            device[own][: sizes[turn]].copy_to_host(pinned[own][: sizes[turn]], stream=streams[own])
        if turn:
            _store(comparison, bands[turn - 1], pinned[1 - own], streams[1 - own], out)
    _store(comparison, bands[-1], pinned[(len(bands) - 1) % 2], streams[(len(bands) - 1) % 2], out)


def _store(
    comparison: Comparison, band: tuple[int, int], values: Any, stream: Any, out: Any
) -> None:
    """Wait for a band's results and put them where they belong."""
    stream.synchronize()
    first, last = band
    start, stop = comparison.start(first), comparison.start(last)
    with np.errstate(all="ignore"):
        if comparison.above:
            out[start:stop] = values[: stop - start]
        else:
            out[first:last] = values[: stop - start].reshape(last - first, -1)


def of_two(
    XA: Any, XB: Any, root: bool, out: Any, base: float | None, dtype: Any, check: bool
) -> Any:
    """Return the distances between each row of one matrix and each of another."""
    names = ("XA", "XB")
    divisor = _arrays.log_base(base) or 1.0
    given, like, stream = arrays.gather(names, (XA, XB))
    a, b = (one.array for one in given)
    for name, array in zip(names, (a, b), strict=True):
        _require_matrix(name, array)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"XA of shape {tuple(a.shape)} and XB of shape {tuple(b.shape)} "
            "have different numbers of columns"
        )
    kind = _precision(dtype, a, b)
    if check:
        launch.check("XA", a, 0.0, stream)
        launch.check("XB", b, 0.0, stream)
    shape = int(a.shape[0]), int(b.shape[0])

    def compare() -> Comparison:
        of_a, of_b = matrix(a, kind, stream), matrix(b, kind, stream)
        return Comparison(of_a, of_b, False, root, divisor, kind, stream)

    return _written(compare, shape, kind, like, stream, out)


def within_one(X: Any, root: bool, out: Any, base: float | None, dtype: Any, check: bool) -> Any:
    """Return the distances between the rows of one matrix, each pair once."""
    divisor = _arrays.log_base(base) or 1.0
    (given,), like, stream = arrays.gather(("X",), (X,))
    x = given.array
    _require_matrix("X", x)
    kind, number = _precision(dtype, x), int(x.shape[0])
    if check:
        launch.check("X", x, 0.0, stream)

    def compare() -> Comparison:
        rows = matrix(x, kind, stream)
        return Comparison(rows, rows, True, root, divisor, kind, stream)

    return _written(compare, (number * (number - 1) // 2,), kind, like, stream, out)


def _require_matrix(name: str, array: Any) -> None:
    if len(array.shape) != 2:
        raise ValueError(
            f"{name} has shape {tuple(array.shape)}; it must be 2-d, one row a distribution"
        )


def _precision(dtype: npt.DTypeLike | None, *given: Any) -> np.dtype[Any]:
    if dtype is None:
        return _arrays.result_dtype(*(np.empty(0, array.dtype) for array in given))
    if np.dtype(dtype) not in FLOATS:
        raise ValueError(f"dtype is {np.dtype(dtype)}; it must be float32 or float64")
    return np.dtype(dtype)


def _written(
    compare: Callable[[], Comparison],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    like: Any,
    stream: Any,
    out: Any,
) -> Any:
    if isinstance(out, np.ndarray):
        _arrays.result_array(out, shape, dtype)
        if out.size:
            to_host(compare(), out)
        return out

    def write(result: Any) -> None:
        if math.prod(shape):
            comparison = compare()
            comparison.launch(0, int(comparison.a.given.shape[0]), launch.flat(result), stream)

    return arrays.written(out, shape, dtype, like, stream, write)
