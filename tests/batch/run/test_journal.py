"""Journals that are damaged, or speak of what is gone: a refusal that says how to begin anew."""

import errno
import json
import re
import shutil

import numpy as np
import pytest
import zarr

from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError, OutputError
from jsdiv_numba.batch.run.journal import Conditions, Journal
from jsdiv_numba.distance import cdist
from tests import batch_files
from tests.batch_files import contents

X = batch_files.rows(20)
X[3] = 0


class StoppedError(Exception):
    """What stops a run in this process."""


class Stopped:
    """Threads that compute so many tiles and no more."""

    workers = 1

    def __init__(self, count=4, then=None):
        self.count, self.then = count, then

    def results(self, function, tasks):
        for number, task in enumerate(tasks):
            if number == self.count:
                if self.then is None:
                    raise StoppedError
                self.then()
            yield function(task)


def run(out, **more):
    return batch.pairwise(X, out=out, tile=5, on_bad="nan", **more)


@pytest.fixture
def out(tmp_path):
    """An output of which four of ten tiles are finished."""
    with pytest.raises(StoppedError):
        run(tmp_path / "d.npy", executor=Stopped())
    return tmp_path / "d.npy"


def journal_of(out):
    return out.with_name(f"{out.name}.partial") / "journal.jsonl"


def refused(out, line):
    """Check that a run is refused, with and without resume, and changes nothing."""
    folder = journal_of(out).parent
    before = contents(folder)
    for resume in (True, False):
        with pytest.raises(FileError) as error:
            run(out, resume=resume)
        assert str(error.value) == (
            f"{journal_of(out)}, line {line}: damaged; delete {folder} to begin anew"
        )
    assert contents(folder) == before
    assert not out.exists()


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("text", ["{}", "[]", "7", "null", "", "{nonsense}", '{"plan": [5, 5]}'])
def test_a_journal_of_something_else(out, text, end):
    journal_of(out).write_text(text + end)
    refused(out, 1)


@pytest.mark.parametrize("text", ["{}", "[]", "7", '"tile"', '{"tile": 0, "faults": []}'])
def test_a_line_of_something_else(out, text):
    lines = journal_of(out).read_text().splitlines()
    for number in range(1, len(lines)):
        journal_of(out).write_text("\n".join([*lines[:number], text, *lines[number:], ""]))
        refused(out, number + 1)


def test_a_line_that_is_left_out_or_repeated(out):
    lines = journal_of(out).read_text().splitlines(keepends=True)
    for number in range(len(lines) - 1):
        journal_of(out).write_text("".join([*lines[:number], *lines[number + 1 :]]))
        refused(out, number + 1)
        journal_of(out).write_text("".join([*lines[: number + 1], *lines[number:]]))
        refused(out, number + 2)


def test_a_changed_plan(out):
    text = journal_of(out).read_text()
    assert '"plan": [5, 5]' in text
    journal_of(out).write_text(text.replace('"plan": [5, 5]', '"plan": [4, 5]'))
    refused(out, 2)


def test_changed_conditions(out):
    text = journal_of(out).read_text()
    journal_of(out).write_text(text.replace('"base": null', '"base": 2', 1))
    refused(out, 1)


def test_every_prefix_is_gone_on_with_but_for_one_without_a_first_line(out, tmp_path):
    folder, whole = journal_of(out).parent, journal_of(out).read_bytes()
    first = whole.index(b"\n") + 1
    run(tmp_path / "expected.npy")
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    for size in range(first, len(whole), 7):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, folder)
        journal_of(out).write_bytes(whole[:size])
        tiles = whole[:size].count(b'{"tile"') - (not whole[:size].endswith(b"}\n"))
        assert run(out, resume=True).resumed <= max(tiles, 0) + 1
        assert contents(out) == contents(tmp_path / "expected.npy")
        out.unlink()
    shutil.copytree(kept, folder)
    journal_of(out).write_bytes(whole[: first - 1])
    refused(out, 1)


def part_of(out):
    return out.with_name(f"{out.name}.partial") / f"output{out.suffix}"


@pytest.mark.parametrize("when", ["after a stop", "during the run"])
@pytest.mark.parametrize("harm", ["deleted", "cut short", "another"])
def test_a_part_that_is_not_what_it_was(tmp_path, when, harm):
    out = tmp_path / "d.npy"
    part = part_of(out)

    def do_harm():
        if harm == "cut short" and when == "after a stop":
            part.write_bytes(part.read_bytes()[:-1])
            return
        part.unlink()
        if harm != "deleted":
            np.save(part, np.zeros((2, 2)))

    if when == "after a stop":
        with pytest.raises(StoppedError):
            run(out, executor=Stopped())
        do_harm()
        executor = None
    else:
        executor = Stopped(then=do_harm)
    cure = f"is missing or damaged; delete {part.parent} to begin anew"
    for resume in (when == "after a stop", True):
        with pytest.raises(FileError, match=re.escape(f"{part}: {cure}")):
            run(out, resume=resume, executor=executor)
        assert not out.exists()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "zarr"])
