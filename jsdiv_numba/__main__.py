"""``python -m jsdiv_numba`` is the command ``jsdiv``."""

import sys


def main() -> int:
    """Run the command, which Ctrl-C may stop while it is still being imported."""
    try:
        from jsdiv_numba.cli import main as jsdiv

        return jsdiv()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
