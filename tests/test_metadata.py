"""What a package index shows."""

import re
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_description_has_no_link_into_the_repository():
    """Where it is shown, the files that README.md names are not."""
    description = metadata.metadata("jsdiv_numba").json["description"]
    targets = re.findall(r"\]\(([^)\s]+)", description)
    assert len(targets) > 5
    assert [target for target in targets if not target.startswith("https://")] == []


def test_pythons_that_are_named_are_tested():
    """The same ones in the classifiers, in tox.ini and in what runs it for every change."""
    found = metadata.metadata("jsdiv_numba").get_all("Classifier")
    named = [text.rpartition(" ")[2] for text in found if re.search(r":: 3\.\d+$", text)]
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    (minors,) = re.findall(r"\[testenv:py{(.*?)}\]", tox)
    assert [f"3.{minor.removeprefix('3')}" for minor in minors.split(",")] == named
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    (versions,) = re.findall(r"python: \[(.*?)\]", workflow)
    assert re.findall(r"[\d.]+", versions) == named
    assert metadata.metadata("jsdiv_numba")["Requires-Python"] == f">={named[0]}"
