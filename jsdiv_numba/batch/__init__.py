"""Files in, files out: the command ``jsdiv``, and comparisons of files larger than memory."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .large import pairwise, rows
    from .nearest import neighbors

__all__ = ["neighbors", "pairwise", "rows"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import large, nearest

    return getattr(nearest if name == "neighbors" else large, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
