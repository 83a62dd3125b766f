"""Tests of samples, against SciPy's: ``python -m benchmarks.samples``.

SciPy has no test with this statistic. `scipy.stats.chi2_contingency` with a `MonteCarloMethod`
answers the same question by its own, from tables drawn with the same margins.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks import roofline
from benchmarks.tables import Goal, Line, duration, heading, ratios, table
from benchmarks.timing import Contender, median_seconds, progress, seconds_per_call
from jsdiv_numba.stats import cdist_test, js_test, pdist_test


class Setting(NamedTuple):
    """Samples of distributions that are equal but for chance."""

    kind: str
    categories: int
    sizes: tuple[int, int]
    """The fewest and the most observations."""

    goal: Goal
    """Of microseconds a pair."""

    def __str__(self) -> str:
        low, high = self.sizes
        sizes = f"{low:,} each" if low == high else f"{low:,} to {high:,}"
        return f"{self.kind}, {self.categories:,} categories, {sizes}"

    def drawn(self, number: int, rng: np.random.Generator) -> np.ndarray:
        """Return so many samples."""
        weights = np.ones(self.categories)
        if self.kind == "Zipf":
            weights = 1 / np.arange(1, self.categories + 1)
        sizes = rng.integers(self.sizes[0], self.sizes[1] + 1, number)
        return rng.multinomial(sizes, weights / weights.sum())


SPARSE, MANY = Goal(100, smaller_is_better=True), Goal(50, smaller_is_better=True)
SETTINGS = (
    Setting("uniform", 1000, (1000, 1500), SPARSE),
    Setting("Zipf", 1000, (1000, 1500), SPARSE),
    Setting("Zipf", 1000, (1000, 1000), SPARSE),
    Setting("uniform", 100, (100_000, 200_000), MANY),
    Setting("uniform", 1000, (1_000_000, 2_000_000), MANY),
    Setting("Zipf", 1000, (20_000, 40_000), MANY),
    Setting("Zipf", 1000, (20_000, 20_000), MANY),
)

ALL_PAIRS = SETTINGS[:2]
MINUTE = Goal(60, smaller_is_better=True)


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    samples: int
    """Each against others: their square is the number of pairs that a time is divided by."""

    resamples: int
    many: int
    """Samples that are all tested against each other, on two threads."""

    repeats: int


FULL = Sizes(samples=20, resamples=9999, many=2000, repeats=7)
QUICK = Sizes(samples=3, resamples=99, many=10, repeats=1)


def scipy_test(both: np.ndarray, method: stats.MonteCarloMethod) -> float:
    """Return SciPy's p-value of a pair, for which no correction for continuity is allowed."""
    return stats.chi2_contingency(both, correction=False, method=method).pvalue


def pair_cells(setting: Setting, sizes: Sizes, rng: np.random.Generator) -> list[str]:
    """Return what a pair takes, and how many times as long SciPy's takes."""
    progress(str(setting))
    X, Y = (setting.drawn(sizes.samples, rng) for _ in range(2))
    both = np.stack([X[0], Y[0]])
    both = both[:, both.any(axis=0)]
    method = stats.MonteCarloMethod(n_resamples=sizes.resamples, rng=np.random.default_rng(0))
    seconds = median_seconds(
        [
            Contender("ours", lambda: cdist_test(X, Y, workers=1), repeats=sizes.repeats),
            Contender("SciPy", lambda: scipy_test(both, method), repeats=1),
        ]
    )
    ours = seconds["ours"] / sizes.samples**2
    goal = setting.goal
    measured = f"{ours * 1e6:.1f} µs", f"{goal.written(goal.bound)} µs", goal.met(ours * 1e6)
    ratio = f"{seconds['SciPy'] / ours:,.0f}"
    return [str(setting), *measured, duration(seconds["SciPy"]), ratio]


def all_pairs_line(setting: Setting, sizes: Sizes, rng: np.random.Generator) -> Line:
    """Return how long all pairs take."""
    progress(f"all pairs of {setting}")
    X = setting.drawn(sizes.many, rng)
    pdist_test(X[:3])
    taken = seconds_per_call(Contender("ours", lambda: pdist_test(X, workers=2)))
    pairs = sizes.many * (sizes.many - 1) // 2
    what = f"seconds of {pairs:,} tests, two threads: {setting}"
    return Line(what, taken, MINUTE, duration(taken), f"{taken / pairs * 1e6:.1f} µs a pair")


def agreement(sizes: Sizes, rng: np.random.Generator) -> str:
    """Return how far p-values are from those of tables drawn with the same margins."""
    setting = Setting("Zipf", 100, (300, 600), SPARSE)
    X = setting.drawn(2 * sizes.samples, rng)
    x, y = X[::2], X[1::2]
    method = stats.MonteCarloMethod(n_resamples=sizes.resamples, rng=np.random.default_rng(0))
    p, drawn = js_test(x, y).pvalue, js_test(x, y, method=method).pvalue
    error = np.sqrt(drawn * (1 - drawn) / sizes.resamples)
    return (
        f"{len(p)} p-values of samples ({setting}) differ from those of {sizes.resamples:,} tables "
        f"drawn with the same margins by {np.abs(p - drawn).max():.4f} at most; "
        f"the standard error of these is up to {error.max():.4f}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few and small samples")
    given = parser.parse_args(arguments)
    sizes, rng = QUICK if given.quick else FULL, np.random.default_rng(0)
    lines = [pair_cells(setting, sizes, rng) for setting in SETTINGS]
    several = [all_pairs_line(setting, sizes, rng) for setting in ALL_PAIRS]
    command = "python -m benchmarks.samples" + (" --quick" if given.quick else "")
    note = (
        f"`cdist_test` of {sizes.samples} × {sizes.samples} samples, one thread, median of "
        f"{sizes.repeats}; SciPy's `chi2_contingency(method=MonteCarloMethod())` of one pair, "
        f"{sizes.resamples:,} tables"
    )
    print(heading(command, roofline.instruction_set(), note, agreement(sizes, rng)))
    print()
    headings = "samples", "a pair", "at most", "met", "SciPy", "ratio"
    print(table(headings, lines))
    print()
    print(ratios(several))


if __name__ == "__main__":
    main()
