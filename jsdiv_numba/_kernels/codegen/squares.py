"""Squares of a matrix in vector registers, transposed."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .lanes import masked_load


def transpose(side: int, *, whole: bool) -> Any:
    """Return an intrinsic for squares of so many rows and columns.

    Of a loop LLVM 20 makes gathers or scatters, which take several times as long.
    """

    @intrinsic
    def transposed(typingctx, place, step, count, length, result, result_step):
        """Write the elements of rows that are so many bytes apart, those of a column side by side.

        Unless they are whole, only so many rows are there, in the place of the others the first,
        and so many columns, in the place of the others zeros: all are written.
        """

        def codegen(context, builder, _signature, args):
            place, step, count, length, result, result_step = args
            alignment = context.get_abi_sizeof(place.type.pointee)
            rows = []
            for i in map(count.type, range(side)):
                if whole:
                    own = _vector_at(builder, place, builder.mul(i, step), side)
                    rows.append(builder.load(own, align=alignment))
                    continue
                row = builder.select(builder.icmp_signed("<", i, count), i, count.type(0))
                own = _vector_at(builder, place, builder.mul(row, step), side)
                rows.append(masked_load(builder, own, length))
            for j, column in enumerate(_columns(builder, rows)):
                own = _vector_at(builder, result, builder.mul(count.type(j), result_step), side)
                builder.store(column, own, align=alignment)
            return context.get_dummy_value()

        sizes = (types.intp,) * 3
        return types.void(place, *sizes, result, types.intp), codegen

    return transposed


def _vector_at(builder: Any, place: Any, offset: Any, number: int) -> Any:
    vector = ir.VectorType(place.type.pointee, number)
    return builder.bitcast(cgutils.pointer_add(builder, place, offset), vector.as_pointer())


def _columns(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of a square: the vectors of both halves zipped, as often as they halve."""
    side, lane = len(rows), ir.IntType(32)
    zipped = [place for k in range(side) for place in (k, side + k)]
    masks = [
        ir.Constant(ir.VectorType(lane, side), zipped[first : first + side]) for first in (0, side)
    ]
    for _ in range(side.bit_length() - 1):
        pairs = zip(rows[: side // 2], rows[side // 2 :], strict=True)
        rows = [builder.shuffle_vector(x, y, mask) for x, y in pairs for mask in masks]
    return rows
