"""Whether a file can be mapped: that nobody cuts it short meanwhile.

To touch what a file has lost ends the process without a word. On Linux the owner of a file can
take a lease on it, and whoever opens it to write then waits until the lease is given back.
"""

import contextlib
import signal
import sys
from typing import Any

if sys.platform == "linux":
    import fcntl


def take_lease(file: Any) -> bool:
    """Have the system keep others from writing to a file that is open; return whether it does.

    Not where another has it open to write, nor on most file systems of a network.
    """
    if sys.platform != "linux":
        return False
    try:
        # Of what it says when somebody waits, nothing is heard unless the process wants to.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        return False
    return True


def nobody_waits(file: Any) -> bool:
    """Return whether nobody wants to write to a file on which there is a lease."""
    return bool(fcntl.fcntl(file, fcntl.F_GETLEASE) == fcntl.F_RDLCK)


def end_lease(file: Any) -> None:
    """Let others write to a file again."""
    # The system ends a lease for which others have waited for 45 s.
    with contextlib.suppress(OSError):
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
