"""What all pictures share: their ink, bare axes at a place in inches, and how they are written."""

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jsdiv_numba.batch.io.write import replacing
from jsdiv_numba.batch.show.fonts import fonts_for

INK, PALE_INK = "#222222", "#666666"


def bare_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes without frame and ticks."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    axes.set_frame_on(False)
    axes.tick_params(length=0, colors=INK)
    return axes


def write_heading(figure: Figure, bottom: float, title: str, subtitle: str) -> None:
    """Write a title and a paler line below it."""
    up = float(figure.get_size_inches()[1])
    lower = figure.text(0, bottom / up, subtitle)
    lower.set(color=PALE_INK, size=11, parse_math=False)
    upper = figure.text(0, (bottom + 0.3) / up, title)
    upper.set(color=INK, size=17, weight="bold", parse_math=False)


def save(path: Path, draw: Callable[[], Figure], texts: Iterable[str]) -> None:
    """Write a figure, whole or not at all.

    `path`: a ``.png``, ``.svg`` or ``.pdf`` file. Raises `FileError` if the file cannot be
    written.
    """
    with replacing(path) as file, fonts_for(texts, str(path)), warnings.catch_warnings():
        # What no font has is told once, and not for each glyph.
        warnings.filterwarnings("ignore", message="Glyph")
        draw().savefig(
            file, format=path.suffix[1:].lower(), dpi=200, bbox_inches="tight", pad_inches=0.3
        )
