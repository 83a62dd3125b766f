"""Reading a file by its extension."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from scipy import io, sparse

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.read import read_rows

MATRIX = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, matrix):
    if name.endswith(".npy"):
        np.save(name, matrix)
    elif name.endswith(".npz"):
        np.savez(name, x=matrix)
    elif name.endswith(".parquet"):
        parquet.write_table(pa.table({"a": matrix[:, 0], "b": matrix[:, 1]}), name)
    else:
        np.savetxt(name, matrix, delimiter="\t" if name.endswith(".tsv") else ",")


FORMATS = ["f.npy", "f.npz", "f.parquet", "f.csv", "f.tsv"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(name):
    write(name, MATRIX)
    rows = read_rows(name)
    np.testing.assert_array_equal(rows.values, MATRIX, strict=True)
    assert (rows.source, rows.labels) == (name, ("row 0", "row 1"))


def test_capital_extensions_are_extensions():
    np.savetxt("F.CSV", MATRIX, delimiter=",")
    assert read_rows("F.CSV").values.tolist() == MATRIX.tolist()


def test_an_array_of_an_archive():
    np.savez("f.npz", x=MATRIX, y=MATRIX + 1)
    assert read_rows("f.npz:y").values.tolist() == (MATRIX + 1).tolist()


def test_a_file_whose_name_looks_like_an_array_of_an_archive():
    write("f.npz:x.csv", MATRIX)
    assert read_rows("f.npz:x.csv").values.tolist() == MATRIX.tolist()


@pytest.mark.parametrize("name", FORMATS)
def test_rows_that_are_no_distributions_are_refused_in_every_format(name):
    write(name, np.array([[1.0, 2.0], [3.0, -4.0]]))
    with pytest.raises(FileError, match=r"(row 1|line 2), column .*: negative value -4\.0"):
        read_rows(name)


@pytest.mark.parametrize("name", [*FORMATS, "f.npz:x"])
def test_a_missing_file_is_named(name):
    with pytest.raises(FileError) as error:
        read_rows(name)
    assert str(error.value) == f"{name}: No such file or directory"


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_arrays_without_values(shape):
    np.save("f.npy", np.ones(shape))
    with pytest.raises(FileError) as error:
        read_rows("f.npy")
    assert str(error.value) == f"f.npy: shape {shape}; there are no values"


@pytest.mark.parametrize("name", ["f.abc", "f", "f.npy.gz"])
def test_unknown_extensions_list_the_known(name):
    with pytest.raises(
        FileError, match=r"unknown extension .*; use \.csv, \.feather, \.h5ad, \.mtx, \.npy"
    ):
        read_rows(name)


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("f.xlsx", "a spreadsheet; save the sheet as CSV UTF-8"),
        ("f.ODS", "a spreadsheet; save the sheet as CSV UTF-8"),
        ("f.rds", "made by R; write.csv(x, 'x.csv') saves it as text"),
        ("f.pkl", "Python objects, which could be anything; save them as .npy or .csv"),
    ],
)
def test_of_what_is_not_read_it_says_how_to_export_it(name, cure):
    Path(name).write_bytes(b"PK")
    with pytest.raises(FileError) as error:
        read_rows(name)
    assert str(error.value) == f"{name}: {cure}"


def test_a_folder_without_rows(tmp_path):
    (tmp_path / "f.csv").mkdir()
    with pytest.raises(FileError) as error:
        read_rows("f.csv")
    assert str(error.value) == "f.csv: a folder without a Zarr array and without .parquet files"


@pytest.mark.parametrize("name", ["f.csv.gz", "F.CSV.GZ", "f.Tsv.gz", "f.txt.gz", "f.TAB"])
def test_text_is_read_compressed_and_in_any_case_of_the_extension(name):
    separator = "," if "csv" in name.lower() else "\t"
    text = f"k{separator}a{separator}b\nx{separator}1{separator}2\n".encode()
    Path(name).write_bytes(gzip.compress(text) if name.lower().endswith("gz") else text)
    rows = read_rows(name)
    assert (rows.labels, rows.columns, rows.values.tolist()) == (("x",), ("a", "b"), [[1.0, 2.0]])


def test_the_format_may_be_said():
    Path("data").write_text("k,a,b\nx,1,2\n")
    assert read_rows("data", TableOptions(format="csv")).labels == ("x",)
    with pytest.raises(FileError, match=r"^data: unknown format 'docx'; use one of csv, feather"):
        read_rows("data", TableOptions(format="docx"))


@pytest.mark.parametrize("name", ["f.npy", "f.npz", "f.parquet", "f.csv", "f.mtx", "f.feather"])
def test_one_category_is_an_error_in_every_format(name):
    matrix = np.array([[1.0], [2.0]])
    if name.endswith(".mtx"):
        io.mmwrite(name, sparse.coo_array(matrix))
    elif name.endswith(".feather"):
        feather.write_feather(pa.table({"a": matrix[:, 0]}), name)
    elif name.endswith(".parquet"):
        parquet.write_table(pa.table({"a": matrix[:, 0]}), name)
    else:
        write(name, matrix)
    with pytest.raises(FileError, match=r"only 1 numeric column.* needs two categories or more"):
        read_rows(name)
