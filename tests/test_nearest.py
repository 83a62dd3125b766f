"""``jsdiv neighbors``: a line for each row and neighbour."""

from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from jsdiv_numba import cli, kneighbors

COUNTS = np.array([[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8], [1, 1, 1]])


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"r{i},{a},{b},{c}" for i, (a, b, c) in enumerate(COUNTS)]
    Path("counts.csv").write_text("\n".join(["word,x,y,z", *lines]), encoding="utf-8")


def test_each_row_has_its_neighbours_in_order():
    assert cli.main(["neighbors", "counts.csv", "-k", "2", "-o", "out.parquet", "--base", "2"]) == 0
    table = parquet.read_table("out.parquet").to_pydict()
    distances, indices = kneighbors(COUNTS, n_neighbors=2, base=2)
    assert table["word"] == [f"r{i}" for i in range(5) for _ in range(2)]
    assert table["neighbor"] == [f"r{j}" for j in indices.ravel()]
    assert table["jensenshannon"] == distances.ravel().tolist()


def test_the_neighbours_may_be_rows_of_another_file(capsys):
    np.save("queries.npy", COUNTS[:2])
    arguments = ["neighbors", "queries.npy", "counts.csv", "-k", "1", "-o", "out.csv"]
    assert cli.main(arguments) == 0
    assert "out.csv" in capsys.readouterr().out
    lines = Path("out.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[1].strip('"') for line in lines] == ["neighbor", "r0", "r1"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-k", "5"], "counts.csv: 5 neighbours of a row are wanted of 4"),
        (["-k", "0"], "Invalid value for '-k' / '--number'"),
    ],
)
def test_what_cannot_be_found_is_said(arguments, error, capsys):
    assert cli.main(["neighbors", "counts.csv", "-o", "out.csv", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"jsdiv: {error}")
    assert not Path("out.csv").exists()
