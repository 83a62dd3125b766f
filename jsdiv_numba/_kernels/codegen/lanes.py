"""Sums of a row in lanes: numbers on the stack, to each of which one element of a group is added.

LLVM keeps them in vector registers. The loop over groups of as many elements, the last one
filled up with 0, has no remainder, and its constants are loaded once.

Equal terms are rounded the same way each time they are added to one lane, and the more of them
are, the larger what is rounded. So float32 lanes add up runs of few groups, and lanes of float64
the runs.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..target import registers, target
from .intrinsics import LINE_BYTES, njit_inline, prefetch
from .precision import FLOAT32, Precision

ALIGNMENT = 64
"""Of the widest vectors, in bytes."""


RUN = 8
"""Groups that lanes of float32 add up: so many equal terms are off by 2.5 units of rounding, 64 by
16.5."""


def number_of_lanes(precision: Precision) -> int:
    """Return two vectors' lanes on most processors: operations of both keep it busy.

    More vectors and their constants would not fit into the registers. The loop over fewer lanes
    LLVM unrolls, and does not vectorise then.
    """
    return 32 if precision is FLOAT32 and registers(target()).floats == 16 else 16


@cache
def lane_kernels(precision: Precision) -> SimpleNamespace:
    """Compile what loops over groups of one precision need."""
    number = number_of_lanes(precision)
    # float64 has room for as many units of rounding as a block has groups.
    half, last = number // 2, RUN - 1 if precision is FLOAT32 else -1

    @njit_inline
    def ends_run(group):
        return (group & last) == last

    @njit_inline
    def groups_in(size):
        return (size + number - 1) // number

    return SimpleNamespace(
        number=number,
        zeros=_zeros(number),
        groups_in=groups_in,
        last_group=_last_group(number),
        group_at=_group_at(precision, number),
        sum_of=_folded(number, "fadd"),
        ends_run=ends_run,
        zero_sums=_zeros(half),
        add_run=_add_run(number),
        sum_of_runs=_folded(half, "fadd"),
        bits_of_all=_folded(number, "or_"),
    )


def _zeros(number: int) -> Any:
    @intrinsic
    def zeros(typingctx, like):
        """Lanes at 0, of the type of the argument."""

        def codegen(context, builder, signature, args):
            kind = context.get_value_type(signature.args[0])
            lanes = ir.ArrayType(kind, number)
            place = cgutils.alloca_once(builder, lanes)
            place.align = ALIGNMENT
            builder.store(ir.Constant(lanes, None), place)
            return builder.bitcast(place, kind.as_pointer())

        return types.CPointer(like)(like), codegen

    return zeros


def room_of(number: int) -> Any:
    """Return an intrinsic: room for so many numbers of the type of its argument, on the stack."""

    @intrinsic
    def room(typingctx, like):
        def codegen(context, builder, signature, args):
            kind = context.get_value_type(signature.args[0])
            place = cgutils.alloca_once(builder, ir.ArrayType(kind, number))
            place.align = ALIGNMENT
            return builder.bitcast(place, kind.as_pointer())

        return types.CPointer(like)(like), codegen

    return room


def _vector_at(builder: Any, place: Any, number: int) -> Any:
    """Where lanes are, as one vector: a loop over so few would be unrolled, not vectorised."""
    return builder.bitcast(place, ir.VectorType(place.type.pointee, number).as_pointer())


def _halves(builder: Any, values: Any) -> list[Any]:
    lane, half = ir.IntType(32), values.type.count // 2
    places = list(range(half)), list(range(half, 2 * half))
    masks = (ir.Constant(ir.VectorType(lane, half), which) for which in places)
    return [builder.shuffle_vector(values, values, mask) for mask in masks]


def _add_run(number: int) -> Any:
    @intrinsic
    def add_run(typingctx, sums, lanes):
        """Move what lanes hold to sums in float64, of which there are half as many."""

        def codegen(context, builder, signature, args):
            place = _vector_at(builder, args[0], number // 2)
            from_place = _vector_at(builder, args[1], number)
            values = builder.load(from_place, align=ALIGNMENT)
            run = builder.fadd(*_halves(builder, values))
            if run.type != place.type.pointee:
                run = builder.fpext(run, place.type.pointee)
            total = builder.fadd(builder.load(place, align=ALIGNMENT), run)
            builder.store(total, place, align=ALIGNMENT)
            builder.store(ir.Constant(values.type, None), from_place, align=ALIGNMENT)
            return context.get_dummy_value()

        return types.void(sums, lanes), codegen

    return add_run


def _folded(number: int, operation: str) -> Any:
    @intrinsic
    def folded(typingctx, lanes):
        """All lanes in one: each of one half with that of the other, and so on.

        LLVM 20 makes a loop of it a number at a time: for the bits of 32 lanes, 75 instructions.
        """

        def codegen(context, builder, signature, args):
            values = builder.load(_vector_at(builder, args[0], number), align=ALIGNMENT)
            while values.type.count > 1:
                values = getattr(builder, operation)(*_halves(builder, values))
            return builder.extract_element(values, ir.Constant(ir.IntType(32), 0))

        return lanes.dtype(lanes), codegen

    return folded


def masked_load(builder: Any, place: Any, count: Any) -> Any:
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
            builder.store(masked_load(builder, given, count), place)
            return builder.bitcast(place, kind.as_pointer())

        return types.CPointer(array.dtype)(array, types.intp, types.intp), codegen

    return last_group


def _group_at(precision: Precision, number: int) -> Any:
    line = LINE_BYTES // precision.Float(0).itemsize

    @njit_inline
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


@intrinsic
def address(typingctx, lanes, index):
    """Where a lane is."""

    def codegen(context, builder, signature, args):
        return builder.gep(args[0], [args[1]])

    return lanes(lanes, types.intp), codegen
