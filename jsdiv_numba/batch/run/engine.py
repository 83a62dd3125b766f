"""Work that is cut into tiles, carried out so that nothing finished is lost.

Knows nothing of what is computed: a `Job` says what the work depends on and how it is cut, a
`Plan` what computes a tile and where its values go.
"""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jsdiv_numba.batch.errors import FileError, OutputError, RowError
from jsdiv_numba.batch.io.partial import REPORT
from jsdiv_numba.batch.io.rows import Fault
from jsdiv_numba.batch.io.write import writing
from jsdiv_numba.batch.run.bad_rows import check_report, write_report
from jsdiv_numba.batch.run.executor import Executor
from jsdiv_numba.batch.run.journal import Conditions, Journal, versions
from jsdiv_numba.batch.run.progress import Progress, under_way
from jsdiv_numba.batch.run.sinks import Sink
from jsdiv_numba.batch.run.task import Task, compute_tile
from jsdiv_numba.batch.run.tiling import Grid, Tile


class Plan(NamedTuple):
    """How a job is done."""

    grid: Grid  # its tiles
    sizes: list[int]  # what the grid was made from, kept for the run that goes on
    task: Callable[[Tile], Task]  # returns what computes a tile
    sink: Callable[[Path, bool], Sink]
    """Returns where values go; told where, and whether that has to be made."""
    amount: Callable[[Tile], int]
    """Returns how much there is to do for a tile, which is shown as progress."""
    noun: str  # what is counted


class Job(Protocol):
    """What is to be done."""

    @property
    def output(self) -> Path:
        """The file or folder to be written."""

    @property
    def lists_bad_rows(self) -> bool:
        """Whether rows that are no distributions are listed, and do not stop the run."""

    def inputs(self) -> Mapping[str, Mapping[str, Any]]:
        """Return each input's fingerprint, by its name."""

    def arguments(self) -> Mapping[str, Any]:
        """Return what else the values depend on, fit for JSON."""

    def plan(self, folder: Path, sizes: list[int] | None) -> Plan:
        """Open the inputs, with copies in `folder`, and cut the work, as an earlier run did."""


class Summary(NamedTuple):
    """What was done.

    Parameters
    ----------
    output : Path
        The file or folder that was written.
    tiles : int
        How many tiles there are.
    resumed : int
        How many of them an earlier run had finished.
    bad_rows : int
        How many rows were no distributions.
    report : Path or None
        The file that lists them.
    """

    output: Path
    tiles: int
    resumed: int
    bad_rows: int
    report: Path | None


def carry_out(job: Job, *, resume: bool, executor: Executor, progress: Progress) -> Summary:
    """Do a job, or what is left of it.

    `resume` says whether to go on with an unfinished run, if there is one. Raises
    `FileError` if something cannot be read or written, another run is at work, or the
    unfinished run was made of other inputs or arguments.
    """
    output = Path(os.path.realpath(job.output))
    journal = Journal(output)
    if not (resume and journal.folder.path.is_dir()):
        _require_no_folder(job)
    if job.lists_bad_rows:
        check_report(_beside(job))
    with journal.held():
        conditions = _checked(journal, job, resume)
        try:
            if conditions is None:
                journal.go_on()
            else:
                journal.begin(conditions)
            return _finished(journal, job) or _work(journal, job, executor, progress)
        except BaseException as error:
            if isinstance(error, FileError):
                journal.folder.require_held()
            kept = False
            with contextlib.suppress(FileError):
                kept = journal.abandon(for_good=isinstance(error, RowError))
            if kept and isinstance(error, OutputError):
                raise OutputError(f"{error}; --resume goes on with what could be kept") from error
            raise


def _checked(journal: Journal, job: Job, resume: bool) -> Conditions | None:
    """Return under what conditions to begin anew, or None if there is something to go on with."""
    journal.read()
    if journal.done and not resume:
        raise FileError(
            f"{job.output}: an unfinished run has {len(journal.done):,} tiles; "
            f"add --resume to go on, or delete {journal.folder.path}"
        )
    if journal.whole is None:
        _require_no_folder(job)
    conditions = Conditions(job.inputs(), job.arguments(), versions())
    return None if resume and journal.goes_on_under(conditions) else conditions


