"""Reading CSV and TSV."""

import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.text import read_csv, read_tsv

NO_TEXT = "; only the first column may be text (the rows' labels)"
BY_COMMAS = " (.csv separates values by commas, .tsv by tabs)"


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "f.csv"
    path.write_bytes(text.encode(encoding))
    return read_csv(path, "f.csv")


LAYOUTS = {
    "header and labels": (
        "k,a,b\nx,1,2\ny,3,4\n",
        ([[1, 2], [3, 4]], ("x", "y"), "k", ("a", "b")),
    ),
    "header": ("a,b\n1,2\n", ([[1, 2]], ("row 0",), "row", ("a", "b"))),
    "neither": ("1,2\n3,4\n", ([[1, 2], [3, 4]], ("row 0", "row 1"), "row", None)),
    "labels": ("x,1,2\ny,3,4", ([[1, 2], [3, 4]], ("x", "y"), "label", None)),
    "index of pandas": (",0,1\n7,1,2\n8,3,4\n", ([[1, 2], [3, 4]], ("7", "8"), "", ("0", "1"))),
    "one column, named": ("n\n3\n", ([[3]], ("row 0",), "row", ("n",))),
    "one column": ("3\n4\n", ([[3], [4]], ("row 0", "row 1"), "row", None)),
    "twin columns": ("k,a,a\nx,1,2\n", ([[1, 2]], ("x",), "k", ("a", "a"))),
    "label that marks a missing value": (
        "k,a\nx,1\nNA,2\n",
        ([[1], [2]], ("x", "NA"), "k", ("a",)),
    ),
    "blank lines": ("\n\nk,a\n\nx,1\n\n", ([[1]], ("x",), "k", ("a",))),
    "lines of Windows": ("k,a\r\nx,1\r\n", ([[1]], ("x",), "k", ("a",))),
    "byte order mark": ("\ufeffk,a\nx,1\n", ([[1]], ("x",), "k", ("a",))),
    "quotes": (
        '"k\nk","a,a"\n"x\nx", 1 \n"y,""y""",1e-3\n',
        ([[1], [1e-3]], ("x\nx", 'y,"y"'), "k\nk", ("a,a",)),
    ),
}


@pytest.mark.parametrize(("text", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(tmp_path, text, expected):
    values, *names = expected
    rows = read(tmp_path, text)
    np.testing.assert_array_equal(rows.values, np.array(values, float), strict=True)
    assert [rows.labels, rows.label_name, rows.columns] == names
    assert len(rows) == len(values)


def test_tabs_separate_tsv(tmp_path):
    path = tmp_path / "f.tsv"
    path.write_text("k\ta,b\nx\t1\n")
    rows = read_tsv(path, "f.tsv")
    assert (rows.labels, rows.columns, rows.values.tolist()) == (("x",), ("a,b",), [[1.0]])


def test_many_lines_are_read_in_order(tmp_path):
    values = np.random.default_rng(1).integers(1, 10**6, (3000, 7))
    lines = [f"r{i}," + ",".join(map(str, line)) for i, line in enumerate(values)]
    rows = read(tmp_path, "\n".join(lines))
    np.testing.assert_array_equal(rows.values, values)
    assert rows.labels == tuple(f"r{i}" for i in range(3000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.csv: the file is empty"),
        ("\n\n", "f.csv: the file is empty"),
        ("k,a\n", "f.csv: the header has no rows below it"),
        ("k,a,b\n\nx,1,2\ny,3\n", "f.csv, line 4: number of values is 2, but the first line has 3"),
        ("1,2\n1,2,3\n", "f.csv, line 2: number of values is 3, but the first line has 2"),
        (
            "k,a,b\nx,1,2\n\ny,3,-4.5\n",
            "f.csv, line 4, column 'b': negative value -4.5; a distribution has no negative values",
        ),
        (
            '"k\nk",a,b\n"x\nx",1,2\ny,3,-4\n',
            "f.csv, line 5, column 'b': negative value -4; a distribution has no negative values",
        ),
        (
            "1,2\nnan,2\n",
            "f.csv, line 2, column 1: nan is not a number; fill the value in or leave the row out",
        ),
        (
            "1,2\n3,inf\n",
            "f.csv, line 2, column 2: infinite value inf; a distribution has finite values only",
        ),
        (
            "1,2\n3,1e999\n",
            "f.csv, line 2, column 2: infinite value 1e999; a distribution has finite values only",
        ),
        (
            "a,b\n1,NA\n",
            "f.csv, line 2, column 'b': NA marks a missing value; fill it in or leave the row out",
        ),
        (
            "a,b\n1,2\n1,\n",
            "f.csv, line 3, column 'b': the value is missing; fill it in or leave the row out",
        ),
        (
            "k,country,a\nx,Denmark,1\n",
            f"f.csv, line 2, column 'country': 'Denmark' is not a number{NO_TEXT}",
        ),
        (
            "a,b\n1,2\n1O,2\n",
            f"f.csv, line 3, column 'a': '1O' is not a number{NO_TEXT}",
        ),
        (
            "a,b\n1,2\n1_0,2\n",
            f"f.csv, line 3, column 'a': '1_0' is not a number{NO_TEXT}",
        ),
        (
            "a,b\n1,2\n٣,2\n",
            f"f.csv, line 3, column 'a': '٣' is not a number{NO_TEXT}",
        ),
        (
            "a,b\n1," + "z" * 99 + "\n",
            f"f.csv, line 2, column 'b': '{'z' * 20}…{'z' * 19}' is not a number{NO_TEXT}",
        ),
        (
            "k,country\nx,Denmark\n",
            f"f.csv, line 2: no numeric column in 'x,Denmark'{BY_COMMAS}",
        ),
        (
            "k;a\nx;1\n",
            f"f.csv, line 2: no numeric column in 'x;1'{BY_COMMAS}",
        ),
        (
            "k,a,b\nx,1,2\ny,0,0\n",
            "f.csv, line 3: every value is 0; a row needs a positive sum to be a distribution",
        ),
        ('k,a\n"x,1\n', "f.csv, line 2: unexpected end of data"),
    ],
)
def test_errors_name_line_column_and_value(tmp_path, text, message):
    with pytest.raises(FileError) as error:
        read(tmp_path, text)
    assert str(error.value) == message


def test_what_only_arrow_refuses_is_told_in_its_words(tmp_path):
    with pytest.raises(FileError, match=r"^f\.csv: .* invalid value '1\x0c'$"):
        read(tmp_path, "1,2\n1\x0c,2\n")


@pytest.mark.parametrize(
    ("encoding", "line"), [("latin-1", 3), ("utf-16", 1)], ids=["latin-1", "utf-16"]
)
def test_other_encodings_are_named_at_their_line(tmp_path, encoding, line):
    with pytest.raises(FileError) as error:
        read(tmp_path, "k,a\nx,1\nå,2\n", encoding)
    assert str(error.value) == f"f.csv, line {line}: not UTF-8; save it as UTF-8"
