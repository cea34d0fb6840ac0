"""The frame of every page about one device: the device, and the context of its head and tabs."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404

from access.pages.guards import PageRequest
from access.roles import Capability, may
from devices.commands.lock import last_lock
from devices.fleet.contact import show_newest_contact
from devices.fleet.lost_mode import ERROR
from devices.models import Device, Fleet
from devices.models.devices import DeviceQuerySet
from devices.pages.command_menu import command_menu
from devices.pages.secret_kinds import kinds_of


def own_device(request: PageRequest, device_id: UUID) -> Device:
    """The tenant's device with this id, with everything that its pages show. Raises Http404."""
    device: Device = get_object_or_404(request.tenant.devices.complete(), uuid=device_id)
    return show_newest_contact(device)


def about(request: PageRequest, device: Device, tab: str, **context: Any) -> dict[str, Any]:
    """The context of one tab of a device's page."""
    acts = may(request.user, Capability.ACT_ON_DEVICES)
    return {
        "device": device,
        "tab": tab,
        "action_groups": command_menu(device) if acts else [],
        "lost_mode_failed": acts and device.lost_mode_status == ERROR,
        "lock": last_lock(device),
        "has_secrets": bool(kinds_of(device.platform)) and may(request.user, Capability.READ_SECRETS),
        **context,
    }


def in_table(request: PageRequest) -> DeviceQuerySet:
    """Devices as `devices/_table.html` lists them."""
    return request.tenant.devices.select_related("blueprint", "user")


def fleet_size(request: PageRequest) -> int:
    return Fleet.objects.filter(tenant=request.tenant).values_list("device_count", flat=True).first() or 0
