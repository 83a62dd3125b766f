"""q of p-values in a file, of which little is in memory, against SciPy's."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from jsdiv_numba.batch import discovery


def qvalues(pvalues, memory):
    with TemporaryDirectory() as folder:
        source, target = Path(folder, "p"), Path(folder, "q")
        source.write_bytes(np.asarray(pvalues, float).tobytes())
        discovery.write_qvalues(source, target, memory)
        return np.frombuffer(target.read_bytes())


def expected(pvalues):
    pvalues = np.asarray(pvalues, float)
    known = ~np.isnan(pvalues)
    result = np.full(len(pvalues), np.nan)
    if known.any():
        result[known] = false_discovery_control(pvalues[known])
    return result


P = st.one_of(st.floats(0, 1), st.just(np.nan), st.sampled_from([0.0, 1e-300, 0.01, 0.5, 1.0]))


@given(pvalues=st.lists(P, max_size=40), held=st.integers(1, 50))
def test_they_are_those_of_scipy(pvalues, held):
    block, discovery._BLOCK = discovery._BLOCK, 7
    try:
        found = qvalues(pvalues, held * discovery._BYTES)
    finally:
        discovery._BLOCK = block
    np.testing.assert_array_equal(found, expected(pvalues))


@pytest.mark.parametrize("share", [1, 50])
def test_many_are_read_in_parts(share):
    rng = np.random.default_rng(0)
    pvalues = rng.random(300_000) ** rng.integers(1, 5, 300_000)
    pvalues[::1000] = np.nan
    found = qvalues(pvalues, len(pvalues) * discovery._BYTES // share)
    np.testing.assert_array_equal(found, expected(pvalues))
