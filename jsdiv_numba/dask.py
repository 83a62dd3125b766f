"""The same functions on Dask arrays: lazy, in any chunks, bitwise identical to the NumPy functions.

Each is as the function of its name in :mod:`jsdiv_numba`, without `out`. Needs Dask, which
``pip install "jsdiv_numba[dask]"`` brings. What differs:

- Inputs are Dask arrays, in any chunks, or what NumPy makes an array of. Where a distribution
  lies in several chunks, they are put together or their sums added up.
- Nothing is computed before ``.compute()``. Errors that shapes, dtypes and arguments betray, and a
  ValueError for a size that is needed and unknown, are raised at once; those for invalid
  entries when it is computed.
- `workers` is the number of threads within each task. None is one, since Dask's schedulers run as
  many tasks as they have threads.
"""

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from . import distance, divergence
from ._core.validation import EQUAL, Axis
from ._dask import chunks, neighbors, pairwise
from ._dask.rows import Call, sum_of_all
from ._neighbors.merge import NEIGHBOR

if TYPE_CHECKING:
    import dask.array as da

__all__ = [
    "cdist",
    "jensenshannon",
    "js_divergence",
    "js_divergence_logit",
    "kneighbors",
    "pdist",
    "radius_neighbors",
]


def js_divergence(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> "da.Array":
    """As `jsdiv_numba.js_divergence`, as a Dask array; weights for each row are in memory.

    Notes
    -----
    The result has the bits of the whole arrays' in C order. Where the sum's axis is split, chunks
    are put together where that makes no more than a few MB; else each is added up in the pieces
    that the NumPy function uses, and only the pieces' sums move; with a weight for each row, they
    are always put together.

    Examples
    --------
    >>> import dask.array as da
    >>> from jsdiv_numba.dask import js_divergence
    >>> P = da.from_array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], chunks=(1, 2))
    >>> js_divergence(P, [0.5, 0.5, 0.0], keepdims=False).compute().round(6)
    array([0.      , 0.219128])
    """
    function = divergence.js_divergence
    call = Call.check(function, (P, Q), ("P", "Q"), axis, base, workers)
    call = call.weighted(weight, keepdims, reduce)
    if not reduce:
        return call.terms(whole=())
    if call.is_long():
        return call.squeezed(call.sums_of_pieces(), keepdims)
    return call.squeezed(call.totals(), keepdims)


def js_divergence_logit(
    P: Any,
    Q: Any,
    *,
    axis: Axis = -1,
    keepdims: bool = True,
    reduce: bool = True,
    weight: Any = EQUAL,
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> "da.Array":
    """As `jsdiv_numba.js_divergence_logit`, as a Dask array; weights for each row are in memory.

    Notes
    -----
    A softmax needs its whole row, so chunks along `axis` are put together. With ``axis=None`` the
    rows' divergences, one number each, are added up in one task.

    Examples
    --------
    >>> import dask.array as da
    >>> from jsdiv_numba.dask import js_divergence_logit
    >>> A = da.from_array([[0.0, 1.0, 2.0], [0.0, 0.0, -da.inf]], chunks=(1, 2))
    >>> js_divergence_logit(A, [0.0, 1.0, 2.0]).compute().round(6)
    array([[0.      ],
           [0.331347]])
    """
    function = divergence.js_divergence_logit
    each = -1 if axis is None else axis
    call = Call.check(function, (P, Q), ("P", "Q"), each, base, workers)
    call = call.weighted(weight, keepdims or axis is None, reduce)
    if not reduce:
        return call.terms(whole=call.axes)
    rows = call.totals()
    return call.squeezed(rows, keepdims) if axis is not None else sum_of_all(rows, keepdims)


def jensenshannon(
    p: Any,
    q: Any,
    base: float | None = None,
    *,
    axis: Axis = 0,
    keepdims: bool = False,
    workers: int | None = None,
) -> "da.Array":
    """As `jsdiv_numba.jensenshannon`, as a Dask array.

    Normalisation needs the whole row, so chunks along `axis` are put together.

    Examples
    --------
    >>> import dask.array as da
    >>> from jsdiv_numba.dask import jensenshannon
    >>> counts = da.from_array([[1, 2, 3], [5, 6, 7]], chunks=1)
    >>> jensenshannon(counts, [9, 1, 1], axis=1).compute().round(6)
    array([0.481871, 0.395298])
    """
    call = Call.check(distance.jensenshannon, (p, q), ("p", "q"), axis, base, workers)
    return call.squeezed(call.totals(), keepdims)


def cdist(
    XA: Any,
    XB: Any,
    metric: str = "jensenshannon",
    *,
    base: float | None = None,
    weight: float = EQUAL,
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
) -> "da.Array":
    """As `jsdiv_numba.cdist`, as a Dask array.

    Notes
    -----
    Each chunk of the result is one task, from a chunk of whole rows of either matrix. Rows are put
    into other chunks where the result's would exceed Dask's ``array.chunk-size``, or be a small
    part of it. Chunks of unknown numbers of rows stay as they are. There is no `max_distance`.

    Examples
    --------
    >>> import dask.array as da
    >>> from jsdiv_numba.dask import cdist
    >>> X = da.from_array([[1, 0], [1, 1]], chunks=1)
    >>> cdist(X, [[1, 0], [0, 2], [3, 3]], base=2).compute().round(6)
    array([[0.      , 1.      , 0.557923],
           [0.557923, 0.557923, 0.      ]])
    """
    XA, XB = chunks.as_rows("XA", XA), chunks.as_rows("XB", XB)
    chunks.check_columns(XA, XB)
    options = pairwise.Pairs.check(metric, base, weight, dtype, workers, XA, XB)
    return pairwise.cdist(XA, XB, options)


def pdist(
    X: Any,
    metric: str = "jensenshannon",
    *,
    base: float | None = None,
    weight: float = EQUAL,
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
) -> "da.Array":
    """As `jsdiv_numba.pdist`, as a Dask array.

    Notes
    -----
    A chunk of the result holds the pairs of a band of consecutive rows with all rows after them, as
    many as Dask's ``array.chunk-size`` allows: bands grow as the rows that are left become fewer. A
    band is computed as a triangle within it and a rectangle for each chunk of the rows after it,
    then put in order.

    Examples
    --------
    >>> import dask.array as da
    >>> from jsdiv_numba.dask import pdist
    >>> X = da.from_array([[1, 0], [0, 2], [3, 3]], chunks=1)
    >>> pdist(X, base=2).compute().round(6)
    array([1.      , 0.557923, 0.557923])
    """
    X = chunks.as_rows("X", X)
    chunks.check_known("X", X, 0)
    return pairwise.pdist(X, pairwise.Pairs.check(metric, base, weight, dtype, workers, X))


def kneighbors(
    X: Any,
    Y: Any = None,
    n_neighbors: int = 5,
    *,
    metric: str = "jensenshannon",
    base: float | None = None,
    weight: float = EQUAL,
    workers: int | None = None,
    return_distance: bool = True,
) -> Any:
    """As `jsdiv_numba.kneighbors`, as Dask arrays.

    Notes
    -----
    A task finds the nearest rows of a chunk of `X` in a chunk of `Y`; others merge what these found
    by distance, then by index, a few at a time. Rows are put into other chunks where a task would
    take more than some times Dask's ``array.chunk-size``, or be short. Both results come from one
    graph: compute them together, ``dask.compute(distances, indices)``.

    Examples
    --------
    >>> import dask
    >>> import dask.array as da
    >>> from jsdiv_numba.dask import kneighbors
    >>> counts = da.from_array([[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]], chunks=2)
    >>> distances, indices = dask.compute(*kneighbors(counts, n_neighbors=2))
    >>> indices
    array([[1, 3],
           [0, 3],
           [3, 1],
           [2, 1]])
    """
    sets = neighbors.Sets.check(X, Y, metric, base, weight, workers)
    return _fields(sets.nearest(n_neighbors), metric, return_distance)


def radius_neighbors(
    X: Any,
    Y: Any = None,
    radius: float = 0.1,
    *,
    metric: str = "jensenshannon",
    base: float | None = None,
    weight: float = EQUAL,
    workers: int | None = None,
    return_distance: bool = True,
) -> Any:
    """As `jsdiv_numba.radius_neighbors`, as Dask arrays of arrays.

    How much memory a task takes depends on how many neighbours there are.

    Examples
    --------
    >>> import dask.array as da
    >>> from jsdiv_numba.dask import radius_neighbors
    >>> counts = da.from_array([[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]], chunks=2)
    >>> indices = radius_neighbors(counts, radius=0.05, return_distance=False)
    >>> [row.tolist() for row in indices.compute()]
    [[1], [0], [3], [2]]
    """
    sets = neighbors.Sets.check(X, Y, metric, base, weight, workers)
    return _fields(sets.within(radius), metric, return_distance)


def _fields(records: "da.Array", metric: str, return_distance: bool) -> Any:
    indices = neighbors.field(records, NEIGHBOR)
    return (neighbors.field(records, metric), indices) if return_distance else indices
