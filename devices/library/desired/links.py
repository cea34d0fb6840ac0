"""Links by which an enrolled device fetches an app that it was told to install: a manifest, and the file that it names.

Apple's installer has no certificate of the device, so the link is the permission. It belongs to one tenant, enrollment,
item and version, and it is over when the device is not to have that any more.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from django.core import signing

from access.models import Tenant
from devices.enrollment.profiles import mdm_url
from devices.library.kinds import contents_of
from devices.models import DeviceItem, Enrollment, LibraryItem, StoredFile

LONGEST = 300  # characters
CONTENT = r"(?P<kind>[{}])\.(?P<enrollment>\d{{1,18}})\.(?P<item>[0-9a-f]{{32}})\.(?P<version>.{{1,64}})"
TOKEN = re.compile(CONTENT.format("mf") + r"\.[^.]+\.[^.]+", re.ASCII)
LASTING = re.compile(CONTENT.format("d") + r"\.[^.]+", re.ASCII)

_signer = signing.TimestampSigner(salt="devices.library.desired.links", sep=".")
_lasting_signer = signing.Signer(salt="devices.library.desired.links.lasting", sep=".")


class Kind(StrEnum):
    MANIFEST = "m"
    DECLARED = "d"  # a manifest, whose link is in a declaration
    FILE = "f"


# A device reads the manifest when it takes the command, which has a new link with each delivery. A large file may be
# fetched in parts, whenever the device is awake. A declaration stays on the device, which reads the manifest when it
# likes: that link has no time of its own. It is also the same each time, or the declaration would seem to change.
LIFE = {Kind.MANIFEST: timedelta(hours=1), Kind.FILE: timedelta(hours=24)}


class LinkRefused(Exception):
    """The link was not made here, was changed, has expired, or leads to what the device is not to have."""


@dataclass(frozen=True, slots=True)
class Link:
    kind: Kind
    enrollment: int
    item: UUID
    version: str


def manifest_url(tenant: Tenant, enrollment: int, item: LibraryItem) -> str:
    return _url(tenant, Link(Kind.MANIFEST, enrollment, item.uuid, item.version))


def declared_manifest_url(tenant: Tenant, enrollment: int, item: UUID, version: str) -> str:
    content = _content(Link(Kind.DECLARED, enrollment, item, version))
    return f"{mdm_url(tenant)}/files/{_lasting_signer.sign(content)}"


def file_url(tenant: Tenant, link: Link) -> str:
    """The link to the file, for the manifest that a link led to."""
    return _url(tenant, Link(Kind.FILE, link.enrollment, link.item, link.version))


def read(token: str) -> Link:
    """The link of a token that was signed here and has not expired. Costs no query. Raises LinkRefused."""
    words = (TOKEN.fullmatch(token) or LASTING.fullmatch(token)) if len(token) <= LONGEST else None
    if words is None:
        raise LinkRefused
    kind = Kind(words["kind"])
    try:
        if kind in LIFE:
            _signer.unsign(token, max_age=LIFE[kind])
        else:
            _lasting_signer.unsign(token)
    except signing.BadSignature:
        raise LinkRefused from None
    return Link(kind, int(words["enrollment"]), UUID(words["item"]), words["version"])


def follow(label: str, link: Link) -> tuple[LibraryItem, StoredFile]:
    """The item and its file, if the device still is to have them. `label` is that of the tenant's host for devices.

    Costs one query. Raises LinkRefused.
    """
    rows = DeviceItem.objects.select_related("device__tenant", "item__ipa_app__file", "item__custom_app__file").filter(
        device__tenant__mdm_label=label,
        device__tenant__active=True,
        device__enrollments=link.enrollment,
        device__enrollments__state=Enrollment.State.ENROLLED,
        item_uuid=link.item,
        item__version=link.version,
    )
    row = rows.exclude(wanted="").exclude(state=DeviceItem.State.UNFIT).first()
    contents = contents_of(row.item) if row is not None and row.item is not None else None
    if row is None or row.item is None or contents is None:
        raise LinkRefused
    row.item.tenant = row.device.tenant
    return row.item, contents.file


def _url(tenant: Tenant, link: Link) -> str:
    return f"{mdm_url(tenant)}/files/{_signer.sign(_content(link))}"


def _content(link: Link) -> str:
    return f"{link.kind}.{link.enrollment}.{link.item.hex}.{link.version}"
