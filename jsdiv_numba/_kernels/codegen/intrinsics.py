"""How every kernel is compiled: the options, and the few operations that Numba does not offer."""

import hashlib
import itertools
import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from ..target import converts_vectors
from .dispatch import jit

_INTERNAL = {
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}

# Spelled out, because a helper without a `fastmath` of its own inherits its caller's,
# and a formula whose operations are reassociated loses its accuracy.
njit_inline = jit(fastmath=False, forceinline=True, _nrt=False, **_INTERNAL)
"""A scalar function: exactly the operations that are written, inlined so that loops vectorise."""

njit_refcounted = jit(fastmath=False, forceinline=False, nogil=True, _nrt=True, **_INTERNAL)
"""A loop whose order of operations matters, or that has none."""

njit_refcounted_inline = jit(fastmath=False, forceinline=True, nogil=True, _nrt=True, **_INTERNAL)
"""The same, part of its caller."""

# Counting a reference takes as long as some dozen elements of a row.
njit_no_refcount = jit(fastmath=False, forceinline=False, nogil=True, _nrt=False, **_INTERNAL)
"""The same, of arrays that its caller holds: it counts no references, and so makes no array."""

# Such a loop must not write but by `store2_noalias`: LLVM would decide by the distance of the
# arrays in memory whether to run it in lanes, and the bits of the sum would depend on that:
# https://llvm.org/docs/Vectorizers.html#runtime-checks-of-pointers.
_IN_LANES = {"reassoc", "nsz", "contract"}
njit_reassoc = jit(fastmath=_IN_LANES, forceinline=False, nogil=True, _nrt=False, **_INTERNAL)
"""A loop that may add up in lanes. Never `True`: `nnan` and `ninf` break the edge cases
(https://llvm.org/docs/LangRef.html#fast-math-flags)."""

njit_reassoc_inline = jit(fastmath=_IN_LANES, nogil=True, _nrt=False, forceinline=True, **_INTERNAL)
"""The same, part of its caller: where the call and its constants cost as much as a short row."""


def _fma(builder, x, y, z):
    function = builder.module.declare_intrinsic(
        "llvm.fma", [x.type], ir.FunctionType(x.type, [x.type] * 3)
    )
    return builder.call(function, [x, y, z])


@intrinsic
def fma(typingctx, x, y, z):
    """X·y + z with one rounding: the same bits in a vector loop and in its scalar remainder."""
    if not (isinstance(x, types.Float) and x == y == z):
        return None

    def codegen(context, builder, signature, args):
        return _fma(builder, *args)

    return x(x, y, z), codegen


def _in_constant_memory(builder, numbers):
    """Have a device's instructions read numbers from there: they hold none of 64 bits."""
    kind = ir.ArrayType(numbers[0].type, len(numbers))
    name = "numbers_" + hashlib.sha256(str(numbers).encode()).hexdigest()[:16]
    array = builder.module.globals.get(name)
    if array is None:
        array = ir.GlobalVariable(builder.module, kind, name, addrspace=4)
        array.initializer, array.linkage, array.align = kind(numbers), "weak", 16
    zero = ir.IntType(32)(0)
    return [builder.load(builder.gep(array, [zero, zero.type(n)])) for n in range(len(numbers))]


def _in_registers(builder, numbers):
    """Have a loop find numbers as vectors.

    On processors with 16 registers LLVM 20 reads a constant again for each use, and repeats it in a
    register of its own. What it does not know to be constant it repeats before the loop: there, and
    on the stack if there are too many, it is an operand of the multiply-add.
    """
    if converts_vectors():
        return numbers
    kind = ir.FunctionType(numbers[0].type, [numbers[0].type])
    as_it_is = ir.InlineAsm(kind, "", "=x,0")
    return [builder.call(as_it_is, [number], attrs=("readnone", "nounwind")) for number in numbers]


@intrinsic
def in_register(typingctx, number):
    """A constant of float64 that a loop finds as a vector; see `_in_registers`."""
    if not isinstance(number, types.Float):
        return None

    def codegen(context, builder, signature, args):
        if number.bitwidth < 64 or _is_device(builder):
            return args[0]
        return _in_registers(builder, args)[0]

    return number(number), codegen


def _horner(builder, x, numbers):
    *rest, value = numbers
    for number in reversed(rest):
        value = _fma(builder, value, x, number)
    return value


