"""False alarms and misses of drift tools, and what they take.

    python -m benchmarks.drift alarms
    python -m benchmarks.drift alarms --profile
    python -m benchmarks.drift speed --rows 1000000 --peer evidently --peer nannyml=env/bin/python

The rules of evidently and nannyml are restated, binning and threshold, so that thousands of
columns take minutes; ``speed --peer`` runs the packages themselves where they are installed, each
in its own process, by a Python of its own if one is named: both cannot be in one environment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import false_discovery_control

from jsdiv_numba.drift import compare, profile

REFERENCE, THRESHOLD = 10_000, 0.1
SIZES = (50, 200, 1000, 5000)
FAMILY = 10_000
Draw = Callable[[int], NDArray[Any]]


def zipf(rng: np.random.Generator, categories: int) -> Draw:
    weights = 1 / np.arange(1, categories + 1)
    names = np.array([f"c{k}" for k in range(categories)])
    return lambda n: names[rng.choice(categories, n, p=weights / weights.sum())]


def draws(rng: np.random.Generator) -> dict[str, Draw]:
    """Return a column of each kind."""
    day = np.datetime64("2024-01-01")
    return {
        "normal": lambda n: rng.normal(size=n),
        "lognormal": lambda n: rng.lognormal(0, 1, n),
        "half zeros": lambda n: np.where(rng.random(n) < 0.5, 0.0, rng.exponential(1, n)),
        "Poisson, mean 3": lambda n: rng.poisson(3, n),
        "integers to 10^6": lambda n: rng.integers(0, 10**6, n),
        "tenths": lambda n: np.round(rng.normal(0, 3, n), 1),
        "boolean": lambda n: rng.random(n) < 0.2,
        "dates of a year": lambda n: day + rng.integers(0, 365, n),
        "moments of a day": lambda n: day.astype("M8[s]") + rng.integers(0, 86_400, n),
        "20 Zipf categories": zipf(rng, 20),
        "200 Zipf categories": zipf(rng, 200),
        "2,000 Zipf categories": zipf(rng, 2000),
    }


def distance_by_equal_widths(reference: Any, current: Any, rule: str) -> float:
    """Return the distance of histograms, bins of equal width by a rule of NumPy's.

    ``sturges`` over both samples is evidently's, ``doane`` over the reference nannyml's, which
    counts what is outside as one bin more.
    """
    both = rule == "sturges"
    edges = np.histogram_bin_edges(np.r_[reference, current] if both else reference, bins=rule)
    a, b = (np.histogram(x, edges)[0].astype(float) for x in (reference, current))
    outside = len(current) - b.sum()
    if outside:
        a, b = np.r_[a, 0.0], np.r_[b, outside]
    return float(jensenshannon(a, b, None if both else 2))


def distance_by_category(reference: Any, current: Any) -> float:
    names, codes = np.unique(np.r_[reference, current], return_inverse=True)
    a, b = (np.bincount(c, minlength=len(names)) for c in np.split(codes, [len(reference)]))
    return float(jensenshannon(a, b))


def alarms(columns: int, seed: int, *, by_profile: bool) -> None:
    """Print which share of columns is flagged though nothing has changed."""
    print("| column | n | evidently's rule | nannyml's rule | p <= .05 | smallest q | drift |")
    print("|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(seed)
    every: list[float] = []
    for name, draw in draws(rng).items():
        for n in SIZES:
            flagged, p = np.zeros(2), []
            drifted = 0
            for start in range(0, columns, 50):
                number = min(50, columns - start)
                reference = {str(k): draw(REFERENCE) for k in range(number)}
                current = {str(k): draw(n) for k in range(number)}
                result = compare(profile(reference) if by_profile else reference, current)
                p += [column.p for column in result]
                drifted += len(result.drifted)
                far = np.array([peers(reference[key], current[key]) for key in reference])
                flagged += np.where(np.isnan(far), np.nan, far >= THRESHOLD).sum(axis=0)
            shares = ["-" if np.isnan(share) else f"{share:.0%}" for share in flagged / columns]
            q = false_discovery_control(p).min()
            low = np.mean(np.array(p) <= 0.05)
            print(
                f"| {name} | {n:,} | {shares[0]} | {shares[1]} | {low:.1%} | {q:.2g} | {drifted} |",
                flush=True,
            )
            every += p
    family(np.array(every), rng)


def family(p: NDArray[Any], rng: np.random.Generator) -> None:
    """Print what becomes of 10,000 columns of all kinds together, and of all there are."""
    some = rng.choice(p, min(FAMILY, len(p)), replace=False)
    q = false_discovery_control(some)
    print(
        f"\nOf {len(p):,} columns {np.mean(p <= 0.05):.2%} have p <= .05. Of {len(q):,} taken "
        f"together, {np.count_nonzero(q <= 1e-3)} have q <= .001; the smallest q is {q.min():.2g}"
    )


def peers(reference: Any, current: Any) -> tuple[float, float]:
    """Return the distances by evidently's rule and by nannyml's; they compare no dates."""
    if reference.dtype.kind == "M":
        return np.nan, np.nan
    if reference.dtype.kind in "if" and len(np.unique(reference)) > 50:
        return (
            distance_by_equal_widths(reference, current, "sturges"),
            distance_by_equal_widths(reference, current, "doane"),
        )
    found = distance_by_category(reference, current)
    return found, found / np.sqrt(np.log(2))


def outlier(seed: int) -> None:
    """Print what an outlier does to a shift of half a standard deviation."""
    rng = np.random.default_rng(seed)
    reference, shifted = rng.normal(size=10_000), rng.normal(0.5, 1, 10_000)
    print("\n| outlier | evidently's distance | nannyml's distance | estimate | q | drift |")
    print("|---|---|---|---|---|---|")
    for value in (None, 1e2, 1e4, 1e6):
        current = shifted.copy()
        if value is not None:
            current[0] = value
        first, second = peers(reference, current)
        column = compare({"x": reference}, {"x": current})["x"]
        print(
            f"| {value or 'none'} | {first:.4f} | {second:.4f} | {column.estimate:.4f} | "
            f"{column.q:.0e} | {'yes' if column.drift else 'no'} |"
        )


def write_tables(folder: Path, rows: int, columns: int) -> None:
    """Write two tables, half of floats, a fourth of categories, a fourth of integers."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    names = np.array([f"category {k}" for k in range(50)])
    for name, shift in (("reference", 0.0), ("current", 0.1)):
        table = {}
        for k in range(columns):
            if k % 4 < 2:
                table[f"float {k}"] = pa.array(rng.normal(shift * (k % 3), 1, rows))
            elif k % 4 == 2:
                codes = rng.integers(0, 50, rows)
                table[f"text {k}"] = pa.DictionaryArray.from_arrays(codes, names).cast(pa.string())
            else:
                table[f"integer {k}"] = pa.array(rng.integers(0, 10_000, rows))
        parquet.write_table(pa.table(table), folder / f"{name}.parquet")


