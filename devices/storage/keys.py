"""The keys of files. The server makes them, and takes only harmless parts of the sender's file name."""

import re
import secrets
import unicodedata
from pathlib import PurePosixPath
from uuid import UUID, uuid5

from django.conf import settings

from access.models import Tenant
from devices.models import StoredFile

NAMESPACE = UUID("6f1d3b0e-58a4-4f0e-9d4b-0c5c8f5b7c11")
FOLDERS = {
    StoredFile.Purpose.CUSTOM_APP: "library/custom_apps",
    StoredFile.Purpose.IPA_APP: "library/ipa_apps",
    StoredFile.Purpose.ICON: "library/ipa_apps",
    StoredFile.Purpose.EXPORT: "prism/exports",
}
LONGEST_STEM, LONGEST_SUFFIX = 100, 16
HARMLESS = re.compile(r"[^A-Za-z0-9 _.()+-]")


def new_key(tenant: Tenant, purpose: StoredFile.Purpose, name: str) -> str:
    """`tenants/<uuid>/<folder>/<stem>_<8 hexadecimal digits><suffix>`. Clients recognize the stem in it."""
    plain = HARMLESS.sub("_", unicodedata.normalize("NFKC", name.replace("\\", "/").rpartition("/")[2]))
    path = PurePosixPath(plain.strip(". ") or "file")
    suffix = path.suffix if 1 < len(path.suffix) <= LONGEST_SUFFIX else ""
    stem = path.name.removesuffix(suffix)[:LONGEST_STEM].strip(". ") or "file"
    return f"{prefix(tenant)}/{FOLDERS[purpose]}/{stem}_{secrets.token_hex(4)}{suffix}"


def beside(key: str, ending: str) -> str:
    """A key derived from another one: `…/Sammy_2a450666.ipa` and `-Icon.png` make `…/Sammy_2a450666-Icon.png`."""
    path = PurePosixPath(key)
    return str(path.with_name(path.stem + ending))


def prefix(tenant: Tenant) -> str:
    """The start of a tenant's keys. A tenant has no UUID, so this one is derived from its subdomain."""
    return f"tenants/{uuid5(NAMESPACE, f'{tenant.subdomain}.{settings.IRU_DOMAIN}')}"
