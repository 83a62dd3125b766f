"""Count how often three tests find a difference between samples that have none.

Draws `docs/_static/chance.png`: the share of pairs of samples of one distribution whose p-value is
up to a level, against the level. Of a test that is right, it is the level.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from scipy.special import xlogy
from scipy.stats import chi2

from jsdiv_numba import js_divergence
from jsdiv_numba.stats import js_test

Counts = np.ndarray
DRAWS = 10_000


class Setting(NamedTuple):
    """How many categories there are, all as likely, and how large the samples are."""

    categories: int
    first: int
    second: int


SETTINGS = Setting(100, 50, 50), Setting(20, 40, 2000), Setting(1000, 2000, 2000)


def drawn(setting: Setting) -> tuple[Counts, Counts]:
    """Draw pairs of samples of one distribution."""
    rng = np.random.default_rng(0)
    p = np.full(setting.categories, 1 / setting.categories)
    return rng.multinomial(setting.first, p, DRAWS), rng.multinomial(setting.second, p, DRAWS)


def by_divergence(x: Counts, y: Counts) -> np.ndarray:
    """Take 2 N times the divergence for χ², as is done where its weights are forgotten."""
    sizes = [each.sum(axis=1, keepdims=True) for each in (x, y)]
    divergence = js_divergence(x / sizes[0], y / sizes[1], keepdims=False)
    return chi2.sf(2 * (sizes[0] + sizes[1])[:, 0] * divergence, x.shape[1] - 1)


def by_g(x: Counts, y: Counts) -> np.ndarray:
    """Test as `scipy.stats.chi2_contingency(lambda_="log-likelihood")` does, without correction."""
    n, m = x.sum(axis=1), y.sum(axis=1)
    g = (xlogy(x, x) + xlogy(y, y) - xlogy(x + y, x + y)).sum(axis=1)
    g += xlogy(n + m, n + m) - xlogy(n, n) - xlogy(m, m)
    return chi2.sf(2 * g, ((x + y) > 0).sum(axis=1) - 1)


TESTS = {
    "js_test": lambda x, y: js_test(x, y).pvalue,
    "G-test": by_g,
    "2N · divergence as χ²": by_divergence,
}


def pvalues(setting: Setting) -> dict[str, np.ndarray]:
    """Return the p-values of all pairs, by each test."""
    samples = drawn(setting)
    return {name: test(*samples) for name, test in TESTS.items()}


def draw() -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(9, 3.4), layout="constrained", dpi=120)
    panels = figure.subplots(1, len(SETTINGS), sharey=True)
    levels = np.geomspace(2e-3, 1, 60)
    for axes, setting in zip(panels, SETTINGS, strict=True):
        axes.plot(levels, levels, color="0.7", linewidth=5, solid_capstyle="round")
        colours = "#c2185b", "#2a6fbb", "#6b6b6b"
        for (name, found), colour in zip(pvalues(setting).items(), colours, strict=True):
            shares = [max((found <= level).mean(), 6e-4) for level in levels]
            axes.plot(levels, shares, color=colour, linewidth=2, label=name)
        axes.set(xscale="log", yscale="log", ylim=(5.5e-4, 1.3), xlim=(2e-3, 1))
        sizes = f"{setting.first:,} and {setting.second:,}"
        axes.set_title(f"{setting.categories:,} categories, samples of\n{sizes}", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel("level")
    panels[0].set_ylabel("share of tests that find a\ndifference where there is none")
    panels[-1].legend(frameon=False, loc="lower right", fontsize=8)
    return figure


def main() -> None:
    """Draw samples, test them, and draw what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", type=Path, default="chance.png")
    options = parser.parse_args()
    draw().savefig(options.plot)
    for setting in SETTINGS:
        for name, found in pvalues(setting).items():
            print(f"{setting}: {name} finds a difference at 0.05 in {(found <= 0.05).mean():.1%}")


if __name__ == "__main__":
    main()
