"""Builds a wheel with all kernels and uses it: ``python -m tests.wheel FOLDER``.

In a copy of the repository, whose wheel is installed into an environment of its own. There every
function is called without a cache, and Numba must not be imported.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

from tests.test_cache import EVERYTHING

ROOT = Path(__file__).parents[1]
LEVELS = "x86-64-v3", "x86-64-v4"
SOURCES = "jsdiv_numba", "README.md", "LICENSE", "pyproject.toml"


def run(*command: object, **options: object) -> None:
    print("+", *command, flush=True)
    subprocess.run(list(map(str, command)), check=True, **options)


def main(folder: Path) -> None:
    """Build it, install it, use it."""
    copied = folder / "source"
    for name in SOURCES:
        path = ROOT / name
        (shutil.copytree if path.is_dir() else shutil.copy2)(path, copied / name)
    built = copied / "jsdiv_numba" / "_kernels" / "built"
    # Where Python finds the package that the wheel will have: its sources are in the kernels' key.
    build = sys.executable, "-m", "jsdiv_numba", "cache", "build"
    for level in LEVELS:
        run(*build, "--target", level, "-o", built, cwd=copied)
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, copied)
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    (pure,) = folder.glob("*.whl")
    run(sys.executable, "-m", "wheel", "tags", "--remove", "--platform-tag", platform, pure)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True, clear=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "install", "--quiet", wheel)
    environment = {**os.environ, "JSDIV_NUMBA_CACHE": "0"}
    environment.pop("PYTHONPATH", None)
    run(python, "-c", AFTERWARDS, cwd=folder, env=environment)
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB, nothing compiled")


AFTERWARDS = f"""
import io, sys
out, sys.stdout = sys.stdout, io.StringIO()
exec({EVERYTHING!r})
sys.stdout = out
assert "numba" not in sys.modules
from jsdiv_numba import cache
print("kernels built in for", cache.info().built_in)
"""


def arguments(given: Sequence[str]) -> Path:
    """Return the folder, empty."""
    (name,) = given
    folder = Path(name).absolute()
    shutil.rmtree(folder / "source", ignore_errors=True)
    for old in folder.glob("*.whl"):
        old.unlink()
    (folder / "source").mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main(arguments(sys.argv[1:]))
