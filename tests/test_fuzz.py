"""A short run of the fuzzer, and that it sees faults; ``python -m tests.fuzz`` is the long one."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jsdiv_numba.batch.errors import FileError
from tests.fuzz import targets
from tests.fuzz.__main__ import Fuzzer
from tests.fuzz.mutations import KINDS, Mutation, drawn, mutated
from tests.fuzz.seeds import COUNTS, FOLDER
from tests.fuzz.targets import FaultError, command, in_memory_and_in_tiles, journal, seed_files

MUTATIONS = st.lists(
    st.builds(Mutation, st.sampled_from(KINDS), st.floats(0, 1), st.integers(0, 65535)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("seed", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_undamaged_files_are_read(tmp_path, seed):
    assert in_memory_and_in_tiles(seed, tmp_path)
    (tmp_path / "out").mkdir()
    assert command(seed, tmp_path / "out")


def test_an_undamaged_journal_is_gone_on_with(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "made").mkdir()
    assert journal(targets.stopped_run(tmp_path / "made"), tmp_path / "out")


def test_five_hundred_inputs(tmp_path):
    fuzzer = Fuzzer(tmp_path, seed=0)
    found = [fuzzer.tried(number) for number in range(500)]
    assert {name for name, _ in found} >= {"journal", *(path.name for path in FOLDER.iterdir())}
    assert 20 < sum(read for _, read in found) < 480


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(seed_files()), MUTATIONS, st.sampled_from(seed_files()))
def test_inputs_that_are_made_smaller(tmp_path_factory, chosen, mutations, other):
    file, top = chosen
    if top.is_dir():
        return
    path = tmp_path_factory.mktemp("fuzz") / top.name
    path.write_bytes(mutated(file.read_bytes(), mutations, other[0].read_bytes()))
    in_memory_and_in_tiles(path, path.parent)


def test_every_kind_of_change_changes_something():
    data = bytes(range(40, 60)) * 3
    for kind in KINDS:
        assert any(mutated(data, [Mutation(kind, 0.4, n)], b"other") != data for n in range(9)), (
            kind
        )
    assert drawn(random.Random(3)) == drawn(random.Random(3))


def raising(error):
    def read(*_):
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (raising(ZeroDivisionError()), None),
        (raising(FileError("another.csv: damaged")), "not one line on the file"),
        (raising(UserWarning("careful")), None),
    ],
)
def test_it_sees_what_must_not_be_raised(tmp_path, monkeypatch, read, message):
    monkeypatch.setattr(targets, "read_rows", read)
    with pytest.raises(Exception, match=message) as raised:
        in_memory_and_in_tiles(FOLDER / "rows.npy", tmp_path)
    assert not isinstance(raised.value, FileError)


def test_it_sees_wrong_rows_and_outputs(tmp_path, monkeypatch):
    class Rows:
        values, labels = -COUNTS, "wxyz"

    monkeypatch.setattr(targets, "read_rows", lambda _: Rows)
    with pytest.raises(FaultError, match="no distributions"):
        in_memory_and_in_tiles(FOLDER / "rows.npy", tmp_path)
    Rows.values = COUNTS + 1
    with pytest.raises(FaultError, match=r"(?s)in tiles, and .* in memory"):
        in_memory_and_in_tiles(FOLDER / "rows.npy", tmp_path)
    monkeypatch.setattr(targets, "main", lambda arguments: np.save(arguments[3], COUNTS) or 2)
    with pytest.raises(FaultError, match="code 2"):
        command(FOLDER / "rows.npy", tmp_path)
