"""Samples: whether their divergence is more than chance, and how large it is without."""

from typing import Any

import numpy as np

from ._core import alignment
from ._core.progress import Progress, counting, told
from ._core.threads import check_workers
from ._core.validation import Axis
from ._stats import counts
from ._stats import groups as in_groups
from ._stats.estimators import check_estimator, estimates, in_base
from ._stats.intervals import ConfidenceInterval
from ._stats.matrices import Crossed, as_matrix, outcome_of_crossed
from ._stats.methods import resampling
from ._stats.null import Pairs, null_of
from ._stats.results import JSTestResult
from ._stats.testing import Settings, outcome_of, result_of

__all__ = [
    "ConfidenceInterval",
    "JSTestResult",
    "cdist_test",
    "js_divergence_counts",
    "js_test",
    "pdist_test",
]


def js_test(
    x: Any,
    y: Any = None,
    *,
    groups: Any = None,
    axis: Axis = -1,
    estimator: str = "null",
    method: Any = "auto",
    nan_policy: str = "propagate",
    keepdims: bool = False,
    base: float | None = None,
    workers: int | None = None,
    progress: Progress | bool | None = None,
) -> JSTestResult:
    r"""Test whether two samples, given as counts, come from one distribution.

    The statistic is the Jensen-Shannon divergence of the samples. If both come from one
    distribution and :math:`t_k` observations fell into category k in all, how many of them are
    in the first sample is hypergeometric, whatever the distribution: so the divergence's mean
    and variance by chance are known exactly,

    .. math::

        E_0 = \sum_k \sum_c \frac{\binom{n_1}{c} \binom{n_2}{t_k - c}}{\binom{n_1 + n_2}{t_k}}\,
        f\Big(\frac{c}{n_1}, \frac{t_k - c}{n_2}\Big),
        \quad f(p, q) = \tfrac12 \Big[ p \log \frac{2p}{p + q} + q \log \frac{2q}{p + q} \Big].

    Parameters
    ----------
    x, y : array_like or sparse matrix
        Counts of categories, of shapes that broadcast: whole numbers, not negative.
    groups : array_like, optional
        A label of two for each row of `x`, which then is a matrix with a row for each item: a
        document, a cell, a day. The samples are the sums of both groups' rows, and whole rows
        are permuted between them. There is no `y` then.
    axis : int, sequence of int or None, default -1
        The categories' axis or axes, of the broadcast shape; None is all.
    estimator : str, default "null"
        How the divergence of the distributions is estimated: ``"null"`` subtracts the mean by
        chance, :math:`E_0`; ``"adjusted"`` then stretches it to log 2 for samples without a
        common category; ``"second_order"`` subtracts the second order of the bias, which is small
        where counts are large; ``"grassberger"`` has entropies by Grassberger's estimator [1]_,
        for samples of one size; ``"plugin"`` corrects nothing.
    method : str or object, default "auto"
        ``"moments"`` takes the tail of a Pearson distribution of type III, which has the mean,
        the variance and the skewness that chance gives the divergence. ``"exact"`` lists all
        tables with the same margins. ``"auto"`` does so up to 100,000 tables, and else takes the
        moments. A `scipy.stats.PermutationMethod` or `scipy.stats.MonteCarloMethod` draws
        tables with the same margins; the former lists them if there are no more of them.
    nan_policy : {"propagate", "omit", "raise"}, default "propagate"
        What a NaN does: makes the results NaN, has its category left out, or raises.
    keepdims : bool, default False
        Whether the reduced axes stay, with length 1.
    base : float, optional
        Base of the logarithm; None is e, and the unit then nats.
    workers : int, optional
        Number of threads, -1 for every CPU; None is the default of
        `set_workers`. It changes no bit of the result.
    progress : callable or bool, optional
        Called as ``progress(done, total)``, in pairs of samples, or with `groups` in
        permutations; True shows a bar, on a terminal with rich.

    Returns
    -------
    JSTestResult
        With `statistic`, `pvalue`, `estimate`, `null_mean`, `null_std`, `undersampled` and the
        method `confidence_interval`; arrays of the batch's shape, or scalars.

    Raises
    ------
    ValueError
        If a count is negative or no whole number, shapes do not broadcast, there are more than
        10^9 tables for ``"exact"``, the sizes of samples differ with ``"grassberger"``, `groups`
        does not name two, or another argument is wrong.
    TypeError
        If an input is not real.

    See Also
    --------
    pdist_test, cdist_test : all pairs of rows.
    js_divergence_counts : the estimate alone.
    scipy.stats.chi2_contingency : other statistics, with the χ² distribution.
    scipy.stats.false_discovery_control : p-values of many tests.

    Notes
    -----
    Observations have to be independent. Words of documents and transcripts of cells are not: they
    come in bursts, and every test of counts then finds differences where there are none. Give
    documents or cells as rows, with `groups`.

    A sample without observations gives NaN. A p-value is at least one over the number of ways
    to divide the observations between both samples. docs/mathematics.md derives the moments,
    and the guide "Samples" has what was simulated.

    .. [1] P. Grassberger, "Entropy estimates from insufficient samplings",
       arXiv:physics/0307138 (2003).

    Examples
    --------
    Two samples from one distribution of 50 categories, and one from another:

    >>> import numpy as np
    >>> from jsdiv_numba.stats import js_test
    >>> rng = np.random.default_rng(0)
    >>> p, q = np.full(50, 1 / 50), np.arange(1, 51) ** 2 / 42925
    >>> x, y, z = rng.multinomial(100, p), rng.multinomial(100, p), rng.multinomial(100, q)
    >>> same, other = js_test(x, y), js_test(x, z)
    >>> print(f"{same.statistic:.3f}, by chance {same.null_mean:.3f}: p = {same.pvalue:.2f}")
    0.137, by chance 0.141: p = 0.55
    >>> print(f"{other.statistic:.3f}, by chance {other.null_mean:.3f}: p = {other.pvalue:.3f}")
    0.223, by chance 0.146: p = 0.004
    >>> other.estimate.round(3)
    np.float64(0.077)
    """
    divisor = in_base(base)
    check_estimator(estimator)
    resampling(method)
    settings = Settings(estimator, method, divisor, _workers(workers))
    if groups is not None:
        if y is not None:
            raise ValueError("groups and y: with groups, both samples are rows of x; leave y out")
        if counts.as_counts("x", x, nan_policy).missing is not None:
            raise ValueError("x has a NaN; with groups, leave its row or its column out")
        rows = in_groups.rows_along(counts.as_counts("x", x, nan_policy).values, axis)
        shape = (1, 1) if keepdims else ()
        with told(progress, "Permutations") as tell:
            return in_groups.compare_groups(rows, groups, settings, shape, tell)
    samples = counts.paired(("x", "y"), (x, y), axis, keepdims, nan_policy)
    pairs = _row_by_row(samples)
    if progress is None:  # small calls are spared what telling costs
        outcome = outcome_of(pairs, settings)
    else:
        with told(progress, "Tests") as tell:
            report = counting(tell, len(pairs.i))
            outcome = outcome_of(pairs, settings._replace(report=report))
    return result_of(outcome, samples.rows_of, samples.missing, samples.shape, settings)


