"""Files as tables of columns of any kind."""

import gzip

import numpy as np
import pandas
import pyarrow as pa
import pytest
from pyarrow import parquet

from jsdiv_numba._drift.tables import ColumnsChanged
from jsdiv_numba._drift.values import converted
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io import tables
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.tables import open_table


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(source, **options):
    """Return all columns of a file as kinds and texts, read as often as that needs."""
    table = open_table(source, TableOptions(**options))
    while True:
        try:
            batches = list(table.batches(table.columns))
        except ColumnsChanged:
            continue
        return {
            name: (batches[0][name].kind, [t for batch in batches for t in texts(batch[name])])
            for name in table.columns
        }


def texts(values):
    text = converted(values, "text")
    return [None if code < 0 else text.categories[code] for code in text.data]


def write(name, text):
    with open(name, "wb") as file:
        file.write(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return name


TEXT = "city,age,day,flag,zip\nOslo,1.5,2024-01-02,true,0150\nRoma,,2024-01-03 04:05,FALSE,\n"
READ = {
    "city": ("text", ["Oslo", "Roma"]),
    "age": ("float", ["1.5", None]),
    "day": ("time", ["2024-01-02", "2024-01-03T04:05:00"]),
    "flag": ("boolean", ["True", "False"]),
    "zip": ("text", ["0150", None]),
}


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("a.csv", TEXT, {}),
        ("a.csv.gz", TEXT, {}),
        ("a.tsv", TEXT.replace(",", "\t"), {}),
        ("a.csv", TEXT.replace(",", ";").replace("1.5", "1,5"), {}),
        ("a.csv", f"# remark\n{TEXT}", {"comment": "#"}),
        ("a.txt", TEXT.replace(",", "|"), {}),
    ],
)
def test_text_is_read_with_its_kinds(name, text, options):
    assert read(write(name, text), **options) == READ


@pytest.mark.parametrize("comment", [None, "#"])
@pytest.mark.parametrize(
    ("last", "kind"),
    [("7", "integer"), ("7.5", "float"), ("seven", "text"), ("", "integer"), ("NA", "integer")],
)
def test_a_column_is_what_all_its_values_are(comment, last, kind):
    """Also where the first lines, by which it is taken for numbers, do not show it."""
    lines = [f"{k},x" for k in range(3000)]
    write("a.csv", "\n".join(["n,t", *lines, f"{last},y", ""]))
    found, values = read("a.csv", comment=comment)["n"]
    assert found == kind
    assert values[-1] == (last if last not in ("", "NA") else None)
    assert values[:3] == ["0", "1", "2"]


def test_words_that_mark_missing_numbers_are_categories_of_text():
    write("a.csv", "level,n\nnone,1\n-,-\nNA,2\n")
    assert read("a.csv") == {
        "level": ("text", ["none", "-", None]),
        "n": ("integer", ["1", None, "2"]),
    }


def test_a_table_of_words_has_a_header_unless_that_is_denied():
    write("a.csv", "city,color\nOslo,red\nRoma,blue\n")
    assert list(read("a.csv")) == ["city", "color"]
    assert list(read("a.csv", header=False)) == ["column 1", "column 2"]


def test_parquet_is_read_in_pieces_with_partitions_and_without_an_index(tmp_path):
    frame = pandas.DataFrame({"x": [1.5, None], "c": ["a", "b"]}, index=[5, 7])
    (tmp_path / "parts" / "year=2001").mkdir(parents=True)
    frame.to_parquet("parts/year=2001/1.parquet")
    frame.to_parquet("parts/year=2001/2.parquet")
    assert read("parts") == {
        "year": ("text", ["2001"] * 4),
        "x": ("float", ["1.5", None] * 2),
        "c": ("text", ["a", "b"] * 2),
    }
    table = open_table("parts", TableOptions())
    assert table.rows == 4
    assert table.note == "parts: 3 columns in 2 files"
    assert [list(batch) for batch in table.batches(["c"])] == [["c"], ["c"]]


def test_the_note_says_how_text_was_read():
    write("a.csv", TEXT.replace(",", ";"))
    note = open_table("a.csv", TableOptions()).note
    assert note == "a.csv: a header; 5 columns, 2 of text; separated by semicolons"


def test_rows_of_text_are_about_counted():
    write("a.csv", TEXT + "Oslo,1.5,2024-01-02,true,0150\n" * 5000)
    assert abs(open_table("a.csv", TableOptions()).rows - 5002) < 100


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "a,b\n1,2\n3\n",
            "a.csv, line 3: number of values is 1, but the first line has 2",
        ),
        ("a.csv", "a,a\n1,2\n", "a.csv: 2 columns are called 'a'; give each its own name"),
        ("a.npy", "", "a.npy: an array, whose columns have neither names nor kinds; save the "),
        ("a.parquet", "no", "a.parquet: not a readable Parquet file"),
        ("a.csv.gz", "", "a.csv.gz: the file is empty"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(name, text, message):
    write(name, text)
    with pytest.raises(FileError) as raised:
        read(name)
    assert str(raised.value).startswith(message)


def test_text_in_another_encoding_says_at_which_line():
    with open("a.csv", "wb") as file:
        file.write(b"n,t\n1,a\n" + "2,\xe9\n".encode("latin-1"))
    with pytest.raises(FileError, match=r"^a\.csv, line 3: not UTF-8"):
        read("a.csv")
    assert read("a.csv", encoding="latin-1")["t"] == ("text", ["a", "é"])


def test_blocks_of_text_do_not_change_what_is_read(monkeypatch):
    numbers = np.random.default_rng(0).normal(size=5000)
    write("a.csv", "x,t\n" + "".join(f"{x!r},k{k % 7}\n" for k, x in enumerate(numbers.tolist())))
    whole = read("a.csv")
    monkeypatch.setattr(tables, "_BLOCK", 4096)
    monkeypatch.setattr(tables, "_RECORDS", 100)
    assert read("a.csv") == whole
    assert read("a.csv", comment="#") == whole
    assert [float(text) for text in whole["x"][1]] == numbers.tolist()


def test_feather_is_read_as_parquet():
    table = pa.table({"x": [1, None, 3], "t": ["a", "b", None]})
    with pa.OSFile("a.feather", "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    parquet.write_table(table, "a.parquet")
    assert read("a.feather") == read("a.parquet")
    assert open_table("a.feather", TableOptions()).rows == 3
