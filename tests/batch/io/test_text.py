"""Reading delimited text: what is told from its first lines, and where that is not certain."""

import gzip

import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.rows import collected
from jsdiv_numba.batch.io.text import stream_text

MISSING = "fill it in, leave the row out, or say --missing zero"


def read(tmp_path, text, kind=".csv", written_in="utf-8", **options):
    """Read text as the command reads a file of a kind."""
    path = tmp_path / f"f{kind}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(written_in))
    stream = stream_text(path, path.name, kind, TableOptions(**options), lenient=False)
    return collected(stream, path.name)


def no_number(name):
    labels = f"--label-column {name} takes the column for labels"
    return f" is not a number; {labels}, --exclude {name} leaves it out"


AB = ("a", "b")
LAYOUTS = {
    "header and labels": ("k,a,b\nx,1,2\ny,3,4\n", ([[1, 2], [3, 4]], ("x", "y"), "k", AB)),
    "header": ("a,b\n1,2\n", ([[1, 2]], ("row 0",), "row", AB)),
    "neither": ("1,2\n3,4\n", ([[1, 2], [3, 4]], ("row 0", "row 1"), "row", None)),
    "labels": ("x,1,2\ny,3,4", ([[1, 2], [3, 4]], ("x", "y"), "label", None)),
    "index of pandas": (",0,1\n7,1,2\n8,3,4\n", ([[1, 2], [3, 4]], ("7", "8"), "", ("0", "1"))),
    "index of pandas and text": (
        ",name,a,b\n0,x,1,2\n1,y,3,4\n",
        ([[1, 2], [3, 4]], ("x", "y"), "name", AB),
    ),
    "index of several levels": (
        "country,year,a,b\nDK,2001,1,2\nDK,2002,3,4\n",
        ([[1, 2], [3, 4]], ("DK / 2001", "DK / 2002"), "country / year", AB),
    ),
    "index of several levels without names": (
        ",,a,b\nDK,2001,1,2\nDK,2002,3,4\n",
        ([[1, 2], [3, 4]], ("DK / 2001", "DK / 2002"), " / ", AB),
    ),
    "numbers that count before text": (
        "0,x.txt,0.5,0.5\n1,y.txt,0.25,0.75\n",
        ([[0.5, 0.5], [0.25, 0.75]], ("x.txt", "y.txt"), "label", None),
    ),
    "numbers that count before text, named": (
        "nummer,k,a,b\n1,x,3,4\n2,y,5,7\n",
        ([[3, 4], [5, 7]], ("x", "y"), "k", AB),
    ),
    "twin columns": ("k,a,a\nx,1,2\n", ([[1, 2]], ("x",), "k", ("a", "a"))),
    "label that marks a missing value": (
        "k,a,b\nx,1,2\nNA,2,1\n",
        ([[1, 2], [2, 1]], ("x", "NA"), "k", AB),
    ),
    "such a label in the first line": (
        "k,a,b\nNA,2,1\nx,1,2\n",
        ([[2, 1], [1, 2]], ("NA", "x"), "k", AB),
    ),
    "such a label in the first line of all": (
        "NA,2,1\nx,1,2\n",
        ([[2, 1], [1, 2]], ("NA", "x"), "label", None),
    ),
    "labels like numbers": (
        "well,a,b\n1E2,1,2\n1E3,1,1\nF1,3,4\n",
        ([[1, 2], [1, 1], [3, 4]], ("1E2", "1E3", "F1"), "well", AB),
    ),
    "such a label alone": ("F1,1,2\n1E2,3,4\n", ([[1, 2], [3, 4]], ("F1", "1E2"), "label", None)),
    "whole numbers of a key": (
        "zip,a,b\n10115,5,3\n10115,3,3\n20095,1,1\n",
        ([[5, 3], [3, 3], [1, 1]], ("10115", "10115", "20095"), "zip", AB),
    ),
    "years as labels": (
        "year,a,b\n1999,5,3\n2003,1,2\n",
        ([[5, 3], [1, 2]], ("1999", "2003"), "year", AB),
    ),
    "codes with zeros in front": (
        "k,a,b\n001,1,2\n002,3,4\n",
        ([[1, 2], [3, 4]], ("001", "002"), "k", AB),
    ),
    "keys written as decimals": (
        "id,a,b\n7.0,1,2\n9.0,3,4\n",
        ([[1, 2], [3, 4]], ("7.0", "9.0"), "id", AB),
    ),
    "wells as headings": (
        "well,1E2,1E3\nx,1,2\ny,4,5\n",
        ([[1, 2], [4, 5]], ("x", "y"), "well", ("1E2", "1E3")),
    ),
    "years as headings": (
        "State,2000,2001,2002\nOhio,5,3,2\nIowa,1,2,2\n",
        ([[5, 3, 2], [1, 2, 2]], ("Ohio", "Iowa"), "State", ("2000", "2001", "2002")),
    ),
    "quoted headings": (
        '"Staat","20","30"\n"Ohio",5,3\n"Iowa",1,2\n',
        ([[5, 3], [1, 2]], ("Ohio", "Iowa"), "Staat", ("20", "30")),
    ),
    "headings of R": ('"a","b"\n"x",1,2\n"y",3,4\n', ([[1, 2], [3, 4]], ("x", "y"), "", AB)),
    "blank lines": ("\n\nk,a,b\n\nx,1,2\n\n", ([[1, 2]], ("x",), "k", AB)),
    "lines of Windows": ("k,a,b\r\nx,1,2\r\n", ([[1, 2]], ("x",), "k", AB)),
    "byte order mark": ("\ufeffk,a,b\nx,1,2\n", ([[1, 2]], ("x",), "k", AB)),
    "empty columns and rows of Excel": (
        "k,a,b,,\nx,1,2,,\ny,3,4,,\n,,,,\n",
        ([[1, 2], [3, 4]], ("x", "y"), "k", AB),
    ),
    "a separator at the end of rows": (
        "a,b\n1,2,\n3,4,\n",
        ([[1, 2], [3, 4]], ("row 0", "row 1"), "row", AB),
    ),
    "a separator at the end of the header": ("k,a,b,\nx,1,2\n", ([[1, 2]], ("x",), "k", AB)),
    "the separator in front": ("sep=;\nk;a;b\nx;1;2\n", ([[1, 2]], ("x",), "k", AB)),
    "decimal commas": (
        "k;a;b\nx;0,5;1,25\ny;1.234,5;3\n",
        ([[0.5, 1.25], [1234.5, 3]], ("x", "y"), "k", AB),
    ),
    "decimal commas without labels": (
        "a;b\n0,5;0,5\n0,1;0,9\n",
        ([[0.5, 0.5], [0.1, 0.9]], ("row 0", "row 1"), "row", AB),
    ),
    "percentages": ("k,a,b\nx,12%,88 %\ny,0,100%\n", ([[0.12, 0.88], [0, 1]], ("x", "y"), "k", AB)),
    "grouped thousands": ('k,a,b\nx,"1,234,567","2,345"\n', ([[1234567, 2345]], ("x",), "k", AB)),
    "thousands grouped by blanks": (
        "k;a;b\nx;1 234;2\N{NARROW NO-BREAK SPACE}345\n",
        ([[1234, 2345]], ("x",), "k", AB),
    ),
    "comments": ("# made by\n# us\nk,a,b\nx,1,2\n", ([[1, 2]], ("x",), "k", AB)),
    "a header that is a comment": (
        "# Constructed from biom file\n#OTU,S1,S2\nt1,1,2\nt2,3,4\n",
        ([[1, 2], [3, 4]], ("t1", "t2"), "OTU", ("S1", "S2")),
    ),
    "plus signs": ("k,a,b\nx,+1,2\n", ([[1, 2]], ("x",), "k", AB)),
    "quotes": (
        '"k\nk","a,a",b\n"x\nx", 1 ,2\n"y,""y""",1e-3,0\n',
        ([[1, 2], [1e-3, 0]], ("x\nx", 'y,"y"'), "k\nk", ("a,a", "b")),
    ),
}


