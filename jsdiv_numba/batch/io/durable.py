"""Files and folders that outlast a crash of the machine."""

import os
import sys
from pathlib import Path


def sync_folder(path: Path) -> None:
    """Make the names in a folder safe, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
