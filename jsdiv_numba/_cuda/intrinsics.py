"""Instructions of a device that LLVM and Numba offer no other name for."""

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


@intrinsic
def row_in_global_memory(typingctx, array, i, j, k):
    """Return the row ``array[i, j, k]``, for a device's instructions that read such memory.

    What Numba makes of any strides are numbers, of which LLVM does not know what they point to.
    """
    if not (isinstance(array, types.Array) and array.ndim == 4):
        return None
    row = array.copy(ndim=1, layout="A")

    def codegen(context, builder, signature, args):
        given = context.make_array(array)(context, builder, args[0])
        shape, strides = (cgutils.unpack_tuple(builder, x) for x in (given.shape, given.strides))
        address = builder.bitcast(given.data, ir.IntType(8).as_pointer())
        for place, stride in zip(args[1:], strides, strict=False):
            address = builder.gep(address, [builder.mul(place, stride)])
        apart = builder.addrspacecast(address, ir.IntType(8).as_pointer(1))
        address = builder.addrspacecast(apart, ir.IntType(8).as_pointer())
        made = context.make_array(row)(context, builder)
        made.data = builder.bitcast(address, given.data.type)
        made.shape = cgutils.pack_array(builder, shape[3:])
        made.strides = cgutils.pack_array(builder, strides[3:])
        made.itemsize, made.nitems = given.itemsize, shape[3]
        return made._getvalue()

    return row(array, types.int64, types.int64, types.int64), codegen


def _address_of_four(context, builder, array, given, index):
    data = context.make_array(array)(context, builder, given).data
    address = builder.gep(data, [index])
    vector = ir.VectorType(context.get_data_type(array.dtype), 4)
    return address, builder.bitcast(address, vector.as_pointer())


@intrinsic
def four(typingctx, array, index):
    """Elements `index` .. `index + 3` of a 1-d array, adjacent and aligned to 16 bytes."""
    if not (isinstance(array, types.Array) and array.ndim == 1):
        return None

    def codegen(context, builder, signature, args):
        address, wide = _address_of_four(context, builder, array, *args)
        places = [ir.IntType(32)(n) for n in range(4)]
        if isinstance(array.dtype, types.Float) and array.dtype.bitwidth >= 32:
            vector = builder.load(wide)
            vector.align = 16
            values = [builder.extract_element(vector, place) for place in places]
        else:
            elements = [builder.gep(address, [place]) for place in places]
            values = [context.unpack_value(builder, array.dtype, one) for one in elements]
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(array.dtype, 4)(array, types.int64), codegen


@intrinsic
def set_four(typingctx, array, index, values):
    """Assign to elements as `four` reads them."""
    if not (isinstance(array, types.Array) and values == types.UniTuple(array.dtype, 4)):
        return None

    def codegen(context, builder, signature, args):
        _, wide = _address_of_four(context, builder, array, *args[:2])
        vector = ir.VectorType(context.get_data_type(array.dtype), 4)(ir.Undefined)
        for n, value in enumerate(cgutils.unpack_tuple(builder, args[2])):
            vector = builder.insert_element(vector, value, ir.IntType(32)(n))
        builder.store(vector, wide).align = 16
        return context.get_dummy_value()

    return types.none(array, types.int64, values), codegen