@pytest.mark.filterwarnings("ignore::jsdiv_numba.batch.errors.TableWarning")
@pytest.mark.parametrize(("text", "expected"), LAYOUTS.values(), ids=LAYOUTS)
def test_layouts(tmp_path, text, expected):
    values, *names = expected
    rows = read(tmp_path, text)
    np.testing.assert_array_equal(rows.values, np.array(values, float), strict=True)
    assert [rows.labels, rows.label_name, rows.columns] == names
    assert len(rows) == len(values)


SEPARATED = {
    "tabs": (".tsv", "k\ta,b\tc\nx\t1\t2\n", ("a,b", "c")),
    "tabs in .txt": (".txt", "k\ta b\tc\nx\t1\t2\n", ("a b", "c")),
    "tabs in .tab": (".tab", "k\ta\tb\nx\t1\t2\n", AB),
    "blanks": (".txt", "k  a   b\n x 1 2 \n", AB),
    "blanks and quotes, as R writes": (".txt", '"k" "a" "b"\n"x" 1 2\n', AB),
    "commas in .txt": (".txt", "k,a,b\nx,1,2\n", AB),
    "tabs in .csv": (".csv", "k\ta\tb\nx\t1\t2\n", AB),
    "bars": (".csv", "k|a|b\nx|1|2\n", AB),
}


