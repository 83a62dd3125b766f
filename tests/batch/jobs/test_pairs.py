"""Comparisons in tiles: every input and output, against the functions in memory."""

import csv
from operator import attrgetter

import numpy as np
import pytest
import zarr
from pyarrow import parquet

from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.run.executor import Threads
from jsdiv_numba.distance import cdist, jensenshannon
from tests import batch_files

X, Y = batch_files.rows(23), batch_files.rows(9, seed=1)
LABELS = [f"r{i}" for i in range(23)]


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "y.npy", Y)
    return batch_files.write_every_format(tmp_path, X)


def read(path):
    """Return the values of an output, whatever its format, and its columns of text."""
    if path.suffix == ".npy":
        return np.load(path), []
    if path.suffix == ".zarr":
        return zarr.open_array(path, mode="r")[:], []
    if path.suffix == ".parquet":
        columns = parquet.read_table(path).to_pydict()
    else:
        with path.open(newline="") as file:
            delimiter = "\t" if path.suffix == ".tsv" else ","
            header, *lines = csv.reader(file, delimiter=delimiter)
        columns = dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))
    text = [c for name, c in columns.items() if name in {"name", "p", "q", "row"}]
    values = [list(map(float, c)) for n, c in columns.items() if n not in {"name", "p", "q", "row"}]
    return np.squeeze(np.array(values).T), text


def test_every_format_in(files, tmp_path):
    expected = cdist(X, X)
    for file in files:
        out = tmp_path / "d.npy"
        summary = batch.pairwise(file, out=out, tile=5)
        np.testing.assert_array_equal(np.load(out), expected)
        assert summary == (out, 15, 0, 0, None)
    assert not list(tmp_path.glob("*.partial"))


