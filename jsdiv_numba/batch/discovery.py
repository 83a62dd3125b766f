"""Benjamini and Hochberg's q of p-values that need not fit in memory."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_BLOCK = 1 << 18
"""P-values that are read at a time."""

_SHIFT = 44
"""The leading 20 bits of a float64 say in which class it is: 256 of them for a factor of 2."""

_CLASSES = (int(np.float64(1.0).view(np.int64)) >> _SHIFT) + 1

_BYTES = 64
"""What a p-value takes while it is sorted."""


class Known(NamedTuple):
    """A range of p-values: those that there are, and their q."""

    low: float
    high: float  # not among them
    pvalues: Floats
    qvalues: Floats


def write_qvalues(pvalues: Path, qvalues: Path, memory: int) -> None:
    """Write the q of each p-value of a file, in its order; both are files of float64.

    They are those of `scipy.stats.false_discovery_control`, to the last bit; NaN is left out of
    the count, and stays NaN. The file is read as often as what is sorted at a time, up to
    `memory` bytes, is contained in it, and three times at least.
    """
    with pvalues.open("rb") as source, qvalues.open("w+b") as target:
        counts = np.zeros(_CLASSES, np.int64)
        for block in _blocks(source):
            counts += np.bincount(_class_of(block[~np.isnan(block)]), minlength=_CLASSES)
            target.write(np.full(len(block), np.nan).data)
        for known in _ranges(source, counts, memory):
            _fill(source, target, known)


def _blocks(file: BinaryIO) -> Iterator[Floats]:
    file.seek(0)
    while content := file.read(8 * _BLOCK):
        yield np.frombuffer(content, np.float64)


def _class_of(values: Floats) -> NDArray[np.int64]:
    return values.view(np.int64) >> _SHIFT


def _ranges(source: BinaryIO, counts: NDArray[np.int64], memory: int) -> Iterator[Known]:
    """Yield what is known of one range of p-values after the other, from the largest down."""
    total = below = int(counts.sum())
    lowest, high = 1.0, _CLASSES
    while below:
        # As many classes as fit, and one at least.
        sizes = np.cumsum(counts[:high][::-1])
        number = max(1, int(np.searchsorted(sizes, memory // _BYTES, side="right")))
        low = high - number
        start, stop = ((np.int64(k) << _SHIFT).view(np.float64) for k in (low, high))
        values, times = _distinct(source, start, stop, memory)
        below -= int(times.sum())
        qvalues = values * (total / (below + np.cumsum(times)))
        qvalues = np.minimum(np.minimum.accumulate(qvalues[::-1])[::-1], lowest)
        if len(values):
            yield Known(start, stop, values, qvalues)
            lowest = float(qvalues[0])
        high = low


def _distinct(
    source: BinaryIO, low: float, high: float, memory: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the distinct p-values of a range, and how often each is there."""
    found: list[tuple[Floats, NDArray[Any]]] = []
    held = 0
    for block in _blocks(source):
        found.append(np.unique(block[(block >= low) & (block < high)], return_counts=True))
        held += len(found[-1][0])
        if held * _BYTES > memory:
            # Equal ones are one: of what is left, there can be no fewer.
            found = [_merged(found)]
            held = len(found[0][0])
    return _merged(found)


def _merged(found: list[tuple[Floats, NDArray[Any]]]) -> tuple[Floats, NDArray[np.int64]]:
    values, where = np.unique(np.concatenate([each for each, _ in found]), return_inverse=True)
    times = np.zeros(len(values), np.int64)
    np.add.at(times, where, np.concatenate([each for _, each in found]))
    return values, times


def _fill(source: BinaryIO, target: BinaryIO, known: Known) -> None:
    """Write the q of p-values of a range."""
    place = 0
    for block in _blocks(source):
        inside = (block >= known.low) & (block < known.high)
        if inside.any():
            target.seek(place)
            values = np.frombuffer(target.read(block.nbytes), np.float64).copy()
            values[inside] = known.qvalues[np.searchsorted(known.pvalues, block[inside])]
            target.seek(place, os.SEEK_SET)
            target.write(values.data)
        place += block.nbytes
