"""Icons of apps that a browser can show, made from Apple's variant of PNG, which every app has."""

import struct
import zlib
from collections.abc import Callable

import pytest

from devices.demo.app_uploads import icon_file
from devices.library.icons import UnreadableIcon, readable

SIZE = 3
PIXELS = [bytes([10 * number, 100, 200, 255]) for number in range(SIZE * SIZE)]  # red, green, blue, opacity


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def lines(pixels: list[bytes]) -> bytes:
    rows = [b"".join(pixels[start : start + SIZE]) for start in range(0, len(pixels), SIZE)]
    return b"".join(b"\0" + row for row in rows)


def apples(
    *, width: int = SIZE, height: int = SIZE, colors: int = 6, rows: bytes | None = None, depth: int = 8
) -> bytes:
    """An image as Xcode writes it into an app: blue first, and compressed without the zlib header."""
    packer = zlib.compressobj(wbits=-15)
    swapped = [pixel[2::-1] + pixel[3:] for pixel in PIXELS]
    packed = packer.compress(lines(swapped) if rows is None else rows) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colors, 0, 0, 0)
    parts = [(b"CgBI", b"\x50\x00\x20\x06"), (b"IHDR", header), (b"IDAT", packed[:9]), (b"IDAT", packed[9:])]
    return icon_file(1)[:8] + b"".join(chunk(*part) for part in [*parts, (b"IEND", b"")])


def test_apples_image_has_its_colors_again() -> None:
    image = readable(apples())
    position, parts = 8, {}
    while position < len(image):
        (length,) = struct.unpack_from(">I", image, position)
        kind, content = image[position + 4 : position + 8], image[position + 8 : position + 8 + length]
        assert image[position : position + 12 + length] == chunk(kind, content)
        parts[kind] = content
        position += 12 + length
    assert list(parts) == [b"IHDR", b"IDAT", b"IEND"]
    assert zlib.decompress(parts[b"IDAT"]) == lines(PIXELS)


def test_another_image_stays_as_it_is() -> None:
    assert readable(icon_file(60)) == icon_file(60)


@pytest.mark.parametrize(
    "make",
    [
        lambda: apples(width=SIZE + 1),
        lambda: apples(width=2**31 - 1),
        lambda: apples(height=0),
        lambda: apples(colors=3),
        lambda: apples(depth=16),
        lambda: apples(rows=b""),
        lambda: apples()[:60],
        lambda: apples()[:20],
        lambda: apples()[:8],
        lambda: b"",
    ],
    ids=["wide", "huge", "flat", "palette", "deep", "nothing", "half", "head", "signature", "empty"],
)
def test_an_image_that_is_none_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(UnreadableIcon):
        readable(make())


def test_an_image_is_never_unpacked_past_its_size() -> None:
    """A gigabyte of zeros is compressed to a megabyte."""
    image = readable(apples(rows=lines(PIXELS) + bytes(50_000_000)))
    assert len(image) < 1000
