"""From a function that Numba compiles to object code with one C entry point.

A ufunc's entry point is the inner loop that NumPy calls; a routine's takes arrays, integers and
floats as `linking.make_routine` hands them over. The code needs nothing of Numba where it runs.
"""

import sys
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.compiler_lock import global_compiler_lock
from numba.np.arrayobj import populate_array

from ..catalog import Routine, Ufunc, fields_of
from ..linking import NO_MEMORY, UNFIT, Object
from .dispatch import KernelDispatcher, jit
from .memory import define_memory
from .pipeline import KernelLibrary

WORTH_RELEASING = 2048
"""Elements, in about the time that the GIL's release and return take twenty times. NumPy releases
it for as many results as 501, whatever one costs; a long row is one result."""

POINTER = ir.IntType(8).as_pointer()
SIZE = ir.IntType(64)
INT = ir.IntType(32)
TRUTH = ir.IntType(1)
VOID = ir.VoidType()
LOOP = [POINTER.as_pointer(), SIZE.as_pointer(), SIZE.as_pointer(), POINTER]
"""What NumPy hands to an inner loop: arrays, their shape, their strides, and data of the loop's."""

TYPES = {
    "f": types.float32,
    "d": types.float64,
    "i": types.int32,
    "h": types.int16,
    "p": types.intp,
    "?": types.boolean,
}

# Of NumPy's structs, whose layout its C interface promises: PyArrayObject_fields, PyArray_Descr.
HEAD = object.__basicsize__
DATA, NDIM, SHAPE, STRIDES, DESCR, FLAGS = (HEAD + offset for offset in (0, 8, 16, 24, 40, 48))
BYTE_ORDER, TYPE_NUM = HEAD + 10, HEAD + 12
SWAPPED = ord(">" if sys.byteorder == "little" else "<")
C_CONTIGUOUS, ALIGNED = 0x0001, 0x0100


def name_of_entry(name: str, dtype: str) -> str:
    """Return what a kernel's entry point is called."""
    return f"jsdiv_numba_{name}_{dtype}"


@global_compiler_lock
def of_ufunc(name: str, dtype: str, ufunc: Ufunc, body: Callable[..., None]) -> "Code":
    """Compile a ufunc for one dtype.

    The body of an elementwise one is its inner loop. That of a generalised one takes the
    operands, scalars by their values, but for scalar results: it returns those.
    """
    entry, result = name_of_entry(name, dtype), types.none
    emit: Callable[[Call, str, Ufunc], None]
    if ufunc.is_elementwise:
        kinds, emit = _loop_kinds(dtype), _emit_elementwise
    else:
        kinds, emit = _operand_kinds(ufunc, dtype), _emit_generalised
        scalars = [TYPES[ufunc.codes(dtype)[i]] for i in ufunc.returned]
        if scalars:
            result = types.Tuple(scalars) if len(scalars) > 1 else scalars[0]
    return _compiled(entry, body, result, kinds, {}, lambda call: emit(call, entry, ufunc))


@global_compiler_lock
def of_routine(
    name: str, dtype: str, routine: Routine, function: Callable[..., Any], options: dict[str, Any]
) -> "Code":
    """Compile a routine for one dtype."""
    arguments = [Argument.read(text) for text in routine.of(dtype)]
    given = iter(arguments)
    kinds = [_kind_of(each, given) for each in routine.each]
    result = TYPES[routine.result] if routine.result else types.none
    entry = name_of_entry(name, dtype)
    emit = _emit_routine
    return _compiled(
        entry, function, result, kinds, options, lambda call: emit(call, entry, arguments)
    )


def _kind_of(argument: Any, arguments: Iterator["Argument"]) -> Any:
    """Return Numba's type of an argument, of which each part is the next of those given."""
    if isinstance(argument, str):
        return next(arguments).kind
    parts = tuple(_kind_of(field, arguments) for field in fields_of(argument))
    return types.BaseTuple.from_types(parts, argument)