@pytest.mark.parametrize("when", ["after a stop", "during the run"])
def test_a_piece_that_is_gone(tmp_path, suffix, when):
    out = tmp_path / f"d.{suffix}"
    folder = part_of(out).parent

    def lose():
        files = [f for f in folder.rglob("*") if f.is_file() and f.parent != folder]
        max(file for file in files if file.name != "zarr.json").unlink()

    if when == "after a stop":
        with pytest.raises(StoppedError):
            run(out, executor=Stopped(3))
        lose()
        executor = None
    else:
        executor = Stopped(3, then=lose)
    with pytest.raises(FileError, match=rf"is missing or damaged; delete {folder} to begin anew$"):
        run(out, resume=when == "after a stop", executor=executor)
    assert not out.exists()


@pytest.mark.parametrize("lost", ["zarr.json", ""])
def test_an_array_of_which_the_metadata_are_gone(tmp_path, lost):
    out = tmp_path / "d.zarr"
    with pytest.raises(StoppedError):
        run(out, executor=Stopped())
    harmed = part_of(out) / lost
    harmed.unlink() if lost else shutil.rmtree(harmed)
    with pytest.raises(FileError, match=r"output\.zarr: is missing or damaged; delete "):
        run(out, resume=True)


def test_chunks_of_which_nothing_is_known_are_written_too(tmp_path):
    bad = np.full((6, 4), -1.0)
    bad[0] = 1
    batch.pairwise(bad, out=tmp_path / "d.zarr", tile=2, on_bad="nan")
    found = zarr.open_array(tmp_path / "d.zarr", mode="r")[:]
    bad[1:] = np.nan
    np.testing.assert_array_equal(found, cdist(bad, bad))


def finished(tmp_path, suffix="npy"):
    """Return an output that is whole but for its name."""
    out = tmp_path / f"d.{suffix}"
    with pytest.MonkeyPatch.context() as patched:

        def stop(_):
            raise StoppedError

        patched.setattr(Journal, "place", stop)
        with pytest.raises(StoppedError):
            run(out)
    assert not out.exists()
    assert json.loads(journal_of(out).read_text().splitlines()[-1])["whole"]
    return out


@pytest.mark.parametrize("suffix", ["npy", "zarr", "csv"])
def test_what_is_whole_gets_its_name_with_count_and_report(tmp_path, suffix):
    out = finished(tmp_path, suffix)
    report = tmp_path / f"d.{suffix}.bad.csv"
    report.unlink()
    tiles = run(tmp_path / f"again.{suffix}").tiles
    assert run(out, resume=True) == (out, tiles, tiles, 1, report)
    assert report.read_text().count("\n") == 2
    assert contents(out) == contents(tmp_path / f"again.{suffix}")
    assert not journal_of(out).parent.exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"base": 2}, "base was absent and is 2"),
        ({"metric": "js_divergence"}, "metric was jensenshannon and is js_divergence"),
        ({"Y": X[:5]}, "files was ['X'] and is ['X', 'Y']"),
    ],
)
def test_what_is_whole_is_of_the_same_inputs_and_arguments(tmp_path, changed, message):
    out = finished(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(FileError, match=re.escape(f"{out}: cannot resume: {message}")):
        run(out, resume=True, **changed)
    with pytest.raises(FileError, match="cannot resume: X's digest was"):
        batch.pairwise(X + 1, out=out, tile=5, on_bad="nan", resume=True)
    with pytest.raises(FileError, match="an unfinished run has 10 tiles; add --resume to go on"):
        run(out)
    assert contents(tmp_path) == before


def test_what_is_whole_but_gone_is_an_error(tmp_path):
    out = finished(tmp_path)
    out.write_text("something else")
    part = part_of(out)
    part.write_bytes(part.read_bytes() + b"x")
    with pytest.raises(FileError, match=rf"{part}: was changed after it was finished; delete .*"):
        run(out, resume=True)
    part.unlink()
    with pytest.raises(FileError, match=rf"{part}: is missing; delete {part.parent} to begin anew"):
        run(out, resume=True)
    assert out.read_text() == "something else"


def test_names_that_are_not_utf_8_are_kept(tmp_path):
    conditions = Conditions({"x\udcff.npy": {"size": 1}}, {"base": None}, {})
    with Journal(tmp_path / "d.npy").held() as journal:
        journal.begin(conditions)
        journal.note(0, [])
        journal.write(journal.taken())
    with Journal(tmp_path / "d.npy").held() as journal:
        journal.read()
        assert (journal.conditions, journal.done) == (conditions, {0: []})


def test_half_a_line_on_a_full_disk_is_taken_back(tmp_path):
    conditions = Conditions({}, {"base": None}, {})
    with Journal(tmp_path / "d.npy").held() as journal:
        journal.begin(conditions)
        journal.write([{"tile": 0, "faults": []}])
        file = journal._file

        class Full:
            truncate, fileno, close = file.truncate, file.fileno, file.close

            def write(self, data):
                file.write(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")

        journal._file = Full()
        with pytest.raises(
            OutputError, match=r"d\.npy: cannot be written: No space left on device"
        ):
            journal.write([{"tile": 1, "faults": []}])
        # What comes after would not fit to what is before.
        journal.write([{"tile": 2, "faults": []}])
    assert journal_of(tmp_path / "d.npy").read_bytes().endswith(b"}\n")
    with Journal(tmp_path / "d.npy").held() as journal:
        journal.read()
        assert (journal.conditions, list(journal.done)) == (conditions, [0])
        journal.go_on()
        journal.write([{"tile": 3, "faults": []}])
    with Journal(tmp_path / "d.npy").held() as journal:
        journal.read()
        assert list(journal.done) == [0, 3]
