"""Functions for Numba to compile, with no more of Numba than kernels need.

To compile the simplest function for its own target "cpu", Numba 0.68 imports all that it has for
lists, sets, dicts, text, random numbers and linear algebra (and with that, SciPy's), and tries
some of it at each operation of two floats. Kernels have numbers, arrays and tuples: a target of
their own, that inherits from that one, has the registries of those alone.
"""

import importlib
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

from numba.core import cpu, fastmathpass, typing
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


class _LoweringContext(cpu.CPUContext):
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