class Call(NamedTuple):
    """What calls a compiled function."""

    context: Any
    module: ir.Module
    compiled: Any

    def __call__(self, builder: ir.IRBuilder, values: list[Any]) -> tuple[Any, Any]:
        """Call it; return whether there was no memory, and its result."""
        described = self.compiled.fndesc
        callee = self.context.declare_function(self.module, described)
        convention = self.context.call_conv
        status, result = convention.call_function(
            builder, callee, described.restype, described.argtypes, values
        )
        # Kernels raise nothing of their own, but memory may not be had for NumPy's arrays.
        return status.is_error, result


class Argument(NamedTuple):
    """An argument of a routine: a number, or an array of so many dimensions."""

    code: str
    ndim: int
    is_contiguous: bool

    @classmethod
    def read(cls, text: str) -> "Argument":
        """Read it as the catalog writes it."""
        code, _, dimensions = text.partition("[")
        ndim = dimensions.count(",") + 1 if dimensions else 0
        return cls(code, ndim, "::1" in dimensions)

    @property
    def kind(self) -> Any:
        """Numba's type of it."""
        layout = "C" if self.is_contiguous else "A"
        return types.Array(TYPES[self.code], self.ndim, layout) if self.ndim else TYPES[self.code]


class Code(KernelLibrary):
    """The whole of a kernel, in which nothing but its entry point can be seen from outside."""

    optimised = True

    def _optimize_final_module(self) -> None:
        for value in (*self._final_module.functions, *self._final_module.global_variables):
            if not value.is_declaration and value.name != self.name:
                value.linkage = "internal"
        super()._optimize_final_module()

    def object(self) -> Object:
        """Return it as object code."""
        module = self._final_module
        symbols = (f.name for f in module.functions if f.is_declaration)
        called = tuple(sorted(name for name in symbols if not name.startswith("llvm.")))
        return Object(self.name, called, self._codegen._tm.emit_object(module))


def _compiled(
    entry: str,
    function: Callable[..., Any],
    result: Any,
    kinds: list[Any],
    options: dict[str, Any],
    emit: Callable[[Call], None],
) -> Code:
    always = {"nogil": True, "error_model": "numpy", "fastmath": False}
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    dispatcher = function
    if not isinstance(function, KernelDispatcher):
        dispatcher = jit(**always, **wrappers, **options)(function)
    dispatcher.compile(result(*kinds))
    compiled = dispatcher.overloads[tuple(kinds)]
    if compiled.fndesc.restype != result:
        # Numba takes what a caller has had compiled before, whatever that returns.
        raise TypeError(f"{entry} returns {compiled.fndesc.restype}; the catalog says {result}")
    context = compiled.target_context
    library = Code(context.codegen(), entry)
    library.add_linking_library(compiled.library)
    module = library.create_ir_module(entry)
    define_memory(module)
    emit(Call(context, module, compiled))
    library.add_ir_module(module)
    library.finalize()
    return library


def _loop_kinds(dtype: str) -> list[Any]:
    sizes = types.CPointer(types.intp)
    arrays = types.CPointer(types.CPointer(getattr(types, dtype)))
    return [arrays, sizes, sizes, types.voidptr]


def _operand_kinds(ufunc: Ufunc, dtype: str) -> list[Any]:
    """Return Numba's types of what a body takes: all operands but those that it returns."""
    kinds = []
    for i, (code, dimensions) in enumerate(zip(ufunc.codes(dtype), ufunc.dimensions, strict=True)):
        if i not in ufunc.returned:
            is_scalar = not dimensions and not ufunc.in_rows
            array = types.Array(TYPES[code], len(dimensions) + ufunc.in_rows, "A")
            kinds.append(TYPES[code] if is_scalar else array)
    return kinds


def _loop_function(module: ir.Module, name: str) -> tuple[ir.Function, ir.IRBuilder]:
    """Declare an inner loop: of arrays, their shape, their strides and data of its own."""
    kind = ir.FunctionType(
        VOID, [POINTER.as_pointer(), SIZE.as_pointer(), SIZE.as_pointer(), POINTER]
    )
    function = ir.Function(module, kind, name)
    return function, ir.IRBuilder(function.append_basic_block())


def _emit_elementwise(call: Call, name: str, _ufunc: Ufunc) -> None:
    function, builder = _loop_function(call.module, name)
    kinds = [call.context.get_value_type(kind) for kind in call.compiled.fndesc.argtypes]
    values = [
        builder.bitcast(value, kind) for value, kind in zip(function.args, kinds, strict=True)
    ]
    call(builder, values)
    builder.ret_void()


