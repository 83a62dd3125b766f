"""Files in, files out: the command ``jsdiv``, and comparisons of files larger than memory."""

from jsdiv_numba._core.lazy import attach

__all__, __getattr__, __dir__ = attach(__name__)
