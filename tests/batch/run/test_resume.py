"""Nothing lost: runs that are killed, interrupted, out of space, or fed what has changed."""

import contextlib
import errno
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.run.journal import Journal
from jsdiv_numba.batch.run.sinks import NpySink
from jsdiv_numba.distance import cdist
from tests import batch_files
from tests.batch_files import HEAR_CTRL_C, contents, run, start
from tests.batch_worker import compare, find
from tests.limits import HANGING

KILLS = 30
X = batch_files.rows(40)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file whose pairs take a second or two."""
    path = tmp_path_factory.mktemp("large") / "x.npy"
    np.save(path, batch_files.rows(6000, 256).astype(np.float32))
    return path


class StoppedError(Exception):
    """What stops a run in this process."""


class StopAfter:
    """Threads that compute so many tiles and no more."""

    workers = 1

    def __init__(self, count, error=StoppedError):
        self.count, self.error = count, error

    def results(self, function, tasks):
        for number, task in enumerate(tasks):
            if number == self.count:
                raise self.error
            yield function(task)


def stop_after(count, source, out, error=StoppedError, **arguments):
    with pytest.raises(error):
        batch.pairwise(source, out=out, tile=8, executor=StopAfter(count, error), **arguments)


@pytest.fixture(scope="module")
def processes():
    """Processes that begin with everything compiled, and so may be killed at any moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.batch_worker"])
    return context


@pytest.mark.parametrize(
    ("work", "number", "suffix"),
    [(compare, 1500, "npy"), (compare, 1500, "zarr"), (find, 600, "npy"), (find, 600, "parquet")],
)
def test_thirty_kills_at_random_moments(processes, tmp_path, work, number, suffix):
    np.save(tmp_path / "x.npy", batch_files.rows(number, 256).astype(np.float32))
    whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"d.{suffix}"

    def begin(target):
        process = processes.Process(target=work, args=(tmp_path / "x.npy", target))
        process.start()
        return process

    def seconds_of(process, limit=None):
        begun = time.monotonic()
        process.join(limit)
        return time.monotonic() - begun

    begin(tmp_path / f"first.{suffix}").join()
    whole_takes = seconds_of(begin(whole))
    expected, chance, kills, taken = contents(whole), random.Random(0), 0, 0.0
    while kills < KILLS:
        process = begin(out)
        taken += seconds_of(process, chance.uniform(0, 0.6 * whole_takes))
        kills += process.is_alive()
        process.kill()
        process.join()
        if out.exists():
            assert contents(out) == expected
            if any(tmp_path.glob("*.partial")):
                continue  # which the next run removes: it knows that all is there
            shutil.rmtree(out) if out.is_dir() else out.unlink()
            # The machine may have been busy before: then kills would come when all is done.
            whole_takes, taken = min(whole_takes, taken), 0.0
    begin(out).join()
    assert contents(out) == expected
    assert not list(tmp_path.glob("*.partial"))


def test_a_stopped_run_goes_on_from_its_last_tile(tmp_path):
    for suffix in ("npy", "zarr", "parquet", "csv"):
        out, whole = tmp_path / f"d.{suffix}", tmp_path / f"whole.{suffix}"
        batch.pairwise(X, out=whole, tile=8)
        tiles = batch.pairwise(X, out=tmp_path / f"w.{suffix}", tile=8).tiles
        stop_after(3, X, out)
        assert not out.exists()
        with pytest.raises(FileError, match=r"an unfinished run has 3 tiles; add --resume to go"):
            batch.pairwise(X, out=out, tile=8)
        assert batch.pairwise(X, out=out, tile=8, resume=True)[:3] == (out, tiles, 3)
        assert contents(out) == contents(whole)


def stop_search_after(count, source, out, error=StoppedError, **arguments):
    with pytest.raises(error):
        batch.neighbors(source, out=out, tile=8, executor=StopAfter(count, error), **arguments)