def _emit_generalised(call: Call, name: str, ufunc: Ufunc) -> None:
    """Emit an inner loop that releases the GIL where that is worth it."""
    loop = _generalised_loop(call, f"{name}_loop", ufunc)
    function, builder = _loop_function(call.module, name)
    axes = [_at(builder, function.args[1], i) for i in range(1 + len(_core_axes(ufunc)))]
    is_long = builder.icmp_signed(">=", reduce(builder.mul, axes), SIZE(WORTH_RELEASING))
    held = builder.icmp_signed("!=", _python(builder, "PyGILState_Check", INT), INT(0))
    with builder.if_else(builder.and_(is_long, held)) as (released, kept):
        with released:
            thread = _python(builder, "PyEval_SaveThread", POINTER)
            failed_released = builder.call(loop, function.args)
            _python(builder, "PyEval_RestoreThread", VOID, thread)
            after_released = builder.block
        with kept:
            failed_kept = builder.call(loop, function.args)
            after_kept = builder.block
    failed = builder.phi(TRUTH)
    failed.add_incoming(failed_released, after_released)
    failed.add_incoming(failed_kept, after_kept)
    with builder.if_then(failed, likely=False):
        state = _python(builder, "PyGILState_Ensure", INT)
        _python(builder, "PyErr_NoMemory", POINTER)
        _python(builder, "PyGILState_Release", VOID, state)
    builder.ret_void()


def _python(builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: Any) -> Any:
    """Call a function of Python's C interface."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _generalised_loop(call: Call, name: str, ufunc: Ufunc) -> ir.Function:
    """Emit the loop over a ufunc's core operands; it returns whether there was no memory."""
    function = ir.Function(call.module, ir.FunctionType(TRUTH, LOOP), name)
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block())
    operands = _core_operands(call, builder, function, ufunc)
    if ufunc.in_rows:
        failed, _ = call(builder, [operand(SIZE(0)) for operand in operands])
        builder.ret(failed)
        return function
    with cgutils.for_range(builder, builder.load(function.args[1])) as loop:
        failed, result = call(builder, [operand(loop.index) for operand in operands])
        with builder.if_then(failed, likely=False):
            builder.ret(TRUTH(1))
        _store(builder, function, loop.index, ufunc, result)
    builder.ret(TRUTH(0))
    return function


def _store(
    builder: ir.IRBuilder, function: ir.Function, index: Any, ufunc: Ufunc, result: Any
) -> None:
    """Store what a body has returned where the ufunc's scalar results are."""
    (arrays, _, strides, _), returned = function.args, ufunc.returned
    for place, i in enumerate(returned):
        value = builder.extract_value(result, place) if len(returned) > 1 else result
        start, step = builder.load(builder.gep(arrays, [SIZE(i)])), _at(builder, strides, i)
        address = builder.gep(start, [builder.mul(index, step)])
        builder.store(value, builder.bitcast(address, value.type.as_pointer()))


def _core_axes(ufunc: Ufunc) -> list[str]:
    """Return the names of the core axes, in the order of their lengths."""
    return list(dict.fromkeys(name for each in ufunc.dimensions for name in each))


def _core_operands(
    call: Call, builder: ir.IRBuilder, function: ir.Function, ufunc: Ufunc
) -> list[Callable[[Any], Any]]:
    """Return, for each operand that a body takes, what emits its value in one turn of the loop."""
    arrays, shape, strides, _ = function.args
    lengths = {name: _at(builder, shape, 1 + i) for i, name in enumerate(_core_axes(ufunc))}
    kinds, next_stride, operands = iter(call.compiled.fndesc.argtypes), len(ufunc.dimensions), []
    rows = [builder.load(shape)] if ufunc.in_rows else []
    for i, own in enumerate(ufunc.dimensions):
        steps = [_at(builder, strides, next_stride + k) for k in range(len(own))]
        next_stride += len(own)
        if i in ufunc.returned:
            continue
        start, step = builder.load(builder.gep(arrays, [SIZE(i)])), _at(builder, strides, i)
        of_operand = [*rows, *(lengths[name] for name in own)], [*[step] * ufunc.in_rows, *steps]
        operands.append(_operand(call, builder, next(kinds), start, step, *of_operand))
    return operands