def polynomial(coefficients: Any, chains: int = 1) -> Any:
    """Return the polynomial with these coefficients, the lowest power's first.

    Of two chains one has the even powers and one the odd: one operation more, of which each waits
    for half as many.
    """

    @intrinsic
    def evaluate(typingctx, x):
        if not isinstance(x, types.Float):
            return None

        def codegen(context, builder, signature, args):
            numbers = [args[0].type(float(number)) for number in coefficients]
            if x.bitwidth == 64:
                keep = _in_constant_memory if _is_device(builder) else _in_registers
                numbers = keep(builder, numbers)
            if chains == 1:
                return _horner(builder, args[0], numbers)
            square = builder.fmul(args[0], args[0])
            even, odd = (_horner(builder, square, numbers[start::2]) for start in (0, 1))
            return _fma(builder, odd, args[0], even)

        return x(x), codegen

    return evaluate


@intrinsic
def mul_rn(typingctx, x, y):
    """X·y, rounded: a device's compiler would take it and an addition for one operation."""
    if not (isinstance(x, types.Float) and x == y):
        return None

    def codegen(context, builder, signature, args):
        if not _is_device(builder):
            return builder.fmul(*args)
        name = f"llvm.nvvm.mul.rn.{'f' if x.bitwidth == 32 else 'd'}"
        kind = ir.FunctionType(args[0].type, [args[0].type] * 2)
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, args)

    return x(x, y), codegen


_ON_DEVICE = {
    ("reciprocal", ir.FloatType()): ("rcp.approx.ftz.f32 $0, $1;", "=f,f"),
    ("reciprocal", ir.DoubleType()): ("rcp.approx.ftz.f64 $0, $1;", "=d,d"),
    ("log2", ir.FloatType()): ("lg2.approx.ftz.f32 $0, $1;", "=f,f"),
    ("exp2", ir.FloatType()): ("ex2.approx.ftz.f32 $0, $1;", "=f,f"),
}
"""What NVIDIA's devices have an instruction for, and its registers."""


def _is_device(builder):
    return builder.module.triple.startswith("nvptx")


def _device_instruction(builder, name, x):
    function = ir.FunctionType(x.type, [x.type])
    return builder.call(ir.InlineAsm(function, *_ON_DEVICE[name, x.type]), [x])


def _device_quotient(builder, x, y):
    """Divide by a reciprocal, and correct the quotient by what it leaves over.

    NVIDIA's division calls a subroutine where the numerator or the denominator is
    tiny, as for any p = q = 0. The error of this one stays below 1 unit in the last place.
    """
    kind = x.type
    reciprocal = _device_instruction(builder, "reciprocal", y)
    less_y = builder.fsub(kind(-0.0), y)
    if kind == ir.DoubleType():
        # It has some 20 bits. A step of Newton's method doubles them, and so does the correction.
        error = _fma(builder, less_y, reciprocal, kind(1.0))
        reciprocal = _fma(builder, error, reciprocal, reciprocal)
    rounded = builder.fmul(x, reciprocal)
    return _fma(builder, _fma(builder, less_y, rounded, x), reciprocal, rounded)


@intrinsic
def quotient(typingctx, x, y):
    """X / y, for a normal y > 0 that is not huge."""
    if not (isinstance(x, types.Float) and x == y):
        return None

    def codegen(context, builder, signature, args):
        divide = _device_quotient if _is_device(builder) else type(builder).fdiv
        return divide(builder, *args)

    return x(x, y), codegen


def _approximate(name: str, otherwise: Any) -> Any:
    """Return an intrinsic's typing: a device's instruction, on the CPU something more accurate."""

    def choose(typingctx, x):
        if not isinstance(x, types.Float):
            return None

        def codegen(context, builder, signature, args):
            if _is_device(builder):
                return _device_instruction(builder, name, args[0])
            return otherwise(builder, args[0])

        return x(x), codegen

    return choose


def _llvm(name: str) -> Any:
    def call(builder, x):
        function = ir.FunctionType(x.type, [x.type])
        return builder.call(builder.module.declare_intrinsic(name, [x.type], function), [x])

    return call


reciprocal = intrinsic(_approximate("reciprocal", lambda builder, x: builder.fdiv(x.type(1.0), x)))
"""1 / x for a normal x > 0 that is not huge, to 1 unit in the last place (float64: to 20 bits)."""