@pytest.mark.parametrize("suffix", ["npy", "zarr", "parquet", "csv"])
def test_a_stopped_search_goes_on_from_its_last_tile(tmp_path, suffix):
    out, whole = tmp_path / f"n.{suffix}", tmp_path / f"whole.{suffix}"
    batch.neighbors(X, out=whole, tile=8)
    stop_search_after(3, X, out)
    assert not out.exists()
    with pytest.raises(FileError, match=r"an unfinished run has 3 tiles; add --resume to go"):
        batch.neighbors(X, out=out, tile=8)
    for changed, message in (
        ({"n_neighbors": 4}, "n_neighbors was 5 and is 4"),
        ({"metric": "js_divergence"}, "metric was jensenshannon and is js_divergence"),
    ):
        with pytest.raises(FileError, match=f"cannot resume: {message}"):
            batch.neighbors(X, out=out, tile=8, resume=True, **changed)
    assert batch.neighbors(X, out=out, tile=8, resume=True)[:3] == (out, 5, 3)
    assert contents(out) == contents(whole)


def test_a_search_within_a_distance_goes_on_with_its_bad_rows(tmp_path):
    bad, out, whole = X.copy(), tmp_path / "n.csv", tmp_path / "whole.csv"
    bad[2], bad[39] = 0, np.nan
    arguments = {"max_distance": 0.3, "on_bad": "nan"}
    batch.neighbors(bad, out=whole, tile=8, **arguments)
    stop_search_after(2, bad, out, **arguments)
    summary = batch.neighbors(bad, out=out, tile=8, resume=True, memory=300_000, **arguments)
    assert (summary.resumed, summary.bad_rows) == (2, 2)
    assert contents(out) == contents(whole)


@pytest.mark.parametrize("suffix", ["csv", "tsv.gz", "parquet"])
def test_stopped_tests_go_on_from_their_last_tile(tmp_path, suffix):
    out, whole = tmp_path / f"n.{suffix}", tmp_path / f"whole.{suffix}"
    counts = np.ceil(100 * X)
    batch.neighbors(counts, out=whole, tile=8, test=True)
    stop_search_after(3, counts, out, test=True)
    with pytest.raises(FileError, match="cannot resume: test was True and is absent"):
        batch.neighbors(counts, out=out, tile=8, resume=True)
    summary = batch.neighbors(counts, out=out, tile=8, resume=True, test=True, memory=300_000)
    assert summary[:3] == (out, 5, 3)
    assert contents(out) == contents(whole)


def test_another_job_is_not_gone_on_with(tmp_path):
    out = tmp_path / "d.npy"
    stop_after(3, X, out)
    with pytest.raises(FileError, match="cannot resume: command was pairwise and is neighbors"):
        batch.neighbors(X, out=out, tile=8, resume=True)


def test_tiles_are_stored_while_others_are_made_safe(tmp_path, monkeypatch):
    out, stored, begun = tmp_path / "d.npy", threading.Event(), threading.Event()
    syncing = NpySink.syncing

    def slow(sink):
        sync = syncing(sink)

        def when_more_is_stored():
            begun.set()
            assert stored.wait(HANGING)
            sync()

        return when_more_is_stored

    class StoredMeanwhile(StopAfter):
        def results(self, function, tasks):
            # What comes after a tile is asked for once that is stored.
            after = 0
            for result in super().results(function, tasks):
                yield result
                time.sleep(0.05)
                after += begun.is_set()
                if after == 3:
                    stored.set()

    monkeypatch.setattr(NpySink, "syncing", slow)
    batch.pairwise(X, out=out, tile=8, executor=StoredMeanwhile(99))
    assert stored.is_set()
    np.testing.assert_array_equal(np.load(out), cdist(X, X))


