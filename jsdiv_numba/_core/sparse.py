"""Rows of which only the entries that are not 0 are kept: checked, prepared, all pairs of them."""

import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .._kernels.load import routine
from .._kernels.records import Block, CompressedRows, Side, Values
from . import validation
from .pair_blocks import check_matrix, run_pairs, values_within
from .pair_metric import Metric
from .progress import Progress
from .threads import check_workers, get_workers, run_blocks
from .validation import FloatArray

IntArray = np.ndarray[Any, np.dtype[Any]]

WIDTH = 1024
"""Rows of the second set that one call of the kernel keeps by column."""

BLOCK_PAIRS = 1 << 20
"""Pairs that it computes at most: what is kept by column then serves a thousand rows."""

FEWEST_ROWS = 64
"""Rows of the first set that it is worth to keep the others by column for."""

PREPARED_ENTRIES = 1 << 18
"""Entries that one call prepares."""

LEAST_SCALE = 2.0**-500
"""As `weighed` in `jsdiv_numba._kernels.codegen.precision`."""

KNOWN = 3
"""As in `jsdiv_numba._kernels.pairwise.sparse`, which is imported late."""

MOST_COLUMNS = np.iinfo(np.intc).max

EVERY = slice(None)


class Compressed(NamedTuple):
    """A matrix in compressed rows, sorted by column, none twice and none of them 0."""

    starts: IntArray
    columns: IntArray
    given: FloatArray
    width: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the matrix."""
        return len(self), self.width

    def place(self, k: int) -> tuple[int, int]:
        """Return the row and the column of an entry."""
        return int(np.searchsorted(self.starts, k, "right")) - 1, int(self.columns[k])


def is_sparse(value: object) -> bool:
    """Whether a value is a sparse array or matrix of SciPy's, which then has been imported."""
    # Another thread may be in the middle of that import: no value is sparse before its end.
    issparse = getattr(sys.modules.get("scipy.sparse"), "issparse", None)
    return issparse is not None and bool(issparse(value))


def any_sparse(*arrays: object) -> bool:
    """Whether any of these is sparse."""
    # Small calls ask, too: nothing is looked up for an array, and a generator takes three times
    # as long.
    for array in arrays:  # noqa: SIM110
        if type(array) is not np.ndarray and is_sparse(array):
            return True
    return False


def of_dtype(values: Any) -> FloatArray:
    """Return an array of the dtype of a sparse matrix, or any array."""
    return np.empty(0, values.dtype) if is_sparse(values) else np.asarray(values)


def as_compressed(
    name: str, values: Any, naming: validation.Naming = validation.entry
) -> Compressed:
    """Return a sparse matrix, or any array, in compressed rows of float64, checked.

    What is given is left as it is, and its entries are not copied where they are in order.
    `naming` returns what an error calls an entry.
    """
    from scipy import sparse

    if not is_sparse(values):
        return _of_dense(name, validation.as_real(name, values), naming)
    check_matrix(name, values.shape)
    validation.as_real(name, np.empty(0, values.dtype))
    if values.format in ("csr", "csc"):
        _check_places(name, values)
    matrix = values if values.format == "csr" else sparse.csr_array(values)
    if matrix.shape[1] > MOST_COLUMNS:
        raise ValueError(
            f"{name} has {matrix.shape[1]} columns; there may be {MOST_COLUMNS} at most"
        )
    # Small integers might overflow where one place has several.
    data = matrix.data.astype(np.float64, copy=False)
    rows = sparse.csr_array((data, matrix.indices, matrix.indptr), matrix.shape)
    if not rows.has_canonical_format or not data[: rows.indptr[-1]].all():
        rows = rows.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
    used = rows.indptr[-1]
    compressed = Compressed(
        np.ascontiguousarray(rows.indptr, np.intp),
        np.ascontiguousarray(rows.indices[:used], np.intc),
        np.ascontiguousarray(rows.data[:used]),
        rows.shape[1],
    )
    _check_entries(name, compressed, naming)
    return compressed


def _of_dense(name: str, matrix: FloatArray, naming: validation.Naming) -> Compressed:
    check_matrix(name, matrix.shape)
    matrix = np.require(matrix, np.float64, "A")
    rows = compressed(matrix, counts_of(matrix, 1)[0])
    _check_entries(name, rows, naming)
    return rows


