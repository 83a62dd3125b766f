"""What the machine can do, measured in the same run: bandwidth and peak vector rate."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

from jsdiv_numba._kernels.target import registers, target

CHAINS = 10 if registers(target()).number == 32 else 8
"""Independent multiply-adds: latency times units, on every processor of today, or more; with half
as many counters and three constants no more than there are registers."""


@njit(nogil=True, fastmath={"reassoc", "nsz", "contract"})
def sum_of_products(P: np.ndarray, Q: np.ndarray, start: int, stop: int) -> float:
    """Read two matrices' rows and do next to nothing with them."""
    total = 0.0
    for i in range(start, stop):
        p, q = P[i], Q[i]
        part = P.dtype.type(0)
        for k in range(p.size):
            part += p[k] * q[k]
        total += part
    return total


def read(P: np.ndarray, Q: np.ndarray, parts: int) -> Callable[[int], Any]:
    """Return a function that reads one of so many parts of two matrices."""
    edges = np.linspace(0, len(P), parts + 1).astype(int)
    return lambda part: sum_of_products(P, Q, edges[part], edges[part + 1])


AVX512, AVX2 = "AVX-512", "AVX2"


def instruction_set() -> str:
    """Return the name of the instructions that kernels are compiled to."""
    here = target()
    names = {16: AVX512, 8: AVX2, 4: "SSE" if here.triple.startswith("x86") else "NEON"}
    return names[registers(here).floats]


def lanes_of(dtype: type) -> int:
    """Return how many numbers a vector register holds."""
    return 4 * registers(target()).floats // np.dtype(dtype).itemsize


@cache
def peak_kernel(dtype: type, with_integers: bool) -> Any:
    """Compile ``kernel(turns, result)``: arithmetic on registers, nothing read or written.

    Each turn does `CHAINS` fused multiply-adds and, with integers, as many additions
    and exclusive ors, which many processors do beside them.
    """
    lanes, bits = lanes_of(dtype), 8 * np.dtype(dtype).itemsize
    floats = ir.VectorType(ir.FloatType() if bits == 32 else ir.DoubleType(), lanes)
    integers = ir.VectorType(ir.IntType(bits), lanes)

    def spread(kind: Any, value: float) -> Any:
        return ir.Constant(kind, [value] * lanes)

    def turn(builder: Any, chains: list[Any], counters: list[Any]) -> None:
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(floats, [floats] * 3), f"llvm.fma.v{lanes}f{bits}"
        )
        for k, chain in enumerate(chains):
            half = spread(floats, 0.5)
            builder.store(builder.call(fma, [builder.load(chain), half, half]), chain)
            if with_integers:
                counter = counters[k % len(counters)]
                combine = builder.add if k < len(counters) else builder.xor
                operand = spread(integers, 0x1234567 if k < len(counters) else 0x7654321)
                builder.store(combine(builder.load(counter), operand), counter)

    def total(builder: Any, chains: list[Any], counters: list[Any]) -> Any:
        values = [builder.load(chain) for chain in chains]
        values += [builder.bitcast(builder.load(counter), floats) for counter in counters]
        result = values[0]
        for value in values[1:]:
            result = builder.fadd(result, value)
        return result

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def registers(kind: Any, number: int) -> list[Any]:
            # From 2 on: 1 times a half plus a half would be folded.
            starts = [spread(kind, k) for k in range(2, number + 2)]
            return [cgutils.alloca_once_value(builder, start) for start in starts]

        chains, counters = registers(floats, CHAINS), registers(integers, CHAINS // 2)
        with cgutils.for_range(builder, args[0]):
            turn(builder, chains, counters)
        data = context.make_array(signature.args[1])(context, builder, args[1]).data
        place = builder.bitcast(data, floats.as_pointer())
        builder.store(total(builder, chains, counters), place, align=4)
        return context.get_dummy_value()

    @intrinsic
    def work(typingctx: Any, turns: Any, result: Any) -> Any:
        return types.none(types.intp, result), codegen

    def kernel(turns: int, result: np.ndarray) -> None:
        work(turns, result)

    return njit(nogil=True)(kernel)


def peak_work(dtype: type, with_integers: bool, turns: int) -> tuple[Callable[[], None], float]:
    """Return a call of the kernel, and how many operations on single elements it does."""
    kernel = peak_kernel(dtype, with_integers)
    lanes = lanes_of(dtype)

    def call() -> None:
        # A result of its own: threads that share a cache line wait for each other.
        kernel(turns, np.empty(lanes, dtype))

    return call, float(turns * CHAINS * lanes * (2 if with_integers else 1))
