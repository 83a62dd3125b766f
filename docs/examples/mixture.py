"""Find which languages a text is made of, and how much of each.

Draws `docs/_static/mixture.png`. A text is mixed from three languages: 5,000 letters drawn from
`letters.csv`. An optimiser finds the mixture of all 18 languages whose letters are nearest to those
of the text, by the derivatives of `JSDivergenceLoss`.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import minimize

from jsdiv_numba import JSDivergenceLoss

TABLE = Path(__file__).with_name("letters.csv")
MIXED = {"Danish": 0.5, "Italian": 0.3, "Polish": 0.2}
LETTERS = 5_000
START = 20.0
"""The first step's size: near the solution the loss is flat, at 1e-4."""


def read_table() -> tuple[list[str], np.ndarray]:
    """Return the languages, and how often each letter stands in one."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    counts = np.array([row[1:] for row in rows], dtype=float)
    return [row[0] for row in rows], counts / counts.sum(axis=1, keepdims=True)


def mixed_text(languages: list[str], letters: np.ndarray) -> np.ndarray:
    """Return the letters of a text, counted."""
    weights = np.array([MIXED.get(language, 0.0) for language in languages])
    return np.random.default_rng(0).multinomial(LETTERS, weights @ letters)


def unmix(letters: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Return how much of each language makes the text, as nearly as any mixture does."""
    loss, observed = JSDivergenceLoss(nu=START), text / text.sum()

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, (in_mixture, _) = loss.value_and_grad(weights @ letters, observed)
        return float(value), letters @ in_mixture

    number = len(letters)
    found = minimize(
        objective,
        np.full(number, 1 / number),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * number,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
        options={"ftol": 1e-10, "maxiter": 1000},
    )
    return np.asarray(found.x)


def draw(languages: list[str], found: np.ndarray) -> Figure:
    """Return the picture: what was mixed, and what was found."""
    figure = Figure(figsize=(6.4, 4), layout="constrained", dpi=120)
    axes = figure.subplots()
    order = np.argsort(found)
    places = np.arange(len(order))
    axes.barh(places, found[order], color="#c2185b", label="found")
    mixed = {place: MIXED.get(languages[i]) for place, i in zip(places, order, strict=True)}
    style = {"color": "black", "markersize": 11, "markeredgewidth": 2, "label": "mixed"}
    axes.plot([*mixed.values()], [*mixed], "|", **style)
    axes.set_yticks(places, [languages[i] for i in order])
    axes.set_xlabel(f"share of the text's {LETTERS:,} letters")
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Mix, unmix and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", type=Path, default="mixture.png")
    options = parser.parse_args()
    languages, letters = read_table()
    found = unmix(letters, mixed_text(languages, letters))
    draw(languages, found).savefig(options.plot)
    for i in np.argsort(-found)[:5]:
        print(f"{languages[i]:18} {found[i]:6.1%}  mixed {MIXED.get(languages[i], 0.0):6.1%}")


if __name__ == "__main__":
    main()
