"""Runs pytest as another processor has it: ``python -m tests.processors haswell [ARGUMENT...]``.

Numba compiles for it, and NumPy takes the loops that it takes there. The C library keeps those
of this processor: its multiply-add without the instruction takes some hundred times as long.
Where this processor cannot run what is compiled, a line says so.
"""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass

import llvmlite.binding as llvm
from numpy._core import _multiarray_umath as numpy_build


@dataclass(frozen=True)
class Processor:
    """What a processor can do, as Numba and NumPy are told."""

    needs: frozenset[str]
    """LLVM's names of what this processor must have to run its code."""

    hides_from_numpy: tuple[str, ...] = ()
    """The beginnings of NumPy's names of what it must do without."""


_BEYOND_AVX2 = ("AVX512", "X86_V4")

PROCESSORS = {
    "haswell": Processor(frozenset({"avx2", "fma"}), hides_from_numpy=_BEYOND_AVX2),
    "x86-64-v2": Processor(
        frozenset({"sse4.2"}),
        hides_from_numpy=(*_BEYOND_AVX2, "X86_V3", "AVX", "FMA", "F16C", "XOP"),
    ),
    "skylake-avx512": Processor(
        frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
        hides_from_numpy=("AVX512_CNL", "AVX512_ICL", "AVX512_SPR", "AVX512_K"),
    ),
}


def missing(processor: str) -> list[str]:
    """Return what a processor has that this one lacks."""
    here = llvm.get_host_cpu_features() if platform.machine() in {"x86_64", "AMD64"} else {}
    return sorted(name for name in PROCESSORS[processor].needs if not here.get(name, False))


def environment(processor: str) -> dict[str, str]:
    """Return the environment variables with which programs run as on a processor."""
    like = PROCESSORS[processor]
    # It warns of what it has no loops for, and of what this processor lacks.
    hidden = [
        name
        for name in numpy_build.__cpu_dispatch__
        if name.startswith(like.hides_from_numpy) and numpy_build.__cpu_features__[name]
    ]
    return {
        "NUMBA_CPU_NAME": processor,
        # Without it, Numba 0.68 adds all that this processor has to what the name implies
        # (numba/core/codegen.py).
        "NUMBA_CPU_FEATURES": "",
        "NPY_DISABLE_CPU_FEATURES": " ".join(hidden),
    }


def main(arguments: list[str]) -> int:
    """Run pytest with arguments, of which the first is a processor; return the exit code."""
    if not arguments or arguments[0] not in PROCESSORS:
        print(f"the first argument must be one of {', '.join(PROCESSORS)}", file=sys.stderr)
        return 2
    processor, *rest = arguments
    if lacking := missing(processor):
        print(f"skipped: this processor lacks {', '.join(lacking)}, which {processor} has")
        return 0
    command = [sys.executable, "-m", "pytest", *rest]
    return subprocess.run(
        command, env={**os.environ, **environment(processor)}, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
