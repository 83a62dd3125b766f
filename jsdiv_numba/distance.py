"""SciPy's names: the Jensen-Shannon distance of rows, and of all pairs of rows."""

from functools import partial
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ._core import alignment, pairwise, sparse, validation
from ._core.evaluate import evaluate
from ._core.measures import DISTANCE
from ._core.metric import takes_root
from ._core.pair_metric import Metric, metric_of
from ._core.progress import Progress, told
from ._core.sparse_pairs import Pairs, comparison_of, pairs_within
from ._core.sparse_rows import by_rows
from ._core.threads import check_workers
from ._core.validation import EQUAL, Axis, FloatArray

__all__ = ["cdist", "jensenshannon", "pdist"]

PLAIN = ("jensenshannon", "js_divergence")
"""Of few pairs these are computed on a short path, where they are written so."""


def jensenshannon(
    p: Any,
    q: Any,
    base: float | None = None,
    *,
    axis: Axis = 0,
    keepdims: bool = False,
    workers: int | None = None,
) -> Any:
    r"""Jensen-Shannon distance of distributions, the square root of the divergence.

    .. math::

        \sqrt{\mathrm{JS}\Big(\frac{p}{\sum p} \,\Big\|\, \frac{q}{\sum q}\Big)}

    Both inputs are first divided by their sums. The distance is a metric.

    Parameters
    ----------
    p, q : array_like
        Weights, of shapes that broadcast. Finite and not negative; their sums
        along `axis` need not be 1.
    base : float, optional
        Base of the logarithm in the divergence; None is e. With base 2 the
        distance lies between 0 and 1.
    axis : int, sequence of int or None, default 0
        The categories' axis or axes, of the broadcast shape; None is all.
    keepdims : bool, default False
        Whether the reduced axes stay, with length 1.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of
        `set_workers`. Results are bitwise identical for any number.

    Returns
    -------
    ndarray or scalar
        Distances, in the square root of nats (of the base's unit), of dtype
        float32 if that holds both inputs' dtypes, else float64.

    Raises
    ------
    ValueError
        If a weight is negative or infinite, shapes do not broadcast, or `axis`,
        `base` or `workers` is wrong.
    TypeError
        If an input is not real.

    See Also
    --------
    js_divergence : without normalisation and square root.
    cdist, pdist : of all pairs of rows.

    Notes
    -----
    A drop-in for `scipy.spatial.distance.jensenshannon`. It differs where that
    is wrong: near-equal rows have a small distance rather than NaN, float32 is
    as accurate as float32 can be, and a negative weight is an error. A row of
    zeros, or one with a NaN, gives NaN. That the distance is a metric was shown
    by Endres and Schindelin [1]_.

    .. [1] D. M. Endres and J. E. Schindelin, "A new metric for probability
       distributions", IEEE Transactions on Information Theory 49 (2003) 1858-1860.

    Examples
    --------
    >>> from jsdiv_numba import jensenshannon
    >>> float(jensenshannon([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], 2).round(12))
    1.0
    >>> jensenshannon([[1, 2, 3], [5, 6, 7]], [[9, 1, 1], [10, 12, 14]], axis=1).round(6)
    array([0.481871, 0.      ])
    """
    if sparse.any_sparse(p, q):
        dense = partial(jensenshannon, base=base, axis=-1, workers=workers)
        return by_rows(dense, {"p": p, "q": q}, axis, keepdims, True, None)
    return evaluate(DISTANCE, (p, q), axis, keepdims, True, base=base, out=None, workers=workers)


