"""Neighbours over files: every input and output, against the functions in memory."""

import csv
from pathlib import Path

import numpy as np
import pytest
import zarr
from pyarrow import parquet

from jsdiv_numba import batch, cdist, cli, kneighbors, radius_neighbors
from jsdiv_numba.batch.errors import FileError
from tests import batch_files

X, Y = batch_files.rows(23), batch_files.rows(9, seed=1)
COUNTS = np.array([[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8], [1, 1, 1]])


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"r{i},{a},{b},{c}" for i, (a, b, c) in enumerate(COUNTS)]
    Path("counts.csv").write_text("\n".join(["word,x,y,z", *lines]), encoding="utf-8")


def table(path):
    """Return the columns of a table of any format."""
    if path.endswith(".parquet"):
        return parquet.read_table(path).to_pydict()
    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t" if path.endswith(".tsv") else ","))
    return {name: [line[name] for line in lines] for name in lines[0]}


@pytest.mark.parametrize(
    "size", [{}, {"tile": 1}, {"tile": 5, "workers": 2}, {"memory": 5_000}], ids=str
)
def test_the_size_of_tiles_changes_no_bit(size):
    for second, others in ((None, X), (Y, Y)):
        batch.neighbors(X, second, out="found.npy", n_neighbors=4, base=2, **size)
        found = np.load("found.npy")
        values, indices = kneighbors(X, second, 4, base=2)
        assert found.dtype.names == ("neighbor", "jensenshannon")
        np.testing.assert_array_equal(found["neighbor"], indices)
        assert found["jensenshannon"].tobytes() == values.tobytes()
        assert found["neighbor"].max() < len(others)


def test_every_format_in(tmp_path):
    _, indices = kneighbors(X)
    for file in batch_files.write_every_format(tmp_path, X):
        summary = batch.neighbors(file, out="found.parquet", tile=6)
        assert summary == (Path("found.parquet"), 4, 0, 0, None)
        found = table("found.parquet")
        named = "r" if "name" in found else "row "
        assert found.pop("neighbor") == [f"{named}{j}" for j in indices.ravel()]
        assert found.popitem()[0] == "jensenshannon"
        assert found.popitem()[1] == [f"{named}{i}" for i in range(23) for _ in range(5)]
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv"])
def test_a_line_for_each_row_and_neighbour(suffix):
    out = f"found.{suffix}"
    batch.neighbors("counts.csv", COUNTS[::-1], out=out, n_neighbors=2, metric="js_divergence")
    values, indices = kneighbors(COUNTS, COUNTS[::-1], 2, metric="js_divergence")
    found = table(out)
    assert list(found) == ["word", "neighbor", "js_divergence"]
    assert found["word"] == [f"r{i}" for i in range(5) for _ in range(2)]
    assert found["neighbor"] == [f"row {j}" for j in indices.ravel()]
    assert list(map(float, found["js_divergence"])) == values.ravel().tolist()


def test_a_zarr_group_of_two_arrays():
    batch.neighbors(X, out="found.zarr", n_neighbors=3, tile=6)
    values, indices = kneighbors(X, n_neighbors=3)
    group = zarr.open_group("found.zarr", mode="r")
    assert sorted(group) == ["jensenshannon", "neighbor"]
    assert group["neighbor"].chunks == (6, 3)
    np.testing.assert_array_equal(group["neighbor"][:], indices)
    np.testing.assert_array_equal(group["jensenshannon"][:], values)
    with pytest.raises(FileError, match=r"found\.zarr: exists, and a folder is not replaced"):
        batch.neighbors(X, out="found.zarr")


@pytest.mark.parametrize("tile", [None, 4])
@pytest.mark.parametrize("second", [None, Y], ids=["one file", "two"])
def test_all_within_a_distance(second, tile):
    batch.neighbors(X, second, out="found.csv", max_distance=0.35, tile=tile, memory=100_000)
    values, indices = radius_neighbors(X, second, 0.35)
    found = table("found.csv")
    assert found["row"] == [f"row {i}" for i, row in enumerate(indices) for _ in row]
    assert found["neighbor"] == [f"row {j}" for j in np.concatenate(indices)]
    assert list(map(float, found["jensenshannon"])) == np.concatenate(values).tolist()


