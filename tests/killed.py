"""A run that is killed just before one of its file operations, for a process of its own."""

import os
import signal
import sys

_OPERATIONS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod"}


def run_killed(run, source, out, operation):
    """Do ``run(source, out)``; but no more than so many operations on `out` or beside it."""
    name, count = os.path.basename(out), 0

    def watch(event, arguments):
        nonlocal count
        if event not in _OPERATIONS or not isinstance(arguments[0], str | os.PathLike):
            return
        if name in os.fspath(arguments[0]):
            count += 1
            if count == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    run(source, out)
