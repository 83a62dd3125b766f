"""The picture of what makes a divergence."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.explain import explain
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.show.bars import draw_bars, write_bars

VALUES = np.array([[8.0, 1.0, 2.0, 0.0], [2.0, 1.0, 1.0, 6.0]])


def explained(labels=("x", "y"), columns=("a", "b", "c", "d"), top=10, values=VALUES):
    file = LabelledRows("folder/f.csv", values, tuple(labels), "k", tuple(columns))
    return explain(file, "0", "1", Quantity("js_divergence", 2.0), top)


def texts(figure):
    return [text.get_text() for text in figure.texts]


def test_bars_point_to_the_row_that_has_more():
    result = explained()
    (axes,) = draw_bars(result).axes
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_array_equal(widths, -result.parts.signs * result.parts.values)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["d", "a", "c", "b"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    shares = [f"{share:.1%}" for share in result.parts.shares]
    assert [text.get_text() for text in axes.texts] == [*shares, "◂ more in x", "more in y ▸"]


def test_each_side_has_the_colour_of_its_name():
    (axes,) = draw_bars(explained()).axes
    left, right = axes.texts[-2:]
    for bar in axes.patches:
        name = right if bar.get_width() > 0 else left
        assert to_rgb(bar.get_facecolor()) == to_rgb(name.get_color())


def test_zero_stands_in_the_middle_and_everything_has_room():
    (axes,) = draw_bars(explained()).axes
    left, right = axes.get_xlim()
    assert left == -right
    assert right > max(abs(bar.get_width()) for bar in axes.patches)
    assert axes.get_xlabel() == "part of the divergence (bits)"
    assert all(label.get_text()[:1] != "−" for label in axes.get_xticklabels())


def test_what_is_written_above():
    result = explained(top=2)
    share = f"{result.parts.shares.sum():.1%}"
    assert texts(draw_bars(result)) == [
        (
            f"2 of 4 columns of f.csv make {share} of a Jensen–Shannon divergence of "
            f"{result.parts.total:.4g} bits"
        ),
        "x against y",
    ]


def test_equal_rows_have_no_bars(tmp_path):
    result = explained(values=np.array([[1.0, 2, 3, 4], [2.0, 4, 6, 8]]))
    figure = draw_bars(result)
    assert not figure.axes[0].patches
    assert texts(figure)[0] == "The rows of f.csv are equal once divided by their sums"
    write_bars(tmp_path / "f.png", result)


def test_the_picture_shows_both_colours(tmp_path):
    write_bars(tmp_path / "f.png", explained())
    pixels = imread(tmp_path / "f.png")[..., :3]
    axes = draw_bars(explained()).axes[0]
    for bar in axes.patches:
        near = np.abs(pixels - to_rgb(bar.get_facecolor())).max(axis=-1) < 0.02
        assert near.sum() > 100
        middle = pixels.shape[1] / 2
        columns = np.flatnonzero(near[near.shape[0] // 3 :].any(axis=0))
        assert (np.median(columns) > middle) == (bar.get_width() > 0)


def test_labels_are_no_formulas_and_not_too_long():
    result = explained(["$x$", "y" * 60], ["$", "$\\alpha$", "c" * 40, "["])
    figure = draw_bars(result)
    labels = figure.axes[0].get_yticklabels()
    assert not any(text.get_parse_math() for text in [*labels, *figure.texts])
    assert max(len(text.get_text()) for text in labels) == 28


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_formats(tmp_path, suffix, start):
    write_bars(tmp_path / f"f.{suffix}", explained())
    assert (tmp_path / f"f.{suffix}").read_bytes().startswith(start)


@pytest.mark.filterwarnings("ignore::jsdiv_numba.batch.errors.PictureWarning")
def test_a_script_that_no_font_has_draws_no_warning_for_each_glyph(tmp_path):
    write_bars(tmp_path / "f.png", explained(["東京", "京都"], "甲乙丙丁"))


def test_drawing_needs_and_changes_no_global_state(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    before = mpl.rcParams.copy()
    write_bars(tmp_path / "f.png", explained())
    assert mpl.rcParams.copy() == before


def test_a_picture_that_cannot_be_written(tmp_path):
    with pytest.raises(FileError, match="cannot be written: No such file or directory"):
        write_bars(tmp_path / "missing" / "f.png", explained())


@pytest.mark.parametrize("first", [0.9, 0.99, 0.5])
def test_shares_clear_the_names(first):
    values = np.array([[first, 1 - first, 0], [0, 0, 1]])
    figure = draw_bars(explained(columns=["c1136", "b", "c"], values=values))
    figure.canvas.draw()
    (axes,) = figure.axes
    names = max(label.get_window_extent().x1 for label in axes.get_yticklabels())
    shares = [text.get_window_extent() for text in axes.texts if text.get_text().endswith("%")]
    assert all(box.x0 > names for box in shares)
    assert all(box.x1 < axes.get_window_extent().x1 for box in shares)


def test_names_that_run_from_right_to_left_stand_where_they_are_said_to():
    figure = draw_bars(explained(["العربية", "فارسی"]))
    title = "\u200e\u2068العربية\u2069 \u2068against\u2069 \u2068فارسی\u2069"
    assert title in texts(figure)