@overload
def cdist(
    XA: Any,
    XB: Any,
    metric: str = ...,
    *,
    out: FloatArray | None = ...,
    base: float | None = ...,
    weight: float = ...,
    dtype: npt.DTypeLike | None = ...,
    max_distance: None = ...,
    workers: int | None = ...,
    progress: Progress | bool | None = ...,
) -> FloatArray: ...
@overload
def cdist(
    XA: Any,
    XB: Any,
    metric: str = ...,
    *,
    out: None = ...,
    base: float | None = ...,
    weight: float = ...,
    dtype: npt.DTypeLike | None = ...,
    max_distance: float,
    workers: int | None = ...,
    progress: Progress | bool | None = ...,
) -> Any: ...
def cdist(
    XA: Any,
    XB: Any,
    metric: str = "jensenshannon",
    *,
    out: FloatArray | None = None,
    base: float | None = None,
    weight: float = EQUAL,
    dtype: npt.DTypeLike | None = None,
    max_distance: float | None = None,
    workers: int | None = None,
    progress: Progress | bool | None = None,
) -> Any:
    r"""Jensen-Shannon distance between each row of one matrix and each of another.

    .. math::

        D_{ij} = \sqrt{\mathrm{JS}\Big(\frac{a_i}{\sum a_i} \,\Big\|\, \frac{b_j}{\sum b_j}\Big)}

    Parameters
    ----------
    XA : array_like or sparse array, shape (m, n)
        One distribution a row, finite and not negative, of any positive sum.
    XB : array_like or sparse array, shape (k, n)
        The same. One may be sparse, or both.
    metric : {"jensenshannon", "js_divergence", "kl_divergence"}, default "jensenshannon"
        The distance, or the divergence: its square. In any case; ``"js"`` is the
        distance, as in SciPy. Or the Kullback-Leibler divergence of rows of XB from
        those of XA, Σ a log(a/b), infinite where b alone is 0.
    out : ndarray, shape (m, k), optional
        Array for the result, written block by block; it may be a memory map.
    base : float, optional
        Base of the logarithm; None is e.
    weight : float, default 0.5
        That of the rows of XB, between 0 and 1; those of XA have the rest. The
        divergence then is skewed, as `js_divergence` says: not symmetric, and the
        root of it no metric. Swapped rows have it with the other weight.
    dtype : {float32, float64}, optional
        Precision of the computation and of the result. By default float32 if
        that holds both inputs' dtypes (float16 too), else float64.
    max_distance : float, optional
        What to leave out the pairs beyond of: a distance, or a divergence if `metric`
        says so. The result then is sparse.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of
        `set_workers`. Results are bitwise identical for any number.
    progress : callable or bool, optional
        True shows a bar, in a notebook or, by rich, on a terminal. A function is
        called as ``progress(done, total)``, in pairs of rows, when a block of them
        is done, from whichever thread did it. What it raises stops the call.

    Returns
    -------
    ndarray, shape (m, k), or scipy.sparse.csr_array with `max_distance`
        Distances, in the square root of nats (of the base's unit), or
        divergences in nats. At most the entropy of the weights, ln 2 where they are
        equal; a Kullback-Leibler divergence has no bound. In a sparse result a stored
        0 is a distance of 0, and what is not stored is farther than `max_distance`, or
        NaN.

    Raises
    ------
    ValueError
        If an entry is negative or infinite, the matrices have different numbers
        of columns, or `metric`, `base`, `weight`, `dtype`, `max_distance`, `workers`
        or the shape of `out` is wrong. If a sparse input has a NaN, or is damaged.
    TypeError
        If an input is not real, or `out` cannot hold the result's dtype.

    See Also
    --------
    pdist : the pairs within one matrix.
    jensenshannon : row by row.

    Notes
    -----
    A drop-in for `scipy.spatial.distance.cdist` with this metric, which accepts
    no `base` and computes in float64 alone. Each pair costs one logarithm an
    element, from the rows' entropies; close pairs are computed again term by
    term, so that near-duplicates are as accurate as others and equal rows have
    distance 0. A row of zeros, or one with a NaN, is at distance NaN of all.

    Of sparse rows a pair costs one logarithm for each column that both have an
    entry in, and they are never made dense; see :doc:`/guide/sparse`. They are
    computed in float64, whatever the result's dtype. So are Kullback-Leibler
    divergences, of each pair over all columns, which takes longer: their logarithms
    have no bound, and entropies would cancel.

    Examples
    --------
    >>> from jsdiv_numba import cdist
    >>> cdist([[1, 0], [1, 1]], [[1, 0], [0, 2], [3, 3]], base=2).round(6)
    array([[0.      , 1.      , 0.557923],
           [0.557923, 0.557923, 0.      ]])

    The pairs up to a distance, of sparse rows:

    >>> from scipy.sparse import csr_array
    >>> counts = csr_array([[1, 0, 2], [0, 3, 0], [2, 0, 4]])
    >>> cdist(counts, counts, max_distance=0.5).nnz
    5
    """
    plain = (
        out is None
        and dtype is None
        and max_distance is None
        and progress is None
        and weight is EQUAL
    )
    if plain and metric in PLAIN and pairwise.are_plain(XA, XB):
        root, log_base = takes_root(metric), validation.log_base(base) or 1.0
        if workers is not None:
            check_workers(workers)
        result = np.empty((len(XA), len(XB)), XA.dtype)
        if pairwise.write_few(XA, XB, result, root, 1.0 / log_base):
            validation.check_probabilities(XA=XA, XB=XB)
        return result
    wanted = metric_of(metric, base, weight)
    if progress is None:  # small calls are spared what telling costs
        return _between(XA, XB, wanted, out, dtype, max_distance, workers, None)
    with told(progress, "Pairs") as tell:
        return _between(XA, XB, wanted, out, dtype, max_distance, workers, tell)


