"""What a kernel's code depends on: sources, versions, processor, settings.

Found without an import of Numba, which takes longer than to load a kernel.
"""

import hashlib
import importlib.util
import json
import os
import re
import sys
import sysconfig
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 1
"""Of the files that kernels are kept in, and of how they are called."""

UNRELATED = ("CACHE_DIR", "CUDA_", "ENABLE_CUDASIM", "NUM_THREADS", "THREADING_LAYER", "WARNINGS")
"""How those of Numba's settings begin that change no code of ours."""


def digest(value: Any, length: int = 16) -> str:
    """Return hexadecimal digits that stand for a value of numbers, texts, lists and dicts."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


@cache
def sources() -> str:
    """Return the digest of every source file that kernels are made of."""
    total = hashlib.sha256()
    kernels = Path(__file__).parents[1]
    for path in sorted(kernels.rglob("*.py")):
        content, name = path.read_bytes(), path.relative_to(kernels).as_posix()
        total.update(f"{name} {len(content)}\n".encode() + content)
    return total.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Return the versions of all that compiles kernels and calls them."""
    import llvmlite

    return {
        "format": str(FORMAT),
        "sources": sources(),
        "numba": _numba_version(),
        "llvmlite": llvmlite.__version__,
        "numpy": np.__version__,
        "python": python_abi(),
    }


def python_abi() -> str:
    """Return the name of Python's binary interface, which says how an object begins."""
    return sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag or sys.version


def _numba_version() -> str:
    spec = importlib.util.find_spec("numba")
    if spec is None or spec.origin is None:
        return "none"
    text = Path(spec.origin).with_name("_version.py").read_text(encoding="utf-8")
    found = re.search(r'"version": "([^"]+)"', text)
    return found[1] if found else hashlib.sha256(text.encode()).hexdigest()


@cache
def settings() -> dict[str, str]:
    """Return Numba's settings that may change code."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("NUMBA_") and not name.removeprefix("NUMBA_").startswith(UNRELATED)
    }
    with suppress(OSError):
        found[".numba_config.yaml"] = Path(".numba_config.yaml").read_text(encoding="utf-8")
    return found
