"""The tables of the page of errors, whose rows the tests run."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
CODE = re.compile(r"`(.*)`")


def rows(section: str) -> list[tuple[str, str]]:
    """Return the first two cells of each row of a section's table, without their backticks."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(CODE.sub(r"\1", wrong), CODE.sub(r"\1", error)) for wrong, error, _ in cells]


def matches(message: str, written: str) -> bool:
    """Whether a message is what the page says; an ellipsis there stands for anything."""
    pattern = ".*".join(map(re.escape, written.split("…")))
    return re.fullmatch(pattern, message, re.DOTALL) is not None