@pytest.mark.parametrize(("kind", "text", "columns"), SEPARATED.values(), ids=SEPARATED)
def test_what_separates_values_is_told_from_the_lines(tmp_path, kind, text, columns):
    rows = read(tmp_path, text, kind=kind)
    assert (rows.labels, rows.columns, rows.values.tolist()) == (("x",), columns, [[1.0, 2.0]])


def test_many_lines_are_read_in_order(tmp_path):
    values = np.random.default_rng(1).integers(1, 10**6, (3000, 7))
    lines = [f"r{i}," + ",".join(map(str, line)) for i, line in enumerate(values)]
    rows = read(tmp_path, "\n".join(lines))
    np.testing.assert_array_equal(rows.values, values)
    assert rows.labels == tuple(f"r{i}" for i in range(3000))


@pytest.mark.parametrize("odd", ["#1800,+7,3", "#1800,7,3\n,,\n, ,"])
def test_what_arrow_cannot_read_is_read_from_there_on(tmp_path, odd):
    """A plus sign, an empty row: far below the lines that the layout is told from."""
    numbers = np.random.default_rng(2).integers(1, 9, (2500, 2)).tolist()
    lines = [f"#{i},{a},{b}" for i, (a, b) in enumerate(numbers)]
    lines[1800] = odd
    rows = read(tmp_path, "k,a,b\n" + "\n".join(lines))
    assert rows.values.tolist() == [*numbers[:1800], [7, 3], *numbers[1801:]]
    assert rows.labels == tuple(f"#{i}" for i in range(2500))


def with_options(text, **options):
    return text, options


SAID = {
    "a header of numbers": (
        with_options("x,1,2\ny,3,4\n", header=True),
        ([[3, 4]], ("y",), ("1", "2")),
    ),
    "no header": (
        with_options("id,7,9\ny,3,4\n", header=False),
        ([[7, 9], [3, 4]], ("id", "y"), None),
    ),
    "the column of labels": (
        with_options("a,b,k\n1,2,5\n", label_column="k"),
        ([[1, 2]], ("5",), AB),
    ),
    "its number": (with_options("a,b,k\n1,2,5\n", label_column=3), ([[1, 2]], ("5",), AB)),
    "no labels": (
        with_options("id,a\n1,2\n", label_column="none"),
        ([[1, 2]], ("row 0",), ("id", "a")),
    ),
    "two of them": (
        with_options("k,a,b,l\nx,1,2,y\n", label_column="l,k"),
        ([[1, 2]], ("y / x",), AB),
    ),
    "categories": (
        with_options("k,a,b,c\nx,1,2,3\n", columns="c,a"),
        ([[3, 1]], ("x",), ("c", "a")),
    ),
    "a range of them": (
        with_options("k,a,b,c\nx,1,2,3\n", columns="b:c"),
        ([[2, 3]], ("x",), ("b", "c")),
    ),
    "their numbers": (with_options("k,a,b,c\nx,1,2,3\n", columns="2-3"), ([[1, 2]], ("x",), AB)),
    "what is left out": (
        with_options("k,a,b,tax\nx,1,2,T\n", exclude="tax"),
        ([[1, 2]], ("x",), AB),
    ),
    "rows left out": (
        with_options("k,a,b\nx,1,2\ny,3,4\nz,5,7\n", exclude_rows="y"),
        ([[1, 2], [5, 7]], ("x", "z"), AB),
    ),
    "rows left out by index": (
        with_options("a,b\n1,2\n3,4\n", exclude_rows=[0]),
        ([[3, 4]], ("row 0",), AB),
    ),
    "transposed": (
        with_options("otu,S,T\nx,1,2\ny,3,4\nz,1,1\n", transpose=True),
        ([[1, 3, 1], [2, 4, 1]], ("S", "T"), ("x", "y", "z")),
    ),
    "the separator": (with_options("k:a:b\nx:1:2\n", sep=":"), ([[1, 2]], ("x",), AB)),
    "the decimal mark": (
        with_options('k,a,b\nx,"1,234","2,5"\n', decimal=","),
        ([[1.234, 2.5]], ("x",), AB),
    ),
    "that commas group thousands": (
        with_options('k,a,b\nx,"1,234",2\n', decimal="."),
        ([[1234, 2]], ("x",), AB),
    ),
    "comments on the way": (
        with_options("%k\nk,a,b\nx,1,2\n% y,1,2\nz,3,4\n", comment="%"),
        ([[1, 2], [3, 4]], ("x", "z"), AB),
    ),
    "missing values that are 0": (
        with_options("k,a,b\nx,1,NA\ny,,2\nz,-,nan\nw,1,?\n", missing="zero", exclude_rows="z"),
        ([[1, 0], [0, 2], [1, 0]], ("x", "y", "w"), AB),
    ),
    "missing values that are NaN": (
        with_options("k,a,b\nx,1,NA\ny,1,2\n", missing="nan"),
        ([[1, np.nan], [1, 2]], ("x", "y"), AB),
    ),
}


