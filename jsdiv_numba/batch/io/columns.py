"""Whether two files have the same columns."""

from typing import Protocol

from jsdiv_numba.batch.errors import FileError


class HasColumns(Protocol):
    """Rows of a file, in memory or not."""

    @property
    def source(self) -> str:
        """The file, as the user named it."""

    @property
    def width(self) -> int:
        """The number of columns."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The headings of the columns; None where the file has none."""


def require_same_columns(first: HasColumns, second: HasColumns) -> None:
    """Raise `FileError` if the numeric columns of two files differ in number or name."""
    n, m = first.width, second.width
    if n != m:
        raise FileError(
            f"{second.source}: number of numeric columns is {m}, but {first.source} has {n}"
        )
    for j, (name, other) in enumerate(zip(first.columns or (), second.columns or (), strict=False)):
        if name != other:
            raise FileError(
                f"{second.source}: numeric column {j + 1} is {other!r}, but {name!r} in "
                f"{first.source}; both files need the same columns in the same order"
            )
