"""Writing whole files or none."""

import csv
import os
import stat

import numpy as np
import pytest
from pyarrow import parquet

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.read import read_rows
from jsdiv_numba.batch.io.write import (
    MATRIX_SUFFIXES,
    check_destination,
    check_headings,
    replacing,
    write_table,
)

RNG = np.random.default_rng(0)
MATRIX = RNG.random((3, 3)) * 10.0 ** RNG.integers(-300, 300, (3, 3))
LABELS = ("x", 'y, "quoted"', "Bokmål\nline")


def write(path, values=MATRIX, headings=LABELS):
    write_table(path, values, labels={"language": LABELS}, headings=headings)


def test_npy_holds_the_matrix_alone(tmp_path):
    write(tmp_path / "f.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "f.npy"), MATRIX, strict=True)


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".CSV", ",")])
def test_text_has_labels_and_exact_floats(tmp_path, suffix, delimiter):
    path = tmp_path / f"f{suffix}"
    write(path)
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file, delimiter=delimiter)
    assert header == ["language", *LABELS]
    assert [line[0] for line in lines] == list(LABELS)
    assert [[float(cell) for cell in line[1:]] for line in lines] == MATRIX.tolist()


def test_parquet_has_labels_and_exact_floats(tmp_path):
    write(tmp_path / "f.parquet")
    table = parquet.read_table(tmp_path / "f.parquet")
    assert table.column_names == ["language", *LABELS]
    assert table["language"].to_pylist() == list(LABELS)
    assert [table[label].to_pylist() for label in LABELS] == MATRIX.T.tolist()


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_written_can_be_read(tmp_path, suffix, dtype):
    matrix = RNG.random((3, 3)).astype(dtype)
    write(tmp_path / f"f{suffix}", matrix)
    rows = read_rows(str(tmp_path / f"f{suffix}"))
    np.testing.assert_array_equal(rows.values.astype(dtype), matrix)
    assert (rows.labels, rows.label_name, rows.columns) == (LABELS, "language", LABELS)


def test_a_value_for_each_row(tmp_path):
    values = MATRIX[:, 0]
    write(tmp_path / "f.parquet", values, ["distance"])
    write(tmp_path / "f.npy", values, ["distance"])
    assert parquet.read_table(tmp_path / "f.parquet")["distance"].to_pylist() == values.tolist()
    assert np.load(tmp_path / "f.npy").shape == (3,)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_failure(tmp_path, error):
    path = tmp_path / "f.csv"
    path.write_text("before")

    def fail():
        with replacing(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["f.csv"]
    assert path.read_text() == "before"


def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError) as error:
        write(tmp_path / "f.csv")
    assert str(error.value) == f"{tmp_path}/f.csv: cannot be written: No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_until_it_is_whole_a_file_has_another_name(tmp_path):
    path = tmp_path / "f.csv"
    with replacing(path) as file:
        file.write(b"whole")
        assert not path.exists()
        assert [p.parent for p in tmp_path.iterdir()] == [tmp_path]
    assert path.read_bytes() == b"whole"
    assert len(list(tmp_path.iterdir())) == 1


def test_permissions_are_those_of_any_new_file(tmp_path):
    with replacing(tmp_path / "f.csv"):
        pass
    (tmp_path / "other").touch()
    modes = {stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_link_is_followed(tmp_path):
    (tmp_path / "target.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to("target.csv")
    with replacing(tmp_path / "link.csv") as file:
        file.write(b"after")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "target.csv").read_text() == "after"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("f.xls", "unknown extension '.xls'; use .npy, .parquet, .csv, .tsv, .csv.gz, .tsv.gz"),
        ("f", "unknown extension ''; use .npy, .parquet, .csv, .tsv, .csv.gz, .tsv.gz"),
        ("missing/f.csv", "cannot be written: No such file or directory"),
        ("file/f.csv", "cannot be written: Not a directory"),
        ("folder.csv", "a folder, not a file"),
        ("read.csv", "is read as well; write to another file"),
        ("link.csv", "is read as well; write to another file"),
        ("parts/f.parquet", "lies in {parts}, which is read; write to another folder"),
        ("parts/2001/f.csv", "lies in {parts}, which is read; write to another folder"),
        ("way/f.csv", "lies in {parts}, which is read; write to another folder"),
    ],
)
def test_destinations_that_cannot_be(tmp_path, name, message):
    parts = tmp_path / "parts"
    (parts / "2001").mkdir(parents=True)
    (tmp_path / "way").symlink_to("parts/2001")
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "read.csv").touch()
    (tmp_path / "link.csv").symlink_to("read.csv")
    with pytest.raises(FileError) as error:
        check_destination(
            tmp_path / name, MATRIX_SUFFIXES, [str(tmp_path / "read.csv"), str(parts)]
        )
    assert str(error.value) == f"{tmp_path / name}: {message.format(parts=parts)}"


