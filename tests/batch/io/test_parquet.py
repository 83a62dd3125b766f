"""Reading Parquet and Feather."""

import decimal
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.parquet import stream_feather, stream_parquet
from jsdiv_numba.batch.io.rows import collected

B = {"b": [1.0, 2.0]}


def read(tmp_path, table, **options):
    path = tmp_path / "f.parquet"
    parquet.write_table(table, path)
    return collected(stream_parquet(path, "f.parquet", TableOptions(**options)), "f.parquet")


def read_folder(folder, **options):
    return collected(stream_parquet(folder, "parts", TableOptions(**options)), "parts")


def with_pandas_index(table, *names):
    return table.replace_schema_metadata({"pandas": json.dumps({"index_columns": names})})


def test_a_first_column_of_text_labels_the_rows(tmp_path):
    rows = read(tmp_path, pa.table({"k": ["x", None], "a": [1, 2], "b": [0.5, 0.25]}))
    assert (rows.labels, rows.label_name, rows.columns) == (("x", ""), "k", ("a", "b"))
    np.testing.assert_array_equal(rows.values, np.array([[1, 0.5], [2, 0.25]]), strict=True)


def test_several_columns_of_text_label_the_rows_together(tmp_path):
    rows = read(tmp_path, pa.table({"k": ["x", "y"], "l": ["1", "2"], "a": [1, 2], **B}))
    assert (rows.labels, rows.label_name) == (("x / 1", "y / 2"), "k / l")


def test_numbers_only(tmp_path):
    rows = read(tmp_path, pa.table({"a": [0.5, 2], **B}))
    assert (rows.labels, rows.label_name, rows.columns) == (("row 0", "row 1"), "row", ("a", "b"))


def test_whole_numbers_that_are_a_key(tmp_path):
    table = pa.table({"user_id": [7, 9], "a": [1, 2], **B})
    assert read(tmp_path, table).labels == ("7", "9")
    with pytest.raises(FileError, match=r"column 'nummer', of whole numbers .* --label-column"):
        read(tmp_path, pa.table({"nummer": [7, 9], "a": [0.5, 2.0], **B}))
    values = read(tmp_path, pa.table({"nummer": [7, 9], **B}), label_column="none").values
    assert values.tolist() == [[7.0, 1.0], [9.0, 2.0]]


def test_a_dictionary_column_is_what_it_holds(tmp_path):
    keys = pa.array(["x", "y", "x"]).dictionary_encode()
    counts = pa.array([5, 7, 5]).dictionary_encode()
    rows = read(tmp_path, pa.table({"k": keys, "a": counts, "b": [1, 2, 3]}))
    assert (rows.labels, rows.values.tolist()) == (("x", "y", "x"), [[5, 1], [7, 2], [5, 3]])


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        (pa.array([1, 2], pa.float32()), "float32"),
        (pa.array(np.array([1, 2], np.float16)), "float32"),
        (pa.array([True, True]), "float64"),
        (pa.array([1, 2**63 - 1], pa.int64()), "float64"),
        (pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")]), "float64"),
        (
            pa.array([decimal.Decimal("1.5"), decimal.Decimal("2.5")], pa.decimal256(60, 3)),
            "float64",
        ),
    ],
    ids=["float32", "float16", "bool", "large integers", "decimal", "long decimal"],
)
def test_numeric_types(tmp_path, column, dtype):
    rows = read(tmp_path, pa.table({"a": column, "b": column}), label_column="none")
    assert rows.values.dtype == dtype
    assert rows.values[:, 0].tolist() == [float(x) for x in column.to_pylist()]


def test_single_precision_needs_every_column(tmp_path):
    table = pa.table({"a": pa.array([1.0], pa.float32()), "b": [1.0]})
    assert read(tmp_path, table).values.dtype == np.float64


def test_an_index_of_pandas_labels_the_rows_and_is_no_data(tmp_path):
    table = pa.table({"a": [1, 2], **B, "__index_level_0__": [10, 30]})
    rows = read(tmp_path, with_pandas_index(table, "__index_level_0__"))
    assert (rows.labels, rows.label_name, rows.columns) == (("10", "30"), "", ("a", "b"))