def js_divergence_counts(
    x: Any,
    y: Any,
    *,
    estimator: str = "null",
    axis: Axis = -1,
    nan_policy: str = "propagate",
    keepdims: bool = False,
    base: float | None = None,
    workers: int | None = None,
) -> Any:
    """Estimate the divergence of the distributions that two samples, given as counts, come from.

    Parameters
    ----------
    x, y : array_like or sparse matrix
        Counts of categories, of shapes that broadcast: whole numbers, not negative.
    estimator : str, default "null"
        ``"null"``, ``"adjusted"``, ``"second_order"``, ``"grassberger"`` or ``"plugin"``, as in
        `js_test`.
    axis, nan_policy, keepdims, base, workers
        As in `js_test`.

    Returns
    -------
    ndarray or scalar
        Estimates in nats, or in the unit of the base. They are not cut off at 0.

    Raises
    ------
    ValueError
        As `js_test`.
    TypeError
        If an input is not real.

    See Also
    --------
    js_test : with a p-value, and a confidence interval.
    jsdiv_numba.js_divergence : of distributions that are known.

    Examples
    --------
    >>> from jsdiv_numba.stats import js_divergence_counts
    >>> x, y = [3, 1, 0, 2, 1, 0, 1, 0], [1, 2, 1, 0, 1, 2, 0, 1]
    >>> js_divergence_counts(x, y, estimator="plugin").round(4)
    np.float64(0.3466)
    >>> js_divergence_counts(x, y).round(4)
    np.float64(0.0314)
    """
    divisor = in_base(base)
    check_estimator(estimator)
    samples = counts.paired(("x", "y"), (x, y), axis, keepdims, nan_policy)
    pairs = _row_by_row(samples)
    values = estimates(estimator, null_of(pairs, _workers(workers)), pairs) / divisor
    values[samples.missing] = np.nan
    return values.reshape(samples.shape)[()]