@pytest.mark.filterwarnings("ignore::jsdiv_numba.batch.errors.TableWarning")
@pytest.mark.parametrize(("given", "expected"), SAID.values(), ids=SAID)
def test_what_is_said_is_not_guessed(tmp_path, given, expected):
    text, options = given
    rows = read(tmp_path, text, **options)
    values, labels, columns = expected
    np.testing.assert_array_equal(rows.values, np.array(values, float), strict=True)
    assert (rows.labels, rows.columns) == (labels, columns)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("latin-1", "latin-1"), ("utf-16", None), ("utf-16-le", "utf-16-le"), ("cp1252", "cp1252")],
)
def test_other_encodings(tmp_path, encoding, said):
    rows = read(tmp_path, "k,a,b\nx,1,2\nå,2,1\n", written_in=encoding, encoding=said)
    assert rows.labels == ("x", "å")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
def test_wide_characters_without_a_mark_are_told(tmp_path, encoding):
    message = "line 1: a character 0, which no text has; of UTF-16 and UTF-32 say the --encoding"
    with pytest.raises(FileError, match=message):
        read(tmp_path, "k,a,b\nx,1,2\ny,2,1\n", written_in=encoding)
    rows = read(tmp_path, "k,a,b\nx,1,2\ny,2,1\n", written_in=encoding, encoding=encoding)
    assert rows.labels == ("x", "y")


@pytest.mark.parametrize(("encoding", "said"), [("latin-1", "UTF-8"), ("utf-16-le", "UTF-8")])
def test_another_encoding_is_named_at_its_line(tmp_path, encoding, said):
    with pytest.raises(FileError, match=r"f\.csv(, line 3: not UTF-8; save it as|: |, line)"):
        read(tmp_path, "k,a,b\nx,1,2\nå,2,1\n", written_in=encoding)


def test_compressed_text_is_known_by_its_bytes(tmp_path):
    rows = read(tmp_path, gzip.compress(b"k,a,b\nx,1,2\n"))
    assert rows.values.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("cut", [1, 30, -1])
def test_compressed_text_that_is_cut_short(tmp_path, cut):
    whole = gzip.compress(b"".join(b"r%d,%d,%d\n" % (i, i % 7 + 1, i % 5) for i in range(10_000)))
    with pytest.raises(FileError, match=r"^f\.csv.*(damaged or cut short|is empty)"):
        read(tmp_path, whole[:cut])


