"""Time from a fresh process to the first result: ``python -m benchmarks.startup``.

Each line of the table is timed in seven fresh processes, from after the interpreter's own
start, and the median of their CPU times printed, which is what a clock shows where nothing
else runs. The library keeps no compiled code on disk, so every run is a first run.
"""

import statistics
import subprocess
import sys

REPEATS = 7

ROWS = "[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]"
SINGLE = "np.float32([0.1, 0.2, 0.7]), np.float32([0.3, 0.3, 0.4])"

PROGRAMS = {
    "`import numpy`": "import numpy",
    "`import jsdiv_numba`": "import jsdiv_numba",
    "`import numba`": "import numba",
    "`js_divergence`, float64": f"import jsdiv_numba as j; j.js_divergence({ROWS})",
    "`js_divergence`, float32": (
        f"import numpy as np, jsdiv_numba as j; j.js_divergence({SINGLE})"
    ),
    "`js_divergence(reduce=False)`, float64": (
        f"import jsdiv_numba as j; j.js_divergence({ROWS}, reduce=False)"
    ),
    "`js_divergence_logit`, float64": f"import jsdiv_numba as j; j.js_divergence_logit({ROWS})",
    "`js_divergence_logit`, float32": (
        f"import numpy as np, jsdiv_numba as j; j.js_divergence_logit({SINGLE})"
    ),
    "SciPy's `jensenshannon`": (
        f"from scipy.spatial.distance import jensenshannon; jensenshannon({ROWS})"
    ),
}


def seconds(program: str) -> float:
    """Run a program in a fresh process and return the CPU time that it took there."""
    timed = f"import time; t = time.process_time(); {program}; print(time.process_time() - t)"
    command = [sys.executable, "-c", timed]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Print the table."""
    print("| in a fresh process | CPU time, s |\n|---|---|")
    for name, program in PROGRAMS.items():
        # The first run reads files that the disk's cache may lack.
        seconds(program)
        median = statistics.median(seconds(program) for _ in range(REPEATS))
        print(f"| {name} | {median:.2f} |", flush=True)


if __name__ == "__main__":
    main()
