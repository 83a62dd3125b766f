"""States of work that is done in one go, kept in the folder of the unfinished run."""

import contextlib
import hashlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np

from jsdiv_numba._drift.states import State
from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.io.partial import stage_name
from jsdiv_numba.batch.io.write import writing
from jsdiv_numba.batch.run.journal import Conditions, Journal

SECONDS = 5.0
"""So long a run takes before its state is kept at all, and then from time to time."""

_NUMBERS = {"profile-sample": 0, "profile-counts": 1, "compare-sample": 2, "compare-counts": 3}
"""What the journal calls each stage."""

SHARE = 20
"""Of the time of a run, at most so small a part is spent on that."""


class Stages:
    """Keeps the state of each of several stages, one after the other.

    There are two files for each stage, in turn, and a line of the journal says which is valid,
    once it is on the disk. A run that is over in seconds writes nothing.

    Parameters
    ----------
    output : Path
        What will be written at the end; the folder lies beside it.
    conditions : callable
        Returns what has to be the same when a run goes on.
    resume : bool
        Whether to go on with an unfinished run, if there is one.
    """

    def __init__(
        self,
        output: Path,
        conditions: Callable[[], Conditions],
        *,
        resume: bool,
    ) -> None:
        self.output, self.conditions, self.resume = output, conditions, resume
        self.task = ""
        self.read = 0
        """How many rows an earlier run has read of what was taken up."""
        self.journal = Journal(output)
        self.open_until_done = contextlib.ExitStack()
        self.begun = False
        self.next_time = time.monotonic() + SECONDS

    def __enter__(self) -> "Stages":
        path = self.journal.folder.path
        if not self.resume and path.exists():
            raise FileError(f"{self.output}: unfinished: add --resume to go on, or delete {path}")
        if self.resume and path.is_dir():
            self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        try:
            if self.begun and kind is None:
                self.journal.discard()
        finally:
            self.open_until_done.close()

    def _begin(self) -> None:
        self.open_until_done.enter_context(self.journal.held())
        self.journal.read()
        conditions = self.conditions()
        if self.journal.goes_on_under(conditions):
            self.journal.go_on()
        else:
            self.journal.begin(conditions)
        self.begun = True

    def of(self, task: str) -> "Stages":
        """Return what keeps the stages of one of several tasks."""
        self.task = task
        return self

    def taken_up(self, stage: str) -> State | None:
        """Return what an earlier run has kept of a stage, if anything."""
        stage = f"{self.task}-{stage}"
        found = self.journal.done.get(_NUMBERS[stage])
        if found is None:
            return None
        slot, digest = found
        path = self.journal.folder.path / stage_name(stage, slot)
        content = path.read_bytes() if path.exists() else b""
        if _digest(content) != digest:
            raise FileError(
                f"{path}: is missing or damaged; delete {self.journal.folder.path} to begin anew"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            named = dict(arrays)
        facts = json.loads(named.pop("facts").tobytes())
        self.read += facts["read"]
        return State(facts, named)

    def keep(self, stage: str, state: Callable[[], State], *, last: bool = False) -> None:
        """Keep a state, if some time has passed, or it is the last of a stage of such a run."""
        begun = time.monotonic()
        if begun < self.next_time and not (last and self.begun):
            return
        if not self.begun:
            self._begin()
        self._write(f"{self.task}-{stage}", state())
        took = time.monotonic() - begun
        self.next_time = time.monotonic() + max(SECONDS, SHARE * took)

    def _write(self, stage: str, state: State) -> None:
        number = _NUMBERS[stage]
        slot = 1 - self.journal.done.get(number, [1])[0]
        buffer = io.BytesIO()
        facts = np.frombuffer(json.dumps(state.facts).encode(), np.uint8)
        np.savez(buffer, allow_pickle=False, facts=facts, **state.arrays)
        content = buffer.getvalue()
        with writing(self.output):
            self.journal.folder.store(stage_name(stage, slot), content)
        self.journal.note(number, [slot, _digest(content)])
        self.journal.write(self.journal.taken())


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
