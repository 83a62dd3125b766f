"""A run for a process that a test kills; importing this compiles what the run needs."""

import numpy as np
import pyarrow.parquet
import zarr

from jsdiv_numba.batch.large import pairwise
from jsdiv_numba.batch.nearest import neighbors
from jsdiv_numba.distance import cdist, pdist
from jsdiv_numba.neighbors import kneighbors

# Their import takes longer than the run.
assert zarr
assert pyarrow.parquet
_FEW = np.ones((2, 2), np.float32)
cdist(_FEW, _FEW, workers=1)
pdist(_FEW, workers=1)
kneighbors(_FEW, n_neighbors=1, workers=1)


def compare(source, out):
    """Compare all pairs of a file in small tiles, or go on with it."""
    pairwise(source, out=out, tile=100, workers=1, resume=True)


def find(source, out):
    """Find the neighbours of all rows of a file in small tiles, or go on with it."""
    neighbors(source, out=out, n_neighbors=7, tile=50, memory=2_000_000, workers=1, resume=True)
