"""Files of rows in every format, and runs of the command to be stopped."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from tests.limits import HANGING

ROOT = Path(__file__).parents[1]


def rows(number, length=7, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(length), number)


def table(matrix):
    labels = {"name": [f"r{i}" for i in range(len(matrix))]}
    return pa.table({**labels, **{f"c{j}": column for j, column in enumerate(matrix.T)}})


def text(matrix, delimiter=","):
    header = delimiter.join(["name", *(f"c{j}" for j in range(matrix.shape[1]))])
    lines = [delimiter.join([f"r{i}", *map(repr, row)]) for i, row in enumerate(matrix.tolist())]
    return "\n".join([header, *lines, ""]).encode()


def write_every_format(folder, matrix):
    """Write one matrix in every format; return what the command would be told."""
    import zarr

    np.save(folder / "x.npy", matrix)
    np.save(folder / "fortran.npy", np.asfortranarray(matrix))
    np.savez(folder / "one.npz", matrix)
    np.savez_compressed(folder / "two.npz", a=matrix, b=matrix[:1])
    (folder / "x.csv").write_bytes(text(matrix))
    (folder / "x.tsv").write_bytes(text(matrix, "\t"))
    (folder / "x.csv.gz").write_bytes(gzip.compress(text(matrix)))
    parquet.write_table(table(matrix), folder / "x.parquet", row_group_size=5)
    (folder / "parts").mkdir()
    parquet.write_table(table(matrix[:3]), folder / "parts" / "a.parquet")
    parquet.write_table(table(matrix)[3:], folder / "parts" / "b.parquet")
    array = zarr.create_array(
        folder / "x.zarr", shape=matrix.shape, chunks=(4, matrix.shape[1]), dtype=matrix.dtype
    )
    array[:] = matrix
    names = ("x.npy", "fortran.npy", "one.npz", "two.npz:a", "x.csv", "x.tsv", "x.csv.gz")
    return [str(folder / name) for name in (*names, "x.parquet", "parts", "x.zarr")]


# A shell has the programs that it runs in the background ignore Ctrl-C.
HEAR_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"

COMMAND = "import runpy; runpy.run_module('jsdiv_numba', run_name='__main__', alter_sys=True)"


def start(*arguments, first="", **options):
    """Start the command in a process of its own, which runs a program first.

    Not by `preexec_fn`, for which this process would be forked with all its threads.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.Popen(
        [sys.executable, "-c", f"{first}\n{COMMAND}", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **options,
    )


def run(*arguments, **options):
    """Run the command; return its exit code and what it wrote to stderr."""
    process = start(*arguments, **options)
    _, stderr = process.communicate(timeout=HANGING)
    return process.returncode, stderr


def contents(path):
    """Return the bytes of a file, or of all files in a folder by their names."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return {str(file.relative_to(path)): file.read_bytes() for file in files}
    return path.read_bytes()
