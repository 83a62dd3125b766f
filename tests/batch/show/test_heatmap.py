"""The heat map."""

import sys
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from jsdiv_numba.batch.errors import FileError
from jsdiv_numba.batch.in_memory import compare_pairs
from jsdiv_numba.batch.io.rows import LabelledRows, default_labels
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.show.clustering import cluster
from jsdiv_numba.batch.show.heatmap import draw, write_picture

QUANTITY = Quantity("jensenshannon", 2.0)


def rows(n, labels=None, seed=0):
    values = np.random.default_rng(seed).random((n, 5))
    return LabelledRows("f.csv", values, tuple(labels or default_labels(n)), "k", None)


def compare(first, second=None):
    return compare_pairs(first, second or first, QUANTITY)


def tick_labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def shown_matrix(axes):
    return np.asarray(axes.images[0].get_array())


def test_rows_and_columns_stand_in_the_order_of_the_clustering():
    result = compare(rows(9))
    heat_map, *_ = draw(result).axes
    order = cluster(result.matrix).order
    np.testing.assert_array_equal(shown_matrix(heat_map), result.matrix[np.ix_(order, order)])
    assert tick_labels(heat_map.yaxis) == [f"row {i}" for i in order]
    assert tick_labels(heat_map.xaxis) == tick_labels(heat_map.yaxis)


def test_two_files_are_clustered_each_by_itself():
    first, second = rows(4), rows(7, seed=1)
    result = compare(first, second)
    heat_map, *trees, _ = draw(result).axes
    i, j = (cluster(compare(side).matrix).order for side in (first, second))
    np.testing.assert_array_equal(shown_matrix(heat_map), result.matrix[np.ix_(i, j)])
    assert [len(tree.collections[0].get_segments()) for tree in trees] == [3, 6]


def test_the_dendrogram_stands_beside_its_rows():
    heat_map, tree, _ = draw(compare(rows(9))).axes
    assert tree.get_ylim() == heat_map.get_ylim()
    boxes = [axes.get_position() for axes in (heat_map, tree)]
    np.testing.assert_allclose(boxes[0].intervaly, boxes[1].intervaly)
    assert boxes[1].x1 < boxes[0].x0


def test_the_colour_bar_names_quantity_and_unit():
    result = compare(rows(9))
    bar = draw(result).axes[-1]
    assert bar.get_ylabel() == "Jensen–Shannon distance (√bits)"
    np.testing.assert_allclose(bar.get_ylim(), [0.0, result.matrix.max()])


def test_the_colour_bar_clears_the_labels():
    figure = draw(compare(rows(5, ["a label as long as any" + c for c in "abcde"])))
    heat_map, *_, bar = figure.axes
    assert bar.bbox.x0 > heat_map.yaxis.get_tightbbox().x1


@pytest.mark.parametrize(
    ("n", "size", "step_down", "step_across"),
    [(60, None, 1, 1), (70, None, 1, 2), (100, None, 2, 2), (300, None, 5, 6), (100, 12.5, 1, 1)],
)
def test_labels_are_written_where_they_fit(n, size, step_down, step_across):
    result = compare(rows(n))
    heat_map, *_ = draw(result, size).axes
    names = [f"row {i}" for i in cluster(result.matrix).order]
    for axis, step in ((heat_map.yaxis, step_down), (heat_map.xaxis, step_across)):
        assert tick_labels(axis) == names[::step]
        text = "" if step == 1 else f"{n} rows, one in {step} of them named"
        assert axis.get_label_text() == text


@pytest.mark.parametrize("size", [None, 3.0, 20.0])
def test_no_label_touches_the_next(size):
    figure = draw(compare(rows(150)), size)
    heat_map, *_ = figure.axes
    boxes = [label.get_window_extent() for label in heat_map.yaxis.get_ticklabels()]
    assert all(a.y0 > b.y1 for a, b in pairwise(sorted(boxes, key=lambda box: -box.y0)))


@pytest.mark.parametrize("size", [4.0, 10.0])
def test_the_size_is_that_of_the_heat_map(size):
    heat_map, *_ = draw(compare(rows(5), rows(9, seed=1)), size).axes
    inches = heat_map.get_window_extent().size / heat_map.figure.dpi
    np.testing.assert_allclose(inches, [size, size])


def test_labels_are_no_formulas_and_not_too_long():
    labels = ["$x", "$", "\\alpha$", "a" * 40]
    heat_map, *_ = draw(compare(rows(4, labels))).axes
    shown = tick_labels(heat_map.yaxis)
    assert sorted(shown, key=len) == ["$", "$x", "\\alpha$", "a" * 14 + "…" + "a" * 13]
    assert not any(text.get_parse_math() for text in heat_map.yaxis.get_ticklabels())


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("m", [None, 1, 3])
def test_a_picture_of_few_rows(tmp_path, n, m):
    write_picture(tmp_path / "f.png", compare(rows(n), m and rows(m, seed=1)))
    assert min(imread(tmp_path / "f.png").shape[:2]) > 300


def test_equal_rows_have_the_colour_of_zero():
    same = LabelledRows("f.csv", np.ones((3, 2)), ("a", "b", "c"), "k", None)
    heat_map, *_ = draw(compare(same)).axes
    assert heat_map.images[0].norm(0.0) == 0.0


@pytest.mark.parametrize(
    ("suffix", "start"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89")],
)
def test_formats(tmp_path, suffix, start):
    write_picture(tmp_path / f"f.{suffix}", compare(rows(3)))
    assert (tmp_path / f"f.{suffix}").read_bytes().startswith(start)


@pytest.mark.filterwarnings("ignore::jsdiv_numba.batch.errors.PictureWarning")
def test_a_script_that_no_font_has_draws_no_warning_for_each_glyph(tmp_path):
    write_picture(tmp_path / "f.png", compare(rows(2, ["東京", "京都"])))
    assert (tmp_path / "f.png").exists()


def test_drawing_needs_and_changes_no_global_state(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    before = mpl.rcParams.copy()
    write_picture(tmp_path / "f.png", compare(rows(3)))
    assert mpl.rcParams.copy() == before


def test_a_picture_that_cannot_be_written(tmp_path):
    with pytest.raises(FileError, match="cannot be written: No such file or directory"):
        write_picture(tmp_path / "missing" / "f.png", compare(rows(3)))
