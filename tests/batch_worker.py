"""A run for a process that a test kills; importing this compiles what the run needs."""

import numpy as np
import zarr

from jsdiv_numba.batch.large import pairwise
from jsdiv_numba.distance import cdist, pdist

# Its import takes longer than the run.
assert zarr
_FEW = np.ones((2, 2), np.float32)
cdist(_FEW, _FEW, workers=1)
pdist(_FEW, workers=1)


def compare(source, out):
    """Compare all pairs of a file in small tiles, or go on with it."""
    pairwise(source, out=out, tile=100, workers=1, resume=True)