def test_all_levels_of_an_index_of_pandas_label_the_rows(tmp_path):
    index = pd.MultiIndex.from_tuples([("DK", 2001), ("DK", 2002)], names=["land", "year"])
    pd.DataFrame({"a": [1, 2], **B}, index=index).to_parquet(tmp_path / "f.parquet")
    rows = read(tmp_path, parquet.read_table(tmp_path / "f.parquet"))
    assert (rows.labels, rows.label_name) == (("DK / 2001", "DK / 2002"), "land / year")
    assert rows.columns == ("a", "b")


def test_text_is_preferred_to_an_index_of_pandas(tmp_path):
    table = pa.table({"k": ["x", "y"], "a": [1, 2], **B, "__index_level_0__": [10, 30]})
    rows = read(tmp_path, with_pandas_index(table, "__index_level_0__"))
    assert (rows.labels, rows.label_name, rows.columns) == (("x", "y"), "k", ("a", "b"))


def test_a_range_of_pandas_is_no_column(tmp_path):
    table = with_pandas_index(pa.table({"a": [1, 2], **B}), {"kind": "range"})
    assert read(tmp_path, table).labels == ("row 0", "row 1")


@pytest.mark.parametrize("metadata", ["{", "7", '{"index_columns": 7}'])
def test_damaged_metadata_of_pandas_is_a_line(tmp_path, metadata):
    table = pa.table({"a": [1, 2], **B}).replace_schema_metadata({"pandas": metadata})
    with pytest.raises(FileError, match=r"^f\.parquet: its metadata of pandas is damaged"):
        read(tmp_path, table)


def test_two_columns_of_one_name_are_two_columns(tmp_path):
    table = pa.Table.from_arrays([pa.array([0.5, 1.5]), pa.array([3.0, 4.0])], names=["a", "a"])
    rows = read(tmp_path, table)
    assert (rows.columns, rows.values.tolist()) == (("a", "a"), [[0.5, 3.0], [1.5, 4.0]])


VECTORS = [[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float64()),
        pa.large_list(pa.float64()),
        pa.list_(pa.float64(), 3),
        pa.list_(pa.float32()),
    ],
    ids=str,
)
def test_a_column_of_lists_holds_rows(tmp_path, kind):
    table = pa.table({"id": [4, 9], "text": ["x", "y"], "vector": pa.array(VECTORS, kind)})
    rows = read(tmp_path, table)
    expected = np.array(VECTORS, "float32" if "float>" in str(kind) else "float64")
    np.testing.assert_array_equal(rows.values, expected, strict=True)
    assert (rows.labels, rows.label_name) == (("4 / x", "9 / y"), "id / text")
    assert "lists in column 'vector'" in str(rows.reading)


def test_lists_alone_and_lists_among_numbers(tmp_path):
    table = pa.table({"vector": VECTORS, "score": [0.5, 2.0]})
    rows = read(tmp_path, table)
    assert (rows.labels, rows.values.tolist()) == (("row 0", "row 1"), VECTORS)
    assert "left out: 'score'" in str(rows.reading)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([[0.5, 0.5], [1.0]], "row 1, column 'v': a list of 1 values, but the first row has 2"),
        ([[0.5, 0.5], None], "row 1, column 'v': the list is missing, but the first row has 2"),
        (
            [[0.5], [0.5]],
            (
                "only 1 numeric column, in lists in column 'v', but a distribution needs two "
                "categories or more"
            ),
        ),
    ],
)
def test_lists_that_are_no_rows(tmp_path, cells, message):
    with pytest.raises(FileError) as error:
        read(tmp_path, pa.table({"v": cells}))
    assert str(error.value) in (f"f.parquet, {message}", f"f.parquet: {message}")


def test_lists_in_two_columns_need_a_choice(tmp_path):
    table = pa.table({"u": VECTORS, "v": VECTORS[::-1]})
    with pytest.raises(FileError, match="'u', 'v' hold lists of numbers; say --columns with one"):
        read(tmp_path, table)
    assert read(tmp_path, table, columns="v").values.tolist() == VECTORS[::-1]