def _between(
    XA: Any,
    XB: Any,
    metric: Metric,
    out: FloatArray | None,
    dtype: npt.DTypeLike | None,
    max_distance: float | None,
    workers: int | None,
    progress: Progress | None,
) -> Any:
    """Return the matrix of all pairs, or of those up to a distance."""
    if max_distance is not None:
        return _within(XA, XB, metric, out, dtype, max_distance, workers, progress)
    if sparse.any_sparse(XA, XB):
        comparison, kind = _sparse_comparison(XA, XB, metric, dtype, workers, progress)
        result = validation.result_array(out, comparison.shape, kind)
        comparison.write(result)
        return result
    given, (XA, XB) = (XA, XB), (pairwise.as_rows("XA", XA), pairwise.as_rows("XB", XB))
    pairwise.check_columns(XA.shape, XB.shape)
    alignment.check_labels(("XA", "XB"), given)
    kind = validation.pairs_dtype(dtype, XA, XB)
    result = validation.result_array(out, (len(XA), len(XB)), kind)
    if out is not None:
        XA, XB = _apart(XA, out), _apart(XB, out)
    sets = ("XA", XA), ("XB", XB)
    pairwise.write_pairs(*sets, result, kind, metric, workers=workers, progress=progress)
    return result


def pdist(
    X: Any,
    metric: str = "jensenshannon",
    *,
    out: FloatArray | None = None,
    base: float | None = None,
    weight: float = EQUAL,
    dtype: npt.DTypeLike | None = None,
    workers: int | None = None,
    progress: Progress | bool | None = None,
) -> FloatArray:
    r"""Jensen-Shannon distance between the rows of one matrix, each pair once.

    .. math::

        D_{ij} = \sqrt{\mathrm{JS}\Big(\frac{x_i}{\sum x_i} \,\Big\|\, \frac{x_j}{\sum x_j}\Big)},
        \quad i < j

    Parameters
    ----------
    X : array_like or sparse array, shape (m, n)
        One distribution a row, finite and not negative, of any positive sum.
    metric, out, base, dtype, workers, progress
        As for `cdist`.
    weight : float, default 0.5
        That of the second row of each pair, of the larger index.

    Returns
    -------
    ndarray, shape (m·(m-1)/2,)
        Distances, in the square root of nats (of the base's unit), or
        divergences in nats, in the order (0, 1), (0, 2), ..., (1, 2), ...:
        the condensed form of `scipy.spatial.distance.squareform`. With another
        weight, or as Kullback-Leibler divergences, they are not symmetric: what a
        pair has the other way is not among them, and `squareform` would put the
        same in its place. ``cdist(X, X)`` has both.

    Raises
    ------
    ValueError, TypeError
        As for `cdist`, and if X is not 2-d.

    See Also
    --------
    cdist : the pairs of two matrices.

    Notes
    -----
    A drop-in for `scipy.spatial.distance.pdist` with this metric; see `cdist`
    for how it is computed and where it differs.

    Examples
    --------
    >>> from jsdiv_numba import pdist
    >>> pdist([[1, 0], [0, 2], [3, 3]], base=2).round(6)
    array([1.      , 0.557923, 0.557923])
    """
    wanted = metric_of(metric, base, weight)
    if progress is None:
        return _condensed(X, wanted, out, dtype, workers, None)
    with told(progress, "Pairs") as tell:
        return _condensed(X, wanted, out, dtype, workers, tell)


