"""Sums of a row in lanes: numbers on the stack, to each of which one element of a group is added.

LLVM keeps them in vector registers. The loop over groups of as many elements, the last one
filled up with 0, has no remainder, and its constants are loaded once.

Sums that should be accurate have several sets of lanes, which take turns. Equal terms are rounded
the same way each time they are added to one, and the more of them are, the larger what is
rounded: 8 are off by 2.5 units of rounding at most, 64 by 16.5. Of a set in memory each group
loads and stores its lanes, which other operations hide.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..target import registers, target
from .intrinsics import LINE_BYTES, ask_for_wide_vectors, formula, prefetch
from .precision import FLOAT32, Precision

ALIGNMENT = 64
"""Of the widest vectors, in bytes."""


ONE_SET = 8
"""Groups of which one set of lanes may add up all."""


def number_of_lanes(precision: Precision) -> int:
    """Return two vectors' lanes on most processors: operations of both keep it busy.

    More vectors and their constants would not fit into the registers. The loop over fewer lanes
    LLVM unrolls, and does not vectorise then.
    """
    return 32 if precision is FLOAT32 and registers(target()).floats == 16 else 16


def number_of_sums(precision: Precision) -> int:
    """Return the number of lanes in all sets: float64 has room for more units of rounding."""
    return 128 if precision is FLOAT32 else number_of_lanes(precision)


@cache
def lane_kernels(precision: Precision) -> SimpleNamespace:
    """Compile what loops over groups of one precision need."""
    Int, number, sums = precision.Int, number_of_lanes(precision), number_of_sums(precision)

    @formula
    def sum_of(lanes):
        """Add each lane of one half to that of the other, and so on: other orders take longer."""
        half = number // 2
        while half:
            for i in range(half):
                lanes[i] += lanes[i + half]
            half //= 2
        return lanes[0]

    @formula
    def turns(groups):
        """Return what `group * number` is masked with to find the set that a group is added to.

        Few groups take one set.
        """
        return sums - 1 if groups > ONE_SET else number - 1

    @formula
    def sum_of_sets(lanes, groups):
        if groups > ONE_SET:
            half = sums // 2
            while half >= number:
                for i in range(half):
                    lanes[i] += lanes[i + half]
                half //= 2
        return sum_of(lanes)

    @formula
    def bits_of_all(lanes):
        half = number // 2
        while half:
            for i in range(half):
                lanes[i] = Int(lanes[i] | lanes[i + half])
            half //= 2
        return lanes[0]

    @formula
    def groups_in(size):
        return (size + number - 1) // number

    return SimpleNamespace(
        number=number,
        zeros=_zeros(number),
        groups_in=groups_in,
        last_group=_last_group(number),
        group_at=_group_at(precision, number),
        sum_of=sum_of,
        turns=turns,
        sets=_zero_sets(number, sums),
        sum_of_sets=sum_of_sets,
        bits_of_all=bits_of_all,
    )


def _zeros(number: int) -> Any:
    @intrinsic
    def zeros(typingctx, like):
        """Lanes at 0, of the type of the argument."""

        def codegen(context, builder, signature, args):
            ask_for_wide_vectors(builder.function)
            kind = context.get_value_type(signature.args[0])
            lanes = ir.ArrayType(kind, number)
            place = cgutils.alloca_once(builder, lanes)
            place.align = ALIGNMENT
            builder.store(ir.Constant(lanes, None), place)
            return builder.bitcast(place, kind.as_pointer())

        return types.CPointer(like)(like), codegen

    return zeros


def _zero_sets(number: int, sums: int) -> Any:
    @intrinsic
    def sets(typingctx, like, all_of_them):
        """Sets of lanes of the type of the first argument: the first, or all of them, at 0.

        They are on the stack of the function that calls this, which no other may do for it.
        """

        def codegen(context, builder, signature, args):
            ask_for_wide_vectors(builder.function)
            kind = context.get_value_type(signature.args[0])
            lanes, first = ir.ArrayType(kind, sums), ir.ArrayType(kind, number)
            place = cgutils.alloca_once(builder, lanes)
            place.align = ALIGNMENT
            builder.store(ir.Constant(first, None), builder.bitcast(place, first.as_pointer()))
            if sums > number:
                with builder.if_then(args[1], likely=False):
                    builder.store(ir.Constant(lanes, None), place)
            return builder.bitcast(place, kind.as_pointer())

        return types.CPointer(like)(like, types.boolean), codegen

    return sets


def _masked_load(builder: Any, place: Any, count: Any) -> Any:
    """Return a vector whose first elements are those at a place, and whose others are 0."""
    vector, lane = place.type.pointee, ir.IntType(32)
    number, kind = vector.count, vector.element
    lanes = ir.VectorType(lane, number)
    undefined = ir.Constant(lanes, ir.Undefined)
    first = builder.insert_element(undefined, builder.trunc(count, lane), lane(0))
    all_alike = builder.shuffle_vector(first, undefined, ir.Constant(lanes, None))
    mask = builder.icmp_signed("<", ir.Constant(lanes, list(range(number))), all_alike)
    name = f"llvm.masked.load.v{number}{kind.intrinsic_name}.p0"
    function = ir.FunctionType(vector, [place.type, lane, mask.type, vector])
    load = cgutils.get_or_insert_function(builder.module, function, name)
    alignment = lane({"float": 4, "double": 8}[str(kind)])
    return builder.call(load, [place, alignment, mask, ir.Constant(vector, None)])


def _last_group(number: int) -> Any:
    @intrinsic
    def last_group(typingctx, array, start, size):
        """A copy of what is left of a row's elements once groups are whole, and zeros.

        It is on the stack of the function that calls this, which no other may do for it.
        """

        def codegen(context, builder, signature, args):
            _, start, size = args
            count = builder.srem(size, size.type(number))
            first = builder.add(start, builder.sub(size, count))
            kind = context.get_value_type(signature.args[0].dtype)
            data = context.make_array(signature.args[0])(context, builder, args[0]).data
            vector = ir.VectorType(kind, number)
            given = builder.bitcast(builder.gep(data, [first]), vector.as_pointer())
            place = cgutils.alloca_once(builder, vector)
            place.align = ALIGNMENT
            builder.store(_masked_load(builder, given, count), place)
            return builder.bitcast(place, kind.as_pointer())

        return types.CPointer(array.dtype)(array, types.intp, types.intp), codegen

    return last_group


def _group_at(precision: Precision, number: int) -> Any:
    line = LINE_BYTES // precision.Float(0).itemsize

    @formula
    def group_at(array, last, start, size, group, ahead):
        """Return where a group is, the last one as it was filled up; load what lies ahead."""
        place = address_of(array, start + group * number)
        if group == size // number:
            place = last
        for i in range(0, number, line):
            prefetch(place, i + ahead)
        return place

    return group_at


@intrinsic
def address_of(typingctx, array, index):
    """Where an element of a contiguous array is, which need not exist."""
    if not (isinstance(array, types.Array) and array.ndim == 1):
        return None

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.gep(data, [args[1]])

    return types.CPointer(array.dtype)(array, types.intp), codegen
