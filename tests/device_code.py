"""A program of its own, since it compiles for devices that are not there.

``python -m tests.device_code float32`` compiles every kernel of `jsdiv_numba._cuda` for
this precision to PTX for several compute capabilities, assembles that, and prints what the
compiler says of each, as JSON. It needs the packages of the extra ``cuda``, and no GPU.
"""

import json
import re
import sys
from types import SimpleNamespace

import numba.cuda.compiler as numba_compiler
import numba.cuda.dispatcher as numba_dispatcher
import numpy as np
from cuda.bindings import nvjitlink
from numba import types
from numba.cuda.cudadrv import nvrtc, nvvm

from jsdiv_numba._cuda.kernels import elements, logit_gradients, logits, pairs, row_gradients, rows
from jsdiv_numba._kernels.codegen.precision import FLOAT32, FLOAT64

PRECISIONS = {"float32": (FLOAT32, types.float32), "float64": (FLOAT64, types.float64)}
CAPABILITIES = ((7, 5), (8, 0), (9, 0), (10, 0))
AS_WRITTEN = {"normalised_rows", "pieces_of_normalised"}
"""Kernels whose accuracy rests on the rounding of products."""

SIZE, FLAG, INDEX = types.int64, types.boolean, types.Array(types.int64, 1, "C")


def others(Float):
    """Return other types of inputs, of which some are converted."""
    column_major = types.Array(Float, 4, "F", readonly=True)
    if Float == types.float32:
        half = types.Array(types.float16, 4, "A")
        return {"half floats": (half, half), "columns": (column_major, half)}
    integers = types.Array(types.uint64, 4, "A")
    return {
        "integers": (integers, types.Array(types.boolean, 4, "A")),
        "columns": (column_major, types.Array(types.float32, 4, "A")),
    }


def kernels(precision, Float):
    """Return every kernel of a precision and the types it is called with."""
    one, two, three = (types.Array(Float, n, "C") for n in range(1, 4))
    # Whatever its strides are, Numba tells of none that are contiguous where one is 0.
    four = types.Array(Float, 4, "A")
    inputs, shares = (four, four), (SIZE, FLAG)
    pieces, known = (*shares, SIZE), (two, three)
    together = three, SIZE, Float, two, one
    of_rows, of_pairs = rows.row_kernels(precision), pairs.pair_kernels(precision)
    slopes = row_gradients.derivative_kernels(precision)
    of_logits = logits.logit_kernels(precision)
    of_gradients = logit_gradients.logit_gradient_kernels(precision)
    matrix = types.Array(Float, 2, "A")
    flat = matrix, one, two
    whole = (*inputs, *shares, Float, one)
    staged = (*inputs, *shares, SIZE, Float, one)
    gradients = (*inputs, four)
    of_pieces = (*inputs, *pieces, SIZE, Float, *known, four)
    return {
        "whole_rows": (of_rows.whole_rows, whole),
        **{
            f"whole_rows, of {name}": (of_rows.whole_rows, (*given, *whole[2:]))
            for name, given in others(Float).items()
        },
        "pieces_of_rows": (of_rows.pieces_of_rows, (*inputs, *pieces, SIZE, *known)),
        "rows_of_pieces": (of_rows.rows_of_pieces, together),
        "normalised_rows": (of_rows.normalised_rows, whole),
        "pieces_of_normalised": (of_rows.pieces_of_normalised, (*inputs, *pieces, SIZE, *known)),
        "normalised_of_pieces": (of_rows.normalised_of_pieces, together),
        "sums": (of_rows.sums, (four, SIZE, one)),
        "pieces_of_sums": (of_rows.pieces_of_sums, (four, SIZE, SIZE, three)),
        "sums_of_pieces": (of_rows.sums_of_pieces, (three, one)),
        "terms": (
            elements.element_kernels(precision).terms,
            (*inputs, *pieces, Float, four),
        ),
        "convert": (elements.convert, (four, four)),
        "fill": (elements.fill, (Float, one)),
        "copy_element": (elements.copy_element, (four, SIZE, one)),
        "first_invalid": (elements.first_invalid, (four, Float, Float, INDEX)),
        "whole_gradients": (
            slopes.whole_gradients,
            (*gradients, *shares, Float, *inputs, one),
        ),
        "pieces_of_gradients": (
            slopes.pieces_of_gradients,
            (*gradients, *pieces, Float, *inputs, three),
        ),
        "term_gradients": (slopes.term_gradients, (*gradients, *pieces, Float, *inputs, four)),
        "whole_logits": (of_logits.whole_logits, staged),
        "staged_logits": (of_logits.staged_logits, staged),
        "logit_terms": (of_logits.logit_terms, (*inputs, *shares, Float, four)),
        "pieces_of_logits": (of_logits.pieces_of_logits, of_pieces),
        "pieces_of_terms": (of_logits.pieces_of_terms, of_pieces),
        "logits_of_pieces": (of_logits.logits_of_pieces, together),
        "whole_logit_gradients": (
            of_gradients.whole_gradients,
            (*gradients, *shares, SIZE, Float, *inputs, one),
        ),
        "staged_logit_gradients": (
            of_gradients.staged_gradients,
            (*gradients, *shares, SIZE, Float, *inputs, one),
        ),
        "logit_term_gradients": (
            of_gradients.term_gradients,
            (*gradients, *shares, Float, *inputs),
        ),
        "pieces_of_logit_term_gradients": (
            of_gradients.pieces_of_term_gradients,
            (*gradients, SIZE, SIZE, SIZE, Float, *known, *inputs),
        ),
        "logit_term_gradients_of_pieces": (of_gradients.term_gradients_of_pieces, together),
        "pieces_of_logit_gradients": (
            of_gradients.pieces_of_gradients,
            (*gradients, *pieces, SIZE, Float, *known, *inputs),
        ),
        "logit_gradients_of_pieces": (of_gradients.gradients_of_pieces, together),
        "prepare": (of_pairs.prepare, (matrix, FLAG, Float, two, two)),
        "squares": (
            of_pairs.squares,
            (*flat, *flat, *[SIZE] * 5, FLAG, FLAG, Float, Float, SIZE, one),
        ),
    }