def test_what_cannot_be_made_safe_is_an_error_and_not_in_the_journal(tmp_path, monkeypatch):
    out = tmp_path / "d.npy"

    def fail():
        raise OSError(errno.ENOSPC, "No space left on device")

    class Slow(StopAfter):
        def results(self, function, tasks):
            for result in super().results(function, tasks):
                yield result
                time.sleep(0.05)

    with monkeypatch.context() as patched:
        patched.setattr(NpySink, "syncing", lambda _: fail)
        with pytest.raises(
            FileError, match=r"d\.npy: cannot be .*: No space left on device; --resum"
        ):
            batch.pairwise(X, out=out, tile=8, executor=Slow(99))
    summary = batch.pairwise(X, out=out, tile=8, resume=True)
    assert summary.resumed == 0
    np.testing.assert_array_equal(np.load(out), cdist(X, X))


def test_a_copy_of_text_is_kept_and_used_again(tmp_path, monkeypatch):
    (tmp_path / "x.csv").write_bytes(batch_files.text(X))
    out = tmp_path / "d.npy"
    stop_after(0, tmp_path / "x.csv", out)
    monkeypatch.setattr("jsdiv_numba.batch.io.inputs._write", lambda *_: pytest.fail("again"))
    assert batch.pairwise(tmp_path / "x.csv", out=out, tile=8, resume=True).resumed == 0
    np.testing.assert_array_equal(np.load(out), cdist(X, X))


def test_bad_rows_of_tiles_before_are_listed_after(tmp_path):
    bad = X.copy()
    bad[2], bad[39] = 0, np.nan
    out = tmp_path / "d.npy"
    stop_after(2, bad, out, on_bad="nan")
    summary = batch.pairwise(bad, out=out, tile=8, on_bad="nan", resume=True)
    assert (summary.resumed, summary.bad_rows) == (2, 2)


CHANGES = {
    "metric": ({"metric": "js_divergence"}, "metric was jensenshannon and is js_divergence"),
    "base": ({"base": 2}, "base was None and is 2"),
    "weight": ({"weight": 0.2}, "weight was 0.5 and is 0.2"),
    "reduce": ({"reduce": "min"}, "reduce was None and is min"),
    "on_bad": ({"on_bad": "nan"}, "on_bad was error and is nan"),
    "tile": ({"tile": 9}, "tile was 8 and is 9"),
}


@pytest.mark.parametrize(("changed", "message"), CHANGES.values(), ids=CHANGES)
def test_other_arguments_do_not_resume(tmp_path, changed, message):
    out = tmp_path / "d.npy"
    stop_after(3, X, out)
    with pytest.raises(FileError) as error:
        batch.pairwise(X, out=out, resume=True, **{"tile": 8, **changed})
    message = message.replace("None", "absent")
    assert f"{out}: cannot resume: {message}; delete " in str(error.value)


def test_workers_and_memory_may_change(tmp_path):
    out = tmp_path / "d.npy"
    with pytest.raises(StoppedError):
        batch.pairwise(X, out=out, memory=6000, executor=StopAfter(3))
    summary = batch.pairwise(X, out=out, workers=2, resume=True)
    assert summary.resumed == 3
    assert summary.tiles > 3
    np.testing.assert_array_equal(np.load(out), cdist(X, X))


def test_changed_input_does_not_resume(tmp_path):
    source, out = tmp_path / "x.npy", tmp_path / "d.npy"
    np.save(source, X)
    stop_after(3, source, out)
    changed = X.copy()
    changed[20, 0] += 1
    np.save(source, changed)
    with pytest.raises(FileError, match=rf"cannot resume: {source}'s modified was .*'s digest was"):
        batch.pairwise(source, out=out, tile=8, resume=True)
    np.save(source, changed[:30])
    with pytest.raises(FileError, match=rf"{source}'s size was \d+ and is \d+"):
        batch.pairwise(source, out=out, tile=8, resume=True)


