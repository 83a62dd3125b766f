"""What is printed, on terminals and into pipes."""

import io

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

from jsdiv_numba.batch.explain import explain
from jsdiv_numba.batch.in_memory import Pairwise, RowByRow
from jsdiv_numba.batch.io.rows import LabelledRows
from jsdiv_numba.batch.quantity import Quantity
from jsdiv_numba.batch.show.console import (
    print_explanation,
    print_pairs,
    print_rows,
    print_written,
    progress,
    standard_console,
)

DISTANCE = Quantity("jensenshannon")


def rows(labels, source="f.csv"):
    return LabelledRows(source, np.ones((len(labels), 3)), tuple(labels), "k", None)


def square(labels):
    n = len(labels)
    matrix = np.zeros((n, n))
    matrix[np.triu_indices(n, 1)] = np.linspace(0.1, 0.8, n * (n - 1) // 2)
    first = rows(labels)
    return Pairwise(first, first, DISTANCE, matrix + matrix.T)


def printed(show, *arguments, **console):
    file = io.StringIO()
    show(Console(file=file, width=console.pop("width", 200), **console), *arguments)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_all_pairs_where_there_are_few():
    assert printed(print_pairs, square("abc"), 5) == [
        "f.csv: 3 rows × 3 columns; 3 pairs",
        (
            "Jensen–Shannon distance in √nats: 0 for equal rows, "
            "0.8326 for rows with nothing in common"
        ),
        "",
        "All pairs        √nats",
        "a           b   0.1000",
        "a           c   0.4500",
        "b           c   0.8000",
    ]


def test_closest_and_farthest_where_there_are_many():
    assert printed(print_pairs, square("abcd"), 2)[2:] == [
        "",
        "Closest pairs        √nats",
        "a               b   0.1000",
        "a               c   0.2400",
        "",
        "Farthest pairs        √nats",
        "c                d   0.8000",
        "b                d   0.6600",
    ]


@pytest.mark.parametrize(("result", "top"), [(square("a"), 5), (square("abc"), 0)])
def test_no_pairs_no_table(result, top):
    assert len(printed(print_pairs, result, top)) == 2


def test_pairs_of_two_files():
    matrix = np.array([[0.0, 0.5]])
    result = Pairwise(rows("x"), rows("yz", "g.csv"), Quantity("js_divergence", 2.0), matrix)
    lines = printed(print_pairs, result, 1)
    assert lines[0] == "f.csv: 1 row × 3 columns; g.csv: 2 rows × 3 columns; 2 pairs"
    assert lines[3:] == [
        "All pairs         bits",
        "x           y   0.0000",
        "x           z   0.5000",
    ]


def test_rows_have_one_label_where_both_files_agree():
    result = RowByRow(rows("ab"), rows("ab", "g.csv"), DISTANCE, np.array([0.5, 1.234e-9]))
    lines = printed(print_rows, result, 5)
    assert lines[0] == "f.csv: 2 rows × 3 columns; g.csv: 2 rows × 3 columns"
    assert lines[3:] == ["All rows      √nats", "b          1.23e-09", "a            0.5000"]


def test_rows_have_two_labels_where_the_files_differ():
    result = RowByRow(rows("abc"), rows("xyz"), DISTANCE, np.array([0.5, 0.25, 0.75]))
    lines = printed(print_rows, result, 1)
    assert lines[3:5] == ["Closest rows        √nats", "b              y   0.2500"]
    assert lines[6:8] == ["Farthest rows        √nats", "c               z   0.7500"]


def explained(labels, columns, top=5):
    values = np.array([[8.0, 1.0, 1.0, 0.0], [2.0, 1.0, 1.0, 6.0]])
    file = LabelledRows("f.csv", values, tuple(labels), "k", columns)
    return explain(file, "0", "1", Quantity("js_divergence"), top)


def test_columns_that_make_a_divergence():
    lines = printed(print_explanation, explained("xy", ("a", "b", "c", "d")))
    assert lines[:2] == [
        "f.csv: 2 rows × 4 columns; x against y",
        (
            "Jensen–Shannon divergence in nats: 0 for equal rows, "
            "0.6931 for rows with nothing in common"
        ),
    ]
    assert [line.split() for line in lines[3:]] == [
        ["Column", "More", "in", "nats", "share", "x", "y"],
        ["d", "y", "0.2079", "68.33%", "0%", "60.00%"],
        ["a", "x", "0.0964", "31.67%", "80.00%", "20.00%"],
        ["2", "others", "0.0000", "0%"],
        ["All", "0.3043", "100%"],
    ]


def test_columns_beyond_the_top():
    lines = printed(print_explanation, explained("xy", None, top=1))
    assert [line.split()[:2] for line in lines[4:]] == [
        ["column", "3"],
        ["3", "others"],
        ["All", "0.3043"],
    ]


def test_proportions_show_whether_they_are_zero():
    values = np.array([[1.0, 0.0, 1e6], [0.0, 40.0, 1e6]])
    file = LabelledRows("f.csv", values, ("x", "y"), "k", tuple("abc"))
    result = explain(file, "x", "y", Quantity("js_divergence"), 3)
    lines = [line.split() for line in printed(print_explanation, result)]
    assert lines[4][-2:] == ["0%", "<0.01%"]
    assert lines[5][-2:] == ["<0.01%", "0%"]
    assert lines[6][-2:] == ["100.00%", "100.00%"]


def test_labels_of_an_explanation_are_printed_as_they_are():
    result = explained(["[bold]x[/bold]", "[y]"], ("[red]", "b", "c", "[/red]"))
    text = "\n".join(printed(print_explanation, result))
    for label in ("[bold]x[/bold] against [y]", "[red]", "[/red]"):
        assert label in text


def test_a_narrow_terminal_cuts_no_explanation():
    result = explained(["Norwegian Bokmål", "Norwegian Nynorsk"], ("a", "b", "c", "d"))
    lines = printed(print_explanation, result, width=60, force_terminal=True)
    lines = [Text.from_ansi(line).plain for line in lines]
    assert max(map(len, lines)) <= 60
    assert "80.00%" in " ".join(lines)


def test_labels_are_printed_as_they_are():
    lines = printed(print_pairs, square(["[bold]x[/bold]", "a" * 60]), 5)
    assert lines[-1].split() == ["[bold]x[/bold]", "a" * 24 + "…" + "a" * 23, "0.1000"]


@pytest.mark.parametrize("width", [30, 40, 60])
def test_a_narrow_terminal_cuts_nothing(width):
    labels = ["Norwegian Bokmål", "Norwegian Nynorsk"]
    lines = printed(print_pairs, square(labels), 5, width=width, force_terminal=True)
    lines = [Text.from_ansi(line).plain for line in lines]
    assert max(map(len, lines)) <= width
    text = " ".join(lines)
    assert "0.1000" in text
    for word in ("Norwegian", "Bokmål", "Nynorsk"):
        assert word in text


def test_a_pipe_has_whole_lines(capsys):
    print_pairs(standard_console(), square(["a" * 45, "b" * 45]), 5)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["a" * 45, "b" * 45, "0.1000"]


def test_written_files_are_named(tmp_path):
    paths = [tmp_path / "[x].csv", None]
    assert printed(print_written, paths) == ["", f"Wrote {tmp_path}/[x].csv"]
    assert printed(print_written, [None]) == []


def test_progress_is_silent_without_a_terminal(capsys):
    with progress("3 × 3 rows"):
        pass
    assert capsys.readouterr() == ("", "")
