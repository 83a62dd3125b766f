"""The same functions on Dask arrays: lazy, in any chunks, with the bits of the NumPy functions.

Needs Dask, which ``pip install "jsdiv_numba[dask]"`` brings. Nothing is computed before
``.compute()``, and errors that shapes, dtypes and arguments betray are raised at once. Where
a distribution lies in several chunks, they are put together or their sums added up. Each
task runs on one thread, since Dask's schedulers run as many tasks as they have threads.
"""

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from . import distance, divergence
from ._core.validation import Axis
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
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> "da.Array":
    r"""Jensen-Shannon divergence of probabilities, as a Dask array.

    .. math::

        \mathrm{JS}(P \| Q) = \tfrac12 \sum_i \Big[ p_i \log \frac{2 p_i}{p_i + q_i}
        + q_i \log \frac{2 q_i}{p_i + q_i} \Big]

    Parameters
    ----------
    P, Q : dask.array.Array or array_like
        Probabilities, of shapes that broadcast, in any chunks. Finite and not
        negative; 0·log 0 is 0.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of the broadcast shape; None is all.
    keepdims : bool, default True
        Whether the reduced axes stay, with length 1.
    reduce : bool, default True
        If False, return each element's term of the sum, in the broadcast shape.
    key : object, optional
        Ignored; hypercoil passes a random key.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    workers : int, optional
        Number of threads within each task; None is one.

    Returns
    -------
    dask.array.Array
        Divergences, of dtype float32 if that holds both inputs' dtypes (float16
        too), else float64.

    Raises
    ------
    ValueError
        If shapes do not broadcast, a size that is needed is unknown, or `axis`,
        `base` or `workers` is wrong; when it is computed, if a probability is
        negative or infinite.
    TypeError
        If an input is not real.

    See Also
    --------
    jsdiv_numba.js_divergence : of NumPy arrays, with `out` and `weight`.

    Notes
    -----
    The result has the bits of `jsdiv_numba.js_divergence` on the whole arrays in
    C order, whatever the chunks are. Where the sum's axis is split, chunks are
    put together where that makes no more than a few MB; else each is added up in the
    pieces that the NumPy function uses, and only the pieces' sums move.

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
    key: object = None,
    base: float | None = None,
    workers: int | None = None,
) -> "da.Array":
    r"""Jensen-Shannon divergence of the softmaxes of logits, as a Dask array.

    .. math::

        \mathrm{JS}(\operatorname{softmax}(P) \,\|\, \operatorname{softmax}(Q))

    Parameters
    ----------
    P, Q : dask.array.Array or array_like
        Logits, of shapes that broadcast, in any chunks. An entry -inf is a
        probability of 0.
    axis : int, sequence of int or None, default -1
        The categories' axis, of the broadcast shape. Several axes share one
        softmax. None takes the softmax along the last axis, and sums over all.
    keepdims : bool, default True
        Whether the reduced axes stay, with length 1.
    reduce : bool, default True
        If False, return each element's term of the sum, in the broadcast shape.
    key : object, optional
        Ignored; hypercoil passes a random key.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    workers : int, optional
        Number of threads within each task; None is one.

    Returns
    -------
    dask.array.Array
        Divergences, of dtype float32 if that holds both inputs' dtypes (float16
        too), else float64.

    Raises
    ------
    ValueError
        If shapes do not broadcast, a size that is needed is unknown, or `axis`,
        `base` or `workers` is wrong; when it is computed, if a logit is +inf.
    TypeError
        If an input is not real.

    See Also
    --------
    jsdiv_numba.js_divergence_logit : of NumPy arrays, with `out`.

    Notes
    -----
    The result has the bits of `jsdiv_numba.js_divergence_logit`, whatever the
    chunks are. A softmax needs its whole row, so chunks along `axis` are put
    together. With ``axis=None`` the rows' divergences, one number each, are
    added up in one task.

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
    r"""Jensen-Shannon distance of distributions, as a Dask array.

    .. math::

        \sqrt{\mathrm{JS}\Big(\frac{p}{\sum p} \,\Big\|\, \frac{q}{\sum q}\Big)}

    Parameters
    ----------
    p, q : dask.array.Array or array_like
        Weights, of shapes that broadcast, in any chunks. Finite and not negative.
    base : float, optional
        Base of the logarithm in the divergence; None is e.
    axis : int, sequence of int or None, default 0
        The categories' axis or axes, of the broadcast shape; None is all.
    keepdims : bool, default False
        Whether the reduced axes stay, with length 1.
    workers : int, optional
        Number of threads within each task; None is one.

    Returns
    -------
    dask.array.Array
        Distances, in the square root of nats (of the base's unit), of dtype
        float32 if that holds both inputs' dtypes, else float64.

    Raises
    ------
    ValueError
        If shapes do not broadcast, a size that is needed is unknown, or `axis`,
        `base` or `workers` is wrong; when it is computed, if a weight is negative
        or infinite.
    TypeError
        If an input is not real.

    See Also
    --------
    jsdiv_numba.jensenshannon : of NumPy arrays.

    Notes
    -----
    The result has the bits of `jsdiv_numba.jensenshannon`, whatever the chunks
    are. Normalisation needs the whole row, so chunks along `axis` are put
    together.

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
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
) -> "da.Array":
    r"""Jensen-Shannon distance between each row of one matrix and each of another, lazily.

    .. math::

        D_{ij} = \sqrt{\mathrm{JS}\Big(\frac{a_i}{\sum a_i} \,\Big\|\, \frac{b_j}{\sum b_j}\Big)}

    Parameters
    ----------
    XA : dask.array.Array or array_like, shape (m, n)
        One distribution a row, finite and not negative, of any positive sum.
    XB : dask.array.Array or array_like, shape (k, n)
        The same.
    metric : {"jensenshannon", "js_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square.
    base : float, optional
        Base of the logarithm; None is e.
    dtype : {float32, float64}, optional
        Precision of the computation and of the result. By default float32 if
        that holds both inputs' dtypes (float16 too), else float64.
    workers : int, optional
        Number of threads within each task; None is one.

    Returns
    -------
    dask.array.Array, shape (m, k)
        Distances, in the square root of nats (of the base's unit), or
        divergences in nats.

    Raises
    ------
    ValueError
        If the matrices have different numbers of columns, a size that is needed
        is unknown, or `metric`, `base`, `dtype` or `workers` is wrong; when it is
        computed, if an entry is negative or infinite.
    TypeError
        If an input is not real.

    See Also
    --------
    jsdiv_numba.cdist : of NumPy arrays, with `out`.

    Notes
    -----
    Each chunk of the result is one task, from a chunk of whole rows of either
    matrix. Rows are put into other chunks where the result's would exceed Dask's
    ``array.chunk-size``, or be a small part of it. Chunks of unknown numbers of
    rows stay as they are.

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
    options = pairwise.Pairs.check(metric, base, dtype, workers, XA, XB)
    return pairwise.cdist(XA, XB, options)


def pdist(
    X: Any,
    metric: str = "jensenshannon",
    *,
    base: float | None = None,
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
) -> "da.Array":
    r"""Jensen-Shannon distance between the rows of one matrix, each pair once, lazily.

    .. math::

        D_{ij} = \sqrt{\mathrm{JS}\Big(\frac{x_i}{\sum x_i} \,\Big\|\, \frac{x_j}{\sum x_j}\Big)},
        \quad i < j

    Parameters
    ----------
    X : dask.array.Array or array_like, shape (m, n)
        One distribution a row, finite and not negative, of any positive sum.
    metric : {"jensenshannon", "js_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square.
    base : float, optional
        Base of the logarithm; None is e.
    dtype : {float32, float64}, optional
        Precision of the computation and of the result. By default float32 if
        that holds the input's dtype (float16 too), else float64.
    workers : int, optional
        Number of threads within each task; None is one.

    Returns
    -------
    dask.array.Array, shape (m·(m-1)/2,)
        Distances, in the square root of nats (of the base's unit), or
        divergences in nats, in the order (0, 1), (0, 2), ..., (1, 2), ...:
        the condensed form of `scipy.spatial.distance.squareform`.

    Raises
    ------
    ValueError
        If X is not 2-d, one of its sizes is needed and unknown, or `metric`,
        `base`, `dtype` or `workers` is wrong; when it is computed, if an entry is
        negative or infinite.
    TypeError
        If the input is not real.

    See Also
    --------
    jsdiv_numba.pdist : of NumPy arrays, with `out`.

    Notes
    -----
    A chunk of the result holds the pairs of a band of consecutive rows with all
    rows after them, as many as Dask's ``array.chunk-size`` allows: bands grow as
    the rows that are left become fewer. A band is computed as a triangle within
    it and a rectangle for each chunk of the rows after it, then put in order.

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
    return pairwise.pdist(X, pairwise.Pairs.check(metric, base, dtype, workers, X))


def kneighbors(
    X: Any,
    Y: Any = None,
    n_neighbors: int = 5,
    *,
    metric: str = "jensenshannon",
    base: float | None = None,
    workers: int | None = None,
    return_distance: bool = True,
) -> Any:
    r"""Nearest rows of one matrix to each row of another, in Jensen-Shannon distance, lazily.

    .. math::

        D_{ij} = \sqrt{\mathrm{JS}\Big(\frac{x_i}{\sum x_i} \,\Big\|\, \frac{y_j}{\sum y_j}\Big)}

    Parameters
    ----------
    X : dask.array.Array or array_like, shape (m, n)
        The rows whose neighbours are wanted: one distribution a row, finite and
        not negative, of any positive sum.
    Y : dask.array.Array or array_like, shape (k, n), optional
        The rows among which to look. None is `X` itself, of which no row then is
        its own neighbour.
    n_neighbors : int, default 5
        How many.
    metric : {"jensenshannon", "js_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square.
    base : float, optional
        Base of the logarithm; None is e.
    workers : int, optional
        Number of threads within each task; None is one.
    return_distance : bool, default True
        Whether the distances are returned, too.

    Returns
    -------
    distances : dask.array.Array of float64, shape (m, n_neighbors)
        From the nearest on. Not returned if `return_distance` is False.
    indices : dask.array.Array of int, shape (m, n_neighbors)
        Of the rows in `Y`; of those as near, the first stands first.

    Raises
    ------
    ValueError
        If the matrices have different numbers of columns or none, a size that is needed
        is unknown, there are fewer than `n_neighbors` other rows, or `metric`, `base` or
        `workers` is wrong; when it is computed, if an entry is negative or infinite.
    TypeError
        If an input is not real, or `n_neighbors` not an integer.

    See Also
    --------
    jsdiv_numba.kneighbors : of NumPy arrays.
    jsdiv_numba.batch.neighbors : of files.

    Notes
    -----
    The result has the bits of `jsdiv_numba.kneighbors` on the whole arrays. A task finds
    the nearest rows of a chunk of `X` in a chunk of `Y`; others merge what these found by
    distance, then by index, a few at a time. Rows are put into other chunks where a task
    would take more than some times Dask's ``array.chunk-size``, or be short. Both results
    come from one graph: compute them together, ``dask.compute(distances, indices)``.

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
    sets = neighbors.Sets.check(X, Y, metric, base, workers)
    return _fields(sets.nearest(n_neighbors), metric, return_distance)


def radius_neighbors(
    X: Any,
    Y: Any = None,
    radius: float = 0.1,
    *,
    metric: str = "jensenshannon",
    base: float | None = None,
    workers: int | None = None,
    return_distance: bool = True,
) -> Any:
    r"""All rows of one matrix within a Jensen-Shannon distance of each row of another, lazily.

    .. math::

        \sqrt{\mathrm{JS}\Big(\frac{x_i}{\sum x_i} \,\Big\|\, \frac{y_j}{\sum y_j}\Big)} \le r

    Parameters
    ----------
    X, Y, metric, base, workers, return_distance
        As for `kneighbors`.
    radius : float, default 0.1
        The largest distance, itself included, in the unit of the distances.

    Returns
    -------
    distances : dask.array.Array of ndarray of float64, shape (m,)
        Of each row's neighbours, from the nearest on. Not returned if
        `return_distance` is False.
    indices : dask.array.Array of ndarray of int, shape (m,)
        Of the rows in `Y`; of those as near, the first stands first.

    Raises
    ------
    ValueError, TypeError
        As for `kneighbors`, and if `radius` is wrong.

    See Also
    --------
    jsdiv_numba.radius_neighbors : of NumPy arrays.

    Notes
    -----
    As for `kneighbors`. How much memory a task takes depends on how many neighbours
    there are.

    Examples
    --------
    >>> import dask.array as da
    >>> from jsdiv_numba.dask import radius_neighbors
    >>> counts = da.from_array([[4, 1, 0], [3, 1, 0], [0, 1, 5], [0, 2, 8]], chunks=2)
    >>> indices = radius_neighbors(counts, radius=0.05, return_distance=False)
    >>> [row.tolist() for row in indices.compute()]
    [[1], [0], [3], [2]]
    """
    sets = neighbors.Sets.check(X, Y, metric, base, workers)
    return _fields(sets.within(radius), metric, return_distance)


def _fields(records: "da.Array", metric: str, return_distance: bool) -> Any:
    indices = neighbors.field(records, NEIGHBOR)
    return (neighbors.field(records, metric), indices) if return_distance else indices
