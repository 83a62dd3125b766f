"""Long tables, with a line for each count, as rows of a matrix."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.io.compressed import Entries, SparseTable
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.roles import require_categories
from jsdiv_numba.batch.io.rows import Block, Reading, Stream
from jsdiv_numba.batch.io.table import BETWEEN_KEYS


class LongTable(NamedTuple):
    """What a first pass over a long table finds."""

    source: str  # the file, as the user named it
    samples: dict[str, int]
    categories: dict[str, int]
    """Which row and which column each name is: in the order in which they first come."""
    label_name: str  # the heading of the samples
    reading: Reading  # what the file was taken for
    open: Callable[[], Stream]  # returns the lines once more, from the first

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and categories."""
        return len(self.samples), len(self.categories)

    @property
    def matrix(self) -> SparseTable:
        """The counts in their places."""

        def entries() -> Iterator[Entries]:
            for values, samples, categories in _parts(self.open()):
                places = _places(samples, self.samples), _places(categories, self.categories)
                yield Entries(*places, values)

        names = tuple(self.samples), tuple(self.categories), self.label_name
        return SparseTable(self.source, self.shape, np.dtype(np.float64), entries, *names)

    def stream(self) -> Stream:
        """Return the rows as one block, in memory."""
        import pyarrow as pa

        matrix = self.matrix

        def blocks() -> Iterator[Block]:
            yield matrix.in_memory(), pa.array(matrix.rows, pa.string())

        about = matrix.shape[1], matrix.dtype, matrix.columns, self.label_name, True
        return Stream(*about, blocks(), self.reading, matrix=matrix)


def options_of_lines(options: TableOptions) -> TableOptions:
    """Return how the lines of a long table are read: each labelled by its sample and category."""
    sample, category, count = options.long or ()
    lines = replace(options, long=None, label_column=(sample, category), columns=(count,))
    # The check that forbids the one with the other is for what a user says.
    object.__setattr__(lines, "long", options.long)
    return lines


def long_table(open_lines: Callable[[], Stream], source: str, options: TableOptions) -> LongTable:
    """Go through a long table once, for the names in it."""
    samples: dict[str, int] = {}
    categories: dict[str, int] = {}
    stream = open_lines()
    for _, names, others in _parts(stream):
        for name in names.unique().to_pylist():
            samples.setdefault(name, len(samples))
        for name in others.unique().to_pylist():
            categories.setdefault(name, len(categories))
    if not samples:
        raise FileError(f"{source}: the file has no rows")
    first, last = next(iter(categories)), next(reversed(categories))
    require_categories(source, len(categories), repr(first))
    header = stream.reading.header
    sample, category, count = (_called(column, header) for column in options.long or ())
    for column, found in ((sample, samples), (category, categories)):
        if "" in found:
            message = f"{source}: {column} is empty in some lines, which are taken together"
            warnings.warn(f"{message}; fill it in or leave them out", TableWarning, stacklevel=2)
    reading = Reading(
        source,
        header=header,
        labels=(sample,),
        columns=(len(categories), repr(first), repr(last)),
        notes=(f"long, categories in {category}, counts in {count}",),
    )
    label_name = str((options.long or ("",))[0])
    return LongTable(source, samples, categories, label_name, reading, open_lines)


def _called(column: str | int, header: bool) -> str:
    return f"column {column!r}" if header and isinstance(column, str) else f"column {column}"


def _parts(stream: Stream) -> Iterator[tuple[NDArray[np.float64], Any, Any]]:
    """Yield counts, samples and categories."""
    from pyarrow import compute

    for values, labels in stream.blocks:
        names = compute.split_pattern(labels, BETWEEN_KEYS, max_splits=1).flatten()
        yield np.asarray(values[:, 0], np.float64), names[::2], names[1::2]


def _places(names: Any, known: dict[str, int]) -> NDArray[np.int64]:
    encoded = names.dictionary_encode()
    places = np.array([known[name] for name in encoded.dictionary.to_pylist()], np.int64)
    return np.asarray(places[np.asarray(encoded.indices)])
