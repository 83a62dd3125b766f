"""A loop around the loop of a generalised ufunc that releases the GIL.

NumPy releases it for as many results as 501, whatever one costs; a long row is one result.
"""

from functools import cache
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

WORTH_RELEASING = 2048
"""Elements, in about the time that the GIL's release and return take twenty times."""


@cache
@global_compiler_lock
def releasing_loop() -> tuple[int, Any]:
    """Compile an inner loop of a ufunc that calls the one whose address is its data.

    Returns
    -------
    address : int
        Where it is.
    library : object
        What has to live as long as the address is used.
    """
    context = cpu_target.target_context
    library = context.codegen().create_library("jsdiv_numba.releasing_loop")
    module = library.create_ir_module("jsdiv_numba.releasing_loop")
    _emit(module, context.get_value_type(types.intp))
    library.add_ir_module(module)
    library.finalize()
    return library.get_pointer_to_function("releasing_loop"), library


def _emit(module: ir.Module, integer: ir.IntType) -> None:
    pointer, integers = ir.IntType(8).as_pointer(), integer.as_pointer()
    nothing, truth = ir.VoidType(), ir.IntType(32)
    kind = ir.FunctionType(nothing, [pointer, integers, pointer, pointer])

    def of_python(name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
        return ir.Function(module, ir.FunctionType(result, arguments), name)

    is_held = of_python("PyGILState_Check", truth, [])
    save = of_python("PyEval_SaveThread", pointer, [])
    restore = of_python("PyEval_RestoreThread", nothing, [pointer])

    function = ir.Function(module, kind, "releasing_loop")
    arrays, shape, strides, data = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    loop, beside = builder.bitcast(data, kind.as_pointer()), ir.Constant(pointer, None)

    # The first number is that of results, the second the length of the first core axis.
    results, length = (builder.load(builder.gep(shape, [integer(i)])) for i in range(2))
    is_long = builder.icmp_signed(">=", builder.mul(results, length), integer(WORTH_RELEASING))
    held = builder.icmp_signed("!=", builder.call(is_held, []), truth(0))
    with builder.if_then(builder.and_(is_long, held)):
        thread = builder.call(save, [])
        builder.call(loop, [arrays, shape, strides, beside])
        builder.call(restore, [thread])
        builder.ret_void()
    builder.call(loop, [arrays, shape, strides, beside])
    builder.ret_void()
