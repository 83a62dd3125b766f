"""Rows read from where they lie, whole and in blocks, and files that change meanwhile."""

import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.sources import open_array, open_npy, open_zarr
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


@pytest.mark.parametrize("size", [300, 1 << 20])
@pytest.mark.parametrize("dtype", ["<f8", ">f8"], ids=["mapped", "read"])
def test_a_file_that_changes_between_two_blocks_is_an_error(tmp_path, size, dtype):
    path = tmp_path / "x.npy"
    np.save(path, np.ones((4000, 5), dtype))
    blocks = open_npy(path, "x.npy").blocks(0, 4000, 1)
    next(blocks)
    before = path.stat().st_size
    # Another process, which waits for as long as the file is mapped.
    process = subprocess.Popen([sys.executable, "-c", f"open({str(path)!r}, 'a').truncate({size})"])
    message = f"x.npy: changed while it was read: its size was {before} bytes and is {size}"

    def read_slowly():
        for block in blocks:
            np.testing.assert_array_equal(block, 1)
            time.sleep(0.01)

    with pytest.raises(FileError, match=f"^{message}$"):
        read_slowly()
    assert process.wait() == 0


def test_a_file_that_another_opens_to_write_is_read_on(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.arange(1000.0).reshape(-1, 1))
    blocks = open_npy(path, "x.npy").blocks(0, 1000, 1)
    seen = [next(blocks).copy()]
    code = f"open({str(path)!r}, 'a'); print('open', flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        for block in blocks:
            seen.append(block.copy())
            time.sleep(0.001)
        assert other.stdout.read() == "open\n"
    np.testing.assert_array_equal(np.concatenate(seen).ravel(), np.arange(1000.0))


def test_values_that_look_like_the_end_of_an_archive_are_values(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((3, 4)))
    content = bytearray((tmp_path / "x.npy").read_bytes())
    content[-24:] = b"PK\x05\x06" + bytes(18) + b"\0\0"
    (tmp_path / "x.npy").write_bytes(content)
    assert zipfile.is_zipfile(tmp_path / "x.npy")
    rows = open_npy(tmp_path / "x.npy", "x.npy").rows(0, 3)
    np.testing.assert_array_equal(rows, np.load(tmp_path / "x.npy"))
