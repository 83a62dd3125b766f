"""Whatever is raised where a file is read, as a line that names the file."""

import os
import socket

import pytest

from jsdiv_numba.batch.errors import FileError, OutputError
from jsdiv_numba.batch.io.file_errors import reading, require_file


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("wrong\nmore"), "f.csv: damaged, or not what its name says (wrong)"),
        (RuntimeError(), "f.csv: damaged, or not what its name says"),
        (EOFError(), "f.csv: damaged, or not what its name says"),
        (KeyError("a"), "f.csv: damaged, or not what its name says ('a')"),
        (MemoryError("Unable to"), "f.csv: does not fit in memory (Unable to)"),
        (MemoryError(), "f.csv: does not fit in memory"),
        (PermissionError(13, "Permission denied"), "f.csv: Permission denied"),
        (OSError("thrift\nmore"), "f.csv: thrift"),
        (
            UnicodeDecodeError("utf-8", b"x", 0, 1, "no"),
            "f.csv: a name or a text is not UTF-8 ('utf-8' codec can't decode byte 0x78 in posi…",
        ),
    ],
)
def test_what_is_raised_becomes_a_line(error, message):
    with pytest.raises(FileError) as raised, reading("f.csv"):
        raise error
    assert str(raised.value).startswith(message.removesuffix("…"))
    assert message.endswith("…") or str(raised.value) == message
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [FileError("f.csv: wrong"), OutputError("d: full"), ImportError("zarr"), KeyboardInterrupt()],
)
def test_what_says_enough_stays_as_it_is(error):
    with pytest.raises(type(error)) as raised, reading("f.csv"):
        raise error
    assert raised.value is error


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as made:
        here = os.getcwd()
        os.chdir(tmp_path)
        made.bind("socket.csv")
        os.chdir(here)
    for name, what in (("pipe", "a pipe"), ("link", "a socket or"), ("socket", "a socket or")):
        with pytest.raises(FileError, match=rf"^named: {what}.*more than once; save it to a file"):
            require_file(tmp_path / f"{name}.csv", "named")
    (tmp_path / "file.csv").touch()
    require_file(tmp_path / "file.csv", "named")
