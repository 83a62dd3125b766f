"""``python -m jsdiv_numba`` is the command ``jsdiv``."""

import sys

from jsdiv_numba.cli import main

if __name__ == "__main__":
    sys.exit(main())