log2 = intrinsic(_approximate("log2", _llvm("llvm.log2")))
"""A float32's logarithm: its error is below 2^-22, of the result where that is above 1."""

exp2 = intrinsic(_approximate("exp2", _llvm("llvm.exp2")))
"""2^x of a float32, to 2 units in the last place; 0 where that would be subnormal."""


@intrinsic
def clear_exceptions(typingctx):
    """Clear the floating-point exceptions of a first try, of which NumPy would warn."""
    every = 0x3D if platform.machine().lower() in {"x86_64", "amd64", "i386", "i686"} else 0x1F

    def codegen(context, builder, signature, args):
        integer = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(integer, [integer]), "feclearexcept"
        )
        builder.call(function, [integer(every)])
        return context.get_dummy_value()

    return types.none(), codegen


@intrinsic
def where(typingctx, condition, x, y):
    """X if the condition holds, else y; both are computed.

    A conditional expression is a branch, into which LLVM may move all that only
    one side needs: then the loop around it is not vectorised.
    """
    if not (isinstance(condition, types.Boolean) and x == y):
        return None

    def codegen(context, builder, signature, args):
        return builder.select(*args)

    return x(condition, x, y), codegen


def _selecting(comparison: str, flags: tuple[str, ...] = ()) -> Any:
    """Return an intrinsic's typing: one of two numbers, the first where the comparison holds.

    A device has an instruction for float32, which passes over NaN.
    """
    on_device = {"<": "llvm.minnum", ">": "llvm.maxnum"}[comparison]

    def choose(typingctx, x, y):
        if x != y or not isinstance(x, types.Float | types.Integer):
            return None

        def codegen(context, builder, signature, args):
            if isinstance(x, types.Float) and x.bitwidth == 32 and _is_device(builder):
                kind = args[0].type
                function = ir.FunctionType(kind, [kind, kind])
                declared = builder.module.declare_intrinsic(on_device, [kind], function)
                return builder.call(declared, args)
            if isinstance(x, types.Float):
                condition = builder.fcmp_ordered(comparison, *args, flags=flags)
            else:
                condition = builder.icmp_signed(comparison, *args)
            return builder.select(condition, *args, flags=flags)

        return x(x, y), codegen

    return choose


# Numba's own min and max are functions of their own to compile, at 25 ms each.
minimum = intrinsic(_selecting("<"))
maximum = intrinsic(_selecting(">"))

larger = intrinsic(_selecting(">", ("nnan", "nsz")))
"""A maximum of floats that LLVM vectorises as a reduction; with a NaN, it means nothing."""


def _reinterpret(context, builder, signature, args):
    return builder.bitcast(args[0], context.get_value_type(signature.return_type))


@intrinsic
def bits_of(typingctx, value):
    """The integer with the bits of a float."""
    if not isinstance(value, types.Float):
        return None
    return types.Integer.from_bitwidth(value.bitwidth)(value), _reinterpret


@intrinsic
def float_of(typingctx, bits):
    """The float with the bits of an integer."""
    if not isinstance(bits, types.Integer):
        return None
    return getattr(types, f"float{bits.bitwidth}")(bits), _reinterpret


def _split_to_integers(builder, x):
    """Round to a multiple of 2^12, and what is left over to 1: sums whose last bits are integers.

    Only AVX-512 has an instruction from vectors of float64 to int64; LLVM 20 takes others apart.
    """
    coarse, fine = (x.type(1.5 * 2.0**power) for power in (64, 52))
    integer = ir.IntType(64)

    def rounded(value, magic):
        total = builder.fadd(value, magic)
        bits = builder.sub(builder.bitcast(total, integer), builder.bitcast(magic, integer))
        return total, bits

    total, upper = rounded(x, coarse)
    _, lower = rounded(builder.fsub(x, builder.fsub(total, coarse)), fine)
    return builder.add(builder.shl(upper, integer(12)), lower)


@intrinsic
def nearest_integer(typingctx, x):
    """The int64 next to a float64 below 2^63, the even one of two; of a NaN, any."""
    if x != types.float64:
        return None

    def codegen(context, builder, signature, args):
        if not converts_vectors():
            return _split_to_integers(builder, args[0])
        function = ir.FunctionType(args[0].type, [args[0].type])
        rint = builder.module.declare_intrinsic("llvm.rint", [args[0].type], function)
        return builder.fptosi(builder.call(rint, args), ir.IntType(64))

    return types.int64(x), codegen


