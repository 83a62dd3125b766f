"""Tables as people have them, from the command line: what is taken for what, in and out."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.cli import main
from jsdiv_numba.distance import cdist, jensenshannon

A = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [0.0, 0.0, 5.0]])
TAKEN = "a header; rows labelled by column 'k'; 3 categories from 'a' to 'c'"


def csv(matrix, labels, name="f.csv"):
    rows = zip(labels, matrix.tolist(), strict=True)
    lines = [f"{label}," + ",".join(map(repr, row)) for label, row in rows]
    Path(name).write_text("\n".join(["k,a,b,c", *lines, ""]), encoding="utf-8")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    csv(A, "xyz")


def values(path):
    """Return the labels and the numbers of a table of text."""
    _, *lines = (line.split(",") for line in Path(path).read_text().splitlines())
    labels = [[cell.strip('"') for cell in line if cell[:1] == '"'] for line in lines]
    numbers = [[float(cell) for cell in line if cell[:1] != '"'] for line in lines]
    return labels, np.array(numbers)


TILES = [[], ["--tile", "2"]]


@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
def test_rows_of_the_same_label_are_compared(capsys, tiles):
    csv(A[[2, 0, 1]] + 1, "zxy", "g.csv")
    assert main(["rows", "f.csv", "g.csv", "-o", "d.csv", *tiles]) == 0
    labels, distances = values("d.csv")
    assert labels == [["x", "x"], ["y", "y"], ["z", "z"]]
    np.testing.assert_array_equal(distances[:, 0], jensenshannon(A, A + 1, axis=1))
    assert main(["rows", "f.csv", "g.csv", "--match", "position", "-o", "d.npy", *tiles]) == 0
    expected = jensenshannon(A, A[[2, 0, 1]] + 1, axis=1)
    np.testing.assert_array_equal(np.load("d.npy"), expected)


@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
def test_labels_that_one_file_has_alone_are_told(capsys, tiles):
    csv(A[[2, 0]] + 1, "zw", "g.csv")
    assert main(["rows", "f.csv", "g.csv", "-q", "-o", "d.csv", *tiles]) == 0
    assert values("d.csv")[0] == [["z", "z"]]
    assert capsys.readouterr().err.splitlines()[:2] == [
        "jsdiv: warning: f.csv: 2 rows left out, not in g.csv: 'x', 'y'",
        "jsdiv: warning: g.csv: 1 row left out, not in f.csv: 'w'",
    ]


def test_rows_matched_in_python():
    csv(A[::-1], "zyx", "g.csv")
    batch.rows("f.csv", "g.csv", out="d.npy", tile=1)
    assert np.load("d.npy").tolist() == [0.0, 0.0, 0.0]
    batch.rows("f.csv", A[::-1], out="d.npy")
    assert np.load("d.npy")[0] > 0
    with pytest.raises(FileError, match=r"^Q: --match label: its rows have no labels"):
        batch.rows("f.csv", A, out="d.npy", match="label")
    with pytest.raises(ValueError, match="match is 'name'; it must be one of 'label', 'position'"):
        batch.rows("f.csv", A, out="d.npy", match="name")


@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
def test_what_files_were_taken_for_is_said_unless_quiet(capsys, tiles):
    csv(A, "uvw", "g.csv")
    command = ["pairwise", "f.csv", "g.csv", "-o", "d.csv", *tiles]
    assert main(command) == 0
    assert capsys.readouterr().err.splitlines()[:2] == [f"f.csv: {TAKEN}", f"g.csv: {TAKEN}"]
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    assert main([*command, "--log-json"]) == 0
    assert '"event": "read"' in capsys.readouterr().err.splitlines()[0]


@pytest.mark.parametrize("command", [["pairwise"], ["neighbors", "-k", "2"]], ids=["pairs", "near"])
@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
def test_options_go_to_every_command(command, tiles):
    text = "otu;s1;s2;s3;tax\n" + "\n".join(
        f"o{j};{a:g};{b:g};{c:g};T" for j, (a, b, c) in enumerate(A.T / 2)
    )
    Path("o.csv").write_text(text.replace(".", ","))
    options = ["--transpose", "--exclude", "tax", "--sep", ";", "--decimal", ","]
    assert main([*command, "o.csv", "-o", "d.csv", *options, *tiles]) == 0
    assert main([*command, "f.csv", "-o", "e.csv", *tiles]) == 0
    found, expected = values("d.csv"), values("e.csv")
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)
    assert [label[0] for label in found[0]] == [
        {"x": "s1", "y": "s2", "z": "s3"}[label[0]] for label in expected[0]
    ]


def test_options_go_to_explain_and_rows(capsys):
    assert main(["explain", "f.csv", "x", "z", "--columns", "a:b", "-q"]) == 2
    assert "line 4: every value is 0" in capsys.readouterr().err
    assert main(["explain", "f.csv", "x", "y", "--exclude", "a", "-q"]) == 0
    assert "2 columns" in capsys.readouterr().out
    assert main(["rows", "f.csv", "f.csv", "--exclude-rows", "z"]) == 0
    assert "2 rows" in capsys.readouterr().out


def test_options_are_arguments_in_python(tmp_path):
    Path("t.txt").write_text("# ours\ns,x,y\na,1,2\nb,3,4\nc,1,1\n")
    batch.pairwise("t.txt", out="d.npy", transpose=True, comment="#", header=True)
    np.testing.assert_array_equal(
        np.load("d.npy"), cdist([[1, 3, 1], [2, 4, 1]], [[1, 3, 1], [2, 4, 1]])
    )
    with pytest.raises(TypeError, match="transposed"):
        batch.pairwise("t.txt", out="d.npy", transposed=True)


@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
def test_missing_values(capsys, tiles):
    Path("m.csv").write_text("k,a,b,c\nx,1,2,3\ny,3,NA,1\nz,0,0,5\n")
    command = ["pairwise", "m.csv", "-q", "-o", "d.npy", *tiles]
    assert main(command) == 2
    assert "NA marks a missing value" in capsys.readouterr().err
    assert main([*command, "--missing", "zero"]) == 0
    filled = A.copy()
    filled[1, 1] = 0
    np.testing.assert_array_equal(np.load("d.npy"), cdist(filled, filled))
    assert main([*command, "--missing", "nan"]) == 0
    filled[1] = np.nan
    expected = cdist(A, A)
    expected[1, :] = expected[:, 1] = np.nan
    np.testing.assert_array_equal(np.load("d.npy"), expected)


def test_rows_with_missing_values_are_neither_close_nor_far(capsys):
    Path("m.csv").write_text("k,a,b,c\nx,1,2,3\ny,3,NA,1\nz,0,0,5\n")
    assert main(["pairwise", "m.csv", "-q", "--missing", "nan"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "nan" in line] == []
    assert main(["pairwise", "m.csv", "-q", "--missing", "nan", "--plot", "p.png"]) == 2
    assert (
        capsys.readouterr().err
        == "jsdiv: p.png: rows with missing values have no place in a picture; "
        "say --missing zero, or leave them out\n"
    )


@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
def test_long_tables(tiles):
    lines = [f"{s},{c},{A[i, j]}" for j, c in enumerate("abc") for i, s in enumerate("xyz")]
    Path("l.csv").write_text("\n".join(["s,c,n", *lines, "x,a,1", "x,a,-0.0"]))
    assert main(["pairwise", "l.csv", "--long", "s,c,n", "-o", "d.csv", *tiles]) == 0
    matrix = A.copy()
    matrix[0, 0] += 1
    labels, distances = values("d.csv")
    assert labels == [["x"], ["y"], ["z"]]
    np.testing.assert_array_equal(distances, cdist(matrix, matrix))


class Stdin:
    def __init__(self, content):
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
def test_stdin(monkeypatch, capsys, tiles):
    monkeypatch.setattr(sys, "stdin", Stdin(Path("f.csv").read_bytes()))
    assert main(["pairwise", "-", "--format", "csv", "-o", "d.npy", *tiles]) == 0
    np.testing.assert_array_equal(np.load("d.npy"), cdist(A, A))
    assert capsys.readouterr().err.splitlines()[0] == f"-: {TAKEN}"


def test_stdin_needs_its_format(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Stdin(b""))
    assert main(["pairwise", "-"]) == 2
    assert (
        capsys.readouterr().err
        == "jsdiv: -: say which format stdin has, for example --format csv\n"
    )


@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
def test_stdout_has_the_values_and_nothing_else(capsysbinary, tiles):
    assert main(["pairwise", "f.csv", "-o", "d.csv", *tiles]) == 0
    capsysbinary.readouterr()
    assert main(["pairwise", "f.csv", "-o", "-", *tiles]) == 0
    captured = capsysbinary.readouterr()
    assert captured.out == Path("d.csv").read_bytes()
    assert b"Wrote" not in captured.err
    assert captured.err.splitlines()[0] == f"f.csv: {TAKEN}".encode()
    assert main(["neighbors", "f.csv", "-o", "-", "-q", "-k", "1"]) == 0
    assert capsysbinary.readouterr().out.startswith(b'"k","neighbor","jensenshannon"\n"x","y",')


def test_stdout_cannot_go_on(capsys):
    assert main(["pairwise", "f.csv", "-o", "-", "--resume"]) == 2
    assert "-: --resume: what is written to stdout is not kept" in capsys.readouterr().err


def test_close_pairs_have_their_labels():
    assert main(["pairwise", "f.csv", "-o", "d.parquet", "--max-distance", "1"]) == 0
    table = parquet.read_table("d.parquet").to_pydict()
    assert list(table) == ["i", "j", "label_i", "label_j", "jensenshannon"]
    assert (table["label_i"], table["label_j"]) == (["x", "x", "y"], ["y", "z", "z"])
    batch.pairwise(A, out="d.parquet", max_distance=1)
    assert parquet.read_table("d.parquet").column_names == ["i", "j", "jensenshannon"]


def test_an_unfinished_run_of_another_reading_is_not_gone_on_with(monkeypatch):
    class Stopped:
        workers = 1

        def results(self, function, tasks):
            yield function(next(tasks))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        batch.pairwise("f.csv", out="d.npy", tile=1, executor=Stopped())
    with pytest.raises(FileError, match="table"):
        batch.pairwise("f.csv", out="d.npy", tile=1, resume=True, exclude="a")


@pytest.mark.parametrize("tiles", TILES, ids=["in memory", "in tiles"])
@pytest.mark.parametrize("name", ["d.csv.gz", "D.TSV.GZ"])
def test_compressed_text_is_written(tiles, name):
    plain = name.lower().removesuffix(".gz")
    for output in (name, plain, name):
        assert main(["pairwise", "f.csv", "-q", "-o", output, *tiles]) == 0
    assert gzip.decompress(Path(name).read_bytes()) == Path(plain).read_bytes()
    once = Path(name).read_bytes()
    assert main(["pairwise", "f.csv", "-q", "-o", name, *tiles]) == 0
    assert Path(name).read_bytes() == once
    np.testing.assert_array_equal(
        read_rows(name, TableOptions(header=True)).labels, ["x", "y", "z"]
    )