def test_nothing_within_a_distance():
    batch.neighbors(X, out="found.parquet", max_distance=0.0)
    found = parquet.read_table("found.parquet")
    assert found.column_names == ["row", "neighbor", "jensenshannon"]
    assert found.num_rows == 0


def test_more_pairs_than_memory_are_an_error_that_says_so():
    with pytest.raises(FileError, match=r"^X, rows 0 to \d+: more than .* within 1; lower it, "):
        batch.neighbors(X, out="e.parquet", max_distance=1, memory=10_000, workers=1)


@pytest.mark.parametrize("size", [{}, {"tile": 4, "memory": 50_000}], ids=str)
def test_bad_rows_are_near_to_none_and_listed(size):
    bad = X.copy()
    bad[7, 3], bad[11], bad[20, 0] = -1, 0, np.inf
    expected = X.copy()
    expected[[7, 11, 20]] = np.nan
    summary = batch.neighbors(bad, out="found.npy", n_neighbors=21, on_bad="nan", **size)
    values, indices = kneighbors(expected, n_neighbors=21)
    # A bad row is nobody's neighbour, and has none.
    indices[np.isnan(values)] = -1
    found = np.load("found.npy")
    np.testing.assert_array_equal(found["neighbor"], indices)
    np.testing.assert_array_equal(found["jensenshannon"], values)
    assert summary.bad_rows == 3
    assert table(str(summary.report))["row"] == ["7", "11", "20"]
    assert batch.neighbors(X, bad, out="found.npy", on_bad="nan", **size).bad_rows == 3
    batch.neighbors(bad, out="found.parquet", n_neighbors=21, on_bad="nan", **size)
    columns = parquet.read_table("found.parquet").to_pydict()
    names = [None if j < 0 else f"row {j}" for j in indices.ravel()]
    assert columns["neighbor"] == names
    batch.neighbors(bad, out="found.csv", n_neighbors=21, on_bad="nan", **size)
    assert table("found.csv")["neighbor"] == [name or "" for name in names]
    summary = batch.neighbors(bad, Y, out="found.csv", max_distance=1, on_bad="nan", **size)
    assert {"row 7", "row 11", "row 20"}.isdisjoint(table("found.csv")["row"])
    with pytest.raises(FileError, match=r"^X, row 7, column 3: negative value -1\.0; a dist"):
        batch.neighbors(bad, out="found.npy", workers=1, **size)