@njit_inline
def power_of_two(exponent):
    """Return 2.0**exponent, where that is normal: Numba's own takes its whole pipeline."""
    return float_of(np.int64((exponent + 1023) << 52))


@intrinsic
def float_of_multiple(typingctx, bits):
    """The float of an int64 that is a multiple of 2^51, or of any int32.

    AVX2 has an instruction from int32 alone: LLVM takes a vector of int64 apart for it. There the
    multiple becomes the last bits of a number about 2^103, whose unit in the last place is 2^51.
    """
    if not isinstance(bits, types.Integer):
        return None

    def codegen(context, builder, signature, args):
        kind = context.get_value_type(signature.return_type)
        if bits.bitwidth == 32 or _is_device(builder) or converts_vectors():
            return builder.sitofp(args[0], kind)
        long = args[0].type
        # Inverted, the sign is a bit like the others: together they are 2^12 more.
        magic = long((1023 + 103) << 52 | 1 << 12)
        shifted = builder.xor(builder.lshr(args[0], long(51)), magic)
        return builder.fsub(builder.bitcast(shifted, kind), kind(2.0**103 + 2.0**63))

    return getattr(types, f"float{bits.bitwidth}")(bits), codegen


@intrinsic
def any_layout(typingctx, array):
    """Relabel an array as writeable and of any stride, for kernels compiled for those alone."""
    if not isinstance(array, types.Array):
        return None

    def codegen(context, builder, signature, args):
        return impl_ret_borrowed(context, builder, signature.return_type, args[0])

    return array.copy(layout="A", readonly=False)(array), codegen


