"""The lists of devices, users and Library items as CSV."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from django.http import StreamingHttpResponse
from django.views.decorators.http import require_GET

from access.pages.exports import csv_response, pages_of
from access.pages.guards import PageRequest, requires
from access.replica import replica_for
from access.roles import Capability
from devices.library.kinds import KINDS
from devices.models import Device
from devices.pages.forms.devices import DeviceFilter
from devices.pages.forms.library import LibraryFilter
from devices.pages.forms.users import UserFilter
from devices.pages.selection import selected_devices

# Header and path of each column. The first column of DEVICES is only for finding their tags, and is not written.
DEVICES = {
    "": "pk",
    "Name": "name",
    "Serial number": "serial_number",
    "Device ID": "uuid",
    "Platform": "platform",
    "Model": "model",
    "OS version": "os_version",
    "Blueprint": "blueprint__name",
    "User": "user__name",
    "User e-mail": "user__email",
    "Asset tag": "asset_tag",
    "FileVault": "filevault_enabled",
    "First enrollment": "first_enrollment",
    "Last enrollment": "last_enrollment",
    "Last check-in": "last_check_in",
}
USERS = {
    "Name": "name",
    "E-mail": "email",
    "User ID": "uuid",
    "Department": "department",
    "Job title": "job_title",
    "Directory": "integration__name",
    "Archived": "archived",
    "Devices": "device_count",
}
ITEMS = {
    "Name": "name",
    "Item ID": "uuid",
    "Kind": "type",
    "Active": "active",
    "Blueprints": "blueprints",
    "Created": "created_at",
    "Changed": "updated_at",
}


@requires(Capability.VIEW)
@require_GET
def devices(request: PageRequest) -> StreamingHttpResponse:
    chosen = "id" in request.GET or request.GET.get("all")
    found = selected_devices(request).targets if chosen else DeviceFilter(request.GET, tenant=request.tenant).apply()
    rows = found.using(replica_for(request.tenant)).values_list(*DEVICES.values())
    return csv_response(request, "devices", (*list(DEVICES)[1:], "Tags"), map(_with_tags, pages_of(rows)))


@requires(Capability.VIEW)
@require_GET
def users(request: PageRequest) -> StreamingHttpResponse:
    found = UserFilter(request.GET, tenant=request.tenant).apply().using(replica_for(request.tenant))
    return csv_response(request, "users", tuple(USERS), pages_of(found.counted().values_list(*USERS.values())))


@requires(Capability.VIEW)
@require_GET
def library(request: PageRequest) -> StreamingHttpResponse:
    found = LibraryFilter(request.GET, tenant=request.tenant).apply().using(replica_for(request.tenant))
    rows = found.annotate(blueprints=Count("assignments__blueprint", distinct=True)).values_list(*ITEMS.values())
    return csv_response(request, "library", tuple(ITEMS), map(_with_kinds, pages_of(rows)))


def _with_tags(page: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """The rows of devices with tags instead of the primary key."""
    tags = defaultdict(list)
    tagged = Device.tags.through.objects.filter(device_id__in=[pk for pk, *_ in page])
    for pk, tag in tagged.order_by("tag__name").values_list("device_id", "tag__name"):
        tags[pk].append(tag)
    return [[*row, ", ".join(tags[pk])] for pk, *row in page]


def _with_kinds(page: Sequence[Sequence[Any]]) -> list[list[Any]]:
    place = list(ITEMS).index("Kind")
    return [
        [*row[:place], KINDS[row[place]].label if row[place] in KINDS else row[place], *row[place + 1 :]]
        for row in page
    ]
