"""All pairs of rows: what is known of each row, and the blocks of pairs that threads share."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from .._kernels.catalog import NAMES
from .._kernels.load import routine
from .._kernels.records import Block, IntArray, PaddedRows, Values
from . import sparse, validation
from .pair_blocks import check_matrix, run_pairs, values_within
from .pair_metric import Metric
from .progress import Progress
from .split import Split, Way, share_of_pairs
from .threads import check_workers, run_blocks
from .validation import FloatArray

BLOCK_ELEMENTS = 1 << 24
"""Pairs times columns of one block: a few milliseconds."""

FEW_ELEMENTS = 1 << 18
"""Pairs times columns that are computed at once."""

BLOCK_PAIRS = 1 << 18
"""Pairs of one block: at most 2 MB of results."""

PREPARED_ELEMENTS = 1 << 18
"""Elements of the rows that one call prepares."""

UNROLL, LANES, KNOWN, WITH_NAN, SHARING = 4, 16, 6, 1, 2
"""As in `jsdiv_numba._kernels.pairwise.pairs`, which is imported late."""

BY_SHARED_COLUMNS = "_by_shared_columns"
"""The end of the names of kernels that compare some pairs by the columns that both rows have."""

LEAST_SHARE = 1 / 16
"""Of pairs that are compared by shared columns, if rows are put in another order for that."""


def as_rows(name: str, values: Any) -> FloatArray:
    """Return an input as a matrix of real numbers."""
    matrix = validation.as_real(name, values)
    check_matrix(name, matrix.shape)
    return matrix


def are_plain(a: object, b: object) -> bool:
    """Whether the kernel for few pairs can read two inputs as they are."""
    if type(a) is not np.ndarray or type(b) is not np.ndarray:
        return False
    shape, other, dtype = a.shape, b.shape, a.dtype
    return (
        dtype is b.dtype
        and dtype in validation.FLOATS
        and len(shape) == len(other) == 2
        and shape[1] == other[1]
        and are_few(shape, other)
        and a.flags.aligned
        and b.flags.aligned
    )


def check_columns(
    shape_a: tuple[int, ...], shape_b: tuple[int, ...], names: tuple[str, str] = ("XA", "XB")
) -> None:
    """Raise if the rows of matrices of these shapes cannot be compared."""
    if shape_a[1] != shape_b[1]:
        raise ValueError(
            f"{names[0]} of shape {shape_a} and {names[1]} of shape {shape_b} have different "
            "numbers of columns"
        )


Input = tuple[str, FloatArray]
"""A matrix, and the name of the argument that it came from."""


def write_pairs(
    a: Input,
    b: Input,
    result: FloatArray,
    dtype: np.dtype[Any],
    metric: Metric,
    *,
    workers: int | None,
    condensed: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write the values of all pairs, or of those with i < j of a matrix with itself.

    Those are written to a vector, as SciPy orders them.

    `condensed` says whether the result is such a vector. `progress` is called when a block of
    pairs is done.
    """
    if workers is not None:
        workers = check_workers(workers)
    matrix, other = a[1], b[1]
    fits = result.dtype is dtype and result.flags.aligned
    if not (fits and metric.measure == "js" and are_few(matrix.shape, other.shape)):
        of_shared = comparison_by_shared_columns(a, b, dtype, metric, workers, progress)
        if of_shared is not None:
            (of_shared.write_condensed if condensed else of_shared.write)(result)
            return
        comparison = Comparison(a, b, dtype, metric, workers=workers, progress=progress)
        comparison.run(result, condensed=condensed)
        return
    given = suited(*a, dtype)
    beside = given if other is matrix else suited(*b, dtype)
    target = result[None] if condensed else result
    if write_few(given, beside, target, metric.root, metric.factor, condensed, condensed):
        validation.check_probabilities(**{a[0]: matrix, b[0]: other})
    if progress is not None:
        progress(result.size, result.size)


