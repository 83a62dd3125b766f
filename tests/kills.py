"""Whole runs that are killed at random moments and go on: ``python -m tests.kills``, by hand.

Each kill is a SIGKILL. Some fall anywhere in a run, some in its last step, when every tile is
finished. What a run that was killed has left is gone on with, by the same call, until it is
finished; it has to leave the same bytes as a run that nobody killed, and nothing else.
"""

import argparse
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jsdiv_numba.batch.run import engine
from tests import batch_files
from tests.batch_files import contents
from tests.batch_worker import kill_neighbors, kill_pairs, kill_rows, kill_tested

WORK = [
    (kill_pairs, "npy"),
    (kill_pairs, "zarr"),
    (kill_pairs, "csv"),
    (kill_pairs, "parquet"),
    (kill_rows, "npy"),
    (kill_rows, "csv.gz"),
    (kill_neighbors, "npy"),
    (kill_neighbors, "zarr"),
    (kill_neighbors, "parquet"),
    (kill_tested, "csv"),
    (kill_tested, "parquet"),
]


def told(run: Any, source: Path, out: Path, connection: Any) -> None:
    """Do a run that says when its last step begins."""
    work_off = engine._work_off

    def and_say_so(*arguments: Any) -> None:
        work_off(*arguments)
        connection.send("last step")

    engine._work_off = and_say_so
    run(source, out)


class Times(NamedTuple):
    """How long a run takes, and its last step."""

    whole: float
    last: float


class Killer:
    """Starts runs and kills them.

    Parameters
    ----------
    folder : Path
        Where they write.
    seed : int
        Of the moments.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.chance = folder, random.Random(seed)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tests.batch_worker"])
        self.source = folder / "x.npy"
        rows = batch_files.rows(700, 64).astype(np.float32)
        rows[[5, 600]] = 0
        np.save(self.source, rows)

    def start(self, run: Any, out: Path) -> tuple[Any, Any]:
        """Start a run; return its process, and what it says."""
        here, there = self.context.Pipe(duplex=False)
        process = self.context.Process(target=told, args=(run, self.source, out, there))
        process.start()
        there.close()
        return process, here

    def measured(self, run: Any, out: Path) -> Times:
        """Do a run to its end; return how long it took."""
        begun = time.monotonic()
        process, says = self.start(run, out)
        says.recv()
        last = time.monotonic()
        process.join()
        assert process.exitcode == 0, f"{out} ends with {process.exitcode}"
        return Times(time.monotonic() - begun, time.monotonic() - last)

    def killed(self, run: Any, out: Path, times: Times, *, in_last: bool) -> bool:
        """Start or go on with a run, and kill it; return whether it was still at work."""
        process, says = self.start(run, out)
        if in_last:
            try:
                says.recv()
            except EOFError:
                # An earlier kill had left it whole.
                process.join()
                return False
            time.sleep(self.chance.uniform(0, 1.1 * times.last))
        else:
            time.sleep(self.chance.uniform(0, times.whole))
        process.kill()
        process.join()
        return bool(process.exitcode)


def main() -> int:
    """Kill runs, and return whether one went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument("--anywhere", type=int, default=150, help="kills at any moment")
    parser.add_argument("--last", type=int, default=50, help="kills in the last step")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="jsdiv-kills-"))
    killer = Killer(folder, arguments.seed)
    left = {False: arguments.anywhere, True: arguments.last}
    finished = 0
    whole = {}
    for run, suffix in WORK:
        path = folder / f"whole-{run.__name__}.{suffix}"
        killer.measured(run, folder / f"first-{run.__name__}.{suffix}")
        whole[run, suffix] = path, killer.measured(run, path)
    while sum(left.values()):
        run, suffix = WORK[finished % len(WORK)]
        path, times = whole[run, suffix]
        out = folder / "run" / f"d.{suffix}"
        out.parent.mkdir()
        in_last = killer.chance.random() < left[True] / sum(left.values())
        for _ in range(killer.chance.randint(1, 3)):
            if left[in_last] and not out.exists():
                left[in_last] -= killer.killed(run, out, times, in_last=in_last)
        if not out.exists() or (out.parent / f"{out.name}.partial").exists():
            process, _ = killer.start(run, out)
            process.join()
        report = out.parent / f"{out.name}.bad.csv"
        assert contents(out) == contents(path), f"{path.name}: other bytes"
        assert contents(report) == contents(path.with_name(f"{path.name}.bad.csv"))
        assert {entry.name for entry in out.parent.iterdir()} == {out.name, report.name}
        shutil.rmtree(out.parent)
        finished += 1
        if not finished % 20:
            print(f"{finished} runs finished; kills to come: {left}", flush=True)
    shutil.rmtree(folder)
    print(
        f"{arguments.anywhere + arguments.last} kills, {arguments.last} of them in the last step; "
        f"{finished} runs, each of which left the same bytes"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
