"""Names that are imported when they are first used, each listed once: in the package's stub.

As SciPy's and scikit-image's packages do it, by `lazy_loader.attach_stub`, but without its import
of `ast`: a line of the stub is ``from .module import name as name``, or ``from . import module as
module`` for a module that is one of the package's names, though not of its ``__all__``.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def attach(
    package: str, *there: str
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__all__``, ``__getattr__`` and ``__dir__`` of a package that has a stub.

    `there` are public names that the package has without them.
    """
    module: Any = sys.modules[package]
    stub = module.__spec__.loader.get_data(f"{module.__path__[0]}/__init__.pyi").decode()
    homes = {
        words[3]: words[1] for line in stub.splitlines() if (words := line.split())[:1] == ["from"]
    }

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] == ".":
            return import_module(f".{name}", package)
        value = getattr(import_module(homes[name], package), name)
        setattr(module, name, value)
        return value

    def names() -> list[str]:
        own = {name for name in vars(module) if name.startswith("__")}
        return sorted({*own, *homes, *there})

    public = [name for name, home in homes.items() if home != "."]
    return sorted([*public, *there]), find, names
