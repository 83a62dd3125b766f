"""Blocks of threads for Numba's simulator that take turns: quicker than its own, and stricter.

Its own run all at once, are asked again and again whether they wait, and may each make a
shared array of their own. Here one thread runs up to a barrier, then the next. What
lacks a barrier is wrong each time, in one of the two orders: forwards, where a
thread reads what a later one has yet to write, or backwards.
"""

import sys
import threading
from contextlib import contextmanager

import numpy as np
from numba.cuda import types
from numba.cuda.np import numpy_support
from numba.cuda.simulator import kernel
from numba.cuda.simulator.kernelapi import Dim3, FakeCUDAShared

KERNELS = "jsdiv_numba._cuda"


class AbandonedError(Exception):
    """Another thread of the block has raised an error."""


class Thread(threading.Thread):
    """A thread of a block, as kernels and Numba's simulator see it."""

    def __init__(self, block, index, number, run):
        super().__init__(daemon=True)
        self.blockIdx, self.threadIdx, self.thread_id = Dim3(*block.place), Dim3(*index), number
        self.barriers, self.successor = 0, self
        self._block, self._run, self._turn = block, run, threading.Semaphore(0)

    def run(self):
        self._turn.acquire()
        try:
            self._run()
        except AbandonedError:
            pass
        except BaseException as error:
            self._block.error = self._block.error or error
        self._block.leave(self)

    def go_on(self):
        self._turn.release()

    def syncthreads(self):
        self.barriers += 1
        if self.successor is not self:
            self.successor.go_on()
            self._turn.acquire()
        if self._block.error is not None:
            raise AbandonedError

    def syncthreads_or(self, value):
        self._block.state[self.thread_id] = value
        self.syncthreads()
        found = any(self._block.state)
        self.syncthreads()
        return int(found)


class Block:
    """Runs the threads of a block in turn."""

    step = 1
    """-1 is the other order."""

    def __init__(self, function, grid, block, debug):
        self._function, self._shape = function, block

    def run(self, place, *arguments):
        self.place, self.error, self.done = place, None, threading.Semaphore(0)
        indices = list(np.ndindex(*self._shape))
        self.state, self.barriers = [False] * len(indices), set()
        threads = [
            Thread(self, index, number, lambda: self._function(*arguments))
            for number, index in enumerate(indices)
        ][:: self.step]
        self.left = len(threads)
        for thread, successor in zip(threads, threads[1:] + threads[:1], strict=True):
            thread.successor = successor
            thread.predecessor = thread
        for thread in threads:
            thread.successor.predecessor = thread
            thread.start()
        threads[0].go_on()
        self.done.acquire()
        for thread in threads:
            thread.join()
        if self.error is not None:
            raise self.error
        assert len(self.barriers) == 1, "not all threads of a block have met the same barriers"

    def leave(self, thread):
        self.barriers.add(thread.barriers)
        thread.predecessor.successor = thread.successor
        thread.successor.predecessor = thread.predecessor
        self.left -= 1
        (thread.successor.go_on if self.left else self.done.release)()


def shared_array(self, shape, dtype, alignment=None):
    """Return the array of the line that calls, which all threads of a block share."""
    if isinstance(dtype, types.Type):
        dtype = numpy_support.as_dtype(dtype)
    if shape == 0:
        count = self._dynshared_size // np.dtype(dtype).itemsize
        return np.frombuffer(self._dynshared.data, dtype, count)
    caller = sys._getframe(1)
    place = caller.f_code, caller.f_lineno
    if place not in self._allocations:
        self._allocations[place] = np.empty(shape, dtype)
    return self._allocations[place]


@contextmanager
def swapped_once(function, fake):
    """Have the modules of kernels see what they are to see, from a kernel's start to its end.

    Numba's own looks through a module's names at each call of a device's function.
    """
    modules = [
        function.__globals__,
        *(vars(module) for name, module in sys.modules.items() if name.startswith(KERNELS)),
    ]
    swapped = {id(names): names for names in modules if names.get("cuda") not in {None, fake}}
    original = {key: names["cuda"] for key, names in swapped.items()}
    for names in swapped.values():
        names["cuda"] = fake
    try:
        yield
    finally:
        for key, names in swapped.items():
            names["cuda"] = original[key]


def call(self, *arguments):
    """Run a kernel, or, from within one, a device's function."""
    if self._device or kernel._kernel_context:
        return self.fn(*arguments)
    return numbas_call(self, *arguments)


numbas_call = kernel.FakeCUDAKernel.__call__


def install():
    """Have the simulator run blocks so."""
    kernel.BlockManager = Block
    kernel.swapped_cuda_module = swapped_once
    kernel.FakeCUDAKernel.__call__ = call
    FakeCUDAShared.array = shared_array
