"""The Jensen-Shannon divergence over NumPy arrays: accurate, fast, compiled by Numba.

Every public name is loaded on first use, so that importing the package costs
little more than importing NumPy.
"""

import sys
from importlib.machinery import PathFinder
from typing import Any

from ._core.lazy import attach

__version__ = "0.1.0"

__all__, __getattr__, __dir__ = attach(__name__, "__version__")


class _CudaFinder:
    """Finds `jsdiv_numba.cuda`, before numba-cuda is asked for it.

    The finder of numba-cuda 0.30 (`_numba_cuda_redirector`, in github.com/NVIDIA/numba-cuda) takes
    every module with "numba.cuda" in its name for one of its own, and this one sends it into an
    endless recursion.
    """

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        """Find that one module as Python does."""
        return PathFinder.find_spec(name, path, target) if name == f"{__name__}.cuda" else None


if any(type(finder).__module__ == "_numba_cuda_redirector" for finder in sys.meta_path):
    sys.meta_path.insert(0, _CudaFinder)
