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
OTHER_MEASURES = ("skewed", "kl")
"""What the names of kernels end in that are the same loops over other summands: for them, the
oldest and the newest device will do."""

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


def record(kind, *fields):
    """Return the type of a named tuple with fields of these types."""
    return types.NamedTuple(fields, kind)


def row_types(Float, skewed):
    """Return the types that kernels over rows take, with or without weights."""
    one, two, three = (types.Array(Float, n, "C") for n in range(1, 4))
    # Whatever its strides are, Numba tells of none that are contiguous where one is 0.
    four = types.Array(Float, 4, "A")
    weights = types.UniTuple(four, 2) if skewed else types.Tuple(())
    return SimpleNamespace(
        one=one,
        two=two,
        three=three,
        four=four,
        views=(four, four, weights),
        shares=(SIZE, FLAG),
        pieces=(SIZE, FLAG, SIZE),
        known=(two, three),
        together=(three, SIZE, Float, two, one),
    )


def kernels_of_rows(precision, Float, skewed):
    """Return every kernel over rows that depends on whether there are weights, and its types."""
    t = row_types(Float, skewed)
    of_rows = rows.row_kernels(precision, skewed)
    slopes = row_gradients.derivative_kernels(precision, skewed)
    of_logits = logits.logit_kernels(precision, skewed)
    of_terms = logit_gradients.logit_term_gradient_kernels(precision, skewed)
    both, staged = (t.four, t.four), (*t.views, *t.shares, SIZE, Float, t.one)
    of_pieces = (*t.views, *t.pieces, SIZE, Float, *t.known, t.four)
    gradients = (*t.views, t.four)
    return {
        "whole_rows": (of_rows.whole_rows, (*t.views, *t.shares, Float, t.one)),
        "pieces_of_rows": (of_rows.pieces_of_rows, (*t.views, *t.pieces, SIZE, *t.known)),
        "terms": (
            elements.element_kernels(precision, skewed).terms,
            (*t.views, *t.pieces, Float, t.four),
        ),
        "whole_gradients": (
            slopes.whole_gradients,
            (*gradients, *t.shares, Float, *both, t.one),
        ),
        "pieces_of_gradients": (
            slopes.pieces_of_gradients,
            (*gradients, *t.pieces, Float, *both, t.three),
        ),
        "term_gradients": (slopes.term_gradients, (*gradients, *t.pieces, Float, *both, t.four)),
        "whole_logits": (of_logits.whole_logits, staged),
        "staged_logits": (of_logits.staged_logits, staged),
        "logit_terms": (of_logits.logit_terms, (*t.views, *t.shares, Float, t.four)),
        "pieces_of_logits": (of_logits.pieces_of_logits, of_pieces),
        "pieces_of_terms": (of_logits.pieces_of_terms, of_pieces),
        "logit_term_gradients": (of_terms.term_gradients, (*gradients, *t.shares, Float, *both)),
        "pieces_of_logit_term_gradients": (
            of_terms.pieces_of_term_gradients,
            (*gradients, SIZE, SIZE, SIZE, Float, *t.known, *both),
        ),
    }


def kernels_of_pairs(precision, Float):
    """Return every kernel over pairs and its types."""
    one, two = (types.Array(Float, n, "C") for n in (1, 2))
    given = types.Array(Float, 2, "A")
    matrix, tile = record(pairs.Matrix, given, one, two), record(pairs.Tile, *[SIZE] * 4)
    side = record(pairs.Side, Float, Float)
    wanted = record(pairs.Wanted, Float, Float, Float, FLAG)
    written = record(pairs.Output, FLAG, SIZE, one)
    weights = {"skewed": types.UniTuple(Float, 2)}
    return {
        "prepare": (pairs.prepare_kernel(precision), (given, FLAG, Float, side, two, two)),
        **{
            f"squares, {measure}": (
                pairs.pair_kernel(precision, measure),
                (
                    matrix,
                    matrix,
                    SIZE,
                    tile,
                    weights.get(measure, types.Tuple(())),
                    wanted,
                    written,
                ),
            )
            for measure in ("js", "skewed", "kl")
        },
    }


def kernels(precision, Float):
    """Return every kernel of a precision and the types it is called with."""
    t, of_rows = row_types(Float, False), kernels_of_rows(precision, Float, False)
    skewed = kernels_of_rows(precision, Float, True)
    whole_rows, whole = of_rows["whole_rows"]
    distances, sums = rows.distance_kernels(precision), rows.sum_kernels(precision)
    of_gradients = logit_gradients.logit_gradient_kernels(precision)
    both = t.four, t.four
    gradients = (*both, t.four, *t.shares, SIZE, Float, *both, t.one)
    term_gradients = logit_gradients.logit_term_gradient_kernels(precision, False)
    return {
        **of_rows,
        **{f"{name}, skewed": one for name, one in skewed.items()},
        **{
            f"whole_rows, of {name}": (whole_rows, (*given, *whole[2:]))
            for name, given in others(Float).items()
        },
        "rows_of_pieces": (rows.row_kernels(precision, False).rows_of_pieces, t.together),
        "normalised_rows": (distances.normalised_rows, (*both, *t.shares, Float, t.one)),
        "pieces_of_normalised": (
            distances.pieces_of_normalised,
            (*both, *t.pieces, SIZE, *t.known),
        ),
        "normalised_of_pieces": (distances.normalised_of_pieces, t.together),
        "sums": (sums.sums, (t.four, SIZE, t.one)),
        "pieces_of_sums": (sums.pieces_of_sums, (t.four, SIZE, SIZE, t.three)),
        "sums_of_pieces": (sums.sums_of_pieces, (t.three, t.one)),
        "convert": (elements.convert, both),
        "fill": (elements.fill, (Float, t.one)),
        "copy_element": (elements.copy_element, (t.four, SIZE, t.one)),
        "first_invalid": (elements.first_invalid, (t.four, Float, Float, INDEX)),
        "both_weights": (elements.both_weights, (t.four, t.one, t.one)),
        "logits_of_pieces": (logits.logit_kernels(precision, False).logits_of_pieces, t.together),
        "whole_logit_gradients": (of_gradients.whole_gradients, gradients),
        "staged_logit_gradients": (of_gradients.staged_gradients, gradients),
        "logit_term_gradients_of_pieces": (term_gradients.term_gradients_of_pieces, t.together),
        "pieces_of_logit_gradients": (
            of_gradients.pieces_of_gradients,
            (*both, t.four, *t.pieces, SIZE, Float, *t.known, *both),
        ),
        "logit_gradients_of_pieces": (of_gradients.gradients_of_pieces, t.together),
        **kernels_of_pairs(precision, Float),
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
        ends = CAPABILITIES[0], CAPABILITIES[-1]
        for capability in ends if name.endswith(OTHER_MEASURES) else CAPABILITIES:
            key = f"{name}, {Float}, {capability[0]}.{capability[1]}"
            found[key] = report(library, capability)
        if name in AS_WRITTEN:
            found[key]["fused"] = fused(library, capability)
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
