"""NumPy's floating-point warnings turned off, for a fifth of what `numpy.errstate` takes."""

from collections.abc import Callable
from contextvars import Context
from typing import TypeVar

import numpy as np

T = TypeVar("T")

# NumPy keeps what it does about floating-point exceptions in a context variable.
_IGNORING = Context()
_IGNORING.run(np.seterr, all="ignore")


def unwarned(function: Callable[..., T], *arguments: object) -> T:
    """Call what computes on arrays alone; the caller's context variables are not seen there."""
    # A context is entered by one thread at a time, and once.
    return _IGNORING.copy().run(function, *arguments)
