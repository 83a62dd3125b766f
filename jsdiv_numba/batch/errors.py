"""The one exception that the command turns into a line on stderr."""


class FileError(ValueError):
    """A file that cannot be read as distributions, or cannot be written.

    The message is a single line that starts with the file, then says where in the
    file, what was found there, and what to do.
    """
