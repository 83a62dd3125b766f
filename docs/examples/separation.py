"""Show how many digits are left of the divergence of two rows that are nearly equal.

Draws `docs/_static/separation.png`: the relative error of four ways to compute it, against how far
apart the rows are.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mpmath import log, mp, mpf
from scipy.spatial import distance
from scipy.special import entr

from jsdiv_numba import js_divergence

Rows = np.ndarray
NO_DIGIT = 1.0


def with_epsilon(p: Rows, q: Rows) -> float:
    """Return what deep-learning code computes: a small number inside the logarithms."""
    m, eps = (p + q) / 2, np.finfo(p.dtype).eps
    kl = [(x * (np.log(x + eps) - np.log(m + eps))).sum() for x in (p, q)]
    return float(kl[0] + kl[1]) / 2


def from_entropies(p: Rows, q: Rows) -> float:
    """Return H(M) - H(P)/2 - H(Q)/2."""
    return float(entr((p + q) / 2).sum() - (entr(p).sum() + entr(q).sum()) / 2)


FORMULAS: dict[str, Callable[[Rows, Rows], float]] = {
    "jsdiv_numba": lambda p, q: float(js_divergence(p, q)[0]),
    "SciPy": lambda p, q: float(distance.jensenshannon(p, q)) ** 2,
    "with an epsilon": with_epsilon,
    "from entropies": from_entropies,
}


def right(p: Rows, q: Rows) -> mpf:
    """Return the divergence of the same floats in 60 digits."""
    with mp.workdps(60):
        pairs = [(mpf(float(x)), mpf(float(y))) for x, y in zip(p, q, strict=True)]
        terms = [x * log(2 * x / (x + y)) + y * log(2 * y / (x + y)) for x, y in pairs]
        return sum(terms) / 2


def errors(separations: Rows, rows: int = 20, width: int = 20) -> dict[str, Rows]:
    """Return each formula's worst relative error at each separation; NaN counts as 1."""
    rng = np.random.default_rng(0)
    found = {name: np.zeros(len(separations)) for name in FORMULAS}
    for i, separation in enumerate(separations):
        for p in rng.dirichlet(np.ones(width), size=rows):
            change = rng.uniform(-1, 1, width) * p
            q = p + separation * (change - p * change.sum())
            exact = right(p, q)
            for name, formula in FORMULAS.items():
                with np.errstate(invalid="ignore"):
                    error = float(abs(formula(p, q) - exact) / exact)
                found[name][i] = max(found[name][i], min(np.nan_to_num(error, nan=1.0), NO_DIGIT))
    return found


def draw(separations: Rows, found: dict[str, Rows]) -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(6.4, 4), layout="constrained", dpi=120)
    axes = figure.subplots()
    colours = "#c2185b", "#6b6b6b", "#7a5fb0", "#2a6fbb"
    for (name, error), colour in zip(found.items(), colours, strict=True):
        width = 3 if name == "jsdiv_numba" else 1.5
        axes.plot(separations, error, color=colour, linewidth=width, label=name)
    axes.set(xscale="log", yscale="log", ylim=(1e-17, 60))
    axes.invert_xaxis()
    axes.set_xlabel("relative difference between the rows: more alike →")
    axes.set_ylabel("worst relative error of the divergence")
    axes.axhspan(NO_DIGIT, 60, color="0.93")
    axes.annotate(
        "no digit right", (0.99, 0.985), xycoords="axes fraction", ha="right", va="top", color="0.4"
    )
    axes.legend(frameon=False, loc="center right")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2)
    return figure


def main() -> None:
    """Compute and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", type=Path, default="separation.png")
    options = parser.parse_args()
    separations = 10.0 ** -np.arange(0.5, 12.1, 0.5)
    found = errors(separations)
    draw(separations, found).savefig(options.plot)
    for name, error in found.items():
        gone = separations[error >= NO_DIGIT]
        print(f"{name:16} worst {error.max():.1e}, no digit right from {max(gone, default=0):.0e}")


if __name__ == "__main__":
    main()
