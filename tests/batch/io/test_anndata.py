"""AnnData's files: names of cells and genes, layers, and what is wrong with them."""

import sys

import h5py
import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.cli import main
from tests.batch.io.test_inputs import write_anndata

X = np.random.default_rng(0).poisson(0.5, (6, 8)) + np.eye(6, 8)


def test_cells_and_genes_have_their_names(tmp_path):
    rows = read_rows(str(write_anndata(tmp_path / "x.h5ad", X)))
    assert rows.labels == tuple(f"c{i}" for i in range(6))
    assert rows.columns == tuple(f"g{i}" for i in range(8))
    np.testing.assert_array_equal(rows.values.toarray(), X)


def test_cells_are_matched_by_their_names_in_memory_too(tmp_path, capsys):
    one = write_anndata(tmp_path / "x.h5ad", X)
    other = write_anndata(tmp_path / "y.h5ad", X[::-1])
    with h5py.File(other, "a") as file:
        file["obs/_index"][:] = [f"c{i}" for i in reversed(range(6))]
    reading = read_rows(str(one)).reading
    assert "; rows labelled by the names of its cells; 8 categories" in str(reading)
    assert main(["rows", str(one), str(other), "-q"]) == 0
    values = [line.split() for line in capsys.readouterr().out.splitlines()[-6:]]
    assert values == [[f"c{i}", "0.0000"] for i in range(6)]


def test_float32_stays_what_it_is(tmp_path):
    rows = read_rows(str(write_anndata(tmp_path / "x.h5ad", X.astype(np.float32))))
    assert rows.values.dtype == np.float32


def test_a_layer(tmp_path):
    path = write_anndata(tmp_path / "x.h5ad", X, layer=2 * X)
    np.testing.assert_array_equal(read_rows(f"{path}:layers/raw").values.toarray(), 2 * X)
    for name in ("layers/a", "layers", "obs"):
        with pytest.raises(FileError, match=rf"no matrix '{name}' in .*; it has X, layers/raw$"):
            read_rows(f"{path}:{name}")


def test_genes_are_chosen_by_their_names(tmp_path):
    path = write_anndata(tmp_path / "x.h5ad", X)
    rows = read_rows(str(path), TableOptions(exclude=["g0", "g7"], exclude_rows=["c1"]))
    assert rows.columns == tuple(f"g{i}" for i in range(1, 7))
    np.testing.assert_array_equal(rows.values.toarray(), np.delete(X, 1, axis=0)[:, 1:7])
    cells = read_rows(str(path), TableOptions(transpose=True))
    assert (cells.labels, cells.columns) == (
        tuple(f"g{i}" for i in range(8)),
        tuple(f"c{i}" for i in range(6)),
    )


def test_an_older_file_without_names_of_its_frames(tmp_path):
    path = write_anndata(tmp_path / "x.h5ad", X)
    with h5py.File(path, "a") as file:
        del file["obs"], file["var"], file["X"].attrs["encoding-type"], file["X"].attrs["shape"]
        file["X"].attrs["h5sparse_format"] = b"csr"
        file["X"].attrs["h5sparse_shape"] = X.shape
    rows = read_rows(str(path))
    assert (rows.labels[0], rows.columns) == ("row 0", None)
    np.testing.assert_array_equal(rows.values.toarray(), X)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda x: x.attrs.__setitem__("encoding-type", "array"), "its encoding is 'array'"),
        (lambda x: x["indices"].write_direct(np.full(x["indices"].shape, 8, np.int32)), "outside"),
        (lambda x: x["indptr"].write_direct(np.full(7, 3, np.int32)), "its indptr are no places"),
        (lambda x: x.__delitem__("data"), "damaged, or not"),
        (lambda x: x.attrs.__delitem__("shape"), r"shape \(\); rows need a 2-D array"),
    ],
)
def test_damaged_files_are_errors(tmp_path, damage, message):
    path = write_anndata(tmp_path / "x.h5ad", X)
    with h5py.File(path, "a") as file:
        damage(file["X"])
    with pytest.raises(FileError, match=rf"x\.h5ad: .*{message}"):
        read_rows(str(path))


@pytest.mark.parametrize(("frame", "number"), [("obs", 6), ("var", 8)])
def test_names_of_an_axis_of_another_length_are_damage(tmp_path, frame, number):
    path = write_anndata(tmp_path / "x.h5ad", X)
    with h5py.File(path, "a") as file:
        del file[f"{frame}/_index"]
        file[f"{frame}/_index"] = ["a", "b"]
    with pytest.raises(FileError, match=rf"damaged: {frame} has 2 names, of {number} in X$"):
        read_rows(str(path))


def test_without_h5py_it_is_said_what_to_install(tmp_path, monkeypatch):
    path = write_anndata(tmp_path / "x.h5ad", X)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(FileError, match=r'pip install "jsdiv_numba\[anndata\]"$'):
        read_rows(str(path))
