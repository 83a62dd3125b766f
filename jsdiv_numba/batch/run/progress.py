"""How far a run is: a bar on a terminal, now and then a line elsewhere, or JSON for machines."""

import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

_SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """What is told how far a run is."""

    def start(self, total: int, done: int, noun: str) -> None:
        """Begin: how much there is to do of what, and how much an earlier run has done."""

    def advance(self, count: int) -> None:
        """So much more is done."""

    def say(self, event: str, **facts: Any) -> None:
        """Something else has happened."""

    def stop(self) -> None:
        """End, one way or the other."""


class Silent:
    """Says nothing; the other ways build on what it counts."""

    def __init__(self) -> None:
        self.total = self.done = self.before = 0
        self.noun = ""
        self.begun = time.monotonic()

    def start(self, total: int, done: int, noun: str) -> None:
        """Begin."""
        self.total, self.done, self.before, self.noun = total, done, done, noun
        self.begun = time.monotonic()

    def advance(self, count: int) -> None:
        """So much more is done."""
        self.done += count

    def say(self, event: str, **facts: Any) -> None:
        """Something else has happened; a warning is told all the same."""
        if event == "warning":
            sys.stderr.write(f"{facts['line']}\n")

    def stop(self) -> None:
        """End."""

    @property
    def rate(self) -> float:
        """What this run does in a second."""
        return (self.done - self.before) / max(time.monotonic() - self.begun, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """How long it will take at this rate."""
        return (self.total - self.done) / self.rate if self.rate else None


class Lines(Silent):
    """A line every ten seconds.

    Parameters
    ----------
    stream : TextIO
        Where to.
    as_json : bool
        Whether a line is JSON, one object for each event.
    seconds : float
        How long to keep silent between two lines.
    """

    def __init__(
        self, stream: TextIO, *, as_json: bool = False, seconds: float = _SECONDS_BETWEEN_LINES
    ) -> None:
        super().__init__()
        self.stream, self.as_json, self.seconds = stream, as_json, seconds
        self.over = threading.Event()
        self.clock: threading.Thread | None = None

    def start(self, total: int, done: int, noun: str) -> None:
        """Begin."""
        super().start(total, done, noun)
        self.say("start", total=total, done=done, unit=noun)
        self.over.clear()
        self.clock = threading.Thread(target=self._tell_from_time_to_time, daemon=True)
        self.clock.start()

    def _tell_from_time_to_time(self) -> None:
        # By the clock and not by the tile: one may take minutes.
        while not self.over.wait(self.seconds):
            self.tell()

    def tell(self) -> None:
        """Write a line on how far the run is."""
        left = self.seconds_left
        if self.as_json:
            facts = {"done": self.done, "total": self.total, "rate": round(self.rate)}
            self.say("progress", **facts, seconds_left=None if left is None else round(left, 1))
            return
        self._write(
            f"{100 * self.done / self.total:.1f} % of {self.total:,} {self.noun}, "
            f"{self.rate:,.0f} a second, {duration(left)} left"
        )

    def say(self, event: str, **facts: Any) -> None:
        """Something else has happened."""
        if self.as_json:
            self._write(json.dumps({"event": event, "time": round(time.time(), 3), **facts}))
        elif "line" in facts:
            self._write(facts["line"])

    def stop(self) -> None:
        """End."""
        self.over.set()
        if self.clock is not None:
            self.clock.join()
        self.say("stop", done=self.done, total=self.total, rate=round(self.rate))

    def _write(self, line: str) -> None:
        # A terminal that is gone, or a pipe that nobody reads, is no reason to stop the work.
        with contextlib.suppress(OSError):
            self.stream.write(f"{line}\n")
            self.stream.flush()


class Bar(Silent):
    """A bar with rate and time left, drawn by rich on stderr."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: Any = None

    def start(self, total: int, done: int, noun: str) -> None:
        """Begin."""
        from rich import progress
        from rich.console import Console

        super().start(total, done, noun)
        self.bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=None),
            progress.TaskProgressColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.bar.start()
        self.task = self.bar.add_task(f"{total:,} {noun}", total=total, completed=done, rate="")

    def say(self, event: str, **facts: Any) -> None:
        """Something else has happened."""
        del event  # a line tells it
        if "line" in facts:
            sys.stderr.write(f"{facts['line']}\n")

    def advance(self, count: int) -> None:
        """So much more is done."""
        super().advance(count)
        self.bar.update(self.task, completed=self.done, rate=f"{self.rate:,.0f}/s")

    def stop(self) -> None:
        """End."""
        if self.bar is not None:
            self.bar.stop()


def chosen(*, quiet: bool, as_json: bool) -> Progress:
    """Return what fits where stderr goes.

    `quiet` says whether nothing is wanted. `as_json` says whether JSON lines are wanted.
    """
    if as_json:
        return Lines(sys.stderr, as_json=True)
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines(sys.stderr)


@contextmanager
def under_way(progress: Progress, total: int, done: int, noun: str) -> Iterator[Progress]:
    """Start and stop, whatever happens between."""
    progress.start(total, done, noun)
    try:
        yield progress
    finally:
        progress.stop()


def duration(seconds: float | None) -> str:
    """Return a time in words.

    `seconds` is None where it is not known.

    Examples
    --------
    >>> duration(45), duration(3700), duration(None)
    ('45 s', '1 h 1 min', 'unknown time')
    """
    if seconds is None:
        return "unknown time"
    minutes = int(seconds // 60)
    if not minutes:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
