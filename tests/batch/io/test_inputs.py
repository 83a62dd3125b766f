"""Files as sources for tiles: the same rows, labels and columns as in memory, whatever is said."""

import contextlib
import gzip
import warnings
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from scipy import io, sparse

from jsdiv_numba.batch.errors import FileError, TableWarning
from jsdiv_numba.batch.io.formats import memory_bytes, place_of
from jsdiv_numba.batch.io.inputs import as_input
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.batch.io.rows import undefined
from tests import batch_files
from tests.batch.io.test_text import AMBIGUOUS, LAYOUTS, SAID, SEPARATED, WARNED

X = batch_files.rows(23, 5)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def outcome(action):
    """Return what an action returns or raises, and of what it warns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TableWarning)
        try:
            result = action()
        except FileError as error:
            result = str(error)
    return result, [str(warning.message) for warning in caught]


def in_memory(name, options):
    rows = read_rows(name, options)
    return rows.values, rows.labels, rows.label_name, rows.columns, str(rows.reading)


def out_of_core(name, options, lenient=False):
    told = []
    folder = Path("partial")
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    source = as_input(name, "X", options, told.append).open(folder, "first", lenient=lenient)
    number = source.shape[0]
    blocks = [block.copy() for block in source.blocks(0, number, 2)]
    values = sparse.vstack(blocks) if sparse.issparse(blocks[0]) else np.concatenate(blocks)
    labels = tuple(source.labels(0, number).to_pylist())
    return values, labels, source.label_name, source.columns, *map(str, told)


def assert_same(name, options):
    expected, expected_warnings = outcome(lambda: in_memory(name, options))
    found, found_warnings = outcome(lambda: out_of_core(name, options))
    assert found_warnings == expected_warnings
    if isinstance(expected, str):
        assert found == expected
        return
    values = [
        each[0].toarray() if sparse.issparse(each[0]) else each[0] for each in (found, expected)
    ]
    np.testing.assert_array_equal(*values, strict=True)
    assert sparse.issparse(found[0]) == sparse.issparse(expected[0])
    assert found[1:] == expected[1:]


TEXTS = [
    *((".csv", text, {}) for text, _ in LAYOUTS.values()),
    *((".csv", *given) for given, _ in SAID.values()),
    *((kind, text, {}) for kind, text, _ in SEPARATED.values()),
    *((".csv", text, {}) for text, _ in [*AMBIGUOUS.values(), *WARNED.values()]),
]


@pytest.mark.parametrize(("kind", "text", "options"), TEXTS)
def test_text_is_read_out_of_core_as_in_memory(kind, text, options):
    Path(f"f{kind}").write_bytes(text.encode())
    assert_same(f"f{kind}", TableOptions(**options))
    Path(f"f{kind}.gz").write_bytes(gzip.compress(text.encode()))
    assert_same(f"f{kind}.gz", TableOptions(**options))


CHOICES = {
    "as it is": {},
    "transposed": {"transpose": True},
    "columns": {"columns": "3,2"},
    "rows left out": {"exclude_rows": [0, 7]},
    "a column for labels": {"label_column": 1},
    "all of it": {"exclude": 4, "transpose": True, "exclude_rows": [1], "label_column": 1},
}


def write_anndata(path, matrix, kind="csr_matrix", layer=None):
    """Write a file as AnnData 0.12 does."""
    with h5py.File(path, "w") as file:
        for name, values in {
            "X": matrix,
            **({} if layer is None else {"layers/raw": layer}),
        }.items():
            if kind == "array":
                file[name] = values
                continue
            found = sparse.csr_array(values) if kind == "csr_matrix" else sparse.csc_array(values)
            group = file.create_group(name)
            group.attrs["encoding-type"], group.attrs["shape"] = kind, found.shape
            group["data"], group["indices"], group["indptr"] = (
                found.data,
                found.indices,
                found.indptr,
            )
        for name, letter, count in zip(("obs", "var"), "cg", matrix.shape, strict=True):
            group = file.create_group(name)
            group.attrs["_index"] = "_index"
            group["_index"] = [f"{letter}{i}" for i in range(count)]
    return path


def write_sparse(folder, matrix):
    for kind in ("csr", "csc", "coo", "bsr"):
        sparse.save_npz(folder / f"{kind}.npz", getattr(sparse, f"{kind}_array")(matrix))
    for kind in ("csr_matrix", "csc_matrix", "array"):
        write_anndata(folder / f"{kind}.h5ad", matrix, kind)
    io.mmwrite(folder / "array.mtx", matrix, precision=17)
    io.mmwrite(folder / "x.mtx", sparse.coo_array(matrix), precision=17)
    (folder / "y.mtx.gz").write_bytes(gzip.compress((folder / "x.mtx").read_bytes()))
    table = pa.table({f"c{j}": column for j, column in enumerate(matrix.T)})
    feather.write_feather(table, folder / "x.feather", chunksize=5)
    vectors = pa.table({"id": [f"r{i}" for i in range(len(matrix))], "v": matrix.tolist()})
    parquet.write_table(vectors, folder / "lists.parquet", row_group_size=6)
    names = ("csr.npz", "csc.npz", "coo.npz", "bsr.npz", "x.mtx", "y.mtx.gz", "array.mtx")
    anndata = ("csr_matrix.h5ad", "csc_matrix.h5ad", "array.h5ad")
    return [str(folder / name) for name in (*names, *anndata, "x.feather", "lists.parquet")]


@pytest.mark.parametrize("options", CHOICES.values(), ids=CHOICES)
def test_every_format_is_read_out_of_core_as_in_memory(tmp_path, options):
    files = batch_files.write_every_format(tmp_path, X) + write_sparse(tmp_path, X)
    for file in files:
        assert_same(file, TableOptions(**options))
    np.testing.assert_array_equal(read_rows(files[-2]).values, X)


def test_a_long_table_is_read_out_of_core_as_in_memory():
    options = TableOptions(long="sample,category,count")
    rng = np.random.default_rng(4)
    lines = [f"s{rng.integers(9)},c{rng.integers(7)},{rng.random()!r}" for _ in range(4000)]
    Path("f.csv").write_text("\n".join(["sample,category,count", *lines]))
    assert_same("f.csv", options)
    samples, categories, counts = zip(*(line.split(",") for line in lines), strict=True)
    table = {"sample": samples, "category": categories, "count": list(map(float, counts))}
    parquet.write_table(pa.table(table), "f.parquet", row_group_size=300)
    assert_same("f.parquet", options)
    text, table = read_rows("f.csv", options), read_rows("f.parquet", options)
    np.testing.assert_array_equal(text.values.toarray(), table.values.toarray())
    assert (text.labels, text.columns) == (table.labels, table.columns)


def test_a_copy_is_read_again_by_a_run_that_goes_on():
    Path("f.csv").write_text("otu,s,t\na,1,2\nb,3,4\nc,1,1\n")
    options = TableOptions(transpose=True)
    folder = Path("partial")
    folder.mkdir()
    file = as_input("f.csv", "X", options)
    first, again = (file.open(folder, "first", lenient=False) for _ in range(2))
    assert first == again
    assert again.labels(0, 2).to_pylist() == ["s", "t"]
    assert again.columns == ("a", "b", "c")


def test_the_size_is_that_of_the_numbers():
    matrix = np.zeros((1000, 500))
    matrix[0, 0] = 1
    np.savez_compressed("dense.npz", x=matrix)
    sparse.save_npz("sparse.npz", sparse.csr_array(matrix))
    io.mmwrite("x.mtx", sparse.coo_array(matrix))
    parquet.write_table(pa.table({"v": matrix.tolist()}), "v.parquet")
    feather.write_feather(pa.table({"v": matrix.tolist()}), "v.feather", compression="zstd")
    text = b"".join(b"%d,0,0,0,0,0\n" % i for i in range(10_000))
    Path("f.csv.gz").write_bytes(gzip.compress(text))
    for name in ("dense.npz", "dense.npz:x", "v.parquet", "v.feather"):
        place = place_of(name, TableOptions())
        assert 0.9 < memory_bytes(place) / matrix.nbytes < 1.1, name
        assert place.path.stat().st_size < matrix.nbytes / 20
    assert memory_bytes(place_of("f.csv.gz", TableOptions())) == len(text)
    # Of sparse matrices it is that of the entries.
    write_anndata(Path("x.h5ad"), matrix)
    for name in ("sparse.npz", "x.mtx", "x.h5ad"):
        assert memory_bytes(place_of(name, TableOptions())) < 10_000


@pytest.mark.parametrize(
    "kind", [".csv", ".npy", ".npz", ".mtx", ".h5ad", ".parquet", ".feather", ".txt"]
)
@pytest.mark.parametrize("content", [b"", b"\0", b"PK\x03\x04", b"\x1f\x8b", b"\xff" * 300, b"["])
def test_content_that_is_none_is_an_error_that_names_the_file(kind, content):
    name = f"f{kind}"
    Path(name).write_bytes(content)
    for action in (in_memory, out_of_core):
        with pytest.raises(FileError, match=rf"^f\{kind}\b"):
            action(name, TableOptions())
    with contextlib.suppress(FileError):
        assert memory_bytes(place_of(name, TableOptions())) < 10**4


@pytest.mark.parametrize("kind", [".parquet", ".npy", ".csv", ".npz", ".h5ad"])
def test_what_is_wrong_besides_missing_values_is_an_error_all_the_same(kind):
    def write(matrix):
        if kind == ".npy":
            np.save("f.npy", matrix)
        elif kind == ".npz":
            sparse.save_npz("f.npz", sparse.csr_array(matrix))
        elif kind == ".h5ad":
            write_anndata(Path("f.h5ad"), matrix)
        elif kind == ".csv":
            Path("f.csv").write_bytes(batch_files.text(matrix))
        else:
            parquet.write_table(batch_files.table(matrix), "f.parquet")

    options = TableOptions(missing="nan")
    matrix = X.copy()
    matrix[2, 1] = np.nan
    write(matrix)
    if kind in (".npz", ".h5ad"):
        # In memory, a sparse row with a missing value has no entries.
        missing = undefined(in_memory(f"f{kind}", options)[0])
        assert missing.tolist() == np.isnan(matrix).any(axis=1).tolist()
        assert np.isnan(out_of_core(f"f{kind}", options)[0].toarray()).sum() == 1
    else:
        assert_same(f"f{kind}", options)
    for wrong in (-1.0, np.inf):
        matrix[4, 0] = wrong
        write(matrix)
        for action in (in_memory, out_of_core):
            with pytest.raises(FileError, match=r"(row 4|line 6), column .*: (negative|infinite)"):
                action(f"f{kind}", options)
