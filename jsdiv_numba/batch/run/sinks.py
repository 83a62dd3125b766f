"""Where the values of tiles go, in any order, until the output is whole."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.durable import sync_folder
from jsdiv_numba.batch.io.partial import BANDS
from jsdiv_numba.batch.io.write import suffix_of, write_arrow
from jsdiv_numba.batch.run.task import Result
from jsdiv_numba.batch.run.tiling import Grid

_ROW_GROUP_BYTES = 1 << 26


class Sink(Protocol):
    """What takes the results of tiles."""

    def store(self, result: Result) -> None:
        """Write the values of a tile, which may have been written before."""

    def syncing(self) -> Callable[[], None]:
        """Return what makes safe all that is stored by now, while more may be stored."""

    def finish(self) -> None:
        """Make the output whole and safe, all tiles having been stored."""

    def close(self) -> None:
        """Let go of open files."""


def _damaged(path: Path, folder: Path) -> FileError:
    """Return what is raised where a file of an unfinished run is gone, or is not what it was."""
    return FileError(f"{path}: is missing or damaged; delete {folder} to begin anew")


class NpySink:
    """An ``.npy`` file of its final size, each tile at its place.

    It is written, not mapped: a full disk is an error of a write, but the end of a
    process that writes to mapped memory.

    `part`: the file. `shape`: of the whole. `dtype`: of a value, or of a record of values.
    `mirrored`: whether each tile is written below the diagonal too. `fresh`: whether the
    file is made, or there.
    """

    def __init__(
        self,
        part: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        mirrored: bool,
        fresh: bool,
    ) -> None:
        self.part, self.shape, self.mirrored = part, shape, mirrored
        self.itemsize = dtype.itemsize
        if fresh:
            np.lib.format.open_memmap(part, mode="w+", dtype=dtype, shape=shape)
        self.offset = _offset(part, shape, dtype)
        self.file: BinaryIO = part.open("r+b", buffering=0)
        if fresh and hasattr(os, "posix_fallocate"):
            # A disk that is too small is found out now, not after hours.
            os.posix_fallocate(self.file.fileno(), 0, part.stat().st_size)

    def store(self, result: Result) -> None:
        """Write a tile at its place, and mirrored."""
        tile, values = result.tile, result.values
        if values.ndim == 1:
            self._write(tile.i_start, values)
            return
        self._write_matrix(tile.i_start, tile.j_start, values)
        if self.mirrored and not tile.on_diagonal:
            self._write_matrix(tile.j_start, tile.i_start, np.ascontiguousarray(values.T))

    def _write_matrix(self, i_start: int, j_start: int, values: NDArray[Any]) -> None:
        width = self.shape[1]
        if values.shape[1] == width:
            self._write(i_start * width, values)
            return
        for i, row in enumerate(values, i_start):
            self._write(i * width + j_start, row)

    def _write(self, position: int, values: NDArray[Any]) -> None:
        view = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        self.file.seek(self.offset + position * self.itemsize)
        while view:
            view = view[self.file.write(view) :]

    def syncing(self) -> Callable[[], None]:
        """Return what makes safe all that is stored by now."""
        return partial(os.fsync, self.file.fileno())

    def finish(self) -> None:
        """Make safe all that was stored, if the file is still where it was."""
        self.syncing()()
        if not self.part.exists() or not os.path.samestat(
            os.fstat(self.file.fileno()), self.part.stat()
        ):
            raise _damaged(self.part, self.part.parent)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def _offset(part: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Return where the values of an array begin, if it is the one that a run has made."""
    try:
        array = np.load(part, mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError) as error:
        raise _damaged(part, part.parent) from error
    if array.shape != shape or array.dtype != dtype:
        raise _damaged(part, part.parent)
    return int(array.offset)


