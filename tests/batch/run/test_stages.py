"""Drift of files that is killed on the way, and goes on to the same bytes."""

import multiprocessing
import shutil
import signal

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from jsdiv_numba import cli
from jsdiv_numba._drift.states import State
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io import tables
from jsdiv_numba.batch.run.journal import Conditions
from jsdiv_numba.batch.run.stages import Stages
from tests.batch_worker import few_drifts
from tests.killed import run_killed

RNG = np.random.default_rng(0)


def table(n, shift):
    gone = RNG.random(n) < 0.1
    days = np.datetime64("2024-01-01") + RNG.integers(0, 90, n)
    return pa.table(
        {
            "float": pa.array(RNG.normal(shift, 1, n), mask=gone),
            "integer": RNG.integers(0, 9000, n),
            "text": (RNG.zipf(1.5, n) % 300).astype(str),
            "bool": pa.array(RNG.random(n) < 0.3, mask=gone),
            "moment": pa.array(days.astype("M8[us]") + RNG.integers(0, 10**10, n)),
            "clock": pa.array(RNG.integers(0, 86_400, n).astype(np.int32)).cast(pa.time32("s")),
            "day": pa.array(days),
        }
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for name, shift in (("before", 0.0), ("after", 0.3)):
        parquet.write_table(table(400, shift), folder / f"{name}.parquet", row_group_size=150)
    return folder / "before.parquet"


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.batch_worker"])
    return context


def test_killed_on_the_way(processes, source, tmp_path, monkeypatch):
    read = []
    batches = tables.ParquetTable.batches

    def counting(self, columns, start=0):
        for batch in batches(self, columns, start):
            read.append(len(batch["float"].data))
            yield batch

    monkeypatch.setattr(tables.ParquetTable, "batches", counting)
    whole = tmp_path / "whole.json"
    assert few_drifts(source, whole) == 0
    expected = whole.read_bytes(), whole.with_suffix(".profile.json").read_bytes()
    assert sum(read) == 6 * 400
    spared = []
    for operation in range(1, 1000, 17):
        out = tmp_path / "run" / "out.json"
        out.parent.mkdir()
        process = processes.Process(target=run_killed, args=(few_drifts, source, out, operation))
        process.start()
        process.join()
        assert process.exitcode in {0, -signal.SIGKILL}
        if process.exitcode:
            read.clear()
            assert few_drifts(source, out) == 0
            spared.append(6 * 400 - sum(read))
        assert (out.read_bytes(), out.with_suffix(".profile.json").read_bytes()) == expected
        assert len(list(out.parent.iterdir())) == 2
        shutil.rmtree(out.parent)
        if not process.exitcode:
            break
    assert len(spared) > 4
    # The last ones were killed when all had been written.
    done = spared.index(max(spared))
    assert spared[: done + 1] == sorted(spared[: done + 1])
    assert max(spared) > 4 * 400


def test_what_is_written_without_a_stop_has_the_same_bytes(source, tmp_path):
    few_drifts(source, tmp_path / "a.json")
    command = ["drift", source, source.with_name("after.parquet"), "-o", tmp_path / "b.json", "-q"]
    assert cli.main([*map(str, command), "--by", "month(day)"]) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def conditions(seed=0):
    return lambda: Conditions({"a.csv": {"size": 1}}, {"seed": seed}, {"numba": "1"})


@pytest.fixture
def unfinished(tmp_path, monkeypatch):
    monkeypatch.setattr("jsdiv_numba.batch.run.stages.SECONDS", 0.0)
    monkeypatch.setattr("jsdiv_numba.batch.run.stages.SHARE", 0)

    def stopped():
        with Stages(tmp_path / "o.json", conditions(), resume=False).of("compare") as stages:
            for row in range(3):
                facts = {"row": row, "read": 10 * row}
                stages.keep("sample", lambda facts=facts: State(facts, {"x": np.arange(3)}))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    return tmp_path / "o.json"


def test_a_stage_is_what_was_kept_last(unfinished):
    with Stages(unfinished, conditions(), resume=True).of("compare") as stages:
        state = stages.taken_up("sample")
        assert state.facts == {"row": 2, "read": 20}
        assert stages.read == 20
        np.testing.assert_array_equal(state.arrays["x"], np.arange(3))
        assert stages.taken_up("counts") is None
    assert list(unfinished.parent.iterdir()) == []


def test_an_unfinished_run_is_not_taken_for_another(unfinished):
    with (
        pytest.raises(FileError, match=r"o\.json: unfinished: add --resume to go on, or delete "),
        Stages(unfinished, conditions(), resume=False),
    ):
        pass
    with (
        pytest.raises(FileError, match=r"cannot resume: seed was 0 and is 1; delete "),
        Stages(unfinished, conditions(1), resume=True),
    ):
        pass


def test_a_damaged_state_is_no_state(unfinished):
    for path in unfinished.with_name("o.json.partial").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    with (
        pytest.raises(FileError, match=r"compare-sample\.\d\.npz: is missing or damaged; delete "),
        Stages(unfinished, conditions(), resume=True).of("compare") as stages,
    ):
        stages.taken_up("sample")


def test_a_short_run_keeps_nothing(tmp_path):
    with Stages(tmp_path / "o.json", conditions(), resume=False).of("compare") as stages:
        stages.keep("sample", lambda: pytest.fail("it took no time"), last=True)
    assert list(tmp_path.iterdir()) == []
