"""How a text file is laid out."""

import csv
import io

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jsdiv_numba.batch.io.dialect import dialect_of, split
from jsdiv_numba.batch.io.options import TableOptions


def dialect(tmp_path, text, kind=".csv", **options):
    path = tmp_path / f"f{kind}"
    path.write_bytes(text.encode())
    return dialect_of(path, path.name, kind, TableOptions(**options))


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("k,a,b\nx,1,2\n", ","),
        ("k;a;b\nx;0,5;1,5\n", ";"),
        ("k;a\nx;1\n", ";"),
        ("k\ta\tb\nx\t1\t2\n", "\t"),
        ("k|a|b\nx|1|2\n", "|"),
        ("k a b\nx 1 2\n", " "),
        ('"a b";1;2\n"c d";3;4\n', ";"),
        ("a b,1,2\nc d,3,4\n", ","),
        ("a;3;7,1\nb;2;8,5\n", ";"),
        ("2020-01-01 12:00,1,2\n2020-01-02 13:00,3,4\n", ","),
    ],
)
@pytest.mark.parametrize("kind", [".csv", ".tsv", ".txt"])
def test_separators(tmp_path, text, separator, kind):
    assert dialect(tmp_path, text, kind).separator == separator


cells = st.text("ab1 ,;\"'\n.é", min_size=1, max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=6))
def test_records_are_those_of_the_csv_module(tmp_path, rows):
    assume("".join(cell for row in rows for cell in row).strip())
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(rows)
    path = tmp_path / "f.csv"
    path.write_bytes(b"h,i,j\n" + written.getvalue().encode())
    found = dialect_of(path, "f.csv", ".csv", TableOptions(header=True, sep=","))
    expected = [
        row
        for row in csv.reader(io.StringIO(written.getvalue(), newline=""))
        if "".join(row).strip()
    ]
    assert [record.cells for record in found.records()] == expected


class Lines:
    def __init__(self, text):
        self.lines, self.line = text.splitlines(keepends=True), 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.line == len(self.lines):
            raise StopIteration
        self.line += 1
        return self.lines[self.line - 1]


def test_records_know_their_lines():
    found = list(split(Lines('a,b\n\n"c\nd",e\n,\nf,g\n'), ",", "f"))
    assert [(record.line, record.end) for record in found] == [(1, 1), (3, 4), (6, 6)]


def test_what_stands_above_the_table_is_skipped(tmp_path):
    found = dialect(tmp_path, "\nsep=;\n# one\n\n# two\nk;a;b\nx;1;2\n")
    assert (found.skip, found.preamble, found.separator) == (6, 3, ";")
    assert [record.line for record in found.records()] == [7]


def test_a_long_first_line_is_no_reason_to_read_the_file(tmp_path):
    width = 100_000
    text = "k," + ",".join(f"c{j}" for j in range(width)) + "\n"
    text += "".join(f"r{i}," + ",".join(["1"] * width) + "\n" for i in range(12))
    found = dialect(tmp_path, text)
    assert found.width == width + 1
    assert len(found.sample) < 12
