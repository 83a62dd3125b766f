"""Reading NumPy's own files."""

import numpy as np
import pytest

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.npy import read_npz
from jsdiv_numba.batch.io.options import TableOptions
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.batch.io.sources import open_npy

MATRIX = np.arange(1, 7).reshape(2, 3)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("bool", "float64"),
        ("int8", "float64"),
        ("uint64", "float64"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        (">f4", "float32"),
        (">f8", "float64"),
        ("longdouble", "float64"),
    ],
)
def test_values_keep_single_precision_and_are_double_otherwise(tmp_path, dtype, expected):
    np.save(tmp_path / "f.npy", MATRIX.astype(dtype))
    rows = read_rows(str(tmp_path / "f.npy"))
    np.testing.assert_array_equal(rows.values, MATRIX.astype(dtype).astype(expected), strict=True)
    assert rows.values.dtype.isnative


def test_rows_are_called_by_their_index(tmp_path):
    np.save(tmp_path / "f.npy", MATRIX)
    rows = read_rows(str(tmp_path / "f.npy"))
    assert (rows.labels, rows.label_name, rows.columns) == (("row 0", "row 1"), "row", None)


def test_the_only_array_needs_no_name(tmp_path):
    np.savez(tmp_path / "f.npz", x=MATRIX)
    assert read_npz(tmp_path / "f.npz", "f.npz").tolist() == MATRIX.tolist()


@pytest.mark.parametrize(
    ("save", "harm"),
    [(np.savez, "the sum"), (np.savez_compressed, "the sum"), (np.savez, "the size")],
)
def test_damage_that_leaves_the_values_shows_too(tmp_path, save, harm):
    save(tmp_path / "f.npz", x=MATRIX)
    damaged = bytearray((tmp_path / "f.npz").read_bytes())
    directory = damaged.rindex(b"PK\x01\x02")
    if harm == "the sum":
        damaged[directory + 16] ^= 1
    else:
        # Of the member as it is kept, and as it is: more than there is in the file.
        damaged[directory + 22] = damaged[directory + 26] = 1
    (tmp_path / "f.npz").write_bytes(damaged)
    with pytest.raises(FileError, match=r"^f\.npz: damaged, cut short, not a NumPy file"):
        read_npz(tmp_path / "f.npz", "f.npz")


def test_an_array_is_chosen_by_name(tmp_path):
    np.savez_compressed(tmp_path / "f.npz", x=MATRIX, y=MATRIX + 1)
    rows = read_npz(tmp_path / "f.npz", "f.npz:y", "y")
    assert rows.tolist() == (MATRIX + 1).tolist()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([1.0, 2.0], "f.npy: shape (2,); rows need a 2-D array"),
        ([[1j]], "f.npy: dtype complex128; values have to be real numbers"),
        ([["a"]], "f.npy: dtype <U1; values have to be real numbers"),
    ],
)
def test_npy_errors(tmp_path, array, message):
    np.save(tmp_path / "f.npy", np.array(array))
    with pytest.raises(FileError) as error:
        open_npy(tmp_path / "f.npy", "f.npy")
    assert str(error.value) == message


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
@pytest.mark.parametrize("read", [open_npy, read_npz])
def test_a_damaged_file_is_named(tmp_path, read, content):
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(
        FileError, match=r"^f: damaged, cut short, not a NumPy file, or it holds Python obj"
    ):
        read(path, "f")


@pytest.mark.parametrize("save", [np.save, np.savez])
def test_python_objects_are_refused(tmp_path, save):
    path = tmp_path / "f"
    with path.open("wb") as file:
        save(file, np.array([[None]]))
    with pytest.raises(FileError, match="holds Python objects instead of numbers"):
        (open_npy if save is np.save else read_npz)(path, "f")


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (None, "f.npz: say which of its arrays (x, y), as {path}:NAME"),
        ("z", "f.npz: no array 'z' in {path}; its arrays: x, y"),
    ],
)
def test_npz_errors_list_the_arrays(tmp_path, member, message):
    path = tmp_path / "f.npz"
    np.savez(path, x=MATRIX, y=MATRIX)
    with pytest.raises(FileError) as error:
        read_npz(path, "f.npz", member)
    assert str(error.value) == message.format(path=path)


