"""The icon of an in-house app, in a format that browsers show.

The archive of an app has Apple's variant of PNG (a first chunk CgBI, red and blue exchanged, no header of zlib), which
only Apple's devices read. The stored file is not converted, because clients of the API get it too.
"""

import struct
import zlib
from collections.abc import Iterator

from devices.library.ipa import LARGEST_ICON, PNG
from devices.models import StoredFile
from devices.storage import files

LARGEST_SIDE = 1024  # pixels
PIXEL = 4  # bytes
HEADER = struct.Struct(">IIBBBBB")
TRUE_COLOR = (8, 6, 0, 0, 0)  # eight bits for each of red, green, blue and opacity, not interlaced


class UnreadableIcon(Exception):
    """The image is damaged, or has a format that apps do not use."""


def icon_key(file: StoredFile) -> str:
    """The key of the app's icon; empty for an app without an icon."""
    return str(file.metadata.get("icon") or file.metadata.get("ipad_icon") or "")


def icon_of(file: StoredFile) -> bytes:
    """The icon of the app, as a PNG. Raises StoredFile.DoesNotExist, FileNotFoundError and UnreadableIcon."""
    icon = file.tenant.files.get(key=icon_key(file), purpose=StoredFile.Purpose.ICON)
    with files.open_file(icon) as content:
        return readable(content.read(LARGEST_ICON))


def readable(image: bytes) -> bytes:
    """The image as a standard PNG. Raises UnreadableIcon."""
    try:
        chunks = list(_chunks(image))
        if chunks[0][0] != b"CgBI":
            return image
        parts = {kind: content for kind, content in chunks if kind != b"IDAT"}
        rows = _rows(parts[b"IHDR"], b"".join(content for kind, content in chunks if kind == b"IDAT"))
    except (IndexError, KeyError, ValueError, struct.error, zlib.error) as error:
        raise UnreadableIcon from error
    return PNG + _chunk(b"IHDR", parts[b"IHDR"]) + _chunk(b"IDAT", zlib.compress(rows, 1)) + _chunk(b"IEND", b"")


def _chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(PNG)
    while position < len(image):
        length, kind = struct.unpack_from(">I4s", image, position)
        yield kind, image[position + 8 : position + 8 + length]
        position += length + 12


def _rows(header: bytes, packed: bytes) -> bytes:
    """The lines of pixels, with red and blue exchanged. PNG filters treat each colour alone, so they need no decoding.

    The colours of transparent pixels stay a little too dark, which is not visible at this size.
    """
    width, height, *kind = HEADER.unpack(header)
    if tuple(kind) != TRUE_COLOR or not 0 < width <= LARGEST_SIDE or not 0 < height <= LARGEST_SIDE:
        raise ValueError("This is no icon.")
    line = 1 + PIXEL * width
    rows = bytearray(zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, line * height))
    if len(rows) != line * height:
        raise ValueError("The image is not whole.")
    for start in range(1, len(rows), line):
        blue, red = slice(start, start + line - 1, PIXEL), slice(start + 2, start + line - 1, PIXEL)
        rows[blue], rows[red] = rows[red], rows[blue]
    return bytes(rows)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
