"""Sparse rows of files: every job has the bits of the functions in memory, whatever the tiles."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from scipy import io, sparse

from jsdiv_numba import batch, cdist, cli, contributions, jensenshannon, kneighbors
from jsdiv_numba.batch.errors import FileError
from tests.batch.io.test_inputs import write_anndata
from tests.batch.run.test_resume import stop_after


def counts(number, width, seed, filled=0.15):
    rng = np.random.default_rng(seed)
    rows = rng.poisson(3, (number, width)) * (rng.random((number, width)) < filled)
    rows[:, :2] += 1
    return sparse.csr_array(rows.astype(float))


X, Y = counts(40, 300, 0), counts(17, 300, 1)
SIZES = [{}, {"tile": 17}]


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sparse.save_npz("x.npz", X)
    sparse.save_npz("y.npz", sparse.csc_array(Y))
    io.mmwrite("x.mtx", X)
    write_anndata(Path("x.h5ad"), X.toarray(), "csc_matrix")
    places = sparse.coo_array(X)
    lines = [f"r{i:02},c{j:03},{v}" for i, j, v in zip(*places.coords, places.data, strict=True)]
    Path("long.csv").write_text("\n".join(["sample,category,count", *lines]))


@pytest.mark.parametrize("file", ["x.npz", "x.mtx", "x.h5ad", X, sparse.csc_matrix(X)], ids=str)
def test_all_pairs(file):
    batch.pairwise(file, out="d.npy", tile=17)
    np.testing.assert_array_equal(np.load("d.npy"), cdist(X, X))
    batch.pairwise(file, "y.npz", out="d.npy", metric="js_divergence")
    np.testing.assert_array_equal(np.load("d.npy"), cdist(X, Y, "js_divergence"))


def test_little_memory_makes_small_tiles():
    assert batch.pairwise("x.npz", out="d.npy", memory=150_000, workers=2).tiles > 3
    np.testing.assert_array_equal(np.load("d.npy"), cdist(X, X))


def test_the_two_sides_may_differ():
    for file in ("x.npz", X):
        batch.pairwise(file, Y.toarray(), out="d.npy", tile=9)
        np.testing.assert_array_equal(np.load("d.npy"), cdist(X, Y.toarray()))


def test_a_long_table():
    batch.pairwise("long.csv", out="d.parquet", long="sample,category,count", tile=17)
    found = parquet.read_table("d.parquet")
    assert found.column("sample").to_pylist() == [f"r{i:02}" for i in range(40)]
    values = np.array([found.column(name) for name in found.column_names[1:]]).T
    np.testing.assert_array_equal(values, cdist(X, X))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pairs_up_to_a_distance_and_reduced(size):
    full = cdist(X, X)
    bound = float(np.quantile(full, 0.2))
    batch.pairwise("x.h5ad", out="e.parquet", max_distance=bound, **size)
    edges = parquet.read_table("e.parquet")
    i, j = np.nonzero(np.triu(full <= bound, 1))
    np.testing.assert_array_equal(edges["jensenshannon"], full[i, j])
    assert edges["label_j"].to_pylist() == [f"c{k}" for k in j]
    batch.pairwise("x.npz", out="r.npy", reduce="min", **size)
    np.testing.assert_array_equal(
        np.load("r.npy"), np.where(np.eye(40, dtype=bool), 9, full).min(axis=1)
    )


def test_row_by_row():
    other = X[::-1]
    batch.rows("x.npz", other, out="d.npy", tile=17)
    np.testing.assert_array_equal(np.load("d.npy"), jensenshannon(X, other, axis=1))
    write_anndata(Path("y.h5ad"), X.toarray()[:30])
    Path("reversed.csv").write_text(
        "\n".join(
            [
                "cell," + ",".join(f"g{j}" for j in range(300)),
                *(f"c{i}," + ",".join(map(str, row)) for i, row in enumerate(Y.toarray())),
            ]
        )
    )
    # Rows of the same name are compared, wherever they stand.
    with pytest.warns(batch.TableWarning, match="13 rows left out"):
        batch.rows("y.h5ad", "reversed.csv", out="d.npy")
    np.testing.assert_array_equal(np.load("d.npy"), jensenshannon(X[:17], Y.toarray(), axis=1))


def test_neighbours():
    for second, others in ((None, None), ("y.npz", Y)):
        batch.neighbors("x.mtx", second, out="n.npy", n_neighbors=4, tile=17)
        values, indices = kneighbors(X, others, 4)
        found = np.load("n.npy")
        np.testing.assert_array_equal(found["neighbor"], indices)
        np.testing.assert_array_equal(found["jensenshannon"], values)


def changed(places, value):
    rows = X.toarray()
    rows[places] = value
    return rows


BAD = changed((3, 5), -1)
BAD[9, 8], BAD[20] = np.inf, 0
BAD = sparse.csr_array(BAD)


def test_bad_rows_are_named_or_give_nan():
    for file in (BAD, "bad.npz"):
        sparse.save_npz("bad.npz", BAD)
        named = "X" if file is BAD else "bad.npz"
        with pytest.raises(FileError, match=rf"^{named}, row 3, column 5: negative value -1\.0"):
            batch.pairwise(file, out="d.npy")
        summary = batch.pairwise(file, out="d.npy", on_bad="nan", tile=9)
        assert summary.bad_rows == 3
        found, expected = np.load("d.npy"), cdist(X, X)
        expected[[3, 9, 20]] = expected[:, [3, 9, 20]] = np.nan
        np.testing.assert_array_equal(found, expected)
        listed = Path("d.npy.bad.csv").read_text().splitlines()[1:]
        assert [line.split(",")[1] for line in listed] == ['"3"', '"9"', '"20"']
        batch.rows(file, X, out="d.npy", on_bad="nan")
        assert np.flatnonzero(np.isnan(np.load("d.npy"))).tolist() == [3, 9, 20]
        batch.neighbors(file, X, out="n.npy", n_neighbors=2, on_bad="nan")
        assert np.flatnonzero((np.load("n.npy")["neighbor"] < 0).all(axis=1)).tolist() == [3, 9, 20]


def test_missing_values_are_zeros_or_make_distances_that_are_not_known():
    sparse.save_npz("missing.npz", sparse.csr_array(changed((3, 5), np.nan)))
    batch.pairwise("missing.npz", out="d.npy", missing="nan")
    assert np.isnan(np.load("d.npy")).sum() == 2 * 40 - 1
    assert cli.main(["pairwise", "missing.npz", "-o", "m.csv", "--missing", "nan", "-q"]) == 0
    in_memory = np.loadtxt("m.csv", delimiter=",", skiprows=1, usecols=range(1, 41))
    np.testing.assert_array_equal(in_memory, np.load("d.npy"))
    batch.pairwise("missing.npz", out="d.npy", missing="zero")
    rows = sparse.csr_array(changed((3, 5), 0))
    np.testing.assert_array_equal(np.load("d.npy"), cdist(rows, rows))


def test_the_command_in_memory_and_in_tiles_has_the_same_bits():
    for more in ([], ["--tile", "7"]):
        assert cli.main(["pairwise", "x.npz", "y.npz", "-o", "d.npy", "-q", *more]) == 0
        np.testing.assert_array_equal(np.load("d.npy"), cdist(X, Y))
        assert cli.main(["rows", "x.h5ad", "x.npz", "-o", "d.npy", "-q", *more]) == 0
        assert not np.load("d.npy").any()


def test_two_rows_are_explained_by_the_names_of_their_columns(capsys):
    assert cli.main(["explain", "x.h5ad", "c0", "c1", "--top", "2"]) == 0
    shown = capsys.readouterr().out
    for part in contributions(X[[0]], X[[1]], normalise=True, top=2):
        assert f"g{part.label} " in shown
    assert "298 others" in shown


def test_tests_of_counts_have_the_bits_of_dense_ones():
    for file, name in (("x.npz", "sparse.parquet"), (X.toarray(), "dense.parquet")):
        batch.pairwise(file, out=name, test=True, tile=17)
        batch.rows(file, X[::-1], out=f"rows-{name}", test=True)
        batch.neighbors(file, Y, out=f"near-{name}", n_neighbors=2, test=True)
    for name in ("sparse.parquet", "rows-sparse.parquet", "near-sparse.parquet"):
        found, expected = (
            parquet.read_table(each).to_pandas() for each in (name, name.replace("sparse", "dense"))
        )
        for column in ("corrected", "p", "q"):
            np.testing.assert_array_equal(found[column], expected[column])
    fractions = sparse.csr_array(changed((3, 5), 0.5))
    with pytest.raises(FileError, match=r"^X, row 3, column 5: 0\.5 is no count"):
        batch.pairwise(fractions, out="d.csv", test=True)


def test_a_run_that_was_stopped_goes_on_with_the_copies_that_it_has(monkeypatch):
    stop_after(3, "x.mtx", "d.npy")
    monkeypatch.setattr("jsdiv_numba.batch.io.inputs._write_sparse", None)
    summary = batch.pairwise("x.mtx", out="d.npy", tile=8, resume=True)
    assert (summary.tiles, summary.resumed) == (15, 3)
    np.testing.assert_array_equal(np.load("d.npy"), cdist(X, X))
    assert not list(Path().glob("*.partial"))


def test_a_matrix_without_names_needs_no_arrow():
    code = (
        "import sys; from jsdiv_numba.batch import pairwise; "
        "pairwise('x.npz', out='d.npy'); assert 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
