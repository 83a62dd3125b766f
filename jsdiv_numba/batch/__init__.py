"""Files in, files out: the command ``jsdiv``, and comparisons of files larger than memory."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .jobs.neighbors import neighbors
    from .jobs.pairs import pairwise, rows

__all__ = ["neighbors", "pairwise", "rows"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .jobs import neighbors, pairs

    return getattr(neighbors if name == "neighbors" else pairs, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
