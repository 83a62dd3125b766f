"""Rows in two groups: what permuting whole rows makes of the divergence of the groups' sums."""

import math
from dataclasses import dataclass
from itertools import combinations
from operator import ne
from typing import Any

import numpy as np

from .._core import validation
from .._core.progress import Progress, counting
from .._core.validation import FloatArray
from .counts import IntArray, sizes_of
from .estimators import by_moments
from .intervals import by_drawing
from .methods import generator, resampling
from .resampling import SLACK, batches, plain
from .results import JSTestResult
from .testing import Settings

ESTIMATORS = "null", "adjusted", "plugin"
"""Those that need nothing but the mean by chance."""


def check_groups(groups: Any, rows: int) -> Any:
    """Return which rows are in the first of two groups."""
    given = np.asanyarray(groups)
    mask, labels = getattr(given, "mask", False), np.asarray(given)
    if labels.shape != (rows,):
        raise ValueError(f"groups has shape {labels.shape}; x has {rows} rows, and each is in one")
    # Beside text, NumPy makes text of a NaN too.
    as_given = np.asarray(groups, object) if labels.dtype.kind in "US" else labels
    lost = mask | np.fromiter(map(_is_lost, as_given), bool, rows)
    if lost.any():
        place = int(lost.argmax())
        found = "masked" if np.any(mask) else as_given[place]
        raise ValueError(f"groups[{place}] is {found}; each row of x is in a group")
    try:
        names, places = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise TypeError("groups has labels of several kinds; make all of them text") from error
    if len(names) != 2:
        found = ", ".join(map(repr, names[:5].tolist()))
        raise ValueError(f"groups has {len(names)} different labels ({found}); it must have two")
    return places.reshape(rows) == 0


def _is_lost(label: Any) -> bool:
    """Whether a label stands for none: None, NaN, NaT, or pandas' NA, which is equal to nothing."""
    if label is None:
        return True
    try:
        return bool(ne(label, label))
    except TypeError:
        return True


def check_estimator_of_groups(estimator: str) -> None:
    """Raise if an estimator takes observations for independent, which rows are not."""
    if estimator not in ESTIMATORS:
        listed = ", ".join(map(repr, ESTIMATORS))
        raise ValueError(f"estimator is {estimator!r}; with groups, it must be one of {listed}")


def sums_of(rows: IntArray, first: Any) -> tuple[IntArray, IntArray]:
    """Return the sums of both groups, for one choice of the first or for many."""
    # Floats, because NumPy multiplies matrices of integers without BLAS.
    x = (first.astype(float) @ rows.astype(float)).astype(np.intp)
    return x, rows.sum(axis=0) - x


def permuted(
    rows: IntArray, first: Any, method: Any, workers: int | None, progress: Progress | None
) -> tuple[FloatArray, bool]:
    """Return divergences with rows in the groups by chance, and whether that is all there are."""
    number, size = len(rows), int(first.sum())
    ways = math.comb(number, size)
    if ways <= method.n_resamples and not hasattr(method, "rvs"):
        chosen = np.array(list(combinations(range(number), size)))
        every = np.zeros((len(chosen), number), bool)
        np.put_along_axis(every, chosen, True, axis=1)
        values = _divergences(rows, every, workers)
        counting(progress, ways)(ways)
        return values, True
    rng, report = generator(method), counting(progress, int(method.n_resamples))
    found = []
    for count in batches(method, max(rows.shape)):
        places = np.argsort(rng.random((count, number)), axis=1)
        found.append(_divergences(rows, places < size, workers))
        report(count)
    return np.concatenate(found), False


def _divergences(rows: IntArray, first: Any, workers: int | None) -> FloatArray:
    x, y = sums_of(rows, first)
    with np.errstate(invalid="ignore"):
        return plain(x, y, workers)


def _defined(values: FloatArray, otherwise: FloatArray) -> FloatArray:
    """Return the values that there are: where rows are empty, a group may be, and has none."""
    there = values[~np.isnan(values)]
    return there if len(there) else otherwise