def _check_places(name: str, matrix: Any) -> None:
    """Raise if indices lie outside of a matrix, where SciPy would write all the same."""
    starts, indices, shape = matrix.indptr, matrix.indices, matrix.shape
    outer, inner = ("row", "column") if matrix.format == "csr" else ("column", "row")
    number, width = shape if matrix.format == "csr" else shape[::-1]
    rising = len(starts) == number + 1 and starts[0] == 0 and (starts[1:] >= starts[:-1]).all()
    if not rising or starts[-1] > min(len(indices), len(matrix.data)):
        raise ValueError(f"{name} is damaged: its indptr are not places in its {len(indices)} data")
    used = indices[: starts[-1]]
    if used.size and not (used.min() >= 0 and used.max() < width):
        k = int(((used < 0) | (used >= width)).argmax())
        place = int(np.searchsorted(starts, k, "right")) - 1
        raise ValueError(
            f"{name} is damaged: {outer} {place} has an entry in {inner} {used[k]}, "
            f"of {width} {inner}s"
        )


def _check_entries(name: str, rows: Compressed, naming: validation.Naming) -> None:
    """Raise if an entry is negative, infinite or NaN."""
    given = rows.given
    if given.size and not (given.min() > 0 and given.max() < np.inf):
        k = int((~((given > 0) & (given < np.inf))).argmax())
        raise ValueError(
            f"{naming(name, rows.place(k))} is {given[k]}; "
            "probabilities must be finite and not negative"
        )


