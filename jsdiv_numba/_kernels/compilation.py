"""From a kernel's name to its code."""

from .catalog import ROUTINES, UFUNCS
from .codegen.object_code import Code, of_routine, of_ufunc
from .codegen.precision import FLOAT32, FLOAT64
from .linking import Object

_PRECISIONS = {"float32": FLOAT32, "float64": FLOAT64}


def compiled(name: str, dtype: str) -> Object:
    """Compile a kernel of the catalog."""
    return _code_of(name, dtype).object()


def assembly_of(name: str, dtype: str) -> str:
    """Compile one, and return what the processor runs as text."""
    assembly: str = _code_of(name, dtype).get_asm_str()
    return assembly


def _code_of(name: str, dtype: str) -> Code:
    precision = _PRECISIONS[dtype]
    # Each imports what its kernels are made of, which takes as long as to type one of them.
    if name in UFUNCS:
        from .ufuncs import body_of

        return of_ufunc(name, dtype, UFUNCS[name], body_of(name, precision))
    from .routines import source_of

    return of_routine(name, dtype, ROUTINES[name], *source_of(name, precision))
