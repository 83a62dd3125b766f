"""Instructions of hot loops on processors that need not be here.

Kernels are compiled for each, in a process of its own, and their assembly is read: what is printed
is counted, and not timed. ``python -m benchmarks.instructions`` prints a table, and
``python -m benchmarks.instructions haswell`` one processor's part as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.assembly import Loop, Shape, hot_loop
from benchmarks.tables import table
from benchmarks.timing import progress


class Processor(NamedTuple):
    """A processor as LLVM knows it."""

    triple: str
    title: str

    bytes: int
    """Bytes of its vectors."""


LINUX_ON_ARM, LINUX_ON_X86 = "aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"
PROCESSORS = {
    "haswell": Processor(LINUX_ON_X86, "AVX2 (Haswell)", 32),
    "skylake-avx512": Processor(LINUX_ON_X86, "AVX-512 (Skylake)", 64),
    "neoverse-n1": Processor(LINUX_ON_ARM, "NEON (Neoverse N1)", 16),
    "neoverse-v2": Processor(LINUX_ON_ARM, "NEON, SVE2 (Neoverse V2)", 16),
    "apple-m1": Processor("arm64-apple-darwin", "NEON (Apple M1)", 16),
}

HOT = {
    "pairs: `cdist`, `pdist`": ("pairs", {"float32": Shape(7), "float64": Shape(14, chains=2)}),
    "rows: `js_divergence`": (
        "js_sum",
        {"float32": Shape(19, 2), "float64": Shape(26, 2, chains=4)},
    ),
    "columns: `js_divergence(axis=0)`": (
        "js_sum_columns",
        {"float32": Shape(19, 2), "float64": Shape(26, 2, chains=4)},
    ),
    "rows: `kl_divergence`": (
        "kl_sum",
        {"float32": Shape(12, 1), "float64": Shape(18, 1, chains=2)},
    ),
    "rows: `entropy`": (
        "entropy_sum",
        {"float32": Shape(8, 1), "float64": Shape(14, 1, chains=2)},
    ),
    "elements: `reduce=False`": (
        "js_term",
        {"float32": Shape(21, 3), "float64": Shape(28, 3, chains=4)},
    ),
    "logits: exponentials": ("js_sum_logit", {"float32": Shape(7, conversions=0)}),
    "logits: logarithms": ("js_sum_logit", {"float32": Shape(8, conversions=1)}),
}
"""Loops that take the time, the kernels that they are of, and how they are told from others."""


def shape_of(kernel: str, dtype: str) -> Shape:
    """Return the shape of the first loop of a kernel."""
    return next(shapes[dtype] for name, shapes in HOT.values() if name == kernel)


def compile_for(cpu: str) -> None:
    """Have all that this process compiles be for a processor; none of it can be run."""
    from llvmlite import binding

    from jsdiv_numba._kernels import target
    from jsdiv_numba._kernels.codegen.dispatch import KernelDispatcher

    triple = PROCESSORS[cpu].triple
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    # Numba 0.68 knows this machine alone (numba/core/codegen.py): another one takes its place
    # before anything is compiled. What Numba compiles for Python would be loaded, and is not here.
    compiler = KernelDispatcher.targetdescr.target_context.codegen()
    machine = binding.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features="", opt=3, reloc="static", codemodel="default"
    )
    compiler._tm, compiler._data_layout = machine, str(machine.target_data)
    binding.get_process_triple = lambda: triple
    target.target = lambda: target.Target(triple, cpu, "")


def counted(loop: Loop | None) -> dict[str, Any] | None:
    """Return what there is to be known of a loop."""
    return loop and {
        "lanes": loop.lanes,
        "per element": loop.per_element,
        "operations": loop.per_vector / loop.lanes,
        "on the stack": loop.on_stack,
        "one by one": loop.one_by_one,
        "calls": loop.calls,
    }


def counts(cpu: str) -> dict[str, dict[str, Any]]:
    """Compile for a processor, and return what its loops consist of."""
    compile_for(cpu)
    from jsdiv_numba._kernels.compilation import assembly_of

    assemblies: dict[tuple[str, str], str] = {}
    found: dict[str, dict[str, Any]] = {}
    for title, (kernel, shapes) in HOT.items():
        for dtype, shape in shapes.items():
            key = kernel, dtype
            assemblies[key] = assemblies.get(key) or assembly_of(*key)
            found.setdefault(title, {})[dtype] = counted(hot_loop(assemblies[key], shape))
    return found


def counts_elsewhere(cpu: str) -> dict[str, dict[str, Any]]:
    """Do so in another process."""
    command = [sys.executable, "-m", "benchmarks.instructions", cpu]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def cell(loop: dict[str, Any] | None) -> str:
    """Write instructions an element, and of those the arithmetic."""
    return f"{loop['per element']:.2f} ({loop['operations']:.2f})" if loop else "not found"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of all processors, or one of them as JSON."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given:
        json.dump(counts(*given), sys.stdout, indent=1)
        return
    every = {}
    for cpu in PROCESSORS:
        progress(f"instructions, {cpu}")
        every[cpu] = counts_elsewhere(cpu)
    lines = [
        (loop, dtype, *(cell(every[cpu][loop][dtype]) for cpu in PROCESSORS))
        for loop, (_, shapes) in HOT.items()
        for dtype in shapes
    ]
    print("- Command: `python -m benchmarks.instructions`")
    print("- Instructions an element of each hot loop; in brackets, those that compute\n")
    print(table(("loop", "dtype", *(each.title for each in PROCESSORS.values())), lines))


if __name__ == "__main__":
    main()