SUFFIXES = ["npy", "zarr", "parquet", "csv", "tsv"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("tile", [None, 4])
def test_every_format_out(files, tmp_path, suffix, tile):
    named = str(tmp_path / "x.csv")
    for second, matrix in ((None, cdist(X, X)), (X[:9], cdist(X, X[:9]))):
        out = tmp_path / f"d{second is None}.{suffix}"
        batch.pairwise(named, second, out=out, tile=tile, workers=2)
        values, text = read(out)
        np.testing.assert_array_equal(values, matrix)
        assert text == ([] if suffix in {"npy", "zarr"} else [LABELS])
    out = tmp_path / f"rows.{suffix}"
    batch.rows(named, X[::-1], out=out, tile=tile, base=2)
    values, text = read(out)
    np.testing.assert_array_equal(values, jensenshannon(X, X[::-1], 2, axis=1))
    assert [names[0] for names in text] == ([] if suffix in {"npy", "zarr"} else ["r0", "row 0"])


def test_a_chunk_for_each_tile(tmp_path):
    batch.pairwise(X, out=tmp_path / "d.zarr", tile=6)
    assert zarr.open_array(tmp_path / "d.zarr", mode="r").chunks == (6, 6)


@pytest.mark.parametrize("dtype", ["float32", "float16", ">f8", "int32", "bool"])
def test_values_are_those_of_cdist_for_any_dtype(tmp_path, dtype):
    counts = np.round(X * 100 + 1).astype(dtype)
    np.save(tmp_path / "x.npy", counts)
    batch.pairwise(tmp_path / "x.npy", out=tmp_path / "d.npy", tile=4, metric="js_divergence")
    expected = cdist(counts, counts, "js_divergence")
    np.testing.assert_array_equal(np.load(tmp_path / "d.npy"), expected, strict=True)


@pytest.mark.parametrize("tile", [None, 3])
def test_a_sparse_edge_list(tmp_path, tile):
    full = cdist(X, X)
    bound = float(np.quantile(full, 0.3))
    out = tmp_path / "edges.parquet"
    batch.pairwise(X, out=out, max_distance=bound, tile=tile)
    edges = parquet.read_table(out)
    i, j = np.nonzero(np.triu(full <= bound, 1))
    assert edges.column_names == ["i", "j", "jensenshannon"]
    np.testing.assert_array_equal(edges["i"], i)
    np.testing.assert_array_equal(edges["j"], j)
    np.testing.assert_array_equal(edges["jensenshannon"], full[i, j])
    batch.pairwise(X, Y, out=out, max_distance=bound, tile=tile)
    assert parquet.read_table(out).num_rows == np.count_nonzero(cdist(X, Y) <= bound)
    batch.pairwise(X, Y, out=out, max_distance=0.0, tile=tile)
    assert parquet.read_table(out).num_rows == 0


def test_more_edges_than_memory_are_an_error_that_says_so(tmp_path):
    with pytest.raises(FileError, match=r"^X, rows 0 to \d+: more than .* within 1; lower it, "):
        batch.pairwise(X, out=tmp_path / "e.parquet", max_distance=1, memory=10_000, workers=1)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("reduce", ["mean", "min", "max"])
def test_reduced_by_row(tmp_path, suffix, reduce):
    out = tmp_path / f"r.{suffix}"
    batch.pairwise(X, out=out, reduce=reduce, tile=4)
    full = cdist(X, X)
    expected = [getattr(np.delete(row, i), reduce)() for i, row in enumerate(full)]
    np.testing.assert_allclose(read(out)[0], expected, rtol=1e-15)


BAD = X.copy()
BAD[7, 3], BAD[11], BAD[20, 0] = -1, 0, np.inf


def test_a_bad_row_is_named_and_an_unfinished_run_without_tiles_leaves_nothing(tmp_path):
    np.save(tmp_path / "bad.npy", BAD)
    with pytest.raises(FileError) as error:
        batch.pairwise(tmp_path / "bad.npy", out=tmp_path / "d.npy")
    assert str(error.value) == (
        f"{tmp_path}/bad.npy, row 7, column 3: negative value -1.0; "
        "a distribution has no negative values"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npy"]


@pytest.mark.parametrize("suffix", ["npy", "parquet"])
@pytest.mark.parametrize("kind", ["npy", "csv", "csv.gz"])
def test_bad_rows_give_nan_and_are_listed(tmp_path, kind, suffix):
    file, out = tmp_path / f"bad.{kind}", tmp_path / f"d.{suffix}"
    batch_files.write_every_format(tmp_path, BAD)
    file = tmp_path / f"x.{kind}"
    summary = batch.pairwise(file, out=out, tile=4, on_bad="nan")
    expected = cdist(X, X)
    expected[[7, 11, 20]] = expected[:, [7, 11, 20]] = np.nan
    np.testing.assert_array_equal(read(out)[0], expected)
    assert summary.bad_rows == 3
    with summary.report.open(newline="") as listed:
        lines = list(csv.DictReader(listed))
    assert [(line["row"], line["value"]) for line in lines] == [
        ("7", "-1"),
        ("11", "nan"),
        ("20", "inf"),
    ]
    assert "every value is 0" in lines[1]["reason"]
    summary = batch.rows(file, X, out=out, tile=4, on_bad="nan")
    assert np.flatnonzero(np.isnan(read(out)[0])).tolist() == [7, 11, 20]
    assert summary.report == tmp_path / f"d.{suffix}.bad.csv"
    assert batch.rows(X, X, out=out).report is None
    assert not summary.report.exists()


def test_text_that_is_wrong_is_named_by_its_line(tmp_path):
    lines = batch_files.text(X).decode().splitlines()
    lines[20] = lines[20].replace(lines[20].split(",")[3], "-2")
    (tmp_path / "x.csv").write_text("\n".join(lines))
    with pytest.raises(FileError, match=r"x\.csv, line 21, column 'c2': negative value -2; "):
        batch.pairwise(tmp_path / "x.csv", out=tmp_path / "d.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metric": "cosine"}, "metric is 'cosine'; it must be one of 'jensenshannon', "),
        ({"base": 1}, "base is 1; it must be a finite number above 1"),
        ({"reduce": "sum"}, "reduce is 'sum'; it must be one of 'mean', 'min', 'max' or None"),
        ({"reduce": "min", "max_distance": 1}, "reduce and max_distance cannot be used together"),
        ({"on_bad": "skip"}, "on_bad is 'skip'; it must be one of 'error', 'nan'"),
        ({"tile": 0}, "tile is 0; it must be positive"),
        ({"tile": 1.5}, "tile is 1.5; it must be positive: a whole number of rows"),
        ({"memory": -1}, "memory is -1; it must be positive"),
        ({"memory": "500MB"}, "memory is '500MB'; it must be positive: a number of bytes"),
        ({"max_distance": np.nan}, "max_distance is nan; it must be a number that is not negative"),
        ({"max_distance": -1}, "max_distance is -1; it must be a number that is not negative"),
        ({"header": "no"}, "header is 'no'; it must be True, False or None"),
        ({"transpose": "no"}, "transpose is 'no'; it must be True or False"),
        ({"columns": 1.5}, "columns is 1.5; it must be names or numbers"),
        ({"workers": 0}, "workers is 0; it must be positive"),
        ({"workers": 2, "executor": Threads(1)}, "workers is 2, but an executor has its own; "),
        ({"transpose": True}, "transpose is True, but no file is read; pass arrays as they are to"),
        ({"missing": "zero", "Y": X}, "missing is 'zero', but no file is read; "),
        ({"max_distance": 1}, r"d.npy: unknown extension '.npy'; use .parquet"),
        ({"Y": X[:, :3]}, "Y: number of numeric columns is 3, but X has 7"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        batch.pairwise(X, out=tmp_path / "d.npy", **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": None}, "X is None; pass the name of a file, or an array"),
        ({"X": np.ma.masked_less(X, 0.1)}, "X is a masked array with masked entries"),
        ({"progress": True}, "progress is True; it must be an object with what jsdiv_numba"),
        ({"executor": 4}, "executor is 4; it must be an object with what jsdiv_numba"),
    ],
)
def test_arguments_of_no_use(tmp_path, arguments, message):
    with pytest.raises(TypeError, match=f"^{message}"):
        batch.pairwise(**{"X": X, "out": tmp_path / "d.npy"} | arguments)
    assert list(tmp_path.iterdir()) == []


def test_rows_are_of_two_inputs(tmp_path):
    with pytest.raises(TypeError, match=r"^Q is None; pass the name of a file"):
        batch.rows(X, None, out=tmp_path / "d.npy")


@pytest.mark.parametrize("view", [lambda X: X, lambda X: X[1:], np.asarray])
def test_the_file_of_a_mapped_array_is_not_written_over(tmp_path, view):
    np.save(tmp_path / "x.npy", X)
    mapped = view(np.load(tmp_path / "x.npy", mmap_mode="r"))
    with pytest.raises(FileError, match=r"x.npy: is read as well; write to another file"):
        batch.pairwise(mapped, out=tmp_path / "x.npy")
    assert np.array_equal(np.load(tmp_path / "x.npy"), X)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.abc", "unknown extension '.abc'; use .csv, .feather, .h5ad, .mtx, .npy, "),
        ("no.npy", "No such file or directory"),
        ("empty", "a folder without a Zarr array and without .parquet files"),
        ("text.npy", "damaged, cut short, not a NumPy file"),
        ("text.npz", "damaged, or not an .npz file"),
        ("two.npz", "say which of its arrays (a, b), as "),
        ("two.npz:c", "no array 'c' in "),
        ("no.npz", "it holds no array"),
        ("text.parquet", "not a readable Parquet file ("),
        ("flat.npy", "shape (3,); rows need a 2-D array"),
        ("complex.npy", "dtype complex128; values have to be real numbers"),
        ("none.npy", "shape (0, 3); there are no values"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    for suffix in ("npy", "npz", "parquet"):
        (tmp_path / f"text.{suffix}").write_text("no such thing at all")
    np.savez(tmp_path / "two.npz", a=X, b=X)
    np.savez(tmp_path / "no.npz")
    np.save(tmp_path / "flat.npy", np.ones(3))
    np.save(tmp_path / "complex.npy", X * 1j)
    np.save(tmp_path / "none.npy", np.ones((0, 3)))
    with pytest.raises(FileError) as error:
        batch.pairwise(tmp_path / name, out=tmp_path / "d.npy")
    assert str(error.value).startswith(f"{tmp_path / name}: {message}")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.glob("d.npy*"))


def test_a_folder_of_other_columns(tmp_path):
    (tmp_path / "parts").mkdir()
    parquet.write_table(batch_files.table(X), tmp_path / "parts" / "a.parquet")
    parquet.write_table(batch_files.table(X[:, :3]), tmp_path / "parts" / "b.parquet")
    with pytest.raises(FileError, match=r"b\.parquet: its columns are not those of .*a\.parquet"):
        batch.pairwise(tmp_path / "parts", out=tmp_path / "d.npy")


def test_names_and_docstrings():
    assert set(batch.__all__) <= set(dir(batch))
    for name in ("neighbors", "pairwise", "rows"):
        assert "Examples\n" in getattr(batch, name).__doc__
    with pytest.raises(AttributeError, match=r"module 'jsdiv_numba\.batch' has no attribute 'no'"):
        attrgetter("no")(batch)


@pytest.mark.parametrize("kind", [np.int64, np.float32, np.longdouble, np.array])
def test_numbers_of_numpys_are_arguments_as_pythons_are(kind, tmp_path):
    out = tmp_path / "d.npy"
    batch.pairwise(X, out=out, base=kind(2), tile=np.int64(7), memory=np.int64(10**6))
    np.testing.assert_array_equal(np.load(out), cdist(X, X, base=2))
    table = tmp_path / "d.parquet"
    batch.pairwise(X, out=table, base=kind(2), max_distance=kind(1))
    batch.neighbors(X, out=tmp_path / "n.npy", base=kind(2), n_neighbors=np.array(3))
    with pytest.raises(TypeError, match=r"^n_neighbors is 2\.5; it must be an integer$"):
        batch.neighbors(X, out=tmp_path / "n.npy", n_neighbors=2.5)


ASYMMETRIC = [{"weight": 0.2}, {"metric": "kl_divergence", "base": 2}]


@pytest.mark.parametrize("options", ASYMMETRIC, ids=str)
@pytest.mark.parametrize("tile", [None, 5])
def test_values_that_are_not_symmetric_are_those_of_cdist(tmp_path, options, tile):
    X = batch_files.rows(23)
    X[3, :2] = 0
    full = cdist(X, X, **options)
    out = tmp_path / "d.npy"
    batch.pairwise(X, out=out, tile=tile, **options)
    np.testing.assert_array_equal(np.load(out), full)
    batch.pairwise(X[:4], X, out=out, tile=tile, **options)
    np.testing.assert_array_equal(np.load(out), full[:4])
    bound, edges = float(np.quantile(full, 0.3)), tmp_path / "edges.parquet"
    batch.pairwise(X, out=edges, max_distance=bound, tile=tile, **options)
    i, j = np.nonzero((full <= bound) & ~np.eye(23, dtype=bool))
    found = parquet.read_table(edges)
    np.testing.assert_array_equal(found["i"], i)
    np.testing.assert_array_equal(found["j"], j)
    np.testing.assert_array_equal(found.column(2), full[i, j])
    batch.pairwise(X, out=out, reduce="max", tile=tile, **options)
    expected = [np.delete(row, i).max() for i, row in enumerate(full)]
    np.testing.assert_array_equal(np.load(out), expected)


def test_bad_rows_of_what_is_not_symmetric_are_listed_once(tmp_path):
    X = batch_files.rows(13)
    X[[2, 11], 0] = np.nan
    summary = batch.pairwise(X, out=tmp_path / "d.npy", weight=0.1, tile=4, on_bad="nan")
    assert summary.bad_rows == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight": 2}, "weight is 2; a weight must be between 0 and 1"),
        ({"weight": 0.2, "metric": "kl_divergence"}, "weight is 0.2; metric='kl_divergence' takes"),
        ({"weight": 0.2, "test": True}, "test and weight cannot be used together"),
        ({"metric": "kl_divergence", "test": True}, "test and metric='kl_divergence' cannot be"),
    ],
)
def test_weights_that_pairs_do_not_have_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        batch.pairwise(X, out=tmp_path / "d.npy", **options)