def test_a_folder_without_permission(tmp_path, monkeypatch):
    def refuse(*_arguments, **_keywords):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(FileError, match="cannot be written: Permission denied"):
        check_destination(tmp_path / "f.csv", MATRIX_SUFFIXES)


@pytest.mark.parametrize("name", ["f.npy", "f.csv", "f.tsv", "f.parquet", "F.PARQUET"])
def test_checking_a_destination_leaves_no_trace(tmp_path, name):
    check_destination(tmp_path / name, MATRIX_SUFFIXES, [str(tmp_path / "missing.csv")])
    assert list(tmp_path.iterdir()) == []


def test_twin_columns_only_trouble_parquet(tmp_path):
    check_headings(tmp_path / "f.csv", ["k", "x", "x"])
    check_headings(tmp_path / "f.parquet", ["k", "x", "y"])
    with pytest.raises(FileError) as error:
        check_headings(tmp_path / "f.parquet", ["k", "x", "x"])
    assert str(error.value) == (
        f"{tmp_path}/f.parquet: 2 columns would be called 'x', which Parquet's readers refuse; "
        "give the rows labels of their own or write .csv"
    )


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_what_is_replaced_leaves_its_mode(tmp_path, mode):
    path = tmp_path / "f.csv"
    path.touch()
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.stat().st_size


def test_what_is_written_is_private_until_it_has_the_mode_of_what_it_replaces(tmp_path):
    path = tmp_path / "f.npy"
    path.touch(0o600)
    with replacing(path):
        (temporary,) = tmp_path.glob(".f.npy.*.tmp")
        assert stat.S_IMODE(temporary.stat().st_mode) & 0o077 == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid(), reason="only root gives files away")
def test_what_is_replaced_leaves_its_owner(tmp_path):
    path = tmp_path / "f.csv"
    path.touch(0o640)
    os.chown(path, 12345, 54321)
    write(path)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 54321, 0o640)


@pytest.mark.skipif(not hasattr(os, "chown"), reason="files have no owners")
def test_an_owner_that_cannot_be_given_is_done_without(tmp_path, monkeypatch):
    path, given = tmp_path / "f.csv", []
    path.touch()
    path.chmod(0o640)

    def refused(_, owner, group):
        given.append((owner, group))
        raise PermissionError

    monkeypatch.setattr(os, "chown", refused)
    write(path)
    status = path.stat()
    assert given == [(status.st_uid, status.st_gid), (-1, status.st_gid)]
    assert stat.S_IMODE(status.st_mode) == 0o640


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "f.csv")
    with pytest.raises(FileError, match=r"f\.csv: a device or a pipe, not a file$"):
        check_destination(tmp_path / "f.csv", MATRIX_SUFFIXES)
    (tmp_path / "null.csv").symlink_to(os.devnull)
    with pytest.raises(FileError, match=r"null\.csv: a device or a pipe, not a file$"):
        check_destination(tmp_path / "null.csv", MATRIX_SUFFIXES)


def test_who_needs_no_probe_leaves_no_trace_of_one(tmp_path):
    with pytest.raises(FileError, match="cannot be written: No such file or directory"):
        check_destination(tmp_path / "no" / "f.csv", MATRIX_SUFFIXES)
    check_destination(tmp_path / "no" / "f.csv", MATRIX_SUFFIXES, probe=False)
