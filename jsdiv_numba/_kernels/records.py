"""What routines take together: named fields, each with its type as `catalog.Routine` writes it.

Python makes them, and kernels have them as the same named tuples.
"""

from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = np.ndarray[Any, np.dtype[Any]]
IntArray = npt.NDArray[np.integer[Any]]


class PaddedRows(NamedTuple):
    """A matrix, and what is known of its rows."""

    given: Annotated[FloatArray, "T[:,:]"]
    padded: Annotated[FloatArray, "T[:,::1]"]
    """The rows normalised, times twice their weight, scaled by 2^scale_exponent and padded with
    zeros."""
    known: Annotated[FloatArray, "d[:,::1]"]
    """Of each row: what `row_scale` says of it, w Σ (p log2 p + p)·2^mantissa of the row with the
    weight w, below what a divergence is computed again, and the level of how full it is: infinite
    where it does not matter, or where the row as it is scaled is not accurate."""


class CompressedRows(NamedTuple):
    """Rows of which only the entries that are not 0 are kept."""

    starts: Annotated[IntArray, "p[::1]"]
    columns: Annotated[IntArray, "i[::1]"]
    given: Annotated[FloatArray, "d[::1]"]
    entries: Annotated[FloatArray, "d[::1]"]
    """Normalised; 0 in a row whose sum is 0 or NaN."""
    logs: Annotated[FloatArray, "d[::1]"]
    """Those times their logarithms."""
    known: Annotated[FloatArray, "d[:,::1]"]
    """What `row_scale` says of each row."""


class Block(NamedTuple):
    """The pairs of rows i_start .. i_stop of one matrix and j_start .. j_stop of the other."""

    i_start: Annotated[int, "p"]
    i_stop: Annotated[int, "p"]
    j_start: Annotated[int, "p"]
    j_stop: Annotated[int, "p"]

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows of each."""
        return self.i_stop - self.i_start, self.j_stop - self.j_start

    @property
    def place(self) -> tuple[slice, slice]:
        """Where they stand in the matrix of all pairs."""
        return slice(self.i_start, self.i_stop), slice(self.j_start, self.j_stop)


class Values(NamedTuple):
    """Which values of a block are wanted, and what of them."""

    above: Annotated[bool, "?"]
    """Only those of pairs i < j."""
    condensed: Annotated[bool, "?"]
    """Those of all such pairs in one row; else there is a row for each of the block."""
    root: Annotated[bool, "?"]
    factor: Annotated[float, "d"]
    """By which a divergence in nats is multiplied, before the root is taken."""


class Side(NamedTuple):
    """One of the two rows of a pair."""

    weight: Annotated[float, "d"]
    offset: Annotated[float, "d"]
    """What w Σ p (log2 p + 1) lacks of half of that of 2wp."""


class Weighing(NamedTuple):
    """What a measure depends on beside the rows."""

    p: Side
    q: Side
    most: Annotated[float, "d"]
    """What no divergence exceeds."""


class DescribedRows(NamedTuple):
    """Rows, and the vectors whose distances bound their divergences, in panels."""

    rows: PaddedRows
    roots: Annotated[FloatArray, "f[:,:,::1]"]
    harmonics: Annotated[FloatArray, "f[:,:,::1]"]


class Queries(NamedTuple):
    """Which rows of a search are the queries, and where the others are."""

    number: Annotated[int, "p"]
    rows_of_b: Annotated[int, "p"]
    own: Annotated[int, "p"]
    """Which row of b is the first query itself."""
    offset: Annotated[int, "p"]
    """The number of b's first row."""
    scale_exponent: Annotated[int, "p"]


class Unit(NamedTuple):
    """What a search makes of a divergence in nats, and the margins of its bounds."""

    root: Annotated[bool, "?"]
    factor: Annotated[float, "d"]
    multiple: Annotated[float, "d"]
    """Which multiple of the Jensen-Shannon divergence the measure has at least."""
    margin: Annotated[float, "d"]
    resolution: Annotated[float, "d"]


class Found(NamedTuple):
    """The nearest of each row so far, as a heap with the farthest first.

    Or, if its width is 0, the pairs within a radius, and in `state` how many they are.
    """

    values: Annotated[FloatArray, "d[:,::1]"]
    indices: Annotated[IntArray, "p[:,::1]"]
    radius: Annotated[float, "d"]
    rows: Annotated[IntArray, "p[::1]"]
    columns: Annotated[IntArray, "p[::1]"]
    distances: Annotated[FloatArray, "d[::1]"]
    state: Annotated[IntArray, "p[::1]"]


class Filled(NamedTuple):
    """Room for what is not 0 of a row."""

    columns: Annotated[IntArray, "p[::1]"]
    entries: Annotated[FloatArray, "d[::1]"]
    logs: Annotated[FloatArray, "d[::1]"]
    """p log p of each entry."""
    others: Annotated[FloatArray, "d[::1]"]
    """What another row has in these columns."""
    terms: Annotated[IntArray, "p[::1]"]


class Scratch(NamedTuple):
    """Room for a search."""

    tile: Annotated[FloatArray, "f[:,::1]"]
    """Products."""
    limits: Annotated[FloatArray, "f[::1]"]
    """What those of each row have to reach."""
    columns: Annotated[IntArray, "p[::1]"]
    best: Annotated[FloatArray, "d[::1]"]
    """The nearest of a tile."""
    places: Annotated[IntArray, "p[::1]"]


class CategoryRoom(NamedTuple):
    """Where `counts.pairs` works: what it keeps of categories, from pair to pair too."""

    totals: Annotated[IntArray, "p[::1]"]
    """The distinct totals of a pair's categories."""
    numbers: Annotated[IntArray, "p[::1]"]
    """How many categories have them."""
    counts: Annotated[IntArray, "p[::1]"]
    """Zeros, one for each total that is looked up."""
    memo: Annotated[FloatArray, "d[:,::1]"]
    """What is known of categories, by total, for the sizes of samples that a pair had last."""
    marks: Annotated[IntArray, "p[::1]"]
    """Of which pair a row of it is."""
    waiting: Annotated[IntArray, "p[:,::1]"]
    """For each class of `counts.series`, and none, how many categories there are, and which."""
    ends: Annotated[IntArray, "p[::1]"]
    order: Annotated[IntArray, "p[::1]"]
    """Those of none, in order."""
    found: Annotated[FloatArray, "d[:,::1]"]
    """What is known of the pair's categories, a row for each total."""
    nodes: Annotated[FloatArray, "d[:,::1]"]
    lanes: Annotated[FloatArray, "d[:,::1]"]
    """Vectors of `counts.cells`, at the beginning of a cache line as `vectors` are."""
    powers: Annotated[FloatArray, "d[::1]"]
    """The coefficients of the series."""
    vectors: Annotated[FloatArray, "d[:,::1]"]
    """Zeros, at the beginning of a cache line."""


class TableRoom(NamedTuple):
    """Where `counts.tables` works: a row for each category, and mostly one more."""

    totals: Annotated[IntArray, "p[:,::1]"]
    paths: Annotated[FloatArray, "d[:,::1]"]
    """This, `least` and `most` have a column for each number of the first sample."""
    places: Annotated[FloatArray, "d[:,::1]"]
    """The stack."""
    terms: Annotated[FloatArray, "d[:,::1]"]
    least: Annotated[FloatArray, "d[:,::1]"]
    most: Annotated[FloatArray, "d[:,::1]"]
