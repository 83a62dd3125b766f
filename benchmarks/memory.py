"""Memory beyond input and output: ``python -m benchmarks.memory cdist float32 2048 1024``.

Prints the bytes that one call adds at its peak, in a process of its own, to what was there
before it, the input and the result among it. Linux only: elsewhere it prints nothing.
"""

import argparse
import ctypes
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import jsdiv_numba
from benchmarks import inputs

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"


def allowed(function: str, dtype: str, number: int, length: int) -> float:
    """Return the bound: one normalised copy of all rows, and 16 MB."""
    matrices = 2 if function == "cdist" else 1
    return matrices * number * length * np.dtype(dtype).itemsize + 16e6


def beyond(function: str, dtype: str, number: int, length: int) -> float | None:
    """Run this file in a fresh process and return what it prints."""
    command = [sys.executable, "-m", "benchmarks.memory", function, dtype, f"{number}", f"{length}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout) if done.stdout.strip() else None


def status(key: str, file: Path = STATUS) -> int:
    """Return an amount of memory of a process, by default of this one, in bytes."""
    for line in file.read_text().splitlines():
        if line.startswith(key):
            return 1024 * int(line.split()[1])
    raise LookupError(f"{file} has no line {key}")


def peak_beyond(function: str, dtype: str, number: int, length: int) -> int:
    """Return the bytes that one call of `cdist` or `pdist` adds at its peak."""
    rng, kind = np.random.default_rng(), np.dtype(dtype).type
    matrices = [inputs.rows(rng, number, length, kind) for _ in range(2)]
    shape = (number, number) if function == "cdist" else (number * (number - 1) // 2,)
    result = np.full(shape, -1, dtype)
    given = matrices if function == "cdist" else matrices[:1]
    call = getattr(jsdiv_numba, function)
    call(*(matrix[:8] for matrix in given))
    # What compilation has freed goes back to the system, lest the call reuse it unseen.
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text(RESET_PEAK)
    before = status("VmRSS")
    call(*given, out=result)
    return status("VmHWM") - before


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the number."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("function", choices=("cdist", "pdist"))
    parser.add_argument("dtype", choices=("float32", "float64"))
    parser.add_argument("rows", type=int)
    parser.add_argument("length", type=int)
    given = parser.parse_args(arguments)
    if CLEAR.exists():
        print(peak_beyond(given.function, given.dtype, given.rows, given.length))


if __name__ == "__main__":
    main()