FAULTS = [
    ("", "f.csv: the file is empty"),
    ("\n\n", "f.csv: the file is empty"),
    ("k,a\n", "f.csv: the header has no rows below it"),
    ("k,a,b\n\nx,1,2\ny,3\n", "f.csv, line 4: number of values is 2, but the first line has 3"),
    ("1,2\n1,2,3\n", "f.csv, line 2: number of values is 3, but the first line has 2"),
    (
        "k,a,b\nx,1,2\n#y\n",
        (
            "f.csv, line 3: number of values is 1, but the first line has 3; "
            "if it is a comment, say --comment #"
        ),
    ),
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
        (
            "f.csv, line 2, column 1: nan is not a number; fill it in, leave the row out, or say "
            "--missing zero"
        ),
    ),
    (
        "1,2\n3,inf\n",
        "f.csv, line 2, column 2: infinite value inf; a distribution has finite values only",
    ),
    (
        "1,2\n3,1e999\n",
        "f.csv, line 2, column 2: infinite value 1e999; a distribution has finite values only",
    ),
    ("a,b\n1,NA\n", f"f.csv, line 2, column 'b': NA marks a missing value; {MISSING}"),
    ("a,b\n1,2\n1,\n", f"f.csv, line 3, column 'b': the value is missing; {MISSING}"),
    ("x,-,2,3\ny,1,2,3\n", f"f.csv, line 1, column 2: - marks a missing value; {MISSING}"),
    ("1,.,2\n1,2,3\n", f"f.csv, line 1, column 2: . marks a missing value; {MISSING}"),
    ("x,1,?\ny,1,2\n", f"f.csv, line 1, column 3: ? marks a missing value; {MISSING}"),
    (
        "k,a,b,land\nx,1,2,Denmark\n",
        f"f.csv, line 2, column 'land': 'Denmark'{no_number(repr('land'))}",
    ),
    ("a,b\n1,2\n5,2\n1O,2\n", f"f.csv, line 4, column 'a': '1O'{no_number(repr('a'))}"),
    ("a,b\n1,2\n5,2\n1_0,2\n", f"f.csv, line 4, column 'a': '1_0'{no_number(repr('a'))}"),
    ("a,b\n1,2\n5,2\n٣,2\n", f"f.csv, line 4, column 'a': '٣'{no_number(repr('a'))}"),
    (
        "a,b\n1,2\n5,1\x0c\n",
        f"f.csv, line 3, column 'b': '1\N{REPLACEMENT CHARACTER}'{no_number(repr('b'))}",
    ),
    (
        "a,b\n1,2\n1," + "z" * 99 + "\n1,3\n",
        f"f.csv, line 3, column 'b': '{'z' * 20}…{'z' * 19}'{no_number(repr('b'))}",
    ),
    (
        "k,a,b\nx,1%,99%\ny,2,3%\n",
        "f.csv, line 3, column 'a': '2' is no percentage, but others in the file are",
    ),
    (
        "k,country\nx,Denmark\n",
        "f.csv, line 2: no numeric column in 'x,Denmark' (separated by commas)",
    ),
    (
        "k,a,b\nx,1,2\ny,0,0\n",
        "f.csv, line 3: every value is 0; a row needs a positive sum to be a distribution",
    ),
    ('k,a\n"x,1\n', "f.csv, line 2: a quote that is opened here is not closed"),
    ('k,a,b\nx,1,2\n"y,2,1\nz,1,1\n', "f.csv, line 3: a quote that is opened here is not closed"),
    (
        'k,a,b\n"x,1,2\n' + "y,2,1\n" * 2000,
        "f.csv, line 2: a quote that is opened here is not closed",
    ),
    (
        "k,a,b\n" + "y,2,1\n" * 2000 + '"x,1,2\n' + "y,2,1\n" * 25_000,
        "f.csv, line 2002: a quote that is opened here is not closed in 131,072 characters",
    ),
    (
        "k,a,b\n" + "y" * 140_000 + ",2,1\n",
        "f.csv, line 2: a value of more than 131,072 characters; save the table as .parquet",
    ),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_errors_name_line_column_and_value(tmp_path, text, message):
    with pytest.raises(FileError) as error:
        read(tmp_path, text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exclude": "a,b"}, "--exclude leaves no numeric column"),
        ({"columns": "a", "exclude": "a"}, "--columns and --exclude leave no numeric column"),
    ],
)
def test_options_that_leave_nothing_are_named(tmp_path, options, message):
    with pytest.raises(FileError) as error:
        read(tmp_path, "k,a,b\nx,1,2\ny,2,1\n", **options)
    assert str(error.value) == f"f.csv: {message}"


