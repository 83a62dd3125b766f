"""What files were taken for, and what may be meant otherwise: told once the work begins."""

import warnings
from typing import Any

from jsdiv_numba.batch.errors import FileWarning
from jsdiv_numba.batch.format import printable
from jsdiv_numba.batch.io.rows import Reading
from jsdiv_numba.batch.run.progress import Progress


class Announcements:
    """What readers say, held back until the work begins: so an error is one line, and alone."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.held: list[dict[str, str]] | None = []
        self.caught = warnings.catch_warnings()

    def __enter__(self) -> "Announcements":
        self.caught.__enter__()
        warnings.simplefilter("always", FileWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, FileWarning):
                self.say(event="warning", line=f"jsdiv: warning: {message}")
            else:
                usual(message, category, *place)

        warnings.showwarning = show  # type: ignore[assignment]
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.caught.__exit__(None, None, None)
        if kind is None:
            self.release()

    def read(self, reading: Reading | None) -> None:
        """Say what a file was taken for."""
        if reading is not None:
            self.say(event="read", file=reading.source, line=str(reading))

    def say(self, **facts: str) -> None:
        """Say something, now or when the work begins; what a terminal acts upon is escaped."""
        facts["line"] = printable(facts["line"])
        if self.held is None:
            self._tell(facts)
        else:
            self.held.append(facts)

    def _tell(self, facts: dict[str, str]) -> None:
        self.progress.say(**facts)

    def release(self) -> None:
        """Tell what was held back, and from now on everything at once."""
        held, self.held = self.held or [], None
        for facts in held:
            self._tell(facts)


class Announcing:
    """Progress that begins with what there is to announce."""

    def __init__(self, announcements: Announcements) -> None:
        self.announcements, self.progress = announcements, announcements.progress

    def start(self, total: int, done: int, noun: str) -> None:
        """Begin."""
        self.announcements.release()
        self.progress.start(total, done, noun)

    def advance(self, count: int) -> None:
        """So much more is done."""
        self.progress.advance(count)

    def say(self, event: str, **facts: Any) -> None:
        """Something else has happened."""
        if event == "read":
            self.announcements.say(event=event, **facts)
        else:
            self.progress.say(event, **facts)

    def stop(self) -> None:
        """End."""
        self.progress.stop()
