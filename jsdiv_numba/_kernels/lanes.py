"""Sums of a row in lanes: so many numbers of the stack, to each of which every so-manieth is added.

LLVM keeps them in vector registers. A loop over groups of as many elements, the last one
filled up with 0, has no remainder, and so its constants are loaded once.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .compile import ask_for_wide_vectors, inlined_summing
from .precision import Precision

GROUP_BYTES = 128
"""Two vectors of 512 bits, whose operations the processor has to choose from at a time."""


@cache
def lane_kernels(precision: Precision) -> SimpleNamespace:
    """Compile what loops over groups of one precision need."""
    Float, Int = precision.Float, precision.Int
    number = GROUP_BYTES // Float(0).itemsize
    zero, none = Float(0), Int(0)

    @inlined_summing
    def sum_of(lanes):
        total = zero
        for i in range(number):
            total += lanes[i]
        return total

    @inlined_summing
    def bits_of_all(lanes):
        bits = none
        for i in range(number):
            bits = Int(bits | lanes[i])
        return bits

    return SimpleNamespace(
        number=number,
        zeros=_zeros(number),
        filled_up=_filled_up(number),
        sum_of=sum_of,
        bits_of_all=bits_of_all,
    )


def _on_stack(builder: Any, kind: Any, number: int) -> Any:
    array = ir.ArrayType(kind, number)
    place = cgutils.alloca_once(builder, array)
    place.align = GROUP_BYTES
    builder.store(ir.Constant(array, None), place)
    return builder.bitcast(place, kind.as_pointer())


def _zeros(number: int) -> Any:
    @intrinsic
    def zeros(typingctx, like):
        """Lanes at 0, of the type of the argument."""

        def codegen(context, builder, signature, args):
            ask_for_wide_vectors(builder.function)
            return _on_stack(builder, context.get_value_type(signature.args[0]), number)

        return types.CPointer(like)(like), codegen

    return zeros


def _filled_up(number: int) -> Any:
    @intrinsic
    def filled_up(typingctx, array, start, count):
        """A copy of fewer elements than there are lanes, and zeros."""

        def codegen(context, builder, signature, args):
            kind = context.get_value_type(signature.args[0].dtype)
            place = _on_stack(builder, kind, number)
            data = context.make_array(signature.args[0])(context, builder, args[0]).data
            size = context.get_abi_sizeof(kind)
            with builder.if_then(builder.icmp_signed(">", args[2], args[2].type(0))):
                given = builder.gep(data, [args[1]])
                cgutils.raw_memcpy(builder, place, given, args[2], size)
            return place

        return types.CPointer(array.dtype)(array, types.intp, types.intp), codegen

    return filled_up


@intrinsic
def address_of(typingctx, array, index):
    """Where an element of a contiguous array is, which need not exist."""
    if not (isinstance(array, types.Array) and array.ndim == 1):
        return None

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.gep(data, [args[1]])

    return types.CPointer(array.dtype)(array, types.intp), codegen
