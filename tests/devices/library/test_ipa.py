"""Reading .ipa files: the values of Info.plist, and that no malicious file does harm."""

import plistlib
import random
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest

from devices.demo.app_uploads import archive_file, icon_file, ipa_file
from devices.library import ipa

pytestmark = pytest.mark.sqlite_only  # about files, without a database

INFO = "Payload/Expenses.app/Info.plist"
MEGABYTE = 1024 * 1024
# Apple's variant of PNG, which pngcrush makes for apps. Other programs cannot read it.
CGBI = icon_file(60)[:8] + struct.pack(">I", 4) + b"CgBI" + b"\x50\x00\x20\x06" + icon_file(60)[8:]


def read(content: bytes) -> ipa.App:
    return ipa.read(BytesIO(content))


def with_info(content: bytes, **others: bytes) -> bytes:
    return archive_file({INFO: content, **others})


def test_what_info_plist_says() -> None:
    app = read(ipa_file())
    assert (app.identifier, app.name, app.version) == ("com.accuhive.expenses", "Expenses", "3.2.1")
    assert (app.minimum_os_version, app.families) == ("17.0", ["iPhone", "iPad"])
    assert (app.icon_path, app.ipad_icon_path) == ("AppIcon60x60", "AppIcon76x76")
    assert (app.icon, app.ipad_icon) == (icon_file(120), icon_file(152))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"CFBundleDisplayName": None, "CFBundleName": "Spesen"}, {"name": "Spesen"}),
        ({"CFBundleDisplayName": None}, {"name": "Expenses"}),
        ({"CFBundleShortVersionString": None}, {"version": "412"}),
        ({"UIDeviceFamily": [3]}, {"families": ["AppleTV"]}),
        ({"UIDeviceFamily": 2}, {"families": ["iPad"]}),
        ({"UIDeviceFamily": ["1", 99]}, {"families": ["iPhone"]}),
        ({"MinimumOSVersion": 17}, {"minimum_os_version": ""}),
        ({"CFBundleIcons": "AppIcon"}, {"icon_path": "", "icon": b""}),
        ({"CFBundleIcons": {"CFBundlePrimaryIcon": {"CFBundleIconFiles": ["../../x"]}}}, {"icon": b""}),
        ({"CFBundleDisplayName": "a\0b", "CFBundleName": "n" * 300}, {"name": "n" * 255}),
    ],
)
def test_odd_values_become_plain_ones(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    info = plistlib.loads(zipfile.ZipFile(BytesIO(ipa_file())).read(INFO))
    kept = {name: value for name, value in {**info, **changes}.items() if value is not None}
    app = read(with_info(plistlib.dumps(kept, fmt=plistlib.FMT_BINARY)))
    assert {name: getattr(app, name) for name in expected} == expected


def test_apples_own_png_is_left_as_it_is() -> None:
    info = zipfile.ZipFile(BytesIO(ipa_file())).read(INFO)
    app = read(with_info(info, **{"Payload/Expenses.app/AppIcon60x60@3x.png": CGBI}))
    assert app.icon == CGBI


def named(name: str) -> bytes:
    """An archive with an entry that has exactly this name, byte for byte."""
    plain = "x" * len(name)
    return archive_file({INFO: b"", plain: b"content"}).replace(plain.encode(), name.encode())


def bomb() -> bytes:
    """An archive as large as an app, with only zeros."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("Payload/Expenses.app/zeros", "w") as file:
            for _ in range(200):
                file.write(bytes(MEGABYTE))
        archive.writestr(INFO, plistlib.dumps({"CFBundleIdentifier": "a.b"}))
    return buffer.getvalue()


def lying_plist() -> bytes:
    """An Info.plist of 50 megabytes that claims to have ten bytes."""
    content = bytes(50 * MEGABYTE)
    archive = archive_file({INFO: content})
    return archive.replace(struct.pack("<I", len(content)), struct.pack("<I", 10))


def many(number: int) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each in range(number):
            archive.writestr(zipfile.ZipInfo(f"{each}"), b"")
    return buffer.getvalue()


def endless_list() -> bytes:
    """The end of an archive. It declares a list of entries that is larger than the limit."""
    size = ipa.LONGEST_LIST + 1
    return bytes(size) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0)


def packed_by(method: int) -> bytes:
    """A valid app except for its compression: the output of these methods cannot be limited."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(INFO, plistlib.dumps({"CFBundleIdentifier": "a.b"}))
    return buffer.getvalue()


def encrypted() -> bytes:
    content = bytearray(archive_file({INFO: b"secret"}))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def entity_bomb() -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    return with_info(
        f'<?xml version="1.0"?><!DOCTYPE plist [<!ENTITY a0 "a">{entities}]>'
        "<plist><dict><key>CFBundleIdentifier</key><string>&a9;</string></dict></plist>".encode()
    )


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "ZIP"),
    "no-archive": (lambda: b"\x89PNG" * 1000, "ZIP"),
    "truncated": (lambda: ipa_file()[:-30], "ZIP"),
    "its-head": (lambda: ipa_file()[:200], "ZIP"),
    "outside": (lambda: named("../../../../etc/passwd"), "leads out"),
    "absolute": (lambda: named("/etc/passwd"), "leads out"),
    "backslash": (lambda: named("..\\..\\autoexec.bat"), "leads out"),
    "null": (lambda: named("Payload/a\0b"), "leads out"),
    "bomb": (bomb, "size that no app has"),
    "lying-plist": (lying_plist, ""),
    "entries": (lambda: many(100_000), "100000 entries"),
    "endless-list": (endless_list, "too many entries"),
    "bzip2": (lambda: packed_by(zipfile.ZIP_BZIP2), "packed in a way that no app is"),
    "lzma": (lambda: packed_by(zipfile.ZIP_LZMA), "packed in a way that no app is"),
    "large-plist": (lambda: with_info(random.Random(7).randbytes(2 * MEGABYTE)), "is larger than"),
    "encrypted": (encrypted, "encrypted"),
    "no-app": (lambda: archive_file({"README": b""}), "no app"),
    "two-apps": (lambda: archive_file({INFO: b"", "Payload/B.app/Info.plist": b""}), "more than one app"),
    "no-plist": (lambda: with_info(b"nonsense"), "cannot be read"),
    "list": (lambda: with_info(plistlib.dumps([])), "not a dictionary"),
    "deep": (lambda: with_info(b"<plist>" + b"<array>" * 50_000), "cannot be read"),
    "entities": (entity_bomb, "cannot be read"),
    "no-identifier": (lambda: ipa_file(CFBundleIdentifier="no identifier"), "CFBundleIdentifier"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_with_a_reason(name: str) -> None:
    make, reason = HOSTILE[name]
    content = make()
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(ipa.InvalidIpa) as error:
            read(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reason in str(error.value)
    assert peak < 150 * MEGABYTE
    assert time.process_time() - start < 60


def test_an_app_is_not_larger_than_any_app_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixteen gigabytes are too many for a test, so the limit is lowered. The compressed app is below its limit."""
    content = with_info(plistlib.dumps({"CFBundleIdentifier": "a.b"}), zeros=random.Random(7).randbytes(20_000))
    assert read(content).identifier == "a.b"
    monkeypatch.setattr(ipa, "LARGEST_APP", 20_000)
    with pytest.raises(ipa.InvalidIpa, match="size that no app has"):
        read(content)


def test_an_icon_that_is_too_large_is_not_read() -> None:
    info = zipfile.ZipFile(BytesIO(ipa_file())).read(INFO)
    large = icon_file(60)[:8] + random.Random(7).randbytes(ipa.LARGEST_ICON)
    icons = {"AppIcon60x60@3x.png": large, "AppIcon60x60@2x.png": icon_file(120)}
    app = read(with_info(info, **{f"Payload/Expenses.app/{name}": icon for name, icon in icons.items()}))
    assert app.icon == icon_file(120)


@pytest.mark.slow
def test_a_damaged_file_is_read_or_refused_and_nothing_else() -> None:
    chance = random.Random(7)
    whole = ipa_file()
    for _ in range(3000):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 8)):
            # Half of the changes are in the list of entries at the end, because it controls the reading.
            start = 0 if chance.random() < 0.5 else len(content) - 500
            content[chance.randrange(start, len(content))] = chance.randrange(256)
        with suppress(ipa.InvalidIpa):
            read(bytes(content))
