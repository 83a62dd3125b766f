"""The recipes of the guide: each is run on its file, and prints what the page says."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from jsdiv_numba import cli

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "guide" / "recipes.md").read_text(encoding="utf-8")
RECIPES = re.findall(r"^```console\n\$ jsdiv ([^\n]+)\n(.*?)^```", PAGE, re.M | re.S)
FILES = DOCS / "examples" / "recipes"


@pytest.mark.parametrize(("command", "shown"), RECIPES, ids=[command for command, _ in RECIPES])
def test_a_recipe_prints_what_the_page_says(tmp_path, monkeypatch, capsys, command, shown):
    shutil.copytree(FILES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    code = cli.main(shlex.split(command))
    captured = capsys.readouterr()
    printed = [line.rstrip() for line in (captured.err + captured.out).splitlines()]
    assert printed == shown.splitlines()
    assert code == (2 if shown.startswith("jsdiv: ") else 0)


def test_every_file_has_a_recipe():
    used = {word for command, _ in RECIPES for word in shlex.split(command)}
    assert {path.name for path in FILES.iterdir()} <= used


@pytest.mark.parametrize("tool", ["Excel", "R", "pandas", "biom", "MALLET", "Polars", "DuckDB"])
def test_the_page_has_the_tools_that_people_use(tool):
    assert f"\n## {tool}\n" in PAGE
