"""How far a call is: told to a function of the caller's, or shown as a bar."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

Progress = Callable[[int, int], object]
"""Called with how much is done, and of how much."""


def told(progress: Progress | bool | None, what: str) -> AbstractContextManager[Progress | None]:
    """Enter with what is to be called; for True it moves a bar, on a terminal or in a notebook."""
    if progress is True:
        return _shown(what)
    if progress and not callable(progress):
        raise TypeError(
            f"progress is {progress!r}; it must be True, or a function of (done, total)"
        )
    return nullcontext(progress or None)


@contextmanager
def _shown(what: str) -> Iterator[Progress]:
    try:
        from rich.progress import Progress as Bars
    except ImportError as error:
        raise ImportError(
            "progress=True needs rich: pip install rich, or pass a function of (done, total)"
        ) from error
    with Bars() as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def counting(progress: Progress | None, total: int) -> Callable[[int], None]:
    """Return what threads call with how much more is done; nobody is told where none asked."""
    if progress is None:
        return lambda _more: None
    lock, done = threading.Lock(), 0

    def report(more: int) -> None:
        nonlocal done
        with lock:
            done += more
            progress(done, total)

    return report