def _at(builder: ir.IRBuilder, numbers: Any, i: int) -> Any:
    return builder.load(builder.gep(numbers, [SIZE(i)]))


def _operand(
    call: Call,
    builder: ir.IRBuilder,
    kind: Any,
    start: Any,
    step: Any,
    shape: list[Any],
    strides: list[Any],
) -> Callable[[Any], Any]:
    def value(index: Any) -> Any:
        address = builder.gep(start, [builder.mul(index, step)])
        if not isinstance(kind, types.Array):
            pointer = builder.bitcast(address, call.context.get_data_type(kind).as_pointer())
            return call.context.unpack_value(builder, kind, pointer)
        return _array(call, builder, kind, address, shape, strides)

    return value


def _array(
    call: Call,
    builder: ir.IRBuilder,
    kind: Any,
    address: Any,
    shape: list[Any],
    strides: list[Any],
) -> Any:
    """Make what Numba takes for an array of memory that somebody else holds."""
    array = call.context.make_array(kind)(call.context, builder)
    element = call.context.get_data_type(kind.dtype)
    data = builder.bitcast(address, element.as_pointer())
    populate_array(array, data, shape, strides, call.context.get_abi_sizeof(element), None)
    return array._getvalue()


def _emit_routine(call: Call, name: str, arguments: list[Argument]) -> None:
    given = {"p": SIZE, "d": ir.DoubleType(), "?": INT}
    kinds = [POINTER if argument.ndim else given[argument.code] for argument in arguments]
    function = ir.Function(call.module, ir.FunctionType(INT, kinds), name)
    builder = ir.IRBuilder(function.append_basic_block())
    values = iter(
        [
            _routine_value(call, builder, argument, value, UNFIT - i)
            for i, (argument, value) in enumerate(zip(arguments, function.args, strict=True))
        ]
    )
    kinds = call.compiled.fndesc.argtypes
    failed, result = call(builder, [_together(call, builder, kind, values) for kind in kinds])
    with builder.if_then(failed, likely=False):
        builder.ret(INT(NO_MEMORY))
    has_result = call.compiled.fndesc.restype is not types.none
    builder.ret(builder.zext(result, INT) if has_result else INT(0))


def _together(call: Call, builder: ir.IRBuilder, kind: Any, values: Iterator[Any]) -> Any:
    """Return the value of an argument, of which each part is the next of those given."""
    if not isinstance(kind, types.BaseTuple):
        return next(values)
    parts = [_together(call, builder, part, values) for part in kind]
    return call.context.make_tuple(builder, kind, parts)


def _routine_value(
    call: Call, builder: ir.IRBuilder, argument: Argument, value: Any, unfit: int
) -> Any:
    """Return what Numba takes for an argument; return from the routine where it is unfit."""
    if not argument.ndim:
        return builder.trunc(value, TRUTH) if argument.code == "?" else value

    def field(offset: int, kind: ir.Type, of: Any = value) -> Any:
        place = builder.gep(of, [SIZE(offset)])
        return builder.load(builder.bitcast(place, kind.as_pointer()))

    descr = field(DESCR, POINTER)
    order = builder.zext(field(BYTE_ORDER, ir.IntType(8), descr), INT)
    is_swapped = builder.zext(builder.icmp_signed("==", order, INT(SWAPPED)), INT)
    flags = ALIGNED | (C_CONTIGUOUS if argument.is_contiguous else 0)
    expected = [
        (field(NDIM, INT), argument.ndim),
        (field(TYPE_NUM, INT, descr), np.dtype(argument.code).num),
        (is_swapped, 0),
        (builder.and_(field(FLAGS, INT), INT(flags)), flags),
    ]
    fits = [builder.icmp_signed("==", found, INT(wanted)) for found, wanted in expected]
    with builder.if_then(builder.not_(reduce(builder.and_, fits)), likely=False):
        builder.ret(INT(unfit))
    shape, strides = (
        [_at(builder, field(offset, SIZE.as_pointer()), i) for i in range(argument.ndim)]
        for offset in (SHAPE, STRIDES)
    )
    return _array(call, builder, argument.kind, field(DATA, POINTER), shape, strides)
