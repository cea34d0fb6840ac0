"""Files for the apps of the demo company, as if they had been uploaded: small, but valid for their type."""

import plistlib
import struct
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from access.models import Tenant
from devices.demo.library import fixed_id
from devices.library.app_files import check_custom_app, check_ipa
from devices.models import CustomApp, IpaApp, LibraryItem, StoredFile
from devices.storage import keys
from devices.storage.backends import files_storage

UPLOADED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
INSTALL, ENFORCE = CustomApp.Enforcement.ONCE, CustomApp.Enforcement.CONTINUOUSLY
PREINSTALL = "#!/bin/zsh\n/usr/bin/pkill -x 'Accuhive VPN'\nexit 0"
AUDIT = "#!/bin/zsh\n[[ -d '/Applications/Accuhive VPN.app' ]] || exit 1\nexit 0"
Purpose = StoredFile.Purpose


def add_apps(tenant: Tenant) -> None:
    """Add contents to those apps of the demo library that have none yet, in the caller's transaction."""
    for name, (file, content, fields) in CUSTOM_APPS.items():
        if item := _without_contents(tenant, name, "custom_app"):
            stored = _store(tenant, Purpose.CUSTOM_APP, file, content())
            CustomApp.objects.create(item=item, file=stored, file_key=stored.key, file_updated=UPLOADED, **fields)
            _give_version(item, stored)
    if item := _without_contents(tenant, "Accuhive Expenses", "ipa_app"):
        stored = _store(tenant, Purpose.IPA_APP, "Accuhive Expenses.ipa", ipa_file())
        IpaApp.objects.create(
            item=item,
            file=stored,
            file_key=stored.key,
            file_updated=UPLOADED,
            runs_on_iphone=True,
            runs_on_ipad=True,
        )
        _give_version(item, stored)


def _give_version(item: LibraryItem, file: StoredFile) -> None:
    item.version = file.sha256
    item.save(update_fields=["version"])


def _without_contents(tenant: Tenant, name: str, contents: str) -> LibraryItem | None:
    return tenant.library_items.filter(uuid=fixed_id("library item", name), **{contents: None}).first()


def _store(tenant: Tenant, purpose: StoredFile.Purpose, name: str, content: bytes) -> StoredFile:
    stem, _, suffix = name.rpartition(".")
    key = f"{keys.prefix(tenant)}/{keys.FOLDERS[purpose]}/{stem}_{fixed_id('file', name).hex[:8]}.{suffix}"
    file = StoredFile(tenant=tenant, uuid=fixed_id("file", name), key=key, purpose=purpose, name=name)
    findings = (check_ipa if purpose == Purpose.IPA_APP else check_custom_app)(BytesIO(content), file)
    file.metadata = findings.metadata
    _write(file, content)
    for ending, image in findings.images.items():
        icon = keys.beside(key, ending)
        _write(StoredFile(tenant=tenant, key=icon, purpose=Purpose.ICON, name=icon.rpartition("/")[2]), image)
    return file


def _write(file: StoredFile, content: bytes) -> None:
    stored = files_storage().write(file.key, [content])
    file.size, file.md5, file.sha256 = stored.size, stored.md5, stored.sha256
    file.state, file.upload, file.uploaded_at = StoredFile.State.READY, 1, UPLOADED
    file.save()


def package_file() -> bytes:
    """An installer package: an empty XAR archive."""
    contents = b"<?xml version='1.0' encoding='UTF-8'?><xar><toc/></xar>"
    packed = zlib.compress(contents)
    return b"xar!" + struct.pack(">HHQQI", 28, 1, len(packed), len(contents), 0) + packed


def archive_file(entries: dict[str, bytes]) -> bytes:
    """A ZIP archive, always the same for the same entries."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def image_file() -> bytes:
    """A file with the trailer of a disk image."""
    return bytes(4096) + b"koly" + bytes(508)


def icon_file(size: int = 120) -> bytes:
    """A square PNG of one colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = (b"\0" + b"\x2f\x6f\xed" * size) * size
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def ipa_file(**changes: Any) -> bytes:
    """An .ipa with one app and its icons; `changes` are keys of its Info.plist."""
    info = {
        "CFBundleIdentifier": "com.accuhive.expenses",
        "CFBundleDisplayName": "Expenses",
        "CFBundleShortVersionString": "3.2.1",
        "CFBundleVersion": "412",
        "MinimumOSVersion": "17.0",
        "UIDeviceFamily": [1, 2],
        "CFBundleIcons": {"CFBundlePrimaryIcon": {"CFBundleIconFiles": ["AppIcon60x60"]}},
        "CFBundleIcons~ipad": {"CFBundlePrimaryIcon": {"CFBundleIconFiles": ["AppIcon60x60", "AppIcon76x76"]}},
        **changes,
    }
    folder = "Payload/Expenses.app/"
    return archive_file(
        {
            folder + "Info.plist": plistlib.dumps(info, fmt=plistlib.FMT_BINARY),
            folder + "AppIcon60x60@2x.png": icon_file(120),
            folder + "AppIcon76x76@2x~ipad.png": icon_file(152),
        }
    )


CUSTOM_APPS: dict[str, tuple[str, Callable[[], bytes], dict[str, Any]]] = {
    "Xcode": (
        "Xcode.zip",
        lambda: archive_file({"Xcode.app/Contents/Info.plist": b""}),
        {"install_type": "zip", "install_enforcement": INSTALL, "unzip_location": "/Applications"},
    ),
    "Creative Cloud": (
        "Creative Cloud.dmg",
        image_file,
        {"install_type": "image", "install_enforcement": INSTALL, "restart": True},
    ),
    "Accuhive VPN": (
        "Accuhive VPN.pkg",
        package_file,
        {
            "install_type": "package",
            "install_enforcement": ENFORCE,
            "audit_script": AUDIT,
            "preinstall_script": PREINSTALL,
        },
    ),
}
