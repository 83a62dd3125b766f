"""Fonts for what stands in a picture."""

import warnings
from types import SimpleNamespace

import matplotlib as mpl
import pytest
from matplotlib import font_manager

from jsdiv_numba.batch.errors import PictureWarning
from jsdiv_numba.batch.show import fonts
from jsdiv_numba.batch.show.fonts import fonts_for


@pytest.fixture
def system(monkeypatch):
    """A system whose fonts have what is said, and their order in Matplotlib's list."""

    def has(**characters):
        listed = [
            SimpleNamespace(name=name.replace("_", " "), fname=name, style="normal", weight=400)
            for name in characters
        ]
        path = font_manager.findfont("DejaVu Sans")
        known = {path: set(map(chr, range(32, 0x600)))} | characters
        monkeypatch.setattr(font_manager.fontManager, "ttflist", listed)
        monkeypatch.setattr(fonts, "_path_of", lambda _: path)
        monkeypatch.setattr(fonts, "_characters", lambda path: frozenset(known[path]))

    return has


def families(*texts):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fonts_for(texts, "p.png"):
            return mpl.rcParams["font.family"]


def test_of_fonts_only_those_that_are_needed(system):
    system(Other="漢ก", Noto_Sans_Thai="ก", Noto_Sans_CJK="漢字", Noto_Sans_Tamil="த")
    before = list(mpl.rcParams["font.family"])
    assert families("Danish", "ελληνικά") == ["DejaVu Sans"]
    assert families("漢 ก") == ["DejaVu Sans", "Noto Sans CJK", "Noto Sans Thai"]
    assert mpl.rcParams["font.family"] == before


def test_what_no_font_has_is_told_by_script(system):
    system(Noto_Sans_Thai="ก")
    with pytest.warns(PictureWarning) as warned, fonts_for(["ก", "漢字", "ह", "🚀"], "p.png"):
        pass
    assert [str(w.message) for w in warned] == [
        (
            "p.png: no font of this system has what is written in Devanagari (ह), Chinese (字), "
            "emoji (🚀); it is drawn as boxes; install one that does, for example Noto Sans"
        )
    ]


def test_marks_of_direction_need_no_font(system):
    system()
    assert families("\u200eab\u2068\u2069\n\t") == ["DejaVu Sans"]


def test_a_file_that_is_no_font_has_no_characters(tmp_path):
    path = tmp_path / "x.ttf"
    path.write_bytes(b"no font")
    assert fonts._characters(str(path)) == frozenset()


def test_the_font_that_is_always_there_has_what_we_write():
    path = font_manager.findfont("DejaVu Sans")
    assert set("–√◂▸…Aβł") <= fonts._characters(path)