def counts_of(matrix: FloatArray, workers: int | None) -> tuple[IntArray, FloatArray]:
    """Return how many entries of each row are not 0, and their levels.

    Two rows whose levels' sum is at most 0 are compared by the columns that both have.
    """
    counts, levels = np.empty(len(matrix), np.intp), np.empty(len(matrix))
    step = max(1, PREPARED_ENTRIES // max(1, matrix.shape[1]))
    count = routine("count_entries", "float64")

    def of_some(start: int) -> None:
        some = slice(start, start + step)
        count(matrix[some], counts[some], levels[some])

    run_blocks(of_some, range(0, len(matrix), step), workers)
    return counts, levels


def some_of(rows: Compressed, start: int, stop: int) -> Compressed:
    """Return rows start .. stop."""
    starts = rows.starts[start : stop + 1]
    entries = slice(starts[0], starts[-1])
    return Compressed(starts - starts[0], rows.columns[entries], rows.given[entries], rows.width)


def most_entries(rows: Compressed) -> int:
    """Return how many entries the fullest row has."""
    # `np.diff` takes twice as long for few rows.
    return int((rows.starts[1:] - rows.starts[:-1]).max(initial=0))


def as_dense(rows: Compressed, dtype: np.dtype[Any], some: slice = EVERY) -> FloatArray:
    """Return some of the rows as dense ones; where all are full, a view of them if it can be."""
    start, stop, step = some.indices(len(rows))
    part = some_of(rows, start, max(start, stop))
    with np.errstate(all="ignore"):
        given = part.given.astype(dtype, copy=False)
    if given.size == len(part) * rows.width:
        full: FloatArray = given.reshape(part.shape)
        return full[::step]
    found = _as_scipy(Compressed(part.starts, part.columns, given, rows.width))
    dense: FloatArray = (found if step == 1 else found[::step]).toarray()
    return dense


def reordered(rows: Compressed, order: IntArray) -> Compressed:
    """Return rows in another order; themselves if they are in it."""
    if (order[1:] > order[:-1]).all():
        return rows
    found = _as_scipy(rows)[order]
    columns = found.indices.astype(np.intc, copy=False)
    return Compressed(found.indptr.astype(np.intp), columns, found.data, rows.width)


def _as_scipy(rows: Compressed) -> Any:
    from scipy import sparse

    # Places are as narrow as columns where they fit, or SciPy would widen these.
    narrow = rows.starts[-1] <= MOST_COLUMNS
    starts = rows.starts.astype(np.intc) if narrow else rows.starts
    return sparse.csr_array((rows.given, rows.columns, starts), rows.shape)


def compressed(matrix: FloatArray, counts: IntArray) -> Compressed:
    """Return a dense matrix in compressed rows, unchecked."""
    starts = np.concatenate([np.zeros(1, np.intp), np.cumsum(counts)])
    rows = Compressed(starts, np.empty(starts[-1], np.intc), np.empty(starts[-1]), matrix.shape[1])
    routine("compress_rows", "float64")(matrix, *rows[:3])
    return rows


def prepared(rows: Compressed, side: Side, workers: int | None) -> CompressedRows:
    """Return what a kernel needs to know of rows."""
    number = len(rows.given)
    known = np.empty((len(rows), KNOWN))
    whole = CompressedRows(*rows[:3], np.empty(number), np.empty(number), known)
    prepare = routine("prepare_sparse", "float64")
    limits = np.searchsorted(rows.starts, np.arange(0, number, PREPARED_ENTRIES)[1:]).tolist()
    cuts = sorted({0, *limits, len(rows)})
    parts = list(pairwise(cuts))
    run_blocks(lambda part: prepare(whole, *part, side.weight), parts, workers)
    return whole


def write_block(
    a: CompressedRows,
    b: CompressedRows,
    block: Block,
    metric: Metric,
    values: FloatArray,
    above: bool = False,
    condensed: bool = False,
) -> None:
    """Write the values of a block of pairs, or those with i < j."""
    wanted = Values(above, condensed, metric.root, metric.factor)
    routine(metric.kernels.sparse_pairs, "float64")(a, b, block, wanted, metric.weighing, values)


class Comparison:
    """The divergences of all pairs of rows of two matrices, or of one with itself.

    Parameters
    ----------
    a, b : Compressed
        The matrices.
    metric : Metric
        What is wanted of each pair.
    workers : int or None
        Number of threads.
    progress : callable, optional
        Called when a block of pairs is done.
    """

    def __init__(
        self,
        a: Compressed,
        b: Compressed,
        metric: Metric,
        *,
        workers: int | None,
        progress: Progress | None = None,
    ) -> None:
        self.workers = None if workers is None else check_workers(workers)
        self.progress = progress
        self.metric, (first, second) = metric, metric.sides
        self.a = prepared(a, first, self.workers)
        alike = b is a and first == second
        self.b = self.a if alike else prepared(b, second, self.workers)
        self.shape = len(a), len(b)

    def is_ordinary(self) -> bool:
        """Whether dense rows have the same bits: all are valid, and need no scaling."""
        for known in (self.a.known, self.b.known):
            scales, totals = known[:, 0], known[:, 1]
            ordinary = (scales >= LEAST_SCALE) & (scales <= 1 / LEAST_SCALE)
            if not (ordinary | (totals == 0)).all():
                return False
        return True

    def write(self, result: FloatArray) -> None:
        """Write the values of all pairs to a matrix."""
        kernel_writes = result.dtype == np.float64 and result.flags.aligned

        def write(block: Block) -> None:
            if kernel_writes:
                self.compute(block, result[block.place])
            else:
                validation.convert_into(result[block.place], self._values(block))

        run_pairs(write, list(self._blocks()), self.workers, self.progress)

    def write_condensed(self, result: FloatArray) -> None:
        """Write those of pairs i < j to a vector, as SciPy orders them."""
        target, kernel_writes = result, result.dtype == np.float64 and result.flags.aligned
        if not kernel_writes:
            target = np.empty(result.shape)

        def write(block: Block) -> None:
            write_block(self.a, self.b, block, self.metric, target[None], True, True)

        run_pairs(write, list(self._blocks(above=True)), self.workers, self.progress, above=True)
        if not kernel_writes:
            validation.convert_into(result, target)

    def within(self, most: float) -> Any:
        """Return those up to a value as a sparse array."""
        blocks = list(self._blocks())
        return values_within(most, blocks, self._values, self.shape, self.workers, self.progress)

    def _values(self, block: Block) -> FloatArray:
        values = np.empty(block.shape)
        self.compute(block, values)
        return values

    def compute(self, block: Block, values: FloatArray, above: bool = False) -> None:
        """Write the values of a block, or those with i < j."""
        write_block(self.a, self.b, block, self.metric, values, above)

    def _blocks(self, above: bool = False) -> Iterator[Block]:
        number, others = self.shape
        # Each block has the others by column anew, which may take as long as the pairs.
        wide = -(-others // WIDTH)
        of_one = -(-number * wide // (4 * get_workers(self.workers)))
        height = max(FEWEST_ROWS, min(BLOCK_PAIRS // WIDTH, of_one))
        for j in range(0, others, WIDTH):
            j_stop = min(j + WIDTH, others)
            i_stop = min(number, j_stop) if above else number
            for i in range(0, i_stop, height):
                yield Block(i, min(i + height, i_stop), j, j_stop)
