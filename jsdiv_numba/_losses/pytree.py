"""What the losses of a scheme look at: entries by name, and gradients in their places."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Self, TypeAlias

import numpy as np

__all__ = ["LossArgument", "UnpackingLossArgument"]

Path: TypeAlias = tuple[int | str, ...]
"""Where an argument of a loss stands: a position in the call, then names of entries."""

Tree: TypeAlias = Any
"""The gradient of an argument: an array, a dictionary of trees by name, or None for zero."""


class LossArgument(Mapping[str, Any]):
    """Arguments of losses by name, as entries and as attributes.

    Parameters
    ----------
    **entries
        The arguments.

    Notes
    -----
    The entries stay what they are; the methods make another argument. As in
    hypercoil, an attribute that is no entry is None, and so two arguments are
    equal if they differ in entries of None at most. Arrays are equal if their
    shapes and all elements are.

    Examples
    --------
    >>> from jsdiv_numba.scheme import LossArgument
    >>> arg = LossArgument(topics=[0.5, 0.5], words=[0.25, 0.75])
    >>> arg.words is arg["words"]
    True
    >>> sorted(arg)
    ['topics', 'words']
    >>> print(arg.prior)
    None
    >>> arg + LossArgument(words=[1, 0], prior=[0.5, 0.5])
    LossArgument(topics=[0.5, 0.5], words=[1, 0], prior=[0.5, 0.5])
    """

    _entries: dict[str, Any]

    def __init__(self, **entries: Any) -> None:
        self.__dict__["_entries"] = entries

    @classmethod
    def add(cls, arg: "LossArgument", **entries: Any) -> "LossArgument":
        """Return `arg` with these entries, which win over its own, as a new argument.

        Examples
        --------
        >>> from jsdiv_numba.scheme import LossArgument
        >>> LossArgument.add(LossArgument(P=1, Q=2), R=3)
        LossArgument(P=1, Q=2, R=3)
        """
        return arg + cls(**entries)

    @classmethod
    def all_except(cls, arg: Mapping[str, Any], *names: str) -> Self:
        """Return `arg` as one of this class, without the entries of these names if it has them.

        Examples
        --------
        >>> from jsdiv_numba.scheme import LossArgument
        >>> LossArgument.all_except(LossArgument(P=1, Q=2, R=3), "Q", "R")
        LossArgument(P=1)
        """
        return cls(**{name: value for name, value in arg.items() if name not in names})

    @classmethod
    def replaced(cls, arg: Mapping[str, Any], **entries: Any) -> Self:
        """Return `arg` as one of this class, with other entries of the same names.

        As in hypercoil, an entry that is None leaves what is there, and one that `arg` does not
        have is passed over.

        Examples
        --------
        >>> from jsdiv_numba.scheme import LossArgument
        >>> LossArgument.replaced(LossArgument(P=1, Q=2), Q=3)
        LossArgument(P=1, Q=3)
        """
        new = {name: value for name, value in entries.items() if value is not None}
        return cls(**{name: new.get(name, value) for name, value in arg.items()})

    @classmethod
    def swap(cls, arg: Mapping[str, Any], *names: str, **entries: Any) -> Self:
        """Return `arg` as one of this class, with entries that come for those of the names that go.

        Examples
        --------
        >>> from jsdiv_numba.scheme import LossArgument
        >>> LossArgument.swap(LossArgument(X=1, Y=2), "X", P=1)
        LossArgument(Y=2, P=1)
        """
        return cls(**{**cls.all_except(arg, *names), **entries})

    def __getitem__(self, name: str) -> Any:
        return self._entries[name]

    def __getattr__(self, name: str) -> Any:
        # Python asks objects for protocols by such names, and None would be one.
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.__dict__.get("_entries", {}).get(name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"entries of a {type(self).__name__} stay what they are; make another one, such as "
            f"LossArgument.add(arg, {name}=...)"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __add__(self, other: "LossArgument") -> "LossArgument":
        if not isinstance(other, LossArgument):
            return NotImplemented
        return LossArgument(**{**self, **other})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return all(_equal(self.get(name), other.get(name)) for name in {*self, *other})

    __hash__ = None  # type: ignore[assignment] # as of every mapping

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"{type(self).__name__}({shown})"


class UnpackingLossArgument(LossArgument):
    """Arguments that reach a loss one by one, by keyword, when ``apply`` returns them.

    Parameters
    ----------
    **entries
        The arguments, by the names that the loss has for them.

    Examples
    --------
    >>> from jsdiv_numba import JSDivergenceLoss
    >>> from jsdiv_numba.scheme import LossApply, UnpackingLossArgument
    >>> loss = LossApply(
    ...     JSDivergenceLoss(), lambda arg: UnpackingLossArgument(P=arg["x"], Q=arg["y"])
    ... )
    >>> float(loss({"x": [0.5, 0.5], "y": [0.5, 0.5]}))
    0.0
    """


def _equal(first: Any, second: Any) -> bool:
    if hasattr(first, "__array__") or hasattr(second, "__array__"):
        return np.array_equal(first, second)
    return bool(first == second)


def entries_of(value: Any) -> dict[str, Any]:
    """Return what an object holds by name; of what is no plain container, the arrays."""
    if isinstance(value, Mapping):
        return {name: entry for name, entry in value.items() if isinstance(name, str)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return dict(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    held = getattr(value, "__dict__", {})
    return {name: entry for name, entry in held.items() if isinstance(entry, np.ndarray)}


def pick(args: tuple[Any, ...], name: str | int) -> Any:
    """Return the argument at a position, or the entry of the one argument of that name."""
    if isinstance(name, int):
        if not -len(args) <= name < len(args):
            raise TypeError(f"apply picks argument {name} of a call with {len(args)}")
        return args[name]
    if len(args) != 1:
        raise TypeError(
            f"apply picks {name!r}, which is an entry of one argument, of a call with {len(args)}; "
            "pick positions, or pass one mapping"
        )
    (arg,) = args
    if isinstance(arg, Mapping) and name in arg:
        return arg[name]
    if isinstance(arg, Mapping) or not hasattr(arg, name):
        held = ", ".join(map(repr, entries_of(arg))) or "none"
        raise TypeError(f"apply picks {name!r}, but the entries of the argument are: {held}")
    return getattr(arg, name)


def paths_to(wanted: Any, args: tuple[Any, ...]) -> Iterator[Path]:
    """Yield every place where an object stands among the arguments."""
    seen: set[int] = set()
    waiting: list[tuple[Any, Path]] = [(arg, (i,)) for i, arg in enumerate(args)]
    while waiting:
        value, path = waiting.pop()
        if value is wanted:
            yield path
        elif id(value) not in seen:
            seen.add(id(value))
            waiting.extend((entry, (*path, name)) for name, entry in entries_of(value).items())


def accumulate_at(tree: Tree, path: Path, trees: list[Tree]) -> None:
    """Add a gradient to those of the arguments, at its place."""
    position, *names = path
    for name in reversed(names):
        tree = {name: tree}
    where = int(position)
    trees[where] = added(trees[where], tree)


def added(first: Tree, second: Tree) -> Tree:
    """Return the sum of two gradients of one argument."""
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, dict) and isinstance(second, dict):
        return first | {name: added(first.get(name), part) for name, part in second.items()}
    return np.add(first, second)


def as_tree(gradient: Any) -> Tree:
    """Return a gradient that a user's function made as a tree."""
    if isinstance(gradient, Mapping):
        return {name: as_tree(part) for name, part in gradient.items()}
    return None if gradient is None else np.asarray(gradient)


def gradients(trees: list[Tree], args: tuple[Any, ...]) -> Any:
    """Return the gradients of the arguments as users see them: one, or a tuple of several."""
    trees = [*trees, *[None] * (len(args) - len(trees))]
    complete = tuple(_gradient(tree, arg) for tree, arg in zip(trees, args, strict=True))
    return complete[0] if len(complete) == 1 else complete


def _gradient(tree: Tree, arg: Any) -> Any:
    if isinstance(tree, np.ndarray):
        return tree
    entries = entries_of(arg)
    if tree is None and not entries:
        dtype = arg.dtype if isinstance(arg, np.ndarray) and arg.dtype.kind == "f" else None
        return np.zeros(np.shape(arg), dtype)
    branches = tree or {}
    used = {name: entry for name, entry in entries.items() if _differentiable(entry)} | branches
    return LossArgument(**{n: _gradient(branches.get(n), entries.get(n)) for n in used})


def _differentiable(entry: Any) -> bool:
    if isinstance(entry, np.ndarray):
        return bool(entry.dtype.kind == "f")
    return any(map(_differentiable, entries_of(entry).values()))