class ZarrSink:
    """A Zarr array of one chunk a tile.

    `part`: the array's folder. `shape`: of the whole. `dtype`: floats, or signed integers.
    `chunks`: the shape of a tile that is not cut by the edge. `mirrored`: whether each tile
    is written below the diagonal too. `fresh`: whether the array is made, or there.
    `folder` is that of the unfinished run; by default that in which `part` lies.
    """

    def __init__(
        self,
        part: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        chunks: tuple[int, ...],
        mirrored: bool,
        fresh: bool,
        folder: Path | None = None,
    ) -> None:
        import zarr

        self.part, self.mirrored = part, mirrored
        self.folder = folder or part.parent
        if fresh:
            chunks = tuple(min(pair) for pair in zip(chunks, shape, strict=True))
            missing = np.nan if dtype.kind == "f" else -1
            zarr.create_array(
                part, shape=shape, dtype=dtype, chunks=chunks, fill_value=missing, overwrite=True
            )
        # A chunk of missing values is written too: so one that is not there has been lost.
        with zarr.config.set({"array.write_empty_chunks": True}):
            try:
                self.array: Any = zarr.open_array(part, mode="r+")
            except (FileNotFoundError, ValueError, TypeError, KeyError) as error:
                raise _damaged(part, self.folder) from error
        if self.array.shape != shape or self.array.dtype != dtype:
            raise _damaged(part, self.folder)
        self.written: list[Path] = []

    def store(self, result: Result) -> None:
        """Write a tile's chunk, and the mirrored one."""
        tile, values = result.tile, result.values
        if values.ndim == 1:
            self._write((tile.i_start,), values)
            return
        self._write((tile.i_start, tile.j_start), values)
        if self.mirrored and not tile.on_diagonal:
            self._write((tile.j_start, tile.i_start), values.T)

    def _write(self, start: tuple[int, ...], values: NDArray[Any]) -> None:
        region = tuple(slice(i, i + n) for i, n in zip(start, values.shape, strict=True))
        self.array[region] = values
        chunk = tuple(i // n for i, n in zip(start, self.array.chunks, strict=True))
        self.written.append(self._of(chunk))

    def _of(self, chunk: tuple[int, ...]) -> Path:
        return self.part / str(self.array.metadata.encode_chunk_key(chunk))

    def syncing(self) -> Callable[[], None]:
        """Return what makes safe the chunks that are stored by now."""
        paths, self.written = self.written, []
        return partial(_sync_files, paths, self.folder)

    def finish(self) -> None:
        """Make safe all chunks and folders, without what a killed run was writing."""
        for path in self.part.rglob("*.partial"):
            path.unlink()
        chunks = map(self._of, np.ndindex(*self.array.cdata_shape))
        _sync_files([self.part / "zarr.json", *chunks], self.folder)
        for folder in (self.part, *(path for path in self.part.rglob("*") if path.is_dir())):
            sync_folder(folder)

    def close(self) -> None:
        """There is nothing open."""


class ZarrGroupSink:
    """A Zarr group of an array for each field of the values.

    `part`: the group's folder. `shape, chunks, fresh`: as for `ZarrSink`, of each array.
    `dtype`: of a record; its fields name the arrays.
    """

    def __init__(
        self,
        part: Path,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        chunks: tuple[int, ...],
        fresh: bool,
    ) -> None:
        import zarr

        self.part = part
        if fresh:
            zarr.create_group(part, overwrite=True)
        options: dict[str, Any] = {"chunks": chunks, "mirrored": False, "fresh": fresh}
        options["folder"] = part.parent
        self.arrays = {
            name: ZarrSink(part / name, shape, dtype[name], **options) for name in dtype.names or ()
        }

    def store(self, result: Result) -> None:
        """Write a tile's chunk of each array."""
        for name, array in self.arrays.items():
            array.store(result._replace(values=result.values[name]))

    def syncing(self) -> Callable[[], None]:
        """Return what makes safe the chunks that are stored by now."""
        return partial(_call_each, [array.syncing() for array in self.arrays.values()])

    def finish(self) -> None:
        """Make safe all arrays, and the group."""
        for array in self.arrays.values():
            array.finish()
        _sync_files([self.part / "zarr.json"], self.part.parent)
        sync_folder(self.part)

    def close(self) -> None:
        """There is nothing open."""


class TableSink:
    """A table of text or Parquet, from a part for each band of rows.

    `part`: the file into which the parts are joined. `grid`: the bands. `table`: makes an
    Arrow table of a result.
    """

    def __init__(self, part: Path, grid: Grid, table: Callable[[Result], Any]) -> None:
        self.part, self.grid, self.table = part, grid, table
        self.folder = part.with_name(BANDS)
        self.folder.mkdir(exist_ok=True)
        self.written: list[Path] = []

    @property
    def _part_suffix(self) -> str:
        return suffix_of(self.part)

    def _of(self, index: int) -> Path:
        return self.folder / f"{index:08}{self._part_suffix}"

    def store(self, result: Result) -> None:
        """Write a band's part; only the first has a header."""
        path = self._of(result.tile.number)
        with path.open("wb") as file:
            write_arrow(file, self._part_suffix, self.table(result), header=result.tile.number == 0)
        self.written.append(path)

    def syncing(self) -> Callable[[], None]:
        """Return what makes safe the parts that are stored by now."""
        paths, self.written = self.written, []
        return partial(self._sync, paths)

    def _sync(self, paths: list[Path]) -> None:
        _sync_files(paths, self.part.parent)
        sync_folder(self.folder)

    def _parts(self) -> list[Path]:
        """Return the parts in their order."""
        paths = [self._of(index) for index in range(len(self.grid))]
        for path in paths:
            if not path.is_file():
                raise _damaged(path, self.part.parent)
        return paths

    def finish(self) -> None:
        """Join the parts in their order."""
        paths = self._parts()
        with self.part.open("wb") as file:
            if suffix_of(self.part) == ".parquet":
                write_parquet(file, _tables(paths))
            else:
                for path in paths:
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """There is nothing open."""


def _tables(paths: list[Path]) -> Iterator[Any]:
    from pyarrow import parquet

    for path in paths:
        # Files, not their names: which have to be UTF-8 for Arrow.
        with path.open("rb") as part:
            yield parquet.read_table(part)


def write_parquet(file: BinaryIO, tables: Iterator[Any]) -> None:
    """Write tables, of one schema, as one file of Parquet; there is one at least."""
    import pyarrow as pa
    from pyarrow import parquet

    waiting = [next(tables)]
    with parquet.ParquetWriter(file, waiting[0].schema) as writer:
        for table in tables:
            if sum(t.nbytes for t in waiting) >= _ROW_GROUP_BYTES:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
            waiting.append(table)
        writer.write_table(pa.concat_tables(waiting))


def _call_each(actions: list[Callable[[], None]]) -> None:
    for action in actions:
        action()


def _sync_files(paths: list[Path], folder: Path) -> None:
    for path in paths:
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        except FileNotFoundError as error:
            raise _damaged(path, folder) from error
