"""The folder of an unfinished run: nothing in it, or in its place, is lost that is not ours."""

import errno
import multiprocessing
import os
import stat
import sys

import numpy as np
import pytest

from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.partial import PartialFolder
from tests import batch_files

X = batch_files.rows(9)
NOT_OURS = "move it, or write to another file"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "d.npy"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "d.npy.partial"


def tree(path):
    """Return everything in a folder: links by where they lead, files by what they hold."""
    return {
        str(entry.relative_to(path)): os.readlink(entry)
        if entry.is_symlink()
        else entry.read_bytes()
        if entry.is_file()
        else None
        for entry in sorted(path.rglob("*"))
    }


def thesis(folder, _elsewhere):
    folder.mkdir()
    (folder / "thesis.txt").write_text("x")


def thesis_and_our_names(folder, _elsewhere):
    folder.mkdir()
    for name in ("journal.jsonl", "output.npy", "lock", "first.npy", "whole", "thesis.txt"):
        (folder / name).write_text("x")


def link_to_a_folder(folder, elsewhere):
    folder.symlink_to(elsewhere)


def link_to_nothing(folder, elsewhere):
    folder.symlink_to(elsewhere / "nothing")


def file(folder, _elsewhere):
    folder.write_text("x")


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("rows", [X, X - 1], ids=["right", "failing"])
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (thesis, "a folder that jsdiv did not make"),
        (thesis_and_our_names, "a folder that jsdiv did not make"),
        (link_to_a_folder, "a link, not a folder that jsdiv made"),
        (link_to_nothing, "a link, not a folder that jsdiv made"),
        (file, "a file, not a folder that jsdiv made"),
    ],
)
def test_what_we_did_not_make_is_refused_by_name(tmp_path, out, folder, make, what, rows, resume):
    elsewhere = tmp_path / "elsewhere"
    thesis(elsewhere, None)
    make(folder, elsewhere)
    before = tree(tmp_path)
    with pytest.raises(FileError) as error:
        batch.pairwise(rows, out=out, tile=4, resume=resume)
    assert str(error.value) == f"{folder}: {what}; {NOT_OURS}"
    assert tree(tmp_path) == before


class Stopped:
    """Threads that compute a tile and no more."""

    workers = 1

    def results(self, function, tasks):
        yield function(next(tasks))
        raise InterruptedError


def stop(out, rows=X, **arguments):
    with pytest.raises(InterruptedError):
        batch.pairwise(rows, out=out, tile=4, executor=Stopped(), **arguments)


@pytest.mark.parametrize("suffix", ["npy", "csv", "zarr"])
def test_a_file_that_others_put_into_our_folder_stays(tmp_path, suffix):
    (tmp_path / "x.csv").write_bytes(batch_files.text(X))
    out = tmp_path / f"d.{suffix}"
    folder = tmp_path / f"d.{suffix}.partial"
    stop(out, tmp_path / "x.csv")
    inside = {"csv": "bands/notes.txt", "zarr": "notes.txt", "npy": "more/notes.txt"}[suffix]
    (folder / inside).parent.mkdir(exist_ok=True)
    for name in ("thesis.txt", inside):
        (folder / name).write_text("x")
    batch.pairwise(tmp_path / "x.csv", out=out, tile=4, resume=True)
    assert out.exists()
    assert {name for name, text in tree(folder).items() if text} == {"thesis.txt", inside}
    with pytest.raises(FileError, match="a folder that jsdiv did not make"):
        batch.rows(X, X, out=out if suffix != "zarr" else tmp_path / "d.zarr", resume=True)


@pytest.mark.parametrize("name", ["output.npy", "journal.jsonl", "jsdiv.lock", "first.npy"])
def test_a_link_in_our_folder_is_not_followed(tmp_path, out, folder, name):
    np.savez(tmp_path / "x.npz", X)
    stop(out, tmp_path / "x.npz")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    before = tree(tmp_path)
    for resume in (False, True):
        with pytest.raises(FileError) as error:
            batch.pairwise(tmp_path / "x.npz", out=out, tile=4, resume=resume)
        assert str(error.value) == f"{folder / name}: a link, which jsdiv did not make; {NOT_OURS}"
    assert tree(tmp_path) == before


@pytest.mark.parametrize("left", [[], ["jsdiv.lock"], ["jsdiv.lock", "journal.tmp"]])
def test_what_a_kill_at_the_very_beginning_leaves_is_ours(out, folder, left):
    folder.mkdir()
    for name in left:
        (folder / name).touch()
    batch.pairwise(X, out=out, tile=4)
    assert out.exists()
    assert not folder.exists()


def test_a_copy_of_other_rows_that_a_kill_has_left_is_not_used(tmp_path, out, folder):
    np.savez(tmp_path / "x.npz", X)
    stop(out, tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", X[::-1])
    # As if the run that was to begin anew had been killed before it had removed the copy.
    (folder / "journal.jsonl").unlink()
    batch.pairwise(tmp_path / "x.npz", out=out, tile=4, resume=True)
    batch.pairwise(X[::-1], out=tmp_path / "expected.npy", tile=4)
    assert out.read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_a_folder_that_is_moved_away_during_the_run_is_an_error(tmp_path, out, folder):
    class MovedAway(Stopped):
        def results(self, function, tasks):
            for number, task in enumerate(tasks):
                yield function(task)
                if not number:
                    folder.rename(tmp_path / "moved")
                    thesis(folder, None)

    moved = f"{folder}: was moved or deleted during the run; start it again"
    with pytest.raises(FileError, match=moved):
        batch.pairwise(X, out=out, tile=4, executor=MovedAway())
    assert tree(folder) == {"thesis.txt": b"x"}
    assert not out.exists()
    assert (tmp_path / "moved" / "jsdiv.lock").exists()


@pytest.mark.parametrize(("mode", "of_folder"), [(0o600, 0o700), (0o640, 0o750), (0o664, 0o775)])
def test_who_may_not_read_the_output_may_not_read_it_before_it_is_whole(out, mode, of_folder):
    out.touch()
    out.chmod(mode)
    folder = PartialFolder(out)
    with folder.held():
        assert stat.S_IMODE(folder.path.stat().st_mode) == of_folder
    assert not folder.path.exists()


def _hold(out, found):
    try:
        with PartialFolder(out).held():
            found.put("held")
    except FileError as error:
        found.put(str(error))


def test_another_process_is_kept_out_until_the_folder_is_let_go(out):
    context = multiprocessing.get_context("spawn")
    found = context.Queue()

    def another():
        process = context.Process(target=_hold, args=(out, found))
        process.start()
        process.join()
        return found.get()

    with PartialFolder(out).held():
        assert another() == (
            f"{out}: another run is writing it; wait for it, or write to another file"
        )
    assert another() == "held"


@pytest.mark.skipif(sys.platform == "win32", reason="locks are other ones there")
def test_a_disk_that_has_no_locks_is_an_error_that_says_so(out, monkeypatch):
    import fcntl

    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(FileError, match=r"d\.npy: cannot be written: No locks available$"):
        batch.pairwise(X, out=out)
