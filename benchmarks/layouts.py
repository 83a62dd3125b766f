"""Along axes that memory does not follow, against rows: ``python -m benchmarks.layouts``."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.spatial import distance as scipy_distance

import jsdiv_numba
from benchmarks import roofline
from benchmarks.tables import heading, significant, table
from benchmarks.timing import LEAST_OF_CPU, REPEATS, Contender, progress, throughputs

SCIPY_REPEATS = 3
DTYPES = (np.float32, np.float64)
SCIPY = "`jensenshannon`, against SciPy's along the same axis"


@dataclass(frozen=True)
class Sizes:
    """How much is measured: the lengths of rows, and how many there are."""

    columns: tuple[int, int]
    few: tuple[int, int]
    images: tuple[int, int, int, int]


FULL = Sizes((4_000, 1_024), (100_000, 10), (16, 21, 128, 128))
QUICK = Sizes((20, 30), (100, 3), (2, 3, 8, 8))

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "`js_divergence`": jsdiv_numba.js_divergence,
    "`jensenshannon`": jsdiv_numba.jensenshannon,
    "`js_divergence_grad`": jsdiv_numba.js_divergence_grad,
    "`js_divergence_logit`": jsdiv_numba.js_divergence_logit,
    "`js_divergence_logit_grad`": jsdiv_numba.js_divergence_logit_grad,
}

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Layout:
    """Two arrays, and the axis that is summed over."""

    arrays: Pair
    axis: int

    @property
    def in_rows(self) -> Pair:
        """Copies whose last axis is that one."""
        p, q = (np.ascontiguousarray(np.moveaxis(x, self.axis, -1)) for x in self.arrays)
        return p, q


def layouts(sizes: Sizes, dtype: type, rng: np.random.Generator) -> Iterator[tuple[str, Layout]]:
    def pair(*shape: int) -> Pair:
        # Positive, so that they are probabilities, not normalised, and logits alike.
        p, q = (rng.standard_exponential(shape).astype(dtype) for _ in range(2))
        return p, q

    columns, few, images = sizes.columns, sizes.few, sizes.images
    yield f"`axis=0` of {columns[0]:,} × {columns[1]:,}", Layout(pair(*columns), 0)
    yield f"`axis=0` of {few[0]:,} × {few[1]:,}", Layout(pair(*few), 0)
    yield f"`axis=1` of {' × '.join(map(str, images))}", Layout(pair(*images), 1)
    p, q = pair(*columns)
    yield "the first, one input in Fortran's order", Layout((p, np.asfortranarray(q)), 0)


def speeds(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield each function, and how many times as fast as along a last axis it is."""
    (p, q), (p_rows, q_rows), axis = layout.arrays, layout.in_rows, layout.axis
    for name, function in FUNCTIONS.items():
        given, in_rows = partial(function, workers=1, axis=axis), partial(function, workers=1)
        timed = [
            Contender("given", partial(given, p, q)),
            Contender("in rows", partial(in_rows, p_rows, q_rows, axis=-1)),
        ]
        if function is jsdiv_numba.jensenshannon:
            call = partial(scipy_distance.jensenshannon, p, q, axis=axis)
            timed.append(Contender("SciPy", call, repeats=SCIPY_REPEATS))
        speed = throughputs(timed, LEAST_OF_CPU)
        yield name, significant(speed["given"] / speed["in rows"])
        if "SciPy" in speed:
            yield SCIPY, significant(speed["given"] / speed["SciPy"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    options = parser.parse_args(arguments)
    sizes, rng = QUICK if options.quick else FULL, np.random.default_rng()
    names: list[str] = []
    cells: dict[tuple[str, str], list[str]] = {}
    for dtype in DTYPES:
        for name, layout in layouts(sizes, dtype, rng):
            progress(f"{name}, {np.dtype(dtype).name}")
            names += [] if name in names else [name]
            for function, speed in speeds(layout):
                cells.setdefault((function, np.dtype(dtype).name), []).append(speed)
    command = " ".join(["python -m benchmarks.layouts", *(["--quick"] if options.quick else [])])
    size = f"One thread. Least CPU time of {REPEATS}, {SCIPY_REPEATS} for SciPy"
    print(heading(command, roofline.instruction_set(), size))
    lines = ((*what, *speeds) for what, speeds in cells.items())
    print(f"\n{table(('speed against that of rows', 'dtype', *names), lines)}")


if __name__ == "__main__":
    main()
