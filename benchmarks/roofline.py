"""What the machine can do, measured in the same run: bandwidth and peak vector rate."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

CHAINS = 10
"""Independent multiply-adds: latency times units, on every processor of today, or more."""


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


def has_avx512() -> bool:
    return bool(binding.get_host_cpu_features().get("avx512f", False))


def instruction_set() -> str:
    return "AVX-512" if has_avx512() else "no AVX-512"


def vector_bytes() -> int:
    return 64 if has_avx512() else 32


@cache
def peak_kernel(dtype: type, with_integers: bool) -> Any:
    """Compile ``kernel(turns, result)``: arithmetic on registers, nothing read or written.

    Each turn does `CHAINS` fused multiply-adds and, with integers, as many additions
    and exclusive ors, which many processors do beside them.
    """
    lanes = vector_bytes() // np.dtype(dtype).itemsize
    number = ir.FloatType() if dtype is np.float32 else ir.DoubleType()
    floats, integers = (ir.VectorType(kind, lanes) for kind in (number, _integer(number)))

    def spread(kind: Any, value: float) -> Any:
        return ir.Constant(kind, [value] * lanes)

    def turn(builder: Any, chains: list[Any], counters: list[Any]) -> None:
        fma = builder.module.declare_intrinsic(
            "llvm.fma", [floats], ir.FunctionType(floats, [floats] * 3)
        )
        for k, chain in enumerate(chains):
            half = spread(floats, 0.5)
            builder.store(builder.call(fma, [builder.load(chain), half, half]), chain)
            if with_integers:
                counter = counters[k % len(counters)]
                combine = builder.add if k < len(counters) else builder.xor
                value = combine(builder.load(counter), spread(integers, 0x1234567))
                builder.store(value, counter)

    def total(builder: Any, chains: list[Any], counters: list[Any]) -> Any:
        values = [builder.load(chain) for chain in chains]
        values += [builder.bitcast(builder.load(counter), floats) for counter in counters]
        result = values[0]
        for value in values[1:]:
            result = builder.fadd(result, value)
        return result

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        chains = [cgutils.alloca_once_value(builder, spread(floats, k)) for k in range(CHAINS)]
        counters = [
            cgutils.alloca_once_value(builder, spread(integers, k)) for k in range(CHAINS // 2)
        ]
        with cgutils.for_range(builder, args[0]):
            turn(builder, chains, counters)
        data = context.make_array(signature.args[1])(context, builder, args[1]).data
        place = builder.bitcast(data, floats.as_pointer())
        builder.store(total(builder, chains, counters), place, align=4)
        return context.get_dummy_value()

    @intrinsic
    def work(typingctx: Any, turns: Any, result: Any) -> Any:
        return types.none(types.intp, result), codegen

    def kernel(turns, result):  # type: ignore[no-untyped-def]
        work(turns, result)

    return njit(nogil=True)(kernel)


def _integer(number: Any) -> Any:
    return ir.IntType(32 if isinstance(number, ir.FloatType) else 64)


def peak_work(dtype: type, with_integers: bool, turns: int) -> tuple[Callable[[], None], float]:
    """Return a call of the kernel, and how many operations on single elements it does."""
    kernel = peak_kernel(dtype, with_integers)
    lanes = vector_bytes() // np.dtype(dtype).itemsize

    def call() -> None:
        # A result of its own: threads that share a cache line wait for each other.
        kernel(turns, np.empty(lanes, dtype))

    return call, float(turns * CHAINS * lanes * (2 if with_integers else 1))
