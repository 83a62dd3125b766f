"""What the documentation shows and doctest cannot run: terminals, lists of pages and of names."""

import re
import shutil
from pathlib import Path

import pytest

import jsdiv_numba
from jsdiv_numba import batch, cli

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(
    ("page", "command"),
    [("command", "pairwise"), ("command", "explain"), ("samples", "pairwise")],
)
def test_the_guide_shows_what_the_command_prints(tmp_path, monkeypatch, capsys, page, command):
    guide = (DOCS / "guide" / f"{page}.md").read_text(encoding="utf-8")
    console = re.search(rf"^```console\n\$ jsdiv ({command} [^\n]+)\n(.*?)^```", guide, re.M | re.S)
    assert console is not None
    arguments, shown = console.groups()
    for table in ("letters.csv", "letter-samples.csv"):
        shutil.copy(DOCS / "examples" / table, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments.split()) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert printed == shown.splitlines()


def test_the_guide_of_samples_ends_an_explanation_as_the_command_does(capsys):
    table = str(DOCS / "examples" / "letter-samples.csv")
    assert cli.main(["explain", table, "Danish 1", "Norwegian Bokmål 1", "--test"]) == 0
    sentence = capsys.readouterr().out.splitlines()[-1]
    guide = (DOCS / "guide" / "samples.md").read_text(encoding="utf-8")
    assert sentence in " ".join(guide.replace("\n> ", " ").split())


def test_every_page_is_in_the_table_of_contents():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = {
        line
        for tree in re.findall(r"^```{toctree}\n(.*?)^```", index, re.M | re.S)
        for line in tree.splitlines()
        if line and not line.startswith(":")
    }
    pages = {
        str(path.relative_to(DOCS).with_suffix(""))
        for pattern in ("*.md", "*.rst")
        for path in DOCS.rglob(pattern)
        if "_build" not in path.parts
    }
    assert listed == pages - {"index"}


def test_every_public_name_is_in_the_reference():
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.rst"))
    described = re.findall(r"^\.\. (?:autofunction|autoclass|data):: (\w+)$", pages, re.M)
    assert sorted(described) == [name for name in jsdiv_numba.__all__ if name != "__version__"]


def test_every_name_of_batch_that_is_described_is_imported_from_it():
    page = (DOCS / "api" / "batch.rst").read_text(encoding="utf-8")
    described = re.findall(r"^\.\. auto\w+:: jsdiv_numba\.(\S+)$", page, re.M)
    assert len(described) > 10
    assert {name.removeprefix("batch.") for name in described} <= set(batch.__all__)


AMERICAN = re.compile(
    r"\b(\w*(normal|optim|minim|maxim|recogn|summar|initial|vector|parallel)iz(e|es|ed|ing|ation)"
    r"|(behavi|col|fav|neighb)ors?|centers?|centered|gray|labeled|modeling|catalogs?)\b",
    re.IGNORECASE,
)
CODE = re.compile(
    r"^```.*?^```$|^(\w+/)?\w+$|^:[^\n]*$|^<!--[^\n]*-->$|`[^`]*`|\[\w+\]\([^)]*\)|\]\([^)]*\)|https?://\S+",
    re.DOTALL | re.MULTILINE,
)


def test_pages_are_in_british_english():
    """Names in code are as they are, such as SciPy's `normalize`."""
    pages = [DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))]
    found = {page.name: AMERICAN.findall(CODE.sub("", page.read_text("utf-8"))) for page in pages}
    assert {name: words for name, words in found.items() if words} == {}