def values_up_to(
    most: float,
    a: Input,
    b: Input,
    dtype: np.dtype[Any],
    metric: Metric,
    *,
    workers: int | None,
    progress: Progress | None,
) -> Any:
    """Return the values up to one as a sparse array."""
    if not are_few(a[1].shape, b[1].shape):
        of_shared = comparison_by_shared_columns(a, b, dtype, metric, workers, progress)
        if of_shared is not None:
            return of_shared.within(most)
    return Comparison(a, b, dtype, metric, workers=workers, progress=progress).within(most)


def comparison_by_shared_columns(
    a: Input,
    b: Input,
    dtype: np.dtype[Any],
    metric: Metric,
    workers: int | None,
    progress: Progress | None,
) -> sparse.Comparison | Split | None:
    """Return what compares rows by the columns that both have, if all or many of them are to be.

    Those are the pairs whose levels' sum is at most 0: the two rows alone decide, so that no
    value depends on what else is compared.
    """
    if dtype != np.float64 or metric.measure == "kl":
        return None
    given = suited(*a, dtype)
    counts, levels = sparse.counts_of(given, workers)
    matrices, alike = [(a[0], given, counts, levels)], b[1] is a[1]
    if not alike:
        other = suited(*b, dtype)
        matrices.append((b[0], other, *sparse.counts_of(other, workers)))
    share = share_of_pairs(levels, matrices[-1][3])
    if share == 1:
        rows = [sparse.compressed(matrix, counts) for _, matrix, counts, _ in matrices]
        of_shared = sparse.Comparison(rows[0], rows[-1], metric, workers=workers, progress=progress)
        return of_shared if of_shared.is_ordinary() else None
    if share < LEAST_SHARE or not metric.is_symmetric:
        return None
    return _split(matrices, dtype, metric, workers, progress)


def _split(
    matrices: list[tuple[str, FloatArray, IntArray, FloatArray]],
    dtype: np.dtype[Any],
    metric: Metric,
    workers: int | None,
    progress: Progress | None,
) -> Split | None:
    """Return what compares some rows so, and others by all columns; None if it cannot."""
    orders = [np.argsort(levels, kind="stable") for *_, levels in matrices]
    rising = [
        (name, matrix[order], counts[order], levels[order])
        for (name, matrix, counts, levels), order in zip(matrices, orders, strict=True)
    ]
    rows = [sparse.compressed(matrix, counts) for _, matrix, counts, _ in rising]
    of_shared = sparse.Comparison(rows[0], rows[-1], metric, workers=workers)
    if not of_shared.is_ordinary():
        return None
    inputs = [(name, matrix) for name, matrix, *_ in rising]
    of_all = Comparison(inputs[0], inputs[-1], dtype, metric, workers=workers, progress=None)
    of_all.prepare()
    return Split(
        Way(of_shared.compute),
        Way(of_all.compute),
        (orders[0], orders[-1]),
        (rising[0][3], rising[-1][3]),
        -np.inf,
        workers,
        progress,
    )


def some_share(a: PaddedRows, b: PaddedRows) -> bool:
    """Whether any rows of two sets that are prepared are compared so."""
    lowest, lowest_of_b = (float(rows.known[:, -1].min(initial=np.inf)) for rows in (a, b))
    return lowest + lowest_of_b <= 0