def test_structs_are_no_labels(tmp_path):
    table = pa.table({"s": [{"x": 1}, {"x": 2}], "a": [0.5, 1.0], **B})
    with pytest.raises(FileError, match=r"column 's': .* is not a number"):
        read(tmp_path, table)
    assert read(tmp_path, table, exclude="s").columns == ("a", "b")


def test_what_is_missing(tmp_path):
    table = pa.table({"a": [0.5, None], **B})
    assert np.isnan(read(tmp_path, table).values[1, 0])
    assert read(tmp_path, table, missing="zero").values.tolist() == [[0.5, 1.0], [0.0, 2.0]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {
                "k": pa.array([], pa.string()),
                "a": pa.array([], pa.int64()),
                "b": pa.array([], pa.int64()),
            },
            "the file has no rows",
        ),
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
        "f.parquet, row 0, column 'country': 'Denmark' is not a number; --label-column 'country' "
        "takes the column for labels, --exclude 'country' leaves it out"
    )


@pytest.mark.parametrize("read", [stream_parquet, stream_feather])
@pytest.mark.parametrize("content", [b"", b"hello, world", b"PAR1", b"ARROW1"])
def test_other_content_is_named(tmp_path, read, content):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(FileError, match=r"^f: not a readable (Parquet|Feather) file \("):
        read(tmp_path / "f", "f", TableOptions())


def test_a_damaged_page_is_named(tmp_path):
    path = tmp_path / "f.parquet"
    parquet.write_table(
        pa.table({"a": np.random.default_rng(0).random(5000), "b": np.arange(5000.0)}), path
    )
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"^f\.parquet: "):
        collected(stream_parquet(path, "f.parquet", TableOptions()), "f.parquet")


def part(folder, name, a, **more):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table({**more, "a": a, "b": a}), path)


def test_partitions_of_folders_label_the_rows(tmp_path):
    part(tmp_path, "land=DK/year=2001/0.parquet", [0.5])
    part(tmp_path, "land=DK/year=2002/0.parquet", [1.5, 2.5])
    part(tmp_path, "land=C%2FD/year=2001/0.PARQUET", [3.5])
    rows = read_folder(tmp_path)
    labels = ("C/D / 2001", "DK / 2001", "DK / 2002", "DK / 2002")
    assert (rows.labels, rows.label_name) == (labels, "land / year")
    assert rows.values[:, 0].tolist() == [3.5, 0.5, 1.5, 2.5]


def test_files_in_other_folders_are_not_skipped(tmp_path):
    part(tmp_path, "0.parquet", [0.5], k=["x"])
    part(tmp_path, "deep/er/1.parquet", [1.5], k=["y"])
    assert read_folder(tmp_path).labels == ("x", "y")


def test_files_of_a_folder_have_the_same_types(tmp_path):
    part(tmp_path, "0.parquet", pa.array([1.5], pa.float32()))
    part(tmp_path, "1.parquet", pa.array([1.8e-10], pa.float64()))
    with pytest.raises(FileError) as error:
        read_folder(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / '1.parquet'}: column 'a' is double, but float in {tmp_path / '0.parquet'}; "
        "write all files with the same types"
    )


def test_whole_numbers_and_others_of_a_folder_are_read_alike(tmp_path):
    part(tmp_path, "0.parquet", pa.array([1], pa.int32()))
    part(tmp_path, "1.parquet", pa.array([1.5]))
    assert read_folder(tmp_path).values[:, 0].tolist() == [1.0, 1.5]


def test_files_of_a_folder_have_the_same_columns(tmp_path):
    part(tmp_path, "0.parquet", [1.5])
    part(tmp_path, "1.parquet", [1.5], k=["x"])
    with pytest.raises(FileError, match=r"1\.parquet: its columns are not those of .*0\.parquet"):
        read_folder(tmp_path)


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_feather(tmp_path, compression):
    table = pa.table({"k": ["x", "y"], "a": [0.5, 1.5], **B})
    feather.write_feather(table, tmp_path / "f.feather", compression=compression)
    rows = collected(
        stream_feather(tmp_path / "f.feather", "f.feather", TableOptions()), "f.feather"
    )
    assert (rows.labels, rows.values.tolist()) == (("x", "y"), [[0.5, 1.0], [1.5, 2.0]])
