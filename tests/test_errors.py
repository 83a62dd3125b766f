"""The page of errors: what each of its rows calls wrong has to raise what it says."""

import ast
import subprocess
import traceback
from pathlib import Path

import dask.array as da
import numpy as np
import pandas
import pytest
import scipy.sparse
import scipy.stats
import xarray

import jsdiv_numba.dask
from jsdiv_numba import batch, cli, stats
from jsdiv_numba.kernel_approximation import JensenShannonSampler
from tests.errors_page import SECTIONS, matches, rows


def test_every_section_has_a_table():
    assert list(SECTIONS) == [
        "Functions",
        "Samples",
        "Arrays on a device",
        "Dask arrays",
        "Losses",
        "Schemes",
        "The command's files",
        "The command's arguments",
        "The command's unfinished runs",
    ]
    assert all(rows(section) for section in SECTIONS)


@pytest.mark.parametrize(
    ("wrong", "error"), [*rows("Functions"), *rows("Losses"), *rows("Schemes")]
)
def test_a_call_raises_what_the_page_says(wrong, error):
    names = {name: getattr(jsdiv_numba, name) for name in jsdiv_numba.__all__}
    names["JensenShannonSampler"] = JensenShannonSampler
    P = np.array([[0.5, 0.5], [0.2, 0.8]])
    with pytest.raises((TypeError, ValueError)) as raised:
        eval(wrong, {**names, "np": np, "pandas": pandas, "scipy": scipy, "P": P, **_of_schemes(P)})
    assert matches(f"{type(raised.value).__name__}: {raised.value}", error)


@pytest.mark.parametrize(("wrong", "error"), rows("Samples"))
def test_a_test_of_samples_raises_what_the_page_says(wrong, error):
    names = {name: getattr(stats, name) for name in stats.__all__}
    x = [[3, 1, 0, 2], [1, 2, 2, 0]]
    with pytest.raises((TypeError, ValueError)) as raised:
        eval(wrong, {**names, "scipy": scipy, "x": x})
    assert matches(f"{type(raised.value).__name__}: {raised.value}", error)


def _of_schemes(P: np.ndarray) -> dict[str, object]:
    return {"arg": {"p": P, "q": P[::-1]}, "loss": jsdiv_numba.JSDivergenceLoss()}


@pytest.mark.parametrize(("wrong", "error"), rows("Dask arrays"))
def test_a_call_with_dask_arrays_raises_what_the_page_says(wrong, error):
    P = np.array([[0.5, 0.5], [0.2, 0.8]])
    names = {name: getattr(jsdiv_numba, name) for name in ("js_divergence", "kneighbors", "dask")}
    with pytest.raises((TypeError, ValueError)) as raised:
        eval(wrong, {**names, "P": P, "xarray": xarray, "D": da.from_array(P, chunks=1)})
    assert matches(f"{type(raised.value).__name__}: {raised.value}", error)


def _command_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(arguments) == 2
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.startswith("jsdiv: ")
    assert stderr.count("\n") == 1
    return stderr.removeprefix("jsdiv: ").removesuffix("\n")


@pytest.mark.parametrize(("content", "error"), rows("The command's files"))
def test_a_wrong_file_is_described_as_the_page_says(tmp_path, monkeypatch, capsys, content, error):
    monkeypatch.chdir(tmp_path)
    Path("counts.csv").write_text(ast.literal_eval(f"'{content}'"), encoding="utf-8")
    assert matches(_command_error(["pairwise", "counts.csv"], capsys), error)


@pytest.mark.parametrize(("command", "error"), rows("The command's arguments"))
def test_a_wrong_argument_is_described_as_the_page_says(
    tmp_path, monkeypatch, capsys, command, error
):
    monkeypatch.chdir(tmp_path)
    Path("counts.csv").write_text("label,x,y\na,1,2\nb,3,4\n", encoding="utf-8")
    program, *arguments = command.split()
    assert program == "jsdiv"
    assert matches(_command_error(arguments, capsys), error)
    assert [path.name for path in tmp_path.iterdir()] == ["counts.csv"]


class TwoTiles:
    """Threads that compute two tiles and no more."""

    workers = 1

    def results(self, function, tasks):
        yield function(next(tasks))
        yield function(next(tasks))
        raise InterruptedError


@pytest.mark.parametrize(("wrong", "error"), rows("The command's unfinished runs"))
def test_an_unfinished_run_is_described_as_the_page_says(
    tmp_path, monkeypatch, capsys, wrong, error
):
    monkeypatch.chdir(tmp_path)
    Path("counts.csv").write_text("label,x,y\na,1,2\nb,3,4\n", encoding="utf-8")
    with pytest.raises(InterruptedError):
        batch.pairwise("counts.csv", out="half.npy", tile=1, executor=TwoTiles())
    before, _, command = wrong.rpartition("jsdiv ")
    subprocess.run(before, shell=True, check=True)
    assert matches(_command_error(command.split(), capsys), error)


def test_an_ellipsis_matches_anything_and_nothing_else_does():
    assert matches("axis is 7; use 1", "axis is 7; …")
    assert not matches("axis is 7; use 1", "axis is 7")
    assert not matches("an axis is 7", "axis is …")


SCREEN = 6
"""Frames that fit on one: a notebook shows some lines of each that is not hidden."""


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p: jsdiv_numba.js_divergence(p, -p),
        lambda p: jsdiv_numba.js_divergence(p, np.ones(3)),
        lambda p: jsdiv_numba.cdist(p, -p),
        lambda p: jsdiv_numba.pdist(-np.ones((600, 50))),
        lambda p: jsdiv_numba.kneighbors(p, -p, 1),
        lambda p: jsdiv_numba.JSDivergenceLoss().value_and_grad(p, -p),
        lambda p: jsdiv_numba.contributions(p[0], -p[1]),
        lambda p: stats.js_test(-p, p),
    ],
)
def test_an_error_is_one_screen_of_a_notebook(wrong):
    with pytest.raises(ValueError, match=r"\[.*\] is -|broadcast") as raised:
        wrong(np.array([[0.5, 0.5], [1.0, 1.0]]))
    frames = [frame for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
    *between, _ = frames[2:]
    shown = [frame for frame in between if not frame.f_locals.get("__tracebackhide__")]
    assert len(shown) < SCREEN
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
