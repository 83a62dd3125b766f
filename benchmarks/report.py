"""Fill in what the pages say was measured: ``python -m benchmarks.report docs/benchmarks.md``.

A page marks the place for a script's output with the script and its arguments:
``<!-- begin: benchmarks.rows --quick -->`` and ``<!-- end: benchmarks.rows -->``, each on a
line of its own. What stands between is replaced by what the script prints.
"""

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.timing import progress

PLACE = re.compile(
    r"^<!-- begin: (?P<script>benchmarks\.\w+)(?P<arguments>.*?) -->\n"
    r"(?P<output>.*?)"
    r"^<!-- end: (?P=script) -->$",
    re.DOTALL | re.MULTILINE,
)


PICTURE = "benchmarks.picture"


def output_of(script: str, arguments: str) -> str:
    """Run a script and return what it prints; its progress goes to stderr."""
    progress(f"python -m {script}{arguments}")
    command = [sys.executable, "-m", script, *shlex.split(arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def filled_in(place: re.Match[str]) -> str:
    script, arguments = place["script"], place["arguments"]
    output = output_of(script, arguments)
    return f"<!-- begin: {script}{arguments} -->\n\n{output}\n\n<!-- end: {script} -->"


def page_of(text: str) -> str:
    """Run a page's scripts, the picture's last: it may come first and shows what others measure."""
    places = sorted(PLACE.finditer(text), key=lambda place: place["script"] == PICTURE)
    filled = {place.start(): filled_in(place) for place in places}
    return PLACE.sub(lambda place: filled[place.start()], text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all scripts of all pages, in their order but for the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("page", nargs="+", type=Path, help="Markdown to fill in")
    for page in parser.parse_args(arguments).page:
        page.write_text(page_of(page.read_text()))


if __name__ == "__main__":
    main()
