"""The processor that kernels are compiled for, as Numba's settings name it, and its registers."""

import os
from functools import cache
from typing import NamedTuple

LEVELS = {
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "x86-64-v3": {"avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"},
}
"""The levels of the x86-64 ABI that kernels are built for ahead of time, the best first, and what
LLVM calls the features that each has more than the next."""

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


def host_level() -> str | None:
    """Return the best level of the x86-64 ABI that this machine has, if any."""
    has = {name[1:] for name in _host_features().split(",") if name.startswith("+")}
    levels = list(LEVELS)
    for i, level in enumerate(levels):
        if has.issuperset(set().union(*(LEVELS[each] for each in levels[i:]))):
            return level
    return None


def registers(of: Target) -> Registers:
    """Return what vector registers a processor has, of those that kernels are written for."""
    if "+avx512f" in _features(of):
        return Registers(16, 32)
    if "+avx" in _features(of):
        return Registers(8, 16)
    return Registers(4, 16 if of.triple.startswith("x86") else 32)


def adds_beside_products() -> bool:
    """Return whether most processors of the kind add in other units than those that multiply."""
    return target().triple.startswith("x86")


def has_multiply_add() -> bool:
    """Return whether the processor has an instruction for it; the C library has a function."""
    here = target()
    return "+fma" in _features(here) or not here.triple.startswith("x86")


def converts_vectors() -> bool:
    """Return whether the processor has instructions from vectors of float64 to int64, and back."""
    here = target()
    return "+avx512f" in _features(here) or not here.triple.startswith("x86")


@cache
def _features(of: Target) -> set[str]:
    if of.features and of.features == _host_features():
        return set(of.features.split(","))
    return _probed(*of)


def _probed(triple: str, cpu: str, features: str) -> set[str]:
    """Return what a name and features imply: LLVM tells by the code that it makes."""
    from llvmlite import binding

    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features)
    assembly = machine.emit_assembly(binding.parse_assembly(_PROBE))
    signs = {"zmm": {"+avx", "+avx512f"}, "ymm": {"+avx"}, "vfmadd": {"+fma"}}
    return set().union(*(has for sign, has in signs.items() if sign in assembly))