@pytest.mark.parametrize("package", ["jsdiv_numba", "numba"])
def test_another_version_does_not_resume(tmp_path, package, monkeypatch):
    out = tmp_path / "d.npy"
    stop_after(3, X, out)
    monkeypatch.setattr("jsdiv_numba.batch.run.journal.__version__", "9.9")
    monkeypatch.setattr("jsdiv_numba.batch.run.journal.version", lambda _: "9.9")
    with pytest.raises(FileError, match=rf"the version of {package} was .* and is 9\.9"):
        batch.pairwise(X, out=out, tile=8, resume=True)
    assert version("numba") != "9.9"


def test_the_second_of_two_runs_refuses(large, tmp_path):
    out = tmp_path / "d.npy"
    first = start("pairwise", large, "--tile", 100, "--quiet", "-o", out)
    journal = tmp_path / "d.npy.partial" / "journal.jsonl"
    while not journal.exists():
        assert first.poll() is None
        time.sleep(0.01)
    code, stderr = run("pairwise", large, "--tile", 100, "-o", out, "--resume")
    assert code == 2
    assert stderr == (
        f"jsdiv: {out}: another run is writing it; wait for it, or write to another file\n"
    )
    assert first.communicate()[1] == ""
    assert first.returncode == 0


def test_a_lock_ends_with_its_process(tmp_path):
    out = tmp_path / "d.npy"
    stop_after(2, X, out)
    with Journal(out).held(), pytest.raises(FileError, match="another run is writing it"):
        batch.pairwise(X, out=out, tile=8, resume=True)
    assert batch.pairwise(X, out=out, tile=8, resume=True).resumed == 2


def test_ctrl_c_is_a_clean_stop(large, tmp_path):
    out = tmp_path / "d.npy"
    arguments = ["pairwise", large, "--tile", 200, "-o", out]
    process = start(*arguments, first=HEAR_CTRL_C)
    part = tmp_path / "d.npy.partial" / "output.npy"
    while not part.exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=HANGING)
    assert process.returncode == 130
    assert stderr.strip().splitlines()[-1].startswith(f"jsdiv: {out}: stopped; ")
    assert "--resume" in stderr
    assert not out.exists()
    code, stderr = run(*arguments, "--resume", "--quiet")
    assert (code, stderr) == (0, "")
    matrix = np.load(out)
    rows = np.load(large)
    np.testing.assert_array_equal(matrix[:300], cdist(rows[:300], rows))
    np.testing.assert_array_equal(matrix, matrix.T)


def test_ctrl_c_stops_a_search_within_its_tile(tmp_path):
    source, out = tmp_path / "x.npy", tmp_path / "n.npy"
    np.save(source, batch_files.rows(60_000, 64))
    # One tile of two threads is half of all, and takes many seconds.
    arguments = ["neighbors", source, "--tile", 30_000, "--memory", "60MB", "-o", out]
    process = start(*arguments, first=HEAR_CTRL_C)
    while not (tmp_path / "n.npy.partial" / "output.npy").exists():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=HANGING)
    assert process.returncode == 130
    last = stderr.strip().splitlines()[-1]
    assert last == f"jsdiv: {out}: stopped; the same command with --resume goes on"
    assert not out.exists()


@pytest.mark.parametrize("compared", [batch.pairwise, batch.neighbors])
def test_input_cut_short_on_the_way_is_an_error_and_no_signal(tmp_path, compared):
    source, out = tmp_path / "x.npy", tmp_path / "d.npy"
    np.save(source, X)

    class CutShort(StopAfter):
        def results(self, function, tasks):
            for number, task in enumerate(tasks):
                if number == self.count:
                    os.truncate(source, 200)
                yield function(task)

    with pytest.raises(FileError, match=r"x\.npy: changed while it was read: its size was \d+ byt"):
        compared(source, out=out, tile=8, executor=CutShort(3))
    with pytest.raises(FileError, match=r"x\.npy's size was \d+ and is 200"):
        compared(source, out=out, tile=8, resume=True)