def _condensed(
    X: Any,
    metric: Metric,
    out: FloatArray | None,
    dtype: npt.DTypeLike | None,
    workers: int | None,
    progress: Progress | None,
) -> FloatArray:
    """Return the vector of the pairs within a matrix."""
    if sparse.is_sparse(X):
        rows = sparse.as_compressed("X", X)
        kind = validation.pairs_dtype(dtype, sparse.of_dtype(X))
        of_sparse = pairs_within(rows, kind, metric, workers=workers, progress=progress)
        number = len(rows)
        result = validation.result_array(out, (number * (number - 1) // 2,), kind)
        of_sparse.write_condensed(result)
        return result
    X = pairwise.as_rows("X", X)
    kind = validation.pairs_dtype(dtype, X)
    number = len(X)
    result = validation.result_array(out, (number * (number - 1) // 2,), kind)
    one = "X", X if out is None else _apart(X, out)
    pairwise.write_pairs(
        one, one, result, kind, metric, workers=workers, condensed=True, progress=progress
    )
    return result


def _sparse_comparison(
    XA: Any,
    XB: Any,
    metric: Metric,
    dtype: npt.DTypeLike | None,
    workers: int | None,
    progress: Progress | None,
) -> tuple[Pairs, np.dtype[Any]]:
    """Return the comparison of rows of which some are sparse, and the dtype of its result."""
    a = b = sparse.as_compressed("XA", XA)
    if XB is not XA:
        b = sparse.as_compressed("XB", XB)
        pairwise.check_columns(a.shape, b.shape)
    kind = validation.pairs_dtype(dtype, sparse.of_dtype(XA), sparse.of_dtype(XB))
    return comparison_of(a, b, kind, metric, workers=workers, progress=progress), kind


def _within(
    XA: Any,
    XB: Any,
    metric: Metric,
    out: FloatArray | None,
    dtype: npt.DTypeLike | None,
    max_distance: Any,
    workers: int | None,
    progress: Progress | None,
) -> Any:
    """Return the pairs up to a distance."""
    if out is not None:
        raise ValueError("out cannot be given with max_distance, whose result is sparse")
    most = validation.not_negative("max_distance", max_distance)
    if sparse.any_sparse(XA, XB):
        of_sparse, kind = _sparse_comparison(XA, XB, metric, dtype, workers, progress)
        return of_sparse.within(most).astype(kind, copy=False)
    given, (XA, XB) = (XA, XB), (pairwise.as_rows("XA", XA), pairwise.as_rows("XB", XB))
    pairwise.check_columns(XA.shape, XB.shape)
    alignment.check_labels(("XA", "XB"), given)
    kind = validation.pairs_dtype(dtype, XA, XB)
    sets = ("XA", XA), ("XB", XB)
    told: dict[str, Any] = {"workers": workers, "progress": progress}
    found = pairwise.values_up_to(most, *sets, kind, metric, **told)
    return found.astype(kind, copy=False)


def _apart(matrix: FloatArray, out: FloatArray) -> FloatArray:
    """Return a matrix that stays as it is while `out` is written."""
    return matrix.copy() if np.may_share_memory(matrix, out) else matrix