@intrinsic
def row_of(typingctx, matrix, row):
    """Return a row of a matrix, as `any_layout` has it; the row is known to be there.

    No reference is counted: the matrix is one that the caller holds, or is used after the row.
    """
    if not (isinstance(matrix, types.Array) and matrix.ndim == 2):
        return None
    kind = types.Array(matrix.dtype, 1, "A")

    def codegen(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        _, length = cgutils.unpack_tuple(builder, array.shape)
        step, stride = cgutils.unpack_tuple(builder, array.strides)
        start = cgutils.pointer_add(builder, array.data, builder.mul(args[1], step, flags=["nsw"]))
        view = context.make_array(kind)(context, builder)
        populate_array(view, start, [length], [stride], array.itemsize, None)
        return view._getvalue()

    return kind(matrix, types.intp), codegen


@intrinsic
def noinline(typingctx):
    """Keep this function out of its callers, each of which would be compiled with a copy of it."""

    def codegen(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), codegen


def _element(context, builder, kind, array, index):
    data = context.make_array(kind)(context, builder, array).data
    return context.unpack_value(builder, kind.dtype, builder.gep(data, [index]))


@intrinsic
def item(typingctx, array, index):
    """Element `index` of a 1-d array that is known to be contiguous, `index` to be in range.

    An array of layout "A" is indexed by its stride, and a signed index is tested for counting
    from the end: either keeps LLVM from vectorising.
    """
    if not (isinstance(array, types.Array) and array.ndim == 1):
        return None

    def codegen(context, builder, signature, args):
        return _element(context, builder, signature.args[0], *args)

    return array.dtype(array, types.intp), codegen


@intrinsic
def items(typingctx, values, index):
    """Of a tuple's arrays the elements that `item` reads; what is no array stays as it is."""
    if not isinstance(values, types.BaseTuple):
        return None

    def codegen(context, builder, signature, args):
        read = [
            _element(context, builder, kind, value, args[1])
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(values, cgutils.unpack_tuple(builder, args[0]), strict=True)
        ]
        return context.make_tuple(builder, signature.return_type, read)

    kinds = [kind.dtype if isinstance(kind, types.Array) else kind for kind in values]
    return types.Tuple(kinds)(values, types.intp), codegen


@intrinsic
def entry(typingctx, matrix, row, column):
    """Element of a C-contiguous matrix, both indices known to be in range.

    As `item` of a row, but without a view of it: to make one costs more than to
    read a short row.
    """
    if not (isinstance(matrix, types.Array) and matrix.ndim == 2 and matrix.layout == "C"):
        return None

    def codegen(context, builder, signature, args):
        place = _place_of_entry(context, builder, signature.args[0], *args)
        return context.unpack_value(builder, matrix.dtype, place)

    return matrix.dtype(matrix, types.intp, types.intp), codegen


def _place_of_entry(context, builder, kind, matrix, row, column):
    array = context.make_array(kind)(context, builder, matrix)
    columns = cgutils.unpack_tuple(builder, array.shape)[1]
    place = builder.add(builder.mul(row, columns, flags=["nsw"]), column, flags=["nsw"])
    return builder.gep(array.data, [place])


@intrinsic
def set_entry(typingctx, matrix, row, column, value):
    """Assign to an element as `entry` reads it."""
    if not (isinstance(matrix, types.Array) and matrix.ndim == 2 and matrix.layout == "C"):
        return None

    def codegen(context, builder, signature, args):
        place = _place_of_entry(context, builder, signature.args[0], *args[:3])
        context.pack_value(builder, matrix.dtype, args[3], place)
        return context.get_dummy_value()

    return types.none(matrix, types.intp, types.intp, matrix.dtype), codegen


@intrinsic
def row_item(typingctx, matrix, row, column):
    """Element of a matrix whose rows are known to be contiguous, at any distance of each other."""
    if not (isinstance(matrix, types.Array) and matrix.ndim == 2):
        return None

    def codegen(context, builder, signature, args):
        place = _place_in_row(context, builder, signature.args[0], *args)
        return context.unpack_value(builder, matrix.dtype, place)

    return matrix.dtype(matrix, types.intp, types.intp), codegen


def _place_in_row(context, builder, kind, matrix, row, column):
    """Return where an element of a matrix with adjacent columns is."""
    array = context.make_array(kind)(context, builder, matrix)
    step = cgutils.unpack_tuple(builder, array.strides)[0]
    start = cgutils.pointer_add(builder, array.data, builder.mul(row, step, flags=["nsw"]))
    return builder.gep(start, [column])


@intrinsic
def row_place(typingctx, matrix, row):
    """Where a row of such a matrix begins, which need not exist."""
    if not (isinstance(matrix, types.Array) and matrix.ndim == 2):
        return None

    def codegen(context, builder, signature, args):
        first = args[1].type(0)
        return _place_in_row(context, builder, signature.args[0], *args, first)

    return types.CPointer(matrix.dtype)(matrix, types.intp), codegen


@intrinsic
def set_item(typingctx, array, index, value):
    """Assign to an element as `item` reads it."""
    if not (isinstance(array, types.Array) and array.ndim == 1 and array.dtype == value):
        return None

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        context.pack_value(builder, value, args[2], builder.gep(data, [args[1]]))
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


def _of_scope(builder, access, own):
    """Mark a load or a store as touching memory that those of the other scopes do not."""
    module = builder.module
    domain = module.add_metadata(["jsdiv_numba"])
    scopes = {name: module.add_metadata([name, domain]) for name in ("read", "first", "second")}
    access.set_metadata("alias.scope", module.add_metadata([scopes.pop(own)]))
    access.set_metadata("noalias", module.add_metadata(list(scopes.values())))


@intrinsic
def load_noalias(typingctx, array, index):
    """`item`, of an array that shares no memory with those that `store2_noalias` writes to."""
    if not (isinstance(array, types.Array) and array.ndim == 1):
        return None

    def codegen(context, builder, signature, args):
        value = _element(context, builder, signature.args[0], *args)
        _of_scope(builder, value, "read")
        return value

    return array.dtype(array, types.intp), codegen


@intrinsic
def store_noalias(typingctx, array, index, value):
    """Assign to an element of an array apart from those that `load_noalias` reads."""
    if not (isinstance(array, types.Array) and array.ndim == 1 and array.dtype == value):
        return None

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        _of_scope(builder, builder.store(args[2], builder.gep(data, [args[1]])), "first")
        return context.get_dummy_value()

    return types.none(array, types.intp, value), codegen


@intrinsic
def store2_noalias(typingctx, first, second, index, x, y):
    """Assign to an element of each of two arrays that share no memory.

    A loop that does so may add up too: LLVM need not look at run time where the
    arrays lie, and so runs it in lanes always.
    """
    if not (first == second and isinstance(first, types.Array) and first.dtype == x == y):
        return None

    def codegen(context, builder, signature, args):
        for i, name in enumerate(("first", "second")):
            data = context.make_array(signature.args[i])(context, builder, args[i]).data
            place = builder.gep(data, [args[2]])
            _of_scope(builder, builder.store(args[3 + i], place), name)
        return context.get_dummy_value()

    return types.none(first, second, types.intp, x, y), codegen


def _new(context, builder, kind, shape):
    """Make a C-contiguous array; the kernel fails if there is no memory for it."""
    array = context.make_array(kind)(context, builder)
    element = context.get_data_type(kind.dtype)
    itemsize = context.get_constant(types.intp, context.get_abi_sizeof(element))
    *strides, size = itertools.accumulate([itemsize, *reversed(shape)], builder.mul)
    alignment = context.get_preferred_array_alignment(kind.dtype)
    info = context.nrt.meminfo_alloc_aligned(builder, size, alignment)
    data = builder.bitcast(context.nrt.meminfo_data(builder, info), element.as_pointer())
    populate_array(array, data, shape, strides[::-1], itemsize, info)
    return array


def _new_array(fill: Any) -> Any:
    """Return an intrinsic's typing: an array of a size or a shape, and of a dtype."""

    def make(typingctx, shape, dtype):
        is_tuple = isinstance(shape, types.BaseTuple)
        lengths = list(shape) if is_tuple else [shape]
        if not all(isinstance(length, types.Integer) for length in lengths):
            return None
        kind = types.Array(dtype.dtype, len(lengths), "C")

        def codegen(context, builder, signature, args):
            sizes = cgutils.unpack_tuple(builder, args[0]) if is_tuple else [args[0]]
            array = _new(context, builder, kind, sizes)
            if fill:
                size = builder.mul(array.nitems, array.itemsize)
                cgutils.memset(builder, array.data, size, 0)
            return array._getvalue()

        return kind(shape, dtype), codegen

    return make


# NumPy's functions of these names are, in Numba, six functions of their own to compile.
empty = intrinsic(_new_array(fill=False))
zeroed = intrinsic(_new_array(fill=True))


@njit_refcounted
def _copy(row):
    noinline()
    copy = empty(row.size, row.dtype)
    for i in range(row.size):
        set_item(copy, i, row[i])
    return any_layout(copy)


@njit_refcounted_inline
def contiguous(row):
    """Return a row itself if its elements are adjacent, else a copy."""
    if row.strides[0] == row.itemsize:
        return any_layout(row)
    return _copy(row)


@njit_refcounted
def in_float64(row):
    """Return a copy of a row in float64: Numba's `astype` takes its whole pipeline."""
    wide = empty(row.size, np.float64)
    for i in range(row.size):
        wide[i] = row[i]
    return wide


@njit_refcounted
def contiguous_rows(matrix):
    """Return a matrix itself if the elements of its rows are adjacent, else a copy."""
    if matrix.strides[1] == matrix.itemsize:
        return any_layout(matrix)
    copy = empty(matrix.shape, matrix.dtype)
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            copy[i, j] = matrix[i, j]
    return any_layout(copy)


LINE_BYTES = 64
"""Of a cache line."""

FIRST_LINES = 8
"""So many lines of rows that come next begin to be loaded ahead: what a processor loads ahead by
itself it finds anew in each row, because most rows begin another page. To ask for all lines of a
row at once is to wait for them."""


def _loading(locality: int) -> Any:
    """Return an intrinsic's typing: begin to load a line into the caches from some level on."""

    def load(typingctx, place, index):
        is_array = isinstance(place, types.Array) and place.ndim == 1
        if not (is_array or isinstance(place, types.CPointer)):
            return None

        def codegen(context, builder, signature, args):
            data = args[0]
            if is_array:
                data = context.make_array(signature.args[0])(context, builder, data).data
            address = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
            flag = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag])
            function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
            to_read, data_not_code = flag(0), flag(1)
            builder.call(function, [address, to_read, flag(locality), data_not_code])
            return context.get_dummy_value()

        return types.none(place, types.intp), codegen

    return load


prefetch = intrinsic(_loading(locality=3))
"""Begin to load the cache line of an array's element, or a pointer's, which need not exist."""

prefetch_to_second = intrinsic(_loading(locality=2))
"""The same, but not into the first cache, where lines whose addresses are alike have few places."""
