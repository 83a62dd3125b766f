"""The README: its two lines are what a stranger types, so they have to be right."""

import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import distance as scipy_distance

from jsdiv_numba import cli, jensenshannon

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))


def _shell_blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _line(section: str) -> str:
    (block,) = _shell_blocks(SECTIONS[section])
    (line,) = block.splitlines()
    return str(line)


def _project() -> dict[str, object]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isinstance(project, dict)
    return project


def test_it_has_two_sections():
    assert list(SECTIONS) == ["Run it", "Test it"]


@pytest.mark.parametrize("section", ["Run it", "Test it"])
def test_a_section_has_one_block_of_one_line(section):
    line = _line(section)
    assert line == line.strip()
    assert line


def test_no_shell_block_stands_elsewhere():
    assert len(_shell_blocks(README)) == len(SECTIONS)


def test_the_files_on_its_lines_exist():
    words = " ".join(map(_line, SECTIONS)).split()
    paths = [word for word in words if "/" in word]
    assert paths
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_the_extras_on_its_lines_exist():
    extras = set(re.findall(r'"\.\[([\w,]+)\]"', " ".join(map(_line, SECTIONS))))
    assert extras
    declared = _project()["optional-dependencies"]
    assert {name for extra in extras for name in extra.split(",")} <= set(declared)


def test_the_command_on_its_line_is_installed():
    (command,) = re.findall(r"&& (\w+) ", _line("Run it"))
    assert command in _project()["scripts"]


def test_the_commands_of_its_table_run(tmp_path, monkeypatch, capsys):
    table = str(ROOT / "docs" / "examples" / "letters.csv")
    files = {**dict.fromkeys(["A", "B", "TABLE", "REF", "CUR"], table), "ROW": "Danish"}
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"`jsdiv ([^`]+)` \|$", README, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        words = [files.get(word, word) for word in command.split()]
        assert cli.main(words) == 0, capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {
        "heatmap.png",
        "nearest.csv",
        "drift.html",
    }


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_continuous_integration_runs_the_line_of_test_it():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (find_line,) = (line for line in script.splitlines() if line.startswith("line="))
    command = ["bash", "-c", f'{find_line}; printf %s "$line"']
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert found.stdout == _line("Test it")


def test_scipy_has_no_digit_right_where_it_says_so():
    assert "# SciPy's has no digit right" in README
    p = np.array([0.2, 0.3, 0.5])
    q = p + np.array([1e-9, 0, -1e-9])
    theirs = scipy_distance.jensenshannon(p, q)
    assert not abs(theirs / jensenshannon(p, q) - 1) < 0.5
