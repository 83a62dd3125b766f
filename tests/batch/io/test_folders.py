"""The files of a folder."""

import os

import pyarrow as pa
import pytest
from pyarrow import parquet

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.folders import files_below
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.batch.io.sources import folder_fingerprint


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({"x": [value], "y": [1]}), path)


def test_files_lie_in_folders_of_any_name_and_behind_links(tmp_path):
    write(tmp_path / "in" / "a.parquet" / "part-0.parquet", 1)
    write(tmp_path / "in" / "b" / "part-1.parquet", 2)
    write(tmp_path / "elsewhere" / "part-2.parquet", 3)
    (tmp_path / "in" / "c").symlink_to("../elsewhere")
    assert read_rows(str(tmp_path / "in"), TableOptions()).values[:, 0].tolist() == [1, 2, 3]
    before = folder_fingerprint(tmp_path / "in")
    assert before["files"] == 3
    write(tmp_path / "elsewhere" / "part-2.parquet", 4)
    assert folder_fingerprint(tmp_path / "in") != before


def test_a_folder_that_cannot_be_read_is_not_left_out(tmp_path, monkeypatch):
    write(tmp_path / "in" / "a.parquet", 1)
    closed = tmp_path / "in" / "closed"
    write(closed / "b.parquet", 2)
    scandir = os.scandir

    def refuse(path):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(FileError) as error:
        read_rows(str(tmp_path / "in"), TableOptions())
    assert str(error.value) == f"{closed}: Permission denied"


def test_a_folder_in_itself_is_refused(tmp_path):
    (tmp_path / "again").symlink_to(".")
    with pytest.raises(FileError, match="again: Too many levels of symbolic links"):
        files_below(tmp_path)
