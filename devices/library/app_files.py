"""The files of apps: the checks of an upload, which the storage calls in a worker, and the item that uses a file."""

from typing import Any, BinaryIO, Final

from django.core.exceptions import ValidationError
from django.utils import timezone

from access.models import Tenant
from devices.library import ipa, packages
from devices.library.xar import UnreadablePackage
from devices.models import CustomApp, IpaApp, StoredFile
from devices.storage import files, pieces
from devices.storage.checks import Findings, NotOfItsKind, look_for_upload, register_check
from devices.storage.keys import beside

ICONS: Final = {"icon": "-Icon.png", "ipad_icon": "-IpadIcon.png"}
TRAILER = 512  # bytes at the end of a disk image
BEGINNINGS = {b"xar!": CustomApp.InstallType.PACKAGE, b"PK\x03\x04": CustomApp.InstallType.ZIP}

Purpose = StoredFile.Purpose


def check_custom_app(content: BinaryIO, file: StoredFile) -> Findings:
    """Determine the type of a file from its bytes, and read a package.

    An unknown type and a package that cannot be read are accepted: the installer on the Mac decides.
    """
    kind: str = BEGINNINGS.get(content.read(4), "")
    if not kind and content.seek(0, 2) >= TRAILER:
        content.seek(-TRAILER, 2)
        kind = CustomApp.InstallType.IMAGE if content.read(4) == b"koly" else ""
    found = read_package(content) if kind == CustomApp.InstallType.PACKAGE else {}
    return Findings({"install_type": str(kind), **found})


def read_package(content: BinaryIO) -> dict[str, Any]:
    """What MDM has to know of a package: what it says of itself, or why it cannot be read, and its digests."""
    try:
        found = packages.read(content).as_json()
    except UnreadablePackage as error:
        return {"package": {"problem": str(error)}}
    return {"package": found, "sha256s": pieces.digests(content)}


def check_ipa(content: BinaryIO, file: StoredFile) -> Findings:
    """Read the metadata of an app, and its icons. Raises NotOfItsKind."""
    try:
        app = ipa.read(content)
    except ipa.InvalidIpa as error:
        raise NotOfItsKind(str(error)) from error
    images = {ICONS[name]: image for name, image in (("icon", app.icon), ("ipad_icon", app.ipad_icon)) if image}
    metadata = {
        "app_identifier": app.identifier,
        "app_name": app.name,
        "app_version": app.version,
        "app_build": app.build,
        **{name: beside(file.key, ending) if ending in images else "" for name, ending in ICONS.items()},
        "icon_path": app.icon_path,
        "ipad_icon_path": app.ipad_icon_path,
        "minimum_os_version": app.minimum_os_version,
        "supported_device_families": app.families,
    }
    return Findings(metadata, images)


def register() -> None:
    register_check(Purpose.CUSTOM_APP, check_custom_app)
    register_check(Purpose.IPA_APP, check_ipa)


def look(tenant: Tenant, key: str | None) -> None:
    """Note that an upload has arrived in a bucket. Call it outside the transaction that uses the upload."""
    if key and (file := tenant.files.select_related("tenant").filter(key=key).first()):
        look_for_upload(file)


def use(app: Any, tenant: Tenant, key: str) -> None:
    """Replace the file of an app by the uploaded file. The caller saves the app.

    Raises UploadProcessing, and ValidationError for a file that cannot be used.
    """
    if app.file_id:
        release(app)
    app.file = files.claim(tenant=tenant, key=key, purpose=_purpose(app))
    app.file_key, app.file_updated = key, timezone.now()
    _icons(app.file).update(expires_at=None)


def release(app: Any) -> None:
    """Schedule the deletion of an app's file and icons, unless another app uses them. In the caller's transaction."""
    file = app.item.tenant.files.select_for_update().get(pk=app.file_id)
    if not type(app).objects.filter(file=file).exclude(pk=app.pk).exists():
        files.release(file)
        _icons(file).update(expires_at=file.expires_at)


def check_install_type(app: CustomApp) -> None:
    """Raises ValidationError if the bytes of the file show another type."""
    shown = app.file.metadata.get("install_type")
    if shown and shown != app.install_type:
        label = CustomApp.InstallType(shown).label
        raise ValidationError({"install_type": f"This file is another type: {label} ({shown})."})


def _icons(file: StoredFile) -> Any:
    keys = [key for name in ICONS if (key := file.metadata.get(name))]
    return file.tenant.files.filter(key__in=keys, purpose=Purpose.ICON)


def _purpose(app: CustomApp | IpaApp) -> StoredFile.Purpose:
    return Purpose.CUSTOM_APP if isinstance(app, CustomApp) else Purpose.IPA_APP
