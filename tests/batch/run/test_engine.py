"""Runs that are killed before each of their operations on files, and go on to the same bytes."""

import multiprocessing
import shutil
import signal

import numpy as np
import pytest

from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError
from tests import batch_files
from tests.batch_files import contents
from tests.batch_worker import few_neighbors, few_pairs, few_rows, few_tested
from tests.killed import run_killed

X = batch_files.rows(12)
X[3] = 0
"""Rows of which one is none, so that there is a report."""


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with everything compiled, and so may be killed at any moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.batch_worker"])
    return context


def report(out):
    return out.with_name(f"{out.name}.bad.csv")


def read_if_there(path):
    return path.read_bytes() if path.exists() else b""


def journal_of(out):
    return out.with_name(f"{out.name}.partial") / "journal.jsonl"


@pytest.mark.parametrize(
    ("run", "suffix"),
    [
        (few_pairs, "npy"),
        (few_pairs, "zarr"),
        (few_rows, "parquet"),
        (few_neighbors, "csv"),
        (few_tested, "csv"),
    ],
)
def test_killed_before_any_operation(processes, tmp_path, run, suffix):
    source, whole, other = tmp_path / "x.csv", tmp_path / f"w.{suffix}", tmp_path / f"o.{suffix}"
    source.write_bytes(batch_files.text(X))
    np.save(tmp_path / "y.npy", batch_files.rows(12, seed=1))
    np.save(tmp_path / "counts.npy", np.ceil(1000 * X))
    tiles = run(source, whole).tiles
    run(source, other, base=2)
    expected, otherwise = contents(whole), contents(other)
    assert expected != otherwise
    last_steps = killed = 0
    for operation in range(1, 1000):
        folder, copy = tmp_path / "run", tmp_path / "copy"
        folder.mkdir()
        out = folder / f"d.{suffix}"
        if suffix != "zarr":
            out.write_text("before")
            out.chmod(0o640)
        process = processes.Process(target=run_killed, args=(run, source, out, operation))
        process.start()
        process.join()
        assert process.exitcode in {0, -signal.SIGKILL}
        if process.exitcode:
            killed += 1
            assert not out.exists() or contents(out) in (b"before", expected)
            # What was compared with other arguments is never taken for what is asked for.
            shutil.copytree(folder, copy)
            if out.exists() and suffix == "zarr":
                shutil.rmtree(copy / out.name)
            if b'{"tile"' in read_if_there(journal_of(out)):
                with pytest.raises(FileError, match="cannot resume: base was absent and is 2"):
                    run(source, copy / out.name, base=2)
            else:
                run(source, copy / out.name, base=2)
                assert contents(copy / out.name) == otherwise
            placed = out.exists() and contents(out) == expected
            last_steps += placed
            if placed and suffix == "zarr" and not journal_of(out).exists():
                # As after the end: nothing tells of the run any more.
                with pytest.raises(FileError, match="exists, and a folder is not replaced"):
                    run(source, out)
            else:
                summary = run(source, out)
                assert (summary.tiles, summary.bad_rows) == (tiles, 1)
        assert contents(out) == expected
        assert contents(report(out)) == contents(report(whole)).replace(b"w.", b"d.")
        assert {path.name for path in folder.iterdir()} == {out.name, report(out).name}
        if suffix != "zarr":
            assert out.stat().st_mode & 0o777 == 0o640
        if not process.exitcode:
            break
        shutil.rmtree(folder)
        shutil.rmtree(copy)
    assert killed > 20
    assert last_steps > 2


def test_other_arguments_begin_anew_where_no_tile_is_finished(tmp_path):
    np.savez(tmp_path / "x.npz", X[4:])
    out, expected = tmp_path / "d.npy", tmp_path / "expected.npy"

    class NoTiles:
        workers = 1

        def results(self, function, tasks):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        batch.pairwise(tmp_path / "x.npz", out=out, executor=NoTiles())
    assert (tmp_path / "d.npy.partial" / "first.npy").exists()
    np.savez(tmp_path / "x.npz", X[:3])
    assert batch.pairwise(tmp_path / "x.npz", out=out, base=2, resume=True).resumed == 0
    batch.pairwise(X[:3], out=expected, base=2)
    assert out.read_bytes() == expected.read_bytes()


def test_nothing_is_left_of_a_run_that_a_row_stops_before_a_tile_is_finished(tmp_path):
    np.savez(tmp_path / "x.npz", X)
    with pytest.raises(FileError, match=r"x\.npz, row 3: every value is 0"):
        batch.pairwise(tmp_path / "x.npz", out=tmp_path / "d.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]
