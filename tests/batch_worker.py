"""A run for a process that a test kills; importing this compiles what the run needs."""

import numpy as np
import pyarrow.parquet
import zarr

from jsdiv_numba import cli
from jsdiv_numba.batch.io import tables
from jsdiv_numba.batch.jobs.neighbors import neighbors
from jsdiv_numba.batch.jobs.pairs import pairwise
from jsdiv_numba.batch.jobs.rows import rows
from jsdiv_numba.batch.run import stages
from jsdiv_numba.distance import cdist, jensenshannon, pdist
from jsdiv_numba.neighbors import kneighbors
from jsdiv_numba.stats import cdist_test, js_test, pdist_test

# Their import takes longer than the run.
assert zarr
assert pyarrow.parquet
for kind in (np.float32, np.float64):
    few = np.ones((2, 2), kind)
    cdist(few, few, workers=1)
    pdist(few, workers=1)
    kneighbors(few, n_neighbors=1, workers=1)
    jensenshannon(few, few, axis=1, workers=1)
for test in (cdist_test, js_test):
    test(few, few, workers=1)
pdist_test(few, workers=1)


def compare(source, out):
    """Compare all pairs of a file in small tiles, or go on with it."""
    pairwise(source, out=out, tile=100, workers=1, resume=True)


def find(source, out):
    """Find the neighbours of all rows of a file in small tiles, or go on with it."""
    neighbors(source, out=out, n_neighbors=7, tile=50, memory=2_000_000, workers=1, resume=True)


_FEW = {"tile": 8, "workers": 1, "resume": True, "on_bad": "nan"}


def few_pairs(source, out, **more):
    """Compare all pairs of a few rows, or go on with it."""
    return pairwise(source, out=out, **_FEW, **more)


def few_rows(source, out, **more):
    """Compare a few rows with others, or go on with it."""
    others = np.load(source.with_name("y.npy"))
    return rows(source, others, out=out, **_FEW, **more)


def few_neighbors(source, out, **more):
    """Find the nearest of a few rows, or go on with it."""
    return neighbors(source, out=out, n_neighbors=2, **_FEW, **more)


def few_tested(source, out, **more):
    """Test the pairs of a few rows of counts, or go on with it."""
    return few_pairs(source.with_name("counts.npy"), out, test=True, **more)


_KILLED = {"workers": 1, "resume": True, "on_bad": "nan"}


def kill_pairs(source, out):
    """Compare all pairs, or go on with it."""
    return pairwise(source, out=out, tile=70, **_KILLED)


def kill_rows(source, out):
    """Compare rows with others, or go on with it."""
    return rows(source, np.load(source)[::-1], out=out, tile=5, **_KILLED)


def kill_neighbors(source, out):
    """Find the nearest rows, or go on with it."""
    return neighbors(source, out=out, n_neighbors=5, tile=20, **_KILLED)


def kill_tested(source, out):
    """Test all pairs of rows of counts, or go on with it."""
    counts = (np.load(source)[:150] * 1000).astype(int)
    return pairwise(counts, out=out, tile=20, test=True, **_KILLED)


def few_drifts(source, out):
    """Compare two tables, keeping what was found after each batch, or go on with it."""
    before = stages.SECONDS, stages.SHARE, tables._PIECE
    stages.SECONDS, stages.SHARE, tables._PIECE = 0.0, 0, 1 << 13
    try:
        current, profile = source.with_name("after.parquet"), out.with_suffix(".profile.json")
        command = [
            "drift",
            source,
            current,
            "-o",
            out,
            "--save-profile",
            profile,
            "--resume",
            "-qn0",
        ]
        return cli.main([*map(str, command), "--by", "month(day)"])
    finally:
        stages.SECONDS, stages.SHARE, tables._PIECE = before
