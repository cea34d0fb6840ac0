"""What devices install: the content of library items in the form that Apple's commands take."""

from functools import lru_cache
from typing import Any
from uuid import UUID

from access.models import Tenant
from devices.enrollment.authorities import Purpose, authority
from devices.library.desired import ipa_files, package_files
from devices.library.kinds import IPA_APP
from devices.models import CustomProfile, LibraryItem, StoredFile
from devices.storage.pieces import PIECE
from devices.wire import cms, plists


def profile(tenant: Tenant, item: LibraryItem) -> bytes:
    """The profile of an item, signed by the tenant. Raises SecretUnreadable."""
    return _signed(tenant, item.uuid, item.version)


@lru_cache(maxsize=16)  # a roll-out gives thousands of devices the same one; each has at most 1 MB
def _signed(tenant: Tenant, item: UUID, version: str) -> bytes:
    text = CustomProfile.objects.values_list("profile", flat=True).get(item__tenant=tenant, item__uuid=item)
    signer = authority(tenant, Purpose.SIGNING)
    return cms.sign(text.encode(), signer.certificate, signer.key)


def manifest(item: LibraryItem, file: StoredFile, url: str) -> bytes:
    """The manifest that tells a device where the file of an item is, and what is in it."""
    asset: dict[str, Any] = {"kind": "software-package", "url": url}
    if digests := file.metadata.get("sha256s"):
        asset |= {"sha256-size": PIECE, "sha256s": digests}
    elif file.sha256:
        asset |= {"sha256-size": file.size, "sha256s": [file.sha256]}  # the whole file is one piece
    named = _named_ipa if item.type == IPA_APP.type else _named_package
    return plists.dumps({"items": [{"assets": [asset], "metadata": {"kind": "software", **named(item)}}]})


def _named_ipa(item: LibraryItem) -> dict[str, str]:
    read = ipa_files.metadata(item)
    return {
        "bundle-identifier": read["app_identifier"],
        "bundle-version": read["app_version"],
        "title": read["app_name"] or item.name,
    }


def _named_package(item: LibraryItem) -> dict[str, str]:
    package = package_files.package_of(item)
    if package is None:  # the file was replaced by another one since the link was made
        return {"title": item.name}
    return {
        "bundle-identifier": package.identifier,
        "bundle-version": package.version,
        "title": package.title or item.name,
    }
