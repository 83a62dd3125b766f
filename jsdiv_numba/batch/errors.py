"""The one exception that the command turns into a line on stderr."""

from jsdiv_numba.batch.format import printable


class FileError(ValueError):
    """A file that cannot be read as distributions, or cannot be written.

    The message is a single line that starts with the file, then says where in the
    file, what was found there, and what to do. What a terminal would act upon, as may
    stand in a file's name, is escaped.

    Parameters
    ----------
    message : str
        The line.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class OutputError(FileError):
    """A file that the system does not let us write, for want of room or of permission."""


class RowError(FileError):
    """A row that is no distribution."""


class FileWarning(UserWarning):
    """Something about a file that its user should know; the command tells it in a line."""


class PictureWarning(FileWarning):
    """A picture does not show all that it should."""


class TableWarning(FileWarning):
    """A table may be read in another way as well, or does not look like distributions."""
