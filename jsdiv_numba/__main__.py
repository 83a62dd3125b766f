"""``python -m jsdiv_numba`` is the command ``jsdiv``."""

import sys
from typing import Any


class _NoPandas:
    """Finds no pandas: the command does without it.

    pyarrow (26) imports it, where it is installed, to convert arrays of its own. That takes a
    quarter of a second, in which a Ctrl-C is lost, or taken for a damaged file.
    """

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def main() -> int:
    """Run the command, which Ctrl-C may stop while it is still being imported."""
    sys.meta_path.insert(0, _NoPandas())
    try:
        from jsdiv_numba.cli import main as jsdiv

        return jsdiv()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
