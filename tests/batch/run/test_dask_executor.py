"""Dask arrays on a cluster of processes: same bits, also when a worker is killed."""

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster, wait

import jsdiv_numba
import jsdiv_numba.dask as lazy
from jsdiv_numba import batch
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.run.dask_executor import Cluster, connected
from tests import batch_files
from tests.batch_files import HEAR_CTRL_C, contents, run, start
from tests.limits import HANGING


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    quiet = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with LocalCluster(**options, **quiet) as cluster, Client(cluster) as client:
        yield client


def rows(number, length, seed):
    return np.random.default_rng(seed).random((number, length))


def bits(values):
    return np.asarray(values).tobytes()


def test_processes_give_the_same_bits(client):
    P, Q = rows(300, 40, 1), rows(300, 40, 2)
    p, q = (da.from_array(X, chunks=(70, 15)) for X in (P, Q))
    results = [
        lazy.js_divergence(p, q),
        lazy.js_divergence_logit(p, Q, axis=0, base=2),
        lazy.jensenshannon(p, Q[0], axis=1),
        lazy.cdist(p, Q[:100]),
        lazy.pdist(p, "js_divergence"),
    ]
    computed = [future.result() for future in client.compute(results)]
    assert list(map(bits, computed)) == [
        bits(jsdiv_numba.js_divergence(P, Q)),
        bits(jsdiv_numba.js_divergence_logit(P, Q, axis=0, base=2)),
        bits(jsdiv_numba.jensenshannon(P, Q[0], axis=1)),
        bits(jsdiv_numba.cdist(P, Q[:100])),
        bits(jsdiv_numba.pdist(P, "js_divergence")),
    ]


def test_processes_find_the_same_neighbours(client):
    X, Y = rows(500, 40, 1), rows(300, 40, 2)
    x, y = da.from_array(X, chunks=(70, 15)), da.from_array(Y, chunks=(80, 40))
    with dask.config.set({"array.chunk-size": "128kiB"}):
        found = [*lazy.kneighbors(x, n_neighbors=7), *lazy.kneighbors(x, y, 30)]
        within = lazy.radius_neighbors(x, y, 0.28, return_distance=False)
    assert len(dict(found[0].__dask_graph__())) > 20
    computed = [future.result() for future in client.compute(found)]
    expected = *jsdiv_numba.kneighbors(X, n_neighbors=7), *jsdiv_numba.kneighbors(X, Y, 30)
    assert list(map(bits, computed)) == list(map(bits, expected))
    of_rows = jsdiv_numba.radius_neighbors(X, Y, 0.28, return_distance=False)
    assert list(map(bits, client.compute(within).result())) == list(map(bits, of_rows))


def test_an_invalid_entry_is_named_across_processes(client):
    X = rows(50, 8, 1)
    X[41, 3] = -1
    with pytest.raises(ValueError, match=r"^Q\[41, 3\] is -1\.0; probabilities must be finite"):
        client.compute(lazy.js_divergence(np.abs(X), da.from_array(X, chunks=10))).result()


def _kill_a_worker(client):
    """Kill the process of a worker that holds results."""
    pids = client.run(os.getpid)
    held = client.has_what()
    address = max(pids, key=lambda worker: len(held.get(worker, ())))
    os.kill(pids[address], signal.SIGKILL)
    return len(held[address])