def test_an_array_of_several_can_be_named_in_a_file_that_is_called_so(tmp_path):
    np.savez(tmp_path / "f.npz", a=MATRIX, b=MATRIX)
    (tmp_path / "f.npz").rename(tmp_path / "stdin")
    with pytest.raises(FileError, match=r"^-: say which .* \(a, b\), as FILE\.npz:NAME of a file"):
        read_npz(tmp_path / "stdin", "-")


def test_an_archive_without_arrays(tmp_path):
    np.savez(tmp_path / "f.npz")
    with pytest.raises(FileError, match=r"f\.npz: it holds no array$"):
        read_npz(tmp_path / "f.npz", "f.npz")


def test_mistaken_extensions_say_the_right_one(tmp_path):
    np.save(tmp_path / "f.npy", MATRIX)
    np.savez(tmp_path / "f.npz", MATRIX)
    with pytest.raises(FileError, match=r"call it \.npy"):
        read_npz(tmp_path / "f.npy", "f.npz")
    with pytest.raises(FileError, match=r"call it \.npz"):
        open_npy(tmp_path / "f.npz", "f.npy")


def test_a_member_that_is_no_array(tmp_path):
    from zipfile import ZipFile

    with ZipFile(tmp_path / "f.npz", "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(FileError, match="damaged"):
        read_npz(tmp_path / "f.npz", "f.npz")


HEADERS = [
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3",
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 3)}" % 10**30,
    b"[",
    b"{}",
    b"1" * 60,
]


@pytest.mark.parametrize("header", HEADERS)
def test_headers_that_are_none(tmp_path, header):
    content = b"\x93NUMPY\x01\x00" + bytes([118, 0]) + header.ljust(117) + b"\n" + bytes(48)
    (tmp_path / "f.npy").write_bytes(content)
    with pytest.raises(FileError, match=r"f\.npy: "):
        read_rows(str(tmp_path / "f.npy"))


CHOSEN = {
    "columns": ({"columns": "1,3"}, [[1, 3], [4, 6]], ("row 0", "row 1")),
    "columns left out": ({"exclude": 2}, [[1, 3], [4, 6]], ("row 0", "row 1")),
    "labels": ({"label_column": 1}, [[2, 3], [5, 6]], ("1", "4")),
    "rows left out": ({"exclude_rows": [0]}, [[4, 5, 6]], ("row 0",)),
    "transposed": ({"transpose": True}, [[1, 4], [2, 5], [3, 6]], ("row 0", "row 1", "row 2")),
}


@pytest.mark.parametrize(("options", "values", "labels"), CHOSEN.values(), ids=CHOSEN)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_columns_of_arrays_are_chosen_by_number(tmp_path, suffix, options, values, labels):
    path = tmp_path / f"f{suffix}"
    (np.save if suffix == ".npy" else np.savez)(path, MATRIX)
    rows = read_rows(str(path), TableOptions(**options))
    assert (rows.values.tolist(), rows.labels) == (values, labels)


def test_nan_is_what_is_missing_of_an_array(tmp_path):
    np.save(tmp_path / "f.npy", [[1.0, np.nan], [1.0, 2.0]])
    with pytest.raises(FileError, match=r"row 0, column 1: nan is not a number"):
        read_rows(str(tmp_path / "f.npy"))
    zero = read_rows(str(tmp_path / "f.npy"), TableOptions(missing="zero"))
    assert zero.values.tolist() == [[1.0, 0.0], [1.0, 2.0]]
    nan = read_rows(str(tmp_path / "f.npy"), TableOptions(missing="nan"))
    np.testing.assert_array_equal(nan.values, [[1.0, np.nan], [1.0, 2.0]])
