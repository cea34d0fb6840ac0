"""Custom profiles: uploaded configuration profiles, with identifiers of this server."""

from typing import TypedDict, Unpack
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor
from access.models import Tenant
from devices.library import items
from devices.library.kinds import CUSTOM_PROFILE
from devices.library.profile_files import check_name, checked, mdm_identifier, stamped
from devices.models import LibraryItem

FAMILIES = ("runs_on_mac", "runs_on_iphone", "runs_on_ipad", "runs_on_tv", "runs_on_vision")


class ProfileFields(TypedDict, total=False):
    """The fields of a profile that can be set."""

    name: str
    active: bool
    runs_on_mac: bool
    runs_on_iphone: bool
    runs_on_ipad: bool
    runs_on_tv: bool
    runs_on_vision: bool


@transaction.atomic
def create_profile(*, tenant: Tenant, actor: Actor, file: bytes, **fields: Unpack[ProfileFields]) -> LibraryItem:
    """Add a profile. It is for Macs if no family is given.

    Raises ValidationError for a file that is not a profile, and if all families are off.
    """
    item = items.new_item(tenant, CUSTOM_PROFILE)
    items.assign(item, fields)
    if fields.keys() & set(FAMILIES):
        item.custom_profile.runs_on_mac = fields.get("runs_on_mac", False)
    _stamp(item, checked(file))
    items.insert(item, actor)
    return item


@transaction.atomic
def update_profile(
    *, tenant: Tenant, item_id: UUID, actor: Actor, file: bytes | None = None, **fields: Unpack[ProfileFields]
) -> LibraryItem:
    """Change a profile, or replace its file. Fields that are not given stay as they are.

    As in the public API, every change stores the profile with a new PayloadUUID, so that devices install it again.
    Raises LibraryItem.DoesNotExist and ValidationError.
    """
    item = items.locked(tenant, CUSTOM_PROFILE, item_id)
    if file is None and not fields:
        return item
    before = items.values(item)
    items.assign(item, fields)
    _stamp(item, item.custom_profile.profile if file is None else checked(file))
    items.save(item, before, actor)
    return item


def _stamp(item: LibraryItem, text: str) -> None:
    profile = item.custom_profile
    if not any(getattr(profile, name) for name in FAMILIES):
        raise ValidationError({"runs_on_mac": "At least one device family is required."})
    check_name(item.name)
    profile.profile = stamped(text, identifier=mdm_identifier(item), name=item.name, uuid=uuid4())
