"""Cut the genome of a virus where its words of three letters change most.

Draws `docs/_static/genome.png`: at each place the divergence of the words on its left from those on
its right, weighted by how many they are, and the reading frames of both strands.

``lambda.fa.gz`` is the genome of phage lambda (F. Sanger et al., Journal of Molecular Biology 162
(1982) 729-773), NC_001416.1 of NCBI's RefSeq, which puts no restrictions on its use; it was taken
from Debian's package bowtie2-examples.
"""

import argparse
import gzip
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from jsdiv_numba import js_divergence

GENOME = Path(__file__).with_name("lambda.fa.gz")
LETTERS = "ACGT"
START, STOPS = "ATG", ("TAA", "TAG", "TGA")
CUTS = 4
FEWEST_WORDS = 100
"""On each side of a cut."""

SHUFFLED = 20
LONG = 100
"""Codons of a reading frame that is hardly there by chance."""

RIGHT, LEFT = "#2a6fbb", "#c2185b"


class Cut(NamedTuple):
    """Where a piece is cut: as many words are on the left of it in all."""

    place: int
    start: int
    stop: int
    divergence: float


class Frame(NamedTuple):
    """A stretch from a start codon to the next stop codon, and which way it is read."""

    start: int
    stop: int
    forward: bool

    @property
    def length(self) -> int:
        """The number of letters."""
        return self.stop - self.start


def read_genome() -> np.ndarray:
    """Return the letters, as numbers from 0 to 3."""
    with gzip.open(GENOME, "rt", encoding="ascii") as file:
        text = "".join(line.strip() for line in file if not line.startswith(">"))
    return np.array([LETTERS.index(letter) for letter in text])


def number_of(word: str) -> int:
    """Return the number of a word of three letters."""
    a, b, c = map(LETTERS.index, word)
    return 16 * a + 4 * b + c


def words_in(letters: np.ndarray) -> np.ndarray:
    """Return the number of the word of three letters that begins at each place."""
    return 16 * letters[:-2] + 4 * letters[1:-1] + letters[2:]


