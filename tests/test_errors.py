"""The page of errors: what each of its rows calls wrong has to raise what it says."""

import ast
import re
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import xarray

import jsdiv_numba.dask
from jsdiv_numba import cli

PAGE = (Path(__file__).parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
CODE = re.compile(r"`(.*)`")


def _rows(section: str) -> list[tuple[str, str]]:
    """Return the first two cells of each row of a section's table, without their backticks."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(CODE.sub(r"\1", wrong), CODE.sub(r"\1", error)) for wrong, error, _ in cells]


def _matches(message: str, written: str) -> bool:
    """Whether a message is what the page says; an ellipsis there stands for anything."""
    pattern = ".*".join(map(re.escape, written.split("…")))
    return re.fullmatch(pattern, message, re.DOTALL) is not None


def test_every_section_has_a_table():
    assert list(SECTIONS) == [
        "Functions",
        "Dask arrays",
        "Losses",
        "Schemes",
        "The command's files",
        "The command's arguments",
    ]
    assert all(_rows(section) for section in SECTIONS)


@pytest.mark.parametrize(
    ("wrong", "error"), [*_rows("Functions"), *_rows("Losses"), *_rows("Schemes")]
)
def test_a_call_raises_what_the_page_says(wrong, error):
    names = {name: getattr(jsdiv_numba, name) for name in jsdiv_numba.__all__}
    P = np.array([[0.5, 0.5], [0.2, 0.8]])
    with pytest.raises((TypeError, ValueError)) as raised:
        eval(wrong, {**names, "np": np, "P": P, **_of_schemes(P)})
    assert _matches(f"{type(raised.value).__name__}: {raised.value}", error)


def _of_schemes(P: np.ndarray) -> dict[str, object]:
    return {"arg": {"p": P, "q": P[::-1]}, "loss": jsdiv_numba.JSDivergenceLoss()}


@pytest.mark.parametrize(("wrong", "error"), _rows("Dask arrays"))
def test_a_call_with_dask_arrays_raises_what_the_page_says(wrong, error):
    P = np.array([[0.5, 0.5], [0.2, 0.8]])
    names = {name: getattr(jsdiv_numba, name) for name in ("js_divergence", "kneighbors", "dask")}
    with pytest.raises((TypeError, ValueError)) as raised:
        eval(wrong, {**names, "P": P, "xarray": xarray, "D": da.from_array(P, chunks=1)})
    assert _matches(f"{type(raised.value).__name__}: {raised.value}", error)


def _command_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(arguments) == 2
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.startswith("jsdiv: ")
    assert stderr.count("\n") == 1
    return stderr.removeprefix("jsdiv: ").removesuffix("\n")


@pytest.mark.parametrize(("content", "error"), _rows("The command's files"))
def test_a_wrong_file_is_described_as_the_page_says(tmp_path, monkeypatch, capsys, content, error):
    monkeypatch.chdir(tmp_path)
    Path("counts.csv").write_text(ast.literal_eval(f"'{content}'"), encoding="utf-8")
    assert _matches(_command_error(["pairwise", "counts.csv"], capsys), error)


@pytest.mark.parametrize(("command", "error"), _rows("The command's arguments"))
def test_a_wrong_argument_is_described_as_the_page_says(
    tmp_path, monkeypatch, capsys, command, error
):
    monkeypatch.chdir(tmp_path)
    Path("counts.csv").write_text("label,x,y\na,1,2\nb,3,4\n", encoding="utf-8")
    program, *arguments = command.split()
    assert program == "jsdiv"
    assert _matches(_command_error(arguments, capsys), error)
    assert [path.name for path in tmp_path.iterdir()] == ["counts.csv"]


def test_an_ellipsis_matches_anything_and_nothing_else_does():
    assert _matches("axis is 7; use 1", "axis is 7; …")
    assert not _matches("axis is 7; use 1", "axis is 7")
    assert not _matches("an axis is 7", "axis is …")
