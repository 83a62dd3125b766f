"""What Numba's runtime does for arrays that kernels make, by the C library's functions.

Numba 0.68 has its own functions of these names in a library of its (numba/core/runtime/nrt.cpp),
which is not there where a kernel is loaded without Numba. Of what counts references and finds an
array's data it has intermediate code (numba/core/runtime/nrtdynmod.py), which will do.
"""

from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.runtime import nrtdynmod

POINTER, SIZE, INT = ir.IntType(8).as_pointer(), ir.IntType(64), ir.IntType(32)

INFO = ir.LiteralStructType([SIZE, POINTER, POINTER, POINTER, SIZE])
"""The start of Numba's ``MemInfo``: references, destructor, its argument, data, size."""

INFO_BYTES = 40
ONE_REFERENCE = 1
ORDER = "monotonic"
"""Of what counts references, atomically."""


def define_memory(module: ir.Module) -> None:
    """Define the functions that arrays need, for the code that is linked to this module."""
    _define_allocation(module)
    nrtdynmod._define_nrt_meminfo_data(module)
    nrtdynmod._define_nrt_incref(module, nrtdynmod._define_atomic_inc_dec(module, "add", ORDER))
    nrtdynmod._define_nrt_decref(module, nrtdynmod._define_atomic_inc_dec(module, "sub", ORDER))
    _define_release(module)


def _define_allocation(module: ir.Module) -> None:
    name, kind = "NRT_MemInfo_alloc_aligned", ir.FunctionType(POINTER, [SIZE, INT])
    function = ir.Function(module, kind, name)
    builder = ir.IRBuilder(function.append_basic_block())
    size, alignment = function.args[0], builder.zext(function.args[1], SIZE)
    most = builder.add(builder.add(size, SIZE(INFO_BYTES)), alignment)
    place = builder.call(_declare(module, "malloc", POINTER, SIZE), [most])
    with builder.if_then(cgutils.is_null(builder, place), likely=False):
        builder.ret(place)
    first = builder.ptrtoint(builder.gep(place, [SIZE(INFO_BYTES)]), SIZE)
    last = builder.sub(builder.add(first, alignment), SIZE(1))
    aligned = builder.and_(last, builder.sub(SIZE(0), alignment))
    info = builder.bitcast(place, INFO.as_pointer())
    data = builder.inttoptr(aligned, POINTER)
    none = ir.Constant(POINTER, None)
    for i, value in enumerate((SIZE(ONE_REFERENCE), none, none, data, size)):
        builder.store(value, builder.gep(info, [INT(0), INT(i)]))
    builder.ret(place)


def _define_release(module: ir.Module) -> None:
    function = module.globals["NRT_MemInfo_call_dtor"]
    builder = ir.IRBuilder(function.append_basic_block())
    builder.call(_declare(module, "free", ir.VoidType(), POINTER), function.args)
    builder.ret_void()


def _declare(module: ir.Module, name: str, result: ir.Type, *arguments: ir.Type) -> Any:
    return cgutils.get_or_insert_function(module, ir.FunctionType(result, arguments), name)