def test_a_header_that_is_said_to_be_a_row_is_named_as_what_it_may_be(tmp_path):
    cures = "--label-column 1 takes the column for labels, --exclude 1 leaves it out"
    with pytest.raises(FileError) as error:
        read(tmp_path, "a,b\n1,2\n3,4\n", header=False, label_column="none")
    assert str(error.value) == (
        "f.csv, line 1, column 1: 'a' is not a number; --header yes if the line names the columns, "
        + cures
    )
    with pytest.raises(FileError) as error:
        read(tmp_path, "1,2\na,4\n", header=False, label_column="none")
    assert str(error.value) == f"f.csv, line 2, column 1: 'a' is not a number; {cures}"


def test_what_is_below_no_name_is_named_however_far_below(tmp_path):
    lines = ["k,a,b,", *["x,1,2,"] * 1500, "y,1,2,z"]
    with pytest.raises(FileError) as error:
        read(tmp_path, "\n".join(lines))
    assert str(error.value) == "f.csv, line 1502, column 4: 'z' is in a column without a name"


OR_A_ROW = "say --header yes if the line names the columns, --header no if it is a row"
AMBIGUOUS = {
    "a title": (
        "Trees of us\n\nk,a,b\nx,1,2\ny,3,4\n",
        (
            "f.csv, line 1: number of values is 1, but the lines below have 3; if it is no part of "
            "the table, say --comment 'Trees'"
        ),
    ),
    "whole numbers below a heading": (
        "gene,s1,s2\n4,5,3\n2,1,1\n",
        (
            "f.csv: column 'gene', of whole numbers that are all different, may label the rows or "
            "be a category; say --label-column 'gene' or --label-column none"
        ),
    ),
    "years below a word": (
        "Staat,2000,2001,2002\nOhio,5,3,2\nIowa,1,2,2\n",
        f"f.csv, line 1: 'Staat, 2000, 2001, 2002' may be a header or a row; {OR_A_ROW}",
    ),
    "numbers from 0 without labels": (
        "0,1,2,3\n0.5,0.1,0.2,0.2\n",
        f"f.csv, line 1: '0, 1, 2' may be a header or a row; {OR_A_ROW}",
    ),
    "numbers below a heading": (
        "sample,101,205\nx,1,2\n",
        f"f.csv, line 1: 'sample, 101, 205' may be a header or a row; {OR_A_ROW}",
    ),
    "a word among numbers": (
        "x,1,2O,3\ny,1,2,3\n",
        f"f.csv, line 1: '2O' is no number, but others are; {OR_A_ROW}",
    ),
    "different whole numbers first": (
        "code1,a,b\n101,5,3\n205,3,3\n307,1,1\n",
        (
            "f.csv: column 'code1', of whole numbers that are all different, may label the rows or "
            "be a category; say --label-column 'code1' or --label-column none"
        ),
    ),
    "whole numbers before shares": (
        "nummer,a,b\n5,0.5,0.5\n2,0.3,0.7\n",
        (
            "f.csv: column 'nummer', of whole numbers that are all different, may label the rows "
            "or be a category; say --label-column 'nummer' or --label-column none"
        ),
    ),
    "an index without a header": (
        "0,5,3\n1,3,3\n2,1,1\n",
        (
            "f.csv: column 1, of whole numbers that are all different, may label the rows or "
            "be a category; say --label-column 1 or --label-column none"
        ),
    ),
    "a decimal comma or thousands": (
        'k,a,b\nx,"1,234","2,345"\n',
        "f.csv: '1,234' may be 1.234 or 1234; say --decimal , or --decimal .",
    ),
    "a decimal point or thousands": (
        "k;a;b\nx;1.234;2.345\n",
        "f.csv: '1.234' may be 1.234 or 1234; say --decimal , or --decimal .",
    ),
    "one category": (
        "k,a\nx,1\ny,2\n",
        (
            "f.csv: only 1 numeric column, 'a', but a distribution needs two categories or more "
            "(a header; rows labelled by column 'k'; 1 category, 'a')"
        ),
    ),
    "a total": (
        "k,a,b,Total\nx,1,2,3\ny,3,4,7\n",
        (
            "f.csv: column 'Total' is the sum of the others; --exclude 'Total' leaves it out, "
            "--columns with all that you want keeps it"
        ),
    ),
    "a total among categories in rows": (
        "k,S,T\nx,1,2\ny,3,4\nTotal,4,6\n",
        (
            "f.csv: row 'Total' is the sum of the others; --exclude-rows 'Total' leaves it out, "
            "another name keeps it"
        ),
    ),
}


