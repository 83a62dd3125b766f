"""P-values, estimates and intervals of samples, tried: ``python -m benchmarks.calibration``.

Draws pairs of samples and counts: how often a test rejects where there is nothing to find, how far
the estimates are off, how often an interval holds the divergence, and how often a difference is
found. Prints the tables of docs/calibration.md; with ``--picture``, draws them.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import xlogy

from jsdiv_numba import js_divergence
from jsdiv_numba.stats import JSTestResult, js_test

LEVELS = 0.05, 0.01, 0.001, 1e-4
BATCH_ELEMENTS = 1 << 22


class Setting(NamedTuple):
    """Two samples of a distribution."""

    kind: str
    categories: int
    first: int
    second: int

    def __str__(self) -> str:
        sizes = f"{self.first:,} and {self.second:,}"
        return f"{self.kind}, {self.categories:,} categories, {sizes}"


SIZES = (
    *((5, 10, 10), (5, 30, 300), (20, 100, 100), (20, 40, 2000), (100, 50, 50)),
    *((100, 500, 500), (100, 200, 5000), (1000, 200, 200), (1000, 2000, 2000), (1000, 500, 20000)),
)
GRID = [Setting(kind, *size) for kind in ("uniform", "Zipf") for size in SIZES]

DIFFERENCES = 0.0, 0.005, 0.02, 0.2
"""Divergences of the distributions, in nats."""

COVERED = [
    Setting(kind, categories, size, size)
    for kind in ("uniform", "Zipf")
    for categories, sizes in ((10, (50, 500, 5000)), (100, (100, 500, 5000)), (1000, (500, 5000)))
    for size in sizes
]

POWER = [
    (Setting("uniform", 10, 100, 100), 0.02),
    (Setting("Zipf", 10, 100, 100), 0.02),
    (Setting("Zipf", 20, 200, 2000), 0.01),
    (Setting("uniform", 100, 500, 500), 0.02),
    (Setting("Zipf", 100, 500, 500), 0.02),
    (Setting("Zipf", 1000, 2000, 2000), 0.02),
]


def distribution(kind: str, categories: int) -> np.ndarray:
    """Return equal probabilities, or those of Zipf's law."""
    weights = np.ones(categories) if kind == "uniform" else 1 / np.arange(1, categories + 1)
    return weights / weights.sum()


def at_distance(p: np.ndarray, divergence: float) -> np.ndarray:
    """Return probabilities that lie so far from others, by log-normal factors."""
    factors = np.random.default_rng(3).standard_normal(len(p))
    low, high = 0.0, 30.0
    for _ in range(80):
        middle = (low + high) / 2
        q = p * np.exp(middle * factors - np.max(middle * factors))
        q /= q.sum()
        if js_divergence(p, q, keepdims=False) < divergence:
            low = middle
        else:
            high = middle
    return q if divergence else p


