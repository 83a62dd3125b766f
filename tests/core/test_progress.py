"""How far a call is, shown or told."""

import sys

import numpy as np
import pytest

from jsdiv_numba import kneighbors
from jsdiv_numba._core.progress import told

ROWS = np.random.default_rng(0).dirichlet(np.ones(5), size=400)


@pytest.mark.parametrize("progress", [None, False])
def test_nobody_is_told(progress):
    with told(progress, "Neighbours") as tell:
        assert tell is None


def test_a_function_is_told_itself():
    with told(print, "Neighbours") as tell:
        assert tell is print


def test_true_shows_a_bar_that_ends_full(capsys):
    kneighbors(ROWS, progress=True)
    shown = capsys.readouterr().out
    assert "Neighbours" in shown
    assert "100%" in shown


def test_an_error_ends_the_bar():
    with pytest.raises(ZeroDivisionError), told(True, "Neighbours"):
        raise ZeroDivisionError
    with told(True, "Neighbours"):  # rich has one live display at a time
        pass


def test_without_rich_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ImportError, match="pip install rich, or pass a function"):
        kneighbors(ROWS, progress=True)