def test_labels_may_be_called_like_the_other_columns():
    Path("n.csv").write_text("neighbor,x,y\na,1,2\nb,2,1\n", encoding="utf-8")
    batch.neighbors("n.csv", out="found.csv", n_neighbors=1)
    lines = Path("found.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[:2] for line in lines] == [
        ['"neighbor"', '"neighbor"'],
        ['"a"', '"b"'],
        ['"b"', '"a"'],
    ]
    with pytest.raises(FileError, match="2 columns would be called 'neighbor'"):
        batch.neighbors("n.csv", out="found.parquet", n_neighbors=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors is 0; it must be at least 1"),
        ({"max_distance": -1}, "max_distance is -1; it must be a number that is not negative"),
        ({"max_distance": np.nan}, "max_distance is nan; it must be a number that is not negative"),
        ({"n_neighbors": 1, "max_distance": 1}, "n_neighbors and max_distance cannot be used toge"),
        ({"n_neighbors": 23}, "X: 23 neighbours of a row are wanted, but there are only 22"),
        ({"Y": Y, "n_neighbors": 10}, "Y: 10 neighbours of a row are wanted, but there are only 9"),
        ({"Y": X[:, :3]}, "Y: number of numeric columns is 3, but X has 7"),
        ({"metric": "cosine"}, "metric is 'cosine'; it must be one of 'jensenshannon', "),
        (
            {"max_distance": 1},
            "found.npy: unknown extension '.npy'; use .parquet, .csv, .tsv, .csv.gz, .tsv.gz",
        ),
    ],
)
def test_wrong_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        batch.neighbors(X, out=tmp_path / "found.npy", **arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["counts.csv"]


def test_the_command_writes_neighbours_in_order(capsys):
    assert cli.main(["neighbors", "counts.csv", "-k", "2", "-o", "out.parquet", "--base", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Compared in 1 tile",
        "",
        "Wrote out.parquet",
    ]
    found = parquet.read_table("out.parquet").to_pydict()
    distances, indices = kneighbors(COUNTS, n_neighbors=2, base=2)
    assert found["word"] == [f"r{i}" for i in range(5) for _ in range(2)]
    assert found["neighbor"] == [f"r{j}" for j in indices.ravel()]
    assert found["jensenshannon"] == distances.ravel().tolist()


def test_the_command_takes_a_second_file_and_the_options_of_tiles(capsys):
    np.save("queries.npy", COUNTS[:3])
    arguments = ["neighbors", "queries.npy", "counts.csv", "-o", "out.csv", "-q", "--resume"]
    assert cli.main([*arguments, "--max-distance", "0.1", "--tile", "2", "--memory", "1MB"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Compared in 2 tiles\n")
    assert captured.err == ""
    assert table("out.csv")["neighbor"] == ["r0", "r1", "r1", "r0", "r2", "r3"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-k", "5"], "counts.csv: 5 neighbours of a row are wanted, but there are only 4"),
        (["-k", "0"], "Invalid value for '-k' / '--number'"),
        (["-k", "1", "--max-distance", "1"], "--number and --max-distance: one of them, not both"),
        (["--max-distance", "nan"], "Invalid value for '--max-distance': nan is not a finite"),
        (["--scheduler", "local:0"], "--scheduler local:0: neither an address, such as"),
    ],
)
def test_what_cannot_be_found_is_said(arguments, error, capsys):
    assert cli.main(["neighbors", "counts.csv", "-o", "out.csv", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"jsdiv: {error}")
    assert not Path("out.csv").exists()


@pytest.mark.parametrize("options", [{"weight": 0.2}, {"metric": "kl_divergence"}], ids=str)
def test_by_what_is_not_symmetric(options):
    X = batch_files.rows(40)
    X[:30, 0] = 0
    for second in (None, X[:17]):
        values, indices = kneighbors(X, second, 9, **options)
        for size in ({"tile": 7}, {"memory": 5_000}):
            batch.neighbors(X, second, out="found.npy", n_neighbors=9, **options, **size)
            found = np.load("found.npy")
            np.testing.assert_array_equal(found["neighbor"], indices)
            np.testing.assert_array_equal(found[found.dtype.names[1]], values)
        radius = float(np.median(values))
        batch.neighbors(X, second, out="found.csv", max_distance=radius, tile=7, **options)
        _, within = radius_neighbors(X, second, radius, **options)
        assert len(table("found.csv")["neighbor"]) == sum(map(len, within))


def test_the_command_takes_measures_that_are_not_symmetric(capsys):
    for options in (["--weight", "0.2"], ["--metric", "kl_divergence", "--base", "2"]):
        assert cli.main(["neighbors", "counts.csv", "-k", "2", "-o", "near.csv", *options]) == 0
        assert cli.main(["pairwise", "counts.csv", "-o", "d.npy", *options]) == 0
        given = {"weight": 0.2} if "0.2" in options else {"metric": "kl_divergence", "base": 2}
        np.testing.assert_array_equal(np.load("d.npy"), cdist(COUNTS, COUNTS, **given))
        named = [f"r{j}" for j in kneighbors(COUNTS, n_neighbors=2, **given)[1].ravel()]
        assert table("near.csv")["neighbor"] == named
        said = capsys.readouterr().out
        assert "5 rows × 3 columns; 20 pairs" in said
        assert "r0  r0" not in said.replace("   ", "  ")
    for more in (["--plot", "d.png"], ["--test"]):
        assert cli.main(["pairwise", "counts.csv", "--weight", "0.2", *more]) == 2
        assert capsys.readouterr().err == (
            f"jsdiv: {more[0]} and --weight: one of them, not both: two rows have different values "
            "either way\n"
        )
    assert cli.main(["pairwise", "counts.csv", "--weight", "0.2", *options]) == 2
    assert "--weight and --metric kl_divergence: one of them, not both" in capsys.readouterr().err
