"""Compressed rows of which most is filled: compared as dense ones, of which a block is made."""

import threading
from typing import Any

import numpy as np

from .._kernels.records import Block, PaddedRows
from .pair_metric import Metric
from .pairwise import PairKernels, unprepared
from .sparse import Compressed, as_dense
from .validation import FloatArray

PANEL_BYTES = 1 << 26
"""Of the rows of the second set that all others meet, as they are and prepared, unless these are
very long."""

HEIGHT, PARTS, MOST = 8, 4, 256
"""Rows of the first set in a block, at least and at most, and how often these are in a panel."""


class DenseBlocks:
    """All pairs of two sets of rows, or of one with itself.

    Blocks lie within panels, of `width` rows of the second set, and blocks of `height` rows in
    panels of the first. Of the second set rows before the `first` are in no block.
    """

    def __init__(
        self, a: Compressed, b: Compressed, first: int, dtype: np.dtype[Any], metric: Metric
    ) -> None:
        self.dtype = metric.computed_in(dtype)
        self.a, self.b, self.first = a, b, first
        self.alike = b is a and metric.is_symmetric
        self.kernels = PairKernels(metric, self.dtype, a.width)
        rows = PANEL_BYTES // (2 * self.dtype.itemsize * max(a.width, 1))
        self.height = 1 << (min(max(rows // PARTS, HEIGHT), MOST).bit_length() - 1)
        self.width = self.height * min(max(rows // self.height, PARTS), MOST * PARTS // self.height)
        self._made: tuple[int, PaddedRows] | None = None
        self._making = threading.Lock()

    def compute(self, block: Block, values: FloatArray, above: bool = False) -> None:
        """Write the values of a block, of this dtype; with `above`, those with i < j at least."""
        number = block.j_start // self.width
        panel, first = self._panel(number)
        within = self.alike and first <= block.i_start and block.i_stop <= first + len(panel.given)
        if within:
            rows, start = panel, first
        else:
            rows, start = self._prepared(self.a, 0, block.i_start, block.i_stop), block.i_start
        i, i_stop, j, j_stop = block
        own = Block(i - start, i_stop - start, j - first, j_stop - first)
        kernel = self.kernels.suited(rows, panel)
        self.kernels.compute(kernel, rows, panel, own, values, above and within, False)

    def _panel(self, number: int) -> tuple[PaddedRows, int]:
        """Return a panel, and which row is the first in it."""
        start = max(number * self.width, self.first)
        with self._making:
            # Blocks come panel by panel, and one that still is at the one before has it.
            if self._made is None or self._made[0] != number:
                self._made = None
                stop = min((number + 1) * self.width, len(self.b))
                self._made = number, self._prepared(self.b, 1, start, stop)
            return self._made[1], start

    def _prepared(self, rows: Compressed, side: int, start: int, stop: int) -> PaddedRows:
        dense = as_dense(rows, self.dtype, slice(start, stop))
        padded = unprepared("X", dense, self.dtype)
        self.kernels.prepare(padded, side, 0, stop - start)
        return padded