def tail(observed: float, by_chance: FloatArray, is_all: bool) -> float:
    """Return the p-value."""
    if np.isnan(observed):
        return np.nan
    reached = int((by_chance >= observed * (1 - SLACK)).sum())
    return reached / len(by_chance) if is_all else (reached + 1) / (len(by_chance) + 1)


def rows_along(values: IntArray, axis: Any) -> IntArray:
    """Return a matrix of counts with the categories' axis last."""
    if values.ndim != 2:
        raise ValueError(f"x has shape {values.shape}; with groups it must be 2-d, one row an item")
    axes = validation.normalise_axes(axis, 2)
    if len(axes) != 1:
        raise ValueError(f"axis is {axis!r}; with groups it must be one axis")
    return np.ascontiguousarray(values if axes == (1,) else values.T)


def compare_groups(
    rows: IntArray,
    groups: Any,
    settings: Settings,
    shape: tuple[int, ...],
    progress: Progress | None,
) -> JSTestResult:
    """Test whether two groups of rows come from one distribution."""
    check_estimator_of_groups(settings.estimator)
    method = _method(settings.method)
    first = check_groups(groups, len(rows))
    sizes_of("x", rows.ravel())
    observed = _divergences(rows, first[None], settings.workers)
    by_chance, is_all = permuted(rows, first, method, settings.workers, progress)
    by_chance = _defined(by_chance, observed)
    mean = np.array([by_chance.mean()])
    estimate = by_moments(settings.estimator, observed, mean, mean)

    def shaped(values: Any) -> Any:
        return (values / settings.divisor).reshape(shape)[()]

    return JSTestResult(
        statistic=shaped(observed),
        pvalue=np.full(shape, tail(observed[0], by_chance, is_all))[()],
        estimate=shaped(estimate),
        null_mean=shaped(mean),
        null_std=shaped(np.array([by_chance.std()])),
        undersampled=np.full(shape, False)[()],
        _interval=Intervals(rows, first, observed, mean, estimate, shape, settings),
    )


@dataclass(frozen=True)
class Intervals:
    """What gives confidence intervals of two groups that were tested; it can be pickled."""

    rows: IntArray
    first: Any
    observed: FloatArray
    mean: FloatArray
    """Of the divergence by chance."""
    estimate: FloatArray
    shape: tuple[int, ...]
    settings: Settings

    def __call__(self, level: float, method: Any) -> tuple[Any, Any]:
        """Return both ends, in the shape of the result."""
        if method is None:
            raise ValueError(
                "method is None, and with groups an interval needs rows drawn again: pass "
                "scipy.stats.BootstrapMethod(method='basic')"
            )
        ends = by_drawing(self.estimate, [self._draw], method, level)
        low, high = ((end / self.settings.divisor).reshape(self.shape)[()] for end in ends)
        return low, high

    def _draw(self, method: Any, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        found = []
        for count in batches(method, self.rows.shape[1]):
            x, y = (_drawn(self.rows[part], count, rng) for part in (self.first, ~self.first))
            with np.errstate(invalid="ignore"):
                values = plain(x, y, self.settings.workers)
            found.append(by_moments(self.settings.estimator, values, self.mean, self.mean))
        return _defined(np.concatenate(found), self.estimate), self.observed[0]


def _method(method: Any) -> Any:
    if method == "auto":
        from scipy.stats import PermutationMethod

        return PermutationMethod()
    if not resampling(method):
        raise ValueError(
            f"method is {method!r}; with groups, rows are permuted: pass 'auto', or a "
            "PermutationMethod of scipy.stats"
        )
    return method


def _drawn(rows: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Return sums of as many rows, drawn with replacement."""
    number = len(rows)
    weights = rng.multinomial(number, np.full(number, 1 / number), count)
    sums: IntArray = (weights.astype(float) @ rows.astype(float)).astype(np.intp)
    return sums
