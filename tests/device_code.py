"""A program of its own, since it compiles for devices that are not there.

``python -m tests.device_code`` compiles every kernel of `jsdiv_numba._cuda` to PTX for
several compute capabilities, assembles that, and prints what the compiler says of
each, as JSON. It needs the packages of the extra ``cuda``, and no GPU.
"""

import json
import re
import sys
from types import SimpleNamespace

import numba.cuda.dispatcher as numba_dispatcher
from cuda.bindings import nvjitlink
from numba import cuda, types

from jsdiv_numba._cuda import elements, logits, pairs, rows
from jsdiv_numba._kernels.precision import FLOAT32, FLOAT64

CAPABILITIES = ((7, 5), (8, 0), (9, 0), (10, 0))
SIZE, FLAG = types.int64, types.boolean


def kernels(precision, Float):
    """Return every kernel of a precision and the types it is called with."""
    one, two, three, four = (types.Array(Float, n, "C") for n in range(1, 5))
    any_four = types.Array(Float, 4, "A")
    of_rows, of_pairs = rows.row_kernels(precision), pairs.pair_kernels(precision)
    of_elements, of_logits = elements.element_kernels(precision), logits.logit_kernels(precision)
    matrix = (types.Array(Float, 2, "A"), two, two)
    flags = SIZE, SIZE, FLAG, FLAG
    return {
        "whole_rows": (of_rows.whole_rows, (four, four, SIZE, Float, one)),
        "whole_rows, strided": (of_rows.whole_rows, (any_four, any_four, SIZE, Float, one)),
        "pieces_of_rows": (of_rows.pieces_of_rows, (four, four, SIZE, SIZE, three)),
        "rows_of_pieces": (of_rows.rows_of_pieces, (four, four, three, Float, one)),
        "normalised_rows": (of_rows.normalised_rows, (four, four, SIZE, Float, one)),
        "sums": (of_rows.sums, (four, SIZE, one)),
        "terms": (of_elements.terms, (four, four, Float, four)),
        "gradient": (of_elements.gradient, (four, four, any_four, Float, four, four)),
        "convert": (elements.convert, (any_four, four)),
        "logit_rows": (of_logits.logit_rows, (four, four, SIZE, FLAG, Float, four, one)),
        "prepare": (of_pairs.prepare, (matrix[0], Float, two, two)),
        "squares": (of_pairs.squares, (*matrix, *matrix, *flags, Float, Float, SIZE, one)),
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


def report(kernel, argument_types, capability):
    """Return what is to be known of a kernel."""
    ptx, _ = cuda.compile_ptx(kernel.py_func, argument_types, device=False, cc=capability)
    log = assembled(ptx, capability)
    (registers,) = re.findall(r"Used (\d+) registers", log)
    spilled = re.findall(r"(\d+) bytes (?:stack frame|spill stores|spill loads)", log)
    return {
        "float64": len(re.findall(r"\.f64\b", ptx)),
        "calls": len(re.findall(r"^\s*call", ptx, re.M)),
        "registers": int(registers),
        "spilled": sum(map(int, spilled)),
    }


def main():
    """Print a report on every kernel."""
    found = {}
    for capability in CAPABILITIES:
        # Device functions are compiled for the current device, which there is none of.
        device = SimpleNamespace(compute_capability=capability)
        numba_dispatcher.get_current_device = lambda device=device: device
        for precision, Float in ((FLOAT32, types.float32), (FLOAT64, types.float64)):
            for name, (kernel, argument_types) in kernels(precision, Float).items():
                key = f"{name}, {Float}, {capability[0]}.{capability[1]}"
                found[key] = report(kernel, argument_types, capability)
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
