"""What a file system needs beside Python's own functions."""

import os
from pathlib import Path


def sync_directory(directory: Path) -> None:
    """Write the entries of a directory to the disk, so that a power cut takes no file out of it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