def divergences(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each place to cut, and the divergence of what is left of it from what is right."""
    number = len(words)
    before = np.zeros((number + 1, 64))
    before[np.arange(1, number + 1), words] = 1
    before = before.cumsum(axis=0)
    places = np.arange(FEWEST_WORDS, number - FEWEST_WORDS + 1)
    left = before[places]
    right = before[-1] - left
    shares = [side / side.sum(axis=1, keepdims=True) for side in (left, right)]
    return places, js_divergence(*shares, weight=1 - places / number, keepdims=False)


def best_cut(words: np.ndarray, start: int, stop: int) -> Cut:
    """Return where the two parts of a piece differ most."""
    places, values = divergences(words[start:stop])
    best = int(values.argmax())
    return Cut(start + int(places[best]), start, stop, float(values[best]))


def segment(words: np.ndarray, number: int = CUTS) -> list[Cut]:
    """Cut as often, each time the piece whose parts, with all their words, differ most."""
    cuts: list[Cut] = []
    candidates = [best_cut(words, 0, len(words))]
    while len(cuts) < number:
        cut = max(candidates, key=lambda cut: (cut.stop - cut.start) * cut.divergence)
        candidates.remove(cut)
        cuts.append(cut)
        candidates += [best_cut(words, *piece) for piece in
                       ((cut.start, cut.place), (cut.place, cut.stop))]  # fmt: skip
    return cuts


def by_chance(letters: np.ndarray, cut: Cut) -> float:
    """Return how much two parts of the same letters differ at most, in any of many orders."""
    rng = np.random.default_rng(0)
    piece = letters[cut.start : cut.stop + 2]
    orders = (words_in(rng.permutation(piece)) for _ in range(SHUFFLED))
    return max(float(divergences(words)[1].max()) for words in orders)


def frames_of(letters: np.ndarray, codons: int) -> list[Frame]:
    """Return the reading frames of both strands that have as many codons."""
    strands = ((letters, True), (3 - letters[::-1], False))  # A pairs with T, C with G
    return [
        Frame(a, b, True) if forward else Frame(len(letters) - b, len(letters) - a, False)
        for strand, forward in strands
        for phase in range(3)
        for a, b in _frames(words_in(strand)[phase::3], phase)
        if b - a >= 3 * codons
    ]


def _frames(codons: np.ndarray, phase: int) -> list[tuple[int, int]]:
    starts = np.flatnonzero(codons == number_of(START))
    stops = np.flatnonzero(np.isin(codons, [*map(number_of, STOPS)]))
    found = []
    for before, stop in zip([-1, *stops[:-1]], stops, strict=True):
        first = np.searchsorted(starts, before)
        if first < len(starts) and starts[first] < stop:
            found.append((phase + 3 * int(starts[first]), phase + 3 * int(stop) + 3))
    return found


def apart(frames: list[Frame]) -> list[Frame]:
    """Return those of which no longer one has half, in their order."""
    kept: list[Frame] = []
    for frame in sorted(frames, key=lambda frame: -frame.length):
        shared = [min(frame.stop, other.stop) - max(frame.start, other.start) for other in kept]
        if max(shared, default=0) < frame.length / 2:
            kept.append(frame)
    return sorted(kept)


def pieces(cuts: list[Cut], frames: list[Frame], number: int) -> list[tuple[range, list[Frame]]]:
    """Return the pieces, and the frames whose middle is in each."""
    edges = [0, *sorted(cut.place for cut in cuts), number]
    middles = [(frame.start + frame.stop) // 2 for frame in frames]
    return [
        (range(a, b), [f for f, middle in zip(frames, middles, strict=True) if a <= middle < b])
        for a, b in pairwise(edges)
    ]


def draw(words: np.ndarray, cuts: list[Cut], frames: list[Frame]) -> Figure:
    """Return the picture."""
    figure = Figure(figsize=(9, 4.6), layout="constrained", dpi=120)
    above, below = figure.subplots(2, sharex=True, height_ratios=[3, 1.3])
    for number, cut in enumerate(cuts, 1):
        places, values = divergences(words[cut.start : cut.stop])
        above.plot((cut.start + places) / 1000, values, color=f"{0.15 * number:.2f}", linewidth=1)
        above.annotate(f"{number}", (cut.place / 1000, cut.divergence), (0, 3), ha="center",
                       textcoords="offset points", weight="bold")  # fmt: skip
        for axes in (above, below):
            axes.axvline(cut.place / 1000, color="0.75", linewidth=1, zorder=0)
    above.set(ylabel="divergence of left and right, nats", ylim=(0, None))
    above.margins(y=0.12)
    for frame in frames:
        height = 1 if frame.forward else -1
        start, stop = frame.start / 1000, frame.stop / 1000
        ends = (start, stop) if frame.forward else (stop, start)
        below.annotate("", (ends[1], height), (ends[0], height), arrowprops={
            "arrowstyle": "simple,head_width=0.6,tail_width=0.3", "shrinkA": 0, "shrinkB": 0,
            "color": RIGHT if frame.forward else LEFT, "linewidth": 0})  # fmt: skip
    below.set_yticks([1, -1], ["read to the right", "to the left"])
    below.set(ylim=(-2, 2), xlim=(0, len(words) / 1000))
    below.set_xlabel("place in the genome, thousands of letters; frames of 100 codons and more")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    below.tick_params(axis="y", length=0)
    return figure


def main() -> None:
    """Cut, compare with chance and with reading frames, and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--plot", type=Path, default="genome.png")
    options = parser.parse_args()
    letters = read_genome()
    words = words_in(letters)
    cuts, frames = segment(words), apart(frames_of(letters, LONG))
    for cut in cuts:
        times = cut.divergence / by_chance(letters, cut)
        print(f"cut at {cut.place:,}: {cut.divergence:.4f} nats, {times:.1f} times what chance has")
    for piece, inside in pieces(cuts, frames, len(letters)):
        share = np.isin(letters[piece.start : piece.stop], [1, 2]).mean()
        forward = sum(frame.forward for frame in inside)
        print(f"{piece.start:,} to {piece.stop:,}: {share:.0%} are C or G; {forward} frames are")
        print(f"    read to the right, {len(inside) - forward} to the left")
    draw(words, cuts, frames).savefig(options.plot)


if __name__ == "__main__":
    main()
