"""Files in, files out: the command ``jsdiv``, and comparisons of files larger than memory."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .large import pairwise, rows

__all__ = ["pairwise", "rows"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import large

    return getattr(large, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
