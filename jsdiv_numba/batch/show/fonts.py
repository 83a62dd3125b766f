"""Fonts of the system for what stands in a picture, and what none of them has."""

import logging
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

import matplotlib as mpl
from matplotlib import font_manager

from jsdiv_numba.batch.errors import PictureWarning

_FIRST = "DejaVu Sans"
"""Matplotlib's own font, which it always has."""

_LAST_RESORT = "Last Resort"
_MOST_NAMED = 5
_PICTOGRAPHS = 0x1F000
_SCRIPTS = {"CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean"}
# What is not drawn: spaces, and marks of a text's direction.
_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}


@contextmanager
def fonts_for(texts: Iterable[str], picture: str) -> Iterator[None]:
    """Have all characters of some texts drawn in a block, and warn of those that no font has."""
    wanted = {character for text in texts for character in text if _is_drawn(character)}
    families, missing = _families(wanted - _characters(_path_of(_FIRST)))
    if missing:
        warnings.warn(f"{picture}: {_without(missing)}", PictureWarning, stacklevel=3)
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    # Where a font has no bold face, the usual one will do.
    log.setLevel(logging.ERROR)
    try:
        with mpl.rc_context({"font.family": [_FIRST, *families]}):
            yield
    finally:
        log.setLevel(level)


def _is_drawn(character: str) -> bool:
    return unicodedata.category(character) not in _INVISIBLE


def _families(wanted: set[str]) -> tuple[list[str], set[str]]:
    """Return fonts that together have some characters, and the characters that none has."""
    found: list[str] = []
    for name, path in _candidates() if wanted else ():
        here = wanted & _characters(path)
        if here:
            found.append(name)
            wanted = wanted - here
        if not wanted:
            break
    return found, wanted


def _candidates() -> list[tuple[str, str]]:
    """Return the system's upright fonts of usual weight, those made for all scripts first."""
    fonts = {
        font.name: font.fname
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and str(font.weight) in {"400", "regular", "normal"}
    }
    names = [name for name in fonts if not name.startswith(_LAST_RESORT)]
    names.sort(key=lambda name: (not name.startswith("Noto Sans"), "Sans" not in name, name))
    return [(name, fonts[name]) for name in names]


def _path_of(name: str) -> str:
    return font_manager.findfont(name)


@cache
def _characters(path: str) -> frozenset[str]:
    """Return what a font has; nothing of a font of bitmaps, which cannot be scaled."""
    try:
        font = font_manager.get_font(path)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _script(character: str) -> str:
    name = unicodedata.name(character, "unknown").split()[0]
    return "emoji" if ord(character) >= _PICTOGRAPHS else _SCRIPTS.get(name, name.title())


def _without(missing: set[str]) -> str:
    """Say which characters are missing, one of each script."""
    scripts: dict[str, str] = {}
    for character in sorted(missing):
        scripts.setdefault(_script(character), character)
    named = [f"{script} ({character})" for script, character in scripts.items()]
    listed = ", ".join(named[:_MOST_NAMED]) + (", …" if len(named) > _MOST_NAMED else "")
    return (
        f"no font of this system has what is written in {listed}; it is drawn as boxes; install "
        "one that does, for example Noto Sans"
    )
