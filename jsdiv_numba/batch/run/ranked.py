"""A table whose last column depends on all values of another: it is filled in at the end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jsdiv_numba.batch.io.write import suffix_of, write_arrow
from jsdiv_numba.batch.run.sinks import TableSink, write_parquet
from jsdiv_numba.batch.run.task import Result
from jsdiv_numba.batch.run.tiling import Grid


class Ranking(NamedTuple):
    """The column that is filled in, and what of."""

    given: str
    name: str
    write: Callable[[Path, Path, int], None]
    """Takes the file of all given values, that of those wanted, and bytes of memory."""
    memory: int


class RankedSink(TableSink):
    """A table of text or Parquet from a part for each band of rows, each without the last column.

    `part, grid, table`: as for `TableSink`. `ranking`: what is filled in when all parts are there.
    """

    def __init__(
        self, part: Path, grid: Grid, table: Callable[[Result], Any], ranking: Ranking
    ) -> None:
        super().__init__(part, grid, table)
        self.ranking = ranking

    @property
    def _part_suffix(self) -> str:
        # So that a column can be read alone.
        return ".parquet"

    def finish(self) -> None:
        """Fill in the last column, and join the parts in their order."""
        given, wanted = (self.folder / name for name in ("given.partial", "wanted.partial"))
        with given.open("wb") as file:
            for path in self._parts():
                file.write(_column(path, self.ranking.given).data)
        self.ranking.write(given, wanted, self.ranking.memory)
        suffix = suffix_of(self.part)
        with self.part.open("wb") as file:
            if suffix == ".parquet":
                write_parquet(file, self._tables(wanted))
            else:
                for number, table in enumerate(self._tables(wanted)):
                    write_arrow(file, suffix, table, header=number == 0)
            file.flush()
            os.fsync(file.fileno())

    def _tables(self, wanted: Path) -> Iterator[Any]:
        """Yield each part with its last column."""
        import pyarrow as pa
        from pyarrow import parquet

        with wanted.open("rb") as file:
            for path in self._parts():
                with path.open("rb") as part:
                    table = parquet.read_table(part)
                values = np.frombuffer(file.read(8 * len(table)), np.float64)
                yield table.append_column(self.ranking.name, pa.array(values))


def _column(path: Path, name: str) -> Any:
    from pyarrow import parquet

    with path.open("rb") as file:
        column = parquet.read_table(file, columns=[name]).column(0)
    return np.ascontiguousarray(column.to_numpy(), np.float64)
