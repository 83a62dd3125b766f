"""Rows read from where they lie, whole and in blocks, and files that change meanwhile."""

import os

import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.sources import open_array, open_npy, open_zarr
from tests import batch_files

X = batch_files.rows(23, 5)


def every_source(folder, matrix):
    import zarr

    np.save(folder / "c.npy", matrix)
    np.save(folder / "f.npy", np.asfortranarray(matrix))
    array = zarr.create_array(
        folder / "x.zarr", shape=matrix.shape, chunks=(4, 5), dtype=matrix.dtype
    )
    array[:] = matrix
    files = [open_npy(folder / name, name) for name in ("c.npy", "f.npy")]
    return [*files, open_zarr(folder / "x.zarr", "x.zarr"), open_array(matrix, "X")]


@pytest.mark.parametrize("dtype", ["float64", "float32", ">f8", "int16", "float16"])
def test_rows_and_blocks_are_parts_of_the_matrix(tmp_path, dtype):
    matrix = np.round(100 * X).astype(dtype)
    for source in every_source(tmp_path, matrix):
        expected = matrix.astype(source.dtype)
        np.testing.assert_array_equal(source.rows(3, 19), expected[3:19], strict=True)
        blocks = [block.copy() for block in source.blocks(3, 19, 6)]
        assert [len(block) for block in blocks] == [6, 6, 4]
        np.testing.assert_array_equal(np.concatenate(blocks), expected[3:19], strict=True)


@pytest.mark.parametrize("size", [300, 10_000])
def test_a_file_that_changes_between_two_blocks_is_an_error(tmp_path, size):
    path = tmp_path / "x.npy"
    np.save(path, X)
    blocks = open_npy(path, "x.npy").blocks(0, 23, 2)
    next(blocks)
    before = path.stat().st_size
    os.truncate(path, size)
    message = f"x.npy: changed while it was read: its size was {before} bytes and is {size}"
    with pytest.raises(FileError, match=f"^{message}$"):
        list(blocks)
