"""How a comparison is cut: tiles of pairs, bands of rows, and the memory that each takes."""

import math
from collections.abc import Iterator
from typing import NamedTuple

MEMORY = 500_000_000
"""The budget in bytes where none is given."""

MOST_MEMORY = 10**18
"""More than any machine has, and less than what cannot be reckoned with."""

_SHARE = 0.75
_LARGEST_SIDE = 4096
_LARGEST_WORK = 1 << 33
_LARGEST_BAND = 1 << 20

ROW_WORK = 1 << 26
"""Elements of a tile that is compared row by row: some 40 ms."""

PAIR_WORK = 1 << 32
"""Elements of pairs of a band: a second."""

LEAST_BAND = 256
"""Rows of a band where memory allows: each reads and prepares all rows of the other file."""

_LEAST_SEARCH, _SEARCH_WORK = 1024, 1 << 36


class Tile(NamedTuple):
    """Rows i_start .. i_stop of one file, and j_start .. j_stop of the other."""

    number: int
    i_start: int
    i_stop: int
    j_start: int
    j_stop: int

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows of each."""
        return self.i_stop - self.i_start, self.j_stop - self.j_start

    @property
    def on_diagonal(self) -> bool:
        """Whether both ranges are the same."""
        return (self.i_start, self.i_stop) == (self.j_start, self.j_stop)


class Grid(NamedTuple):
    """All tiles of a comparison, band by band.

    Examples
    --------
    >>> [tile.shape for tile in Grid(5, 5, 3, 3, upper=True).tiles()]
    [(3, 3), (3, 2), (2, 2)]
    """

    rows: int
    columns: int  # how many rows the first file has, and how many the second
    height: int
    width: int  # the shape of a tile that is not cut by the edge
    upper: bool = False  # whether tiles below the diagonal are left out; then tiles are square

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles in their order."""
        number = 0
        for i in range(0, self.rows, self.height):
            for j in range(i if self.upper else 0, self.columns, self.width):
                i_stop, j_stop = min(i + self.height, self.rows), min(j + self.width, self.columns)
                yield Tile(number, i, i_stop, j, j_stop)
                number += 1

    def __len__(self) -> int:
        high, wide = -(-self.rows // self.height), -(-self.columns // self.width)
        return high * (high + 1) // 2 if self.upper else high * wide


def share(memory: int, workers: int, others: int = 2) -> float:
    """Return the bytes that one tile may take.

    `others`: how many tiles are held besides: one that waits and one that is written,
    unless what is kept of a tile is small beside what it takes to compute it.

    Examples
    --------
    >>> share(100_000_000, workers=3), share(100_000_000, workers=3, others=0)
    (15000000.0, 25000000.0)
    """
    return _SHARE * memory / (workers + others)


def square_side(length: int, itemsize: int, budget: float) -> int:
    """Return the side of the largest square tile within a budget of bytes.

    Both blocks of rows are held as read and as the kernel prepares them, and the
    values twice, because mirroring copies them.

    Examples
    --------
    >>> square_side(1024, 8, 100e6)
    1398
    """
    # 2·side² + 6·length·side = budget, in values.
    half = 1.5 * length
    side = int(math.sqrt(half * half + budget / itemsize / 2) - half)
    quick = math.isqrt(_LARGEST_WORK // max(length, 1))
    return max(1, min(side, quick, _LARGEST_SIDE))


def band_height(row_bytes: float, budget: float) -> int:
    """Return how many rows are compared at a time if each takes so many bytes.

    Examples
    --------
    >>> band_height(8_000_000, 100e6)
    12
    """
    return max(1, min(int(budget / row_bytes), _LARGEST_BAND))


def thin_side(height: int, length: int, itemsize: int, budget: float) -> int:
    """Return how many rows to compare with `height` others at a time, within a budget of bytes.

    Examples
    --------
    >>> thin_side(100, 1000, 8, 25e6)
    1008
    """
    return max(1, min(int(budget / (itemsize * (3 * length + height))), _LARGEST_SIDE))


def row_height(length: int, work: int = ROW_WORK, most: int = _LARGEST_BAND) -> int:
    """Return how many rows of a number of elements are a tile's work.

    Examples
    --------
    >>> row_height(1024)
    65536
    """
    return max(1, min(work // length, most))


def search_height(length: int, others: int, number: int, budget: float) -> int:
    """Return of how many rows to search the neighbours at a time, within a budget of bytes.

    The more there are, the less it counts that the others are read and prepared for
    them; the fewer, the sooner a tile is finished.

    Examples
    --------
    >>> search_height(64, 10_000_000, 10, 50e6)
    1024
    >>> search_height(64, 10_000, 10, 50e6)
    4096
    """
    # The rows as read and as the search takes them; neighbours of two parts, joined and sorted.
    fits = budget / (16 * length + 120 * (number + 1))
    quick = max(_LEAST_SEARCH, _SEARCH_WORK // (others * length))
    return max(1, min(int(fits), quick, _LARGEST_SIDE))


def search_step(length: int, itemsize: int, budget: float) -> int:
    """Return among how many rows to search at a time, within a budget of bytes.

    Examples
    --------
    >>> search_step(64, 8, 50e6)
    17361
    """
    # As read, the block before too, and as float64; normalised; roots, and two harmonics; and
    # what is known of a row.
    wide = max(length, 16)
    return max(1, int(budget / (wide * (2 * itemsize + 28) + 64)))
