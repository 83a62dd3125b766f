"""Reading Parquet."""

import decimal
import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.parquet import read_parquet


def read(tmp_path, table):
    path = tmp_path / "f.parquet"
    parquet.write_table(table, path)
    return read_parquet(path, "f.parquet")


def with_pandas_index(table, *names):
    return table.replace_schema_metadata({"pandas": json.dumps({"index_columns": names})})


def test_a_first_column_of_text_labels_the_rows(tmp_path):
    rows = read(tmp_path, pa.table({"k": ["x", None], "a": [1, 2], "b": [0.5, 0.25]}))
    assert (rows.labels, rows.label_name, rows.columns) == (("x", ""), "k", ("a", "b"))
    np.testing.assert_array_equal(rows.values, np.array([[1, 0.5], [2, 0.25]]), strict=True)


def test_numbers_only(tmp_path):
    rows = read(tmp_path, pa.table({"a": [1, 2]}))
    assert (rows.labels, rows.label_name, rows.columns) == (("row 0", "row 1"), "row", ("a",))


def test_a_dictionary_column_is_text(tmp_path):
    table = pa.table({"k": pa.array(["x", "y", "x"]).dictionary_encode(), "a": [1, 2, 3]})
    assert read(tmp_path, table).labels == ("x", "y", "x")


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (pa.array([1, 2], pa.float32()), "float32"),
        (pa.array(np.array([1, 2], np.float16)), "float32"),
        (pa.array([True, True]), "float64"),
        (pa.array([1, 2**63 - 1], pa.int64()), "float64"),
        (pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")]), "float64"),
    ],
    ids=["float32", "float16", "bool", "large integers", "decimal"],
)
def test_numeric_types(tmp_path, column, dtype):
    rows = read(tmp_path, pa.table({"a": column}))
    assert rows.values.dtype == dtype
    assert rows.values[:, 0].tolist() == [float(x) for x in column.to_pylist()]


def test_single_precision_needs_every_column(tmp_path):
    table = pa.table({"a": pa.array([1.0], pa.float32()), "b": [1.0]})
    assert read(tmp_path, table).values.dtype == np.float64


def test_an_index_of_pandas_labels_the_rows_and_is_no_data(tmp_path):
    table = pa.table({"a": [1, 2], "__index_level_0__": [10, 30]})
    rows = read(tmp_path, with_pandas_index(table, "__index_level_0__"))
    assert (rows.labels, rows.label_name, rows.columns) == (("10", "30"), "", ("a",))


def test_text_is_preferred_to_an_index_of_pandas(tmp_path):
    table = pa.table({"k": ["x", "y"], "a": [1, 2], "__index_level_0__": [10, 30]})
    rows = read(tmp_path, with_pandas_index(table, "__index_level_0__"))
    assert (rows.labels, rows.label_name, rows.columns) == (("x", "y"), "k", ("a",))


def test_a_range_of_pandas_is_no_column(tmp_path):
    table = with_pandas_index(pa.table({"a": [1, 2]}), {"kind": "range"})
    assert read(tmp_path, table).labels == ("row 0", "row 1")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"k": pa.array([], pa.string()), "a": pa.array([], pa.int64())}, "the file has no rows"),
        ({"k": ["x"]}, "no numeric column"),
    ],
    ids=["no rows", "labels only"],
)
def test_files_without_numbers(tmp_path, table, message):
    with pytest.raises(FileError) as error:
        read(tmp_path, pa.table(table))
    assert str(error.value) == f"f.parquet: {message}"


def test_text_in_the_middle_is_named(tmp_path):
    with pytest.raises(FileError) as error:
        read(tmp_path, pa.table({"a": [1], "country": ["Denmark"]}))
    assert str(error.value) == (
        "f.parquet, row 0, column 'country': 'Denmark' is not a number; "
        "only the first column may be text (the rows' labels)"
    )


def test_other_content_is_named(tmp_path):
    (tmp_path / "f.parquet").write_text("hello, world")
    with pytest.raises(FileError, match=r"^f\.parquet: not a readable Parquet file \("):
        read_parquet(tmp_path / "f.parquet", "f.parquet")
