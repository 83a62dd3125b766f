"""A program of its own, since it runs on a driver for devices that are not there: `driver.c`.

It makes calls and prints a line before each, among what the driver writes.
"""

import sys

import numpy as np
from numba import cuda as numba_cuda

from jsdiv_numba import cuda

ROWS = np.random.default_rng(0).dirichlet(np.ones(12), (2, 6))


class Foreign:
    """An array of another package, on a stream of its own and perhaps upside down."""

    def __init__(self, array, stream, backwards=False):
        self.array = array
        own = array.__cuda_array_interface__
        start, _ = own["data"]
        step = array.strides[0]
        self.__cuda_array_interface__ = {
            **own,
            "data": (start + (array.shape[0] - 1) * step * backwards, False),
            "strides": (-step, array.strides[1]) if backwards else None,
            "stream": stream,
        }


def section(name):
    print(name, file=sys.stderr, flush=True)


def main():
    """Make the calls."""
    first, second = numba_cuda.stream(), numba_cuda.stream()
    p = numba_cuda.to_device(ROWS[0], stream=first)
    q = numba_cuda.to_device(ROWS[1], stream=second)
    section(f"# streams {int(first):x} {int(second):x}")
    result = cuda.js_divergence(p, q)
    assert result.stream is first
    section("# out")
    out = numba_cuda.device_array((6, 1), stream=second)
    assert cuda.js_divergence(p, ROWS[1], out=out) is out
    section("# foreign")
    result = cuda.js_divergence(Foreign(p, 7, backwards=True), Foreign(q, 1))
    assert int(result.stream) == 7
    section("# host")
    assert type(cuda.js_divergence(p, q, out=np.empty((6, 1)))) is np.ndarray
    section("# moved")
    cuda.js_divergence(p, np.ones((6, 12)) / 12)
    cuda.js_divergence(Foreign(numba_cuda.to_device(np.ones((2, 10_000))), 7), np.ones((2, 10_000)))
    section("# pairs")
    cuda.cdist(p, q, out=np.empty((6, 6)))
    section("# nothing")
    assert cuda.js_divergence(p[:0], q[:0]).shape == (0, 1)
    assert cuda.pdist(p[:1], out=np.empty(0)).size == 0
    section("# logits")
    assert cuda.js_divergence_logit(p, q, axis=None, keepdims=False).shape == ()
    section("# second device")
    with numba_cuda.gpus[1]:
        there = numba_cuda.to_device(ROWS[0])
    assert cuda.js_divergence(there, ROWS[1]).gpu_data.context.device.id == 1
    assert numba_cuda.current_context().device.id == 0
    try:
        cuda.js_divergence(there, numba_cuda.to_device(ROWS[1]))
    except ValueError as error:
        section(f"# error: {error}")
    section("# memory")
    large = numba_cuda.to_device(np.ones((1000, 400)))
    try:
        cuda.js_divergence(large, large, reduce=False)
    except MemoryError as error:
        section(f"# error: {error}")


if __name__ == "__main__":
    main()
