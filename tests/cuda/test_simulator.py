"""The simulator of the tests finds what it is there to find."""

import numpy as np
import pytest

pytest.importorskip("numba.cuda")
from jsdiv_numba._cuda import target

pytestmark = pytest.mark.skipif(not target.SIMULATED, reason="NUMBA_ENABLE_CUDASIM is not 1")
if target.SIMULATED:
    from numba import cuda

    from tests.simulator import Block


def left_neighbours(with_barrier, offset):
    @cuda.jit
    def kernel(result):
        values = cuda.shared.array(4, np.int64)
        values[cuda.threadIdx.x] = cuda.threadIdx.x
        if with_barrier:
            cuda.syncthreads()
        result[cuda.threadIdx.x] = values[(cuda.threadIdx.x + offset) % 4]

    result = np.full(4, -1)
    kernel[1, 4](result)
    return result.tolist()


@pytest.mark.parametrize(("step", "offset"), [(1, 1), (-1, 3)])
@pytest.mark.filterwarnings("ignore:.*under-utilization")
def test_a_barrier_that_is_missing_is_seen_in_one_of_the_orders(monkeypatch, step, offset):
    monkeypatch.setattr(Block, "step", step)
    expected = [(n + offset) % 4 for n in range(4)]
    assert left_neighbours(True, offset) == expected
    assert left_neighbours(False, offset) != expected


@pytest.mark.filterwarnings("ignore:.*under-utilization")
def test_a_barrier_that_some_threads_pass_by_is_seen():
    @cuda.jit
    def kernel():
        if cuda.threadIdx.x < 2:
            cuda.syncthreads()

    with pytest.raises(AssertionError, match="have met the same barriers"):
        kernel[1, 4]()


@pytest.mark.filterwarnings("ignore:.*under-utilization")
def test_a_thread_s_error_ends_the_others():
    @cuda.jit
    def kernel(result):
        if cuda.threadIdx.x == 1:
            result[10] = 0
        cuda.syncthreads()
        result[cuda.threadIdx.x] = 1

    result = np.zeros(2)
    with pytest.raises(IndexError):
        kernel[1, 4](result)
    assert not result.any()