def drawn(
    setting: Setting, q: np.ndarray, number: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of samples, so many at a time as memory holds."""
    p = distribution(setting.kind, setting.categories)
    step = max(1, BATCH_ELEMENTS // setting.categories)
    for start in range(0, number, step):
        size = min(step, number - start)
        yield rng.multinomial(setting.first, p, size), rng.multinomial(setting.second, q, size)


class Null(NamedTuple):
    """What was found where there is nothing to find."""

    pvalues: np.ndarray
    bias: float
    """Of the estimate, in standard errors of the simulation."""


def of_null(setting: Setting, number: int, rng: np.random.Generator) -> Null:
    """Test pairs of samples of one distribution."""
    pvalues, estimates = [], []
    for x, y in drawn(setting, distribution(setting.kind, setting.categories), number, rng):
        result = js_test(x, y)
        pvalues.append(result.pvalue)
        estimates.append(result.estimate)
    values = np.concatenate(estimates)
    error = values.std() / math.sqrt(number)
    return Null(np.concatenate(pvalues), float(values.mean() / error))


def null_line(setting: Setting, null: Null) -> str:
    """Return a line of the table of errors."""
    ratios = [np.mean(null.pvalues <= level) / level for level in LEVELS]
    cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"| {setting} | {cells} | {null.bias:+.1f} |"


class Coverage(NamedTuple):
    """How often intervals hold the divergence."""

    held: float
    flagged: float
    """How many are said to have too few observations."""


def coverage(
    setting: Setting, divergence: float, number: int, rng: np.random.Generator
) -> Coverage:
    """Return it for samples whose distributions are so far apart."""
    p = distribution(setting.kind, setting.categories)
    q = at_distance(p, divergence)
    true = float(js_divergence(p, q, keepdims=False))
    held, flagged = [], []
    for x, y in drawn(setting, q, number, rng):
        result = js_test(x, y, method="moments")
        low, high = result.confidence_interval()
        held.append((low <= true + 1e-15) & (true <= high))
        flagged.append(result.undersampled)
    return Coverage(float(np.concatenate(held).mean()), float(np.concatenate(flagged).mean()))


def coverage_line(setting: Setting, found: Sequence[Coverage]) -> str:
    """Return a line of the table of intervals; stars mark where most are flagged."""
    cells = (f"{100 * each.held:.1f}{' *' if each.flagged > 0.5 else ''}" for each in found)
    return f"| {setting} | {' | '.join(cells)} |"


def g_test(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the p-values of the G-test, by the χ² distribution of the categories that occur."""
    totals = x + y
    sizes = x.sum(axis=1), y.sum(axis=1)
    whole = sizes[0] + sizes[1]
    g = sum(
        xlogy(rows, rows).sum(axis=1) - xlogy(n, n) for rows, n in zip((x, y), sizes, strict=True)
    )
    g += xlogy(whole, whole) - xlogy(totals, totals).sum(axis=1)
    return stats.chi2.sf(2 * g, np.maximum((totals > 0).sum(axis=1) - 1, 1))


def power_line(setting: Setting, divergence: float, number: int, rng: np.random.Generator) -> str:
    """Return how often both tests reject at 5 %, with and without a difference."""
    p = distribution(setting.kind, setting.categories)
    cells = []
    for q in (at_distance(p, divergence), p):
        ours, gs = [], []
        for x, y in drawn(setting, q, number, rng):
            result: JSTestResult = js_test(x, y)
            ours.append(result.pvalue <= 0.05)
            gs.append(g_test(x, y) <= 0.05)
        cells += [f"{100 * np.concatenate(each).mean():.1f}" for each in (ours, gs)]
    return f"| {setting}: {divergence} | {' | '.join(cells)} |"


def draw_picture(path: Path, nulls: dict[Setting, Null], covered: dict[Setting, list]) -> None:
    """Draw the p-values against those that they should be, and a map of the intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for setting, null in nulls.items():
        values = np.sort(null.pvalues)
        rank = np.arange(1, len(values) + 1) / (len(values) + 1)
        shown = np.unique(np.geomspace(1, len(values), 200).astype(int)) - 1
        style = {"color": "tab:blue" if setting.kind == "uniform" else "tab:orange", "alpha": 0.5}
        left.plot(rank[shown], values[shown], lw=1, **style)
    ends = [1e-5, 1]
    left.plot(ends, ends, color="black", lw=1)
    left.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    left.set(xlabel="share of p-values up to this", ylabel="p-value")
    left.set_title("No difference: blue uniform, orange Zipf", fontsize=10)
    held = np.array([[100 * each.held for each in row] for row in covered.values()])
    image = right.imshow(held, vmin=80, vmax=100, cmap="RdYlGn", aspect="auto")
    for (i, j), value in np.ndenumerate(held):
        flag = "*" if list(covered.values())[i][j].flagged > 0.5 else ""
        right.text(j, i, f"{value:.0f}{flag}", ha="center", va="center", fontsize=8)
    right.set_yticks(range(len(covered)), [_short(setting) for setting in covered], fontsize=8)
    right.set_xticks(range(len(DIFFERENCES)), DIFFERENCES)
    right.set_xlabel("divergence of the distributions, nats")
    right.set_title("95 % intervals that hold it, in 100; * flagged", fontsize=10)
    figure.colorbar(image)
    figure.savefig(path, dpi=110)


def _short(setting: Setting) -> str:
    return f"{setting.kind} K={setting.categories} n={setting.first}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100_000, help="pairs of samples a setting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--picture", type=Path, help="file for the picture")
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(given.seed)
    fewer = max(given.draws // 20, 1)
    levels = " | ".join(f"{level:g}" for level in LEVELS)
    print(f"| two samples of one distribution | {levels} | bias |")
    print("|---|" + "---|" * (len(LEVELS) + 1))
    nulls = {}
    for setting in GRID:
        nulls[setting] = of_null(setting, given.draws, rng)
        print(null_line(setting, nulls[setting]), flush=True)
    print(f"\n| intervals | {' | '.join(map(str, DIFFERENCES))} |")
    print("|---|" + "---|" * len(DIFFERENCES))
    covered = {}
    for setting in COVERED:
        covered[setting] = [coverage(setting, each, fewer, rng) for each in DIFFERENCES]
        print(coverage_line(setting, covered[setting]), flush=True)
    print("\n| difference | found | found by G | error | error of G |")
    print("|---|---|---|---|---|")
    for setting, divergence in POWER:
        print(power_line(setting, divergence, fewer, rng), flush=True)
    if given.picture:
        draw_picture(given.picture, nulls, covered)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
