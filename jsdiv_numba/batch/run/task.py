"""What a tile gives, and what computes one: all that a scheduler has to know of it."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.io.rows import Fault
from jsdiv_numba.batch.run.tiling import Tile


class Result(NamedTuple):
    """What became of a tile."""

    tile: Tile  # which one
    values: NDArray[Any]
    """Its values: of every pair, of every row, or of the pairs that were kept; the neighbours of
    each row, with their values."""
    pairs: NDArray[np.int64] | None = None
    """The indices of the pairs that were kept; None where all are. Shape (k, 2)."""
    faults: tuple[Fault, ...] = ()  # the rows that are no distributions


class Task(Protocol):
    """What `compute_tile` takes."""

    def compute(self) -> Result:
        """Read, compute, return."""


def compute_tile(task: Task) -> Result:
    """Compute one tile; the function that a scheduler is given, with a task that may be pickled.

    Parameters
    ----------
    task : Task
        A tile and everything that it needs.

    Returns
    -------
    Result
    """
    return task.compute()