def are_few(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether pairs of rows of such matrices are so few that one call of a kernel does all."""
    return a[0] * b[0] * max(a[1], LANES) <= FEW_ELEMENTS


def write_few(
    a: FloatArray,
    b: FloatArray,
    result: FloatArray,
    root: bool,
    factor: float,
    above: bool = False,
    condensed: bool = False,
) -> bool:
    """Write all pairs by a kernel that makes room for what it needs; return whether any is NaN.

    With `above`, only those with i < j are written.
    """
    given = a, b, few_settings(factor, above, condensed, root, b is not a), result
    dtype = NAMES[a.dtype.char]
    outcome = routine("few_pairs", dtype)(*given)
    if outcome == SHARING:
        outcome = routine("few_pairs" + BY_SHARED_COLUMNS, dtype)(*given)
    return outcome == WITH_NAN


@lru_cache(64)
def few_settings(factor: float, *flags: bool) -> FloatArray:
    """Return what the kernel for few pairs takes."""
    return np.array([factor, *flags])


class PairKernels:
    """What prepares dense rows of so many columns, and compares those that are."""

    def __init__(self, metric: Metric, dtype: np.dtype[Any], length: int) -> None:
        self.metric, self.dtype = metric, dtype
        self.scale_exponent = max(length, 1).bit_length() - 1
        """The power of two that brings the entries of a normalised row near 1."""

    def plain(self, variant: str = "") -> Callable[..., int]:
        """Return the kernel that compares rows over all columns."""
        return routine(self.metric.kernels.pairs + variant, NAMES[self.dtype.char])

    def suited(self, a: PaddedRows, b: PaddedRows) -> Callable[..., int]:
        """Return that for rows that are prepared, some by the columns that both have."""
        shared = self.metric.measure != "kl" and some_share(a, b)
        return self.plain(BY_SHARED_COLUMNS if shared else "")

    def prepare(self, rows: PaddedRows, side: int, start: int, stop: int) -> int:
        """Prepare rows start .. stop to be the first of pairs or, with 1, the second.

        Returns whether there is a NaN.
        """
        block = Block(0, 0, start, stop) if side else Block(start, stop, 0, 0)
        wanted, none = Values(False, False, False, 1.0), np.empty((0, 0), self.dtype)
        which = block, self.scale_exponent, wanted, self.metric.weighing
        return self.plain()(rows, rows, *which, not side, bool(side), none)

    def compute(
        self,
        kernel: Callable[..., int],
        a: PaddedRows,
        b: PaddedRows,
        block: Block,
        values: FloatArray,
        above: bool,
        condensed: bool,
    ) -> None:
        """Write the values of a block, or those with i < j."""
        wanted = Values(above, condensed, self.metric.root, self.metric.factor)
        which = block, self.scale_exponent, wanted, self.metric.weighing
        kernel(a, b, *which, False, False, values)


class Comparison:
    """The divergences of all pairs of rows of two matrices, or of one with itself.

    Of pairs enough that threads share them, in blocks; the parameters are those of `write_pairs`.
    """

    def __init__(
        self,
        a: Input,
        b: Input,
        dtype: np.dtype[Any],
        metric: Metric,
        *,
        workers: int | None,
        progress: Progress | None,
    ) -> None:
        self.inputs = {a[0]: a[1], b[0]: b[1]}
        self.dtype = metric.computed_in(dtype)
        self.metric, self.workers, self.progress = metric, workers, progress
        self.a = unprepared(*a, self.dtype)
        alike = b[1] is a[1] and metric.is_symmetric
        self.b = self.a if alike else unprepared(*b, self.dtype)
        self.kernels = PairKernels(metric, self.dtype, a[1].shape[1])
        self.kernel = self.kernels.plain()

    def run(self, result: FloatArray, *, condensed: bool = False) -> None:
        """Write all pairs to a matrix, or those with i < j to a vector."""
        self.prepare()
        fits = result.dtype is self.dtype and result.flags.aligned
        write = self._write if fits else self._write_converted
        run_pairs(
            lambda block: write(block, result, condensed),
            self._blocks(condensed),
            self.workers,
            self.progress,
            above=condensed,
        )

    def within(self, most: float) -> Any:
        """Return the values up to one as a sparse array."""
        self.prepare()
        shape = len(self.a.given), len(self.b.given)
        blocks = self._blocks(False)
        return values_within(most, blocks, self._values, shape, self.workers, self.progress)

    def _values(self, block: Block) -> FloatArray:
        values = np.empty(block.shape, self.dtype)
        self.compute(block, values)
        return values

    def _write(self, block: Block, result: FloatArray, condensed: bool) -> None:
        target = result[None] if condensed else result[block.place]
        self._compute(block, target, condensed, condensed)

    def _write_converted(self, block: Block, result: FloatArray, condensed: bool) -> None:
        """Write a block of pairs to an array that the kernel cannot write to."""
        values = np.empty(block.shape, self.dtype)
        self._compute(block, values, condensed, False)
        if not condensed:
            validation.convert_into(result[block.place], values)
            return
        number = len(self.a.given)
        for i in range(block.i_start, block.i_stop):
            first = max(block.j_start, i + 1)
            if first < block.j_stop:
                start = number * i - i * (i + 1) // 2 + first - i - 1
                segment = values[i - block.i_start, first - block.j_start :]
                validation.convert_into(result[start : start + len(segment)], segment)

    def compute(self, block: Block, values: FloatArray, above: bool = False) -> None:
        """Write the values of a block, or those with i < j, once the rows are prepared."""
        self._compute(block, values, above, False)

    def _compute(self, block: Block, values: FloatArray, above: bool, condensed: bool) -> None:
        self.kernels.compute(self.kernel, self.a, self.b, block, values, above, condensed)

    def prepare(self) -> None:
        """Find out what the kernel needs to know of the rows; raise if one is invalid."""
        step = max(1, PREPARED_ELEMENTS // self.a.padded.shape[1])
        each = (self.a,) if self.b is self.a else (self.a, self.b)
        parts = [(i, start) for i, rows in enumerate(each) for start in _every(step, rows)]
        with_nan = []

        def prepare(part: tuple[int, int]) -> None:
            side, start = part
            stop = min(start + step, len(each[side].given))
            if self.kernels.prepare(each[side], side, start, stop):
                with_nan.append(part)

        run_blocks(prepare, parts, self.workers)
        if with_nan:
            validation.check_probabilities(**self.inputs)
        self.kernel = self.kernels.suited(self.a, self.b)

    def _blocks(self, above: bool) -> list[Block]:
        height_of_a, width_of_b = len(self.a.given), len(self.b.given)
        pairs = min(max(BLOCK_ELEMENTS // self.a.padded.shape[1], 64), BLOCK_PAIRS)
        height = max(8, int((pairs / 64) ** 0.5))
        width = max(UNROLL, pairs // height // UNROLL * UNROLL)
        return [
            Block(i, min(i + height, height_of_a), j, min(j + width, width_of_b))
            for i in range(0, height_of_a, height)
            for j in range((i + 1) // UNROLL * UNROLL if above else 0, width_of_b, width)
        ]


def _every(step: int, rows: PaddedRows) -> range:
    return range(0, len(rows.given), step)


def unprepared(name: str, matrix: FloatArray, dtype: np.dtype[Any]) -> PaddedRows:
    """Return a matrix with room for what a kernel will know of its rows."""
    given = suited(name, matrix, dtype)
    number, length = given.shape
    shape = -(-number // UNROLL) * UNROLL, -(-length // LANES) * LANES or LANES
    return PaddedRows(given, np.zeros(shape, dtype), np.empty((number, KNOWN)))


def suited(name: str, matrix: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return the rows aligned and native: where a pair is close, the kernel reads them again."""
    if matrix.dtype is dtype and matrix.flags.aligned:
        return matrix
    if matrix.dtype.kind == "f" and matrix.dtype.itemsize > dtype.itemsize:
        validation.check_probabilities(**{name: matrix})
        return _narrowed(matrix, dtype)
    return np.require(matrix, dtype, "A")


def _narrowed(matrix: FloatArray, dtype: np.dtype[Any]) -> FloatArray:
    """Return the rows times powers of two, which normalisation undoes, so that they fit."""
    _, exponents = np.frexp(matrix.max(axis=1, initial=0, keepdims=True))
    scales = np.ldexp(1.0, np.clip(-exponents, -1000, 1000))
    narrowed = np.empty(matrix.shape, dtype)
    # A row with a NaN has no largest entry to be divided by.
    with np.errstate(all="ignore"):
        np.multiply(matrix, scales, out=narrowed, casting="same_kind")
    return narrowed
