"""Functions for Numba to compile, with no more of Numba than kernels need.

To compile the simplest function for its own target "cpu", Numba 0.68 imports all that it has for
lists, sets, dicts, text, random numbers and linear algebra (and with that, SciPy's), and tries
some of it at each operation of two floats. Kernels have numbers, arrays and tuples: a target of
their own, that inherits from that one, has the registries of those alone.
"""

import importlib
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, ClassVar

from numba.core import cpu, fastmathpass, typing
from numba.core.callconv import RETCODE_NONE, RETCODE_USEREXC, CPUCallConv, Status
from numba.core.registry import CPUDispatcher, CPUTarget
from numba.core.runtime import rtsys
from numba.core.target_extension import (
    CPU,
    dispatcher_registry,
    jit_registry,
    target_override,
    target_registry,
)

from .pipeline import KernelCompiler, KernelLibrary

NAME = "jsdiv_numba"

FOR_ALL_TARGETS = (
    "numba.cpython.builtins",
    "numba.cpython.numbers",
    "numba.cpython.rangeobj",
    "numba.cpython.slicing",
    "numba.cpython.tupleobj",
    "numba.np.arrayobj",
)
"""What adds to Numba's registry of what every target has."""

TYPED, LOWERED = (
    ("numba.core.typing.mathdecl", "numba.core.typing.npydecl"),
    ("numba.cpython.mathimpl", "numba.np.npyimpl"),
)
"""What has a registry of its own."""


class KernelTarget(CPU):
    """What Numba calls the processor here."""


class _TypingContext(typing.Context):
    def refresh(self) -> None:
        """Take what every target has first: its operations of two numbers are the kernels'."""
        self._load_builtins()
        self.load_additional_registries()

    def load_additional_registries(self) -> None:
        for registry in _registries(TYPED):
            self.install_registry(registry)

    def resolve_value_type(self, val: Any) -> Any:
        """Look for a global first among those that are registered.

        Numba takes them for a constant before, and imports its dicts for one that is a class.
        """
        known = self._lookup_global(val)
        return super().resolve_value_type(val) if known is None else known


class _CallConvention(CPUCallConv):
    """Numba's, where a call gives a value, none or an exception, and is in no ``try``."""

    def _get_return_status(self, builder: Any, code: Any, excinfoptr: Any) -> Status:
        failed = builder.icmp_signed(">=", code, RETCODE_USEREXC)
        none, never = builder.icmp_signed("==", code, RETCODE_NONE), failed.type(0)
        succeeded = builder.not_(failed)
        return Status(code, succeeded, none, failed, never, never, failed, excinfoptr)

    def return_status_propagate(self, builder: Any, status: Status) -> None:
        """Return what a call has returned."""
        builder.store(status.excinfoptr, self._get_excinfo_argument(builder.function))
        self._return_errcode_raw(builder, status.code)


class _LoweringContext(cpu.CPUContext):
    _sizes: ClassVar[dict[Any, int]] = {}

    @property
    def call_conv(self) -> _CallConvention:
        """How functions call others."""
        return _CallConvention(self)

    def get_abi_sizeof(self, ty: Any) -> int:
        """Return the size of a type, for which LLVM has to read a module: once."""
        if ty not in self._sizes:
            self._sizes[ty] = super().get_abi_sizeof(ty)
        return self._sizes[ty]

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Link Numba's runtime to what runs in this process; kernels have `memory` in its place."""
        if not isinstance(library, KernelLibrary):
            rtsys.initialize(self)
            super().post_lowering(mod, library)
        elif self.fastmath:
            fastmathpass.rewrite_module(mod, self.fastmath)

    def load_additional_registries(self) -> None:
        _import_builtins()
        for registry in _registries(LOWERED):
            self.install_registry(registry)


@cache
def _registries(names: tuple[str, ...]) -> list[Any]:
    return [importlib.import_module(name).registry for name in names]


@cache
def _import_builtins() -> None:
    for name in FOR_ALL_TARGETS:
        importlib.import_module(name)


class _Descriptor(CPUTarget):
    @cached_property
    def _toplevel_typing_context(self) -> _TypingContext:
        return _TypingContext()

    @cached_property
    def _toplevel_target_context(self) -> _LoweringContext:
        return _LoweringContext(self.typing_context, self._target_name)


class KernelDispatcher(CPUDispatcher):
    """A function that kernels call."""

    targetdescr = _Descriptor(NAME)

    def compile(self, sig: Any) -> Any:
        """Have Numba register for this target what it registers as it begins to compile."""
        with target_override(NAME):
            return super().compile(sig)


def jit(*_: Any, **options: Any) -> Callable[[Callable[..., Any]], KernelDispatcher]:
    """Return what makes a function one that kernels call, by Numba's options."""

    def decorate(function: Callable[..., Any]) -> KernelDispatcher:
        chosen = {"nopython": True, **options}
        return KernelDispatcher(function, targetoptions=chosen, pipeline_class=KernelCompiler)

    return decorate


def callable_from_python(function: Callable[..., Any]) -> KernelDispatcher:
    """Compile a function that calls what kernels do, as Numba compiles those for Python."""
    return KernelDispatcher(function, targetoptions={"nopython": True, "error_model": "numpy"})


target_registry[NAME] = KernelTarget
dispatcher_registry[KernelTarget] = KernelDispatcher
jit_registry[KernelTarget] = jit