def _require_no_folder(job: Job) -> None:
    if job.output.is_dir():
        raise FileError(f"{job.output}: exists, and a folder is not replaced; delete it first")


def _finished(journal: Journal, job: Job) -> Summary | None:
    """Give its name to an output that an earlier run has made whole, if there is one."""
    tiles = len(journal.done)
    return None if journal.whole is None else _placed(journal, job, tiles, tiles)


def _work(journal: Journal, job: Job, executor: Executor, progress: Progress) -> Summary:
    fresh = journal.plan is None
    plan = job.plan(journal.folder.path, journal.plan)
    with writing(job.output):
        sink = plan.sink(journal.folder.part, fresh)
    try:
        # The sizes after the sink: an output that could not be made is made again.
        journal.settle(plan.sizes)
        resumed = len(journal.done)
        _work_off(journal, plan, sink, executor, progress, job.output)
        with writing(job.output):
            sink.finish()
    finally:
        sink.close()
    journal.finish()
    return _placed(journal, job, len(plan.grid), resumed)


def _beside(job: Job) -> Path:
    """Return the output as the user calls it, or what it leads to: there lies all we write."""
    return Path(os.path.realpath(job.output)) if job.output.is_symlink() else job.output


def _placed(journal: Journal, job: Job, tiles: int, resumed: int) -> Summary:
    """List the bad rows, and give the output its name."""
    bad = [Fault(*fault) for found in journal.done.values() for fault in found]
    report = write_report(_beside(job), bad, journal.folder.path / REPORT)
    journal.place()
    return Summary(job.output, tiles, resumed, len(bad), report)


def _work_off(
    journal: Journal, plan: Plan, sink: Sink, executor: Executor, progress: Progress, output: Path
) -> None:
    done = {tile.number for tile in plan.grid.tiles() if tile.number in journal.done}
    total = sum(map(plan.amount, plan.grid.tiles()))
    before = sum(plan.amount(tile) for tile in plan.grid.tiles() if tile.number in done)
    tasks = (plan.task(tile) for tile in plan.grid.tiles() if tile.number not in done)
    with under_way(progress, total, before, plan.noun), _Keeper(journal, sink, output) as keeper:
        try:
            for result in executor.results(compute_tile, tasks):
                with writing(output):
                    sink.store(result)
                journal.note(result.tile.number, [list(fault) for fault in result.faults])
                progress.advance(plan.amount(result.tile))
                keeper.keep_if_due()
        except BaseException:
            # Whatever it is that stopped the work, what is finished is kept if it can be.
            with contextlib.suppress(FileError):
                keeper.keep()
            progress.say("stopped", tiles=len(journal.done), of=len(plan.grid))
            raise
        keeper.keep()


class _Keeper:
    """Makes finished tiles safe, in a thread of its own, while others are computed and stored."""

    def __init__(self, journal: Journal, sink: Sink, output: Path) -> None:
        self.journal, self.sink, self.output = journal, sink, output
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="jsdiv_sync")
        self.at_work: Future[None] | None = None

    def __enter__(self) -> "_Keeper":
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()

    def keep_if_due(self) -> None:
        """Begin to make safe what is stored by now, unless that has just been done or goes on."""
        if (self.at_work is None or self.at_work.done()) and self.journal.due:
            self._wait()
            self.at_work = self.pool.submit(self._save, self.sink.syncing(), self.journal.taken())

    def keep(self) -> None:
        """Make safe all that is stored."""
        self._wait()
        self._save(self.sink.syncing(), self.journal.taken())

    def _wait(self) -> None:
        at_work, self.at_work = self.at_work, None
        if at_work is not None:
            at_work.result()

    def _save(self, sync: Callable[[], None], records: list[dict[str, Any]]) -> None:
        begun = time.monotonic()
        with writing(self.output):
            sync()
        self.journal.write(records)
        self.journal.synced(begun)