def assembled(ptx, capability):
    """Return what the assembler says of PTX."""
    architecture = "sm_{}{}".format(*capability)
    link = nvjitlink.create(3, [f"-arch={architecture}", "-verbose", "-Xptxas=-v"])
    data = ptx.encode() + b"\0"
    nvjitlink.add_data(link, nvjitlink.InputType.PTX, data, len(data), "kernel")
    nvjitlink.complete(link)
    log = bytearray(nvjitlink.get_info_log_size(link))
    nvjitlink.get_info_log(link, log)
    return log.decode()


def library_of(kernel, argument_types):
    """Compile a kernel as far as that does not depend on the device."""
    library, _ = numba_compiler._compile_pyfunc_with_fixup(
        kernel.py_func, argument_types, device=False, cc=CAPABILITIES[0], abi="numba"
    )
    return library


def report(library, capability):
    """Return what is to be known of a kernel's PTX."""
    (ptx,) = library.get_asm_strs(cc=capability)
    log = assembled(ptx, capability)
    (registers,) = re.findall(r"Used (\d+) registers", log)
    spilled = re.findall(r"(\d+) bytes (?:stack frame|spill stores|spill loads)", log)
    return {
        "float64": len(re.findall(r"\.f64\b", ptx)),
        "calls": len(re.findall(r"^\s*call", ptx, re.M)),
        "registers": int(registers),
        "spilled": sum(map(int, spilled)),
        "wide": len(re.findall(r"ld\.global\.(?:v4\.f32|v2\.f64)", ptx)),
    }


def fused(library, capability):
    """Return how many products and sums the compiler has made one operation."""
    (ptx,) = library.get_asm_strs(cc=capability)
    options = {"opt": 3, "arch": nvrtc.get_arch_option(*capability), "fma": 0}
    as_written = nvvm.compile_ir(library.llvm_strs, **options).decode()
    return multiply_adds(ptx) - multiply_adds(as_written)


def multiply_adds(ptx):
    """Return how many there are."""
    return len(re.findall(r"\bfma\.", ptx))


def main():
    """Print a report on every kernel."""
    found = {}
    np.seterr(all="raise")  # which must not matter to what is compiled
    # Device functions are compiled for the current device, which there is none of. What is
    # compiled to LLVM's code here is the same for all.
    device = SimpleNamespace(compute_capability=CAPABILITIES[0])
    numba_dispatcher.get_current_device = lambda: device
    precision, Float = PRECISIONS[sys.argv[1]]
    for name, (kernel, argument_types) in kernels(precision, Float).items():
        library = library_of(kernel, argument_types)
        for capability in CAPABILITIES:
            key = f"{name}, {Float}, {capability[0]}.{capability[1]}"
            found[key] = report(library, capability)
        if name in AS_WRITTEN:
            found[key]["fused"] = fused(library, capability)
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