@pytest.mark.parametrize(("text", "message"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_two_readings_are_an_error_that_names_the_cure(tmp_path, text, message):
    with pytest.raises(FileError) as error:
        read(tmp_path, text, transpose="among categories" in message or "S,T" in text)
    assert str(error.value) == message


WARNED = {
    "a total of another name": (
        "k,a,b,n\nx,1,2,3\ny,3,4,7\nz,1,1,2\n",
        "column 'n' is the sum of the others, and is a category; --exclude 'n' leaves it out",
    ),
    "what is called a total": (
        "k,a,b,Total\nx,1,2,9\ny,3,4,7\n",
        (
            "column 'Total' is called as if it were the sum of the others, and is a category; "
            "--exclude 'Total' leaves it out"
        ),
    ),
    "a row of totals": (
        "k,a,b\nx,1,2\ny,3,4\nTotal,4,6\n",
        (
            "row 'Total' is the sum of the others, and is a distribution; --exclude-rows 'Total' "
            "leaves it out"
        ),
    ),
    "a last row that is a sum": (
        "k,a,b,c\nx,1,2,4\ny,3,4,1\nz,4,6,5\n",
        (
            "the last row, 'z', is the sum of the others, and is a distribution; --exclude-rows "
            "leaves it out"
        ),
    ),
    "different whole numbers among others": (
        "ap,b\n4,1\n3,5\n6,2\n",
        (
            "column 'ap' is taken for a category; its whole numbers are all different; "
            "--label-column 'ap' takes it for the rows' labels, --exclude 'ap' leaves it out"
        ),
    ),
    "a place": (
        "a,lat,c\n1.5,2.5,3\n2.5,1,1\n",
        (
            "column 'lat' is taken for a category by what it holds, not for a place; "
            "--label-column 'lat' takes it for the rows' labels, --exclude 'lat' leaves it out"
        ),
    ),
    "a year on the right": (
        "k,a,b,year\nx,1,2,2001\ny,3,4,2002\n",
        (
            "column 'year' is taken for a category by what it holds, not for a label; "
            "--label-column 'year' takes it for the rows' labels, --exclude 'year' leaves it out"
        ),
    ),
    "categories in rows": (
        "OTU ID,S,T\nx,1,2\ny,3,4\n",
        (
            "the rows are called 'OTU ID', which are categories as a rule, and are compared; "
            "--transpose compares the columns"
        ),
    ),
}


@pytest.mark.parametrize(("text", "message"), WARNED.values(), ids=WARNED)
def test_another_reading_is_warned_of(tmp_path, text, message):
    with pytest.warns(TableWarning) as warned:
        read(tmp_path, text)
    assert [str(w.message) for w in warned] == [f"f.csv: {message}"]


def test_what_a_file_was_taken_for(tmp_path):
    text = "# from us\nk;a;b;tax\nx;0,5;1;T\n"
    assert str(read(tmp_path, text, exclude="tax").reading) == (
        "f.csv: a header; rows labelled by column 'k'; 2 categories from 'a' to 'b'; separated by "
        "semicolons; decimal commas; 1 line above it skipped; left out: 'tax'"
    )
    assert str(read(tmp_path, "1,2,4\n3,4,4\n").reading) == (
        "f.csv: no header; no labels of rows; 3 categories from column 1 to column 3"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": "q"}, "f.csv: --columns: no column 'q'; its columns: 'k', 'a', 'b'"),
        ({"label_column": 9}, "f.csv: --label-column: no column 9; its columns: 'k', 'a', 'b'"),
        ({"exclude_rows": "z"}, "f.csv: --exclude-rows: no row 'z'"),
    ],
)
def test_what_is_not_there_cannot_be_chosen(tmp_path, options, message):
    with pytest.raises(FileError) as error:
        read(tmp_path, "k,a,b\nx,1,2\ny,3,4\n", **options)
    assert str(error.value) == message
