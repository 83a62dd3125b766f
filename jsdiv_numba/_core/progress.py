"""How far a call is: told to a function of the caller's, or shown as a bar."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

Progress = Callable[[int, int], object]
"""Called with how much is done, and of how much."""

PAUSE = 0.1
"""Seconds between what a notebook is told."""


def told(progress: Progress | bool | None, what: str) -> AbstractContextManager[Progress | None]:
    """Enter with what is to be called; for True it moves a bar, on a terminal or in a notebook."""
    if progress is True:
        return _in_a_cell(what) if _is_notebook() else _on_a_terminal(what)
    if progress and not callable(progress):
        raise TypeError(
            f"progress is {progress!r}; it must be True, or a function of (done, total)"
        )
    return nullcontext(progress or None)


def _is_notebook() -> bool:
    """Return whether this is the kernel of a notebook; terminals have none."""
    found = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(found, "kernel")


@contextmanager
def _in_a_cell(what: str) -> Iterator[Progress]:
    """Show a bar below a notebook's cell: rich's needs ipywidgets there, and warns without."""
    from IPython.display import display

    def shown(done: int, total: int) -> dict[str, str]:
        text = f"{what}: {done:,} of {total:,}" if total else what
        known = f' value="{done}" max="{total}"' if total else ""
        html = f"<label><progress{known}></progress> {text}</label>"
        return {"text/plain": text, "text/html": html}

    handle: Any = display(shown(0, 0), raw=True, display_id=True)
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= PAUSE:
            last = time.monotonic()
            handle.update(shown(done, total), raw=True)

    yield tell


@contextmanager
def _on_a_terminal(what: str) -> Iterator[Progress]:
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
