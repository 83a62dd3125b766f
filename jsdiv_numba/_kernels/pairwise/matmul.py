"""A float32 matrix product in tiles, and where its entries reach a limit.

It is here, rather than a BLAS, because its threads are then those of this
package, its rounding errors are known, and its tiles are read while they are in
the cache. Blocked for registers and caches as GotoBLAS is (K. Goto and R. A. van de Geijn, Anatomy
of high-performance matrix multiplication, ACM TOMS 34, 2008): `PANEL` rows of the one matrix meet
`WIDTH` of the other in registers,

    C[i, j] += Σ_k A[i, k]·B[j, k].

Both are kept in panels, ``A[i // PANEL, k, i % PANEL]`` and ``B[j // WIDTH, k, j % WIDTH]``.
"""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ..codegen.intrinsics import minimum, njit_no_refcount
from .blocking import DEPTH, VECTORS, sizes

LANES, PANEL, WIDTH, _ = sizes()

LINE = 16
"""Floats in a line of the cache."""

_FLOATS = ir.VectorType(ir.FloatType(), LANES)


def _address(context, builder, kind, array, index, pointed):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), pointed.as_pointer())


def _splat(builder, scalar):
    lane = ir.IntType(32)
    first = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), scalar, lane(0))
    zeros = ir.Constant(ir.VectorType(lane, LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_FLOATS, ir.Undefined), zeros)


@intrinsic
def _multiply(typingctx, a, a_start, b, b_start, depth, c, c_start, stride, add):
    """Write a panel of A times one of B to C, or add it; all starts are offsets in memory."""

    def codegen(context, builder, signature, args):
        a_kind, b_kind, c_kind = (signature.args[k] for k in (0, 2, 5))
        fma = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_FLOATS, [_FLOATS] * 3), f"llvm.fma.v{LANES}f32"
        )
        zero = ir.Constant(_FLOATS, [0.0] * LANES)
        sums = [
            [cgutils.alloca_once_value(builder, zero) for _ in range(VECTORS)] for _ in range(PANEL)
        ]
        size = args[4].type

        with cgutils.for_range(builder, args[4]) as loop:
            at_a = builder.add(args[1], builder.mul(loop.index, size(PANEL)))
            at_b = builder.add(args[3], builder.mul(loop.index, size(WIDTH)))
            row = _address(context, builder, b_kind, args[2], at_b, _FLOATS)
            right = [builder.load(builder.gep(row, [size(v)]), align=4) for v in range(VECTORS)]
            column = _address(context, builder, a_kind, args[0], at_a, ir.FloatType())
            for i in range(PANEL):
                left = _splat(builder, builder.load(builder.gep(column, [size(i)])))
                for v in range(VECTORS):
                    total = builder.call(fma, [left, right[v], builder.load(sums[i][v])])
                    builder.store(total, sums[i][v])
        starts = [builder.add(args[6], builder.mul(args[7], size(i))) for i in range(PANEL)]
        places = [
            (sums[i][v], _address(context, builder, c_kind, args[5], at, _FLOATS))
            for i, start in enumerate(starts)
            for v in range(VECTORS)
            for at in [builder.add(start, size(v * LANES))]
        ]
        with builder.if_then(args[8]):
            for total, place in places:
                before = builder.load(place, align=4)
                builder.store(builder.fadd(before, builder.load(total)), total)
        for total, place in places:
            builder.store(builder.load(total), place, align=4)
        return context.get_dummy_value()

    size = types.intp
    return types.none(a, size, b, size, size, c, size, size, types.boolean), codegen


@intrinsic
def _fetch(typingctx, b, start):
    """Begin to load a line of B, which need not exist, into the second cache."""

    def codegen(context, builder, signature, args):
        place = _address(context, builder, signature.args[0], *args, ir.IntType(8))
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, flag, flag, flag])
        function = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        to_read, not_into_the_first, data_not_code = flag(0), flag(2), flag(1)
        builder.call(function, [place, to_read, not_into_the_first, data_not_code])
        return context.get_dummy_value()

    return types.none(b, types.intp), codegen


@njit_no_refcount
def multiply_panels(a, b, first, panels, tile, column, add):
    """Write to a tile from a column on, or add, the product of all of A and some panels of B."""
    depth, stride = a.shape[1], tile.shape[1]
    for start in range(0, depth, DEPTH):
        size = minimum(DEPTH, depth - start)
        # While one panel of B is multiplied, the next one comes from memory.
        share = (size * WIDTH + a.shape[0] * LINE - 1) // (a.shape[0] * LINE)
        for j in range(panels):
            b_start = ((first + j) * depth + start) * WIDTH
            following = b_start + depth * WIDTH
            if j == panels - 1:
                following = (first * depth + start + DEPTH) * WIDTH
            for i in range(a.shape[0]):
                for line in range(i * share, (i + 1) * share):
                    _fetch(b, following + line * LINE)
                a_start = (i * depth + start) * PANEL
                c_start = i * PANEL * stride + column + j * WIDTH
                more = add or start > 0
                _multiply(a, a_start, b, b_start, size, tile, c_start, stride, more)


@intrinsic
def reaching(typingctx, tile, start, limit):
    """Bits that say which of `WIDTH` elements, from an offset on, are at least a float32 limit."""

    def codegen(context, builder, signature, args):
        place = _address(context, builder, signature.args[0], args[0], args[1], _FLOATS)
        limits, mask = _splat(builder, args[2]), ir.IntType(64)(0)
        for v in range(VECTORS):
            values = builder.load(builder.gep(place, [args[1].type(v)]), align=4)
            hits = builder.fcmp_ordered(">=", values, limits)
            bits = builder.zext(builder.bitcast(hits, ir.IntType(LANES)), ir.IntType(64))
            mask = builder.or_(mask, builder.shl(bits, ir.IntType(64)(v * LANES)))
        return mask

    return types.int64(tile, types.intp, limit), codegen


@intrinsic
def lowest_bit(typingctx, mask):
    """Number of the lowest bit of a mask that is not 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.int64(mask), codegen


@intrinsic
def number_of_bits(typingctx, mask):
    """How many bits of a mask are set."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(mask), codegen
