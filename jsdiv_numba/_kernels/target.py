"""The processor that kernels are compiled for, as Numba's settings name it, and its registers."""

import os
from functools import cache
from typing import NamedTuple

_PROBE = """
define <16 x float> @probe(<16 x float> %x) "prefer-vector-width"="512" {
  %y = fadd <16 x float> %x, %x
  ret <16 x float> %y
}

declare float @llvm.fma.f32(float, float, float)
define float @fused(float %x) {
  %y = call float @llvm.fma.f32(float %x, float %x, float %x)
  ret float %y
}
"""
"""A sum of 64 bytes, in as few instructions as the processor needs, and a multiply-add."""


class Target(NamedTuple):
    """A processor by LLVM's name, and what it has beyond or without what that name implies."""

    triple: str
    cpu: str
    features: str


class Registers(NamedTuple):
    """The vector registers."""

    floats: int
    """float32 numbers that one holds."""

    number: int


@cache
def target() -> Target:
    """Return this machine's processor, or the one that Numba is told to compile for.

    As Numba 0.68 reads its settings (numba/core/codegen.py): to import it takes longer than to
    load a kernel. It takes this machine's features for those of a named processor, too, unless
    ``NUMBA_CPU_FEATURES`` is set.
    """
    from llvmlite import binding

    cpu = os.environ.get("NUMBA_CPU_NAME")
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if str(cpu).lower() == "generic" else _host_features()
    return Target(binding.get_process_triple(), cpu or binding.get_host_cpu_name(), features)


def _host_features() -> str:
    from llvmlite import binding

    try:
        return binding.get_host_cpu_features().flatten()
    except RuntimeError:
        return ""  # LLVM does not know this processor


@cache
def registers() -> Registers:
    """Return what vector registers the processor has, of those that kernels are written for."""
    if "+avx512f" in _features():
        return Registers(16, 32)
    if "+avx" in _features():
        return Registers(8, 16)
    return Registers(4, 16 if target().triple.startswith("x86") else 32)


def has_multiply_add() -> bool:
    """Return whether the processor has an instruction for it; the C library has a function."""
    return "+fma" in _features() or not target().triple.startswith("x86")


@cache
def _features() -> set[str]:
    features = target().features
    if features and features == _host_features():
        return set(features.split(","))
    return _probed(*target())


def _probed(triple: str, cpu: str, features: str) -> set[str]:
    """Return what a name and features imply: LLVM tells by the code that it makes."""
    from llvmlite import binding

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features)
    assembly = machine.emit_assembly(binding.parse_assembly(_PROBE))
    signs = {"zmm": {"+avx", "+avx512f"}, "ymm": {"+avx"}, "vfmadd": {"+fma"}}
    return set().union(*(has for sign, has in signs.items() if sign in assembly))