def pdist_test(
    X: Any,
    *,
    estimator: str = "null",
    method: Any = "auto",
    base: float | None = None,
    workers: int | None = None,
    progress: Progress | bool | None = None,
) -> JSTestResult:
    """Test each pair of rows of a matrix of counts, each pair once.

    Parameters
    ----------
    X : array_like or sparse matrix, shape (m, n)
        One sample a row: counts of n categories.
    estimator, method, base, workers
        As in `js_test`.
    progress : callable or bool, optional
        Called as ``progress(done, total)``, in pairs; True shows a bar, on a terminal with rich.

    Returns
    -------
    JSTestResult
        Vectors of length m·(m-1)/2, in SciPy's order: `scipy.spatial.distance.squareform` makes
        a matrix of one.

    Raises
    ------
    ValueError
        As `js_test`, or if `X` is not 2-d.
    TypeError
        If the input is not real.

    See Also
    --------
    cdist_test : the rows of two matrices.
    scipy.stats.false_discovery_control : p-values of many tests.

    Notes
    -----
    A row with a NaN makes its results NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.spatial.distance import squareform
    >>> from scipy.stats import false_discovery_control
    >>> from jsdiv_numba.stats import pdist_test
    >>> result = pdist_test([[30, 10, 5, 2], [28, 13, 4, 3], [5, 12, 20, 9]])
    >>> squareform(result.estimate).round(3)
    array([[ 0.   , -0.013,  0.169],
           [-0.013,  0.   ,  0.156],
           [ 0.169,  0.156,  0.   ]])
    >>> (false_discovery_control(result.pvalue) < 0.05).tolist()
    [False, True, True]
    """
    matrix = as_matrix("X", X)
    i, j = np.triu_indices(len(matrix.missing), 1)
    return _of_matrices(
        Crossed(matrix, matrix, i, j), i.shape, estimator, method, base, workers, progress
    )


def cdist_test(
    X: Any,
    Y: Any,
    *,
    estimator: str = "null",
    method: Any = "auto",
    base: float | None = None,
    workers: int | None = None,
    progress: Progress | bool | None = None,
) -> JSTestResult:
    """Test each row of one matrix of counts against each of another.

    Parameters
    ----------
    X : array_like or sparse matrix, shape (m, n)
        One sample a row: counts of n categories.
    Y : array_like or sparse matrix, shape (k, n)
        The same.
    estimator, method, base, workers
        As in `js_test`.
    progress : callable or bool, optional
        Called as ``progress(done, total)``, in pairs; True shows a bar, on a terminal with rich.

    Returns
    -------
    JSTestResult
        Matrices of shape (m, k).

    Raises
    ------
    ValueError
        As `js_test`, if an input is not 2-d, or if they have different numbers of columns.
    TypeError
        If an input is not real.

    See Also
    --------
    pdist_test : the pairs within one matrix.

    Examples
    --------
    >>> from jsdiv_numba.stats import cdist_test
    >>> result = cdist_test([[30, 10, 5, 2]], [[28, 13, 4, 3], [5, 12, 20, 9]])
    >>> result.pvalue.round(4)
    array([[0.8373, 0.    ]])
    """
    alignment.check_labels(("X", "Y"), (X, Y))
    first = as_matrix("X", X)
    second = first if Y is X else as_matrix("Y", Y)
    shape = len(first.missing), len(second.missing)
    if first.values.shape[1] != second.values.shape[1]:
        raise ValueError(
            f"X of shape {first.values.shape} and Y of shape {second.values.shape} have different "
            "numbers of columns"
        )
    i, j = (index.ravel() for index in np.indices(shape))
    crossed = Crossed(first, second, i, j)
    return _of_matrices(crossed, shape, estimator, method, base, workers, progress)


def _of_matrices(
    crossed: Crossed,
    shape: tuple[int, ...],
    estimator: str,
    method: Any,
    base: float | None,
    workers: int | None,
    progress: Progress | bool | None,
) -> JSTestResult:
    check_estimator(estimator)
    resampling(method)
    settings = Settings(estimator, method, in_base(base), _workers(workers))
    with told(progress, "Tests") as tell:
        report = counting(tell, len(crossed.i))
        outcome = outcome_of_crossed(crossed, settings._replace(report=report))
    return result_of(outcome, crossed.rows_of, crossed.missing, shape, settings)


def _row_by_row(samples: counts.Samples) -> Pairs:
    index = np.arange(len(samples.x))
    sizes = counts.sizes_of("x", samples.x), counts.sizes_of("y", samples.y)
    return Pairs(samples.x, samples.y, *sizes, index, index)


def _workers(workers: int | None) -> int | None:
    return None if workers is None else check_workers(workers)
