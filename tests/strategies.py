"""Hypothesis strategies: what people compare, in every shape, dtype and memory layout."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

LENGTHS = (0, 1, 7, 33, 97)
"""None, one, and the remainders that a vector loop leaves."""


class Pair(NamedTuple):
    P: np.ndarray
    Q: np.ndarray


def dtypes() -> st.SearchStrategy[type]:
    return st.sampled_from([np.float64, np.float32])


def lengths(smallest: int = 0) -> st.SearchStrategy[int]:
    return st.sampled_from([n for n in LENGTHS if n >= smallest])


def _entries(
    shape: tuple[int, ...], elements: st.SearchStrategy[float], fill: float
) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.float64, shape, elements=elements, fill=st.just(fill))


@st.composite
def simplices(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """Rows that sum to 1, most of them with zeros."""
    rows = draw(_entries(shape, st.floats(0, 1), 0.0))
    rows[..., :1] += rows.sum(axis=-1, keepdims=True) == 0
    return rows / rows.sum(axis=-1, keepdims=True)


@st.composite
def logits(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    """Rows of logits, of which the first is never -inf."""
    elements = st.floats(-30, 30) | st.just(-np.inf)
    rows = draw(_entries(shape, elements, 0.0))
    rows[..., :1][np.isneginf(rows[..., :1])] = 1.0
    return rows


@st.composite
def _second(
    draw: st.DrawFn, P: np.ndarray, make: Callable[..., st.SearchStrategy[np.ndarray]]
) -> np.ndarray:
    """An array to compare with P: unrelated, nearly equal or equal."""
    kind = draw(st.sampled_from(["unrelated", "near", "equal"]))
    if kind == "unrelated":
        return draw(make(P.shape))
    if kind == "equal":
        return P.copy()
    separation = 10.0 ** draw(st.integers(-12, -1))
    return P * (1 + separation * draw(_entries(P.shape, st.floats(-1, 1), 0.5)))


@st.composite
def pairs_of(
    draw: st.DrawFn,
    make: Callable[..., st.SearchStrategy[np.ndarray]],
    smallest: int = 1,
    rows: tuple[int, ...] = (),
) -> Pair:
    """Two arrays of rows that `make` makes, of one dtype."""
    shape = (*rows, draw(lengths(smallest)))
    P = draw(make(shape))
    dtype = draw(dtypes())
    return Pair(P.astype(dtype), draw(_second(P, make)).astype(dtype))


def probability_pairs(**options: object) -> st.SearchStrategy[Pair]:
    return pairs_of(simplices, **options)


def logit_pairs(**options: object) -> st.SearchStrategy[Pair]:
    return pairs_of(logits, **options)


def _filled(view: np.ndarray, values: np.ndarray) -> np.ndarray:
    view[...] = values
    return view


def _misaligned(values: np.ndarray) -> np.ndarray:
    raw = np.zeros(values.nbytes + 1, np.uint8)
    return _filled(raw[1:].view(values.dtype).reshape(values.shape), values)


def _in_structure(values: np.ndarray) -> np.ndarray:
    record = np.zeros(values.shape, [("before", np.int8), ("x", values.dtype)])
    return _filled(record["x"], values)


def _strided(step: int) -> Callable[[np.ndarray], np.ndarray]:
    def strided(values: np.ndarray) -> np.ndarray:
        *outer, n = values.shape
        return _filled(np.zeros((*outer, abs(step) * n), values.dtype)[..., ::step], values)

    return strided


def _read_only(values: np.ndarray) -> np.ndarray:
    copy = values.copy()
    copy.flags.writeable = False
    return copy


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "every second element": _strided(2),
    "reversed": _strided(-1),
    "every third, reversed": _strided(-3),
    "byte-swapped": lambda values: values.astype(values.dtype.newbyteorder()),
    "read-only": _read_only,
    "misaligned": _misaligned,
    "field of a structure": _in_structure,
    "middle of a block": lambda values: np.pad(values, [(1, 2)] * values.ndim)[
        (slice(1, -2),) * values.ndim
    ],
}
"""Ways to hold the same values in memory."""
