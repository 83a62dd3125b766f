"""The list of bad rows: never in the place of a file that is not one."""

import csv

import numpy as np
import pytest

from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.run.bad_rows import report_path
from tests import batch_files

X = batch_files.rows(9)
BAD = X.copy()
BAD[2], BAD[7, 1] = 0, np.nan


@pytest.fixture
def out(tmp_path):
    return tmp_path / "d.npy"


def thesis(report, _elsewhere):
    report.write_text("x\n")


def nothing(report, _elsewhere):
    report.touch()


def folder(report, _elsewhere):
    report.mkdir()


def link(report, elsewhere):
    report.symlink_to(elsewhere)


def link_to_nothing(report, elsewhere):
    report.symlink_to(elsewhere.with_name("nothing"))


@pytest.mark.parametrize("make", [thesis, nothing, folder, link, link_to_nothing])
def test_what_is_no_report_of_ours_stays(tmp_path, out, make):
    elsewhere, report = tmp_path / "elsewhere.csv", report_path(out)
    batch.pairwise(BAD, out=tmp_path / "e.npy", on_bad="nan")
    report_path(tmp_path / "e.npy").rename(elsewhere)
    make(report, elsewhere)

    def state():
        status = report.lstat()
        return status.st_ino, status.st_size, status.st_mtime_ns, elsewhere.read_bytes()

    before = state()
    with pytest.raises(FileError) as error:
        batch.pairwise(BAD, out=out, on_bad="nan")
    assert str(error.value) == (
        f"{report}: no list of bad rows that jsdiv made; move it, or write to another file"
    )
    assert not out.exists()
    # Where no report may be needed, it is in nobody's way.
    batch.pairwise(X, out=out)
    assert out.exists()
    assert state() == before


def test_what_comes_there_during_the_run_stays(out):
    report = report_path(out)

    class Meanwhile:
        workers = 1

        def results(self, function, tasks):
            report.write_text("x\n")
            yield from map(function, tasks)

    with pytest.raises(FileError, match="no list of bad rows that jsdiv made"):
        batch.pairwise(BAD, out=out, on_bad="nan", executor=Meanwhile())
    assert report.read_text() == "x\n"
    report.unlink()
    assert batch.pairwise(BAD, out=out, on_bad="nan", resume=True).bad_rows == 2


def test_a_report_of_ours_is_replaced_and_removed(out):
    report = report_path(out)
    assert batch.pairwise(BAD, out=out, on_bad="nan").report == report
    report.chmod(0o600)
    batch.pairwise(BAD[:3], out=out, on_bad="nan")
    with report.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["file", "row", "column", "reason", "value"]
    assert [line[:3] for line in lines] == [["X", "2", ""]]
    assert report.stat().st_mode & 0o777 == 0o600
    assert batch.pairwise(X, out=out).report is None
    assert not report.exists()


def test_the_report_lies_beside_what_is_written_if_that_is_a_link(tmp_path, out):
    (tmp_path / "disk").mkdir()
    out.symlink_to(tmp_path / "disk" / "real.npy")
    summary = batch.pairwise(BAD, out=out, on_bad="nan")
    assert summary.report == tmp_path / "disk" / "real.npy.bad.csv"
    assert {path.name for path in tmp_path.iterdir()} == {"disk", "d.npy"}
    assert summary.report.exists()
