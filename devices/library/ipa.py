"""Reads an .ipa: the archive of an iOS, iPadOS or tvOS app. Its content is not trusted, because it is an upload.

The archive is not unpacked: only the list of entries, Info.plist and two icons are read, each up to a limit. The sizes
that an archive declares are compared with limits, but are never relied on.
"""

import errno
import plistlib
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from devices.text import has_null_character

MEGABYTE = 1024 * 1024
MOST_ENTRIES = 50_000  # the largest apps have some 20,000
LONGEST_LIST = 16 * MEGABYTE  # bytes of the list of entries, which is read as a whole
LARGEST_PLIST = MEGABYTE
LARGEST_ICON = 2 * MEGABYTE
LARGEST_APP = 16 * 1024 * MEGABYTE  # unpacked
LARGEST_RATIO = 100  # of unpacked to packed size; executables and images pack to a third
LONGEST_VALUE = 255

DAMAGED = "The file is not an IPA: it is not a ZIP archive, or it is damaged."
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # the methods that Apple uses, and whose output can be limited
ENCRYPTED = 0x1  # the flag of an encrypted entry
INFO = re.compile(r"Payload/[^/]+\.app/Info\.plist")
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
PNG = b"\x89PNG\r\n\x1a\n"
FAMILIES = {1: "iPhone", 2: "iPad", 3: "AppleTV", 4: "Watch", 7: "Vision"}


class InvalidIpa(Exception):
    """The file is not an app that a device would install. The message is for the person who uploaded it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The values of Info.plist. An icon is a PNG in Apple's variant, and empty if the archive has none."""

    identifier: str
    name: str
    version: str
    build: str
    minimum_os_version: str
    families: list[str]
    icon_path: str
    icon: bytes
    ipad_icon_path: str
    ipad_icon: bytes


def read(file: BinaryIO) -> App:
    """Read an .ipa in bounded time and memory. Raises InvalidIpa with the reason if anything in it is wrong."""
    try:
        with zipfile.ZipFile(_Limited(file)) as archive:
            return _app(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, struct.error, ValueError) as error:
        # ZipFile raises any of these, with messages for programmers.
        raise InvalidIpa(DAMAGED) from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # EINVAL is a seek to before the beginning
            raise
        raise InvalidIpa(DAMAGED) from error


class _Limited:
    """A wrapper around the file that limits reads, because ZipFile reads a list of entries of any size at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > LONGEST_LIST:
            raise InvalidIpa("The archive has too many entries.")
        return self._file.read(LONGEST_LIST if size < 0 else size)


def _app(archive: zipfile.ZipFile) -> App:
    entries = {entry.filename: entry for entry in archive.infolist()}
    _check_entries(archive.infolist())
    names = [name for name in entries if INFO.fullmatch(name)]
    if len(names) != 1:
        found = "no app" if not names else "more than one app"
        raise InvalidIpa(f"The archive has {found} in its folder Payload.")
    info = _plist(_content(archive, entries[names[0]], LARGEST_PLIST))
    folder = names[0].removesuffix("Info.plist")
    icon_path, ipad_icon_path = _icon_path(info, "CFBundleIcons"), _icon_path(info, "CFBundleIcons~ipad")
    return App(
        identifier=_identifier(info),
        name=_text(info, "CFBundleDisplayName") or _text(info, "CFBundleName") or PurePosixPath(folder).stem,
        version=_text(info, "CFBundleShortVersionString") or _text(info, "CFBundleVersion"),
        build=_text(info, "CFBundleVersion"),
        minimum_os_version=_text(info, "MinimumOSVersion"),
        families=_families(info),
        icon_path=icon_path,
        icon=_icon(archive, entries, folder, icon_path),
        ipad_icon_path=ipad_icon_path,
        ipad_icon=_icon(archive, entries, folder, ipad_icon_path),
    )


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MOST_ENTRIES:
        raise InvalidIpa(f"The archive has {len(entries)} entries; {MOST_ENTRIES} are allowed.")
    for entry in entries:
        # ZipFile cuts a name at its first null character. The whole name is in `orig_filename`.
        name = entry.orig_filename
        if name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
            raise InvalidIpa("The archive has an entry whose path leads out of it.")
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if unpacked > LARGEST_APP or unpacked > LARGEST_RATIO * packed + 10 * MEGABYTE:
        raise InvalidIpa("The archive would unpack to a size that no app has.")


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, maximum: int) -> bytes:
    """The unpacked entry, up to `maximum`: it may be larger than the archive says."""
    if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
        raise InvalidIpa(f"{PurePosixPath(entry.filename).name} is encrypted, or packed in a way that no app is.")
    with archive.open(entry) as file:
        content = file.read(maximum + 1)
    if len(content) > maximum:
        raise InvalidIpa(f"{PurePosixPath(entry.filename).name} is larger than {maximum} bytes.")
    return content


def _plist(content: bytes) -> dict[str, Any]:
    try:
        info = plistlib.loads(content)
    except Exception as error:
        raise InvalidIpa("Info.plist cannot be read.") from error
    if not isinstance(info, dict):
        raise InvalidIpa("Info.plist is not a dictionary.")
    return info


def _identifier(info: dict[str, Any]) -> str:
    identifier = _text(info, "CFBundleIdentifier")
    if not IDENTIFIER.fullmatch(identifier):
        raise InvalidIpa("Info.plist has no valid CFBundleIdentifier.")
    return identifier


def _text(info: dict[str, Any], key: str) -> str:
    value = info.get(key)
    if not isinstance(value, str) or has_null_character(value):
        return ""
    return value.strip()[:LONGEST_VALUE].encode(errors="replace").decode()


def _families(info: dict[str, Any]) -> list[str]:
    value = info.get("UIDeviceFamily")
    numbers = value if isinstance(value, list) else [value]
    known = {FAMILIES[number] for number in numbers if isinstance(number, int) and number in FAMILIES}
    return [name for name in FAMILIES.values() if name in known] or ["iPhone"]


def _icon_path(info: dict[str, Any], key: str) -> str:
    """The last of the icon's names, which is that of the largest image: `AppIcon60x60`."""
    icons = info.get(key)
    primary = icons.get("CFBundlePrimaryIcon") if isinstance(icons, dict) else None
    names = primary.get("CFBundleIconFiles") if isinstance(primary, dict) else None
    name = names[-1] if isinstance(names, list) and names else None
    return _text({"name": name}, "name").removesuffix(".png")


def _icon(archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], folder: str, path: str) -> bytes:
    """The largest file of this icon; empty if there is none. Devices install an app without an icon too."""
    if not path:
        return b""
    pattern = re.compile(re.escape(folder + path) + r"(@\dx)?(~\w+)?\.png")
    found = [entry for name, entry in entries.items() if pattern.fullmatch(name) and entry.file_size <= LARGEST_ICON]
    for entry in sorted(found, key=lambda entry: entry.file_size, reverse=True):
        content = _content(archive, entry, LARGEST_ICON)
        if content.startswith(PNG):
            return content
    return b""