@pytest.mark.parametrize("name", ["cdist", "pdist"])
def test_a_killed_worker_loses_nothing(client, name):
    X = da.random.default_rng(3).random((4000, 1024), chunks=(200, 1024))
    given = [X, X[:1500]] if name == "cdist" else [X]
    with dask.config.set({"array.chunk-size": "1640kiB"}):
        result = client.persist(getattr(lazy, name)(*given))
    futures = client.futures_of(result)
    assert len(futures) > 30
    while sum(future.done() for future in futures) < len(futures) // 10:
        time.sleep(0.01)
    assert _kill_a_worker(client) > 0
    assert not all(future.done() for future in futures)
    wait(futures, timeout=HANGING)
    expected = getattr(jsdiv_numba, name)(*(np.asarray(rows) for rows in given))
    assert bits(result.compute()) == bits(expected)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file whose pairs take a few seconds."""
    path = tmp_path_factory.mktemp("large") / "x.npy"
    np.save(path, batch_files.rows(5000, 512))
    return path


@pytest.fixture(scope="module")
def whole(large):
    """What its pairs are, as threads compute them."""
    out = large.with_name("whole.npy")
    batch.pairwise(large, out=out, tile=250)
    return contents(out)


class Killing(Cluster):
    """A cluster of which a worker is killed after a few tiles."""

    def results(self, function, tasks):
        for number, result in enumerate(super().results(function, tasks)):
            if number == 5:
                pids = self.client.run(os.getpid)
                os.kill(next(iter(pids.values())), signal.SIGKILL)
            yield result


def test_tiles_of_a_killed_worker_are_computed_again(client, large, whole, tmp_path):
    out = tmp_path / "d.npy"
    summary = batch.pairwise(large, out=out, tile=250, executor=Killing(client))
    assert summary.tiles == 210
    assert contents(out) == whole


def _wait_for_tiles(process, out):
    journal = out.with_name(f"{out.name}.partial") / "journal.jsonl"
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.parametrize("local", [False, True])
def test_a_killed_command_goes_on_from_its_last_tile(client, large, whole, tmp_path, local):
    out = tmp_path / "d.npy"
    scheduler = "local:2" if local else client.scheduler.address
    arguments = ["pairwise", large, "--tile", 250, "-q", "--scheduler", scheduler, "-o", out]
    process = start(*arguments, "--resume")
    _wait_for_tiles(process, out)
    process.kill()
    process.communicate()
    assert not out.exists()
    code, stderr = run(*arguments)
    assert (code, stderr.count("\n")) == (2, 1)
    assert "an unfinished run has" in stderr
    assert run(*arguments, "--resume") == (0, "")
    assert contents(out) == whole


def test_ctrl_c_stops_all_processes_of_a_local_cluster(large, whole, tmp_path):
    out = tmp_path / "d.npy"
    arguments = ["pairwise", large, "--tile", 250, "-q", "-o", out]
    options = {"start_new_session": True, "first": HEAR_CTRL_C}
    process = start(*arguments, "--scheduler", "local:2", **options)
    _wait_for_tiles(process, out)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    # As a terminal does: to every process.
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=HANGING)
    assert process.returncode == 130
    assert stderr.strip() == f"jsdiv: {out}: stopped; the same command with --resume goes on"
    gone, alive = psutil.wait_procs(workers, timeout=HANGING)
    assert (len(gone), alive) == (len(workers), [])
    assert not out.exists()
    assert run(*arguments, "--resume") == (0, "")
    assert contents(out) == whole


@pytest.fixture
def scheduler(tmp_path):
    """The process of a scheduler, and its address; it has one worker."""
    place = tmp_path / "scheduler.json"
    environment = {**os.environ, "PYTHONPATH": str(batch_files.ROOT)}
    options = {"env": environment, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0"]
    command += ["--dashboard-address", ":0", "--scheduler-file", place]
    process = subprocess.Popen(command, **options)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1"]
    worker = subprocess.Popen([*command, "--no-dashboard", "--scheduler-file", place], **options)
    while not place.exists():
        assert process.poll() is None
        time.sleep(0.05)
    yield process, json.loads(place.read_text())["address"]
    for started in worker, process:
        started.terminate()
        started.wait()


def test_a_scheduler_that_dies_is_an_error_of_one_line(scheduler, large, whole, tmp_path):
    out = tmp_path / "d.npy"
    arguments = ["pairwise", large, "--tile", 250, "-q", "-o", out]
    its_process, address = scheduler
    process = start(*arguments, "--scheduler", address)
    _wait_for_tiles(process, out)
    its_process.kill()
    _, stderr = process.communicate(timeout=HANGING)
    assert process.returncode == 2
    assert stderr == (
        f"jsdiv: {address}: the connection to the scheduler is lost; "
        "--resume goes on from the last finished tile\n"
    )
    assert run(*arguments, "--resume") == (0, "")
    assert contents(out) == whole


class Weighing(Cluster):
    """A cluster that notes what it is sent for each tile."""

    def __init__(self, client):
        super().__init__(client)
        self.sizes = []
        submit = client.submit
        self.client = SimpleNamespace(
            loop=client.loop, nthreads=client.nthreads, scatter=client.scatter, submit=self.submit
        )
        self.pass_on = submit

    def submit(self, function, *arguments, **options):
        self.sizes.append(len(pickle.dumps((function, arguments))))
        return self.pass_on(function, *arguments, **options)


@pytest.mark.parametrize("arguments", [{}, {"max_distance": 0.2}, {"reduce": "mean"}])
def test_a_matrix_in_memory_is_not_sent_with_every_tile(client, tmp_path, arguments):
    X = batch_files.rows(300, 50)
    suffix = "parquet" if "max_distance" in arguments else "npy"
    out, whole = tmp_path / f"d.{suffix}", tmp_path / f"whole.{suffix}"
    cluster = Weighing(client)
    summary = batch.pairwise(X, X[:100], out=out, tile=40, executor=cluster, **arguments)
    assert len(cluster.sizes) == summary.tiles > 1
    assert max(cluster.sizes) < 2000 < X.nbytes
    batch.pairwise(X, X[:100], out=whole, tile=40, **arguments)
    assert contents(out) == contents(whole)


def test_a_bad_row_is_named_by_the_command(client, tmp_path):
    X = batch_files.rows(50)
    X[41, 3] = -1
    np.save(tmp_path / "x.npy", X)
    arguments = ["pairwise", tmp_path / "x.npy", "-o", tmp_path / "d.npy", "-q", "--resume"]
    code, stderr = run(*arguments, "--tile", 20, "--scheduler", client.scheduler.address)
    assert code == 2
    assert run(*arguments, "--tile", 20) == (code, stderr)


def test_a_cluster_searches_neighbours_in_tiles(client, tmp_path):
    np.save(tmp_path / "x.npy", batch_files.rows(3000, 64))
    out, whole = tmp_path / "n.npy", tmp_path / "whole.npy"
    batch.neighbors(tmp_path / "x.npy", out=whole, tile=100)
    summary = batch.neighbors(tmp_path / "x.npy", out=out, tile=100, executor=Killing(client))
    assert summary.tiles == 30
    assert contents(out) == contents(whole)


NO_ADDRESSES = (
    *("http://127.0.0.1:8787", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:port", "://", ""),
    *(
        "inproc://127.0.0.1/1/1",
        "local:100000",
        "local:-1",
        "local:two",
        "tcp://a b:1",
        "file:///x",
    ),
)


@pytest.mark.parametrize(
    ("scheduler", "message"),
    [
        ("local:0", "neither an address, such as tcp://10.0.0.1:8786, nor local:N for N processes"),
        ("10.0.0.1", "neither an address, such as tcp://10.0.0.1:8786, nor local:N for N proc"),
        ("tcp://127.0.0.1:9", "no scheduler answers there"),
        *((f"{wrong}", "neither an address, such as tcp") for wrong in NO_ADDRESSES),
        ("tls://127.0.0.1:9", "cannot be connected to: TLS expects a `ssl_context`"),
    ],
)
def test_a_wrong_scheduler(scheduler, message):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "200ms"}),
        pytest.raises(FileError, match=f"^--scheduler {scheduler}: {message}"),
        connected(scheduler),
    ):
        pass


def test_workers_of_another_version_are_refused(client, monkeypatch):
    monkeypatch.setattr("jsdiv_numba.batch.run.journal.__version__", "9.9")
    with (
        pytest.raises(FileError, match=r"has jsdiv_numba .*, but this process 9\.9$"),
        connected(client.scheduler.address),
    ):
        pass
