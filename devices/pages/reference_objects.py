"""Ids of the tenant for the example calls of the API reference: the newest object of each kind that a call names.

Every role may see them: the pages of these objects are open to all. Ids of tokens are not among them.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

from access.models import Tenant
from devices.commands import COMMANDS
from devices.library import categories, items
from devices.library.kinds import KINDS
from devices.models import StoredFile
from devices.pages.reference_entries import Entry

ADE_DEVICES = "/integrations/apple/ade/devices/"
type Rows = QuerySet[Any, Any]


def ids_for(tenant: Tenant, entry: Entry) -> dict[str, str]:
    """Ids for the parameters and the body of an operation, by their names. One query for each kind of object.

    Parameters of calls that cannot be undone are left out: a person who pastes one of these lines names the object.
    """
    names = {each.name for each in entry.fields}
    if not is_final(entry):
        names |= {each.name for each in entry.parameters if each.required}
    found = {"category": "apps"} if "category" in names else {}
    if "note_id" in names:
        note = tenant.device_notes.order_by("-pk").values("uuid", "device__uuid").first()
        if note:
            found |= {"note_id": str(note["uuid"]), "device_id": str(note["device__uuid"])}
    if "self_service_category_id" in names:
        found["self_service_category_id"] = str(categories.categories(tenant)[0].uuid)
    for name in names - found.keys():
        if name in SOURCES:
            rows = SOURCES[name](tenant, entry).order_by("-pk")
            newest = rows.values_list("cve_id" if name == "cve_id" else "uuid", flat=True).first()
            found |= {name: str(newest)} if newest is not None else {}
    return found


def is_final(entry: Entry) -> bool:
    """Whether the call deletes something, or is sensitive because it cannot be undone."""
    return entry.method == "DELETE" or (entry.sensitive and entry.method != "GET")


def _devices(tenant: Tenant, entry: Entry) -> Rows:
    if ADE_DEVICES in entry.url:
        return tenant.ade_devices.all()
    if entry.id in COMMANDS:
        return tenant.devices.filter(platform__in=COMMANDS[entry.id].platforms)
    return (
        tenant.devices.filter(lost_mode__isnull=False) if entry.id == "get_device_lost_mode" else tenant.devices.all()
    )


def _library_items(tenant: Tenant, entry: Entry) -> Rows:
    kind = next((kind for kind in KINDS.values() if kind.contents and _folder(kind.contents) in entry.url), None)
    return items.items_of(tenant, kind) if kind else tenant.library_items.all()


def _folder(contents: str) -> str:
    return f"/library/{contents.replace('_', '-')}s/"


def _blueprints(tenant: Tenant, entry: Entry) -> Rows:
    return tenant.blueprints.all()


def _users(tenant: Tenant, entry: Entry) -> Rows:
    return tenant.users.all()


SOURCES: dict[str, Callable[[Tenant, Entry], Rows]] = {
    "ade_token_id": lambda tenant, _: tenant.ade_integrations.all(),
    "blueprint_id": _blueprints,
    "cve_id": lambda tenant, _: tenant.vulnerabilities.filter(device_count__gt=0),
    "device_id": _devices,
    "export_id": lambda tenant, _: tenant.exports.all(),
    "library_item_id": _library_items,
    "pending_upload_id": lambda tenant, _: tenant.files.filter(purpose=StoredFile.Purpose.IPA_APP),
    "tag_id": lambda tenant, _: tenant.tags.all(),
    "user": _users,
    "user_id": _users,
}