def test_a_journal_that_was_being_written_is_read_up_to_there(tmp_path):
    out = tmp_path / "d.npy"
    stop_after(4, X, out)
    journal = tmp_path / "d.npy.partial" / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-4])
    assert batch.pairwise(X, out=out, tile=8, resume=True).resumed == 3
    np.testing.assert_array_equal(np.load(out), cdist(X, X))
    stop_after(4, X, out)
    journal.write_bytes(b"{nonsense}\n" + whole)
    with pytest.raises(
        FileError, match=r"journal\.jsonl, line 1: damaged; delete .* to begin anew"
    ):
        batch.pairwise(X, out=out, tile=8, resume=True)


LIMIT_FILE_SIZE = """
import resource, signal
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
"""


@pytest.mark.parametrize("suffix", ["npy", "parquet"])
def test_a_file_that_may_not_grow(large, tmp_path, suffix):
    out = tmp_path / f"d.{suffix}"
    code, stderr = run("pairwise", large, "-o", out, "-q", first=LIMIT_FILE_SIZE)
    assert code == 2
    assert stderr == f"jsdiv: {out}: cannot be written: File too large\n"
    assert not out.exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(command, check=False).returncode:
        pytest.skip("mounting a file system takes Linux and its root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("suffix", ["npy", "zarr", "parquet", "csv"])
def test_a_full_disk_is_an_error_and_room_lets_it_go_on(small_disk, tmp_path, suffix):
    rows = batch_files.rows(500)
    np.save(tmp_path / "x.npy", rows)
    out, whole = small_disk / f"d.{suffix}", tmp_path / f"whole.{suffix}"
    arguments = ["pairwise", tmp_path / "x.npy", "--tile", 100, "-q", "--resume", "-o"]
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2_500_000))
    code, stderr = run(*arguments, out)
    assert code == 2
    has_kept = out.with_name(f"{out.name}.partial").exists()
    kept = "; --resume goes on with what could be kept" if has_kept else ""
    assert stderr == f"jsdiv: {out}: cannot be written: No space left on device{kept}\n"
    assert not out.exists()
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert run(*arguments, out) == (0, "")
    assert run(*arguments, whole) == (0, "")
    assert contents(out) == contents(whole)


def test_a_disk_that_is_full_once_tiles_are_finished_says_how_to_go_on(small_disk, tmp_path):
    rows = batch_files.rows(60)
    out, whole = small_disk / "d.npy", tmp_path / "whole.npy"

    class FillTheDisk(StopAfter):
        def results(self, function, tasks):
            for number, task in enumerate(tasks):
                yield function(task)
                time.sleep(0.15)
                if number == self.count:
                    # The output has its room already: what fails is to write the journal.
                    with contextlib.suppress(OSError), (small_disk / "ballast").open("wb") as file:
                        while True:
                            file.write(bytes(1000))

    message = r"d\.npy: cannot be written: No space left on device; --resume goes on with what "
    with pytest.raises(FileError, match=message):
        batch.pairwise(rows, out=out, tile=1, executor=FillTheDisk(2))
    assert not out.exists()
    (small_disk / "ballast").unlink()
    assert batch.pairwise(rows, out=out, tile=1, resume=True).resumed > 0
    batch.pairwise(rows, out=whole, tile=1)
    assert contents(out) == contents(whole)


def test_an_unwritable_folder_is_named(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        folder = Path("/proc")
    with pytest.raises(FileError, match=rf"{folder}/d\.npy: cannot be written: "):
        batch.pairwise(X, out=folder / "d.npy")


def test_json_lines_tell_machines_what_happens(tmp_path):
    np.save(tmp_path / "x.npy", X)
    files = ["pairwise", tmp_path / "x.npy", "-o", tmp_path / "d.npy"]
    code, stderr = run(*files, "--log-json", "--tile", 9)
    assert code == 0
    events = [json.loads(line) for line in stderr.splitlines()]
    assert [event["event"] for event in events] == ["read", "start", "stop"]
    assert events[-1]["done"] == events[-1]["total"] == X.shape[0] ** 2