PROGRAMS = {
    "jsdiv_numba": """
from jsdiv_numba.drift import compare
compare("reference.parquet", "current.parquet")
begin()
result = compare("reference.parquet", "current.parquet")
open("report.html", "w", encoding="utf-8").write(result.to_html())
""",
    "evidently": """
import pandas
from evidently import Report
from evidently.presets import DataDriftPreset
begin()
frames = [pandas.read_parquet(f"{name}.parquet") for name in ("reference", "current")]
report = Report([DataDriftPreset(num_method="jensenshannon", cat_method="jensenshannon")])
report.run(reference_data=frames[0], current_data=frames[1]).save_html("report.html")
""",
    "nannyml": """
import pandas, nannyml
begin()
frames = [pandas.read_parquet(f"{name}.parquet") for name in ("reference", "current")]
calculator = nannyml.UnivariateDriftCalculator(
    column_names=list(frames[0].columns), chunk_number=1,
    continuous_methods=["jensen_shannon"], categorical_methods=["jensen_shannon"])
calculator.fit(frames[0])
calculator.calculate(frames[1])
""",
}
"""What is measured after `begin`, which is told what was taken before: imports, and compiling."""

HEAD = "import time\ndef begin():\n    global taken\n    taken = time.process_time()\nbegin()\n"
TAIL = """
import json, re
# Not what getrusage says: that begins with the memory of the process that started this one.
peak = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())
print(json.dumps([time.process_time() - taken, int(peak[1]) / 1024]))
"""


def speed(rows: int, columns: int, given: list[str]) -> None:
    """Print what each tool takes for two Parquet files, and how many times ours that is."""
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), rows, columns)
        ours = None
        for peer, _, python in (text.partition("=") for text in ["jsdiv_numba", *given]):
            cpu, memory, size = taken(folder, peer, python)
            ours = ours or cpu
            print(
                f"{peer}: {rows:,} x {columns} a side: {cpu:.2f} s of CPU ({cpu / ours:.0f} x), "
                f"{memory:.0f} MiB at most, report {size:.2f} MB",
                flush=True,
            )


def taken(folder: str, peer: str, python: str) -> tuple[float, float, float]:
    """Return the CPU time and the memory of one tool, and the size of its report."""
    report = Path(folder, "report.html")
    report.unlink(missing_ok=True)
    environment = dict(os.environ)
    if python:
        environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [python or sys.executable, "-c", HEAD + PROGRAMS[peer] + TAIL],
        cwd=folder,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env=environment,
    )
    cpu, memory = json.loads(done.stdout.splitlines()[-1])
    return cpu, memory, report.stat().st_size / 1e6 if report.exists() else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("alarms", "speed"))
    parser.add_argument("--columns", type=int, help="how many; 200 of each kind, or 20")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", action="store_true", help="of the reference, a profile alone")
    parser.add_argument("--peer", action="append", default=[], help="evidently or nannyml=PYTHON")
    arguments = parser.parse_args()
    if arguments.what == "alarms":
        alarms(arguments.columns or 200, arguments.seed, by_profile=arguments.profile)
        outlier(arguments.seed)
    else:
        speed(arguments.rows, arguments.columns or 20, arguments.peer)


if __name__ == "__main__":
    main()
