"""Object code in memory: what Python and NumPy call there.

By LLVM's loader, NumPy's C interface and ctypes alone: to import Numba takes longer than all else
that a first result needs.
"""

import ctypes
import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .catalog import Ufunc

NO_MEMORY, UNFIT = -1, -2
"""What a routine returns that could not get memory, or whose first argument is not as the catalog
says; less by as many as come before an argument that is not."""

NO_IDENTITY = -1  # PyUFunc_None
ABI_VERSION = 0x2000000
"""NumPy 2's, whose table of functions is the one that is read here."""

ARRAY_ABI_VERSION, UFUNC_FROM_SIGNATURE = 0, 31
"""Places in NumPy's tables (numpy/_core/code_generators/numpy_api.py, the same in all of NumPy 2:
https://numpy.org/doc/stable/reference/c-api/ufunc.html)."""

_pointer, _text = ctypes.c_void_p, ctypes.c_char_p
_ARGUMENTS = {"p": ctypes.c_ssize_t, "d": ctypes.c_double, "?": ctypes.c_int}


class Object(NamedTuple):
    """A kernel's object code."""

    entry: str
    """The name of its entry point."""

    symbols: tuple[str, ...]
    """What it calls of the C library, the mathematical one and Python."""

    code: bytes

    def can_be_linked(self) -> bool:
        """Whether all that it calls is in this process: where it is not, LLVM ends that."""
        # Python's own library has no others in it on Windows, where all are in the same process.
        return os.name == "nt" or all(hasattr(ctypes.pythonapi, name) for name in self.symbols)

    def load(self) -> int:
        """Return the address of its entry point."""
        from llvmlite import binding

        engine = _engine()
        engine.add_object_file(binding.ObjectFileRef.from_data(self.code))
        engine.finalize_object()
        address: int = engine.get_function_address(self.entry)
        return address


@cache
def _engine() -> Any:
    """Return LLVM's loader, which keeps what it loads for as long as the process lives."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple().create_target_machine(jit=True)
    return binding.create_mcjit_compiler(binding.parse_assembly(""), target)


def make_ufunc(name: str, ufunc: Ufunc, loops: dict[str, int]) -> np.ufunc:
    """Return a ufunc with these inner loops, an address for each dtype."""
    codes = [int(np.dtype(code).num) for dtype in loops for code in ufunc.codes(dtype)]
    operands = len(ufunc.dimensions)
    signature = None if ufunc.is_elementwise else ufunc.signature
    if not _has_known_interface():
        return _by_numba(name, list(loops.values()), codes, ufunc.inputs, operands, signature)
    number = len(loops)
    # NumPy keeps these without a copy, for as long as the ufunc lives.
    kept = (
        (_pointer * number)(*loops.values()),
        (_pointer * number)(),
        ctypes.create_string_buffer(bytes(codes)),
        ctypes.create_string_buffer(name.encode()),
        ctypes.create_string_buffer(b""),
        signature and ctypes.create_string_buffer(signature.encode()),
    )
    functions, data, types, label, doc, signature_text = kept
    made: np.ufunc = _constructor()(
        functions,
        data,
        types,
        number,
        ufunc.inputs,
        operands - ufunc.inputs,
        NO_IDENTITY,
        label,
        doc,
        0,
        signature_text,
    )
    _kept.append(kept)
    return made


_kept: list[Any] = []
"""What ufuncs point to, none of which is ever freed."""


def _capsule(name: str) -> Any:
    """Return one of the tables of functions that NumPy offers to C."""
    content = ctypes.pythonapi.PyCapsule_GetPointer
    content.restype, content.argtypes = _pointer, [ctypes.py_object, _text]
    table = content(getattr(importlib.import_module("numpy._core._multiarray_umath"), name), None)
    return ctypes.cast(table, ctypes.POINTER(_pointer))


@cache
def _has_known_interface() -> bool:
    try:
        version = ctypes.CFUNCTYPE(ctypes.c_uint)(_capsule("_ARRAY_API")[ARRAY_ABI_VERSION])
        return bool(version() == ABI_VERSION)
    except (AttributeError, ImportError):
        return False


@cache
def _constructor() -> Callable[..., np.ufunc]:
    number = ctypes.c_int
    arguments = *[_pointer] * 3, *[number] * 4, _text, _text, number, _text
    kind = ctypes.PYFUNCTYPE(ctypes.py_object, *arguments)
    constructor: Callable[..., np.ufunc] = kind(_capsule("_UFUNC_API")[UFUNC_FROM_SIGNATURE])
    return constructor


def _by_numba(
    name: str,
    loops: list[int],
    codes: list[int],
    inputs: int,
    operands: int,
    signature: str | None,
) -> np.ufunc:
    """Return the ufunc made by Numba, which is compiled against the NumPy that there is."""
    _internal = importlib.import_module("numba.np.ufunc._internal")
    each = [codes[i : i + operands] for i in range(0, len(codes), operands)]
    nothing = [None] * len(loops)
    arguments = name, None, loops, each, inputs, operands - inputs, nothing, nothing, NO_IDENTITY
    of_signature = () if signature is None else (signature, ())
    made: np.ufunc = _internal.fromfunc(*arguments, *of_signature)
    return made


def make_routine(name: str, arguments: Sequence[str], address: int) -> Callable[..., int]:
    """Return a routine as a function, which runs without the GIL.

    It takes records whole, as tuples of their fields.
    """
    kinds: list[Any] = [_ARGUMENTS.get(argument, ctypes.py_object) for argument in arguments]
    entry = ctypes.CFUNCTYPE(ctypes.c_int, *kinds)(address)

    def routine(*given: Any) -> int:
        code: int = entry(*(given if len(given) == len(kinds) else _one_by_one(given)))
        if code >= 0:
            return code
        if code == NO_MEMORY:
            raise MemoryError
        place = UNFIT - code
        raise TypeError(f"argument {place} of the kernel {name!r} must be {arguments[place]}")

    return routine


def _one_by_one(arguments: Iterable[Any]) -> Iterator[Any]:
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _one_by_one(argument)
        else:
            yield argument
