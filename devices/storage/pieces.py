"""The digests of a large file in pieces: a device compares each piece as it arrives, and fetches it again alone."""

import hashlib
from typing import BinaryIO

from devices.storage.backends import CHUNK

PIECE = 10 * 1024 * 1024  # bytes, as Apple's own tools have them


def digests(content: BinaryIO) -> list[str]:
    """The SHA-256 of each piece of the file, the last of which may be shorter, in constant memory."""
    content.seek(0)
    found: list[str] = []
    digest, size = hashlib.sha256(), 0
    while chunk := content.read(min(CHUNK, PIECE - size)):
        digest.update(chunk)
        size += len(chunk)
        if size == PIECE:
            found.append(digest.hexdigest())
            digest, size = hashlib.sha256(), 0
    return [*found, digest.hexdigest()] if size else found
