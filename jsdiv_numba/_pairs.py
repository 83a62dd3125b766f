"""All pairs of rows: what is known of each row, and the blocks of pairs that threads share."""

from typing import Any, NamedTuple

import numpy as np

from . import _arrays
from ._arrays import FloatArray
from ._kernels.catalog import NAMES
from ._kernels.load import routine
from ._threads import check_workers, run_blocks

BLOCK_ELEMENTS = 1 << 24
"""Pairs times columns of one block: a few milliseconds."""

BLOCK_PAIRS = 1 << 18
"""Pairs of one block: at most 2 MB of results."""

PREPARED_ELEMENTS = 1 << 18
"""Elements of the rows that one call prepares."""

TOGETHER, LANES, KNOWN = 4, 16, 5
"""As in `jsdiv_numba._kernels.pairs`, which is imported late."""


class Rows(NamedTuple):
    """A matrix and what is known of its rows; see `jsdiv_numba._kernels.pairs.Rows`."""

    given: FloatArray
    padded: FloatArray
    known: FloatArray


class Block(NamedTuple):
    """The pairs of rows i_start .. i_stop of one matrix and j_start .. j_stop of the other."""

    i_start: int
    i_stop: int
    j_start: int
    j_stop: int

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows of each."""
        return self.i_stop - self.i_start, self.j_stop - self.j_start

    @property
    def place(self) -> tuple[slice, slice]:
        """Where they stand in the matrix of all pairs."""
        return slice(self.i_start, self.i_stop), slice(self.j_start, self.j_stop)


def as_rows(name: str, values: Any) -> FloatArray:
    """Return an input as a matrix of real numbers."""
    matrix = _arrays.as_real(name, values)
    check_matrix(name, matrix.shape)
    return matrix


def check_matrix(name: str, shape: tuple[int, ...]) -> None:
    """Raise if an input of this shape has no rows."""
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}; it must be 2-d, one row a distribution")


def check_columns(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], names: tuple[str, str] = ("XA", "XB")
) -> None:
    """Raise if the rows of matrices of these shapes cannot be compared."""
    if shape_a[1] != shape_b[1]:
        raise ValueError(
            f"{names[0]} of shape {shape_a} and {names[1]} of shape {shape_b} have different "
            "numbers of columns"
        )


class Comparison:
    """The divergences of all pairs of rows of two matrices, or of one with itself.

    Parameters
    ----------
    a, b : tuple of str and 2-d array
        The matrices, with the names of the arguments that they came from.
    dtype : dtype
        float32 or float64.
    root : bool
        Whether the square roots are wanted.
    log_base : float
        What divides a divergence in nats.
    workers : int or None
        Number of threads.
    """

    def __init__(
        self,
        a: tuple[str, FloatArray],
        b: tuple[str, FloatArray],
        dtype: np.dtype[Any],
        *,
        root: bool,
        log_base: float,
        workers: int | None,
    ) -> None:
        self.inputs = {a[0]: a[1], b[0]: b[1]}
        self.dtype = dtype
        self.workers = workers if workers is None else check_workers(workers)
        self.root, self.factor = root, 1.0 / log_base
        self.a = unprepared(*a, dtype)
        self.b = self.a if b[1] is a[1] else unprepared(*b, dtype)
        self.kernel = routine("pairs", NAMES[dtype.char])
        self.spread = max(a[1].shape[1], 1).bit_length() - 1
        """The power of two that brings the entries of a normalised row near 1."""

    def run(self, result: FloatArray, *, condensed: bool = False) -> None:
        """Write all pairs to a matrix, or those with i < j to a vector, as SciPy orders them."""
        height, width = len(self.a.given), len(self.b.given)
        fits = result.dtype is self.dtype and result.flags.aligned
        if fits and height * width * self.a.padded.shape[1] <= BLOCK_ELEMENTS // 64:
            target = result[None] if condensed else result
            self._compute(Block(0, height, 0, width), target, True, condensed, condensed)
            return
        self._prepare()
        write = self._write if fits else self._write_converted
        blocks = self._blocks(condensed)
        run_blocks(lambda block: write(block, result, condensed), blocks, self.workers)

    def run_mirrored(self, result: FloatArray) -> None:
        """Write few pairs of a matrix with itself, each computed once; of a row with itself, 0."""
        number = len(self.a.given)
        above = np.zeros(result.shape, self.dtype)
        self._compute(Block(0, number, 0, number), above, True, True, False)
        np.add(above, above.T, out=result)

    def _write(self, block: Block, result: FloatArray, condensed: bool) -> None:
        target = result[None] if condensed else result[block.place]
        self._compute(block, target, False, condensed, condensed)

    def _write_converted(self, block: Block, result: FloatArray, condensed: bool) -> None:
        """Write a block of pairs to an array that the kernel cannot write to."""
        values = np.empty(block.shape, self.dtype)
        self._compute(block, values, False, condensed, False)
        if not condensed:
            result[block.place] = values
            return
        number = len(self.a.given)
        for i in range(block.i_start, block.i_stop):
            first = max(block.j_start, i + 1)
            if first < block.j_stop:
                start = number * i - i * (i + 1) // 2 + first - i - 1
                segment = values[i - block.i_start, first - block.j_start :]
                result[start : start + len(segment)] = segment

    def _compute(
        self, block: Block, values: FloatArray, prepare: bool, above: bool, condensed: bool
    ) -> None:
        a, b = self.a, self.b
        flags = prepare, prepare and b is not a, above, condensed, self.root
        if self.kernel(*a, *b, *block, self.spread, *flags, self.factor, values):
            _arrays.check_probabilities(**self.inputs)

    def _prepare(self) -> None:
        step = max(1, PREPARED_ELEMENTS // self.a.padded.shape[1])
        each = (self.a,) if self.b is self.a else (self.a, self.b)
        parts = [(rows, start) for rows in each for start in range(0, len(rows.given), step)]
        no_pairs = np.empty((0, 0), self.dtype)
        with_nan = []

        def prepare(part: tuple[Rows, int]) -> None:
            rows, start = part
            block = Block(start, min(start + step, len(rows.given)), 0, 0)
            flags = True, False, False, False, False
            if self.kernel(*rows, *rows, *block, self.spread, *flags, self.factor, no_pairs):
                with_nan.append(part)

        run_blocks(prepare, parts, self.workers)
        if with_nan:
            _arrays.check_probabilities(**self.inputs)

    def _blocks(self, above: bool) -> list[Block]:
        height_of_a, width_of_b = len(self.a.given), len(self.b.given)
        pairs = min(max(BLOCK_ELEMENTS // self.a.padded.shape[1], 64), BLOCK_PAIRS)
        height = max(8, int((pairs / 64) ** 0.5))
        width = max(TOGETHER, pairs // height // TOGETHER * TOGETHER)
        return [
            Block(i, min(i + height, height_of_a), j, min(j + width, width_of_b))
            for i in range(0, height_of_a, height)
            for j in range((i + 1) // TOGETHER * TOGETHER if above else 0, width_of_b, width)
        ]


def unprepared(name: str, matrix: FloatArray, dtype: np.dtype[Any]) -> Rows:
    """Return a matrix with room for what a kernel will know of its rows."""
    given = matrix
    if matrix.dtype is not dtype or not matrix.flags.aligned:
        given = _suited(name, matrix, dtype)
    number, length = given.shape
    shape = -(-number // TOGETHER) * TOGETHER, -(-length // LANES) * LANES or LANES
    return Rows(given, np.zeros(shape, dtype), np.empty((number, KNOWN)))


def _suited(name: str, matrix: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return the rows aligned and native: where a pair is close, the kernel reads them again."""
    if matrix.dtype.kind == "f" and matrix.dtype.itemsize > dtype.itemsize:
        _arrays.check_probabilities(**{name: matrix})
        return _narrowed(matrix, dtype)
    return np.require(matrix, dtype, "A")


def _narrowed(matrix: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return the rows times powers of two, which normalisation undoes, so that they fit."""
    _, exponents = np.frexp(matrix.max(axis=1, initial=0, keepdims=True))
    scales = np.ldexp(1.0, np.clip(-exponents, -1000, 1000))
    narrowed = np.empty(matrix.shape, dtype)
    with np.errstate(under="ignore"):
        np.multiply(matrix, scales, out=narrowed, casting="same_kind")
    return narrowed
