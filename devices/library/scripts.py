"""Custom scripts, which the agent runs on Macs once, regularly or from Self Service."""

from typing import TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor
from access.models import Tenant
from devices.library import items
from devices.library.kinds import CUSTOM_SCRIPT
from devices.models import CustomScript, LibraryItem

LONGEST = 500_000  # characters; the body of a call has room for them
_SCRIPTS = ("script", "remediation_script")


class ScriptFields(TypedDict, total=False):
    """The fields of a script that can be set."""

    name: str
    active: bool
    execution_frequency: str
    script: str
    remediation_script: str
    restart: bool
    show_in_self_service: bool
    self_service_category_id: UUID | None
    self_service_recommended: bool


@transaction.atomic
def create_script(*, tenant: Tenant, actor: Actor, **fields: Unpack[ScriptFields]) -> LibraryItem:
    """Add a script. Raises ValidationError for fields that contradict each other."""
    item = items.new_item(tenant, CUSTOM_SCRIPT)
    _assign(item, fields)
    items.insert(item, actor)
    return item


@transaction.atomic
def update_script(*, tenant: Tenant, item_id: UUID, actor: Actor, **fields: Unpack[ScriptFields]) -> LibraryItem:
    """Change a script. Fields not given stay as they are. Raises LibraryItem.DoesNotExist and ValidationError."""
    item = items.locked(tenant, CUSTOM_SCRIPT, item_id)
    before = items.values(item)
    _assign(item, fields)
    items.save(item, before, actor)
    return item


def _assign(item: LibraryItem, fields: ScriptFields) -> None:
    """Set the fields and check the whole item. Blanks at the end of scripts are removed."""
    items.assign(item, fields)
    script: CustomScript = item.custom_script
    for name in _SCRIPTS:
        setattr(script, name, getattr(script, name).rstrip())
    if not script.script:
        raise ValidationError({"script": "This field may not be blank."})
    items.check_self_service(item, required=script.execution_frequency == CustomScript.Frequency.NO_ENFORCEMENT)
